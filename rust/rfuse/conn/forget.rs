// SPDX-License-Identifier: GPL-2.0

//! Forgetting of nodes: batched, and never waited for.
//!
//! The first forget goes out at once. Those that come while a message is under way gather, and go
//! out together when it has arrived: the busier the server, the larger the batches.

use super::{
    request::{OwnedRequest, Payload, Request, Role},
    Connection,
};
use kernel::prelude::*;
use rfuse_kapi::{
    handoff::Gfp,
    memalloc::MemallocNofs,
    spin_lock::{new_spinlock, SpinLock},
};
use rfuse_proto::{dirent::Lookups, forget, op, wire::ForgetOne};

/// The longest message, in bytes: one page.
const ROOM: usize = 4096;

/// As many forgets as one message carries gather before another message goes out regardless.
const GATHER: usize = forget::capacity(ROOM - op::HEADER);

/// What the lock of [`Forgets`] protects.
struct Gathered {
    nodes: KVec<ForgetOne>,
    /// Messages with the transport.
    under_way: usize,
}

/// The nodes that are to be forgotten.
#[pin_data]
pub(crate) struct Forgets {
    #[pin]
    gathered: SpinLock<Gathered>,
}

impl Forgets {
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            gathered <- new_spinlock!(Gathered {
                nodes: KVec::with_capacity(GATHER, GFP_KERNEL)?,
                under_way: 0,
            }),
        })
    }
}

impl Gathered {
    /// Whether `node` found room.
    fn push(&mut self, node: ForgetOne) -> bool {
        self.nodes.push_within_capacity(node).is_ok()
    }

    fn must_send(&self) -> bool {
        !self.nodes.is_empty() && (self.under_way == 0 || self.nodes.len() == GATHER)
    }

    /// Removes the first `count` nodes.
    fn remove(&mut self, count: usize) {
        let mut index = 0_usize;
        self.nodes.retain(|_| {
            index = index.saturating_add(1);
            index > count
        });
    }
}

impl Connection {
    /// Gives back `nlookup` lookups of a node. Does not fail and does not wait for the server. May
    /// sleep for memory, also inside of memory reclaim.
    pub(crate) fn forget(&self, nodeid: u64, nlookup: u64) {
        let node = ForgetOne { nodeid, nlookup };
        if self.orphans.put_off_forget(node) {
            return;
        }
        loop {
            let (pushed, send) = {
                let mut gathered = self.forgets.gathered.lock();
                (gathered.push(node), gathered.must_send())
            };
            if send {
                self.send_forgets();
            }
            if pushed {
                return;
            }
        }
    }

    /// Gives back what the entries of a READDIRPLUS answer count.
    pub(super) fn forget_entries(&self, payload: &Payload, len: usize) {
        if let Payload::Bytes(bytes) = payload {
            Lookups::new(bytes.get(..len).unwrap_or(&[])).for_each(|nodeid| self.forget(nodeid, 1));
        }
    }

    /// Sends everything that has gathered.
    pub(super) fn flush_forgets(&self) {
        while !self.forgets.gathered.lock().nodes.is_empty() {
            self.send_forgets();
        }
    }

    /// Sends one message with as much as fits.
    fn send_forgets(&self) {
        let _nofs = MemallocNofs::save();
        let blank = Request::new(Role::Forget, Payload::None);
        let Ok(mut message) = self.engine.requests.alloc(blank, Gfp::NofsNofail) else {
            return;
        };
        message.widen(ROOM);
        if !self.load(&mut message) {
            return;
        }
        if let Err(message) = self.transport.forget(message) {
            self.arrived(message);
        }
    }

    /// Moves nodes into `message`; whether there were any.
    fn load(&self, message: &mut OwnedRequest) -> bool {
        let minor = self.negotiated().map_or(0, |it| it.minor);
        let unique = self.next_unique();
        let mut gathered = self.forgets.gathered.lock();
        let count = message.fill(|bytes| op::encode_forgets(&gathered.nodes, minor, unique, bytes));
        gathered.remove(count);
        if count > 0 {
            gathered.under_way = gathered.under_way.saturating_add(1);
        }
        count > 0
    }

    /// A message has arrived, or never will.
    fn arrived(&self, message: OwnedRequest) {
        let mut gathered = self.forgets.gathered.lock();
        gathered.under_way = gathered.under_way.saturating_sub(1);
        if message.error().is_some() {
            // A server that is gone has nothing left to forget.
            gathered.nodes.clear();
        }
    }

    /// As [`Self::arrived`], and what has gathered in the meantime follows.
    pub(super) fn forget_sent(&self, message: OwnedRequest) {
        self.arrived(message);
        if self.forgets.gathered.lock().must_send() {
            self.send_forgets();
        }
    }
}
