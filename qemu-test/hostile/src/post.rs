// SPDX-License-Identifier: GPL-2.0

//! Answers on their way, for any transport: at once, later, behind another, twice, or never.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use rfuse_proto::wire::InHeader;
use zerocopy::FromBytes as _;

use crate::delivery::{Delivery, Timing};
use crate::lock;
use crate::service::Service;
use crate::shelf::{Held, Parcel, Shelf};

/// What messages travel by.
pub trait Transport {
    /// Where an answer goes.
    type Address;

    /// Sends an answer, as its receipt says.
    ///
    /// # Errors
    ///
    /// That the transport is broken.
    fn send(&self, parcel: Parcel<Self::Address>) -> Result<()>;

    /// Reports an answer once more that was sent.
    ///
    /// # Errors
    ///
    /// That the transport is broken.
    fn echo(&self, parcel: Parcel<Self::Address>) -> Result<()>;

    /// Has got something that gets no answer.
    ///
    /// # Errors
    ///
    /// That the transport is broken.
    fn ignore(&self, address: Self::Address) -> Result<()>;

    /// [`Post::release_due`] is to be called then.
    fn wake_at(&self, due: Instant);

    /// How many wait whom the transport has lost.
    fn lost(&self) -> usize {
        0
    }
}

/// The number that a message has in its head, if it has one.
fn number(message: &[u8]) -> u64 {
    InHeader::read_from_prefix(message).map_or(0, |(header, _)| header.unique)
}

/// Hands requests to the service, and keeps what is not to go out yet.
pub struct Post<A> {
    service: Arc<Mutex<Service>>,
    shelf: Mutex<Shelf<A>>,
}

impl<A> Post<A> {
    /// Nothing is on its way.
    pub fn new(service: Arc<Mutex<Service>>) -> Self {
        Self {
            service,
            shelf: Mutex::default(),
        }
    }

    /// The service.
    pub fn service(&self) -> &Mutex<Service> {
        &self.service
    }

    /// Answers a message, and whoever needs not wait any more by that.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    pub fn receive<T>(&self, message: &[u8], address: A, room: usize, by: &T) -> Result<()>
    where
        T: Transport<Address = A>,
    {
        let (delivery, settled) = {
            let mut service = lock(&self.service);
            (service.handle(message, room), service.settled())
        };
        match delivery {
            Some(delivery) => self.deliver(number(message), delivery, address, by)?,
            None => by.ignore(address)?,
        }
        for (unique, delivery) in settled {
            let open = lock(&self.shelf).open(unique);
            if let Some(address) = open {
                self.deliver(unique, delivery, address, by)?;
            }
        }
        Ok(())
    }

    fn deliver<T>(&self, unique: u64, delivery: Delivery, address: A, by: &T) -> Result<()>
    where
        T: Transport<Address = A>,
    {
        let timing = delivery.timing;
        let parcel = Parcel {
            unique,
            address,
            delivery,
        };
        match timing {
            Timing::Now => {
                by.send(parcel)?;
                let behind = lock(&self.shelf).behind();
                return self.release(behind, by);
            }
            Timing::After(time) => self.keep(Some(time), Held::Late(parcel, false), by),
            Timing::Behind(time) => self.keep(Some(time), Held::Late(parcel, true), by),
            Timing::Never => self.keep(None, Held::Never(parcel.address), by),
            Timing::Settled(unique) => self.keep(None, Held::Open(unique, parcel.address), by),
        }
        Ok(())
    }

    /// Keeps something for that time, or for good.
    pub fn keep<T: Transport<Address = A>>(&self, time: Option<Duration>, held: Held<A>, by: &T) {
        {
            let mut shelf = lock(&self.shelf);
            shelf.keep(time.map(|time| Instant::now() + time), held);
            if let Some(due) = shelf.next_due() {
                by.wake_at(due);
            }
        }
        self.tell_waiting(by);
    }

    /// Sends what is due.
    ///
    /// # Errors
    ///
    /// Those of the transport.
    pub fn release_due<T: Transport<Address = A>>(&self, by: &T) -> Result<()> {
        let due = {
            let mut shelf = lock(&self.shelf);
            let due = shelf.due(Instant::now());
            if let Some(next) = shelf.next_due() {
                by.wake_at(next);
            }
            due
        };
        self.release(due, by)
    }

    fn release<T: Transport<Address = A>>(&self, held: Vec<Held<A>>, by: &T) -> Result<()> {
        if held.is_empty() {
            return Ok(());
        }
        for one in held {
            match one {
                Held::Late(parcel, _) => {
                    lock(&self.service).sent(parcel.unique);
                    by.send(parcel)?;
                }
                Held::Echo(parcel) => by.echo(parcel)?,
                Held::Never(_) | Held::Open(..) => {}
            }
        }
        self.tell_waiting(by);
        Ok(())
    }

    /// Takes a request that waits for its answer and is one of those: it gets no other.
    pub fn waiting(&self, is_one: impl Fn(&A) -> bool) -> Option<A> {
        lock(&self.shelf).waiting(is_one)
    }

    /// The transport starts anew: nothing of before is sent.
    pub fn restart<T: Transport<Address = A>>(&self, by: &T) {
        lock(&self.shelf).clear();
        lock(&self.service).restarted();
        self.tell_waiting(by);
    }

    fn tell_waiting<T: Transport<Address = A>>(&self, by: &T) {
        let waiting = lock(&self.shelf).count() + by.lost();
        lock(&self.service).set_waiting(waiting);
    }
}
