// SPDX-License-Identifier: GPL-2.0

//! Reading and writing around the page cache.

use super::{
    chunks::{depth, position, transfer, write_depth, Chunks},
    deferred::Sender,
    file::RegularFile,
    handle::Handle,
    inode::{drop_range, owns_changes},
    mount::Fs,
    write::{copy, S_ISGID, S_ISUID},
    writeback::settle,
};
use crate::conn::{call::Sent, pieces::Pieces, request::Payload};
use kernel::{
    iov::{IovIterDest, IovIterSource},
    page::PAGE_SIZE,
    prelude::*,
};
use rfuse_kapi::{
    ahead::Ahead, file::File, ids, inode::Inode, kiocb::Kiocb, pinned_pages::PinnedPages,
};
use rfuse_proto::{
    flags::{InitFlags, WRITE_KILL_SUIDGID, WRITE_LOCKOWNER},
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
    file: &File<'_, RegularFile>,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterDest<'_>,
) -> Result<usize> {
    let (inode, handle) = (file.inode(), file.data());
    let is_deferred = !iter.is_empty()
        && !iocb.is_sync()
        && handle.conn().has(InitFlags::ASYNC_DIO)
        && PinnedPages::can_be_of(iter);
    let end = iocb.pos().saturating_add(iter.len() as i64);
    if iocb.nowait() && !(is_deferred && is_settled(inode, iocb.pos(), end)) {
        return Err(EAGAIN);
    }
    settle(inode, iocb.pos(), end.saturating_sub(1))?;
    if is_deferred {
        return read_deferred(file, iocb, iter);
    }
    let total = match iter.len() > COPY_MAX && PinnedPages::can_be_of(iter) {
        true => read_pinned(inode, handle, iocb.pos(), iter),
        false => read_copied(handle, iocb.pos(), iter),
    }?;
    iocb.set_pos(iocb.pos().saturating_add(total as i64));
    Ok(total)
}

/// Whether [`settle`] would find nothing to do.
fn is_settled(inode: &Inode<Fs>, start: i64, end: i64) -> bool {
    let is_busy = || {
        let writes = &inode.data().writes;
        writes.is_busy(position(start, 0), position(end, 0))
    };
    !inode.mapping().has_dirty_pages() && !is_busy()
}

/// Asks for all of it; the last answer ends the read.
fn read_deferred(
    file: &File<'_, RegularFile>,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterDest<'_>,
) -> Result<usize> {
    let (handle, pos) = (file.data_arc(), iocb.pos());
    let sender = Sender::new(file.inode(), &handle, iocb, false)?;
    let max_pages = handle.conn().read_pages();
    let mut at = 0_usize;
    while !iter.is_empty() {
        let most = max_pages.saturating_mul(PAGE_SIZE).min(iter.len());
        let asked = PinnedPages::extract(iter, most, max_pages).and_then(|pages| {
            let len = pages.len();
            let range = handle.range(position(pos, at), u32::try_from(len)?);
            sender.send(&op::Read(range), Payload::Pinned(pages), len)?;
            Ok(len)
        });
        match asked {
            Ok(len) => at = at.saturating_add(len),
            Err(error) => {
                sender.fail(error);
                break;
            }
        }
    }
    Err(EIOCBQUEUED)
}

/// The server writes to the caller's memory.
fn read_pinned(
    inode: &Inode<Fs>,
    handle: &Handle,
    pos: i64,
    iter: &mut IovIterDest<'_>,
) -> Result<usize> {
    let mut reading = Reading {
        handle,
        pos,
        size: inode.size(),
        iter: Ahead::of_dest(iter),
    };
    let moved = transfer(&mut reading).moved?;
    iter.advance(moved);
    Ok(moved)
}

/// A read into memory that is pinned.
struct Reading<'a, 'data> {
    handle: &'a Handle,
    pos: i64,
    /// Of the file, as far as it is known.
    size: u64,
    iter: Ahead<'a, IovIterDest<'data>>,
}

