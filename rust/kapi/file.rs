// SPDX-License-Identifier: GPL-2.0

//! Open files and operations on them.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    backing_file::{self, Backing},
    bindings,
    dentry::Dentry,
    dir::DirContext,
    filelock::{self, FileLock, LockCommand, Locked},
    fs::FileSystem,
    inode::Inode,
    ioctl::{self, Ioctl},
    kiocb::{size_of_result, Kiocb},
    mmap,
    poll::{Events, PollTable},
};
use core::{
    marker::PhantomData,
    ptr::{self, NonNull},
};
use kernel::{
    error::{from_result, to_result, VTABLE_DEFAULT_ERROR},
    iov::{IovIterDest, IovIterSource},
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
    /// As [`FileOperations::llseek`] says.
    Custom,
}

/// What `mmap(2)` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mmap {
    /// Fails with `ENODEV`.
    None,
    /// Maps the page cache. What is written to a shared mapping is written back.
    PageCache,
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

    /// Prepares a file that was made and opened at once, by `atomic_open` or `tmpfile`. May sleep.
    fn made(
        inode: &Inode<Self::Fs>,
        file: &OpeningFile<'_>,
        data: ArcBorrow<'_, Self::Data>,
    ) -> Result {
        let _ = (inode, file, data);
        Ok(())
    }

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

    /// Writes at the position of `iocb` and moves it. Returns the bytes written.
    fn write_iter(
        file: &File<'_, Self>,
        iocb: &mut Kiocb<'_>,
        iter: &mut IovIterSource<'_>,
    ) -> Result<usize> {
        let _ = (file, iocb, iter);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// What can be done without waiting; `table` is told where to wait for more. May sleep.
    fn poll(file: &File<'_, Self>, table: &PollTable<'_>) -> Events {
        let _ = (file, table);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// A descriptor of the file is closed, by the owner of POSIX locks with the address `owner`.
    fn flush(file: &File<'_, Self>, owner: usize) -> Result {
        let _ = (file, owner);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The file is about to be mapped, for [`Mmap::PageCache`]; `is_shared` says that others see what is written
    /// to the mapping, now or later (`VM_MAYSHARE`). May sleep.
    fn mmap(file: &File<'_, Self>, is_shared: bool) -> Result {
        let _ = (file, is_shared);
        Ok(())
    }

    /// The file of another file system that the open file's data is in, set at open. Reads, writes, splices and
    /// mappings go there then, with the inode locked for what writes.
    fn backing(data: &Self::Data) -> Option<Backing<'_>> {
        let _ = data;
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The backing file was read from, or mapped.
    fn backing_accessed(file: &File<'_, Self>) {
        let _ = file;
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The backing file was written to, up to the byte `end`. The inode may be locked or not.
    fn backing_written(file: &File<'_, Self>, end: i64) {
        let _ = (file, end);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Finds a position, for [`Seek::Custom`]: `whence` is `SEEK_*`.
    fn llseek(file: &File<'_, Self>, offset: i64, whence: i32) -> Result<i64> {
        let _ = (file, offset, whence);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reserves, zeroes or frees `len` bytes from `offset` on; `mode` is `FALLOC_FL_*`.
    fn fallocate(file: &File<'_, Self>, mode: u32, offset: i64, len: i64) -> Result {
        let _ = (file, mode, offset, len);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Copies up to `len` bytes from one file to another, by positions in bytes. Returns how many. After
    /// `EXDEV` and `EOPNOTSUPP` the kernel copies by reading and writing.
    fn copy_file_range(
        from: (&File<'_, Self>, i64),
        to: (&File<'_, Self>, i64),
        len: usize,
    ) -> Result<usize> {
        let _ = (from, to, len);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Takes a lock on a range, gives it up, or looks for one in the way (`fcntl(2)`). May sleep.
    fn lock(
        file: &File<'_, Self>,
        command: LockCommand,
        lock: &mut FileLock<'_>,
    ) -> Result<Locked> {
        let _ = (file, command, lock);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Takes a lock on the file, or gives it up (`flock(2)`). May sleep.
    fn flock(file: &File<'_, Self>, lock: &mut FileLock<'_>) -> Result {
        let _ = (file, lock);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Handles `ioctl(2)`: the result of the call. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOTTY` for a command that is not known.
    fn ioctl(file: &File<'_, Self>, call: Ioctl) -> Result<u32> {
        let _ = (file, call);
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
        Self(&Table::<K, PLAIN>::OPERATIONS, PhantomData)
    }

    /// The operations `K`, for inodes with a page cache.
    pub(crate) const fn mapped<K: FileOperations<Fs = T>>() -> Self {
        Self(&Table::<K, MAPPED>::OPERATIONS, PhantomData)
    }

    /// The operations `K`, for files that have a backing file.
    pub(crate) const fn backed<K: FileOperations<Fs = T>>() -> Self {
        Self(&Table::<K, BACKED>::OPERATIONS, PhantomData)
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
    pub(crate) fn as_ptr(&self) -> *mut bindings::file {
        self.file.as_ptr()
    }

    /// The flags of `open(2)`, `O_*`.
    pub fn flags(&self) -> u32 {
        // SAFETY: By the type invariant; so it is below.
        unsafe { (*self.file.as_ptr()).f_flags }
    }

    /// Whether the file may be written to.
    pub fn is_writable(&self) -> bool {
        // SAFETY: As in `flags`.
        unsafe { (*self.file.as_ptr()).f_mode & bindings::FMODE_WRITE != 0 }
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

    /// Says that `read_iter` and `write_iter` heed [`Kiocb::nowait`] (`RWF_NOWAIT`, io_uring).
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
    pub(crate) unsafe fn from_raw(file: *mut bindings::file) -> Self {
        // INVARIANT: By the safety requirements.
        // SAFETY: A valid pointer is not null.
        let file = unsafe { NonNull::new_unchecked(file) };
        Self {
            file,
            _lifetime: PhantomData,
            _operations: PhantomData,
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::file {
        self.file.as_ptr()
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

    /// Writes dirty pages of a range back, `end` included, and waits as far as the file system makes its
    /// pages wait. May sleep. Errors stay with the mapping.
    pub fn write_and_wait_range(&self, start: i64, end: i64) {
        // SAFETY: By the type invariant; so it is below.
        unsafe { bindings::__filemap_fdatawrite_and_wait(self.file.as_ptr(), start, end) };
    }

    /// The error of a write back that this open file has not heard of yet (`file_check_and_advance_wb_err`).
    ///
    /// # Errors
    ///
    /// That one.
    pub fn check_wb_err(&self) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::file_check_and_advance_wb_err(self.file.as_ptr()) })
    }

    /// Moves the position within the size of the file (`generic_file_llseek`).
    ///
    /// # Errors
    ///
    /// `EINVAL`, `ENXIO`.
    pub fn generic_file_llseek(&self, offset: i64, whence: i32) -> Result<i64> {
        // SAFETY: By the type invariant.
        let pos = unsafe { bindings::generic_file_llseek(self.file.as_ptr(), offset, whence) };
        // CAST: `loff_t` and `isize` have 64 bits.
        size_of_result(pos as isize).map(|pos| pos as i64)
    }

    /// Moves the position to `offset` (`vfs_setpos`).
    ///
    /// # Errors
    ///
    /// `EINVAL` where no file can have it.
    pub fn vfs_setpos(&self, offset: i64) -> Result<i64> {
        // SAFETY: By the type invariant.
        let pos = unsafe {
            let max = (*(*bindings::file_inode(self.file.as_ptr())).i_sb).s_maxbytes;
            bindings::vfs_setpos(self.file.as_ptr(), offset, max)
        };
        // CAST: As above.
        size_of_result(pos as isize).map(|pos| pos as i64)
    }

    /// The contents are about to change: privileges go, and times are set where the file system leaves
    /// that to the VFS (`file_modified`). The inode is locked. May sleep.
    ///
    /// # Errors
    ///
    /// The file system's.
    pub fn modified(&self) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::file_modified(self.file.as_ptr()) })
    }

    /// Whether the file may be written to.
    pub fn is_writable(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { (*self.file.as_ptr()).f_mode & bindings::FMODE_WRITE != 0 }
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

/// The data of an open file, if `K` opened it.
///
/// # Safety
///
/// `file` is valid, open, and not released during `'a`.
pub(crate) unsafe fn data_if_of<'a, K: FileOperations>(
    file: *mut bindings::file,
) -> Option<ArcBorrow<'a, K::Data>> {
    // SAFETY: By the safety requirements.
    let operations = unsafe { (*file).f_op };
    // SAFETY: As above, and the table is that of `K`.
    is_table_of::<K>(operations).then(|| unsafe { data_of::<K>(file) })
}

/// Whether `operations` is the table of `K`. The tables are constants of one crate, which the kernel
/// compiles as one unit, so that each has one address.
pub(crate) fn is_table_of<K: FileOperations>(operations: *const bindings::file_operations) -> bool {
    ptr::eq(operations, FileOps::<K::Fs>::of::<K>().0)
        || ptr::eq(operations, FileOps::<K::Fs>::mapped::<K>().0)
        || K::HAS_BACKING && ptr::eq(operations, FileOps::<K::Fs>::backed::<K>().0)
}

/// A table for inodes without a page cache.
const PLAIN: u8 = 0;
/// A table for inodes with one.
const MAPPED: u8 = 1;
/// A table for open files that have a backing file.
const BACKED: u8 = 2;

/// The C table of the operations `K`, of one of these kinds.
struct Table<K, const KIND: u8>(PhantomData<K>);

impl<K: FileOperations, const KIND: u8> Table<K, KIND> {
    const IS_BACKED: bool = KIND == BACKED;
    const HAS_PAGES: bool = KIND != PLAIN;
    const MMAP: bool = KIND == MAPPED && matches!(K::MMAP, Mmap::PageCache);

    const OPERATIONS: bindings::file_operations = bindings::file_operations {
        // `write_iter` heeds `IOCB_NOWAIT`.
        fop_flags: if KIND == MAPPED && K::HAS_WRITE_ITER {
            bindings::FOP_BUFFER_WASYNC
        } else {
            0
        },
        llseek: match K::SEEK {
            Seek::Generic => Some(bindings::generic_file_llseek),
            Seek::None => None,
            Seek::Custom => Some(llseek::<K>),
        },
        read: if K::HAS_ITERATE_SHARED {
            Some(bindings::generic_read_dir)
        } else {
            None
        },
        read_iter: if Self::IS_BACKED {
            Some(backing_file::read_iter::<K>)
        } else if K::HAS_READ_ITER {
            Some(read_iter::<K>)
        } else {
            None
        },
        write_iter: if Self::IS_BACKED {
            Some(backing_file::write_iter::<K>)
        } else if K::HAS_WRITE_ITER {
            Some(write_iter::<K>)
        } else {
            None
        },
        poll: if K::HAS_POLL { Some(poll::<K>) } else { None },
        lock: if K::HAS_LOCK {
            Some(filelock::lock::<K>)
        } else {
            None
        },
        flock: if K::HAS_FLOCK {
            Some(filelock::flock::<K>)
        } else {
            None
        },
        unlocked_ioctl: if K::HAS_IOCTL {
            Some(ioctl::unlocked_ioctl::<K>)
        } else {
            None
        },
        compat_ioctl: if K::HAS_IOCTL {
            Some(ioctl::compat_ioctl::<K>)
        } else {
            None
        },
        flush: if K::HAS_FLUSH { Some(flush::<K>) } else { None },
        fallocate: if K::HAS_FALLOCATE {
            Some(fallocate::<K>)
        } else {
            None
        },
        copy_file_range: if K::HAS_COPY_FILE_RANGE {
            Some(copy_file_range::<K>)
        } else {
            None
        },
        splice_write: if Self::IS_BACKED {
            Some(backing_file::splice_write::<K>)
        } else if Self::HAS_PAGES && K::HAS_WRITE_ITER {
            Some(bindings::iter_file_splice_write)
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
        splice_read: if Self::IS_BACKED {
            Some(backing_file::splice_read::<K>)
        } else if Self::HAS_PAGES && K::SPLICE_READ {
            Some(bindings::filemap_splice_read)
        } else {
            None
        },
        mmap: if Self::IS_BACKED {
            Some(backing_file::mmap::<K>)
        } else {
            None
        },
        mmap_prepare: if Self::MMAP {
            Some(mmap::mmap_prepare::<K>)
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
        // SAFETY: By the safety requirements.
        to_result(unsafe { bindings::generic_file_open(inode.as_ptr(), file) })?;
        let data = K::open(inode, &opening)?;
        // SAFETY: By the safety requirements.
        unsafe { (*file).private_data = Arc::into_raw(data).cast_mut().cast() };
        // SAFETY: By the safety requirements.
        unsafe { backing_file::adopt::<K>(file) };
        Ok(0)
    })
}

/// Opens a file that was made for it.
///
/// # Safety
///
/// As [`fn@open`], with data in `private_data`.
pub(crate) unsafe extern "C" fn open_made<K: FileOperations>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    from_result(|| {
        // INVARIANT: By the safety requirements.
        // SAFETY: Valid pointers are not null. The caller holds a reference to the inode, and the data
        // is that of `K`.
        let (inode, opening, data) = unsafe {
            let opening = OpeningFile {
                inode: NonNull::new_unchecked(inode),
                file: NonNull::new_unchecked(file),
                _lifetime: PhantomData,
            };
            (Inode::from_raw(inode), opening, data_of::<K>(file))
        };
        // SAFETY: As above.
        to_result(unsafe { bindings::generic_file_open(inode.as_ptr(), file) })?;
        K::made(inode, &opening, data)?;
        // SAFETY: By the safety requirements.
        unsafe { backing_file::adopt::<K>(file) };
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
pub(crate) unsafe extern "C" fn read_iter<K: FileOperations>(
    iocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    // INVARIANT: By the safety requirements.
    // SAFETY: As above; valid pointers are not null.
    let (file, mut iocb, iter) = unsafe {
        (
            File::<K>::from_raw((*iocb).ki_filp),
            Kiocb::from_raw(iocb),
            IovIterDest::from_raw(iter),
        )
    };
    let read = K::read_iter(&file, &mut iocb, iter);
    iocb.result(read)
}

/// Writes a file.
///
/// # Safety
///
/// Called by the VFS with a request on a file that [`open`] opened, and a source.
pub(crate) unsafe extern "C" fn write_iter<K: FileOperations>(
    iocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    // SAFETY: By the safety requirements.
    let (file, mut iocb, iter) = unsafe {
        (
            File::<K>::from_raw((*iocb).ki_filp),
            Kiocb::from_raw(iocb),
            IovIterSource::from_raw(iter),
        )
    };
    let written = K::write_iter(&file, &mut iocb, iter);
    iocb.result(written)
}

/// Closes a descriptor of a file.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened.
unsafe extern "C" fn flush<K: FileOperations>(
    file: *mut bindings::file,
    owner: bindings::fl_owner_t,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let file = unsafe { File::<K>::from_raw(file) };
        K::flush(&file, owner.addr())?;
        Ok(0)
    })
}

/// Finds a position.
///
/// # Safety
///
/// As [`flush`].
unsafe extern "C" fn llseek<K: FileOperations>(
    file: *mut bindings::file,
    offset: bindings::loff_t,
    whence: c_int,
) -> bindings::loff_t {
    // SAFETY: By the safety requirements.
    let file = unsafe { File::<K>::from_raw(file) };
    match K::llseek(&file, offset, whence) {
        Ok(pos) => pos,
        Err(error) => error.to_errno().into(),
    }
}

/// Reserves, zeroes or frees a range.
///
/// # Safety
///
/// As [`flush`].
unsafe extern "C" fn fallocate<K: FileOperations>(
    file: *mut bindings::file,
    mode: c_int,
    offset: bindings::loff_t,
    len: bindings::loff_t,
) -> c_long {
    // SAFETY: By the safety requirements.
    let file = unsafe { File::<K>::from_raw(file) };
    // CAST: Bits.
    match K::fallocate(&file, mode as u32, offset, len) {
        Ok(()) => 0,
        Err(error) => error.to_errno() as c_long,
    }
}

/// Copies from file to file.
///
/// # Safety
///
/// Called by the VFS with two open files, both of which have this very hook: [`open`] opened both.
unsafe extern "C" fn copy_file_range<K: FileOperations>(
    from: *mut bindings::file,
    from_pos: bindings::loff_t,
    to: *mut bindings::file,
    to_pos: bindings::loff_t,
    len: usize,
    _flags: c_uint,
) -> isize {
    // SAFETY: By the safety requirements.
    let (source, target) = unsafe { (File::<K>::from_raw(from), File::<K>::from_raw(to)) };
    match K::copy_file_range((&source, from_pos), (&target, to_pos), len) {
        // CAST: At most `len`, which is at most `MAX_RW_COUNT`.
        Ok(copied) => copied as isize,
        Err(EXDEV | EOPNOTSUPP) => {
            // SAFETY: By the safety requirements.
            unsafe { bindings::splice_copy_file_range(from, from_pos, to, to_pos, len) }
        }
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

/// Tells what can be done without waiting.
///
/// # Safety
///
/// Called by the VFS with a file that the operations `K` opened.
unsafe extern "C" fn poll<K: FileOperations>(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: By the safety requirements.
    let (file, table) = unsafe { (File::<K>::from_raw(file), PollTable::from_raw(file, table)) };
    K::poll(&file, &table).bits()
}
