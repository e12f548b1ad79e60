// SPDX-License-Identifier: GPL-2.0

//! Page-cache folios that one request fills.

use core::iter;
use kernel::prelude::*;
use rfuse_kapi::folio::LockedFolio;

/// Folios of adjacent file ranges, at least one. A single one, which is what random reads and large
/// folios come to, needs no memory of its own.
pub(crate) struct Folios {
    first: LockedFolio,
    rest: KVec<LockedFolio>,
}

impl Folios {
    /// One folio.
    pub(crate) fn new(first: LockedFolio) -> Self {
        Self {
            first,
            rest: KVec::new(),
        }
    }

    /// Adds the one that follows. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; the folio is unlocked as it is.
    pub(crate) fn push(&mut self, folio: LockedFolio) -> Result {
        Ok(self.rest.push(folio, GFP_KERNEL)?)
    }

    /// The first.
    pub(crate) fn first(&self) -> &LockedFolio {
        &self.first
    }

    /// The last, which may be the first.
    pub(crate) fn last(&self) -> &LockedFolio {
        self.rest.last().unwrap_or(&self.first)
    }

    /// Their size in bytes.
    pub(crate) fn size(&self) -> usize {
        self.rest.iter().fold(self.first.size(), |sum, folio| {
            folio.size().saturating_add(sum)
        })
    }

    /// All of them, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut LockedFolio> {
        Iterator::chain(iter::once(&mut self.first), self.rest.iter_mut())
    }

    /// All of them, in order.
    pub(crate) fn into_each(self) -> impl Iterator<Item = LockedFolio> {
        Iterator::chain(iter::once(self.first), self.rest)
    }
}
