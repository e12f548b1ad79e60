// SPDX-License-Identifier: GPL-2.0

//! The device: takes requests out of its queues and puts answers in, rightly or not.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use hostile::delivery::Receipt;
use hostile::lock;
use hostile::post::{Post, Transport};
use hostile::service::Service;
use hostile::shelf::{Held, Parcel};
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackend, VringMutex, VringState, VringT};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};
use virtio_queue::QueueT as _;
use vm_memory::GuestAddressSpace as _;
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::timerfd::TimerFd;

use super::address::{jump, report, Address, Memory};

type Vring = VringMutex<Memory>;

/// A timer cannot be set to nothing.
const SOON: Duration = Duration::from_micros(1);

/// The device. All queues are served by one thread, so that answers have an order.
pub struct Backend {
    queues: usize,
    die_after: Option<u64>,
    memory: Memory,
    post: Post<Address>,
    timer: Mutex<TimerFd>,
    timer_fd: RawFd,
    /// How often the device was started: an answer to an earlier start must not be written.
    epoch: AtomicU64,
    /// Queues (as bits) in which a request may have been reported that was not answered: the client
    /// then has its buffers back, and nothing must be written any more until the device starts anew.
    dead: AtomicU64,
    sent: AtomicU64,
}

impl Backend {
    /// A device with that many queues.
    pub fn new(
        queues: usize,
        die_after: Option<u64>,
        memory: Memory,
        service: Arc<Mutex<Service>>,
    ) -> Result<Self> {
        let timer = TimerFd::new()?;
        Ok(Self {
            queues,
            die_after,
            memory,
            post: Post::new(service),
            timer_fd: timer.as_raw_fd(),
            timer: Mutex::new(timer),
            epoch: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        })
    }

    /// What becomes readable when something is due.
    pub fn timer(&self) -> impl AsRawFd {
        self.timer_fd
    }

    /// The event's number for that.
    pub fn timer_event(&self) -> u64 {
        // The number after those of the queues is the end's.
        self.queues as u64 + 1
    }

    /// Serves a queue until nothing is left in it.
    fn serve(&self, number: usize, vrings: &[Vring]) -> Result<()> {
        let Some(vring) = vrings.get(number) else {
            return Ok(());
        };
        loop {
            while let Some((message, address)) = self.next(number, vring)? {
                let (room, by) = (address.room(), self.by(vrings));
                self.post.receive(&message, address, room, &by)?;
            }
            let mut state = vring.get_mut();
            // A queue that was stopped may not be written to.
            let stopped = !state.get_queue().ready() || self.is_dead(number);
            if stopped || !state.enable_notification()? {
                return Ok(());
            }
        }
    }

    /// The next request of a queue.
    fn next(&self, number: usize, vring: &Vring) -> Result<Option<(Vec<u8>, Address)>> {
        let mut state = vring.get_mut();
        if !state.get_queue().ready() || self.is_dead(number) {
            return Ok(None);
        }
        let epoch = self.epoch.load(Ordering::SeqCst);
        let queue = state.get_queue_mut();
        match queue.pop_descriptor_chain(self.memory.memory()) {
            Some(chain) => Address::open(chain, number, epoch).map(Some),
            None => Ok(None),
        }
    }

    /// Nothing more is written into that queue.
    fn bury(&self, queue: usize) {
        self.dead.fetch_or(1 << queue, Ordering::SeqCst);
    }

    fn is_dead(&self, queue: usize) -> bool {
        self.dead.load(Ordering::SeqCst) & (1 << queue) != 0
    }

    /// Does something to the queue of an address and then tells the guest, if the device was not
    /// started anew since the request came. The queue stays locked: a stop waits for it.
    fn on_ring(
        &self,
        address: &Address,
        vrings: &[Vring],
        act: impl FnOnce(&mut VringState<Memory>) -> Result<bool>,
    ) -> Result<()> {
        let Some(vring) = vrings.get(address.queue) else {
            return Ok(());
        };
        let mut state = vring.get_mut();
        let now = self.epoch.load(Ordering::SeqCst);
        if !state.get_queue().ready() || now != address.epoch || self.is_dead(address.queue) {
            return Ok(());
        }
        if act(&mut state)? {
            state.signal_used_queue()?;
        }
        Ok(())
    }

    fn on_timer(&self, vrings: &[Vring]) -> Result<()> {
        lock(&self.timer).wait()?;
        self.post.release_due(&self.by(vrings))
    }

    fn by<'a>(&'a self, vrings: &'a [Vring]) -> Rings<'a> {
        Rings {
            backend: self,
            vrings,
        }
    }

