// SPDX-License-Identifier: GPL-2.0

//! The character device `/dev/rfuse`: processes read requests and write answers, as with `/dev/fuse`.

pub(crate) mod channel;
pub(crate) mod client;
mod pending;
mod processing;
mod queue;

use kernel::{iov::IovIterSource, prelude::*};
use rfuse_proto::notify::Notification;

/// Hears of what a server tells unasked.
pub(crate) trait Listener: Send + Sync {
    /// Applies it; `data` is what follows, for a STORE. May sleep, but not for an answer of the server's.
    ///
    /// # Errors
    ///
    /// What the server is told.
    fn notify(&self, it: Notification<'_>, data: &mut IovIterSource<'_>) -> Result;
}

pub(crate) use self::{channel::Channel, client::Client};
