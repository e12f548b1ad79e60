// SPDX-License-Identifier: GPL-2.0

//! The kernel crate's spin lock, taken through shims of this module: those of the kernel crate lie far from it,
//! and ask whether a lock is held even where nothing keeps track of that.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use crate::bindings;
use kernel::{
    ffi::c_char,
    sync::lock::{spinlock::SpinLockBackend, Backend, Guard, Lock},
};

/// As `kernel::sync::SpinLock` (`spinlock_t`). Made by [`new_spinlock!`](crate::new_spinlock).
pub type SpinLock<T> = Lock<T, NearSpinLock>;

/// What [`SpinLock::lock`] gives.
pub type SpinLockGuard<'a, T> = Guard<'a, T, NearSpinLock>;

/// Makes a [`SpinLock`] with a lock class of its own.
#[macro_export]
macro_rules! new_spinlock {
    ($inner:expr $(, $name:literal)? $(,)?) => {
        $crate::spin_lock::SpinLock::new(
            $inner, ::kernel::optional_name!($($name)?), ::kernel::static_lock_class!())
    };
}
pub use new_spinlock;

/// The backend of [`SpinLock`].
pub struct NearSpinLock;

// SAFETY: The lock is a `spinlock_t`, and taken and left as such.
unsafe impl Backend for NearSpinLock {
    type State = <SpinLockBackend as Backend>::State;
    type GuardState = ();

    unsafe fn init(
        ptr: *mut Self::State,
        name: *const c_char,
        key: *mut kernel::bindings::lock_class_key,
    ) {
        // SAFETY: By the safety requirements, which are the same.
        unsafe { SpinLockBackend::init(ptr, name, key) }
    }

    #[inline]
    unsafe fn lock(ptr: *mut Self::State) {
        // SAFETY: By the safety requirements.
        unsafe { bindings::near_spin_lock(ptr) }
    }

    #[inline]
    unsafe fn unlock(ptr: *mut Self::State, _guard_state: &()) {
        // SAFETY: By the safety requirements.
        unsafe { bindings::near_spin_unlock(ptr) }
    }

    unsafe fn try_lock(ptr: *mut Self::State) -> Option<()> {
        // SAFETY: By the safety requirements.
        unsafe { SpinLockBackend::try_lock(ptr) }
    }

    #[inline]
    unsafe fn assert_is_held(_ptr: *mut Self::State) {
        #[cfg(CONFIG_LOCKDEP)]
        // SAFETY: By the safety requirements.
        unsafe {
            SpinLockBackend::assert_is_held(_ptr)
        }
    }
}
