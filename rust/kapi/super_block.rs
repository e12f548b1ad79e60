// SPDX-License-Identifier: GPL-2.0

//! Superblocks.
//!
//! C header: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h)

use crate::{
    bindings, dentry,
    dentry::Dentry,
    export::ExportOps,
    fs::{FileSystem, Registration},
    fs_context::FsContext,
    inode::{Inode, LentInode},
    inode_cache::InodeCache,
    seq_file::SeqFile,
    super_slot, xattr,
};
use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr::{self, NonNull},
};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
    sync::{
        aref::ARef,
        rcu::synchronize_rcu,
        {Arc, ArcBorrow},
    },
    types::Opaque,
};

/// A superblock of the file system `T`.
///
/// # Invariants
///
/// It is valid, and its `s_fs_info` is an `Arc<T::Super>` (from `into_raw`) that lives as long as
/// the superblock can be reached.
#[repr(transparent)]
pub struct SuperBlock<T: FileSystem>(Opaque<bindings::super_block>, PhantomData<T>);

// SAFETY: Superblocks are used from any thread; the data is `Sync`.
unsafe impl<T: FileSystem> Sync for SuperBlock<T> {}

impl<T: FileSystem> SuperBlock<T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `sb` is a superblock of `T` that `sget_fc` has made visible, and it is valid during `'a`.
    pub(crate) unsafe fn from_raw<'a>(sb: *mut bindings::super_block) -> &'a Self {
        // INVARIANT: `sget_fc` set `s_fs_info`; `kill_sb` drops it when nobody reaches it.
        // SAFETY: `Self` is transparent over `struct super_block`.
        unsafe { &*sb.cast() }
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::super_block {
        self.0.get()
    }

    /// The file system's data.
    pub fn data(&self) -> &T::Super {
        // SAFETY: By the type invariant.
        unsafe { &*(*self.as_ptr()).s_fs_info.cast::<T::Super>() }
    }

    /// A reference to the file system's data.
    pub fn data_arc(&self) -> Arc<T::Super> {
        // SAFETY: By the type invariant.
        unsafe { ArcBorrow::from_raw((*self.as_ptr()).s_fs_info.cast::<T::Super>()) }.into()
    }

    /// The device number, in the kernel's encoding.
    pub fn dev(&self) -> u32 {
        // SAFETY: By the type invariant; set by `sget_fc` once and for all.
        unsafe { (*self.as_ptr()).s_dev }
    }

    /// Whether its root is gone, as an unmount is under way. To be asked with the superblock locked (`s_umount`).
    pub fn is_rootless(&self) -> bool {
        // SAFETY: By the type invariant; what changes it has the lock exclusively.
        unsafe { (*self.as_ptr()).s_root.is_null() }
    }

    /// Whether it lies on a block device.
    pub fn has_device(&self) -> bool {
        // SAFETY: By the type invariant; set before it is filled, once and for all.
        unsafe { !(*self.as_ptr()).s_bdev.is_null() }
    }

    /// The size of a block, in bytes: a page, unless [`NewSuper::set_blocksize`] set it.
    pub fn blocksize(&self) -> u32 {
        // CAST: No more than the largest folio.
        // SAFETY: By the type invariant; set while it is filled.
        unsafe { (*self.as_ptr()).s_blocksize as u32 }
    }

    /// The next mount of the device it lies on, if it lies on one, is not to find it (`retire_super`). May sleep; not
    /// with the superblock locked.
    pub fn retire(&self) {
        if self.has_device() {
            // SAFETY: By the type invariant.
            unsafe { bindings::retire_super(self.as_ptr()) };
        }
    }

    /// Drops all dentries that nobody uses (`shrink_dcache_sb`). May sleep.
    pub fn shrink_dcache(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::shrink_dcache_sb(self.as_ptr()) };
    }

    /// Whether the superblock is read-only (`SB_RDONLY`).
    pub fn is_readonly(&self) -> bool {
        // SAFETY: By the type invariant. A racing remount may change the word.
        unsafe {
            ptr::read_volatile(&raw const (*self.as_ptr()).s_flags) & bindings::SB_RDONLY != 0
        }
    }
}

/// A superblock that is locked.
///
/// # Invariants
///
/// This thread holds `s_umount` exclusively.
pub struct LockedSuper<'a, T: FileSystem>(&'a SuperBlock<T>);

impl<T: FileSystem> Deref for LockedSuper<'_, T> {
    type Target = SuperBlock<T>;

    fn deref(&self) -> &SuperBlock<T> {
        self.0
    }
}

