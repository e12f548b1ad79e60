// SPDX-License-Identifier: GPL-2.0

//! An answer while it is being damaged.

use std::mem::offset_of;

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rfuse_proto::wire::{Direntplus, Opcode, OutHeader};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::delivery::{length, Delivery};
use crate::request::{Request, HEAD};

/// Where chance comes from.
pub type Dice = ChaCha8Rng;

/// An answer, and what it answers.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What was asked.
    pub opcode: Opcode,
    /// Whether a node is looked up by its number, rather than by a name.
    pub by_number: bool,
    /// Room for the answer in bytes.
    pub room: usize,
    /// Number of nodes: their ids are 1 to this.
    pub nodes: u64,
    /// The answer so far.
    pub delivery: Delivery,
}

impl Draft {
    /// A draft of the right answer.
    pub fn new(request: &Request<'_>, nodes: u64, right: Vec<u8>) -> Self {
        Self {
            opcode: request.opcode,
            by_number: request.opcode == Opcode::Lookup && matches!(request.body, b".\0" | b"..\0"),
            room: request.room,
            nodes,
            delivery: Delivery::right(right),
        }
    }

    /// The head.
    pub fn head(&self) -> OutHeader {
        OutHeader::read_from_prefix(&self.delivery.bytes)
            .map(|(head, _)| head)
            .unwrap_or_default()
    }

    /// Length of the body in bytes.
    pub fn body_len(&self) -> usize {
        self.delivery.bytes.len().saturating_sub(HEAD)
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.head().error != 0
    }

    /// Whether the answer is file content, which a client has no means to judge.
    pub fn is_content(&self) -> bool {
        self.opcode == Opcode::Read
    }

    /// Writes a structure or a number at a place of the whole message; `false` beyond its end.
    pub fn put(&mut self, at: usize, value: &(impl IntoBytes + Immutable)) -> bool {
        let rest = self.delivery.bytes.get_mut(at..);
        rest.is_some_and(|rest| value.write_to_prefix(rest).is_ok())
    }

    /// A number at a place of the whole message.
    pub fn get<T: FromBytes>(&self, at: usize) -> Option<T> {
        let rest = self.delivery.bytes.get(at..)?;
        Some(T::read_from_prefix(rest).ok()?.0)
    }

    /// Replaces all behind the head; the length in the head and the transport's follow.
    pub fn set_body(&mut self, body: &[u8]) {
        self.delivery.bytes.truncate(HEAD);
        self.delivery.bytes.extend_from_slice(body);
        self.settle();
    }

    /// Makes it a bare error.
    pub fn set_error(&mut self, error: i32) {
        self.put(offset_of!(OutHeader, error), &error);
        self.set_body(&[]);
    }

    /// Cuts what does not fit off, and has head and transport give the length that is left.
    pub fn settle(&mut self) {
        self.delivery.bytes.truncate(self.room);
        let len = length(&self.delivery.bytes);
        self.put(offset_of!(OutHeader, len), &len);
        self.delivery.claimed = len;
    }

    /// Where the records of a listing start, for READDIRPLUS and READDIR.
    pub fn records(&self) -> Vec<usize> {
        let Some(dirent) = self.dirent_offset() else {
            return Vec::new();
        };
        let head = dirent + size_of::<rfuse_proto::wire::Dirent>();
        let mut starts = Vec::new();
        let mut at = HEAD;
        while let Some(namelen) =
            self.get::<u32>(at + dirent + offset_of!(rfuse_proto::wire::Dirent, namelen))
        {
            starts.push(at);
            at += head + (namelen as usize).next_multiple_of(crate::server::ALIGN);
        }
        starts
    }

    /// Where in a record the directory entry is.
    pub fn dirent_offset(&self) -> Option<usize> {
        match self.opcode {
            Opcode::Readdir => Some(0),
            Opcode::Readdirplus => Some(offset_of!(Direntplus, dirent)),
            _ => None,
        }
    }

    /// One record's start, by chance.
    pub fn any_record(&self, dice: &mut Dice) -> Option<usize> {
        pick(dice, &self.records()).copied()
    }
}

/// One of several, by chance.
pub fn pick<'a, T>(dice: &mut Dice, from: &'a [T]) -> Option<&'a T> {
    match from.len() {
        0 => None,
        len => from.get(dice.random_range(0..len)),
    }
}

/// A number that is likely to be a border of something.
pub fn odd_number(dice: &mut Dice, old: u64) -> u64 {
    let numbers = [
        0,
        1,
        2,
        old.wrapping_add(1),
        old.wrapping_sub(1),
        old.wrapping_mul(2),
        old / 2,
        !old,
        4095,
        4096,
        4097,
        1 << 16,
        (1 << 31) - 1,
        1 << 31,
        (1 << 32) - 1,
        1 << 32,
        i64::MAX as u64 - 4095,
        i64::MAX as u64,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
        dice.random(),
    ];
    pick(dice, &numbers).copied().unwrap_or(0)
}
