// SPDX-License-Identifier: GPL-2.0

//! Mounting with rfuse: what `mount.rfuse` does, and what it shares with `rfuse-run`.
//!
//! A virtio-fs device is taken from the kernel's own virtiofs driver if that has it unused; a daemon
//! gets the character device, mounted, as its mount point. Both use the new mount API, so that the
//! kernel's own words reach the user, and load the module if it is not there.

pub mod arguments;
pub mod daemon;
mod device;
pub mod error;
pub mod fscontext;
pub mod interrupt;
pub mod module;
pub mod mount;
pub mod mountinfo;
pub mod options;
pub mod report;
pub mod session;
#[cfg(test)]
mod tree;
