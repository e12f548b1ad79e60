// SPDX-License-Identifier: GPL-2.0

//! Files that are made and opened at once.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    bindings,
    dentry::{Dentry, Looked, NewName, StableName, Unhashed},
    file::{self, FileOperations},
    fs::FileSystem,
    ids::MntIdmap,
    inode::Inode,
    super_block::SuperBlock,
};
use core::{marker::PhantomData, ptr};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{aref::ARef, Arc},
};

/// What the VFS asks an `atomic_open` hook for.
///
/// # Invariants
///
/// During `'a`, the dentry is referenced and negative, its directory is locked — exclusively if
/// `O_CREAT` is among the flags — and nobody uses the file yet.
pub struct AtomicOpen<'a, T: FileSystem> {
    dentry: &'a Dentry<T>,
    file: NewFile<'a, T>,
    flags: u32,
    mode: u16,
}

/// What the VFS asks a `tmpfile` hook for.
///
/// # Invariants
///
/// During `'a`, the file has a negative dentry without a name, and nobody uses it yet.
pub struct Tmpfile<'a, T: FileSystem>(NewFile<'a, T>);

/// A file that is not open yet.
///
/// # Invariants
///
/// The pointer is valid, and used by this thread alone, during `'a`.
struct NewFile<'a, T: FileSystem>(*mut bindings::file, PhantomData<&'a SuperBlock<T>>);

/// What became of it.
pub struct Opened<'a, T: FileSystem>(PhantomData<&'a SuperBlock<T>>);

impl<T: FileSystem> Opened<'_, T> {
    pub(crate) fn into_raw(self) -> c_int {
        0
    }
}

impl<'a, T: FileSystem> AtomicOpen<'a, T> {
    /// Wraps pointers.
    ///
    /// # Safety
    ///
    /// They are those of an `atomic_open` hook, which runs during `'a`.
    pub(crate) unsafe fn from_raw(
        dentry: *mut bindings::dentry,
        file: *mut bindings::file,
        flags: u32,
        mode: u16,
    ) -> Self {
        // INVARIANT: What the VFS guarantees for the hook.
        Self {
            // SAFETY: The caller of the hook holds a reference.
            dentry: unsafe { Dentry::from_raw(dentry) },
            file: NewFile(file, PhantomData),
            flags,
            mode,
        }
    }

    /// The flags of `open(2)`, `O_*`.
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// The id map of the mount.
    pub fn idmap(&self) -> &'a MntIdmap {
        // SAFETY: By the type invariant; the file holds a reference to its mount.
        unsafe { MntIdmap::from_raw(bindings::file_mnt_idmap(self.file.0)) }
    }

    /// Type and permission bits of a file that is to be made.
    pub fn mode(&self) -> u16 {
        self.mode
    }

    /// The dentry, if the name was not looked up yet.
    pub fn to_look_up(&self) -> Option<Unhashed<'a, T>> {
        // SAFETY: The dentry is valid; a dentry in lookup is what a `lookup` hook gets.
        unsafe {
            bindings::d_in_lookup(self.dentry.as_ptr())
                .then(|| Unhashed::from_raw(self.dentry.as_ptr()))
        }
    }

    /// The name to make, if it may be made.
    pub fn to_make(&self) -> Option<NewName<'a, T>> {
        let may = self.flags & bindings::O_CREAT != 0 && self.dentry.is_negative();
        // SAFETY: By the type invariant: the directory is locked exclusively.
        may.then(|| unsafe { NewName::from_raw(self.dentry.as_ptr()) })
    }

    /// Leaves it to the VFS to open what the lookup has found, or what was made: without one, the
    /// dentry as it is.
    pub fn finish_no_open(self, looked: Option<Looked<'_, T>>) -> Opened<'a, T> {
        let alias = looked.map_or(ptr::null_mut(), Looked::into_raw);
        // SAFETY: By the type invariant. The call takes the reference to the other dentry over; it
        // returns 0 for what is no error pointer.
        unsafe { bindings::finish_no_open(self.file.0, alias) };
        Opened(PhantomData)
    }

    /// Says that the name is being made.
    pub fn set_created(&self) {
        self.file.set_created();
    }

    /// Opens the file that was made, by the operations `K`, with `data`.
    ///
    /// # Errors
    ///
    /// `EIO` if the inode has other operations; those of opening.
    pub fn finish_open<K: FileOperations<Fs = T>>(
        self,
        inode: &Inode<T>,
        data: Arc<K::Data>,
    ) -> Result<Opened<'a, T>> {
        self.file.finish_open::<K>(self.dentry, inode, data)
    }
}

