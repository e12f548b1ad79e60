// SPDX-License-Identifier: GPL-2.0

//! Operations on open files and directories.

use super::{Named, Operation, Optional, ReplyFault, Undo};
use crate::flags::RELEASE_FLOCK_UNLOCK;
use crate::wire::{FsyncIn, Opcode, OpenIn, OpenOut, ReadIn, ReleaseIn};
use zerocopy::FromBytes as _;

/// A node to be opened, and how: what OPEN and OPENDIR say.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The node.
    pub nodeid: u64,
    /// `open(2)` flags that are the server's business.
    pub flags: u32,
}

impl Target {
    fn named(&self) -> Named {
        Named::node(self.nodeid)
    }

    fn body(&self) -> OpenIn {
        OpenIn {
            flags: self.flags,
            open_flags: 0,
        }
    }
}

/// A file handle to be given up: what RELEASE and RELEASEDIR say.
#[derive(Clone, Copy, Debug)]
pub struct Handle {
    /// The node.
    pub nodeid: u64,
    /// The handle that OPEN or OPENDIR gave.
    pub fh: u64,
    /// The `open(2)` flags it was opened with.
    pub flags: u32,
    /// Whose BSD lock is given up with it.
    pub flock_owner: Option<u64>,
}

impl Handle {
    /// The handle goes, so it is no more to be kept.
    fn named(&self) -> Named {
        Named::node(self.nodeid)
    }

    fn body(&self) -> ReleaseIn {
        ReleaseIn {
            fh: self.fh,
            flags: self.flags,
            release_flags: self.flock_owner.map_or(0, |_| RELEASE_FLOCK_UNLOCK),
            lock_owner: self.flock_owner.unwrap_or(0),
        }
    }
}

/// A range of an open file or directory: what READ, READDIR and READDIRPLUS say. The bytes are the
/// reply's tail.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The node.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// Where to begin: a byte of a file, a position that the server gave for a directory.
    pub offset: u64,
    /// At most so many bytes.
    pub size: u32,
    /// The `open(2)` flags of the handle.
    pub flags: u32,
}

impl Range {
    fn named(&self) -> Named {
        Named::open(self.nodeid, self.fh)
    }

    fn body(&self) -> ReadIn {
        ReadIn {
            fh: self.fh,
            offset: self.offset,
            size: self.size,
            flags: self.flags,
            ..ReadIn::default()
        }
    }
}

/// Operations that say the same and differ in their number, in what ENOSYS means and in what is to be
/// undone: `Name(Says): In => Out as Reply = value of (out, tail)`.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($says:ident): $in:ty => $out:ty as $reply:ty = $value:expr,
        optional $optional:expr, undo $undo:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(pub $says);

        impl Operation for $name {
            const OPCODE: Opcode = Opcode::$name;
            const OPTIONAL: Option<Optional> = $optional;
            type In = $in;
            type Out = $out;
            type Reply = $reply;

            fn nodeid(&self) -> u64 {
                self.0.nodeid
            }

            fn named(&self) -> [Named; 2] {
                self.0.named().alone()
            }

            fn body(&self) -> $in {
                self.0.body()
            }

            fn reply(&self, out: $out, tail: usize) -> Result<$reply, ReplyFault> {
                let value: fn($out, usize) -> $reply = $value;
                Ok(value(out, tail))
            }

            fn undo(out: &[u8]) -> Undo {
                let undo: fn(&[u8]) -> Undo = $undo;
                undo(out)
            }
        }
    )+};
}

operations! {
    /// OPEN: opens a file.
    Open(Target): OpenIn => OpenOut as OpenOut = |out, _| out,
        optional Some(Optional::Open), undo |out| opened(out, Undo::Release);

    /// OPENDIR: opens a directory.
    Opendir(Target): OpenIn => OpenOut as OpenOut = |out, _| out,
        optional Some(Optional::Opendir), undo |out| opened(out, Undo::Releasedir);

    /// RELEASE: the last user of an open file is gone.
    Release(Handle): ReleaseIn => () as () = |(), _| (),
        optional None, undo nothing;

    /// RELEASEDIR: the last user of an open directory is gone.
    Releasedir(Handle): ReleaseIn => () as () = |(), _| (),
        optional None, undo nothing;

    /// READ: bytes of a file, and their number; fewer than asked for means the end of the file.
    Read(Range): ReadIn => () as usize = |(), tail| tail,
        optional None, undo nothing;

    /// READDIR: names of a directory, see [`Dirents`](crate::dirent::Dirents), and their number of
    /// bytes; 0 at the end.
    Readdir(Range): ReadIn => () as usize = |(), tail| tail,
        optional None, undo nothing;

    /// READDIRPLUS: names of a directory with a lookup of each, see
    /// [`DirentsPlus`](crate::dirent::DirentsPlus), and their number of bytes; 0 at the end.
    Readdirplus(Range): ReadIn => () as usize = |(), tail| tail,
        optional Some(Optional::Readdirplus), undo |_| Undo::ForgetEntries;

    /// FSYNC: makes a file durable.
    Fsync(SyncTarget): FsyncIn => () as () = |(), _| (),
        optional Some(Optional::Fsync), undo nothing;

    /// FSYNCDIR: makes a directory durable.
    Fsyncdir(SyncTarget): FsyncIn => () as () = |(), _| (),
        optional Some(Optional::Fsyncdir), undo nothing;
}

/// Nothing is to be undone.
fn nothing(_out: &[u8]) -> Undo {
    Undo::Nothing
}

/// What was opened is to be closed.
fn opened(out: &[u8], undo: fn(u64) -> Undo) -> Undo {
    OpenOut::read_from_prefix(out).map_or(Undo::Nothing, |(open, _)| undo(open.fh))
}

/// An open file or directory to be made durable: what FSYNC and FSYNCDIR say.
#[derive(Clone, Copy, Debug)]
pub struct SyncTarget {
    /// The node.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// `FSYNC_FDATASYNC` or 0.
    pub flags: u32,
}

impl SyncTarget {
    fn named(&self) -> Named {
        Named::open(self.nodeid, self.fh)
    }

    fn body(&self) -> FsyncIn {
        FsyncIn {
            fh: self.fh,
            fsync_flags: self.flags,
            padding: 0,
        }
    }
}
