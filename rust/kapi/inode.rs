// SPDX-License-Identifier: GPL-2.0

//! Inodes.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    address_space::Mapping, bindings, dentry::Dentry, fs::FileSystem, ids::MntIdmap,
    inode_cache::InodeSlot, inode_operations::Permission, stat::KStat, super_block::SuperBlock,
    time::Timespec, walk::RefWalk,
};
use core::{marker::PhantomData, ops::Deref, ptr, ptr::NonNull};
use kernel::{
    error::to_result,
    prelude::*,
    sync::aref::{ARef, AlwaysRefCounted},
    types::{NotThreadSafe, Opaque},
};

/// What an inode is, by its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `S_IFREG`
    Regular,
    /// `S_IFDIR`
    Directory,
    /// `S_IFLNK`
    Symlink,
    /// `S_IFCHR`
    CharDevice,
    /// `S_IFBLK`
    BlockDevice,
    /// `S_IFIFO`
    Fifo,
    /// `S_IFSOCK`
    Socket,
}

impl FileKind {
    /// The kind that the type bits of a mode name, if they name any.
    pub fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & bindings::S_IFMT {
            bindings::S_IFREG => Self::Regular,
            bindings::S_IFDIR => Self::Directory,
            bindings::S_IFLNK => Self::Symlink,
            bindings::S_IFCHR => Self::CharDevice,
            bindings::S_IFBLK => Self::BlockDevice,
            bindings::S_IFIFO => Self::Fifo,
            bindings::S_IFSOCK => Self::Socket,
            _ => return None,
        })
    }

    /// The type bits of a mode.
    pub fn type_bits(self) -> u16 {
        let bits = match self {
            Self::Regular => bindings::S_IFREG,
            Self::Directory => bindings::S_IFDIR,
            Self::Symlink => bindings::S_IFLNK,
            Self::CharDevice => bindings::S_IFCHR,
            Self::BlockDevice => bindings::S_IFBLK,
            Self::Fifo => bindings::S_IFIFO,
            Self::Socket => bindings::S_IFSOCK,
        };
        // CAST: The bits are those of a `umode_t`.
        bits as u16
    }
}

/// Attributes as a file system keeps them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InodeAttributes {
    /// Permission bits; others are ignored (`0o7777`).
    pub perm: u16,
    /// Number of hard links.
    pub nlink: u32,
    /// Owner, in the user namespace of the superblock.
    pub uid: u32,
    /// Group, in the user namespace of the superblock.
    pub gid: u32,
    /// Time of the last access.
    pub atime: Timespec,
    /// Time of the last change of the contents; `None` leaves it as it is.
    pub mtime: Option<Timespec>,
    /// Time of the last change of the inode; `None` leaves it as it is.
    pub ctime: Option<Timespec>,
    /// Size on disk, in units of 512 bytes.
    pub blocks: u64,
}

/// An inode of the file system `T` that a hook is lent.
///
/// It may have no reference: an RCU walk sees inodes that are being freed, and so does the hook
/// that evicts them. [`Inode`] is what can be counted.
///
/// # Invariants
///
/// It was allocated by the superblock operations of `T`, and its slot is not freed while this is
/// borrowed.
#[repr(transparent)]
pub struct LentInode<T: FileSystem>(Opaque<bindings::inode>, PhantomData<T>);

// SAFETY: Inodes are used from any thread; the data is `Sync`.
unsafe impl<T: FileSystem> Sync for LentInode<T> {}
// SAFETY: As above.
unsafe impl<T: FileSystem> Send for LentInode<T> {}

/// A referenced inode of the file system `T`.
///
/// References must be gone before the superblock is: the file system drops those it keeps for
/// itself in `umount_begin` or earlier hooks.
///
/// # Invariants
///
/// As [`LentInode`]; a reference is held while this is borrowed.
#[repr(transparent)]
pub struct Inode<T: FileSystem>(LentInode<T>);

// SAFETY: `ihold` and `iput` count references.
unsafe impl<T: FileSystem> AlwaysRefCounted for Inode<T> {
    fn inc_ref(&self) {
        // SAFETY: By the type invariant the count is not zero.
        unsafe { bindings::ihold(self.as_ptr()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirements.
        unsafe { bindings::iput(obj.cast().as_ptr()) };
    }
}

impl<T: FileSystem> Deref for Inode<T> {
    type Target = LentInode<T>;

    fn deref(&self) -> &LentInode<T> {
        &self.0
    }
}

impl<T: FileSystem> Inode<T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `inode` is an inode of `T`, and a reference to it is held during `'a`.
    pub(crate) unsafe fn from_raw<'a>(inode: *mut bindings::inode) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct inode`; the rest by the safety requirements.
        unsafe { &*inode.cast() }
    }

