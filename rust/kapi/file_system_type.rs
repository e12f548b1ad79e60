// SPDX-License-Identifier: GPL-2.0

//! The registration of a file system type, as all kinds of file systems need it.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::bindings;
use kernel::{container_of, error::to_result, prelude::*, types::Opaque};

/// A registered type. To be kept in static memory, as locks are classed by their type's address.
///
/// # Invariants
///
/// `fs` is registered, and in place.
#[pin_data(PinnedDrop)]
pub(crate) struct FileSystemType {
    #[pin]
    fs: Opaque<bindings::file_system_type>,
}

// SAFETY: Unregistering is allowed on any thread.
unsafe impl Send for FileSystemType {}
// SAFETY: Nothing is looked at by reference.
unsafe impl Sync for FileSystemType {}

impl FileSystemType {
    /// Registers the type. From then on it can be mounted. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the name is taken.
    pub(crate) fn register(fs: bindings::file_system_type) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            fs <- Opaque::try_ffi_init(move |slot: *mut bindings::file_system_type| {
                // SAFETY: `slot` is valid for writes.
                unsafe { slot.write(fs) };
                // SAFETY: `slot` is initialised, pinned, and unregistered on drop.
                to_result(unsafe { bindings::register_filesystem(slot) })
            }),
        })
    }

    /// The registration of a type, to find what it is a field of.
    ///
    /// # Safety
    ///
    /// `fs` was registered by [`Self::register`], and is so still.
    pub(crate) unsafe fn from_raw(fs: *mut bindings::file_system_type) -> *mut Self {
        // SAFETY: By the safety requirements `fs` is the field of a registration.
        unsafe { container_of!(fs.cast::<Opaque<_>>(), Self, fs) }
    }
}

#[pinned_drop]
impl PinnedDrop for FileSystemType {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant; nothing is mounted, as that holds the module.
        unsafe { bindings::unregister_filesystem(self.fs.get()) };
    }
}
