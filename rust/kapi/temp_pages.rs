// SPDX-License-Identifier: GPL-2.0

//! Copies of page-cache contents, in pages of their own.
//!
//! C headers: [`include/linux/mempool.h`](srctree/include/linux/mempool.h),
//! [`include/linux/gfp.h`](srctree/include/linux/gfp.h)

use crate::{bindings, writeback::WritebackRange};
use core::ptr::{self, NonNull};
use kernel::{prelude::*, sync::Arc};

/// The largest block that is allocated at once, as a power of two of pages.
const MAX_ORDER: u32 = 8;

/// Pages kept for when there are no others (`mempool_t`): whoever gives some back lets others go on.
///
/// # Invariants
///
/// The pointer is a live pool of single pages.
pub struct Reserve(NonNull<bindings::mempool>);

// SAFETY: Pools may be used on any CPU by any thread.
unsafe impl Send for Reserve {}
// SAFETY: As above.
unsafe impl Sync for Reserve {}

impl Reserve {
    /// Keeps `pages` pages. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(pages: i32) -> Result<Arc<Self>> {
        // SAFETY: The functions go together; their argument is the order, 0.
        let pool = unsafe {
            bindings::mempool_create_node_noprof(
                pages,
                Some(bindings::mempool_alloc_pages),
                Some(bindings::mempool_free_pages),
                ptr::null_mut(),
                bindings::GFP_KERNEL,
                bindings::NUMA_NO_NODE,
            )
        };
        // INVARIANT: Just made.
        Ok(Arc::new(
            Self(NonNull::new(pool).ok_or(ENOMEM)?),
            GFP_KERNEL,
        )?)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; all pages came back, as each has a reference to the reserve.
        unsafe { bindings::mempool_destroy(self.0.as_ptr()) };
    }
}

/// A block of adjacent pages.
struct Block {
    page: NonNull<bindings::page>,
    order: u32,
    /// Whether it is the reserve's.
    reserved: bool,
}

impl Block {
    fn size(&self) -> usize {
        bindings::PAGE_SIZE << self.order
    }

    /// A block of up to `want` bytes, if memory can be had without effort.
    fn try_new(want: usize) -> Option<Self> {
        let pages = want.div_ceil(bindings::PAGE_SIZE);
        let mut order = pages.checked_ilog2().unwrap_or(0).min(MAX_ORDER);
        let gfp = bindings::GFP_NOFS | bindings::__GFP_NORETRY | bindings::__GFP_NOWARN;
        loop {
            // SAFETY: Always sound.
            let page = unsafe { bindings::alloc_pages(gfp, order) };
            if let Some(page) = NonNull::new(page) {
                return Some(Self {
                    page,
                    order,
                    reserved: false,
                });
            }
            order = order.checked_sub(1)?;
        }
    }

    /// A page of the reserve, as soon as there is one. May sleep.
    fn reserved(reserve: &Reserve) -> Self {
        loop {
            // SAFETY: The pool is live. With these flags it does not fail, but waits.
            let page =
                unsafe { bindings::mempool_alloc_noprof(reserve.0.as_ptr(), bindings::GFP_NOFS) };
            if let Some(page) = NonNull::new(page.cast()) {
                return Self {
                    page,
                    order: 0,
                    reserved: true,
                };
            }
        }
    }

    /// Copies up to a block of `range` from its byte `from` on, and returns how much.
    fn copy(&self, range: &WritebackRange<'_>, from: usize, max: usize) -> usize {
        let len = self.size().min(max).min(range.len().saturating_sub(from));
        // SAFETY: The block is ours, and has room for `len` bytes, which the range has from there on.
        unsafe {
            let to = bindings::page_to_virt(self.page.as_ptr());
            bindings::memcpy_from_folio(to.cast(), range.folio(), range.offset() + from, len);
        }
        len
    }
}

/// Bytes in pages of their own.
///
/// # Invariants
///
/// All blocks but the last are full; `len` bytes are in use in all.
pub struct TempPages {
    reserve: Arc<Reserve>,
    first: Block,
    rest: KVec<Block>,
    len: usize,
    last_used: usize,
}

// SAFETY: The blocks are this value's alone.
unsafe impl Send for TempPages {}

impl TempPages {
    /// Copies what `range` has from its byte `from` on: at least a page, or all of it, and at most `max`
    /// bytes. It does not fail; when memory is short it waits for others to give theirs back. May sleep.
    pub fn copy_of(
        reserve: &Arc<Reserve>,
        range: &WritebackRange<'_>,
        from: usize,
        max: usize,
    ) -> Self {
        let want = range.len().saturating_sub(from).min(max);
        let first = Block::try_new(want).unwrap_or_else(|| Block::reserved(reserve));
        let len = first.copy(range, from, max);
        let mut pages = Self {
            reserve: reserve.clone(),
            first,
            rest: KVec::new(),
            len,
            last_used: len,
        };
        pages.extend(range, from + len, max - len);
        pages
    }

    /// Appends what `range` has from its byte `from` on, up to `max` bytes, as far as memory can be had
    /// without effort. Returns how many bytes that was. May sleep.
    pub fn extend(&mut self, range: &WritebackRange<'_>, from: usize, max: usize) -> usize {
        let mut done = 0;
        while done < max && from + done < range.len() && self.last_is_full() {
            let want = (range.len() - from - done).min(max - done);
            let Some(block) = Block::try_new(want) else {
                break;
            };
            let copied = block.copy(range, from + done, max - done);
            if self.rest.push(block, GFP_NOWAIT).is_err() {
                break;
            }
            self.last_used = copied;
            self.len += copied;
            done += copied;
        }
        done
    }

    fn last_is_full(&self) -> bool {
        self.last_used == self.rest.last().unwrap_or(&self.first).size()
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives up the bytes from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The blocks that are in use: page, length in bytes.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (*mut bindings::page, usize)> + '_ {
        let mut left = self.len;
        Iterator::chain(core::iter::once(&self.first), self.rest.iter()).map_while(move |block| {
            let len = left.min(block.size());
            left -= len;
            (len > 0).then_some((block.page.as_ptr(), len))
        })
    }
}

impl Drop for TempPages {
    fn drop(&mut self) {
        for block in Iterator::chain(core::iter::once(&self.first), self.rest.iter()) {
            // SAFETY: The blocks are this value's, and not used after this.
            unsafe {
                match block.reserved {
                    true => {
                        bindings::mempool_free(block.page.as_ptr().cast(), self.reserve.0.as_ptr())
                    }
                    false => bindings::__free_pages(block.page.as_ptr(), block.order),
                }
            }
        }
    }
}
