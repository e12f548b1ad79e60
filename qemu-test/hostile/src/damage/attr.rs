// SPDX-License-Identifier: GPL-2.0

//! Damage of nodes and their attributes, wherever an answer has some.

use std::mem::offset_of;

use rand::Rng as _;
use rfuse_proto::wire::{Attr, AttrOut, EntryOut, Opcode, Statx, StatxOut, SxTime};

use super::draft::{odd_number, pick, Dice, Draft};
use crate::request::HEAD;

/// A number in attributes: where it is, and whether it has 64 bits.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    wide: bool,
}

/// Where the numbers of one kind are: in `Attr` and in `Statx`.
#[derive(Clone, Copy)]
struct Number {
    attr: Place,
    statx: Place,
}

const fn wide(at: usize) -> Place {
    Place { at, wide: true }
}

const fn narrow(at: usize) -> Place {
    Place { at, wide: false }
}

const SIZE: Number = Number {
    attr: wide(offset_of!(Attr, size)),
    statx: wide(offset_of!(Statx, size)),
};

const BLOCKS: Number = Number {
    attr: wide(offset_of!(Attr, blocks)),
    statx: wide(offset_of!(Statx, blocks)),
};

const INO: Number = Number {
    attr: wide(offset_of!(Attr, ino)),
    statx: wide(offset_of!(Statx, ino)),
};

const NLINK: Number = Number {
    attr: narrow(offset_of!(Attr, nlink)),
    statx: narrow(offset_of!(Statx, nlink)),
};

const BLKSIZE: Number = Number {
    attr: narrow(offset_of!(Attr, blksize)),
    statx: narrow(offset_of!(Statx, blksize)),
};

const RDEV: Number = Number {
    attr: narrow(offset_of!(Attr, rdev)),
    statx: narrow(offset_of!(Statx, rdev_major)),
};

const UID: Number = Number {
    attr: narrow(offset_of!(Attr, uid)),
    statx: narrow(offset_of!(Statx, uid)),
};

const GID: Number = Number {
    attr: narrow(offset_of!(Attr, gid)),
    statx: narrow(offset_of!(Statx, gid)),
};

const TIMES: [(Number, Number); 3] = [
    (
        Number {
            attr: wide(offset_of!(Attr, atime)),
            statx: wide(offset_of!(Statx, atime)),
        },
        Number {
            attr: narrow(offset_of!(Attr, atimensec)),
            statx: narrow(offset_of!(Statx, atime) + offset_of!(SxTime, tv_nsec)),
        },
    ),
    (
        Number {
            attr: wide(offset_of!(Attr, mtime)),
            statx: wide(offset_of!(Statx, mtime)),
        },
        Number {
            attr: narrow(offset_of!(Attr, mtimensec)),
            statx: narrow(offset_of!(Statx, mtime) + offset_of!(SxTime, tv_nsec)),
        },
    ),
    (
        Number {
            attr: wide(offset_of!(Attr, ctime)),
            statx: wide(offset_of!(Statx, ctime)),
        },
        Number {
            attr: narrow(offset_of!(Attr, ctimensec)),
            statx: narrow(offset_of!(Statx, ctime) + offset_of!(SxTime, tv_nsec)),
        },
    ),
];

/// Attributes in an answer.
enum Found {
    Attr(usize),
    Statx(usize),
}

/// One of the attributes in an answer: in a listing, those of any entry.
fn found(draft: &Draft, dice: &mut Dice) -> Option<Found> {
    if draft.is_error() {
        return None;
    }
    match draft.opcode {
        Opcode::Getattr | Opcode::Setattr => Some(Found::Attr(HEAD + offset_of!(AttrOut, attr))),
        Opcode::Statx => Some(Found::Statx(HEAD + offset_of!(StatxOut, stat))),
        _ => Some(Found::Attr(
            entry(draft, dice)? + offset_of!(EntryOut, attr),
        )),
    }
}

