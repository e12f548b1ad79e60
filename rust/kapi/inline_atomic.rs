// SPDX-License-Identifier: GPL-2.0

//! Atomic operations on hot paths, without calls: those of `Atomic` go through a C function each, unless the
//! kernel was built with inlined helpers, which costs more than what it does.
//!
//! C headers: [`include/asm-generic/rwonce.h`](srctree/include/asm-generic/rwonce.h),
//! [`arch/x86/include/asm/atomic64_64.h`](srctree/arch/x86/include/asm/atomic64_64.h)

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kernel::sync::atomic::{Atomic, AtomicType};

/// Loads and stores.
pub trait InlineAtomic {
    /// What is loaded and stored.
    type Value;

    /// As `load(Relaxed)`, which the memory model defines as `READ_ONCE`.
    fn read_once(&self) -> Self::Value;

    /// As `store(value, Relaxed)`, which the memory model defines as `WRITE_ONCE`.
    fn write_once(&self, value: Self::Value);
}

impl<T: AtomicType + Copy> InlineAtomic for Atomic<T> {
    type Value = T;

    #[inline(always)]
    fn read_once(&self) -> T {
        // SAFETY: The pointer is valid and aligned; atomic types have the size of a machine word at
        // most, so that a volatile read is a single load, and the others' accesses are atomic.
        unsafe { self.as_ptr().read_volatile() }
    }

    #[inline(always)]
    fn write_once(&self, value: T) {
        // SAFETY: As above, for a single store.
        unsafe { self.as_ptr().write_volatile(value) }
    }
}

/// What changes a number.
pub trait InlineRmw: InlineAtomic + Sized {
    /// As `load(Acquire)`.
    fn read_acquire(&self) -> Self::Value;

    /// As `fetch_add(more, Relaxed)`: what it was before.
    fn add_relaxed(&self, more: Self::Value) -> Self::Value;

    /// As `fetch_add(more, Full)`: what it was before. A `lock`ed instruction is a full barrier, to the compiler too.
    fn add_full(&self, more: Self::Value) -> Self::Value;

    /// As `cmpxchg(old, new, Full)`.
    ///
    /// # Errors
    ///
    /// What it is, if not `old`.
    fn cmpxchg_full(&self, old: Self::Value, new: Self::Value) -> Result<(), Self::Value>;
}

/// Rust's atomics are instructions, and on x86 those of the kernel are the same.
macro_rules! inline_rmw {
    ($($value:ty as $native:ty),*) => {$(
        impl InlineRmw for Atomic<$value> {
            #[inline(always)]
            fn read_acquire(&self) -> $value {
                // SAFETY: The pointer is valid and aligned, and all others' accesses are atomic.
                unsafe { <$native>::from_ptr(self.as_ptr()) }.load(Ordering::Acquire)
            }

            #[inline(always)]
            fn add_relaxed(&self, more: $value) -> $value {
                // SAFETY: As above.
                unsafe { <$native>::from_ptr(self.as_ptr()) }.fetch_add(more, Ordering::Relaxed)
            }

            #[inline(always)]
            fn add_full(&self, more: $value) -> $value {
                // SAFETY: As above.
                unsafe { <$native>::from_ptr(self.as_ptr()) }.fetch_add(more, Ordering::SeqCst)
            }

            #[inline(always)]
            fn cmpxchg_full(&self, old: $value, new: $value) -> Result<(), $value> {
                // SAFETY: As above.
                unsafe { <$native>::from_ptr(self.as_ptr()) }
                    .compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
                    .map(drop)
            }
        }
    )*};
}

inline_rmw!(u64 as AtomicU64, usize as AtomicUsize);
