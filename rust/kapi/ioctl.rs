// SPDX-License-Identifier: GPL-2.0

//! `ioctl(2)`.

use crate::{
    bindings,
    file::{File, FileOperations},
};
use kernel::prelude::*;

/// How the caller lays its data out in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// As this kernel does.
    Native,
    /// With addresses of 32 bits.
    Compat,
    /// As x32: with addresses of 32 bits, but the registers of 64.
    X32,
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Ioctl {
    /// The command.
    pub cmd: u32,
    /// Its argument: with most commands, an address in the caller.
    pub arg: usize,
    /// What the caller's data looks like.
    pub layout: Layout,
}

/// Calls the hook.
///
/// # Safety
///
/// `file` was opened by the operations `K`, and is not released meanwhile.
unsafe fn ioctl<K: FileOperations>(file: *mut bindings::file, call: Ioctl) -> c_long {
    // SAFETY: By the safety requirements.
    let file = unsafe { File::<K>::from_raw(file) };
    match K::ioctl(&file, call) {
        // CAST: Lossless.
        Ok(result) => result as c_long,
        Err(error) => error.to_errno() as c_long,
    }
}

/// Handles a call.
///
/// # Safety
///
/// Called by the VFS with a file that the operations `K` opened.
pub(crate) unsafe extern "C" fn unlocked_ioctl<K: FileOperations>(
    file: *mut bindings::file,
    cmd: c_uint,
    arg: c_ulong,
) -> c_long {
    let layout = Layout::Native;
    // SAFETY: By the safety requirements.
    unsafe { ioctl::<K>(file, Ioctl { cmd, arg, layout }) }
}

/// Handles a call of a 32-bit caller.
///
/// # Safety
///
/// As [`unlocked_ioctl`].
pub(crate) unsafe extern "C" fn compat_ioctl<K: FileOperations>(
    file: *mut bindings::file,
    cmd: c_uint,
    arg: c_ulong,
) -> c_long {
    // SAFETY: Looks at the registers of the current task.
    let layout = match unsafe { bindings::current_is_x32() } {
        true => Layout::X32,
        false => Layout::Compat,
    };
    // SAFETY: By the safety requirements.
    unsafe { ioctl::<K>(file, Ioctl { cmd, arg, layout }) }
}
