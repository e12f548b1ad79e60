// SPDX-License-Identifier: GPL-2.0

//! Waiting for a condition that others make true.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use crate::bindings;
use core::{mem::MaybeUninit, pin::Pin, ptr};
use kernel::{prelude::*, static_lock_class, types::Opaque};

/// Tasks that wait (`wait_queue_head_t`).
///
/// # Invariants
///
/// The head is initialised, and pinned.
#[pin_data]
pub struct WaitQueue {
    #[pin]
    head: Opaque<bindings::wait_queue_head>,
}

// SAFETY: A wait queue has a lock of its own.
unsafe impl Send for WaitQueue {}
// SAFETY: As above.
unsafe impl Sync for WaitQueue {}

impl WaitQueue {
    /// An empty queue.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            head <- Opaque::ffi_init(|head| {
                let key = static_lock_class!();
                // SAFETY: The slot is valid for writes and pinned; the key is static.
                unsafe {
                    bindings::__init_waitqueue_head(
                        head,
                        c"rfuse_wait".as_char_ptr(),
                        Pin::get_ref(key).as_ptr(),
                    )
                };
            }),
        })
    }

    /// Wakes all tasks, which look at their conditions. Any context.
    pub fn wake_all(&self) {
        // SAFETY: By the type invariant.
        unsafe {
            bindings::__wake_up(self.head.get(), bindings::TASK_NORMAL, 0, ptr::null_mut());
        }
    }

    /// Sleeps until `done` says so. Whoever makes it true calls [`Self::wake_all`] after that. `done` must
    /// not sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when a fatal signal is pending.
    pub fn wait_killable(&self, done: impl FnMut() -> bool) -> Result {
        // CAST: The constant is small.
        self.sleep(
            done,
            bindings::TASK_KILLABLE as c_int,
            bindings::MAX_SCHEDULE_TIMEOUT,
        )
    }

    /// As [`Self::wait_killable`], for `ticks` jiffies at most, and whatever signals come: a task that exits
    /// gets none.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`.
    pub fn wait_ticks(&self, done: impl FnMut() -> bool, ticks: u32) -> Result {
        // CAST: The constant is small; `long` has 64 bits.
        self.sleep(
            done,
            bindings::TASK_UNINTERRUPTIBLE as c_int,
            ticks as c_long,
        )
    }

    fn sleep(&self, mut done: impl FnMut() -> bool, state: c_int, mut ticks: c_long) -> Result {
        if done() {
            return Ok(());
        }
        let mut entry = MaybeUninit::uninit();
        let entry = entry.as_mut_ptr();
        // SAFETY: The entry stays in place until it is taken off the queue, below.
        unsafe { bindings::init_wait_entry(entry, 0) };
        let result = loop {
            // SAFETY: Both are initialised. With a signal the entry is off the queue already.
            let signal = unsafe { bindings::prepare_to_wait_event(self.head.get(), entry, state) };
            if done() {
                break Ok(());
            }
            if signal != 0 {
                break Err(EINTR);
            }
            if ticks == 0 {
                break Err(ETIMEDOUT);
            }
            // SAFETY: Process context, by this function's nature.
            ticks = unsafe { bindings::schedule_timeout(ticks) };
        };
        // SAFETY: Both are initialised; the entry may be off the queue already.
        unsafe { bindings::finish_wait(self.head.get(), entry) };
        result
    }
}
