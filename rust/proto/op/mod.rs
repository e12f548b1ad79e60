// SPDX-License-Identifier: GPL-2.0

//! Typed operations: which body, name and reply each has, at one place.
//!
//! A request on the wire is `InHeader`, the fixed body, and at most one NUL-terminated name. A reply
//! is `OutHeader`, the fixed part, and a variable tail, which the client receives in memory of its
//! own.

mod data;
mod extension;
mod handle;
mod ioctl;
mod lock;
mod name;
mod named;
mod node;
mod session;
#[cfg(test)]
mod tests;
mod xattr;

pub use data::*;
pub use extension::*;
pub use handle::*;
pub use ioctl::*;
pub use lock::*;
pub use name::*;
pub use named::Named;
pub use node::*;
pub use session::*;
pub use xattr::*;

use crate::{
    attr::AttrFault,
    forget,
    reply::{self, Errno, ReplyError},
    wire::{EntryOut, ForgetIn, ForgetOne, InHeader, Opcode, OutHeader, INVALID_UIDGID, ROOT_ID},
};
use core::{fmt, mem::size_of};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyFault {
    /// With its head or its length.
    Reply(reply::Fault),
    /// With attributes or a node.
    Attr(AttrFault),
    /// A link that points nowhere.
    EmptyLink,
    /// More was written or copied than was asked for.
    Moved {
        /// Bytes of the reply.
        got: u64,
        /// Bytes of the request.
        asked: u64,
    },
    /// A position that no file has.
    Position {
        /// Offset in bytes.
        offset: u64,
    },
    /// A list of names of extended attributes that is none.
    XattrList,
    /// A lock of a type, or of a range, that there is not.
    Lock,
    /// A result of an ioctl that there is not, or that is none yet.
    Ioctl,
}

impl fmt::Display for ReplyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(fault) => fault.fmt(f),
            Self::Attr(fault) => fault.fmt(f),
            Self::EmptyLink => f.write_str("link with an empty target"),
            Self::Moved { got, asked } => {
                write!(f, "{got} bytes done where {asked} were asked for")
            }
            Self::Position { offset } => write!(f, "position {offset} is in no file"),
            Self::XattrList => {
                f.write_str("list of extended attributes with an empty or open name")
            }
            Self::Ioctl => f.write_str("ioctl with an unknown error or a wish for more data"),
            Self::Lock => f.write_str("lock of an unknown type or an empty range"),
        }
    }
}

/// Why there is no answer in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The server says so.
    Server(Errno),
    /// The reply is not valid.
    Fault(ReplyFault),
}

impl From<ReplyError> for Refusal {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::Server(errno) => Self::Server(errno),
            ReplyError::Bad(fault) => Self::Fault(ReplyFault::Reply(fault)),
        }
    }
}

/// A user and a group, in the connection's user namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    /// Nobody, where ids depend on the mount, and an operation makes no node.
    pub const INVALID: Self = Self {
        uid: INVALID_UIDGID,
        gid: INVALID_UIDGID,
    };
}

/// Who asks: what the header of a request says beside the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Number of the request, never 0.
    pub unique: u64,
    /// Its ids for file systems, in the connection's user namespace; with ALLOW_IDMAP there are none.
    pub owner: Owner,
    /// The calling task, in the connection's process-id namespace.
    pub pid: u32,
}

/// What a successful answer did to the server's state, which the client must undo when nobody takes
/// the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// Nothing.
    Nothing,
    /// The node was looked up once: FORGET it.
    Forget(u64),
    /// A file handle was opened: RELEASE it.
    Release(u64),
    /// A directory handle was opened: RELEASEDIR it.
    Releasedir(u64),
    /// A lock was taken or given up: give it up.
    Unlock,
    /// The nodes of the READDIRPLUS entries in the tail were looked up once each.
    ForgetEntries,
    /// A file was made and opened: RELEASE and FORGET it.
    ReleaseAndForget {
        /// The node.
        nodeid: u64,
        /// The handle.
        fh: u64,
    },
}

