// SPDX-License-Identifier: GPL-2.0

//! Objects that exactly one party owns at a time, and whose return another may wait for.
//!
//! [`Owned`] is the object: whoever has it may read and write it, queue it on a [`Chain`], or give
//! it away. [`Owned::lend`] splits off a [`Waiter`], the claim on the object's return: the owner
//! ends the loan with [`Owned::finish`], and the waiter gets the object back. A waiter that no
//! longer wants to wait detaches, and `finish` then tells the owner so.
//!
//! All of it is one slab object: value, state, queue link. Lending, queueing and finishing
//! allocate nothing, take no lock and may be done in hard interrupt context.
//!
//! C interfaces: `include/linux/slab.h`, `include/linux/sched.h`.

use crate::{
    bindings,
    inline_atomic::{InlineAtomic, InlineRmw},
    rcu::ReadLock,
};
use core::{
    iter,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::{self, NonNull},
};
use kernel::{prelude::*, sync::atomic::Atomic};

/// No waiter: the [`Owned`] is all there is.
const SINGLE: usize = 0;
/// There is a waiter, which does not sleep.
const LENT: usize = 1;
/// The owner has finished; the object lies ready for the waiter.
const RETURNED: usize = 2;
// All else is the address of the task that sleeps, or is about to: as `LENT`, but it is to be woken.

/// The slab object behind [`Owned`], [`Waiter`] and [`Chain`].
///
/// # Invariants
///
/// * In all states but `RETURNED`, exactly one [`Owned`] (which may stand on a [`Chain`]) exists; only it
///   touches `value` and `next`.
/// * In all states but `SINGLE`, exactly one [`Waiter`] exists. In `RETURNED` no `Owned` does, and the
///   waiter may make one.
/// * An address in `state` is that of a task in [`Waiter::sleep`].
/// * `cache` is where the slot is from.
struct Slot<T> {
    state: Atomic<usize>,
    next: *mut Slot<T>,
    cache: NonNull<bindings::kmem_cache>,
    value: T,
}

/// How hard an allocation tries. Mirrors `gfp_t`.
#[derive(Clone, Copy)]
pub enum Gfp {
    /// `GFP_KERNEL`: may sleep and reclaim.
    Kernel,
    /// `GFP_NOFS | __GFP_NOFAIL`: may sleep, does not call into file systems, does not fail.
    NofsNofail,
}

impl Gfp {
    fn bits(self) -> bindings::gfp_t {
        match self {
            Self::Kernel => bindings::GFP_KERNEL,
            Self::NofsNofail => bindings::GFP_NOFS | bindings::__GFP_NOFAIL,
        }
    }
}

/// A slab cache (`struct kmem_cache`) of objects that are handed around as [`Owned`].
///
/// # Invariants
///
/// The pointer is a live cache of objects with the layout of [`Slot<T>`].
pub struct Cache<T> {
    cache: NonNull<bindings::kmem_cache>,
    _objects: PhantomData<fn() -> T>,
}

// SAFETY: Slab caches may be used on any CPU by any thread.
unsafe impl<T> Send for Cache<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for Cache<T> {}

