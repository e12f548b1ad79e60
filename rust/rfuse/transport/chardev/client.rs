// SPDX-License-Identifier: GPL-2.0

//! An open file of the device: it reads requests, and writes answers.

use super::{
    channel::{Channel, Copying},
    processing::Processing,
};
use crate::{
    conn::{
        request::{OwnedRequest, Request},
        Connection,
    },
    LocalModule,
};
use core::mem::MaybeUninit;
use kernel::{
    ioctl::{_IO, _IOR, _IOW},
    iov::{IovIterDest, IovIterSource},
    page::PAGE_SIZE,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, SetOnce,
    },
    uaccess::{UserPtr, UserSlice},
};
use rfuse_kapi::{
    handoff::Chain,
    inline_atomic::{InlineAtomic, InlineRmw},
    misc_device::{MiscDevice, OpenFile},
    pipe_room::PipeRoom,
    poll::{Events, PollTable, Signals},
    spin_lock::{new_spinlock, SpinLock},
    transfer::Transfer,
    user_copy::{
        copy_from_peer, copy_to_peer, fault_in_iov_iter_readable, fault_in_iov_iter_writeable, Head,
    },
    wait::WaitQueue,
};
use rfuse_proto::{
    notify::{self, Notification, NotifyFault},
    op::INTERRUPT_BIT,
    wire::{BackingMap, Opcode, OutHeader},
};

/// `FUSE_DEV_IOC_CLONE`: attaches the file to the channel of another one.
const CLONE: u32 = _IOR::<u32>(229, 0);

/// `FUSE_DEV_IOC_BACKING_OPEN`: lends a file; the result is its number.
const BACKING_OPEN: u32 = _IOW::<BackingMap>(229, 1);

/// `FUSE_DEV_IOC_BACKING_CLOSE`: takes it back.
const BACKING_CLOSE: u32 = _IOW::<u32>(229, 2);

/// `FUSE_DEV_IOC_SYNC_INIT`: `mount(2)` waits for the answer to INIT.
const SYNC_INIT: u32 = _IO(229, 3);

/// Answers up to so many bytes are read at once, before their requests are looked for; of others the header is.
const HEAD: usize = 160;

/// The longest notification, in bytes, but for data to store.
const MAX_HEAD: usize = 1 << 20;

/// The largest error number that an answer may name.
const MAX_ERROR: i32 = 511;

/// An open file of `/dev/rfuse`.
#[pin_data]
pub(crate) struct Client {
    channel: SetOnce<Arc<Channel>>,
    #[pin]
    processing: SpinLock<Processing>,
    waits_for_init: Atomic<bool>,
    /// How many requests are read or written at this moment.
    copies: Atomic<usize>,
    /// How often somebody looked for something to read. May miss some.
    reads: Atomic<usize>,
    /// For those who read before the mount.
    #[pin]
    attached: WaitQueue,
}

impl Client {
    /// Reads and writes `channel` from now on. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it has one.
    pub(crate) fn attach(self: &Arc<Self>, channel: &Arc<Channel>) -> Result {
        channel.add(self)?;
        if self.channel.populate(channel.clone()) {
            self.attached.wake_all();
            return Ok(());
        }
        let _ = channel.forget_client(self);
        Err(EINVAL)
    }

    /// What it reads and writes.
    ///
    /// # Errors
    ///
    /// `EPERM` before it is used for a mount.
    pub(crate) fn channel(&self) -> Result<&Arc<Channel>> {
        self.channel.as_ref().ok_or(EPERM)
    }

    /// As [`Self::channel`], for who reads or writes: a mount that waits for INIT finds who answers it.
    ///
    /// # Errors
    ///
    /// As there; `EINTR` when a signal is pending.
    fn channel_of_mount(&self) -> Result<&Arc<Channel>> {
        if self.waits_for_init() {
            self.wait_for_mount()?;
        }
        self.channel()
    }

