// SPDX-License-Identifier: GPL-2.0

//! Damage of bodies of any shape. File content stays what it is.

use std::mem::offset_of;

use rand::{Rng as _, RngCore as _};
use rfuse_proto::wire::{CreateOut, Kstatfs, Opcode, OpenOut};

use super::draft::{odd_number, pick, Dice, Draft};
use crate::request::HEAD;

fn body(draft: &mut Draft) -> Option<&mut [u8]> {
    match draft.is_content() {
        true => None,
        false => draft.delivery.bytes.get_mut(HEAD..),
    }
}

/// Anything.
pub fn garbage(draft: &mut Draft, dice: &mut Dice) -> bool {
    body(draft).is_some_and(|body| {
        dice.fill_bytes(body);
        !body.is_empty()
    })
}

/// One byte, over and over.
pub fn fill(draft: &mut Draft, dice: &mut Dice) -> bool {
    let byte = pick(dice, &[0, 0xff, 0x7f, 0x80]).copied().unwrap_or(0);
    body(draft).is_some_and(|body| {
        body.fill(byte);
        !body.is_empty()
    })
}

/// Some bits.
pub fn bits(draft: &mut Draft, dice: &mut Dice) -> bool {
    body(draft).is_some_and(|body| {
        for _ in 0..dice.random_range(1..9) {
            if !body.is_empty() {
                body[dice.random_range(0..body.len())] ^= 1 << dice.random_range(0..8);
            }
        }
        !body.is_empty()
    })
}

/// One number of 32 or 64 bits is on a border of something.
pub fn field(draft: &mut Draft, dice: &mut Dice) -> bool {
    if draft.is_content() {
        return false;
    }
    let words = draft.body_len().min(512) / 4;
    if words == 0 {
        return false;
    }
    let at = HEAD + 4 * dice.random_range(0..words);
    let wide = at % 8 == 0 && dice.random();
    match (wide, draft.get::<u64>(at), draft.get::<u32>(at)) {
        (true, Some(old), _) => draft.put(at, &odd_number(dice, old)),
        (_, _, Some(old)) => draft.put(at, &(odd_number(dice, u64::from(old)) as u32)),
        _ => false,
    }
}

/// A link whose target is nothing, too long, or has a NUL.
pub fn link(draft: &mut Draft, dice: &mut Dice) -> bool {
    let room = draft.room.saturating_sub(HEAD);
    let targets = [
        Vec::new(),
        b"\0".to_vec(),
        b"a\0b".to_vec(),
        b"/".repeat(room),
        b"x".repeat(room),
        b"../".repeat(room / 3),
        b"/proc/self/fd/0".to_vec(),
    ];
    let target = pick(dice, &targets).cloned().unwrap_or_default();
    draft.set_body(&target);
    true
}

/// An open file with odd flags, handle or backing file.
pub fn open(draft: &mut Draft, dice: &mut Dice) -> bool {
    if draft.is_error() {
        return false;
    }
    let flags = match dice.random_range(0..3) {
        0 => 1 << dice.random_range(0..9),
        1 => dice.random_range(0..1 << 9),
        _ => dice.random(),
    };
    let base = match draft.opcode {
        Opcode::Create | Opcode::Tmpfile => HEAD + offset_of!(CreateOut, open),
        _ => HEAD,
    };
    match dice.random_range(0..3) {
        0 => draft.put(base + offset_of!(OpenOut, fh), &odd_number(dice, 1)),
        1 => draft.put(
            base + offset_of!(OpenOut, backing_id),
            &(odd_number(dice, 0) as u32),
        ),
        _ => draft.put(base + offset_of!(OpenOut, open_flags), &flags),
    }
}

/// A file system with absurd numbers.
pub fn statfs(draft: &mut Draft, dice: &mut Dice) -> bool {
    let wide = [
        offset_of!(Kstatfs, blocks),
        offset_of!(Kstatfs, bfree),
        offset_of!(Kstatfs, bavail),
        offset_of!(Kstatfs, files),
    ];
    let narrow = [
        offset_of!(Kstatfs, bsize),
        offset_of!(Kstatfs, namelen),
        offset_of!(Kstatfs, frsize),
    ];
    let mut put = false;
    for at in wide {
        put |= dice.random() && draft.put(HEAD + at, &odd_number(dice, 4096));
    }
    for at in narrow {
        put |= dice.random() && draft.put(HEAD + at, &(odd_number(dice, 4096) as u32));
    }
    put && !draft.is_error()
}

/// An extended attribute, or a list of them, of a length that was not promised.
pub fn xattr(draft: &mut Draft, dice: &mut Dice) -> bool {
    let room = draft.room.saturating_sub(HEAD);
    if draft.is_error() || room == 0 {
        return false;
    }
    let mut value = vec![0; dice.random_range(0..=room)];
    dice.fill_bytes(&mut value);
    if draft.opcode == Opcode::Listxattr && dice.random() {
        value.fill(b'x');
    }
    draft.set_body(&value);
    true
}
