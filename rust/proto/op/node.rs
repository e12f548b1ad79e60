// SPDX-License-Identifier: GPL-2.0

//! Operations on nodes: names, attributes, permissions.

use super::{lookup_of, Named, Operation, Optional, ReplyFault, Undo};
use crate::{
    attr::{AttrFault, Attributes, Lookup as Found, Time, Timeout, STATX_BASIC_STATS, STATX_BTIME},
    flags::{
        FATTR_ATIME, FATTR_ATIME_NOW, FATTR_CTIME, FATTR_FH, FATTR_GID, FATTR_KILL_SUIDGID,
        FATTR_LOCKOWNER, FATTR_MODE, FATTR_MTIME, FATTR_MTIME_NOW, FATTR_SIZE, FATTR_UID,
        GETATTR_FH,
    },
    wire::{
        AccessIn, AttrOut, EntryOut, GetattrIn, Kstatfs, Opcode, SetattrIn, StatfsOut, StatxIn,
        StatxOut, SyncfsIn,
    },
};

/// LOOKUP: which node a name in a directory stands for. Counts as one lookup of it.
///
/// With EXPORT_SUPPORT the node may be one that the client does not know: `.` is the node itself, `..` the
/// directory that it is in.
#[derive(Clone, Copy, Debug)]
pub struct Lookup<'a> {
    /// The directory.
    pub parent: u64,
    /// The name, without NUL.
    pub name: &'a [u8],
}

impl Operation for Lookup<'_> {
    const OPCODE: Opcode = Opcode::Lookup;
    type In = ();
    type Out = EntryOut;
    type Reply = Found;

    fn nodeid(&self) -> u64 {
        self.parent
    }

    fn body(&self) {}

    fn name(&self) -> Option<&[u8]> {
        Some(self.name)
    }

    fn reply(&self, out: EntryOut, _tail: usize) -> Result<Found, ReplyFault> {
        Ok(match self.name {
            b"." | b".." => Found::from_entry_or_root(&out)?,
            _ => Found::from_entry(&out)?,
        })
    }

    fn undo(out: &[u8]) -> Undo {
        lookup_of(out)
    }
}

/// GETATTR: the attributes of a node.
#[derive(Clone, Copy, Debug)]
pub struct Getattr {
    /// The node.
    pub nodeid: u64,
    /// An open file of it.
    pub fh: Option<u64>,
}

impl Operation for Getattr {
    const OPCODE: Opcode = Opcode::Getattr;
    type In = GetattrIn;
    type Out = AttrOut;
    type Reply = (Attributes, Timeout);

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn named(&self) -> [Named; 2] {
        let (nodeid, fh) = (self.nodeid, self.fh);
        Named { nodeid, fh }.alone()
    }

    fn body(&self) -> GetattrIn {
        GetattrIn {
            getattr_flags: self.fh.map_or(0, |_| GETATTR_FH),
            dummy: 0,
            fh: self.fh.unwrap_or(0),
        }
    }

    fn reply(&self, out: AttrOut, _tail: usize) -> Result<Self::Reply, ReplyFault> {
        let attributes = Attributes::from_attr(&out.attr)?;
        Ok((
            attributes,
            Timeout::new(out.attr_valid, out.attr_valid_nsec),
        ))
    }
}

/// STATX: the attributes of a node with its birth time.
#[derive(Clone, Copy, Debug)]
pub struct Statx {
    /// The node.
    pub nodeid: u64,
    /// An open file of it.
    pub fh: Option<u64>,
}

impl Operation for Statx {
    const OPCODE: Opcode = Opcode::Statx;
    const OPTIONAL: Option<Optional> = Some(Optional::Statx);
    type In = StatxIn;
    type Out = StatxOut;
    /// Attributes that may be incomplete, see [`Attributes::is_complete`].
    type Reply = (Attributes, Timeout);

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn named(&self) -> [Named; 2] {
        let (nodeid, fh) = (self.nodeid, self.fh);
        Named { nodeid, fh }.alone()
    }

    fn body(&self) -> StatxIn {
        StatxIn {
            getattr_flags: self.fh.map_or(0, |_| GETATTR_FH),
            reserved: 0,
            fh: self.fh.unwrap_or(0),
            sx_flags: 0,
            sx_mask: STATX_BASIC_STATS | STATX_BTIME,
        }
    }

    fn reply(&self, out: StatxOut, _tail: usize) -> Result<Self::Reply, ReplyFault> {
        let attributes = Attributes::from_statx(&out)?;
        Ok((
            attributes,
            Timeout::new(out.attr_valid, out.attr_valid_nsec),
        ))
    }
}

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The server's present; the time here is the client's, for servers that do not know better.
    Now(Time),
    /// This one.
    To(Time),
}

impl SetTime {
    const fn time(self) -> Time {
        match self {
            Self::Now(time) | Self::To(time) => time,
        }
    }
}

