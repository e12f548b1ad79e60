// SPDX-License-Identifier: GPL-2.0

//! Telling others that there is something to read.
//!
//! C headers: [`include/linux/poll.h`](srctree/include/linux/poll.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{bindings, wait::PollQueue};
use core::{cell::UnsafeCell, marker::PhantomData, ptr};
use kernel::prelude::*;

/// What can be done without waiting, `EPOLL*`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Events(bindings::__poll_t);

impl Events {
    /// Reading (`EPOLLIN | EPOLLRDNORM`).
    pub const READ: Self = Self(bindings::POLL_READABLE);
    /// Writing (`EPOLLOUT | EPOLLWRNORM`).
    pub const WRITE: Self = Self(bindings::POLL_WRITABLE);
    /// Nothing will ever work again (`EPOLLERR`).
    pub const ERROR: Self = Self(bindings::POLL_BROKEN);

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those with these bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits, `EPOLL*`.
    pub fn bits(self) -> bindings::__poll_t {
        self.0
    }
}

/// Who polls (`poll_table`).
///
/// # Invariants
///
/// `file` is valid during `'a`; so is `table`, if it is not null.
pub struct PollTable<'a> {
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
    _lifetime: PhantomData<&'a ()>,
}

impl PollTable<'_> {
    /// Wraps the arguments of a `poll` hook.
    ///
    /// # Safety
    ///
    /// They are valid during the lifetime of the result.
    pub(crate) unsafe fn from_raw(
        file: *mut bindings::file,
        table: *mut bindings::poll_table_struct,
    ) -> Self {
        // INVARIANT: By the safety requirements.
        Self {
            file,
            table,
            _lifetime: PhantomData,
        }
    }

    /// What is asked for (`poll_requested_events`).
    pub fn requested(&self) -> Events {
        // SAFETY: By the type invariant.
        Events(unsafe { bindings::poll_requested_events(self.table) })
    }

    /// Who polls is to be woken by `queue`. May sleep.
    pub fn wait_by(&self, queue: &PollQueue) {
        // SAFETY: By the type invariant. A queue takes leave of whoever polls before it goes.
        unsafe { bindings::poll_wait(self.file, queue.as_ptr(), self.table) };
    }
}

/// Files whose owners get a signal when there is something to read (`struct fasync_struct`).
pub struct Signals(UnsafeCell<*mut bindings::fasync_struct>);

// SAFETY: The list is read under RCU and changed under a lock of its own.
unsafe impl Send for Signals {}
// SAFETY: As above.
unsafe impl Sync for Signals {}

impl Default for Signals {
    fn default() -> Self {
        Self::new()
    }
}

impl Signals {
    /// Nobody.
    pub const fn new() -> Self {
        Self(UnsafeCell::new(ptr::null_mut()))
    }

    /// There is something to read. Any context.
    #[inline]
    pub fn notify(&self) {
        // CAST: The constants are small.
        // SAFETY: The list is valid as long as this is.
        unsafe {
            bindings::kill_fasync(
                self.0.get(),
                bindings::SIGIO as c_int,
                bindings::POLL_IN as c_int,
            )
        };
    }

    /// Adds a file or takes it off.
    ///
    /// # Safety
    ///
    /// The arguments are those of a `fasync` hook, and files are taken off before this goes.
    pub(crate) unsafe fn change(&self, fd: c_int, file: *mut bindings::file, on: c_int) -> c_int {
        // SAFETY: By the safety requirements.
        unsafe { bindings::fasync_helper(fd, file, on, self.0.get()) }
    }
}
