// SPDX-License-Identifier: GPL-2.0

//! Judging the attributes and lookups that a server sends.

use core::fmt;

use crate::flags::ATTR_SUBMOUNT;
use crate::wire;

/// Bits of a mode that hold the file type.
const S_IFMT: u16 = 0o170_000;

/// `S_IFDIR`.
const S_IFDIR: u16 = 0o040_000;

/// The seven file types.
const TYPES: [u16; 7] = [
    0o010_000, 0o020_000, 0o040_000, 0o060_000, 0o100_000, 0o120_000, 0o140_000,
];

/// Nanoseconds of a second.
const NSEC_PER_SEC: u32 = 1_000_000_000;

/// `STATX_*` bit of the file type.
pub const STATX_TYPE: u32 = 0x1;

/// `STATX_*` bit of the size.
pub const STATX_SIZE: u32 = 0x200;

/// `STATX_*` bits of all that a [`wire::Attr`] holds.
pub const STATX_BASIC_STATS: u32 = 0x7ff;

/// `STATX_*` bit of the time of creation.
pub const STATX_BTIME: u32 = 0x800;

/// How long something may be cached, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeout(u64);

impl Timeout {
    /// Not at all.
    pub const ZERO: Self = Self(0);

    /// Without end; longer than 584 years counts as such.
    pub const FOREVER: Self = Self(u64::MAX);

    /// The timeout of a message; `nsec` above 999,999,999 counts as that.
    pub fn new(sec: u64, nsec: u32) -> Self {
        let whole = sec.saturating_mul(u64::from(NSEC_PER_SEC));
        Self(whole.saturating_add(u64::from(clamp_nsec(nsec))))
    }

    /// Nanoseconds; `u64::MAX` is for ever.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

/// A time stamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since the epoch.
    pub sec: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nsec: u32,
}

impl Time {
    fn new(sec: i64, nsec: u32) -> Self {
        Self {
            sec,
            nsec: clamp_nsec(nsec),
        }
    }
}

impl From<wire::SxTime> for Time {
    fn from(time: wire::SxTime) -> Self {
        Self::new(time.tv_sec, time.tv_nsec)
    }
}

/// Device number of a device node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rdev {
    /// Major number, 12 bits.
    pub major: u32,
    /// Minor number, 20 bits.
    pub minor: u32,
}

impl Rdev {
    /// Undoes the kernel's `new_encode_dev`.
    pub const fn decode(dev: u32) -> Self {
        Self::new(
            (dev & 0xf_ff00) >> 8,
            (dev & 0xff) | ((dev >> 12) & 0xf_ff00),
        )
    }

    /// Packs as the kernel's `new_encode_dev`.
    pub const fn encode(self) -> u32 {
        (self.minor & 0xff) | (self.major << 8) | ((self.minor & !0xff) << 12)
    }

    /// Numbers that are too large lose their upper bits, as they do in a `dev_t`.
    const fn new(major: u32, minor: u32) -> Self {
        Self {
            major: major & 0xfff,
            minor: minor & 0xf_ffff,
        }
    }
}

/// Attributes of a node that an inode can take over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// `STATX_*` bits of what the server knew; the rest is zero where it had to be judged.
    pub mask: u32,
    /// Inode number that user space sees.
    pub ino: u64,
    /// Size in bytes, at most `i64::MAX`.
    pub size: u64,
    /// Allocated blocks of 512 bytes.
    pub blocks: u64,
    /// Last access.
    pub atime: Time,
    /// Last modification.
    pub mtime: Time,
    /// Last status change.
    pub ctime: Time,
    /// Creation, if the server knows it.
    pub btime: Option<Time>,
    /// File type, one of the seven, and permission bits.
    pub mode: u16,
    /// Number of hard links.
    pub nlink: u32,
    /// Owner, in the server's numbers.
    pub uid: u32,
    /// Group, in the server's numbers.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: Rdev,
    /// Preferred block size in bytes, a power of two; 0 for the file system's.
    pub blksize: u32,
    /// `ATTR_*` of [`flags`](crate::flags).
    pub flags: u32,
}

