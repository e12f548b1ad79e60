// SPDX-License-Identifier: GPL-2.0

//! Background requests: nobody waits for them, and only so many are with the server at a time.

use super::{
    generations::Generations,
    request::{Completion, OwnedRequest, Payload, Request, Role},
    Connection,
};
use crate::module_parameters;
use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};
use rfuse_kapi::{
    handoff::{Chain, Gfp},
    ids::capable_sys_admin,
    memalloc::MemallocNofs,
    memory,
    spin_lock::{new_spinlock, SpinLock},
};
use rfuse_proto::{op::Operation, wire::Opcode};

/// Background requests of users' servers may take one byte of so many (2 to this power).
const MEMORY_SHIFT: u32 = 13;

/// What a request is taken to need, in bytes.
const REQUEST_BYTES: u64 = 392;

/// Limits go up to here.
const MOST: u32 = u16::MAX as u32;

/// What the lock of [`Background`] protects.
struct Queue {
    /// Waits for its turn.
    waiting: Chain<Request>,
    /// How many wait.
    queued: usize,
    /// How many are the transport's.
    active: usize,
}

/// The background requests of a connection.
#[pin_data]
pub(crate) struct Background {
    #[pin]
    queue: SpinLock<Queue>,
    /// Those that were not ended yet.
    #[pin]
    under_way: Generations,
    /// The most that are with the server at a time.
    most: Atomic<u32>,
    /// So many are congestion.
    congestion: Atomic<u32>,
}

/// A limit of background requests, at least 1.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// The most that are with the server at a time (`max_background`).
    Background,
    /// So many are congestion (`congestion_threshold`).
    Congestion,
}

impl Limit {
    /// What servers of users may have at the most: what the administrator has set, else what takes a small part of
    /// the memory, as the C client reckons it.
    fn most_of_users(self) -> u32 {
        let set = match self {
            Self::Background => module_parameters::max_user_bgreq.value(),
            Self::Congestion => module_parameters::max_user_congthresh.value(),
        };
        match set {
            0 => {
                let share = memory::total_bytes() >> MEMORY_SHIFT;
                let requests = share.checked_div(REQUEST_BYTES).unwrap_or(0);
                u32::try_from(requests).map_or(MOST, |it| it.clamp(1, MOST))
            }
            set => set.into(),
        }
    }
}

impl Background {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            queue <- new_spinlock!(Queue { waiting: Chain::new(), queued: 0, active: 0 }),
            under_way <- Generations::new(),
            most: Atomic::new(1),
            congestion: Atomic::new(1),
        })
    }

    fn limit(&self, limit: Limit) -> &Atomic<u32> {
        match limit {
            Limit::Background => &self.most,
            Limit::Congestion => &self.congestion,
        }
    }
}

impl Connection {
    /// Sends a request that nobody waits for. `completion` hears of its end, in process context.
    ///
    /// # Errors
    ///
    /// `ENOMEM` with [`Gfp::Kernel`]: `completion` was dropped unheard.
    pub(crate) fn send_background<O: Operation>(
        &self,
        operation: &O,
        payload: Payload,
        completion: Option<KBox<dyn Completion>>,
        gfp: Gfp,
    ) -> Result {
        let request = self.background_request(operation, payload, completion, gfp)?;
        self.queue_background(request);
        Ok(())
    }

    fn background_request<O: Operation>(
        &self,
        operation: &O,
        payload: Payload,
        completion: Option<KBox<dyn Completion>>,
        gfp: Gfp,
    ) -> Result<OwnedRequest> {
        let mut request = self
            .engine
            .requests
            .alloc(Request::new(background::<O>(completion), payload), gfp)?;
        request.encode(operation, &self.caller())?;
        Ok(request)
    }

    /// Sends a background request when it is its turn. May sleep.
    pub(super) fn queue_background(&self, mut request: OwnedRequest) {
        self.begin_background(&mut request);
        self.background.queue.lock().push(request);
        self.run_background();
    }

    /// Sends a background request whose end the caller waits for, out of turn: the caller hears of it
    /// by `completion`, without a detour through the workqueue. A caller that is killed leaves the
    /// request to go on in the background. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed; `ECONNABORTED`, `ENOMEM`: `completion` was dropped unheard.
    pub(crate) fn attend_background<O: Operation>(
        &self,
        operation: &O,
        payload: Payload,
        completion: KBox<dyn Completion>,
    ) -> Result {
        if self.is_aborted() {
            return Err(ECONNABORTED);
        }
        let mut request =
            self.background_request(operation, payload, Some(completion), Gfp::Kernel)?;
        self.begin_background(&mut request);
        let (request, waiter) = request.lend().map_err(|_| EBUSY)?;
        self.background.queue.lock().begun();
        if let Err(request) = self.transport.submit(request) {
            // The waiter has it at once.
            drop(request);
        }
        let ended = waiter.wait_killable(None).or_else(|(waiter, _)| {
            // One that was not sent comes back by being dropped; what is with the server stays there.
            drop(self.transport.take_back(&waiter));
            waiter.detach().ok_or(EINTR)
        })?;
        self.end_background(ended);
        self.run_background();
        Ok(())
    }

    /// A limit of background requests.
    pub(crate) fn limit(&self, limit: Limit) -> u32 {
        self.background.limit(limit).load(Relaxed)
    }

    /// Changes a limit of background requests, to no more than what users may have if the current task is not an
    /// administrator.
    pub(crate) fn set_limit(&self, limit: Limit, number: u32) {
        let most = match capable_sys_admin() {
            true => u32::MAX,
            false => limit.most_of_users(),
        };
        self.background
            .limit(limit)
            .store(number.min(most), Relaxed);
        self.run_background();
    }

