// SPDX-License-Identifier: GPL-2.0

//! Flags of inodes, as `chattr(1)` and `file_setattr(2)` know them.
//!
//! C header: [`include/linux/fileattr.h`](srctree/include/linux/fileattr.h)

use crate::{bindings, ids::MntIdmap, inode::Inode, inode_operations::InodeOperations};
use kernel::{error::from_result, prelude::*};

/// The flags of an inode (`struct file_kattr`), in one of the two forms that users know.
#[repr(transparent)]
pub struct FileKattr(bindings::file_kattr);

/// The attributes of `FS_IOC_FSGETXATTR` (`struct fsxattr`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FsXattr {
    /// `FS_XFLAG_*`.
    pub xflags: u32,
    /// Preferred extent, in bytes.
    pub extsize: u32,
    /// Number of extents.
    pub nextents: u32,
    /// Project id.
    pub projid: u32,
    /// Preferred extent of copies on write, in bytes.
    pub cowextsize: u32,
}

impl FileKattr {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// It is valid, and nobody else uses it, during `'a`. The kernel crate knows the type by name only.
    unsafe fn from_raw<'a>(attr: *mut bindings::file_kattr) -> &'a mut Self {
        // SAFETY: `Self` is transparent over `struct file_kattr`; the rest by the safety requirements.
        unsafe { &mut *attr.cast() }
    }

    /// The `FS_*_FL` flags, if it is these that the user means.
    pub fn flags(&self) -> Option<u32> {
        self.0.flags_valid().then_some(self.0.flags)
    }

    /// Answers with `FS_*_FL` flags.
    pub fn fill_flags(&mut self, flags: u32) {
        // SAFETY: Always sound.
        unsafe { bindings::fileattr_fill_flags(&mut self.0, flags) };
    }

    /// The other form.
    pub fn xattr(&self) -> FsXattr {
        FsXattr {
            xflags: self.0.fsx_xflags,
            extsize: self.0.fsx_extsize,
            nextents: self.0.fsx_nextents,
            projid: self.0.fsx_projid,
            cowextsize: self.0.fsx_cowextsize,
        }
    }

    /// Answers in the other form.
    pub fn fill_xattr(&mut self, xattr: &FsXattr) {
        // SAFETY: Always sound.
        unsafe { bindings::fileattr_fill_xflags(&mut self.0, xattr.xflags) };
        self.0.fsx_extsize = xattr.extsize;
        self.0.fsx_nextents = xattr.nextents;
        self.0.fsx_projid = xattr.projid;
        self.0.fsx_cowextsize = xattr.cowextsize;
    }
}

/// Reads flags.
///
/// # Safety
///
/// Called by the VFS with a positive dentry of `K::Fs`, which it keeps, and room for an answer.
pub(crate) unsafe extern "C" fn fileattr_get<K: InodeOperations>(
    dentry: *mut bindings::dentry,
    attr: *mut kernel::bindings::file_kattr,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements. A positive dentry keeps its inode.
        let (inode, attr) = unsafe {
            (
                Inode::from_raw((*dentry).d_inode),
                FileKattr::from_raw(attr.cast()),
            )
        };
        K::fileattr_get(inode, attr)?;
        Ok(0)
    })
}

/// Changes flags.
///
/// # Safety
///
/// Called by the VFS with a positive dentry of `K::Fs`, whose inode is locked, and valid flags.
pub(crate) unsafe extern "C" fn fileattr_set<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    attr: *mut kernel::bindings::file_kattr,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements. A positive dentry keeps its inode.
        let (idmap, inode, attr) = unsafe {
            (
                MntIdmap::from_raw(idmap),
                Inode::from_raw((*dentry).d_inode),
                FileKattr::from_raw(attr.cast()),
            )
        };
        K::fileattr_set(idmap, inode, attr)?;
        Ok(0)
    })
}
