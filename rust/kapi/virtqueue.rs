// SPDX-License-Identifier: GPL-2.0

//! Virtqueues that own what the device has.
//!
//! A [`Queue`] takes requests ([`Owned`]) in, and gives them back when the device is done or was
//! reset: in between, nobody else can touch their buffers. A full ring parks requests in order, and
//! a completion moves them on under the same lock, so that none is forgotten.
//!
//! C interfaces: `include/linux/virtio.h`, `include/linux/scatterlist.h`.

use crate::{
    bindings,
    handoff::{Chain, Owned, Waiter},
    rcu::ReadLock,
    transfer::{Buffers, Part, Transfer},
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    interrupt::LocalInterruptDisabled,
    prelude::*,
    sync::{new_spinlock_irq, SpinLockIrq},
};

/// The segments of one request.
struct Segments<'r> {
    table: &'r mut KVec<bindings::scatterlist>,
    /// How many segments the device reads, once it is clear that no more will come.
    readable: Option<usize>,
    used: usize,
    max_segment: usize,
}

impl<'a> Buffers<'a> for Segments<'_> {
    #[inline]
    fn max_part(&self) -> usize {
        self.max_segment
    }

    #[inline]
    fn read_by_peer(&mut self, part: Part<'a>) -> Result {
        match self.readable {
            None => self.add(part),
            Some(_) => Err(EINVAL),
        }
    }

    #[inline]
    fn written_by_peer(&mut self, part: Part<'a>) -> Result {
        self.readable.get_or_insert(self.used);
        self.add(part)
    }
}

impl Segments<'_> {
    fn readable_count(&self) -> usize {
        self.readable.unwrap_or(self.used)
    }

    /// Adds a part, joined to the last segment where it follows that.
    #[inline]
    fn add(&mut self, part: Part<'_>) -> Result {
        let limit = self.max_segment;
        let (page, offset) = part.page()?;
        if part.joins() {
            if let Some(last) = self.open_segment() {
                let end = last.offset as usize + last.length as usize;
                // SAFETY: Compares addresses only: `nth_page` of a segment's own first page.
                let first = unsafe { bindings::sg_page(last) };
                let next = first.wrapping_add(end / bindings::PAGE_SIZE);
                if next == page
                    && end % bindings::PAGE_SIZE == offset
                    && last.length as usize + part.len() <= limit
                {
                    last.length += u32::try_from(part.len())?;
                    return Ok(());
                }
            }
        }
        let segment = self.table.get_mut(self.used).ok_or(E2BIG)?;
        // All of it: an entry of an earlier request may carry an end mark. A page's address has none.
        *segment = bindings::scatterlist {
            page_link: page.addr(),
            offset: u32::try_from(offset)?,
            length: u32::try_from(part.len())?,
            ..pin_init::zeroed()
        };
        self.used += 1;
        Ok(())
    }

    /// The last segment, if the next bytes may join it.
    fn open_segment(&mut self) -> Option<&mut bindings::scatterlist> {
        if self.used == 0 || Some(self.used) == self.readable {
            return None;
        }
        self.table.get_mut(self.used - 1)
    }
}

/// A virtqueue that was set up (`struct virtqueue`).
///
/// # Invariants
///
/// Live until the queue that has it was closed and an RCU grace period has passed.
pub(crate) struct Virtqueue(NonNull<bindings::virtqueue>);

// SAFETY: The ring may be worked by any thread; a lock serialises.
unsafe impl Send for Virtqueue {}

impl Virtqueue {
    /// # Safety
    ///
    /// `vq` is live, and stays so as the type invariants say.
    pub(crate) unsafe fn from_raw(vq: *mut bindings::virtqueue) -> Self {
        // SAFETY: By the caller's promise.
        Self(unsafe { NonNull::new_unchecked(vq) })
    }
}

/// What the lock of a [`Queue`] protects.
struct Ring<T: Transfer> {
    /// `None` while closed.
    vq: Option<Virtqueue>,
    /// Room for the segments of one request.
    table: KVec<bindings::scatterlist>,
    /// Waits for room in the ring, in order.
    parked: Chain<T>,
    /// How many requests are the device's.
    in_ring: usize,
    in_parked: usize,
    max_segment: usize,
}

/// A virtqueue and the requests that are the device's for now.
///
/// # Invariants
///
/// Each token in the ring is the `Owned` of a request, turned into a pointer; it is there exactly
/// once.
#[pin_data]
pub struct Queue<T: Transfer> {
    #[pin]
    ring: SpinLockIrq<Ring<T>>,
}

/// Why a request could not be added to the ring.
enum Refusal<T: Transfer> {
    Full(Owned<T>),
    Bad(Owned<T>, Error),
}