/// One of the lookups in an answer.
fn entry(draft: &Draft, dice: &mut Dice) -> Option<usize> {
    if draft.is_error() {
        return None;
    }
    match draft.opcode {
        Opcode::Lookup
        | Opcode::Create
        | Opcode::Tmpfile
        | Opcode::Mknod
        | Opcode::Mkdir
        | Opcode::Symlink
        | Opcode::Link => Some(HEAD),
        Opcode::Readdirplus => draft.any_record(dice),
        _ => None,
    }
}

impl Found {
    fn place(&self, number: Number) -> Place {
        let (base, place) = match self {
            Self::Attr(base) => (base, number.attr),
            Self::Statx(base) => (base, number.statx),
        };
        Place {
            at: base + place.at,
            ..place
        }
    }

    fn put(&self, draft: &mut Draft, number: Number, value: u64) -> bool {
        let place = self.place(number);
        match place.wide {
            true => draft.put(place.at, &value),
            false => draft.put(place.at, &(value as u32)),
        }
    }

    fn mode(&self, draft: &Draft) -> Option<u32> {
        match self {
            Self::Attr(base) => draft.get(base + offset_of!(Attr, mode)),
            Self::Statx(base) => draft
                .get::<u16>(base + offset_of!(Statx, mode))
                .map(u32::from),
        }
    }

    fn put_mode(&self, draft: &mut Draft, mode: u32) -> bool {
        match self {
            Self::Attr(base) => draft.put(base + offset_of!(Attr, mode), &mode),
            Self::Statx(base) => draft.put(base + offset_of!(Statx, mode), &(mode as u16)),
        }
    }
}

/// One number of the attributes is on a border of something.
fn put_odd(draft: &mut Draft, dice: &mut Dice, numbers: &[Number]) -> bool {
    let (Some(found), Some(number)) = (found(draft, dice), pick(dice, numbers)) else {
        return false;
    };
    let value = odd_number(dice, 4096);
    found.put(draft, *number, value)
}

/// A file that shrinks, grows, or is larger than any can be.
pub fn size(draft: &mut Draft, dice: &mut Dice) -> bool {
    let Some(found) = found(draft, dice) else {
        return false;
    };
    let old = draft.get::<u64>(found.place(SIZE).at).unwrap_or(0);
    let near = [
        old.saturating_sub(4096),
        old + 4096,
        old + 1_000_000,
        old.saturating_sub(1_000_000),
        odd_number(dice, old),
        odd_number(dice, old),
    ];
    let size = pick(dice, &near).copied().unwrap_or(0);
    found.put(draft, SIZE, size)
}

/// Times long gone or far away, with more than a second of nanoseconds.
pub fn times(draft: &mut Draft, dice: &mut Dice) -> bool {
    let Some(found) = found(draft, dice) else {
        return false;
    };
    let mut put = false;
    for (sec, nsec) in TIMES {
        if dice.random() {
            let value = odd_number(dice, 1_700_000_000);
            put |= found.put(draft, sec, value);
        }
        if dice.random() {
            let value = odd_number(dice, 1_000_000_000);
            put |= found.put(draft, nsec, value);
        }
    }
    put
}

/// Link count, block size, device, inode number, owner or blocks that cannot be.
pub fn numbers(draft: &mut Draft, dice: &mut Dice) -> bool {
    put_odd(draft, dice, &[NLINK, BLKSIZE, RDEV, INO, UID, GID, BLOCKS])
}

/// The node is of another type than it was.
pub fn kind(draft: &mut Draft, dice: &mut Dice) -> bool {
    let Some(found) = found(draft, dice) else {
        return false;
    };
    let mode = found.mode(draft).unwrap_or(0);
    let kind = dice.random_range(1..=14_u32) << 12;
    found.put_mode(draft, mode & 0o7777 | kind)
}

/// Bits in the mode that no type has, and any permissions.
pub fn mode(draft: &mut Draft, dice: &mut Dice) -> bool {
    let Some(found) = found(draft, dice) else {
        return false;
    };
    let old = found.mode(draft).unwrap_or(0);
    let modes = [
        0,
        old & 0o7777,
        old & libc::S_IFMT,
        old | 0o170_000,
        old | (1 << 16),
        old | 0o7777,
        dice.random::<u32>() & 0o7777 | old & libc::S_IFMT,
        dice.random(),
        u32::MAX,
    ];
    let mode = pick(dice, &modes).copied().unwrap_or(0);
    found.put_mode(draft, mode)
}

