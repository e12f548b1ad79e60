// SPDX-License-Identifier: GPL-2.0

//! Changing attributes.

use super::{
    attr,
    file::RegularFile,
    inode,
    mount::Fs,
    name_word,
    times::{self, time},
    writeback,
};
use kernel::prelude::*;
use rfuse_kapi::{
    dentry::Dentry,
    iattr::{Iattr, TimeChange},
    ids::{self, MntIdmap},
    inode::{FileKind, Inode},
};
use rfuse_proto::{
    flags::InitFlags,
    op::{self, SetTime},
};

const S_ISUID: u16 = 0o4000;
const S_ISGID: u16 = 0o2000;
const S_IXGRP: u16 = 0o010;

/// `chmod(2)`, `chown(2)`, `truncate(2)`, `utimensat(2)`, and what the VFS changes by itself.
pub(crate) fn setattr(idmap: &MntIdmap, dentry: &Dentry<Fs>, attr: &mut Iattr<'_, Fs>) -> Result {
    let inode = dentry.inode().ok_or(ENOENT)?;
    inode.data().check()?;
    inode.super_data().admit()?;
    if attr.take_kill() {
        kill_privileges(inode, attr)?;
    }
    if attr.is_empty() {
        return Ok(());
    }
    let mount = inode.super_data();
    if !mount.checks_mode() {
        attr.force();
    }
    attr.setattr_prepare(idmap, dentry)?;
    if attr.is_open() && mount.conn.has(InitFlags::ATOMIC_O_TRUNC) {
        // OPEN has cut the file.
        inode::cut(inode).apply(inode);
        return Ok(());
    }
    if inode::owns_changes(inode) {
        prepare_owned(inode, attr)?;
    }
    ask(inode, operation(idmap, dentry, inode, attr))?;
    if inode::owns_changes(inode) {
        keep_times(inode, attr);
    }
    inode.forget_all_cached_acls();
    if attr.mode().is_some() && inode.is_dir() {
        // Who may search it may have changed.
        name_word::expire(dentry.word());
    }
    Ok(())
}

/// The server hears of what was written before it hears of this change, and of when a change of the size is
/// made.
fn prepare_owned(inode: &Inode<Fs>, attr: &mut Iattr<'_, Fs>) -> Result {
    match attr.size() {
        Some(size) => {
            if size != inode.size() {
                attr.with_change_times();
            }
            Ok(())
        }
        None => {
            writeback::settle(inode, 0, i64::MAX)?;
            times::sync(inode)
        }
    }
}

/// The times that were set are kept here.
fn keep_times(inode: &Inode<Fs>, attr: &Iattr<'_, Fs>) {
    if let Some(mtime) = attr.any_mtime() {
        inode.set_mtime(mtime);
    }
    if let Some(ctime) = attr.ctime() {
        inode.set_ctime(ctime);
    }
}

/// Removes the set-user-id and set-group-id bits, if the server does not do so by itself.
fn kill_privileges(inode: &Inode<Fs>, attr: &mut Iattr<'_, Fs>) -> Result {
    let conn = &inode.super_data().conn;
    if conn.has(InitFlags::HANDLE_KILLPRIV) || conn.has(InitFlags::HANDLE_KILLPRIV_V2) {
        return Ok(());
    }
    // The VFS computed a mode from one that may be old.
    attr::refresh(inode, false)?;
    let old = inode.mode();
    let mut mode = old & !S_ISUID;
    if old & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP {
        mode &= !S_ISGID;
    }
    if mode != old {
        attr.set_mode(mode);
    }
    Ok(())
}

fn operation(
    idmap: &MntIdmap,
    dentry: &Dentry<Fs>,
    inode: &Inode<Fs>,
    attr: &Iattr<'_, Fs>,
) -> op::Setattr {
    let conn = &inode.super_data().conn;
    let owned = inode::owns_changes(inode);
    let (uid, gid) = (attr.uid(idmap, dentry), attr.gid(idmap, dentry));
    let size = attr.size();
    let chown = (uid.is_some() || gid.is_some()) && !inode.is_dir();
    let kills = chown || (size.is_some() && !ids::capable_fsetid());
    op::Setattr {
        nodeid: inode.data().nodeid(),
        fh: match attr.is_open() {
            true => None,
            false => attr.file::<RegularFile>().and_then(|handle| handle.fh()),
        },
        mode: attr.mode().map(u32::from),
        uid,
        gid,
        size,
        atime: attr.atime().map(set_time),
        mtime: match owned {
            true => attr.any_mtime().map(|mtime| SetTime::To(time(mtime))),
            false => attr.mtime().map(set_time),
        },
        ctime: attr.ctime().filter(|_| owned).map(time),
        lock_owner: size.map(|_| conn.lock_owner(ids::current_files())),
        kill_suidgid: kills && conn.has(InitFlags::HANDLE_KILLPRIV_V2),
    }
}

fn set_time(change: TimeChange) -> SetTime {
    match change {
        TimeChange::Now(now) => SetTime::Now(time(now)),
        TimeChange::To(then) => SetTime::To(time(then)),
    }
}

/// Asks the server, and takes over what it says.
fn ask(inode: &Inode<Fs>, operation: op::Setattr) -> Result {
    let conn = &inode.super_data().conn;
    if operation.size.is_some() && inode.kind() != FileKind::Regular {
        return Err(EINVAL);
    }
    let barrier = match operation.size {
        Some(size) => {
            inode::prepare_resize(inode, size)?;
            Some(writeback::hold(inode)?)
        }
        None => None,
    };
    let asked_at = conn.attr_version();
    let resized = operation.size.is_some();
    let (attributes, valid) = conn.call(operation).inspect_err(|error| {
        if *error == EINTR {
            inode.data().expire_attributes(conn);
        }
    })?;
    if attributes.check_type(inode.mode()).is_err() {
        inode::make_bad(inode);
        return Err(EIO);
    }
    let resized = inode::changed(
        inode,
        &inode::Fresh {
            attributes: &attributes,
            valid,
            asked_at,
        },
        resized,
    );
    drop(barrier);
    resized.apply(inode);
    Ok(())
}
