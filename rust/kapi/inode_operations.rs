// SPDX-License-Identifier: GPL-2.0

//! Operations on inodes.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    atomic_open::{AtomicOpen, Opened, Tmpfile},
    bindings,
    dentry::{Dentry, LockedName, Looked, NewName, Unhashed},
    fileattr::{self, FileKattr},
    fs::FileSystem,
    iattr::Iattr,
    ids::MntIdmap,
    inode::{Inode, LentInode},
    stat::{KStat, StatFlags},
    walk::{LookupFlags, Walk},
};
use core::marker::PhantomData;
use kernel::{
    alloc::{Flags, KVec},
    error::{from_result, VTABLE_DEFAULT_ERROR},
    prelude::*,
};

/// The permissions a caller asks for, `MAY_*`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Permission(c_int);

impl Permission {
    fn has(self, flag: u32) -> bool {
        // CAST: The flags are small.
        self.0 & flag as c_int != 0
    }

    /// All bits, as the C side has them.
    pub fn bits(self) -> i32 {
        self.0
    }

    /// The hook must not sleep: it is called in RCU walk. `ECHILD` asks for another call.
    pub fn may_not_block(self) -> bool {
        self.has(bindings::MAY_NOT_BLOCK)
    }

    /// To execute a file, or to search a directory.
    pub fn may_exec(self) -> bool {
        self.has(bindings::MAY_EXEC)
    }

    /// To write.
    pub fn may_write(self) -> bool {
        self.has(bindings::MAY_WRITE)
    }

    /// To read.
    pub fn may_read(self) -> bool {
        self.has(bindings::MAY_READ)
    }

    /// To append.
    pub fn may_append(self) -> bool {
        self.has(bindings::MAY_APPEND)
    }

    /// For `access(2)`.
    pub fn may_access(self) -> bool {
        self.has(bindings::MAY_ACCESS)
    }

    /// For `open(2)`.
    pub fn may_open(self) -> bool {
        self.has(bindings::MAY_OPEN)
    }

    /// For `chdir(2)` and `chroot(2)`.
    pub fn may_chdir(self) -> bool {
        self.has(bindings::MAY_CHDIR)
    }
}

/// The operations of an inode as a value: a C table, made from [`InodeOperations`].
pub struct InodeOps<T: FileSystem>(&'static bindings::inode_operations, PhantomData<T>);

impl<T: FileSystem> Clone for InodeOps<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: FileSystem> Copy for InodeOps<T> {}

impl<T: FileSystem> InodeOps<T> {
    /// The operations `K`.
    pub const fn of<K: InodeOperations<Fs = T>>() -> Self {
        Self(&Table::<K>::OPERATIONS, PhantomData)
    }

    pub(crate) fn as_ptr(self) -> *const bindings::inode_operations {
        self.0
    }
}

/// Which access control list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AclKind {
    /// Who may access a file (`ACL_TYPE_ACCESS`).
    Access,
    /// What new files of a directory get (`ACL_TYPE_DEFAULT`).
    Default,
}

impl AclKind {
    fn from_raw(kind: c_int) -> Self {
        // CAST: The constant is small.
        match kind == bindings::ACL_TYPE_DEFAULT as c_int {
            true => Self::Default,
            false => Self::Access,
        }
    }
}

/// Operations on inodes, `struct inode_operations`.
///
/// A missing one is not in the C table, and the VFS does what it does then.
#[vtable]
pub trait InodeOperations {
    /// The file system.
    type Fs: FileSystem;