impl<T: FileSystem> LockedSuper<'_, T> {
    /// Sets the granularity of time stamps, in nanoseconds; 1 unless set.
    pub fn set_time_gran(&mut self, nsec: u32) {
        // SAFETY: Locked, by the type invariant; so it is below. Readers take what they find.
        unsafe { (*self.as_ptr()).s_time_gran = nsec };
    }

    /// Says how many file systems it is stacked upon at most: those that lie below it must be stacked less deeply.
    pub fn set_stack_depth(&mut self, depth: u8) {
        // SAFETY: As in `set_time_gran`.
        unsafe { (*self.as_ptr()).s_stack_depth = depth.into() };
    }

    /// Makes the VFS honour access control lists (`SB_POSIXACL`).
    pub fn set_posixacl(&mut self) {
        // SAFETY: As in `set_time_gran`.
        unsafe { (*self.as_ptr()).s_flags |= bindings::SB_POSIXACL };
    }

    /// Lets mounts map ids, which they may not unless set (`SB_I_NOIDMAP`).
    pub fn allow_idmap(&mut self) {
        // CAST: Lossless, as below.
        // SAFETY: As in `set_time_gran`.
        unsafe { (*self.as_ptr()).s_iflags &= !(bindings::SB_I_NOIDMAP as c_ulong) };
    }

    /// Gives out file handles.
    pub fn set_export_op(&mut self, operations: ExportOps<T>) {
        // SAFETY: As in `set_time_gran`; the table is static.
        unsafe { (*self.as_ptr()).s_export_op = operations.as_ptr().cast() };
    }

    /// Bounds readahead and the preferred size of a read, both in pages. After [`NewSuper::setup_bdi`].
    pub fn set_readahead(&mut self, ra_pages: usize, io_pages: usize) {
        // SAFETY: As in `set_time_gran`; a superblock always has a backing device.
        unsafe {
            (*(*self.as_ptr()).s_bdi).ra_pages = ra_pages;
            (*(*self.as_ptr()).s_bdi).io_pages = io_pages;
        }
    }
}

/// Keeps a superblock from being killed.
///
/// # Invariants
///
/// It has an active reference of its own, and was filled, or is being filled.
pub struct ActiveSuper<T: FileSystem>(NonNull<bindings::super_block>, PhantomData<fn() -> T>);

// SAFETY: Active references may be dropped by any thread.
unsafe impl<T: FileSystem> Send for ActiveSuper<T> {}

impl<T: FileSystem> ActiveSuper<T> {
    /// Locks the superblock and lets `change` have it. Waits for a mount that is under way. May sleep.
    pub fn locked<R>(&self, change: impl FnOnce(&mut LockedSuper<'_, T>) -> R) -> R {
        let sb = self.0.as_ptr();
        // SAFETY: By the type invariant it is valid; the lock is given back below.
        unsafe {
            bindings::down_write(&raw mut (*sb).s_umount);
            let result = change(&mut LockedSuper(SuperBlock::from_raw(sb)));
            bindings::up_write(&raw mut (*sb).s_umount);
            result
        }
    }
}

impl<T: FileSystem> Drop for ActiveSuper<T> {
    /// The last reference kills the superblock. May sleep.
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::deactivate_super(self.0.as_ptr()) };
    }
}

/// A superblock that is being filled, with its data, but without a root.
///
/// # Invariants
///
/// The caller of the hook holds `s_umount` exclusively, and nobody uses the superblock yet.
pub struct NewSuper<'a, T: FileSystem>(LockedSuper<'a, T>);

/// A superblock with a root.
///
/// # Invariants
///
/// `s_root` is set.
pub struct FilledSuper<'a, T: FileSystem>(PhantomData<(&'a SuperBlock<T>, T)>);

impl<'a, T: FileSystem> Deref for NewSuper<'a, T> {
    type Target = LockedSuper<'a, T>;

    fn deref(&self) -> &LockedSuper<'a, T> {
        &self.0
    }
}

impl<'a, T: FileSystem> DerefMut for NewSuper<'a, T> {
    fn deref_mut(&mut self) -> &mut LockedSuper<'a, T> {
        &mut self.0
    }
}

impl<'a, T: FileSystem> NewSuper<'a, T> {
    /// Sets the magic number that `statfs(2)` shows.
    pub fn set_magic(&mut self, magic: usize) {
        // SAFETY: Exclusive, by the type invariant; so it is below.
        unsafe { (*self.as_ptr()).s_magic = magic };
    }

