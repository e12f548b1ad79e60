// SPDX-License-Identifier: GPL-2.0

//! A connection: typed calls to one server.

pub(crate) mod background;
mod backing;
pub(crate) mod call;
pub(crate) mod folios;
pub(crate) mod forget;
mod generations;
mod interrupt;
mod orphans;
pub(crate) mod outgoing;
pub(crate) mod pieces;
pub(crate) mod polled;
pub(crate) mod request;
pub(crate) mod session;
pub(crate) mod stats;
mod timeout;
pub(crate) mod written;

pub(crate) use self::{
    background::Limit,
    call::{server_error, unsupported},
};

use self::{
    background::Background,
    backing::BackingFiles,
    forget::Forgets,
    orphans::Orphans,
    polled::PolledFile,
    request::{OwnedRequest, Request},
    stats::Stats,
    timeout::Timeout,
    written::Written,
};
use crate::transport::Transport;
use kernel::{
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    seq_file::SeqFile,
    sync::{
        atomic::{Atomic, Full, Relaxed},
        Arc, Mutex, SetOnce,
    },
};
use rfuse_kapi::{
    control_fs::ControlTree,
    handoff::Cache,
    inline_atomic::{InlineAtomic, InlineRmw},
    namespaces::Namespaces,
    temp_pages::Reserve,
    wait::WaitQueue,
    workqueue::Workqueue,
};
use rfuse_proto::{
    flags::InitFlags,
    init::Negotiated,
    lock_owner,
    op::{Caller, Optional, Owner},
    wire::Opcode,
};

/// Pages that are kept so that writing back goes on when memory is short.
const RESERVE: i32 = 64;

/// What all connections share.
pub(crate) struct Engine {
    /// Where requests come from.
    pub(crate) requests: Cache<Request>,
    /// Where everything runs that must sleep.
    pub(crate) workqueue: Arc<Workqueue>,
    /// Pages for what is written back when memory is short.
    reserve: Arc<Reserve>,
    /// Where all connections can be seen.
    pub(crate) control: Arc<ControlTree<Connection>>,
}

impl Engine {
    /// Sets it up. May sleep.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            requests: Cache::new(c"rfuse_request")?,
            workqueue: Arc::new(Workqueue::new(c"rfuse")?, GFP_KERNEL)?,
            reserve: Reserve::new(RESERVE)?,
            control: ControlTree::new()?,
        })
    }
}

/// Life of a connection; it only ever grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
enum Phase {
    /// INIT was not answered yet.
    Connecting = 0,
    /// In use.
    Connected = 1,
    /// The answer to INIT cannot be used.
    Refused = 2,
    /// Cut off, by the administrator or because the transport is gone.
    Aborted = 3,
}

/// A connection to one server.
#[pin_data]
pub(crate) struct Connection {
    engine: Arc<Engine>,
    transport: Arc<dyn Transport>,
    /// In whose numbers the server hears of users and processes.
    ids: Namespaces,
    negotiated: SetOnce<Negotiated>,
    /// Its flags once more, for hot paths; none before.
    flags: Atomic<u64>,
    phase: Atomic<u32>,
    /// For those who wait for the answer to INIT.
    #[pin]
    connecting: WaitQueue,
    unique: Atomic<u64>,
    attr_version: Atomic<u64>,
    /// Bits of [`Optional`] operations that the server lacks.
    missing: Atomic<u32>,
    lock_owners: lock_owner::Key,
    max_read_pages: Atomic<usize>,
    next_kh: Atomic<u64>,
    #[pin]
    polled: Mutex<KVec<Arc<PolledFile>>>,
    #[pin]
    lent: Mutex<BackingFiles>,
    epoch: Atomic<u64>,
    epoch_began: Atomic<u64>,
    /// Its folder of the control file system, if it has one.
    folder: Atomic<u32>,
    /// How many superblocks, and mounts that may become one, use it.
    users: Atomic<usize>,
    /// The server is a process, but no user's.
    is_trusted: Atomic<bool>,
    stats: Stats,
    #[pin]
    timeout: Timeout,
    #[pin]
    written: Written,
    #[pin]
    background: Background,
    #[pin]
    forgets: Forgets,
    #[pin]
    orphans: Orphans,
}

