// SPDX-License-Identifier: GPL-2.0

//! Requests that take too long: they end with `ETIMEDOUT`, each by itself.
//!
//! Whoever waits for an answer waits no longer than the limit. What nobody waits for, or no longer, is looked for at
//! times: a process loses it; a device may still write to its memory, so that it keeps it, unless the connection is to
//! end then.

use super::{Connection, Phase};
use crate::module_parameters;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Mutex,
    },
};
use rfuse_kapi::{
    inline_atomic::InlineAtomic,
    ticker::{Tick, Ticker},
    time::{local_clock, nsecs_to_jiffies64},
};

/// Ages of background requests are told apart up to this number of periods.
const AGES: usize = 16;

/// A request is looked at so often within its limit.
const LOOKS: usize = 8;

const NANOS: u64 = 1_000_000_000;

/// The limit of a connection, and what is near it.
#[pin_data]
pub(super) struct Timeout {
    /// In jiffies; 0 for none.
    ticks: Atomic<u64>,
    nanos: Atomic<u64>,
    /// Counts periods.
    age: Atomic<usize>,
    /// How many background requests began in each of the latest periods, and have not ended.
    ages: [Atomic<usize>; AGES],
    #[pin]
    ticker: Mutex<Option<Pin<KBox<Ticker<Connection>>>>>,
}

/// When a background request began.
#[derive(Clone, Copy)]
pub(crate) struct Age(usize);

impl Timeout {
    /// No limit.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            ticks: Atomic::new(0),
            nanos: Atomic::new(0),
            age: Atomic::new(0),
            ages: [const { Atomic::new(0) }; AGES],
            ticker <- new_mutex!(None),
        })
    }

    /// A background request begins.
    pub(super) fn begin(&self) -> Age {
        let age = self.age.load(Relaxed) % AGES;
        self.change(age, 1);
        Age(age)
    }

    /// It has ended.
    pub(super) fn end(&self, Age(age): Age) {
        self.change(age, usize::MAX);
    }

    fn change(&self, age: usize, by: usize) {
        if let Some(count) = self.ages.get(age) {
            let _ = count.fetch_add(by, Relaxed);
        }
    }

    /// Whether a background request is older than the limit.
    fn is_overdue(&self) -> bool {
        let now = self.age.load(Relaxed);
        // Behind the present period come the oldest.
        (1..AGES.saturating_sub(LOOKS)).any(|later| {
            let age = now.wrapping_add(later) % AGES;
            self.ages
                .get(age)
                .is_some_and(|count| count.load(Relaxed) > 0)
        })
    }
}

/// What limits a request, in seconds: the server's word, or what the administrator has set for servers that say
/// nothing; and what is the most whatever they say. 0 is no limit.
fn settle(server: u64, default: u64, most: u64) -> u64 {
    match (server, default) {
        (0, 0) => most,
        (0, it) | (it, _) if most == 0 => it,
        (0, it) | (it, _) => it.min(most),
    }
}

impl Connection {
    /// Begins to limit what requests may take; `server` is the server's word in seconds. May sleep.
    pub(crate) fn limit_requests(self: &Arc<Self>, server: u16) -> Result {
        let seconds = settle(
            server.into(),
            module_parameters::default_request_timeout.value().into(),
            module_parameters::max_request_timeout.value().into(),
        );
        if seconds == 0 || self.patience().is_some() {
            return Ok(());
        }
        let nanos = seconds.saturating_mul(NANOS);
        let ticks = nsecs_to_jiffies64(nanos).max(1);
        self.timeout.nanos.store(nanos, Relaxed);
        self.timeout.ticks.store(ticks, Relaxed);
        let period = ticks.checked_div(LOOKS as u64).unwrap_or(1).max(1);
        let ticker = Ticker::new(self.workqueue(), period, self.clone())?;
        *self.timeout.ticker.lock() = Some(ticker);
        Ok(())
    }

    /// Ends what [`Self::limit_requests`] began. May sleep.
    pub(super) fn stop_clock(&self) {
        let ticker = self.timeout.ticker.lock().take();
        drop(ticker);
    }

    /// How long somebody waits for an answer, in jiffies; `None` for ever.
    #[inline]
    pub(super) fn patience(&self) -> Option<u64> {
        match self.timeout.ticks.read_once() {
            0 => None,
            ticks => Some(ticks),
        }
    }

    /// A request took too long.
    pub(super) fn timed_out(&self) {
        rfuse_kapi::log::err_ratelimited(format_args!("a server does not answer in time"));
        if module_parameters::request_timeout_aborts.value() {
            self.abort();
        }
    }
}

impl Tick for Connection {
    fn tick(&self) {
        if self.phase.load(Relaxed) != Phase::Connected as u32 {
            return;
        }
        let _ = self.timeout.age.fetch_add(1, Relaxed);
        let limit = self.timeout.nanos.load(Relaxed);
        let lost = self.transport.expire(local_clock().saturating_sub(limit));
        if lost || self.timeout.is_overdue() {
            self.timed_out();
        }
    }
}