impl<T: Send> Cache<T> {
    /// Makes a cache that `/proc/slabinfo` shows as `name`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(name: &'static CStr) -> Result<Self> {
        let mut args = bindings::kmem_cache_args {
            align: u32::try_from(align_of::<Slot<T>>())?,
            ..pin_init::zeroed()
        };
        // SAFETY: The name is static; `args` is read during the call only.
        let cache = unsafe {
            bindings::__kmem_cache_create_args(
                name.as_char_ptr(),
                u32::try_from(size_of::<Slot<T>>())?,
                &mut args,
                // Without it the slab may be merged with another cache and vanish from view.
                bindings::SLAB_NO_MERGE | bindings::SLAB_HWCACHE_ALIGN,
            )
        };
        // INVARIANT: Created just now, with the layout of `Slot<T>`.
        Ok(Self {
            cache: NonNull::new(cache).ok_or(ENOMEM)?,
            _objects: PhantomData,
        })
    }

    /// Allocates an object and initialises it with `init`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, but not with [`Gfp::NofsNofail`].
    pub fn alloc(&self, init: impl Init<T>, gfp: Gfp) -> Result<Owned<T>> {
        // SAFETY: The cache is live, by the type invariants.
        let object = unsafe { bindings::kmem_cache_alloc_noprof(self.cache.as_ptr(), gfp.bits()) };
        let slot = NonNull::new(object.cast::<Slot<T>>()).ok_or(ENOMEM)?;
        let raw = slot.as_ptr();
        // SAFETY: The memory is ours, has the layout of `Slot<T>`, and every field is initialised
        // here; `init` cannot fail.
        unsafe {
            (&raw mut (*raw).state).write(Atomic::new(SINGLE));
            (&raw mut (*raw).next).write(ptr::null_mut());
            (&raw mut (*raw).cache).write(self.cache);
            pin_init::raw_init(&raw mut (*raw).value, init);
        }
        // INVARIANT: The only reference, in state `SINGLE`.
        Ok(Owned { slot })
    }
}

impl<T> Drop for Cache<T> {
    fn drop(&mut self) {
        // SAFETY: The cache is live and not used after this. Objects that still existed would be
        // reported and leaked by the slab allocator, not reused.
        unsafe { bindings::kmem_cache_destroy(self.cache.as_ptr()) };
    }
}

/// The object itself; dropping it frees the object, or returns it if somebody waits for it.
///
/// # Invariants
///
/// `slot` is live and this is its only `Owned`, see [`Slot`].
pub struct Owned<T: Send> {
    slot: NonNull<Slot<T>>,
}

// SAFETY: An `Owned` is the exclusive access to a `T: Send`.
unsafe impl<T: Send> Send for Owned<T> {}
// SAFETY: A shared `Owned` gives `&T` only.
unsafe impl<T: Send + Sync> Sync for Owned<T> {}

impl<T: Send> Owned<T> {
    fn into_raw(self) -> NonNull<Slot<T>> {
        ManuallyDrop::new(self).slot
    }

    /// Turns the object into a pointer, for C code to carry.
    pub(crate) fn into_token(self) -> NonNull<c_void> {
        self.into_raw().cast()
    }

    /// Undoes [`Self::into_token`].
    ///
    /// # Safety
    ///
    /// `token` came from `into_token` of the same type, and was not turned back since.
    pub(crate) unsafe fn from_token(token: NonNull<c_void>) -> Self {
        // INVARIANT: The token was the only `Owned`.
        Self { slot: token.cast() }
    }

    fn state(&self) -> &Atomic<usize> {
        // SAFETY: The slot is live; the state is only accessed atomically.
        unsafe { &(*self.slot.as_ptr()).state }
    }

    /// Splits off the claim on the object's return.
    ///
    /// An object that is lent already is given back unchanged, as an error.
    pub fn lend(self) -> Result<(Self, Waiter<T>), Self> {
        if self.state().read_once() != SINGLE {
            return Err(self);
        }
        // Without a waiter there is nobody else who could change it.
        self.state().write_once(LENT);
        let waiter = Waiter { slot: self.slot };
        // INVARIANT: One `Owned` and one `Waiter`, in state `LENT`.
        Ok((self, waiter))
    }

