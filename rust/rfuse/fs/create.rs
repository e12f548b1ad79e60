// SPDX-License-Identifier: GPL-2.0

//! Files that are made and opened at once.

use super::{
    dir,
    file::RegularFile,
    handle::Handle,
    mount::Fs,
    names::{enter, masked, mknod, not_made, Place},
};
use crate::conn::unsupported;
use kernel::{prelude::*, sync::Arc};
use rfuse_kapi::{
    atomic_open::{AtomicOpen, Opened, Tmpfile},
    dentry::NewName,
    ids::{self, MntIdmap},
    inode::Inode,
};
use rfuse_proto::{
    flags::{InitFlags, OPEN_KILL_SUIDGID},
    op::{self, Optional},
};

const O_CREAT: u32 = 0o100;
const O_EXCL: u32 = 0o200;
const O_NOCTTY: u32 = 0o400;
const O_TRUNC: u32 = 0o1000;

/// `S_IFREG`.
const S_IFREG: u16 = 0o100_000;

/// Looks a name up that is to be opened, and makes it if it is not there.
///
/// A name that must be new is not looked up before: the server says `EEXIST`.
pub(crate) fn atomic_open<'a>(
    dir: &Inode<Fs>,
    opening: AtomicOpen<'a, Fs>,
) -> Result<Opened<'a, Fs>> {
    dir.data().check()?;
    let conn = &dir.super_data().conn;
    let exclusive = opening.flags() & O_EXCL != 0 && conn.refuses_existing();
    if let Some(dentry) = opening.to_look_up() {
        if !(exclusive && opening.to_make().is_some()) {
            let looked = dir::lookup(dir, dentry)?;
            if !looked.is_negative() {
                return Ok(opening.finish_no_open(Some(looked)));
            }
        }
    }
    match opening.to_make() {
        None => Ok(opening.finish_no_open(None)),
        Some(name) if conn.lacks(Optional::Create) => make_unopened(dir, opening, name),
        Some(name) => create(dir, opening, name),
    }
}

/// CREATE.
fn create<'a>(
    dir: &Inode<Fs>,
    opening: AtomicOpen<'a, Fs>,
    name: NewName<'a, Fs>,
) -> Result<Opened<'a, Fs>> {
    let conn = &dir.super_data().conn;
    let asked_at = conn.attr_version();
    let place = Place::new(opening.idmap(), dir, &name.name(), opening.mode())?;
    let operation = op::Create {
        at: place.at(),
        file: new_file(dir, opening.flags() | O_CREAT, opening.mode()),
    };
    let (node, out) = match conn.call(operation) {
        Err(ENOSYS) => return make_unopened(dir, opening, name),
        Err(error) => {
            not_made(&name, error);
            return Err(error);
        }
        Ok(answer) => answer,
    };
    // From here on dropping it gives the file up.
    let handle = Handle::made(conn, node.nodeid, opening.flags(), &out);
    let looked = enter(dir, name, &node, asked_at)?;
    let inode = looked.dentry().inode().ok_or(EIO)?;
    opening.set_created();
    opening.finish_open::<RegularFile>(inode, Arc::new(handle, GFP_KERNEL)?)
}

/// MKNOD, and OPEN by the VFS.
fn make_unopened<'a>(
    dir: &Inode<Fs>,
    opening: AtomicOpen<'a, Fs>,
    name: NewName<'a, Fs>,
) -> Result<Opened<'a, Fs>> {
    mknod(opening.idmap(), dir, name, opening.mode(), (0, 0))?;
    opening.set_created();
    Ok(opening.finish_no_open(None))
}

/// TMPFILE.
///
/// # Errors
///
/// `EOPNOTSUPP` from a server that cannot.
pub(crate) fn tmpfile<'a>(
    idmap: &MntIdmap,
    dir: &Inode<Fs>,
    file: Tmpfile<'a, Fs>,
    mode: u16,
) -> Result<Opened<'a, Fs>> {
    dir.data().check()?;
    let conn = &dir.super_data().conn;
    let asked_at = conn.attr_version();
    let mode = mode | S_IFREG;
    let place = Place::new(idmap, dir, &file.name(), mode)?;
    let operation = op::Tmpfile {
        at: place.at(),
        file: new_file(dir, file.flags(), mode),
    };
    let (node, out) = conn.call_known(operation).map_err(unsupported)?;
    let handle = Handle::made(conn, node.nodeid, file.flags(), &out);
    let inode = dir::iget(dir.super_block(), &node, asked_at)?;
    file.finish_open::<RegularFile>(inode, Arc::new(handle, GFP_KERNEL)?)
}

/// How the file is to be made. Who makes one without a name does not say `O_CREAT`: `open(2)` refuses both together.
fn new_file(dir: &Inode<Fs>, flags: u32, mode: u16) -> op::NewFile {
    let conn = &dir.super_data().conn;
    let (mode, umask) = masked(conn, mode);
    let cuts = flags & (O_TRUNC | O_EXCL) == O_TRUNC;
    let kill = conn.has(InitFlags::HANDLE_KILLPRIV_V2) && cuts && !ids::capable_fsetid();
    op::NewFile {
        flags: flags & !O_NOCTTY,
        mode,
        umask,
        open_flags: if kill { OPEN_KILL_SUIDGID } else { 0 },
    }
}
