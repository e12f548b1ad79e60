// SPDX-License-Identifier: GPL-2.0

//! For how long cached names hold: the word of a dentry is a deadline, and the epoch that it is of.
//!
//! A server that says INC_EPOCH begins a new epoch: what was cached before no longer holds.

use super::inode::deadline;
use crate::conn::Connection;
use kernel::sync::atomic::{Atomic, Relaxed};
use rfuse_kapi::time::jiffies64;
use rfuse_proto::attr::Timeout;

/// Deadlines have so many bits: 35,000 years at 250 Hz.
const DEADLINE_BITS: u32 = 48;

/// Without end.
const FOREVER: u64 = (1 << DEADLINE_BITS) - 1;

/// A name holds for `valid`, as an answer says to a question asked at the attribute version `asked_at`.
pub(crate) fn hold(word: &Atomic<u64>, conn: &Connection, asked_at: u64, valid: Timeout) {
    let (epoch, began) = conn.epoch();
    let until = match asked_at < began {
        // The server may have answered before it said so.
        true => 0,
        false => deadline(valid).min(FOREVER),
    };
    word.store(epoch.wrapping_shl(DEADLINE_BITS) | until, Relaxed);
}

/// A name no longer holds.
pub(crate) fn expire(word: &Atomic<u64>) {
    word.store(0, Relaxed);
}

/// Whether a name does not hold any more, by its word. Any context.
#[inline]
pub(crate) fn has_expired(word: u64, conn: &Connection) -> bool {
    let until = word & FOREVER;
    if word.wrapping_shr(DEADLINE_BITS) != conn.epoch_number() & 0xffff {
        return true;
    }
    until != FOREVER && until <= jiffies64()
}
