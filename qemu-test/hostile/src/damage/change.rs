// SPDX-License-Identifier: GPL-2.0

//! Damage of what is said of changes: they are made all the same.

use rand::{Rng as _, RngCore as _};
use rfuse_proto::wire::Opcode;

use super::draft::{odd_number, pick, Dice, Draft};
use crate::request::HEAD;

/// An error that is likely for a change, although it was made.
pub fn done_anyway(draft: &mut Draft, dice: &mut Dice) -> bool {
    let errors = [
        libc::EEXIST,
        libc::ENOENT,
        libc::ENOSYS,
        libc::ENOSPC,
        libc::EDQUOT,
        libc::EROFS,
        libc::EINTR,
        libc::EAGAIN,
        libc::EIO,
        libc::EOPNOTSUPP,
        libc::EXDEV,
        libc::EFBIG,
        libc::ETXTBSY,
        libc::ENOTEMPTY,
        libc::EISDIR,
    ];
    let error = pick(dice, &errors).copied().unwrap_or(libc::EIO);
    let success = !draft.is_error();
    draft.set_error(-error);
    success
}

/// A success without a body.
pub fn nothing(draft: &mut Draft, _dice: &mut Dice) -> bool {
    let has_body = draft.body_len() > 0;
    draft.set_body(&[]);
    has_body
}

/// A number of bytes that were not written or copied.
pub fn moved(draft: &mut Draft, dice: &mut Dice) -> bool {
    if draft.is_error() {
        return false;
    }
    match (draft.opcode, draft.get::<u64>(HEAD), draft.get::<u32>(HEAD)) {
        (Opcode::CopyFileRange64, Some(old), _) => {
            let fewer = dice.random_range(0..=old);
            let count = [odd_number(dice, old), fewer];
            draft.put(HEAD, &count[usize::from(dice.random::<bool>())])
        }
        (_, _, Some(old)) => {
            let fewer = dice.random_range(0..=old);
            let count = [odd_number(dice, old.into()) as u32, fewer];
            draft.put(HEAD, &count[usize::from(dice.random::<bool>())])
        }
        _ => false,
    }
}

/// A position that was not asked for.
pub fn position(draft: &mut Draft, dice: &mut Dice) -> bool {
    match draft.get::<u64>(HEAD) {
        Some(old) if !draft.is_error() => draft.put(HEAD, &odd_number(dice, old)),
        _ => false,
    }
}

/// Where a length was asked for, another one; else a value that is longer or shorter by little.
pub fn xattr_len(draft: &mut Draft, dice: &mut Dice) -> bool {
    if draft.is_error() {
        return false;
    }
    match draft.get::<u32>(HEAD) {
        Some(old) if draft.room == HEAD + 8 => {
            draft.put(HEAD, &(odd_number(dice, old.into()) as u32))
        }
        _ => {
            let len = draft.body_len();
            let mut body = draft.delivery.bytes[HEAD..].to_vec();
            body.resize((len + dice.random_range(0..3)).saturating_sub(1), b'x');
            draft.set_body(&body);
            true
        }
    }
}

/// A list of names that is none.
pub fn xattr_list(draft: &mut Draft, dice: &mut Dice) -> bool {
    let room = draft.room.saturating_sub(HEAD);
    if draft.is_error() || room == 0 {
        return false;
    }
    let mut any = vec![0; dice.random_range(1..=room.min(300))];
    dice.fill_bytes(&mut any);
    let lists = [
        Vec::new(),
        b"\0".to_vec(),
        b"\0\0\0".to_vec(),
        b"user.name".to_vec(),
        b"user.name\0\0".to_vec(),
        b"\0user.name\0".to_vec(),
        b"user.\0user.name\0system.\0".to_vec(),
        b"user.name\0".repeat(room / 10),
        b"x".repeat(room),
        any,
    ];
    let list = pick(dice, &lists).cloned().unwrap_or_default();
    draft.set_body(&list);
    true
}
