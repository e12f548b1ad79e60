// SPDX-License-Identifier: GPL-2.0

//! A file system server that answers rightly, and a generator of damage for its answers.
//!
//! [`server`] serves a tree that is made up, [`content`] says what is in its files, [`damage`]
//! spoils answers by a seed. None of them knows how messages travel: [`service`] takes a request's
//! bytes and says what to write, what to claim, and when.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod content;
pub mod damage;
pub mod delivery;
pub mod extension;
pub mod journal;
pub mod locks;
pub mod request;
pub mod server;
pub mod service;
pub mod tree;
