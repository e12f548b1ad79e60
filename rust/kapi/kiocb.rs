// SPDX-License-Identifier: GPL-2.0

//! I/O requests on files.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h), `struct kiocb`

use crate::{
    bindings,
    queued_kiocb::{Gate, QueuedKiocb},
    workqueue::Workqueue,
};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    error::to_result,
    iov::{IovIterDest, IovIterSource},
    prelude::*,
    sync::Arc,
};

/// An I/O request on a file.
///
/// # Invariants
///
/// The pointer is valid, and used by this thread alone, during `'a`. With a gate, its end is told no sooner than
/// this is dropped.
pub struct Kiocb<'a>(
    NonNull<bindings::kiocb>,
    Option<Arc<Gate>>,
    PhantomData<&'a mut ()>,
);

impl Kiocb<'_> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `iocb` is valid, and used by this thread alone, during the lifetime of the result.
    #[inline]
    pub(crate) unsafe fn from_raw(iocb: *mut bindings::kiocb) -> Self {
        // INVARIANT: By the safety requirements.
        // SAFETY: A valid pointer is not null.
        Self(unsafe { NonNull::new_unchecked(iocb) }, None, PhantomData)
    }

    pub(crate) fn as_ptr(&mut self) -> *mut bindings::kiocb {
        self.0.as_ptr()
    }

    /// The position in the file, in bytes.
    #[inline]
    pub fn pos(&self) -> i64 {
        // SAFETY: By the type invariant; so it is below.
        unsafe { (*self.0.as_ptr()).ki_pos }
    }

    /// Sets the position in the file, in bytes.
    #[inline]
    pub fn set_pos(&mut self, pos: i64) {
        // SAFETY: As in `pos`.
        unsafe { (*self.0.as_ptr()).ki_pos = pos };
    }

    /// Whether the caller waits for the end of the request in any case (`is_sync_kiocb`).
    #[inline]
    pub fn is_sync(&self) -> bool {
        // SAFETY: As in `pos`.
        unsafe { (*self.0.as_ptr()).ki_complete.is_none() }
    }

    /// Lets the request end later: the caller gets `EIOCBQUEUED`, whatever the hook returns, and the end is told by
    /// the result. A process that dies does not wait for that; then `queue` is used. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a request whose caller waits, or that was queued already; `ENOMEM`.
    pub fn queue(&mut self, queue: &Arc<Workqueue>) -> Result<QueuedKiocb> {
        if self.is_sync() || self.1.is_some() {
            return Err(EINVAL);
        }
        // SAFETY: The request is valid, and stays so until its end is told: so its caller has agreed.
        let gate = unsafe { Gate::new(self.0, queue.clone()) }?;
        self.1 = Some(gate.clone());
        Ok(QueuedKiocb::new(gate))
    }

    /// What the hook returns to C: `EIOCBQUEUED` if the end is told later, or was.
    #[inline]
    pub(crate) fn result(self, result: Result<usize>) -> isize {
        match (&self.1, result) {
            (Some(_), _) => EIOCBQUEUED.to_errno() as isize,
            // CAST: A transfer is never larger than `MAX_RW_COUNT`.
            (None, Ok(moved)) => moved as isize,
            (None, Err(error)) => error.to_errno() as isize,
        }
    }

    /// Whether the request must not wait; `EAGAIN` is the answer then (`IOCB_NOWAIT`).
    #[inline]
    pub fn nowait(&self) -> bool {
        self.has(bindings::KIOCB_NOWAIT)
    }

    /// Whether the request goes past the page cache (`IOCB_DIRECT`).
    #[inline]
    pub fn direct(&self) -> bool {
        // CAST: A single bit.
        self.has(bindings::IOCB_DIRECT as c_int)
    }

    /// Whether the request goes to the end of the file (`IOCB_APPEND`).
    pub fn append(&self) -> bool {
        self.has(bindings::KIOCB_APPEND)
    }

    /// Whether what is written must be durable at the end (`O_DSYNC`, `O_SYNC`).
    pub fn is_dsync(&self) -> bool {
        // SAFETY: As in `pos`.
        unsafe { bindings::iocb_is_dsync(self.0.as_ptr()) }
    }

    /// The flags of `open(2)` that hold for this request: those of the file, `O_SYNC` and `O_DSYNC` also
    /// where the request alone asks for them.
    pub fn open_flags(&self) -> u32 {
        // SAFETY: As in `pos`; an open file is live.
        let (flags, dsync) = unsafe {
            let iocb = self.0.as_ptr();
            ((*(*iocb).ki_filp).f_flags, bindings::iocb_is_dsync(iocb))
        };
        let sync = self.has(bindings::KIOCB_SYNC);
        flags | if dsync { bindings::O_DSYNC } else { 0 } | if sync { bindings::O_SYNC } else { 0 }
    }

    /// Checks a write, and finds its position: `iter` is cut to what may be written. The inode is locked.
    /// Returns the number of bytes.
    ///
    /// # Errors
    ///
    /// `EFBIG`, after a signal where that is due; `ETXTBSY`, `EINVAL`.
    pub fn generic_write_checks(&mut self, iter: &mut IovIterSource<'_>) -> Result<usize> {
        // SAFETY: Both are valid.
        size_of_result(unsafe { bindings::generic_write_checks(self.0.as_ptr(), iter.as_raw()) })
    }

    /// The file is about to be written to: privileges go, and times are set where the file system leaves
    /// that to the VFS (`kiocb_modified`). The inode is locked. May sleep.
    ///
    /// # Errors
    ///
    /// `EAGAIN` where that must not wait; the file system's.
    pub fn modified(&mut self) -> Result {
        // SAFETY: As in `pos`.
        to_result(unsafe { bindings::kiocb_modified(self.0.as_ptr()) })
    }

    /// Makes `count` bytes that were written durable, if the request or the file asks for it. The inode is
    /// not locked. Returns `count`.
    ///
    /// # Errors
    ///
    /// Those of `fsync`.
    pub fn generic_write_sync(&mut self, count: usize) -> Result<usize> {
        // CAST: A write is never larger than `MAX_RW_COUNT`.
        // SAFETY: As in `pos`.
        size_of_result(unsafe { bindings::generic_write_sync(self.0.as_ptr(), count as isize) })
    }

    #[inline]
    fn has(&self, flag: c_int) -> bool {
        // SAFETY: As in `pos`.
        unsafe { (*self.0.as_ptr()).ki_flags & flag != 0 }
    }

    /// Reads by the page cache.
    ///
    /// Fails with `EINVAL` if the inode has no page cache to read, and for direct I/O.
    #[inline]
    pub fn generic_file_read_iter(&mut self, iter: &mut IovIterDest<'_>) -> Result<usize> {
        let iocb = self.0.as_ptr();
        // SAFETY: As in `pos`; an open file has a mapping, which always has operations.
        let read_folio = unsafe { (*(*(*(*iocb).ki_filp).f_mapping).a_ops).read_folio };
        if read_folio.is_none() || self.direct() {
            return Err(EINVAL);
        }
        // SAFETY: Both are valid, and the mapping can do what the request asks for.
        let read = unsafe { bindings::generic_file_read_iter(iocb, iter.as_raw()) };
        size_of_result(read)
    }
}

impl Drop for Kiocb<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(gate) = self.1.take() {
            gate.leave_hook();
        }
    }
}

/// A number of bytes, or an error.
#[inline]
pub(crate) fn size_of_result(result: isize) -> Result<usize> {
    // CAST: Error numbers are small.
    usize::try_from(result).map_err(|_| match to_result(result as c_int) {
        Err(error) => error,
        Ok(()) => EINVAL,
    })
}
