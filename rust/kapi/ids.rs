// SPDX-License-Identifier: GPL-2.0

//! User, group and process ids, and the id map of a mount.
//!
//! C headers: [`include/linux/uidgid.h`](srctree/include/linux/uidgid.h),
//! [`include/linux/mnt_idmapping.h`](srctree/include/linux/mnt_idmapping.h)

use crate::bindings;
use kernel::types::Opaque;

/// The id map of a mount, as the VFS hands it to hooks.
///
/// # Invariants
///
/// The wrapped `struct mnt_idmap` is valid: the mount it belongs to is in use by the hook's caller.
#[repr(transparent)]
pub struct MntIdmap(Opaque<bindings::mnt_idmap>);

impl MntIdmap {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `idmap` is valid for the lifetime `'a`.
    pub(crate) unsafe fn from_raw<'a>(idmap: *mut bindings::mnt_idmap) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct mnt_idmap`; the rest by the safety
        // requirements.
        unsafe { &*idmap.cast() }
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::mnt_idmap {
        self.0.get()
    }
}

/// The permission bits that the current task does not give to what it makes (`umask(2)`).
pub fn current_umask() -> u16 {
    // SAFETY: The current task has its file system context for as long as it runs.
    let umask = unsafe { bindings::current_umask() };
    // CAST: Permission bits.
    umask as u16
}

/// Whether the current task may keep set-user-id and set-group-id bits of files it changes
/// (`CAP_FSETID`).
pub fn capable_fsetid() -> bool {
    // SAFETY: Always sound. The constant is small.
    unsafe { bindings::capable(bindings::CAP_FSETID as i32) }
}

/// Whether the current task may do what administrators do, in the whole system (`CAP_SYS_ADMIN`).
pub fn capable_sys_admin() -> bool {
    // SAFETY: Always sound. The constant is small.
    unsafe { bindings::capable(bindings::CAP_SYS_ADMIN as i32) }
}

/// The address of the current task's table of files, which is what owns POSIX locks. It only tells owners
/// apart.
pub fn current_files() -> usize {
    // SAFETY: Looks at the pointer only.
    unsafe { bindings::current_files() }.addr()
}

/// Whether the current task is on its way out: signals no longer reach it, and nobody hears of its errors.
pub fn current_is_exiting() -> bool {
    // SAFETY: Looks at a flag of the current task.
    unsafe { bindings::current_is_exiting() }
}

/// Whether the current task is on its way out because of a signal.
pub fn current_is_killed() -> bool {
    // SAFETY: The current task has its signal state for as long as it runs.
    unsafe { bindings::current_is_exiting() && bindings::current_is_killed() }
}
