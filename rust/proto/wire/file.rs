// SPDX-License-Identifier: GPL-2.0

//! Operations on open files, and on nodes by their number alone.

use super::EntryOut;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Body of OPEN and OPENDIR.
///
/// `struct fuse_open_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct OpenIn {
    /// `O_*` bits of open(2).
    pub flags: u32,
    /// `OPEN_*` of [`flags`](crate::flags).
    pub open_flags: u32,
}

/// Body of CREATE and TMPFILE; the name follows.
///
/// `struct fuse_create_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct CreateIn {
    /// `O_*` bits of open(2).
    pub flags: u32,
    /// File type and permission bits.
    pub mode: u32,
    /// Caller's umask.
    pub umask: u32,
    /// `OPEN_*` of [`flags`](crate::flags).
    pub open_flags: u32,
}

/// Reply to OPEN and OPENDIR, and second part of the reply to CREATE.
///
/// `struct fuse_open_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct OpenOut {
    /// Handle of the open file, opaque.
    pub fh: u64,
    /// `FOPEN_*` of [`flags`](crate::flags).
    pub open_flags: u32,
    /// Backing file of a passthrough open.
    pub backing_id: i32,
}

/// Body of RELEASE and RELEASEDIR.
///
/// The reply to CREATE and TMPFILE: a `struct fuse_entry_out` and a `struct fuse_open_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct CreateOut {
    /// The node.
    pub entry: EntryOut,
    /// The open file.
    pub open: OpenOut,
}

/// `struct fuse_release_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct ReleaseIn {
    /// Handle of the open file.
    pub fh: u64,
    /// `O_*` bits of the open file.
    pub flags: u32,
    /// `RELEASE_*` of [`flags`](crate::flags).
    pub release_flags: u32,
    /// Scrambled lock owner; counts only with a release flag.
    pub lock_owner: u64,
}

/// Body of FLUSH.
///
/// `struct fuse_flush_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct FlushIn {
    /// Handle of the open file.
    pub fh: u64,
    /// Zero.
    pub unused: u32,
    /// Zero.
    pub padding: u32,
    /// Scrambled lock owner.
    pub lock_owner: u64,
}

/// Body of READ, READDIR and READDIRPLUS.
///
/// `struct fuse_read_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct ReadIn {
    /// Handle of the open file.
    pub fh: u64,
    /// Offset in bytes, or of the directory entry.
    pub offset: u64,
    /// Most bytes that the reply may have.
    pub size: u32,
    /// `READ_*` of [`flags`](crate::flags).
    pub read_flags: u32,
    /// Scrambled lock owner; counts only with `READ_LOCKOWNER`.
    pub lock_owner: u64,
    /// `O_*` bits of the open file.
    pub flags: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of WRITE; the data follow.
///
/// `struct fuse_write_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct WriteIn {
    /// Handle of the open file.
    pub fh: u64,
    /// Offset in bytes.
    pub offset: u64,
    /// Length of the data in bytes.
    pub size: u32,
    /// `WRITE_*` of [`flags`](crate::flags).
    pub write_flags: u32,
    /// Scrambled lock owner; counts only with `WRITE_LOCKOWNER`.
    pub lock_owner: u64,
    /// `O_*` bits of the open file.
    pub flags: u32,
    /// Zero.
    pub padding: u32,
}

/// Reply to WRITE and COPY_FILE_RANGE.
///
/// `struct fuse_write_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct WriteOut {
    /// Bytes written.
    pub size: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of FSYNC and FSYNCDIR.
///
/// `struct fuse_fsync_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct FsyncIn {
    /// Handle of the open file.
    pub fh: u64,
    /// `FSYNC_*` of [`flags`](crate::flags).
    pub fsync_flags: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of ACCESS.
///
/// `struct fuse_access_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct AccessIn {
    /// `R_OK`, `W_OK`, `X_OK` of access(2).
    pub mask: u32,
    /// Zero.
    pub padding: u32,
}

/// A byte range lock.
///
/// `struct fuse_file_lock`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct FileLock {
    /// First byte.
    pub start: u64,
    /// Last byte.
    pub end: u64,
    /// `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
    pub type_: u32,
    /// Process that holds it.
    pub pid: u32,
}

/// Body of GETLK, SETLK and SETLKW.
///
/// `struct fuse_lk_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct LkIn {
    /// Handle of the open file.
    pub fh: u64,
    /// Scrambled lock owner.
    pub owner: u64,
    /// The lock.
    pub lk: FileLock,
    /// `LK_*` of [`flags`](crate::flags).
    pub lk_flags: u32,
    /// Zero.
    pub padding: u32,
}

/// Reply to GETLK.
///
/// `struct fuse_lk_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct LkOut {
    /// The lock in the way.
    pub lk: FileLock,
}