    /// Looks a name of a directory up. The directory is locked, shared.
    fn lookup<'a>(
        dir: &Inode<Self::Fs>,
        dentry: Unhashed<'a, Self::Fs>,
        flags: LookupFlags,
    ) -> Result<Looked<'a, Self::Fs>> {
        let _ = (dir, dentry, flags);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads the target of a symbolic link, without a terminating zero. It ends at the first zero.
    ///
    /// In [`Walk::Rcu`] it must not sleep; `ECHILD` asks for a call in reference walk.
    fn get_link(inode: &LentInode<Self::Fs>, walk: Walk<'_>) -> Result<KVec<u8>> {
        let _ = (inode, walk);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Checks permissions. It must not sleep if `mask` says so; `ECHILD` asks for another call.
    fn permission(
        idmap: &MntIdmap,
        inode: &LentInode<Self::Fs>,
        mask: Permission,
        walk: Walk<'_>,
    ) -> Result {
        let _ = (idmap, inode, mask, walk);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads an access control list in its form as an extended attribute; `None` if there is none.
    ///
    /// In [`Walk::Rcu`] it must not sleep; `ECHILD` asks for a call in reference walk.
    fn get_inode_acl(
        inode: &LentInode<Self::Fs>,
        kind: AclKind,
        walk: Walk<'_>,
    ) -> Result<Option<KVec<u8>>> {
        let _ = (inode, kind, walk);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes a file, device node, pipe or socket: `mode` has the type. The directory is locked, as it is
    /// for all hooks that make or remove names.
    fn mknod<'a>(
        idmap: &MntIdmap,
        dir: &Inode<Self::Fs>,
        name: NewName<'a, Self::Fs>,
        mode: u16,
        rdev: (u32, u32),
    ) -> Result<Looked<'a, Self::Fs>> {
        let _ = (idmap, dir, name, mode, rdev);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes a directory.
    fn mkdir<'a>(
        idmap: &MntIdmap,
        dir: &Inode<Self::Fs>,
        name: NewName<'a, Self::Fs>,
        mode: u16,
    ) -> Result<Looked<'a, Self::Fs>> {
        let _ = (idmap, dir, name, mode);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes a symbolic link.
    fn symlink<'a>(
        idmap: &MntIdmap,
        dir: &Inode<Self::Fs>,
        name: NewName<'a, Self::Fs>,
        target: &CStr,
    ) -> Result<Looked<'a, Self::Fs>> {
        let _ = (idmap, dir, name, target);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Gives an inode another name.
    fn link<'a>(
        inode: &Inode<Self::Fs>,
        dir: &Inode<Self::Fs>,
        name: NewName<'a, Self::Fs>,
    ) -> Result<Looked<'a, Self::Fs>> {
        let _ = (inode, dir, name);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Removes the name of something that is not a directory. The inode is locked too.
    fn unlink(dir: &Inode<Self::Fs>, name: LockedName<'_, Self::Fs>) -> Result {
        let _ = (dir, name);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Removes a directory, which is locked too.
    fn rmdir(dir: &Inode<Self::Fs>, name: LockedName<'_, Self::Fs>) -> Result {
        let _ = (dir, name);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Moves a name. Both directories are locked; `flags` are `RENAME_*`.
    fn rename(
        idmap: &MntIdmap,
        from: (&Inode<Self::Fs>, LockedName<'_, Self::Fs>),
        to: (&Inode<Self::Fs>, LockedName<'_, Self::Fs>),
        flags: u32,
    ) -> Result {
        let _ = (idmap, from, to, flags);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Looks a name up, and makes and opens it where that can be done at once. The directory is locked,
    /// exclusively if something may be made.
    fn atomic_open<'a>(
        dir: &Inode<Self::Fs>,
        opening: AtomicOpen<'a, Self::Fs>,
    ) -> Result<Opened<'a, Self::Fs>> {
        let _ = (dir, opening);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Makes and opens a regular file without a name.
    fn tmpfile<'a>(
        idmap: &MntIdmap,
        dir: &Inode<Self::Fs>,
        file: Tmpfile<'a, Self::Fs>,
        mode: u16,
    ) -> Result<Opened<'a, Self::Fs>> {
        let _ = (idmap, dir, file, mode);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Changes attributes. The inode is locked exclusively.
    fn setattr(
        idmap: &MntIdmap,
        dentry: &Dentry<Self::Fs>,
        attr: &mut Iattr<'_, Self::Fs>,
    ) -> Result {
        let _ = (idmap, dentry, attr);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// The names of the extended attributes, each with a NUL behind it; without a buffer only their
    /// length.
    fn listxattr(inode: &Inode<Self::Fs>, list: Option<&mut [u8]>) -> Result<usize> {
        let _ = (inode, list);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads an access control list for a user, in its form as an extended attribute; `None` if there is
    /// none.
    fn get_acl(inode: &Inode<Self::Fs>, kind: AclKind) -> Result<Option<KVec<u8>>> {
        let _ = (inode, kind);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads the flags of an inode, in the form that `attr` says. May sleep.
    fn fileattr_get(inode: &Inode<Self::Fs>, attr: &mut FileKattr) -> Result {
        let _ = (inode, attr);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Changes the flags of an inode, which is locked exclusively. Whether the caller may was checked. May
    /// sleep.
    fn fileattr_set(idmap: &MntIdmap, inode: &Inode<Self::Fs>, attr: &FileKattr) -> Result {
        let _ = (idmap, inode, attr);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Sets an access control list in its form as an extended attribute, or removes it. The inode is
    /// locked exclusively.
    fn set_acl(
        idmap: &MntIdmap,
        inode: &Inode<Self::Fs>,
        kind: AclKind,
        list: Option<&[u8]>,
    ) -> Result {
        let _ = (idmap, inode, kind, list);
        build_error!(VTABLE_DEFAULT_ERROR)
    }

    /// Reads attributes. `request_mask` is what the caller is interested in, `STATX_*`.
    fn getattr(
        idmap: &MntIdmap,
        inode: &Inode<Self::Fs>,
        request_mask: u32,
        flags: StatFlags,
        stat: &mut KStat<'_>,
    ) -> Result {
        let _ = (idmap, inode, request_mask, flags, stat);
        build_error!(VTABLE_DEFAULT_ERROR)
    }
}

/// The C table of the operations `K`.
struct Table<K>(PhantomData<K>);

impl<K: InodeOperations> Table<K> {
    const OPERATIONS: bindings::inode_operations = bindings::inode_operations {
        lookup: if K::HAS_LOOKUP {
            Some(lookup::<K>)
        } else {
            None
        },
        get_link: if K::HAS_GET_LINK {
            Some(get_link::<K>)
        } else {
            None
        },
        permission: if K::HAS_PERMISSION {
            Some(permission::<K>)
        } else {
            None
        },
        getattr: if K::HAS_GETATTR {
            Some(getattr::<K>)
        } else {
            None
        },
        get_inode_acl: if K::HAS_GET_INODE_ACL {
            Some(get_inode_acl::<K>)
        } else {
            None
        },
        create: if K::HAS_MKNOD {
            Some(create::<K>)
        } else {
            None
        },
        mknod: if K::HAS_MKNOD { Some(mknod::<K>) } else { None },
        mkdir: if K::HAS_MKDIR { Some(mkdir::<K>) } else { None },
        symlink: if K::HAS_SYMLINK {
            Some(symlink::<K>)
        } else {
            None
        },
        link: if K::HAS_LINK { Some(link::<K>) } else { None },
        unlink: if K::HAS_UNLINK {
            Some(unlink::<K>)
        } else {
            None
        },
        rmdir: if K::HAS_RMDIR { Some(rmdir::<K>) } else { None },
        rename: if K::HAS_RENAME {
            Some(rename::<K>)
        } else {
            None
        },
        atomic_open: if K::HAS_ATOMIC_OPEN {
            Some(atomic_open::<K>)
        } else {
            None
        },
        tmpfile: if K::HAS_TMPFILE {
            Some(tmpfile::<K>)
        } else {
            None
        },
        setattr: if K::HAS_SETATTR {
            Some(setattr::<K>)
        } else {
            None
        },
        listxattr: if K::HAS_LISTXATTR {
            Some(listxattr::<K>)
        } else {
            None
        },
        set_acl: if K::HAS_SET_ACL {
            Some(set_acl::<K>)
        } else {
            None
        },
        fileattr_get: if K::HAS_FILEATTR_GET {
            Some(fileattr::fileattr_get::<K>)
        } else {
            None
        },
        fileattr_set: if K::HAS_FILEATTR_SET {
            Some(fileattr::fileattr_set::<K>)
        } else {
            None
        },
        get_acl: if K::HAS_GET_ACL {
            Some(get_acl::<K>)
        } else {
            None
        },
        ..pin_init::zeroed()
    };
}

/// Reads an access control list.
///
/// # Safety
///
/// Called by the VFS with an inode of `K::Fs`, which it holds a reference to unless `rcu`.
unsafe extern "C" fn get_inode_acl<K: InodeOperations>(
    inode: *mut bindings::inode,
    kind: c_int,
    rcu: bool,
) -> *mut kernel::bindings::posix_acl {
    // SAFETY: By the safety requirements.
    let (lent, walk) = unsafe { (LentInode::<K::Fs>::from_raw(inode), Walk::new(rcu)) };
    // SAFETY: The inode is valid.
    unsafe { acl_pointer(inode, K::get_inode_acl(lent, AclKind::from_raw(kind), walk)) }
}

/// An access control list as C has it: null for none, or an error.
///
/// # Safety
///
/// `inode` is valid.
unsafe fn acl_pointer(
    inode: *mut bindings::inode,
    bytes: Result<Option<KVec<u8>>>,
) -> *mut kernel::bindings::posix_acl {
    let bytes = match bytes {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return core::ptr::null_mut(),
        Err(error) => return error.to_ptr(),
    };
    // SAFETY: The inode's superblock has a user namespace; `bytes` is read during the call.
    unsafe {
        let user_ns = (*(*inode).i_sb).s_user_ns;
        bindings::posix_acl_from_xattr(user_ns, bytes.as_ptr().cast(), bytes.len()).cast()
    }
}

/// Looks a name up.
///
/// # Safety
///
/// Called by the VFS with a locked directory of `K::Fs` and an unhashed dentry in it.
unsafe extern "C" fn lookup<K: InodeOperations>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    flags: c_uint,
) -> *mut bindings::dentry {
    // SAFETY: By the safety requirements; the caller holds references.
    let (dir, dentry) = unsafe { (Inode::from_raw(dir), Unhashed::from_raw(dentry)) };
    match K::lookup(dir, dentry, LookupFlags::new(flags)) {
        Ok(looked) => looked.into_raw(),
        Err(error) => error.to_ptr(),
    }
}

/// Reads the target of a link.
///
/// # Safety
///
/// Called by the VFS with a link of `K::Fs`; in reference walk with its dentry, else without one.
unsafe extern "C" fn get_link<K: InodeOperations>(
    dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    done: *mut bindings::delayed_call,
) -> *const c_char {
    // SAFETY: By the safety requirements.
    let (inode, walk) = unsafe { (LentInode::from_raw(inode), Walk::new(dentry.is_null())) };
    match terminated_link::<K>(inode, walk) {
        Ok(link) => {
            let (link, ..) = link.into_raw_parts();
            // SAFETY: `done` is valid. The VFS calls `kfree_link` when it has read the target, which
            // is memory of `kmalloc`.
            unsafe {
                (*done).fn_ = Some(bindings::kfree_link);
                (*done).arg = link.cast();
            }
            link.cast()
        }
        Err(error) => error.to_ptr(),
    }
}

fn terminated_link<K: InodeOperations>(
    inode: &LentInode<K::Fs>,
    walk: Walk<'_>,
) -> Result<KVec<u8>> {
    let mut link = K::get_link(inode, walk)?;
    link.push(0, allocation_flags(walk))?;
    Ok(link)
}

fn allocation_flags(walk: Walk<'_>) -> Flags {
    if walk.is_rcu() {
        GFP_ATOMIC
    } else {
        GFP_KERNEL
    }
}

/// Checks permissions.
///
/// # Safety
///
/// Called by the VFS with an inode of `K::Fs`: referenced, unless `MAY_NOT_BLOCK` is set.
unsafe extern "C" fn permission<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    inode: *mut bindings::inode,
    mask: c_int,
) -> c_int {
    from_result(|| {
        let mask = Permission(mask);
        // SAFETY: By the safety requirements.
        let (idmap, inode, walk) = unsafe {
            (
                MntIdmap::from_raw(idmap),
                LentInode::from_raw(inode),
                Walk::new(mask.may_not_block()),
            )
        };
        K::permission(idmap, inode, mask, walk)?;
        Ok(0)
    })
}

/// Reads attributes.
///
/// # Safety
///
/// Called by the VFS with a referenced path to an inode of `K::Fs`, and a zeroed `stat`.
unsafe extern "C" fn getattr<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    path: *const bindings::path,
    stat: *mut bindings::kstat,
    request_mask: u32,
    flags: c_uint,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements. A referenced path to an inode is a positive dentry,
        // which keeps its inode.
        let (idmap, inode, mut stat) = unsafe {
            (
                MntIdmap::from_raw(idmap),
                Inode::from_raw((*(*path).dentry).d_inode),
                KStat::from_raw(stat),
            )
        };
        K::getattr(idmap, inode, request_mask, StatFlags::new(flags), &mut stat)?;
        Ok(0)
    })
}

/// What a hook that makes a name returns, where the VFS does not ask for the dentry.
fn made<T: FileSystem>(looked: Result<Looked<'_, T>>) -> c_int {
    match looked {
        Ok(_) => 0,
        Err(error) => error.to_errno(),
    }
}

/// Splits a device number as the kernel encodes it.
fn split_dev(dev: bindings::dev_t) -> (u32, u32) {
    (
        dev >> bindings::MINORBITS,
        dev & ((1 << bindings::MINORBITS) - 1),
    )
}

/// Makes a regular file.
///
/// # Safety
///
/// As [`fn@mknod`].
unsafe extern "C" fn create<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: bindings::umode_t,
) -> c_int {
    // SAFETY: By the safety requirements.
    unsafe { mknod::<K>(idmap, dir, dentry, mode, 0) }
}

/// Makes a file, device node, pipe or socket.
///
/// # Safety
///
/// Called by the VFS with a locked directory of `K::Fs` and a negative dentry in it.
unsafe extern "C" fn mknod<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: bindings::umode_t,
    dev: bindings::dev_t,
) -> c_int {
    // SAFETY: By the safety requirements; the caller holds references.
    let (idmap, dir, name) = unsafe {
        (
            MntIdmap::from_raw(idmap),
            Inode::from_raw(dir),
            NewName::from_raw(dentry),
        )
    };
    made(K::mknod(idmap, dir, name, mode, split_dev(dev)))
}

