// SPDX-License-Identifier: GPL-2.0

//! Handles: what the server knows an open file or directory by.

use super::{io_mode::OpenPart, Fs};
use crate::conn::{
    polled::PolledFile,
    request::{Held, Payload},
    Connection,
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{Atomic, Relaxed},
        Arc, SetOnce,
    },
};
use rfuse_kapi::{
    backing_file::{Backing, BackingFile},
    file::OpeningFile,
    inode::Inode,
    poll::{Events, PollTable},
};
use rfuse_proto::{
    flags::{
        InitFlags, FOPEN_CACHE_DIR, FOPEN_DIRECT_IO, FOPEN_KEEP_CACHE, FOPEN_NOFLUSH,
        FOPEN_NONSEEKABLE, FOPEN_PARALLEL_DIRECT_WRITES, FOPEN_PASSTHROUGH, FOPEN_STREAM,
        FSYNC_FDATASYNC,
    },
    op::{self, Optional},
    wire::OpenOut,
};

const O_ACCMODE: u32 = 0o3;
const O_CREAT: u32 = 0o100;
const O_EXCL: u32 = 0o200;
const O_NOCTTY: u32 = 0o400;
const O_TRUNC: u32 = 0o1000;

/// What kind of node is open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandleKind {
    /// A file: OPEN and RELEASE.
    File,
    /// A directory: OPENDIR and RELEASEDIR.
    Dir,
}

/// An open file or directory on the server; dropping it gives it up.
pub(crate) struct Handle {
    conn: Arc<Connection>,
    kind: HandleKind,
    handle: op::Handle,
    open_flags: u32,
    /// The number of the file that the data is in.
    backing_id: i32,
    /// That file.
    pub(super) backing: SetOnce<BackingFile>,
    /// How it reaches the data.
    pub(super) part: OpenPart,
    /// The server said it needs none; there is nothing to give up.
    implied: bool,
    /// The changes of the node's data that the server was told to be over by FLUSH.
    flushed: Atomic<u64>,
    /// Whose locks the server is to drop with it, on the file and on ranges: the address of the open file, 0 for none.
    flock_owner: Atomic<usize>,
    range_owner: Atomic<usize>,
    /// What the server is to say when there is more to be done.
    polled: SetOnce<Arc<PolledFile>>,
    /// The inode, once nobody has it open any more, where the server is not to forget it before RELEASE.
    node: SetOnce<Arc<HeldInode>>,
}

impl Held for Handle {}

/// A reference to an inode.
struct HeldInode {
    _inode: ARef<Inode<Fs>>,
}

impl Held for HeldInode {}

impl Handle {
    /// Opens a node. May sleep.
    ///
    /// # Errors
    ///
    /// The server's.
    pub(crate) fn open(
        conn: &Arc<Connection>,
        kind: HandleKind,
        nodeid: u64,
        flags: u32,
    ) -> Result<Self> {
        let cuts = match conn.has(InitFlags::ATOMIC_O_TRUNC) {
            true => 0,
            false => O_TRUNC,
        };
        let flags = flags & !(O_CREAT | O_EXCL | O_NOCTTY | cuts);
        let (out, implied) = match ask(conn, kind, nodeid, flags) {
            Ok(out) => (out, false),
            Err(ENOSYS) => (
                OpenOut {
                    open_flags: FOPEN_KEEP_CACHE
                        | match kind {
                            HandleKind::File => 0,
                            HandleKind::Dir => FOPEN_CACHE_DIR,
                        },
                    ..OpenOut::default()
                },
                true,
            ),
            Err(error) => return Err(error),
        };
        Ok(Self::new(conn, kind, (nodeid, flags), &out, implied))
    }

    /// What CREATE has opened.
    pub(crate) fn made(conn: &Arc<Connection>, nodeid: u64, flags: u32, out: &OpenOut) -> Self {
        let flags = flags & !(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC);
        Self::new(conn, HandleKind::File, (nodeid, flags), out, false)
    }

    fn new(
        conn: &Arc<Connection>,
        kind: HandleKind,
        (nodeid, flags): (u64, u32),
        out: &OpenOut,
        implied: bool,
    ) -> Self {
        Self {
            conn: conn.clone(),
            kind,
            handle: op::Handle {
                nodeid,
                fh: out.fh,
                flags,
                flock_owner: None,
            },
            open_flags: out.open_flags,
            backing_id: out.backing_id,
            backing: SetOnce::new(),
            part: OpenPart::new(),
            implied,
            flushed: Atomic::new(0),
            flock_owner: Atomic::new(0),
            range_owner: Atomic::new(0),
            polled: SetOnce::new(),
            node: SetOnce::new(),
        }
    }

