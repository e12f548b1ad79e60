// SPDX-License-Identifier: GPL-2.0

//! Inodes: the server's nodes as the VFS knows them.

use super::{
    dir::DirInodeOps, file::FileInodeOps, mount::Fs, read::Pages, readdir::DirFileOps,
    symlink::SymlinkInodeOps,
};
use kernel::{
    new_spinlock,
    page::PAGE_SHIFT,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{Atomic, Relaxed},
        SpinLock,
    },
};
use rfuse_kapi::{
    address_space::AddressSpaceOps,
    file::FileOps,
    iget::{iget5_locked, Iget, NewInode, NewInodeParams},
    inode::{FileKind, Inode, InodeAttributes, LentInode},
    inode_operations::InodeOps,
    read_once::ReadOnce,
    super_block::SuperBlock,
    time::{jiffies64, nsecs_to_jiffies64, Timespec},
};
use rfuse_proto::{
    attr::{Attributes, Time, Timeout},
    flags::InitFlags,
};

/// The node id of the root.
pub(crate) const ROOT_ID: u64 = 1;

/// The node id is another node's by now: everything but eviction fails.
const BAD: u32 = 1 << 0;
/// Names of this directory were looked up: listing it with attributes pays.
const ADVISE_PLUS: u32 = 1 << 1;
/// The inode came with a listing, and was not used yet.
const FROM_LISTING: u32 = 1 << 2;

/// What the spin lock of a node protects.
pub(crate) struct State {
    /// How often the server counts the node as looked up.
    nlookup: u64,
    /// The version of the attributes; an answer to an earlier question is stale.
    attr_version: u64,
    /// The version of attributes at which cached pages were dropped.
    dropped_at: u64,
    btime: Option<Time>,
    mtime: Time,
}

/// What an inode knows of its node, beside what the VFS keeps.
#[pin_data]
pub(crate) struct Node {
    nodeid: Atomic<u64>,
    flags: Atomic<u32>,
    /// Until when the attributes hold, in jiffies.
    valid_until: Atomic<u64>,
    /// The inode number to show.
    ino: Atomic<u64>,
    /// The preferred size of I/O to show, in bytes; 0 for the file system's.
    blksize: Atomic<u32>,
    #[pin]
    state: SpinLock<State>,
}

/// An answer about a node: its attributes, and when the question was asked.
pub(crate) struct Fresh<'a> {
    /// The attributes.
    pub(crate) attributes: &'a Attributes,
    /// How long they hold.
    pub(crate) valid: Timeout,
    /// [`Connection::attr_version`](crate::conn::Connection::attr_version) before the question.
    pub(crate) asked_at: u64,
}

/// The time at which something that holds for `timeout` no longer does, in jiffies.
pub(crate) fn deadline(timeout: Timeout) -> u64 {
    match timeout.as_nanos() {
        0 => 0,
        u64::MAX => u64::MAX,
        nanos => jiffies64().saturating_add(nsecs_to_jiffies64(nanos)),
    }
}

/// Whether a [`deadline`] has passed.
pub(crate) fn expired(deadline: u64) -> bool {
    deadline != u64::MAX && deadline <= jiffies64()
}

