// SPDX-License-Identifier: GPL-2.0

//! Open files and operations on them.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{bindings, dentry::Dentry, dir::DirContext, fs::FileSystem, inode::Inode};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    error::{from_result, to_result, VTABLE_DEFAULT_ERROR},
    iov::IovIterDest,
    prelude::*,
    sync::{Arc, ArcBorrow},
};

/// What `lseek(2)` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// Moves the position within the size of the file (`generic_file_llseek`).
    Generic,
    /// Fails with `ESPIPE`.
    None,
}

/// What `mmap(2)` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mmap {
    /// Fails with `ENODEV`.
    None,
    /// Maps the page cache; shared and writable mappings are refused with `EINVAL`.
    ReadOnlyPageCache,
}

/// Operations on open files, `struct file_operations`.
///
/// A missing one is not in the C table, and the VFS does what it does then.
#[vtable]
pub trait FileOperations: Sized + 'static {
    /// The file system.
    type Fs: FileSystem;

    /// What an open file owns, `file->private_data`.
    type Data: Send + Sync + 'static;

    /// What `lseek(2)` does.
    const SEEK: Seek = Seek::Generic;

    /// What `mmap(2)` does, on inodes with a page cache.
    const MMAP: Mmap = Mmap::None;

    /// Whether `splice(2)` and `sendfile(2)` read from the page cache, on inodes that have one.
    const SPLICE_READ: bool = false;

    /// Opens a file. May sleep.
    fn open(inode: &Inode<Self::Fs>, file: &OpeningFile<'_>) -> Result<Arc<Self::Data>>;

    /// Closes a file at its last reference. May sleep.
    fn release(inode: &Inode<Self::Fs>, data: Arc<Self::Data>);

    /// Reads at the position of `iocb` and moves it. Returns the bytes read, 0 at the end.
    fn read_iter(
        file: &File<'_, Self>,
        iocb: &mut Kiocb<'_>,
        iter: &mut IovIterDest<'_>,
    ) -> Result<usize> {
        let _ = (file, iocb, iter);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Lists a directory from the position of `ctx` on. The directory is locked, shared.
    fn iterate_shared(file: &File<'_, Self>, ctx: &mut DirContext<'_>) -> Result {
        let _ = (file, ctx);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes a range of bytes persistent, `end` included; with `datasync` attributes only as far as
    /// reading the data needs them.
    fn fsync(file: &File<'_, Self>, start: i64, end: i64, datasync: bool) -> Result {
        let _ = (file, start, end, datasync);
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// The operations on files as a value: a C table, made from [`FileOperations`].
pub struct FileOps<T: FileSystem>(&'static bindings::file_operations, PhantomData<T>);

impl<T: FileSystem> Clone for FileOps<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: FileSystem> Copy for FileOps<T> {}

impl<T: FileSystem> FileOps<T> {
    /// The operations `K`, for inodes without a page cache.
    pub const fn of<K: FileOperations<Fs = T>>() -> Self {
        Self(&Table::<K, false>::OPERATIONS, PhantomData)
    }

    /// The operations `K`, for inodes with a page cache.
    pub(crate) const fn mapped<K: FileOperations<Fs = T>>() -> Self {
        Self(&Table::<K, true>::OPERATIONS, PhantomData)
    }

    pub(crate) fn as_ptr(self) -> *const bindings::file_operations {
        self.0
    }
}

/// A file that is being opened.
///
/// # Invariants
///
/// The pointers are valid during `'a`, and nobody else uses the file yet.
pub struct OpeningFile<'a> {
    inode: NonNull<bindings::inode>,
    file: NonNull<bindings::file>,
    _lifetime: PhantomData<&'a ()>,
}

impl OpeningFile<'_> {
    /// The flags of `open(2)`, `O_*`.
    pub fn flags(&self) -> u32 {
        // SAFETY: By the type invariant; so it is below.
        unsafe { (*self.file.as_ptr()).f_flags }
    }

    /// Makes the file have a position that cannot be set (`nonseekable_open`).
    pub fn set_nonseekable(&self) {
        // SAFETY: As in `flags`. It always succeeds.
        unsafe { bindings::nonseekable_open(self.inode.as_ptr(), self.file.as_ptr()) };
    }

    /// Makes the file have no position (`stream_open`).
    pub fn set_stream(&self) {
        // SAFETY: As in `flags`. It always succeeds.
        unsafe { bindings::stream_open(self.inode.as_ptr(), self.file.as_ptr()) };
    }

    /// Says that reads heed `O_DIRECT` (`FMODE_CAN_ODIRECT`): `read_iter` must look at
    /// [`Kiocb::direct`], and not leave such reads to the page cache.
    pub fn set_can_odirect(&self) {
        // SAFETY: As in `flags`.
        unsafe { (*self.file.as_ptr()).f_mode |= bindings::FMODE_CAN_ODIRECT };
    }

    /// Says that reads heed `RWF_NOWAIT` (`FMODE_NOWAIT`).
    pub fn set_nowait(&self) {
        // SAFETY: As in `flags`.
        unsafe { (*self.file.as_ptr()).f_mode |= bindings::FMODE_NOWAIT };
    }
}

/// An open file with the operations `K`.
///
/// # Invariants
///
/// The pointer is a file opened by the operations `K`, which is not released during `'a`.
pub struct File<'a, K: FileOperations> {
    file: NonNull<bindings::file>,
    _lifetime: PhantomData<&'a ()>,
    _operations: PhantomData<fn() -> K>,
}

impl<'a, K: FileOperations> File<'a, K> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `file` is a file opened by the operations `K`, which is not released during `'a`.
    unsafe fn from_raw(file: *mut bindings::file) -> Self {
        // INVARIANT: By the safety requirements.
        // SAFETY: A valid pointer is not null.
        let file = unsafe { NonNull::new_unchecked(file) };
        Self {
            file,
            _lifetime: PhantomData,
            _operations: PhantomData,
        }
    }

    /// The data of the open file.
    pub fn data(&self) -> &'a K::Data {
        // SAFETY: By the type invariant `open` has set an `Arc` of this type, which lives until
        // `release`.
        unsafe { &*(*self.file.as_ptr()).private_data.cast::<K::Data>() }
    }

    /// A reference to the data of the open file.
    pub fn data_arc(&self) -> Arc<K::Data> {
        // SAFETY: As in `data`; it came from `Arc::into_raw`.
        unsafe { data_of::<K>(self.file.as_ptr()) }.into()
    }

    /// The inode.
    pub fn inode(&self) -> &'a Inode<K::Fs> {
        // SAFETY: An open file holds a reference to its inode, which is one of the file system that
        // opened it.
        unsafe { Inode::from_raw(bindings::file_inode(self.file.as_ptr())) }
    }

    /// The dentry the file was opened by.
    pub fn dentry(&self) -> &'a Dentry<K::Fs> {
        // SAFETY: An open file holds a reference to its path. The operations `K` come from an inode
        // of this file system, whose dentries have the same superblock.
        unsafe { Dentry::from_raw((*self.file.as_ptr()).__bindgen_anon_1.f_path.dentry) }
    }

    /// The flags of `open(2)` and `fcntl(2)`, `O_*`.
    pub fn flags(&self) -> u32 {
        // SAFETY: By the type invariant. `fcntl(2)` may change it meanwhile.
        unsafe { (&raw const (*self.file.as_ptr()).f_flags).read_volatile() }
    }
}

