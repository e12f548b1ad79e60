// SPDX-License-Identifier: GPL-2.0

//! What a server has not read yet.
//!
//! A server that reads by one open file reads in the order in which all was asked. One that has several
//! ([`Pending::widen`]) asked for more than that: each processor has a lane of its own then, where its requests
//! wait and readers do, so that neither meets those of the others. A reader whose lane is empty takes from the
//! next one; now and then it looks there first, so that no lane is left to wait for a reader of its own.

use super::queue::Queue;
use crate::conn::request::{OwnedRequest, Request};
use core::iter;
use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};
use rfuse_kapi::{
    cpu,
    handoff::{Chain, Waiter},
    inline_atomic::InlineAtomic,
    poll::{PollTable, Signals},
    wait::{ExclusiveQueue, PollQueue},
};
use rfuse_proto::op::INTERRUPT_BIT;

/// So many forgets may go before requests that wait, ...
const FORGETS: i32 = 16;

/// ... then so many requests before forgets that wait.
const REQUESTS: i32 = 8;

/// The most lanes: what looks at all of them is not to take long.
const LANES: usize = 16;

/// A reader looks at another lane before its own once in so many times.
const VISIT: usize = 16;

/// What the callers on a processor ask, and the readers there. A cache line is no two lanes'.
#[pin_data]
#[repr(align(64))]
struct Lane {
    #[pin]
    requests: Queue,
    #[pin]
    readers: ExclusiveQueue,
}

impl Lane {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            requests <- Queue::new(),
            readers <- ExclusiveQueue::new(),
        })
    }
}

/// Messages and requests, and those who wait for them. First come interrupts, then forgets and requests, each of
/// which lets the other go on.
#[pin_data]
pub(super) struct Pending {
    lanes: KVec<Pin<KBox<Lane>>>,
    /// How many lanes requests are put on; others may have some still.
    width: Atomic<usize>,
    /// And interrupts that were put off.
    #[pin]
    forgets: Queue,
    #[pin]
    interrupts: Queue,
    /// Interrupts of requests that are not read yet themselves.
    #[pin]
    early: Queue,
    /// Whether there has been any interrupt.
    has_interrupts: Atomic<bool>,
    /// How many more forgets go first; below 0, how many requests did instead. Readers may overlook each other.
    turn: Atomic<i32>,
    #[pin]
    pollers: PollQueue,
    signals: Signals,
}

