// SPDX-License-Identifier: GPL-2.0

//! The times of files whose writes stay in the page cache: they are kept here, and the server is told.

use super::{
    handle::Handle,
    inode,
    mount::Fs,
    writeback::{self, Writes},
};
use kernel::prelude::*;
use rfuse_kapi::{
    inode::{Inode, LentInode},
    time::Timespec,
};
use rfuse_proto::{
    attr::Time,
    op::{self, SetTime},
};

/// The minor version since which SETATTR has a change time.
const CTIME_MINOR: u32 = 23;

/// Tells the server of the times. Without `waits` they are sent as what is dirty is, behind all that was
/// written before: no thread that serves other inodes waits for a server. May sleep.
///
/// # Errors
///
/// The server's; `EINTR` when killed. None without `waits`.
pub(crate) fn write(inode: &LentInode<Fs>, waits: bool) -> Result {
    if !inode::owns_changes(inode) || inode.data().check().is_err() {
        return Ok(());
    }
    if !waits {
        // An inode that is about to be freed is one that was deleted.
        inode.grab().inspect(|inode| writeback::send_times(inode));
        return Ok(());
    }
    let writes: &Writes = &inode.data().writes;
    writes.wait_times()?;
    let handle = writes.handle();
    let conn = &inode.super_data().conn;
    conn.call(operation(inode, handle.as_deref())).map(|_| ())
}

/// Waits until the server knows the times. May sleep.
///
/// # Errors
///
/// As for [`write`].
pub(crate) fn sync(inode: &Inode<Fs>) -> Result {
    inode.sync_metadata()?;
    // They may have been on their way before.
    inode.data().writes.wait_times()
}

/// The request that says what the times are now.
pub(super) fn operation(inode: &LentInode<Fs>, handle: Option<&Handle>) -> op::Setattr {
    let conn = &inode.super_data().conn;
    let (mtime, ctime) = inode.mtime_ctime();
    let minor = conn.negotiated().map_or(0, |it| it.minor);
    op::Setattr {
        nodeid: inode.data().nodeid(),
        fh: handle.and_then(Handle::fh),
        mtime: Some(SetTime::To(time(mtime))),
        ctime: (minor >= CTIME_MINOR).then(|| time(ctime)),
        ..op::Setattr::default()
    }
}

/// As the protocol has it.
pub(super) fn time(time: Timespec) -> Time {
    Time {
        sec: time.sec,
        nsec: time.nsec,
    }
}
