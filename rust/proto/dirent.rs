// SPDX-License-Identifier: GPL-2.0

//! Parsers of what READDIR and READDIRPLUS answer.
//!
//! Both replies are records: a head, the name, padding up to a multiple of 8 bytes. A record that
//! does not fit in what is left ends the iteration without a fault: servers fill their buffer and cut
//! the last record off.

use core::fmt;
use core::iter::FusedIterator;

use zerocopy::{transmute, FromBytes as _};

use crate::wire::{Dirent, Direntplus, EntryOut, NAME_MAX, ROOT_ID};

/// Records are multiples of this many bytes.
const ALIGN: usize = 8;

/// One entry of a directory. `.` and `..` are entries like others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Inode number that user space sees.
    pub ino: u64,
    /// Offset at which a READDIR goes on after this entry.
    pub off: u64,
    /// Kind of node, `DT_*`; the low 4 bits of what the server said.
    pub kind: u8,
    /// Name of 1 to 4095 bytes without NUL and without `/`.
    pub name: &'a [u8],
}

impl Entry<'_> {
    /// Whether the name is `.` or `..`, for which a server counts no lookup.
    pub fn is_dot(&self) -> bool {
        is_dot(self.name)
    }
}

/// One entry of a directory together with the lookup of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPlus<'a> {
    /// The entry.
    pub dirent: Entry<'a>,
    // A reference: a lookup is longer than what is cheaply copied from hand to hand.
    lookup: &'a [u8; PLUS],
}

impl EntryPlus<'_> {
    /// The lookup, unjudged.
    #[inline]
    pub fn entry(&self) -> EntryOut {
        transmute!(*self.lookup)
    }

    /// The node that was looked up; 0 if the server made no lookup.
    #[inline]
    pub fn nodeid(&self) -> u64 {
        self.entry().nodeid
    }
}

/// Why a directory cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirentFault {
    /// The name is empty or longer than 4095 bytes.
    NameLength {
        /// Length that the record gives, in bytes.
        namelen: u32,
    },
    /// The name contains `/` or NUL.
    NameByte {
        /// The byte.
        byte: u8,
    },
    /// The entry has the offset of the one before it: reading on from there would not advance.
    Stuck {
        /// The offset.
        off: u64,
    },
}

impl fmt::Display for DirentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameLength { namelen } => {
                write!(f, "directory entry with a name of {namelen} bytes")
            }
            Self::NameByte { byte } => {
                write!(f, "directory entry with byte {byte:#04x} in its name")
            }
            Self::Stuck { off } => write!(f, "two directory entries in a row with offset {off}"),
        }
    }
}

/// The entries of a reply of either kind.
pub trait Listing<'a> {
    /// The next entry, or what is wrong with it.
    fn next_entry(&mut self) -> Option<Result<Entry<'a>, DirentFault>>;

    /// Where the next entry starts in the body, in bytes; after a fault, where the bad one starts.
    fn position(&self) -> usize;
}

/// Entries of a READDIR reply, in order; ends after the first fault.
#[derive(Clone, Debug)]
pub struct Dirents<'a>(Records<'a, PLAIN>);

impl<'a> Dirents<'a> {
    /// Parses the body of a reply.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Records::new(bytes))
    }

    /// Parses on from a [`position`](Self::position) of the same body; `before` is the offset of the
    /// entry that ends there, if there is one.
    pub fn resume(bytes: &'a [u8], position: usize, before: Option<u64>) -> Self {
        Self(Records::resume(bytes, position, before))
    }

    /// Where the next entry starts in the body, in bytes.
    #[inline]
    pub fn position(&self) -> usize {
        self.0.position
    }
}

impl<'a> Iterator for Dirents<'a> {
    type Item = Result<Entry<'a>, DirentFault>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.next()?;
        Some(next.map(|(_, entry)| entry))
    }
}

impl FusedIterator for Dirents<'_> {}

impl<'a> Listing<'a> for Dirents<'a> {
    #[inline]
    fn next_entry(&mut self) -> Option<Result<Entry<'a>, DirentFault>> {
        self.next()
    }

    #[inline]
    fn position(&self) -> usize {
        self.0.position
    }
}

/// Entries of a READDIRPLUS reply, in order; ends after the first fault.
///
/// After a fault, or when the caller stops early, [`Lookups`] from [`position`](Self::position) on
/// gives the nodes whose lookups nobody took.
#[derive(Clone, Debug)]
pub struct DirentsPlus<'a>(Records<'a, PLUS>);

impl<'a> DirentsPlus<'a> {
    /// Parses the body of a reply.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Records::new(bytes))
    }

    /// Parses on from a [`position`](Self::position) of the same body; `before` is the offset of the
    /// entry that ends there, if there is one.
    pub fn resume(bytes: &'a [u8], position: usize, before: Option<u64>) -> Self {
        Self(Records::resume(bytes, position, before))
    }

    /// Where the next entry starts in the body, in bytes; after a fault, where the bad one starts.
    pub fn position(&self) -> usize {
        self.0.position
    }
}

impl<'a> Iterator for DirentsPlus<'a> {
    type Item = Result<EntryPlus<'a>, DirentFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let (lookup, dirent) = match self.0.next()? {
            Ok(record) => record,
            Err(fault) => return Some(Err(fault)),
        };
        let lookup = lookup.try_into().ok()?;
        Some(Ok(EntryPlus { dirent, lookup }))
    }
}

impl FusedIterator for DirentsPlus<'_> {}

impl<'a> Listing<'a> for DirentsPlus<'a> {
    #[inline]
    fn next_entry(&mut self) -> Option<Result<Entry<'a>, DirentFault>> {
        Some(self.0.next()?.map(|(_, entry)| entry))
    }

    #[inline]
    fn position(&self) -> usize {
        self.0.position
    }
}

