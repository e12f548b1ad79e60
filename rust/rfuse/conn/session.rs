// SPDX-License-Identifier: GPL-2.0

//! Beginning and end of a connection.

use super::{
    request::{Completion, Payload},
    Connection, Limit, Phase,
};
use kernel::{page::PAGE_SIZE, prelude::*, sync::atomic::Relaxed, time::Delta};
use rfuse_kapi::handoff::Gfp;
use rfuse_proto::{
    flags::InitFlags,
    init::{InitFault, Negotiated, Offer},
    op,
    wire::InitOut,
};

/// What the client can do so far.
const FLAGS: InitFlags = InitFlags::ASYNC_READ
    .union(InitFlags::POSIX_LOCKS)
    .union(InitFlags::FLOCK_LOCKS)
    .union(InitFlags::ATOMIC_O_TRUNC)
    .union(InitFlags::EXPORT_SUPPORT)
    .union(InitFlags::BIG_WRITES)
    .union(InitFlags::WRITEBACK_CACHE)
    .union(InitFlags::HAS_IOCTL_DIR)
    .union(InitFlags::AUTO_INVAL_DATA)
    .union(InitFlags::EXPLICIT_INVAL_DATA)
    .union(InitFlags::DO_READDIRPLUS)
    .union(InitFlags::READDIRPLUS_AUTO)
    .union(InitFlags::ASYNC_DIO)
    .union(InitFlags::PARALLEL_DIROPS)
    // Servers confirm POSIX_ACL only together with the next two.
    .union(InitFlags::POSIX_ACL)
    .union(InitFlags::DONT_MASK)
    .union(InitFlags::SETXATTR_EXT)
    .union(InitFlags::MAX_PAGES)
    .union(InitFlags::CACHE_SYMLINKS)
    .union(InitFlags::NO_OPEN_SUPPORT)
    .union(InitFlags::NO_OPENDIR_SUPPORT)
    .union(InitFlags::HANDLE_KILLPRIV)
    .union(InitFlags::HANDLE_KILLPRIV_V2)
    .union(InitFlags::CREATE_SUPP_GROUP)
    .union(InitFlags::SUBMOUNTS)
    .union(InitFlags::SECURITY_CTX)
    .union(InitFlags::NO_EXPORT_SUPPORT)
    .union(InitFlags::ALLOW_IDMAP)
    .union(InitFlags::DIRECT_IO_ALLOW_MMAP)
    .union(InitFlags::REQUEST_TIMEOUT)
    .union(InitFlags::INIT_EXT);

/// What it can do beside that for a server that can tell it something. SPLICE_READ and SPLICE_WRITE are not among
/// it: splice(2) works, but reading and writing are faster, as all is copied.
const NOTIFYING_FLAGS: InitFlags = InitFlags::ABORT_ERROR
    .union(InitFlags::HAS_EXPIRE_ONLY)
    .union(InitFlags::PASSTHROUGH)
    .union(InitFlags::HAS_RESEND);

/// The most pages of a request (1 MiB), as the C client's `fs.fuse.max_pages_limit`.
const MAX_PAGES: usize = 256;

/// Readahead covers this many of the largest requests, so that several are in flight.
const READAHEAD_REQUESTS: usize = 4;

/// How often the end of what is in flight is looked for, in milliseconds.
const DRAIN_STEP: i64 = 1;

/// How long answers that nobody waits for may take at the end, and what is in flight after DESTROY, in steps.
const DRAIN_STEPS: usize = 500;

/// Why there is no connection.
pub(crate) enum InitError {
    /// The server could not be asked, or refused.
    Call(Error),
    /// Its answer cannot be used.
    Fault(InitFault),
}

impl Connection {
    /// Says INIT and settles what the answer allows. May sleep.
    ///
    /// # Errors
    ///
    /// Why the connection cannot be used; those who wait for it hear of it.
    pub(crate) fn init(&self) -> Result<(), InitError> {
        let settled = self.say_init();
        self.leave_connecting(match settled {
            Ok(()) => Phase::Connected,
            Err(_) => Phase::Refused,
        });
        settled
    }

    fn say_init(&self) -> Result<(), InitError> {
        let offer = self.offer();
        let operation = op::Init {
            offer: offer.body(),
        };
        let (len, payload) = room()
            .and_then(|room| self.call_with(operation, room))
            .map_err(InitError::Call)?;
        self.settle(len, &payload, &offer)
    }

    /// Says INIT; those who ask anything wait for the answer, and first `then` hears of it. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ECONNABORTED`: nothing was said.
    pub(crate) fn init_later(&self, then: KBox<dyn Settle>) -> Result {
        let offer = self.offer();
        let room = room()?;
        let greeting = KBox::new(Greeting { offer, then }, GFP_KERNEL)?;
        let operation = op::Init {
            offer: offer.body(),
        };
        self.send_background(&operation, room, Some(greeting), Gfp::Kernel)
    }

