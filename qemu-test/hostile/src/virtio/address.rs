// SPDX-License-Identifier: GPL-2.0

//! A request's descriptors, which its answer goes into.

use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result};
use vhost_user_backend::VringState;
use virtio_queue::{DescriptorChain, QueueT as _};
use vm_memory::{
    Bytes as _, GuestAddress, GuestAddressSpace as _, GuestMemoryAtomic, GuestMemoryLoadGuard,
    GuestMemoryMmap,
};

/// The guest's memory.
pub type Memory = GuestMemoryAtomic<GuestMemoryMmap>;

/// The guest's memory as it is now.
pub type MemoryNow = GuestMemoryLoadGuard<GuestMemoryMmap>;

/// Where an answer goes.
#[derive(Clone, Debug)]
pub struct Address {
    /// Number of the queue.
    pub queue: usize,
    /// The request's number in it.
    pub head: u16,
    /// How often the device was started when the request came.
    pub epoch: u64,
    /// What may be written to.
    buffers: Vec<(GuestAddress, usize)>,
}

impl Address {
    /// Takes a chain apart: what it says, and where the answer goes.
    ///
    /// # Errors
    ///
    /// Descriptors that lead out of memory.
    pub fn open(
        chain: DescriptorChain<MemoryNow>,
        queue: usize,
        epoch: u64,
    ) -> Result<(Vec<u8>, Self)> {
        let head = chain.head_index();
        let mut message = Vec::new();
        for part in chain.clone().readable() {
            let start = message.len();
            message.resize(start + part.len() as usize, 0);
            chain
                .memory()
                .read_slice(&mut message[start..], part.addr())
                .context("a request outside of memory")?;
        }
        let buffers = chain.writable();
        let buffers = buffers.map(|part| (part.addr(), part.len() as usize));
        Ok((
            message,
            Self {
                queue,
                head,
                epoch,
                buffers: buffers.collect(),
            },
        ))
    }

    /// Whether the other is of the same queue, and of the same start of the device.
    pub fn is_beside(&self, other: &Self) -> bool {
        (other.queue, other.epoch) == (self.queue, self.epoch)
    }

    /// Room for the answer in bytes.
    pub fn room(&self) -> usize {
        self.buffers.iter().map(|(_, len)| len).sum()
    }

    /// Writes as much as fits.
    ///
    /// # Errors
    ///
    /// Descriptors that lead out of memory.
    pub fn write(&self, memory: &MemoryNow, mut bytes: &[u8]) -> Result<()> {
        for (address, len) in &self.buffers {
            let (part, rest) = bytes.split_at(bytes.len().min(*len));
            memory
                .write_slice(part, *address)
                .context("a buffer outside of memory")?;
            bytes = rest;
        }
        Ok(())
    }
}

/// Reports a request with a number that need not exist, which the queue itself would refuse. The
/// guest is told in any case.
///
/// # Errors
///
/// A ring outside of memory.
pub fn report(
    vring: &mut VringState<Memory>,
    memory: &Memory,
    id: u32,
    claimed: u32,
) -> Result<bool> {
    let queue = vring.get_queue();
    let slot = 4 + 8 * u64::from(queue.next_used() % queue.size());
    let element = [id.to_le_bytes(), claimed.to_le_bytes()].concat();
    let place = GuestAddress(queue.used_ring() + slot);
    memory.memory().write_slice(&element, place)?;
    jump(vring, memory, 1)
}

/// Reports so many requests, by what the ring happens to say of them. The guest is told in any case.
///
/// # Errors
///
/// A ring outside of memory.
pub fn jump(vring: &mut VringState<Memory>, memory: &Memory, steps: u16) -> Result<bool> {
    let queue = vring.get_queue_mut();
    let next = queue.next_used().wrapping_add(steps);
    queue.set_next_used(next);
    let place = GuestAddress(queue.used_ring() + 2);
    memory
        .memory()
        .store(next.to_le(), place, Ordering::Release)?;
    Ok(true)
}
