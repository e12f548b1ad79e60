// SPDX-License-Identifier: GPL-2.0

//! Character devices with a minor number of their own.
//!
//! C headers: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    bindings,
    pipe_room::PipeRoom,
    poll::{Events, PollTable, Signals},
    seq_file::SeqFile,
};
use core::{
    marker::PhantomData,
    ptr::{self, NonNull},
};
use kernel::{
    container_of,
    error::{from_result, to_result},
    iov::{IovIterDest, IovIterSource},
    module::this_module,
    prelude::*,
    sync::Arc,
    types::Opaque,
    ModuleMetadata,
};

/// An open file of a device: what `file->private_data` keeps until the last reference is gone.
///
/// `splice(2)` reads and writes by way of copies ([`PipeRoom`], `iter_file_splice_write`).
pub trait MiscDevice: Sized + Send + Sync + 'static {
    /// The module that implements it; it stays loaded while a file is open.
    type OwnerModule: ModuleMetadata;

    /// What all open files share. Given to [`Registration::new`].
    type Shared: Send + Sync + 'static;

    /// The name under `/dev`.
    const NAME: &'static CStr;

    /// Opens the device. May sleep.
    fn open(shared: &Arc<Self::Shared>) -> Result<Arc<Self>>;

    /// The last reference to the open file goes. May sleep.
    fn release(this: Arc<Self>);

    /// Reads. `waits` is not set if the file or the call asks not to wait. May sleep.
    ///
    /// # Errors
    ///
    /// `EAGAIN` instead of waiting.
    fn read(this: &Arc<Self>, iter: &mut IovIterDest<'_>, waits: bool) -> Result<usize>;

    /// As [`Self::read`], for `splice(2)`: `len` bytes at most, for which `room` is to be made.
    ///
    /// # Errors
    ///
    /// As there.
    fn splice_read(this: &Arc<Self>, room: &mut PipeRoom, len: usize, waits: bool)
        -> Result<usize>;

    /// Writes. May sleep.
    fn write(this: &Arc<Self>, iter: &mut IovIterSource<'_>) -> Result<usize>;

    /// What can be done without waiting; `table` is told where to wait for more. May sleep.
    fn poll(this: &Arc<Self>, table: &PollTable<'_>) -> Events;

    /// Who is to get a signal when there is something to read; none if there is nobody to tell.
    fn signals(this: &Arc<Self>) -> Option<&Signals>;

    /// `ioctl(2)`: `argument` is a number or an address of the caller's. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOTTY` for a command that it does not know.
    fn ioctl(this: &Arc<Self>, command: u32, argument: usize) -> Result<isize>;

    /// Shows what `/proc/PID/fdinfo` has of it.
    fn show_fdinfo(this: &Arc<Self>, m: &SeqFile);
}

/// A registered device.
///
/// # Invariants
///
/// `device` is registered, and in place: open files find the registration by it.
#[pin_data(PinnedDrop)]
pub struct Registration<T: MiscDevice> {
    shared: Arc<T::Shared>,
    #[pin]
    device: Opaque<bindings::miscdevice>,
}

// SAFETY: `shared` is `Send`, and a device may be deregistered on any thread.
unsafe impl<T: MiscDevice> Send for Registration<T> {}
// SAFETY: By a shared reference only `shared` is read, which is `Sync`.
unsafe impl<T: MiscDevice> Sync for Registration<T> {}

impl<T: MiscDevice> Registration<T> {
    /// Makes the device, with a minor number of its own. From then on it can be opened. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` without a free number.
    pub fn new(shared: Arc<T::Shared>) -> impl PinInit<Self, Error> {
        // CAST: The constant is small.
        Self::by_name(shared, T::NAME, bindings::MISC_DYNAMIC_MINOR as u8)
    }

    /// Makes the device by another name, and with a minor number that is known. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the number is taken, `EEXIST` if the name is.
    pub fn by_name(
        shared: Arc<T::Shared>,
        name: &'static CStr,
        minor: u8,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            shared,
            device <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                // SAFETY: `slot` is valid for writes.
                unsafe {
                    slot.write(bindings::miscdevice {
                        minor: minor.into(),
                        name: name.as_char_ptr(),
                        mode: 0o666,
                        fops: Table::<T>::get(),
                        ..pin_init::zeroed()
                    })
                };
                // SAFETY: `slot` is initialised, pinned, and deregistered on drop.
                to_result(unsafe { bindings::misc_register(slot) })
            }),
        })
    }
}