    /// Asks what of `events` can be done without waiting; `table` is told where to wait for the rest. May sleep.
    pub(crate) fn poll(&self, table: &PollTable<'_>) -> Events {
        const ALWAYS: Events = Events::READ.with(Events::WRITE);
        if self.conn.lacks(Optional::Poll) {
            return ALWAYS;
        }
        let Ok(polled) = self.polled() else {
            return Events::ERROR;
        };
        table.wait_by(&polled.queue);
        let asked = op::Poll {
            nodeid: self.handle.nodeid,
            fh: self.handle.fh,
            kh: polled.kh,
            events: table.requested().bits(),
            schedules: polled.queue.is_active(),
        };
        match self.conn.call_known(asked) {
            Ok(events) => Events::from_bits(events),
            Err(ENOSYS) => ALWAYS,
            Err(_) => Events::ERROR,
        }
    }

    fn polled(&self) -> Result<&PolledFile> {
        if self.polled.as_ref().is_none() {
            let file = self.conn.add_polled()?;
            if !self.polled.populate(file.clone()) {
                // Somebody else was first.
                self.conn.remove_polled(&file);
            }
        }
        self.polled.as_ref().map(|file| &**file).ok_or(EAGAIN)
    }

    /// Nobody has `inode` open any more by this handle. May sleep.
    pub(crate) fn closed(&self, inode: &Inode<Fs>) {
        if self.implied || !self.conn.needs_order() {
            return;
        }
        let held = HeldInode {
            _inode: inode.into(),
        };
        // Without memory the order is left to chance.
        if let Ok(held) = Arc::new(held, GFP_KERNEL) {
            let _ = self.node.populate(held);
        }
    }

    /// The server's number for it, if it gave one.
    pub(crate) fn fh(&self) -> Option<u64> {
        (!self.implied).then_some(self.handle.fh)
    }

    /// Whether it is a directory.
    pub(crate) fn is_dir(&self) -> bool {
        self.kind == HandleKind::Dir
    }

    /// The connection it is open on.
    pub(crate) fn conn(&self) -> &Arc<Connection> {
        &self.conn
    }

    /// What READ and READDIR say of `size` bytes from `offset` on.
    pub(crate) fn range(&self, offset: u64, size: u32) -> op::Range {
        let op::Handle {
            nodeid, fh, flags, ..
        } = self.handle;
        op::Range {
            nodeid,
            fh,
            offset,
            size,
            flags,
        }
    }

    /// What WRITE says of `size` bytes from `offset` on.
    pub(crate) fn write(&self, offset: u64, size: u32, write_flags: u32, flags: u32) -> op::Write {
        op::Write {
            nodeid: self.handle.nodeid,
            fh: self.handle.fh,
            offset,
            size,
            write_flags,
            lock_owner: 0,
            flags,
        }
    }

    /// As [`Self::write`], for what is written back on nobody's behalf.
    pub(crate) fn write_back(&self, offset: u64, size: u32, write_flags: u32) -> op::Write {
        self.write(offset, size, write_flags, self.handle.flags)
    }

    /// Whether it may be written by.
    pub(crate) fn is_writable(&self) -> bool {
        self.handle.flags & O_ACCMODE != 0
    }

    /// What is cached of the file may be used.
    pub(crate) fn keeps_cache(&self) -> bool {
        self.open_flags & FOPEN_KEEP_CACHE != 0
    }

    /// Listings of the directory may be kept.
    pub(crate) fn keeps_listings(&self) -> bool {
        self.open_flags & FOPEN_CACHE_DIR != 0
    }

    /// The data is in a file that the server has lent.
    pub(crate) fn is_backed(&self) -> bool {
        self.open_flags & FOPEN_PASSTHROUGH != 0
    }

    /// The number of that file.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what can be none, and where the server wants what does not go with it.
    pub(super) fn backing_id(&self) -> Result<i32> {
        const FITTING: u32 =
            FOPEN_PASSTHROUGH | FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES | FOPEN_NOFLUSH;
        match self.open_flags & !FITTING {
            0 if self.backing_id > 0 => Ok(self.backing_id),
            _ => Err(EINVAL),
        }
    }

