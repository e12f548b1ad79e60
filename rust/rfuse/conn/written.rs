// SPDX-License-Identifier: GPL-2.0

//! The account of bytes that were written back, but which the server has not got yet.

use super::{
    generations::{Generation, Generations},
    Connection,
};
use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// The account of a connection.
#[pin_data]
pub(crate) struct Written {
    bytes: Atomic<u64>,
    #[pin]
    writes: Generations,
}

/// An entry in the account.
pub(crate) struct Entry {
    began: Generation,
    bytes: u64,
}

impl Written {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            bytes: Atomic::new(0),
            writes <- Generations::new(),
        })
    }
}

impl Connection {
    /// Bytes are on their way to the server.
    pub(crate) fn enter_written(&self, bytes: u64) -> Entry {
        let _ = self.written.bytes.fetch_add(bytes, Relaxed);
        Entry {
            began: self.written.writes.begin(),
            bytes,
        }
    }

    /// They have arrived, or never will.
    pub(crate) fn strike_written(&self, entry: &Entry) {
        let less = entry.bytes.wrapping_neg();
        let _ = self.written.bytes.fetch_add(less, Relaxed);
        self.written.writes.end(entry.began);
    }

    /// The bytes that are on their way.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written.bytes.load(Relaxed)
    }

    /// Waits until the server has what was written back before this call. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(crate) fn wait_written(&self) -> Result {
        self.written.writes.wait_earlier()
    }

    /// Waits until nothing is on its way. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(super) fn wait_nothing_written(&self) -> Result {
        self.written.writes.wait_all()
    }
}
