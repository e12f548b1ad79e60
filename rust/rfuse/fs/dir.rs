// SPDX-License-Identifier: GPL-2.0

//! Names in directories: lookup and revalidation.

use super::{
    acl, attr, create, fileattr,
    inode::{self, Fresh},
    mount::Fs,
    name_word, names, setattr, xattr,
};
use crate::conn::Connection;
use kernel::{prelude::*, sync::aref::ARef};
use rfuse_kapi::{
    atomic_open::{AtomicOpen, Opened, Tmpfile},
    dentry::{Dentry, LentDentry, LockedName, Looked, NewName, Unhashed},
    fileattr::FileKattr,
    iattr::Iattr,
    ids::MntIdmap,
    inline_atomic::InlineAtomic,
    inode::{Inode, LentInode},
    inode_operations::{AclKind, InodeOperations, Permission},
    stat::{KStat, StatFlags},
    super_block::SuperBlock,
    walk::{LookupFlags, Walk},
};
use rfuse_proto::{
    attr::{Lookup, Node, Timeout},
    op,
};

/// `S_ISVTX`: a name may be removed only by its owner or the directory's.
const S_ISVTX: u16 = 0o1000;

/// Operations of directories.
pub(crate) struct DirInodeOps;

#[vtable]
impl InodeOperations for DirInodeOps {
    type Fs = Fs;

    fn lookup<'a>(
        dir: &Inode<Fs>,
        dentry: Unhashed<'a, Fs>,
        flags: LookupFlags,
    ) -> Result<Looked<'a, Fs>> {
        dir.data().check()?;
        match is_server_asked_later(dir, flags) {
            true => Ok(dentry.leave_unknown()),
            false => lookup(dir, dentry),
        }
    }

    fn mknod<'a>(
        idmap: &MntIdmap,
        dir: &Inode<Fs>,
        name: NewName<'a, Fs>,
        mode: u16,
        rdev: (u32, u32),
    ) -> Result<Looked<'a, Fs>> {
        names::mknod(idmap, dir, name, mode, rdev)
    }

    fn mkdir<'a>(
        idmap: &MntIdmap,
        dir: &Inode<Fs>,
        name: NewName<'a, Fs>,
        mode: u16,
    ) -> Result<Looked<'a, Fs>> {
        names::mkdir(idmap, dir, name, mode)
    }

    fn symlink<'a>(
        idmap: &MntIdmap,
        dir: &Inode<Fs>,
        name: NewName<'a, Fs>,
        target: &CStr,
    ) -> Result<Looked<'a, Fs>> {
        names::symlink(idmap, dir, name, target)
    }

    fn link<'a>(
        inode: &Inode<Fs>,
        dir: &Inode<Fs>,
        name: NewName<'a, Fs>,
    ) -> Result<Looked<'a, Fs>> {
        names::link(inode, dir, name)
    }

    fn unlink(dir: &Inode<Fs>, name: LockedName<'_, Fs>) -> Result {
        names::unlink(dir, &name)
    }

    fn rmdir(dir: &Inode<Fs>, name: LockedName<'_, Fs>) -> Result {
        names::rmdir(dir, &name)
    }

    fn rename(
        idmap: &MntIdmap,
        (from_dir, from): (&Inode<Fs>, LockedName<'_, Fs>),
        (to_dir, to): (&Inode<Fs>, LockedName<'_, Fs>),
        flags: u32,
    ) -> Result {
        names::rename(idmap, (from_dir, &from), (to_dir, &to), flags)
    }

    fn atomic_open<'a>(dir: &Inode<Fs>, opening: AtomicOpen<'a, Fs>) -> Result<Opened<'a, Fs>> {
        create::atomic_open(dir, opening)
    }

    fn tmpfile<'a>(
        idmap: &MntIdmap,
        dir: &Inode<Fs>,
        file: Tmpfile<'a, Fs>,
        mode: u16,
    ) -> Result<Opened<'a, Fs>> {
        create::tmpfile(idmap, dir, file, mode)
    }

    fn setattr(idmap: &MntIdmap, dentry: &Dentry<Fs>, attr: &mut Iattr<'_, Fs>) -> Result {
        setattr::setattr(idmap, dentry, attr)
    }

    fn listxattr(inode: &Inode<Fs>, list: Option<&mut [u8]>) -> Result<usize> {
        xattr::list(inode, list)
    }

    fn set_acl(idmap: &MntIdmap, inode: &Inode<Fs>, kind: AclKind, list: Option<&[u8]>) -> Result {
        acl::set_acl(idmap, inode, kind, list)
    }

    fn get_acl(inode: &Inode<Fs>, kind: AclKind) -> Result<Option<KVec<u8>>> {
        acl::get_acl(inode, kind)
    }

    fn fileattr_get(inode: &Inode<Fs>, attr: &mut FileKattr) -> Result {
        fileattr::get(inode, attr)
    }

    fn fileattr_set(_idmap: &MntIdmap, inode: &Inode<Fs>, attr: &FileKattr) -> Result {
        fileattr::set(inode, attr)
    }

    fn permission(
        idmap: &MntIdmap,
        inode: &LentInode<Fs>,
        mask: Permission,
        walk: Walk<'_>,
    ) -> Result {
        attr::permission(idmap, inode, mask, walk)
    }

    fn get_inode_acl(
        inode: &LentInode<Fs>,
        kind: AclKind,
        walk: Walk<'_>,
    ) -> Result<Option<KVec<u8>>> {
        acl::get_inode_acl(inode, kind, walk)
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
}

