// SPDX-License-Identifier: GPL-2.0

//! Pages of user memory that a device reads or writes.
//!
//! C interfaces: `include/linux/uio.h`, `include/linux/mm.h`.

use crate::bindings;
use kernel::{
    error::to_result,
    iov::{IovIterDest, IovIterSource},
    prelude::*,
};

/// User pages that a device works on: they stay what they are until this is dropped, whatever becomes of the
/// process. Those that are written to are pinned; those that are only read are referenced, as for sockets that
/// send without a copy (`MSG_ZEROCOPY`): that costs a fifth less, and what a process writes to its memory meanwhile
/// may go to another copy of a page, which the device need not see. Dropping marks those that are written to dirty,
/// and may sleep.
///
/// # Invariants
///
/// `pages` are pinned if `dirtied`, else referenced, each once, on behalf of this value. The range of `len` bytes from `offset` in
/// the first page on ends in the last.
pub struct PinnedPages {
    pages: KVec<*mut bindings::page>,
    offset: usize,
    len: usize,
    /// Whether they are written to.
    dirtied: bool,
}

// SAFETY: Pages may be unpinned by another thread than the one that pinned them.
unsafe impl Send for PinnedPages {}

impl PinnedPages {
    /// Whether the memory that `iter` stands at can be pinned: user memory can.
    pub fn can_be_of(iter: &mut IovIterDest<'_>) -> bool {
        // SAFETY: The iterator is valid, and only looked at.
        unsafe { bindings::iov_iter_extract_will_pin(iter.as_raw()) }
    }

    /// As [`Self::can_be_of`], for memory that is read.
    pub fn can_be_of_source(iter: &mut IovIterSource<'_>) -> bool {
        // SAFETY: The iterator is valid, and only looked at.
        unsafe { bindings::iov_iter_extract_will_pin(iter.as_raw()) }
    }

    /// Pins the memory that `iter` stands at, up to `max` bytes and `max_pages` pages, and moves
    /// `iter` behind it. May sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT` when nothing there can be written to; `ENOMEM`; `EINVAL` when there is nothing, or what cannot
    /// be pinned.
    pub fn extract(iter: &mut IovIterDest<'_>, max: usize, max_pages: usize) -> Result<Self> {
        // SAFETY: The iterator is valid, and a destination.
        unsafe { Self::extract_raw(iter.as_raw(), max, max_pages, true) }
    }

    /// As [`Self::extract`], for memory that is read.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn extract_source(
        iter: &mut IovIterSource<'_>,
        max: usize,
        max_pages: usize,
    ) -> Result<Self> {
        // SAFETY: The iterator is valid.
        unsafe { Self::extract_raw(iter.as_raw(), max, max_pages, false) }
    }

    /// Pins, and advances the iterator by as much.
    ///
    /// # Safety
    ///
    /// `iter` is valid, and a destination if `dirtied`.
    unsafe fn extract_raw(
        iter: *mut bindings::iov_iter,
        max: usize,
        max_pages: usize,
        dirtied: bool,
    ) -> Result<Self> {
        // SAFETY: The iterator is valid, and only looked at.
        if !unsafe { bindings::iov_iter_extract_will_pin(iter) } {
            return Err(EINVAL);
        }
        let most = max
            .div_ceil(bindings::PAGE_SIZE)
            .saturating_add(1)
            .min(max_pages);
        let mut pages = KVec::with_capacity(most, GFP_KERNEL)?;
        let (mut array, mut offset) = (pages.as_mut_ptr(), 0);
        let room = u32::try_from(most)?;
        // SAFETY: The iterator is valid by the safety requirements; the array has room for that many
        // pages, and is used as it is not null.
        let len = unsafe {
            match dirtied {
                true => {
                    bindings::iov_iter_extract_pages(iter, &mut array, max, room, 0, &mut offset)
                }
                false => bindings::iov_iter_get_pages2(iter, array, max, room, &mut offset),
            }
        };
        let Ok(len @ 1..) = usize::try_from(len) else {
            to_result(i32::try_from(len)?)?;
            return Err(EINVAL);
        };
        // SAFETY: So many pages were put there, which is at most `most`.
        unsafe { pages.inc_len((offset + len).div_ceil(bindings::PAGE_SIZE)) };
        // INVARIANT: User memory is pinned or referenced by the call above.
        Ok(Self {
            pages,
            offset,
            len,
            dirtied,
        })
    }

    /// The length of the range, in bytes. Not 0.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing: never.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Gives the parts of the range, each as much as lies together in memory and is not longer than `max` bytes,
    /// or within a page: first page, offset in it, length.
    #[inline]
    pub(crate) fn each_part(
        &self,
        max: usize,
        mut give: impl FnMut(*mut bindings::page, usize, usize) -> Result,
    ) -> Result {
        let mut pages = self.pages.iter();
        let Some(mut first) = pages.next().copied() else {
            return Ok(());
        };
        let mut offset = self.offset;
        let mut room = bindings::PAGE_SIZE - offset;
        let mut left = self.len;
        // Descriptions of pages are adjacent where the pages are.
        let mut next = first.wrapping_add(1);
        for page in pages {
            if *page == next && room + bindings::PAGE_SIZE <= max {
                room += bindings::PAGE_SIZE;
            } else {
                give(first, offset, room)?;
                left -= room;
                (first, offset, room) = (*page, 0, bindings::PAGE_SIZE);
            }
            next = page.wrapping_add(1);
        }
        give(first, offset, left)
    }
}

impl Drop for PinnedPages {
    fn drop(&mut self) {
        let (pages, count) = (self.pages.as_mut_ptr(), self.pages.len());
        // CAST: At most what `extract_raw` has asked for.
        // SAFETY: Pinned or referenced once each, by the type invariants; not used after this.
        unsafe {
            match self.dirtied {
                true => bindings::unpin_user_pages_dirty_lock(pages, count, true),
                false => {
                    bindings::release_pages(bindings::release_pages_arg { pages }, count as c_int)
                }
            }
        }
    }
}
