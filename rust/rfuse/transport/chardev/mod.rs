// SPDX-License-Identifier: GPL-2.0

//! The character device `/dev/rfuse`: processes read requests and write answers, as with `/dev/fuse`.

pub(crate) mod channel;
pub(crate) mod client;
mod pending;
mod processing;

pub(crate) use self::{channel::Channel, client::Client};