/// Nodes that a READDIRPLUS reply counts a lookup for, each as often as it must be forgotten.
///
/// For replies that nobody wants any more, and for the rest of those with a fault: names are not
/// judged, only their length is needed to find the next record. The root is never given, since a
/// server must not lose it.
#[derive(Clone, Debug)]
pub struct Lookups<'a> {
    rest: &'a [u8],
}

impl<'a> Lookups<'a> {
    /// Lookups of the records from the start of `bytes` on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl Iterator for Lookups<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            let record = Record::read(self.rest, PLUS)?.ok()?;
            self.rest = record.rest;
            let (lookup, _) = EntryOut::read_from_prefix(record.before).ok()?;
            let nodeid = lookup.nodeid;
            if nodeid != 0 && nodeid != ROOT_ID && !is_dot(record.name) {
                return Some(nodeid);
            }
        }
    }
}

impl FusedIterator for Lookups<'_> {}

/// What comes before the head of a record of READDIR, in bytes.
const PLAIN: usize = 0;

/// What comes before the head of a record of READDIRPLUS, in bytes: the lookup.
const PLUS: usize = size_of::<EntryOut>();

/// A record that is complete and whose name has a valid length.
struct Record<'a> {
    before: &'a [u8],
    head: Dirent,
    /// The name and its padding.
    padded: &'a [u8],
    name: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Record<'a> {
    /// Takes the first record off `bytes`; `None` if it is not complete.
    #[inline]
    fn read(bytes: &'a [u8], before: usize) -> Option<Result<Self, DirentFault>> {
        let (before, bytes) = bytes.split_at_checked(before)?;
        let (head, after) = Dirent::read_from_prefix(bytes).ok()?;
        let namelen = head.namelen;
        let len = match usize::try_from(namelen) {
            Ok(len @ 1..=NAME_MAX) => len,
            _ => return Some(Err(DirentFault::NameLength { namelen })),
        };
        // Both heads are multiples of 8 bytes, so that padding the name pads the record.
        let (padded, rest) = after.split_at_checked(len.next_multiple_of(ALIGN))?;
        Some(Ok(Self {
            before,
            head,
            padded,
            name: padded.get(..len)?,
            rest,
        }))
    }

    /// The first byte of the name that no name may have.
    #[inline]
    fn bad_byte(&self) -> Option<u8> {
        let mut left = self.name.len();
        for chunk in self.padded.chunks_exact(ALIGN) {
            let mut word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
            if left < ALIGN {
                // What pads the name may be anything.
                word |= u64::MAX.wrapping_shl(left.saturating_mul(8) as u32);
            }
            if has_zero(word) || has_zero(word ^ SLASHES) {
                return self
                    .name
                    .iter()
                    .copied()
                    .find(|&byte| byte == b'/' || byte == 0);
            }
            left = left.saturating_sub(ALIGN);
        }
        None
    }
}

/// `/` in every byte.
const SLASHES: u64 = u64::from_le_bytes([b'/'; ALIGN]);

/// Whether one of the bytes of `word` is zero.
#[inline]
const fn has_zero(word: u64) -> bool {
    const LOW: u64 = u64::from_le_bytes([1; ALIGN]);
    const HIGH: u64 = u64::from_le_bytes([0x80; ALIGN]);
    word.wrapping_sub(LOW) & !word & HIGH != 0
}

const _: () = assert!(size_of::<Dirent>() % ALIGN == 0 && size_of::<Direntplus>() % ALIGN == 0);
const _: () = assert!(size_of::<Direntplus>() == PLUS + size_of::<Dirent>());

/// The walk through a reply, which both kinds share; `BEFORE` is [`PLAIN`] or [`PLUS`].
#[derive(Clone, Debug)]
struct Records<'a, const BEFORE: usize> {
    bytes: &'a [u8],
    position: usize,
    last_off: Option<u64>,
    ended: bool,
}

/// What comes before the head, and the entry.
type Step<'a> = Result<(&'a [u8], Entry<'a>), DirentFault>;

impl<'a, const BEFORE: usize> Records<'a, BEFORE> {
    fn new(bytes: &'a [u8]) -> Self {
        Self::resume(bytes, 0, None)
    }

    fn resume(bytes: &'a [u8], position: usize, last_off: Option<u64>) -> Self {
        Self {
            bytes,
            position,
            last_off,
            ended: false,
        }
    }

    #[inline]
    fn next(&mut self) -> Option<Step<'a>> {
        if self.ended {
            return None;
        }
        let next = self.read_next();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }

    #[inline]
    fn read_next(&mut self) -> Option<Step<'a>> {
        let bytes = self.bytes.get(self.position..)?;
        let record = match Record::read(bytes, BEFORE)? {
            Ok(record) => record,
            Err(fault) => return Some(Err(fault)),
        };
        let entry = match self.judge(&record) {
            Ok(entry) => entry,
            Err(fault) => return Some(Err(fault)),
        };
        self.position = self.bytes.len().saturating_sub(record.rest.len());
        self.last_off = Some(entry.off);
        Some(Ok((record.before, entry)))
    }

    #[inline]
    fn judge(&self, record: &Record<'a>) -> Result<Entry<'a>, DirentFault> {
        if let Some(byte) = record.bad_byte() {
            return Err(DirentFault::NameByte { byte });
        }
        let head = &record.head;
        if self.last_off == Some(head.off) {
            return Err(DirentFault::Stuck { off: head.off });
        }
        Ok(Entry {
            ino: head.ino,
            off: head.off,
            kind: (head.type_ & 0xf) as u8,
            name: record.name,
        })
    }
}

fn is_dot(name: &[u8]) -> bool {
    matches!(name, b"." | b"..")
}

#[cfg(test)]
mod tests;
