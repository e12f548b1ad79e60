// SPDX-License-Identifier: GPL-2.0

//! Regular files: open, read, map.

use super::{
    acl, attr, direct,
    handle::{Handle, HandleKind},
    inode::drop_pages,
    mount::Fs,
};
use kernel::{iov::IovIterDest, prelude::*, sync::Arc};
use rfuse_kapi::{
    file::{File, FileOperations, Kiocb, Mmap, OpeningFile, Seek},
    ids::MntIdmap,
    inode::{Inode, LentInode},
    inode_operations::{AclKind, InodeOperations, Permission},
    stat::{KStat, StatFlags},
    walk::Walk,
};
use rfuse_proto::flags::InitFlags;

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
            drop_pages(inode, 0);
        }
        Ok(handle)
    }

    fn release(_inode: &Inode<Fs>, handle: Arc<Handle>) {
        drop(handle);
    }

    #[inline(always)]
    fn read_iter(
        file: &File<'_, Self>,
        iocb: &mut Kiocb<'_>,
        iter: &mut IovIterDest<'_>,
    ) -> Result<usize> {
        let inode = file.inode();
        inode.data().check()?;
        if file.data().is_direct() || iocb.direct() {
            return direct::read(file.data(), iocb, iter);
        }
        if inode.data().attributes_expired() && needs_attributes(inode, iocb, iter) {
            if iocb.nowait() {
                return Err(EAGAIN);
            }
            attr::refresh(inode, false)?;
        }
        iocb.generic_file_read_iter(iter)
    }

    fn fsync(file: &File<'_, Self>, _start: i64, _end: i64, datasync: bool) -> Result {
        file.inode().data().check()?;
        file.data().fsync(datasync)
    }
}

/// Whether a read needs attributes that hold: to notice that the file has changed, or where it ends.
fn needs_attributes(inode: &Inode<Fs>, iocb: &Kiocb<'_>, iter: &IovIterDest<'_>) -> bool {
    let end = (iocb.pos().max(0) as u64).saturating_add(iter.len() as u64);
    inode.super_data().conn.has(InitFlags::AUTO_INVAL_DATA) || end > inode.size()
}