impl Pending {
    /// Nothing. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            lanes: lanes()?,
            width: Atomic::new(1),
            forgets <- Queue::new(),
            interrupts <- Queue::new(),
            early <- Queue::new(),
            has_interrupts: Atomic::new(false),
            turn: Atomic::new(FORGETS),
            pollers <- PollQueue::new(),
            signals: Signals::new(),
        })
    }

    /// It is read by so many open files.
    pub(super) fn widen(&self, files: usize) {
        let width = match files {
            0 | 1 => 1,
            _ => self.lanes.len(),
        };
        self.width.store(width, Relaxed);
    }

    /// The lane of this processor.
    pub(super) fn here(&self) -> usize {
        match self.width.read_once() {
            0 | 1 => 0,
            width => cpu::current().checked_rem(width).unwrap_or(0),
        }
    }

    /// All lanes, `first` first.
    fn lanes_from(&self, first: usize) -> impl Iterator<Item = &Lane> {
        let (mut next, mut left) = (first, self.lanes.len());
        iter::from_fn(move || {
            left = left.checked_sub(1)?;
            if next >= self.lanes.len() {
                next = 0;
            }
            let lane = self.lanes.get(next)?;
            next = next.wrapping_add(1);
            Some(&**lane)
        })
    }

    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes_from(0)
    }

    fn has_requests(&self) -> bool {
        self.lanes().any(|lane| lane.requests.len() > 0)
    }

    /// Whether there is nothing to read.
    pub(super) fn is_empty(&self) -> bool {
        self.interrupts.len() == 0 && self.forgets.len() == 0 && !self.has_requests()
    }

    /// How many there are that nobody has read.
    pub(super) fn len(&self) -> usize {
        self.depths()
            .fold(self.message_count(), usize::saturating_add)
    }

    /// How many of them are messages.
    pub(super) fn message_count(&self) -> usize {
        [&self.interrupts, &self.early, &self.forgets]
            .into_iter()
            .map(Queue::len)
            .fold(0, usize::saturating_add)
    }

    /// How many requests each lane has.
    pub(super) fn depths(&self) -> impl Iterator<Item = usize> + '_ {
        self.lanes().map(|lane| lane.requests.len())
    }

    /// A request by this processor. `is_sync`: its caller is about to sleep.
    ///
    /// # Errors
    ///
    /// After the end it is given back, as by all that follow.
    pub(super) fn push(&self, request: OwnedRequest, is_sync: bool) -> Result<(), OwnedRequest> {
        let here = self.here();
        match self.lanes.get(here) {
            Some(lane) => lane.requests.push_back(request)?,
            None => return Err(request),
        }
        self.tell(here, is_sync);
        Ok(())
    }

    /// What was read goes back, before all else, to the lane `first` if it is a request. Nobody gets a signal once
    /// more.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    pub(super) fn push_front(
        &self,
        request: OwnedRequest,
        first: usize,
    ) -> Result<(), OwnedRequest> {
        match (request.opcode(), request.is_interrupt()) {
            (None, _) => self.forgets.push_front(request)?,
            (_, true) => self.interrupts.push_front(request)?,
            (_, false) => match self.lanes.get(first) {
                Some(lane) => lane.requests.push_front(request)?,
                None => return Err(request),
            },
        }
        self.wake(first, false);
        Ok(())
    }

    /// A message that can wait: forgets; and an interrupt that the server has put off. That does not go first
    /// again, or a server that always puts it off would read nothing else.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    pub(super) fn push_message(&self, message: OwnedRequest) -> Result<(), OwnedRequest> {
        self.forgets.push_back(message)?;
        self.tell(self.here(), false);
        Ok(())
    }

    /// An interrupt of the request of `waiter`. One that is still here is read first.
    ///
    /// # Errors
    ///
    /// As [`Self::push`].
    pub(super) fn interrupt(
        &self,
        message: OwnedRequest,
        waiter: &Waiter<Request>,
    ) -> Result<(), OwnedRequest> {
        let unique = message.unique() & !INTERRUPT_BIT;
        // Before the lanes are looked at: whoever takes the request off one after that knows of it.
        self.has_interrupts.store(true, Relaxed);
        self.early.push_back(message)?;
        if !self.lanes().any(|lane| lane.requests.has(waiter)) {
            self.was_read(unique);
        }
        Ok(())
    }

    /// The request with this number was read: an interrupt that waited for it follows.
    pub(super) fn was_read(&self, unique: u64) {
        if !self.has_interrupts.read_once() {
            return;
        }
        let Some(message) = self.early.remove_first(|it| it.interrupts(unique)) else {
            return;
        };
        // After the end nobody is to be told.
        if self.interrupts.push_back(message).is_ok() {
            self.tell(self.here(), false);
        }
    }

    /// There is no use any more in interrupting the request with this number.
    pub(super) fn drop_interrupt(&self, unique: u64) {
        if self.has_interrupts.read_once() {
            let of_it = |it: &OwnedRequest| it.interrupts(unique);
            let _ = [&self.interrupts, &self.early, &self.forgets]
                .into_iter()
                .find_map(|queue| queue.remove_first(of_it));
        }
    }

    /// Takes the request of `waiter` back.
    pub(super) fn take_back(&self, waiter: &Waiter<Request>) -> Option<OwnedRequest> {
        self.lanes().find_map(|lane| lane.requests.remove(waiter))
    }

    /// The requests that `wanted` is said of.
    pub(super) fn extract(&self, wanted: impl Fn(&OwnedRequest) -> bool) -> Chain<Request> {
        let mut all = Chain::new();
        self.lanes()
            .for_each(|lane| all.append(&mut lane.requests.extract(&wanted)));
        all
    }

    /// What is to be read next, by somebody who has read `count` times before.
    pub(super) fn next(&self, count: usize) -> Option<OwnedRequest> {
        if let Some(message) = self.interrupts.pop() {
            return Some(message);
        }
        if self.forgets.len() > 0 && self.forgets_go_first() {
            if let Some(message) = self.forgets.pop() {
                return Some(message);
            }
        }
        let first = match count % VISIT {
            0 => (count / VISIT).checked_rem(self.lanes.len()).unwrap_or(0),
            _ => self.here(),
        };
        self.lanes_from(first)
            .find_map(|lane| lane.requests.pop())
            .or_else(|| self.forgets.pop())
    }

    fn forgets_go_first(&self) -> bool {
        let turn = self.turn.load(Relaxed);
        let goes = turn > 0 || !self.has_requests();
        let next = match turn.saturating_sub(1) {
            less if goes => less.max(0),
            less if less <= REQUESTS.wrapping_neg() => FORGETS,
            less => less,
        };
        self.turn.store(next, Relaxed);
        goes
    }

    /// Waits until there is something to read, or `is_cut` says that there will be nothing any more.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when a signal is pending.
    pub(super) fn wait(&self, is_cut: impl Fn() -> bool) -> Result {
        let lane = self.lanes.get(self.here()).ok_or(ENODEV)?;
        lane.readers.wait(|| is_cut() || !self.is_empty())
    }

    /// A reader, of the lane `first` if one waits there, is to look, and all who poll.
    fn wake(&self, first: usize, is_sync: bool) {
        let _ = self
            .lanes_from(first)
            .any(|lane| lane.readers.wake_one(is_sync));
        if self.pollers.is_active() {
            self.pollers.wake_one();
        }
    }

    /// As [`Self::wake`], and a signal for whoever asked for that: there is something new.
    fn tell(&self, first: usize, is_sync: bool) {
        self.wake(first, is_sync);
        self.signals.notify();
    }

    /// All are to look.
    pub(super) fn wake_all(&self) {
        self.lanes().for_each(|lane| lane.readers.wake_all());
        self.pollers.wake_all();
        self.signals.notify();
    }

    /// Who polls is to be woken when there is something.
    pub(super) fn poll(&self, table: &PollTable<'_>) {
        table.wait_by(&self.pollers);
    }

    /// Who gets a signal then.
    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// All of it; nothing comes after that.
    pub(super) fn cut(&self) -> Chain<Request> {
        let mut all = Chain::new();
        self.lanes()
            .for_each(|lane| all.append(&mut lane.requests.cut()));
        [&self.forgets, &self.interrupts, &self.early]
            .into_iter()
            .for_each(|queue| all.append(&mut queue.cut()));
        all
    }
}

/// A lane a processor, as far as there are so many.
fn lanes() -> Result<KVec<Pin<KBox<Lane>>>> {
    let count = cpu::num_possible().min(LANES);
    let mut lanes = KVec::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..count {
        lanes.push(KBox::pin_init(Lane::new(), GFP_KERNEL)?, GFP_KERNEL)?;
    }
    Ok(lanes)
}
