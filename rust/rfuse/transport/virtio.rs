// SPDX-License-Identifier: GPL-2.0

//! The virtio-fs device: one high-priority queue for forgets, and request queues.
//!
//! Virtio 1.2, section 5.11.

use super::Transport;
use crate::{
    conn::{request::OwnedRequest, request::Request, Connection, Engine},
    LocalModule,
};
use core::str;
use kernel::{
    fmt::{self, Write},
    impl_has_work,
    interrupt::LocalInterruptDisabled,
    new_condvar, new_mutex, new_work,
    prelude::*,
    sync::{new_spinlock_irq, Arc, CondVar, Mutex, SpinLockIrq},
    workqueue::{Work, WorkItem},
};
use rfuse_kapi::{
    cpu,
    handoff::{Chain, Waiter},
    seq_file::{seq_print, SeqFile, SeqFileExt},
    sysfs::{Kset, Object, Page, Shown, SysFile},
    virtio::{Config, Device, Driver},
    virtqueue::Queue,
};
use rfuse_proto::init::Negotiated;

/// `VIRTIO_ID_FS`.
const DEVICE_ID: u32 = 26;

/// Length of `virtio_fs_config::tag`, which need not be terminated.
const TAG_LEN: usize = 36;

/// The virtqueue of FORGET and BATCH_FORGET.
const HIPRIO: usize = 0;

/// Descriptors of a request that are not pages: header and fixed body, reply, and some to spare.
const FIXED_DESCRIPTORS: usize = 4;

/// The names of the request queues, as in `/proc/interrupts`; no more are used.
const REQUEST_QUEUES: [&CStr; 16] = [
    c"requests.0",
    c"requests.1",
    c"requests.2",
    c"requests.3",
    c"requests.4",
    c"requests.5",
    c"requests.6",
    c"requests.7",
    c"requests.8",
    c"requests.9",
    c"requests.10",
    c"requests.11",
    c"requests.12",
    c"requests.13",
    c"requests.14",
    c"requests.15",
];

/// All devices bound to the driver.
#[pin_data]
pub(crate) struct Devices {
    engine: Arc<Engine>,
    folder: Arc<Kset<Place>>,
    #[pin]
    list: Mutex<KVec<Arc<Device<VirtioFs>>>>,
}

impl Devices {
    /// None yet.
    pub(crate) fn new(engine: Arc<Engine>, folder: Arc<Kset<Place>>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self { engine, folder, list <- new_mutex!(KVec::new()) }),
            GFP_KERNEL,
        )
    }

    /// What its connections share.
    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The device with this tag. May sleep.
    pub(crate) fn find(&self, tag: &[u8]) -> Option<Arc<Device<VirtioFs>>> {
        let list = self.list.lock();
        list.iter()
            .find(|device| device.driver().tag() == tag)
            .cloned()
    }
}

/// What `/sys/fs/rfuse/NUMBER` tells of a device.
pub(crate) struct Place {
    /// With a NUL.
    tag: KVec<u8>,
    queues: KVec<&'static CStr>,
}

impl Shown for Place {
    const FILES: &'static [SysFile<Self>] = &[
        SysFile::new(c"tag", |this, page| {
            page.write_bytes(this.tag().to_bytes())?;
            page.write_bytes(b"\n")
        }),
        SysFile::new(c"queues", |this, page| {
            (0..this.queues.len()).try_for_each(|index| this.show_queue(index, page))
        }),
    ];

    fn variable(&self) -> (&'static CStr, &CStr) {
        (c"TAG", self.tag())
    }
}

impl Place {
    fn tag(&self) -> &CStr {
        CStr::from_bytes_with_nul(&self.tag).unwrap_or(c"")
    }

    /// A queue's name, and the processors whose requests it takes.
    fn show_queue(&self, index: usize, page: &mut Page<'_>) -> fmt::Result {
        let Some(name) = self.queues.get(index) else {
            return Ok(());
        };
        page.write_bytes(name.to_bytes())?;
        for cpu in 0..cpu::num_possible() {
            if request_queue_of(cpu, self.queues.len()) == Some(index) {
                write!(page, " {cpu}")?;
            }
        }
        writeln!(page)
    }
}

/// The request queue of a processor, where there are so many `queues` of both kinds.
fn request_queue_of(cpu: usize, queues: usize) -> Option<usize> {
    let first = HIPRIO.saturating_add(1);
    let turn = cpu.checked_rem(queues.checked_sub(first)?)?;
    Some(turn.saturating_add(first))
}

/// One virtio-fs device.
pub(crate) struct VirtioFs {
    tag: KVec<u8>,
    queues: KVec<&'static CStr>,
    completions: Arc<Completions>,
    devices: Arc<Devices>,
}

impl VirtioFs {
    /// The tag, by which it is mounted.
    pub(crate) fn tag(&self) -> &[u8] {
        &self.tag
    }

