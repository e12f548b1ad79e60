// SPDX-License-Identifier: GPL-2.0

//! Writing dirty pages back: by way of copies, unless the mount asks for what the C client does.
//!
//! A dirty folio is copied, and its writeback ends at once: the page cache never waits for a server. The
//! inode keeps the ranges that are on their way. Two writes of one page are never on their way at the same
//! time: the second waits here for the first. What reads from the server, or changes the file by other
//! requests, waits for what is on its way.

use super::{handle::Handle, mount::Fs, times};
use crate::conn::{
    outgoing::{Held, Outgoing},
    request::{Completion, Payload},
    written::Entry,
    Connection,
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{aref::ARef, Arc, Mutex},
};
use rfuse_kapi::{
    handoff::Gfp,
    ids,
    inode::Inode,
    memalloc::{box_nofail, vec_nofail, MemallocNofs},
    spin_lock::{new_spinlock, SpinLock},
    temp_pages::TempPages,
    wait::WaitQueue,
    writeback::{Sink, WritebackControl, WritebackRange},
};
use rfuse_proto::{flags::WRITE_CACHE, op::Operation};

/// How many writes of one inode are with the server at a time.
const FLIGHTS: usize = 64;

/// How long a task that exits waits for the server, in jiffies: about a second.
const EXIT_TICKS: u32 = 250;

/// A range of bytes that is on its way; `end` is not included.
#[derive(Clone, Copy)]
struct Flight {
    start: u64,
    end: u64,
    seq: u64,
    /// It is the file's times: they meet all of the file.
    is_times: bool,
}

impl Flight {
    fn meets(&self, start: u64, end: u64) -> bool {
        self.start < end && start < self.end
    }

    /// Whether `later` is sent when this one has arrived. What is written after the times were sent changes
    /// them again.
    fn precedes(&self, later: &Self) -> bool {
        self.seq < later.seq
            && self.meets(later.start, later.end)
            && (later.is_times || !self.is_times)
    }
}

/// What is to be sent, or was.
struct Copy {
    flight: Flight,
    inode: ARef<Inode<Fs>>,
    /// Keeps RELEASE behind this request.
    handle: Option<Arc<Handle>>,
    /// What is written; none for times, which are those of the moment they are sent.
    data: Option<Outgoing>,
    account: Entry,
    next: Option<KBox<Copy>>,
}

/// What the lock of [`Writes`] protects.
struct State {
    /// With the server.
    flights: KVec<Flight>,
    /// Waits for its turn, in order.
    first: Option<KBox<Copy>>,
    /// How many hold everything up.
    barriers: usize,
    seq: u64,
    /// Whether the file is open for writing: there will be more to send.
    is_open: bool,
}

/// The writes of an inode that are on their way.
#[pin_data]
pub(crate) struct Writes {
    #[pin]
    state: SpinLock<State>,
    #[pin]
    fewer: WaitQueue,
    /// The handles that may be written by.
    #[pin]
    handles: Mutex<KVec<Arc<Handle>>>,
}

/// While it exists, no write of the inode is with the server.
pub(crate) struct Barrier<'a>(&'a Inode<Fs>);

impl State {
    /// The range and number of everything that is not sent yet.
    fn waiting(&self) -> impl Iterator<Item = &Flight> {
        let mut next = self.first.as_ref();
        core::iter::from_fn(move || {
            let copy = next?;
            next = copy.next.as_ref();
            Some(&copy.flight)
        })
    }

    fn push(&mut self, copy: KBox<Copy>) {
        let mut last = &mut self.first;
        while let Some(copy) = last {
            last = &mut copy.next;
        }
        *last = Some(copy);
    }

    /// Takes the first copy whose turn it is; it is a flight then.
    fn take(&mut self) -> Option<KBox<Copy>> {
        if self.barriers > 0 || self.flights.len() >= FLIGHTS {
            return None;
        }
        let turn = self.waiting().position(|flight| {
            let precedes = |other: &Flight| other.precedes(flight);
            !self.flights.iter().any(precedes) && !self.waiting().any(precedes)
        })?;
        let mut link = &mut self.first;
        for _ in 0..turn {
            link = &mut link.as_mut()?.next;
        }
        let mut copy = link.take()?;
        *link = copy.next.take();
        if self.flights.push_within_capacity(copy.flight).is_err() {
            // Cannot be: what is queued has room.
            copy.next = link.take();
            *link = Some(copy);
            return None;
        }
        Some(copy)
    }

