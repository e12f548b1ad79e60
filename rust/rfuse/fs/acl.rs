// SPDX-License-Identifier: GPL-2.0

//! POSIX access control lists: the server keeps them, the VFS applies them.

use super::{mount::Fs, xattr};
use crate::conn::{request::Payload, Connection};
use kernel::{page::PAGE_SIZE, prelude::*};
use rfuse_kapi::{
    ids::MntIdmap,
    inode::{Inode, LentInode},
    inode_operations::AclKind,
    walk::Walk,
    xattr::XattrChange,
};
use rfuse_proto::{
    flags::{InitFlags, SETXATTR_ACL_KILL_SGID},
    op::{self, Optional},
};

/// The longest list in bytes.
const ACL_MAX: usize = PAGE_SIZE;

/// Reads a list of an inode, if it has one.
///
/// # Errors
///
/// `E2BIG` for a list that is too long, `ECHILD` in RCU walk, the server's.
pub(crate) fn get_inode_acl(
    inode: &LentInode<Fs>,
    kind: AclKind,
    walk: Walk<'_>,
) -> Result<Option<KVec<u8>>> {
    inode.data().check()?;
    if !inode.super_data().conn.has(InitFlags::POSIX_ACL) {
        return Ok(None);
    }
    let Walk::Ref(walk) = walk else {
        return Err(ECHILD);
    };
    get_acl(inode.referenced(walk), kind)
}

/// Lists that the VFS does not apply are the server's business, but not where their users are not the system's.
///
/// # Errors
///
/// `EOPNOTSUPP`.
fn check_users(conn: &Connection) -> Result {
    match conn.has(InitFlags::POSIX_ACL) || conn.ids().is_initial() {
        true => Ok(()),
        false => Err(EOPNOTSUPP),
    }
}

/// Reads a list for a user who asks for it, whoever applies it.
///
/// # Errors
///
/// As [`get_inode_acl`].
pub(crate) fn get_acl(inode: &Inode<Fs>, kind: AclKind) -> Result<Option<KVec<u8>>> {
    inode.data().check()?;
    let conn = &inode.super_data().conn;
    check_users(conn)?;
    if conn.lacks(Optional::Getxattr) {
        return Ok(None);
    }
    let operation = op::Getxattr {
        nodeid: inode.data().nodeid(),
        name: name(kind),
        size: u32::try_from(ACL_MAX)?,
    };
    let room = Payload::Bytes(KVec::zeroed(ACL_MAX, GFP_KERNEL)?);
    match conn.call_with(operation, room) {
        Ok((0, _)) | Err(ENODATA | EOPNOTSUPP | ENOSYS) => Ok(None),
        Ok((len, Payload::Bytes(mut list))) => {
            list.truncate(len);
            Ok(Some(list))
        }
        Ok(_) => Err(EIO),
        Err(ERANGE) => Err(E2BIG),
        Err(error) => Err(error),
    }
}

/// Sets a list, or removes it. The server changes the mode where that follows from the list.
///
/// # Errors
///
/// `E2BIG` for a list that is too long, the server's.
pub(crate) fn set_acl(
    idmap: &MntIdmap,
    inode: &Inode<Fs>,
    kind: AclKind,
    list: Option<&[u8]>,
) -> Result {
    let conn = &inode.super_data().conn;
    check_users(conn)?;
    let change = match list {
        Some(list) if list.len() > ACL_MAX => return Err(E2BIG),
        Some(list) => XattrChange::Set(list, 0),
        None => XattrChange::Remove,
    };
    let keeps = !conn.has(InitFlags::POSIX_ACL) || inode.in_group_or_capable(idmap);
    let kill_flags = match keeps {
        true => 0,
        false => SETXATTR_ACL_KILL_SGID,
    };
    xattr::set(inode, name(kind), change, kill_flags)
}

fn name(kind: AclKind) -> &'static [u8] {
    match kind {
        AclKind::Access => b"system.posix_acl_access",
        AclKind::Default => b"system.posix_acl_default",
    }
}
