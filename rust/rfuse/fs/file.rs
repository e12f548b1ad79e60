// SPDX-License-Identifier: GPL-2.0

//! Regular files: open, read, map.

use super::{
    acl, attr,
    handle::{Handle, HandleKind},
    mount::Fs,
};
use crate::conn::request::Payload;
use kernel::{iov::IovIterDest, page::PAGE_SIZE, prelude::*, sync::Arc};
use rfuse_kapi::{
    file::{File, FileOperations, Kiocb, Mmap, OpeningFile, Seek},
    ids::MntIdmap,
    inode::{Inode, LentInode},
    inode_operations::{AclKind, InodeOperations, Permission},
    stat::{KStat, StatFlags},
    walk::Walk,
};
use rfuse_proto::{flags::InitFlags, op};

/// Operations of inodes that are neither directories nor links.
pub(crate) struct FileInodeOps;

#[vtable]
impl InodeOperations for FileInodeOps {
    type Fs = Fs;

    fn permission(
        idmap: &MntIdmap,
        inode: &LentInode<Fs>,
        mask: Permission,
        walk: Walk<'_>,
    ) -> Result {
        attr::permission(idmap, inode, mask, walk)
    }

    fn get_inode_acl(
        inode: &LentInode<Fs>,
        kind: AclKind,
        walk: Walk<'_>,
    ) -> Result<Option<KVec<u8>>> {
        acl::get_inode_acl(inode, kind, walk)
    }

    fn getattr(
        idmap: &MntIdmap,
        inode: &Inode<Fs>,
        request_mask: u32,
        flags: StatFlags,
        stat: &mut KStat<'_>,
    ) -> Result {
        attr::getattr(idmap, inode, request_mask, flags, stat)
    }
}

/// Operations of open regular files.
pub(crate) struct RegularFile;

#[vtable]
impl FileOperations for RegularFile {
    type Fs = Fs;
    type Data = Handle;

    const SEEK: Seek = Seek::Generic;
    const MMAP: Mmap = Mmap::ReadOnlyPageCache;
    const SPLICE_READ: bool = true;

    fn open(inode: &Inode<Fs>, file: &OpeningFile<'_>) -> Result<Arc<Handle>> {
        inode.data().check()?;
        let conn = &inode.super_data().conn;
        let nodeid = inode.data().nodeid();
        let handle = Handle::open(conn, HandleKind::File, nodeid, file.flags())?;
        let handle = Arc::new(handle, GFP_KERNEL)?;
        handle.restrict(file);
        file.set_can_odirect();
        file.set_nowait();
        if !handle.keeps_cache() {
            // Pages in use stay, as in `fs::inode::update`.
            let _ = inode.mapping().invalidate_inode_pages2();
        }
        Ok(handle)
    }

    fn release(_inode: &Inode<Fs>, handle: Arc<Handle>) {
        drop(handle);
    }

    fn read_iter(
        file: &File<'_, Self>,
        iocb: &mut Kiocb<'_>,
        iter: &mut IovIterDest<'_>,
    ) -> Result<usize> {
        let inode = file.inode();
        inode.data().check()?;
        if file.data().is_direct() || iocb.direct() {
            return read_direct(file.data(), iocb, iter);
        }
        let end = (iocb.pos().max(0) as u64).saturating_add(iter.len() as u64);
        let watches = inode.super_data().conn.has(InitFlags::AUTO_INVAL_DATA);
        if (watches || end > inode.size()) && inode.data().attributes_expired() {
            if iocb.nowait() {
                return Err(EAGAIN);
            }
            attr::refresh(inode, false)?;
        }
        iocb.generic_file_read_iter(iter)
    }
}

/// The most bytes of one direct read: what `kmalloc` gives readily.
const DIRECT_CHUNK: usize = 8 * PAGE_SIZE;

/// Reads around the page cache, until the end of the file or an error.
fn read_direct(handle: &Handle, iocb: &mut Kiocb<'_>, iter: &mut IovIterDest<'_>) -> Result<usize> {
    if iocb.nowait() {
        return Err(EAGAIN);
    }
    let mut total = 0_usize;
    while !iter.is_empty() {
        let size = iter.len().min(DIRECT_CHUNK);
        let copied = match read_chunk(handle, iocb.pos(), size, iter) {
            Ok(copied) => copied,
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        };
        total = total.saturating_add(copied);
        iocb.set_pos(iocb.pos().saturating_add(copied as i64));
        if copied < size {
            break;
        }
    }
    Ok(total)
}

/// Reads at most `size` bytes from `pos` on to `iter`.
fn read_chunk(handle: &Handle, pos: i64, size: usize, iter: &mut IovIterDest<'_>) -> Result<usize> {
    let room = KVec::zeroed(size, GFP_KERNEL)?;
    let range = handle.range(u64::try_from(pos)?, u32::try_from(size)?);
    let answer = handle
        .conn()
        .call_with(op::Read(range), Payload::Bytes(room))?;
    let (len, Payload::Bytes(bytes)) = answer else {
        return Err(EIO);
    };
    let bytes = bytes.get(..len).ok_or(EIO)?;
    match iter.copy_to_iter(bytes) {
        0 if len > 0 => Err(EFAULT),
        copied => Ok(copied),
    }
}
