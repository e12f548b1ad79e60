// SPDX-License-Identifier: GPL-2.0

//! Dentries.
//!
//! C header: [`include/linux/dcache.h`](srctree/include/linux/dcache.h)

use crate::{
    bindings,
    fs::FileSystem,
    fs_context,
    inode::{Inode, LentInode},
    super_block::SuperBlock,
    walk::{LookupFlags, RefWalk, Walk},
};
use core::{marker::PhantomData, mem::ManuallyDrop, ops::Deref, ptr, ptr::NonNull, slice};
use kernel::{
    error::{from_err_ptr, from_result, to_result},
    prelude::*,
    sync::{
        aref::{ARef, AlwaysRefCounted},
        atomic::Atomic,
    },
    types::Opaque,
};

/// The longest name a dentry may have, in bytes (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// A dentry of the file system `T` that a hook is lent. In RCU walk it has no reference.
///
/// # Invariants
///
/// It belongs to a superblock of `T`, whose dentry operations it has, and is not freed while this
/// is borrowed. Its `d_fsdata` is accessed by [`LentDentry::word`] alone.
#[repr(transparent)]
pub struct LentDentry<T: FileSystem>(Opaque<bindings::dentry>, PhantomData<T>);

// SAFETY: Dentries are used from any thread.
unsafe impl<T: FileSystem> Sync for LentDentry<T> {}
// SAFETY: As above.
unsafe impl<T: FileSystem> Send for LentDentry<T> {}

/// A referenced dentry of the file system `T`.
///
/// # Invariants
///
/// As [`LentDentry`]; a reference is held while this is borrowed.
#[repr(transparent)]
pub struct Dentry<T: FileSystem>(LentDentry<T>);

// SAFETY: `dget` and `dput` count references.
unsafe impl<T: FileSystem> AlwaysRefCounted for Dentry<T> {
    fn inc_ref(&self) {
        // SAFETY: By the type invariant the count is not zero.
        unsafe { bindings::dget(self.as_ptr()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirements.
        unsafe { bindings::dput(obj.cast().as_ptr()) };
    }
}

impl<T: FileSystem> Deref for Dentry<T> {
    type Target = LentDentry<T>;

    fn deref(&self) -> &LentDentry<T> {
        &self.0
    }
}

impl<T: FileSystem> LentDentry<T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `dentry` is a dentry of `T`, which is not freed during `'a`.
    unsafe fn from_raw<'a>(dentry: *mut bindings::dentry) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct dentry`; the rest by the safety requirements.
        unsafe { &*dentry.cast() }
    }

    pub(crate) fn as_ptr(&self) -> *mut bindings::dentry {
        self.0.get()
    }

    /// A word the file system may use as it likes, `d_fsdata`. It is zero in a new dentry.
    pub fn word(&self) -> &Atomic<u64> {
        const { assert!(size_of::<*mut c_void>() == size_of::<u64>()) };
        // SAFETY: The pointer has the size and alignment of the word, and by the type invariant all
        // accesses are atomic.
        unsafe { Atomic::from_ptr((&raw mut (*self.as_ptr()).d_fsdata).cast()) }
    }

    /// The inode, as an RCU walk sees it: it may change at any time.
    pub fn inode_rcu(&self) -> Option<&LentInode<T>> {
        // SAFETY: By the type invariant. The inode belongs to the same superblock, and is freed
        // after a grace period: RCU or the dentry's reference keep it.
        unsafe {
            let inode = bindings::d_inode_rcu(self.as_ptr());
            (!inode.is_null()).then(|| LentInode::from_raw(inode))
        }
    }

    /// Whether the name is known not to exist.
    pub fn is_negative(&self) -> bool {
        self.inode_rcu().is_none()
    }

    /// The superblock.
    pub fn super_block(&self) -> &SuperBlock<T> {
        // SAFETY: `d_sb` never changes; the superblock and its data outlive dentries and the RCU
        // walks that may see them.
        unsafe { SuperBlock::from_raw((*self.as_ptr()).d_sb) }
    }

    /// The dentry as a referenced one, which it is in reference walk.
    pub fn referenced<'a>(&'a self, _walk: RefWalk<'a>) -> &'a Dentry<T> {
        // SAFETY: By the invariant of `RefWalk` whoever lent the dentry holds a reference.
        unsafe { Dentry::from_raw(self.as_ptr()) }
    }
}

