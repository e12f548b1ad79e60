// SPDX-License-Identifier: GPL-2.0

//! The transport: requests are read from descriptors, answers written to where their request was read.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use hostile::delivery::{Delivery, Receipt};
use hostile::lock;
use hostile::post::{Post, Transport};
use hostile::request::{Request, HEAD};
use hostile::service::Service;
use hostile::shelf::{Held, Parcel};
use rfuse_proto::wire::{InterruptIn, Opcode, OutHeader};
use zerocopy::IntoBytes as _;

use super::room;

/// What the kernel wants a buffer to have beside the data of a WRITE, and more.
const HEADS: usize = 4096;

/// Nothing is written that is longer than what it should be by more.
const EXCESS: usize = 70_000;

/// What becomes of INTERRUPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Interrupts {
    /// The request is answered EINTR if it waits; if it is not there, EAGAIN has it asked again.
    Heed,
    /// The first one of each request is answered EAGAIN, the next is heeded.
    Again,
    /// Nothing.
    Ignore,
    /// It is answered ENOSYS.
    Lack,
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The number of the descriptor.
    clone: usize,
    /// The request's number.
    unique: u64,
    /// Whether an answer is expected.
    expected: bool,
}

/// The device's descriptors, and what is on its way to them.
pub struct Device {
    clones: Vec<File>,
    post: Post<Address>,
    interrupts: Interrupts,
    /// Requests whose interruption was put off.
    put_off: Mutex<HashSet<u64>>,
    due: Mutex<Option<Instant>>,
    due_changed: Condvar,
    die_after: Option<u64>,
    sent: AtomicU64,
}

impl Device {
    /// A device with those descriptors.
    pub fn new(
        clones: Vec<File>,
        service: Arc<Mutex<Service>>,
        interrupts: Interrupts,
        die_after: Option<u64>,
    ) -> Self {
        Self {
            clones,
            post: Post::new(service),
            interrupts,
            put_off: Mutex::default(),
            due: Mutex::new(None),
            due_changed: Condvar::new(),
            die_after,
            sent: AtomicU64::new(0),
        }
    }

    /// How many descriptors there are.
    pub fn clones(&self) -> usize {
        self.clones.len()
    }

    /// Serves one descriptor to the end of the connection.
    ///
    /// # Errors
    ///
    /// What reading gave that it must not.
    pub fn read_all(&self, clone: usize, max_write: u32) -> Result<()> {
        let mut buffer = vec![0; max_write as usize + HEADS];
        loop {
            match (&self.clones[clone]).read(&mut buffer) {
                Ok(length) => self.receive(&buffer[..length], clone)?,
                Err(error) => match error.raw_os_error() {
                    Some(libc::ENODEV | libc::ECONNABORTED) => return Ok(()),
                    // ENOENT: the request was taken back meanwhile.
                    Some(libc::EINTR | libc::EAGAIN | libc::ENOENT) => {}
                    _ => return Err(error.into()),
                },
            }
        }
    }

    fn receive(&self, message: &[u8], clone: usize) -> Result<()> {
        let Ok(request) = Request::parse(message, 0) else {
            let nobody = Address {
                clone,
                unique: 0,
                expected: false,
            };
            return self.post.receive(message, nobody, 0, self);
        };
        let room = room::of(&request);
        let address = Address {
            clone,
            unique: request.header.unique,
            expected: room > 0,
        };
        match request.opcode {
            Opcode::Interrupt => self.interrupt(&request, message, address),
            _ => self.post.receive(message, address, room, self),
        }
    }

    /// INTERRUPT has an answer only where it is not heeded.
    fn interrupt(&self, request: &Request<'_>, message: &[u8], address: Address) -> Result<()> {
        lock(self.post.service()).count("interrupts");
        let Ok((InterruptIn { unique }, _)) = request.input() else {
            return self.post.receive(message, address, 0, self);
        };
        match self.interrupts {
            Interrupts::Ignore => Ok(()),
            Interrupts::Lack => {
                self.refuse(address, libc::ENOSYS);
                Ok(())
            }
            Interrupts::Again if lock(&self.put_off).insert(unique) => {
                self.refuse(address, libc::EAGAIN);
                Ok(())
            }
            Interrupts::Again | Interrupts::Heed => {
                // Who waits for a lock is answered by the server.
                self.post.receive(message, address, 0, self)?;
                match self.post.waiting(|waiting| waiting.unique == unique) {
                    Some(waiting) => self.refuse(waiting, libc::EINTR),
                    None => self.refuse(address, libc::EAGAIN),
                }
                Ok(())
            }
        }
    }

    /// Answers an error, whatever was to be answered.
    fn refuse(&self, address: Address, error: i32) {
        lock(self.post.service()).sent(address.unique);
        let header = OutHeader {
            len: HEAD as u32,
            error: -error,
            unique: address.unique,
        };
        self.write(address.clone, header.as_bytes());
    }

