// SPDX-License-Identifier: GPL-2.0

//! I/O requests that end after the call that began them: those of `io_submit(2)` and io_uring.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct kiocb`;
//! [`include/linux/aio.h`](srctree/include/linux/aio.h)

use crate::{bindings, workqueue::Workqueue};
use core::ptr::NonNull;
use kernel::{
    impl_has_work, new_work,
    prelude::*,
    sync::{
        atomic::{Atomic, Full},
        Arc, ArcBorrow,
    },
    workqueue::{Work, WorkItem},
};

/// The hook that began the request has not returned yet.
const IN_HOOK: u32 = 1 << 0;
/// Nobody has said yet how the request ended.
const OPEN: u32 = 1 << 1;

/// What the hook and the one who ends the request have in common.
///
/// # Invariants
///
/// `iocb` is valid until `ki_complete` was called, and that is done once: by whoever clears the last
/// bit of `state`. Only who clears `OPEN` writes `result`, before that.
#[pin_data]
pub(crate) struct Gate {
    iocb: NonNull<bindings::kiocb>,
    /// The memory of an `io_submit(2)`; null for others.
    mm: *mut bindings::mm_struct,
    queue: Arc<Workqueue>,
    /// Whether somebody is about to clear `OPEN`.
    claimed: Atomic<u32>,
    state: Atomic<u32>,
    result: Atomic<i64>,
    #[pin]
    work: Work<Gate>,
}

// SAFETY: What is shared is atomic; the request is touched by one party, by the type invariants.
unsafe impl Send for Gate {}
// SAFETY: As above.
unsafe impl Sync for Gate {}

impl_has_work! {
    impl HasWork<Self> for Gate { self.work }
}

impl WorkItem for Gate {
    type Pointer = Arc<Gate>;

    /// The request was cancelled.
    fn run(this: Arc<Gate>) {
        this.leave(OPEN);
    }
}

impl Gate {
    /// Prepares a request to end later. `iocb` is not a synchronous one. May sleep.
    ///
    /// # Safety
    ///
    /// `iocb` is valid until its end was told.
    pub(crate) unsafe fn new(
        iocb: NonNull<bindings::kiocb>,
        queue: Arc<Workqueue>,
    ) -> Result<Arc<Self>> {
        // SAFETY: By the safety requirements.
        let mm = unsafe { bindings::kiocb_aio_mm(iocb.as_ptr()) };
        let gate = Arc::pin_init(
            pin_init!(Self {
                iocb,
                mm,
                queue,
                claimed: Atomic::new(0),
                state: Atomic::new(IN_HOOK | OPEN),
                result: Atomic::new(0),
                work <- new_work!("rfuse_kapi::Gate"),
            }),
            GFP_KERNEL,
        )?;
        if !mm.is_null() {
            // SAFETY: By the safety requirements. `private` is the file system's; whoever has the request call
            // `ki_complete` keeps the gate until that has returned, and the kernel cancels no request after that.
            unsafe {
                (*iocb.as_ptr()).private = Arc::as_ptr(&gate).cast_mut().cast();
                bindings::kiocb_set_cancel_fn(iocb.as_ptr(), Some(cancel));
            }
        }
        Ok(gate)
    }

    /// Whether the caller is the one to say how the request ended.
    fn claim(&self) -> bool {
        self.claimed.cmpxchg(0, 1, Full).is_ok()
    }

    fn end(&self, result: i64) {
        if self.claim() {
            self.result.store(result, kernel::sync::atomic::Relaxed);
            self.leave(OPEN);
        }
    }

    /// The hook returns.
    pub(crate) fn leave_hook(&self) {
        self.leave(IN_HOOK);
    }

    /// Clears a bit; with the last, the end is told. Process context.
    fn leave(&self, bit: u32) {
        // The bits are apart: taking one away is clearing it.
        if self.state.fetch_sub(bit, Full) == bit {
            let result = self.result.load(kernel::sync::atomic::Relaxed);
            // CAST: Both have 64 bits.
            // SAFETY: Valid, and done once, by the type invariants.
            unsafe { bindings::kiocb_complete(self.iocb.as_ptr(), result as c_long) };
        }
    }
}

/// The memory of an `io_submit(2)` goes: `exit_aio` waits for its requests, and cannot be killed. A live process
/// that gives up its context has to wait for them, as the device may still write to its memory.
///
/// # Safety
///
/// Called by the kernel, with a spin lock held, for a request that [`Gate::new`] has set this for.
unsafe extern "C" fn cancel(iocb: *mut bindings::kiocb) -> c_int {
    // SAFETY: As [`Gate::new`] says; the pointer came from an `Arc`.
    let gate = unsafe { ArcBorrow::from_raw((*iocb).private.cast::<Gate>().cast_const()) };
    // SAFETY: An `io_submit(2)`'s memory stays until its requests have ended.
    if unsafe { bindings::mm_is_gone(gate.mm) } && gate.claim() {
        gate.result
            .store(EINTR.to_errno().into(), kernel::sync::atomic::Relaxed);
        // Queued once, by who has claimed it.
        let _ = gate.queue.enqueue(Arc::from(gate));
    }
    0
}

/// A request whose end is to be told. Dropping it tells `EIO`.
pub struct QueuedKiocb(Arc<Gate>);

impl QueuedKiocb {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self(gate)
    }

    /// The request has moved so many bytes, or failed. Process context.
    pub fn complete(self, result: Result<usize>) {
        // CAST: A transfer is never larger than `MAX_RW_COUNT`.
        self.0
            .end(result.map_or_else(|error| error.to_errno().into(), |moved| moved as i64));
    }
}

impl Drop for QueuedKiocb {
    fn drop(&mut self) {
        self.0.end(EIO.to_errno().into());
    }
}
