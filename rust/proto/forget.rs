// SPDX-License-Identifier: GPL-2.0

//! Putting forgets together into one BATCH_FORGET.

use zerocopy::IntoBytes as _;

use crate::wire::{BatchForgetIn, ForgetOne, Opcode};

/// First minor version that knows BATCH_FORGET.
const BATCH_MINOR: u32 = 16;

/// Length of one forget in bytes.
const ONE: usize = size_of::<ForgetOne>();

/// The request that sends `pending` forgets, or the first of them, to a server of that minor version.
pub const fn opcode(minor: u32, pending: usize) -> Opcode {
    if minor >= BATCH_MINOR && pending > 1 {
        Opcode::BatchForget
    } else {
        Opcode::Forget
    }
}

/// Forgets that fit in a BATCH_FORGET whose body has `len` bytes.
pub const fn capacity(len: usize) -> usize {
    len.saturating_sub(size_of::<BatchForgetIn>()) / ONE
}

/// Fills the body of a BATCH_FORGET with as many of `nodes` as fit.
///
/// Gives the length of the body in bytes and the number of nodes in it, both 0 if none fits.
pub fn fill(nodes: &[ForgetOne], body: &mut [u8]) -> (usize, usize) {
    let Some(mut batch) = Batch::new(body) else {
        return (0, 0);
    };
    let pushed = nodes.iter().take_while(|one| batch.push(**one).is_ok());
    let count = pushed.count();
    (batch.finish(), count)
}

/// The body of a BATCH_FORGET while it is filled.
///
/// Until [`finish`](Self::finish) the body is not valid.
#[derive(Debug)]
pub struct Batch<'a> {
    body: &'a mut [u8],
    count: u32,
    end: usize,
}

impl<'a> Batch<'a> {
    /// Starts an empty batch in `body`; `None` if that has no room for a single forget.
    pub fn new(body: &'a mut [u8]) -> Option<Self> {
        (capacity(body.len()) > 0).then_some(Self {
            body,
            count: 0,
            end: size_of::<BatchForgetIn>(),
        })
    }

    /// Adds a forget.
    ///
    /// # Errors
    ///
    /// Gives the forget back if the batch is full.
    pub fn push(&mut self, one: ForgetOne) -> Result<(), ForgetOne> {
        let count = self.count.checked_add(1).ok_or(one)?;
        let room = self.body.get_mut(self.end..).ok_or(one)?;
        one.write_to_prefix(room).map_err(|_| one)?;
        self.end = self.end.saturating_add(ONE);
        self.count = count;
        Ok(())
    }

    /// Number of forgets.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether the next [`push`](Self::push) fails.
    pub fn is_full(&self) -> bool {
        let left = self.body.len().saturating_sub(self.end);
        left < ONE || self.count == u32::MAX
    }

    /// Writes the head and gives the length of the body in bytes; 0 if there is no forget to send.
    pub fn finish(self) -> usize {
        let head = BatchForgetIn {
            count: self.count,
            dummy: 0,
        };
        if self.count == 0 || head.write_to_prefix(self.body).is_err() {
            return 0;
        }
        self.end
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;

    use zerocopy::FromBytes as _;

    use super::*;

    fn one(nodeid: u64) -> ForgetOne {
        ForgetOne { nodeid, nlookup: 3 }
    }

    #[test]
    fn batches_need_a_minor_and_two_forgets() {
        assert_eq!(opcode(15, 9), Opcode::Forget);
        assert_eq!(opcode(16, 1), Opcode::Forget);
        assert_eq!(opcode(16, 2), Opcode::BatchForget);
        assert_eq!(opcode(46, 9), Opcode::BatchForget);
    }

    #[test]
    fn capacities() {
        assert_eq!(capacity(0), 0);
        assert_eq!(capacity(23), 0);
        assert_eq!(capacity(24), 1);
        assert_eq!(capacity(4096), 255);
        assert_eq!(capacity(4096 - 40), 253);
    }

    #[test]
    fn no_room_at_all() {
        assert!(Batch::new(&mut [0; 23]).is_none());
    }

    #[test]
    fn filled_to_the_brim() {
        let mut body = vec![0xaa; 4096];
        let mut batch = Batch::new(&mut body).unwrap();
        for nodeid in 0..255 {
            assert!(!batch.is_full());
            batch.push(one(nodeid)).unwrap();
        }
        assert!(batch.is_full());
        assert_eq!(batch.push(one(7)), Err(one(7)));
        assert_eq!(batch.count(), 255);
        assert_eq!(batch.finish(), 8 + 255 * 16);
        let (head, rest) = BatchForgetIn::read_from_prefix(&body).unwrap();
        assert_eq!((head.count, head.dummy), (255, 0));
        let last = ForgetOne::read_from_prefix(&rest[254 * 16..]).unwrap().0;
        assert_eq!(last, one(254));
    }

    #[test]
    fn filled_at_once() {
        let mut body = [0xaa; 60];
        let nodes = [one(1), one(2), one(3), one(4)];
        assert_eq!(fill(&nodes, &mut body), (56, 3));
        assert_eq!(BatchForgetIn::read_from_prefix(&body).unwrap().0.count, 3);
        assert_eq!(body[56..], [0xaa; 4]);
        assert_eq!(fill(&nodes[..1], &mut body), (24, 1));
        assert_eq!(fill(&[], &mut body), (0, 0));
        assert_eq!(fill(&nodes, &mut body[..23]), (0, 0));
    }

    #[test]
    fn nothing_to_send() {
        let mut body = [0xaa; 64];
        assert_eq!(Batch::new(&mut body).unwrap().finish(), 0);
        assert_eq!(body, [0xaa; 64]);
    }
}