/// Flags that nobody negotiated: submount, DAX, unknown ones.
pub fn flags(draft: &mut Draft, dice: &mut Dice) -> bool {
    let flags = pick(dice, &[1, 2, 3, 4, u32::MAX]).copied().unwrap_or(1);
    let offset = match found(draft, dice) {
        Some(Found::Attr(base)) => base + offset_of!(Attr, flags),
        Some(Found::Statx(_)) => HEAD + offset_of!(StatxOut, flags),
        None => return false,
    };
    draft.put(offset, &flags)
}

/// The fields that statx says are valid.
pub fn statx_mask(draft: &mut Draft, dice: &mut Dice) -> bool {
    let masks = [0, 1, 0x200, 0x7fe, 0x5ff, u32::MAX, dice.random()];
    let mask = pick(dice, &masks).copied().unwrap_or(0);
    !draft.is_error()
        && draft.put(
            HEAD + offset_of!(StatxOut, stat) + offset_of!(Statx, mask),
            &mask,
        )
}

/// What may be cached for ever, or with more than a second of nanoseconds.
pub fn valid(draft: &mut Draft, dice: &mut Dice) -> bool {
    let (sec, nsec) = match draft.opcode {
        _ if draft.is_error() => return false,
        Opcode::Getattr | Opcode::Setattr => (
            HEAD + offset_of!(AttrOut, attr_valid),
            HEAD + offset_of!(AttrOut, attr_valid_nsec),
        ),
        Opcode::Statx => (
            HEAD + offset_of!(StatxOut, attr_valid),
            HEAD + offset_of!(StatxOut, attr_valid_nsec),
        ),
        _ => match (entry(draft, dice), dice.random()) {
            (None, _) => return false,
            (Some(base), true) => (
                base + offset_of!(EntryOut, entry_valid),
                base + offset_of!(EntryOut, entry_valid_nsec),
            ),
            (Some(base), false) => (
                base + offset_of!(EntryOut, attr_valid),
                base + offset_of!(EntryOut, attr_valid_nsec),
            ),
        },
    };
    draft.put(sec, &odd_number(dice, 1)) | draft.put(nsec, &(odd_number(dice, 1 << 30) as u32))
}

fn put_node(draft: &mut Draft, dice: &mut Dice, nodeid: u64) -> bool {
    entry(draft, dice).is_some_and(|base| draft.put(base + offset_of!(EntryOut, nodeid), &nodeid))
}

/// Node 0: no node, for a name that is there.
pub fn node_none(draft: &mut Draft, dice: &mut Dice) -> bool {
    put_node(draft, dice, 0)
}

/// The root, for another name.
pub fn node_root(draft: &mut Draft, dice: &mut Dice) -> bool {
    put_node(draft, dice, 1)
}

/// Another node that exists, mostly of another type.
pub fn node_other(draft: &mut Draft, dice: &mut Dice) -> bool {
    let few = draft.nodes.min(40);
    let nodeid = match dice.random() {
        true => dice.random_range(1..=few),
        false => dice.random_range(1..=draft.nodes),
    };
    put_node(draft, dice, nodeid)
}

/// A node that does not exist.
pub fn node_unknown(draft: &mut Draft, dice: &mut Dice) -> bool {
    let ids = [draft.nodes + 1, u64::MAX, 1 << 63, 1 << 32, dice.random()];
    let nodeid = pick(dice, &ids).copied().unwrap_or(u64::MAX);
    put_node(draft, dice, nodeid)
}

/// Another node for a number, or the same in another generation.
pub fn node_here(draft: &mut Draft, dice: &mut Dice) -> bool {
    match dice.random_range(0..4) {
        0 => node_none(draft, dice),
        1 => node_root(draft, dice),
        2 => node_other(draft, dice),
        _ => generation(draft, dice),
    }
}

/// The node in another generation.
pub fn generation(draft: &mut Draft, dice: &mut Dice) -> bool {
    let generation = odd_number(dice, 0);
    entry(draft, dice)
        .is_some_and(|base| draft.put(base + offset_of!(EntryOut, generation), &generation))
}
