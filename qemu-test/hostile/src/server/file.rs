// SPDX-License-Identifier: GPL-2.0

//! Open files.

use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{FlushIn, FsyncIn, LseekIn, LseekOut, OpenIn, OpenOut, ReadIn, ReleaseIn};

use super::{bytes, Body, Server};
use crate::content;
use crate::request::{errno, Request};
use crate::tree::Kind;

impl Server {
    pub(super) fn open(&mut self, request: &Request<'_>) -> Body {
        let (how, _) = request.input::<OpenIn>()?;
        self.size(request.nodeid())?;
        if how.flags & libc::O_ACCMODE as u32 != libc::O_RDONLY as u32 {
            return Err(errno(libc::EROFS));
        }
        Ok(bytes(&OpenOut {
            fh: self.handle(request.nodeid()),
            open_flags: self.settings.open_flags,
            backing_id: 0,
        }))
    }

    pub(super) fn read(&mut self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<ReadIn>()?;
        self.check_handle(request.nodeid(), asked.fh);
        let left = self.size(request.nodeid())?.saturating_sub(asked.offset);
        let len = left.min(u64::from(asked.size)) as usize;
        let len = len.min(request.body_room());
        Ok(content::read(request.nodeid(), asked.offset, len))
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
        self.handles.remove(&asked.fh);
        Ok(Vec::new())
    }

    fn size(&self, nodeid: u64) -> Result<u64, Errno> {
        match self.node(nodeid)?.kind {
            Kind::File(size) => Ok(size),
            Kind::Dir(_) => Err(errno(libc::EISDIR)),
            _ => Err(errno(libc::EINVAL)),
        }
    }
}
