// SPDX-License-Identifier: GPL-2.0

//! Files whose data is in a file of another file system: reads, writes, splices and mappings go there.
//!
//! C header: [`include/linux/backing-file.h`](srctree/include/linux/backing-file.h)

use crate::{
    bindings,
    file::{self, data_of, File, FileOperations, OpeningFile},
};
use core::{mem::MaybeUninit, ptr::NonNull};
use kernel::{cred::Credential, error::from_err_ptr, prelude::*, sync::aref::ARef};

/// An open file, and by whose rights it is used.
///
/// # Invariants
///
/// The pointer is an open file, to which this has a reference.
struct RightfulFile {
    file: NonNull<bindings::file>,
    cred: ARef<Credential>,
}

// SAFETY: References to files are counted. What is read of them is set once, and all else is done by functions that
// any thread may call.
unsafe impl Send for RightfulFile {}
// SAFETY: As above.
unsafe impl Sync for RightfulFile {}

impl RightfulFile {
    fn as_ptr(&self) -> *mut bindings::file {
        self.file.as_ptr()
    }

    fn cred(&self) -> *const bindings::cred {
        (&raw const *self.cred).cast()
    }
}

impl Drop for RightfulFile {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::fput(self.file.as_ptr()) };
    }
}

/// A regular file that others may be backed by, and who has said so.
pub struct BackingSource(RightfulFile);

impl BackingSource {
    /// The file that the current process has by the descriptor `fd`, be it one without data (`O_PATH`), with the
    /// rights of that process. May sleep.
    ///
    /// # Errors
    ///
    /// `EBADF`; `EISDIR`, `EINVAL` for what is no regular file.
    pub fn from_fd(fd: u32) -> Result<Self> {
        // INVARIANT: As it came.
        // SAFETY: Always sound; the references become those of the result, or are given back with it.
        let source = Self(unsafe {
            let file = NonNull::new(bindings::fget_raw(fd)).ok_or(EBADF)?;
            let cred = bindings::get_current_cred().cast_mut();
            let cred = ARef::from_raw(NonNull::new_unchecked(cred.cast()));
            RightfulFile { file, cred }
        });
        // SAFETY: An inode's type does not change.
        match unsafe { u32::from((*source.inode()).i_mode) } & bindings::S_IFMT {
            bindings::S_IFREG => Ok(source),
            bindings::S_IFDIR => Err(EISDIR),
            _ => Err(EINVAL),
        }
    }

    /// Lives as long as this.
    fn inode(&self) -> *mut bindings::inode {
        // SAFETY: By the invariant of `RightfulFile`.
        unsafe { bindings::file_inode(self.0.as_ptr()) }
    }

    /// How many file systems its file system is stacked upon.
    pub fn stack_depth(&self) -> u32 {
        // SAFETY: The inode lives. It is set while the superblock is made. CAST: It is small, and not negative.
        unsafe { (*(*self.inode()).i_sb).s_stack_depth as u32 }
    }
}

/// The file that has an open file's data: what `backing_file_open` gave.
pub struct BackingFile(RightfulFile);

impl BackingFile {
    /// Opens the file of `source` for the open file `user`, with its flags. May sleep.
    ///
    /// # Errors
    ///
    /// Those of `open(2)`, by the rights of `source`.
    pub fn open(user: &OpeningFile<'_>, BackingSource(source): &BackingSource) -> Result<Self> {
        // SAFETY: All of it is live; the path is that of a file that `source` has a reference to. CAST: Bits.
        let file = from_err_ptr(unsafe {
            bindings::backing_file_open(
                user.as_ptr(),
                user.flags() as c_int,
                &raw const (*source.as_ptr()).__bindgen_anon_1.f_path,
                source.cred(),
            )
        })?;
        // INVARIANT: As it came.
        Ok(Self(RightfulFile {
            // SAFETY: It is no error, and not null.
            file: unsafe { NonNull::new_unchecked(file) },
            cred: source.cred.clone(),
        }))
    }
}

/// What of an open file goes to a backing file.
pub struct Backing<'a> {
    /// The backing file.
    pub file: &'a BackingFile,
    /// Mappings only; the file system reads and writes by itself.
    pub only_mapped: bool,
}

impl Backing<'_> {
    fn context<K: FileOperations>(&self) -> bindings::backing_file_ctx {
        bindings::backing_file_ctx {
            cred: self.file.0.cred(),
            accessed: Some(accessed::<K>),
            end_write: Some(end_write::<K>),
        }
    }

    fn as_ptr(&self) -> *mut bindings::file {
        self.file.0.as_ptr()
    }
}

/// What a file is backed by for more than mappings.
///
/// # Safety
///
/// As [`File::from_raw`].
unsafe fn for_data<'a, K: FileOperations>(file: *mut bindings::file) -> Option<Backing<'a>> {
    // SAFETY: By the safety requirements.
    let file = unsafe { File::<K>::from_raw(file) };
    K::backing(file.data()).filter(|backing| !backing.only_mapped)
}

/// Reads a file.
///
/// # Safety
///
/// As [`file::read_iter`].
pub(crate) unsafe extern "C" fn read_iter<K: FileOperations>(
    iocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: By the safety requirements, here and below.
    unsafe {
        match for_data::<K>((*iocb).ki_filp) {
            None => file::read_iter::<K>(iocb, iter),
            Some(backing) => {
                let mut context = backing.context::<K>();
                let flags = (*iocb).ki_flags;
                bindings::backing_file_read_iter(backing.as_ptr(), iter, iocb, flags, &mut context)
            }
        }
    }
}

