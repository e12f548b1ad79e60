// SPDX-License-Identifier: GPL-2.0

//! Symbolic links.

use super::{attr, mount::Fs, setattr, xattr};
use crate::conn::request::Payload;
use kernel::{page::PAGE_SIZE, prelude::*};
use rfuse_kapi::{
    dentry::Dentry,
    iattr::Iattr,
    ids::MntIdmap,
    inode::{Inode, LentInode},
    inode_operations::InodeOperations,
    stat::{KStat, StatFlags},
    walk::Walk,
};
use rfuse_proto::op;

/// The longest target in bytes: `PATH_MAX` without the NUL.
const TARGET_MAX: usize = PAGE_SIZE - 1;

/// Operations of symbolic links.
pub(crate) struct SymlinkInodeOps;

#[vtable]
impl InodeOperations for SymlinkInodeOps {
    type Fs = Fs;

    fn get_link(inode: &LentInode<Fs>, walk: Walk<'_>) -> Result<KVec<u8>> {
        let Walk::Ref(walk) = walk else {
            return Err(ECHILD);
        };
        let inode = inode.referenced(walk);
        inode.data().check()?;
        let room = KVec::zeroed(TARGET_MAX, GFP_KERNEL)?;
        let operation = op::Readlink {
            nodeid: inode.data().nodeid(),
        };
        let answer = inode
            .super_data()
            .conn
            .call_with(operation, Payload::Bytes(room))?;
        let (len, Payload::Bytes(mut target)) = answer else {
            return Err(EIO);
        };
        target.truncate(len);
        match target.contains(&0) {
            // The VFS would follow another target than the server gave.
            true => Err(EIO),
            false => Ok(target),
        }
    }

    fn getattr(
        idmap: &MntIdmap,
        inode: &Inode<Fs>,
        request_mask: u32,
        flags: StatFlags,
        stat: &mut KStat<'_>,
    ) -> Result {
        attr::getattr(idmap, inode, request_mask, flags, stat)
    }

    fn setattr(idmap: &MntIdmap, dentry: &Dentry<Fs>, attr: &mut Iattr<'_, Fs>) -> Result {
        setattr::setattr(idmap, dentry, attr)
    }

    fn listxattr(inode: &Inode<Fs>, list: Option<&mut [u8]>) -> Result<usize> {
        xattr::list(inode, list)
    }
}
