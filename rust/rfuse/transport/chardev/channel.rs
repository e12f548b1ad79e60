// SPDX-License-Identifier: GPL-2.0

//! A connection as the processes of its server see it: what they are to read, and who of them reads.

use super::{client::Client, pending::Pending, Listener};
use crate::{
    conn::{
        request::{OwnedRequest, Request},
        Connection,
    },
    transport::Transport,
};
use kernel::{
    new_mutex, new_spinlock,
    prelude::*,
    sync::{
        atomic::{Atomic, Full, Relaxed},
        Arc, Mutex, SetOnce, SpinLock,
    },
};
use rfuse_kapi::{
    handoff::{Chain, Waiter},
    poll::{Events, PollTable, Signals},
    seq_file::{seq_print, SeqFile, SeqFileExt},
    transfer::Transfer,
    wait::{PollQueue, WaitQueue},
};
use rfuse_proto::{
    init::Negotiated,
    wire::{InHeader, WriteIn},
};

/// `FUSE_MIN_READ_BUFFER`: no server reads with less.
const MIN_READ: usize = 8192;

/// The most pages of one request, as the C client's `fs.fuse.max_pages_limit`.
const MAX_PAGES: usize = 256;

/// The device's side of a connection. Open files of the device are attached to it.
#[pin_data]
pub(crate) struct Channel {
    #[pin]
    pending: SpinLock<Pending>,
    #[pin]
    readers: PollQueue,
    signals: Signals,
    /// Who hears of what the server tells unasked.
    listener: SetOnce<Arc<dyn Listener>>,
    /// Those who read and write it.
    #[pin]
    clients: Mutex<KVec<Arc<Client>>>,
    #[pin]
    connection: Mutex<Option<Arc<Connection>>>,
    /// How many requests are read or written at this moment.
    copies: Atomic<usize>,
    #[pin]
    fewer_copies: WaitQueue,
    /// Nothing more is read or written. Set while `pending` is locked.
    is_cut: Atomic<bool>,
    /// Whether some interrupt waits.
    has_interrupts: Atomic<bool>,
    /// The server does not know INTERRUPT.
    no_interrupt: Atomic<bool>,
    in_flight: Atomic<usize>,
    min_read: Atomic<usize>,
    /// The device number of what is mounted, by which its connection is known.
    id: Atomic<u32>,
}

/// While it exists, what is copied cannot be ended by [`Channel::abort`], which waits. So whoever has it waits
/// for nobody.
pub(super) struct Copying<'a>(&'a Channel);

impl Drop for Copying<'_> {
    fn drop(&mut self) {
        let before = self.0.copies.fetch_add(usize::MAX, Full);
        if before == 1 && self.0.is_cut() {
            self.0.fewer_copies.wake_all();
        }
    }
}

impl Channel {
    /// A channel nobody is attached to. May sleep.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                pending <- new_spinlock!(Pending::new()),
                readers <- PollQueue::new(),
                signals: Signals::new(),
                listener: SetOnce::new(),
                clients <- new_mutex!(KVec::new()),
                connection <- new_mutex!(None),
                copies: Atomic::new(0),
                fewer_copies <- WaitQueue::new(),
                is_cut: Atomic::new(false),
                has_interrupts: Atomic::new(false),
                no_interrupt: Atomic::new(false),
                in_flight: Atomic::new(0),
                min_read: Atomic::new(MIN_READ),
                id: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// The channel is that of `connection` from now on. May sleep.
    pub(crate) fn start(&self, connection: &Arc<Connection>) {
        *self.connection.lock() = Some(connection.clone());
    }

    /// What it serves is mounted by the device number `id`, and `listener` hears of what the server tells unasked.
    pub(crate) fn mounted(&self, id: u32, listener: Arc<dyn Listener>) {
        self.id.store(id, Relaxed);
        let _ = self.listener.populate(listener);
    }