    /// What of it goes to that file. Reads and writes do not if the server is to see them.
    pub(crate) fn backing(&self) -> Option<Backing<'_>> {
        self.backing.as_ref().map(|file| Backing {
            file,
            only_mapped: self.is_direct(),
        })
    }

    /// Reads must not use the page cache.
    pub(crate) fn is_direct(&self) -> bool {
        self.open_flags & FOPEN_DIRECT_IO != 0
    }

    /// Whether several may write at the same time, where the server sees every write as it is made.
    pub(crate) fn writes_in_parallel(&self) -> bool {
        let both = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
        self.open_flags & both == both
    }

    /// The node it is open on, and the server's number for it.
    pub(crate) fn ids(&self) -> (u64, u64) {
        (self.handle.nodeid, self.handle.fh)
    }

    /// Takes note that the node's data has changed `changes` times; whether that is news.
    pub(crate) fn note_changes(&self, changes: u64) -> bool {
        let known = self.flushed.load(Relaxed);
        self.flushed.store(changes, Relaxed);
        known != changes
    }

    /// The open file with this address has been asked to be locked.
    pub(crate) fn note_flock(&self, owner: usize) {
        self.flock_owner.store(owner, Relaxed);
    }

    /// The open file with this address has asked for locks on ranges.
    pub(crate) fn note_file_lock(&self, owner: usize) {
        self.range_owner.store(owner, Relaxed);
    }

    /// Gives up what the open file has locked.
    fn unlock_ranges(&self, owner: usize) {
        let (nodeid, fh) = self.ids();
        self.conn.tell(&op::Setlk(op::LockRequest {
            nodeid,
            fh,
            owner: self.conn.lock_owner(owner),
            lock: op::Lock {
                start: 0,
                end: i64::MAX.unsigned_abs(),
                kind: op::F_UNLCK,
                pid: 0,
            },
            flags: 0,
        }));
    }

    /// Tells the server that a descriptor was closed by the owner of locks with the address `owner`. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// The server's, of writes that it had taken before; a server that lacks the operation has none.
    pub(crate) fn flush(&self, owner: usize) -> Result {
        let Some(operation) = self.flush_operation(owner) else {
            return Ok(());
        };
        match self.conn.call(operation) {
            Err(ENOSYS) => Ok(()),
            other => other,
        }
    }

    /// As [`Self::flush`], where nobody waits for the answer. Does not fail.
    pub(crate) fn flush_unheard(&self, owner: usize) {
        if let Some(operation) = self.flush_operation(owner) {
            self.conn.tell(&operation);
        }
    }

    fn flush_operation(&self, owner: usize) -> Option<op::Flush> {
        if self.open_flags & FOPEN_NOFLUSH != 0 || self.conn.lacks(op::Optional::Flush) {
            return None;
        }
        let (nodeid, fh) = self.ids();
        Some(op::Flush {
            nodeid,
            fh,
            lock_owner: self.conn.lock_owner(owner),
        })
    }

    /// Makes what was written durable. May sleep.
    ///
    /// # Errors
    ///
    /// The server's; a server that lacks the operation has nothing to do.
    pub(crate) fn fsync(&self, datasync: bool) -> Result {
        let target = op::SyncTarget {
            nodeid: self.handle.nodeid,
            fh: self.handle.fh,
            flags: if datasync { FSYNC_FDATASYNC } else { 0 },
        };
        let answer = match self.kind {
            HandleKind::File => self.conn.call_known(op::Fsync(target)),
            HandleKind::Dir => self.conn.call_known(op::Fsyncdir(target)),
        };
        match answer {
            Err(ENOSYS) => Ok(()),
            other => other,
        }
    }

    /// Tells the VFS of the limits that the server set.
    pub(crate) fn restrict(&self, file: &OpeningFile<'_>) {
        if self.open_flags & FOPEN_STREAM != 0 {
            file.set_stream();
        } else if self.open_flags & FOPEN_NONSEEKABLE != 0 {
            file.set_nonseekable();
        }
    }
}

fn ask(conn: &Connection, kind: HandleKind, nodeid: u64, flags: u32) -> Result<OpenOut> {
    match kind {
        HandleKind::File => conn.call_known(op::Open(op::Target { nodeid, flags })),
        HandleKind::Dir => conn.call_known(op::Opendir(op::Target { nodeid, flags })),
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(polled) = self.polled.as_ref() {
            self.conn.remove_polled(polled);
        }
        if self.implied {
            return;
        }
        let owner = |address: usize| (address != 0).then(|| self.conn.lock_owner(address));
        let flock_owner = owner(self.flock_owner.load(Relaxed));
        match self.range_owner.load(Relaxed) {
            0 => {}
            owner => self.unlock_ranges(owner),
        }
        let held = match self.node.as_ref() {
            Some(node) => Payload::held(node.clone()),
            None => Payload::None,
        };
        let handle = op::Handle {
            flock_owner,
            ..self.handle
        };
        match self.kind {
            HandleKind::File => self.conn.release_holding(&op::Release(handle), held),
            HandleKind::Dir => self.conn.release_holding(&op::Releasedir(handle), held),
        }
    }
}
