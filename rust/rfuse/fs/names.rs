// SPDX-License-Identifier: GPL-2.0

//! Names that come and go: making, linking, removing and renaming.

use super::{dir, mount::Fs, name_word};
use crate::conn::Connection;
use kernel::prelude::*;
use rfuse_kapi::{
    dentry::{LockedName, Looked, NewName, StableName},
    ids::{self, MntIdmap},
    inode::Inode,
    security::{security_dentry_init_security, LsmContext},
};
use rfuse_proto::{
    attr::{Node, Rdev},
    flags::InitFlags,
    op::{self, Optional},
};

/// The `RENAME_*` flags that the protocol has: `NOREPLACE`, `EXCHANGE`, `WHITEOUT`.
const RENAME_FLAGS: u32 = 0b111;
/// `RENAME_EXCHANGE`.
const RENAME_EXCHANGE: u32 = 0b010;
/// `RENAME_WHITEOUT`.
const RENAME_WHITEOUT: u32 = 0b100;

/// `S_IFLNK`.
const S_IFLNK: u16 = 0o120_000;

/// The minor version since which there is RENAME2.
const RENAME2_MINOR: u32 = 23;

/// A mode as the server is to get it, and the umask that it is to know of.
pub(crate) fn masked(conn: &Connection, mode: u16) -> (u32, u32) {
    let umask = ids::current_umask();
    let mode = match conn.has(InitFlags::DONT_MASK) {
        true => mode,
        false => mode & !umask,
    };
    (mode.into(), umask.into())
}

/// Where a name is to be made, and what the server is to know of the node beside the operation.
pub(crate) struct Place<'a> {
    parent: u64,
    name: &'a [u8],
    owner: Option<op::Owner>,
    /// With SECURITY_CTX, what the security modules say of the new node.
    label: Option<Option<LsmContext>>,
    group: Option<u32>,
}

impl<'a> Place<'a> {
    /// A name in the directory `dir`, for a node with this mode. May sleep.
    ///
    /// # Errors
    ///
    /// Those of the security modules.
    pub(crate) fn new(
        idmap: &MntIdmap,
        dir: &Inode<Fs>,
        name: &StableName<'a, Fs>,
        mode: u16,
    ) -> Result<Self> {
        let conn = &dir.super_data().conn;
        Ok(Self {
            parent: dir.data().nodeid(),
            name: name.name(),
            owner: owner(conn, idmap),
            label: match conn.has(InitFlags::SECURITY_CTX) {
                true => Some(security_dentry_init_security(name, mode)?),
                false => None,
            },
            // A server that acts as the caller must know by which group the caller may write to the directory.
            group: match conn.has(InitFlags::CREATE_SUPP_GROUP) {
                true => dir.supplementary_group(idmap),
                false => None,
            },
        })
    }

    /// As it is sent.
    pub(crate) fn at(&self) -> op::NewName<'_> {
        op::NewName {
            parent: self.parent,
            name: self.name,
            owner: self.owner,
            extensions: op::Extensions {
                security: self.label.as_ref().map(|it| it.as_ref().map(context)),
                group: self.group,
            },
        }
    }
}

fn context(label: &LsmContext) -> op::SecurityContext<'_> {
    op::SecurityContext {
        name: label.name(),
        label: label.context(),
    }
}

/// Who is to own what the caller makes, where that depends on the mount.
fn owner(conn: &Connection, idmap: &MntIdmap) -> Option<op::Owner> {
    conn.has(InitFlags::ALLOW_IDMAP).then(|| {
        let (uid, gid) = conn.ids().mapped_fsids(idmap);
        op::Owner { uid, gid }
    })
}

/// Asks the server to make a name, and enters it.
fn make<'a, O>(dir: &Inode<Fs>, name: NewName<'a, Fs>, operation: O) -> Result<Looked<'a, Fs>>
where
    O: op::Operation<Reply = Node>,
{
    dir.data().check()?;
    let conn = &dir.super_data().conn;
    let asked_at = conn.attr_version();
    match conn.call(operation) {
        Ok(node) => enter(dir, name, &node, asked_at),
        Err(error) => {
            not_made(&name, error);
            Err(error)
        }
    }
}

/// What is known of a name that was not made may be wrong.
pub(crate) fn not_made(name: &NewName<'_, Fs>, error: Error) {
    if error == EEXIST || error == EINTR {
        name.dentry().d_drop();
    }
}

/// Enters a name that the server has made for a node.
pub(crate) fn enter<'a>(
    dir: &Inode<Fs>,
    name: NewName<'a, Fs>,
    node: &Node,
    asked_at: u64,
) -> Result<Looked<'a, Fs>> {
    let inode = dir::iget(dir.super_block(), node, asked_at)?;
    let looked = name.instantiate(inode)?;
    let conn = &dir.super_data().conn;
    name_word::hold(looked.dentry().word(), conn, asked_at, node.entry_valid);
    dir.data().change_names(conn);
    Ok(looked)
}

/// MKNOD: `mode` has the type.
pub(crate) fn mknod<'a>(
    idmap: &MntIdmap,
    dir: &Inode<Fs>,
    name: NewName<'a, Fs>,
    mode: u16,
    (major, minor): (u32, u32),
) -> Result<Looked<'a, Fs>> {
    let place = Place::new(idmap, dir, &name.name(), mode)?;
    let (mode, umask) = masked(&dir.super_data().conn, mode);
    let operation = op::Mknod {
        at: place.at(),
        mode,
        rdev: Rdev { major, minor }.encode(),
        umask,
    };
    make(dir, name, operation)
}

