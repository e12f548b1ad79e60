// SPDX-License-Identifier: GPL-2.0

//! What is still to be sent.

use std::time::Instant;

use crate::delivery::Delivery;

/// An answer and where it goes, which the transport knows.
#[derive(Debug)]
pub struct Parcel<A> {
    /// The number of the request that it answers.
    pub unique: u64,
    /// Where it goes.
    pub address: A,
    /// What goes there.
    pub delivery: Delivery,
}

/// Something that waits for its time.
#[derive(Debug)]
pub enum Held<A> {
    /// An answer that is late. The flag: the next answer releases it too.
    Late(Parcel<A>, bool),
    /// An answer that goes out no more.
    Never(A),
    /// An answer that is not known yet, to the request with this number.
    Open(u64, A),
    /// An answer that was sent, to be reported once more.
    Echo(Parcel<A>),
}

/// Everything that waits.
#[derive(Debug)]
pub struct Shelf<A> {
    items: Vec<(Option<Instant>, Held<A>)>,
}

impl<A> Default for Shelf<A> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<A> Shelf<A> {
    /// Keeps something until its time, or for good.
    pub fn keep(&mut self, due: Option<Instant>, held: Held<A>) {
        self.items.push((due, held));
    }

    /// How much waits.
    pub fn count(&self) -> usize {
        self.items.len()
    }

    /// When the next is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.items.iter().filter_map(|(due, _)| *due).min()
    }

    /// Takes what is due.
    pub fn due(&mut self, now: Instant) -> Vec<Held<A>> {
        self.take(|due, _| due.is_some_and(|due| due <= now))
    }

    /// Takes what goes out behind an answer that just went.
    pub fn behind(&mut self) -> Vec<Held<A>> {
        self.take(|_, held| matches!(held, Held::Late(_, true)))
    }

    /// Takes the address of a request that waits for its answer and is one of those: it gets no other.
    pub fn waiting(&mut self, is_one: impl Fn(&A) -> bool) -> Option<A> {
        let waits = |held: &Held<A>| match held {
            Held::Late(parcel, _) => is_one(&parcel.address),
            Held::Never(address) | Held::Open(_, address) => is_one(address),
            Held::Echo(_) => false,
        };
        self.take_one(waits)
    }

    /// Takes the address of the request with that number, whose answer has become known.
    pub fn open(&mut self, unique: u64) -> Option<A> {
        self.take_one(|held| matches!(held, Held::Open(number, _) if *number == unique))
    }

    fn take_one(&mut self, is_it: impl Fn(&Held<A>) -> bool) -> Option<A> {
        let found = self.items.iter().position(|(_, held)| is_it(held))?;
        match self.items.swap_remove(found).1 {
            Held::Late(parcel, _) | Held::Echo(parcel) => Some(parcel.address),
            Held::Never(address) | Held::Open(_, address) => Some(address),
        }
    }

    /// Forgets what belongs to an earlier start of the device.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    fn take(&mut self, wanted: impl Fn(Option<Instant>, &Held<A>) -> bool) -> Vec<Held<A>> {
        let items = std::mem::take(&mut self.items);
        let (taken, left): (Vec<_>, Vec<_>) = items
            .into_iter()
            .partition(|(due, held)| wanted(*due, held));
        self.items = left;
        taken.into_iter().map(|(_, held)| held).collect()
    }
}
