// SPDX-License-Identifier: GPL-2.0

//! A pinned value that may not be there, in a place that is.

use core::{pin::Pin, ptr};
use kernel::{prelude::*, types::Opaque};
use pin_init::{pin_init_from_closure, raw_try_init};

/// A value in place, or the place alone: for what must be in static memory, like what lockdep knows locks by.
///
/// # Invariants
///
/// The value is initialised if `is_there`.
#[pin_data(PinnedDrop)]
pub struct Maybe<T> {
    is_there: bool,
    #[pin]
    value: Opaque<T>,
}

// SAFETY: It has nothing but the value.
unsafe impl<T: Send> Send for Maybe<T> {}
// SAFETY: As above.
unsafe impl<T: Sync> Sync for Maybe<T> {}

impl<T> Maybe<T> {
    /// Makes the value if there is what makes it.
    pub fn new(init: Option<impl PinInit<T, Error>>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            is_there: init.is_some(),
            value <- Opaque::try_ffi_init(move |slot: *mut T| match init {
                // SAFETY: The slot is valid for writes, and pinned.
                Some(init) => unsafe { raw_try_init(slot, init) },
                None => Ok(()),
            }),
        })
    }
}

/// As `init`, but `tell` hears of a failure.
pub fn inspect_err<T, E>(init: impl PinInit<T, E>, tell: impl FnOnce(&E)) -> impl PinInit<T, E> {
    // SAFETY: It is `init` that fills the slot, and it is passed on whether that succeeded.
    unsafe { pin_init_from_closure(move |slot| raw_try_init(slot, init).inspect_err(tell)) }
}

#[pinned_drop]
impl<T> PinnedDrop for Maybe<T> {
    fn drop(self: Pin<&mut Self>) {
        if self.is_there {
            // SAFETY: By the type invariant; this is its last use.
            unsafe { ptr::drop_in_place(self.value.get()) };
        }
    }
}