impl Attributes {
    /// Judges the attributes of a lookup or a GETATTR.
    ///
    /// # Errors
    ///
    /// [`AttrFault::Type`], [`AttrFault::Size`].
    pub fn from_attr(attr: &wire::Attr) -> Result<Self, AttrFault> {
        Ok(Self {
            mask: STATX_BASIC_STATS,
            ino: attr.ino,
            size: judge_size(attr.size)?,
            blocks: attr.blocks,
            atime: Time::new(attr.atime as i64, attr.atimensec),
            mtime: Time::new(attr.mtime as i64, attr.mtimensec),
            ctime: Time::new(attr.ctime as i64, attr.ctimensec),
            btime: None,
            mode: judge_mode(attr.mode)?,
            nlink: attr.nlink,
            uid: attr.uid,
            gid: attr.gid,
            rdev: Rdev::decode(attr.rdev),
            blksize: floor_power_of_two(attr.blksize),
            flags: attr.flags,
        })
    }

    /// Judges the attributes of a STATX.
    ///
    /// Only what the server marks as known is judged; an unknown size or type is 0.
    ///
    /// # Errors
    ///
    /// [`AttrFault::Type`], [`AttrFault::Size`].
    pub fn from_statx(out: &wire::StatxOut) -> Result<Self, AttrFault> {
        let stat = &out.stat;
        let knows = |bit| stat.mask & bit == bit;
        let size = if knows(STATX_SIZE) { stat.size } else { 0 };
        let mode = u32::from(stat.mode);
        Ok(Self {
            mask: stat.mask & (STATX_BASIC_STATS | STATX_BTIME),
            ino: stat.ino,
            size: judge_size(size)?,
            blocks: stat.blocks,
            atime: stat.atime.into(),
            mtime: stat.mtime.into(),
            ctime: stat.ctime.into(),
            btime: knows(STATX_BTIME).then(|| stat.btime.into()),
            mode: if knows(STATX_TYPE) {
                judge_mode(mode)?
            } else {
                stat.mode & !S_IFMT
            },
            nlink: stat.nlink,
            uid: stat.uid,
            gid: stat.gid,
            rdev: Rdev::new(stat.rdev_major, stat.rdev_minor),
            blksize: floor_power_of_two(stat.blksize),
            flags: out.flags,
        })
    }

    /// Whether the server knew all that an inode needs.
    pub const fn is_complete(&self) -> bool {
        self.mask & STATX_BASIC_STATS == STATX_BASIC_STATS
    }

    /// File type, the upper bits of the mode.
    pub const fn file_type(&self) -> u16 {
        self.mode & S_IFMT
    }

    /// Whether another file system of the server is to be mounted on the node (SUBMOUNTS).
    pub const fn is_mount_point(&self) -> bool {
        self.flags & ATTR_SUBMOUNT != 0 && self.file_type() == S_IFDIR
    }

    /// Checks that a node has kept the file type of `mode`, as every node must.
    ///
    /// # Errors
    ///
    /// [`AttrFault::TypeChanged`].
    pub fn check_type(&self, mode: u16) -> Result<(), AttrFault> {
        let (was, is) = (mode & S_IFMT, self.file_type());
        if was != is {
            return Err(AttrFault::TypeChanged { was, is });
        }
        Ok(())
    }
}

/// A node that a server has looked up or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Number of the node, neither 0 nor, but for [`Lookup::from_entry_or_root`], the root's.
    pub nodeid: u64,
    /// Generation of the number.
    pub generation: u64,
    /// How long the name may be cached.
    pub entry_valid: Timeout,
    /// How long the attributes may be cached.
    pub attr_valid: Timeout,
    /// The attributes.
    pub attributes: Attributes,
}

