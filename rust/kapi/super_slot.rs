// SPDX-License-Identifier: GPL-2.0

//! Superblocks for those who come from elsewhere than the VFS, and may come when the superblock is gone.

use crate::{
    bindings,
    fs::{FileSystem, Registration},
    super_block::{NewSuper, SuperBlock},
    wait::WaitQueue,
};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
};

/// What the lock of a [`SuperSlot`] protects.
struct Place {
    sb: Option<NonNull<bindings::super_block>>,
    users: usize,
}

// SAFETY: The pointer is only an address without the rules of `SuperSlot`.
unsafe impl Send for Place {}

/// A place where a superblock is found as long as it lives.
///
/// # Invariants
///
/// A superblock in it is one of `T`, and valid: [`close`] empties the place, and waits for the users, before it is
/// killed.
#[pin_data]
pub struct SuperSlot<T: FileSystem> {
    #[pin]
    place: Mutex<Place>,
    #[pin]
    fewer: WaitQueue,
    _fs: PhantomData<fn() -> T>,
}

/// The slots of a file system type.
pub(crate) type Slots<T> = KVec<Arc<SuperSlot<T>>>;

impl<T: FileSystem> SuperSlot<T> {
    /// Makes a place for a superblock. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(sb: &NewSuper<'_, T>) -> Result<Arc<Self>> {
        let place = Place {
            // INVARIANT: It is killed by `kill_sb`, which calls `close` first.
            sb: NonNull::new(sb.as_ptr()),
            users: 0,
        };
        let slot = Arc::pin_init(
            pin_init!(Self {
                place <- new_mutex!(place),
                fewer <- WaitQueue::new(),
                _fs: PhantomData,
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The type of a superblock of `T`.
        let registration = unsafe { Registration::<T>::from_type((*sb.as_ptr()).s_type) };
        registration.slots().lock().push(slot.clone(), GFP_KERNEL)?;
        Ok(slot)
    }

    /// Lets `act` have the superblock, which is not killed before that returns; `None` if it is gone. May sleep.
    pub fn with<R>(&self, act: impl FnOnce(&SuperBlock<T>) -> R) -> Option<R> {
        let sb = {
            let mut place = self.place.lock();
            let sb = place.sb?;
            place.users += 1;
            sb
        };
        // SAFETY: By the type invariant, as this is a user.
        let result = act(unsafe { SuperBlock::from_raw(sb.as_ptr()) });
        self.place.lock().users -= 1;
        self.fewer.wake_all();
        Some(result)
    }
}

/// Takes a superblock out of its places, and waits for their users. May sleep.
pub(crate) fn close<T: FileSystem>(sb: &SuperBlock<T>) {
    // SAFETY: The type of a superblock of `T`.
    let registration = unsafe { Registration::<T>::from_type((*sb.as_ptr()).s_type) };
    loop {
        let slot = {
            let mut slots = registration.slots().lock();
            let is_its = |slot: &Arc<SuperSlot<T>>| {
                slot.place.lock().sb.map(NonNull::as_ptr) == Some(sb.as_ptr())
            };
            let Some(at) = slots.iter().position(is_its) else {
                return;
            };
            match slots.remove(at) {
                Ok(slot) => slot,
                Err(_) => return,
            }
        };
        slot.place.lock().sb = None;
        slot.fewer.wait(|| slot.place.lock().users == 0);
    }
}
