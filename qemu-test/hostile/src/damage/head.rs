// SPDX-License-Identifier: GPL-2.0

//! Damage of heads and lengths. File content stays what it is.

use std::mem::offset_of;

use rand::Rng as _;
use rfuse_proto::wire::OutHeader;

use super::draft::{odd_number, pick, Dice, Draft};
use crate::request::HEAD;

/// Ends early, while the head gives the whole length.
pub fn cut(draft: &mut Draft, dice: &mut Dice) -> bool {
    let len = draft.delivery.bytes.len();
    let left = dice.random_range(0..len.max(1));
    draft.delivery.bytes.truncate(left);
    draft.delivery.claimed = left as u32;
    true
}

/// Ends early, and says so.
pub fn short(draft: &mut Draft, dice: &mut Dice) -> bool {
    let body = draft.body_len();
    if body == 0 {
        return false;
    }
    let left = HEAD + dice.random_range(0..body);
    draft.delivery.bytes.truncate(left);
    draft.settle();
    true
}

/// Has more than it should, as far as there is room, and says so.
pub fn long(draft: &mut Draft, dice: &mut Dice) -> bool {
    let spare = draft.room.saturating_sub(draft.delivery.bytes.len());
    if spare == 0 {
        return false;
    }
    let more = dice.random_range(1..=spare.min(70_000));
    // Bytes behind a file's end must be recognised as right: they are zero.
    let fill = if draft.is_content() { 0 } else { dice.random() };
    let len = draft.delivery.bytes.len() + more;
    draft.delivery.bytes.resize(len, fill);
    draft.settle();
    true
}

/// The head gives another length than the transport.
pub fn head_len(draft: &mut Draft, dice: &mut Dice) -> bool {
    let old = draft.head().len;
    draft.put(
        offset_of!(OutHeader, len),
        &(odd_number(dice, u64::from(old)) as u32),
    )
}

/// The transport says that more was written than there is room for.
pub fn used_more(draft: &mut Draft, dice: &mut Dice) -> bool {
    let room = draft.room as u32;
    let more = [1, 15, 4096, u32::MAX - room, dice.random_range(1..1 << 20)];
    draft.delivery.claimed = room.saturating_add(pick(dice, &more).copied().unwrap_or(1));
    true
}

/// Head and transport agree on a length beyond the room.
pub fn both_more(draft: &mut Draft, dice: &mut Dice) -> bool {
    used_more(draft, dice);
    let claimed = draft.delivery.claimed;
    draft.put(offset_of!(OutHeader, len), &claimed)
}

/// Head and transport agree on a length of which only a part was written.
pub fn unwritten(draft: &mut Draft, dice: &mut Dice) -> bool {
    let room = draft.room.min(draft.delivery.bytes.len() + 10_000) as u32;
    let written = HEAD + dice.random_range(0..=draft.body_len());
    draft.delivery.bytes.truncate(written);
    draft.delivery.claimed = room;
    draft.put(offset_of!(OutHeader, len), &room)
}

/// The transport says that less was written than was.
pub fn used_less(draft: &mut Draft, dice: &mut Dice) -> bool {
    let len = draft.delivery.claimed;
    draft.delivery.claimed = dice.random_range(0..len.max(1));
    true
}

/// The answer is to another request, by its head.
pub fn unique(draft: &mut Draft, dice: &mut Dice) -> bool {
    let old = draft.head().unique;
    let others = [
        0,
        1,
        old + 1,
        old.wrapping_sub(2),
        old + 2,
        old | (1 << 63),
        u64::MAX,
        dice.random(),
    ];
    let value = pick(dice, &others).copied().unwrap_or(0);
    draft.put(offset_of!(OutHeader, unique), &value)
}

/// An error that is none.
pub fn error_odd(draft: &mut Draft, dice: &mut Dice) -> bool {
    let errors = [
        1,
        2,
        38,
        4095,
        i32::MAX,
        -512,
        -513,
        -516,
        -4095,
        -4096,
        -65_537,
        i32::MIN,
        dice.random_range(1..i32::MAX),
        -dice.random_range(512..i32::MAX),
    ];
    let error = pick(dice, &errors).copied().unwrap_or(1);
    if dice.random() {
        draft.set_error(error);
        return true;
    }
    draft.put(offset_of!(OutHeader, error), &error)
}

/// An error that could be, but is not.
pub fn error_any(draft: &mut Draft, dice: &mut Dice) -> bool {
    let likely = [
        libc::EINTR,
        libc::EAGAIN,
        libc::ENOMEM,
        libc::ENOSYS,
        libc::ESTALE,
        libc::ENOTCONN,
        libc::ENOENT,
        libc::EOPNOTSUPP,
        dice.random_range(1..=511),
    ];
    let error = pick(dice, &likely).copied().unwrap_or(libc::EIO);
    draft.set_error(-error);
    true
}

/// An error with the body of a success.
pub fn error_body(draft: &mut Draft, dice: &mut Dice) -> bool {
    draft.body_len() > 0
        && draft.put(
            offset_of!(OutHeader, error),
            &-dice.random_range(1..=511_i32),
        )
}

/// A success where there was an error.
pub fn no_error(draft: &mut Draft, _dice: &mut Dice) -> bool {
    draft.is_error() && draft.put(offset_of!(OutHeader, error), &0_i32)
}