    /// Ends the loan and wakes the waiter. Any context.
    ///
    /// Without a waiter (never lent, or detached) the caller keeps the object.
    #[must_use]
    pub fn finish(self) -> Option<Self> {
        // Who detached has done before what is to be seen by whom the object is left to.
        if self.state().read_acquire() == SINGLE {
            return Some(self);
        }
        // The waiter may be gone as soon as it sees the state, but its task stays what it is for so long.
        let _rcu = ReadLock::new();
        let mut state = self.state().read_once();
        loop {
            if state == SINGLE {
                return Some(self);
            }
            match self.state().cmpxchg_full(state, RETURNED) {
                Ok(()) => break,
                Err(now) => state = now,
            }
        }
        // INVARIANT: From now on the slot is the waiter's.
        let _ = self.into_raw();
        if state != LENT {
            // SAFETY: The address of a task that was in `Waiter::sleep` just now, hence lived. Whoever sleeps
            // for other reasons by now looks for these again.
            unsafe { bindings::wake_up_process(ptr::with_exposed_provenance_mut(state)) };
        }
        None
    }
}

impl<T: Send> Deref for Owned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the invariants of `Slot`, only this `Owned` touches the value.
        unsafe { &(*self.slot.as_ptr()).value }
    }
}

impl<T: Send> DerefMut for Owned<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: As above.
        unsafe { &mut (*self.slot.as_ptr()).value }
    }
}

impl<T: Send> Drop for Owned<T> {
    fn drop(&mut self) {
        // `self` is not used again: this duplicate ends the loan, or frees the object.
        let this = ManuallyDrop::new(Self { slot: self.slot });
        if let Some(single) = ManuallyDrop::into_inner(this).finish() {
            let raw = single.into_raw().as_ptr();
            // SAFETY: The last reference to an object of this cache, by the invariants of `Slot`.
            unsafe {
                ptr::drop_in_place(&raw mut (*raw).value);
                bindings::kmem_cache_free((*raw).cache.as_ptr(), raw.cast());
            }
        }
    }
}

/// The claim on an object that is lent.
///
/// # Invariants
///
/// `slot` is live, not in state `SINGLE`, and this is its only waiter, see [`Slot`].
pub struct Waiter<T: Send> {
    slot: NonNull<Slot<T>>,
}

// SAFETY: The claim becomes an `Owned<T>`, which is `Send`; what is shared is atomic.
unsafe impl<T: Send> Send for Waiter<T> {}

/// Why a wait has ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// A signal is pending.
    Signal,
    /// The time is over.
    Late,
}

/// Jiffies as the scheduler has them, which waits a little longer rather than shorter.
#[inline]
fn limit(ticks: Option<u64>) -> Option<c_long> {
    ticks.map(|ticks| c_long::try_from(ticks).map_or(c_long::MAX, |ticks| ticks.saturating_add(1)))
}

/// Gives the processor up, for so many jiffies at most if there is a limit: how many are left. Process context.
#[inline]
fn schedule(limit: Option<c_long>) -> Option<c_long> {
    // SAFETY: The task is not in atomic context, which `schedule` would tell. All limits are valid.
    unsafe {
        match limit {
            Some(ticks) => Some(bindings::schedule_timeout(ticks)),
            None => {
                bindings::schedule();
                None
            }
        }
    }
}

impl<T: Send> Waiter<T> {
    fn state(&self) -> &Atomic<usize> {
        // SAFETY: The slot is live, by the type invariants; the state is only accessed atomically.
        unsafe { &(*self.slot.as_ptr()).state }
    }

    /// Takes over the object, which is back.
    fn take(self) -> Owned<T> {
        // Nobody else has the slot.
        self.state().write_once(SINGLE);
        let slot = ManuallyDrop::new(self).slot;
        // INVARIANT: In state `RETURNED` there was no `Owned`; there is one waiter less.
        Owned { slot }
    }

    /// Sleeps in the state `TASK_*` until the object is back.
    ///
    /// # Errors
    ///
    /// What came first, if it is not back.
    fn sleep(&self, state: c_uint, ticks: Option<u64>) -> Result<(), Woken> {
        #[cfg(CONFIG_DEBUG_ATOMIC_SLEEP)]
        kernel::task::might_sleep();
        // SAFETY: It only tells the address.
        let me = unsafe { bindings::near_current() }.expose_provenance();
        // INVARIANT: This task is here until the address is gone.
        if self.state().cmpxchg_full(LENT, me).is_err() {
            return Ok(());
        }
        let ended = self.sleep_until_returned(state, limit(ticks));
        // SAFETY: The task is to run.
        unsafe { bindings::set_current_state(bindings::TASK_RUNNING) };
        match ended {
            Err(_) if self.state().cmpxchg_full(me, LENT).is_err() => Ok(()),
            other => other,
        }
    }

