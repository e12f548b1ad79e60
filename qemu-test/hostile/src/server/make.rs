// SPDX-License-Identifier: GPL-2.0

//! Names that are made, and what they stand for.

use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{CreateIn, CreateOut, LinkIn, MkdirIn, MknodIn};

use super::{bytes, Body, Server};
use crate::extension::Extensions;
use crate::request::{errno, name, two_names, Request};
use crate::tree::{Dir, Kind};

/// The longest name in bytes.
const NAME_MAX: usize = 255;

/// Set-group-id: a directory's group is that of all it gets.
const S_ISGID: u32 = 0o2000;

impl Server {
    pub(super) fn create(&mut self, request: &Request<'_>) -> Body {
        let (how, rest) = request.input::<CreateIn>()?;
        let name = name(rest)?;
        let exclusive = how.flags & libc::O_EXCL as u32 != 0;
        let ino = match self.dir(request.nodeid())?.find(name) {
            Some(_) if exclusive => return Err(errno(libc::EEXIST)),
            Some(there) => self.open_for(there, how.flags)?,
            None => self.make(request, name, Kind::Data(Vec::new()), how.mode & !how.umask)?,
        };
        self.created(ino)
    }

    pub(super) fn tmpfile(&mut self, request: &Request<'_>) -> Body {
        let (how, _) = request.input::<CreateIn>()?;
        self.writable_dir(request.nodeid())?;
        let ino = self.node_for(request, Kind::Data(Vec::new()), how.mode & !how.umask)?;
        self.created(ino)
    }

    fn created(&mut self, ino: u64) -> Body {
        let open = self.opened(ino);
        let entry = self.entry(ino)?;
        Ok(bytes(&CreateOut { entry, open }))
    }

    pub(super) fn mknod(&mut self, request: &Request<'_>) -> Body {
        let (how, rest) = request.input::<MknodIn>()?;
        let kind = match how.mode & libc::S_IFMT {
            0 | libc::S_IFREG => Kind::Data(Vec::new()),
            kind @ (libc::S_IFIFO | libc::S_IFSOCK) => Kind::Special(kind, 0),
            kind @ (libc::S_IFCHR | libc::S_IFBLK) => Kind::Special(kind, how.rdev),
            _ => return Err(errno(libc::EINVAL)),
        };
        let ino = self.make(request, name(rest)?, kind, how.mode & !how.umask)?;
        Ok(bytes(&self.entry(ino)?))
    }

    pub(super) fn mkdir(&mut self, request: &Request<'_>) -> Body {
        let (how, rest) = request.input::<MkdirIn>()?;
        let inherited = self.node(request.nodeid())?.permissions & S_ISGID;
        let mode = how.mode & !how.umask | inherited;
        let ino = self.make(request, name(rest)?, Kind::Dir(Dir::default()), mode)?;
        Ok(bytes(&self.entry(ino)?))
    }

    pub(super) fn symlink(&mut self, request: &Request<'_>) -> Body {
        let (name, target) = two_names(request.body)?;
        let ino = self.make(request, name, Kind::Link(target.to_vec()), 0o777)?;
        Ok(bytes(&self.entry(ino)?))
    }

    pub(super) fn link(&mut self, request: &Request<'_>) -> Body {
        let (what, rest) = request.input::<LinkIn>()?;
        let name = self.new_name(request.nodeid(), name(rest)?)?;
        let node = self.writable(what.oldnodeid)?;
        if matches!(node.kind, Kind::Dir(_)) {
            return Err(errno(libc::EPERM));
        }
        self.tree.enter(request.nodeid(), name, what.oldnodeid);
        self.changed(what.oldnodeid);
        self.modified(request.nodeid());
        Ok(bytes(&self.entry(what.oldnodeid)?))
    }

    /// Makes a node with a name in the request's directory.
    fn make(
        &mut self,
        request: &Request<'_>,
        name: &[u8],
        kind: Kind,
        mode: u32,
    ) -> Result<u64, Errno> {
        self.new_name(request.nodeid(), name)?;
        let ino = self.node_for(request, kind, mode)?;
        self.tree.enter(request.nodeid(), name, ino);
        self.modified(request.nodeid());
        Ok(ino)
    }

    /// A name that may be made there.
    pub(super) fn new_name<'a>(&self, parent: u64, name: &'a [u8]) -> Result<&'a [u8], Errno> {
        match self.writable_dir(parent)?.find(name) {
            Some(_) => Err(errno(libc::EEXIST)),
            None if name.len() > NAME_MAX => Err(errno(libc::ENAMETOOLONG)),
            None => Ok(name),
        }
    }

    /// Whether the caller may write to the directory, as far as that is looked at.
    fn may_make(&self, request: &Request<'_>, groups: &[u32]) -> Result<(), Errno> {
        let (node, header) = (self.node(request.nodeid())?, request.header);
        let of_group = header.gid == node.owner.1 || groups.contains(&node.owner.1);
        let bits = match header.uid {
            _ if !self.settings.features.supp_groups => return Ok(()),
            0 => return Ok(()),
            uid if uid == node.owner.0 => node.permissions >> 6,
            _ if of_group => node.permissions >> 3,
            _ => node.permissions,
        };
        match bits & 0o3 {
            0o3 => Ok(()),
            _ => Err(errno(libc::EACCES)),
        }
    }

    /// A node that belongs to who asks for it.
    fn node_for(&mut self, request: &Request<'_>, kind: Kind, mode: u32) -> Result<u64, Errno> {
        let extensions = Extensions::parse(request.extensions).unwrap_or_default();
        self.may_make(request, &extensions.groups)?;
        let parent = self.node(request.nodeid())?;
        let gid = match parent.permissions & S_ISGID {
            0 => request.header.gid,
            _ => parent.owner.1,
        };
        let ino = self.tree.add(kind, mode, (request.header.uid, gid))?;
        let contexts = extensions.contexts.into_iter();
        let contexts = contexts.map(|(name, value)| (name.to_vec(), value.to_vec()));
        if let Some(node) = self.tree.get_mut(ino) {
            node.xattrs.extend(contexts);
        }
        Ok(ino)
    }
}
