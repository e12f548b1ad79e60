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
mod fs;
mod transport;

use conn::Engine;
use core::pin::Pin;
use fs::Fs;
use kernel::{prelude::*, sync::Arc};
use pin_init::pin_init_scope;
use transport::{
    chardev::Client,
    virtio::{Devices, VirtioFs},
};

module! {
    type: Rfuse,
    name: "rfuse",
    authors: ["The rfuse developers"],
    description: "FUSE and virtio-fs client",
    license: "GPL",
    alias: ["fs-rfuse"],
    params: {
        drop_in: bool {
            default: false,
            description: "Take the names of the kernel's own client too: the types fuse and virtiofs, and /dev/fuse",
        },
    },
}

/// `FUSE_MINOR`: the minor number of `/dev/fuse`.
const FUSE_MINOR: u8 = 229;

/// The module. Fields are dropped in order: no mounts, then no devices, then no work.
#[pin_data]
pub struct Rfuse {
    #[pin]
    fs: rfuse_kapi::fs::Registration<Fs>,
    #[pin]
    device: rfuse_kapi::misc_device::Registration<Client>,
    names: Option<Names>,
    #[pin]
    driver: rfuse_kapi::virtio::Registration<VirtioFs>,
    settled: Settled,
}

/// The names of the kernel's own client, for programs that know no others.
struct Names {
    _fuse: Pin<KBox<rfuse_kapi::fs::Registration<Fs>>>,
    _virtiofs: Pin<KBox<rfuse_kapi::fs::Registration<Fs>>>,
    _device: Pin<KBox<rfuse_kapi::misc_device::Registration<Client>>>,
}

impl Names {
    fn take(fs: &rfuse_kapi::fs::Registration<Fs>) -> Result<Self> {
        let by_name = |name| KBox::pin_init(fs.by_name(name), GFP_KERNEL);
        let shared = Arc::new((), GFP_KERNEL)?;
        let device = rfuse_kapi::misc_device::Registration::by_name(shared, c"fuse", FUSE_MINOR);
        let names = || {
            Ok(Self {
                _fuse: by_name(c"fuse")?,
                _virtiofs: by_name(c"virtiofs")?,
                _device: KBox::pin_init(device, GFP_KERNEL)?,
            })
        };
        names().inspect_err(|_| {
            pr_err!("drop_in=1: a name is taken; unload fuse and virtiofs, or boot with initcall_blacklist=fuse_init,virtio_fs_init\n");
        })
    }
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
            let devices = Devices::new(engine.clone())?;
            Ok(try_pin_init!(Self {
                fs <- rfuse_kapi::fs::Registration::new(devices.clone()),
                device <- rfuse_kapi::misc_device::Registration::new(Arc::new((), GFP_KERNEL)?),
                names: match module_parameters::drop_in.value() {
                    true => Some(Names::take(&fs)?),
                    false => None,
                },
                driver <- rfuse_kapi::virtio::Registration::new(devices),
                settled: Settled(engine),
            }))
        })
    }
}
