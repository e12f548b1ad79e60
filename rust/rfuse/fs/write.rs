// SPDX-License-Identifier: GPL-2.0

//! Writing through the page cache to the server, before `write(2)` returns, unless the server has agreed to
//! hear of it later (WRITEBACK_CACHE).
//!
//! Whole pages are put into the page cache and sent from there. A part of a page that is not cached is
//! sent from a copy, and does not become cached. No folio is locked while the server is asked: whoever
//! waits for a folio does not wait for a server, but for one that reads.

use super::{
    attr,
    chunks::{position, transfer, write_depth, Chunks},
    direct,
    file::RegularFile,
    handle::Handle,
    inode::{self, drop_range},
    mount::Fs,
    read::Pages,
};
use crate::conn::{
    call::Sent,
    pieces::{Piece, Pieces},
    request::Payload,
};
use kernel::{
    iov::IovIterSource,
    page::{PAGE_SHIFT, PAGE_SIZE},
    prelude::*,
};
use rfuse_kapi::{
    ahead::Ahead, file::File, folio::LockedFolio, ids, inode::Inode, kiocb::Kiocb,
    user_copy::fault_in_iov_iter_readable,
};
use rfuse_proto::{
    flags::{InitFlags, WRITE_KILL_SUIDGID},
    op,
};

pub(super) const S_ISUID: u16 = 0o4000;
pub(super) const S_ISGID: u16 = 0o2000;

/// `write(2)`. Returns the bytes written.
///
/// # Errors
///
/// `EAGAIN` where it must not wait; those of the checks; the server's.
pub(crate) fn write_iter(
    file: &File<'_, RegularFile>,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterSource<'_>,
) -> Result<usize> {
    let inode = file.inode();
    inode.data().check()?;
    if iocb.nowait() {
        return write_at_once(file, iocb, iter);
    }
    if let Some(written) = direct::write_shared(file, iocb, iter) {
        return iocb.generic_write_sync(written?);
    }
    let stays = stays_cached(inode)?;
    let written = {
        let _lock = inode.lock();
        if iocb.generic_write_checks(iter)? == 0 {
            return Ok(0);
        }
        iocb.modified()?;
        let handle = file.data();
        match handle.is_direct() || iocb.direct() {
            true => direct::write(file, iocb, iter),
            false if stays => write_kept(inode, iocb, iter),
            false => write_cached(inode, handle, iocb, iter),
        }?
    };
    iocb.generic_write_sync(written)
}

/// Whether the server is content to hear of what is written later. It is not where it must take privileges
/// away. May sleep.
fn stays_cached(inode: &Inode<Fs>) -> Result<bool> {
    if !inode::owns_changes(inode) {
        return Ok(false);
    }
    if inode.data().attributes_expired() {
        attr::refresh(inode, false)?;
    }
    Ok(!loses_privileges(inode))
}

/// Whether the server takes privileges away with a write.
fn loses_privileges(inode: &Inode<Fs>) -> bool {
    let privileged = inode.mode() & (S_ISUID | S_ISGID) != 0;
    let conn = &inode.super_data().conn;
    privileged && conn.has(InitFlags::HANDLE_KILLPRIV_V2)
}

/// Writes what can be written to the page cache alone without asking the server or waiting for anybody.
fn write_at_once(
    file: &File<'_, RegularFile>,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterSource<'_>,
) -> Result<usize> {
    let inode = file.inode();
    let node = inode.data();
    let is_cached = inode::owns_changes(inode) && !file.data().is_direct() && !iocb.direct();
    let asks = node.attributes_expired() || !node.is_without_capability();
    if !is_cached || asks || loses_privileges(inode) || iocb.is_dsync() {
        return Err(EAGAIN);
    }
    let _lock = inode.try_lock().ok_or(EAGAIN)?;
    if iocb.generic_write_checks(iter)? == 0 {
        return Ok(0);
    }
    iocb.modified()?;
    iocb.iomap_file_buffered_write::<Pages>(inode, iter)
}

/// Writes to the page cache alone.
fn write_kept(
    inode: &Inode<Fs>,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterSource<'_>,
) -> Result<usize> {
    let end = iocb.pos().saturating_add(iter.len() as i64);
    inode
        .mapping()
        .wait_for_readers(iocb.pos(), end.saturating_sub(1))?;
    iocb.iomap_file_buffered_write::<Pages>(inode, iter)
}

