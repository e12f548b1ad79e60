// SPDX-License-Identifier: GPL-2.0

//! Locks on files: the server's, if it keeps them, else those of this system.

use super::{file::RegularFile, handle::Handle};
use crate::conn::{request::Payload, Connection};
use kernel::prelude::*;
use rfuse_kapi::{
    file::File,
    filelock::{Conflict, FileLock, LockCommand, LockKind, Locked},
};
use rfuse_proto::{
    flags::{InitFlags, LK_FLOCK},
    op::{self, Lock, LockRequest, Optional, F_RDLCK, F_UNLCK, F_WRLCK},
};

/// A lock on a range (`fcntl(2)`).
pub(crate) fn lock(
    file: &File<'_, RegularFile>,
    command: LockCommand,
    lock: &mut FileLock<'_>,
) -> Result<Locked> {
    let (node, handle) = (file.inode().data(), file.data());
    node.check()?;
    let is_kept = is_kept(handle.conn(), InitFlags::POSIX_LOCKS);
    match command {
        // Nobody here waits in the VFS.
        LockCommand::Cancel => return Ok(Locked::Now),
        LockCommand::Get if is_kept => get(handle, lock)?,
        LockCommand::Get => lock.posix_test_lock(file),
        LockCommand::Set if is_kept => set_range(file, lock)?,
        LockCommand::Set => return lock.posix_lock_file(file),
    }
    Ok(Locked::Now)
}

/// A lock on a file (`flock(2)`).
pub(crate) fn flock(file: &File<'_, RegularFile>, lock: &mut FileLock<'_>) -> Result {
    let handle = file.data();
    file.inode().data().check()?;
    if !is_kept(handle.conn(), InitFlags::FLOCK_LOCKS) {
        return lock.locks_lock_file_wait(file);
    }
    // Closing the file gives it up.
    handle.note_flock(lock.owner());
    set(file, lock, LK_FLOCK)
}

fn is_kept(conn: &Connection, flag: InitFlags) -> bool {
    conn.has(flag) && !conn.lacks(Optional::Lock)
}

/// Looks for a lock in the way.
fn get(handle: &Handle, lock: &mut FileLock<'_>) -> Result {
    let found = handle.conn().call(op::Getlk(request(handle, lock, 0)))?;
    let kind = match found.kind {
        F_RDLCK => LockKind::Read,
        F_WRLCK => LockKind::Write,
        _ => LockKind::Unlock,
    };
    let conflict = Conflict {
        kind,
        start: i64::try_from(found.start).unwrap_or(i64::MAX),
        end: i64::try_from(found.end).unwrap_or(i64::MAX),
        pid: i32::try_from(found.pid).unwrap_or(0),
    };
    lock.set_conflict((kind != LockKind::Unlock).then_some(conflict));
    Ok(())
}

/// Takes or gives up a range, and sees to it that closing does the latter.
fn set_range(file: &File<'_, RegularFile>, lock: &FileLock<'_>) -> Result {
    match lock.is_of_file() {
        true => file.data().note_file_lock(lock.owner()),
        false => file.inode().data().note_locked(),
    }
    set(file, lock, 0)
}

/// Takes or gives up a lock.
///
/// # Errors
///
/// `ENOLCK` for who does not wait, and wants to be told; `ERESTARTSYS` when a signal came first; the server's.
fn set(file: &File<'_, RegularFile>, lock: &FileLock<'_>, flags: u32) -> Result {
    if lock.is_granted_later() {
        return Err(ENOLCK);
    }
    let (conn, handle) = (file.data().conn(), file.data_arc());
    let wanted = request(&handle, lock, flags);
    match lock.waits() {
        // Who is killed may leave a lock to be given up, for which the server must know the handle.
        true => conn
            .call_interruptible(op::Setlkw(wanted), handle)
            .map_err(|error| match error {
                EINTR => ERESTARTSYS,
                other => other,
            }),
        false => conn
            .call_with(op::Setlk(wanted), Payload::held(handle))
            .map(|((), _)| ()),
    }
}

fn request(handle: &Handle, lock: &FileLock<'_>, flags: u32) -> LockRequest {
    let (nodeid, fh) = handle.ids();
    let kind = match lock.kind() {
        LockKind::Read => F_RDLCK,
        LockKind::Write => F_WRLCK,
        LockKind::Unlock => F_UNLCK,
    };
    LockRequest {
        nodeid,
        fh,
        owner: handle.conn().lock_owner(lock.owner()),
        lock: Lock {
            start: lock.start().unsigned_abs(),
            end: lock.end().unsigned_abs(),
            kind,
            pid: match kind {
                F_UNLCK => 0,
                _ => handle.conn().ids().current_tgid(),
            },
        },
        flags,
    }
}
