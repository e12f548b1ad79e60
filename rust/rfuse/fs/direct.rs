// SPDX-License-Identifier: GPL-2.0

//! Reading around the page cache.

use super::handle::Handle;
use crate::conn::request::Payload;
use kernel::{iov::IovIterDest, page::PAGE_SIZE, prelude::*};
use rfuse_kapi::{file::Kiocb, pinned_pages::PinnedPages};
use rfuse_proto::op;

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
    handle: &Handle,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterDest<'_>,
) -> Result<usize> {
    if iocb.nowait() {
        return Err(EAGAIN);
    }
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
