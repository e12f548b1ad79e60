// SPDX-License-Identifier: GPL-2.0

//! Data of a request, in pieces of memory that follow each other.

use kernel::prelude::*;
use rfuse_kapi::{folio::FolioRef, transfer::Buffers};

/// A piece of memory.
pub(crate) enum Piece {
    /// A part of a page-cache folio that holds what the file has. Others may write to it meanwhile, as they
    /// may to any memory that is shared.
    Folio {
        /// The folio.
        folio: FolioRef,
        /// Where the part begins, in bytes.
        offset: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// A copy, of at least one byte.
    Bytes(KVec<u8>),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Folio { len, .. } => *len,
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// Pieces in order. One, which is what small writes come to, needs no memory of its own.
pub(crate) struct Pieces {
    first: Option<Piece>,
    rest: KVec<Piece>,
    len: usize,
}

impl Pieces {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            first: None,
            rest: KVec::new(),
            len: 0,
        }
    }

    /// Makes room for one more, and adds what `take` makes, which may consume what it is made of: nothing of
    /// it is lost then for want of room. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; those of `take`.
    pub(crate) fn push_with(&mut self, take: impl FnOnce() -> Result<Piece>) -> Result {
        if self.first.is_some() {
            self.rest.reserve(1, GFP_KERNEL)?;
        }
        let piece = take()?;
        self.len = self.len.saturating_add(piece.len());
        match self.first {
            None => self.first = Some(piece),
            // There is room.
            Some(_) => drop(self.rest.push_within_capacity(piece)),
        }
        Ok(())
    }

    /// Their length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Piece> {
        Iterator::chain(self.first.iter(), self.rest.iter())
    }

    /// Names them to a peer that reads them.
    ///
    /// # Errors
    ///
    /// Those of `buffers`.
    pub(crate) fn name<'a, B: Buffers<'a>>(&'a self, buffers: &mut B) -> Result {
        self.iter().try_for_each(|piece| match piece {
            Piece::Folio { folio, offset, len } => buffers.readable_folio(folio, *offset, *len),
            Piece::Bytes(bytes) => buffers.readable(bytes),
        })
    }
}