#[pinned_drop]
impl<T: MiscDevice> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered, by the type invariant.
        unsafe { bindings::misc_deregister(self.device.get()) };
    }
}

/// An open file of the device `T`, which this keeps open.
///
/// # Invariants
///
/// The pointer is a valid file of the device, with a reference of its own.
pub struct OpenFile<T: MiscDevice>(NonNull<bindings::file>, PhantomData<Arc<T>>);

// SAFETY: Files may be used and put by any thread; what is attached is `Send + Sync`.
unsafe impl<T: MiscDevice> Send for OpenFile<T> {}
// SAFETY: As above.
unsafe impl<T: MiscDevice> Sync for OpenFile<T> {}

impl<T: MiscDevice> OpenFile<T> {
    /// The caller's file descriptor `fd`.
    ///
    /// # Errors
    ///
    /// `EBADF` if it is none; `EINVAL` for a file of another kind.
    pub fn from_fd(fd: u32) -> Result<Self> {
        // SAFETY: Always sound; the result has a reference.
        let file = NonNull::new(unsafe { bindings::fget(fd) }).ok_or(EBADF)?;
        // INVARIANT: Dropped below if it is of another device.
        let this = Self(file.cast(), PhantomData);
        // SAFETY: A valid file.
        match unsafe { ptr::eq((*this.0.as_ptr()).f_op, Table::<T>::get()) } {
            true => Ok(this),
            false => Err(EINVAL),
        }
    }

    /// What is attached to it.
    pub fn data(&self) -> &Arc<T> {
        // SAFETY: By the type invariant; the data stays as long as the file.
        unsafe { private(self.0.as_ptr()) }
    }

    /// The user namespace of whoever opened it. For comparisons.
    pub(crate) fn user_ns(&self) -> *const bindings::user_namespace {
        // SAFETY: By the type invariant; credentials of a file do not change.
        unsafe { (*(*self.0.as_ptr()).f_cred).user_ns.cast() }
    }
}

impl<T: MiscDevice> Drop for OpenFile<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::fput(self.0.as_ptr().cast()) };
    }
}

/// The hooks of the device `T`.
struct Table<T>(PhantomData<T>);

impl<T: MiscDevice> Table<T> {
    const OPERATIONS: bindings::file_operations = bindings::file_operations {
        owner: this_module::<T::OwnerModule>().as_ptr().cast(),
        open: Some(open::<T>),
        release: Some(release::<T>),
        read_iter: Some(read_iter::<T>),
        write_iter: Some(write_iter::<T>),
        splice_read: Some(splice_read::<T>),
        splice_write: Some(bindings::iter_file_splice_write),
        poll: Some(poll::<T>),
        fasync: Some(fasync::<T>),
        unlocked_ioctl: Some(ioctl::<T>),
        compat_ioctl: bindings::compat_ptr_ioctl,
        show_fdinfo: Some(show_fdinfo::<T>),
        ..pin_init::zeroed()
    };

    fn get() -> &'static bindings::file_operations {
        &Self::OPERATIONS
    }
}

/// What is attached to an open file.
///
/// # Safety
///
/// `file` was opened by [`open`] of the same device, and is not released during `'a`.
unsafe fn private<'a, T: MiscDevice>(file: *mut bindings::file) -> &'a Arc<T> {
    // SAFETY: `open` stored a box of this type, which `release` alone takes back.
    unsafe { &*(*file).private_data.cast::<Arc<T>>() }
}

/// Opens the device.
///
/// # Safety
///
/// Called by `misc_open` with a new file, whose private data is the device.
unsafe extern "C" fn open<T: MiscDevice>(
    _inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements; a registration that can be opened stays during the call.
        let registration = unsafe {
            let device = (*file).private_data.cast::<Opaque<bindings::miscdevice>>();
            &*container_of!(device, Registration<T>, device)
        };
        let data = KBox::new(T::open(&registration.shared)?, GFP_KERNEL)?;
        // SAFETY: By the safety requirements; nobody else has the file yet.
        unsafe { (*file).private_data = KBox::into_raw(data).cast() };
        Ok(0)
    })
}

