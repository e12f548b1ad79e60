// SPDX-License-Identifier: GPL-2.0

//! Data of a request, in pieces of memory that follow each other.

use kernel::prelude::*;
use rfuse_kapi::{folio::FolioRef, virtqueue::Buffers};

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

    /// Adds what follows. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; the piece is dropped.
    pub(crate) fn push(&mut self, piece: Piece) -> Result {
        let len = piece.len();
        match self.first {
            None => self.first = Some(piece),
            Some(_) => self.rest.push(piece, GFP_KERNEL)?,
        }
        self.len = self.len.saturating_add(len);
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

    /// Names them to a device that reads them.
    ///
    /// # Errors
    ///
    /// Those of `buffers`.
    pub(crate) fn name<'a>(&'a self, buffers: &mut Buffers<'_, 'a>) -> Result {
        self.iter().try_for_each(|piece| match piece {
            Piece::Folio { folio, offset, len } => buffers.readable_folio(folio, *offset, *len),
            Piece::Bytes(bytes) => buffers.readable(bytes),
        })
    }
}
