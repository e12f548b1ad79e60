// SPDX-License-Identifier: GPL-2.0

//! Regular files: what the VFS asks of them.

use super::{
    acl, attr, direct, fileattr,
    handle::{Handle, HandleKind},
    inode::{self, drop_pages},
    io_mode, ioctl, lock,
    mount::Fs,
    range, setattr, times, write,
    writeback::{hold, settle, settle_at_exit, write_remains},
    xattr,
};
use kernel::{
    iov::{IovIterDest, IovIterSource},
    prelude::*,
    sync::{Arc, ArcBorrow},
};
use rfuse_kapi::{
    backing_file::Backing,
    dentry::Dentry,
    file::{File, FileOperations, Mmap, OpeningFile, Seek},
    fileattr::FileKattr,
    filelock::{FileLock, LockCommand, Locked},
    iattr::Iattr,
    ids::{self, MntIdmap},
    inode::{Inode, LentInode},
    inode_operations::{AclKind, InodeOperations, Permission},
    ioctl::Ioctl,
    kiocb::Kiocb,
    poll::{Events, PollTable},
    stat::{KStat, StatFlags},
    walk::Walk,
};
use rfuse_proto::flags::InitFlags;

const O_TRUNC: u32 = 0o1000;

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

    fn setattr(idmap: &MntIdmap, dentry: &Dentry<Fs>, attr: &mut Iattr<'_, Fs>) -> Result {
        setattr::setattr(idmap, dentry, attr)
    }

    fn listxattr(inode: &Inode<Fs>, list: Option<&mut [u8]>) -> Result<usize> {
        xattr::list(inode, list)
    }

    fn set_acl(idmap: &MntIdmap, inode: &Inode<Fs>, kind: AclKind, list: Option<&[u8]>) -> Result {
        acl::set_acl(idmap, inode, kind, list)
    }

    fn get_acl(inode: &Inode<Fs>, kind: AclKind) -> Result<Option<KVec<u8>>> {
        acl::get_acl(inode, kind)
    }

    fn fileattr_get(inode: &Inode<Fs>, attr: &mut FileKattr) -> Result {
        fileattr::get(inode, attr)
    }

    fn fileattr_set(_idmap: &MntIdmap, inode: &Inode<Fs>, attr: &FileKattr) -> Result {
        fileattr::set(inode, attr)
    }
}

/// Operations of open regular files.
pub(crate) struct RegularFile;

#[vtable]
impl FileOperations for RegularFile {
    type Fs = Fs;
    type Data = Handle;

    const SEEK: Seek = Seek::Custom;
    const MMAP: Mmap = Mmap::PageCache;
    const SPLICE_READ: bool = true;

    fn open(inode: &Inode<Fs>, file: &OpeningFile<'_>) -> Result<Arc<Handle>> {
        inode.data().check()?;
        let conn = &inode.super_data().conn;
        let nodeid = inode.data().nodeid();
        let open = || Handle::open(conn, HandleKind::File, nodeid, file.flags());
        let handle = match file.flags() & O_TRUNC != 0 && conn.has(InitFlags::ATOMIC_O_TRUNC) {
            false => open()?,
            true => {
                let _lock = inode.lock();
                inode::prepare_resize(inode, 0)?;
                let barrier = hold(inode)?;
                let handle = open()?;
                let resized = inode::cut(inode);
                drop(barrier);
                resized.apply(inode);
                handle
            }
        };
        let handle = Arc::new(handle, GFP_KERNEL)?;
        Self::made(inode, file, handle.as_arc_borrow())?;
        Ok(handle)
    }

    fn made(inode: &Inode<Fs>, file: &OpeningFile<'_>, handle: ArcBorrow<'_, Handle>) -> Result {
        io_mode::enter(inode.data(), file, &handle)?;
        if file.is_writable() {
            let opened = inode.data().writes.opened(handle.into());
            opened.inspect_err(|_| io_mode::leave(inode, &handle))?;
        }
        handle.note_changes(inode.data().changes());
        handle.restrict(file);
        inode
            .mapping()
            .allow_large_folios(inode::max_order(handle.conn()));
        file.set_can_odirect();
        if handle.backing().is_none() {
            file.set_nowait();
        }
        if !handle.keeps_cache() {
            drop_pages(inode, 0);
        }
        Ok(())
    }

