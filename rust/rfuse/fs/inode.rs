// SPDX-License-Identifier: GPL-2.0

//! Inodes: the server's nodes as the VFS knows them.

use super::{
    dir::DirInodeOps, file::FileInodeOps, io_mode::IoMode, kept::Kept, mount::Fs, read::Pages,
    readdir::DirFileOps, symlink::SymlinkInodeOps, writeback::Writes,
};
use crate::conn::Connection;
use kernel::{
    page::PAGE_SHIFT,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{Atomic, Relaxed},
        Arc, SetOnce,
    },
};
use rfuse_kapi::{
    address_space::AddressSpaceOps,
    file::FileOps,
    iget::{iget5_locked, ilookup5, Iget, NewInode, NewInodeParams},
    inline_atomic::InlineAtomic,
    inode::{FileKind, Inode, InodeAttributes, LentInode},
    inode_operations::InodeOps,
    spin_lock::{new_spinlock, SpinLock},
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
/// Times, sizes and the number of links are old; who may do what is not.
const TOUCHED: u32 = 1 << 3;
/// Another file system of the server is mounted here, whose root has the node id.
const MOUNT_POINT: u32 = 1 << 4;
/// The server has been asked for locks on ranges, which who closes the file gives up.
const LOCKED: u32 = 1 << 5;

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
    /// How long the attributes held when they came, in jiffies.
    valid_for: Atomic<u64>,
    /// Until when the node is known to have no capabilities, in jiffies.
    no_capability_until: Atomic<u64>,
    /// How often its data was changed from here.
    changes: Atomic<u64>,
    #[pin]
    state: SpinLock<State>,
    /// What is kept of the listings of a directory.
    kept: SetOnce<Arc<Kept>>,
    /// What is written back.
    #[pin]
    pub(crate) writes: Writes,
    /// How open files reach the data.
    #[pin]
    pub(super) io_mode: IoMode,
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
            valid_for: Atomic::new(0),
            no_capability_until: Atomic::new(0),
            changes: Atomic::new(0),
            kept: SetOnce::new(),
            state <- new_spinlock!(State {
                nlookup: 0,
                attr_version: 0,
                dropped_at: 0,
                btime: None,
                mtime: Time::default(),
            }),
            writes <- Writes::new(),
            io_mode <- IoMode::new(),
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

    /// Whether times, sizes or the number of links must be asked for again, as the attributes hold only in
    /// part.
    pub(crate) fn is_touched(&self) -> bool {
        self.has(TOUCHED)
    }

    /// A number that grows with each change of the data from here.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.read_once()
    }

    /// Sets until when the attributes hold.
    fn hold_attributes(&self, valid: Timeout) {
        if self.has(TOUCHED) {
            self.change(TOUCHED, false);
        }
        self.valid_until.write_once(deadline(valid));
        let ticks = match valid.as_nanos() {
            nanos @ (0 | u64::MAX) => nanos,
            nanos => nsecs_to_jiffies64(nanos),
        };
        self.valid_for.write_once(ticks);
    }

    /// When the node's data or names were changed last, as the server says.
    pub(crate) fn mtime(&self) -> Time {
        self.state.lock().mtime
    }

    /// What is kept of listings; `None` while somebody else begins to keep them. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn kept(&self) -> Result<Option<&Kept>> {
        if self.kept.as_ref().is_none() {
            let _ = self.kept.populate(Kept::new()?);
        }
        Ok(self.kept.as_ref().map(|kept| &**kept))
    }

    /// Names of the directory were changed from here.
    pub(crate) fn change_names(&self, conn: &Connection) {
        let _ = self.changes.fetch_add(1, Relaxed);
        self.touch(conn);
    }

    /// Something about the node has changed: the attributes must be asked for again, and answers to
    /// questions asked before are stale.
    pub(crate) fn expire_attributes(&self, conn: &Connection) {
        let mut state = self.state.lock();
        state.attr_version = conn.next_attr_version();
        self.valid_until.store(0, Relaxed);
    }

    /// As [`Self::expire_attributes`], where neither type, mode nor owner have changed.
    pub(crate) fn touch(&self, conn: &Connection) {
        self.touch_locked(&mut self.state.lock(), conn);
    }

    fn touch_locked(&self, state: &mut State, conn: &Connection) {
        state.attr_version = conn.next_attr_version();
        if !self.has(TOUCHED) {
            self.change(TOUCHED, true);
        }
    }

    /// A name of the node is gone.
    pub(crate) fn drop_link(&self, conn: &Connection, inode: &LentInode<Fs>) {
        let mut state = self.state.lock();
        self.touch_locked(&mut state, conn);
        inode.drop_link();
    }

    /// Whether the node is known to have no capabilities (`security.capability`). That is believed as
    /// long as attributes are: the kernel asks before each write.
    pub(crate) fn is_without_capability(&self) -> bool {
        !expired(self.no_capability_until.read_once())
    }

    /// Notes whether the node is known to have no capabilities.
    pub(crate) fn note_without_capability(&self, known: bool) {
        let until = match (known, self.valid_for.read_once()) {
            (false, _) | (_, 0) => 0,
            (_, ticks) => jiffies64().saturating_add(ticks),
        };
        self.no_capability_until.store(until, Relaxed);
    }

    /// Somebody has asked for a lock on a range.
    pub(crate) fn note_locked(&self) {
        if !self.has(LOCKED) {
            self.change(LOCKED, true);
        }
    }

    /// Whether the server may keep locks on ranges of the file.
    pub(crate) fn may_be_locked(&self) -> bool {
        self.has(LOCKED)
    }

    /// Whether another file system of the server is mounted here.
    pub(crate) fn is_mount_point(&self) -> bool {
        self.has(MOUNT_POINT)
    }

    /// Whether the inode is found by `nodeid`: the number of a mount point is its root's.
    fn is_found_by(&self, nodeid: u64) -> bool {
        self.nodeid() == nodeid && !self.has(BAD | MOUNT_POINT)
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
        self.ino.write_once(attributes.ino);
        self.blksize.write_once(attributes.blksize);
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
        if !owns_changes(inode) && state.attr_version <= asked_at && inode.size() > size {
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

/// `owned` says that times of changes are kept here.
fn vfs_attributes(attributes: &Attributes, owned: bool) -> InodeAttributes {
    let changed = |time| (!owned).then(|| timespec(time));
    InodeAttributes {
        perm: attributes.mode & 0o7777,
        nlink: attributes.nlink,
        uid: attributes.uid,
        gid: attributes.gid,
        atime: timespec(attributes.atime),
        mtime: changed(attributes.mtime),
        ctime: changed(attributes.ctime),
        blocks: attributes.blocks,
    }
}

/// Whether writes stay in the page cache, so that size and times of changes are kept here.
pub(crate) fn owns_changes(inode: &LentInode<Fs>) -> bool {
    inode.kind() == FileKind::Regular && inode.super_data().conn.has(InitFlags::WRITEBACK_CACHE)
}

/// The type bits of a mode that was validated.
fn kind(attributes: &Attributes) -> FileKind {
    FileKind::from_mode(attributes.mode.into()).unwrap_or(FileKind::Socket)
}

/// Applies an answer to an inode. May sleep: the page cache follows the file's size and time.
pub(crate) fn update(inode: &Inode<Fs>, fresh: &Fresh<'_>) {
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    let attributes = fresh.attributes;
    let owned = owns_changes(inode);
    let (old_size, old_mtime) = {
        let mut state = node.state.lock();
        if state.attr_version > fresh.asked_at {
            return;
        }
        state.attr_version = conn.next_attr_version();
        let old = (inode.size(), state.mtime);
        node.absorb(&mut state, attributes);
        inode.set_attributes(&vfs_attributes(attributes, owned));
        if !owned && (inode.kind() == FileKind::Regular || old.0 != attributes.size) {
            inode.i_size_write(attributes.size);
        }
        node.hold_attributes(fresh.valid);
        old
    };
    let touched = old_mtime != attributes.mtime;
    match inode.kind() {
        FileKind::Regular if !owned => follow_size(inode, old_size, attributes.size, touched),
        // A target that is kept may be another one now.
        FileKind::Symlink if touched => drop_pages(inode, 0),
        _ => {}
    }
}

/// A change of the size that was made, and which the page cache is to follow.
#[must_use]
pub(crate) struct Resized {
    old: u64,
    new: u64,
}

impl Resized {
    /// Makes the page cache follow: what lies behind the end goes, and what was behind the old end is zero.
    /// Waits for locked folios, hence not inside of a [`Barrier`](super::writeback::Barrier): who has one
    /// locked may wait for what the barrier holds back. May sleep.
    pub(crate) fn apply(self, inode: &Inode<Fs>) {
        let end = self.old.min(self.new);
        if self.old == self.new {
            return;
        }
        drop_pages(inode, end);
        if inode.mapping().has_dirty_pages() {
            // Pages that differ from the server's are not dropped above.
            inode.truncate_pagecache(i64::try_from(end).unwrap_or(i64::MAX));
        }
    }
}

/// Waits for what [`Resized::apply`] would wait for, as long as the caller is not killed. May sleep.
///
/// # Errors
///
/// `EINTR` when killed.
pub(crate) fn prepare_resize(inode: &Inode<Fs>, new: u64) -> Result {
    if !inode.mapping().has_dirty_pages() {
        return Ok(());
    }
    let end = i64::try_from(inode.size().min(new)).unwrap_or(i64::MAX);
    inode.mapping().wait_for_readers(end, i64::MAX)
}

/// Applies what the server says of a change that it was asked for; `resized` says that the size is a part of
/// it. May sleep.
pub(crate) fn changed(inode: &Inode<Fs>, fresh: &Fresh<'_>, resized: bool) -> Resized {
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    let attributes = fresh.attributes;
    let owned = owns_changes(inode);
    let follows = inode.kind() == FileKind::Regular && (resized || !owned);
    let old_size = {
        let mut state = node.state.lock();
        let overtaken = state.attr_version > fresh.asked_at;
        state.attr_version = conn.next_attr_version();
        node.absorb(&mut state, attributes);
        inode.set_attributes(&vfs_attributes(attributes, owned));
        let old_size = inode.size();
        if follows {
            inode.i_size_write(attributes.size);
        }
        // Something else has changed meanwhile: this is right, but not all.
        node.hold_attributes(match overtaken {
            true => Timeout::ZERO,
            false => fresh.valid,
        });
        old_size
    };
    Resized {
        old: old_size,
        new: if follows { attributes.size } else { old_size },
    }
}

/// The file was cut to nothing by OPEN. May sleep.
pub(crate) fn cut(inode: &Inode<Fs>) -> Resized {
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    let old_size = {
        let mut state = node.state.lock();
        node.touch_locked(&mut state, conn);
        let _ = node.changes.fetch_add(1, Relaxed);
        let old_size = inode.size();
        inode.i_size_write(0);
        old_size
    };
    Resized {
        old: old_size,
        new: 0,
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

impl Node {
    /// The server took a write that ended at the byte `end`.
    pub(crate) fn wrote(&self, inode: &LentInode<Fs>, end: u64) {
        let conn = &inode.super_data().conn;
        let _ = self.changes.fetch_add(1, Relaxed);
        let mut state = self.state.lock();
        self.touch_locked(&mut state, conn);
        if end > inode.size() {
            inode.i_size_write(end);
        }
    }
}

/// Drops the cached pages of the bytes from `start` up to and without `end`, as [`drop_pages`] does.
pub(crate) fn drop_range(inode: &Inode<Fs>, start: u64, end: u64) {
    if inode.mapping().nrpages() == 0 || start >= end {
        return;
    }
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    {
        let mut state = node.state.lock();
        state.dropped_at = conn.next_attr_version();
    }
    let page = |byte: u64| usize::try_from(byte).map_or(usize::MAX, |byte| byte >> PAGE_SHIFT);
    inode
        .mapping()
        .invalidate_unlocked_range(page(start), page(end.saturating_sub(1)));
}

/// Drops cached pages of a file from `start` on, in bytes. Those that are being read are dropped when
/// they have come: a server that never answers a READ must not hold those who did not ask for it. May
/// sleep.
pub(crate) fn drop_pages(inode: &Inode<Fs>, start: u64) {
    drop_range(inode, start, u64::MAX);
}

/// Whether an inode in the cache is the node that the server means.
pub(crate) fn same_node(inode: &LentInode<Fs>, generation: u64, attributes: &Attributes) -> bool {
    inode.data().nodeid() == ROOT_ID
        || (inode.generation() == generation as u32 && inode.kind() == kind(attributes))
}

/// The inode of a node, if it is cached. May sleep, to wait for one that comes or goes.
pub(crate) fn find(sb: &SuperBlock<Fs>, nodeid: u64) -> Option<ARef<Inode<Fs>>> {
    ilookup5(sb, nodeid, |inode| inode.data().is_found_by(nodeid))
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
    match fresh.attributes.is_mount_point() {
        true => mount_point(sb, nodeid, generation, fresh),
        false => inside(sb, nodeid, generation, fresh),
    }
}

/// The inode of a name that another file system of the server is to be mounted on. Each such name has its
/// own: the same one may be mounted on several.
fn mount_point(
    sb: &SuperBlock<Fs>,
    nodeid: u64,
    generation: u64,
    fresh: &Fresh<'_>,
) -> Result<ARef<Inode<Fs>>> {
    let found = iget5_locked(
        sb,
        nodeid,
        |_| false,
        |inode| {
            inode.data().nodeid.store(nodeid, Relaxed);
            inode.data().change(MOUNT_POINT, true);
        },
    )?;
    let Iget::New(new) = found else {
        return Err(EIO);
    };
    let inode = make(new, generation, fresh);
    inode.data().looked_up();
    Ok(inode)
}

/// As [`iget`], for a node of this file system, be it one that is mounted elsewhere. May sleep.
///
/// # Errors
///
/// As there.
pub(crate) fn inside(
    sb: &SuperBlock<Fs>,
    nodeid: u64,
    generation: u64,
    fresh: &Fresh<'_>,
) -> Result<ARef<Inode<Fs>>> {
    loop {
        let found = iget5_locked(
            sb,
            nodeid,
            |inode| inode.data().is_found_by(nodeid),
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

/// The order of the largest folio: one request fills it.
pub(crate) fn max_order(conn: &Connection) -> u32 {
    conn.read_pages().checked_ilog2().unwrap_or(0)
}

/// Completes an inode nobody has seen yet.
fn make(new: NewInode<Fs>, generation: u64, fresh: &Fresh<'_>) -> ARef<Inode<Fs>> {
    let conn = &new.super_data().conn;
    let kind = kind(fresh.attributes);
    let is_mount_point = {
        let node = new.data();
        let mut state = node.state.lock();
        state.attr_version = conn.next_attr_version();
        node.absorb(&mut state, fresh.attributes);
        node.hold_attributes(fresh.valid);
        node.is_mount_point()
    };
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
    let writeback_may_deadlock = new.super_data().options.writes_in_place;
    let keeps_cmtime = kind == FileKind::Regular && conn.has(InitFlags::WRITEBACK_CACHE);
    let max_order = max_order(conn);
    new.init(&NewInodeParams {
        ino: fresh.attributes.ino,
        kind,
        automount: is_mount_point,
        rdev: (fresh.attributes.rdev.major, fresh.attributes.rdev.minor),
        generation: generation as u32,
        size: fresh.attributes.size,
        attributes: &vfs_attributes(fresh.attributes, false),
        keeps_cmtime,
        writeback_may_deadlock,
        iops,
        fops,
        aops,
        large_folios: Some(max_order),
    })
}
