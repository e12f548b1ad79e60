// SPDX-License-Identifier: GPL-2.0

//! Reading and writing around the page cache.

use super::{handle::Handle, inode::drop_range, mount::Fs, writeback::settle};
use crate::conn::{
    pieces::{Piece, Pieces},
    request::Payload,
};
use kernel::{
    iov::{IovIterDest, IovIterSource},
    page::PAGE_SIZE,
    prelude::*,
};
use rfuse_kapi::{ids, inode::Inode, kiocb::Kiocb, pinned_pages::PinnedPages};
use rfuse_proto::{
    flags::{WRITE_KILL_SUIDGID, WRITE_LOCKOWNER},
    op,
};

/// Up to so many bytes, copying costs less than pinning.
const COPY_MAX: usize = PAGE_SIZE;

/// The most bytes of one copy: what `kmalloc` gives readily.
const COPY_CHUNK: usize = 8 * PAGE_SIZE;

/// Reads until `iter` is full, the file ends, or an error comes.
///
/// # Errors
///
/// `EAGAIN` where it must not wait; the server's; `EFAULT`.
pub(crate) fn read(
    inode: &Inode<Fs>,
    handle: &Handle,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterDest<'_>,
) -> Result<usize> {
    if iocb.nowait() {
        return Err(EAGAIN);
    }
    let end = iocb.pos().saturating_add(iter.len() as i64);
    settle(inode, iocb.pos(), end.saturating_sub(1))?;
    let mut total = 0_usize;
    while !iter.is_empty() {
        let (asked, got) = match read_once(handle, iocb.pos(), iter) {
            Ok(lengths) => lengths,
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        };
        total = total.saturating_add(got);
        iocb.set_pos(iocb.pos().saturating_add(got as i64));
        if got < asked {
            break;
        }
    }
    Ok(total)
}

/// One request: how many bytes it asked for, and how many came.
fn read_once(handle: &Handle, pos: i64, iter: &mut IovIterDest<'_>) -> Result<(usize, usize)> {
    if iter.len() > COPY_MAX {
        let max_pages = handle.conn().max_pages();
        let most = max_pages.saturating_mul(PAGE_SIZE).min(iter.len());
        if let Some(pages) = PinnedPages::extract(iter, most, max_pages)? {
            return read_pinned(handle, pos, iter, pages);
        }
    }
    read_copied(handle, pos, iter)
}

/// The server writes to the caller's memory.
fn read_pinned(
    handle: &Handle,
    pos: i64,
    iter: &mut IovIterDest<'_>,
    pages: PinnedPages,
) -> Result<(usize, usize)> {
    let asked = pages.len();
    let (got, _) = ask(handle, pos, asked, Payload::Pinned(pages))?;
    iter.advance(got);
    Ok((asked, got))
}

/// The server writes to a buffer, and that is copied.
fn read_copied(handle: &Handle, pos: i64, iter: &mut IovIterDest<'_>) -> Result<(usize, usize)> {
    let asked = iter.len().min(COPY_CHUNK);
    let room = KVec::zeroed(asked, GFP_KERNEL)?;
    let (len, Payload::Bytes(bytes)) = ask(handle, pos, asked, Payload::Bytes(room))? else {
        return Err(EIO);
    };
    match iter.copy_to_iter(bytes.get(..len).ok_or(EIO)?) {
        0 if len > 0 => Err(EFAULT),
        copied => Ok((asked, copied)),
    }
}

fn ask(handle: &Handle, pos: i64, size: usize, room: Payload) -> Result<(usize, Payload)> {
    let range = handle.range(u64::try_from(pos)?, u32::try_from(size)?);
    handle.conn().call_with(op::Read(range), room)
}

/// Writes until `iter` is empty or an error comes. The inode is locked. Returns the bytes written.
///
/// # Errors
///
/// The server's; `EFAULT`; those of pages that had to be written back before.
pub(crate) fn write(
    inode: &Inode<Fs>,
    handle: &Handle,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterSource<'_>,
) -> Result<usize> {
    let start = iocb.pos();
    let end = start.saturating_add(iter.len() as i64);
    settle(inode, start, end.saturating_sub(1))?;
    let mut total = 0_usize;
    while !iter.is_empty() {
        let (asked, taken) = match write_once(handle, iocb, iter) {
            Ok(lengths) => lengths,
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        };
        total = total.saturating_add(taken);
        iocb.set_pos(iocb.pos().saturating_add(taken as i64));
        inode.data().wrote(inode, iocb.pos() as u64);
        if taken < asked {
            break;
        }
    }
    drop_range(inode, start as u64, iocb.pos() as u64);
    Ok(total)
}

/// One request: how many bytes it carried, and how many the server took.
fn write_once(
    handle: &Handle,
    iocb: &Kiocb<'_>,
    iter: &mut IovIterSource<'_>,
) -> Result<(usize, usize)> {
    let most = handle.conn().max_write(iocb.pos() as u64).min(iter.len());
    if iter.len() > COPY_MAX {
        let max_pages = handle.conn().max_pages();
        if let Some(pages) = PinnedPages::extract_source(iter, most, max_pages)? {
            let asked = pages.len();
            let taken = send(handle, iocb, asked, Payload::PinnedSource(pages))?;
            iter.advance(taken);
            return Ok((asked, taken));
        }
    }
    let mut bytes = KVec::zeroed(most.min(COPY_CHUNK), GFP_KERNEL)?;
    let asked = iter.copy_from_iter(&mut bytes);
    bytes.truncate(asked);
    if asked == 0 {
        return Err(EFAULT);
    }
    let mut pieces = Pieces::new();
    pieces.push_with(|| Ok(Piece::Bytes(bytes)))?;
    let taken = send(handle, iocb, asked, Payload::Pieces(pieces))?;
    Ok((asked, taken))
}

fn send(handle: &Handle, iocb: &Kiocb<'_>, size: usize, data: Payload) -> Result<usize> {
    let kill = match ids::capable_fsetid() {
        true => 0,
        false => WRITE_KILL_SUIDGID,
    };
    let (pos, size) = (u64::try_from(iocb.pos())?, u32::try_from(size)?);
    let mut operation = handle.write(pos, size, kill | WRITE_LOCKOWNER, iocb.open_flags());
    operation.lock_owner = handle.conn().lock_owner(ids::current_files());
    let (taken, _) = handle.conn().call_with(operation, data)?;
    Ok(taken as usize)
}
