// SPDX-License-Identifier: GPL-2.0

//! Listing of directories.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::bindings;
use core::{marker::PhantomData, ptr::NonNull};

/// Where the entries of a directory go.
///
/// # Invariants
///
/// The pointer is valid, and used by this thread alone, during `'a`.
pub struct DirContext<'a>(NonNull<bindings::dir_context>, PhantomData<&'a mut ()>);

impl DirContext<'_> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `ctx` is valid, and used by this thread alone, during the lifetime of the result.
    pub(crate) unsafe fn from_raw(ctx: *mut bindings::dir_context) -> Self {
        // INVARIANT: By the safety requirements.
        // SAFETY: A valid pointer is not null.
        Self(unsafe { NonNull::new_unchecked(ctx) }, PhantomData)
    }

    /// The position to go on at: 0, or one the file system gave to an entry.
    #[inline]
    pub fn pos(&self) -> i64 {
        // SAFETY: By the type invariant; so it is below.
        unsafe { (*self.0.as_ptr()).pos }
    }

    /// Sets the position to go on at.
    #[inline]
    pub fn set_pos(&mut self, pos: i64) {
        // SAFETY: As in `pos`.
        unsafe { (*self.0.as_ptr()).pos = pos };
    }

    /// The bytes the caller has room for, if it says so.
    pub fn count(&self) -> Option<usize> {
        // SAFETY: As in `pos`.
        let count = unsafe { (*self.0.as_ptr()).count };
        usize::try_from(count).ok().filter(|count| *count > 0)
    }

    /// Hands out the entry at the position, and moves the position to `next_pos`. `dt` is one of
    /// `DT_*`.
    ///
    /// Returns false, and leaves the position, if the caller has no room left.
    #[inline]
    pub fn emit(&mut self, name: &[u8], ino: u64, dt: u8, next_pos: i64) -> bool {
        let Ok(len) = name.len().try_into() else {
            return false;
        };
        let ctx = self.0.as_ptr();
        // SAFETY: As in `pos`; the name is only read during the call.
        if !unsafe { bindings::dir_emit(ctx, name.as_ptr().cast(), len, ino, dt.into()) } {
            return false;
        }
        self.set_pos(next_pos);
        true
    }
}
