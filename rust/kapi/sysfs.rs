// SPDX-License-Identifier: GPL-2.0

//! Folders below `/sys/fs`.
//!
//! C headers: [`include/linux/kobject.h`](srctree/include/linux/kobject.h),
//! [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)

use crate::bindings;
use core::ptr::NonNull;
use kernel::{error::to_result, prelude::*};

/// A folder of `/sys/fs` with an empty folder in it, for another file system to be mounted on.
///
/// # Invariants
///
/// The object is ours, and has the folder `name`.
pub struct MountPoint {
    folder: NonNull<bindings::kobject>,
    name: &'static CStr,
}

// SAFETY: Objects are used from any thread.
unsafe impl Send for MountPoint {}
// SAFETY: As above.
unsafe impl Sync for MountPoint {}

impl MountPoint {
    /// Makes `/sys/fs/FOLDER/NAME`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also for a name that is taken.
    pub fn new(folder: &'static CStr, name: &'static CStr) -> Result<Self> {
        // SAFETY: The parent is always there; names are terminated.
        unsafe {
            let parent = bindings::fs_kobj;
            let made = bindings::kobject_create_and_add(folder.as_char_ptr(), parent);
            let folder = NonNull::new(made).ok_or(ENOMEM)?;
            let result = bindings::sysfs_create_mount_point(folder.as_ptr(), name.as_char_ptr());
            to_result(result).inspect_err(|_| bindings::kobject_put(folder.as_ptr()))?;
            // INVARIANT: Both were just made.
            Ok(Self { folder, name })
        }
    }
}

impl Drop for MountPoint {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe {
            bindings::sysfs_remove_mount_point(self.folder.as_ptr(), self.name.as_char_ptr());
            bindings::kobject_put(self.folder.as_ptr());
        }
    }
}
