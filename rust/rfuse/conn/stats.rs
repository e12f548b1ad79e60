// SPDX-License-Identifier: GPL-2.0

//! What is counted of requests: by operation, how many there were, their errors and bytes, and how long they took.

use super::{request::OwnedRequest, Connection};
use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};
use rfuse_kapi::{
    cpu,
    inline_atomic::{InlineAtomic, InlineRmw},
    time::local_clock,
};
use rfuse_proto::wire::Opcode;

/// Requests that took less than 1, 2, 4, … µs, up to some 16 s; the last is for the rest.
pub(crate) const BUCKETS: usize = 26;

/// Numbers of operations are below this.
const OPERATIONS: usize = 64;

/// Processors share counters when there are more than this.
const SHARDS: usize = 8;

/// The sums of one operation.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sums {
    /// Those that the server refused, or never answered.
    pub(crate) errors: u64,
    /// Bytes that the server was sent, headers included.
    pub(crate) sent: u64,
    /// Bytes that it sent.
    pub(crate) received: u64,
    /// How long all took together, in µs.
    pub(crate) micros: u64,
    /// How long the longest took, in µs.
    pub(crate) longest: u64,
    /// How many took how long.
    pub(crate) buckets: [u64; BUCKETS],
}

impl Sums {
    /// Requests that came to their end.
    pub(crate) fn requests(&self) -> u64 {
        self.buckets
            .iter()
            .fold(0, |sum, count| sum.wrapping_add(*count))
    }
}

/// One operation's counters of a few processors.
struct Counters {
    errors: Atomic<u64>,
    sent: Atomic<u64>,
    received: Atomic<u64>,
    micros: Atomic<u64>,
    longest: Atomic<u64>,
    buckets: [Atomic<u64>; BUCKETS],
}

/// All counters of a connection.
pub(super) struct Stats {
    /// All operations of the first shard, then those of the second, and so on.
    counters: KVVec<Counters>,
}

impl Counters {
    const fn new() -> Self {
        Self {
            errors: Atomic::new(0),
            sent: Atomic::new(0),
            received: Atomic::new(0),
            micros: Atomic::new(0),
            longest: Atomic::new(0),
            buckets: [const { Atomic::new(0) }; BUCKETS],
        }
    }

    fn took(&self, micros: u64) {
        add(&self.micros, micros);
        let bucket = micros
            .checked_ilog2()
            .map_or(0, |log| log.saturating_add(1));
        if let Some(count) = self
            .buckets
            .get((bucket as usize).min(BUCKETS.saturating_sub(1)))
        {
            add(count, 1);
        }
        let mut longest = self.longest.read_once();
        while longest < micros {
            match self.longest.cmpxchg(longest, micros, Relaxed) {
                Ok(_) => return,
                Err(now) => longest = now,
            }
        }
    }

    fn add_to(&self, sums: &mut Sums) {
        let more =
            |sum: &mut u64, count: &Atomic<u64>| *sum = sum.wrapping_add(count.load(Relaxed));
        more(&mut sums.errors, &self.errors);
        more(&mut sums.sent, &self.sent);
        more(&mut sums.received, &self.received);
        more(&mut sums.micros, &self.micros);
        sums.longest = sums.longest.max(self.longest.load(Relaxed));
        for (sum, count) in sums.buckets.iter_mut().zip(&self.buckets) {
            more(sum, count);
        }
    }
}

fn add(counter: &Atomic<u64>, more: u64) {
    let _ = counter.add_relaxed(more);
}

impl Stats {
    /// Nothing was counted yet. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        let len = cpu::num_possible()
            .clamp(1, SHARDS)
            .saturating_mul(OPERATIONS);
        let mut counters = KVVec::with_capacity(len, GFP_KERNEL)?;
        for _ in 0..len {
            counters.push(Counters::new(), GFP_KERNEL)?;
        }
        Ok(Self { counters })
    }

    /// The counters of an operation for this processor.
    fn here(&self, opcode: Opcode) -> Option<&Counters> {
        let start = cpu::current().wrapping_mul(OPERATIONS);
        let index = start.checked_rem(self.counters.len())?;
        self.counters.get(index.wrapping_add(opcode.raw() as usize))
    }
}

impl Connection {
    /// A request has come to its end. Any context.
    pub(super) fn count(&self, request: &OwnedRequest) {
        let Some((opcode, counters)) = request
            .opcode()
            .and_then(|opcode| Some((opcode, self.stats.here(opcode)?)))
        else {
            return;
        };
        debug_assert!((opcode.raw() as usize) < OPERATIONS);
        if request.has_failed() {
            add(&counters.errors, 1);
        }
        add(&counters.sent, request.sent_len() as u64);
        add(&counters.received, request.received_len() as u64);
        counters.took(local_clock().saturating_sub(request.began_at()) / 1000);
    }

    /// What was counted of an operation.
    pub(crate) fn sums(&self, opcode: Opcode) -> Sums {
        let mut sums = Sums::default();
        let all = self.stats.counters.iter().skip(opcode.raw() as usize);
        all.step_by(OPERATIONS)
            .for_each(|counters| counters.add_to(&mut sums));
        sums
    }
}
