// SPDX-License-Identifier: GPL-2.0

//! What a server tells unasked.

use core::fmt;

use zerocopy::FromBytes;

use crate::flags::EXPIRE_ONLY;
use crate::wire::{
    NotifyCode, NotifyDeleteOut, NotifyInvalEntryOut, NotifyInvalInodeOut, NotifyPollWakeupOut,
    NotifyPruneOut, NotifyRetrieveOut, NotifyStoreOut,
};

/// The largest offset of a byte in a file.
const MAX_OFFSET: u64 = i64::MAX as u64;

/// A notification that was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notification<'a> {
    /// Something can be done with the handle `kh` of POLL.
    PollWakeup {
        /// The handle.
        kh: u64,
    },
    /// Attributes of a node are not what they were.
    InvalInode {
        /// The node.
        nodeid: u64,
        /// Nor are these bytes, the last one included; none for the attributes alone.
        bytes: Option<(u64, u64)>,
    },
    /// A name does not stand for what it did.
    InvalEntry {
        /// The directory.
        parent: u64,
        /// The name.
        name: &'a [u8],
        /// It may still do, and is to be asked for at the next use.
        expire_only: bool,
    },
    /// A name was removed.
    Delete {
        /// The directory.
        parent: u64,
        /// The node that had the name.
        child: u64,
        /// The name.
        name: &'a [u8],
    },
    /// The data that follow belong into the page cache.
    Store {
        /// The node.
        nodeid: u64,
        /// Where they begin, in bytes.
        offset: u64,
        /// Their length in bytes; `offset + size` is a valid size of a file.
        size: u32,
    },
    /// Data of the page cache are wanted, by NOTIFY_REPLY.
    Retrieve {
        /// The number of the NOTIFY_REPLY.
        unique: u64,
        /// The node.
        nodeid: u64,
        /// Where they begin, in bytes.
        offset: u64,
        /// The most that is wanted, in bytes.
        size: u32,
    },
    /// Requests that were read and not answered are wanted again.
    Resend,
    /// No name stands for what it did.
    IncEpoch,
    /// Nodes are to be forgotten if nobody uses them.
    Prune(Nodes<'a>),
}

/// Node ids, one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nodes<'a>(&'a [u8]);

impl Iterator for Nodes<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let (nodeid, rest) = u64::read_from_prefix(self.0).ok()?;
        self.0 = rest;
        Some(nodeid)
    }
}

/// What is wrong with a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyFault {
    /// The protocol has no such code.
    Code(i32),
    /// It is longer or shorter than it says or may be.
    Length,
    /// The name is longer than the server takes itself.
    LongName,
    /// The offset is not one of a file.
    Offset,
}

impl fmt::Display for NotifyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code} is unknown"),
            Self::Length => f.write_str("its length is wrong"),
            Self::LongName => f.write_str("the name is too long"),
            Self::Offset => f.write_str("the offset is out of range"),
        }
    }
}

/// How many bytes of a body of `len` bytes [`parse`] looks at: data to store are not among them.
pub fn head_len(code: i32, len: usize) -> usize {
    match NotifyCode::from_raw(code) {
        Some(NotifyCode::Store) => len.min(size_of::<NotifyStoreOut>()),
        _ => len,
    }
}

