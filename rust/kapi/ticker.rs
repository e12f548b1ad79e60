// SPDX-License-Identifier: GPL-2.0

//! Work that is done again and again.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::{bindings, workqueue::Workqueue};
use core::pin::Pin;
use kernel::{container_of, prelude::*, sync::Arc, types::Opaque};

/// What is done.
pub trait Tick: Send + Sync + 'static {
    /// Process context, may sleep.
    fn tick(&self);
}

/// Calls [`Tick::tick`] again and again, until it is dropped.
///
/// # Invariants
///
/// The work is initialised, and queued on `queue` or running until it is cancelled on drop.
#[pin_data(PinnedDrop)]
pub struct Ticker<T: Tick> {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    queue: Arc<Workqueue>,
    period: c_ulong,
    it: Arc<T>,
}

// SAFETY: Work may be cancelled by any thread.
unsafe impl<T: Tick> Send for Ticker<T> {}
// SAFETY: Only the work itself looks at the rest by reference.
unsafe impl<T: Tick> Sync for Ticker<T> {}

impl<T: Tick> Ticker<T> {
    /// Begins, with a pause of `period` jiffies first. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(queue: &Arc<Workqueue>, period: u64, it: Arc<T>) -> Result<Pin<KBox<Self>>> {
        let this = KBox::pin_init(
            pin_init!(Self {
                work <- Opaque::ffi_init(|work| {
                    // SAFETY: The slot is valid for writes and pinned.
                    unsafe { bindings::init_delayed_work(work, Some(run::<T>)) }
                }),
                queue: queue.clone(),
                // CAST: Both have 64 bits.
                period: period as c_ulong,
                it,
            }),
            GFP_KERNEL,
        )?;
        this.again();
        Ok(this)
    }

    fn again(&self) {
        // SAFETY: The work is initialised and pinned, the queue is live.
        unsafe {
            bindings::queue_delayed_work_on(
                bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                self.queue.as_ptr(),
                self.work.get(),
                self.period,
            )
        };
    }
}

#[pinned_drop]
impl<T: Tick> PinnedDrop for Ticker<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Initialised. When this returns the work neither runs nor is queued, though it queues itself.
        unsafe { bindings::cancel_delayed_work_sync(self.work.get()) };
    }
}

/// Does the work, and queues it once more.
///
/// # Safety
///
/// Called by the workqueue with the work of a [`Ticker`] of `T`, which is not dropped before this returns.
unsafe extern "C" fn run<T: Tick>(work: *mut bindings::work_struct) {
    // SAFETY: By the safety requirements.
    let this = unsafe {
        let work = container_of!(work, bindings::delayed_work, work);
        &*container_of!(
            work.cast::<Opaque<bindings::delayed_work>>(),
            Ticker<T>,
            work
        )
    };
    this.it.tick();
    this.again();
}
