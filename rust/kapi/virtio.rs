// SPDX-License-Identifier: GPL-2.0

//! Virtio drivers.
//!
//! A [`Driver`] is what a device type needs; a [`Device`] is one device bound to it, with its
//! [`Queue`]s. The device's life (probe, reset, restart, removal) is serialised by one mutex; after
//! a reset no request is the device's any more.
//!
//! C interfaces: `include/linux/virtio.h`, `include/linux/virtio_config.h`.

use crate::{
    bindings,
    handoff::Chain,
    transfer::Transfer,
    virtqueue::{Queue, Virtqueue},
};
use core::{marker::PhantomData, ptr};
use kernel::{
    error::{from_result, to_result},
    interrupt::LocalInterruptDisabled,
    module::this_module,
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
    types::{ForeignOwnable, Opaque},
    ModuleMetadata,
};

/// A driver of one virtio device type.
pub trait Driver: Sized + Send + Sync + 'static {
    /// The module that implements it.
    type OwnerModule: ModuleMetadata;
    /// What all devices of the driver share.
    type Shared: Send + Sync + 'static;
    /// What travels through the virtqueues.
    type Transfer: Transfer;

    /// Its name under `/sys/bus/virtio/drivers`.
    const NAME: &'static CStr;
    /// The virtio device type.
    const DEVICE_ID: u32;

    /// Reads the configuration of a device that appeared. May sleep.
    fn probe(config: &Config<'_>, shared: &Arc<Self::Shared>) -> Result<Self>;

    /// The names of the device's virtqueues, in order.
    fn queues(&self) -> &[&'static CStr];

    /// The device works. It may be used from here on, also by others. May sleep.
    ///
    /// # Errors
    ///
    /// An error unbinds the device.
    fn ready(device: &Arc<Device<Self>>) -> Result;

    /// Requests came back on a queue. Hard interrupt context: nothing may be dropped here that does
    /// not stand it.
    fn complete(&self, done: Chain<Self::Transfer>, irq: &LocalInterruptDisabled);

    /// The device is about to go. No new user may find it after this. May sleep.
    fn remove(device: &Arc<Device<Self>>);
}

/// The configuration space of a device under probe.
pub struct Config<'a>(*mut bindings::virtio_device, PhantomData<&'a ()>);

impl Config<'_> {
    /// Fills `bytes` from the configuration space at `offset`.
    pub fn read(&self, offset: u32, bytes: &mut [u8]) {
        // SAFETY: The device is alive during probe; the buffer has the length given.
        unsafe {
            bindings::virtio_cread_bytes(self.0, offset, bytes.as_mut_ptr().cast(), bytes.len())
        };
    }

    /// Reads a little-endian 32-bit field at `offset`.
    pub fn read_le32(&self, offset: u32) -> u32 {
        // SAFETY: The device is alive during probe.
        unsafe { bindings::virtio_cread32(self.0, offset) }
    }
}

/// What [`Device::life`] protects.
///
/// # Invariants
///
/// `vdev`, unless null, is bound to the driver. `running` says whether its virtqueues exist.
struct Life {
    vdev: *mut bindings::virtio_device,
    running: bool,
}

// SAFETY: A device may be reset and restarted by any thread.
unsafe impl Send for Life {}

/// A device bound to the driver `D`.
#[pin_data]
pub struct Device<D: Driver> {
    driver: D,
    queues: KVec<Pin<KBox<Queue<D::Transfer>>>>,
    number: u32,
    #[pin]
    life: Mutex<Life>,
}

