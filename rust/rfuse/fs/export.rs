// SPDX-License-Identifier: GPL-2.0

//! File handles: nodes by their number and generation.

use super::{
    dir,
    inode::{self, ROOT_ID},
    mount::Fs,
};
use crate::conn::Connection;
use kernel::{prelude::*, sync::aref::ARef};
use rfuse_kapi::{
    export::{Export, ExportOps, FileId},
    inode::{Inode, LentInode},
    super_block::SuperBlock,
};
use rfuse_proto::{attr::Lookup, flags::InitFlags};

/// File handles of nodes.
struct Handles;

/// What handles are good for, as the server says.
pub(crate) fn operations(conn: &Connection) -> ExportOps<Fs> {
    match conn.has(InitFlags::NO_EXPORT_SUPPORT) {
        true => ExportOps::encoding::<Handles>(),
        false => ExportOps::of::<Handles>(),
    }
}

impl Export for Handles {
    type Fs = Fs;

    fn file_id(inode: &LentInode<Fs>) -> FileId {
        FileId {
            id: inode.data().nodeid(),
            generation: inode.generation(),
        }
    }

    fn inode(sb: &SuperBlock<Fs>, id: FileId) -> Result<ARef<Inode<Fs>>> {
        let inode = match inode::find(sb, id.id) {
            Some(inode) => inode,
            None => look_up(sb, id.id, b".")?,
        };
        if inode.data().nodeid() != id.id {
            return Err(EIO);
        }
        match inode.generation() == id.generation {
            true => Ok(inode),
            false => Err(ESTALE),
        }
    }

    fn parent(dir: &Inode<Fs>) -> Result<ARef<Inode<Fs>>> {
        dir.data().check()?;
        look_up(dir.super_block(), dir.data().nodeid(), b"..")
    }
}

/// Asks the server for a node by the number of one: `.` or `..`. May sleep.
///
/// # Errors
///
/// `ESTALE` if the server does not know the node, or cannot be asked.
fn look_up(sb: &SuperBlock<Fs>, nodeid: u64, name: &[u8]) -> Result<ARef<Inode<Fs>>> {
    let conn = &sb.data().conn;
    if nodeid == 0 || !conn.has(InitFlags::EXPORT_SUPPORT) {
        return Err(ESTALE);
    }
    let asked_at = conn.attr_version();
    match dir::ask(conn, nodeid, name)? {
        Lookup::Found(node) if node.nodeid == ROOT_ID => inode::find(sb, ROOT_ID).ok_or(ESTALE),
        Lookup::Found(node) => dir::iget(sb, &node, asked_at),
        Lookup::Negative(_) => Err(ESTALE),
    }
}