/// Judges a notification: `head` is what [`head_len`] asks for of a body of `len` bytes, and names are no longer
/// than `name_max` bytes.
///
/// # Errors
///
/// [`NotifyFault`].
pub fn parse(
    code: i32,
    head: &[u8],
    len: usize,
    name_max: usize,
) -> Result<Notification<'_>, NotifyFault> {
    Ok(
        match NotifyCode::from_raw(code).ok_or(NotifyFault::Code(code))? {
            NotifyCode::Poll => {
                let NotifyPollWakeupOut { kh } = whole(head)?;
                Notification::PollWakeup { kh }
            }
            NotifyCode::InvalInode => inval_inode(whole(head)?),
            NotifyCode::InvalEntry => {
                let (out, rest) = fixed::<NotifyInvalEntryOut>(head)?;
                Notification::InvalEntry {
                    parent: out.parent,
                    name: judge_name(rest, out.namelen, name_max)?,
                    expire_only: out.flags & EXPIRE_ONLY != 0,
                }
            }
            NotifyCode::Delete => {
                let (out, rest) = fixed::<NotifyDeleteOut>(head)?;
                Notification::Delete {
                    parent: out.parent,
                    child: out.child,
                    name: judge_name(rest, out.namelen, name_max)?,
                }
            }
            NotifyCode::Store => store(whole(head)?, len)?,
            NotifyCode::Retrieve => retrieve(whole(head)?)?,
            // What may follow means nothing.
            NotifyCode::Resend => Notification::Resend,
            NotifyCode::IncEpoch => Notification::IncEpoch,
            NotifyCode::Prune => prune(head)?,
        },
    )
}

fn fixed<T: FromBytes>(head: &[u8]) -> Result<(T, &[u8]), NotifyFault> {
    T::read_from_prefix(head).map_err(|_| NotifyFault::Length)
}

fn whole<T: FromBytes>(head: &[u8]) -> Result<T, NotifyFault> {
    match fixed(head)? {
        (out, []) => Ok(out),
        _ => Err(NotifyFault::Length),
    }
}

/// A name and a NUL, which need not be one.
fn judge_name(rest: &[u8], len: u32, name_max: usize) -> Result<&[u8], NotifyFault> {
    let len = usize::try_from(len).map_err(|_| NotifyFault::LongName)?;
    if len > name_max {
        return Err(NotifyFault::LongName);
    }
    match rest.split_at_checked(len) {
        Some((name, [_])) => Ok(name),
        _ => Err(NotifyFault::Length),
    }
}

fn inval_inode(out: NotifyInvalInodeOut) -> Notification<'static> {
    let bytes = u64::try_from(out.off).ok().map(|start| {
        let last = match u64::try_from(out.len) {
            Ok(len) if len > 0 => start.saturating_add(len).saturating_sub(1),
            _ => MAX_OFFSET,
        };
        (start, last.min(MAX_OFFSET))
    });
    Notification::InvalInode {
        nodeid: out.ino,
        bytes,
    }
}

fn store(out: NotifyStoreOut, len: usize) -> Result<Notification<'static>, NotifyFault> {
    let data = len.checked_sub(size_of::<NotifyStoreOut>());
    if data != usize::try_from(out.size).ok() {
        return Err(NotifyFault::Length);
    }
    if out.offset >= MAX_OFFSET {
        return Err(NotifyFault::Offset);
    }
    let most = u32::try_from(MAX_OFFSET.saturating_sub(out.offset)).unwrap_or(u32::MAX);
    Ok(Notification::Store {
        nodeid: out.nodeid,
        offset: out.offset,
        size: out.size.min(most),
    })
}

fn retrieve(out: NotifyRetrieveOut) -> Result<Notification<'static>, NotifyFault> {
    match out.offset < MAX_OFFSET {
        true => Ok(Notification::Retrieve {
            unique: out.notify_unique,
            nodeid: out.nodeid,
            offset: out.offset,
            size: out.size,
        }),
        false => Err(NotifyFault::Offset),
    }
}

fn prune(head: &[u8]) -> Result<Notification<'_>, NotifyFault> {
    let (out, nodes) = fixed::<NotifyPruneOut>(head)?;
    let wanted = usize::try_from(out.count)
        .ok()
        .and_then(|count| count.checked_mul(size_of::<u64>()));
    match wanted == Some(nodes.len()) {
        true => Ok(Notification::Prune(Nodes(nodes))),
        false => Err(NotifyFault::Length),
    }
}

#[cfg(test)]
mod tests;