/// Makes a directory.
///
/// # Safety
///
/// As [`fn@mknod`].
unsafe extern "C" fn mkdir<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    mode: bindings::umode_t,
) -> *mut bindings::dentry {
    // SAFETY: By the safety requirements; the caller holds references.
    let (idmap, dir, name) = unsafe {
        (
            MntIdmap::from_raw(idmap),
            Inode::from_raw(dir),
            NewName::from_raw(dentry),
        )
    };
    match K::mkdir(idmap, dir, name, mode) {
        Ok(looked) => looked.into_raw(),
        Err(error) => error.to_ptr(),
    }
}

/// Makes a symbolic link.
///
/// # Safety
///
/// As [`fn@mknod`], with a target that ends with a NUL.
unsafe extern "C" fn symlink<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    target: *const c_char,
) -> c_int {
    // SAFETY: By the safety requirements; the caller holds references.
    let (idmap, dir, name, target) = unsafe {
        (
            MntIdmap::from_raw(idmap),
            Inode::from_raw(dir),
            NewName::from_raw(dentry),
            CStr::from_char_ptr(target),
        )
    };
    made(K::symlink(idmap, dir, name, target))
}

/// Gives an inode another name.
///
/// # Safety
///
/// As [`fn@mknod`], with a positive dentry of the same superblock as `old`.
unsafe extern "C" fn link<K: InodeOperations>(
    old: *mut bindings::dentry,
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
) -> c_int {
    // SAFETY: By the safety requirements; the caller holds references.
    let (inode, dir, name) = unsafe {
        (
            Inode::from_raw((*old).d_inode),
            Inode::from_raw(dir),
            NewName::from_raw(dentry),
        )
    };
    made(K::link(inode, dir, name))
}

