// SPDX-License-Identifier: GPL-2.0

//! The page cache of an inode, and operations on it.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h)

use crate::{
    bindings,
    file::{self, FileOperations, FileOps},
    folio::{FolioRef, LockedFolio},
    fs::FileSystem,
    inode::Inode,
    iomap,
    writeback::WritebackControl,
};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    error::{from_err_ptr, from_result, to_result, VTABLE_DEFAULT_ERROR},
    page::PAGE_SHIFT,
    prelude::*,
    sync::ArcBorrow,
    types::Opaque,
};

/// The page cache of an inode of the file system `T`.
///
/// # Invariants
///
/// It is the `i_data` of an inode that is not freed while this is borrowed.
#[repr(transparent)]
pub struct Mapping<T: FileSystem>(Opaque<bindings::address_space>, PhantomData<T>);

// SAFETY: All functions on mappings serialise themselves.
unsafe impl<T: FileSystem> Sync for Mapping<T> {}

impl<T: FileSystem> Mapping<T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `mapping` is the `i_data` of an inode of `T` that is not freed during `'a`.
    pub(crate) unsafe fn from_raw<'a>(mapping: *mut bindings::address_space) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct address_space`.
        unsafe { &*mapping.cast() }
    }

    /// Throws all clean pages away, mapped ones too. May sleep.
    ///
    /// Fails with `EBUSY` if a page could not be thrown away.
    pub fn invalidate_inode_pages2(&self) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::invalidate_inode_pages2(self.0.get()) })
    }

    /// As [`Self::invalidate_inode_pages2`], for the pages from index `start` to index `end`, which
    /// is included.
    pub fn invalidate_inode_pages2_range(&self, start: usize, end: usize) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::invalidate_inode_pages2_range(self.0.get(), start, end) })
    }

    /// Throws clean pages away, mapped ones too, from index `start` to index `end`, which is included.
    /// Unlike [`Self::invalidate_inode_pages2_range`] it waits for nobody: a page that is locked, as it
    /// is while it is read, stays. May sleep.
    pub fn invalidate_unlocked_range(&self, start: usize, end: usize) {
        if self.nrpages() == 0 {
            return;
        }
        let mut next = start;
        loop {
            let mut batch = FolioBatch::next(self, &mut next, end);
            let Some(folios) = batch.folios() else {
                return;
            };
            for folio in folios {
                // SAFETY: The batch has a reference to each.
                unsafe { self.remove_unlocked(*folio) };
            }
        }
    }

    /// Waits for those who read a part of the file into the cache now, from byte `start` to byte `end`, which
    /// is included. What the kernel's own functions wait for cannot be killed; others may begin to read after
    /// that. May sleep.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    pub fn wait_for_readers(&self, start: i64, end: i64) -> Result {
        if self.nrpages() == 0 {
            return Ok(());
        }
        let page = |byte: i64| byte.max(0) as usize >> PAGE_SHIFT;
        let (mut next, end) = (page(start), page(end));
        loop {
            let mut batch = FolioBatch::next(self, &mut next, end);
            let Some(folios) = batch.folios() else {
                return Ok(());
            };
            for folio in folios {
                // SAFETY: The batch has a reference to each; what was locked here is unlocked here.
                unsafe {
                    if bindings::folio_test_uptodate(*folio) {
                        continue;
                    }
                    to_result(bindings::folio_lock_killable(*folio))?;
                    bindings::folio_unlock(*folio);
                }
            }
        }
    }

    /// Throws a folio away, if nobody has it locked and it is clean.
    ///
    /// # Safety
    ///
    /// The caller has a reference to `folio`.
    unsafe fn remove_unlocked(&self, folio: *mut bindings::folio) {
        // SAFETY: By the safety requirements; so it is below.
        if !unsafe { bindings::folio_trylock(folio) } {
            return;
        }
        // SAFETY: As above; the folio is locked.
        unsafe {
            if !bindings::folio_test_dirty(folio) && !bindings::folio_test_writeback(folio) {
                // It leaves a folio alone that is in another mapping by now, or in none.
                bindings::generic_error_remove_folio(self.0.get(), folio);
            }
            bindings::folio_unlock(folio);
        }
    }

    /// Whether its operations are `A`.
    pub(crate) fn has_operations<A: AddressSpaceOperations<Fs = T>>(&self) -> bool {
        // SAFETY: By the type invariant; the operations are set once and for all.
        let operations = unsafe { (*self.0.get()).a_ops };
        core::ptr::eq(operations, AddressSpaceOps::<T>::of::<A>().as_ptr())
    }

    /// Whether any page differs from what the file system has. Does not sleep.
    pub fn has_dirty_pages(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mapping_is_dirty(self.0.get()) }
    }

    /// The folio at a position, locked, to be written to, whether it holds what the file has or not; a new
    /// one may be as large as `len` asks for. `None` where that would mean to wait for a read, or for
    /// memory. May sleep.
    pub fn write_begin(&self, pos: i64, len: usize) -> Option<LockedFolio> {
        // SAFETY: By the type invariant. A folio comes locked, and with a reference.
        let folio = unsafe { bindings::filemap_write_begin(self.0.get(), pos, len) };
        match from_err_ptr(folio).ok().and_then(NonNull::new) {
            // SAFETY: As above.
            Some(folio) => Some(unsafe { Self::locked(folio) }),
            None => self.uptodate_folio(pos),
        }
    }

    /// The folio at a position, locked, if there is one that holds what the file has: such a folio is never
    /// locked for long. May sleep.
    pub fn uptodate_folio(&self, pos: i64) -> Option<LockedFolio> {
        if self.nrpages() == 0 {
            return None;
        }
        // SAFETY: By the type invariant. A folio comes with a reference.
        let folio = unsafe { bindings::filemap_get_folio_at(self.0.get(), pos) };
        let folio = NonNull::new(from_err_ptr(folio).ok()?)?;
        // SAFETY: As above.
        let reference = unsafe { FolioRef::from_raw(folio) };
        // SAFETY: The folio is live.
        let is_ours = unsafe {
            bindings::folio_test_uptodate(folio.as_ptr())
                && bindings::folio_lock_killable(folio.as_ptr()) == 0
        };
        if !is_ours {
            return None;
        }
        // SAFETY: Locked just now. It is given back unlocked if it was taken out of the cache meanwhile.
        unsafe {
            if bindings::folio_mapping_locked(folio.as_ptr()) != self.0.get() {
                bindings::folio_unlock(folio.as_ptr());
                return None;
            }
            drop(reference);
            Some(LockedFolio::from_raw(folio))
        }
    }

    /// # Safety
    ///
    /// The folio is locked and in the page cache, and the caller gives up the lock and a reference.
    unsafe fn locked(folio: NonNull<bindings::folio>) -> LockedFolio {
        // SAFETY: By the safety requirements: the page cache has another reference as long as the folio is
        // locked.
        unsafe {
            bindings::folio_put(folio.as_ptr());
            LockedFolio::from_raw(folio)
        }
    }

    /// Writes dirty pages of a range back, `end` included, in bytes, and waits as far as the file system
    /// makes its pages wait. May sleep.
    ///
    /// # Errors
    ///
    /// Of a write that failed since such errors were last asked for.
    pub fn write_and_wait_range(&self, start: i64, end: i64) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::filemap_write_and_wait_range(self.0.get(), start, end) })
    }

    /// Begins to write dirty pages back. May sleep.
    pub fn fdatawrite(&self) {
        // SAFETY: By the type invariant. Errors stay with the mapping.
        unsafe { bindings::filemap_fdatawrite(self.0.get()) };
    }

    /// Remembers that a write failed, for those who have the file open (`mapping_set_error`).
    pub fn set_error(&self, error: Error) {
        // SAFETY: By the type invariant.
        unsafe { bindings::mapping_set_error(self.0.get(), error.to_errno()) };
    }

    /// Throws pages away, dirty and mapped ones too, from the byte `start` to the byte `end`, which is
    /// included; parts of pages are zeroed. Waits for locked ones. May sleep.
    pub fn truncate_range(&self, start: i64, end: i64) {
        // SAFETY: By the type invariant; the mapping is its inode's own.
        unsafe { bindings::truncate_pagecache_range((*self.0.get()).host, start, end) };
    }

    /// Copies bytes from the position `pos` on, if they are in the cache. May sleep.
    pub fn read_cached(&self, mut pos: i64, mut bytes: &mut [u8]) -> bool {
        while !bytes.is_empty() {
            let Some(folio) = self.uptodate_folio(pos) else {
                return false;
            };
            // CAST: Within a folio that has the position.
            let offset = (pos - folio.pos()) as usize;
            let len = bytes.len().min(folio.size() - offset);
            let (front, rest) = bytes.split_at_mut(len);
            if folio.copy_out(offset, front).is_err() {
                return false;
            }
            pos += len as i64;
            bytes = rest;
        }
        true
    }

    /// Copies bytes into the cache, from the position `pos` on, which the cache has bytes up to. The mapping
    /// has no operations, and nobody reads beyond what was copied. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also if the page that they begin in is gone.
    pub fn write_cached(&self, mut pos: i64, mut bytes: &[u8]) -> Result {
        while !bytes.is_empty() {
            let folio = self.write_begin(pos, 1).ok_or(ENOMEM)?;
            // CAST: As above.
            let offset = (pos - folio.pos()) as usize;
            if offset > 0 && !folio.is_uptodate() {
                return Err(ENOMEM);
            }
            let (front, rest) = bytes.split_at(bytes.len().min(folio.size() - offset));
            folio.copy_in(offset, front)?;
            folio.mark_uptodate();
            pos += front.len() as i64;
            bytes = rest;
        }
        Ok(())
    }

    /// Lets folios be of up to 2^`max_order` pages again, if no shared mapping can be written to: its first
    /// write has them be of one page, as what is dirtied through a mapping is a whole folio.
    pub fn allow_large_folios(&self, max_order: u32) {
        // SAFETY: By the type invariant.
        unsafe { bindings::mapping_allow_large_folios(self.0.get(), max_order) };
    }

    /// The number of pages in the cache.
    pub fn nrpages(&self) -> usize {
        // SAFETY: By the type invariant. Others may change the number meanwhile.
        unsafe { (&raw const (*self.0.get()).nrpages).read_volatile() }
    }
}