impl<'a, T: FileSystem> Tmpfile<'a, T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// It is that of a `tmpfile` hook, which runs during `'a`.
    pub(crate) unsafe fn from_raw(file: *mut bindings::file) -> Self {
        // INVARIANT: What the VFS guarantees for the hook.
        Self(NewFile(file, PhantomData))
    }

    fn dentry(&self) -> &'a Dentry<T> {
        // SAFETY: By the type invariant.
        unsafe { Dentry::from_raw((*self.0 .0).__bindgen_anon_1.f_path.dentry) }
    }

    /// The flags of `open(2)`, `O_*`.
    pub fn flags(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { (*self.0 .0).f_flags }
    }

    /// The name the dentry has for those who must show one.
    pub fn name(&self) -> StableName<'a, T> {
        // SAFETY: Nobody else knows the dentry.
        unsafe { StableName::new(self.dentry()) }
    }

    /// Opens the file that was made, by the operations `K`, with `data`.
    ///
    /// # Errors
    ///
    /// As [`AtomicOpen::finish_open`].
    pub fn finish_open<K: FileOperations<Fs = T>>(
        self,
        inode: ARef<Inode<T>>,
        data: Arc<K::Data>,
    ) -> Result<Opened<'a, T>> {
        let dentry = self.dentry();
        self.0.set_created();
        let raw = ARef::into_raw(inode).as_ptr();
        // SAFETY: The dentry is negative and known to this thread alone; the call takes the reference
        // to the inode over.
        let inode = unsafe {
            bindings::d_instantiate(dentry.as_ptr(), raw.cast());
            Inode::from_raw(raw.cast())
        };
        self.0.finish_open::<K>(dentry, inode, data)
    }
}

impl<'a, T: FileSystem> NewFile<'a, T> {
    fn set_created(&self) {
        // SAFETY: By the type invariant.
        unsafe { (*self.0).f_mode |= bindings::FMODE_CREATED };
    }

    fn finish_open<K: FileOperations<Fs = T>>(
        self,
        dentry: &Dentry<T>,
        inode: &Inode<T>,
        data: Arc<K::Data>,
    ) -> Result<Opened<'a, T>> {
        // SAFETY: The inode is live; its operations never change.
        let operations = unsafe { (*inode.as_ptr()).__bindgen_anon_3.i_fop };
        let is_it = dentry
            .inode()
            .is_some_and(|found| ptr::eq(found.as_ptr(), inode.as_ptr()));
        if !file::is_table_of::<K>(operations) || !is_it {
            return Err(EIO);
        }
        let file = self.0;
        // SAFETY: By the type invariant, and the dentry is positive. `open_made` finds the data that is
        // put there, which the file has from then on: if it was not opened after all, it is taken out.
        let result = unsafe {
            (*file).private_data = Arc::into_raw(data).cast_mut().cast();
            to_result(bindings::finish_open(
                file,
                dentry.as_ptr(),
                Some(file::open_made::<K>),
            ))
        };
        // SAFETY: As above.
        unsafe {
            if result.is_err() && (*file).f_mode & bindings::FMODE_OPENED == 0 {
                let data = core::mem::replace(&mut (*file).private_data, ptr::null_mut());
                drop(Arc::from_raw(data.cast::<K::Data>()));
            }
        }
        result.map(|()| Opened(PhantomData))
    }
}
