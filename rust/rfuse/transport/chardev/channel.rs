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
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Mutex, SetOnce,
    },
};
use rfuse_kapi::{
    handoff::{Chain, Waiter},
    inline_atomic::InlineAtomic,
    poll::{Events, PollTable},
    seq_file::{seq_print, SeqFile, SeqFileExt},
    transfer::Transfer,
    wait::WaitQueue,
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
    pending: Pending,
    /// Who hears of what the server tells unasked.
    listener: SetOnce<Arc<dyn Listener>>,
    /// Those who read and write it.
    #[pin]
    clients: Mutex<KVec<Arc<Client>>>,
    #[pin]
    connection: Mutex<Option<Arc<Connection>>>,
    /// For who waits until nothing is read or written.
    #[pin]
    fewer_copies: WaitQueue,
    /// Nothing more is read or written.
    is_cut: Atomic<bool>,
    /// The server does not know INTERRUPT.
    no_interrupt: Atomic<bool>,
    min_read: Atomic<usize>,
    /// The device number of what is mounted, by which its connection is known.
    id: Atomic<u32>,
}

/// While it exists, what is copied cannot be ended by [`Channel::abort`], which waits. So whoever has it waits
/// for nobody.
pub(super) struct Copying<'a> {
    channel: &'a Channel,
    client: &'a Client,
}

impl Drop for Copying<'_> {
    fn drop(&mut self) {
        if self.client.end_copy() && self.channel.is_cut() {
            self.channel.fewer_copies.wake_all();
        }
    }
}

impl Channel {
    /// A channel nobody is attached to. May sleep.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                pending <- Pending::new(),
                listener: SetOnce::new(),
                clients <- new_mutex!(KVec::new()),
                connection <- new_mutex!(None),
                fewer_copies <- WaitQueue::new(),
                is_cut: Atomic::new(false),
                no_interrupt: Atomic::new(false),
                min_read: Atomic::new(MIN_READ),
                id: Atomic::new(0),
            }? Error),
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
        let mut clients = self.clients.lock();
        clients.push(client.clone(), GFP_KERNEL)?;
        self.pending.widen(clients.len());
        Ok(())
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
        self.pending.widen(clients.len());
        clients.is_empty()
    }

    /// The least that a reader must have room for, in bytes.
    pub(super) fn min_read(&self) -> usize {
        self.min_read.read_once()
    }

    /// The next request or message for `client` to read, as soon as there is one.
    ///
    /// # Errors
    ///
    /// `EAGAIN` instead of waiting; `ERESTARTSYS` when a signal is pending; `ENODEV` after the end.
    pub(super) fn next<'a>(
        &'a self,
        client: &'a Client,
        waits: bool,
    ) -> Result<(Copying<'a>, OwnedRequest)> {
        loop {
            if waits {
                self.pending.wait(|| self.is_cut())?;
            }
            let copying = self.begin_copy(client).ok_or(ENODEV)?;
            match self.pending.next(client.count_read()) {
                Some(request) => return Ok((copying, request)),
                None if !waits => return Err(EAGAIN),
                // Another reader was faster.
                None => {}
            }
        }
    }

    /// Something of `client` is about to be copied; nothing after the end.
    pub(super) fn begin_copy<'a>(&'a self, client: &'a Client) -> Option<Copying<'a>> {
        client.begin_copy();
        let copying = Copying {
            channel: self,
            client,
        };
        (!self.is_cut()).then_some(copying)
    }

    fn is_cut(&self) -> bool {
        self.is_cut.read_once()
    }

    /// What was to be read goes back to the lane `first`, for the next reader; without one to come it ends. May sleep.
    pub(super) fn put_back(&self, request: OwnedRequest, first: usize) {
        if let Err(request) = self.pending.push_front(request, first) {
            let mut late = Chain::new();
            late.push_back(request);
            self.end_all(late, ENODEV);
        }
    }

    /// What is to be read.
    pub(super) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// Interrupts a request that the server has read, once more.
    pub(super) fn interrupt_again(&self, unique: u64) {
        let message = self
            .connection()
            .and_then(|connection| connection.interrupt_message(unique).ok());
        if let Some(message) = message {
            drop(self.pending.push_message(message));
        }
    }

    /// What was read and is not answered is to be read again, in order and before all else.
    pub(super) fn resend(&self) {
        let mut read = Chain::new();
        for client in self.clients.lock().iter() {
            read.append(&mut client.take_all());
        }
        // One lane for all, or the order would be lost.
        let lane = self.pending.here();
        while let Some(mut latest) = take_latest(&mut read) {
            self.pending.drop_interrupt(latest.unique());
            latest.resend();
            self.put_back(latest, lane);
        }
        self.pending.signals().notify();
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
        self.pending.poll(table);
        match (self.is_cut(), self.pending.is_empty()) {
            (true, _) => Events::ERROR,
            (false, true) => Events::WRITE,
            (false, false) => Events::WRITE.with(Events::READ),
        }
    }
}

/// The request with the largest number.
fn take_latest(requests: &mut Chain<Request>) -> Option<OwnedRequest> {
    let latest = requests.iter().map(|request| request.unique()).max()?;
    requests.remove_first(|request| request.unique() == latest)
}

impl Transport for Channel {
    fn submit(&self, request: OwnedRequest) -> Result<(), OwnedRequest> {
        let is_sync = request.has_caller();
        self.pending.push(request, is_sync)
    }

    fn submit_all(&self, requests: &mut Chain<Request>, failed: &mut Chain<Request>) {
        while let Some(request) = requests.pop_front() {
            if let Err(request) = self.submit(request) {
                failed.push_back(request);
            }
        }
    }

    fn forget(&self, message: OwnedRequest) -> Result<(), OwnedRequest> {
        self.pending.push_message(message)
    }

    fn interrupt(
        &self,
        message: OwnedRequest,
        waiter: &Waiter<Request>,
    ) -> Result<(), OwnedRequest> {
        if self.no_interrupt.read_once() {
            return Err(message);
        }
        self.pending.interrupt(message, waiter)
    }

    fn heeds_signals(&self) -> bool {
        !self.no_interrupt.read_once()
    }

    fn take_back(&self, waiter: &Waiter<Request>) -> Option<OwnedRequest> {
        let taken = self.pending.take_back(waiter)?;
        self.pending.drop_interrupt(taken.unique());
        Some(taken)
    }

    fn expire(&self, before: u64) -> bool {
        let is_late = |request: &OwnedRequest| request.is_late(before);
        let mut late = self.pending.extract(is_late);
        for client in self.clients.lock().iter() {
            late.append(&mut client.extract(is_late));
        }
        for request in late.iter() {
            self.pending.drop_interrupt(request.unique());
        }
        let were_any = !late.is_empty();
        self.end_all(late, ETIMEDOUT);
        were_any
    }

    fn abort(&self) {
        self.is_cut.store(true, Relaxed);
        let mut all = self.pending.cut();
        self.pending.wake_all();
        let clients = self.clients.lock();
        for client in clients.iter() {
            self.fewer_copies.wait(|| !client.is_copying());
            all.append(&mut client.take_all());
        }
        drop(clients);
        self.end_all(all, ENODEV);
    }

    fn in_flight(&self) -> usize {
        let clients = self.clients.lock();
        let read = clients.iter().map(|client| client.unanswered());
        read.fold(self.pending.len(), usize::saturating_add)
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
        seq_print!(m, "messages {}\n", self.pending.message_count());
        for (index, depth) in self.pending.depths().enumerate() {
            seq_print!(m, "lane.{index} {depth}\n");
        }
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
