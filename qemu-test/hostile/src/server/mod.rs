// SPDX-License-Identifier: GPL-2.0

//! The server: one handler an operation, each with the answer that is right.

mod attr;
mod beside;
mod busy;
mod caller;
#[cfg(test)]
mod change_tests;
#[cfg(test)]
mod client;
mod data;
mod dir;
mod file;
mod ioctl;
mod lock;
#[cfg(test)]
mod lock_tests;
mod make;
mod moving;
mod name;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod xattr;

pub use self::dir::{record, ALIGN};
pub use self::settings::{Features, Settings, Writeback};

use std::collections::{HashMap, VecDeque};

use rfuse_proto::flags::InitFlags;
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{Opcode, OpenOut, OutHeader};
use zerocopy::{Immutable, IntoBytes};

use self::busy::Busy;
use crate::locks::Locks;
use crate::request::{errno, Request, HEAD};
use crate::tree::{Dir, Kind, Node, Tree};

/// What a handler answers: the body, or an error.
pub type Body = Result<Vec<u8>, Errno>;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This answer.
    Reply(Vec<u8>),
    /// It has none.
    Nothing,
    /// One that comes later: see [`Server::settled`].
    Later,
}

/// What a client does that it must not, on a server that tells no lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Complaints {
    /// More lookups taken back than were counted.
    pub forgets: u64,
    /// Handles used that are not open.
    pub handles: u64,
    /// Handles given up while a request that names them is not answered.
    pub early_releases: u64,
    /// Nodes given up while a request that names them is not answered.
    pub early_forgets: u64,
    /// Handles still open at DESTROY.
    pub unreleased: u64,
    /// Lookups not taken back between INIT and the INIT after DESTROY.
    pub unforgotten: u64,
    /// WRITEs whose data are not as long as they say, or longer than what was settled.
    pub writes: u64,
    /// Locks on what is no range.
    pub locks: u64,
    /// Locks still held at DESTROY.
    pub locks_left: u64,
    /// IOCTLs whose sizes are not those of what is with them.
    pub ioctls: u64,
    /// Requests with ids that they must not have, or without those that they must.
    pub ids: u64,
    /// Extensions that are not well formed, or were not settled.
    pub extensions: u64,
    /// Lookups of `.` and `..` that were not settled.
    pub dots: u64,
}

/// The tree, and what the client has of it.
#[derive(Debug)]
pub struct Server {
    tree: Tree,
    settings: Settings,
    /// How many INITs there were.
    inits: u64,
    /// What the last one settled.
    flags: InitFlags,
    lookups: HashMap<u64, u64>,
    handles: HashMap<u64, u64>,
    last_handle: u64,
    locks: Locks,
    /// Requests that are not answered yet.
    pub busy: Busy,
    /// Requests that waited for a lock and do so no more.
    cancelled: Vec<u64>,
    /// Requests that were interrupted and not seen yet, or are done.
    interrupted_early: VecDeque<u64>,
    destroyed: bool,
    complaints: Complaints,
}

impl Server {
    /// A server of the tree.
    pub fn new(settings: Settings) -> Self {
        Self {
            tree: Tree::new(settings.features.submounts),
            settings,
            inits: 0,
            flags: InitFlags::NONE,
            lookups: HashMap::new(),
            handles: HashMap::new(),
            last_handle: 0,
            locks: Locks::default(),
            busy: Busy::default(),
            cancelled: Vec::new(),
            interrupted_early: VecDeque::new(),
            destroyed: false,
            complaints: Complaints::default(),
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

    /// The right answer.
    pub fn answer(&mut self, request: &Request<'_>) -> Answer {
        if let Err(error) = self.check_caller(request) {
            return Answer::Reply(message(request, &Err(error)));
        }
        let lacking = self.settings.lacks.contains(&request.opcode);
        let body = match request.opcode {
            Opcode::Forget | Opcode::BatchForget => {
                self.forget(request);
                return Answer::Nothing;
            }
            Opcode::Interrupt => return self.interrupt(request),
            Opcode::Setlk | Opcode::Setlkw if !lacking => match self.setlk(request) {
                Some(body) => body,
                None => return Answer::Later,
            },
            _ => self.body(request),
        };
        Answer::Reply(message(request, &body))
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
            Opcode::Create => self.create(request),
            Opcode::Tmpfile => self.tmpfile(request),
            Opcode::Mknod => self.mknod(request),
            Opcode::Mkdir => self.mkdir(request),
            Opcode::Symlink => self.symlink(request),
            Opcode::Link => self.link(request),
            Opcode::Unlink => self.unlink(request),
            Opcode::Rmdir => self.rmdir(request),
            Opcode::Rename | Opcode::Rename2 => self.rename(request),
            Opcode::Setattr => self.setattr(request),
            Opcode::Write => self.write(request),
            Opcode::Fallocate => self.fallocate(request),
            Opcode::CopyFileRange | Opcode::CopyFileRange64 => self.copy(request),
            Opcode::Syncfs => Ok(Vec::new()),
            Opcode::Getlk => self.getlk(request),
            Opcode::Ioctl => self.ioctl(request),
            Opcode::Setxattr => self.setxattr(request),
            Opcode::Removexattr => self.removexattr(request),
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

    /// A node that may be changed.
    fn writable(&mut self, nodeid: u64) -> Result<&mut Node, Errno> {
        match self.tree.get_mut(nodeid) {
            None => Err(errno(libc::ESTALE)),
            Some(node) if node.writable => Ok(node),
            Some(_) => Err(errno(libc::EROFS)),
        }
    }

    /// A directory that may be changed, and was not removed.
    fn writable_dir(&self, nodeid: u64) -> Result<&Dir, Errno> {
        let (node, dir) = (self.node(nodeid)?, self.dir(nodeid)?);
        match node.writable {
            true if node.is_nameless() => Err(Errno::ENOENT),
            true => Ok(dir),
            false => Err(errno(libc::EROFS)),
        }
    }

    /// A node's status has changed.
    fn changed(&mut self, nodeid: u64) {
        let now = self.tree.tick();
        if let Some(node) = self.tree.get_mut(nodeid) {
            node.times.ctime = now;
        }
    }

    /// A node's content has changed.
    fn modified(&mut self, nodeid: u64) {
        let now = self.tree.tick();
        if let Some(node) = self.tree.get_mut(nodeid) {
            (node.times.ctime, node.times.mtime) = (now, now);
        }
    }

    /// Ends a node if it has no name and nobody uses it.
    fn reap(&mut self, nodeid: u64) {
        let looked_up = self.lookups.get(&nodeid).is_some_and(|times| *times > 0);
        let in_use = looked_up || self.handles.values().any(|node| *node == nodeid);
        if !in_use && self.tree.get(nodeid).is_some_and(Node::is_nameless) {
            self.tree.discard(nodeid);
        }
    }

    /// A new handle of a file, as OPEN answers.
    fn opened(&mut self, nodeid: u64) -> OpenOut {
        OpenOut {
            fh: self.handle(nodeid),
            open_flags: self.settings.open_flags,
            backing_id: 0,
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
pub fn message(request: &Request<'_>, body: &Body) -> Vec<u8> {
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