    /// Its connection, until it ends. May sleep.
    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        self.connection.lock().clone()
    }

    /// The number of its connection; 0 before there is one.
    pub(super) fn id(&self) -> u32 {
        self.id.load(Relaxed)
    }

    /// Another open file reads and writes it. May sleep.
    pub(super) fn add(&self, client: &Arc<Client>) -> Result {
        Ok(self.clients.lock().push(client.clone(), GFP_KERNEL)?)
    }

    /// An open file goes, with what it has read and not answered. Without any, nobody will ever answer. May sleep.
    pub(super) fn remove(&self, client: &Arc<Client>) {
        let is_last = self.forget_client(client);
        self.end_all(client.take_all(), ECONNABORTED);
        if let Some(connection) = self.connection().filter(|_| is_last) {
            connection.abort();
        }
    }

    /// Undoes [`Self::add`]. May sleep.
    pub(super) fn forget_client(&self, client: &Arc<Client>) -> bool {
        let mut clients = self.clients.lock();
        clients.retain(|other| !Arc::ptr_eq(other, client));
        clients.is_empty()
    }

    /// The least that a reader must have room for, in bytes.
    pub(super) fn min_read(&self) -> usize {
        self.min_read.load(Relaxed)
    }

    /// The next request or message to read, as soon as there is one.
    ///
    /// # Errors
    ///
    /// `EAGAIN` instead of waiting; `ERESTARTSYS` when a signal is pending; `ENODEV` after the end.
    pub(super) fn next(&self, waits: bool) -> Result<(Copying<'_>, OwnedRequest)> {
        loop {
            {
                let mut pending = self.pending.lock();
                if self.is_cut() {
                    return Err(ENODEV);
                }
                if let Some(request) = pending.next() {
                    // Not cut, and whoever cuts it takes the lock first.
                    let copying = self.begin_copy().ok_or(ENODEV)?;
                    return Ok((copying, request));
                }
            }
            if !waits {
                return Err(EAGAIN);
            }
            self.readers.wait_exclusive(|| {
                let pending = self.pending.lock();
                self.is_cut() || !pending.is_empty()
            })?;
        }
    }

    /// Something is about to be copied; none after the end.
    pub(super) fn begin_copy(&self) -> Option<Copying<'_>> {
        let _ = self.copies.fetch_add(1, Full);
        let copying = Copying(self);
        (!self.is_cut()).then_some(copying)
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Relaxed)
    }

    /// What was to be read goes back, for the next reader; without one to come it ends. May sleep.
    pub(super) fn put_back(&self, request: OwnedRequest) {
        let mut late = Chain::new();
        {
            let mut pending = self.pending.lock();
            match self.is_cut() {
                false => pending.push_front(request),
                true => late.push_back(request),
            }
        }
        self.end_all(late, ENODEV);
        self.readers.wake_one(false);
    }

    /// The request with this number was read.
    pub(super) fn was_read(&self, unique: u64) {
        if self.has_interrupts.load(Relaxed) {
            self.pending.lock().was_read(unique);
            self.readers.wake_one(false);
        }
    }

    /// The request with this number is answered: to interrupt it would be of no use.
    pub(super) fn was_answered(&self, unique: u64) {
        if self.has_interrupts.load(Relaxed) {
            if self.pending.lock().drop_interrupt(unique).is_some() {
                let _ = self.in_flight.fetch_add(usize::MAX, Relaxed);
            }
        }
    }

    /// Interrupts a request that the server has read, once more.
    pub(super) fn interrupt_again(&self, unique: u64) {
        let message = self
            .connection()
            .and_then(|connection| connection.interrupt_message(unique).ok());
        if let Some(message) = message {
            drop(self.queue(message, false, Pending::push_interrupt_again));
        }
    }

    /// What was read and is not answered is to be read again, in order and before all else.
    pub(super) fn resend(&self) {
        let mut read = Chain::new();
        for client in self.clients.lock().iter() {
            read.append(&mut client.take_all());
        }
        while let Some(mut latest) = take_latest(&mut read) {
            self.was_answered(latest.unique());
            latest.resend();
            self.put_back(latest);
        }
    }

    /// Who hears of what the server tells unasked.
    pub(super) fn listener(&self) -> Option<&Arc<dyn Listener>> {
        self.listener.as_ref()
    }

    /// The server does not know INTERRUPT.
    pub(super) fn set_no_interrupt(&self) {
        self.no_interrupt.store(true, Relaxed);
    }

    /// A request is over. May sleep.
    pub(super) fn end(&self, copying: Copying<'_>, request: OwnedRequest) {
        let _ = self.in_flight.fetch_add(usize::MAX, Relaxed);
        let background = request.finish();
        // What follows may take a while.
        drop(copying);
        let Some(request) = background else {
            return;
        };
        if let Some(connection) = self.connection() {
            let mut one = Chain::new();
            one.push_back(request);
            connection.completed(one);
        }
    }

    /// Requests end without an answer. May sleep.
    fn end_all(&self, requests: Chain<Request>, error: Error) {
        let mut background = Chain::new();
        for mut request in requests {
            let _ = self.in_flight.fetch_add(usize::MAX, Relaxed);
            request.failed(error);
            if let Some(request) = request.finish() {
                background.push_back(request);
            }
        }
        if let Some(connection) = self.connection().filter(|_| !background.is_empty()) {
            connection.completed(background);
        }
    }

    /// What can be done without waiting.
    pub(super) fn poll(&self, table: &PollTable<'_>) -> Events {
        table.wait_by(&self.readers);
        let pending = self.pending.lock();
        match (self.is_cut(), pending.is_empty()) {
            (true, _) => Events::ERROR,
            (false, true) => Events::WRITE,
            (false, false) => Events::WRITE.with(Events::READ),
        }
    }

    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Lets `push` queue what is to be read, unless the channel is cut: then it is given back.
    fn queue(
        &self,
        mut request: OwnedRequest,
        is_sync: bool,
        push: impl FnOnce(&mut Pending, OwnedRequest),
    ) -> Result<(), OwnedRequest> {
        {
            let mut pending = self.pending.lock();
            if self.is_cut() {
                request.failed(ENODEV);
                return Err(request);
            }
            push(&mut pending, request);
        }
        let _ = self.in_flight.fetch_add(1, Relaxed);
        self.readers.wake_one(is_sync);
        self.signals.notify();
        Ok(())
    }
}

