// SPDX-License-Identifier: GPL-2.0

//! Pages for what `splice(2)` reads into a pipe: as many as it takes, where `copy_splice_read` allocates, and clears, all
//! that were asked for.
//!
//! C headers: [`include/linux/pipe_fs_i.h`](srctree/include/linux/pipe_fs_i.h),
//! [`include/linux/splice.h`](srctree/include/linux/splice.h)

use crate::bindings;
use core::mem;
use kernel::{
    error::to_result,
    iov::IovIterDest,
    page::{Page, PAGE_SIZE},
    prelude::*,
    types::Opaque,
};

/// Pages that are to be a pipe's.
///
/// # Invariants
///
/// `vectors` are the whole pages of `pages`, in order.
pub struct PipeRoom {
    pages: KVec<Page>,
    vectors: KVec<bindings::bio_vec>,
    iter: Opaque<bindings::iov_iter>,
}

impl PipeRoom {
    /// Room for nothing.
    pub(crate) fn new() -> Self {
        Self {
            pages: KVec::new(),
            vectors: KVec::new(),
            iter: Opaque::uninit(),
        }
    }

    /// How many bytes there is room for.
    pub fn len(&self) -> usize {
        self.pages.len() * PAGE_SIZE
    }

    /// Whether there is no room at all.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Makes room for `len` bytes in all. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn grow(&mut self, len: usize) -> Result {
        while self.len() < len {
            let page = Page::alloc_page(GFP_KERNEL)?;
            let vector = bindings::bio_vec {
                bv_page: page.as_ptr(),
                // CAST: The constant is small.
                bv_len: PAGE_SIZE as c_uint,
                bv_offset: 0,
            };
            self.pages.push(page, GFP_KERNEL)?;
            // INVARIANT: As was the page, or neither.
            if let Err(error) = self.vectors.push(vector, GFP_KERNEL) {
                drop(self.pages.pop());
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// The room from its beginning, `len` bytes of it at most.
    pub fn iter(&mut self, len: usize) -> &mut IovIterDest<'_> {
        let (iter, len) = (self.iter.get(), self.len().min(len));
        // SAFETY: The pages are ours, and stay where they are during the borrow, as the vectors do.
        unsafe {
            bindings::iov_iter_bvec(
                iter,
                bindings::ITER_DEST,
                self.vectors.as_ptr(),
                self.vectors.len() as c_ulong,
                len,
            );
            IovIterDest::from_raw(iter)
        }
    }

    /// Puts the first `len` bytes into a pipe.
    ///
    /// # Errors
    ///
    /// `EPIPE` if nobody reads it, `EAGAIN` if it is full: what did not fit is lost.
    ///
    /// # Safety
    ///
    /// `pipe` is valid and locked, and the bytes were written.
    pub(crate) unsafe fn give(self, pipe: *mut bindings::pipe_inode_info, len: usize) -> Result {
        let mut left = len;
        for page in self.pages {
            if left == 0 {
                break;
            }
            let mut buffer = bindings::pipe_buffer {
                page: page.as_ptr(),
                // CAST: Not more than a page.
                len: left.min(PAGE_SIZE) as c_uint,
                ops: &raw const bindings::nosteal_pipe_buf_ops,
                ..pin_init::zeroed()
            };
            left = left.saturating_sub(PAGE_SIZE);
            // The pipe drops it, whether it takes it or not.
            mem::forget(page);
            // SAFETY: By the safety requirements; the page is the buffer's.
            let added = unsafe { bindings::add_to_pipe(pipe, &mut buffer) };
            // CAST: An error number, or the length of a page.
            to_result(added.min(0) as c_int)?;
        }
        Ok(())
    }
}