/// Some folios of a page cache.
///
/// # Invariants
///
/// The batch is valid, and has a reference to each of its folios.
struct FolioBatch(bindings::folio_batch);

impl FolioBatch {
    /// The next folios from index `next` to index `end`, which is included; `next` advances behind them.
    fn next<T: FileSystem>(mapping: &Mapping<T>, next: &mut usize, end: usize) -> Self {
        let mut batch = bindings::folio_batch::default();
        // SAFETY: The mapping is valid by its type invariant, and an empty batch is zero.
        unsafe { bindings::filemap_get_folios(mapping.0.get(), next, end, &mut batch) };
        // INVARIANT: `filemap_get_folios` takes the references.
        Self(batch)
    }

    /// The folios, if there are any.
    fn folios(&mut self) -> Option<&[*mut bindings::folio]> {
        let count = usize::from(self.0.nr);
        self.0
            .folios
            .get(..count)
            .filter(|folios| !folios.is_empty())
    }
}

impl Drop for FolioBatch {
    fn drop(&mut self) {
        if self.0.nr > 0 {
            // SAFETY: By the type invariant; the references go with it.
            unsafe { bindings::__folio_batch_release(&mut self.0) };
        }
    }
}

/// Folios that a file system may read ahead: an iterator, whose folios are in order and adjacent.
///
/// What it does not hand out is unlocked, and taken out of the cache again.
///
/// # Invariants
///
/// The pointer is valid, and used by this thread alone, during `'a`.
pub struct Readahead<'a>(
    NonNull<bindings::readahead_control>,
    PhantomData<&'a mut ()>,
);

