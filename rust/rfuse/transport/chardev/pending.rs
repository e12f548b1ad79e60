// SPDX-License-Identifier: GPL-2.0

//! What a server has not read yet.

use crate::conn::request::{OwnedRequest, Request};
use rfuse_kapi::handoff::{Chain, Waiter};

/// So many forgets may go before requests that wait, ...
const FORGETS: i32 = 16;

/// ... then so many requests before forgets that wait.
const REQUESTS: i32 = 8;

/// Messages and requests in the order they are read: interrupts, then forgets and requests, each of which lets
/// the other go on.
pub(super) struct Pending {
    requests: Chain<Request>,
    /// And interrupts that were put off.
    forgets: Chain<Request>,
    interrupts: Chain<Request>,
    /// Interrupts of requests that are not read yet themselves.
    early: Chain<Request>,
    /// How many more forgets go first; below 0, how many requests did instead.
    turn: i32,
}

impl Pending {
    pub(super) const fn new() -> Self {
        Self {
            requests: Chain::new(),
            forgets: Chain::new(),
            interrupts: Chain::new(),
            early: Chain::new(),
            turn: FORGETS,
        }
    }

    /// Whether there is nothing to read.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.forgets.is_empty() && self.interrupts.is_empty()
    }

    pub(super) fn push(&mut self, request: OwnedRequest) {
        self.requests.push_back(request);
    }

    /// What was read goes back to where it was.
    pub(super) fn push_front(&mut self, request: OwnedRequest) {
        match (request.opcode(), request.is_interrupt()) {
            (None, _) => self.forgets.push_front(request),
            (_, true) => self.interrupts.push_front(request),
            (_, false) => self.requests.push_front(request),
        }
    }

    pub(super) fn push_forget(&mut self, message: OwnedRequest) {
        self.forgets.push_back(message);
    }

    /// An interrupt that the server has put off: it does not go first again, or a server that always puts it off
    /// would read nothing else.
    pub(super) fn push_interrupt_again(&mut self, message: OwnedRequest) {
        self.forgets.push_back(message);
    }

    /// An interrupt of the request of `waiter`. One that is still here is read first.
    pub(super) fn interrupt(&mut self, message: OwnedRequest, waiter: &Waiter<Request>) {
        match self.requests.has(waiter) {
            true => self.early.push_back(message),
            false => self.interrupts.push_back(message),
        }
    }

    /// The request with this number was read: an interrupt that waited for it follows.
    pub(super) fn was_read(&mut self, unique: u64) {
        if self.early.is_empty() {
            return;
        }
        if let Some(message) = self.early.remove_first(|it| it.interrupts(unique)) {
            self.interrupts.push_back(message);
        }
    }

    /// There is no use any more in interrupting the request with this number.
    pub(super) fn drop_interrupt(&mut self, unique: u64) -> Option<OwnedRequest> {
        let of_it = |it: &OwnedRequest| it.interrupts(unique);
        self.interrupts
            .remove_first(of_it)
            .or_else(|| self.early.remove_first(of_it))
            .or_else(|| self.forgets.remove_first(of_it))
    }

    pub(super) fn take_back(&mut self, waiter: &Waiter<Request>) -> Option<OwnedRequest> {
        self.requests.remove(waiter)
    }

    /// The requests that `wanted` is said of.
    pub(super) fn extract(&mut self, wanted: impl Fn(&OwnedRequest) -> bool) -> Chain<Request> {
        self.requests.extract(wanted)
    }

    /// What is to be read next.
    pub(super) fn next(&mut self) -> Option<OwnedRequest> {
        if let Some(message) = self.interrupts.pop_front() {
            return Some(message);
        }
        if !self.forgets.is_empty() && self.forgets_go_first() {
            return self.forgets.pop_front();
        }
        self.requests.pop_front()
    }

    fn forgets_go_first(&mut self) -> bool {
        if self.requests.is_empty() || self.turn > 0 {
            self.turn = self.turn.saturating_sub(1).max(0);
            return true;
        }
        self.turn = self.turn.saturating_sub(1);
        if self.turn <= REQUESTS.wrapping_neg() {
            self.turn = FORGETS;
        }
        false
    }

    /// All of it.
    pub(super) fn take_all(&mut self) -> Chain<Request> {
        let mut all = core::mem::take(&mut self.requests);
        all.append(&mut self.forgets);
        all.append(&mut self.interrupts);
        all.append(&mut self.early);
        all
    }
}