/// The data of an open file.
///
/// # Safety
///
/// As [`File::from_raw`].
pub(crate) unsafe fn data_of<'a, K: FileOperations>(
    file: *mut bindings::file,
) -> ArcBorrow<'a, K::Data> {
    // SAFETY: `open` has set the result of `Arc::into_raw`, which lives until `release`.
    unsafe { ArcBorrow::from_raw((*file).private_data.cast::<K::Data>()) }
}

/// An I/O request on a file.
///
/// # Invariants
///
/// The pointer is valid, and used by this thread alone, during `'a`.
pub struct Kiocb<'a>(NonNull<bindings::kiocb>, PhantomData<&'a mut ()>);

impl Kiocb<'_> {
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
        usize::try_from(read).map_err(|_| error_of(read))
    }
}

/// The error in a negative result.
fn error_of(result: isize) -> Error {
    // CAST: Error numbers are small.
    match to_result(result as c_int) {
        Err(error) => error,
        Ok(()) => EINVAL,
    }
}

/// The C table of the operations `K`. `MAPPED` if the inode has a page cache to read.
struct Table<K, const MAPPED: bool>(PhantomData<K>);

impl<K: FileOperations, const MAPPED: bool> Table<K, MAPPED> {
    const MMAP: bool = MAPPED && matches!(K::MMAP, Mmap::ReadOnlyPageCache);

