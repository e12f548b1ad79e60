// SPDX-License-Identifier: GPL-2.0

//! What is still to be sent.

use std::time::Instant;

use super::parcel::{Address, Parcel};

/// Something that waits for its time.
#[derive(Debug)]
pub enum Held {
    /// An answer that is late. The flag: the next answer releases it too.
    Late(Parcel, bool),
    /// An answer that goes out no more.
    Never(Address),
    /// An answer that is not known yet, to the request with this number.
    Open(u64, Address),
    /// An answer that was sent, to be reported once more with this length.
    Echo(Address, u32),
}

/// Everything that waits.
#[derive(Debug, Default)]
pub struct Shelf {
    items: Vec<(Option<Instant>, Held)>,
}

impl Shelf {
    /// Keeps something until its time, or for good.
    pub fn keep(&mut self, due: Option<Instant>, held: Held) {
        self.items.push((due, held));
    }

    /// How much waits.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// When the next is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.items.iter().filter_map(|(due, _)| *due).min()
    }

    /// Takes what is due.
    pub fn due(&mut self, now: Instant) -> Vec<Held> {
        self.take(|due, _| due.is_some_and(|due| due <= now))
    }

    /// Takes what goes out behind an answer that just went.
    pub fn behind(&mut self) -> Vec<Held> {
        self.take(|_, held| matches!(held, Held::Late(_, true)))
    }

    /// Takes the address of another request of the same queue that waits for its answer; that is not
    /// to be written any more, as its buffers are the client's again once it is reported.
    pub fn victim(&mut self, than: &Address) -> Option<Address> {
        let beside = |other: &Address| (other.queue, other.epoch) == (than.queue, than.epoch);
        let waits = |held: &Held| match held {
            Held::Late(parcel, _) => beside(&parcel.address),
            Held::Never(address) | Held::Open(_, address) => beside(address),
            Held::Echo(..) => false,
        };
        let found = self.items.iter().position(|(_, held)| waits(held))?;
        match self.items.swap_remove(found).1 {
            Held::Late(parcel, _) => Some(parcel.address),
            Held::Never(address) | Held::Open(_, address) | Held::Echo(address, _) => Some(address),
        }
    }

    /// Takes the address of the request with that number, whose answer has become known.
    pub fn open(&mut self, unique: u64) -> Option<Address> {
        let is_it = |held: &Held| matches!(held, Held::Open(number, _) if *number == unique);
        let found = self.items.iter().position(|(_, held)| is_it(held))?;
        match self.items.swap_remove(found).1 {
            Held::Open(_, address) => Some(address),
            _ => None,
        }
    }

    /// Forgets what belongs to an earlier start of the device.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    fn take(&mut self, wanted: impl Fn(Option<Instant>, &Held) -> bool) -> Vec<Held> {
        let items = std::mem::take(&mut self.items);
        let (taken, left): (Vec<_>, Vec<_>) = items
            .into_iter()
            .partition(|(due, held)| wanted(*due, held));
        self.items = left;
        taken.into_iter().map(|(_, held)| held).collect()
    }
}
