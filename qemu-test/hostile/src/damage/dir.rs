// SPDX-License-Identifier: GPL-2.0

//! Damage of listings.

use std::mem::offset_of;

use rand::Rng as _;
use rfuse_proto::wire::{Dirent, Direntplus, EntryOut, Opcode};

use super::draft::{odd_number, pick, Dice, Draft};
use crate::request::HEAD;
use crate::server::{record, ALIGN};

/// The largest name, with which a record still fits in a page.
const LONG: usize = 4095;

/// Where the directory entry of any record is.
fn dirent(draft: &Draft, dice: &mut Dice) -> Option<usize> {
    Some(draft.any_record(dice)? + draft.dirent_offset()?)
}

/// The name of a record: where it starts, and its length.
fn name(draft: &Draft, dice: &mut Dice) -> Option<(usize, usize)> {
    let at = dirent(draft, dice)?;
    let len = draft.get::<u32>(at + offset_of!(Dirent, namelen))?;
    Some((at + size_of::<Dirent>(), len as usize))
}

fn put_in_name(draft: &mut Draft, dice: &mut Dice, byte: u8) -> bool {
    name(draft, dice).is_some_and(|(at, len)| {
        let place = at + dice.random_range(0..len.max(1));
        draft.put(place, &byte)
    })
}

/// A name with a slash.
pub fn name_slash(draft: &mut Draft, dice: &mut Dice) -> bool {
    put_in_name(draft, dice, b'/')
}

/// A name with a NUL.
pub fn name_nul(draft: &mut Draft, dice: &mut Dice) -> bool {
    put_in_name(draft, dice, 0)
}

/// A name in place of another: the body then has this one record.
fn only(draft: &mut Draft, name: &[u8], off: u64) -> bool {
    let head = Dirent {
        ino: 2,
        off,
        namelen: name.len() as u32,
        type_: 8,
    };
    let body = written(draft, head, name);
    draft.set_body(&body);
    true
}

/// A record of the kind that was asked for, without a lookup.
fn written(draft: &Draft, dirent: Dirent, name: &[u8]) -> Vec<u8> {
    match draft.opcode {
        Opcode::Readdirplus => {
            let head = Direntplus {
                entry_out: EntryOut::default(),
                dirent,
            };
            record(&head, name)
        }
        _ => record(&dirent, name),
    }
}

/// An empty name.
pub fn name_empty(draft: &mut Draft, dice: &mut Dice) -> bool {
    let at = dirent(draft, dice).map(|at| at + offset_of!(Dirent, namelen));
    at.is_some_and(|at| draft.put(at, &0_u32))
}

/// A name of 255 to 4095 bytes.
pub fn name_long(draft: &mut Draft, dice: &mut Dice) -> bool {
    let lengths = [255, 256, 1024, 1025, 4000, LONG];
    let len = pick(dice, &lengths).copied().unwrap_or(LONG);
    only(draft, &b"d".repeat(len), 3)
}

/// A name length that leads beyond the end, or anywhere else.
pub fn name_len(draft: &mut Draft, dice: &mut Dice) -> bool {
    let value = odd_number(dice, 4096) as u32;
    let at = dirent(draft, dice).map(|at| at + offset_of!(Dirent, namelen));
    at.is_some_and(|at| draft.put(at, &value))
}

/// `.` or `..` in place of any name, whose lookup stays.
pub fn name_dot(draft: &mut Draft, dice: &mut Dice) -> bool {
    let Some(dirent) = draft.dirent_offset() else {
        return false;
    };
    let mut records = split(draft);
    if records.is_empty() {
        return false;
    }
    let chosen = dice.random_range(0..records.len());
    let dots = if dice.random() { "." } else { ".." };
    let record = &mut records[chosen];
    record.resize(dirent + size_of::<Dirent>(), 0);
    record[dirent + offset_of!(Dirent, namelen)..][..4]
        .copy_from_slice(&(dots.len() as u32).to_ne_bytes());
    record.extend(dots.as_bytes());
    record.resize(dirent + size_of::<Dirent>() + ALIGN, 0);
    draft.set_body(&records.concat());
    true
}

/// The records one by one.
fn split(draft: &Draft) -> Vec<Vec<u8>> {
    let mut ends = draft.records();
    ends.push(draft.delivery.bytes.len());
    let pairs = ends.windows(2);
    pairs
        .filter_map(|pair| draft.delivery.bytes.get(pair[0]..pair[1]))
        .map(<[u8]>::to_vec)
        .collect()
}

/// The same name again and again, with offsets that advance.
pub fn name_twice(draft: &mut Draft, dice: &mut Dice) -> bool {
    let Some(record) = pick(dice, &split(draft)).cloned() else {
        return false;
    };
    let off = draft.dirent_offset().unwrap_or(0) + offset_of!(Dirent, off);
    let times = dice.random_range(2..20);
    let mut body = Vec::new();
    for number in 0..times {
        let mut one = record.clone();
        one[off..off + 8].copy_from_slice(&(100 + number as u64).to_ne_bytes());
        body.extend(one);
    }
    draft.set_body(&body);
    true
}

fn put_off(draft: &mut Draft, dice: &mut Dice, value: impl Fn(u64, &mut Dice) -> u64) -> bool {
    let Some(at) = dirent(draft, dice).map(|at| at + offset_of!(Dirent, off)) else {
        return false;
    };
    let old = draft.get::<u64>(at).unwrap_or(0);
    let off = value(old, dice);
    draft.put(at, &off)
}

/// An entry that does not advance.
pub fn off_same(draft: &mut Draft, dice: &mut Dice) -> bool {
    put_off(draft, dice, |old, _| old.saturating_sub(1))
}

/// An offset that leads back.
pub fn off_back(draft: &mut Draft, dice: &mut Dice) -> bool {
    put_off(draft, dice, |old, dice| dice.random_range(0..old.max(1)))
}

/// An offset that is no position.
pub fn off_odd(draft: &mut Draft, dice: &mut Dice) -> bool {
    put_off(draft, dice, |old, dice| odd_number(dice, old))
}

/// Every entry has the same offset.
pub fn off_stuck(draft: &mut Draft, _dice: &mut Dice) -> bool {
    let Some(dirent) = draft.dirent_offset() else {
        return false;
    };
    let mut put = false;
    for at in draft.records() {
        put |= draft.put(at + dirent + offset_of!(Dirent, off), &5_u64);
    }
    put
}

/// A kind of node that does not exist.
pub fn kind_odd(draft: &mut Draft, dice: &mut Dice) -> bool {
    let value = odd_number(dice, 8) as u32;
    dirent(draft, dice).is_some_and(|at| draft.put(at + offset_of!(Dirent, type_), &value))
}

/// A listing that goes on where it should end.
pub fn endless(draft: &mut Draft, dice: &mut Dice) -> bool {
    let start: u64 = dice.random_range(1 << 20..1 << 40);
    let mut body = Vec::new();
    for number in 0.. {
        let name = format!("endless-{}", start + number);
        let head = Dirent {
            ino: 2,
            off: start + number,
            namelen: name.len() as u32,
            type_: 8,
        };
        let record = written(draft, head, name.as_bytes());
        if HEAD + body.len() + record.len() > draft.room {
            break;
        }
        body.extend(record);
    }
    draft.set_body(&body);
    true
}