impl<T: FileSystem> Dentry<T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `dentry` is a dentry of `T`, and a reference to it is held during `'a`.
    pub(crate) unsafe fn from_raw<'a>(dentry: *mut bindings::dentry) -> &'a Self {
        // SAFETY: `Self` is transparent over `struct dentry`; the rest by the safety requirements.
        unsafe { &*dentry.cast() }
    }

    /// The inode, if the name exists. It stays while the dentry is referenced.
    pub fn inode(&self) -> Option<&Inode<T>> {
        let inode = self.inode_rcu()?;
        // SAFETY: A dentry that has references keeps its inode, and a reference to it.
        Some(unsafe { Inode::from_raw(inode.as_ptr()) })
    }

    /// The dentry of the directory, itself for a root.
    pub fn parent(&self) -> ARef<Self> {
        // SAFETY: By the type invariant. The result is a referenced dentry of the same superblock.
        unsafe {
            let parent = bindings::dget_parent(self.as_ptr());
            ARef::from_raw(NonNull::new_unchecked(parent.cast()))
        }
    }

    /// The name it has now, which another task may change at once. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn current_name(&self) -> Result<KVec<u8>> {
        let mut snapshot = bindings::name_snapshot::default();
        let mut name = KVec::new();
        // SAFETY: The dentry is referenced. The snapshot stays in place until it is released, and its
        // name stays with it.
        unsafe {
            bindings::take_dentry_name_snapshot(&mut snapshot, self.as_ptr());
            let result = name.extend_from_slice(qstr_bytes(&snapshot.name), GFP_KERNEL);
            bindings::release_dentry_name_snapshot(&mut snapshot);
            result?;
        }
        Ok(name)
    }

    /// Unhashes the dentry. Does not sleep.
    pub fn d_drop(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::d_drop(self.as_ptr()) };
    }

    /// Unhashes the dentry, and what is mounted or cached below it. May sleep.
    pub fn d_invalidate(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::d_invalidate(self.as_ptr()) };
    }

    /// The name is gone from the file system: so is it here, and what it stands for loses all its links. The
    /// directory is locked. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if something is mounted on it, `ENOTEMPTY` for a directory with names that are used, `ENOENT`
    /// without an inode.
    pub fn removed(&self) -> Result {
        let inode = self.inode().ok_or(ENOENT)?;
        let dentry = self.as_ptr();
        {
            let _locked = inode.lock();
            // SAFETY: By the type invariant; the inode is locked.
            to_result(unsafe { bindings::dentry_removed(dentry) })?;
        }
        // SAFETY: As above.
        unsafe { bindings::d_delete(dentry) };
        Ok(())
    }

    /// Prunes the unused dentries below this one. May sleep.
    pub fn shrink_dcache_parent(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::shrink_dcache_parent(self.as_ptr()) };
    }
}

/// A name in a directory, with its hash: what the dentry cache is asked for.
///
/// # Invariants
///
/// The name is one that a file can have, and the hash is salted for the directory, which can have
/// names.
pub struct Name<'a, T: FileSystem> {
    parent: &'a Dentry<T>,
    qstr: bindings::qstr,
    _bytes: PhantomData<&'a [u8]>,
}

impl<'a, T: FileSystem> Name<'a, T> {
    /// The name `name` in the directory `parent`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no file can have such a name, `ENOTDIR` if `parent` is not a directory.
    pub fn new(parent: &'a Dentry<T>, name: &'a [u8]) -> Result<Self> {
        // SAFETY: By the type invariant.
        if !unsafe { bindings::d_can_lookup(parent.as_ptr()) } {
            return Err(ENOTDIR);
        }
        let dots = name == b"." || name == b"..";
        let bad = |byte: &u8| *byte == b'/' || *byte == 0;
        if name.is_empty() || name.len() > NAME_MAX || dots || name.iter().any(bad) {
            return Err(EINVAL);
        }
        let mut qstr = bindings::qstr {
            name: name.as_ptr(),
            ..Default::default()
        };
        // CAST: At most `NAME_MAX`.
        let len = name.len() as u32;
        // SAFETY: The name is valid; the parent only salts the hash.
        let hash =
            unsafe { bindings::full_name_hash(parent.as_ptr().cast(), name.as_ptr().cast(), len) };
        qstr.__bindgen_anon_1.__bindgen_anon_1 =
            bindings::qstr__bindgen_ty_1__bindgen_ty_1 { hash, len };
        // INVARIANT: Checked and hashed above.
        Ok(Self {
            parent,
            qstr,
            _bytes: PhantomData,
        })
    }
}

