// SPDX-License-Identifier: GPL-2.0

//! Writing dirty pages back, by iomap.
//!
//! C headers: [`include/linux/writeback.h`](srctree/include/linux/writeback.h),
//! [`include/linux/iomap.h`](srctree/include/linux/iomap.h)

use crate::{bindings, fs::FileSystem, inode::Inode};
use core::{
    marker::PhantomData,
    ptr::{self, NonNull},
};
use kernel::{error::to_result, prelude::*};

/// What is to be written back (`struct writeback_control`).
///
/// # Invariants
///
/// The pointer is valid, and used by this thread alone, during `'a`.
pub struct WritebackControl<'a>(
    NonNull<bindings::writeback_control>,
    PhantomData<&'a mut ()>,
);

/// A dirty range of a folio that is locked and under writeback: it stays as it is during `'a`, but for what
/// mappings write to it. Its writeback ends after that, whatever became of the bytes.
///
/// # Invariants
///
/// The folio is valid and locked during `'a`, and the range lies in it.
pub struct WritebackRange<'a> {
    folio: NonNull<bindings::folio>,
    pos: u64,
    offset: usize,
    len: usize,
    _lifetime: PhantomData<&'a ()>,
}

impl WritebackRange<'_> {
    /// The position in the file, in bytes: the beginning of a page.
    pub fn pos(&self) -> u64 {
        self.pos
    }

    /// The length in bytes. It may reach beyond the end of the file, where it is zero.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it is empty: never.
    pub fn is_empty(&self) -> bool {
        false
    }

    pub(crate) fn folio(&self) -> *mut bindings::folio {
        self.folio.as_ptr()
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }
}

/// Takes what is written back.
pub trait Sink {
    /// Takes a range: it is written back from the page cache's point of view. Ranges come in order. May
    /// sleep, but locks a folio.
    fn add(&mut self, range: &WritebackRange<'_>);
}

impl WritebackControl<'_> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `wbc` is that of a `writepages` hook, which runs during the lifetime of the result.
    pub(crate) unsafe fn from_raw(wbc: *mut bindings::writeback_control) -> Self {
        // INVARIANT: By the safety requirements.
        // SAFETY: A valid pointer is not null.
        Self(unsafe { NonNull::new_unchecked(wbc) }, PhantomData)
    }

    /// Gives all dirty ranges that are asked for to `sink` (`iomap_writepages`). May sleep.
    ///
    /// # Errors
    ///
    /// Those of the iteration.
    pub fn iomap_writepages<T: FileSystem, S: Sink>(
        self,
        inode: &Inode<T>,
        sink: &mut S,
    ) -> Result {
        let mut context = bindings::iomap_writepage_ctx {
            inode: inode.as_ptr(),
            wbc: self.0.as_ptr(),
            ops: &Table::<S>::OPERATIONS,
            wb_ctx: ptr::from_mut(sink).cast(),
            ..pin_init::zeroed()
        };
        // SAFETY: All of it is valid during the call, and the hooks know the type of the sink. The mapping's
        // folios have iomap's state, as its hooks are iomap's.
        to_result(unsafe { bindings::iomap_writepages(&mut context) })
    }
}

/// The C table of the sink `S`.
struct Table<S>(PhantomData<S>);

impl<S: Sink> Table<S> {
    const OPERATIONS: bindings::iomap_writeback_ops = bindings::iomap_writeback_ops {
        writeback_range: Some(writeback_range::<S>),
        writeback_submit: Some(writeback_submit),
    };
}

/// Takes a range.
///
/// # Safety
///
/// Called by iomap in [`WritebackControl::iomap_writepages`] with its context, and a locked folio.
unsafe extern "C" fn writeback_range<S: Sink>(
    context: *mut bindings::iomap_writepage_ctx,
    folio: *mut bindings::folio,
    pos: u64,
    len: c_uint,
    _end_pos: u64,
) -> isize {
    // SAFETY: By the safety requirements, nobody else uses the sink.
    let sink = unsafe { &mut *(*context).wb_ctx.cast::<S>() };
    // INVARIANT: iomap asks for a range of the folio.
    let range = WritebackRange {
        // SAFETY: As above.
        folio: unsafe { NonNull::new_unchecked(folio) },
        pos,
        // CAST: The offset in a folio, which is small.
        // SAFETY: The folio is valid.
        offset: (pos - unsafe { bindings::folio_pos(folio) } as u64) as usize,
        len: len as usize,
        _lifetime: PhantomData,
    };
    sink.add(&range);
    // The type of the mapping is that of a hole: iomap ends the writeback by itself, as for what needs none.
    len as isize
}

/// There is nothing left to submit.
///
/// # Safety
///
/// Called by iomap in [`WritebackControl::iomap_writepages`]; it touches nothing.
unsafe extern "C" fn writeback_submit(
    _context: *mut bindings::iomap_writepage_ctx,
    error: c_int,
) -> c_int {
    error
}