    /// As [`Self::channel_of_mount`], for who has room for `len` bytes.
    ///
    /// # Errors
    ///
    /// As there; `EINVAL` when no request is promised to fit.
    fn channel_to_read(&self, len: usize) -> Result<&Arc<Channel>> {
        let channel = self.channel_of_mount()?;
        if len < channel.min_read() {
            return Err(EINVAL);
        }
        Ok(channel)
    }

    #[cold]
    #[inline(never)]
    fn wait_for_mount(&self) -> Result {
        self.attached
            .wait_exclusive(|| self.channel.as_ref().is_some())
    }

    /// Whether the mount is to wait for the answer to INIT.
    pub(crate) fn waits_for_init(&self) -> bool {
        self.waits_for_init.read_once()
    }

    /// Something is about to be copied, until [`Self::end_copy`].
    pub(super) fn begin_copy(&self) {
        let _ = self.copies.add_full(1);
    }

    /// Whether nothing else is being copied.
    pub(super) fn end_copy(&self) -> bool {
        self.copies.add_full(usize::MAX) == 1
    }

    /// Whether something is being copied, or about to be: what was written before is seen by whoever begins later.
    pub(super) fn is_copying(&self) -> bool {
        self.copies.add_full(0) > 0
    }

    /// Somebody looks for something to read: how often somebody has before, about.
    pub(super) fn count_read(&self) -> usize {
        let count = self.reads.read_once().wrapping_add(1);
        self.reads.write_once(count);
        count
    }

    /// How many requests were read here and are not answered.
    pub(super) fn unanswered(&self) -> usize {
        self.processing.lock().len()
    }

    /// What was read here and is not answered.
    pub(super) fn take_all(&self) -> Chain<Request> {
        self.processing.lock().take_all()
    }

    /// What of that `wanted` is said of.
    pub(super) fn extract(&self, wanted: impl Fn(&OwnedRequest) -> bool) -> Chain<Request> {
        self.processing.lock().extract(wanted)
    }