    /// How many requests wait for the server, or for their turn.
    pub(crate) fn waiting(&self) -> usize {
        let queued = self.background.queue.lock().queued;
        self.transport.in_flight().saturating_add(queued)
    }

    /// Whether so much is under way that work which can be left out should be.
    pub(crate) fn is_congested(&self) -> bool {
        let threshold = self.limit(Limit::Congestion) as usize;
        let queue = self.background.queue.lock();
        queue.active.saturating_add(queue.queued) >= threshold
    }

    /// Tells the server something that nobody waits for. What it names is not given up before it is answered. Does
    /// not fail.
    pub(crate) fn tell<O: Operation>(&self, operation: &O) {
        self.tell_holding(operation, Payload::None);
    }

    /// As [`Self::tell`], with what the request needs to live on.
    pub(super) fn tell_holding<O: Operation>(&self, operation: &O, held: Payload) {
        self.with_told(operation, held, |request| {
            self.orphans.add(request.unique(), operation.named());
            Some(request)
        });
    }

    /// Gives up a file handle, as soon as no request without a caller names it; `held` is what the request needs to
    /// live on. Does not fail.
    pub(crate) fn release_holding<O: Operation>(&self, operation: &O, held: Payload) {
        self.with_told(operation, held, |request| self.orphans.put_off(request));
    }

    /// Sends a request that nobody waits for, if `admit` gives it back.
    fn with_told<O: Operation>(
        &self,
        operation: &O,
        held: Payload,
        admit: impl FnOnce(OwnedRequest) -> Option<OwnedRequest>,
    ) {
        let _nofs = MemallocNofs::save();
        // Cannot fail: the allocation does not, and the request has no name.
        let request = self.background_request(operation, held, None, Gfp::NofsNofail);
        if let Some(request) = request.ok().and_then(admit) {
            self.queue_background(request);
        }
    }

    /// Waits until no background request is left. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(crate) fn wait_background(&self) -> Result {
        self.background.under_way.wait_all()
    }

    /// Whether a background request is left.
    pub(super) fn has_background(&self) -> bool {
        self.background.under_way.is_any()
    }

    /// Waits until none is left that was made before this call. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(super) fn wait_earlier_background(&self) -> Result {
        self.background.under_way.wait_earlier()
    }

    /// Sends what may be sent; after an abort, ends it.
    pub(super) fn run_background(&self) {
        let limit = self.limit(Limit::Background) as usize;
        loop {
            let mut failed = Chain::new();
            let mut ready = self.background.queue.lock().take(limit);
            if self.is_aborted() {
                failed.append(&mut ready);
            }
            self.transport.submit_all(&mut ready, &mut failed);
            if failed.is_empty() {
                return;
            }
            failed.for_each(|request| self.end_background(request));
        }
    }

    /// The result of a background request.
    fn outcome(&self, request: &OwnedRequest, moved: fn(&[u8], usize) -> usize) -> Result<usize> {
        if !request.was_answered() {
            return Err(self.lost(request));
        }
        request
            .check()
            .map(|(fixed, tail)| moved(fixed, tail))
            .map_err(|error| self.refused(request.opcode(), None, error.into()))
    }

    /// From now on the request must come to [`Self::end_background`].
    fn begin_background(&self, request: &mut OwnedRequest) {
        // The answer to INIT may end the superblock, whose end waits for all that is under way.
        if request.opcode() == Some(Opcode::Init) {
            return;
        }
        if let Role::Background { began, .. } = request.role() {
            *began = Some((self.background.under_way.begin(), self.timeout.begin()));
        }
    }

    /// Tells whoever cares about the end of a background request.
    fn end_background(&self, mut request: OwnedRequest) {
        self.count(&request);
        let unique = request.unique();
        let mut ended = None;
        if let Role::Background {
            completion,
            moved,
            began,
        } = request.role()
        {
            let (completion, moved) = (completion.take(), *moved);
            ended = began.take();
            let result = self.outcome(&request, moved);
            let payload = request.take_payload();
            // What waits for memory may need what the request holds.
            drop(request);
            if let Some(completion) = completion {
                completion.complete(self, payload, result);
            }
        }
        self.background.queue.lock().finished();
        if let Some((began, age)) = ended {
            self.timeout.end(age);
            self.background.under_way.end(began);
        }
        self.orphan_ended(unique);
    }

    /// Requests that came back from the transport without a waiter. Process context.
    pub(crate) fn completed(&self, requests: Chain<Request>) {
        for mut request in requests {
            match request.role() {
                Role::Background { .. } => self.end_background(request),
                Role::Call { .. } => {
                    self.count(&request);
                    self.undo(&mut request);
                    self.orphan_ended(request.unique());
                }
                Role::Forget => self.forget_sent(request),
                Role::Message => {}
            }
        }
        self.run_background();
    }
}

/// The role of a request for the operation `O`, which is to begin.
fn background<O: Operation>(completion: Option<KBox<dyn Completion>>) -> Role {
    Role::Background {
        completion,
        moved: O::moved,
        began: None,
    }
}

impl Queue {
    fn push(&mut self, request: OwnedRequest) {
        self.waiting.push_back(request);
        self.queued = self.queued.saturating_add(1);
    }

    /// Takes as many as may be active beside those that are.
    fn take(&mut self, limit: usize) -> Chain<Request> {
        let mut ready = Chain::new();
        while self.active < limit {
            let Some(request) = self.waiting.pop_front() else {
                break;
            };
            self.queued = self.queued.saturating_sub(1);
            self.active = self.active.saturating_add(1);
            ready.push_back(request);
        }
        ready
    }

    /// One is active that did not wait for its turn.
    fn begun(&mut self) {
        self.active = self.active.saturating_add(1);
    }

    fn finished(&mut self) {
        self.active = self.active.saturating_sub(1);
    }
}
