// SPDX-License-Identifier: GPL-2.0

//! Target `dirents`: a READDIR answer of any bytes, from its start and from any position.

use crate::listing::{self, Layout, Walk};
use arbitrary::Arbitrary;
use rfuse_proto::dirent::{DirentFault, Dirents, Entry};

/// What the fuzzer chooses.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    position: u16,
    before: u8,
    listing: &'a [u8],
}

impl<'a> Walk<'a> for Dirents<'a> {
    type Record = Entry<'a>;
    const LAYOUT: Layout = Layout::PLAIN;

    fn resume(bytes: &'a [u8], position: usize, before: Option<u64>) -> Self {
        Self::resume(bytes, position, before)
    }

    fn position(&self) -> usize {
        Dirents::position(self)
    }

    fn entry(record: &Entry<'a>) -> Entry<'a> {
        *record
    }
}

/// The target.
pub fn run(data: &[u8]) {
    let Some(input) = crate::input::<Input>(data) else {
        return;
    };
    check(input.listing);
    let before = (input.before > 0).then_some(u64::from(input.before));
    listing::check::<Dirents>(input.listing, input.position.into(), before);
    listing::check::<Dirents>(
        input.listing,
        usize::MAX - usize::from(input.position),
        before,
    );
}

/// Compares the parser with the model.
pub fn check(listing: &[u8]) {
    listing::check::<Dirents>(listing, 0, None);
    let all: Vec<Result<Entry, DirentFault>> = Dirents::new(listing).collect();
    let model = listing::model(Layout::PLAIN, listing, 0, None);
    assert!(all.iter().eq(model.iter().map(|step| &step.entry)));
}
