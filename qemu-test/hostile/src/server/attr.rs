// SPDX-License-Identifier: GPL-2.0

//! Attributes of nodes and of the file system.

use rfuse_proto::attr::{STATX_BASIC_STATS, STATX_BTIME};
use rfuse_proto::wire::{
    AccessIn, Attr, AttrOut, GetattrIn, Kstatfs, StatfsOut, Statx, StatxIn, StatxOut, SxTime,
};

use super::{bytes, Body, Server};
use crate::request::{errno, Request};
use crate::tree::Node;

/// When everything was made, in seconds since the epoch.
const BIRTH: u64 = 1_700_000_000;

/// Attributes of a node.
pub(super) fn of(node: &Node) -> Attr {
    Attr {
        ino: node.ino,
        size: node.size(),
        blocks: node.size().div_ceil(512),
        atime: BIRTH,
        mtime: BIRTH + node.ino,
        ctime: BIRTH,
        atimensec: 1,
        mtimensec: 999_999_999,
        ctimensec: 0,
        mode: node.mode(),
        nlink: node.nlink,
        uid: 0,
        gid: 0,
        rdev: node.rdev(),
        blksize: 4096,
        flags: 0,
    }
}

/// The same for statx(2).
fn statx_of(node: &Node) -> Statx {
    let attr = of(node);
    let time = |sec: u64, tv_nsec| SxTime {
        tv_sec: sec as i64,
        tv_nsec,
        ..SxTime::default()
    };
    Statx {
        mask: STATX_BASIC_STATS | STATX_BTIME,
        blksize: attr.blksize,
        nlink: attr.nlink,
        mode: attr.mode as u16,
        ino: attr.ino,
        size: attr.size,
        blocks: attr.blocks,
        atime: time(attr.atime, attr.atimensec),
        mtime: time(attr.mtime, attr.mtimensec),
        ctime: time(attr.ctime, attr.ctimensec),
        btime: time(BIRTH, 0),
        rdev_major: attr.rdev >> 8,
        rdev_minor: attr.rdev & 0xff,
        ..Statx::default()
    }
}

impl Server {
    pub(super) fn getattr(&self, request: &Request<'_>) -> Body {
        request.input::<GetattrIn>()?;
        let attr = of(self.node(request.nodeid())?);
        Ok(bytes(&AttrOut {
            attr_valid: self.settings.valid.as_secs(),
            attr_valid_nsec: self.settings.valid.subsec_nanos(),
            dummy: 0,
            attr,
        }))
    }

    pub(super) fn statx(&self, request: &Request<'_>) -> Body {
        request.input::<StatxIn>()?;
        let stat = statx_of(self.node(request.nodeid())?);
        Ok(bytes(&StatxOut {
            attr_valid: self.settings.valid.as_secs(),
            attr_valid_nsec: self.settings.valid.subsec_nanos(),
            stat,
            ..StatxOut::default()
        }))
    }

    /// All nodes belong to root.
    pub(super) fn access(&self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<AccessIn>()?;
        let mode = self.node(request.nodeid())?.mode();
        let allowed = match request.header.uid {
            0 if mode & 0o111 != 0 => 0o7,
            0 => 0o6,
            _ => mode & 0o7,
        };
        match asked.mask & 0o7 & !allowed {
            0 => Ok(Vec::new()),
            _ => Err(errno(libc::EACCES)),
        }
    }

    pub(super) fn statfs(&self) -> Body {
        Ok(bytes(&StatfsOut {
            st: Kstatfs {
                blocks: 1 << 20,
                bfree: 1 << 19,
                bavail: 1 << 18,
                files: self.nodes(),
                ffree: 1000,
                bsize: 4096,
                namelen: 255,
                frsize: 4096,
                ..Kstatfs::default()
            },
        }))
    }
}
