// SPDX-License-Identifier: GPL-2.0

//! Waiting for what was under way when the wait began, however much begins meanwhile.

use kernel::prelude::*;
use rfuse_kapi::spin_lock::{new_spinlock, SpinLock};
use rfuse_kapi::wait::WaitQueue;

/// What the lock of [`Generations`] protects.
struct Account {
    /// How much is under way that began since the last [`Generations::wait_earlier`] began, and before.
    sides: [usize; 2],
    /// Which of the two counts what begins now.
    current: usize,
    /// Whether somebody waits for one side: one does at a time.
    is_waited_for: bool,
}

/// Counts what begins and ends.
#[pin_data]
pub(super) struct Generations {
    #[pin]
    account: SpinLock<Account>,
    #[pin]
    fewer: WaitQueue,
}

/// When something began.
#[derive(Clone, Copy)]
pub(crate) struct Generation(usize);

impl Account {
    fn change(&mut self, side: usize, change: impl FnOnce(usize) -> usize) {
        if let Some(count) = self.sides.get_mut(side) {
            *count = change(*count);
        }
    }
}

impl Generations {
    /// Nothing is under way.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            account <- new_spinlock!(Account {
                sides: [0; 2],
                current: 0,
                is_waited_for: false,
            }),
            fewer <- WaitQueue::new(),
        })
    }

    /// Something begins. Does not sleep.
    pub(super) fn begin(&self) -> Generation {
        let mut account = self.account.lock();
        let side = account.current;
        account.change(side, |count| count.saturating_add(1));
        Generation(side)
    }

    /// Something ends that began then. Does not sleep.
    pub(super) fn end(&self, Generation(side): Generation) {
        self.account
            .lock()
            .change(side, |count| count.saturating_sub(1));
        self.fewer.wake_all();
    }

    /// Waits until nothing is under way that began before this call. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(super) fn wait_earlier(&self) -> Result {
        self.fewer.wait_killable(|| {
            let mut account = self.account.lock();
            !core::mem::replace(&mut account.is_waited_for, true)
        })?;
        let result = self.wait_both();
        self.account.lock().is_waited_for = false;
        self.fewer.wake_all();
        result
    }

    fn wait_both(&self) -> Result {
        let old = self.account.lock().current;
        let other = old ^ 1;
        // The other side may hold what somebody waited for who was killed.
        self.wait_side(other)?;
        self.account.lock().current = other;
        self.wait_side(old)
    }

    fn wait_side(&self, side: usize) -> Result {
        self.fewer
            .wait_killable(|| self.account.lock().sides.get(side) == Some(&0))
    }

    /// Whether anything is under way. Does not sleep.
    pub(super) fn is_any(&self) -> bool {
        self.account.lock().sides != [0; 2]
    }

    /// Waits until nothing is under way. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(super) fn wait_all(&self) -> Result {
        self.fewer
            .wait_killable(|| self.account.lock().sides == [0; 2])
    }
}
