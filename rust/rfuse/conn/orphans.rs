// SPDX-License-Identifier: GPL-2.0

//! Requests that the server has and nobody waits for, and what it must not lose before it has answered them.
//!
//! A caller that is killed leaves its request to the server. What it had open may be closed then, and its inodes may go;
//! but a server with several threads can be about to use the handle or the node, and free neither for that. RELEASE,
//! RELEASEDIR and forgets of what such a request names are put off until it is answered.

use super::{
    request::{OwnedRequest, Request},
    Connection,
};
use core::mem;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Mutex,
    },
};
use rfuse_kapi::{handoff::Chain, inline_atomic::InlineAtomic, memalloc::MemallocNofs};
use rfuse_proto::{
    op::{Named, RESEND_BIT},
    wire::{ForgetOne, Opcode, ReleaseIn},
};

/// A request that nobody waits for.
struct Orphan {
    unique: u64,
    named: [Named; 2],
}

/// What the lock of [`Orphans`] protects.
struct State {
    orphans: KVec<Orphan>,
    forgets: KVec<ForgetOne>,
    releases: Chain<Request>,
}

/// The requests of a connection that nobody waits for.
#[pin_data]
pub(crate) struct Orphans {
    /// How many there are.
    count: Atomic<usize>,
    #[pin]
    state: Mutex<State>,
}

/// Whether one of these names such a thing.
fn names(orphans: &[Orphan], is_it: impl Fn(&Named) -> bool) -> bool {
    orphans.iter().any(|orphan| orphan.named.iter().any(&is_it))
}

impl State {
    fn keeps_node(&self, nodeid: u64) -> bool {
        names(&self.orphans, |named| named.nodeid == nodeid)
    }

    fn keeps_handle(&self, released: Option<Named>) -> bool {
        released.is_some_and(|handle| names(&self.orphans, |named| *named == handle))
    }

    /// Takes what nothing holds up any more.
    fn take_free(&mut self) -> Freed {
        let mut freed = Freed {
            forgets: KVec::new(),
            releases: Chain::new(),
        };
        if self.orphans.is_empty() {
            mem::swap(&mut freed.forgets, &mut self.forgets);
            mem::swap(&mut freed.releases, &mut self.releases);
            return freed;
        }
        for release in mem::take(&mut self.releases) {
            match self.keeps_handle(released(&release)) {
                true => self.releases.push_back(release),
                false => freed.releases.push_back(release),
            }
        }
        let Self {
            orphans, forgets, ..
        } = self;
        let keeps = |forget: &ForgetOne| names(orphans, |named| named.nodeid == forget.nodeid);
        // Without memory it stays for a later time.
        forgets.retain(|forget| keeps(forget) || freed.forgets.push(*forget, GFP_KERNEL).is_err());
        freed
    }
}

/// What may go to the server.
struct Freed {
    forgets: KVec<ForgetOne>,
    releases: Chain<Request>,
}

/// What a request releases, if it is a RELEASE or RELEASEDIR.
fn released(request: &OwnedRequest) -> Option<Named> {
    match request.opcode() {
        Some(Opcode::Release | Opcode::Releasedir) => request
            .body::<ReleaseIn>()
            .map(|body| Named::open(request.nodeid(), body.fh)),
        _ => None,
    }
}

impl Orphans {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            count: Atomic::new(0),
            state <- new_mutex!(State {
                orphans: KVec::new(),
                forgets: KVec::new(),
                releases: Chain::new(),
            }),
        })
    }

    /// Whether there are any. Who gives something up that a request names sees those that were added before.
    #[inline]
    fn is_any(&self) -> bool {
        self.count.read_once() != 0
    }

    /// Nobody waits for the request `unique` from now on. Without memory, the order is left to chance. May sleep.
    pub(super) fn add(&self, unique: u64, named: [Named; 2]) {
        let _nofs = MemallocNofs::save();
        let mut state = self.state.lock();
        if state
            .orphans
            .push(Orphan { unique, named }, GFP_KERNEL)
            .is_ok()
        {
            self.count.store(state.orphans.len(), Relaxed);
        }
    }

    /// Keeps a forget that must wait; whether it does. May sleep.
    #[inline]
    pub(super) fn put_off_forget(&self, node: ForgetOne) -> bool {
        self.is_any() && self.keep_forget(node)
    }

    #[cold]
    fn keep_forget(&self, node: ForgetOne) -> bool {
        let _nofs = MemallocNofs::save();
        let mut state = self.state.lock();
        state.keeps_node(node.nodeid) && state.forgets.push(node, GFP_KERNEL).is_ok()
    }

    /// Keeps a request that must wait; gives all others back. May sleep.
    #[inline]
    pub(super) fn put_off(&self, request: OwnedRequest) -> Option<OwnedRequest> {
        match self.is_any() {
            true => self.keep(request),
            false => Some(request),
        }
    }

    #[cold]
    fn keep(&self, request: OwnedRequest) -> Option<OwnedRequest> {
        let mut state = self.state.lock();
        if !state.keeps_handle(released(&request)) {
            return Some(request);
        }
        state.releases.push_back(request);
        None
    }

    fn remove(&self, is_over: impl Fn(u64) -> bool) -> Freed {
        let _nofs = MemallocNofs::save();
        let mut state = self.state.lock();
        state.orphans.retain(|orphan| !is_over(orphan.unique));
        self.count.store(state.orphans.len(), Relaxed);
        state.take_free()
    }
}

impl Connection {
    /// The request `unique` is over. May sleep.
    #[inline]
    pub(super) fn orphan_ended(&self, unique: u64) {
        if self.orphans.is_any() {
            self.free_orphan(unique);
        }
    }

    #[cold]
    fn free_orphan(&self, unique: u64) {
        let number = unique & !RESEND_BIT;
        self.let_go(self.orphans.remove(|other| other == number));
    }

    /// Whether the server has requests that nobody waits for, and that hold something up.
    pub(super) fn has_orphans(&self) -> bool {
        self.orphans.is_any()
    }

    /// What such requests hold up waits no longer. May sleep.
    pub(super) fn end_orphans(&self) {
        self.let_go(self.orphans.remove(|_| true));
    }

    fn let_go(&self, freed: Freed) {
        for release in freed.releases {
            self.queue_background(release);
        }
        for forget in freed.forgets {
            self.forget(forget.nodeid, forget.nlookup);
        }
    }
}