    fn release(inode: &Inode<Fs>, handle: Arc<Handle>) {
        if handle.is_writable() {
            write_remains(inode);
            inode.data().writes.released(&handle);
        }
        io_mode::leave(inode, &handle);
        handle.closed(inode);
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
            return direct::read(file, iocb, iter);
        }
        if inode.data().attributes_expired() && needs_attributes(inode, iocb, iter) {
            if iocb.nowait() {
                return Err(EAGAIN);
            }
            attr::refresh(inode, false)?;
        }
        iocb.generic_file_read_iter(iter)
    }

    fn write_iter(
        file: &File<'_, Self>,
        iocb: &mut Kiocb<'_>,
        iter: &mut IovIterSource<'_>,
    ) -> Result<usize> {
        write::write_iter(file, iocb, iter)
    }

    /// The server is told only if the file's data was changed since, or if it keeps locks: it has nothing else
    /// to say.
    fn flush(file: &File<'_, Self>, owner: usize) -> Result {
        file.inode().data().check()?;
        let (inode, handle) = (file.inode(), file.data());
        let has_news = || {
            let changed = file.is_writable() && handle.note_changes(inode.data().changes());
            changed || inode.data().may_be_locked()
        };
        if ids::current_is_exiting() {
            if file.is_writable() {
                settle_at_exit(inode);
            }
            if has_news() {
                handle.flush_unheard(owner);
            }
            return Ok(());
        }
        if file.is_writable() {
            settle(inode, 0, i64::MAX)?;
            file.check_wb_err()?;
            times::sync(inode)?;
        }
        match has_news() {
            true => handle.flush(owner),
            false => Ok(()),
        }
    }

    fn fsync(file: &File<'_, Self>, start: i64, end: i64, datasync: bool) -> Result {
        file.inode().data().check()?;
        settle(file.inode(), start, end)?;
        file.check_wb_err()?;
        times::sync(file.inode())?;
        file.data().fsync(datasync)
    }

    fn lock(
        file: &File<'_, Self>,
        command: LockCommand,
        lock: &mut FileLock<'_>,
    ) -> Result<Locked> {
        lock::lock(file, command, lock)
    }

    fn flock(file: &File<'_, Self>, lock: &mut FileLock<'_>) -> Result {
        lock::flock(file, lock)
    }

    fn poll(file: &File<'_, Self>, table: &PollTable<'_>) -> Events {
        file.data().poll(table)
    }

    fn ioctl(file: &File<'_, Self>, call: Ioctl) -> Result<u32> {
        file.inode().data().check()?;
        file.inode().super_data().admit()?;
        ioctl::ioctl(file.data(), call)
    }

    /// A file that is not cached is mapped for several only where the server knows that its writes come later.
    fn mmap(file: &File<'_, Self>, is_shared: bool) -> Result {
        let (inode, handle) = (file.inode(), file.data());
        if !handle.is_direct() {
            return Ok(());
        }
        if is_shared && !handle.conn().has(InitFlags::DIRECT_IO_ALLOW_MMAP) {
            return Err(ENODEV);
        }
        io_mode::map(file, is_shared)?;
        // What others have cached may be old.
        drop_pages(inode, 0);
        Ok(())
    }

    fn backing(handle: &Handle) -> Option<Backing<'_>> {
        handle.backing()
    }

    fn backing_accessed(file: &File<'_, Self>) {
        let node = file.inode().data();
        if !node.is_touched() {
            node.touch(file.data().conn());
        }
    }

    fn backing_written(file: &File<'_, Self>, end: i64) {
        let inode = file.inode();
        inode.data().wrote(inode, end.max(0) as u64);
    }

    fn llseek(file: &File<'_, Self>, offset: i64, whence: i32) -> Result<i64> {
        range::llseek(file, offset, whence)
    }

    fn fallocate(file: &File<'_, Self>, mode: u32, offset: i64, len: i64) -> Result {
        range::fallocate(file, mode, offset, len)
    }

    fn copy_file_range(
        from: (&File<'_, Self>, i64),
        to: (&File<'_, Self>, i64),
        len: usize,
    ) -> Result<usize> {
        range::copy_file_range(from, to, len)
    }
}

/// Whether a read needs attributes that hold: to notice that the file has changed, or where it ends.
fn needs_attributes(inode: &Inode<Fs>, iocb: &Kiocb<'_>, iter: &IovIterDest<'_>) -> bool {
    let end = (iocb.pos().max(0) as u64).saturating_add(iter.len() as u64);
    inode.super_data().conn.has(InitFlags::AUTO_INVAL_DATA) || end > inode.size()
}
