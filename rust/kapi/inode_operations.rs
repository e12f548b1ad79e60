// SPDX-License-Identifier: GPL-2.0

//! Operations on inodes.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    bindings,
    dentry::{Looked, Unhashed},
    fs::FileSystem,
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
    let bytes = match K::get_inode_acl(lent, AclKind::from_raw(kind), walk) {
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