    /// Has a request read. `None` if it was not, and another one may be.
    fn deliver(
        &self,
        channel: &Channel,
        (copying, mut request): (Copying<'_>, OwnedRequest),
        iter: &mut IovIterDest<'_>,
    ) -> Result<Option<usize>> {
        let len = request.sent_len();
        if len > iter.len() {
            let error = match request.opcode() {
                Some(Opcode::Setxattr) => E2BIG,
                _ => EIO,
            };
            request.failed(error);
            channel.end(copying, request);
            return Ok(None);
        }
        match copy_to_peer(&mut *request, iter) {
            Ok(len) => {
                self.was_read(channel, copying, request);
                Ok(Some(len))
            }
            Err(_) => {
                // Whoever serves the fault may need an answer to this request, or never come back.
                drop(copying);
                channel.put_back(request, channel.pending().here());
                match fault_in_iov_iter_writeable(iter, len) {
                    0 => Ok(None),
                    _ => Err(EFAULT),
                }
            }
        }
    }

    fn was_read(&self, channel: &Channel, copying: Copying<'_>, mut request: OwnedRequest) {
        if !request.expects_answer() {
            request.written(0);
            return channel.end(copying, request);
        }
        let unique = request.unique();
        self.processing.lock().add(request);
        drop(copying);
        channel.pending().was_read(unique);
    }

    /// Takes an answer over, whose head is read already.
    fn answer(&self, channel: &Channel, header: &OutHeader, head: Head<'_, '_, '_>) -> Result {
        let (unique, (bytes, rest)) = (header.unique, head.into_parts());
        loop {
            let copying = channel.begin_copy(self).ok_or(ENOENT)?;
            let mut request = self.processing.lock().take(unique).ok_or(ENOENT)?;
            let result = take_answer(&mut request, header, bytes, rest);
            if result != Err(EFAULT) {
                channel.pending().drop_interrupt(unique);
                channel.end(copying, request);
                return result;
            }
            // As for reading.
            self.processing.lock().add(request);
            drop(copying);
            if fault_in_iov_iter_readable(rest, rest.len()) > 0 {
                self.give_up(channel, unique);
                return Err(EFAULT);
            }
        }
    }

    /// An answer cannot be read: its request ends with `EIO`.
    fn give_up(&self, channel: &Channel, unique: u64) {
        let Some(copying) = channel.begin_copy(self) else {
            return;
        };
        let taken = self.processing.lock().take(unique);
        if let Some(mut request) = taken {
            request.failed(EIO);
            channel.end(copying, request);
        }
    }

    /// The server's word on an INTERRUPT.
    fn interrupt_answer(&self, channel: &Channel, header: &OutHeader, len: usize) -> Result {
        let unique = header.unique & !INTERRUPT_BIT;
        if !self.processing.lock().has(unique) {
            return Err(ENOENT);
        }
        if len != size_of::<OutHeader>() {
            return Err(EINVAL);
        }
        match Error::from_errno(header.error) {
            ENOSYS => channel.set_no_interrupt(),
            EAGAIN => channel.interrupt_again(unique),
            _ => {}
        }
        Ok(())
    }

    fn clone_of(self: &Arc<Self>, argument: usize) -> Result {
        let fd = u32::from_ne_bytes(read(argument)?);
        let other = OpenFile::<Self>::from_fd(fd).map_err(|_| EINVAL)?;
        self.attach(other.data().channel()?)
    }

    /// The connection of what it reads and writes.
    ///
    /// # Errors
    ///
    /// `EPERM` before a mount, and after the last.
    fn connection(&self) -> Result<Arc<Connection>> {
        self.channel()?.connection().ok_or(EPERM)
    }

    fn lend(&self, argument: usize) -> Result<isize> {
        let conn = self.connection()?;
        let bytes = read::<{ size_of::<BackingMap>() }>(argument)?;
        let map = BackingMap::read_from_bytes(&bytes).map_err(|_| EINVAL)?;
        let number = conn.lend(&map)?;
        // CAST: A positive number.
        Ok(number as isize)
    }
}

/// What the caller has at an address.
fn read<const N: usize>(address: usize) -> Result<[u8; N]> {
    UserSlice::new(UserPtr::from_addr(address), N)
        .reader()
        .read()
}

/// Fills the request with its answer. `EFAULT` leaves it unanswered.
fn take_answer(
    request: &mut OwnedRequest,
    header: &OutHeader,
    head: &[u8],
    rest: &mut IovIterSource<'_>,
) -> Result {
    let len = header.len as usize;
    let fits = match header.error {
        0 => request.takes_answer(len),
        _ => len == size_of::<OutHeader>(),
    };
    if !fits {
        request.failed(EIO);
        return Err(EINVAL);
    }
    copy_from_peer(&mut **request, head, rest)?;
    request.written(len);
    Ok(())
}

/// The server tells something unasked: `code` says what.
fn notified(channel: &Channel, code: i32, iter: &mut IovIterSource<'_>) -> Result {
    let connection = channel.connection().ok_or(EINVAL)?;
    if !connection.is_connected() {
        return Err(EINVAL);
    }
    let len = iter.len();
    let head_len = notify::head_len(code, len);
    if head_len > MAX_HEAD {
        return Err(EINVAL);
    }
    let mut head = KVec::zeroed(head_len, GFP_KERNEL)?;
    if iter.copy_from_iter(&mut head) < head_len {
        return Err(EFAULT);
    }
    match notify::parse(code, &head, len, connection.name_max()) {
        Ok(Notification::Resend) => {
            channel.resend();
            Ok(())
        }
        Ok(it) => channel.listener().ok_or(EINVAL)?.notify(it, iter),
        Err(NotifyFault::LongName) => Err(ENAMETOOLONG),
        Err(_) => Err(EINVAL),
    }
}

impl MiscDevice for Client {
    type OwnerModule = LocalModule;
    type Shared = ();

    const NAME: &'static CStr = c"rfuse";

