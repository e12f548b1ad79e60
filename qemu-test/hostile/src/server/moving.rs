// SPDX-License-Identifier: GPL-2.0

//! Names that go, and names that move.

use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{Opcode, Rename2In, RenameIn, ROOT_ID};

use super::{Body, Server};
use crate::request::{errno, name, two_names, Request};
use crate::tree::Kind;

const NOREPLACE: u32 = 1;
const EXCHANGE: u32 = 2;

/// A name and its directory.
type Place<'a> = (u64, &'a [u8]);

impl Server {
    pub(super) fn unlink(&mut self, request: &Request<'_>) -> Body {
        let name = name(request.body)?;
        let ino = self.named((request.nodeid(), name))?;
        match self.node(ino)?.kind {
            Kind::Dir(_) => Err(errno(libc::EISDIR)),
            _ => self.remove((request.nodeid(), name)),
        }
    }

    pub(super) fn rmdir(&mut self, request: &Request<'_>) -> Body {
        let name = name(request.body)?;
        let ino = self.named((request.nodeid(), name))?;
        match &self.node(ino)?.kind {
            Kind::Dir(dir) if dir.is_empty() => self.remove((request.nodeid(), name)),
            Kind::Dir(_) => Err(errno(libc::ENOTEMPTY)),
            _ => Err(errno(libc::ENOTDIR)),
        }
    }

    /// RENAME and RENAME2.
    pub(super) fn rename(&mut self, request: &Request<'_>) -> Body {
        let (newdir, flags, rest) = match request.opcode {
            Opcode::Rename2 => {
                let (how, rest) = request.input::<Rename2In>()?;
                (how.newdir, how.flags, rest)
            }
            _ => {
                let (how, rest) = request.input::<RenameIn>()?;
                (how.newdir, 0, rest)
            }
        };
        let (old, new) = two_names(rest)?;
        let (from, to) = ((request.nodeid(), old), (newdir, new));
        let (moved, there) = (self.named(from)?, self.writable_dir(newdir)?.find(new));
        match (flags, there) {
            (EXCHANGE, None) => Err(Errno::ENOENT),
            (EXCHANGE, Some(other)) => self.exchange((from, moved), (to, other)),
            (NOREPLACE, Some(_)) => Err(errno(libc::EEXIST)),
            (0 | NOREPLACE, _) => self.replace((from, moved), (to, there)),
            _ => Err(errno(libc::EINVAL)),
        }
    }

    fn exchange(&mut self, (from, moved): (Place<'_>, u64), (to, other): (Place<'_>, u64)) -> Body {
        self.not_above(moved, to.0)?;
        self.not_above(other, from.0)?;
        self.tree.leave(from.0, from.1);
        self.tree.leave(to.0, to.1);
        self.tree.enter(to.0, to.1, moved);
        self.tree.enter(from.0, from.1, other);
        self.changed(other);
        self.moved(from, to, moved)
    }

    fn replace(
        &mut self,
        (from, moved): (Place<'_>, u64),
        (to, there): (Place<'_>, Option<u64>),
    ) -> Body {
        self.not_above(moved, to.0)?;
        let is_dir = matches!(self.node(moved)?.kind, Kind::Dir(_));
        if let Some(there) = there {
            match &self.node(there)?.kind {
                _ if there == moved => return Ok(Vec::new()),
                Kind::Dir(_) if !is_dir => return Err(errno(libc::EISDIR)),
                Kind::Dir(dir) if !dir.is_empty() => return Err(errno(libc::ENOTEMPTY)),
                Kind::Dir(_) => {}
                _ if is_dir => return Err(errno(libc::ENOTDIR)),
                _ => {}
            }
            self.remove(to)?;
        }
        self.tree.leave(from.0, from.1);
        self.tree.enter(to.0, to.1, moved);
        self.moved(from, to, moved)
    }

    fn moved(&mut self, from: Place<'_>, to: Place<'_>, moved: u64) -> Body {
        self.changed(moved);
        self.modified(from.0);
        self.modified(to.0);
        Ok(Vec::new())
    }

    /// What a name that may go stands for.
    pub(super) fn named(&self, (parent, name): Place<'_>) -> Result<u64, Errno> {
        self.writable_dir(parent)?.find(name).ok_or(Errno::ENOENT)
    }

    /// A directory must not come below itself.
    fn not_above(&self, ino: u64, dir: u64) -> Result<(), Errno> {
        let mut at = dir;
        while at != ROOT_ID {
            if at == ino {
                return Err(errno(libc::EINVAL));
            }
            at = self.dir(at)?.parent;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, (parent, name): Place<'_>) -> Body {
        if let Some(ino) = self.tree.leave(parent, name) {
            self.changed(ino);
            self.reap(ino);
        }
        self.modified(parent);
        Ok(Vec::new())
    }
}