    /// Takes over what an answer to INIT allows, of which `payload` has `len` bytes.
    fn settle(&self, len: usize, payload: &Payload, offer: &Offer) -> Result<(), InitError> {
        let Payload::Bytes(bytes) = payload else {
            return Err(InitError::Call(EIO));
        };
        let answer = bytes.get(..len).unwrap_or(&[]);
        let negotiated = Negotiated::from_reply(answer, offer).map_err(InitError::Fault)?;
        self.flags.store(negotiated.flags.bits(), Relaxed);
        self.transport.settled(&negotiated);
        self.set_limit(Limit::Background, negotiated.max_background.into());
        self.set_limit(Limit::Congestion, negotiated.congestion_threshold.into());
        self.negotiated.populate(negotiated);
        Ok(())
    }

    fn offer(&self) -> Offer {
        let pages = self.transport.max_pages().min(MAX_PAGES);
        let readahead = pages
            .saturating_mul(READAHEAD_REQUESTS)
            .saturating_mul(PAGE_SIZE);
        Offer {
            flags: match self.transport.is_to_process() {
                true => FLAGS | NOTIFYING_FLAGS,
                false => FLAGS,
            },
            max_readahead: u32::try_from(readahead).unwrap_or(u32::MAX),
            max_pages_limit: u16::try_from(pages).unwrap_or(u16::MAX),
        }
    }

    /// Ends the background work of a superblock before its inodes go, which wait for their folios. A server
    /// that does not answer is cut off when the caller loses patience (a fatal signal). May sleep.
    pub(crate) fn quiesce(&self) {
        if self.trusts_server() {
            self.soon(|| !self.has_orphans());
            self.end_orphans();
        }
        let ended = match self.is_shared() {
            // Nothing but what was written is worth waiting for a process.
            _ if !self.trusts_server() => self.wait_nothing_written().and(Err(ENOTCONN)),
            // Other superblocks go on; what this one began, it began before.
            true => self
                .wait_written()
                .and_then(|()| self.wait_earlier_background()),
            false => self
                .wait_nothing_written()
                .and_then(|()| self.wait_background()),
        };
        if ended.is_err() {
            self.abort();
        }
        if self.is_aborted() {
            self.end_orphans();
        }
        self.wait_aborted();
    }

    /// After an abort this takes no server: it only waits for those who clean up.
    fn wait_aborted(&self) {
        while self.is_aborted() && (self.written_bytes() > 0 || self.has_background()) {
            kernel::time::delay::fsleep(Delta::from_millis(DRAIN_STEP));
        }
    }

    /// Says DESTROY, leaves nothing with the server, and gives up the way to it. May sleep.
    pub(super) fn close(&self) {
        self.stop_clock();
        self.say_farewell();
        self.transport.detach();
    }

    /// Says DESTROY, and has the server do no more.
    pub(crate) fn say_farewell(&self) {
        if self.negotiated().is_some() && !self.is_aborted() {
            // It lets go of forgets too.
            self.quiesce();
            self.flush_forgets();
            // Servers differ in what they answer, if anything: that they are done is enough.
            let said = self.ask(&op::Destroy, Payload::None);
            // A process is to learn that it was the last. A queue that broke would still be broken at the next mount.
            let goes_on = !self.is_to_process() && !self.transport.is_broken();
            if said.is_ok() && self.soon(|| self.transport.in_flight() == 0) && goes_on {
                return;
            }
        }
        self.abort();
    }

    /// Whether something the server is to do comes to its end soon. May sleep.
    fn soon(&self, is_over: impl Fn() -> bool) -> bool {
        for _ in 0..DRAIN_STEPS {
            if is_over() {
                return true;
            }
            kernel::time::delay::fsleep(Delta::from_millis(DRAIN_STEP));
        }
        false
    }
}

/// Room for an answer to INIT.
fn room() -> Result<Payload> {
    let room = KVec::zeroed(size_of::<InitOut>(), GFP_KERNEL)?;
    Ok(Payload::Bytes(room))
}

/// What is left to do when INIT is answered, before anything else is asked.
pub(crate) trait Settle: Send {
    /// `conn` has negotiated. May sleep.
    ///
    /// # Errors
    ///
    /// The connection cannot be used.
    fn settle(self: KBox<Self>, conn: &Connection) -> Result;
}

/// Waits for the answer to INIT.
struct Greeting {
    offer: Offer,
    then: KBox<dyn Settle>,
}

impl Completion for Greeting {
    fn complete(self: KBox<Self>, conn: &Connection, payload: Payload, result: Result<usize>) {
        let this = KBox::into_inner(self);
        let settled = result
            .map_err(InitError::Call)
            .and_then(|len| conn.settle(len, &payload, &this.offer));
        if let Err(InitError::Fault(fault)) = &settled {
            rfuse_kapi::log::err_ratelimited(format_args!("the server cannot be used: {fault}"));
        }
        let phase = match settled.is_ok() && this.then.settle(conn).is_ok() {
            true => Phase::Connected,
            false => Phase::Refused,
        };
        conn.leave_connecting(phase);
    }
}
