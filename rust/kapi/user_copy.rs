// SPDX-License-Identifier: GPL-2.0

//! Carrying requests by copies: a process reads the one part of them, and writes the other.
//!
//! Whoever copies has the request, and nobody else can end it. So page faults are not served meanwhile: that may
//! take for ever, as where the memory is a mapped file of the very process that is to read the request. A copy
//! that would fault fails, and is made again after [`fault_in_iov_iter_writeable`] or [`fault_in_iov_iter_readable`].
//!
//! C headers: [`include/linux/uio.h`](srctree/include/linux/uio.h),
//! [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use crate::{
    bindings,
    transfer::{Buffers, Part, Transfer},
};
use core::{mem::MaybeUninit, ptr, slice};
use kernel::{
    iov::{IovIterDest, IovIterSource},
    prelude::*,
    types::NotThreadSafe,
};

/// While it exists, a page fault of this thread's fails instead of being served (`pagefault_disable`).
struct NoFaults(NotThreadSafe);

impl NoFaults {
    #[inline]
    fn new() -> Self {
        // SAFETY: Undone on drop, by the same thread.
        unsafe { bindings::pagefault_disable() };
        Self(NotThreadSafe)
    }
}

impl Drop for NoFaults {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: Goes with the call in `new`.
        unsafe { bindings::pagefault_enable() };
    }
}

/// Copies what the peer reads.
struct ToPeer<'i, 'd> {
    iter: &'i mut IovIterDest<'d>,
    copied: usize,
}

impl<'a> Buffers<'a> for ToPeer<'_, '_> {
    fn max_part(&self) -> usize {
        usize::MAX
    }

    fn read_by_peer(&mut self, part: Part<'a>) -> Result {
        // SAFETY: By the invariants of `Part`; the iterator is valid.
        let copied = unsafe {
            bindings::_copy_to_iter(part.as_ptr().cast(), part.len(), self.iter.as_raw().cast())
        };
        self.copied += copied;
        match copied == part.len() {
            true => Ok(()),
            false => Err(EFAULT),
        }
    }

    fn written_by_peer(&mut self, _part: Part<'a>) -> Result {
        Ok(())
    }
}

/// Copies what the peer is to read to `iter`, which has room for it. Returns how many bytes that is. Does not sleep.
///
/// # Errors
///
/// `EFAULT` if a page fault would have to be served: `iter` is where it was then.
pub fn copy_to_peer<T: Transfer>(request: &mut T, iter: &mut IovIterDest<'_>) -> Result<usize> {
    let mut copy = ToPeer { iter, copied: 0 };
    let result = {
        let _no_faults = NoFaults::new();
        request.buffers(&mut copy)
    };
    let copied = copy.copied;
    match result {
        Ok(()) => Ok(copied),
        Err(error) => {
            // SAFETY: So much was advanced just now.
            unsafe { iter.revert(copied) };
            Err(error)
        }
    }
}

/// Copies what the peer has written.
struct FromPeer<'h, 'i, 's> {
    head: &'h [u8],
    iter: &'i mut IovIterSource<'s>,
    copied: usize,
}

impl FromPeer<'_, '_, '_> {
    /// Moves bytes of the head to the beginning of a part; how many.
    fn take_head(&mut self, part: &Part<'_>) -> usize {
        let len = part.len().min(self.head.len());
        let (now, later) = self.head.split_at(len);
        // SAFETY: By the invariants of `Part`, which is another's memory; both have `len` bytes.
        unsafe { ptr::copy_nonoverlapping(now.as_ptr(), part.as_ptr(), len) };
        self.head = later;
        len
    }
}

/// The beginning of what a peer writes.
///
/// # Invariants
///
/// `bytes` were read from `rest` just now.
pub struct Head<'h, 'i, 's> {
    bytes: &'h [u8],
    rest: &'i mut IovIterSource<'s>,
}

impl<'h, 'i, 's> Head<'h, 'i, 's> {
    /// Copies the beginning of `rest` to `room`. May sleep.
    pub fn read(rest: &'i mut IovIterSource<'s>, room: &'h mut [MaybeUninit<u8>]) -> Self {
        let len = rest.copy_from_iter_raw(room).len();
        // SAFETY: So many were copied.
        let bytes = unsafe { slice::from_raw_parts(room.as_ptr().cast(), len) };
        // INVARIANT: As was said.
        Self { bytes, rest }
    }

    /// The bytes: fewer than there was room for only if the peer has no more, or its memory is bad.
    pub fn bytes(&self) -> &'h [u8] {
        self.bytes
    }

    /// The bytes, and what follows them.
    pub fn into_parts(self) -> (&'h [u8], &'i mut IovIterSource<'s>) {
        (self.bytes, self.rest)
    }

    /// All that follows the first `len` bytes.
    pub fn after(self, len: usize) -> &'i mut IovIterSource<'s> {
        // SAFETY: By the type invariant, so much was read.
        unsafe { self.rest.revert(self.bytes.len().saturating_sub(len)) };
        self.rest
    }
}

impl<'a> Buffers<'a> for FromPeer<'_, '_, '_> {
    fn max_part(&self) -> usize {
        usize::MAX
    }

    fn read_by_peer(&mut self, _part: Part<'a>) -> Result {
        Ok(())
    }

    fn written_by_peer(&mut self, part: Part<'a>) -> Result {
        let from_head = self.take_head(&part);
        let wanted = (part.len() - from_head).min(self.iter.len());
        if wanted == 0 {
            return Ok(());
        }
        // SAFETY: As in `take_head`; the iterator is valid.
        let copied = unsafe {
            bindings::_copy_from_iter(
                part.as_ptr().add(from_head).cast(),
                wanted,
                self.iter.as_raw().cast(),
            )
        };
        self.copied += copied;
        match copied == wanted {
            true => Ok(()),
            false => Err(EFAULT),
        }
    }
}

/// Copies `head`, and after it what `iter` has, to where the peer writes, as far as there is room. Does not sleep.
///
/// # Errors
///
/// `EFAULT` if a page fault would have to be served: `iter` is where it was then.
pub fn copy_from_peer<T: Transfer>(
    request: &mut T,
    head: &[u8],
    iter: &mut IovIterSource<'_>,
) -> Result {
    let mut copy = FromPeer {
        head,
        iter,
        copied: 0,
    };
    let result = {
        let _no_faults = (!copy.iter.is_empty()).then(NoFaults::new);
        request.buffers(&mut copy)
    };
    let copied = copy.copied;
    result.inspect_err(|_| {
        // SAFETY: So much was advanced just now.
        unsafe { iter.revert(copied) };
    })
}

/// Has the next `len` bytes of `iter` in memory, as far as they can be. Returns how many are not. May sleep, for as
/// long as others please.
pub fn fault_in_iov_iter_writeable(iter: &IovIterDest<'_>, len: usize) -> usize {
    let raw = ptr::from_ref(iter).cast();
    // SAFETY: `IovIterDest` is transparent over a valid `struct iov_iter`, which is only looked at.
    unsafe { bindings::fault_in_iov_iter_writeable(raw, len) }
}

/// As [`fault_in_iov_iter_writeable`], for what is to be copied from.
pub fn fault_in_iov_iter_readable(iter: &IovIterSource<'_>, len: usize) -> usize {
    let raw = ptr::from_ref(iter).cast();
    // SAFETY: As there.
    unsafe { bindings::fault_in_iov_iter_readable(raw, len) }
}
