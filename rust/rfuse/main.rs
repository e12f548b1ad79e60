// SPDX-License-Identifier: GPL-2.0

//! rfuse: the FUSE and virtio-fs client.
//!
//! `fs` is what the VFS asks for, `conn` turns it into requests, `transport` carries them to a
//! server. See `doc/architecture.md`.

#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod conn;
mod control;
mod fs;
mod transport;

use conn::{Connection, Engine};
use fs::Fs;
use kernel::{prelude::*, sync::Arc};
use pin_init::pin_init_scope;
use rfuse_kapi::sysfs::{Kset, MountPoint};
use transport::{
    chardev::Client,
    virtio::{Devices, Place, VirtioFs},
};

module! {
    type: Rfuse,
    name: "rfuse",
    authors: ["The rfuse developers"],
    description: "FUSE and virtio-fs client",
    license: "GPL",
    alias: ["fs-rfuse", "fs-rfusectl"],
}

/// The module. Fields are dropped in order: no mounts, then no devices, then no work.
#[pin_data]
pub struct Rfuse {
    #[pin]
    fs: rfuse_kapi::fs::Registration<Fs>,
    #[pin]
    device: rfuse_kapi::misc_device::Registration<Client>,
    #[pin]
    driver: rfuse_kapi::virtio::Registration<VirtioFs>,
    #[pin]
    control: rfuse_kapi::control_fs::Registration<Connection>,
    control_point: MountPoint<Place>,
    settled: Settled,
}

/// Waits for all work when dropped, so that the last reference to the engine is not dropped by it.
struct Settled(Arc<Engine>);

impl Drop for Settled {
    fn drop(&mut self) {
        self.0.workqueue.flush();
    }
}

impl kernel::InPlaceModule for Rfuse {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        pin_init_scope(|| {
            let engine = Arc::new(Engine::new()?, GFP_KERNEL)?;
            let folder = Kset::new(c"rfuse")?;
            let devices = Devices::new(engine.clone(), folder.clone())?;
            Ok(try_pin_init!(Self {
                fs <- rfuse_kapi::fs::Registration::new(devices.clone()),
                device <- rfuse_kapi::misc_device::Registration::new(Arc::new((), GFP_KERNEL)?),
                driver <- rfuse_kapi::virtio::Registration::new(devices),
                control <- rfuse_kapi::control_fs::Registration::new(engine.control.clone()),
                control_point: MountPoint::new(&folder, c"connections")?,
                settled: Settled(engine),
            }))
        })
    }
}