impl<T: Transfer> Ring<T> {
    /// Gives one request to the device.
    fn add(&mut self, mut request: Owned<T>) -> Result<(), Refusal<T>> {
        let Some(vq) = self.vq.as_ref().map(|vq| vq.0.as_ptr()) else {
            return Err(Refusal::Bad(request, ENODEV));
        };
        let (readable, used) = match self.describe(&mut request) {
            Ok(counts) => counts,
            Err(error) => return Err(Refusal::Bad(request, error)),
        };
        let base = self.table.as_mut_ptr();
        let mut lists = [base, base.wrapping_add(readable)];
        let readers = usize::from(readable > 0);
        let writers = usize::from(used > readable);
        let token = request.into_token();
        // SAFETY: The virtqueue is live while it stands here, and the lock is held, so nobody else
        // adds. The table describes buffers that the request owns, and the token keeps it alive and
        // out of everybody's reach until the ring gives it back.
        let result = to_result(unsafe {
            bindings::virtqueue_add_sgs(
                vq,
                lists.as_mut_ptr().wrapping_add(1 - readers),
                readers as u32,
                writers as u32,
                token.as_ptr(),
                bindings::GFP_ATOMIC,
            )
        });
        let Err(error) = result else {
            self.in_ring += 1;
            return Ok(());
        };
        // SAFETY: The ring refused the token: it is still ours.
        let request = unsafe { Owned::from_token(token) };
        // With requests in the ring, both a lack of descriptors and of memory pass.
        match (error == ENOSPC || error == ENOMEM) && self.in_ring > 0 {
            true => Err(Refusal::Full(request)),
            false => Err(Refusal::Bad(request, error)),
        }
    }

    /// Fills the table: the number of segments to read, and of all.
    fn describe(&mut self, request: &mut Owned<T>) -> Result<(usize, usize)> {
        let mut buffers = Segments {
            table: &mut self.table,
            readable: None,
            used: 0,
            max_segment: self.max_segment,
        };
        request.buffers(&mut buffers)?;
        let (readable, used) = (buffers.readable_count(), buffers.used);
        for end in [readable, used] {
            if let Some(last) = end.checked_sub(1).and_then(|last| self.table.get_mut(last)) {
                // SAFETY: An initialised entry.
                unsafe { bindings::sg_mark_end(last) };
            }
        }
        Ok((readable, used))
    }

    /// Moves parked requests into the ring while there is room. Refused ones go to `failed`.
    fn unpark(&mut self, failed: &mut Chain<T>) {
        while let Some(request) = self.parked.pop_front() {
            match self.add(request) {
                Ok(()) => self.in_parked -= 1,
                Err(Refusal::Full(request)) => return self.parked.push_front(request),
                Err(Refusal::Bad(mut request, error)) => {
                    self.in_parked -= 1;
                    request.failed(error);
                    failed.push_back(request);
                }
            }
        }
    }

    /// Whether the device wants to be told of what was added.
    fn kick_prepare(&mut self) -> Option<NonNull<bindings::virtqueue>> {
        let vq = self.vq.as_ref()?.0;
        // SAFETY: Live, and the lock is held.
        unsafe { bindings::virtqueue_kick_prepare(vq.as_ptr()) }.then_some(vq)
    }

    fn pop(&mut self) -> Option<Owned<T>> {
        let vq = self.vq.as_ref()?.0.as_ptr();
        let mut written = 0;
        // SAFETY: Live, and the lock is held.
        let token = NonNull::new(unsafe { bindings::virtqueue_get_buf(vq, &mut written) })?;
        self.in_ring -= 1;
        // SAFETY: By the invariants of `Queue`; the device is done with it.
        let mut request = unsafe { Owned::<T>::from_token(token) };
        request.written(written as usize);
        Some(request)
    }

    /// Takes what the device has used, until it may interrupt again.
    fn pop_all(&mut self, done: &mut Chain<T>) {
        loop {
            if let Some(vq) = &self.vq {
                // SAFETY: Live, and the lock is held.
                unsafe { bindings::virtqueue_disable_cb(vq.0.as_ptr()) };
            }
            while let Some(request) = self.pop() {
                done.push_back(request);
            }
            let Some(vq) = &self.vq else { return };
            // SAFETY: As above.
            if unsafe { bindings::virtqueue_enable_cb(vq.0.as_ptr()) } {
                return;
            }
        }
    }
}

