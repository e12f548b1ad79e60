// SPDX-License-Identifier: GPL-2.0

//! Attributes and permissions.

use super::{
    inode::{self, timespec, Fresh},
    mount::Fs,
};
use kernel::prelude::*;
use rfuse_kapi::{
    ids::MntIdmap,
    inode::{FileKind, Inode, LentInode},
    inode_operations::Permission,
    stat::{self, request_mask, KStat, StatFlags},
    walk::Walk,
};
use rfuse_proto::op::{self, Optional};

/// `S_IFDIR`.
pub(crate) const S_IFDIR: u16 = 0o040_000;

/// `MAY_READ`, `MAY_WRITE` and `MAY_EXEC`: what ACCESS knows.
const RWX: u32 = 0o7;

/// What a change of data or names makes old.
const TOUCHED_MASK: u32 = request_mask::NLINK
    | request_mask::ATIME
    | request_mask::MTIME
    | request_mask::CTIME
    | request_mask::SIZE
    | request_mask::BLOCKS;

/// Any of the three execute bits.
const S_IXUGO: u16 = 0o111;

/// Asks the server for the attributes of an inode. May sleep.
///
/// # Errors
///
/// The server's, and `EIO` when the node is of another type now.
pub(crate) fn refresh(inode: &Inode<Fs>, with_btime: bool) -> Result {
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    node.check()?;
    let (nodeid, fh) = (node.nodeid(), None);
    let asked_at = conn.attr_version();
    let answer = match with_btime && !conn.lacks(Optional::Statx) {
        true => conn.call(op::Statx { nodeid, fh }),
        false => Err(ENOSYS),
    };
    let (attributes, valid) = match answer {
        Err(ENOSYS) => conn.call(op::Getattr { nodeid, fh })?,
        other => other?,
    };
    if !attributes.is_complete() {
        return Err(EIO);
    }
    if attributes.check_type(inode.mode()).is_err() {
        inode::make_bad(inode);
        return Err(EIO);
    }
    inode::update(
        inode,
        &Fresh {
            attributes: &attributes,
            valid,
            asked_at,
        },
    );
    inode.forget_all_cached_acls();
    Ok(())
}

/// `stat(2)`.
pub(crate) fn getattr(
    idmap: &MntIdmap,
    inode: &Inode<Fs>,
    request_mask: u32,
    flags: StatFlags,
    stat: &mut KStat<'_>,
) -> Result {
    let node = inode.data();
    node.check()?;
    inode.super_data().admit()?;
    let wants_btime = request_mask & stat::request_mask::BTIME != 0;
    let lacks_btime =
        wants_btime && node.btime().is_none() && !inode.super_data().conn.lacks(Optional::Statx);
    let touched = node.is_touched() && request_mask & TOUCHED_MASK != 0;
    let stale = node.attributes_expired() || touched || lacks_btime;
    if flags.force_sync() || (stale && !flags.dont_sync()) {
        refresh(inode, wants_btime)?;
    }
    inode.generic_fillattr(idmap, request_mask, stat);
    let (ino, blksize) = node.shown();
    stat.set_ino(ino);
    if blksize != 0 {
        stat.set_blksize(blksize);
    } else if inode.super_block().has_device() {
        stat.set_blksize(inode.super_block().blocksize());
    }
    if let Some(btime) = wants_btime.then(|| node.btime()).flatten() {
        stat.set_btime(timespec(btime));
    }
    Ok(())
}

/// Whether the caller may do `mask`: by the mode bits, or as the server says.
///
/// # Errors
///
/// `EACCES`; `ECHILD` where the server must be asked in RCU walk; those of asking.
pub(crate) fn permission(
    idmap: &MntIdmap,
    inode: &LentInode<Fs>,
    mask: Permission,
    walk: Walk<'_>,
) -> Result {
    inode.data().check()?;
    let mount = inode.super_data();
    mount.enter(!matches!(walk, Walk::Rcu))?;
    match mount.checks_mode() {
        true => check_mode(idmap, inode, walk, mask),
        false => ask_server(inode, walk, mask),
    }
}

/// By the mode bits; before a refusal, the server is asked whether they still are the same.
fn check_mode(idmap: &MntIdmap, inode: &LentInode<Fs>, walk: Walk<'_>, mask: Permission) -> Result {
    let expired = inode.data().attributes_expired();
    if expired {
        refresh(referenced(inode, walk)?, false)?;
    }
    match inode.generic_permission(idmap, mask) {
        Err(EACCES) if !expired => {
            refresh(referenced(inode, walk)?, false)?;
            inode.generic_permission(idmap, mask)
        }
        result => result,
    }
}

/// As the server says; a file is not run unless somebody may run it.
fn ask_server(inode: &LentInode<Fs>, walk: Walk<'_>, mask: Permission) -> Result {
    let conn = &inode.super_data().conn;
    if mask.may_access() || mask.may_chdir() {
        if conn.lacks(Optional::Access) {
            return Ok(());
        }
        let nodeid = referenced(inode, walk)?.data().nodeid();
        let answer = conn.call(op::Access {
            nodeid,
            mask: mask.bits() as u32 & RWX,
        });
        return match answer {
            Err(ENOSYS) => Ok(()),
            other => other,
        };
    }
    if mask.may_exec() && inode.kind() == FileKind::Regular && inode.mode() & S_IXUGO == 0 {
        let inode = referenced(inode, walk)?;
        refresh(inode, false)?;
        if inode.mode() & S_IXUGO == 0 {
            return Err(EACCES);
        }
    }
    Ok(())
}

/// The inode for use that may sleep.
fn referenced<'a>(inode: &'a LentInode<Fs>, walk: Walk<'a>) -> Result<&'a Inode<Fs>> {
    match walk {
        Walk::Rcu => Err(ECHILD),
        Walk::Ref(walk) => Ok(inode.referenced(walk)),
    }
}
