// SPDX-License-Identifier: GPL-2.0

//! File systems of the server below the one that it shares: each is a superblock of its own, so that its
//! device number differs, and its inode numbers need not.

use super::{mount::Mount, root::Root, Fs};
use kernel::{prelude::*, sync::Arc};
use rfuse_kapi::dentry::Dentry;
use rfuse_proto::{attr::Lookup, op};

/// A name that another file system of the server is mounted on.
pub(crate) struct MountPoint {
    /// The mount that the name is of.
    pub(crate) mount: Arc<Mount>,
    /// The node that the name stands for, which is the root of what is mounted.
    pub(crate) nodeid: u64,
    parent: u64,
    name: KVec<u8>,
}

impl MountPoint {
    /// May sleep.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the name is gone; `ENOMEM`.
    pub(crate) fn new(point: &Dentry<Fs>) -> Result<Self> {
        let parent = point.parent();
        let nodeid = |dentry: &Dentry<Fs>| dentry.inode().map(|inode| inode.data().nodeid());
        Ok(Self {
            mount: point.super_block().data_arc(),
            nodeid: nodeid(point).ok_or(ESTALE)?,
            parent: nodeid(&parent).ok_or(ESTALE)?,
            name: point.current_name()?,
        })
    }

    /// Asks for the root of what is mounted, by a lookup that is its own: it may outlive the mount that the name
    /// is of. May sleep.
    ///
    /// # Errors
    ///
    /// `ESTALE` if the name stands for another node by now; those of asking.
    pub(crate) fn root(&self) -> Result<Root> {
        let conn = &self.mount.conn;
        let asked_at = conn.attr_version();
        let asked = op::Lookup {
            parent: self.parent,
            name: &self.name,
        };
        let Lookup::Found(node) = conn.call(asked)? else {
            return Err(ESTALE);
        };
        let is_it = node.nodeid == self.nodeid && node.attributes.is_mount_point();
        let root = Root::found(conn.clone(), node, asked_at);
        is_it.then_some(root).ok_or(ESTALE)
    }
}
