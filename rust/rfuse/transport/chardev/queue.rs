// SPDX-License-Identifier: GPL-2.0

//! Requests in the order they are read, until the connection ends.

use crate::conn::request::{OwnedRequest, Request};
use kernel::{prelude::*, sync::atomic::Atomic};
use rfuse_kapi::{
    handoff::{Chain, Waiter},
    inline_atomic::InlineAtomic,
    spin_lock::{new_spinlock, SpinLock},
    transfer::Transfer,
};

/// What the lock of a [`Queue`] protects.
struct Kept {
    requests: Chain<Request>,
    is_cut: bool,
}

/// Requests, each of which somebody is to take.
#[pin_data]
pub(super) struct Queue {
    #[pin]
    kept: SpinLock<Kept>,
    /// How many, for those who only look. Changed with the lock.
    len: Atomic<usize>,
}

impl Queue {
    /// An empty one.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            kept <- new_spinlock!(Kept { requests: Chain::new(), is_cut: false }),
            len: Atomic::new(0),
        })
    }

    /// How many requests it has, as of now. Takes no lock.
    pub(super) fn len(&self) -> usize {
        self.len.read_once()
    }

    /// Appends a request. Whoever passes a full barrier after that finds those who wait and did not see it.
    ///
    /// # Errors
    ///
    /// After the end it is given back.
    pub(super) fn push_back(&self, request: OwnedRequest) -> Result<(), OwnedRequest> {
        self.push(request, Chain::push_back)
    }

    /// As [`Self::push_back`], before all others.
    ///
    /// # Errors
    ///
    /// As there.
    pub(super) fn push_front(&self, request: OwnedRequest) -> Result<(), OwnedRequest> {
        self.push(request, Chain::push_front)
    }

    fn push(
        &self,
        mut request: OwnedRequest,
        push: fn(&mut Chain<Request>, OwnedRequest),
    ) -> Result<(), OwnedRequest> {
        let mut kept = self.kept.lock();
        if kept.is_cut {
            request.failed(ENODEV);
            return Err(request);
        }
        push(&mut kept.requests, request);
        self.len.write_once(self.len().saturating_add(1));
        Ok(())
    }

    /// Takes the first request.
    pub(super) fn pop(&self) -> Option<OwnedRequest> {
        self.take(Chain::pop_front)
    }

    /// Takes the request that `waiter` waits for.
    pub(super) fn remove(&self, waiter: &Waiter<Request>) -> Option<OwnedRequest> {
        self.take(|requests| requests.remove(waiter))
    }

    /// Takes the first request that `wanted` is said of.
    pub(super) fn remove_first(
        &self,
        wanted: impl Fn(&OwnedRequest) -> bool,
    ) -> Option<OwnedRequest> {
        self.take(|requests| requests.remove_first(wanted))
    }

    fn take(
        &self,
        take: impl FnOnce(&mut Chain<Request>) -> Option<OwnedRequest>,
    ) -> Option<OwnedRequest> {
        if self.len() == 0 {
            return None;
        }
        let mut kept = self.kept.lock();
        let taken = take(&mut kept.requests)?;
        self.len.write_once(self.len().saturating_sub(1));
        Some(taken)
    }

    /// Takes all requests that `wanted` is said of.
    pub(super) fn extract(&self, wanted: impl Fn(&OwnedRequest) -> bool) -> Chain<Request> {
        let mut kept = self.kept.lock();
        let found = kept.requests.extract(wanted);
        let left = self.len().saturating_sub(found.iter().count());
        self.len.write_once(left);
        found
    }

    /// Whether it has the request that `waiter` waits for.
    pub(super) fn has(&self, waiter: &Waiter<Request>) -> bool {
        self.len() > 0 && self.kept.lock().requests.has(waiter)
    }

    /// Takes all of them, and nothing comes after that.
    pub(super) fn cut(&self) -> Chain<Request> {
        let mut kept = self.kept.lock();
        kept.is_cut = true;
        self.len.write_once(0);
        core::mem::take(&mut kept.requests)
    }
}