/// The request with the largest number.
fn take_latest(requests: &mut Chain<Request>) -> Option<OwnedRequest> {
    let mut latest = 0;
    let _ = requests.contains(|request| {
        latest = request.unique().max(latest);
        false
    });
    requests.remove_first(|request| request.unique() == latest)
}

impl Transport for Channel {
    fn submit(&self, request: OwnedRequest) -> Result<(), OwnedRequest> {
        let is_sync = request.has_caller();
        self.queue(request, is_sync, Pending::push)
    }

    fn submit_all(&self, requests: &mut Chain<Request>, failed: &mut Chain<Request>) {
        while let Some(request) = requests.pop_front() {
            if let Err(request) = self.submit(request) {
                failed.push_back(request);
            }
        }
    }

    fn forget(&self, message: OwnedRequest) -> Result<(), OwnedRequest> {
        self.queue(message, false, Pending::push_forget)
    }

    fn interrupt(
        &self,
        message: OwnedRequest,
        waiter: &Waiter<Request>,
    ) -> Result<(), OwnedRequest> {
        if self.no_interrupt.load(Relaxed) {
            return Err(message);
        }
        self.has_interrupts.store(true, Relaxed);
        self.queue(message, false, |pending, message| {
            pending.interrupt(message, waiter);
        })
    }

    fn heeds_signals(&self) -> bool {
        !self.no_interrupt.load(Relaxed)
    }

    fn take_back(&self, waiter: &Waiter<Request>) -> Option<OwnedRequest> {
        let taken = self.pending.lock().take_back(waiter)?;
        let _ = self.in_flight.fetch_add(usize::MAX, Relaxed);
        self.was_answered(taken.unique());
        Some(taken)
    }

    fn expire(&self, before: u64) -> bool {
        let is_late = |request: &OwnedRequest| request.is_late(before);
        let mut late = self.pending.lock().extract(is_late);
        for client in self.clients.lock().iter() {
            late.append(&mut client.extract(is_late));
        }
        let _ = late.contains(|request| {
            self.was_answered(request.unique());
            false
        });
        let were_any = !late.is_empty();
        self.end_all(late, ETIMEDOUT);
        were_any
    }

    fn abort(&self) {
        let unread = {
            let mut pending = self.pending.lock();
            self.is_cut.store(true, Relaxed);
            pending.take_all()
        };
        self.readers.wake_all();
        self.signals.notify();
        // Orders the mark before the look at who copies.
        let _ = self.copies.fetch_add(0, Full);
        self.fewer_copies.wait(|| self.copies.load(Relaxed) == 0);
        self.end_all(unread, ENODEV);
        let mut read = Chain::new();
        for client in self.clients.lock().iter() {
            read.append(&mut client.take_all());
        }
        self.end_all(read, ENODEV);
    }

    fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    fn is_broken(&self) -> bool {
        false
    }

    fn refuses_existing(&self) -> bool {
        false
    }

    fn show(&self, m: &SeqFile) {
        m.write(b"transport device\n");
    }

    fn show_queues(&self, m: &SeqFile) {
        let readers = self.clients.lock().len();
        seq_print!(m, "device {}\nreaders {readers}\n", self.in_flight());
    }

    fn max_pages(&self) -> usize {
        MAX_PAGES
    }

    fn is_to_process(&self) -> bool {
        true
    }

    fn needs_order(&self) -> bool {
        true
    }

    fn settled(&self, negotiated: &Negotiated) {
        let fixed = size_of::<InHeader>().saturating_add(size_of::<WriteIn>());
        let room = fixed.saturating_add(negotiated.max_write as usize);
        self.min_read.store(room.max(MIN_READ), Relaxed);
    }

    fn detach(&self) {
        drop(self.connection.lock().take());
    }
}