/// Writes a file.
///
/// # Safety
///
/// As [`file::write_iter`].
pub(crate) unsafe extern "C" fn write_iter<K: FileOperations>(
    iocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: By the safety requirements, here and below.
    unsafe {
        match for_data::<K>((*iocb).ki_filp) {
            None => file::write_iter::<K>(iocb, iter),
            Some(backing) => {
                let file = File::<K>::from_raw((*iocb).ki_filp);
                let _lock = file.inode().lock();
                let mut context = backing.context::<K>();
                let flags = (*iocb).ki_flags;
                bindings::backing_file_write_iter(backing.as_ptr(), iter, iocb, flags, &mut context)
            }
        }
    }
}

/// Moves what is in a file into a pipe.
///
/// # Safety
///
/// Called by the VFS with a file that the operations `K` opened, a position, and a locked pipe.
pub(crate) unsafe extern "C" fn splice_read<K: FileOperations>(
    file: *mut bindings::file,
    ppos: *mut bindings::loff_t,
    pipe: *mut kernel::bindings::pipe_inode_info,
    len: usize,
    flags: c_uint,
) -> isize {
    // SAFETY: By the safety requirements, here and below.
    unsafe {
        let Some(backing) = for_data::<K>(file) else {
            return bindings::filemap_splice_read(file, ppos, pipe, len, flags);
        };
        let mut context = backing.context::<K>();
        with_kiocb(file, ppos, |iocb| {
            bindings::backing_file_splice_read(
                backing.as_ptr(),
                iocb,
                pipe.cast(),
                len,
                flags,
                &mut context,
            )
        })
    }
}

/// Moves what is in a pipe into a file.
///
/// # Safety
///
/// Called by the VFS with a file that the operations `K` opened, a position, and a pipe.
pub(crate) unsafe extern "C" fn splice_write<K: FileOperations>(
    pipe: *mut kernel::bindings::pipe_inode_info,
    file: *mut bindings::file,
    ppos: *mut bindings::loff_t,
    len: usize,
    flags: c_uint,
) -> isize {
    // SAFETY: By the safety requirements, here and below.
    unsafe {
        let Some(backing) = for_data::<K>(file) else {
            return bindings::iter_file_splice_write(pipe, file, ppos, len, flags);
        };
        let opened = File::<K>::from_raw(file);
        let _lock = opened.inode().lock();
        let mut context = backing.context::<K>();
        with_kiocb(file, ppos, |iocb| {
            bindings::backing_file_splice_write(
                pipe.cast(),
                backing.as_ptr(),
                iocb,
                len,
                flags,
                &mut context,
            )
        })
    }
}

/// Runs `splice` with a request on `file` at a position, which moves with it.
///
/// # Safety
///
/// Both pointers are valid, and nobody else uses the position.
unsafe fn with_kiocb(
    file: *mut bindings::file,
    ppos: *mut bindings::loff_t,
    splice: impl FnOnce(*mut bindings::kiocb) -> isize,
) -> isize {
    let mut iocb = MaybeUninit::uninit();
    // SAFETY: By the safety requirements; the request is set up by the first call.
    unsafe {
        bindings::init_sync_kiocb(iocb.as_mut_ptr(), file);
        let iocb = iocb.assume_init_mut();
        iocb.ki_pos = *ppos;
        let moved = splice(iocb);
        *ppos = iocb.ki_pos;
        moved
    }
}

/// Maps a file.
///
/// # Safety
///
/// Called by the VFS with a file that the operations `K` opened and that has a backing file, and a mapping that is
/// being made.
pub(crate) unsafe extern "C" fn mmap<K: FileOperations>(
    file: *mut bindings::file,
    vma: *mut bindings::vm_area_struct,
) -> c_int {
    // SAFETY: By the safety requirements, here and below.
    let file = unsafe { File::<K>::from_raw(file) };
    let Some(backing) = K::backing(file.data()) else {
        return ENODEV.to_errno();
    };
    let mut context = backing.context::<K>();
    // SAFETY: As above.
    unsafe { bindings::backing_file_mmap(backing.as_ptr(), vma, &mut context) }
}

/// A file was read by its backing file.
///
/// # Safety
///
/// Called by the functions above with the file that they were given.
unsafe extern "C" fn accessed<K: FileOperations>(file: *mut bindings::file) {
    // SAFETY: By the safety requirements.
    K::backing_accessed(&unsafe { File::<K>::from_raw(file) });
}

/// A file was written by its backing file.
///
/// # Safety
///
/// Called by the functions above, or at the end of what they began, with the request that they were given.
unsafe extern "C" fn end_write<K: FileOperations>(iocb: *mut bindings::kiocb, written: isize) {
    // SAFETY: By the safety requirements; the request has a reference to its file.
    let (file, end) = unsafe { (File::<K>::from_raw((*iocb).ki_filp), (*iocb).ki_pos) };
    if written > 0 {
        K::backing_written(&file, end);
    }
}

/// Gives a file that was opened the operations of one with a backing file, if it has one.
///
/// # Safety
///
/// The operations `K` have just opened `file`, which nobody else uses yet.
pub(crate) unsafe fn adopt<K: FileOperations>(file: *mut bindings::file) {
    if !K::HAS_BACKING {
        return;
    }
    // SAFETY: By the safety requirements.
    let data = unsafe { data_of::<K>(file) };
    if K::backing(&data).is_some() {
        // SAFETY: As above. Both tables are of this module.
        unsafe { (*file).f_op = file::FileOps::<K::Fs>::backed::<K>().as_ptr() };
    }
}