impl Node {
    /// Judges the reply to an operation that makes a node.
    ///
    /// # Errors
    ///
    /// [`AttrFault`]. Unless it is [`AttrFault::NoNode`], the server has counted a lookup.
    pub fn from_entry(entry: &wire::EntryOut) -> Result<Self, AttrFault> {
        match entry.nodeid {
            wire::ROOT_ID => Err(AttrFault::Root),
            _ => Self::of(entry),
        }
    }

    fn of(entry: &wire::EntryOut) -> Result<Self, AttrFault> {
        if entry.nodeid == 0 {
            return Err(AttrFault::NoNode);
        }
        Ok(Self {
            nodeid: entry.nodeid,
            generation: entry.generation,
            entry_valid: Timeout::new(entry.entry_valid, entry.entry_valid_nsec),
            attr_valid: Timeout::new(entry.attr_valid, entry.attr_valid_nsec),
            attributes: Attributes::from_attr(&entry.attr)?,
        })
    }
}

/// What LOOKUP found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The name does not exist, and that may be cached so long.
    Negative(Timeout),
    /// The name leads to this node.
    Found(Node),
}

impl Lookup {
    /// Judges the reply to LOOKUP.
    ///
    /// # Errors
    ///
    /// [`AttrFault`]; the server has counted a lookup.
    pub fn from_entry(entry: &wire::EntryOut) -> Result<Self, AttrFault> {
        Self::judge(entry, Node::from_entry(entry))
    }

    /// Judges the reply to LOOKUP of a name that may lead to the root, which is `..`.
    ///
    /// # Errors
    ///
    /// [`AttrFault`]; the server has counted a lookup.
    pub fn from_entry_or_root(entry: &wire::EntryOut) -> Result<Self, AttrFault> {
        Self::judge(entry, Node::of(entry))
    }

    fn judge(entry: &wire::EntryOut, node: Result<Node, AttrFault>) -> Result<Self, AttrFault> {
        match node {
            Ok(node) => Ok(Self::Found(node)),
            Err(AttrFault::NoNode) => {
                let valid = Timeout::new(entry.entry_valid, entry.entry_valid_nsec);
                Ok(Self::Negative(valid))
            }
            Err(fault) => Err(fault),
        }
    }
}

/// What is wrong with a node or its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttrFault {
    /// The mode has none of the seven file types.
    Type {
        /// The mode.
        mode: u32,
    },
    /// The size is larger than a file can be.
    Size {
        /// Size in bytes.
        size: u64,
    },
    /// The node has another file type than before, or than was to be made.
    TypeChanged {
        /// File type of the inode.
        was: u16,
        /// File type of the reply.
        is: u16,
    },
    /// An operation that makes a node answered with node id 0.
    NoNode,
    /// The root is its own child.
    Root,
}

impl fmt::Display for AttrFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type { mode } => write!(f, "mode {mode:#o} has no valid file type"),
            Self::Size { size } => write!(f, "size {size} is above {}", i64::MAX),
            Self::TypeChanged { was, is } => {
                write!(f, "file type {is:#o} of a node that has {was:#o}")
            }
            Self::NoNode => f.write_str("node id 0 for a node that was made"),
            Self::Root => f.write_str("node id of the root for a child"),
        }
    }
}

fn clamp_nsec(nsec: u32) -> u32 {
    const LAST: u32 = NSEC_PER_SEC - 1;
    nsec.min(LAST)
}

fn judge_size(size: u64) -> Result<u64, AttrFault> {
    match i64::try_from(size) {
        Ok(_) => Ok(size),
        Err(_) => Err(AttrFault::Size { size }),
    }
}

/// The lower 16 bits count, as in the C client: `umode_t` has no more.
fn judge_mode(mode: u32) -> Result<u16, AttrFault> {
    let bits = (mode & 0xffff) as u16;
    if !TYPES.contains(&(bits & S_IFMT)) {
        return Err(AttrFault::Type { mode });
    }
    Ok(bits)
}

/// The largest power of two that is not above `value`; 0 for 0.
fn floor_power_of_two(value: u32) -> u32 {
    value.checked_ilog2().map_or(0, |log2| 1 << log2)
}

#[cfg(test)]
mod tests;
