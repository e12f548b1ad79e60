// SPDX-License-Identifier: GPL-2.0

//! The inode hash, and inodes that are new in it.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    address_space::AddressSpaceOps,
    bindings,
    file::FileOps,
    fs::FileSystem,
    inode::{FileKind, Inode, InodeAttributes, LentInode},
    inode_operations::InodeOps,
    super_block::SuperBlock,
};
use core::{mem::ManuallyDrop, ops::Deref, ptr, ptr::NonNull};
use kernel::{prelude::*, sync::aref::ARef};

/// What `iget5_locked` found.
pub enum Iget<T: FileSystem> {
    /// An inode that was there.
    Found(ARef<Inode<T>>),
    /// A new one, which everybody else who looks for it waits for.
    New(NewInode<T>),
}

/// An inode that is hashed, but not initialised. Dropping it makes those who wait for it fail.
///
/// # Invariants
///
/// `I_NEW` is set, by this thread of control, which holds a reference.
pub struct NewInode<T: FileSystem>(ARef<Inode<T>>);

/// What a new inode becomes.
pub struct NewInodeParams<'a, T: FileSystem> {
    /// The inode number `stat(2)` shows.
    pub ino: u64,
    /// What it is.
    pub kind: FileKind,
    /// Major and minor number of a device node; else ignored.
    pub rdev: (u32, u32),
    /// Its generation.
    pub generation: u32,
    /// Its operations.
    pub iops: InodeOps<T>,
    /// The operations on its files, if it is a regular file or directory. Ignored if `aops` is set,
    /// which then tells the operations on files too.
    pub fops: Option<FileOps<T>>,
    /// The operations on its page cache, if it is a regular file.
    pub aops: Option<AddressSpaceOps<T>>,
    /// The order of the largest folio of the page cache, if folios may be larger than a page.
    pub large_folios: Option<u32>,
    /// Whether writeback of its pages waits for a server that may itself wait for memory: reclaim does not
    /// wait for it then.
    pub writeback_may_deadlock: bool,
    /// Whether the VFS keeps the times of changes; else they are the file system's business
    /// (`S_NOCMTIME`).
    pub keeps_cmtime: bool,
    /// Whether it is a directory that is mounted on when somebody walks over it (`S_AUTOMOUNT`).
    pub automount: bool,
    /// Size in bytes.
    pub size: u64,
    /// Other attributes.
    pub attributes: &'a InodeAttributes,
}

/// An inode of the hash that a lookup looks at. It may have no reference, nor get one.
pub struct HashedInode<'a, T: FileSystem>(&'a LentInode<T>);

impl<T: FileSystem> HashedInode<'_, T> {
    /// The file system's data.
    pub fn data(&self) -> &T::Inode {
        self.0.data()
    }

    /// The generation.
    pub fn generation(&self) -> u32 {
        self.0.generation()
    }

    /// What the inode is; of a new one, a regular file.
    pub fn kind(&self) -> FileKind {
        self.0.kind()
    }
}

/// The closures of a lookup, as the C side carries them along.
struct Closures<'a, Test, Set> {
    test: &'a Test,
    set: &'a Set,
}

/// Compares an inode of the hash.
///
/// # Safety
///
/// Called with an inode of `T`, and with [`Closures`] of these types as `data`.
unsafe extern "C" fn test<T: FileSystem, Test: Fn(&HashedInode<'_, T>) -> bool, Set>(
    inode: *mut bindings::inode,
    data: *mut c_void,
) -> c_int {
    // SAFETY: By the safety requirements. RCU or the hash lock keep the inode.
    let (inode, closures) = unsafe {
        (
            HashedInode(LentInode::from_raw(inode)),
            &*data.cast::<Closures<'_, Test, Set>>(),
        )
    };
    (closures.test)(&inode).into()
}

/// Sets what `test` compares.
///
/// # Safety
///
/// As [`fn@test`], with an inode nobody else knows.
unsafe extern "C" fn set<T: FileSystem, Test, Set: Fn(&HashedInode<'_, T>)>(
    inode: *mut bindings::inode,
    data: *mut c_void,
) -> c_int {
    // SAFETY: By the safety requirements.
    let (inode, closures) = unsafe {
        (
            HashedInode(LentInode::from_raw(inode)),
            &*data.cast::<Closures<'_, Test, Set>>(),
        )
    };
    (closures.set)(&inode);
    0
}

/// Finds an inode by its hash value and a test of its data. May sleep, to wait for a new inode or
/// for one that is being evicted.
///
/// The closure runs under RCU: it must not sleep.
pub fn ilookup5<T: FileSystem, Test: Fn(&HashedInode<'_, T>) -> bool>(
    sb: &SuperBlock<T>,
    hash: u64,
    found: Test,
) -> Option<ARef<Inode<T>>> {
    let closures = Closures {
        test: &found,
        set: &(),
    };
    let data = ptr::from_ref(&closures).cast_mut().cast();
    // SAFETY: Inodes of this superblock are inodes of `T`, and the closures live until the return.
    let inode = unsafe { bindings::ilookup5(sb.as_ptr(), hash, Some(test::<T, Test, ()>), data) };
    // SAFETY: A non-null result comes with a reference.
    NonNull::new(inode).map(|inode| unsafe { Inode::take(inode) })
}

