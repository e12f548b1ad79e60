// SPDX-License-Identifier: GPL-2.0

//! Damage of what an ioctl gives.

use std::mem::offset_of;

use rand::{Rng as _, RngCore as _};
use rfuse_proto::flags::IOCTL_RETRY;
use rfuse_proto::wire::{IoctlIovec, IoctlOut};
use zerocopy::IntoBytes;

use super::draft::{odd_number, pick, Dice, Draft};
use crate::request::HEAD;

/// Where data begin.
const DATA: usize = HEAD + size_of::<IoctlOut>();

fn put(draft: &mut Draft, offset: usize, value: u32) -> bool {
    !draft.is_error() && draft.put(HEAD + offset, &value)
}

/// Data of another length than was asked for: little more or less, none, or all that there is room for and more.
pub fn size(draft: &mut Draft, dice: &mut Dice) -> bool {
    let Some(len) = draft.delivery.bytes.len().checked_sub(DATA) else {
        return false;
    };
    let room = draft.room.saturating_sub(DATA);
    let lens = [
        0,
        len.saturating_sub(1),
        len + 1,
        len + 8,
        room,
        room + 1,
        dice.random_range(0..=room),
    ];
    let len = pick(dice, &lens).copied().unwrap_or(0);
    let mut data = draft.delivery.bytes[HEAD..].to_vec();
    data.resize(DATA - HEAD + len, b'x');
    draft.set_body(&data);
    true
}

/// A result that is no error of a system call, or an error that is the kernel's own business.
pub fn result(draft: &mut Draft, dice: &mut Dice) -> bool {
    let results = [
        -1,
        -libc::ENOSYS,
        -511,
        -512,
        -513,
        -529,
        -4095,
        -4096,
        i32::MIN,
        i32::MAX,
        odd_number(dice, 1) as i32,
    ];
    let result = pick(dice, &results).copied().unwrap_or(0);
    put(draft, offset_of!(IoctlOut, result), result as u32)
}

/// The wish to be asked again, with vectors of the caller's memory; and other flags.
pub fn retry(draft: &mut Draft, dice: &mut Dice) -> bool {
    let flags = pick(dice, &[IOCTL_RETRY, IOCTL_RETRY, u32::MAX, 1, 2, 8]);
    let flags = flags.copied().unwrap_or(IOCTL_RETRY);
    let counts = [0, 1, 2, 16, 256, 257, 1 << 20, 1 << 31, u32::MAX];
    let mut count = || pick(dice, &counts).copied().unwrap_or(0);
    let (in_iovs, out_iovs) = (count(), count());
    if draft.is_error() || draft.delivery.bytes.len() < DATA {
        return false;
    }
    let head = IoctlOut {
        result: 0,
        flags,
        in_iovs,
        out_iovs,
    };
    let number = in_iovs.saturating_add(out_iovs).min(300);
    let mut body = head.as_bytes().to_vec();
    for _ in 0..number {
        let vector = IoctlIovec {
            base: odd_number(dice, 4096),
            len: odd_number(dice, 8),
        };
        body.extend(vector.as_bytes());
    }
    if dice.random() {
        dice.fill_bytes(&mut body[DATA - HEAD..]);
    }
    draft.set_body(&body);
    true
}