    /// Sets the size of a block, that of the device too, in bytes; that of a page unless set. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a size that the device cannot have, and without a device.
    pub fn set_blocksize(&mut self, bytes: u32) -> Result {
        let size = c_int::try_from(bytes)?;
        if !self.has_device() {
            return Err(EINVAL);
        }
        // SAFETY: As in `set_magic`.
        match unsafe { bindings::sb_set_blocksize(self.as_ptr(), size) } {
            0 => Err(EINVAL),
            _ => Ok(()),
        }
    }

    /// Sets the largest size of a file, in bytes; all the page cache can hold unless set.
    pub fn set_maxbytes(&mut self, bytes: i64) {
        // SAFETY: As in `set_magic`.
        unsafe { (*self.as_ptr()).s_maxbytes = bytes };
    }

    /// Makes the superblock read-only.
    pub fn set_readonly(&mut self) {
        // SAFETY: As in `set_magic`.
        unsafe { (*self.as_ptr()).s_flags |= bindings::SB_RDONLY };
    }

    /// Says that `sync(2)` cannot guarantee persistence (`SB_I_NO_DATA_INTEGRITY`).
    pub fn set_no_data_integrity(&mut self) {
        // CAST: Lossless, `unsigned long` has at least 32 bits.
        // SAFETY: As in `set_magic`.
        unsafe { (*self.as_ptr()).s_iflags |= bindings::SB_I_NO_DATA_INTEGRITY as c_ulong };
    }

    /// Slows writers down by what the device itself has to write, not by what all of the system has
    /// (`BDI_CAP_STRICTLIMIT`). After [`Self::setup_bdi`].
    pub fn set_strictlimit(&mut self) {
        // SAFETY: As in `set_magic`; the backing device is there, as nothing but `setup_bdi` sets another.
        unsafe { bindings::sb_set_strictlimit(self.as_ptr()) };
    }

    /// A reference that keeps it, once it is filled.
    pub fn activate(&self) -> ActiveSuper<T> {
        let sb = self.as_ptr();
        // INVARIANT: Counted here; whoever fills it has a reference.
        // SAFETY: Valid, and active.
        unsafe {
            bindings::sb_activate(sb);
            ActiveSuper(NonNull::new_unchecked(sb), PhantomData)
        }
    }

    /// Sets what follows the type's name and a dot in `/proc/mounts`. To be called once. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn set_subtype(&mut self, name: &CStr) -> Result {
        // SAFETY: As in `set_magic`; the VFS frees the copy.
        unsafe {
            let copy = bindings::kstrdup(name.as_char_ptr(), bindings::GFP_KERNEL);
            (*self.as_ptr()).s_subtype = copy;
            match copy.is_null() {
                true => Err(ENOMEM),
                false => Ok(()),
            }
        }
    }

    /// Gives the superblock a backing device of its own, instead of that of the block device it lies on: `ra_pages`
    /// bounds readahead, `io_pages` is the preferred size of a read; both in pages.
    ///
    /// To be called once; `EBUSY` if it was.
    pub fn setup_bdi(&mut self, ra_pages: usize, io_pages: usize) -> Result {
        let sb = self.as_ptr();
        // SAFETY: As in `set_magic`.
        if unsafe { (*sb).s_iflags } & bindings::SB_I_PERSB_BDI as c_ulong != 0 {
            return Err(EBUSY);
        }
        if self.has_device() {
            // SAFETY: As in `set_magic`; the superblock gives its reference to that of the block device back.
            unsafe {
                bindings::bdi_put((*sb).s_bdi);
                (*sb).s_bdi = &raw mut bindings::noop_backing_dev_info;
            }
        }
        let dev = self.dev();
        // CAST: Constants of C; the format is only read.
        let (major, minor) = (
            dev >> bindings::MINORBITS,
            dev & ((1 << bindings::MINORBITS) - 1),
        );
        // SAFETY: The arguments are those the format names. On success `s_bdi` is the new device.
        unsafe {
            to_result(bindings::super_setup_bdi_name(
                sb,
                c"%u:%u-%s".as_char_ptr().cast_mut(),
                major,
                minor,
                T::NAME.as_char_ptr(),
            ))?;
        }
        self.set_readahead(ra_pages, io_pages);
        Ok(())
    }

    /// Sets the root, an inode of this superblock; one that is no directory can be mounted on a file alone.
    ///
    /// Fails with `EINVAL` if it is of another one, and with `ENOMEM`.
    pub fn with_root(self, root: ARef<Inode<T>>) -> Result<FilledSuper<'a, T>> {
        // An inode of another superblock would be trusted blindly.
        if !ptr::eq(root.super_block(), self.0 .0) {
            return Err(EINVAL);
        }
        // SAFETY: The inode is initialised. The call consumes the reference, even if it fails.
        let root = unsafe { bindings::d_make_root(ARef::into_raw(root).as_ptr().cast()) };
        if root.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: As in `set_magic`.
        unsafe { (*self.as_ptr()).s_root = root };
        // INVARIANT: Just set.
        Ok(FilledSuper(PhantomData))
    }
}