/// MKDIR.
pub(crate) fn mkdir<'a>(
    idmap: &MntIdmap,
    dir: &Inode<Fs>,
    name: NewName<'a, Fs>,
    mode: u16,
) -> Result<Looked<'a, Fs>> {
    let place = Place::new(idmap, dir, &name.name(), mode)?;
    let (mode, umask) = masked(&dir.super_data().conn, mode);
    let operation = op::Mkdir {
        at: place.at(),
        mode,
        umask,
    };
    make(dir, name, operation)
}

/// SYMLINK.
pub(crate) fn symlink<'a>(
    idmap: &MntIdmap,
    dir: &Inode<Fs>,
    name: NewName<'a, Fs>,
    target: &CStr,
) -> Result<Looked<'a, Fs>> {
    let place = Place::new(idmap, dir, &name.name(), S_IFLNK)?;
    let operation = op::Symlink {
        at: place.at(),
        target: target.to_bytes(),
    };
    make(dir, name, operation)
}

/// LINK: another name for `inode`.
///
/// # Errors
///
/// `EPERM` from a server that cannot.
pub(crate) fn link<'a>(
    inode: &Inode<Fs>,
    dir: &Inode<Fs>,
    name: NewName<'a, Fs>,
) -> Result<Looked<'a, Fs>> {
    let conn = &dir.super_data().conn;
    if conn.lacks(Optional::Link) {
        return Err(EPERM);
    }
    inode.data().check()?;
    let operation = op::Link {
        target: inode.data().nodeid(),
        parent: dir.data().nodeid(),
        name: name.name().name(),
    };
    let linked = make(dir, name, operation);
    match linked {
        Err(ENOSYS) => Err(EPERM),
        Err(EINTR) => {
            inode.data().expire_attributes(conn);
            Err(EINTR)
        }
        other => other,
    }
}

/// A name as it is.
fn old<'a>(dir: &Inode<Fs>, name: &LockedName<'a, Fs>) -> op::OldName<'a> {
    op::OldName {
        parent: dir.data().nodeid(),
        name: name.name(),
    }
}

/// UNLINK.
pub(crate) fn unlink(dir: &Inode<Fs>, name: &LockedName<'_, Fs>) -> Result {
    remove(dir, name, op::Unlink(old(dir, name)))
}

/// RMDIR.
pub(crate) fn rmdir(dir: &Inode<Fs>, name: &LockedName<'_, Fs>) -> Result {
    remove(dir, name, op::Rmdir(old(dir, name)))
}

fn remove<O>(dir: &Inode<Fs>, name: &LockedName<'_, Fs>, operation: O) -> Result
where
    O: op::Operation<Reply = ()>,
{
    dir.data().check()?;
    let conn = &dir.super_data().conn;
    let removed = conn.call(operation);
    match removed {
        Ok(()) => {
            unlinked(conn, name);
            dir.data().change_names(conn);
        }
        Err(EINTR | ENOENT) => name.d_invalidate(),
        Err(_) => {}
    }
    removed
}

/// A name is gone, and with it a link of what it stood for.
fn unlinked(conn: &Connection, name: &LockedName<'_, Fs>) {
    name_word::expire(name.word());
    if let Some(inode) = name.inode() {
        inode.data().drop_link(conn, inode);
    }
}

/// RENAME, or RENAME2 for `flags`.
///
/// # Errors
///
/// `EINVAL` for flags that the protocol or the server does not know.
pub(crate) fn rename(
    idmap: &MntIdmap,
    (from_dir, from): (&Inode<Fs>, &LockedName<'_, Fs>),
    (to_dir, to): (&Inode<Fs>, &LockedName<'_, Fs>),
    flags: u32,
) -> Result {
    from_dir.data().check()?;
    to_dir.data().check()?;
    let conn = &from_dir.super_data().conn;
    let names = op::Move {
        from: old(from_dir, from),
        to: old(to_dir, to),
    };
    let owner = match flags & RENAME_WHITEOUT {
        0 => None,
        _ => owner(conn, idmap),
    };
    let moved = ask_to_move(
        conn,
        op::Rename2 {
            names,
            flags,
            owner,
        },
    );
    match moved {
        Ok(()) => {
            from_dir.data().change_names(conn);
            to_dir.data().change_names(conn);
            expire(conn, from);
            match flags & RENAME_EXCHANGE {
                0 => unlinked(conn, to),
                _ => expire(conn, to),
            }
        }
        Err(EINTR | ENOENT) => {
            from.d_invalidate();
            if to.inode().is_some() {
                to.d_invalidate();
            }
        }
        Err(_) => {}
    }
    moved
}

/// What a name stands for has another change time.
fn expire(conn: &Connection, name: &LockedName<'_, Fs>) {
    if let Some(inode) = name.inode() {
        inode.data().touch(conn);
    }
}

fn ask_to_move(conn: &Connection, operation: op::Rename2<'_>) -> Result {
    let flags = operation.flags;
    if flags == 0 {
        return conn.call(op::Rename(operation.names));
    }
    let minor = conn.negotiated().map_or(0, |it| it.minor);
    if flags & !RENAME_FLAGS != 0 || minor < RENAME2_MINOR || conn.lacks(Optional::Rename2) {
        return Err(EINVAL);
    }
    match conn.call(operation) {
        Err(ENOSYS) => Err(EINVAL),
        other => other,
    }
}
