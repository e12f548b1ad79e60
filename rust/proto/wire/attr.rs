// SPDX-License-Identifier: GPL-2.0

//! Attributes of nodes and of the file system.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Attributes of a node.
///
/// `struct fuse_attr`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct Attr {
    /// Inode number that user space sees.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// Allocated blocks of 512 bytes.
    pub blocks: u64,
    /// Last access, seconds since the epoch (two's complement).
    pub atime: u64,
    /// Last modification, seconds since the epoch (two's complement).
    pub mtime: u64,
    /// Last status change, seconds since the epoch (two's complement).
    pub ctime: u64,
    /// Nanoseconds of `atime`.
    pub atimensec: u32,
    /// Nanoseconds of `mtime`.
    pub mtimensec: u32,
    /// Nanoseconds of `ctime`.
    pub ctimensec: u32,
    /// File type and permission bits.
    pub mode: u32,
    /// Number of hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node, as `new_encode_dev` packs it.
    pub rdev: u32,
    /// Preferred block size in bytes; 0 for the file system's.
    pub blksize: u32,
    /// `ATTR_*` of [`flags`](crate::flags).
    pub flags: u32,
}

/// Time stamp of [`Statx`].
///
/// `struct fuse_sx_time`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct SxTime {
    /// Seconds since the epoch.
    pub tv_sec: i64,
    /// Nanoseconds.
    pub tv_nsec: u32,
    /// Zero.
    pub __reserved: i32,
}

/// Attributes as statx(2) has them.
///
/// `struct fuse_statx`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct Statx {
    /// `STATX_*` bits of the fields that are valid.
    pub mask: u32,
    /// Preferred block size in bytes.
    pub blksize: u32,
    /// `STATX_ATTR_*` bits.
    pub attributes: u64,
    /// Number of hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// File type and permission bits.
    pub mode: u16,
    /// Zero.
    pub __spare0: [u16; 1],
    /// Inode number that user space sees.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// Allocated blocks of 512 bytes.
    pub blocks: u64,
    /// `STATX_ATTR_*` bits that the server supports.
    pub attributes_mask: u64,
    /// Last access.
    pub atime: SxTime,
    /// Creation.
    pub btime: SxTime,
    /// Last status change.
    pub ctime: SxTime,
    /// Last modification.
    pub mtime: SxTime,
    /// Major number of a device node.
    pub rdev_major: u32,
    /// Minor number of a device node.
    pub rdev_minor: u32,
    /// Major number of the device that holds the node.
    pub dev_major: u32,
    /// Minor number of the device that holds the node.
    pub dev_minor: u32,
    /// Zero.
    pub __spare2: [u64; 14],
}

/// Numbers of the file system as statfs(2) has them.
///
/// `struct fuse_kstatfs`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct Kstatfs {
    /// Blocks of `frsize` bytes.
    pub blocks: u64,
    /// Free blocks.
    pub bfree: u64,
    /// Free blocks for unprivileged users.
    pub bavail: u64,
    /// Inodes.
    pub files: u64,
    /// Free inodes.
    pub ffree: u64,
    /// Preferred block size in bytes.
    pub bsize: u32,
    /// Longest name in bytes.
    pub namelen: u32,
    /// Fragment size in bytes.
    pub frsize: u32,
    /// Zero.
    pub padding: u32,
    /// Zero.
    pub spare: [u32; 6],
}

/// Reply to STATFS.
///
/// `struct fuse_statfs_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct StatfsOut {
    /// The numbers.
    pub st: Kstatfs,
}

/// Body of GETATTR.
///
/// `struct fuse_getattr_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct GetattrIn {
    /// `GETATTR_*` of [`flags`](crate::flags).
    pub getattr_flags: u32,
    /// Zero.
    pub dummy: u32,
    /// Handle of an open file; counts only with `GETATTR_FH`.
    pub fh: u64,
}

/// Reply to GETATTR and SETATTR.
///
/// `struct fuse_attr_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct AttrOut {
    /// Seconds that the attributes may be cached.
    pub attr_valid: u64,
    /// Nanoseconds of `attr_valid`.
    pub attr_valid_nsec: u32,
    /// Zero.
    pub dummy: u32,
    /// The attributes.
    pub attr: Attr,
}

/// Body of STATX.
///
/// `struct fuse_statx_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct StatxIn {
    /// `GETATTR_*` of [`flags`](crate::flags).
    pub getattr_flags: u32,
    /// Zero.
    pub reserved: u32,
    /// Handle of an open file; counts only with `GETATTR_FH`.
    pub fh: u64,
    /// `AT_STATX_*` bits.
    pub sx_flags: u32,
    /// `STATX_*` bits of the fields that are wanted.
    pub sx_mask: u32,
}

/// Reply to STATX.
///
/// `struct fuse_statx_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct StatxOut {
    /// Seconds that the attributes may be cached.
    pub attr_valid: u64,
    /// Nanoseconds of `attr_valid`.
    pub attr_valid_nsec: u32,
    /// `ATTR_*` of [`flags`](crate::flags).
    pub flags: u32,
    /// Zero.
    pub spare: [u64; 2],
    /// The attributes.
    pub stat: Statx,
}

/// Body of SETATTR.
///
/// `struct fuse_setattr_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct SetattrIn {
    /// `FATTR_*` bits of the fields that count.
    pub valid: u32,
    /// Zero.
    pub padding: u32,
    /// Handle of an open file; counts only with `FATTR_FH`.
    pub fh: u64,
    /// New size in bytes.
    pub size: u64,
    /// Scrambled lock owner; counts only with `FATTR_LOCKOWNER`.
    pub lock_owner: u64,
    /// New access time, seconds.
    pub atime: u64,
    /// New modification time, seconds.
    pub mtime: u64,
    /// New status change time, seconds.
    pub ctime: u64,
    /// Nanoseconds of `atime`.
    pub atimensec: u32,
    /// Nanoseconds of `mtime`.
    pub mtimensec: u32,
    /// Nanoseconds of `ctime`.
    pub ctimensec: u32,
    /// New mode.
    pub mode: u32,
    /// Zero.
    pub unused4: u32,
    /// New owner.
    pub uid: u32,
    /// New group.
    pub gid: u32,
    /// Zero.
    pub unused5: u32,
}