impl Readahead<'_> {
    /// The position in the file of what remains, in bytes.
    pub fn pos(&self) -> i64 {
        // SAFETY: By the type invariant; so it is below.
        unsafe { bindings::readahead_pos(self.0.as_ptr()) }
    }

    /// The size of what remains, in bytes.
    pub fn len(&self) -> usize {
        // SAFETY: As in `pos`.
        unsafe { bindings::readahead_length(self.0.as_ptr()) }
    }

    /// Whether nothing remains.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether whoever asks waits for all of it anyway: a small random read, which is no part of the
    /// window that is read ahead, by a caller that may wait.
    pub fn is_standalone(&self) -> bool {
        // SAFETY: As in `pos`; the state, if there is one, is that of the file that is read.
        unsafe {
            let rac = self.0.as_ptr();
            let state = (*rac).ra;
            !state.is_null()
                && (*state).start != (*rac)._index
                // The page cache reads so for those who may not wait (`IOCB_NOWAIT`).
                && !bindings::current_is_noio()
        }
    }

    /// The number of pages that remain.
    pub fn page_count(&self) -> usize {
        // CAST: Lossless.
        // SAFETY: As in `pos`.
        unsafe { bindings::readahead_count(self.0.as_ptr()) as usize }
    }
}

impl Iterator for Readahead<'_> {
    type Item = LockedFolio;

    fn next(&mut self) -> Option<LockedFolio> {
        // SAFETY: As in `pos`. A folio is locked for us, and in the page cache.
        unsafe {
            let folio = bindings::readahead_folio(self.0.as_ptr());
            NonNull::new(folio).map(|folio| LockedFolio::from_raw(folio))
        }
    }
}