/// Closes the device.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened, and as its last hook.
unsafe extern "C" fn release<T: MiscDevice>(
    _inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: `open` stored a box of this type, and this is the last use.
    let data = unsafe { KBox::<Arc<T>>::from_raw((*file).private_data.cast()) };
    T::release(KBox::into_inner(data));
    0
}

/// Reads.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened.
unsafe extern "C" fn read_iter<T: MiscDevice>(
    iocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    from_result(|| {
        // SAFETY: By the safety requirements; the iterator is the caller's alone.
        let (this, iter, waits) = unsafe {
            let file = (*iocb).ki_filp;
            let call_waits = (*iocb).ki_flags & bindings::KIOCB_NOWAIT == 0;
            (
                private::<T>(file),
                IovIterDest::from_raw(iter.cast()),
                file_waits(file) && call_waits,
            )
        };
        // CAST: Not longer than what one call moves; so it is below.
        T::read(this, iter, waits).map(|size| size as isize)
    })
}

/// Whether calls on the file wait.
///
/// # Safety
///
/// `file` is valid.
unsafe fn file_waits(file: *mut bindings::file) -> bool {
    // SAFETY: By the safety requirements.
    unsafe { (*file).f_flags & bindings::O_NONBLOCK == 0 }
}

/// Reads into a pipe, which is locked and has room for `len` bytes.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened.
unsafe extern "C" fn splice_read<T: MiscDevice>(
    file: *mut bindings::file,
    _pos: *mut bindings::loff_t,
    pipe: *mut kernel::bindings::pipe_inode_info,
    len: usize,
    _flags: c_uint,
) -> isize {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let (this, waits) = unsafe { (private::<T>(file), file_waits(file)) };
        let mut room = PipeRoom::new();
        let size = T::splice_read(this, &mut room, len, waits)?;
        // SAFETY: By the safety requirements, and so much was read.
        unsafe { room.give(pipe.cast(), size)? };
        Ok(size as isize)
    })
}

/// Writes.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened.
unsafe extern "C" fn write_iter<T: MiscDevice>(
    iocb: *mut bindings::kiocb,
    iter: *mut bindings::iov_iter,
) -> isize {
    from_result(|| {
        // SAFETY: By the safety requirements; the iterator is the caller's alone.
        let (this, iter) = unsafe {
            (
                private::<T>((*iocb).ki_filp),
                IovIterSource::from_raw(iter.cast()),
            )
        };
        T::write(this, iter).map(|size| size as isize)
    })
}

/// Tells what can be done without waiting.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened.
unsafe extern "C" fn poll<T: MiscDevice>(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: By the safety requirements.
    let (this, table) = unsafe { (private::<T>(file), PollTable::from_raw(file, table)) };
    T::poll(this, &table).bits()
}

/// Changes who gets signals.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened.
unsafe extern "C" fn fasync<T: MiscDevice>(
    fd: c_int,
    file: *mut bindings::file,
    on: c_int,
) -> c_int {
    // SAFETY: By the safety requirements.
    let this = unsafe { private::<T>(file) };
    match T::signals(this) {
        // SAFETY: As above. The VFS takes the file off the list before it is released.
        Some(signals) => unsafe { signals.change(fd, file, on) },
        None if on == 0 => 0,
        None => EPERM.to_errno(),
    }
}

/// `ioctl(2)`.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened.
unsafe extern "C" fn ioctl<T: MiscDevice>(
    file: *mut bindings::file,
    command: c_uint,
    argument: c_ulong,
) -> c_long {
    // SAFETY: By the safety requirements.
    let this = unsafe { private::<T>(file) };
    // CAST: Both have 64 bits.
    from_result(|| T::ioctl(this, command, argument).map(|value| value as c_long))
}

/// Shows the file.
///
/// # Safety
///
/// Called by procfs with a file that [`open`] opened.
unsafe extern "C" fn show_fdinfo<T: MiscDevice>(
    m: *mut bindings::seq_file,
    file: *mut bindings::file,
) {
    // SAFETY: By the safety requirements.
    unsafe { T::show_fdinfo(private::<T>(file), SeqFile::from_raw(m.cast())) };
}
