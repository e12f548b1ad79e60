// SPDX-License-Identifier: GPL-2.0

//! The root of a mount, as its server has it.
//!
//! It is asked for before there is a superblock: who fills one has it locked, and `sync(2)` by anybody waits for that
//! lock whatever signals come. So nobody may wait for a server meanwhile.

use super::{
    attr,
    inode::{self, Fresh, ROOT_ID},
    Fs,
};
use crate::conn::Connection;
use kernel::{
    prelude::*,
    sync::{aref::ARef, Arc},
};
use rfuse_kapi::{fs_context::FsContext, inode::Inode, super_block::SuperBlock};
use rfuse_proto::{
    attr::{Attributes, Node, Timeout},
    op,
    wire::Attr,
};

/// What will be the inode of the root.
pub(crate) struct Root {
    nodeid: u64,
    generation: u64,
    attributes: Attributes,
    valid: Timeout,
    asked_at: u64,
    /// Who is to forget a lookup, unless an inode takes it over.
    lookup: Option<Arc<Connection>>,
}

impl Root {
    /// The root of what the server shares. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOTDIR`, which the context's log tells; those of asking.
    pub(crate) fn ask(conn: &Connection, fc: &FsContext<'_, Fs>) -> Result<Self> {
        let asked_at = conn.attr_version();
        let (attributes, valid) = conn.call(op::Getattr {
            nodeid: ROOT_ID,
            fh: None,
        })?;
        if attributes.file_type() != attr::S_IFDIR {
            fc.errorf(fmt!("what the server shares is not a directory"));
            return Err(ENOTDIR);
        }
        Ok(Self::new(attributes, valid, asked_at))
    }

    /// The root as a mount option has it, of which only the type and the permissions are known.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such type.
    pub(crate) fn given(conn: &Connection, mode: u32) -> Result<Self> {
        let attributes = Attributes::from_attr(&Attr {
            ino: ROOT_ID,
            mode,
            nlink: 1,
            ..Attr::default()
        })
        .map_err(|_| EINVAL)?;
        Ok(Self::new(attributes, Timeout::ZERO, conn.attr_version()))
    }

    /// The root of another file system, which the lookup of a name has found.
    pub(crate) fn found(conn: Arc<Connection>, node: Node, asked_at: u64) -> Self {
        Self {
            nodeid: node.nodeid,
            generation: node.generation,
            lookup: Some(conn),
            ..Self::new(node.attributes, node.attr_valid, asked_at)
        }
    }

    fn new(attributes: Attributes, valid: Timeout, asked_at: u64) -> Self {
        Self {
            nodeid: ROOT_ID,
            generation: 0,
            attributes,
            valid,
            asked_at,
            lookup: None,
        }
    }

    /// Its inode. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn inode(mut self, sb: &SuperBlock<Fs>) -> Result<ARef<Inode<Fs>>> {
        let fresh = Fresh {
            attributes: &self.attributes,
            valid: self.valid,
            asked_at: self.asked_at,
        };
        let inode = inode::inside(sb, self.nodeid, self.generation, &fresh)?;
        self.lookup = None;
        Ok(inode)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Some(conn) = &self.lookup {
            conn.forget(self.nodeid, 1);
        }
    }
}
