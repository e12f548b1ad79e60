// SPDX-License-Identifier: GPL-2.0

//! Names: directory entries, operations on names, extended attributes.

use super::Attr;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Reply to LOOKUP and to the operations that make a node; one lookup is counted by the server.
///
/// `struct fuse_entry_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct EntryOut {
    /// Node of the name; 0 for a negative entry.
    pub nodeid: u64,
    /// Generation of the node id; both together are never used twice.
    pub generation: u64,
    /// Seconds that the name may be cached.
    pub entry_valid: u64,
    /// Seconds that the attributes may be cached.
    pub attr_valid: u64,
    /// Nanoseconds of `entry_valid`.
    pub entry_valid_nsec: u32,
    /// Nanoseconds of `attr_valid`.
    pub attr_valid_nsec: u32,
    /// Attributes of the node.
    pub attr: Attr,
}

/// Head of one entry of READDIR; the name and padding to 8 bytes follow.
///
/// `struct fuse_dirent` without its flexible array.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct Dirent {
    /// Inode number that user space sees.
    pub ino: u64,
    /// Offset of the *next* entry, for the following READDIR.
    pub off: u64,
    /// Length of the name in bytes.
    pub namelen: u32,
    /// Kind of node, `DT_*`.
    pub type_: u32,
}

/// Head of one entry of READDIRPLUS; the name and padding to 8 bytes follow.
///
/// `struct fuse_direntplus`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct Direntplus {
    /// Lookup of the name; node id 0 if there was none.
    pub entry_out: EntryOut,
    /// The entry.
    pub dirent: Dirent,
}

/// Body of MKNOD; the name follows.
///
/// `struct fuse_mknod_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct MknodIn {
    /// File type and permission bits.
    pub mode: u32,
    /// Device number, as `new_encode_dev` packs it.
    pub rdev: u32,
    /// Caller's umask.
    pub umask: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of MKDIR; the name follows.
///
/// `struct fuse_mkdir_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct MkdirIn {
    /// Permission bits.
    pub mode: u32,
    /// Caller's umask.
    pub umask: u32,
}

/// Body of RENAME; old and new name follow.
///
/// `struct fuse_rename_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct RenameIn {
    /// Node of the directory that gets the name.
    pub newdir: u64,
}

/// Body of RENAME2; old and new name follow.
///
/// `struct fuse_rename2_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct Rename2In {
    /// Node of the directory that gets the name.
    pub newdir: u64,
    /// `RENAME_*` bits of renameat2(2).
    pub flags: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of LINK; the new name follows.
///
/// `struct fuse_link_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct LinkIn {
    /// Node that gets another name.
    pub oldnodeid: u64,
}

/// Body of SETXATTR; name and value follow.
///
/// `struct fuse_setxattr_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct SetxattrIn {
    /// Length of the value in bytes.
    pub size: u32,
    /// `XATTR_*` bits of setxattr(2).
    pub flags: u32,
    /// `SETXATTR_*` of [`flags`](crate::flags).
    pub setxattr_flags: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of GETXATTR (the name follows) and LISTXATTR.
///
/// `struct fuse_getxattr_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct GetxattrIn {
    /// Room for the value in bytes; 0 asks for its length.
    pub size: u32,
    /// Zero.
    pub padding: u32,
}

/// Reply to GETXATTR and LISTXATTR that asked for a length.
///
/// `struct fuse_getxattr_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct GetxattrOut {
    /// Length in bytes.
    pub size: u32,
    /// Zero.
    pub padding: u32,
}
