// SPDX-License-Identifier: GPL-2.0

//! The memory of the machine.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::bindings;
use kernel::page::PAGE_SIZE;

/// How much there is, in bytes. Any context.
pub fn total_bytes() -> u64 {
    // SAFETY: It reads a counter.
    let pages = unsafe { bindings::totalram_pages() };
    // CAST: Both have 64 bits.
    (pages as u64).saturating_mul(PAGE_SIZE as u64)
}
