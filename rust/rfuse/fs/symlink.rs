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
use rfuse_proto::{flags::InitFlags, op};

/// The longest target in bytes: `PATH_MAX` without the NUL.
const TARGET_MAX: usize = PAGE_SIZE - 1;

/// Bytes in front of a target in the page cache: its length.
const HEAD: usize = size_of::<u16>();

/// The target that the server gave before, if it is still in memory. May sleep.
///
/// # Errors
///
/// `ENOMEM`.
fn cached(inode: &Inode<Fs>) -> Result<Option<KVec<u8>>> {
    let mut head = [0; HEAD];
    if !inode.mapping().read_cached(0, &mut head) {
        return Ok(None);
    }
    let len = usize::from(u16::from_ne_bytes(head));
    // The VFS wants a NUL behind it.
    let mut target = KVec::with_capacity(len.saturating_add(1), GFP_KERNEL)?;
    target.resize(len, 0, GFP_KERNEL)?;
    let is_there = len > 0 && inode.mapping().read_cached(HEAD as i64, &mut target);
    Ok(is_there.then_some(target))
}

/// Keeps a target, if memory allows. May sleep.
fn cache(inode: &Inode<Fs>, target: &[u8]) {
    let Ok(len) = u16::try_from(target.len()) else {
        return;
    };
    // The head comes last: who sees a length sees the rest.
    let mapping = inode.mapping();
    if mapping.write_cached(0, &[0; HEAD]).is_ok()
        && mapping.write_cached(HEAD as i64, target).is_ok()
    {
        let _ = mapping.write_cached(0, &len.to_ne_bytes());
    }
}

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
        let caches = inode.super_data().conn.has(InitFlags::CACHE_SYMLINKS);
        if caches {
            if let Some(target) = cached(inode)? {
                return Ok(target);
            }
        }
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
            true => return Err(EIO),
            false if caches => cache(inode, &target),
            false => {}
        }
        Ok(target)
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
