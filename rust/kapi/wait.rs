// SPDX-License-Identifier: GPL-2.0

//! Waiting for a condition that others make true.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

use crate::bindings;
use core::{mem::MaybeUninit, ops::Deref, pin::Pin, ptr};
use kernel::{prelude::*, static_lock_class, sync::rcu, types::Opaque};

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

    pub(crate) fn as_ptr(&self) -> *mut bindings::wait_queue_head {
        self.head.get()
    }

    /// Whether anybody waits (`wq_has_sleeper`). Any context.
    pub fn is_active(&self) -> bool {
        // SAFETY: By the type invariant; looks at one pointer.
        unsafe { bindings::wait_queue_active(self.head.get()) }
    }

    /// Wakes a task that waits exclusively, and all others. `is_sync` says that the caller is about to sleep, so
    /// that the task may as well run on this processor. Any context.
    pub fn wake_one(&self, is_sync: bool) {
        let (head, mode) = (self.head.get(), bindings::TASK_NORMAL);
        // SAFETY: By the type invariant.
        unsafe {
            match is_sync {
                true => bindings::__wake_up_sync_key(head, mode, ptr::null_mut()),
                false => {
                    bindings::__wake_up(head, mode, 1, ptr::null_mut());
                }
            }
        }
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
            0,
        )
    }

    /// Sleeps until `done` says so, as one of several of whom [`Self::wake_one`] wakes one. `done` must not
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when a signal is pending.
    pub fn wait_exclusive(&self, done: impl FnMut() -> bool) -> Result {
        // CAST: The constants are small.
        self.sleep(
            done,
            bindings::TASK_INTERRUPTIBLE as c_int,
            bindings::MAX_SCHEDULE_TIMEOUT,
            bindings::WQ_FLAG_EXCLUSIVE as c_int,
        )
        .map_err(|_| ERESTARTSYS)
    }

    /// Sleeps until `done` says so, whatever happens. `done` must not sleep.
    pub fn wait(&self, done: impl FnMut() -> bool) {
        // CAST: The constant is small. Without signals and limits it does not fail.
        let _ = self.sleep(
            done,
            bindings::TASK_UNINTERRUPTIBLE as c_int,
            bindings::MAX_SCHEDULE_TIMEOUT,
            0,
        );
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
            0,
        )
    }

    fn sleep(
        &self,
        mut done: impl FnMut() -> bool,
        state: c_int,
        mut ticks: c_long,
        flags: c_int,
    ) -> Result {
        if done() {
            return Ok(());
        }
        let mut entry = MaybeUninit::uninit();
        let entry = entry.as_mut_ptr();
        // SAFETY: The entry stays in place until it is taken off the queue, below.
        unsafe { bindings::init_wait_entry(entry, flags) };
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

/// A wait queue that `poll(2)` and its kin may wait by too.
#[pin_data(PinnedDrop)]
pub struct PollQueue {
    #[pin]
    queue: WaitQueue,
}

impl PollQueue {
    /// An empty queue.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self { queue <- WaitQueue::new() })
    }
}

impl Deref for PollQueue {
    type Target = WaitQueue;

    fn deref(&self) -> &WaitQueue {
        &self.queue
    }
}

#[pinned_drop]
impl PinnedDrop for PollQueue {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant of the queue. Whoever polls by it takes leave under RCU.
        unsafe { bindings::__wake_up_pollfree(self.queue.as_ptr()) };
        rcu::synchronize_rcu();
    }
}
