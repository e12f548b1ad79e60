// SPDX-License-Identifier: GPL-2.0

//! Operations on open files and directories.

use super::{Operation, Optional, ReplyFault, Undo};
use crate::wire::{FsyncIn, Opcode, OpenIn, OpenOut, ReadIn, ReleaseIn};
use zerocopy::FromBytes as _;

/// OPEN: opens a file.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// The file.
    pub nodeid: u64,
    /// `open(2)` flags that are the server's business.
    pub flags: u32,
}

impl Operation for Open {
    const OPCODE: Opcode = Opcode::Open;
    const OPTIONAL: Option<Optional> = Some(Optional::Open);
    type In = OpenIn;
    type Out = OpenOut;
    type Reply = OpenOut;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> OpenIn {
        OpenIn {
            flags: self.flags,
            open_flags: 0,
        }
    }

    fn reply(&self, out: OpenOut, _tail: usize) -> Result<OpenOut, ReplyFault> {
        Ok(out)
    }

    fn undo(out: &[u8]) -> Undo {
        OpenOut::read_from_prefix(out).map_or(Undo::Nothing, |(open, _)| Undo::Release(open.fh))
    }
}

/// OPENDIR: opens a directory.
#[derive(Clone, Copy, Debug)]
pub struct Opendir {
    /// The directory.
    pub nodeid: u64,
    /// `open(2)` flags that are the server's business.
    pub flags: u32,
}

impl Operation for Opendir {
    const OPCODE: Opcode = Opcode::Opendir;
    const OPTIONAL: Option<Optional> = Some(Optional::Opendir);
    type In = OpenIn;
    type Out = OpenOut;
    type Reply = OpenOut;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> OpenIn {
        OpenIn {
            flags: self.flags,
            open_flags: 0,
        }
    }

    fn reply(&self, out: OpenOut, _tail: usize) -> Result<OpenOut, ReplyFault> {
        Ok(out)
    }

    fn undo(out: &[u8]) -> Undo {
        OpenOut::read_from_prefix(out).map_or(Undo::Nothing, |(open, _)| Undo::Releasedir(open.fh))
    }
}

/// What [`Release`] and [`Releasedir`] say.
#[derive(Clone, Copy, Debug)]
pub struct Handle {
    /// The node.
    pub nodeid: u64,
    /// The handle that OPEN or OPENDIR gave.
    pub fh: u64,
    /// The `open(2)` flags it was opened with.
    pub flags: u32,
}

impl Handle {
    fn release(&self) -> ReleaseIn {
        ReleaseIn {
            fh: self.fh,
            flags: self.flags,
            release_flags: 0,
            lock_owner: 0,
        }
    }
}

/// RELEASE: the last user of an open file is gone.
#[derive(Clone, Copy, Debug)]
pub struct Release(pub Handle);

impl Operation for Release {
    const OPCODE: Opcode = Opcode::Release;
    type In = ReleaseIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.0.nodeid
    }

    fn body(&self) -> ReleaseIn {
        self.0.release()
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// RELEASEDIR: the last user of an open directory is gone.
#[derive(Clone, Copy, Debug)]
pub struct Releasedir(pub Handle);

impl Operation for Releasedir {
    const OPCODE: Opcode = Opcode::Releasedir;
    type In = ReleaseIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.0.nodeid
    }

    fn body(&self) -> ReleaseIn {
        self.0.release()
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
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
    fn read(&self) -> ReadIn {
        ReadIn {
            fh: self.fh,
            offset: self.offset,
            size: self.size,
            flags: self.flags,
            ..ReadIn::default()
        }
    }
}

/// READ: bytes of a file; fewer than asked for means the end of the file.
#[derive(Clone, Copy, Debug)]
pub struct Read(pub Range);

impl Operation for Read {
    const OPCODE: Opcode = Opcode::Read;
    type In = ReadIn;
    type Out = ();
    /// Number of bytes.
    type Reply = usize;

    fn nodeid(&self) -> u64 {
        self.0.nodeid
    }

    fn body(&self) -> ReadIn {
        self.0.read()
    }

    fn reply(&self, (): (), tail: usize) -> Result<usize, ReplyFault> {
        Ok(tail)
    }
}

/// READDIR: names of a directory, see [`Dirents`](crate::dirent::Dirents).
#[derive(Clone, Copy, Debug)]
pub struct Readdir(pub Range);

impl Operation for Readdir {
    const OPCODE: Opcode = Opcode::Readdir;
    type In = ReadIn;
    type Out = ();
    /// Number of bytes; 0 at the end.
    type Reply = usize;

    fn nodeid(&self) -> u64 {
        self.0.nodeid
    }

    fn body(&self) -> ReadIn {
        self.0.read()
    }

    fn reply(&self, (): (), tail: usize) -> Result<usize, ReplyFault> {
        Ok(tail)
    }
}

/// READDIRPLUS: names of a directory with a lookup of each, see
/// [`DirentsPlus`](crate::dirent::DirentsPlus).
#[derive(Clone, Copy, Debug)]
pub struct Readdirplus(pub Range);

impl Operation for Readdirplus {
    const OPCODE: Opcode = Opcode::Readdirplus;
    const OPTIONAL: Option<Optional> = Some(Optional::Readdirplus);
    type In = ReadIn;
    type Out = ();
    /// Number of bytes; 0 at the end.
    type Reply = usize;

    fn nodeid(&self) -> u64 {
        self.0.nodeid
    }

    fn body(&self) -> ReadIn {
        self.0.read()
    }

    fn reply(&self, (): (), tail: usize) -> Result<usize, ReplyFault> {
        Ok(tail)
    }

    fn undo(_out: &[u8]) -> Undo {
        Undo::ForgetEntries
    }
}

/// FSYNCDIR: makes a directory durable.
#[derive(Clone, Copy, Debug)]
pub struct Fsyncdir {
    /// The directory.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// `FSYNC_FDATASYNC` or 0.
    pub flags: u32,
}

impl Operation for Fsyncdir {
    const OPCODE: Opcode = Opcode::Fsyncdir;
    const OPTIONAL: Option<Optional> = Some(Optional::Fsyncdir);
    type In = FsyncIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> FsyncIn {
        FsyncIn {
            fh: self.fh,
            fsync_flags: self.flags,
            padding: 0,
        }
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}
