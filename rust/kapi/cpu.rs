// SPDX-License-Identifier: GPL-2.0

//! Processors, by number.

use crate::bindings;
use kernel::cpu::nr_cpu_ids;

/// The processor this runs on, as of now.
#[inline]
pub fn current() -> usize {
    // SAFETY: It only reads.
    unsafe { bindings::near_processor_id() as usize }
}

/// One more than the highest number of a processor that may ever be there.
pub fn num_possible() -> usize {
    nr_cpu_ids() as usize
}
