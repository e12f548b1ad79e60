// SPDX-License-Identifier: GPL-2.0

//! The FUSE protocol, without the kernel.
//!
//! Wire types, negotiation, parsers and state machines of a FUSE client. All bytes of a server are
//! parsed here and nowhere else; nothing in them is trusted. The crate builds into the kernel module
//! and on the host, where it is tested.

// Kbuild gives `no_std` on the command line, cargo does not.
#![allow(unused_attributes)]
// The kernel's build says `no_std` too; cargo does not.
#![allow(clippy::duplicated_attributes)]
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]
#![warn(missing_docs)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod attr;
pub mod dirent;
pub mod flags;
pub mod forget;
pub mod init;
pub mod lock_owner;
pub mod notify;
pub mod op;
pub mod reply;
pub mod state;
pub mod wire;
