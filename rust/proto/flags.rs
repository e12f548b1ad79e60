// SPDX-License-Identifier: GPL-2.0

//! Flags of the protocol: those of INIT as a type, those of single operations as constants.

use core::ops::{BitAnd, BitOr, BitOrAssign};

/// Flags of INIT, offered by the client and confirmed by the server.
///
/// Bits 0 to 31 travel in `flags`, bits 32 to 63 in `flags2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct InitFlags(u64);

impl InitFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Readahead may have several READs in flight.
    pub const ASYNC_READ: Self = Self(1 << 0);
    /// POSIX locks go to the server.
    pub const POSIX_LOCKS: Self = Self(1 << 1);
    /// GETATTR of an open file may carry its handle; never offered.
    pub const FILE_OPS: Self = Self(1 << 2);
    /// OPEN handles `O_TRUNC`.
    pub const ATOMIC_O_TRUNC: Self = Self(1 << 3);
    /// LOOKUP of `.` and `..` is allowed (minor 9).
    pub const EXPORT_SUPPORT: Self = Self(1 << 4);
    /// WRITE may be larger than 4096 bytes.
    pub const BIG_WRITES: Self = Self(1 << 5);
    /// The server applies the umask.
    pub const DONT_MASK: Self = Self(1 << 6);
    /// The client supports splice writes on the device.
    pub const SPLICE_WRITE: Self = Self(1 << 7);
    /// The client supports moving pages by splice on the device.
    pub const SPLICE_MOVE: Self = Self(1 << 8);
    /// The client supports splice reads on the device.
    pub const SPLICE_READ: Self = Self(1 << 9);
    /// BSD locks go to the server (minor 17).
    pub const FLOCK_LOCKS: Self = Self(1 << 10);
    /// The client supports ioctl on directories.
    pub const HAS_IOCTL_DIR: Self = Self(1 << 11);
    /// A changed size or mtime invalidates cached data.
    pub const AUTO_INVAL_DATA: Self = Self(1 << 12);
    /// The server knows READDIRPLUS.
    pub const DO_READDIRPLUS: Self = Self(1 << 13);
    /// The client chooses between READDIR and READDIRPLUS.
    pub const READDIRPLUS_AUTO: Self = Self(1 << 14);
    /// Direct I/O may have several requests in flight.
    pub const ASYNC_DIO: Self = Self(1 << 15);
    /// Buffered writes are written back later.
    pub const WRITEBACK_CACHE: Self = Self(1 << 16);
    /// The server may answer OPEN with ENOSYS.
    pub const NO_OPEN_SUPPORT: Self = Self(1 << 17);
    /// Lookups and READDIRs of one directory may be parallel.
    pub const PARALLEL_DIROPS: Self = Self(1 << 18);
    /// The server clears suid, sgid and capabilities on write, chown and truncate.
    pub const HANDLE_KILLPRIV: Self = Self(1 << 19);
    /// The server has POSIX ACLs; implies checks of permission by the client.
    pub const POSIX_ACL: Self = Self(1 << 20);
    /// Reading the device after an abort gives ECONNABORTED.
    pub const ABORT_ERROR: Self = Self(1 << 21);
    /// `max_pages` of the reply counts.
    pub const MAX_PAGES: Self = Self(1 << 22);
    /// Targets of symbolic links may be cached.
    pub const CACHE_SYMLINKS: Self = Self(1 << 23);
    /// The server may answer OPENDIR with ENOSYS.
    pub const NO_OPENDIR_SUPPORT: Self = Self(1 << 24);
    /// Only a notification invalidates cached data.
    pub const EXPLICIT_INVAL_DATA: Self = Self(1 << 25);
    /// `map_alignment` of the reply counts.
    pub const MAP_ALIGNMENT: Self = Self(1 << 26);
    /// The client mounts submounts by itself.
    pub const SUBMOUNTS: Self = Self(1 << 27);
    /// As `HANDLE_KILLPRIV`, but on request for callers without CAP_FSETID.
    pub const HANDLE_KILLPRIV_V2: Self = Self(1 << 28);
    /// SETXATTR has its long body.
    pub const SETXATTR_EXT: Self = Self(1 << 29);
    /// `flags2` counts.
    pub const INIT_EXT: Self = Self(1 << 30);
    /// Reserved; never offered.
    pub const INIT_RESERVED: Self = Self(1 << 31);
    /// Requests that make a node carry security contexts.
    pub const SECURITY_CTX: Self = Self(1 << 32);
    /// `ATTR_DAX` counts.
    pub const HAS_INODE_DAX: Self = Self(1 << 33);
    /// Requests that make a node carry a supplementary group.
    pub const CREATE_SUPP_GROUP: Self = Self(1 << 34);
    /// The client knows `EXPIRE_ONLY`.
    pub const HAS_EXPIRE_ONLY: Self = Self(1 << 35);
    /// Files with `FOPEN_DIRECT_IO` may be mapped shared.
    pub const DIRECT_IO_ALLOW_MMAP: Self = Self(1 << 36);
    /// Reads and writes may go to a backing file.
    pub const PASSTHROUGH: Self = Self(1 << 37);
    /// The file system cannot be exported.
    pub const NO_EXPORT_SUPPORT: Self = Self(1 << 38);
    /// The client knows RESEND notifications.
    pub const HAS_RESEND: Self = Self(1 << 39);
    /// Idmapped mounts are allowed.
    pub const ALLOW_IDMAP: Self = Self(1 << 40);
    /// Requests may go over io_uring.
    pub const OVER_IO_URING: Self = Self(1 << 41);
    /// `request_timeout` of the reply counts.
    pub const REQUEST_TIMEOUT: Self = Self(1 << 42);
    /// The client supports buffer pools of io_uring.
    pub const HAS_IO_URING_BUFPOOL: Self = Self(1 << 43);

    /// The flags with these bits, known or not.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// All bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Puts `flags` and `flags2` of a message together; `flags2` counts only with [`Self::INIT_EXT`].
    pub const fn from_wire(flags: u32, flags2: u32) -> Self {
        let low = Self(flags as u64);
        if low.contains(Self::INIT_EXT) {
            low.union(Self((flags2 as u64) << 32))
        } else {
            low
        }
    }

    /// The two halves, `(flags, flags2)`.
    pub const fn to_wire(self) -> (u32, u32) {
        (self.0 as u32, (self.0 >> 32) as u32)
    }

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The names of the flags, without `FUSE_`; unknown ones have none.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let is_set = move |bit: &usize| (self.0 >> bit) & 1 != 0;
        NAMES
            .iter()
            .enumerate()
            .filter(move |(bit, _)| is_set(bit))
            .map(|(_, name)| *name)
    }

    /// The flags of both.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags without those of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for InitFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for InitFlags {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.union(other);
    }
}

