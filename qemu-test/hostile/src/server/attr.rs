// SPDX-License-Identifier: GPL-2.0

//! Attributes of nodes and of the file system.

use rfuse_proto::attr::{STATX_BASIC_STATS, STATX_BTIME};
use rfuse_proto::flags::{
    InitFlags, ATTR_SUBMOUNT, FATTR_ATIME, FATTR_ATIME_NOW, FATTR_CTIME, FATTR_FH, FATTR_GID,
    FATTR_KILL_SUIDGID, FATTR_MODE, FATTR_MTIME, FATTR_MTIME_NOW, FATTR_SIZE, FATTR_UID,
};
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{
    AccessIn, Attr, AttrOut, GetattrIn, Kstatfs, SetattrIn, StatfsOut, Statx, StatxIn, StatxOut,
    SxTime,
};

use super::{bytes, Body, Server};
use crate::request::{errno, Request};
use crate::tree::{Node, Time, BIRTH};

/// Attributes of a node, without flags.
fn of(node: &Node) -> Attr {
    Attr {
        ino: node.ino,
        size: node.size(),
        blocks: node.size().div_ceil(512),
        atime: node.times.atime.0,
        mtime: node.times.mtime.0,
        ctime: node.times.ctime.0,
        atimensec: node.times.atime.1,
        mtimensec: node.times.mtime.1,
        ctimensec: node.times.ctime.1,
        mode: node.mode(),
        nlink: node.nlink,
        uid: node.owner.0,
        gid: node.owner.1,
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
        uid: attr.uid,
        gid: attr.gid,
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

/// Changes all but the size.
fn set(node: &mut Node, wanted: &SetattrIn, now: Time) {
    let is = |flag: u32| wanted.valid & flag != 0;
    if is(FATTR_MODE) {
        node.permissions = wanted.mode & 0o7777;
    }
    if is(FATTR_UID) {
        node.owner.0 = wanted.uid;
    }
    if is(FATTR_GID) {
        node.owner.1 = wanted.gid;
    }
    let put = |time: &mut Time, set, set_now, to| match (is(set), is(set_now)) {
        (false, _) => {}
        (true, true) => *time = now,
        (true, false) => *time = to,
    };
    let times = &mut node.times;
    put(
        &mut times.atime,
        FATTR_ATIME,
        FATTR_ATIME_NOW,
        (wanted.atime, wanted.atimensec),
    );
    put(
        &mut times.mtime,
        FATTR_MTIME,
        FATTR_MTIME_NOW,
        (wanted.mtime, wanted.mtimensec),
    );
    times.ctime = match is(FATTR_CTIME) {
        true => (wanted.ctime, wanted.ctimensec),
        false => now,
    };
}

impl Server {
    pub(super) fn getattr(&self, request: &Request<'_>) -> Body {
        request.input::<GetattrIn>()?;
        self.attributes(request.nodeid())
    }

    /// Attributes of a node, with those flags that the client understands.
    pub(super) fn attr(&self, nodeid: u64) -> Result<Attr, Errno> {
        let node = self.node(nodeid)?;
        let flags = match node.submount && self.flags.contains(InitFlags::SUBMOUNTS) {
            true => ATTR_SUBMOUNT,
            false => 0,
        };
        Ok(Attr { flags, ..of(node) })
    }

    fn attributes(&self, nodeid: u64) -> Body {
        let attr = self.attr(nodeid)?;
        Ok(bytes(&AttrOut {
            attr_valid: self.settings.valid.as_secs(),
            attr_valid_nsec: self.settings.valid.subsec_nanos(),
            dummy: 0,
            attr,
        }))
    }

    pub(super) fn setattr(&mut self, request: &Request<'_>) -> Body {
        let (wanted, _) = request.input::<SetattrIn>()?;
        let nodeid = request.nodeid();
        if wanted.valid & FATTR_FH != 0 {
            self.check_handle(nodeid, wanted.fh);
        }
        self.writable(nodeid)?;
        if wanted.valid & FATTR_SIZE != 0 {
            self.tree.resize(nodeid, wanted.size)?;
            self.modified(nodeid);
        }
        if wanted.valid & FATTR_KILL_SUIDGID != 0 {
            self.kill_privileges(nodeid);
        }
        let now = self.tree.tick();
        set(self.writable(nodeid)?, &wanted, now);
        self.attributes(nodeid)
    }

    /// Takes set-user-id and set-group-id away.
    pub(super) fn kill_privileges(&mut self, nodeid: u64) {
        if let Ok(node) = self.writable(nodeid) {
            node.permissions &= !0o4000;
            if node.permissions & 0o10 != 0 {
                node.permissions &= !0o2000;
            }
        }
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

    /// Made-up nodes belong to root; who owns others is not looked at.
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
