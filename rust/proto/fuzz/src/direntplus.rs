// SPDX-License-Identifier: GPL-2.0

//! Target `direntplus`: a READDIRPLUS answer of any bytes, from its start and from any position, and
//! the lookups in it: whatever the file system takes over, all others are forgotten.

use crate::{
    attributes,
    listing::{self, Layout, Walk},
};
use arbitrary::Arbitrary;
use rfuse_proto::{
    attr::Lookup,
    dirent::{DirentsPlus, Entry, EntryPlus, Lookups},
    wire::ROOT_ID,
};
use zerocopy::IntoBytes as _;

/// What the fuzzer chooses.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    position: u16,
    before: u8,
    listing: &'a [u8],
}

impl<'a> Walk<'a> for DirentsPlus<'a> {
    type Record = EntryPlus<'a>;
    const LAYOUT: Layout = Layout::PLUS;

    fn resume(bytes: &'a [u8], position: usize, before: Option<u64>) -> Self {
        Self::resume(bytes, position, before)
    }

    fn position(&self) -> usize {
        DirentsPlus::position(self)
    }

    fn entry(record: &EntryPlus<'a>) -> Entry<'a> {
        record.dirent
    }
}

/// The target.
pub fn run(data: &[u8]) {
    let Some(input) = crate::input::<Input>(data) else {
        return;
    };
    check(input.listing);
    let before = (input.before > 0).then_some(u64::from(input.before));
    listing::check::<DirentsPlus>(input.listing, input.position.into(), before);
    listing::check::<DirentsPlus>(
        input.listing,
        usize::MAX - usize::from(input.position),
        before,
    );
    let rest = input.listing.get(input.position.into()..).unwrap_or(&[]);
    assert!(Lookups::new(rest).eq(listing::lookups(rest, 0)));
}

/// Compares the parser with the model, and counts the lookups.
pub fn check(listing: &[u8]) {
    listing::check::<DirentsPlus>(listing, 0, None);
    let all = listing::lookups(listing, 0);
    assert!(Lookups::new(listing).eq(all.iter().copied()));
    let mut entries = DirentsPlus::new(listing);
    let mut taken = Vec::new();
    loop {
        let start = entries.position();
        let told = taken.iter().copied().chain(Lookups::new(&listing[start..]));
        assert!(told.eq(all.iter().copied()), "lost or told twice");
        let Some(Ok(entry)) = entries.next() else {
            break;
        };
        check_entry(&entry, &listing[start..start + 128]);
        taken.extend(looked_up(&entry));
    }
}

/// The node that the file system takes over or forgets for an entry.
fn looked_up(entry: &EntryPlus<'_>) -> Option<u64> {
    let nodeid = entry.nodeid();
    let counted = !entry.dirent.is_dot() && nodeid != 0 && nodeid != ROOT_ID;
    counted.then_some(nodeid)
}

/// The lookup of an entry has the bytes of the record, and is judged as a LOOKUP's.
fn check_entry(entry: &EntryPlus<'_>, bytes: &[u8]) {
    assert_eq!(entry.entry().as_bytes(), bytes);
    let want = attributes::lookup(bytes);
    assert_eq!(Lookup::from_entry(&entry.entry()), want);
}