    /// Joins the connection of the device: that of a mount if there is one, else `new`, which becomes the device's,
    /// so that answers nobody waits for find it. Waits for an unmount that is under way. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR`.
    pub(crate) fn attach(&self, new: &Arc<Connection>) -> Result<Arc<Connection>> {
        let mut slot = self.completions.connection.lock();
        while let Some(connection) = &*slot {
            if connection.join_others() {
                return Ok(connection.clone());
            }
            if self.completions.free.wait_interruptible(&mut slot) {
                return Err(EINTR);
            }
        }
        new.join();
        *slot = Some(new.clone());
        Ok(new.clone())
    }

    /// Ends what [`Self::attach`] began, after the last answer was handled. May sleep.
    pub(crate) fn detach(&self) {
        self.completions.run_now();
        drop(self.completions.connection.lock().take());
        self.completions.free.notify_all();
    }

    /// Reads the tag up to its first NUL.
    fn read_tag(config: &Config<'_>) -> Result<KVec<u8>> {
        let mut bytes = [0; TAG_LEN];
        config.read(0, &mut bytes);
        let tag = bytes.split(|byte| *byte == 0).next().unwrap_or(&[]);
        if tag.is_empty() || tag.contains(&b'\n') {
            pr_err!("a device's tag is empty or holds a newline: not used\n");
            return Err(EINVAL);
        }
        let mut copy = KVec::with_capacity(tag.len(), GFP_KERNEL)?;
        copy.extend_from_slice(tag, GFP_KERNEL)?;
        Ok(copy)
    }

    /// What sysfs is to tell of it.
    fn place(&self) -> Result<Arc<Place>> {
        let mut queues = KVec::with_capacity(self.queues.len(), GFP_KERNEL)?;
        queues.extend_from_slice(&self.queues, GFP_KERNEL)?;
        let mut tag = KVec::with_capacity(self.tag.len().saturating_add(1), GFP_KERNEL)?;
        tag.extend_from_slice(&self.tag, GFP_KERNEL)?;
        tag.push(0, GFP_KERNEL)?;
        Ok(Arc::new(Place { tag, queues }, GFP_KERNEL)?)
    }

    /// As many request queues as there are processors to use them.
    fn plan_queues(config: &Config<'_>) -> Result<KVec<&'static CStr>> {
        let offered = config.read_le32(TAG_LEN as u32);
        if offered == 0 {
            pr_err!("a device has no request queue: not used\n");
            return Err(EINVAL);
        }
        let wanted = (offered as usize).min(cpu::num_possible());
        let mut names = KVec::new();
        names.push(c"hiprio", GFP_KERNEL)?;
        for name in REQUEST_QUEUES.iter().take(wanted) {
            names.push(*name, GFP_KERNEL)?;
        }
        Ok(names)
    }
}

impl Driver for VirtioFs {
    type OwnerModule = LocalModule;
    type Shared = Devices;
    type Transfer = Request;

    const NAME: &'static CStr = c"rfuse";
    const DEVICE_ID: u32 = DEVICE_ID;

    fn probe(config: &Config<'_>, shared: &Arc<Devices>) -> Result<Self> {
        let tag = Self::read_tag(config)?;
        if shared.find(&tag).is_some() {
            pr_err!(
                "a second device with tag \"{}\": not used\n",
                str::from_utf8(&tag).unwrap_or("?")
            );
            return Err(EEXIST);
        }
        let completions = Completions::new(shared.engine.clone())?;
        Ok(Self {
            queues: Self::plan_queues(config)?,
            completions,
            devices: shared.clone(),
            tag,
        })
    }

    fn queues(&self) -> &[&'static CStr] {
        &self.queues
    }

    fn ready(device: &Arc<Device<Self>>) -> Result {
        let this = device.driver();
        let place = Object::new(&this.devices.folder, device.number(), this.place()?)?;
        *this.completions.place.lock() = Some(place);
        this.devices.list.lock().push(device.clone(), GFP_KERNEL)?;
        Ok(())
    }

    fn complete(&self, done: Chain<Request>, irq: &LocalInterruptDisabled) {
        let mut rest = Chain::new();
        for request in done {
            if let Some(request) = request.finish() {
                rest.push_back(request);
            }
        }
        self.completions.add(rest, irq);
    }

    fn remove(device: &Arc<Device<Self>>) {
        let driver = device.driver();
        driver
            .devices
            .list
            .lock()
            .retain(|other| !Arc::ptr_eq(other, device));
        let connection = driver.completions.connection.lock().clone();
        if let Some(connection) = connection {
            connection.abort();
        }
        driver.completions.run_now();
        drop(driver.completions.place.lock().take());
    }
}

impl Transport for Device<VirtioFs> {
    fn submit(&self, request: OwnedRequest) -> Result<(), OwnedRequest> {
        match self.request_queue() {
            Some(queue) => queue.submit(request),
            None => Err(request),
        }
    }

    fn submit_all(&self, requests: &mut Chain<Request>, failed: &mut Chain<Request>) {
        match self.request_queue() {
            Some(queue) if !requests.is_empty() => queue.submit_all(requests, failed),
            _ => failed.append(requests),
        }
    }