impl Connection {
    /// A connection that has not said INIT yet. May sleep.
    pub(crate) fn new(
        engine: Arc<Engine>,
        transport: Arc<dyn Transport>,
        ids: Namespaces,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                engine,
                transport,
                ids,
                negotiated: SetOnce::new(),
                flags: Atomic::new(0),
                phase: Atomic::new(Phase::Connecting as u32),
                connecting <- WaitQueue::new(),
                unique: Atomic::new(0),
                attr_version: Atomic::new(1),
                missing: Atomic::new(0),
                lock_owners: lock_owner::Key::new(rfuse_kapi::random::words()),
                max_read_pages: Atomic::new(usize::MAX),
                next_kh: Atomic::new(1),
                polled <- new_mutex!(KVec::new()),
                lent <- new_mutex!(BackingFiles::new()),
                epoch: Atomic::new(0),
                epoch_began: Atomic::new(0),
                folder: Atomic::new(0),
                users: Atomic::new(0),
                is_trusted: Atomic::new(false),
                stats: Stats::new()?,
                timeout <- Timeout::new(),
                written <- Written::new(),
                background <- Background::new(),
                forgets <- Forgets::new(),
                orphans <- Orphans::new(),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// What INIT settled; `None` before.
    pub(crate) fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Whether INIT settled on `flag`.
    pub(crate) fn has(&self, flag: InitFlags) -> bool {
        self.flags.read_once() & flag.bits() == flag.bits()
    }

    /// The longest name that the server takes, in bytes.
    pub(crate) fn name_max(&self) -> usize {
        self.negotiated()
            .map_or(0, |negotiated| negotiated.name_max)
    }

    /// The most pages of one request.
    pub(crate) fn max_pages(&self) -> usize {
        self.negotiated()
            .map_or(1, |negotiated| usize::from(negotiated.max_pages))
    }

    /// The most pages of one READ.
    pub(crate) fn read_pages(&self) -> usize {
        self.max_pages().min(self.max_read_pages.read_once())
    }

    /// Bounds what one READ asks for, in bytes.
    pub(crate) fn limit_reads(&self, bytes: usize) {
        self.max_read_pages
            .store((bytes / PAGE_SIZE).max(1), Relaxed);
    }

    /// Whether the server is not to forget a node before it has given up its handles.
    pub(crate) fn needs_order(&self) -> bool {
        self.transport.needs_order()
    }

    /// Whether the server is a process, which anybody may be.
    pub(crate) fn is_to_process(&self) -> bool {
        self.transport.is_to_process()
    }

    /// Has the server waited for, though it is a process: only the system's root can have started it.
    pub(crate) fn trust_server(&self) {
        self.is_trusted.store(true, Relaxed);
    }

    /// Whether unmounting and `sync(2)` wait for the server.
    pub(crate) fn trusts_server(&self) -> bool {
        !self.is_to_process() || self.is_trusted.load(Relaxed)
    }

    /// The most bytes that one WRITE may carry from the byte `pos` on.
    pub(crate) fn max_write(&self, pos: u64) -> usize {
        let Some(negotiated) = self.negotiated() else {
            return PAGE_SIZE;
        };
        match negotiated.flags.contains(InitFlags::BIG_WRITES) {
            true => self.max_reply(pos),
            false => self.max_reply(pos).min(PAGE_SIZE),
        }
    }

    /// The most bytes from the byte `pos` on that the server reads with one request.
    pub(crate) fn max_reply(&self, pos: u64) -> usize {
        let Some(negotiated) = self.negotiated() else {
            return PAGE_SIZE;
        };
        let limit = negotiated.max_write as usize;
        // Bytes that do not begin with a page touch one more.
        let in_page = pos as usize & PAGE_SIZE.wrapping_sub(1);
        let pages = usize::from(negotiated.max_pages).saturating_mul(PAGE_SIZE);
        limit.min(pages.saturating_sub(in_page)).max(1)
    }

    /// Whether the server was found to lack `operation`.
    pub(crate) fn lacks(&self, operation: Optional) -> bool {
        self.missing.read_once() & operation as u32 != 0
    }

    /// The version of attributes as of now: an answer to a question asked at an earlier version than
    /// an inode's is stale.
    pub(crate) fn attr_version(&self) -> u64 {
        self.attr_version.read_once()
    }

    /// Begins a new version of attributes.
    pub(crate) fn next_attr_version(&self) -> u64 {
        self.attr_version.add_relaxed(1).wrapping_add(1)
    }

    /// The number of the epoch of names. Any context.
    #[inline]
    pub(crate) fn epoch_number(&self) -> u64 {
        self.epoch.read_once()
    }

    /// The number of the epoch of names, and the attribute version at which it began.
    pub(crate) fn epoch(&self) -> (u64, u64) {
        (self.epoch.read_once(), self.epoch_began.read_once())
    }

    /// Names that are cached hold no longer.
    pub(crate) fn begin_epoch(&self) {
        self.epoch_began.store(self.next_attr_version(), Relaxed);
        let _ = self.epoch.fetch_add(1, Full);
    }

    /// A superblock, or a mount that may become one, uses it until it [leaves](Self::leave). The first one, or one
    /// beside another that stays.
    pub(crate) fn join(&self) {
        let _ = self.users.fetch_add(1, Relaxed);
    }

    /// As [`Self::join`], unless nobody uses it any more.
    pub(crate) fn join_others(&self) -> bool {
        let mut users = self.users.load(Relaxed);
        while users > 0 {
            match self.users.cmpxchg(users, users.saturating_add(1), Full) {
                Ok(_) => return true,
                Err(other) => users = other,
            }
        }
        false
    }

    /// Ends what [`Self::join`] began. The last one to leave closes it. May sleep.
    pub(crate) fn leave(&self) {
        if self.users.fetch_add(usize::MAX, Full) == 1 {
            self.close();
        }
    }

    /// Is seen in the control file system from now on, in the folder `number`, by the user and group `owner`. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn appear(self: &Arc<Self>, number: u32, owner: Owner) -> Result {
        if self.folder.load(Relaxed) != 0 {
            return Ok(());
        }
        let owner = self.ids.owner(owner.uid, owner.gid);
        self.engine.control.add(number, owner, self)?;
        self.folder.store(number, Relaxed);
        Ok(())
    }