    /// One answer; whether the kernel took it.
    fn write(&self, clone: usize, bytes: &[u8]) -> bool {
        let what = match (&self.clones[clone]).write(bytes) {
            Ok(length) if length == bytes.len() => return true,
            Ok(_) => "refused-part",
            Err(error) => refusal(&error),
        };
        lock(self.post.service()).count(what);
        false
    }

    /// Sends what is due, until the process ends.
    ///
    /// # Errors
    ///
    /// None by now.
    pub fn release(&self) -> Result<()> {
        loop {
            self.sleep();
            self.post.release_due(self).context("cannot send")?;
        }
    }

    /// Until something is due.
    fn sleep(&self) {
        let mut due = lock(&self.due);
        loop {
            let now = Instant::now();
            let wait = match *due {
                Some(time) if time <= now => {
                    *due = None;
                    return;
                }
                Some(time) => time - now,
                None => Duration::from_secs(3600),
            };
            let woken = self.due_changed.wait_timeout(due, wait);
            due = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn send_as(&self, address: Address, delivery: &Delivery) {
        let bytes = claimed(delivery);
        let taken = match delivery.receipt {
            Receipt::Right | Receipt::Again(_) => {
                // It may have been taken for the answer to another request, which its head names.
                self.write(address.clone, &bytes) && unique_of(&bytes) == Some(address.unique)
            }
            Receipt::Absurd(id) => {
                // Whoever it was taken for, an INTERRUPT for one: this request has no answer yet.
                self.write(address.clone, &with_unique(&bytes, id.into()));
                false
            }
            Receipt::Jump(times) => {
                (0..times.min(5)).fold(false, |_, _| self.write(address.clone, &bytes))
            }
            Receipt::Other => {
                let beside = |other: &Address| other.clone == address.clone;
                let victim = self.post.waiting(beside);
                let unique = victim
                    .as_ref()
                    .map_or(address.unique + 2, |victim| victim.unique);
                let taken = self.write(address.clone, &with_unique(&bytes, unique));
                if let (false, Some(victim)) = (taken, victim) {
                    // It gets no other answer.
                    self.refuse(victim, libc::EIO);
                }
                taken
            }
        };
        if !taken {
            // What the kernel refuses is no answer, and whoever waits for one would wait for good. If it
            // has ended the request, this is refused too.
            self.refuse(address, libc::EIO);
        }
    }
}

impl Transport for Device {
    type Address = Address;

    fn send(&self, parcel: Parcel<Address>) -> Result<()> {
        if !parcel.address.expected {
            return Ok(());
        }
        self.send_as(parcel.address, &parcel.delivery);
        match parcel.delivery.receipt {
            Receipt::Again(time) => self.post.keep(Some(time), Held::Echo(parcel), self),
            Receipt::Other => self.post.keep(None, Held::Never(parcel.address), self),
            Receipt::Right | Receipt::Absurd(_) | Receipt::Jump(_) => {}
        }
        let sent = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        if self.die_after.is_some_and(|most| sent >= most) {
            process::exit(0);
        }
        Ok(())
    }

    fn echo(&self, parcel: Parcel<Address>) -> Result<()> {
        self.write(parcel.address.clone, &claimed(&parcel.delivery));
        Ok(())
    }

    fn ignore(&self, _address: Address) -> Result<()> {
        Ok(())
    }

    fn wake_at(&self, time: Instant) {
        *lock(&self.due) = Some(time);
        self.due_changed.notify_all();
    }
}

/// The bytes, as many as the transport is to claim.
fn claimed(delivery: &Delivery) -> Vec<u8> {
    let mut bytes = delivery.bytes.clone();
    let most = bytes.len() + EXCESS;
    bytes.resize((delivery.claimed as usize).min(most), 0);
    bytes
}

/// The request that an answer names.
fn unique_of(bytes: &[u8]) -> Option<u64> {
    let place = bytes.get(HEAD - 8..HEAD)?;
    Some(u64::from_ne_bytes(place.try_into().ok()?))
}

/// The same answer, to another request.
fn with_unique(bytes: &[u8], unique: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(place) = bytes.get_mut(HEAD - 8..HEAD) {
        place.copy_from_slice(&unique.to_ne_bytes());
    }
    bytes
}

/// What a refusal is counted as.
fn refusal(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOENT) => "refused-ENOENT",
        Some(libc::EINVAL) => "refused-EINVAL",
        Some(libc::ENODEV) => "refused-ENODEV",
        _ => "refused-other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_bounded() {
        let mut delivery = Delivery::right(vec![7; 20]);
        delivery.claimed = 3;
        assert_eq!(claimed(&delivery), [7; 3]);
        delivery.claimed = 22;
        assert_eq!(claimed(&delivery)[18..], [7, 7, 0, 0]);
        delivery.claimed = u32::MAX;
        assert_eq!(claimed(&delivery).len(), 20 + EXCESS);
    }

    #[test]
    fn an_answer_can_go_to_another() {
        let bytes = with_unique(&[0; 16], 0x0102);
        assert_eq!(bytes[8..10], [2, 1]);
        assert_eq!(with_unique(&[1; 5], 9), [1; 5]);
    }
}