impl<'a> Chunks for Reading<'a, '_> {
    type Flight = Sent<'a, op::Read>;

    /// Where the file seems to end, nothing is asked for before its turn.
    fn depth(&self, at: usize) -> usize {
        match position(self.pos, at) < self.size {
            true => depth(self.handle.conn()),
            false => 1,
        }
    }

    fn send(&mut self, at: usize) -> Result<Option<(usize, Self::Flight)>> {
        let iter = self.iter.iter();
        if iter.is_empty() {
            return Ok(None);
        }
        let max_pages = self.handle.conn().read_pages();
        let most = max_pages.saturating_mul(PAGE_SIZE).min(iter.len());
        let pages = PinnedPages::extract(iter, most, max_pages)?;
        let (len, pos) = (pages.len(), position(self.pos, at));
        Ok(Some((
            len,
            ask(self.handle, pos, len, Payload::Pinned(pages))?,
        )))
    }

    fn land(&mut self, _at: usize, sent: Self::Flight) -> Result<usize> {
        sent.end().map(|(got, _)| got)
    }
}

fn ask(handle: &Handle, pos: u64, size: usize, room: Payload) -> Result<Sent<'_, op::Read>> {
    let range = handle.range(pos, u32::try_from(size)?);
    handle.conn().begin(op::Read(range), room)
}

/// The server writes to a buffer, and that is copied.
fn read_copied(handle: &Handle, pos: i64, iter: &mut IovIterDest<'_>) -> Result<usize> {
    let mut total = 0_usize;
    while !iter.is_empty() {
        let (asked, got) = match copy_once(handle, position(pos, total), iter) {
            Ok(lengths) => lengths,
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        };
        total = total.saturating_add(got);
        if got < asked {
            break;
        }
    }
    Ok(total)
}

/// One request: how many bytes it asked for, and how many came.
fn copy_once(handle: &Handle, pos: u64, iter: &mut IovIterDest<'_>) -> Result<(usize, usize)> {
    let asked = iter.len().min(COPY_CHUNK);
    let room = KVec::zeroed(asked, GFP_KERNEL)?;
    let sent = ask(handle, pos, asked, Payload::Bytes(room))?;
    let (len, Payload::Bytes(bytes)) = sent.end()? else {
        return Err(EIO);
    };
    match iter.copy_to_iter(bytes.get(..len).ok_or(EIO)?) {
        0 if len > 0 => Err(EFAULT),
        copied => Ok((asked, copied)),
    }
}

/// Writes while others do, where the server allows it. `None` where that cannot be: what makes the file longer, or
/// takes privileges away, is done alone, and so is everything while pages of the file are cached.
pub(crate) fn write_shared(
    file: &File<'_, RegularFile>,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterSource<'_>,
) -> Option<Result<usize>> {
    let (inode, handle) = (file.inode(), file.data());
    let end = position(iocb.pos(), iter.len());
    let fits = || end <= inode.size() && inode.mapping().nrpages() == 0;
    // Capabilities go without being told, by the server's own kernel.
    let modifies = owns_changes(inode) || inode.mode() & (S_ISUID | S_ISGID) != 0;
    if !handle.writes_in_parallel() || iocb.append() || modifies || !fits() {
        return None;
    }
    let _lock = inode.lock_shared();
    fits().then(|| match iocb.generic_write_checks(iter)? {
        0 => Ok(0),
        _ => write(file, iocb, iter),
    })
}