impl BitAnd for InitFlags {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The names of [`InitFlags`], by their bits.
const NAMES: [&str; 44] = [
    "ASYNC_READ",
    "POSIX_LOCKS",
    "FILE_OPS",
    "ATOMIC_O_TRUNC",
    "EXPORT_SUPPORT",
    "BIG_WRITES",
    "DONT_MASK",
    "SPLICE_WRITE",
    "SPLICE_MOVE",
    "SPLICE_READ",
    "FLOCK_LOCKS",
    "HAS_IOCTL_DIR",
    "AUTO_INVAL_DATA",
    "DO_READDIRPLUS",
    "READDIRPLUS_AUTO",
    "ASYNC_DIO",
    "WRITEBACK_CACHE",
    "NO_OPEN_SUPPORT",
    "PARALLEL_DIROPS",
    "HANDLE_KILLPRIV",
    "POSIX_ACL",
    "ABORT_ERROR",
    "MAX_PAGES",
    "CACHE_SYMLINKS",
    "NO_OPENDIR_SUPPORT",
    "EXPLICIT_INVAL_DATA",
    "MAP_ALIGNMENT",
    "SUBMOUNTS",
    "HANDLE_KILLPRIV_V2",
    "SETXATTR_EXT",
    "INIT_EXT",
    "INIT_RESERVED",
    "SECURITY_CTX",
    "HAS_INODE_DAX",
    "CREATE_SUPP_GROUP",
    "HAS_EXPIRE_ONLY",
    "DIRECT_IO_ALLOW_MMAP",
    "PASSTHROUGH",
    "NO_EXPORT_SUPPORT",
    "HAS_RESEND",
    "ALLOW_IDMAP",
    "OVER_IO_URING",
    "REQUEST_TIMEOUT",
    "HAS_IO_URING_BUFPOOL",
];

/// SETATTR: `mode` counts.
pub const FATTR_MODE: u32 = 1 << 0;

/// SETATTR: `uid` counts.
pub const FATTR_UID: u32 = 1 << 1;

/// SETATTR: `gid` counts.
pub const FATTR_GID: u32 = 1 << 2;

/// SETATTR: `size` counts.
pub const FATTR_SIZE: u32 = 1 << 3;

/// SETATTR: `atime` counts.
pub const FATTR_ATIME: u32 = 1 << 4;

/// SETATTR: `mtime` counts.
pub const FATTR_MTIME: u32 = 1 << 5;

/// SETATTR: `fh` counts.
pub const FATTR_FH: u32 = 1 << 6;

/// SETATTR: the access time is the server's present.
pub const FATTR_ATIME_NOW: u32 = 1 << 7;

/// SETATTR: the modification time is the server's present.
pub const FATTR_MTIME_NOW: u32 = 1 << 8;

/// SETATTR: `lock_owner` counts.
pub const FATTR_LOCKOWNER: u32 = 1 << 9;

/// SETATTR: `ctime` counts.
pub const FATTR_CTIME: u32 = 1 << 10;

/// SETATTR: clear suid and sgid.
pub const FATTR_KILL_SUIDGID: u32 = 1 << 11;

/// OPEN reply: bypass the page cache.
pub const FOPEN_DIRECT_IO: u32 = 1 << 0;

/// OPEN reply: keep the cached data.
pub const FOPEN_KEEP_CACHE: u32 = 1 << 1;

/// OPEN reply: the file cannot seek.
pub const FOPEN_NONSEEKABLE: u32 = 1 << 2;

/// OPENDIR reply: entries may be cached.
pub const FOPEN_CACHE_DIR: u32 = 1 << 3;

/// OPEN reply: the file has no position.
pub const FOPEN_STREAM: u32 = 1 << 4;

/// OPEN reply: no FLUSH at close(2), except with a writeback cache.
pub const FOPEN_NOFLUSH: u32 = 1 << 5;

/// OPEN reply: direct writes may be parallel.
pub const FOPEN_PARALLEL_DIRECT_WRITES: u32 = 1 << 6;

/// OPEN reply: read and write the backing file.
pub const FOPEN_PASSTHROUGH: u32 = 1 << 7;

/// OPEN reply: io_uring requests need not copy.
pub const FOPEN_IO_URING_ZERO_COPY: u32 = 1 << 8;

/// RELEASE: flush too.
pub const RELEASE_FLUSH: u32 = 1 << 0;

/// RELEASE: drop the BSD lock of `lock_owner`.
pub const RELEASE_FLOCK_UNLOCK: u32 = 1 << 1;

/// GETATTR and STATX: `fh` counts.
pub const GETATTR_FH: u32 = 1 << 0;

/// GETLK, SETLK, SETLKW: a BSD lock.
pub const LK_FLOCK: u32 = 1 << 0;

/// WRITE: from the page cache, `fh` is a guess.
pub const WRITE_CACHE: u32 = 1 << 0;

/// WRITE: `lock_owner` counts.
pub const WRITE_LOCKOWNER: u32 = 1 << 1;

/// WRITE: clear suid and sgid.
pub const WRITE_KILL_SUIDGID: u32 = 1 << 2;

/// READ: `lock_owner` counts.
pub const READ_LOCKOWNER: u32 = 1 << 1;

/// IOCTL: from a 32-bit caller.
pub const IOCTL_COMPAT: u32 = 1 << 0;

/// IOCTL: sizes are not those of the command, a retry is allowed.
pub const IOCTL_UNRESTRICTED: u32 = 1 << 1;

/// IOCTL reply: send again with these vectors.
pub const IOCTL_RETRY: u32 = 1 << 2;

/// IOCTL: the argument has the 32-bit layout.
pub const IOCTL_32BIT: u32 = 1 << 3;

/// IOCTL: on a directory.
pub const IOCTL_DIR: u32 = 1 << 4;

/// IOCTL: from an x32 caller.
pub const IOCTL_COMPAT_X32: u32 = 1 << 5;

/// POLL: send a notification when an event comes.
pub const POLL_SCHEDULE_NOTIFY: u32 = 1 << 0;

/// FSYNC: the data alone.
pub const FSYNC_FDATASYNC: u32 = 1 << 0;

/// Attributes: the directory is the root of a submount.
pub const ATTR_SUBMOUNT: u32 = 1 << 0;

/// Attributes: use DAX for this file.
pub const ATTR_DAX: u32 = 1 << 1;

/// OPEN and CREATE: clear suid and sgid if executable.
pub const OPEN_KILL_SUIDGID: u32 = 1 << 0;

/// SETXATTR: clear sgid when the access ACL is set.
pub const SETXATTR_ACL_KILL_SGID: u32 = 1 << 0;

/// INVAL_ENTRY: expire the name, do not drop it.
pub const EXPIRE_ONLY: u32 = 1 << 0;

/// SETUPMAPPING: map for writing.
pub const SETUPMAPPING_FLAG_WRITE: u64 = 1 << 0;

/// SETUPMAPPING: map for reading.
pub const SETUPMAPPING_FLAG_READ: u64 = 1 << 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        let flags = InitFlags::INIT_EXT | InitFlags::ASYNC_READ | InitFlags::PASSTHROUGH;
        assert_eq!(flags.to_wire(), ((1 << 30) | 1, 1 << 5));
        assert_eq!(InitFlags::from_wire((1 << 30) | 1, 1 << 5), flags);
    }

    #[test]
    fn second_half_needs_init_ext() {
        assert_eq!(InitFlags::from_wire(1, u32::MAX), InitFlags::ASYNC_READ);
    }

    #[test]
    fn sets() {
        let both = InitFlags::MAX_PAGES | InitFlags::SUBMOUNTS;
        assert!(both.contains(InitFlags::SUBMOUNTS));
        assert!(!InitFlags::SUBMOUNTS.contains(both));
        assert_eq!(both.without(InitFlags::SUBMOUNTS), InitFlags::MAX_PAGES);
        assert_eq!(both & InitFlags::SUBMOUNTS, InitFlags::SUBMOUNTS);
    }
}
