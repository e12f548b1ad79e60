// SPDX-License-Identifier: GPL-2.0

//! Notifications: what a server sends unasked, with `unique` 0 and the code in `error`.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Kind of a notification.
///
/// `enum fuse_notify_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum NotifyCode {
    /// Wakes the pollers of a handle.
    Poll = 1,
    /// Invalidates attributes or data of a node.
    InvalInode = 2,
    /// Invalidates a name.
    InvalEntry = 3,
    /// Puts data into the page cache.
    Store = 4,
    /// Asks for data of the page cache.
    Retrieve = 5,
    /// Tells that a name was removed.
    Delete = 6,
    /// Asks for all unanswered requests again.
    Resend = 7,
    /// Invalidates all names.
    IncEpoch = 8,
    /// Asks to forget unused nodes.
    Prune = 9,
}

impl NotifyCode {
    /// The kind with that number, if the protocol has one.
    pub fn from_raw(code: i32) -> Option<Self> {
        Some(match code {
            1 => Self::Poll,
            2 => Self::InvalInode,
            3 => Self::InvalEntry,
            4 => Self::Store,
            5 => Self::Retrieve,
            6 => Self::Delete,
            7 => Self::Resend,
            8 => Self::IncEpoch,
            9 => Self::Prune,
            _ => return None,
        })
    }
}

/// Body of a POLL notification.
///
/// `struct fuse_notify_poll_wakeup_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct NotifyPollWakeupOut {
    /// Handle that POLL gave.
    pub kh: u64,
}

/// Body of an INVAL_INODE notification.
///
/// `struct fuse_notify_inval_inode_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct NotifyInvalInodeOut {
    /// Node.
    pub ino: u64,
    /// First byte; below 0 for the attributes alone.
    pub off: i64,
    /// Length in bytes; 0 or less for all up to the end.
    pub len: i64,
}

/// Body of an INVAL_ENTRY notification; the name and a NUL follow.
///
/// `struct fuse_notify_inval_entry_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct NotifyInvalEntryOut {
    /// Node of the directory.
    pub parent: u64,
    /// Length of the name in bytes, without the NUL.
    pub namelen: u32,
    /// `EXPIRE_ONLY` of [`flags`](crate::flags).
    pub flags: u32,
}

/// Body of a DELETE notification; the name and a NUL follow.
///
/// `struct fuse_notify_delete_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct NotifyDeleteOut {
    /// Node of the directory.
    pub parent: u64,
    /// Node that had the name.
    pub child: u64,
    /// Length of the name in bytes, without the NUL.
    pub namelen: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of a STORE notification; the data follow.
///
/// `struct fuse_notify_store_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct NotifyStoreOut {
    /// Node.
    pub nodeid: u64,
    /// Offset in bytes.
    pub offset: u64,
    /// Length of the data in bytes.
    pub size: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of a RETRIEVE notification.
///
/// `struct fuse_notify_retrieve_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct NotifyRetrieveOut {
    /// `unique` of the NOTIFY_REPLY to send.
    pub notify_unique: u64,
    /// Node.
    pub nodeid: u64,
    /// Offset in bytes.
    pub offset: u64,
    /// Most bytes wanted.
    pub size: u32,
    /// Zero.
    pub padding: u32,
}

/// Body of NOTIFY_REPLY; the data follow.
///
/// `struct fuse_notify_retrieve_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct NotifyRetrieveIn {
    /// Zero.
    pub dummy1: u64,
    /// Offset in bytes.
    pub offset: u64,
    /// Length of the data in bytes.
    pub size: u32,
    /// Zero.
    pub dummy2: u32,
    /// Zero.
    pub dummy3: u64,
    /// Zero.
    pub dummy4: u64,
}

/// Body of a PRUNE notification; `count` node ids follow.
///
/// `struct fuse_notify_prune_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct NotifyPruneOut {
    /// Number of node ids that follow.
    pub count: u32,
    /// Zero.
    pub padding: u32,
    /// Zero.
    pub spare: u64,
}