    fn count(&self) {
        let sent = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        if self.die_after.is_some_and(|most| sent >= most) {
            process::exit(0);
        }
    }
}

/// The device and its queues.
struct Rings<'a> {
    backend: &'a Backend,
    vrings: &'a [Vring],
}

impl Rings<'_> {
    /// Writes an answer and reports it, as its receipt says.
    fn write(&self, parcel: &Parcel<Address>) -> Result<()> {
        let Parcel {
            address, delivery, ..
        } = parcel;
        let (backend, claimed) = (self.backend, delivery.claimed);
        let (head, queue) = (address.head, address.queue);
        backend.on_ring(address, self.vrings, |state| match delivery.receipt {
            Receipt::Right | Receipt::Again(_) => {
                address.write(&backend.memory.memory(), &delivery.bytes)?;
                add_used(state, head, claimed)
            }
            Receipt::Absurd(id) => {
                backend.bury(queue);
                report(state, &backend.memory, id, claimed)
            }
            Receipt::Jump(steps) => {
                backend.bury(queue);
                jump(state, &backend.memory, steps)
            }
            // Its buffers are the client's again once it is reported: nothing is written any more.
            Receipt::Other => match backend.post.waiting(|other| other.is_beside(address)) {
                Some(victim) => report(state, &backend.memory, u32::from(victim.head), claimed),
                None => {
                    backend.bury(queue);
                    let id = u32::from(head.wrapping_add(1));
                    report(state, &backend.memory, id, claimed)
                }
            },
        })
    }
}

impl Transport for Rings<'_> {
    type Address = Address;

    fn send(&self, parcel: Parcel<Address>) -> Result<()> {
        self.write(&parcel)?;
        let post = &self.backend.post;
        match parcel.delivery.receipt {
            Receipt::Right => {}
            Receipt::Again(time) => post.keep(Some(time), Held::Echo(parcel), self),
            _ => post.keep(None, Held::Never(parcel.address), self),
        }
        self.backend.count();
        Ok(())
    }

    fn echo(&self, parcel: Parcel<Address>) -> Result<()> {
        let address = &parcel.address;
        self.backend.on_ring(address, self.vrings, |state| {
            add_used(state, address.head, parcel.delivery.claimed)
        })?;
        // To the client the ring is broken: whoever else waits in it waits for good.
        self.backend.bury(address.queue);
        Ok(())
    }

    fn ignore(&self, address: Address) -> Result<()> {
        let done = |state: &mut VringState<Memory>| add_used(state, address.head, 0);
        self.backend.on_ring(&address, self.vrings, done)
    }

    fn wake_at(&self, due: Instant) {
        let wait = due.saturating_duration_since(Instant::now()).max(SOON);
        if let Err(error) = lock(&self.backend.timer).reset(wait, None) {
            eprintln!("hostile: cannot set the timer: {error}");
        }
    }

    /// In a queue that is left alone, somebody waits.
    fn lost(&self) -> usize {
        self.backend.dead.load(Ordering::SeqCst).count_ones() as usize
    }
}

/// Reports a request; whether the guest wants to be told.
fn add_used(state: &mut VringState<Memory>, head: u16, claimed: u32) -> Result<bool> {
    state.add_used(head, claimed)?;
    Ok(state.needs_notification()?)
}

impl VhostUserBackend for Backend {
    type Bitmap = ();
    type Vring = Vring;

    fn num_queues(&self) -> usize {
        self.queues
    }

    fn max_queue_size(&self) -> usize {
        32_768
    }

    fn features(&self) -> u64 {
        (1 << VIRTIO_F_VERSION_1)
            | (1 << VIRTIO_RING_F_INDIRECT_DESC)
            | (1 << VIRTIO_RING_F_EVENT_IDX)
            | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::REPLY_ACK
            | VhostUserProtocolFeatures::CONFIGURE_MEM_SLOTS
    }

    fn set_event_idx(&self, _enabled: bool) {}

    /// The guest's driver starts the device.
    fn acked_features(&self, _features: u64) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.dead.store(0, Ordering::SeqCst);
        self.post.restart(&self.by(&[]));
    }

    fn update_memory(&self, _memory: Memory) -> io::Result<()> {
        Ok(())
    }

    fn handle_event(
        &self,
        event: u16,
        _events: EventSet,
        vrings: &[Vring],
        _thread: usize,
    ) -> io::Result<()> {
        let done = match u64::from(event) == self.timer_event() {
            true => self.on_timer(vrings),
            false => self.serve(usize::from(event), vrings),
        };
        // One bad message must not end the thread that serves them all.
        if let Err(error) = done {
            eprintln!("hostile: {error:#}");
        }
        Ok(())
    }
}