impl<T: Transfer> Queue<T> {
    /// A queue that is closed.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            ring <- new_spinlock_irq!(Ring {
                vq: None,
                table: KVec::new(),
                parked: Chain::new(),
                in_ring: 0,
                in_parked: 0,
                max_segment: 0,
            }),
        })
    }

    /// Puts a virtqueue in. May sleep.
    ///
    /// # Safety
    ///
    /// `vq` is fresh: nothing was added to it.
    pub(crate) unsafe fn open(&self, vq: Virtqueue) -> Result {
        // SAFETY: Live.
        let size = unsafe { bindings::virtqueue_get_vring_size(vq.0.as_ptr()) } as usize;
        // SAFETY: Live, and so is its device.
        let max_segment = unsafe { bindings::virtio_max_dma_size((*vq.0.as_ptr()).vdev) };
        let mut table = KVec::with_capacity(size, GFP_KERNEL)?;
        for _ in 0..size {
            table.push(pin_init::zeroed(), GFP_KERNEL)?;
        }
        let mut ring = self.ring.lock();
        core::mem::swap(&mut ring.table, &mut table);
        ring.max_segment = max_segment.min(u32::MAX as usize);
        ring.vq = Some(vq);
        drop(ring);
        Ok(())
    }

    /// Closes the queue and takes back every request.
    ///
    /// # Safety
    ///
    /// The device was reset.
    pub(crate) unsafe fn close(&self) -> Chain<T> {
        let mut taken = Chain::new();
        let mut ring = self.ring.lock();
        // What the device had used before the reset is answered.
        while let Some(request) = ring.pop() {
            taken.push_back(request);
        }
        if let Some(vq) = ring.vq.take() {
            let detach = || {
                // SAFETY: Live; after the reset, the buffers are the device's no more.
                unsafe { bindings::virtqueue_detach_unused_buf(vq.0.as_ptr()) }
            };
            while let Some(token) = NonNull::new(detach()) {
                // SAFETY: By the type invariants.
                let mut request = unsafe { Owned::<T>::from_token(token) };
                request.failed(ENODEV);
                taken.push_back(request);
            }
        }
        while let Some(mut request) = ring.parked.pop_front() {
            request.failed(ENODEV);
            taken.push_back(request);
        }
        ring.in_ring = 0;
        ring.in_parked = 0;
        taken
    }

    /// Gives a request to the device, or parks it while the ring is full. Does not sleep.
    ///
    /// # Errors
    ///
    /// The request is given back, after [`Transfer::failed`], when the queue is closed or the
    /// request can never fit.
    pub fn submit(&self, request: Owned<T>) -> Result<(), Owned<T>> {
        let mut failed = Chain::new();
        let mut one = Chain::new();
        one.push_back(request);
        self.submit_all(&mut one, &mut failed);
        failed.pop_front().map_or(Ok(()), Err)
    }

    /// Gives all of `requests` to the device, with at most one notification. Those that are refused
    /// go to `failed`. Does not sleep.
    pub fn submit_all(&self, requests: &mut Chain<T>, failed: &mut Chain<T>) {
        // Keeps the virtqueue alive for a notification outside of the lock.
        let _rcu = ReadLock::new();
        let mut ring = self.ring.lock();
        while let Some(request) = requests.pop_front() {
            if !ring.parked.is_empty() {
                ring.park(request);
                continue;
            }
            match ring.add(request) {
                Ok(()) => {}
                Err(Refusal::Full(request)) => ring.park(request),
                Err(Refusal::Bad(mut request, error)) => {
                    request.failed(error);
                    failed.push_back(request);
                }
            }
        }
        let kick = ring.kick_prepare();
        drop(ring);
        notify(kick);
    }

    /// Takes the request that `waiter` waits for back, if the device has not got it yet. Does not
    /// sleep.
    pub fn take_back(&self, waiter: &Waiter<T>) -> Option<Owned<T>> {
        let mut ring = self.ring.lock();
        let request = ring.parked.remove(waiter)?;
        ring.in_parked -= 1;
        Some(request)
    }

    /// The number of requests that are the device's or parked.
    pub fn in_flight(&self) -> usize {
        let ring = self.ring.lock();
        ring.in_ring + ring.in_parked
    }

    /// Whether the device said what cannot be: then the ring neither takes nor gives any more.
    pub fn is_broken(&self) -> bool {
        let ring = self.ring.lock();
        // SAFETY: A virtqueue is live while it stands in the ring.
        let broken = |vq: &Virtqueue| unsafe { bindings::virtqueue_is_broken(vq.0.as_ptr()) };
        ring.vq.as_ref().is_some_and(broken)
    }

    /// The number of descriptors of the ring; 0 while closed.
    pub fn size(&self) -> usize {
        self.ring.lock().table.len()
    }

    /// Takes what the device has used, and moves parked requests on. Those that are refused are in
    /// the result too.
    pub(crate) fn take_used(&self, irq: &LocalInterruptDisabled) -> Chain<T> {
        let mut done = Chain::new();
        let mut ring = self.ring.lock_with(irq);
        ring.pop_all(&mut done);
        let kick = match ring.parked.is_empty() {
            true => None,
            false => {
                ring.unpark(&mut done);
                ring.kick_prepare()
            }
        };
        drop(ring);
        // Interrupts are off: that is a read-side critical section of RCU.
        notify(kick);
        done
    }
}

impl<T: Transfer> Ring<T> {
    fn park(&mut self, request: Owned<T>) {
        self.parked.push_back(request);
        self.in_parked += 1;
    }
}

/// Tells the device; the caller is in a read-side critical section since it took `vq` out of the
/// ring, which keeps it alive, see [`Virtqueue`].
fn notify(vq: Option<NonNull<bindings::virtqueue>>) {
    if let Some(vq) = vq {
        // SAFETY: Alive, as above; notifications need no lock.
        unsafe { bindings::virtqueue_notify(vq.as_ptr()) };
    }
}