/// Finds a cached name of a directory. Does not sleep.
pub fn d_lookup<T: FileSystem>(name: &Name<'_, T>) -> Option<ARef<Dentry<T>>> {
    // SAFETY: Both are valid. A result is a referenced dentry of the same superblock.
    unsafe {
        let dentry = bindings::d_lookup(name.parent.as_ptr(), &name.qstr);
        NonNull::new(dentry).map(|dentry| ARef::from_raw(dentry.cast()))
    }
}

/// What `d_alloc_parallel` found.
pub enum Parallel<T: FileSystem> {
    /// A new dentry, which everybody else who looks for the name waits for.
    InLookup(InLookup<T>),
    /// A dentry that was there.
    Found(ARef<Dentry<T>>),
}

/// Finds a cached name of a directory, or begins its lookup. May sleep, to wait for another lookup.
///
/// The caller is in a hook that was called with the directory locked, shared or exclusively.
///
/// Fails with `ENOMEM`.
pub fn d_alloc_parallel<T: FileSystem>(name: &Name<'_, T>) -> Result<Parallel<T>> {
    // SAFETY: Both are valid. A result is a referenced dentry of the same superblock.
    let (dentry, in_lookup) = unsafe {
        let dentry = from_err_ptr(bindings::d_alloc_parallel(name.parent.as_ptr(), &name.qstr))?;
        let in_lookup = bindings::d_in_lookup(dentry);
        (
            ARef::from_raw(NonNull::new_unchecked(dentry.cast())),
            in_lookup,
        )
    };
    Ok(if in_lookup {
        // INVARIANT: The call waits for lookups of others: this one is ours.
        Parallel::InLookup(InLookup(dentry))
    } else {
        Parallel::Found(dentry)
    })
}

/// Whether an inode may be spliced to a dentry: it must belong to the same superblock.
fn check_splice<T: FileSystem>(dentry: &LentDentry<T>, inode: Option<&Inode<T>>) -> Result {
    match inode {
        Some(inode) if !ptr::eq(inode.super_block(), dentry.super_block()) => Err(EXDEV),
        _ => Ok(()),
    }
}

/// Calls `d_splice_alias`, and returns the dentry it found for the inode, if any, referenced.
///
/// # Safety
///
/// The dentry is unhashed, and its directory is locked.
unsafe fn splice<T: FileSystem>(
    dentry: &LentDentry<T>,
    inode: Option<ARef<Inode<T>>>,
) -> Result<Option<ARef<Dentry<T>>>> {
    check_splice(dentry, inode.as_deref())?;
    let inode = match inode {
        Some(inode) => ARef::into_raw(inode).as_ptr().cast(),
        None => ptr::null_mut(),
    };
    // SAFETY: By the safety requirements. The call consumes the reference to the inode, even if it
    // fails, and a dentry it returns is referenced.
    unsafe {
        let alias = from_err_ptr(bindings::d_splice_alias(inode, dentry.as_ptr()))?;
        let Some(alias) = NonNull::new(alias) else {
            return Ok(None);
        };
        connect(alias);
        Ok(Some(ARef::from_raw(alias.cast())))
    }
}

/// Takes note that a dentry that a file handle had found is in its directory now. Without that the kernel goes on to
/// take it for one whose place is not known, and warns of it in `name_to_handle_at(2)`.
///
/// # Safety
///
/// The dentry is referenced, and its directory is locked.
unsafe fn connect(dentry: NonNull<bindings::dentry>) {
    let dentry = dentry.as_ptr();
    // SAFETY: By the safety requirements the parent stays. Flags change under the lock alone; a parent that is
    // connected once stays so (`reconnect_path` in `fs/exportfs/expfs.c`).
    unsafe {
        let is_disconnected = |dentry: *mut bindings::dentry| {
            (*dentry).d_flags & bindings::dentry_flags_DCACHE_DISCONNECTED != 0
        };
        if is_disconnected(dentry) && !is_disconnected((*dentry).d_parent) {
            bindings::d_lock(dentry);
            (*dentry).d_flags &= !bindings::dentry_flags_DCACHE_DISCONNECTED;
            bindings::d_unlock(dentry);
        }
    }
}

/// A dentry whose name this thread looks up. Dropping it gives up.
///
/// # Invariants
///
/// `DCACHE_PAR_LOOKUP` is set, by this thread of control, which holds a reference.
pub struct InLookup<T: FileSystem>(ARef<Dentry<T>>);

impl<T: FileSystem> InLookup<T> {
    /// The file system's word of the dentry.
    pub fn word(&self) -> &Atomic<u64> {
        self.0.word()
    }