    /// The room for flights, if there will be none.
    fn spare_room(&mut self) -> KVec<Flight> {
        // Whoever has queued something counts on it.
        match self.is_open || !self.flights.is_empty() || self.first.is_some() {
            true => KVec::new(),
            false => core::mem::take(&mut self.flights),
        }
    }

    /// Whether something is on its way that `wanted` is said of.
    fn any(&self, wanted: impl Fn(&Flight) -> bool) -> bool {
        self.flights.iter().any(&wanted) || self.waiting().any(wanted)
    }

    /// Whether data up to the number `seq` are on their way that meet the range.
    fn is_busy(&self, start: u64, end: u64, seq: u64) -> bool {
        self.any(|it| it.seq <= seq && !it.is_times && it.meets(start, end))
    }
}

impl Writes {
    /// None.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_spinlock!(State {
                flights: KVec::new(),
                first: None,
                barriers: 0,
                seq: 0,
                is_open: false,
            }),
            fewer <- WaitQueue::new(),
            handles <- new_mutex!(KVec::new()),
        })
    }

    /// The file is open for writing by `handle`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn opened(&self, handle: Arc<Handle>) -> Result {
        let _nofs = MemallocNofs::save();
        let mut handles = self.handles.lock();
        handles.push(handle, GFP_KERNEL)?;
        self.state.lock().is_open = true;
        Ok(())
    }

    /// It no longer is. May sleep.
    pub(crate) fn released(&self, handle: &Arc<Handle>) {
        let mut handles = self.handles.lock();
        handles.retain(|other| !Arc::ptr_eq(other, handle));
        if handles.is_empty() {
            *handles = KVec::new();
            let room = {
                let mut state = self.state.lock();
                state.is_open = false;
                state.spare_room()
            };
            drop(room);
        }
    }

    /// It is no longer on its way.
    fn landed(&self, flight: &Flight) {
        let room = {
            let mut state = self.state.lock();
            state.flights.retain(|other| other.seq != flight.seq);
            state.spare_room()
        };
        drop(room);
        self.fewer.wake_all();
    }

    /// Makes room for what is about to be sent. May sleep.
    fn make_room(&self) {
        if self.state.lock().flights.capacity() > 0 {
            return;
        }
        let mut room = vec_nofail::<Flight, FLIGHTS>();
        let mut state = self.state.lock();
        if state.flights.capacity() == 0 {
            core::mem::swap(&mut state.flights, &mut room);
        }
        drop(state);
    }

    /// One that may be written by. May sleep.
    pub(super) fn handle(&self) -> Option<Arc<Handle>> {
        self.handles.lock().first().cloned()
    }

    /// Whether data are on their way that meet the range; `end` is not included. Does not sleep.
    pub(crate) fn is_busy(&self, start: u64, end: u64) -> bool {
        self.state.lock().is_busy(start, end, u64::MAX)
    }

    /// A number that grows with each write.
    pub(crate) fn seq(&self) -> u64 {
        self.state.lock().seq
    }

    /// Waits until the server has all that is on its way now and meets the range; `end` is not included.
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(crate) fn wait(&self, start: u64, end: u64) -> Result {
        let seq = self.seq();
        self.fewer
            .wait_killable(|| !self.state.lock().is_busy(start, end, seq))
    }

    /// Waits until the server has the times that are on their way now. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub(super) fn wait_times(&self) -> Result {
        let seq = self.seq();
        let on_its_way = |it: &Flight| it.is_times && it.seq <= seq;
        self.fewer
            .wait_killable(|| !self.state.lock().any(on_its_way))
    }
}

/// Writes back what is dirty, without waiting, as the last descriptor that may write goes. May sleep.
pub(crate) fn write_remains(inode: &Inode<Fs>) {
    if inode.mapping().has_dirty_pages() {
        inode.mapping().fdatawrite();
    }
}

/// Writes dirty pages of an inode back, and gives the server some time to take them, but no more: the caller
/// exits, and cannot be killed. One that was killed does not wait at all.
pub(crate) fn settle_at_exit(inode: &Inode<Fs>) {
    write_remains(inode);
    if ids::current_is_killed() {
        return;
    }
    let writes = &inode.data().writes;
    let seq = writes.seq();
    let done = || !writes.state.lock().is_busy(0, u64::MAX, seq);
    // What is still on its way then arrives by itself.
    let _ = writes.fewer.wait_ticks(done, EXIT_TICKS);
}

