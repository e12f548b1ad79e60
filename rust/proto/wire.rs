// SPDX-License-Identifier: GPL-2.0

//! Wire structures of FUSE protocol 7.46, as `include/uapi/linux/fuse.h` defines them.
//!
//! Names are those of the UAPI header without the `fuse_` prefix, fields have their C names (`type`
//! is `type_`, as bindgen has it). All integers are in host byte order: client and server run on
//! machines of the same endianness.
//!
//! Every structure is plain data without implicit padding, so that it can be read from and viewed as
//! bytes; a value that came from a server is *not* validated by having this type.

mod attr;
mod entry;
mod file;
mod header;
mod layout;
mod notify;
mod opcode;

pub use attr::{
    Attr, AttrOut, GetattrIn, Kstatfs, SetattrIn, StatfsOut, Statx, StatxIn, StatxOut, SxTime,
};
pub use entry::{
    Dirent, Direntplus, EntryOut, GetxattrIn, GetxattrOut, LinkIn, MkdirIn, MknodIn, Rename2In,
    RenameIn, SetxattrIn,
};
pub use file::{
    AccessIn, BmapIn, BmapOut, CopyFileRangeIn, CopyFileRangeOut, CreateIn, CreateOut, FallocateIn,
    FileLock, FlushIn, FsyncIn, IoctlIn, IoctlIovec, IoctlOut, LkIn, LkOut, LseekIn, LseekOut,
    OpenIn, OpenOut, PollIn, PollOut, ReadIn, ReleaseIn, RemovemappingIn, RemovemappingOne,
    SetupmappingIn, SyncfsIn, WriteIn, WriteOut,
};
pub use header::{
    BackingMap, BatchForgetIn, ExtHeader, ForgetIn, ForgetOne, InHeader, InitIn, InitOut,
    InterruptIn, OutHeader, Secctx, SecctxHeader,
};
pub use notify::{
    NotifyCode, NotifyDeleteOut, NotifyInvalEntryOut, NotifyInvalInodeOut, NotifyPollWakeupOut,
    NotifyPruneOut, NotifyRetrieveIn, NotifyRetrieveOut, NotifyStoreOut,
};
pub use opcode::Opcode;

/// Major version of the protocol (`FUSE_KERNEL_VERSION`).
pub const KERNEL_VERSION: u32 = 7;

/// Minor version of the protocol (`FUSE_KERNEL_MINOR_VERSION`).
pub const KERNEL_MINOR_VERSION: u32 = 46;

/// Node id of the root directory (`FUSE_ROOT_ID`).
pub const ROOT_ID: u64 = 1;

/// Longest name in bytes before INIT has negotiated more than one page per request.
pub const NAME_LOW_MAX: usize = 1024;

/// Longest name in bytes, without its NUL (`PATH_MAX - 1`).
pub const NAME_MAX: usize = 4095;

/// Largest magnitude of a reply's error number.
pub const ERRNO_MAX: u16 = 511;

/// Smallest buffer in bytes that a server may read requests with (`FUSE_MIN_READ_BUFFER`).
pub const MIN_READ_BUFFER: usize = 8192;

/// Bit of `unique` that marks a request sent again (`FUSE_UNIQUE_RESEND`).
pub const UNIQUE_RESEND: u64 = 1 << 63;

/// Bit of `unique` that marks the INTERRUPT of the request with the even number.
pub const UNIQUE_INTERRUPT: u64 = 1;

/// `uid` and `gid` of a request that carries no mapped ids (`FUSE_INVALID_UIDGID`).
pub const INVALID_UIDGID: u32 = u32::MAX;

/// Most vectors, in and out, of one IOCTL (`FUSE_IOCTL_MAX_IOV`).
pub const IOCTL_MAX_IOV: usize = 256;

/// Size of `EntryOut` before minor 9 (`FUSE_COMPAT_ENTRY_OUT_SIZE`).
pub const COMPAT_ENTRY_OUT_SIZE: usize = 120;

/// Size of `AttrOut` before minor 9 (`FUSE_COMPAT_ATTR_OUT_SIZE`).
pub const COMPAT_ATTR_OUT_SIZE: usize = 96;

/// Size of `MknodIn` and `CreateIn` before minor 12 (`FUSE_COMPAT_MKNOD_IN_SIZE`).
pub const COMPAT_MKNOD_IN_SIZE: usize = 8;

/// Size of `WriteIn` before minor 9 (`FUSE_COMPAT_WRITE_IN_SIZE`).
pub const COMPAT_WRITE_IN_SIZE: usize = 24;

/// Size of `StatfsOut` before minor 4 (`FUSE_COMPAT_STATFS_SIZE`).
pub const COMPAT_STATFS_SIZE: usize = 48;

/// Size of `SetxattrIn` without `SETXATTR_EXT` (`FUSE_COMPAT_SETXATTR_IN_SIZE`).
pub const COMPAT_SETXATTR_IN_SIZE: usize = 8;

/// Size of `InitOut` before minor 5 (`FUSE_COMPAT_INIT_OUT_SIZE`).
pub const COMPAT_INIT_OUT_SIZE: usize = 8;

/// Size of `InitOut` before minor 23 (`FUSE_COMPAT_22_INIT_OUT_SIZE`).
pub const COMPAT_22_INIT_OUT_SIZE: usize = 24;
