// SPDX-License-Identifier: GPL-2.0

//! Open files.

use rfuse_proto::flags::RELEASE_FLOCK_UNLOCK;
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{FlushIn, FsyncIn, LseekIn, LseekOut, OpenIn, ReadIn, ReleaseIn};

use super::{bytes, Body, Server};
use crate::request::{errno, Request};
use crate::tree::Kind;

impl Server {
    pub(super) fn open(&mut self, request: &Request<'_>) -> Body {
        let (how, _) = request.input::<OpenIn>()?;
        let ino = self.open_for(request.nodeid(), how.flags)?;
        Ok(bytes(&self.opened(ino)))
    }

    /// A file that may be opened with those flags of open(2), and is cut if they say so.
    pub(super) fn open_for(&mut self, nodeid: u64, flags: u32) -> Result<u64, Errno> {
        self.size(nodeid)?;
        let cuts = flags & libc::O_TRUNC as u32 != 0;
        let writes = flags & libc::O_ACCMODE as u32 != libc::O_RDONLY as u32;
        if writes || cuts {
            self.tree.data(nodeid)?;
        }
        if cuts {
            self.tree.resize(nodeid, 0)?;
            self.modified(nodeid);
        }
        Ok(nodeid)
    }

    pub(super) fn read(&mut self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<ReadIn>()?;
        self.check_handle(request.nodeid(), asked.fh);
        let len = request.body_room().min(asked.size as usize) as u64;
        self.content(request.nodeid(), asked.offset, len)
    }

    /// Files have no holes.
    pub(super) fn lseek(&mut self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<LseekIn>()?;
        self.check_handle(request.nodeid(), asked.fh);
        let size = self.size(request.nodeid())?;
        let offset = match asked.whence as i32 {
            _ if asked.offset >= size => return Err(errno(libc::ENXIO)),
            libc::SEEK_DATA => asked.offset,
            libc::SEEK_HOLE => size,
            _ => return Err(errno(libc::EINVAL)),
        };
        Ok(bytes(&LseekOut { offset }))
    }

    pub(super) fn flush(&mut self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<FlushIn>()?;
        self.check_handle(request.nodeid(), asked.fh);
        self.drop_owner(request.nodeid(), false, asked.lock_owner);
        Ok(Vec::new())
    }

    pub(super) fn fsync(&mut self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<FsyncIn>()?;
        self.check_handle(request.nodeid(), asked.fh);
        Ok(Vec::new())
    }

    pub(super) fn release(&mut self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<ReleaseIn>()?;
        self.check_handle(request.nodeid(), asked.fh);
        let is_early = self.busy.names_handle(request.nodeid(), asked.fh);
        self.complaints.early_releases += u64::from(is_early);
        if asked.release_flags & RELEASE_FLOCK_UNLOCK != 0 {
            self.drop_owner(request.nodeid(), true, asked.lock_owner);
        }
        self.drop_ranges_of(request.nodeid(), asked.fh);
        self.handles.remove(&asked.fh);
        self.reap(request.nodeid());
        Ok(Vec::new())
    }

    fn size(&self, nodeid: u64) -> Result<u64, Errno> {
        let node = self.node(nodeid)?;
        match node.kind {
            Kind::File(_) | Kind::Data(_) => Ok(node.size()),
            Kind::Dir(_) => Err(errno(libc::EISDIR)),
            _ => Err(errno(libc::EINVAL)),
        }
    }
}