/// Lets nothing be written back until the result is dropped, and waits for what is on its way. May sleep.
///
/// # Errors
///
/// `EINTR` when killed.
pub(crate) fn hold(inode: &Inode<Fs>) -> Result<Barrier<'_>> {
    let writes = &inode.data().writes;
    {
        let mut state = writes.state.lock();
        state.barriers = state.barriers.saturating_add(1);
    }
    let barrier = Barrier(inode);
    writes
        .fewer
        .wait_killable(|| writes.state.lock().flights.is_empty())?;
    Ok(barrier)
}

impl Drop for Barrier<'_> {
    fn drop(&mut self) {
        {
            let mut state = self.0.data().writes.state.lock();
            state.barriers = state.barriers.saturating_sub(1);
        }
        send_all(self.0);
    }
}

/// Writes dirty pages of a range back, and waits until the server has them; `end` is included. May sleep.
///
/// # Errors
///
/// `EINTR` when killed. Errors of the server stay with the mapping.
pub(crate) fn settle(inode: &Inode<Fs>, start: i64, end: i64) -> Result {
    if inode.mapping().nrpages() > 0 {
        // What fails is told to those who have the file open.
        let _ = inode.mapping().write_and_wait_range(start, end);
    }
    let end = (end.max(0) as u64).saturating_add(1);
    inode.data().writes.wait(start.max(0) as u64, end)
}

/// Writes dirty pages of an inode back.
pub(crate) fn writepages(inode: &Inode<Fs>, wbc: WritebackControl<'_>) -> Result {
    let mut sender = Sender {
        inode,
        handle: inode.data().writes.handle(),
        in_place: inode.super_data().options.writes_in_place,
        run: None,
    };
    let result = wbc.iomap_writepages(inode, &mut sender);
    sender.send();
    result
}

/// Puts what follows each other into one request.
struct Sender<'a> {
    inode: &'a Inode<Fs>,
    handle: Option<Arc<Handle>>,
    /// Folios stay under writeback until the server has them, instead of being copied.
    in_place: bool,
    run: Option<(u64, Outgoing)>,
}

impl Sink for Sender<'_> {
    fn add(&mut self, range: &mut WritebackRange<'_>) {
        let mut done = 0_usize;
        while done < range.len() {
            let taken = match self.in_place {
                true => self.hold(range, done),
                false => self.copy(range, done),
            };
            done = done.saturating_add(taken);
        }
    }
}

impl Sender<'_> {
    fn max_write(&self) -> usize {
        self.inode.super_data().conn.max_write(0)
    }

    /// The run, and what it still has room for, if `pos` follows it.
    fn run_before(&mut self, pos: u64) -> Option<(&mut Outgoing, usize)> {
        let most = self.max_write();
        let (start, data) = self.run.as_mut()?;
        let follows = start.saturating_add(data.len() as u64) == pos;
        let room = most.saturating_sub(data.len());
        (follows && room > 0).then_some((data, room))
    }

    /// Copies what `range` has from its byte `from` on, as far as one request goes; how much that was.
    fn copy(&mut self, range: &WritebackRange<'_>, from: usize) -> usize {
        let pos = range.pos().saturating_add(from as u64);
        if let Some((Outgoing::Copy(pages), room)) = self.run_before(pos) {
            match pages.extend(range, from, room) {
                0 => {}
                copied => return copied,
            }
        }
        self.send();
        let conn = &self.inode.super_data().conn;
        let pages = TempPages::copy_of(conn.reserve(), range, from, self.max_write());
        let copied = pages.len();
        self.run = Some((pos, Outgoing::Copy(pages)));
        copied
    }

    /// The same, but the folio stays under writeback.
    fn hold(&mut self, range: &mut WritebackRange<'_>, from: usize) -> usize {
        let pos = range.pos().saturating_add(from as u64);
        let max = self.max_write();
        let max = self.run_before(pos).map_or(max, |(_, room)| room);
        let Some(part) = range.hold(max) else {
            return range.len();
        };
        let taken = part.len();
        let left = match self.run_before(pos) {
            Some((Outgoing::Held(held), _)) => held.push(part).err(),
            _ => Some(part),
        };
        if let Some(part) = left {
            self.send();
            self.run = Some((pos, Outgoing::Held(Held::new(part))));
        }
        taken
    }

    /// Sends the run, as soon as it may be.
    fn send(&mut self) {
        let Some((start, data)) = self.run.take() else {
            return;
        };
        let Some(handle) = self.handle.clone() else {
            // Nobody has the file open for writing: there is nothing to write by.
            return self.inode.mapping().set_error(EIO);
        };
        self.inode.count_writeback(data.uncounted_pages());
        enqueue(self.inode, start, Some(handle), Some(data));
    }
}