/// Whether a name need not be looked up, as the server is about to be asked to make it, and knows by
/// itself whether it may. What a name in a sticky directory stands for decides who may replace it.
fn is_server_asked_later(dir: &Inode<Fs>, flags: LookupFlags) -> bool {
    let makes = flags.create() && flags.excl();
    let replaces = flags.rename_target() && dir.mode() & S_ISVTX == 0;
    (makes || replaces) && dir.super_data().conn.refuses_existing()
}

/// Looks a name up on the server, and enters what it says.
pub(crate) fn lookup<'a>(dir: &Inode<Fs>, dentry: Unhashed<'a, Fs>) -> Result<Looked<'a, Fs>> {
    let conn = &dir.super_data().conn;
    let asked_at = conn.attr_version();
    match ask(conn, dir.data().nodeid(), dentry.name())? {
        Lookup::Negative(valid) => {
            name_word::hold(dentry.word(), conn, asked_at, valid);
            dentry.splice(None)
        }
        Lookup::Found(node) => {
            let inode = iget(dentry.super_block(), &node, asked_at)?;
            dir.data().advise_plus();
            let looked = dentry.splice(Some(inode))?;
            name_word::hold(looked.dentry().word(), conn, asked_at, node.entry_valid);
            Ok(looked)
        }
    }
}

/// Asks the server for a name in the node `parent`. A name that is not there without saying for how long is
/// forgotten at once.
pub(crate) fn ask(conn: &Connection, parent: u64, name: &[u8]) -> Result<Lookup> {
    if name.len() > conn.name_max() {
        return Err(ENAMETOOLONG);
    }
    match conn.call(op::Lookup { parent, name }) {
        Err(ENOENT) => Ok(Lookup::Negative(Timeout::ZERO)),
        other => other,
    }
}

/// The attributes that came with a lookup.
pub(crate) fn fresh(node: &Node, asked_at: u64) -> Fresh<'_> {
    Fresh {
        attributes: &node.attributes,
        valid: node.attr_valid,
        asked_at,
    }
}

/// The inode of a node that an answer has named, with a lookup. May sleep.
///
/// # Errors
///
/// `ENOMEM`; then the lookup was given back.
pub(crate) fn iget(sb: &SuperBlock<Fs>, node: &Node, asked_at: u64) -> Result<ARef<Inode<Fs>>> {
    inode::iget(sb, node.nodeid, node.generation, &fresh(node, asked_at))
        .inspect_err(|_| sb.data().conn.forget(node.nodeid, 1))
}

/// Whether a cached name may be used. In RCU walk it is, or is not known.
pub(crate) fn revalidate(
    dir: &LentInode<Fs>,
    name: &[u8],
    dentry: &LentDentry<Fs>,
    walk: Walk<'_>,
    flags: LookupFlags,
) -> Result<bool> {
    let inode = dentry.inode_rcu();
    if inode.is_some_and(|inode| inode.data().check().is_err()) {
        return Ok(false);
    }
    let must_ask = flags.excl() || flags.reval();
    let conn = &dir.super_data().conn;
    if !must_ask && !name_word::has_expired(dentry.word().read_once(), conn) {
        if inode.is_some_and(|inode| inode.data().take_from_listing()) {
            dir.data().advise_plus();
        }
        return Ok(true);
    }
    if inode.is_none() {
        return Ok(false);
    }
    let Walk::Ref(walk) = walk else {
        return Err(ECHILD);
    };
    ask_again(dir.referenced(walk), name, dentry.referenced(walk))
}

/// Asks whether a name still stands for the same node.
fn ask_again(dir: &Inode<Fs>, name: &[u8], dentry: &Dentry<Fs>) -> Result<bool> {
    let Some(inode) = dentry.inode() else {
        return Ok(false);
    };
    let conn = &dir.super_data().conn;
    let asked_at = conn.attr_version();
    let node = match ask(conn, dir.data().nodeid(), name) {
        Ok(Lookup::Found(node)) => node,
        Ok(Lookup::Negative(_)) => return Ok(false),
        Err(error) if error == ENOMEM || error == EINTR => return Err(error),
        Err(_) => return Ok(false),
    };
    if node.nodeid != inode.data().nodeid()
        || node.attributes.is_mount_point() != inode.data().is_mount_point()
    {
        conn.forget(node.nodeid, 1);
        return Ok(false);
    }
    inode.data().looked_up();
    if !inode::same_node(inode, node.generation, &node.attributes) {
        inode::make_bad(inode);
        return Ok(false);
    }
    inode::update(inode, &fresh(&node, asked_at));
    name_word::hold(dentry.word(), conn, asked_at, node.entry_valid);
    Ok(true)
}