/// Makes a new superblock ready, with the help of the file system.
///
/// # Safety
///
/// `sb` is new: `sget_fc` returned it, with its data, locked and without a root.
pub(crate) unsafe fn fill<T: FileSystem>(
    sb: *mut bindings::super_block,
    fc: &FsContext<'_, T>,
    context: &mut T::Context,
) -> Result {
    // SAFETY: By the safety requirements nobody else uses `sb`; the tables are static.
    unsafe {
        (*sb).s_op = &Table::<T>::OPERATIONS;
        (*sb).s_xattr = xattr::Table::<T>::HANDLERS.as_ptr();
        (*sb).s_time_gran = 1;
        (*sb).s_maxbytes = bindings::MAX_LFS_FILESIZE;
        (*sb).s_blocksize = kernel::page::PAGE_SIZE;
        // CAST: A small constant.
        (*sb).s_blocksize_bits = bindings::PAGE_SHIFT as u8;
        (*sb).s_iflags |= bindings::SB_I_NOIDMAP as c_ulong;
        // What a device's file system has by itself: others may change files that are here, too.
        (*sb).s_flags &= !bindings::SB_NOSEC;
        if !ptr::eq((*sb).s_user_ns.cast(), &raw const bindings::init_user_ns) {
            (*sb).s_iflags |= bindings::SB_I_UNTRUSTED_MOUNTER as c_ulong;
        }
        bindings::set_default_d_op(sb, dentry::operations::<T>());
    }
    // INVARIANT: By the safety requirements.
    // SAFETY: As above.
    let new = NewSuper(LockedSuper(unsafe { SuperBlock::from_raw(sb) }));
    let _filled = T::fill_super(new, fc, context)?;
    // SAFETY: As above.
    unsafe { (*sb).s_flags |= bindings::SB_ACTIVE };
    Ok(())
}

/// Kills a superblock.
///
/// # Safety
///
/// Called by the VFS with a superblock of `T` at its last active reference.
pub(crate) unsafe extern "C" fn kill_sb<T: FileSystem>(sb: *mut bindings::super_block) {
    // SAFETY: `sget_fc` set an `Arc` from `into_raw`. It is used only after `sget_fc` can no longer
    // look at the superblock.
    let data = unsafe { Arc::<T::Super>::from_raw((*sb).s_fs_info.cast()) };
    // SAFETY: The VFS has the superblock locked; one with a root was filled.
    unsafe {
        if !(*sb).s_root.is_null() {
            // An error stays with the files.
            bindings::sync_filesystem(sb);
        }
    }
    // SAFETY: As above.
    super_slot::close::<T>(unsafe { SuperBlock::from_raw(sb) });
    T::shutdown_super(&data);
    // SAFETY: Numbers that `set_anon_super_fc` gives have no major part; all others are those of block devices.
    unsafe {
        match (*sb).s_dev >> bindings::MINORBITS {
            0 => bindings::kill_anon_super(sb),
            _ => bindings::kill_block_super(sb),
        }
    }
    T::kill_super(&data);
    // RCU walks that began before the unmount may be in a hook, and in this module's code.
    synchronize_rcu();
    drop(data);
}

/// The hooks of superblocks of the type `T`.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const OPERATIONS: bindings::super_operations = bindings::super_operations {
        alloc_inode: Some(alloc_inode::<T>),
        free_inode: Some(free_inode::<T>),
        drop_inode: if T::JUST_DROP {
            Some(bindings::inode_just_drop)
        } else {
            None
        },
        evict_inode: Some(evict_inode::<T>),
        write_inode: Some(write_inode::<T>),
        sync_fs: Some(sync_fs::<T>),
        statfs: Some(statfs::<T>),
        umount_begin: Some(umount_begin::<T>),
        show_options: Some(show_options::<T>),
        ..pin_init::zeroed()
    };
}

