// SPDX-License-Identifier: GPL-2.0

//! Parsers of what READDIR and READDIRPLUS answer.
//!
//! Both replies are records: a head, the name, padding up to a multiple of 8 bytes. A record that
//! does not fit in what is left ends the iteration without a fault: servers fill their buffer and cut
//! the last record off.

use core::fmt;
use core::iter::FusedIterator;

use zerocopy::FromBytes;

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
    /// The lookup, unjudged; node id 0 if the server made none.
    pub entry: EntryOut,
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

/// Entries of a READDIR reply, in order; ends after the first fault.
#[derive(Clone, Debug)]
pub struct Dirents<'a>(Records<'a>);

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
    pub fn position(&self) -> usize {
        self.0.position
    }
}

impl<'a> Iterator for Dirents<'a> {
    type Item = Result<Entry<'a>, DirentFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.next::<Dirent>()?;
        Some(next.map(|(_, entry)| entry))
    }
}

impl FusedIterator for Dirents<'_> {}

/// Entries of a READDIRPLUS reply, in order; ends after the first fault.
///
/// After a fault, or when the caller stops early, [`Lookups`] from [`position`](Self::position) on
/// gives the nodes whose lookups nobody took.
#[derive(Clone, Debug)]
pub struct DirentsPlus<'a>(Records<'a>);

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
        let next = self.0.next::<Direntplus>()?;
        Some(next.map(|(head, dirent)| EntryPlus {
            dirent,
            entry: head.entry_out,
        }))
    }
}

impl FusedIterator for DirentsPlus<'_> {}

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
            let record = Record::<Direntplus>::read(self.rest)?.ok()?;
            self.rest = record.rest;
            let nodeid = record.head.entry_out.nodeid;
            if nodeid != 0 && nodeid != ROOT_ID && !is_dot(record.name) {
                return Some(nodeid);
            }
        }
    }
}

impl FusedIterator for Lookups<'_> {}

/// The head of a record.
trait Head: FromBytes + Copy {
    fn dirent(&self) -> &Dirent;
}

impl Head for Dirent {
    fn dirent(&self) -> &Dirent {
        self
    }
}

impl Head for Direntplus {
    fn dirent(&self) -> &Dirent {
        &self.dirent
    }
}

/// A record that is complete and whose name has a valid length.
struct Record<'a, H> {
    head: H,
    name: &'a [u8],
    rest: &'a [u8],
}

impl<'a, H: Head> Record<'a, H> {
    /// Takes the first record off `bytes`; `None` if it is not complete.
    fn read(bytes: &'a [u8]) -> Option<Result<Self, DirentFault>> {
        let (head, after) = H::read_from_prefix(bytes).ok()?;
        let namelen = head.dirent().namelen;
        let len = match usize::try_from(namelen) {
            Ok(len @ 1..=NAME_MAX) => len,
            _ => return Some(Err(DirentFault::NameLength { namelen })),
        };
        // Both heads are multiples of 8 bytes, so that padding the name pads the record.
        let (padded, rest) = after.split_at_checked(len.next_multiple_of(ALIGN))?;
        let name = padded.get(..len)?;
        Some(Ok(Self { head, name, rest }))
    }
}

const _: () = assert!(size_of::<Dirent>() % ALIGN == 0 && size_of::<Direntplus>() % ALIGN == 0);

/// The walk through a reply, which both kinds share.
#[derive(Clone, Debug)]
struct Records<'a> {
    bytes: &'a [u8],
    position: usize,
    last_off: Option<u64>,
    ended: bool,
}

impl<'a> Records<'a> {
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

    fn next<H: Head>(&mut self) -> Option<Result<(H, Entry<'a>), DirentFault>> {
        if self.ended {
            return None;
        }
        let next = self.read_next();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }

    fn read_next<H: Head>(&mut self) -> Option<Result<(H, Entry<'a>), DirentFault>> {
        let bytes = self.bytes.get(self.position..)?;
        let record = match Record::<H>::read(bytes)? {
            Ok(record) => record,
            Err(fault) => return Some(Err(fault)),
        };
        let entry = match self.judge(record.head.dirent(), record.name) {
            Ok(entry) => entry,
            Err(fault) => return Some(Err(fault)),
        };
        self.position = self.bytes.len().saturating_sub(record.rest.len());
        self.last_off = Some(entry.off);
        Some(Ok((record.head, entry)))
    }

    fn judge(&self, head: &Dirent, name: &'a [u8]) -> Result<Entry<'a>, DirentFault> {
        if let Some(&byte) = name.iter().find(|&&byte| byte == b'/' || byte == 0) {
            return Err(DirentFault::NameByte { byte });
        }
        if self.last_off == Some(head.off) {
            return Err(DirentFault::Stuck { off: head.off });
        }
        Ok(Entry {
            ino: head.ino,
            off: head.off,
            kind: (head.type_ & 0xf) as u8,
            name,
        })
    }
}

fn is_dot(name: &[u8]) -> bool {
    matches!(name, b"." | b"..")
}

#[cfg(test)]
mod tests;