/// Finds an inode by its hash value and a test of its data, or puts a new one in the hash. May
/// sleep as [`ilookup5`] may.
///
/// The closures run under RCU or `inode_hash_lock`: they must not sleep. `init` sets what `found`
/// tests.
///
/// Fails with `ENOMEM`.
pub fn iget5_locked<T, Test, Set>(
    sb: &SuperBlock<T>,
    hash: u64,
    found: Test,
    init: Set,
) -> Result<Iget<T>>
where
    T: FileSystem,
    Test: Fn(&HashedInode<'_, T>) -> bool,
    Set: Fn(&HashedInode<'_, T>),
{
    let closures = Closures {
        test: &found,
        set: &init,
    };
    let data = ptr::from_ref(&closures).cast_mut().cast();
    // SAFETY: As in `ilookup5`.
    let inode = unsafe {
        bindings::iget5_locked(
            sb.as_ptr(),
            hash,
            Some(test::<T, Test, Set>),
            Some(set::<T, Test, Set>),
            data,
        )
    };
    let inode = NonNull::new(inode).ok_or(ENOMEM)?;
    // SAFETY: The result comes with a reference.
    let (is_new, inode) = unsafe { (bindings::inode_is_new(inode.as_ptr()), Inode::take(inode)) };
    Ok(if is_new {
        // INVARIANT: The call waits for inodes that others make: this one is ours.
        Iget::New(NewInode(inode))
    } else {
        Iget::Found(inode)
    })
}

impl<T: FileSystem> Deref for NewInode<T> {
    type Target = LentInode<T>;

    fn deref(&self) -> &LentInode<T> {
        &self.0
    }
}

impl<T: FileSystem> NewInode<T> {
    /// Initialises the inode, and lets others have it.
    ///
    /// Access times are the file system's business alone (`S_NOATIME`).
    pub fn init(self, params: &NewInodeParams<'_, T>) -> ARef<Inode<T>> {
        let inode = self.as_ptr();
        // SAFETY: By the type invariant nobody else looks at these fields.
        unsafe {
            (*inode).i_ino = params.ino;
            (*inode).i_mode = params.kind.type_bits();
            // CAST: A small constant. What the page cache knows of parts of pages has no use for blocks of a device.
            (*inode).i_blkbits = bindings::PAGE_SHIFT as u8;
            (*inode).i_generation = params.generation;
            (*inode).i_flags |= bindings::S_NOATIME;
            if params.automount {
                (*inode).i_flags |= bindings::S_AUTOMOUNT;
            }
            if !params.keeps_cmtime {
                (*inode).i_flags |= bindings::S_NOCMTIME;
            }
            (*inode).i_op = params.iops.as_ptr();
        }
        self.i_size_write(params.size);
        self.set_attributes(params.attributes);
        match params.kind {
            FileKind::Regular => self.init_regular(params),
            FileKind::Directory => self.set_fops(params.fops),
            FileKind::Symlink => (),
            _ => self.init_special(params.rdev),
        }
        // SAFETY: By the type invariant `I_NEW` is set.
        unsafe { bindings::unlock_new_inode(inode) };
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped: the reference moves.
        unsafe { ptr::read(&raw const this.0) }
    }

    fn set_fops(&self, fops: Option<FileOps<T>>) {
        if let Some(fops) = fops {
            // SAFETY: By the type invariant.
            unsafe { (*self.as_ptr()).__bindgen_anon_3.i_fop = fops.as_ptr() };
        }
    }

    fn init_regular(&self, params: &NewInodeParams<'_, T>) {
        let Some(aops) = params.aops else {
            return self.set_fops(params.fops);
        };
        // The page cache hooks see the data of files: both sets of operations must agree about it.
        self.set_fops(Some(aops.file_ops()));
        let inode = self.as_ptr();
        // SAFETY: By the type invariant nobody uses the page cache yet.
        unsafe {
            (*inode).i_data.a_ops = aops.as_ptr();
            if params.writeback_may_deadlock {
                bindings::mapping_set_writeback_may_deadlock(&raw mut (*inode).i_data);
            }
            if let Some(order) = params.large_folios {
                // The C side cuts orders that are too large.
                bindings::mapping_set_folio_order_range(&raw mut (*inode).i_data, 0, order);
            }
        }
    }

    fn init_special(&self, (major, minor): (u32, u32)) {
        let minor = minor & ((1 << bindings::MINORBITS) - 1);
        // SAFETY: By the type invariant; the mode is that of a special file.
        unsafe {
            bindings::init_special_inode(
                self.as_ptr(),
                (*self.as_ptr()).i_mode,
                (major << bindings::MINORBITS) | minor,
            )
        };
    }
}

impl<T: FileSystem> Drop for NewInode<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. `iget_failed` drops a reference: it gets one of its own,
        // as the field drops the other.
        unsafe {
            bindings::ihold(self.as_ptr());
            bindings::iget_failed(self.as_ptr());
        }
    }
}