    fn open(_shared: &Arc<()>) -> Result<Arc<Self>> {
        let processing = Processing::new()?;
        Arc::pin_init(
            pin_init!(Self {
                channel: SetOnce::new(),
                processing <- new_spinlock!(processing),
                waits_for_init: Atomic::new(false),
                copies: Atomic::new(0),
                reads: Atomic::new(0),
                attached <- WaitQueue::new(),
            }),
            GFP_KERNEL,
        )
    }

    fn release(this: Arc<Self>) {
        if let Ok(channel) = this.channel() {
            channel.remove(&this);
        }
    }

    #[inline]
    fn read(this: &Arc<Self>, iter: &mut IovIterDest<'_>, waits: bool) -> Result<usize> {
        let channel = this.channel_to_read(iter.len())?;
        loop {
            let next = channel.next(this, waits)?;
            if let Some(len) = this.deliver(channel, next, iter)? {
                return Ok(len);
            }
        }
    }

    fn splice_read(
        this: &Arc<Self>,
        room: &mut PipeRoom,
        len: usize,
        waits: bool,
    ) -> Result<usize> {
        let channel = this.channel_to_read(len)?;
        room.grow(PAGE_SIZE)?;
        loop {
            let (copying, request) = channel.next(this, waits)?;
            let needed = request.sent_len();
            if needed > room.len() && needed <= len {
                // As for a fault: nobody who has a request waits, for memory either.
                drop(copying);
                channel.put_back(request, channel.pending().here());
                room.grow(needed)?;
                continue;
            }
            if let Some(len) = this.deliver(channel, (copying, request), room.iter(len))? {
                return Ok(len);
            }
        }
    }

    #[inline]
    fn write(this: &Arc<Self>, iter: &mut IovIterSource<'_>) -> Result<usize> {
        let channel = this.channel_of_mount()?;
        let len = iter.len();
        if len < size_of::<OutHeader>() {
            return Err(EINVAL);
        }
        let mut room = [MaybeUninit::uninit(); HEAD];
        let head_len = match len {
            ..=HEAD => len,
            _ => size_of::<OutHeader>(),
        };
        let head = Head::read(iter, room.get_mut(..head_len).ok_or(EINVAL)?);
        let (header, _) = OutHeader::read_from_prefix(head.bytes()).map_err(|_| EFAULT)?;
        if header.len as usize != len {
            return Err(EINVAL);
        }
        if header.unique == 0 {
            let iter = head.after(size_of::<OutHeader>());
            return notified(channel, header.error, iter).map(|()| len);
        }
        if header.error > 0 || header.error < MAX_ERROR.wrapping_neg() {
            return Err(EINVAL);
        }
        match header.unique & INTERRUPT_BIT {
            0 => this.answer(channel, &header, head)?,
            _ => this.interrupt_answer(channel, &header, len)?,
        }
        Ok(len)
    }

    fn poll(this: &Arc<Self>, table: &PollTable<'_>) -> Events {
        this.channel()
            .map_or(Events::ERROR, |channel| channel.poll(table))
    }

    fn signals(this: &Arc<Self>) -> Option<&Signals> {
        this.channel()
            .ok()
            .map(|channel| channel.pending().signals())
    }

    fn ioctl(this: &Arc<Self>, command: u32, argument: usize) -> Result<isize> {
        match command {
            CLONE => this.clone_of(argument)?,
            BACKING_OPEN => return this.lend(argument),
            BACKING_CLOSE => {
                let number = u32::from_ne_bytes(read(argument)?);
                this.connection()?.give_back(number)?;
            }
            SYNC_INIT if this.channel().is_ok() => return Err(EINVAL),
            SYNC_INIT => this.waits_for_init.store(true, Relaxed),
            _ => return Err(ENOTTY),
        }
        Ok(0)
    }

    fn show_fdinfo(this: &Arc<Self>, m: &SeqFile) {
        if let Ok(channel) = this.channel() {
            seq_print!(m, "fuse_connection:\t{}\n", channel.id());
        }
    }
}
