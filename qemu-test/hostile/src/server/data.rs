// SPDX-License-Identifier: GPL-2.0

//! Data that is written.

use rfuse_proto::flags::WRITE_KILL_SUIDGID;
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{
    CopyFileRangeIn, CopyFileRangeOut, FallocateIn, Opcode, WriteIn, WriteOut,
};

use super::{bytes, Body, Server};
use crate::content;
use crate::request::{errno, Request};
use crate::tree::Kind;

const KEEP_SIZE: u32 = 0x01;
const PUNCH_HOLE: u32 = 0x02;
const ZERO_RANGE: u32 = 0x10;

impl Server {
    pub(super) fn write(&mut self, request: &Request<'_>) -> Body {
        let (asked, data) = request.input::<WriteIn>()?;
        if data.len() != asked.size as usize || asked.size > self.settings.max_write {
            self.complaints.writes += 1;
            return Err(errno(libc::EINVAL));
        }
        self.check_handle(request.nodeid(), asked.fh);
        self.put(request.nodeid(), asked.offset, data)?;
        if asked.write_flags & WRITE_KILL_SUIDGID != 0 {
            self.kill_privileges(request.nodeid());
        }
        Ok(bytes(&WriteOut {
            size: asked.size,
            padding: 0,
        }))
    }

    /// Bytes of a file, fewer at its end.
    pub(super) fn content(&self, nodeid: u64, offset: u64, len: u64) -> Result<Vec<u8>, Errno> {
        let node = self.node(nodeid)?;
        let len = node.size().saturating_sub(offset).min(len) as usize;
        match &node.kind {
            Kind::File(_) => Ok(content::read(nodeid, offset, len)),
            Kind::Data(data) => {
                let rest = data.get(offset as usize..).unwrap_or(&[]);
                Ok(rest[..len].to_vec())
            }
            Kind::Dir(_) => Err(errno(libc::EISDIR)),
            _ => Err(errno(libc::EINVAL)),
        }
    }

    fn put(&mut self, nodeid: u64, offset: u64, data: &[u8]) -> Result<(), Errno> {
        if data.is_empty() {
            return self.tree.data(nodeid).map(|_| ());
        }
        let end = end(offset, data.len() as u64)?;
        self.grow(nodeid, end)?;
        self.tree.data(nodeid)?[offset as usize..end as usize].copy_from_slice(data);
        self.modified(nodeid);
        Ok(())
    }

    fn grow(&mut self, nodeid: u64, end: u64) -> Result<(), Errno> {
        match self.tree.data(nodeid)?.len() as u64 {
            size if size < end => self.tree.resize(nodeid, end),
            _ => Ok(()),
        }
    }

    pub(super) fn fallocate(&mut self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<FallocateIn>()?;
        let (nodeid, mode) = (request.nodeid(), asked.mode);
        self.check_handle(nodeid, asked.fh);
        let end = end(asked.offset, asked.length)?;
        let known = [
            0,
            KEEP_SIZE,
            PUNCH_HOLE | KEEP_SIZE,
            ZERO_RANGE,
            ZERO_RANGE | KEEP_SIZE,
        ];
        if !known.contains(&mode) {
            return Err(errno(libc::EOPNOTSUPP));
        }
        if mode & KEEP_SIZE == 0 {
            self.grow(nodeid, end)?;
        }
        let data = self.tree.data(nodeid)?;
        if mode & (PUNCH_HOLE | ZERO_RANGE) != 0 {
            let size = data.len() as u64;
            data[asked.offset.min(size) as usize..end.min(size) as usize].fill(0);
        }
        self.modified(nodeid);
        Ok(Vec::new())
    }

    /// COPY_FILE_RANGE and COPY_FILE_RANGE_64.
    pub(super) fn copy(&mut self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<CopyFileRangeIn>()?;
        self.check_handle(request.nodeid(), asked.fh_in);
        self.check_handle(asked.nodeid_out, asked.fh_out);
        let apart = asked.off_in.abs_diff(asked.off_out);
        if request.nodeid() == asked.nodeid_out && apart < asked.len {
            return Err(errno(libc::EINVAL));
        }
        let data = self.content(request.nodeid(), asked.off_in, asked.len)?;
        self.put(asked.nodeid_out, asked.off_out, &data)?;
        let bytes_copied = data.len() as u64;
        Ok(match request.opcode {
            Opcode::CopyFileRange64 => bytes(&CopyFileRangeOut { bytes_copied }),
            _ => bytes(&WriteOut {
                size: bytes_copied as u32,
                padding: 0,
            }),
        })
    }
}

/// The end of a range.
fn end(offset: u64, len: u64) -> Result<u64, Errno> {
    offset.checked_add(len).ok_or(errno(libc::EFBIG))
}