/// Writes until `iter` is empty or an error comes. The inode is locked.
fn write_cached(
    inode: &Inode<Fs>,
    handle: &Handle,
    iocb: &mut Kiocb<'_>,
    iter: &mut IovIterSource<'_>,
) -> Result<usize> {
    zero_gap(inode, iocb.pos())?;
    let conn = handle.conn();
    let kill = conn.has(InitFlags::HANDLE_KILLPRIV_V2) && !ids::capable_fsetid();
    let start = iocb.pos();
    let outcome = transfer(&mut Through {
        inode,
        handle,
        pos: start,
        end: position(start, iter.len()),
        write_flags: if kill { WRITE_KILL_SUIDGID } else { 0 },
        open_flags: iocb.open_flags(),
        iter: Ahead::of_source(iter),
    });
    let written = outcome.moved?;
    if written == 0 && outcome.sent > 0 {
        return Err(EIO);
    }
    iter.advance(written);
    iocb.set_pos(start.saturating_add(written as i64));
    Ok(written)
}

/// The pages between the end of the file and a position beyond it are zero, whatever a mapping has
/// written behind the end.
fn zero_gap(inode: &Inode<Fs>, pos: i64) -> Result {
    let end = i64::try_from(inode.size()).unwrap_or(i64::MAX);
    if pos > end && inode.mapping().nrpages() > 0 {
        let last = pos.saturating_sub(1);
        inode.mapping().wait_for_readers(end, last)?;
        inode.mapping().truncate_range(end, last);
    }
    Ok(())
}

/// A write that goes through the page cache.
struct Through<'a, 'data> {
    inode: &'a Inode<Fs>,
    handle: &'a Handle,
    pos: i64,
    /// Where it ends.
    end: u64,
    write_flags: u32,
    open_flags: u32,
    iter: Ahead<'a, IovIterSource<'data>>,
}

/// One of its requests.
struct Request<'a> {
    sent: Sent<'a, op::Write>,
    len: usize,
    /// [`Writes::seq`](super::writeback::Writes::seq) when it was sent.
    seq: u64,
}

impl<'a> Chunks for Through<'a, '_> {
    type Flight = Request<'a>;

    fn depth(&self, at: usize) -> usize {
        write_depth(self.inode, position(self.pos, at), self.end)
    }

    fn send(&mut self, at: usize) -> Result<Option<(usize, Self::Flight)>> {
        let iter = self.iter.iter();
        if iter.is_empty() {
            return Ok(None);
        }
        let pos = self.pos.saturating_add(at as i64);
        let pieces = gather(self.inode, pos, iter)?;
        let len = pieces.len();
        match self.request(pos, pieces) {
            Ok(request) => Ok(Some((len, request))),
            Err(error) => {
                forget_pages(self.inode, pos, len);
                Err(error)
            }
        }
    }

    fn land(&mut self, at: usize, request: Request<'a>) -> Result<usize> {
        let (inode, pos) = (self.inode, self.pos.saturating_add(at as i64));
        let (written, pieces) = match request.sent.end() {
            Ok((written, Payload::Pieces(pieces))) => (written as usize, pieces),
            answer => {
                forget_pages(inode, pos, request.len);
                return answer.and(Err(EIO));
            }
        };
        inode.data().wrote(inode, position(pos, written));
        if written < request.len {
            let rest = request.len.saturating_sub(written);
            forget_pages(inode, pos.saturating_add(written as i64), rest);
        }
        let overtaken = inode.data().writes.seq() != request.seq;
        patch(inode, pos, &pieces, written, overtaken);
        Ok(written)
    }
}

impl<'a> Through<'a, '_> {
    /// Sends pieces that belong to `pos`.
    fn request(&self, pos: i64, pieces: Pieces) -> Result<Request<'a>> {
        let (len, writes) = (pieces.len(), &self.inode.data().writes);
        // What a mapping wrote must not arrive after this.
        writes.wait(position(pos, 0), position(pos, len))?;
        let seq = writes.seq();
        let (start, size) = (u64::try_from(pos)?, u32::try_from(len)?);
        let flags = self.open_flags;
        let operation = self.handle.write(start, size, self.write_flags, flags);
        let sent = self
            .handle
            .conn()
            .begin(operation, Payload::Pieces(pieces))?;
        Ok(Request { sent, len, seq })
    }
}

/// The page cache may hold what the server has not taken.
fn forget_pages(inode: &Inode<Fs>, pos: i64, len: usize) {
    drop_range(inode, pos as u64, (pos as u64).saturating_add(len as u64));
}