/// Removes a name.
///
/// # Safety
///
/// Called by the VFS with a locked directory of `K::Fs` and a positive dentry in it.
unsafe extern "C" fn unlink<K: InodeOperations>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements; the caller holds references.
        unsafe { K::unlink(Inode::from_raw(dir), LockedName::from_raw(dentry)) }?;
        Ok(0)
    })
}

/// Removes a directory.
///
/// # Safety
///
/// As [`fn@unlink`].
unsafe extern "C" fn rmdir<K: InodeOperations>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements; the caller holds references.
        unsafe { K::rmdir(Inode::from_raw(dir), LockedName::from_raw(dentry)) }?;
        Ok(0)
    })
}

/// Moves a name.
///
/// # Safety
///
/// Called by the VFS with two locked directories of `K::Fs`, of one superblock, a positive dentry in
/// the first and any in the second.
unsafe extern "C" fn rename<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    from_dir: *mut bindings::inode,
    from: *mut bindings::dentry,
    to_dir: *mut bindings::inode,
    to: *mut bindings::dentry,
    flags: c_uint,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements; the caller holds references.
        let (idmap, from, to) = unsafe {
            (
                MntIdmap::from_raw(idmap),
                (Inode::from_raw(from_dir), LockedName::from_raw(from)),
                (Inode::from_raw(to_dir), LockedName::from_raw(to)),
            )
        };
        K::rename(idmap, from, to, flags)?;
        Ok(0)
    })
}

