// SPDX-License-Identifier: GPL-2.0

//! The slab objects of inodes.
//!
//! An object holds the `struct inode` and the file system's own data: one allocation, and the data
//! is there for whoever holds the inode, RCU walks included.

use crate::{bindings, fs::FileSystem};
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::{self, NonNull},
};
use kernel::{container_of, prelude::*, types::Opaque};

/// An inode and the data a file system embeds.
#[repr(C)]
pub(crate) struct InodeSlot<T: FileSystem> {
    inode: Opaque<bindings::inode>,
    data: MaybeUninit<T::Inode>,
}

impl<T: FileSystem> InodeSlot<T> {
    /// The data beside an inode.
    ///
    /// # Safety
    ///
    /// `inode` lies in a slot that [`InodeCache::alloc`] returned, and which is not freed during
    /// `'a`.
    pub(crate) unsafe fn data<'a>(inode: *const bindings::inode) -> &'a T::Inode {
        // SAFETY: In bounds of the slot, by the safety requirements.
        let slot = unsafe { container_of!(inode.cast::<Opaque<_>>(), Self, inode) };
        // SAFETY: `alloc` initialised the data, and only `free` drops it.
        unsafe { (*slot).data.assume_init_ref() }
    }
}

/// The slab cache of the inodes of a file system type.
///
/// # Invariants
///
/// The pointer is a live cache whose objects have the layout of [`InodeSlot<T>`], and whose `inode`
/// is initialised by `inode_init_once`.
pub(crate) struct InodeCache<T>(NonNull<bindings::kmem_cache>, PhantomData<fn() -> T>);

// SAFETY: Slab caches may be used from any thread.
unsafe impl<T> Send for InodeCache<T> {}
// SAFETY: As above; all functions on a cache serialise themselves.
unsafe impl<T> Sync for InodeCache<T> {}

impl<T: FileSystem> InodeCache<T> {
    /// Makes a cache.
    pub(crate) fn new() -> Result<Self> {
        let mut args = bindings::kmem_cache_args {
            align: u32::try_from(align_of::<InodeSlot<T>>())?,
            ctor: Some(Self::init_once),
            ..pin_init::zeroed()
        };
        // SAFETY: The name is static, `args` is only read during the call.
        let cache = unsafe {
            bindings::__kmem_cache_create_args(
                T::INODE_CACHE.as_char_ptr(),
                u32::try_from(size_of::<InodeSlot<T>>())?,
                &mut args,
                bindings::SLAB_RECLAIM_ACCOUNT | bindings::SLAB_ACCOUNT,
            )
        };
        // INVARIANT: Just created with this layout and constructor.
        NonNull::new(cache)
            .map(|cache| Self(cache, PhantomData))
            .ok_or(ENOMEM)
    }

    /// Constructs an object of the cache.
    ///
    /// # Safety
    ///
    /// `slot` is a fresh object of a cache of [`InodeSlot<T>`].
    unsafe extern "C" fn init_once(slot: *mut c_void) {
        let slot = slot.cast::<InodeSlot<T>>();
        // SAFETY: By the safety requirements nobody else uses the object.
        unsafe { bindings::inode_init_once(Opaque::cast_into(&raw const (*slot).inode)) };
    }

    /// Allocates an inode for a superblock, with initialised data, or returns null.
    ///
    /// # Safety
    ///
    /// `sb` is a valid superblock of this type.
    pub(crate) unsafe fn alloc(&self, sb: *mut bindings::super_block) -> *mut bindings::inode {
        let cache = self.0.as_ptr();
        // SAFETY: The cache is live, by the type invariant; `sb` by the safety requirements.
        let slot = unsafe { bindings::alloc_inode_sb_slot(sb, cache, bindings::GFP_KERNEL) };
        let slot = slot.cast::<InodeSlot<T>>();
        if slot.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: The object is ours alone, and does not move until `free`. The initialiser cannot
        // fail.
        unsafe { pin_init::raw_init((&raw mut (*slot).data).cast(), T::new_inode()) };
        // SAFETY: In bounds.
        unsafe { Opaque::cast_into(&raw const (*slot).inode) }
    }

    /// Drops the data and frees the object.
    ///
    /// It needs no cache: the superblock may be gone by now, and the way to the cache with it.
    ///
    /// # Safety
    ///
    /// `inode` came from [`Self::alloc`] and nobody can reach it any more.
    pub(crate) unsafe fn free(inode: *mut bindings::inode) {
        // SAFETY: In bounds of the slot, by the safety requirements.
        let slot = unsafe { container_of!(inode.cast::<Opaque<_>>(), InodeSlot<T>, inode) };
        // SAFETY: `alloc` initialised the data; this is the only place that drops it.
        unsafe { (*slot).data.assume_init_drop() };
        // SAFETY: `kfree` accepts objects of any slab cache.
        unsafe { bindings::kfree(slot.cast()) };
    }
}

impl<T> Drop for InodeCache<T> {
    fn drop(&mut self) {
        // SAFETY: Inodes are freed after a grace period; after the barrier none is under way. The
        // cache is live, by the type invariant.
        unsafe {
            bindings::rcu_barrier();
            bindings::kmem_cache_destroy(self.0.as_ptr());
        }
    }
}