    /// Takes a reference over from C.
    ///
    /// # Safety
    ///
    /// `inode` is an inode of `T`, and the caller gives up a reference to it.
    pub(crate) unsafe fn take(inode: NonNull<bindings::inode>) -> ARef<Self> {
        // SAFETY: By the safety requirements.
        unsafe { ARef::from_raw(inode.cast()) }
    }

    /// Locks the inode exclusively, as `write(2)` does (`inode_lock`). May sleep.
    pub fn lock(&self) -> InodeLock<'_, T> {
        // SAFETY: By the type invariant.
        unsafe { bindings::inode_lock(self.as_ptr()) };
        // INVARIANT: Just locked.
        InodeLock(self, NotThreadSafe)
    }

    /// As [`Self::lock`], for a directory that another inode is locked after (`I_MUTEX_PARENT`). May sleep.
    pub fn lock_as_parent(&self) -> InodeLock<'_, T> {
        // SAFETY: By the type invariant.
        unsafe { bindings::inode_lock_parent(self.as_ptr()) };
        // INVARIANT: Just locked.
        InodeLock(self, NotThreadSafe)
    }

    /// A dentry of it, if there is one; for a directory the only one (`d_find_alias`).
    pub fn d_find_alias(&self) -> Option<ARef<Dentry<T>>> {
        // SAFETY: By the type invariant. A result is a referenced dentry of the same superblock.
        unsafe {
            let dentry = bindings::d_find_alias(self.as_ptr());
            NonNull::new(dentry).map(|dentry| ARef::from_raw(dentry.cast()))
        }
    }

    /// Drops the dentries of it that nobody uses (`d_prune_aliases`). May sleep.
    pub fn d_prune_aliases(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::d_prune_aliases(self.as_ptr()) };
    }

    /// As [`Self::lock`], if nobody has it locked. Does not sleep.
    pub fn try_lock(&self) -> Option<InodeLock<'_, T>> {
        // SAFETY: By the type invariant.
        let locked = unsafe { bindings::inode_trylock(self.as_ptr()) };
        // INVARIANT: Just locked, if so.
        locked.then(|| InodeLock(self, NotThreadSafe))
    }

    /// As [`Self::lock`], together with others who do (`inode_lock_shared`). May sleep.
    pub fn lock_shared(&self) -> InodeSharedLock<'_, T> {
        // SAFETY: By the type invariant.
        unsafe { bindings::inode_lock_shared(self.as_ptr()) };
        // INVARIANT: Just locked.
        InodeSharedLock(self, NotThreadSafe)
    }

    /// Checks that a file may grow to `size` bytes (`inode_newsize_ok`).
    ///
    /// # Errors
    ///
    /// `EFBIG`, after a signal where that is due; `ETXTBSY`.
    pub fn newsize_ok(&self, size: i64) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::inode_newsize_ok(self.as_ptr(), size) })
    }

    /// Writes the inode's attributes back, if they differ from what the file system has
    /// (`sync_inode_metadata`). May sleep.
    ///
    /// # Errors
    ///
    /// The file system's.
    pub fn sync_metadata(&self) -> Result {
        // SAFETY: By the type invariant.
        to_result(unsafe { bindings::sync_inode_metadata(self.as_ptr(), 1) })
    }

    /// Throws pages of the cache away that lie beyond `size`, in bytes. May sleep.
    pub fn truncate_pagecache(&self, size: i64) {
        // SAFETY: By the type invariant.
        unsafe { bindings::truncate_pagecache(self.as_ptr(), size.max(0)) };
    }

    /// Whether the caller is of the inode's group, or may act as if (`CAP_FSETID`).
    pub fn in_group_or_capable(&self, idmap: &MntIdmap) -> bool {
        // SAFETY: Both are valid, by their type invariants.
        unsafe { bindings::inode_in_group_or_capable(idmap.as_ptr(), self.as_ptr()) }
    }

    /// The inode's group, if the caller is of it only by its supplementary groups; in the user namespace of
    /// the superblock.
    pub fn supplementary_group(&self, idmap: &MntIdmap) -> Option<u32> {
        let mut gid = 0;
        // SAFETY: All are valid, by their type invariants.
        let is_one =
            unsafe { bindings::inode_supplementary_group(idmap.as_ptr(), self.as_ptr(), &mut gid) };
        is_one.then_some(gid)
    }

    /// Fills `stat` with the inode's attributes.
    pub fn generic_fillattr(&self, idmap: &MntIdmap, request_mask: u32, stat: &mut KStat<'_>) {
        // SAFETY: All arguments are valid, by their type invariants.
        unsafe {
            bindings::generic_fillattr(
                idmap.as_ptr(),
                request_mask,
                self.as_ptr(),
                stat.as_mut_ptr(),
            )
        };
    }
}