    /// The loop of [`Self::sleep`], which leaves the task in `state`.
    fn sleep_until_returned(&self, state: c_uint, mut left: Option<c_long>) -> Result<(), Woken> {
        loop {
            // SAFETY: What is waited for is looked for after this.
            unsafe { bindings::set_current_state(state) };
            if self.state().read_acquire() == RETURNED {
                return Ok(());
            }
            // SAFETY: It only looks at the current task.
            if unsafe { bindings::current_signal_pending_state(state) } {
                return Err(Woken::Signal);
            }
            if left == Some(0) {
                return Err(Woken::Late);
            }
            left = schedule(left);
        }
    }

    /// Waits, and takes the object over; gives the claim back if something else came first.
    fn wait_in(self, state: c_uint, ticks: Option<u64>) -> Result<Owned<T>, (Self, Woken)> {
        match self.sleep(state, ticks) {
            Ok(()) => Ok(self.take()),
            Err(why) => Err((self, why)),
        }
    }

    /// Sleeps until the object is back, a fatal signal is pending, or `ticks` jiffies are over if there is a limit;
    /// gives the claim back then.
    pub fn wait_killable(self, ticks: Option<u64>) -> Result<Owned<T>, (Self, Woken)> {
        self.wait_in(bindings::TASK_KILLABLE, ticks)
    }

    /// As [`Self::wait_killable`], but any signal ends it.
    pub fn wait_interruptible(self, ticks: Option<u64>) -> Result<Owned<T>, (Self, Woken)> {
        self.wait_in(bindings::TASK_INTERRUPTIBLE, ticks)
    }

    /// Sleeps until the object is back, whatever happens.
    pub fn wait(self) -> Owned<T> {
        while self.sleep(bindings::TASK_UNINTERRUPTIBLE, None).is_err() {}
        self.take()
    }

    /// Gives up the claim. The object is returned if it came back in the meantime; else the owner
    /// keeps it and learns of it from [`Owned::finish`].
    pub fn detach(self) -> Option<Owned<T>> {
        match self.state().cmpxchg_full(LENT, SINGLE) {
            Ok(()) => {
                let _ = ManuallyDrop::new(self);
                None
            }
            Err(_) => Some(self.take()),
        }
    }

    /// Whether `owned` is the object this claim is for.
    fn is_for(&self, slot: *mut Slot<T>) -> bool {
        self.slot.as_ptr() == slot
    }
}

impl<T: Send> Drop for Waiter<T> {
    fn drop(&mut self) {
        // `self` is not used again: this duplicate gives up the claim.
        let this = ManuallyDrop::new(Self { slot: self.slot });
        drop(ManuallyDrop::into_inner(this).detach());
    }
}

/// A first-in first-out queue of owned objects, linked through them: it allocates nothing.
///
/// # Invariants
///
/// The slots from `head` to `tail`, linked by `next`, are live, and the chain has the `Owned` of
/// each. Both pointers are null when it is empty.
pub struct Chain<T: Send> {
    head: *mut Slot<T>,
    tail: *mut Slot<T>,
}

// SAFETY: A chain has `Owned`s of its own, which are `Send`.
unsafe impl<T: Send> Send for Chain<T> {}

