// SPDX-License-Identifier: GPL-2.0

//! What goes back to the client, and how.

use std::time::Duration;

/// When an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// At once.
    Now,
    /// Later.
    After(Duration),
    /// After the next answer, or after this time if there is none.
    Behind(Duration),
    /// Not as long as the connection lasts.
    Never,
    /// When the service says so, of the request with this number.
    Settled(u64),
}

/// What the transport is told beside the answer itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// That this request is done, once.
    Right,
    /// The same again after this time.
    Again(Duration),
    /// That another request is done, which waits for its answer.
    Other,
    /// That a request is done which cannot exist.
    Absurd(u32),
    /// That so many requests more are done, whichever the ring happens to name.
    Jump(u16),
}

/// One answer on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What is written into the client's buffer; what does not fit there is not written.
    pub bytes: Vec<u8>,
    /// The length that the transport reports.
    pub claimed: u32,
    /// When.
    pub timing: Timing,
    /// What is reported.
    pub receipt: Receipt,
}

impl Delivery {
    /// An answer as it should be.
    pub fn right(bytes: Vec<u8>) -> Self {
        Self {
            claimed: length(&bytes),
            bytes,
            timing: Timing::Now,
            receipt: Receipt::Right,
        }
    }

    /// An answer that is not known yet.
    pub fn open(unique: u64) -> Self {
        Self {
            timing: Timing::Settled(unique),
            ..Self::right(Vec::new())
        }
    }

    /// Whether somebody is left without an answer for good.
    pub fn blocks(&self) -> bool {
        self.timing == Timing::Never || self.receipt != Receipt::Right
    }

    /// Whether it comes at all, and says what another does.
    pub fn says(&self, other: &Self) -> bool {
        !self.blocks() && self.bytes == other.bytes && self.claimed == other.claimed
    }
}

/// A message's length, as it travels.
pub fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