/// Makes and opens a name.
///
/// # Safety
///
/// Called by the VFS with a locked directory of `K::Fs`, a negative dentry in it, and a file that
/// nobody uses yet.
unsafe extern "C" fn atomic_open<K: InodeOperations>(
    dir: *mut bindings::inode,
    dentry: *mut bindings::dentry,
    file: *mut bindings::file,
    flags: c_uint,
    mode: bindings::umode_t,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements; the caller holds references.
        let (dir, opening) = unsafe {
            (
                Inode::from_raw(dir),
                AtomicOpen::from_raw(dentry, file, flags, mode),
            )
        };
        K::atomic_open(dir, opening).map(Opened::into_raw)
    })
}

/// Makes and opens a file without a name.
///
/// # Safety
///
/// Called by the VFS with a directory of `K::Fs`, and a file that nobody uses yet, which has a dentry.
unsafe extern "C" fn tmpfile<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    dir: *mut bindings::inode,
    file: *mut bindings::file,
    mode: bindings::umode_t,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements; the caller holds references.
        let (idmap, dir, file) = unsafe {
            (
                MntIdmap::from_raw(idmap),
                Inode::from_raw(dir),
                Tmpfile::from_raw(file),
            )
        };
        K::tmpfile(idmap, dir, file, mode).map(Opened::into_raw)
    })
}

