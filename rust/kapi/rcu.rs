// SPDX-License-Identifier: GPL-2.0

//! Read-side critical sections.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::bindings;
use kernel::types::NotThreadSafe;

/// `rcu_read_lock`, until it is dropped. As that of the kernel crate, by shims of this module, which lie near. Any
/// context.
pub(crate) struct ReadLock(NotThreadSafe);

impl ReadLock {
    #[inline]
    pub(crate) fn new() -> Self {
        // SAFETY: Undone on drop.
        unsafe { bindings::near_rcu_read_lock() };
        Self(NotThreadSafe)
    }
}

impl Drop for ReadLock {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Goes with the call in `new`.
        unsafe { bindings::near_rcu_read_unlock() };
    }
}
