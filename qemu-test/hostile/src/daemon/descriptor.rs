// SPDX-License-Identifier: GPL-2.0

//! Descriptors of the device: the one that was inherited, and others of the same connection.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, RawFd};
use std::path::Path;

use anyhow::{ensure, Context as _, Result};

/// `FUSE_DEV_IOC_CLONE`: `_IOR(229, 0, u32)`.
const CLONE: libc::c_ulong = 0x8004_e500;

/// Takes a descriptor that this process inherited.
///
/// # Errors
///
/// That there is none of that number.
pub fn take(number: RawFd) -> Result<File> {
    // SAFETY: F_GETFD has no other argument and changes nothing.
    let is_open = unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0;
    ensure!(number > 2 && is_open, "descriptor {number} is not open");
    // SAFETY: It is open, and nobody else in this process knows of it: the number came by the command
    // line, before any file was opened here.
    Ok(unsafe { File::from_raw_fd(number) })
}

/// Another descriptor of the same connection.
///
/// # Errors
///
/// Why it cannot be.
pub fn clone(device: &Path, of: &File) -> Result<File> {
    let opened = File::options().read(true).write(true).open(device);
    let file = opened.with_context(|| format!("cannot open {}", device.display()))?;
    let number = of.as_raw_fd() as u32;
    // SAFETY: The argument points to the number, which lives until the call has ended; the kernel reads
    // it, whatever the direction in the order's name says.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), CLONE, &raw const number) };
    match done {
        0 => Ok(file),
        _ => Err(io::Error::last_os_error()).context("cannot clone the descriptor"),
    }
}
