// SPDX-License-Identifier: GPL-2.0

//! Bytes in place, of which no more are set than are used.

use core::{
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
    slice,
};

/// Up to `N` bytes in place; it is a slice of those that are in use.
///
/// # Invariants
///
/// The first `len` bytes are set, and `len` is not above `N`.
pub struct InlineBytes<const N: usize> {
    len: usize,
    bytes: [MaybeUninit<u8>; N],
}

impl<const N: usize> InlineBytes<N> {
    /// None.
    #[inline]
    pub const fn new() -> Self {
        // INVARIANT: None are in use.
        Self {
            len: 0,
            bytes: [MaybeUninit::uninit(); N],
        }
    }

    /// Uses `len` bytes from now on, all of them zero. `None` if there are not so many: then none are in use.
    #[inline]
    pub fn zeroed(&mut self, len: usize) -> Option<&mut [u8]> {
        self.len = 0;
        self.bytes.get_mut(..len)?.fill(MaybeUninit::new(0));
        // INVARIANT: They were set just now.
        self.len = len;
        Some(self)
    }
}

impl<const N: usize> Default for InlineBytes<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Deref for InlineBytes<N> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: By the type invariant.
        unsafe { slice::from_raw_parts(self.bytes.as_ptr().cast(), self.len) }
    }
}

impl<const N: usize> DerefMut for InlineBytes<N> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: By the type invariant.
        unsafe { slice::from_raw_parts_mut(self.bytes.as_mut_ptr().cast(), self.len) }
    }
}