/// Writes until `iter` is empty or an error comes. The inode is locked. Returns the bytes written.
///
/// # Errors
///
/// The server's; `EFAULT`; those of pages that had to be written back before.
pub(crate) fn write(
    file: &File<'_, RegularFile>,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterSource<'_>,
) -> Result<usize> {
    let (inode, handle) = (file.inode(), file.data());
    let start = iocb.pos();
    let end = start.saturating_add(iter.len() as i64);
    settle(inode, start, end.saturating_sub(1))?;
    // What makes the file longer ends under the lock, and so does what must be durable then.
    let is_deferred = !iocb.is_sync()
        && !iocb.is_dsync()
        && handle.conn().has(InitFlags::ASYNC_DIO)
        && position(end, 0) <= inode.size()
        && PinnedPages::can_be_of_source(iter);
    let kill = match ids::capable_fsetid() {
        true => 0,
        false => WRITE_KILL_SUIDGID,
    };
    let mut writing = Writing {
        inode,
        handle,
        pos: start,
        end: position(end, 0),
        write_flags: kill | WRITE_LOCKOWNER,
        open_flags: iocb.open_flags(),
        is_pinned: is_deferred || (iter.len() > COPY_MAX && PinnedPages::can_be_of_source(iter)),
        iter: Ahead::of_source(iter),
    };
    if is_deferred {
        let sender = Sender::new(inode, &file.data_arc(), iocb, true)?;
        writing.send_deferred(&sender);
        return Err(EIOCBQUEUED);
    }
    let outcome = transfer(&mut writing);
    drop_range(inode, position(start, 0), position(start, outcome.sent));
    let moved = outcome.moved?;
    iter.advance(moved);
    iocb.set_pos(start.saturating_add(moved as i64));
    Ok(moved)
}

/// A write.
struct Writing<'a, 'data> {
    inode: &'a Inode<Fs>,
    handle: &'a Handle,
    pos: i64,
    /// Where it ends.
    end: u64,
    write_flags: u32,
    open_flags: u32,
    /// Whether the caller's memory is pinned, and not copied.
    is_pinned: bool,
    iter: Ahead<'a, IovIterSource<'data>>,
}

impl Writing<'_, '_> {
    /// Takes up to `most` bytes from the caller.
    fn take(&mut self, most: usize) -> Result<(usize, Payload)> {
        let iter = self.iter.iter();
        if self.is_pinned {
            let max_pages = self.handle.conn().max_pages();
            let pages = PinnedPages::extract_source(iter, most, max_pages)?;
            return Ok((pages.len(), Payload::PinnedSource(pages)));
        }
        let mut pieces = Pieces::new();
        pieces.push_with(|| copy(most.min(COPY_CHUNK), iter))?;
        Ok((pieces.len(), Payload::Pieces(pieces)))
    }

    /// The next chunk, `at` bytes behind the first, and its length; `None` if no more is left.
    fn next(&mut self, at: usize) -> Result<Option<(usize, op::Write, Payload)>> {
        let pos = position(self.pos, at);
        let conn = self.handle.conn();
        let most = conn.max_write(pos).min(self.iter.iter().len());
        if most == 0 {
            return Ok(None);
        }
        let (len, data) = self.take(most)?;
        let (size, flags) = (u32::try_from(len)?, self.open_flags);
        let mut operation = self.handle.write(pos, size, self.write_flags, flags);
        operation.lock_owner = conn.lock_owner(ids::current_files());
        Ok(Some((len, operation, data)))
    }

    /// Sends all of it; the last answer ends the write.
    fn send_deferred(&mut self, sender: &Sender) {
        let mut at = 0_usize;
        loop {
            match self.next(at) {
                Ok(None) => return,
                Ok(Some((len, operation, data))) => {
                    if sender.send(&operation, data, len).is_err() {
                        return;
                    }
                    at = at.saturating_add(len);
                }
                Err(error) => return sender.fail(error),
            }
        }
    }
}

impl<'a> Chunks for Writing<'a, '_> {
    type Flight = Sent<'a, op::Write>;

    fn depth(&self, at: usize) -> usize {
        write_depth(self.inode, position(self.pos, at), self.end)
    }

    fn send(&mut self, at: usize) -> Result<Option<(usize, Self::Flight)>> {
        let Some((len, operation, data)) = self.next(at)? else {
            return Ok(None);
        };
        let sent = self.handle.conn().begin(operation, data)?;
        Ok(Some((len, sent)))
    }

    fn land(&mut self, at: usize, sent: Self::Flight) -> Result<usize> {
        let taken = sent.end().map(|(taken, _)| taken as usize);
        let end = match taken {
            Ok(taken) => position(self.pos, at).saturating_add(taken as u64),
            // It may have arrived in part.
            Err(_) => 0,
        };
        self.inode.data().wrote(self.inode, end);
        taken
    }
}
