// SPDX-License-Identifier: GPL-2.0

//! Changes of attributes.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct iattr`

use crate::{
    bindings,
    dentry::Dentry,
    file::{self, FileOperations},
    fs::FileSystem,
    ids::MntIdmap,
    time::Timespec,
};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{error::to_result, prelude::*, sync::ArcBorrow};

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeChange {
    /// The present, which is also here.
    Now(Timespec),
    /// This one.
    To(Timespec),
}

/// What a `setattr` hook is to change (`struct iattr`).
///
/// # Invariants
///
/// The pointer is valid, and used by this thread alone, during `'a`. Its ids are those of an inode of
/// the file system `T`.
pub struct Iattr<'a, T: FileSystem>(
    NonNull<bindings::iattr>,
    PhantomData<&'a mut ()>,
    PhantomData<fn() -> T>,
);

impl<T: FileSystem> Iattr<'_, T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `attr` is that of a `setattr` hook of `T`, which runs during the lifetime of the result.
    pub(crate) unsafe fn from_raw(attr: *mut bindings::iattr) -> Self {
        // INVARIANT: By the safety requirements.
        // SAFETY: A valid pointer is not null.
        let attr = unsafe { NonNull::new_unchecked(attr) };
        Self(attr, PhantomData, PhantomData)
    }

    fn get(&self) -> &bindings::iattr {
        // SAFETY: By the type invariant.
        unsafe { self.0.as_ref() }
    }

    fn get_mut(&mut self) -> &mut bindings::iattr {
        // SAFETY: By the type invariant.
        unsafe { self.0.as_mut() }
    }

    fn has(&self, bits: u32) -> bool {
        self.get().ia_valid & bits != 0
    }

    /// The data of the file that `ftruncate(2)` was called on, if `K` opened it.
    pub fn file<K: FileOperations<Fs = T>>(&self) -> Option<ArcBorrow<'_, K::Data>> {
        if !self.has(bindings::ATTR_FILE) {
            return None;
        }
        // SAFETY: The caller of the hook holds a reference to the file.
        unsafe { file::data_if_of::<K>(self.get().ia_file) }
    }

    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.get().ia_valid == 0
    }

    /// Leaves the check of permissions to somebody else (`ATTR_FORCE`).
    pub fn force(&mut self) {
        self.get_mut().ia_valid |= bindings::ATTR_FORCE;
    }

    /// Checks permissions, limits and rules (`setattr_prepare`). May sleep.
    ///
    /// # Errors
    ///
    /// `EPERM`, `EFBIG`, `ETXTBSY`, `EOVERFLOW`.
    pub fn setattr_prepare(&mut self, idmap: &MntIdmap, dentry: &Dentry<T>) -> Result {
        // SAFETY: All three are valid by their type invariants.
        to_result(unsafe {
            bindings::setattr_prepare(idmap.as_ptr(), dentry.as_ptr(), self.0.as_ptr())
        })
    }

    /// Whether set-user-id and set-group-id bits are to go; this is no longer asked for then, nor is
    /// the mode that the VFS computed for it.
    pub fn take_kill(&mut self) -> bool {
        let kill = bindings::ATTR_KILL_SUID | bindings::ATTR_KILL_SGID;
        let asked = self.has(kill);
        if asked {
            self.get_mut().ia_valid &= !(kill | bindings::ATTR_MODE);
        }
        asked
    }

    /// Asks for a mode: permission bits with the type.
    pub fn set_mode(&mut self, mode: u16) {
        let attr = self.get_mut();
        attr.ia_mode = mode;
        attr.ia_valid |= bindings::ATTR_MODE;
    }

    /// The mode, with the type.
    pub fn mode(&self) -> Option<u16> {
        self.has(bindings::ATTR_MODE).then(|| self.get().ia_mode)
    }

    /// The owner, in the user namespace of the superblock.
    pub fn uid(&self, idmap: &MntIdmap, dentry: &Dentry<T>) -> Option<u32> {
        // SAFETY: All three are valid by their type invariants.
        self.has(bindings::ATTR_UID).then(|| unsafe {
            bindings::iattr_uid(idmap.as_ptr(), dentry.as_ptr(), self.0.as_ptr())
        })
    }

    /// The group, in the user namespace of the superblock.
    pub fn gid(&self, idmap: &MntIdmap, dentry: &Dentry<T>) -> Option<u32> {
        // SAFETY: All three are valid by their type invariants.
        self.has(bindings::ATTR_GID).then(|| unsafe {
            bindings::iattr_gid(idmap.as_ptr(), dentry.as_ptr(), self.0.as_ptr())
        })
    }

    /// The size in bytes, which is not negative.
    pub fn size(&self) -> Option<u64> {
        self.has(bindings::ATTR_SIZE)
            .then(|| self.get().ia_size.try_into().unwrap_or(0))
    }

    /// Whether the file is cut because it is being opened (`O_TRUNC`).
    pub fn is_open(&self) -> bool {
        self.has(bindings::ATTR_OPEN)
    }

    /// The time of the last access.
    pub fn atime(&self) -> Option<TimeChange> {
        let time = self.get().ia_atime.into();
        match (
            self.has(bindings::ATTR_ATIME),
            self.has(bindings::ATTR_ATIME_SET),
        ) {
            (false, _) => None,
            (true, true) => Some(TimeChange::To(time)),
            (true, false) => Some(TimeChange::Now(time)),
        }
    }

    /// The time of the last change of the contents. One that comes with a change of the size is left
    /// out: whoever changes the size sets it.
    pub fn mtime(&self) -> Option<TimeChange> {
        let time = self.get().ia_mtime.into();
        let cut =
            self.has(bindings::ATTR_SIZE) && self.has(bindings::ATTR_OPEN | bindings::ATTR_FILE);
        match (
            self.has(bindings::ATTR_MTIME),
            self.has(bindings::ATTR_MTIME_SET),
        ) {
            (true, true) => Some(TimeChange::To(time)),
            (true, false) if !cut => Some(TimeChange::Now(time)),
            _ => None,
        }
    }
}