/// What a file, if there is one, of the operations `A` owns.
pub type FileData<'a, A> =
    Option<ArcBorrow<'a, <<A as AddressSpaceOperations>::FileOps as FileOperations>::Data>>;

/// Operations on the page cache, `struct address_space_operations`.
#[vtable]
pub trait AddressSpaceOperations: Sized + 'static {
    /// The file system.
    type Fs: FileSystem;

    /// The operations on the files of the same inode.
    type FileOps: FileOperations<Fs = Self::Fs>;

    /// Reads a folio. May sleep; whoever wants the folio waits for its lock.
    ///
    /// `file` is missing if the kernel reads on its own account. The folio is to be given to
    /// [`LockedFolio::end_read`], now or later.
    fn read_folio(inode: &Inode<Self::Fs>, file: FileData<'_, Self>, folio: LockedFolio) -> Result;

    /// Reads up to `len` bytes from the byte `pos` on, for a folio that is up to date in parts. Fewer bytes
    /// mean that zeros follow. The folio is locked. May sleep.
    fn read_range(
        inode: &Inode<Self::Fs>,
        file: FileData<'_, Self>,
        pos: u64,
        len: usize,
    ) -> Result<KVec<u8>>;

    /// Which block of the file system's device has the block `block` of the file, both in blocks of the superblock
    /// (`FIBMAP`); 0 if none has. May sleep.
    fn bmap(inode: &Inode<Self::Fs>, block: u64) -> u64;

    /// Writes dirty folios back. May sleep.
    fn writepages(inode: &Inode<Self::Fs>, wbc: WritebackControl<'_>) -> Result {
        let _ = (inode, wbc);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Begins to read folios that may be needed soon. Nobody waits for them yet.
    fn readahead(inode: &Inode<Self::Fs>, file: FileData<'_, Self>, rac: Readahead<'_>) {
        let _ = (inode, file, rac);
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// The operations on a page cache as a value: a C table, made from [`AddressSpaceOperations`], and
/// the operations on files that go with it.
pub struct AddressSpaceOps<T: FileSystem> {
    aops: &'static bindings::address_space_operations,
    fops: FileOps<T>,
}

impl<T: FileSystem> Clone for AddressSpaceOps<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: FileSystem> Copy for AddressSpaceOps<T> {}

impl<T: FileSystem> AddressSpaceOps<T> {
    /// The operations `A`.
    pub const fn of<A: AddressSpaceOperations<Fs = T>>() -> Self {
        Self {
            aops: &Table::<A>::OPERATIONS,
            fops: FileOps::mapped::<A::FileOps>(),
        }
    }

    pub(crate) fn as_ptr(self) -> *const bindings::address_space_operations {
        self.aops
    }

    pub(crate) fn file_ops(self) -> FileOps<T> {
        self.fops
    }
}

/// The C table of the operations `A`.
struct Table<A>(PhantomData<A>);

impl<A: AddressSpaceOperations> Table<A> {
    const OPERATIONS: bindings::address_space_operations = bindings::address_space_operations {
        read_folio: Some(read_folio::<A>),
        readahead: if A::HAS_READAHEAD {
            Some(readahead::<A>)
        } else {
            None
        },
        writepages: if A::HAS_WRITEPAGES {
            Some(writepages::<A>)
        } else {
            None
        },
        dirty_folio: Some(dirty_folio),
        invalidate_folio: Some(bindings::iomap_invalidate_folio),
        release_folio: Some(release_folio),
        is_partially_uptodate: Some(is_partially_uptodate),
        migrate_folio: Some(bindings::filemap_migrate_folio),
        bmap: Some(bmap::<A>),
        ..pin_init::zeroed()
    };
}

/// The data of a file that may be missing.
///
/// # Safety
///
/// `file` is null, or was opened by the operations `A::FileOps` and is not released during `'a`.
pub(crate) unsafe fn file_data<'a, A: AddressSpaceOperations>(
    file: *mut bindings::file,
) -> FileData<'a, A> {
    // SAFETY: By the safety requirements.
    (!file.is_null()).then(|| unsafe { file::data_of::<A::FileOps>(file) })
}

/// Reads a folio.
///
/// # Safety
///
/// Called by the page cache with a locked folio of an inode that has the operations `A`, hence
/// also those of its files, and with one of its files or null.
unsafe extern "C" fn read_folio<A: AddressSpaceOperations>(
    file: *mut bindings::file,
    folio: *mut bindings::folio,
) -> c_int {
    // SAFETY: By the safety requirements.
    if unsafe { bindings::folio_test_private(folio) } {
        // Parts of it may be newer than what the file system has.
        // SAFETY: As above.
        unsafe { iomap::read_folio::<A>(file, folio) };
        return 0;
    }
    from_result(|| {
        // SAFETY: By the safety requirements. Whoever reads holds a reference to the inode, and
        // leaves the lock to this hook.
        let (inode, file, folio) = unsafe {
            let mapping = bindings::folio_mapping_locked(folio);
            (
                Inode::from_raw((*mapping).host),
                file_data::<A>(file),
                LockedFolio::from_raw(NonNull::new_unchecked(folio)),
            )
        };
        A::read_folio(inode, file, folio)?;
        Ok(0)
    })
}

/// Reads ahead.
///
/// # Safety
///
/// Called by the page cache with a request of this thread, for an inode that has the operations
/// `A`, and with one of its files or none.
unsafe extern "C" fn readahead<A: AddressSpaceOperations>(rac: *mut bindings::readahead_control) {
    // INVARIANT: By the safety requirements.
    // SAFETY: As above. Whoever reads holds a reference to the inode.
    let (inode, file, rac) = unsafe {
        (
            Inode::from_raw((*(*rac).mapping).host),
            file_data::<A>((*rac).file),
            Readahead(NonNull::new_unchecked(rac), PhantomData),
        )
    };
    A::readahead(inode, file, rac);
}

/// Finds a block.
///
/// # Safety
///
/// Called by the VFS with the mapping of an inode that has the operations `A`, which the caller keeps.
unsafe extern "C" fn bmap<A: AddressSpaceOperations>(
    mapping: *mut bindings::address_space,
    block: bindings::sector_t,
) -> bindings::sector_t {
    // SAFETY: By the safety requirements.
    A::bmap(unsafe { Inode::from_raw((*mapping).host) }, block)
}

/// Marks a folio dirty.
///
/// # Safety
///
/// Called by the page cache with a locked or otherwise stable folio of the mapping.
unsafe extern "C" fn dirty_folio(
    mapping: *mut bindings::address_space,
    folio: *mut bindings::folio,
) -> bool {
    // SAFETY: By the safety requirements.
    unsafe { bindings::iomap_dirty_folio(mapping, folio) }
}

/// Takes iomap's state off a folio.
///
/// # Safety
///
/// Called by the page cache with a locked folio.
unsafe extern "C" fn release_folio(folio: *mut bindings::folio, gfp: bindings::gfp_t) -> bool {
    // SAFETY: By the safety requirements.
    unsafe { bindings::iomap_release_folio(folio, gfp) }
}

/// Whether a part of a folio may be read.
///
/// # Safety
///
/// Called by the page cache with a referenced folio.
unsafe extern "C" fn is_partially_uptodate(
    folio: *mut bindings::folio,
    from: usize,
    count: usize,
) -> bool {
    // SAFETY: By the safety requirements.
    unsafe { bindings::iomap_is_partially_uptodate(folio, from, count) }
}

/// Writes back.
///
/// # Safety
///
/// Called by the VFS with the mapping of an inode that has the operations `A`.
unsafe extern "C" fn writepages<A: AddressSpaceOperations>(
    mapping: *mut bindings::address_space,
    wbc: *mut bindings::writeback_control,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements. Whoever writes back keeps the inode.
        let (inode, wbc) = unsafe {
            (
                Inode::from_raw((*mapping).host),
                WritebackControl::from_raw(wbc),
            )
        };
        A::writepages(inode, wbc)?;
        Ok(0)
    })
}