/// Sends the times, when the server has all that is on its way now. May sleep.
pub(super) fn send_times(inode: &Inode<Fs>) {
    enqueue(inode, 0, inode.data().writes.handle(), None);
}

/// Puts something at the end of the queue, and sends what may be sent. May sleep.
fn enqueue(inode: &Inode<Fs>, start: u64, handle: Option<Arc<Handle>>, data: Option<Outgoing>) {
    let len = data.as_ref().map_or(0, |data| data.len() as u64);
    let is_times = data.is_none();
    let mut copy = box_nofail(Copy {
        flight: Flight {
            start,
            end: match is_times {
                true => u64::MAX,
                false => start.saturating_add(len),
            },
            seq: 0,
            is_times,
        },
        inode: inode.into(),
        handle,
        data,
        account: inode.super_data().conn.enter_written(len),
        next: None,
    });
    {
        let mut state = inode.data().writes.state.lock();
        state.seq = state.seq.saturating_add(1);
        copy.flight.seq = state.seq;
        state.push(copy);
    }
    send_all(inode);
}

/// Sends every copy whose turn it is. May sleep.
fn send_all(inode: &Inode<Fs>) {
    loop {
        let writes = &inode.data().writes;
        if writes.state.lock().first.is_none() {
            return;
        }
        writes.make_room();
        let copy = writes.state.lock().take();
        match copy {
            Some(copy) => copy.send(),
            None => return,
        }
    }
}

impl Copy {
    fn send(mut self: KBox<Self>) {
        match self.data.take() {
            Some(data) => self.send_data(data),
            None => self.send_times(),
        }
    }

    /// Sends data, as far as the file reaches by now.
    fn send_data(self: KBox<Self>, mut data: Outgoing) {
        let counted = data.uncounted_pages();
        let left = self.inode.size().saturating_sub(self.flight.start);
        data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let asked = data.len();
        let landing = Landing::new(self, asked, counted);
        let Some(handle) = landing.copy.handle.clone().filter(|_| asked > 0) else {
            drop(data);
            return landing.land(Ok(0));
        };
        let size = u32::try_from(asked).unwrap_or(0);
        let operation = handle.write_back(landing.copy.flight.start, size, WRITE_CACHE);
        landing.send(&operation, Payload::Outgoing(data));
    }

    fn send_times(self: KBox<Self>) {
        let operation = times::operation(&self.inode, self.handle.as_deref());
        Landing::new(self, 0, 0).send(&operation, Payload::None);
    }
}

/// What becomes of a copy that was sent.
struct Landing {
    copy: KBox<Copy>,
    asked: usize,
    counted: isize,
}

impl Landing {
    fn new(copy: KBox<Copy>, asked: usize, counted: isize) -> KBox<Self> {
        box_nofail(Self {
            copy,
            asked,
            counted,
        })
    }

    fn send<O: Operation>(self: KBox<Self>, operation: &O, payload: Payload) {
        let conn = self.copy.inode.super_data().conn.clone();
        if conn.is_aborted() {
            drop(payload);
            return self.land(Err(ECONNABORTED));
        }
        let _nofs = MemallocNofs::save();
        // Cannot fail: the allocation does not, and the request has no name.
        let _ = conn.send_background(operation, payload, Some(self), Gfp::NofsNofail);
    }

    /// The server has it, or never will.
    fn land(self: KBox<Self>, result: Result<usize>) {
        let this = KBox::into_inner(self);
        let copy = KBox::into_inner(this.copy);
        let (inode, flight) = (copy.inode, copy.flight);
        let conn = inode.super_data().conn.clone();
        match result {
            // Who may write need not be who may set times.
            _ if flight.is_times => {}
            Ok(taken) if taken == this.asked => {}
            // Data that cannot be sent any more is lost.
            Ok(_) | Err(ECONNABORTED | ENOTCONN) => inode.mapping().set_error(EIO),
            Err(error) => inode.mapping().set_error(error),
        }
        if !flight.is_times {
            inode.count_writeback(this.counted.wrapping_neg());
            inode.data().wrote(&inode, 0);
        }
        inode.data().writes.landed(&flight);
        // An unmount waits for the account, and wants no inode to be in use then.
        drop(copy.handle);
        drop(inode);
        conn.strike_written(&copy.account);
    }
}

impl Completion for Landing {
    fn complete(self: KBox<Self>, conn: &Connection, payload: Payload, result: Result<usize>) {
        // The pages go first: others may wait for them.
        drop(payload);
        let inode = self.copy.inode.clone();
        let account = conn.enter_written(0);
        self.land(result);
        send_all(&inode);
        drop(inode);
        conn.strike_written(&account);
    }
}
