// SPDX-License-Identifier: GPL-2.0

//! Allocation scopes of a task.
//!
//! C interface: `include/linux/sched/mm.h`.

use crate::bindings;
use kernel::types::NotThreadSafe;

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
