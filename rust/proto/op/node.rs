// SPDX-License-Identifier: GPL-2.0

//! Operations on nodes: names, attributes, permissions.

use super::{Operation, Optional, ReplyFault, Undo};
use crate::{
    attr::{AttrFault, Attributes, Lookup as Found, Timeout, STATX_BASIC_STATS, STATX_BTIME},
    flags::GETATTR_FH,
    wire::{
        AccessIn, AttrOut, EntryOut, GetattrIn, Kstatfs, Opcode, StatfsOut, StatxIn, StatxOut,
        ROOT_ID,
    },
};
use zerocopy::FromBytes as _;

/// LOOKUP: which node a name in a directory stands for. Counts as one lookup of it.
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
        Ok(Found::from_entry(&out)?)
    }

    fn undo(out: &[u8]) -> Undo {
        match EntryOut::read_from_prefix(out) {
            Ok((entry, _)) if entry.nodeid != 0 && entry.nodeid != ROOT_ID => {
                Undo::Forget(entry.nodeid)
            }
            _ => Undo::Nothing,
        }
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
