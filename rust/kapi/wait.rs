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
    #[inline]
    pub fn is_active(&self) -> bool {
        // SAFETY: By the type invariant; looks at one pointer.
        unsafe { bindings::wait_queue_active(self.head.get()) }
    }

    /// Wakes a task that waits exclusively, and all others. Any context.
    pub fn wake_one(&self) {
        // SAFETY: By the type invariant.
        unsafe {
            bindings::__wake_up(self.head.get(), bindings::TASK_NORMAL, 1, ptr::null_mut());
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
        self.sleep(&Sleep::new(bindings::TASK_KILLABLE), done)
    }

    /// Sleeps until `done` says so, as one of several of whom [`Self::wake_one`] wakes one. `done` must not
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when a signal is pending.
    pub fn wait_exclusive(&self, done: impl FnMut() -> bool) -> Result {
        self.sleep(&Sleep::exclusive(None), done)
            .map_err(|_| ERESTARTSYS)
    }

    /// Sleeps until `done` says so, whatever happens. `done` must not sleep.
    pub fn wait(&self, done: impl FnMut() -> bool) {
        // Without signals and limits it does not fail.
        let _ = self.sleep(&Sleep::new(bindings::TASK_UNINTERRUPTIBLE), done);
    }

    /// As [`Self::wait_killable`], for `ticks` jiffies at most, and whatever signals come: a task that exits
    /// gets none.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`.
    pub fn wait_ticks(&self, done: impl FnMut() -> bool, ticks: u32) -> Result {
        let how = Sleep {
            // CAST: `long` has 64 bits.
            ticks: ticks as c_long,
            ..Sleep::new(bindings::TASK_UNINTERRUPTIBLE)
        };
        self.sleep(&how, done)
    }

    fn sleep(&self, how: &Sleep, mut done: impl FnMut() -> bool) -> Result {
        if done() {
            return Ok(());
        }
        let mut entry = MaybeUninit::uninit();
        let entry = entry.as_mut_ptr();
        // SAFETY: The entry stays in place until it is taken off the queue, below.
        unsafe {
            bindings::init_wait_entry(entry, how.flags);
            if how.wake.is_some() {
                (*entry).func = how.wake;
            }
        }
        let mut ticks = how.ticks;
        let result = loop {
            // SAFETY: Both are initialised. With a signal the entry is off the queue already.
            let signal =
                unsafe { bindings::prepare_to_wait_event(self.head.get(), entry, how.state) };
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

/// How a task sleeps.
struct Sleep {
    /// `TASK_*`.
    state: c_int,
    /// The limit in jiffies.
    ticks: c_long,
    /// `WQ_FLAG_*`.
    flags: c_int,
    /// What wakes the task, if not `autoremove_wake_function`.
    wake: bindings::wait_queue_func_t,
}

impl Sleep {
    /// In the state `state`, without a limit.
    fn new(state: c_uint) -> Self {
        Self {
            // CAST: The constants are small.
            state: state as c_int,
            ticks: bindings::MAX_SCHEDULE_TIMEOUT,
            flags: 0,
            wake: None,
        }
    }

    /// As one of several of whom one is woken.
    fn exclusive(wake: bindings::wait_queue_func_t) -> Self {
        Self {
            // CAST: The constant is small.
            flags: bindings::WQ_FLAG_EXCLUSIVE as c_int,
            wake,
            ..Self::new(bindings::TASK_INTERRUPTIBLE)
        }
    }
}

/// Tasks of whom one is woken at a time; whoever wakes learns whether there was one.
#[pin_data]
pub struct ExclusiveQueue {
    #[pin]
    queue: WaitQueue,
}

impl ExclusiveQueue {
    /// An empty queue.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self { queue <- WaitQueue::new() })
    }

    /// As [`WaitQueue::wait_exclusive`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn wait(&self, done: impl FnMut() -> bool) -> Result {
        self.queue
            .sleep(&Sleep::exclusive(Some(wake_and_tell)), done)
            .map_err(|_| ERESTARTSYS)
    }

    /// Wakes a task, if one waits that was not woken yet: whether it did. `is_sync` says that the caller is about
    /// to sleep, so that the task may as well run on this processor. Who waits is looked for after a full barrier.
    /// Any context.
    #[inline]
    pub fn wake_one(&self, is_sync: bool) -> bool {
        if !self.queue.is_active() {
            return false;
        }
        let mut is_woken = false;
        let (head, mode) = (self.queue.as_ptr(), bindings::TASK_NORMAL);
        let key = (&raw mut is_woken).cast();
        // SAFETY: By the type invariant of the queue; all who wait by it take the key for a `bool`.
        unsafe {
            match is_sync {
                true => bindings::__wake_up_sync_key(head, mode, key),
                false => {
                    bindings::__wake_up(head, mode, 1, key);
                }
            }
        }
        is_woken
    }

    /// As [`WaitQueue::wake_all`].
    pub fn wake_all(&self) {
        self.queue.wake_all();
    }
}

/// `autoremove_wake_function`, which tells whoever wakes.
///
/// # Safety
///
/// As there; `key` is null or a `bool`.
unsafe extern "C" fn wake_and_tell(
    entry: *mut bindings::wait_queue_entry,
    mode: c_uint,
    flags: c_int,
    key: *mut c_void,
) -> c_int {
    // SAFETY: By the safety requirements. The task may be gone afterwards, and its entry with it.
    let woken = unsafe { bindings::autoremove_wake_function(entry, mode, flags, key) };
    if woken != 0 && !key.is_null() {
        // SAFETY: By the safety requirements.
        unsafe { key.cast::<bool>().write(true) };
    }
    woken
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