/// Allocates an inode.
///
/// # Safety
///
/// Called by the VFS with a superblock of `T`.
unsafe extern "C" fn alloc_inode<T: FileSystem>(
    sb: *mut bindings::super_block,
) -> *mut bindings::inode {
    // SAFETY: The type of the superblock is that of a registration, which it keeps.
    unsafe { Registration::<T>::from_type((*sb).s_type).cache().alloc(sb) }
}

/// Frees an inode, in softirq context.
///
/// # Safety
///
/// Called by the VFS after a grace period, with an inode of `T` that nobody knows.
unsafe extern "C" fn free_inode<T: FileSystem>(inode: *mut bindings::inode) {
    // SAFETY: All inodes of `T` come from `alloc_inode`.
    unsafe { InodeCache::<T>::free(inode) };
}

/// Evicts an inode.
///
/// # Safety
///
/// Called by the VFS with an inode of `T` nobody references.
unsafe extern "C" fn evict_inode<T: FileSystem>(inode: *mut bindings::inode) {
    // SAFETY: By the safety requirements; this is what the hook has to begin with.
    unsafe {
        bindings::truncate_inode_pages_final(&raw mut (*inode).i_data);
        bindings::clear_inode(inode);
    }
    // SAFETY: The slot lives on until `free_inode`.
    T::evict_inode(unsafe { LentInode::from_raw(inode) });
}

/// Writes an inode back.
///
/// # Safety
///
/// Called by the VFS with an inode of `T`, which it keeps.
unsafe extern "C" fn write_inode<T: FileSystem>(
    inode: *mut bindings::inode,
    wbc: *mut bindings::writeback_control,
) -> c_int {
    from_result(|| {
        // SAFETY: The VFS keeps its request valid during the call.
        let wbc = unsafe { &*wbc };
        let is_sync = wbc.sync_mode == bindings::writeback_sync_modes_WB_SYNC_ALL;
        // SAFETY: By the safety requirements.
        let inode = unsafe { LentInode::from_raw(inode) };
        T::write_inode(inode, is_sync && wbc.for_sync() == 0)?;
        Ok(0)
    })
}

/// Makes a superblock durable.
///
/// # Safety
///
/// Called by the VFS with a superblock of `T`, locked.
unsafe extern "C" fn sync_fs<T: FileSystem>(sb: *mut bindings::super_block, wait: c_int) -> c_int {
    from_result(|| {
        // A call that may not wait precedes one that does.
        if wait != 0 {
            // SAFETY: By the safety requirements.
            T::sync_fs(unsafe { SuperBlock::from_raw(sb) })?;
        }
        Ok(0)
    })
}

/// Answers `statfs(2)`.
///
/// # Safety
///
/// Called by the VFS with a dentry of `T` and a zeroed buffer.
unsafe extern "C" fn statfs<T: FileSystem>(
    dentry: *mut bindings::dentry,
    buf: *mut kernel::bindings::kstatfs,
) -> c_int {
    from_result(|| {
        // SAFETY: The VFS holds a reference to the dentry.
        let stat = T::statfs(unsafe { Dentry::from_raw(dentry) })?;
        // SAFETY: By the safety requirements. The kernel crate knows the type by name only.
        let buf = unsafe { &mut *buf.cast::<bindings::kstatfs>() };
        stat.fill(buf);
        // SAFETY: The superblock of a dentry is valid.
        unsafe {
            // CAST: The same bits.
            buf.f_type = (*(*dentry).d_sb).s_magic as c_long;
            buf.f_fsid = bindings::dev_to_fsid((*(*dentry).d_sb).s_dev);
        }
        Ok(0)
    })
}

/// Begins a forced unmount.
///
/// # Safety
///
/// Called by the VFS with a mounted superblock of `T`.
unsafe extern "C" fn umount_begin<T: FileSystem>(sb: *mut bindings::super_block) {
    // SAFETY: By the safety requirements.
    T::umount_begin(unsafe { SuperBlock::from_raw(sb) });
}

/// Shows the mount options.
///
/// # Safety
///
/// Called by the VFS with a `seq_file` of this thread and the root of a mounted superblock of `T`.
unsafe extern "C" fn show_options<T: FileSystem>(
    m: *mut bindings::seq_file,
    root: *mut bindings::dentry,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements; the mount holds a reference to its root.
        unsafe { T::show_options(Dentry::from_raw(root), SeqFile::from_raw(m)) }?;
        Ok(0)
    })
}
