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
    /// How much of it is held.
    held: usize,
    _lifetime: PhantomData<&'a ()>,
}

/// A part of a folio that stays under writeback, as it is, until this is dropped. Dropping it is possible in
/// any context.
///
/// # Invariants
///
/// The folio is under writeback, of which iomap counts `counted` bytes for this value; the bytes in use lie
/// in it.
pub struct HeldRange {
    folio: NonNull<bindings::folio>,
    offset: usize,
    len: usize,
    counted: usize,
}

// SAFETY: Writeback may be ended by another thread than the one that began it.
unsafe impl Send for HeldRange {}

impl HeldRange {
    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing of it is in use any more.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives up the bytes from `len` on; they stay under writeback.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    pub(crate) fn page(&self) -> (*mut bindings::page, usize) {
        let page = self.folio.as_ptr().cast::<bindings::page>();
        (
            page.wrapping_add(self.offset / bindings::PAGE_SIZE),
            self.offset % bindings::PAGE_SIZE,
        )
    }
}

impl Drop for HeldRange {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; a folio under writeback is in its page cache, and keeps its inode.
        unsafe {
            let inode = (*bindings::folio_mapping_locked(self.folio.as_ptr())).host;
            bindings::iomap_finish_folio_write(inode, self.folio.as_ptr(), self.counted);
        }
    }
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

    /// Keeps the next part, up to `max` bytes, under writeback. A range is held as a whole or not at all.
    pub fn hold(&mut self, max: usize) -> Option<HeldRange> {
        let len = self.len.saturating_sub(self.held).min(max);
        let offset = self.offset + self.held;
        self.held += len;
        // INVARIANT: The folio is under writeback; iomap is told so when the hook returns.
        (len > 0).then_some(HeldRange {
            folio: self.folio,
            offset,
            len,
            counted: len,
        })
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
    fn add(&mut self, range: &mut WritebackRange<'_>);
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
    let mut range = WritebackRange {
        // SAFETY: As above.
        folio: unsafe { NonNull::new_unchecked(folio) },
        pos,
        // CAST: The offset in a folio, which is small.
        // SAFETY: The folio is valid.
        offset: (pos - unsafe { bindings::folio_pos(folio) } as u64) as usize,
        len: len as usize,
        held: 0,
        _lifetime: PhantomData,
    };
    sink.add(&mut range);
    // What is not held needs no more writeback: iomap ends it by itself, as it does for holes.
    let kind = match range.held {
        0 => bindings::IOMAP_HOLE,
        _ => bindings::IOMAP_MAPPED,
    };
    // CAST: A small constant.
    // SAFETY: By the safety requirements.
    unsafe { (*context).iomap.type_ = kind as u16 };
    match range.held {
        0 => len as isize,
        held => held as isize,
    }
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
