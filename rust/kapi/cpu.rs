// SPDX-License-Identifier: GPL-2.0

//! Processors, by number.

use kernel::cpu::{nr_cpu_ids, CpuId};

/// The processor this runs on, as of now.
pub fn current() -> usize {
    CpuId::current().as_u32() as usize
}

/// One more than the highest number of a processor that may ever be there.
pub fn num_possible() -> usize {
    nr_cpu_ids() as usize
}