impl<T: Send> Default for Chain<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send> Chain<T> {
    /// An empty chain.
    pub const fn new() -> Self {
        Self {
            head: ptr::null_mut(),
            tail: ptr::null_mut(),
        }
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Appends an object.
    pub fn push_back(&mut self, object: Owned<T>) {
        let slot = object.into_raw().as_ptr();
        // SAFETY: Slots of the chain are live, and their links its own, by the type invariants; the
        // new slot came from an `Owned`.
        unsafe {
            (*slot).next = ptr::null_mut();
            match self.tail.is_null() {
                true => self.head = slot,
                false => (*self.tail).next = slot,
            }
        }
        self.tail = slot;
    }

    /// Prepends an object.
    pub fn push_front(&mut self, object: Owned<T>) {
        let slot = object.into_raw().as_ptr();
        // SAFETY: The slot came from an `Owned`.
        unsafe { (*slot).next = self.head };
        if self.tail.is_null() {
            self.tail = slot;
        }
        self.head = slot;
    }

    /// Appends all of `other`, which is empty afterwards.
    pub fn append(&mut self, other: &mut Self) {
        if other.is_empty() {
            return;
        }
        match self.tail.is_null() {
            true => self.head = other.head,
            // SAFETY: The tail is live and its link the chain's own.
            false => unsafe { (*self.tail).next = other.head },
        }
        self.tail = other.tail;
        other.head = ptr::null_mut();
        other.tail = ptr::null_mut();
    }

    /// Takes the first object.
    pub fn pop_front(&mut self) -> Option<Owned<T>> {
        let slot = NonNull::new(self.head)?;
        // SAFETY: By the type invariants.
        self.head = unsafe { (*slot.as_ptr()).next };
        if self.head.is_null() {
            self.tail = ptr::null_mut();
        }
        // INVARIANT: The chain's `Owned` of this slot.
        Some(Owned { slot })
    }

    /// The objects, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        // SAFETY: The chain has the `Owned` of each slot, and is borrowed.
        self.slots().map(|slot| unsafe { &(*slot).value })
    }

    /// Whether the object that `waiter` waits for is in the chain. Linear time.
    pub fn has(&self, waiter: &Waiter<T>) -> bool {
        self.slots().any(|slot| waiter.is_for(slot))
    }

    /// The slots, which stay what they are while the chain is borrowed.
    fn slots(&self) -> impl Iterator<Item = *mut Slot<T>> + '_ {
        let mut next = self.head;
        iter::from_fn(move || {
            let slot = NonNull::new(next)?.as_ptr();
            // SAFETY: By the type invariants.
            next = unsafe { (*slot).next };
            Some(slot)
        })
    }

    /// Takes the object that `waiter` waits for out of the chain, if it is there. Linear time.
    pub fn remove(&mut self, waiter: &Waiter<T>) -> Option<Owned<T>> {
        self.remove_first(|object| waiter.is_for(object.slot.as_ptr()))
    }

    /// Takes all objects out of the chain that `wanted` is said of. Linear time.
    pub fn extract(&mut self, mut wanted: impl FnMut(&Owned<T>) -> bool) -> Self {
        let (mut found, mut kept) = (Self::new(), Self::new());
        while let Some(object) = self.pop_front() {
            match wanted(&object) {
                true => found.push_back(object),
                false => kept.push_back(object),
            }
        }
        self.append(&mut kept);
        found
    }

    /// Takes the first object out of the chain that `wanted` is said of. Linear time.
    pub fn remove_first(&mut self, mut wanted: impl FnMut(&Owned<T>) -> bool) -> Option<Owned<T>> {
        let mut kept = Self::new();
        let mut found = None;
        while let Some(object) = self.pop_front() {
            if wanted(&object) {
                found = Some(object);
                break;
            }
            kept.push_back(object);
        }
        // What was kept goes before the rest.
        kept.append(self);
        core::mem::swap(self, &mut kept);
        found
    }
}

impl<T: Send> Iterator for Chain<T> {
    type Item = Owned<T>;

    fn next(&mut self) -> Option<Owned<T>> {
        self.pop_front()
    }
}

impl<T: Send> Drop for Chain<T> {
    fn drop(&mut self) {
        for object in self.by_ref() {
            drop(object);
        }
    }
}
