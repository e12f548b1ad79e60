// SPDX-License-Identifier: GPL-2.0

//! The account of bytes that were written back, but which the server has not got yet.

use super::Connection;
use kernel::{new_spinlock, prelude::*, sync::SpinLock};
use rfuse_kapi::wait::WaitQueue;

/// What the lock of [`Written`] protects.
struct Account {
    /// Writes since the last [`Connection::wait_written`] began, and those before.
    writes: [usize; 2],
    /// Which of the two counts new ones.
    current: usize,
    bytes: u64,
    /// Whether somebody waits for one side: one does at a time.
    is_waited_for: bool,
}

/// The account of a connection.
#[pin_data]
pub(crate) struct Written {
    #[pin]
    account: SpinLock<Account>,
    #[pin]
    less: WaitQueue,
}

/// An entry in the account.
pub(crate) struct Entry {
    side: usize,
    bytes: u64,
}

impl Written {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            account <- new_spinlock!(Account {
                writes: [0; 2],
                current: 0,
                bytes: 0,
                is_waited_for: false,
            }),
            less <- WaitQueue::new(),
        })
    }
}

impl Account {
    fn change(&mut self, side: usize, change: impl FnOnce(usize) -> usize) {
        if let Some(writes) = self.writes.get_mut(side) {
            *writes = change(*writes);
        }
    }

    fn total(&self) -> usize {
        self.writes
            .iter()
            .fold(0, |sum, writes| sum.saturating_add(*writes))
    }

    fn is_settled(&self, side: usize) -> bool {
        self.writes.get(side) == Some(&0)
    }
}

impl Connection {
    /// Bytes are on their way to the server.
    pub(crate) fn enter_written(&self, bytes: u64) -> Entry {
        let mut account = self.written.account.lock();
        let side = account.current;
        account.change(side, |writes| writes.saturating_add(1));
        account.bytes = account.bytes.saturating_add(bytes);
        Entry { side, bytes }
    }

    /// They have arrived, or never will.
    pub(crate) fn strike_written(&self, entry: &Entry) {
        {
            let mut account = self.written.account.lock();
            account.change(entry.side, |writes| writes.saturating_sub(1));
            account.bytes = account.bytes.saturating_sub(entry.bytes);
        }
        self.written.less.wake_all();
    }

    /// The bytes that are on their way.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written.account.lock().bytes
    }

    /// Waits until the server has what was written back before this call. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(crate) fn wait_written(&self) -> Result {
        self.written.less.wait_killable(|| {
            let mut account = self.written.account.lock();
            !core::mem::replace(&mut account.is_waited_for, true)
        })?;
        let result = self.wait_both();
        self.written.account.lock().is_waited_for = false;
        self.written.less.wake_all();
        result
    }

    fn wait_both(&self) -> Result {
        let (old, other) = {
            let account = self.written.account.lock();
            (account.current, account.current ^ 1)
        };
        // The other side may hold what somebody waited for who was killed.
        self.wait_side(other)?;
        self.written.account.lock().current = other;
        self.wait_side(old)
    }

    fn wait_side(&self, side: usize) -> Result {
        self.written
            .less
            .wait_killable(|| self.written.account.lock().is_settled(side))
    }

    /// Waits until nothing is on its way. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(super) fn wait_nothing_written(&self) -> Result {
        self.written
            .less
            .wait_killable(|| self.written.account.lock().total() == 0)
    }
}
