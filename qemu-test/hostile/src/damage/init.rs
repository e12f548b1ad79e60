// SPDX-License-Identifier: GPL-2.0

//! Damage of the reply to INIT.

use std::mem::offset_of;

use rand::Rng as _;
use rfuse_proto::wire::{
    InitOut, COMPAT_22_INIT_OUT_SIZE, COMPAT_INIT_OUT_SIZE, KERNEL_MINOR_VERSION,
};

use super::draft::{odd_number, pick, Dice, Draft};
use crate::request::HEAD;

/// A major version that is not 7, or any minor one.
pub fn version(draft: &mut Draft, dice: &mut Dice) -> bool {
    let minors = [0, 4, 5, 8, 9, 11, 12, 15, 16, 22, 23, 30];
    let odd = [0, 6, 8, u32::MAX];
    match dice.random_range(0..3) {
        0 => {
            let major = pick(dice, &odd).copied().unwrap_or(0);
            draft.put(HEAD + offset_of!(InitOut, major), &major)
        }
        1 => {
            let minor = pick(dice, &minors).copied().unwrap_or(0);
            draft.put(HEAD + offset_of!(InitOut, minor), &minor)
        }
        _ => {
            let more = [KERNEL_MINOR_VERSION + 1, 1000, u32::MAX];
            let minor = pick(dice, &more).copied().unwrap_or(u32::MAX);
            draft.put(HEAD + offset_of!(InitOut, minor), &minor)
        }
    }
}

/// Limits that are nothing, one, or without end.
pub fn limits(draft: &mut Draft, dice: &mut Dice) -> bool {
    let narrow = [
        offset_of!(InitOut, max_readahead),
        offset_of!(InitOut, max_write),
        offset_of!(InitOut, time_gran),
        offset_of!(InitOut, max_stack_depth),
    ];
    let short = [
        offset_of!(InitOut, max_background),
        offset_of!(InitOut, congestion_threshold),
        offset_of!(InitOut, max_pages),
        offset_of!(InitOut, map_alignment),
        offset_of!(InitOut, request_timeout),
    ];
    let mut put = false;
    for at in narrow {
        put |= dice.random() && draft.put(HEAD + at, &(odd_number(dice, 4096) as u32));
    }
    for at in short {
        put |= dice.random() && draft.put(HEAD + at, &(odd_number(dice, 256) as u16));
    }
    put
}

/// No flag, all flags, or any.
pub fn flags(draft: &mut Draft, dice: &mut Dice) -> bool {
    let mut any = || match dice.random_range(0..3) {
        0 => 0,
        1 => u32::MAX,
        _ => dice.random::<u32>(),
    };
    let (flags, flags2) = (any(), any());
    draft.put(HEAD + offset_of!(InitOut, flags), &flags)
        && draft.put(HEAD + offset_of!(InitOut, flags2), &flags2)
}

/// A reply of an older version's length.
pub fn old(draft: &mut Draft, dice: &mut Dice) -> bool {
    let lengths = [
        COMPAT_INIT_OUT_SIZE,
        COMPAT_22_INIT_OUT_SIZE,
        dice.random_range(0..64),
    ];
    let len = pick(dice, &lengths).copied().unwrap_or(0);
    let body: Vec<_> = draft
        .delivery
        .bytes
        .iter()
        .skip(HEAD)
        .take(len)
        .copied()
        .collect();
    draft.set_body(&body);
    true
}