/// An operation that a server may lack: ENOSYS is remembered, and not asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Optional {
    /// STATX; GETATTR stands in.
    Statx = 1 << 0,
    /// ACCESS; everything is granted.
    Access = 1 << 1,
    /// OPEN; files need no handle.
    Open = 1 << 2,
    /// OPENDIR; directories need no handle.
    Opendir = 1 << 3,
    /// FSYNC; there is nothing to do.
    Fsync = 1 << 4,
    /// FSYNCDIR; there is nothing to do.
    Fsyncdir = 1 << 5,
    /// READDIRPLUS; READDIR stands in.
    Readdirplus = 1 << 6,
    /// GETXATTR; there are no extended attributes.
    Getxattr = 1 << 7,
    /// LISTXATTR; there are no extended attributes.
    Listxattr = 1 << 8,
    /// SETXATTR; there are no extended attributes.
    Setxattr = 1 << 9,
    /// REMOVEXATTR; there are no extended attributes.
    Removexattr = 1 << 10,
    /// CREATE; MKNOD and OPEN stand in.
    Create = 1 << 11,
    /// TMPFILE; there are no files without a name.
    Tmpfile = 1 << 12,
    /// LINK; names cannot be added.
    Link = 1 << 13,
    /// RENAME2; flags are refused.
    Rename2 = 1 << 14,
    /// FLUSH; there is nothing to do.
    Flush = 1 << 15,
    /// FALLOCATE; space cannot be reserved.
    Fallocate = 1 << 16,
    /// LSEEK; a file is one extent of data.
    Lseek = 1 << 17,
    /// COPY_FILE_RANGE; data is copied here.
    CopyFileRange = 1 << 18,
    /// COPY_FILE_RANGE_64; COPY_FILE_RANGE stands in.
    CopyFileRange64 = 1 << 19,
    /// SYNCFS; there is nothing to do.
    Syncfs = 1 << 20,
    /// GETLK, SETLK and SETLKW.
    Lock = 1 << 21,
    /// POLL; all can be done at any time.
    Poll = 1 << 22,
    /// BMAP; no block is known.
    Bmap = 1 << 23,
}

/// One request and its reply.
pub trait Operation {
    /// The operation's number.
    const OPCODE: Opcode;
    /// Remembers ENOSYS under this.
    const OPTIONAL: Option<Optional> = None;
    /// The fixed body of the request, `()` for none.
    type In: IntoBytes + Immutable;
    /// The fixed part of the reply, `()` for none.
    type Out: FromBytes;
    /// What a valid reply means.
    type Reply;

    /// The node it is about.
    fn nodeid(&self) -> u64;

    /// All that it names, for who asks what the server must not lose before it has answered.
    fn named(&self) -> [Named; 2] {
        Named::node(self.nodeid()).alone()
    }

    /// The fixed body.
    fn body(&self) -> Self::In;

    /// The length of the body in bytes: older servers know shorter ones.
    fn body_len(&self) -> usize {
        size_of::<Self::In>()
    }

    /// The name that follows the body.
    fn name(&self) -> Option<&[u8]> {
        None
    }

    /// What follows the name.
    fn second(&self) -> Part<'_> {
        Part::None
    }

    /// Who is to own the node that it makes, if not the caller.
    fn owner(&self) -> Option<Owner> {
        None
    }

    /// What follows that of a request that makes a node.
    fn extensions(&self) -> Extensions<'_> {
        Extensions::NONE
    }

    /// How many bytes of data the request carries behind all that, in memory of their own.
    fn data_len(&self) -> u32 {
        0
    }

    /// Validates the fixed part of a reply with `tail` bytes behind it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    fn reply(&self, out: Self::Out, tail: usize) -> Result<Self::Reply, ReplyFault>;

    /// What the answer with the fixed part `out` did to the server.
    fn undo(_out: &[u8]) -> Undo {
        Undo::Nothing
    }

    /// How many bytes an answer with the fixed part `out` has moved: those behind it, unless it says.
    fn moved(_out: &[u8], tail: usize) -> usize {
        tail
    }
}

/// A part of a request behind its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Nothing.
    None,
    /// Bytes with a NUL behind them.
    Text(&'a [u8]),
    /// Bytes alone.
    Bytes(&'a [u8]),
}

impl Part<'_> {
    #[inline]
    fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Text(text) => text.len().saturating_add(1),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// The lookup that an answer with an [`EntryOut`] in front counts.
fn lookup_of(out: &[u8]) -> Undo {
    match EntryOut::read_from_prefix(out) {
        Ok((entry, _)) if entry.nodeid != 0 && entry.nodeid != ROOT_ID => {
            Undo::Forget(entry.nodeid)
        }
        _ => Undo::Nothing,
    }
}

/// Length of the whole request in bytes, without its data.
#[inline]
pub fn encoded_len<O: Operation>(operation: &O) -> usize {
    let name = operation
        .name()
        .map_or(0, |name| name.len().saturating_add(1));
    size_of::<InHeader>()
        .saturating_add(operation.body_len())
        .saturating_add(name)
        .saturating_add(operation.second().len())
        .saturating_add(operation.extensions().len())
}

/// Header and fixed part of a reply, in bytes.
#[inline]
pub const fn fixed_reply_len<O: Operation>() -> usize {
    size_of::<OutHeader>().saturating_add(size_of::<O::Out>())
}

/// Writes a request into `buffer`, which is zeroed and exactly [`encoded_len`] bytes long.
///
/// `None` if it is not that long.
#[inline]
pub fn encode<O: Operation>(operation: &O, caller: &Caller, buffer: &mut [u8]) -> Option<()> {
    let len = u32::try_from(buffer.len()).ok()?;
    let extensions = operation.extensions();
    let Owner { uid, gid } = operation.owner().unwrap_or(caller.owner);
    let header = InHeader {
        len: len.checked_add(operation.data_len())?,
        opcode: O::OPCODE as u32,
        unique: caller.unique,
        nodeid: operation.nodeid(),
        uid,
        gid,
        pid: caller.pid,
        total_extlen: u16::try_from(extensions.len() / extension::UNIT).ok()?,
        padding: 0,
    };
    header.write_to_prefix(buffer).ok()?;
    let rest = buffer.get_mut(size_of::<InHeader>()..)?;
    let body = operation.body();
    let (room, rest) = rest.split_at_mut_checked(operation.body_len())?;
    room.copy_from_slice(body.as_bytes().get(..room.len())?);
    let rest = match operation.name() {
        None => rest,
        Some(name) => append(rest, name, true)?,
    };
    let rest = match operation.second() {
        Part::None => rest,
        Part::Text(text) => append(rest, text, true)?,
        Part::Bytes(bytes) => append(rest, bytes, false)?,
    };
    extensions.write(rest)?.is_empty().then_some(())
}

/// Puts `bytes` at the front of `room`, with a NUL behind them if `terminated`; the rest of it.
#[inline]
fn append<'a>(room: &'a mut [u8], bytes: &[u8], terminated: bool) -> Option<&'a mut [u8]> {
    let (front, rest) = room.split_at_mut_checked(bytes.len())?;
    front.copy_from_slice(bytes);
    match terminated {
        false => Some(rest),
        true => {
            let (end, rest) = rest.split_first_mut()?;
            *end = 0;
            Some(rest)
        }
    }
}