impl<D: Driver> Device<D> {
    fn new(vdev: *mut bindings::virtio_device, driver: D) -> Result<Arc<Self>> {
        let mut queues = KVec::new();
        for _ in driver.queues() {
            queues.push(KBox::pin_init(Queue::new(), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        // SAFETY: Called by `probe` with the device that was bound. CAST: Numbers of devices are not negative.
        let number = unsafe { (*vdev).index } as u32;
        // INVARIANT: As above.
        let life = Life {
            vdev,
            running: false,
        };
        Arc::pin_init(
            pin_init!(Self { driver, queues, number, life <- new_mutex!(life) }),
            GFP_KERNEL,
        )
    }

    /// The driver's own data.
    pub fn driver(&self) -> &D {
        &self.driver
    }

    /// The number of the device, which no other virtio device has meanwhile.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The virtqueue `index`, counted as in [`Driver::queues`].
    pub fn queue(&self, index: usize) -> Option<&Queue<D::Transfer>> {
        self.queues.get(index).map(|queue| &**queue)
    }

    /// The requests that are the device's or parked for it, over all queues.
    pub fn in_flight(&self) -> usize {
        self.queues.iter().map(|queue| queue.in_flight()).sum()
    }

    /// Whether a queue is broken, which only [`Self::reset`] and [`Self::restart`] mend.
    pub fn is_broken(&self) -> bool {
        self.queues.iter().any(|queue| queue.is_broken())
    }

    /// Resets the device and takes back every request. The queues refuse new ones until
    /// [`Self::restart`]. May sleep.
    pub fn reset(&self) -> Chain<D::Transfer> {
        let mut life = self.life.lock();
        self.stop(&mut life)
    }

    /// Makes a device that was [`Self::reset`] work again. Nothing to do on a working one. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the device was removed, else what the transport says.
    pub fn restart(&self) -> Result {
        let mut life = self.life.lock();
        if life.vdev.is_null() {
            return Err(ENODEV);
        }
        if life.running {
            return Ok(());
        }
        // SAFETY: Bound, by the invariants of `Life`. This calls `reset_done` back.
        to_result(unsafe { bindings::virtio_device_reset_done(life.vdev) })?;
        life.running = true;
        Ok(())
    }

    fn stop(&self, life: &mut Life) -> Chain<D::Transfer> {
        let mut taken = Chain::new();
        if !life.running {
            return taken;
        }
        life.running = false;
        // SAFETY: Bound, by the invariants of `Life`; after the reset no callback runs and the
        // device writes to no buffer.
        unsafe { bindings::virtio_reset_device(life.vdev) };
        for queue in &self.queues {
            // SAFETY: The device was reset.
            taken.append(&mut unsafe { queue.close() });
        }
        // Users of the rings that `close` did not wait for.
        kernel::sync::rcu::synchronize_rcu();
        // SAFETY: As above; nobody knows the rings any more.
        unsafe {
            if let Some(del_vqs) = (*(*life.vdev).config).del_vqs {
                del_vqs(life.vdev);
            }
        }
        taken
    }

    /// Sets up the virtqueues.
    ///
    /// # Safety
    ///
    /// `vdev` is the device bound, it has no virtqueues now, and is not ready.
    unsafe fn find_vqs(&self, vdev: *mut bindings::virtio_device) -> Result {
        let names = self.driver.queues();
        let mut infos = KVec::with_capacity(names.len(), GFP_KERNEL)?;
        let mut vqs = KVec::with_capacity(names.len(), GFP_KERNEL)?;
        for name in names {
            let info = bindings::virtqueue_info {
                name: name.as_char_ptr(),
                callback: Some(Registration::<D>::used),
                ctx: false,
            };
            infos.push(info, GFP_KERNEL)?;
            vqs.push(ptr::null_mut(), GFP_KERNEL)?;
        }
        // SAFETY: Both arrays have the length given; the rest is the caller's promise.
        to_result(unsafe {
            bindings::virtio_find_vqs(
                vdev,
                u32::try_from(names.len())?,
                vqs.as_mut_ptr(),
                infos.as_mut_ptr(),
                ptr::null_mut(),
            )
        })?;
        for (queue, vq) in self.queues.iter().zip(&vqs) {
            // SAFETY: `vq` was set up just now, and lives until `stop` has closed the queue.
            unsafe { queue.open(Virtqueue::from_raw(*vq)) }?;
        }
        Ok(())
    }
}

/// A registered driver. Dropping it unbinds all its devices.
///
/// # Invariants
///
/// `driver` is registered and `ids` is what it points to.
#[pin_data(PinnedDrop)]
pub struct Registration<D: Driver> {
    ids: KBox<[bindings::virtio_device_id; 2]>,
    shared: Arc<D::Shared>,
    #[pin]
    driver: Opaque<bindings::virtio_driver>,
    _driver: PhantomData<fn() -> D>,
}

// SAFETY: There are no methods on `&self`; the driver core serialises the callbacks.
unsafe impl<D: Driver> Sync for Registration<D> {}
// SAFETY: A driver may be unregistered on any thread.
unsafe impl<D: Driver> Send for Registration<D> {}

impl<D: Driver> Registration<D> {
    /// Registers the driver; devices that nobody drives are bound at once. May sleep.
    pub fn new(shared: Arc<D::Shared>) -> impl PinInit<Self, Error> {
        let ids = [
            bindings::virtio_device_id {
                device: D::DEVICE_ID,
                vendor: u32::MAX,
            },
            pin_init::zeroed(),
        ];
        try_pin_init!(&this in Self {
            ids: KBox::new(ids, GFP_KERNEL)?,
            shared,
            driver <- Opaque::try_ffi_init(|slot: *mut bindings::virtio_driver| {
                // SAFETY: `ids` is initialised, and boxed: it does not move.
                let ids = unsafe { (*this.as_ptr()).ids.as_ptr() };
                let mut raw: bindings::virtio_driver = pin_init::zeroed();
                raw.driver.name = D::NAME.as_char_ptr();
                raw.id_table = ids;
                raw.probe = Some(Self::probe);
                raw.remove = Some(Self::remove);
                raw.reset_prepare = Some(Self::reset_prepare);
                raw.reset_done = Some(Self::reset_done);
                // SAFETY: The slot is pinned, and unregistered on drop; the names are static.
                to_result(unsafe {
                    slot.write(raw);
                    bindings::__register_virtio_driver(
                        slot,
                        this_module::<D::OwnerModule>().as_ptr(),
                    )
                })
            }),
            _driver: PhantomData,
        })
    }

    /// The registration whose driver `vdev` is bound to.
    ///
    /// # Safety
    ///
    /// `vdev` is bound to a driver that `new` registered.
    unsafe fn of<'a>(vdev: *mut bindings::virtio_device) -> &'a Self {
        // SAFETY: The driver core sets `dev.driver` to the `driver` field inside of the
        // `virtio_driver` that the registration embeds.
        unsafe {
            let raw = (*vdev).dev.driver;
            let driver = kernel::container_of!(raw, bindings::virtio_driver, driver);
            &*kernel::container_of!(driver.cast::<Opaque<_>>(), Self, driver)
        }
    }

    /// The device data that `probe` stored.
    ///
    /// # Safety
    ///
    /// `vdev` is between a successful probe's `priv` and the end of `remove`.
    unsafe fn device<'a>(
        vdev: *mut bindings::virtio_device,
    ) -> kernel::sync::ArcBorrow<'a, Device<D>> {
        // SAFETY: `priv` is the `Arc` that `probe` turned over, by the caller's promise.
        unsafe { <Arc<Device<D>> as ForeignOwnable>::borrow((*vdev).priv_) }
    }

    /// Binds a device.
    ///
    /// # Safety
    ///
    /// Called by the virtio core with a device of this driver.
    unsafe extern "C" fn probe(vdev: *mut bindings::virtio_device) -> c_int {
        from_result(|| {
            // SAFETY: The virtio core probes devices of this driver.
            let shared = unsafe { &Self::of(vdev).shared };
            let driver = D::probe(&Config(vdev, PhantomData), shared)?;
            let device = Device::new(vdev, driver)?;
            // SAFETY: No callback reads `priv` before the device is ready.
            unsafe { (*vdev).priv_ = device.clone().into_foreign() };
            // SAFETY: The device is fresh.
            let up = unsafe { device.find_vqs(vdev) };
            if up.is_ok() {
                // SAFETY: The virtqueues are set up.
                unsafe { bindings::virtio_device_ready(vdev) };
            }
            device.life.lock().running = true;
            if let Err(error) = up.and_then(|()| D::ready(&device)) {
                // SAFETY: `priv` is ours; nobody else uses the device now.
                unsafe { Self::tear_down(vdev) };
                return Err(error);
            }
            Ok(0)
        })
    }

    /// Unbinds a device.
    ///
    /// # Safety
    ///
    /// Called by the virtio core, once, with a device that `probe` has bound.
    unsafe extern "C" fn remove(vdev: *mut bindings::virtio_device) {
        // SAFETY: `probe` succeeded.
        let device = Arc::from(unsafe { Self::device(vdev) });
        D::remove(&device);
        // SAFETY: The device is going; `priv` is ours.
        unsafe { Self::tear_down(vdev) };
    }

    /// Resets the device for good and releases `priv`.
    ///
    /// # Safety
    ///
    /// Called once, by `remove` or a failing `probe`, after `priv` was set.
    unsafe fn tear_down(vdev: *mut bindings::virtio_device) {
        // SAFETY: By the caller's promise. `from_foreign` happens after the last callback.
        let device = unsafe {
            let device = Arc::from(Self::device(vdev));
            let taken = {
                let mut life = device.life.lock();
                let taken = device.stop(&mut life);
                life.vdev = ptr::null_mut();
                taken
            };
            // Ends the requests: whoever waits for one gets it back unanswered.
            drop(taken);
            <Arc<Device<D>> as ForeignOwnable>::from_foreign((*vdev).priv_)
        };
        drop(device);
    }

    /// Refuses a reset that the transport asks for (PCI function-level reset): it would lose what the
    /// device holds.
    ///
    /// # Safety
    ///
    /// None.
    unsafe extern "C" fn reset_prepare(_vdev: *mut bindings::virtio_device) -> c_int {
        EOPNOTSUPP.to_errno()
    }

    /// Second half of [`Device::restart`], which holds the lock.
    ///
    /// # Safety
    ///
    /// Called by the virtio core with a bound device that was reset.
    unsafe extern "C" fn reset_done(vdev: *mut bindings::virtio_device) -> c_int {
        // SAFETY: The device is bound, was reset, and has no virtqueues.
        from_result(|| unsafe {
            Self::device(vdev).find_vqs(vdev)?;
            bindings::virtio_device_ready(vdev);
            Ok(0)
        })
    }

    /// The device has used buffers of a virtqueue.
    ///
    /// # Safety
    ///
    /// Called as an interrupt handler with a virtqueue of a bound device.
    unsafe extern "C" fn used(vq: *mut bindings::virtqueue) {
        // SAFETY: Virtqueue callbacks run with interrupts disabled.
        let irq = unsafe { LocalInterruptDisabled::assume_disabled() };
        // SAFETY: `priv` was set before the virtqueues were, and outlives them.
        let device = unsafe { Self::device((*vq).vdev) };
        // SAFETY: A virtqueue knows its own index.
        let index = unsafe { (*vq).index } as usize;
        if let Some(queue) = device.queue(index) {
            device.driver.complete(queue.take_used(irq), irq);
        }
    }
}

#[pinned_drop]
impl<D: Driver> PinnedDrop for Registration<D> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariants.
        unsafe { bindings::unregister_virtio_driver(self.driver.get()) };
    }
}
