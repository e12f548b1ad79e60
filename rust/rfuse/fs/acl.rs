// SPDX-License-Identifier: GPL-2.0

//! POSIX access control lists: the server keeps them, the VFS applies them.

use super::mount::Fs;
use crate::conn::request::Payload;
use kernel::{page::PAGE_SIZE, prelude::*};
use rfuse_kapi::{inode::LentInode, inode_operations::AclKind, walk::Walk};
use rfuse_proto::{
    flags::InitFlags,
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
    let conn = &inode.super_data().conn;
    if !conn.has(InitFlags::POSIX_ACL) || conn.lacks(Optional::Getxattr) {
        return Ok(None);
    }
    let Walk::Ref(_) = walk else {
        return Err(ECHILD);
    };
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

fn name(kind: AclKind) -> &'static [u8] {
    match kind {
        AclKind::Access => b"system.posix_acl_access",
        AclKind::Default => b"system.posix_acl_default",
    }
}
