// SPDX-License-Identifier: GPL-2.0

//! Allocation scopes of a task.
//!
//! C interface: `include/linux/sched/mm.h`.

use crate::bindings;
use kernel::{prelude::*, types::NotThreadSafe};

/// While it lives, allocations of the current task do not call into file systems
/// (`memalloc_nofs_save`): needed where an allocation may run inside of memory reclaim.
pub struct MemallocNofs {
    flags: u32,
    _task: NotThreadSafe,
}

impl MemallocNofs {
    /// Opens the scope.
    pub fn save() -> Self {
        // SAFETY: Changes a flag of the current task only.
        let flags = unsafe { bindings::memalloc_nofs_save() };
        Self {
            flags,
            _task: NotThreadSafe,
        }
    }
}

impl Drop for MemallocNofs {
    fn drop(&mut self) {
        // SAFETY: `flags` is what the matching save returned, to the same task.
        unsafe { bindings::memalloc_nofs_restore(self.flags) };
    }
}

/// Memory for `count` values, whatever it takes: when memory is short it waits. It does not call into file
/// systems. May sleep.
fn alloc_nofail<T>(count: usize) -> *mut T {
    const { assert!(size_of::<T>() > 0 && align_of::<T>() <= align_of::<u64>()) };
    let gfp = bindings::GFP_NOFS | bindings::__GFP_NOFAIL;
    // SAFETY: Always sound; with these flags it does not fail. The memory has the alignment of a `u64`.
    unsafe { bindings::__kmalloc_noprof(size_of::<T>().saturating_mul(count), gfp) }.cast()
}

/// Puts a value into a box, whatever it takes: when memory is short it waits. It does not call into file
/// systems. May sleep.
pub fn box_nofail<T>(value: T) -> KBox<T> {
    let memory = alloc_nofail::<T>(1);
    // SAFETY: The memory is ours, fits, and comes from the allocator of a `KBox`.
    unsafe {
        memory.write(value);
        KBox::from_raw(memory)
    }
}

/// An empty vector with room for `N` values, as [`box_nofail`] makes a box.
pub fn vec_nofail<T, const N: usize>() -> KVec<T> {
    const { assert!(N > 0 && N.saturating_mul(size_of::<T>()) <= bindings::PAGE_SIZE) };
    // SAFETY: The memory is ours, has room for so many values, and comes from the allocator of a `KVec`.
    unsafe { KVec::from_raw_parts(alloc_nofail(N), 0, N) }
}
