// SPDX-License-Identifier: GPL-2.0

//! The server: one handler an operation, each with the answer that is right.

mod attr;
mod dir;

mod file;
mod name;
mod session;
#[cfg(test)]
mod tests;
mod xattr;

pub use self::dir::{record, ALIGN};

use std::collections::HashMap;
use std::time::Duration;

use rfuse_proto::flags::InitFlags;
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{Opcode, OutHeader};
use zerocopy::{Immutable, IntoBytes};

use crate::request::{errno, Request, HEAD};
use crate::tree::{Dir, Kind, Node, Tree};

/// What a handler answers: the body, or an error.
pub type Body = Result<Vec<u8>, Errno>;

/// How the server serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long names and attributes may be cached.
    pub valid: Duration,
    /// What is confirmed if offered.
    pub flags: InitFlags,
    /// `FOPEN_*` of every opened file.
    pub open_flags: u32,
    /// Operations that are answered with ENOSYS.
    pub lacks: Vec<Opcode>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            valid: Duration::from_secs(1),
            flags: InitFlags::ASYNC_READ
                | InitFlags::AUTO_INVAL_DATA
                | InitFlags::DO_READDIRPLUS
                | InitFlags::READDIRPLUS_AUTO
                | InitFlags::PARALLEL_DIROPS
                | InitFlags::POSIX_ACL
                | InitFlags::DONT_MASK
                | InitFlags::SETXATTR_EXT
                | InitFlags::MAX_PAGES
                | InitFlags::INIT_EXT,
            open_flags: 0,
            lacks: Vec::new(),
        }
    }
}

/// What a client does that it must not, on a server that tells no lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Complaints {
    /// More lookups taken back than were counted.
    pub forgets: u64,
    /// Handles used that are not open.
    pub handles: u64,
    /// Handles still open at DESTROY.
    pub unreleased: u64,
    /// Lookups not taken back between INIT and the INIT after DESTROY.
    pub unforgotten: u64,
}

/// The tree, and what the client has of it.
#[derive(Debug, Default)]
pub struct Server {
    tree: Tree,
    settings: Settings,
    lookups: HashMap<u64, u64>,
    handles: HashMap<u64, u64>,
    last_handle: u64,
    destroyed: bool,
    complaints: Complaints,
}

impl Server {
    /// A server of the tree.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            ..Self::default()
        }
    }

    /// Number of nodes; their ids are 1 to this.
    pub fn nodes(&self) -> u64 {
        self.tree.len()
    }

    /// What the client did wrong so far.
    pub fn complaints(&self) -> Complaints {
        self.complaints
    }

    /// The right answer; `None` to a request that has none.
    pub fn answer(&mut self, request: &Request<'_>) -> Option<Vec<u8>> {
        let body = match request.opcode {
            Opcode::Forget | Opcode::BatchForget => {
                self.forget(request);
                return None;
            }
            _ => self.body(request),
        };
        Some(message(request, &body))
    }

    fn body(&mut self, request: &Request<'_>) -> Body {
        match request.opcode {
            lacking if self.settings.lacks.contains(&lacking) => Err(Errno::ENOSYS),
            Opcode::Init => self.init(request),
            Opcode::Destroy => self.destroy(),
            Opcode::Lookup => self.lookup(request),
            Opcode::Getattr => self.getattr(request),
            Opcode::Statx => self.statx(request),
            Opcode::Access => self.access(request),
            Opcode::Statfs => self.statfs(),
            Opcode::Readlink => self.readlink(request),
            Opcode::Open => self.open(request),
            Opcode::Read => self.read(request),
            Opcode::Lseek => self.lseek(request),
            Opcode::Flush => self.flush(request),
            Opcode::Fsync | Opcode::Fsyncdir => self.fsync(request),
            Opcode::Release | Opcode::Releasedir => self.release(request),
            Opcode::Opendir => self.opendir(request),
            Opcode::Readdir => self.readdir(request),
            Opcode::Readdirplus => self.readdirplus(request),
            Opcode::Getxattr => self.getxattr(request),
            Opcode::Listxattr => self.listxattr(request),
            _ => Err(Errno::ENOSYS),
        }
    }

    fn node(&self, nodeid: u64) -> Result<&Node, Errno> {
        self.tree.get(nodeid).ok_or(errno(libc::ESTALE))
    }

    fn dir(&self, nodeid: u64) -> Result<&Dir, Errno> {
        match &self.node(nodeid)?.kind {
            Kind::Dir(dir) => Ok(dir),
            _ => Err(errno(libc::ENOTDIR)),
        }
    }

    /// A new handle of a node.
    fn handle(&mut self, nodeid: u64) -> u64 {
        self.last_handle += 1;
        self.handles.insert(self.last_handle, nodeid);
        self.last_handle
    }

    /// Notes when a handle is not one of the node's. Nodes need none where opening is lacking.
    fn check_handle(&mut self, nodeid: u64, fh: u64) {
        let opens = [Opcode::Open, Opcode::Opendir];
        let needless = fh == 0 && opens.iter().any(|open| self.settings.lacks.contains(open));
        if !needless && self.handles.get(&fh) != Some(&nodeid) {
            self.complaints.handles += 1;
        }
    }
}

/// A structure as a body.
fn bytes(out: &(impl IntoBytes + Immutable)) -> Vec<u8> {
    out.as_bytes().to_vec()
}

/// Head and body together.
fn message(request: &Request<'_>, body: &Body) -> Vec<u8> {
    let (error, body) = match body {
        Ok(body) => (0, body.as_slice()),
        Err(errno) => (-i32::from(errno.get()), &[][..]),
    };
    let header = OutHeader {
        len: u32::try_from(HEAD + body.len()).unwrap_or(u32::MAX),
        error,
        unique: request.header.unique,
    };
    [header.as_bytes(), body].concat()
}
