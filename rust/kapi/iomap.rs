// SPDX-License-Identifier: GPL-2.0

//! Buffered writes that stay in the page cache, and folios that are up to date in parts, by iomap.
//!
//! C header: [`include/linux/iomap.h`](srctree/include/linux/iomap.h)

use crate::{
    address_space::{file_data, AddressSpaceOperations},
    bindings,
    folio::LockedFolio,
    inode::Inode,
    kiocb::{size_of_result, Kiocb},
};
use core::{marker::PhantomData, mem::ManuallyDrop, ptr, ptr::NonNull};
use kernel::{error::from_result, iov::IovIterSource, prelude::*};

/// The most bytes that are read at once for a part of a folio.
const PART: usize = 16 * bindings::PAGE_SIZE;

impl Kiocb<'_> {
    /// Writes to the page cache, whose folios are dirty then; parts of pages are read before. The inode is
    /// locked, and its operations on the page cache are `A`. Moves the position, and the end of the file
    /// where it is beyond. Returns the bytes written. May sleep.
    ///
    /// # Errors
    ///
    /// `EFAULT`, `ENOMEM`, those of reading.
    pub fn iomap_file_buffered_write<A: AddressSpaceOperations>(
        &mut self,
        inode: &Inode<A::Fs>,
        iter: &mut IovIterSource<'_>,
    ) -> Result<usize> {
        if !inode.mapping().has_operations::<A>() {
            return Err(EINVAL);
        }
        // SAFETY: The request, its file and the iterator are valid; the mapping's operations are those whose
        // hooks are given.
        size_of_result(unsafe {
            let iocb = self.as_ptr();
            bindings::iomap_file_buffered_write(
                iocb,
                iter.as_raw(),
                &OPS,
                &Table::<A>::WRITE,
                (*iocb).ki_filp.cast(),
            )
        })
    }
}

/// Where data lies: the server knows.
const OPS: bindings::iomap_ops = bindings::iomap_ops {
    iomap_begin: Some(iomap_begin),
    ..pin_init::zeroed()
};

/// Describes a range.
///
/// # Safety
///
/// Called by iomap with a map to fill.
unsafe extern "C" fn iomap_begin(
    _inode: *mut bindings::inode,
    pos: bindings::loff_t,
    length: bindings::loff_t,
    _flags: c_uint,
    iomap: *mut bindings::iomap,
    _srcmap: *mut bindings::iomap,
) -> c_int {
    // CAST: A small constant; a length is not negative.
    // SAFETY: By the safety requirements.
    unsafe {
        (*iomap).type_ = bindings::IOMAP_MAPPED as u16;
        (*iomap).offset = pos;
        (*iomap).length = length as u64;
    }
    0
}

/// The C tables of the operations `A`.
struct Table<A>(PhantomData<A>);

impl<A: AddressSpaceOperations> Table<A> {
    const WRITE: bindings::iomap_write_ops = bindings::iomap_write_ops {
        read_folio_range: Some(read_for_write::<A>),
        ..pin_init::zeroed()
    };

    const READ: bindings::iomap_read_ops = bindings::iomap_read_ops {
        read_folio_range: Some(read_part::<A>),
        ..pin_init::zeroed()
    };
}

/// Reads what a folio lacks, and unlocks it.
///
/// # Safety
///
/// `folio` is locked, of a mapping with the operations `A`, and the caller gives the lock up. `file` is null
/// or one of the inode's.
pub(crate) unsafe fn read_folio<A: AddressSpaceOperations>(
    file: *mut bindings::file,
    folio: *mut bindings::folio,
) {
    let mut context = bindings::iomap_read_folio_ctx {
        ops: &Table::<A>::READ,
        cur_folio: folio,
        read_ctx: file.cast(),
        ..pin_init::zeroed()
    };
    // SAFETY: By the safety requirements.
    unsafe { bindings::iomap_read_folio(&OPS, &mut context, ptr::null_mut()) };
}

/// Reads a part of a folio that is about to be written to.
///
/// # Safety
///
/// Called by iomap with a locked folio, in [`Kiocb::iomap_file_buffered_write`].
unsafe extern "C" fn read_for_write<A: AddressSpaceOperations>(
    iter: *const bindings::iomap_iter,
    folio: *mut bindings::folio,
    pos: bindings::loff_t,
    len: usize,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements; `private` is the file.
        unsafe { read_range::<A>((*iter).private.cast(), folio, pos, len) }?;
        Ok(0)
    })
}

/// Reads a part of a folio that is read.
///
/// # Safety
///
/// Called by iomap with a context of [`read_folio`].
unsafe extern "C" fn read_part<A: AddressSpaceOperations>(
    iter: *const bindings::iomap_iter,
    context: *mut bindings::iomap_read_folio_ctx,
    len: usize,
) -> c_int {
    // SAFETY: By the safety requirements.
    let (file, folio, pos) = unsafe { ((*context).read_ctx, (*context).cur_folio, (*iter).pos) };
    // SAFETY: As above. Every range is to be ended, with its error.
    unsafe {
        let result = read_range::<A>(file.cast(), folio, pos, len);
        let error = result.map_or_else(Error::to_errno, |()| 0);
        let offset = (pos - bindings::folio_pos(folio)) as usize;
        bindings::iomap_finish_folio_read(folio, offset, len, error);
    }
    0
}

/// Reads a range of a folio by the hook; what it leaves out is zero.
///
/// # Safety
///
/// `folio` is locked, of a mapping with the operations `A`, and has the range. `file` is null or one of the
/// inode's.
unsafe fn read_range<A: AddressSpaceOperations>(
    file: *mut bindings::file,
    folio: *mut bindings::folio,
    pos: bindings::loff_t,
    len: usize,
) -> Result {
    // SAFETY: By the safety requirements. The lock stays with the caller.
    let (inode, folio) = unsafe {
        let mapping = bindings::folio_mapping_locked(folio);
        (
            Inode::<A::Fs>::from_raw((*mapping).host),
            ManuallyDrop::new(LockedFolio::from_raw(NonNull::new_unchecked(folio))),
        )
    };
    let start = usize::try_from(pos - folio.pos())?;
    let mut done = 0;
    while done < len {
        let part = (len - done).min(PART);
        // SAFETY: By the safety requirements.
        let data = unsafe { file_data::<A>(file) };
        let bytes = A::read_range(inode, data, pos as u64 + done as u64, part)?;
        let filled = bytes.len().min(part);
        folio.copy_in(start + done, bytes.get(..filled).unwrap_or(&[]))?;
        folio.zero_segment(start + done + filled, start + done + part);
        done += part;
    }
    Ok(())
}