    fn forget(&self, message: OwnedRequest) -> Result<(), OwnedRequest> {
        match self.queue(HIPRIO) {
            Some(queue) => queue.submit(message),
            None => Err(message),
        }
    }

    fn interrupt(
        &self,
        message: OwnedRequest,
        _waiter: &Waiter<Request>,
    ) -> Result<(), OwnedRequest> {
        self.forget(message)
    }

    fn heeds_signals(&self) -> bool {
        false
    }

    fn is_to_process(&self) -> bool {
        false
    }

    fn needs_order(&self) -> bool {
        // The queue of forgets is another one, so that no server of the device can.
        false
    }

    fn settled(&self, _negotiated: &Negotiated) {}

    fn detach(&self) {
        self.driver().detach();
    }

    fn take_back(&self, waiter: &Waiter<Request>) -> Option<OwnedRequest> {
        self.request_queues()
            .find_map(|queue| queue.take_back(waiter))
    }

    fn expire(&self, _before: u64) -> bool {
        // What is the device's stays so until a reset.
        false
    }

    fn abort(&self) {
        let mut rest = Chain::new();
        for request in self.reset() {
            if let Some(request) = request.finish() {
                rest.push_back(request);
            }
        }
        self.driver().completions.add_now(rest);
    }

    fn in_flight(&self) -> usize {
        Device::in_flight(self)
    }

    fn is_broken(&self) -> bool {
        Device::is_broken(self)
    }

    fn refuses_existing(&self) -> bool {
        // The servers of the virtio-fs device share a directory of the host, whose kernel does.
        true
    }

    fn show(&self, m: &SeqFile) {
        m.write(b"transport virtio-fs\ntag ");
        m.escape(self.driver().tag(), c" \t\n\\");
        m.write(b"\n");
    }

    fn show_queues(&self, m: &SeqFile) {
        for (index, name) in self.driver().queues.iter().enumerate() {
            let depth = self.queue(index).map_or(0, Queue::in_flight);
            seq_print!(m, "{name} {depth}\n");
        }
    }

    fn max_pages(&self) -> usize {
        let descriptors = self.request_queues().map(Queue::size).min().unwrap_or(0);
        descriptors.saturating_sub(FIXED_DESCRIPTORS)
    }
}

/// The request queues of a device.
trait RequestQueues {
    fn request_queues(&self) -> impl Iterator<Item = &Queue<Request>>;
    fn request_queue(&self) -> Option<&Queue<Request>>;
}

impl RequestQueues for Device<VirtioFs> {
    fn request_queues(&self) -> impl Iterator<Item = &Queue<Request>> {
        (HIPRIO.saturating_add(1)..self.driver().queues.len()).filter_map(|index| self.queue(index))
    }

    /// The queue of this processor, so that processors do not share a lock where the device has
    /// queues enough.
    fn request_queue(&self) -> Option<&Queue<Request>> {
        let queues = self.driver().queues.len();
        self.queue(request_queue_of(cpu::current(), queues)?)
    }
}

/// Answers that nobody waits for: a work item takes them from interrupt to process context.
#[pin_data]
pub(crate) struct Completions {
    engine: Arc<Engine>,
    #[pin]
    done: SpinLockIrq<Chain<Request>>,
    #[pin]
    connection: Mutex<Option<Arc<Connection>>>,
    /// The device's folder in sysfs, while it is bound.
    #[pin]
    place: Mutex<Option<Object<Place>>>,
    #[pin]
    free: CondVar,
    #[pin]
    work: Work<Completions>,
}

impl_has_work! {
    impl HasWork<Self> for Completions { self.work }
}

impl WorkItem for Completions {
    type Pointer = Arc<Completions>;

    fn run(this: Arc<Completions>) {
        this.run_now();
    }
}

impl Completions {
    fn new(engine: Arc<Engine>) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                engine,
                done <- new_spinlock_irq!(Chain::new()),
                connection <- new_mutex!(None),
                place <- new_mutex!(None),
                free <- new_condvar!(),
                work <- new_work!("rfuse::Completions"),
            }),
            GFP_KERNEL,
        )
    }

    /// Hands `requests` to the work item. Hard interrupt context.
    fn add(self: &Arc<Self>, mut requests: Chain<Request>, irq: &LocalInterruptDisabled) {
        if requests.is_empty() {
            return;
        }
        self.done.lock_with(irq).append(&mut requests);
        // Queued already: the item will see these too.
        let _ = self.engine.workqueue.enqueue(self.clone());
    }

    /// Handles `requests` after all that came before them. May sleep.
    fn add_now(&self, mut requests: Chain<Request>) {
        self.done.lock().append(&mut requests);
        self.run_now();
    }

    /// Handles what has come. May sleep.
    fn run_now(&self) {
        let connection = self.connection.lock().clone();
        let mut done = core::mem::take(&mut *self.done.lock());
        match connection {
            Some(connection) => connection.completed(done),
            None => while done.pop_front().is_some() {},
        }
    }
}