/// Length of a request's header in bytes.
pub const HEADER: usize = size_of::<InHeader>();

/// Marks the number of a request for the INTERRUPT that is to end it (`FUSE_INT_REQ_BIT`).
pub const INTERRUPT_BIT: u64 = 1;

/// Marks the number of a request that was read before, maybe (`FUSE_UNIQUE_RESEND`).
pub const RESEND_BIT: u64 = 1 << 63;

/// Changes the number of a request that is encoded.
pub fn set_unique(message: &mut [u8], unique: u64) {
    let at = core::mem::offset_of!(InHeader, unique);
    if let Some(bytes) = message.get_mut(at..at.saturating_add(size_of::<u64>())) {
        bytes.copy_from_slice(&unique.to_ne_bytes());
    }
}

/// Writes one FORGET, or one BATCH_FORGET of as many `nodes` as fit, into `buffer`.
///
/// Returns the message's length in bytes and the number of nodes in it.
pub fn encode_forgets(
    nodes: &[ForgetOne],
    minor: u32,
    unique: u64,
    buffer: &mut [u8],
) -> (usize, usize) {
    let opcode = forget::opcode(minor, nodes.len());
    let (first, rest) = match (nodes.first(), buffer.get_mut(HEADER..)) {
        (Some(first), Some(rest)) => (first, rest),
        _ => return (0, 0),
    };
    let (body, count) = match opcode {
        Opcode::BatchForget => encode_batch(nodes, rest),
        _ => {
            let body = ForgetIn {
                nlookup: first.nlookup,
            };
            match body.write_to_prefix(rest) {
                Ok(()) => (size_of::<ForgetIn>(), 1),
                Err(_) => (0, 0),
            }
        }
    };
    let len = HEADER.saturating_add(body);
    let header = InHeader {
        len: u32::try_from(len).unwrap_or(0),
        opcode: opcode as u32,
        unique,
        nodeid: if opcode == Opcode::Forget {
            first.nodeid
        } else {
            0
        },
        ..InHeader::default()
    };
    match header.write_to_prefix(buffer) {
        Ok(()) if count > 0 => (len, count),
        _ => (0, 0),
    }
}

/// The body of a BATCH_FORGET: its length, and the number of nodes in it.
fn encode_batch(nodes: &[ForgetOne], room: &mut [u8]) -> (usize, usize) {
    let Some(mut batch) = forget::Batch::new(room) else {
        return (0, 0);
    };
    for node in nodes {
        if batch.push(*node).is_err() {
            break;
        }
    }
    let count = usize::try_from(batch.count()).unwrap_or(0);
    (batch.finish(), count)
}

/// Reads the fixed part of a checked reply, and judges it.
///
/// # Errors
///
/// What is wrong with it.
#[inline]
pub fn decode<O: Operation>(operation: &O, fixed: &[u8], tail: usize) -> Result<O::Reply, Refusal> {
    let short = reply::Fault::Short {
        used: fixed.len(),
        want: size_of::<O::Out>(),
    };
    let (out, _) =
        O::Out::read_from_prefix(fixed).map_err(|_| Refusal::Fault(ReplyFault::Reply(short)))?;
    operation.reply(out, tail).map_err(Refusal::Fault)
}
