// SPDX-License-Identifier: GPL-2.0

//! What a server tells unasked, applied to what is cached here.
//!
//! Nothing here waits for an answer of the server's: it may tell from the very thread that is to answer. Folios that
//! are being read are left alone, and what comes is dropped then.

use super::{
    inode::{self, drop_range},
    name_word, Fs,
};
use crate::{
    conn::{
        pieces::{Piece, Pieces},
        request::Payload,
    },
    transport::chardev::Listener,
};
use kernel::{
    iov::IovIterSource,
    page::PAGE_SIZE,
    prelude::*,
    sync::{aref::ARef, Arc},
};
use rfuse_kapi::{
    dentry::{d_lookup, Dentry, Name},
    inode::{FileKind, Inode},
    super_block::{NewSuper, SuperBlock},
    super_slot::SuperSlot,
};
use rfuse_proto::{notify::Notification, op};

/// Data to store are taken over in pieces of this size, in bytes.
const CHUNK: usize = 64 << 10;

/// Applies what is told to a superblock, as long as there is one.
pub(crate) struct Notified(Arc<SuperSlot<Fs>>);

impl Notified {
    /// For the superblock `sb`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn of(sb: &NewSuper<'_, Fs>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(SuperSlot::new(sb)?), GFP_KERNEL)?)
    }
}

impl Listener for Notified {
    fn notify(&self, it: Notification<'_>, data: &mut IovIterSource<'_>) -> Result {
        self.0.with(|sb| apply(sb, it, data)).unwrap_or(Err(ENOENT))
    }
}

fn apply(sb: &SuperBlock<Fs>, it: Notification<'_>, data: &mut IovIterSource<'_>) -> Result {
    match it {
        Notification::InvalInode { nodeid, bytes } => inval_inode(sb, nodeid, bytes),
        Notification::InvalEntry {
            parent,
            name,
            expire_only,
        } => inval_entry(&*directory(sb, parent)?, name, expire_only).map(|_| ()),
        Notification::Delete {
            parent,
            child,
            name,
        } => delete(&*directory(sb, parent)?, child, name),
        Notification::Store {
            nodeid,
            offset,
            size,
        } => {
            let inode = regular(sb, nodeid)?;
            store(&inode, offset, size, data)
        }
        Notification::Retrieve {
            unique,
            nodeid,
            offset,
            size,
        } => {
            let inode = regular(sb, nodeid)?;
            retrieve(&inode, unique, offset, size)
        }
        Notification::IncEpoch => {
            sb.data().conn.begin_epoch();
            sb.shrink_dcache();
            Ok(())
        }
        Notification::Prune(nodes) => {
            nodes
                .filter_map(|nodeid| inode::find(sb, nodeid))
                .for_each(|inode| inode.d_prune_aliases());
            Ok(())
        }
        Notification::PollWakeup { kh } => {
            sb.data().conn.wake_polled(kh);
            Ok(())
        }
        Notification::Resend => Err(EINVAL),
    }
}

/// # Errors
///
/// `ENOENT` if the node is not cached, `EINVAL` if it is not a regular file.
fn regular(sb: &SuperBlock<Fs>, nodeid: u64) -> Result<ARef<Inode<Fs>>> {
    let inode = inode::find(sb, nodeid).ok_or(ENOENT)?;
    match inode.kind() {
        FileKind::Regular => Ok(inode),
        _ => Err(EINVAL),
    }
}

/// # Errors
///
/// `ENOENT` if the node is not cached, `ENOTDIR` if it is not a directory.
fn directory(sb: &SuperBlock<Fs>, nodeid: u64) -> Result<ARef<Inode<Fs>>> {
    let inode = inode::find(sb, nodeid).ok_or(ENOENT)?;
    match inode.is_dir() {
        true => Ok(inode),
        false => Err(ENOTDIR),
    }
}

fn inval_inode(sb: &SuperBlock<Fs>, nodeid: u64, bytes: Option<(u64, u64)>) -> Result {
    let inode = inode::find(sb, nodeid).ok_or(ENOENT)?;
    let conn = &sb.data().conn;
    inode.data().expire_attributes(conn);
    inode.forget_all_cached_acls();
    let Some((start, last)) = bytes else {
        return Ok(());
    };
    match inode.kind() {
        FileKind::Directory => inode.data().change_names(conn),
        _ => drop_range(&inode, start, last.saturating_add(1)),
    }
    Ok(())
}