    /// Ends what [`Self::appear`] began: the number may be another's soon. May sleep.
    pub(crate) fn disappear(&self) {
        match self.folder.xchg(0, Full) {
            0 => {}
            number => self.engine.control.remove(number),
        }
    }

    /// Shows the way to the server.
    pub(crate) fn show_transport(&self, m: &SeqFile) {
        self.transport.show(m);
    }

    /// Shows the queues on the way to the server. May sleep.
    pub(crate) fn show_queues(&self, m: &SeqFile) {
        self.transport.show_queues(m);
    }

    /// What has become of it, in a word.
    pub(crate) fn state(&self) -> &'static str {
        match self.phase.load(Relaxed) {
            phase if phase == Phase::Connecting as u32 => "connecting",
            phase if phase == Phase::Connected as u32 => "connected",
            phase if phase == Phase::Refused as u32 => "refused",
            _ => "aborted",
        }
    }

    /// Whether more than one uses it.
    pub(crate) fn is_shared(&self) -> bool {
        self.users.load(Relaxed) > 1
    }

    /// Whether INIT was answered, and the server not cut off since.
    pub(crate) fn is_connected(&self) -> bool {
        self.phase.read_once() == Phase::Connected as u32
    }

    /// Whether the server was cut off.
    pub(crate) fn is_aborted(&self) -> bool {
        self.phase.read_once() == Phase::Aborted as u32
    }

    /// Cuts the server off: everything in flight ends with an error, and nothing more is sent. May
    /// sleep.
    pub(crate) fn abort(&self) {
        self.phase.store(Phase::Aborted as u32, Relaxed);
        self.connecting.wake_all();
        self.transport.abort();
        self.run_background();
    }

    /// Waits until requests may be sent. May sleep.
    ///
    /// # Errors
    ///
    /// `ECONNABORTED`, `ENOTCONN` after the end; `ECONNREFUSED` if the answer to INIT cannot be used; `EINTR` when killed.
    #[inline]
    fn ready(&self, opcode: Opcode) -> Result {
        match self.phase.read_once() == Phase::Connected as u32 {
            true => Ok(()),
            false => self.wait_ready(opcode),
        }
    }

    /// Waits for INIT to be answered: before that nobody knows what the server can do. May sleep if it may.
    ///
    /// # Errors
    ///
    /// `ECHILD` instead of sleeping; `EINTR` when killed.
    #[inline]
    pub(crate) fn wait_init(&self, may_sleep: bool) -> Result {
        match self.phase.read_once() == Phase::Connecting as u32 {
            false => Ok(()),
            true if !may_sleep => Err(ECHILD),
            true => self
                .connecting
                .wait_killable(|| self.phase.load(Relaxed) != Phase::Connecting as u32),
        }
    }

    #[cold]
    fn wait_ready(&self, opcode: Opcode) -> Result {
        let is_connecting = self.phase.load(Relaxed) == Phase::Connecting as u32;
        if opcode == Opcode::Init && is_connecting {
            return Ok(());
        }
        self.wait_init(true)?;
        match self.phase.load(Relaxed) {
            phase if phase == Phase::Connected as u32 => Ok(()),
            phase if phase == Phase::Refused as u32 => Err(ECONNREFUSED),
            // What those who know the device expect of one whose server is gone.
            _ if self.transport.is_to_process() => Err(ENOTCONN),
            _ => Err(ECONNABORTED),
        }
    }

    /// The server cannot be asked at all: who waits for INIT hears of it.
    pub(crate) fn refuse(&self) {
        self.leave_connecting(Phase::Refused);
    }

    /// INIT was answered, well or not.
    fn leave_connecting(&self, phase: Phase) {
        let _ = self
            .phase
            .cmpxchg(Phase::Connecting as u32, phase as u32, Full);
        self.connecting.wake_all();
    }

    /// In whose numbers the server hears of users and processes.
    pub(crate) fn ids(&self) -> &Namespaces {
        &self.ids
    }

    /// Where work is done that nobody waits for.
    pub(crate) fn workqueue(&self) -> &Arc<Workqueue> {
        &self.engine.workqueue
    }

    /// Pages for when memory is short.
    pub(crate) fn reserve(&self) -> &Arc<Reserve> {
        &self.engine.reserve
    }

    /// Whether the server refuses to make a name that exists, so that it need not be looked up before.
    pub(crate) fn refuses_existing(&self) -> bool {
        self.transport.refuses_existing()
    }

    /// What the server is to call the owner of a lock, which has the address `owner`.
    pub(crate) fn lock_owner(&self, owner: usize) -> u64 {
        self.lock_owners.scramble(owner as u64)
    }

    /// The header fields of a request by the current task.
    fn caller(&self) -> Caller {
        Caller {
            unique: self.next_unique(),
            owner: match self.has(InitFlags::ALLOW_IDMAP) {
                true => Owner::INVALID,
                false => {
                    let (uid, gid) = self.ids.current_fsids();
                    Owner { uid, gid }
                }
            },
            pid: self.ids.current_pid(),
        }
    }

    /// Request numbers are even: the lowest bit marks the INTERRUPT for a request.
    fn next_unique(&self) -> u64 {
        self.unique.add_relaxed(2).wrapping_add(2)
    }

    /// The error of a request that never got an answer.
    fn lost(&self, request: &OwnedRequest) -> Error {
        match request.error() {
            Some(error) if error != ENODEV => error,
            _ if self.is_aborted() => ECONNABORTED,
            _ => ENOTCONN,
        }
    }
}
