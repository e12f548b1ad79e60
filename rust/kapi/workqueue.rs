// SPDX-License-Identifier: GPL-2.0

//! Workqueues of the module's own.
//!
//! C interface: `include/linux/workqueue.h`.

use crate::bindings;
use core::{ops::Deref, ptr::NonNull};
use kernel::{prelude::*, workqueue::Queue};

/// A workqueue (`struct workqueue_struct`); dropping it waits for everything queued on it.
///
/// # Invariants
///
/// The pointer is a live workqueue.
pub struct Workqueue(NonNull<bindings::workqueue_struct>);

// SAFETY: Workqueues are shared by nature.
unsafe impl Send for Workqueue {}
// SAFETY: As above.
unsafe impl Sync for Workqueue {}

impl Workqueue {
    /// Makes a high-priority workqueue with a rescuer, so that it makes progress when memory is
    /// short. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(name: &'static CStr) -> Result<Self> {
        // SAFETY: The format takes the one string it is given; both are static.
        let wq = unsafe {
            bindings::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                bindings::wq_flags_WQ_MEM_RECLAIM
                    | bindings::wq_flags_WQ_HIGHPRI
                    | bindings::wq_flags_WQ_PERCPU,
                0,
                name.as_char_ptr(),
            )
        };
        NonNull::new(wq).map(Self).ok_or(ENOMEM)
    }
}

impl Workqueue {
    pub(crate) fn as_ptr(&self) -> *mut bindings::workqueue_struct {
        self.0.as_ptr()
    }

    /// Waits until everything queued so far has run. May sleep.
    pub fn flush(&self) {
        // SAFETY: Live, by the type invariants.
        unsafe { bindings::__flush_workqueue(self.0.as_ptr()) };
    }
}

impl Deref for Workqueue {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        // SAFETY: Live as long as `self`, by the type invariants.
        unsafe { Queue::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for Workqueue {
    fn drop(&mut self) {
        // SAFETY: Not used after this; it drains first.
        unsafe { bindings::destroy_workqueue(self.0.as_ptr()) };
    }
}
