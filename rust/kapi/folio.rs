// SPDX-License-Identifier: GPL-2.0

//! Folios of the page cache.
//!
//! C header: [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h)

use crate::bindings;
use core::{mem::ManuallyDrop, ptr::NonNull};
use kernel::{iov::IovIterSource, prelude::*};

/// A locked folio of the page cache, to be read into. Dropping it unlocks it as it is: a read that
/// waits for it fails with `EIO`.
///
/// It may be handed to whoever completes the read, in any context.
///
/// # Invariants
///
/// The folio is locked, on behalf of this value, and in the page cache: nobody takes a locked folio
/// out, so that the page cache's reference keeps it.
pub struct LockedFolio(NonNull<bindings::folio>);

// SAFETY: A folio may be unlocked by another thread than the one that locked it.
unsafe impl Send for LockedFolio {}

impl LockedFolio {
    /// Takes a locked folio over.
    ///
    /// # Safety
    ///
    /// `folio` is locked and in the page cache, and the caller gives the lock up.
    pub(crate) unsafe fn from_raw(folio: NonNull<bindings::folio>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(folio)
    }

    /// The folio, which stays locked and in place while `self` exists.
    pub(crate) fn as_ptr(&self) -> *mut bindings::folio {
        self.0.as_ptr()
    }

    /// The position in the file, in bytes.
    pub fn pos(&self) -> i64 {
        // SAFETY: By the type invariant; so it is below.
        unsafe { bindings::folio_pos(self.as_ptr()) }
    }

    /// The position in the file, in pages.
    pub fn index(&self) -> usize {
        // CAST: Positions are not negative.
        self.pos() as usize >> bindings::PAGE_SHIFT
    }

    /// The size in bytes, a multiple of the page size.
    pub fn size(&self) -> usize {
        // SAFETY: As in `pos`.
        unsafe { bindings::folio_size(self.as_ptr()) }
    }

    /// Zeroes the bytes from `from` up to and without `to`; what lies beyond the folio is cut. Any
    /// context.
    pub fn zero_segment(&self, from: usize, to: usize) {
        let to = to.min(self.size());
        if from < to {
            // SAFETY: As in `pos`, and the range lies in the folio.
            unsafe { bindings::folio_zero_segment(self.as_ptr(), from, to) };
        }
    }

    /// Zeroes the folio, unless the kernel zeroes every page it allocates (`init_on_alloc`): after this
    /// a device that writes less than it says leaves nothing of others to be seen. Any context.
    pub fn clear_stale(&self) {
        // SAFETY: Looks at a switch only.
        if !unsafe { bindings::want_init_on_alloc(0) } {
            self.zero_segment(0, self.size());
        }
    }

    /// Copies bytes to the offset `offset`. Any context.
    ///
    /// Fails with `EINVAL`, and copies nothing, if they do not fit.
    pub fn copy_in(&self, offset: usize, bytes: &[u8]) -> Result {
        let end = offset.checked_add(bytes.len()).ok_or(EINVAL)?;
        if end > self.size() {
            return Err(EINVAL);
        }
        // SAFETY: As in `pos`, and the range lies in the folio.
        unsafe {
            bindings::memcpy_to_folio(self.as_ptr(), offset, bytes.as_ptr().cast(), bytes.len())
        };
        Ok(())
    }

    /// Copies bytes from the offset `offset`. Any context.
    ///
    /// Fails with `EINVAL`, and copies nothing, if there are not as many.
    pub fn copy_out(&self, offset: usize, bytes: &mut [u8]) -> Result {
        let end = offset.checked_add(bytes.len()).ok_or(EINVAL)?;
        if end > self.size() {
            return Err(EINVAL);
        }
        // SAFETY: As in `copy_in`.
        unsafe {
            bindings::memcpy_from_folio(
                bytes.as_mut_ptr().cast(),
                self.as_ptr(),
                offset,
                bytes.len(),
            )
        };
        Ok(())
    }

    /// Whether it holds what the file has.
    pub fn is_uptodate(&self) -> bool {
        // SAFETY: As in `pos`.
        unsafe { bindings::folio_test_uptodate(self.as_ptr()) }
    }

    /// All of it was written to: it holds what the file is to have.
    pub fn mark_uptodate(&self) {
        // SAFETY: As in `pos`.
        unsafe { bindings::iomap_folio_mark_uptodate(self.as_ptr()) };
    }

    /// Copies `len` bytes to the offset `offset`, if all of them can be had without a page fault, and fit;
    /// else `iter` is left as it was, and those bytes of the folio mean nothing. Does not sleep.
    pub fn copy_from_iter(&self, offset: usize, len: usize, iter: &mut IovIterSource<'_>) -> bool {
        if offset.checked_add(len).is_none_or(|end| end > self.size()) {
            return false;
        }
        // SAFETY: As in `pos`, and the range lies in the folio; the iterator is valid, and given back as
        // many bytes as were taken.
        unsafe {
            let copied =
                bindings::copy_folio_from_iter_atomic(self.as_ptr(), offset, len, iter.as_raw());
            if copied < len {
                iter.revert(copied);
            }
            copied == len
        }
    }

    /// Marks the folio dirty. May sleep.
    pub fn mark_dirty(&self) {
        // SAFETY: As in `pos`.
        unsafe { bindings::folio_mark_dirty(self.as_ptr()) };
    }

    /// Whether it differs from what the file system has.
    pub fn is_dirty(&self) -> bool {
        // SAFETY: As in `pos`.
        unsafe { bindings::folio_test_dirty(self.as_ptr()) }
    }

    /// Unlocks the folio, and keeps a reference.
    pub fn unlock(self) -> FolioRef {
        // SAFETY: As in `pos`. The reference is new, and `self` unlocks when it is dropped.
        unsafe { bindings::folio_get(self.as_ptr()) };
        // INVARIANT: Just taken.
        FolioRef(self.0)
    }

    /// Ends the read and unlocks the folio; it is up to date if `success`, in which case all of it
    /// must have been written. Any context.
    pub fn end_read(self, success: bool) {
        let this = ManuallyDrop::new(self);
        // SAFETY: As in `pos`. The lock goes, and `this` is not dropped.
        unsafe { bindings::folio_end_read(this.as_ptr(), success) };
    }
}

impl Drop for LockedFolio {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is ours.
        unsafe { bindings::folio_unlock(self.as_ptr()) };
    }
}

/// A folio with a reference. It may be taken out of the page cache meanwhile.
///
/// # Invariants
///
/// The reference is this value's.
pub struct FolioRef(NonNull<bindings::folio>);

// SAFETY: A reference may be given up by another thread than the one that took it.
unsafe impl Send for FolioRef {}

impl FolioRef {
    /// Takes a reference over.
    ///
    /// # Safety
    ///
    /// The caller gives up a reference to `folio`.
    pub(crate) unsafe fn from_raw(folio: NonNull<bindings::folio>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(folio)
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::folio {
        self.0.as_ptr()
    }

    /// The size in bytes, a multiple of the page size.
    pub fn size(&self) -> usize {
        // SAFETY: By the type invariant the folio is live.
        unsafe { bindings::folio_size(self.as_ptr()) }
    }
}

impl Drop for FolioRef {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::folio_put(self.as_ptr()) };
    }
}
