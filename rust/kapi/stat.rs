// SPDX-License-Identifier: GPL-2.0

//! Results of `stat(2)` and `statfs(2)`.
//!
//! C headers: [`include/linux/stat.h`](srctree/include/linux/stat.h),
//! [`include/linux/statfs.h`](srctree/include/linux/statfs.h)

use crate::{bindings, time::Timespec};
use kernel::ffi::c_long;

/// Which fields a caller of `statx(2)` asks for: `STATX_*`.
pub mod request_mask {
    use crate::bindings;

    /// Everything `stat(2)` returns.
    pub const BASIC_STATS: u32 = bindings::STATX_BASIC_STATS;
    /// The time of birth.
    pub const BTIME: u32 = bindings::STATX_BTIME;
    /// Type and permission bits.
    pub const MODE: u32 = bindings::STATX_MODE | bindings::STATX_TYPE;
    /// Number of hard links.
    pub const NLINK: u32 = bindings::STATX_NLINK;
    /// The owner.
    pub const UID: u32 = bindings::STATX_UID;
    /// The group.
    pub const GID: u32 = bindings::STATX_GID;
    /// The time of the last access.
    pub const ATIME: u32 = bindings::STATX_ATIME;
    /// The time of the last change of the contents.
    pub const MTIME: u32 = bindings::STATX_MTIME;
    /// The time of the last change of the inode.
    pub const CTIME: u32 = bindings::STATX_CTIME;
    /// The inode number.
    pub const INO: u32 = bindings::STATX_INO;
    /// The size.
    pub const SIZE: u32 = bindings::STATX_SIZE;
    /// The blocks in use.
    pub const BLOCKS: u32 = bindings::STATX_BLOCKS;
}

/// The flags of `statx(2)`, of which a file system sees how fresh the answer must be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StatFlags(u32);

impl StatFlags {
    pub(crate) fn new(flags: u32) -> Self {
        Self(flags & bindings::AT_STATX_SYNC_TYPE)
    }

    /// Attributes must come from where they are kept (`AT_STATX_FORCE_SYNC`).
    pub fn force_sync(self) -> bool {
        self.0 & bindings::AT_STATX_FORCE_SYNC != 0
    }

    /// Whatever is cached will do (`AT_STATX_DONT_SYNC`).
    pub fn dont_sync(self) -> bool {
        self.0 & bindings::AT_STATX_DONT_SYNC != 0
    }
}

/// The answer of a `getattr` hook.
pub struct KStat<'a>(&'a mut bindings::kstat);

impl<'a> KStat<'a> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `stat` is valid and nobody else uses it during `'a`.
    pub(crate) unsafe fn from_raw(stat: *mut bindings::kstat) -> Self {
        // SAFETY: By the safety requirements.
        Self(unsafe { &mut *stat })
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut bindings::kstat {
        self.0
    }

    /// Sets the inode number, and says that it is set.
    pub fn set_ino(&mut self, ino: u64) {
        self.0.ino = ino;
        self.0.result_mask |= bindings::STATX_INO;
    }

    /// Sets the size in bytes, and says that it is set.
    pub fn set_size(&mut self, size: i64) {
        self.0.size = size;
        self.0.result_mask |= bindings::STATX_SIZE;
    }

    /// Sets the blocks in use, in units of 512 bytes, and says that they are set.
    pub fn set_blocks(&mut self, blocks: u64) {
        self.0.blocks = blocks;
        self.0.result_mask |= bindings::STATX_BLOCKS;
    }

    /// Sets the preferred size of I/O, in bytes.
    pub fn set_blksize(&mut self, blksize: u32) {
        self.0.blksize = blksize;
    }

    /// Sets the time of birth, and says that it is set.
    pub fn set_btime(&mut self, time: Timespec) {
        self.0.btime = time.into();
        self.0.result_mask |= bindings::STATX_BTIME;
    }

    /// Sets `STATX_ATTR_*` flags; `mask` names those the file system supports.
    pub fn set_attributes(&mut self, attributes: u64, mask: u64) {
        self.0.attributes = (self.0.attributes & !mask) | (attributes & mask);
        self.0.attributes_mask |= mask;
    }
}

/// The answer of a `statfs` hook, the fields of `struct kstatfs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatFs {
    /// Size, in units of `frsize`.
    pub blocks: u64,
    /// Free blocks.
    pub bfree: u64,
    /// Free blocks for unprivileged users.
    pub bavail: u64,
    /// Number of inodes.
    pub files: u64,
    /// Number of free inodes.
    pub ffree: u64,
    /// Preferred size of I/O, in bytes.
    pub bsize: u32,
    /// Size of a block, in bytes; 0 stands for `bsize`.
    pub frsize: u32,
    /// Longest name, in bytes.
    pub namelen: u32,
}

impl StatFs {
    /// Fills a `struct kstatfs`.
    pub(crate) fn fill(&self, buf: &mut bindings::kstatfs) {
        buf.f_blocks = self.blocks;
        buf.f_bfree = self.bfree;
        buf.f_bavail = self.bavail;
        buf.f_files = self.files;
        buf.f_ffree = self.ffree;
        // CAST: `long` has 64 bits on the architectures of this module.
        buf.f_bsize = self.bsize as c_long;
        buf.f_frsize = self.frsize as c_long;
        buf.f_namelen = self.namelen as c_long;
    }
}
