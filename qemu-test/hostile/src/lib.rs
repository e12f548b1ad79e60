// SPDX-License-Identifier: GPL-2.0

//! A file system server that answers rightly, and a generator of damage for its answers.
//!
//! [`server`] serves a tree that is made up, [`content`] says what is in its files, [`damage`]
//! spoils answers by a seed. None of them knows how messages travel: [`service`] takes a request's
//! bytes and says what to write, what to claim, and when; [`post`] keeps what is not to go out yet.
//! The transports are programs: `hostile-server` is a virtio-fs device for QEMU, `hostile-daemon` serves
//! a character device like `/dev/fuse`.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod content;
pub mod control;
pub mod damage;
pub mod delivery;
pub mod extension;
pub mod journal;
pub mod locks;
pub mod options;
pub mod post;
pub mod request;
pub mod server;
pub mod service;
pub mod shelf;
pub mod tree;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock whose holder died holds what it held.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
