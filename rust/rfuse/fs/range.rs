// SPDX-License-Identifier: GPL-2.0

//! Ranges of files: where data is, reserving, freeing and copying.

use super::{attr, file::RegularFile, inode::drop_range, writeback::settle};
use crate::conn::{unsupported, Connection};
use kernel::{page::PAGE_SIZE, prelude::*};
use rfuse_kapi::file::File;
use rfuse_proto::op::{self, Optional};

const SEEK_END: i32 = 2;
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;

/// `FALLOC_FL_KEEP_SIZE`: the file does not grow.
const KEEP_SIZE: u32 = 0x01;
/// `FALLOC_FL_PUNCH_HOLE`: the range is freed.
const PUNCH_HOLE: u32 = 0x02;
/// `FALLOC_FL_ZERO_RANGE`: the range becomes zero.
const ZERO_RANGE: u32 = 0x10;

/// The most bytes of a COPY_FILE_RANGE, whose answer has 32 bits: whole pages.
const COPY_MAX: u64 = u32::MAX as u64 & !(PAGE_SIZE as u64 - 1);

/// `lseek(2)`.
///
/// # Errors
///
/// `EINVAL`, `ENXIO`, the server's.
pub(crate) fn llseek(file: &File<'_, RegularFile>, offset: i64, whence: i32) -> Result<i64> {
    let inode = file.inode();
    match whence {
        SEEK_END => {
            if inode.data().attributes_expired() {
                attr::refresh(inode, false)?;
            }
            let _lock = inode.lock();
            file.generic_file_llseek(offset, whence)
        }
        SEEK_DATA | SEEK_HOLE => seek_data(file, offset, whence),
        _ => file.generic_file_llseek(offset, whence),
    }
}

/// Asks the server where data is. For one that cannot tell, all of the file is data.
fn seek_data(file: &File<'_, RegularFile>, offset: i64, whence: i32) -> Result<i64> {
    let (inode, handle) = (file.inode(), file.data());
    inode.data().check()?;
    let conn = handle.conn();
    if !conn.lacks(Optional::Lseek) {
        settle(inode, 0, i64::MAX)?;
        let (nodeid, fh) = handle.ids();
        let answer = conn.call(op::Lseek {
            nodeid,
            fh,
            offset: u64::try_from(offset).map_err(|_| ENXIO)?,
            whence: whence.unsigned_abs(),
        });
        match answer {
            Err(ENOSYS) => {}
            Err(error) => return Err(error),
            Ok(found) => return file.vfs_setpos(found),
        }
    }
    attr::refresh(inode, false)?;
    file.generic_file_llseek(offset, whence)
}

/// `fallocate(2)`.
///
/// # Errors
///
/// `EOPNOTSUPP` for what the protocol or the server cannot do; `EFBIG`; the server's.
pub(crate) fn fallocate(file: &File<'_, RegularFile>, mode: u32, offset: i64, len: i64) -> Result {
    let (inode, handle) = (file.inode(), file.data());
    inode.data().check()?;
    let conn = handle.conn();
    let known = KEEP_SIZE | PUNCH_HOLE | ZERO_RANGE;
    if mode & !known != 0 || conn.lacks(Optional::Fallocate) {
        return Err(EOPNOTSUPP);
    }
    let end = offset.checked_add(len).ok_or(EFBIG)?;
    let _lock = inode.lock();
    let changes = mode & (PUNCH_HOLE | ZERO_RANGE) != 0;
    if changes {
        settle(inode, offset, end.saturating_sub(1))?;
    }
    let old_size = inode.size();
    let grows = mode & KEEP_SIZE == 0 && end as u64 > old_size;
    if grows {
        inode.newsize_ok(end)?;
        inode
            .mapping()
            .wait_for_readers(old_size as i64, end.saturating_sub(1))?;
    }
    if changes {
        inode
            .mapping()
            .wait_for_readers(offset, end.saturating_sub(1))?;
    }
    file.modified()?;
    let (nodeid, fh) = handle.ids();
    conn.call(op::Fallocate {
        nodeid,
        fh,
        offset: u64::try_from(offset)?,
        length: u64::try_from(len)?,
        mode,
    })
    .map_err(unsupported)?;
    if grows {
        inode
            .mapping()
            .truncate_range(old_size as i64, end.saturating_sub(1));
    }
    if changes {
        inode
            .mapping()
            .truncate_range(offset, end.saturating_sub(1));
    }
    let new_end = if grows { end as u64 } else { 0 };
    inode.data().wrote(inode, new_end);
    Ok(())
}

/// `copy_file_range(2)`. Returns the bytes copied.
///
/// # Errors
///
/// `EXDEV` between file systems, `EOPNOTSUPP` from a server that cannot: then the kernel copies. The
/// server's.
pub(crate) fn copy_file_range(
    (from, from_pos): (&File<'_, RegularFile>, i64),
    (to, to_pos): (&File<'_, RegularFile>, i64),
    len: usize,
) -> Result<usize> {
    let (source, target) = (from.inode(), to.inode());
    source.data().check()?;
    target.data().check()?;
    let conn = to.data().conn();
    if !core::ptr::eq(source.super_block(), target.super_block()) {
        return Err(EXDEV);
    }
    let last = |pos: i64| pos.saturating_add(len as i64).saturating_sub(1);
    {
        let _lock = source.lock();
        // What is dirty behind the range may be what the file reaches to: a server without it sees an end before.
        settle(source, from_pos, i64::MAX)?;
    }
    let _lock = target.lock();
    to.modified()?;
    settle(target, to_pos, last(to_pos))?;
    let ((nodeid_in, fh_in), (nodeid_out, fh_out)) = (from.data().ids(), to.data().ids());
    let copied = ask_to_copy(
        conn,
        op::CopyRange {
            nodeid_in,
            fh_in,
            off_in: u64::try_from(from_pos)?,
            nodeid_out,
            fh_out,
            off_out: u64::try_from(to_pos)?,
            len: len as u64,
        },
    )?;
    let end = (to_pos as u64).saturating_add(copied);
    drop_range(target, to_pos as u64, end);
    target.data().wrote(target, end);
    Ok(usize::try_from(copied)?)
}

fn ask_to_copy(conn: &Connection, mut range: op::CopyRange) -> Result<u64> {
    match conn.call_known(op::CopyFileRange64(range)) {
        Err(ENOSYS) => {}
        other => return other,
    }
    range.len = range.len.min(COPY_MAX);
    conn.call_known(op::CopyFileRange(range))
        .map_err(unsupported)
}