    /// Ends the lookup: with an inode, or with `None` if the name does not exist.
    ///
    /// Returns the dentry that has the inode now; a directory may have one already, whose word is
    /// then to be set. Fails with `EXDEV` if the inode belongs to another superblock, with `ELOOP`
    /// or `ESTALE` if a directory cannot be moved here.
    pub fn splice(self, inode: Option<ARef<Inode<T>>>) -> Result<ARef<Dentry<T>>> {
        // SAFETY: By the type invariant the dentry is in lookup, hence unhashed. The directory is
        // locked: this is a duty of whoever calls `d_alloc_parallel`.
        let alias = unsafe { splice(&self.0, inode) }?;
        Ok(alias.unwrap_or_else(|| self.0.clone()))
    }
}

impl<T: FileSystem> Drop for InLookup<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. After a splice it does nothing.
        unsafe { bindings::d_lookup_done(self.0.as_ptr()) };
    }
}

/// The dentry of a name that a `lookup` hook is to look up.
///
/// # Invariants
///
/// It is referenced, negative and unhashed, and its directory is locked, during `'a`.
pub struct Unhashed<'a, T: FileSystem>(&'a Dentry<T>);

impl<'a, T: FileSystem> Unhashed<'a, T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `dentry` is that of a `lookup` hook, which runs during `'a`.
    pub(crate) unsafe fn from_raw(dentry: *mut bindings::dentry) -> Self {
        // INVARIANT: What the VFS guarantees for the hook.
        // SAFETY: As above.
        Self(unsafe { Dentry::from_raw(dentry) })
    }

    /// The name to look up.
    pub fn name(&self) -> &[u8] {
        // SAFETY: The directory is locked, so that the name of this dentry stays.
        unsafe { qstr_bytes(&raw const (*self.0.as_ptr()).__bindgen_anon_1.d_name) }
    }

    /// The file system's word of the dentry. Set before `splice`, nobody sees an older value.
    pub fn word(&self) -> &'a Atomic<u64> {
        self.0.word()
    }

    /// The superblock.
    pub fn super_block(&self) -> &'a SuperBlock<T> {
        self.0.super_block()
    }

    /// Ends the lookup without having looked: the name is taken for one that does not exist, this time.
    pub fn leave_unknown(self) -> Looked<'a, T> {
        Looked {
            dentry: self.0,
            alias: None,
        }
    }

    /// Ends the lookup: with an inode, or with `None` if the name does not exist.
    ///
    /// Fails with `EXDEV` if the inode belongs to another superblock, with `ELOOP` or `ESTALE` if a
    /// directory cannot be moved here.
    pub fn splice(self, inode: Option<ARef<Inode<T>>>) -> Result<Looked<'a, T>> {
        // SAFETY: By the type invariant.
        let alias = unsafe { splice(self.0, inode) }?;
        Ok(Looked {
            dentry: self.0,
            alias,
        })
    }
}

/// The name of a node that is to be made.
///
/// # Invariants
///
/// The dentry is referenced and negative, and its name does not change, during `'a`.
pub struct StableName<'a, T: FileSystem>(&'a Dentry<T>);

impl<'a, T: FileSystem> StableName<'a, T> {
    /// Wraps a dentry.
    ///
    /// # Safety
    ///
    /// It is negative, and its name does not change, during `'a`.
    pub(crate) unsafe fn new(dentry: &'a Dentry<T>) -> Self {
        // INVARIANT: By the safety requirements.
        Self(dentry)
    }

    /// The dentry.
    pub(crate) fn dentry(&self) -> &'a Dentry<T> {
        self.0
    }

    /// The name.
    pub fn name(&self) -> &'a [u8] {
        // SAFETY: By the type invariant.
        unsafe { qstr_bytes(&raw const (*self.0.as_ptr()).__bindgen_anon_1.d_name) }
    }
}

/// The dentry of a name that a hook is to make.
///
/// # Invariants
///
/// It is referenced and negative, and its directory is locked exclusively, during `'a`.
pub struct NewName<'a, T: FileSystem>(&'a Dentry<T>);

