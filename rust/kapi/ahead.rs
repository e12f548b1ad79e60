// SPDX-License-Identifier: GPL-2.0

//! Iterators over memory that run ahead of what is known to be done with it.
//!
//! C header: [`include/linux/uio.h`](srctree/include/linux/uio.h)

use crate::bindings;
use core::marker::PhantomData;
use kernel::iov::{IovIterDest, IovIterSource};

/// A copy of an iterator (`struct iov_iter`), which is moved on while the original stays where it is.
///
/// # Invariants
///
/// `raw` is a copy of an iterator that is borrowed for `'a`, and of the type `I`.
pub struct Ahead<'a, I> {
    raw: bindings::iov_iter,
    _original: PhantomData<&'a I>,
}

impl<'a, 'data> Ahead<'a, IovIterDest<'data>> {
    /// A copy that stands where `iter` does.
    pub fn of_dest(iter: &'a mut IovIterDest<'data>) -> Self {
        // INVARIANT: The original is borrowed for `'a`.
        Self {
            // SAFETY: The iterator is valid, and plain data that C copies too.
            raw: unsafe { iter.as_raw().read() },
            _original: PhantomData,
        }
    }

    /// The copy.
    pub fn iter(&mut self) -> &mut IovIterDest<'data> {
        // SAFETY: What the original stands for is valid for `'a`, which the copy does not outlive, and a
        // destination.
        unsafe { IovIterDest::from_raw(&mut self.raw) }
    }
}

impl<'a, 'data> Ahead<'a, IovIterSource<'data>> {
    /// A copy that stands where `iter` does.
    pub fn of_source(iter: &'a mut IovIterSource<'data>) -> Self {
        // INVARIANT: The original is borrowed for `'a`.
        Self {
            // SAFETY: As in `of_dest`.
            raw: unsafe { iter.as_raw().read() },
            _original: PhantomData,
        }
    }

    /// The copy.
    pub fn iter(&mut self) -> &mut IovIterSource<'data> {
        // SAFETY: As above, and a source.
        unsafe { IovIterSource::from_raw(&mut self.raw) }
    }
}
