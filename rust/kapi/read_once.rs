// SPDX-License-Identifier: GPL-2.0

//! Relaxed loads on hot paths.
//!
//! C header: [`include/asm-generic/rwonce.h`](srctree/include/asm-generic/rwonce.h)

use kernel::sync::atomic::{Atomic, AtomicType};

/// A relaxed load without a call: `Atomic::load` goes through a C function unless the kernel was built
/// with inlined helpers, which costs more than the load.
pub trait ReadOnce {
    /// What is loaded.
    type Value;

    /// As `load(Relaxed)`, which the memory model defines as `READ_ONCE`.
    fn read_once(&self) -> Self::Value;
}

impl<T: AtomicType + Copy> ReadOnce for Atomic<T> {
    type Value = T;

    #[inline(always)]
    fn read_once(&self) -> T {
        // SAFETY: The pointer is valid and aligned; atomic types have the size of a machine word at
        // most, so that a volatile read is a single load, and the others' accesses are atomic.
        unsafe { self.as_ptr().read_volatile() }
    }
}