impl Node {
    /// A node that stands for nothing yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            nodeid: Atomic::new(0),
            flags: Atomic::new(0),
            valid_until: Atomic::new(0),
            ino: Atomic::new(0),
            blksize: Atomic::new(0),
            state <- new_spinlock!(State {
                nlookup: 0,
                attr_version: 0,
                dropped_at: 0,
                btime: None,
                mtime: Time::default(),
            }),
        })
    }

    /// The server's number for it.
    pub(crate) fn nodeid(&self) -> u64 {
        self.nodeid.read_once()
    }

    fn has(&self, flag: u32) -> bool {
        self.flags.read_once() & flag != 0
    }

    /// Sets or clears `flag`; whether it was set before.
    fn change(&self, flag: u32, set: bool) -> bool {
        let mut old = self.flags.load(Relaxed);
        loop {
            let new = if set { old | flag } else { old & !flag };
            if new == old {
                break;
            }
            match self.flags.cmpxchg(old, new, Relaxed) {
                Ok(_) => break,
                Err(now) => old = now,
            }
        }
        old & flag != 0
    }

    /// # Errors
    ///
    /// `EIO` if the node id went to another node.
    pub(crate) fn check(&self) -> Result {
        match self.has(BAD) {
            true => Err(EIO),
            false => Ok(()),
        }
    }

    /// Notes that a name of this directory was looked up.
    pub(crate) fn advise_plus(&self) {
        self.change(ADVISE_PLUS, true);
    }

    /// Whether listing with attributes pays; asks anew each time.
    pub(crate) fn take_plus_advice(&self) -> bool {
        self.has(ADVISE_PLUS) && self.change(ADVISE_PLUS, false)
    }

    /// Notes that the inode came with a listing.
    pub(crate) fn mark_from_listing(&self) {
        self.change(FROM_LISTING, true);
    }

    /// Whether this is the first use of an inode that came with a listing.
    pub(crate) fn take_from_listing(&self) -> bool {
        self.has(FROM_LISTING) && self.change(FROM_LISTING, false)
    }

    /// Whether the attributes must be asked for again.
    pub(crate) fn attributes_expired(&self) -> bool {
        expired(self.valid_until.read_once())
    }

    /// The inode number to show, and the preferred size of I/O in bytes, 0 for the file system's.
    pub(crate) fn shown(&self) -> (u64, u32) {
        (self.ino.read_once(), self.blksize.read_once())
    }

    /// The time of birth, if it is known.
    pub(crate) fn btime(&self) -> Option<Time> {
        self.state.lock().btime
    }

    /// Takes over what the VFS has no place for.
    fn absorb(&self, state: &mut State, attributes: &Attributes) {
        self.ino.store(attributes.ino, Relaxed);
        self.blksize.store(attributes.blksize, Relaxed);
        state.mtime = attributes.mtime;
        if attributes.btime.is_some() {
            state.btime = attributes.btime;
        }
    }

    /// Whether cached pages were dropped since the version `asked_at` of attributes.
    pub(crate) fn dropped_since(&self, asked_at: u64) -> bool {
        self.state.lock().dropped_at > asked_at
    }

    /// Counts a lookup by the server.
    pub(crate) fn looked_up(&self) {
        let mut state = self.state.lock();
        state.nlookup = state.nlookup.saturating_add(1);
    }

    /// The lookups to give back with the inode.
    pub(crate) fn take_lookups(&self) -> u64 {
        core::mem::take(&mut self.state.lock().nlookup)
    }

    /// Ends a file at `size` where a read said so, if nothing newer is known since `asked_at`.
    pub(crate) fn end_at(&self, inode: &LentInode<Fs>, size: u64, asked_at: u64) {
        let state = self.state.lock();
        if state.attr_version <= asked_at && inode.size() > size {
            inode.i_size_write(size);
        }
    }
}

/// Time stamps of the protocol, as the VFS has them.
pub(crate) fn timespec(time: Time) -> Timespec {
    Timespec {
        sec: time.sec,
        nsec: time.nsec,
    }
}

fn vfs_attributes(attributes: &Attributes) -> InodeAttributes {
    InodeAttributes {
        perm: attributes.mode & 0o7777,
        nlink: attributes.nlink,
        uid: attributes.uid,
        gid: attributes.gid,
        atime: timespec(attributes.atime),
        mtime: timespec(attributes.mtime),
        ctime: timespec(attributes.ctime),
        blocks: attributes.blocks,
    }
}

/// The type bits of a mode that was validated.
fn kind(attributes: &Attributes) -> FileKind {
    FileKind::from_mode(attributes.mode.into()).unwrap_or(FileKind::Socket)
}

/// Applies an answer to an inode. May sleep: the page cache follows the file's size and time.
pub(crate) fn update(inode: &Inode<Fs>, fresh: &Fresh<'_>) {
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    let attributes = fresh.attributes;
    let (old_size, old_mtime) = {
        let mut state = node.state.lock();
        if state.attr_version > fresh.asked_at {
            return;
        }
        state.attr_version = conn.next_attr_version();
        let old = (inode.size(), state.mtime);
        node.absorb(&mut state, attributes);
        inode.set_attributes(&vfs_attributes(attributes));
        if inode.kind() == FileKind::Regular || old.0 != attributes.size {
            inode.i_size_write(attributes.size);
        }
        node.valid_until.store(deadline(fresh.valid), Relaxed);
        old
    };
    if inode.kind() == FileKind::Regular {
        let touched = old_mtime != attributes.mtime;
        follow_size(inode, old_size, attributes.size, touched);
    }
}

