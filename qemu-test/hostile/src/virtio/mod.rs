// SPDX-License-Identifier: GPL-2.0

//! The transport: a vhost-user back-end of QEMU's virtio-fs device.

mod address;
mod backend;

use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{anyhow, Context as _, Result};
use vhost::vhost_user::Listener;
use vhost_user_backend::VhostUserDaemon;
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

use self::backend::Backend;
use hostile::service::Service;

/// Queues before the request queues.
pub const HIPRIO_QUEUES: usize = 1;

/// Serves one connection of QEMU to its end.
///
/// # Errors
///
/// Why it cannot.
pub fn serve(
    socket: &Path,
    queues: usize,
    die_after: Option<u64>,
    service: Arc<Mutex<Service>>,
) -> Result<()> {
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let backend = Backend::new(queues, die_after, memory.clone(), service)?;
    let backend = Arc::new(backend);
    let mut daemon = VhostUserDaemon::new("hostile".to_owned(), Arc::clone(&backend), memory)
        .map_err(|error| anyhow!("cannot make the device: {error}"))?;
    for handler in daemon.get_epoll_handlers() {
        let (timer, event) = (backend.timer(), backend.timer_event());
        handler.register_listener(timer.as_raw_fd(), EventSet::IN, event)?;
    }
    let listener = Listener::new(socket, true)
        .with_context(|| format!("cannot listen on {}", socket.display()))?;
    daemon
        .start(listener)
        .map_err(|error| anyhow!("QEMU cannot connect: {error}"))?;
    // QEMU's end is no error, and the way to learn of it.
    if let Err(error) = daemon.wait() {
        eprintln!("hostile: the connection to QEMU ended: {error}");
    }
    Ok(())
}