impl<'a, T: FileSystem> NewName<'a, T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `dentry` is the negative one of a hook that makes a name, which runs during `'a`.
    pub(crate) unsafe fn from_raw(dentry: *mut bindings::dentry) -> Self {
        // INVARIANT: What the VFS guarantees for the hook.
        // SAFETY: As above.
        Self(unsafe { Dentry::from_raw(dentry) })
    }

    /// The dentry.
    pub fn dentry(&self) -> &'a Dentry<T> {
        self.0
    }

    /// The name to make.
    pub fn name(&self) -> StableName<'a, T> {
        // SAFETY: The directory is locked, so that the name of this dentry stays.
        unsafe { StableName::new(self.0) }
    }

    /// The name was made, for `inode`.
    ///
    /// # Errors
    ///
    /// `EXDEV` if the inode belongs to another superblock, `ELOOP` or `ESTALE` if a directory cannot be
    /// moved here.
    pub fn instantiate(self, inode: ARef<Inode<T>>) -> Result<Looked<'a, T>> {
        self.0.d_drop();
        // SAFETY: The dentry is unhashed now, and by the type invariant its directory is locked.
        let alias = unsafe { splice(self.0, Some(inode)) }?;
        Ok(Looked {
            dentry: self.0,
            alias,
        })
    }
}

/// The dentry of a name that a hook is to change or remove.
///
/// # Invariants
///
/// It is referenced, and its directory is locked exclusively, during `'a`.
pub struct LockedName<'a, T: FileSystem>(&'a Dentry<T>);

impl<'a, T: FileSystem> LockedName<'a, T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `dentry` is that of a hook that changes a name, which runs during `'a`.
    pub(crate) unsafe fn from_raw(dentry: *mut bindings::dentry) -> Self {
        // INVARIANT: What the VFS guarantees for the hook.
        // SAFETY: As above.
        Self(unsafe { Dentry::from_raw(dentry) })
    }

    /// The name.
    pub fn name(&self) -> &'a [u8] {
        // SAFETY: The directory is locked, so that the name of this dentry stays.
        unsafe { qstr_bytes(&raw const (*self.0.as_ptr()).__bindgen_anon_1.d_name) }
    }
}

impl<T: FileSystem> Deref for LockedName<'_, T> {
    type Target = Dentry<T>;

    fn deref(&self) -> &Dentry<T> {
        self.0
    }
}

/// The result of a lookup.
pub struct Looked<'a, T: FileSystem> {
    dentry: &'a Dentry<T>,
    alias: Option<ARef<Dentry<T>>>,
}

impl<T: FileSystem> Looked<'_, T> {
    /// The dentry that has the inode now: a directory may have had one already, whose word is then
    /// to be set.
    pub fn dentry(&self) -> &Dentry<T> {
        self.alias.as_deref().unwrap_or(self.dentry)
    }

    /// Whether the name does not exist, or is not known.
    pub fn is_negative(&self) -> bool {
        self.alias.is_none() && self.dentry.is_negative()
    }

    /// What a `lookup` hook returns to the VFS: null, or another dentry with a reference.
    pub(crate) fn into_raw(self) -> *mut bindings::dentry {
        match self.alias {
            Some(alias) => ManuallyDrop::new(alias).as_ptr(),
            None => ptr::null_mut(),
        }
    }
}

/// The bytes of a name.
///
/// # Safety
///
/// `qstr` is valid, and neither it nor its text changes during `'a`.
unsafe fn qstr_bytes<'a>(qstr: *const bindings::qstr) -> &'a [u8] {
    // SAFETY: By the safety requirements. All union members are plain integers.
    unsafe {
        let len = (*qstr).__bindgen_anon_1.__bindgen_anon_1.len;
        slice::from_raw_parts((*qstr).name, len as usize)
    }
}

/// The hooks of dentries of the type `T`.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const OPERATIONS: bindings::dentry_operations = bindings::dentry_operations {
        d_revalidate: Some(d_revalidate::<T>),
        d_automount: Some(fs_context::d_automount::<T>),
        ..pin_init::zeroed()
    };
}

/// The hooks of dentries of the type `T`.
pub(crate) fn operations<T: FileSystem>() -> &'static bindings::dentry_operations {
    &Table::<T>::OPERATIONS
}

/// Checks a cached name.
///
/// # Safety
///
/// Called by the VFS with a directory and a dentry of `T`, and a name that does not change: with
/// references, unless `LOOKUP_RCU` is set.
unsafe extern "C" fn d_revalidate<T: FileSystem>(
    dir: *mut bindings::inode,
    name: *const bindings::qstr,
    dentry: *mut bindings::dentry,
    flags: c_uint,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let (dir, name, dentry, walk) = unsafe {
            (
                LentInode::from_raw(dir),
                qstr_bytes(name),
                LentDentry::from_raw(dentry),
                Walk::new(flags & bindings::LOOKUP_RCU != 0),
            )
        };
        T::d_revalidate(dir, name, dentry, walk, LookupFlags::new(flags)).map(c_int::from)
    })
}