    const OPERATIONS: bindings::file_operations = bindings::file_operations {
        llseek: match K::SEEK {
            Seek::Generic => Some(bindings::generic_file_llseek),
            Seek::None => None,
        },
        read: if K::HAS_ITERATE_SHARED {
            Some(bindings::generic_read_dir)
        } else {
            None
        },
        read_iter: if K::HAS_READ_ITER {
            Some(read_iter::<K>)
        } else {
            None
        },
        iterate_shared: if K::HAS_ITERATE_SHARED {
            Some(iterate_shared::<K>)
        } else {
            None
        },
        open: Some(open::<K>),
        release: Some(release::<K>),
        fsync: if K::HAS_FSYNC { Some(fsync::<K>) } else { None },
        splice_read: if MAPPED && K::SPLICE_READ {
            Some(bindings::filemap_splice_read)
        } else {
            None
        },
        mmap_prepare: if Self::MMAP {
            Some(bindings::generic_file_readonly_mmap_prepare)
        } else {
            None
        },
        get_unmapped_area: if Self::MMAP {
            Some(bindings::thp_get_unmapped_area)
        } else {
            None
        },
        setlease: if K::HAS_ITERATE_SHARED {
            None
        } else {
            Some(setlease)
        },
        ..pin_init::zeroed()
    };
}

/// Opens a file.
///
/// # Safety
///
/// Called by the VFS with an inode whose operations are `K`, and a file nobody else uses.
unsafe extern "C" fn open<K: FileOperations>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    from_result(|| {
        // INVARIANT: By the safety requirements.
        // SAFETY: Valid pointers are not null. The caller holds a reference to the inode.
        let (inode, opening) = unsafe {
            let opening = OpeningFile {
                inode: NonNull::new_unchecked(inode),
                file: NonNull::new_unchecked(file),
                _lifetime: PhantomData,
            };
            (Inode::from_raw(inode), opening)
        };
        let data = K::open(inode, &opening)?;
        // SAFETY: By the safety requirements.
        unsafe { (*file).private_data = Arc::into_raw(data).cast_mut().cast() };
        Ok(0)
    })
}

/// Closes a file.
///
/// # Safety
///
/// Called by the VFS at the last reference to a file that [`open`] opened.
unsafe extern "C" fn release<K: FileOperations>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: By the safety requirements. `open` has set the data, and this is the last use.
    let (inode, data) = unsafe {
        (
            Inode::from_raw(inode),
            Arc::from_raw((*file).private_data.cast::<K::Data>()),
        )
    };
    K::release(inode, data);
    0
}

/// Reads a file.
///
/// # Safety
///
/// Called by the VFS with a request on a file that [`open`] opened, and a destination.
unsafe extern "C" fn read_iter<K: FileOperations>(
    iocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    // INVARIANT: By the safety requirements.
    // SAFETY: As above; valid pointers are not null.
    let (file, mut iocb, iter) = unsafe {
        (
            File::<K>::from_raw((*iocb).ki_filp),
            Kiocb(NonNull::new_unchecked(iocb), PhantomData),
            IovIterDest::from_raw(iter),
        )
    };
    match K::read_iter(&file, &mut iocb, iter) {
        // CAST: A read is never larger than `MAX_RW_COUNT`.
        Ok(read) => read as isize,
        Err(error) => error.to_errno() as isize,
    }
}

/// Lists a directory.
///
/// # Safety
///
/// Called by the VFS with a directory that [`open`] opened, locked, and a valid context.
unsafe extern "C" fn iterate_shared<K: FileOperations>(
    file: *mut bindings::file,
    ctx: *mut bindings::dir_context,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let (file, mut ctx) = unsafe { (File::<K>::from_raw(file), DirContext::from_raw(ctx)) };
        K::iterate_shared(&file, &mut ctx)?;
        Ok(0)
    })
}

/// Makes a file persistent.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened.
unsafe extern "C" fn fsync<K: FileOperations>(
    file: *mut bindings::file,
    start: bindings::loff_t,
    end: bindings::loff_t,
    datasync: c_int,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let file = unsafe { File::<K>::from_raw(file) };
        K::fsync(&file, start, end, datasync != 0)?;
        Ok(0)
    })
}

/// Sets a lease of this system alone. A missing hook would mean that there are none.
///
/// # Safety
///
/// Called by the VFS with a valid file and lease.
unsafe extern "C" fn setlease(
    file: *mut bindings::file,
    arg: c_int,
    lease: *mut *mut kernel::bindings::file_lease,
    private: *mut *mut c_void,
) -> c_int {
    // SAFETY: By the safety requirements. The kernel crate knows the type by name only.
    unsafe { bindings::generic_setlease(file, arg, lease.cast(), private) }
}
