// SPDX-License-Identifier: GPL-2.0

//! Carrying requests by copies: a process reads the one part of them, and writes the other.
//!
//! Whoever copies has the request, and nobody else can end it. So page faults are not served meanwhile: that may
//! take for ever, as where the memory is a mapped file of the very process that is to read the request. A copy
//! that would fault fails, and is made again after [`fault_in_dest`] or [`fault_in_source`].
//!
//! C headers: [`include/linux/uio.h`](srctree/include/linux/uio.h),
//! [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use crate::{
    bindings,
    transfer::{Buffers, Part, Transfer},
};
use core::ptr;
use kernel::{
    iov::{IovIterDest, IovIterSource},
    prelude::*,
    types::NotThreadSafe,
};

/// While it exists, a page fault of this thread's fails instead of being served (`pagefault_disable`).
struct NoFaults(NotThreadSafe);

impl NoFaults {
    fn new() -> Self {
        // SAFETY: Undone on drop, by the same thread.
        unsafe { bindings::pagefault_disable() };
        Self(NotThreadSafe)
    }
}

impl Drop for NoFaults {
    fn drop(&mut self) {
        // SAFETY: Goes with the call in `new`.
        unsafe { bindings::pagefault_enable() };
    }
}

/// Counts what the peer is to read.
struct Measure(usize);

impl<'a> Buffers<'a> for Measure {
    fn max_part(&self) -> usize {
        usize::MAX
    }

    fn read_by_peer(&mut self, part: Part<'a>) -> Result {
        self.0 += part.len();
        Ok(())
    }

    fn written_by_peer(&mut self, _part: Part<'a>) -> Result {
        Ok(())
    }
}

/// How many bytes of a request the peer is to read.
///
/// # Errors
///
/// Those of [`Transfer::buffers`].
pub fn readable_len<T: Transfer>(request: &mut T) -> Result<usize> {
    let mut measure = Measure(0);
    request.buffers(&mut measure)?;
    Ok(measure.0)
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
        let _no_faults = NoFaults::new();
        request.buffers(&mut copy)
    };
    let copied = copy.copied;
    result.inspect_err(|_| {
        // SAFETY: So much was advanced just now.
        unsafe { iter.revert(copied) };
    })
}

/// Has the next `len` bytes of `iter` in memory. May sleep, for as long as others please.
///
/// # Errors
///
/// `EFAULT` if they cannot.
pub fn fault_in_dest(iter: &mut IovIterDest<'_>, len: usize) -> Result {
    // SAFETY: A valid iterator.
    let left = unsafe { bindings::fault_in_iov_iter_writeable(iter.as_raw().cast(), len) };
    all_of(left)
}

/// As [`fault_in_dest`], for what is to be copied from.
///
/// # Errors
///
/// As there.
pub fn fault_in_source(iter: &mut IovIterSource<'_>, len: usize) -> Result {
    // SAFETY: A valid iterator.
    let left = unsafe { bindings::fault_in_iov_iter_readable(iter.as_raw().cast(), len) };
    all_of(left)
}

fn all_of(left: usize) -> Result {
    match left {
        0 => Ok(()),
        _ => Err(EFAULT),
    }
}