/// Takes from `iter` what one request carries from `pos` on: at least a byte.
///
/// # Errors
///
/// `EFAULT`, `ENOMEM`.
fn gather(inode: &Inode<Fs>, pos: i64, iter: &mut IovIterSource<'_>) -> Result<Pieces> {
    let most = inode.super_data().conn.max_write(pos as u64);
    let mut pieces = Pieces::new();
    while pieces.len() < most && !iter.is_empty() {
        let at = pos.saturating_add(pieces.len() as i64);
        let want = most.saturating_sub(pieces.len()).min(iter.len());
        match pieces.push_with(|| take(inode, at, want, iter)) {
            Ok(()) => {}
            Err(error) if pieces.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(pieces)
}

/// Takes the bytes for one folio, or for a part of a page.
fn take(inode: &Inode<Fs>, at: i64, want: usize, iter: &mut IovIterSource<'_>) -> Result<Piece> {
    let in_page = at as usize & PAGE_SIZE.wrapping_sub(1);
    let to_page_end = PAGE_SIZE.saturating_sub(in_page);
    let mapping = inode.mapping();
    let whole = in_page == 0 && want >= PAGE_SIZE;
    let most = match whole {
        true => want >> PAGE_SHIFT << PAGE_SHIFT,
        false => want.min(to_page_end),
    };
    if fault_in_iov_iter_readable(iter, most) == most {
        return Err(EFAULT);
    }
    let folio = match whole {
        true => mapping.write_begin(at, most),
        false => mapping.uptodate_folio(at),
    };
    match folio.and_then(|folio| fill(folio, at, most, iter)) {
        Some(piece) => Ok(piece),
        None => copy(want.min(to_page_end), iter),
    }
}

/// Copies to a folio from `at` on, and is sent from there, if the folio holds what the file has then.
fn fill(folio: LockedFolio, at: i64, most: usize, iter: &mut IovIterSource<'_>) -> Option<Piece> {
    let offset = usize::try_from(at.checked_sub(folio.pos())?).ok()?;
    let len = most.min(folio.size().checked_sub(offset)?);
    let all = offset == 0 && len == folio.size();
    if !(all || folio.is_uptodate()) || !folio.copy_from_iter(offset, len, iter) {
        return None;
    }
    if all {
        folio.mark_uptodate();
    }
    Some(Piece::Folio {
        folio: folio.unlock(),
        offset,
        len,
    })
}

/// Copies up to `len` bytes to memory of their own.
///
/// # Errors
///
/// `EFAULT` if not even one can be had; `ENOMEM`.
pub(super) fn copy(len: usize, iter: &mut IovIterSource<'_>) -> Result<Piece> {
    let mut bytes = KVec::zeroed(len, GFP_KERNEL)?;
    let copied = iter.copy_from_iter(&mut bytes);
    bytes.truncate(copied);
    match copied {
        0 => Err(EFAULT),
        _ => Ok(Piece::Bytes(bytes)),
    }
}

/// Brings pages that were cached while a copy of their part was on its way up to date. Others may have
/// read them before the server took the copy.
///
/// `overtaken` says that something was written back meanwhile, maybe with the old bytes.
fn patch(inode: &Inode<Fs>, pos: i64, pieces: &Pieces, written: usize, overtaken: bool) {
    if inode.mapping().nrpages() == 0 {
        return;
    }
    let mut done = 0_usize;
    for piece in pieces.iter() {
        let at = pos.saturating_add(done as i64);
        match piece {
            Piece::Folio { len, .. } => done = done.saturating_add(*len),
            Piece::Bytes(bytes) => {
                let taken = bytes.get(..written.saturating_sub(done).min(bytes.len()));
                patch_page(inode, at, taken.unwrap_or(&[]), overtaken);
                done = done.saturating_add(bytes.len());
            }
        }
    }
}

fn patch_page(inode: &Inode<Fs>, at: i64, bytes: &[u8], overtaken: bool) {
    match inode.mapping().uptodate_folio(at) {
        Some(folio) => {
            let offset = at.saturating_sub(folio.pos()) as usize;
            if folio.copy_in(offset, bytes).is_ok() && overtaken {
                folio.mark_dirty();
            }
        }
        // One that is being read now is dropped when it has come.
        None => drop_range(
            inode,
            at as u64,
            (at as u64).saturating_add(bytes.len() as u64),
        ),
    }
}