/// Drops cached pages of a file that changed on the server.
fn follow_size(inode: &Inode<Fs>, old: u64, new: u64, touched: bool) {
    let conn = &inode.super_data().conn;
    let changed = match conn.has(InitFlags::AUTO_INVAL_DATA) {
        true => old != new || touched,
        false => old != new && !conn.has(InitFlags::EXPLICIT_INVAL_DATA),
    };
    match (changed, old != new) {
        (true, _) => drop_pages(inode, 0),
        // The page that the file ends in has the old content behind the end.
        (false, true) => drop_pages(inode, new),
        (false, false) => {}
    }
}

/// Drops cached pages of a file from `start` on, in bytes. Those that are being read are dropped when
/// they have come: a server that never answers a READ must not hold those who did not ask for it. May
/// sleep.
pub(crate) fn drop_pages(inode: &Inode<Fs>, start: u64) {
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    {
        let mut state = node.state.lock();
        state.dropped_at = conn.next_attr_version();
    }
    let first = usize::try_from(start).map_or(usize::MAX, |start| start >> PAGE_SHIFT);
    inode.mapping().invalidate_unlocked_range(first, usize::MAX);
}

/// Whether an inode in the cache is the node that the server means.
pub(crate) fn same_node(inode: &LentInode<Fs>, generation: u64, attributes: &Attributes) -> bool {
    inode.data().nodeid() == ROOT_ID
        || (inode.generation() == generation as u32 && inode.kind() == kind(attributes))
}

/// The inode of a node that the server has just counted as looked up (but for the root). May sleep.
///
/// # Errors
///
/// `ENOMEM`; then the lookup was not taken over.
pub(crate) fn iget(
    sb: &SuperBlock<Fs>,
    nodeid: u64,
    generation: u64,
    fresh: &Fresh<'_>,
) -> Result<ARef<Inode<Fs>>> {
    loop {
        let found = iget5_locked(
            sb,
            nodeid,
            |inode| inode.data().nodeid() == nodeid && !inode.data().has(BAD),
            |inode| inode.data().nodeid.store(nodeid, Relaxed),
        )?;
        let inode = match found {
            Iget::New(new) => make(new, generation, fresh),
            Iget::Found(inode) if same_node(&inode, generation, fresh.attributes) => {
                update(&inode, fresh);
                inode
            }
            Iget::Found(stale) => {
                make_bad(&stale);
                continue;
            }
        };
        if nodeid != ROOT_ID {
            inode.data().looked_up();
        }
        return Ok(inode);
    }
}

/// The server uses the node id for another node: the inode is no longer found, and fails.
pub(crate) fn make_bad(inode: &LentInode<Fs>) {
    inode.data().change(BAD, true);
    inode.remove_inode_hash();
}

/// Completes an inode nobody has seen yet.
fn make(new: NewInode<Fs>, generation: u64, fresh: &Fresh<'_>) -> ARef<Inode<Fs>> {
    let conn = &new.super_data().conn;
    let kind = kind(fresh.attributes);
    {
        let node = new.data();
        let mut state = node.state.lock();
        state.attr_version = conn.next_attr_version();
        node.absorb(&mut state, fresh.attributes);
        node.valid_until.store(deadline(fresh.valid), Relaxed);
    }
    let (iops, fops, aops) = match kind {
        FileKind::Directory => (
            InodeOps::of::<DirInodeOps>(),
            Some(FileOps::of::<DirFileOps>()),
            None,
        ),
        FileKind::Symlink => (InodeOps::of::<SymlinkInodeOps>(), None, None),
        FileKind::Regular => (
            InodeOps::of::<FileInodeOps>(),
            None,
            Some(AddressSpaceOps::of::<Pages>()),
        ),
        _ => (InodeOps::of::<FileInodeOps>(), None, None),
    };
    let max_order = conn.max_pages().checked_ilog2().unwrap_or(0);
    new.init(&NewInodeParams {
        ino: fresh.attributes.ino,
        kind,
        rdev: (fresh.attributes.rdev.major, fresh.attributes.rdev.minor),
        generation: generation as u32,
        size: fresh.attributes.size,
        attributes: &vfs_attributes(fresh.attributes),
        iops,
        fops,
        aops,
        large_folios: Some(max_order),
    })
}