/// Makes a name ask the server at its next use; unless it `may_hold`, what is below is given up too. The directory
/// is not locked: whoever has it locked may wait for the server.
fn inval_entry(dir: &Inode<Fs>, name: &[u8], may_hold: bool) -> Result<ARef<Dentry<Fs>>> {
    let alias = dir.d_find_alias().ok_or(ENOENT)?;
    let entry = d_lookup(&Name::new(&alias, name).map_err(|_| ENOENT)?).ok_or(ENOENT)?;
    let conn = &dir.super_data().conn;
    dir.data().expire_attributes(conn);
    dir.data().change_names(conn);
    name_word::expire(entry.word());
    if !may_hold {
        entry.d_invalidate();
    }
    Ok(entry)
}

/// A name was removed on the server. May wait for whoever changes names of the directory.
fn delete(dir: &Inode<Fs>, child: u64, name: &[u8]) -> Result {
    let _locked = dir.lock_as_parent();
    let entry = inval_entry(dir, name, false)?;
    match entry.inode() {
        Some(inode) if child != 0 && inode.data().nodeid() != child => Err(ENOENT),
        Some(_) if child != 0 => entry.removed(),
        _ => Ok(()),
    }
}

/// Puts data into the page cache, as far as it has room without waiting. The file ends no sooner than they do.
fn store(inode: &Inode<Fs>, offset: u64, size: u32, data: &mut IovIterSource<'_>) -> Result {
    let end = offset.saturating_add(size.into());
    if end > inode.size() {
        inode.data().wrote(inode, end);
    }
    let mut chunk = KVec::zeroed(CHUNK.min(size as usize), GFP_KERNEL)?;
    let mut pos = offset;
    while pos < end {
        let want = usize::try_from(end.saturating_sub(pos)).unwrap_or(CHUNK);
        let len = chunk.len().min(want);
        let bytes = chunk.get_mut(..len).ok_or(EIO)?;
        if data.copy_from_iter(bytes) < len {
            return Err(EFAULT);
        }
        store_chunk(inode, pos, bytes);
        pos = pos.saturating_add(len as u64);
    }
    Ok(())
}

fn store_chunk(inode: &Inode<Fs>, mut pos: u64, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let in_page = pos as usize & PAGE_SIZE.wrapping_sub(1);
        let len = bytes.len().min(PAGE_SIZE.saturating_sub(in_page));
        let (now, later) = bytes.split_at(len);
        if !store_page(inode, pos, now) {
            // What is being read there is older than what is told.
            drop_range(inode, pos, pos.saturating_add(len as u64));
        }
        pos = pos.saturating_add(len as u64);
        bytes = later;
    }
}

/// Stores bytes that lie in one page; whether the cache has none but these there.
fn store_page(inode: &Inode<Fs>, pos: u64, bytes: &[u8]) -> bool {
    let Some(folio) = inode.mapping().write_begin(pos as i64, 1) else {
        return false;
    };
    let offset = (pos as i64).saturating_sub(folio.pos()) as usize;
    let end = offset.saturating_add(bytes.len());
    if folio.is_uptodate() {
        return folio.copy_in(offset, bytes).is_ok();
    }
    let is_last = pos.saturating_add(bytes.len() as u64) >= inode.size();
    if offset > 0 || folio.is_dirty() || (end < folio.size() && !is_last) {
        return false;
    }
    if folio.copy_in(offset, bytes).is_err() {
        return false;
    }
    folio.zero_segment(end, folio.size());
    folio.mark_uptodate();
    true
}

/// Sends what the page cache has from `offset` on, without a gap.
fn retrieve(inode: &Inode<Fs>, unique: u64, offset: u64, size: u32) -> Result {
    let conn = &inode.super_data().conn;
    let most = usize::try_from(inode.size().saturating_sub(offset)).unwrap_or(usize::MAX);
    let most = most.min(size as usize).min(conn.max_reply(offset));
    let pieces = cached(inode, offset, most)?;
    let reply = op::NotifyReply {
        nodeid: inode.data().nodeid(),
        offset,
        size: u32::try_from(pieces.len())?,
    };
    conn.send_message(&reply, unique, Payload::Pieces(pieces))
}

fn cached(inode: &Inode<Fs>, offset: u64, most: usize) -> Result<Pieces> {
    let mut pieces = Pieces::new();
    while pieces.len() < most {
        let pos = offset.saturating_add(pieces.len() as u64) as i64;
        let Some(folio) = inode.mapping().uptodate_folio(pos) else {
            break;
        };
        let start = pos.saturating_sub(folio.pos()) as usize;
        let room = folio.size().saturating_sub(start);
        let len = room.min(most.saturating_sub(pieces.len()));
        pieces.push_with(|| {
            Ok(Piece::Folio {
                folio: folio.unlock(),
                offset: start,
                len,
            })
        })?;
    }
    Ok(pieces)
}
