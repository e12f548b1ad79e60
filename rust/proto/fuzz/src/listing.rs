// SPDX-License-Identifier: GPL-2.0

//! A model of directory listings, and what it is compared with: a parser that walks from record to
//! record.

use crate::{assert_told, bytes::u32_at, bytes::u64_at};
use rfuse_proto::dirent::{DirentFault, Entry};

/// Where the parts of a record lie, relative to its beginning.
#[derive(Clone, Copy)]
pub struct Layout {
    /// `struct fuse_dirent`; in a READDIRPLUS the lookup comes before it.
    pub dirent: usize,
}

impl Layout {
    /// READDIR.
    pub const PLAIN: Self = Self { dirent: 0 };

    /// READDIRPLUS.
    pub const PLUS: Self = Self { dirent: 128 };

    /// Where the name begins.
    fn name(self) -> usize {
        self.dirent + 24
    }

    /// Length of the name of the record at `start` if its head is all there.
    fn namelen(self, bytes: &[u8], start: usize) -> Option<u32> {
        let complete = start.checked_add(self.name())? <= bytes.len();
        complete.then(|| u32_at(bytes, start + self.dirent + 16))
    }

    /// Where the record at `start` ends if its name is `len` bytes long and it is all there.
    fn end(self, bytes: &[u8], start: usize, len: usize) -> Option<usize> {
        let end = start + (self.name() + len).div_ceil(8) * 8;
        (end <= bytes.len()).then_some(end)
    }
}

/// One step of a walk: what it gave, and where it stood afterwards.
#[derive(Debug, PartialEq)]
pub struct Step<'a> {
    /// The entry.
    pub entry: Result<Entry<'a>, DirentFault>,
    /// The position after it, or before a fault.
    pub position: usize,
}

/// What a walk from `position` on must give; `before` is the offset of the entry before.
pub fn model(
    layout: Layout,
    bytes: &[u8],
    mut position: usize,
    mut before: Option<u64>,
) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    while let Some(namelen) = layout.namelen(bytes, position) {
        let entry = if namelen == 0 || namelen >= 4096 {
            Err(DirentFault::NameLength { namelen })
        } else {
            let Some(end) = layout.end(bytes, position, namelen as usize) else {
                break;
            };
            let entry = entry(layout, bytes, position, before);
            position = if entry.is_ok() { end } else { position };
            entry
        };
        before = entry.map(|entry| entry.off).ok();
        steps.push(Step { entry, position });
        if entry.is_err() {
            break;
        }
    }
    steps
}

/// The record at `start`, which is complete.
fn entry(
    layout: Layout,
    bytes: &[u8],
    start: usize,
    before: Option<u64>,
) -> Result<Entry<'_>, DirentFault> {
    let head = start + layout.dirent;
    let name = start + layout.name();
    let name = &bytes[name..name + u32_at(bytes, head + 16) as usize];
    let off = u64_at(bytes, head + 8);
    for &byte in name {
        if matches!(byte, 0 | b'/') {
            return Err(DirentFault::NameByte { byte });
        }
    }
    if before == Some(off) {
        return Err(DirentFault::Stuck { off });
    }
    Ok(Entry {
        ino: u64_at(bytes, head),
        off,
        kind: (u32_at(bytes, head + 20) % 16) as u8,
        name,
    })
}

/// Nodes that the complete records of a READDIRPLUS from `start` on count as looked up.
pub fn lookups(bytes: &[u8], start: usize) -> Vec<u64> {
    let mut nodes = Vec::new();
    let mut position = start;
    while let Some(namelen) = Layout::PLUS.namelen(bytes, position) {
        if namelen == 0 || namelen >= 4096 {
            break;
        }
        let Some(end) = Layout::PLUS.end(bytes, position, namelen as usize) else {
            break;
        };
        let name = &bytes[position + 152..position + 152 + namelen as usize];
        let nodeid = u64_at(bytes, position);
        if nodeid > 1 && name != b"." && name != b".." {
            nodes.push(nodeid);
        }
        position = end;
    }
    nodes
}

/// A walk through a listing, of either kind.
pub trait Walk<'a>: Iterator<Item = Result<Self::Record, DirentFault>> + Sized {
    /// What it gives.
    type Record;

    /// Its records.
    const LAYOUT: Layout;

    /// A walk that goes on.
    fn resume(bytes: &'a [u8], position: usize, before: Option<u64>) -> Self;

    /// Where it stands.
    fn position(&self) -> usize;

    /// The entry in a record.
    fn entry(record: &Self::Record) -> Entry<'a>;
}

/// All steps of a walk, `most` at most. Once it has ended it must give nothing more and not move.
pub fn steps<'a, W: Walk<'a>>(mut walk: W, most: usize) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    while let Some(next) = walk.next() {
        assert!(steps.len() < most, "the walk does not end");
        let entry = next.map(|record| W::entry(&record));
        if let Err(fault) = &entry {
            assert_told(fault);
        }
        steps.push(Step {
            entry,
            position: walk.position(),
        });
    }
    let end = walk.position();
    assert!(walk.next().is_none() && walk.position() == end);
    steps
}

/// Compares a walk from `position` on with the model, and then goes the same way as the file system
/// does: by a walk of its own for every entry.
pub fn check<'a, W: Walk<'a>>(bytes: &'a [u8], position: usize, before: Option<u64>) {
    let want = model(W::LAYOUT, bytes, position, before);
    // Every record has at least a name; the last step may be a fault.
    let most = bytes.len() / 32 + 1;
    assert_eq!(steps(W::resume(bytes, position, before), most), want);
    let (mut position, mut before) = (position, before);
    for step in &want {
        assert!(step.position >= position && step.position <= bytes.len());
        let mut walk = W::resume(bytes, position, before);
        let first = walk.next().map(|next| next.map(|one| W::entry(&one)));
        assert_eq!((first, walk.position()), (Some(step.entry), step.position));
        let Ok(entry) = &step.entry else {
            break;
        };
        assert!(step.position > position, "an entry takes room");
        assert_name(entry);
        (position, before) = (step.position, Some(entry.off));
    }
}

/// What the VFS relies on.
fn assert_name(entry: &Entry<'_>) {
    let name = entry.name;
    assert!((1..=4095).contains(&name.len()));
    assert!(!name.contains(&0) && !name.contains(&b'/'));
    assert_eq!(entry.is_dot(), name == b"." || name == b"..");
    assert!(entry.kind < 16);
}
