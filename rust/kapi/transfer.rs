// SPDX-License-Identifier: GPL-2.0

//! The memory of a request, named to whoever carries it: a device, or a process that reads and writes it.

use crate::{
    bindings,
    folio::{FolioRef, LockedFolio},
    pinned_pages::PinnedPages,
    temp_pages::TempPages,
    writeback::HeldRange,
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// A request to a peer, which reads a part of it and writes the rest.
pub trait Transfer: Send + 'static {
    /// Names the buffers: first all that the peer reads, then all that it writes.
    ///
    /// For a device the memory must lie in the kernel's linear mapping (`kmalloc` or page allocator, not
    /// `vmalloc` or a stack); others are refused with `EFAULT`.
    ///
    /// # Errors
    ///
    /// Those of `buffers`, passed on.
    fn buffers<'a, B: Buffers<'a>>(&'a mut self, buffers: &mut B) -> Result;

    /// The peer is done, and says that it wrote `written` bytes. Not to be trusted. Hard
    /// interrupt context.
    fn written(&mut self, written: usize);

    /// The peer refused the request, or never got it.
    fn failed(&mut self, error: Error);
}

/// A part of a request that lies together in memory.
///
/// # Invariants
///
/// `len` bytes from `place` on are memory, borrowed for `'a`.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    place: Place,
    len: usize,
    /// Whether looking for what it follows may be worth it.
    joins: bool,
    _request: PhantomData<&'a ()>,
}

/// Where a part begins. Which one it is named by saves who can use that from finding out the other.
///
/// # Invariants
///
/// A page is one of the linear mapping, as those are that follow it, as far as the part goes.
#[derive(Clone, Copy)]
enum Place {
    /// At an address.
    Address(*mut u8),
    /// So many bytes behind the beginning of a page.
    Page(*mut bindings::page, usize),
}

impl Part<'_> {
    #[inline]
    fn new(page: *mut bindings::page, offset: usize, len: usize) -> Self {
        Self {
            place: Place::Page(page, offset),
            len,
            joins: true,
            _request: PhantomData,
        }
    }

    #[inline]
    fn of_bytes(start: *const u8, len: usize) -> Self {
        Self {
            place: Place::Address(start.cast_mut()),
            len,
            joins: true,
            _request: PhantomData,
        }
    }

    /// The first page, and where it begins in that; pages that follow are adjacent.
    ///
    /// # Errors
    ///
    /// `EFAULT` for memory that is not in the linear mapping.
    #[inline]
    pub(crate) fn page(&self) -> Result<(*mut bindings::page, usize)> {
        let start = match self.place {
            Place::Page(page, offset) => return Ok((page, offset)),
            Place::Address(start) => start,
        };
        // SAFETY: Looks at the address only.
        if !unsafe { bindings::virt_addr_valid(start.cast()) } {
            return Err(EFAULT);
        }
        // SAFETY: A valid address of the linear mapping.
        let page = unsafe { bindings::virt_to_page(start.cast()) };
        Ok((page, start.addr() & (bindings::PAGE_SIZE - 1)))
    }

    /// Its length in bytes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether it may follow the part before it in memory.
    #[inline]
    pub(crate) fn joins(&self) -> bool {
        self.joins
    }

    /// Its address.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        match self.place {
            Place::Address(start) => start,
            Place::Page(page, offset) => {
                // SAFETY: By the invariant of `Place`.
                let start = unsafe { bindings::page_to_virt(page) };
                start.cast::<u8>().wrapping_add(offset)
            }
        }
    }
}

/// Takes the buffers of one request.
///
/// `'a` is the request's: what is named here is borrowed from it, and it stays put and untouched
/// until the peer is done.
pub trait Buffers<'a> {
    /// The most bytes of one part, where a part is made up.
    fn max_part(&self) -> usize;

    /// A part that the peer reads.
    ///
    /// # Errors
    ///
    /// `EINVAL` if something that it writes was named already; others by what carries the request.
    fn read_by_peer(&mut self, part: Part<'a>) -> Result;

    /// A part that the peer writes.
    ///
    /// # Errors
    ///
    /// By what carries the request.
    fn written_by_peer(&mut self, part: Part<'a>) -> Result;

    /// Bytes that the peer reads.
    #[inline]
    fn readable(&mut self, bytes: &'a [u8]) -> Result {
        match bytes.len() {
            0 => Ok(()),
            len => self.read_by_peer(Part::of_bytes(bytes.as_ptr(), len)),
        }
    }

    /// A part of a page-cache folio that the peer reads; it must lie within the folio.
    #[inline]
    fn readable_folio(&mut self, folio: &'a FolioRef, offset: usize, len: usize) -> Result {
        if offset.checked_add(len).is_none_or(|end| end > folio.size()) {
            return Err(EINVAL);
        }
        // The pages of a folio are adjacent, and so are their descriptions.
        let page = folio.as_ptr().cast::<bindings::page>();
        let first = page.wrapping_add(offset / bindings::PAGE_SIZE);
        self.read_by_peer(Part::new(first, offset % bindings::PAGE_SIZE, len))
    }

    /// Pinned user pages that the peer reads.
    #[inline]
    fn readable_pages(&mut self, pages: &'a PinnedPages) -> Result {
        pages.each_part(self.max_part(), |page, offset, len| {
            self.read_by_peer(lone(page, offset, len))
        })
    }

    /// Copies of pages that the peer reads.
    #[inline]
    fn readable_temp_pages(&mut self, pages: &'a TempPages) -> Result {
        pages
            .parts()
            .try_for_each(|(page, len)| self.read_by_peer(Part::new(page, 0, len)))
    }

    /// A part of a folio under writeback that the peer reads.
    #[inline]
    fn readable_held(&mut self, range: &'a HeldRange) -> Result {
        let (page, offset) = range.page();
        match range.len() {
            0 => Ok(()),
            len => self.read_by_peer(Part::new(page, offset, len)),
        }
    }

    /// Bytes that the peer writes.
    #[inline]
    fn writable(&mut self, bytes: &'a mut [u8]) -> Result {
        match bytes.len() {
            0 => Ok(()),
            len => self.written_by_peer(Part::of_bytes(bytes.as_mut_ptr(), len)),
        }
    }

    /// A page-cache folio, the whole of it, that the peer writes.
    #[inline]
    fn writable_folio(&mut self, folio: &'a mut LockedFolio) -> Result {
        // A folio is its first page, and `size` contiguous bytes from there.
        self.written_by_peer(Part::new(folio.as_ptr().cast(), 0, folio.size()))
    }

    /// Pinned user pages that the peer writes.
    #[inline]
    fn writable_pages(&mut self, pages: &'a mut PinnedPages) -> Result {
        pages.each_part(self.max_part(), |page, offset, len| {
            self.written_by_peer(lone(page, offset, len))
        })
    }
}

/// A part that is known to follow no other: joining user pages to what is there already would gain little.
#[inline]
fn lone<'a>(page: *mut bindings::page, offset: usize, len: usize) -> Part<'a> {
    Part {
        joins: false,
        ..Part::new(page, offset, len)
    }
}