/// An inode that is locked exclusively (`inode->i_rwsem`), until this is dropped.
///
/// # Invariants
///
/// The lock is this value's.
pub struct InodeLock<'a, T: FileSystem>(&'a Inode<T>, NotThreadSafe);

impl<T: FileSystem> Drop for InodeLock<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::inode_unlock(self.0.as_ptr()) };
    }
}

/// The lock of an inode, shared with others.
///
/// # Invariants
///
/// This thread has it.
pub struct InodeSharedLock<'a, T: FileSystem>(&'a Inode<T>, NotThreadSafe);

impl<T: FileSystem> Drop for InodeSharedLock<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::inode_unlock_shared(self.0.as_ptr()) };
    }
}

impl<T: FileSystem> LentInode<T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `inode` is an inode of `T`, which is not freed during `'a`.
    pub(crate) unsafe fn from_raw<'a>(inode: *mut bindings::inode) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct inode`; the rest by the safety requirements.
        unsafe { &*inode.cast() }
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::inode {
        self.0.get()
    }

    /// The inode as a referenced one, which it is in reference walk.
    pub fn referenced<'a>(&'a self, _walk: RefWalk<'a>) -> &'a Inode<T> {
        // SAFETY: By the invariant of `RefWalk` whoever lent the inode holds a reference.
        unsafe { Inode::from_raw(self.as_ptr()) }
    }

    /// The file system's data.
    pub fn data(&self) -> &T::Inode {
        // SAFETY: By the type invariant.
        unsafe { InodeSlot::<T>::data(self.as_ptr()) }
    }

    /// Its superblock.
    pub fn super_block(&self) -> &SuperBlock<T> {
        // SAFETY: `i_sb` never changes. The superblock, and its data, outlive its inodes and the
        // RCU walks that may see them.
        unsafe { SuperBlock::from_raw((*self.as_ptr()).i_sb) }
    }

    /// The data of its superblock.
    pub fn super_data(&self) -> &T::Super {
        self.super_block().data()
    }

    /// Reads a word other threads may change.
    fn read<V: Copy>(&self, field: impl FnOnce(*mut bindings::inode) -> *const V) -> V {
        // SAFETY: By the type invariant, and the closures below name fields in bounds.
        unsafe { ptr::read_volatile(field(self.as_ptr())) }
    }

    /// Type and permission bits.
    pub fn mode(&self) -> u16 {
        // SAFETY: In bounds.
        self.read(|inode| unsafe { &raw const (*inode).i_mode })
    }

    /// What the inode is. A bad inode is a regular file.
    pub fn kind(&self) -> FileKind {
        FileKind::from_mode(self.mode().into()).unwrap_or(FileKind::Regular)
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == FileKind::Directory
    }

    /// The times of the last change of the contents, and of the inode.
    pub fn mtime_ctime(&self) -> (Timespec, Timespec) {
        // SAFETY: By the type invariant.
        unsafe {
            (
                bindings::inode_get_mtime(self.as_ptr()).into(),
                bindings::inode_get_ctime(self.as_ptr()).into(),
            )
        }
    }

    /// A reference of its own, unless the inode is about to be freed (`igrab`). Takes `i_lock`.
    pub fn grab(&self) -> Option<ARef<Inode<T>>> {
        // SAFETY: By the type invariant.
        let inode = NonNull::new(unsafe { bindings::igrab(self.as_ptr()) })?;
        // SAFETY: It is this one, and the result takes the reference over.
        Some(unsafe { ARef::from_raw(inode.cast()) })
    }

    /// The inode number.
    pub fn ino(&self) -> u64 {
        // SAFETY: In bounds.
        self.read(|inode| unsafe { &raw const (*inode).i_ino })
    }

    /// The generation, which tells inodes apart that had the same number one after the other.
    pub fn generation(&self) -> u32 {
        // SAFETY: In bounds.
        self.read(|inode| unsafe { &raw const (*inode).i_generation })
    }

    /// The number of hard links.
    pub fn nlink(&self) -> u32 {
        // SAFETY: In bounds; both members of the union are the same word.
        self.read(|inode| unsafe { &raw const (*inode).__bindgen_anon_1.i_nlink })
    }

    /// Whether the inode has only errors to offer (`make_bad_inode`).
    pub fn is_bad(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::is_bad_inode(self.as_ptr()) }
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        // SAFETY: By the type invariant.
        let size = unsafe { bindings::i_size_read(self.as_ptr()) };
        size.try_into().unwrap_or(0)
    }

    /// Sets the size in bytes, without touching the page cache. Sizes no file can have are cut.
    ///
    /// The caller serialises changes of the size. Any context.
    pub fn i_size_write(&self, size: u64) {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        // SAFETY: By the type invariant. With 64 bits a size is one word.
        unsafe { bindings::i_size_write(self.as_ptr(), size) };
    }

    /// Sets attributes. The type of the inode stays.
    ///
    /// The caller serialises changes of attributes. It does not sleep.
    pub fn set_attributes(&self, attributes: &InodeAttributes) {
        let inode = self.as_ptr();
        let mode = self.kind().type_bits() | (attributes.perm & 0o7777);
        // SAFETY: By the type invariant, and the superblock has a user namespace. Readers take what
        // they find, word by word.
        unsafe {
            let ns = (*(*inode).i_sb).s_user_ns;
            ptr::write_volatile(&raw mut (*inode).i_mode, mode);
            (*inode).i_uid = bindings::make_kuid(ns, attributes.uid);
            (*inode).i_gid = bindings::make_kgid(ns, attributes.gid);
            bindings::set_nlink(inode, attributes.nlink);
            (*inode).i_blocks = attributes.blocks;
        }
        self.set_times(attributes);
    }

    fn set_times(&self, attributes: &InodeAttributes) {
        let atime = attributes.atime;
        // SAFETY: By the type invariant.
        unsafe {
            bindings::inode_set_atime(self.as_ptr(), atime.sec, atime.nsec as c_long);
            if let Some(mtime) = attributes.mtime {
                bindings::inode_set_mtime(self.as_ptr(), mtime.sec, mtime.nsec as c_long);
            }
            if let Some(ctime) = attributes.ctime {
                bindings::inode_set_ctime(self.as_ptr(), ctime.sec, ctime.nsec as c_long);
            }
        }
    }

    /// Sets the time of the last change of the contents.
    pub fn set_mtime(&self, time: Timespec) {
        // SAFETY: By the type invariant.
        unsafe { bindings::inode_set_mtime(self.as_ptr(), time.sec, time.nsec as c_long) };
    }

    /// Sets the time of the last change of the inode.
    pub fn set_ctime(&self, time: Timespec) {
        // SAFETY: By the type invariant.
        unsafe { bindings::inode_set_ctime(self.as_ptr(), time.sec, time.nsec as c_long) };
    }

    /// Takes a name away from the number of hard links; all of them if it is a directory.
    ///
    /// The caller serialises changes of attributes. It does not sleep.
    pub fn drop_link(&self) {
        // SAFETY: By the type invariant. A number that is zero stays, which C would warn of.
        unsafe {
            match (self.is_dir(), self.nlink()) {
                (true, _) => bindings::clear_nlink(self.as_ptr()),
                (false, 0) => {}
                (false, _) => bindings::drop_nlink(self.as_ptr()),
            }
        }
    }

    /// Makes access control lists be read again. Does not sleep.
    pub fn forget_all_cached_acls(&self) {
        // SAFETY: The inode is live, by the type invariants.
        unsafe { bindings::forget_all_cached_acls(self.as_ptr()) };
    }

    /// Takes the inode out of the hash, so that `ilookup5` and `iget5_locked` no longer find it.
    /// It may be taken out already.
    pub fn remove_inode_hash(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::remove_inode_hash(self.as_ptr()) };
    }

    /// Counts pages, or discounts them, as under writeback to the backing device: those who write are
    /// slowed down by it (`WB_WRITEBACK`). Any context.
    pub fn count_writeback(&self, pages: isize) {
        // SAFETY: By the type invariant.
        unsafe { bindings::bdi_count_writeback(self.as_ptr(), pages as c_long) };
    }

    /// The page cache of the inode.
    pub fn mapping(&self) -> &Mapping<T> {
        // SAFETY: `i_data` is part of the inode. (`i_mapping` of a device node is the device's.)
        unsafe { Mapping::from_raw(&raw mut (*self.as_ptr()).i_data) }
    }

    /// Checks permissions by mode bits and owner. Does not sleep if `mask` forbids it.
    pub fn generic_permission(&self, idmap: &MntIdmap, mask: Permission) -> Result {
        // SAFETY: Both are valid, by their type invariants.
        to_result(unsafe {
            bindings::generic_permission(idmap.as_ptr(), self.as_ptr(), mask.bits())
        })
    }
}