/// Changes attributes.
///
/// # Safety
///
/// Called by the VFS with a positive dentry of `K::Fs`, whose inode is locked, and a change.
unsafe extern "C" fn setattr<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    attr: *mut bindings::iattr,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements; the caller holds references.
        let (idmap, dentry, mut attr) = unsafe {
            (
                MntIdmap::from_raw(idmap),
                Dentry::from_raw(dentry),
                Iattr::from_raw(attr),
            )
        };
        K::setattr(idmap, dentry, &mut attr)?;
        Ok(0)
    })
}

/// Lists the names of extended attributes.
///
/// # Safety
///
/// Called by the VFS with a positive dentry of `K::Fs`, and a buffer of `size` bytes or none.
unsafe extern "C" fn listxattr<K: InodeOperations>(
    dentry: *mut bindings::dentry,
    list: *mut c_char,
    size: usize,
) -> isize {
    // SAFETY: By the safety requirements. A positive dentry keeps its inode.
    let (inode, list) = unsafe {
        let list = (size > 0).then(|| core::slice::from_raw_parts_mut(list.cast::<u8>(), size));
        (Inode::from_raw((*dentry).d_inode), list)
    };
    // CAST: A list has at most 64 KiB.
    from_result(|| K::listxattr(inode, list).map(|len| len as isize))
}

/// Reads an access control list for `getxattr(2)`.
///
/// # Safety
///
/// Called by the VFS with a positive dentry of `K::Fs`.
unsafe extern "C" fn get_acl<K: InodeOperations>(
    _idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    kind: c_int,
) -> *mut kernel::bindings::posix_acl {
    // SAFETY: A positive dentry keeps its inode.
    unsafe {
        let inode = (*dentry).d_inode;
        acl_pointer(
            inode,
            K::get_acl(Inode::from_raw(inode), AclKind::from_raw(kind)),
        )
    }
}

/// Sets an access control list.
///
/// # Safety
///
/// Called by the VFS with a positive dentry of `K::Fs`, whose inode is locked, and a valid list or null.
unsafe extern "C" fn set_acl<K: InodeOperations>(
    idmap: *mut bindings::mnt_idmap,
    dentry: *mut bindings::dentry,
    acl: *mut kernel::bindings::posix_acl,
    kind: c_int,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements. A positive dentry keeps its inode.
        let (idmap, inode) = unsafe {
            (
                MntIdmap::from_raw(idmap),
                Inode::from_raw((*dentry).d_inode),
            )
        };
        // SAFETY: By the safety requirements.
        let list = unsafe { acl_bytes(inode, acl.cast()) }?;
        K::set_acl(idmap, inode, AclKind::from_raw(kind), list.as_deref())?;
        // SAFETY: The inode is live. The list may be another one now than was set.
        unsafe { bindings::forget_cached_acl(inode.as_ptr(), kind) };
        Ok(0)
    })
}

/// An access control list in its form as an extended attribute.
///
/// # Safety
///
/// `acl` is valid or null.
unsafe fn acl_bytes<T: FileSystem>(
    inode: &Inode<T>,
    acl: *const bindings::posix_acl,
) -> Result<Option<KVec<u8>>> {
    if acl.is_null() {
        return Ok(None);
    }
    let mut size = 0;
    // SAFETY: The inode's superblock has a user namespace; the list is valid. The result is memory of
    // `kmalloc` with `size` bytes, and ours.
    unsafe {
        let user_ns = (*(*inode.as_ptr()).i_sb).s_user_ns;
        let bytes = bindings::posix_acl_to_xattr(user_ns, acl, &mut size, bindings::GFP_KERNEL)
            .cast::<u8>();
        if bytes.is_null() {
            return Err(ENOMEM);
        }
        Ok(Some(KVec::from_raw_parts(bytes, size, size)))
    }
}
