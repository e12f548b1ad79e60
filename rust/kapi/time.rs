// SPDX-License-Identifier: GPL-2.0

//! Time stamps of inodes, and jiffies.
//!
//! C headers: [`include/linux/time64.h`](srctree/include/linux/time64.h),
//! [`include/linux/jiffies.h`](srctree/include/linux/jiffies.h)

use crate::bindings;
use kernel::ffi::c_long;

/// A point in time since the epoch, as `struct timespec64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timespec {
    /// Seconds, negative before 1970.
    pub sec: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nsec: u32,
}

impl From<bindings::timespec64> for Timespec {
    fn from(time: bindings::timespec64) -> Self {
        Self {
            sec: time.tv_sec,
            // CAST: Nanoseconds of a second, which are not negative.
            nsec: time.tv_nsec as u32,
        }
    }
}

impl From<Timespec> for bindings::timespec64 {
    fn from(time: Timespec) -> Self {
        Self {
            tv_sec: time.sec,
            // CAST: `long` has 64 bits on the architectures of this module.
            tv_nsec: time.nsec as c_long,
        }
    }
}

/// The time since boot in ticks. It does not wrap. Any context.
#[inline]
pub fn jiffies64() -> u64 {
    // `get_jiffies_64` on 64-bit machines, where it is no more than this.
    // SAFETY: It reads a global counter, which is read whole.
    unsafe { (&raw const bindings::jiffies_64).read_volatile() }
}

/// Nanoseconds of a clock that is cheap to read, and nearly the same on all processors. Any context.
#[inline]
pub fn local_clock() -> u64 {
    // SAFETY: It only reads.
    unsafe { bindings::local_clock() }
}

/// Converts nanoseconds to ticks, rounded down; every `u64` is a valid argument. Any context.
#[inline]
pub fn nsecs_to_jiffies64(nsecs: u64) -> u64 {
    // SAFETY: It only computes, with a division by a constant.
    unsafe { bindings::nsecs_to_jiffies64(nsecs) }
}