/// Body of FALLOCATE.
///
/// `struct fuse_fallocate_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct FallocateIn {
    /// Handle of the open file.
    pub fh: u64,
    /// First byte.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// `FALLOC_FL_*` bits of fallocate(2).
    pub mode: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of LSEEK.
///
/// `struct fuse_lseek_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct LseekIn {
    /// Handle of the open file.
    pub fh: u64,
    /// Offset in bytes where the search starts.
    pub offset: u64,
    /// `SEEK_DATA` or `SEEK_HOLE`.
    pub whence: u32,
    /// Zero.
    pub padding: u32,
}

/// Reply to LSEEK.
///
/// `struct fuse_lseek_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct LseekOut {
    /// Offset found, in bytes.
    pub offset: u64,
}

/// Body of COPY_FILE_RANGE and COPY_FILE_RANGE_64.
///
/// `struct fuse_copy_file_range_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct CopyFileRangeIn {
    /// Handle of the file to read.
    pub fh_in: u64,
    /// Offset to read from, in bytes.
    pub off_in: u64,
    /// Node of the file to write.
    pub nodeid_out: u64,
    /// Handle of the file to write.
    pub fh_out: u64,
    /// Offset to write to, in bytes.
    pub off_out: u64,
    /// Length in bytes.
    pub len: u64,
    /// Zero.
    pub flags: u64,
}

/// Reply to COPY_FILE_RANGE_64.
///
/// `struct fuse_copy_file_range_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct CopyFileRangeOut {
    /// Bytes copied.
    pub bytes_copied: u64,
}

/// Body of BMAP.
///
/// `struct fuse_bmap_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct BmapIn {
    /// Block of the file.
    pub block: u64,
    /// Block size in bytes.
    pub blocksize: u32,
    /// Zero.
    pub padding: u32,
}

/// Reply to BMAP.
///
/// `struct fuse_bmap_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct BmapOut {
    /// Block of the device.
    pub block: u64,
}

/// Body of IOCTL; `in_size` bytes follow.
///
/// `struct fuse_ioctl_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct IoctlIn {
    /// Handle of the open file.
    pub fh: u64,
    /// `IOCTL_*` of [`flags`](crate::flags).
    pub flags: u32,
    /// Command.
    pub cmd: u32,
    /// Argument, in most commands a pointer of the caller.
    pub arg: u64,
    /// Bytes that follow.
    pub in_size: u32,
    /// Most bytes that the reply may carry.
    pub out_size: u32,
}

/// One vector of an IOCTL that asks to be sent again.
///
/// `struct fuse_ioctl_iovec`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct IoctlIovec {
    /// Address in the caller.
    pub base: u64,
    /// Length in bytes.
    pub len: u64,
}

/// Reply to IOCTL; data or vectors follow.
///
/// `struct fuse_ioctl_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct IoctlOut {
    /// Result of the call.
    pub result: i32,
    /// `IOCTL_*` of [`flags`](crate::flags).
    pub flags: u32,
    /// Vectors to read from the caller.
    pub in_iovs: u32,
    /// Vectors to write to the caller.
    pub out_iovs: u32,
}

/// Body of POLL.
///
/// `struct fuse_poll_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct PollIn {
    /// Handle of the open file.
    pub fh: u64,
    /// Handle that a wake-up names.
    pub kh: u64,
    /// `POLL_*` of [`flags`](crate::flags).
    pub flags: u32,
    /// Events that are waited for.
    pub events: u32,
}

/// Reply to POLL.
///
/// `struct fuse_poll_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct PollOut {
    /// Events that are there.
    pub revents: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of SYNCFS.
///
/// `struct fuse_syncfs_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct SyncfsIn {
    /// Zero.
    pub padding: u64,
}

/// Body of SETUPMAPPING.
///
/// `struct fuse_setupmapping_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct SetupmappingIn {
    /// Handle of the open file.
    pub fh: u64,
    /// Offset in the file, in bytes.
    pub foffset: u64,
    /// Length in bytes.
    pub len: u64,
    /// `SETUPMAPPING_FLAG_*` of [`flags`](crate::flags).
    pub flags: u64,
    /// Offset in the memory window, in bytes.
    pub moffset: u64,
}

/// Fixed body of REMOVEMAPPING; `count` times [`RemovemappingOne`] follow.
///
/// `struct fuse_removemapping_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct RemovemappingIn {
    /// Number of mappings that follow.
    pub count: u32,
}

/// One mapping of a REMOVEMAPPING.
///
/// `struct fuse_removemapping_one`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct RemovemappingOne {
    /// Offset in the memory window, in bytes.
    pub moffset: u64,
    /// Length in bytes.
    pub len: u64,
}
