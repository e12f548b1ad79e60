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
use rfuse_kapi::{
    control_fs::ControlTree,
    fs::FileSystem,
    maybe::{inspect_err, Maybe},
    sysfs::{Kset, MountPoint},
};
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
    alias: ["fs-rfuse", "fs-rfuseblk", "fs-rfusectl"],
    params: {
        max_user_bgreq: u16 {
            default: 0,
            description: "Background requests at a time that a server may have which is no administrator's; 0: by the size of the memory",
        },
        max_user_congthresh: u16 {
            default: 0,
            description: "Background requests that count as congestion, at most, where the server is no administrator's; 0: by the size of the memory",
        },
        default_request_timeout: u16 {
            default: 0,
            description: "Seconds that a request may take where the server has not said it in its answer to INIT; 0: no limit",
        },
        max_request_timeout: u16 {
            default: 0,
            description: "Seconds that a request may take at most, whatever the server says; 0: no limit",
        },
        request_timeout_aborts: bool {
            default: false,
            description: "A request that takes too long ends the whole connection, as with the kernel's own client, instead of itself alone",
        },
        drop_in: bool {
            default: false,
            description: "Take the names of the kernel's own client too: the types fuse, fuseblk, virtiofs and fusectl, and /dev/fuse",
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
    block: rfuse_kapi::fs::Registration<Fs>,
    #[pin]
    device: rfuse_kapi::misc_device::Registration<Client>,
    #[pin]
    names: Maybe<Names>,
    #[pin]
    driver: rfuse_kapi::virtio::Registration<VirtioFs>,
    #[pin]
    control: rfuse_kapi::control_fs::Registration<Connection>,
    control_point: MountPoint<Place>,
    settled: Settled,
}

/// The names of the kernel's own client, for programs that know no others.
#[pin_data]
struct Names {
    #[pin]
    fuse: rfuse_kapi::fs::Registration<Fs>,
    #[pin]
    fuseblk: rfuse_kapi::fs::Registration<Fs>,
    #[pin]
    virtiofs: rfuse_kapi::fs::Registration<Fs>,
    #[pin]
    device: rfuse_kapi::misc_device::Registration<Client>,
    #[pin]
    control: rfuse_kapi::control_fs::Registration<Connection>,
    control_point: MountPoint<Place>,
}

impl Names {
    fn take(
        fs: &rfuse_kapi::fs::Registration<Fs>,
        tree: Arc<ControlTree<Connection>>,
    ) -> impl PinInit<Self, Error> {
        let by_name = |name| fs.by_name(name, Fs::FLAGS);
        let (fuse, virtiofs) = (by_name(c"fuse"), by_name(c"virtiofs"));
        let fuseblk = fs.by_name(c"fuseblk", Fs::BLOCK_FLAGS);
        pin_init_scope(move || {
            let shared = Arc::new((), GFP_KERNEL)?;
            let device =
                rfuse_kapi::misc_device::Registration::by_name(shared, c"fuse", FUSE_MINOR);
            let control = rfuse_kapi::control_fs::Registration::by_name(tree, c"fusectl");
            Ok(try_pin_init!(Self {
                fuse <- named("the type fuse", fuse),
                fuseblk <- named("the type fuseblk", fuseblk),
                virtiofs <- named("the type virtiofs", virtiofs),
                device <- named("/dev/fuse", device),
                control <- named("the type fusectl", control),
                control_point: MountPoint::new(&Kset::new(c"fuse")?, c"connections")?,
            }? Error))
        })
    }
}

/// As `init`, but says whose name is taken.
fn named<T>(name: &'static str, init: impl PinInit<T, Error>) -> impl PinInit<T, Error> {
    inspect_err(init, move |error| {
        pr_err!("drop_in=1: {name} cannot be had ({error:?}); unload virtiofs and fuse, or boot with initcall_blacklist=fuse_init,virtio_fs_init\n");
    })
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
                block <- fs.by_name(c"rfuseblk", Fs::BLOCK_FLAGS),
                device <- rfuse_kapi::misc_device::Registration::new(Arc::new((), GFP_KERNEL)?),
                names <- Maybe::new(
                    module_parameters::drop_in
                        .value()
                        .then(|| Names::take(&fs, engine.control.clone())),
                ),
                driver <- rfuse_kapi::virtio::Registration::new(devices),
                control <- rfuse_kapi::control_fs::Registration::new(engine.control.clone()),
                control_point: MountPoint::new(&folder, c"connections")?,
                settled: Settled(engine),
            }))
        })
    }
}
