// SPDX-License-Identifier: GPL-2.0

//! Damage of what is said of locks.

use std::mem::offset_of;

use rfuse_proto::op::{F_RDLCK, F_UNLCK, F_WRLCK};
use rfuse_proto::wire::{FileLock, LkOut};

use super::draft::{odd_number, pick, Dice, Draft};
use crate::locks::LAST;
use crate::request::HEAD;

/// A lock in the way that is none: an odd range, of an odd kind, of nobody.
pub fn range(draft: &mut Draft, dice: &mut Dice) -> bool {
    let ranges = [
        (0, LAST),
        (5, 4),
        (LAST, 0),
        (0, LAST + 1),
        (LAST + 1, u64::MAX),
        (0, u64::MAX),
        (odd_number(dice, 1), odd_number(dice, 100)),
    ];
    let kinds = [F_RDLCK, F_WRLCK, F_UNLCK, 3, 4, 1 << 31, u32::MAX];
    let pids = [0, 1, 1 << 22, i32::MAX as u32, 1 << 31, u32::MAX];
    let (start, end) = pick(dice, &ranges).copied().unwrap_or((0, 0));
    let lock = FileLock {
        start,
        end,
        type_: pick(dice, &kinds).copied().unwrap_or(0),
        pid: pick(dice, &pids).copied().unwrap_or(0),
    };
    !draft.is_error() && draft.put(HEAD + offset_of!(LkOut, lk), &lock)
}