/// SETATTR: changes attributes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setattr {
    /// The node.
    pub nodeid: u64,
    /// An open file of it.
    pub fh: Option<u64>,
    /// Permission bits, with the type.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<SetTime>,
    /// Last modification.
    pub mtime: Option<SetTime>,
    /// Last status change.
    pub ctime: Option<Time>,
    /// Who cuts the file, for mandatory locks.
    pub lock_owner: Option<u64>,
    /// Clear suid and sgid.
    pub kill_suidgid: bool,
}

impl Setattr {
    fn valid(&self) -> u32 {
        let time = |time: Option<SetTime>, set, now| match time {
            None => 0,
            Some(SetTime::To(_)) => set,
            Some(SetTime::Now(_)) => set | now,
        };
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        bit(self.fh.is_some(), FATTR_FH)
            | bit(self.mode.is_some(), FATTR_MODE)
            | bit(self.uid.is_some(), FATTR_UID)
            | bit(self.gid.is_some(), FATTR_GID)
            | bit(self.size.is_some(), FATTR_SIZE)
            | time(self.atime, FATTR_ATIME, FATTR_ATIME_NOW)
            | time(self.mtime, FATTR_MTIME, FATTR_MTIME_NOW)
            | bit(self.ctime.is_some(), FATTR_CTIME)
            | bit(self.lock_owner.is_some(), FATTR_LOCKOWNER)
            | bit(self.kill_suidgid, FATTR_KILL_SUIDGID)
    }
}

impl Operation for Setattr {
    const OPCODE: Opcode = Opcode::Setattr;
    type In = SetattrIn;
    type Out = AttrOut;
    type Reply = (Attributes, Timeout);

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn named(&self) -> [Named; 2] {
        let (nodeid, fh) = (self.nodeid, self.fh);
        Named { nodeid, fh }.alone()
    }

    fn body(&self) -> SetattrIn {
        let atime = self.atime.map_or(Time::default(), SetTime::time);
        let mtime = self.mtime.map_or(Time::default(), SetTime::time);
        let ctime = self.ctime.unwrap_or_default();
        SetattrIn {
            valid: self.valid(),
            fh: self.fh.unwrap_or(0),
            size: self.size.unwrap_or(0),
            lock_owner: self.lock_owner.unwrap_or(0),
            atime: atime.sec as u64,
            mtime: mtime.sec as u64,
            ctime: ctime.sec as u64,
            atimensec: atime.nsec,
            mtimensec: mtime.nsec,
            ctimensec: ctime.nsec,
            mode: self.mode.unwrap_or(0),
            uid: self.uid.unwrap_or(0),
            gid: self.gid.unwrap_or(0),
            ..SetattrIn::default()
        }
    }

    fn reply(&self, out: AttrOut, _tail: usize) -> Result<Self::Reply, ReplyFault> {
        let attributes = Attributes::from_attr(&out.attr)?;
        Ok((
            attributes,
            Timeout::new(out.attr_valid, out.attr_valid_nsec),
        ))
    }
}

/// SYNCFS: makes all of the file system durable.
#[derive(Clone, Copy, Debug)]
pub struct Syncfs {
    /// The root.
    pub nodeid: u64,
}

impl Operation for Syncfs {
    const OPCODE: Opcode = Opcode::Syncfs;
    const OPTIONAL: Option<Optional> = Some(Optional::Syncfs);
    type In = SyncfsIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> SyncfsIn {
        SyncfsIn::default()
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// READLINK: where a symbolic link points; the target is the reply's tail.
#[derive(Clone, Copy, Debug)]
pub struct Readlink {
    /// The link.
    pub nodeid: u64,
}

impl Operation for Readlink {
    const OPCODE: Opcode = Opcode::Readlink;
    type In = ();
    type Out = ();
    /// Length of the target in bytes, at least 1.
    type Reply = usize;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) {}

    fn reply(&self, (): (), tail: usize) -> Result<usize, ReplyFault> {
        match tail {
            0 => Err(ReplyFault::EmptyLink),
            len => Ok(len),
        }
    }
}

/// ACCESS: whether the caller may do something with a node.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The node.
    pub nodeid: u64,
    /// `MAY_READ`, `MAY_WRITE` and `MAY_EXEC`, as `access(2)` numbers them.
    pub mask: u32,
}

impl Operation for Access {
    const OPCODE: Opcode = Opcode::Access;
    const OPTIONAL: Option<Optional> = Some(Optional::Access);
    type In = AccessIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> AccessIn {
        AccessIn {
            mask: self.mask,
            padding: 0,
        }
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// STATFS: how full the file system is.
#[derive(Clone, Copy, Debug)]
pub struct Statfs {
    /// Any node.
    pub nodeid: u64,
}

impl Operation for Statfs {
    const OPCODE: Opcode = Opcode::Statfs;
    type In = ();
    type Out = StatfsOut;
    type Reply = Kstatfs;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) {}

    fn reply(&self, out: StatfsOut, _tail: usize) -> Result<Kstatfs, ReplyFault> {
        Ok(out.st)
    }
}

impl From<AttrFault> for ReplyFault {
    fn from(fault: AttrFault) -> Self {
        Self::Attr(fault)
    }
}
