// SPDX-License-Identifier: GPL-2.0

//! Data that is written back.

use kernel::{page::PAGE_SIZE, prelude::*};
use rfuse_kapi::{temp_pages::TempPages, transfer::Buffers, writeback::HeldRange};

/// Bytes of a file that follow each other.
pub(crate) enum Outgoing {
    /// A copy.
    Copy(TempPages),
    /// The page cache's own, which stays under writeback meanwhile.
    Held(Held),
}

/// Parts of folios, at least one.
pub(crate) struct Held {
    first: HeldRange,
    rest: KVec<HeldRange>,
    len: usize,
}

impl Held {
    /// One part.
    pub(crate) fn new(first: HeldRange) -> Self {
        Self {
            len: first.len(),
            first,
            rest: KVec::new(),
        }
    }

    /// Adds what follows. Does not sleep.
    ///
    /// # Errors
    ///
    /// It is given back when there is no memory.
    pub(crate) fn push(&mut self, part: HeldRange) -> Result<(), HeldRange> {
        let len = part.len();
        if self.rest.reserve(1, GFP_NOWAIT).is_err() {
            return Err(part);
        }
        // There is room.
        if self.rest.push_within_capacity(part).is_ok() {
            self.len = self.len.saturating_add(len);
        }
        Ok(())
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn iter(&self) -> impl Iterator<Item = &HeldRange> {
        Iterator::chain(core::iter::once(&self.first), self.rest.iter())
    }

    fn truncate(&mut self, len: usize) {
        let mut left = len;
        for part in Iterator::chain(core::iter::once(&mut self.first), self.rest.iter_mut()) {
            part.truncate(left);
            left = left.saturating_sub(part.len());
        }
        self.len = self.len.min(len);
    }
}

impl Outgoing {
    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Copy(pages) => pages.len(),
            Self::Held(held) => held.len(),
        }
    }

    /// Gives up the bytes from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        match self {
            Self::Copy(pages) => pages.truncate(len),
            Self::Held(held) => held.truncate(len),
        }
    }

    /// The pages that the backing device does not count as under writeback by itself.
    pub(crate) fn uncounted_pages(&self) -> isize {
        match self {
            Self::Copy(pages) => pages.len().div_ceil(PAGE_SIZE) as isize,
            Self::Held(_) => 0,
        }
    }

    /// Names them to a peer that reads them.
    ///
    /// # Errors
    ///
    /// Those of `buffers`.
    pub(crate) fn name<'a, B: Buffers<'a>>(&'a self, buffers: &mut B) -> Result {
        match self {
            Self::Copy(pages) => buffers.readable_temp_pages(pages),
            Self::Held(held) => held.iter().try_for_each(|part| buffers.readable_held(part)),
        }
    }
}
