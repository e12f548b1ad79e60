// SPDX-License-Identifier: GPL-2.0

//! Extended attributes.

use super::mount::Fs;
use crate::conn::{request::Payload, unsupported, Connection};
use kernel::prelude::*;
use rfuse_kapi::{inode::Inode, xattr::XattrChange};
use rfuse_proto::{
    flags::InitFlags,
    op::{self, Optional},
};

/// The longest value or list in bytes (`XATTR_SIZE_MAX`, `XATTR_LIST_MAX`).
const LONGEST: usize = 65536;

/// What the kernel asks for before each write: a file that has it loses it.
const CAPABILITY: &[u8] = b"security.capability";

fn supported(conn: &Connection, operation: Optional) -> Result {
    match conn.lacks(operation) {
        true => Err(EOPNOTSUPP),
        false => Ok(()),
    }
}

/// Reads an attribute; without a buffer only its length.
///
/// # Errors
///
/// `ENODATA`, `ERANGE`, `EOPNOTSUPP`, the server's.
pub(crate) fn get(inode: &Inode<Fs>, name: &CStr, buffer: Option<&mut [u8]>) -> Result<usize> {
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    node.check()?;
    supported(conn, Optional::Getxattr)?;
    let (nodeid, name) = (node.nodeid(), name.to_bytes());
    if name == CAPABILITY && node.is_without_capability() {
        return Err(ENODATA);
    }
    let answer = match buffer {
        None => conn
            .call(op::GetxattrLen { nodeid, name })
            .map(|len| (len as usize).min(LONGEST)),
        Some(buffer) => fetch(buffer, |size, room| {
            conn.call_with(op::Getxattr { nodeid, name, size }, room)
        }),
    };
    if name == CAPABILITY {
        node.note_without_capability(answer == Err(ENODATA));
    }
    answer.map_err(unsupported)
}

/// Asks for up to as many bytes as `buffer` has room for, and puts them there.
fn fetch(
    buffer: &mut [u8],
    ask: impl FnOnce(u32, Payload) -> Result<(usize, Payload)>,
) -> Result<usize> {
    let size = buffer.len().min(LONGEST);
    let room = KVec::zeroed(size, GFP_KERNEL)?;
    let (len, Payload::Bytes(bytes)) = ask(u32::try_from(size)?, Payload::Bytes(room))? else {
        return Err(EIO);
    };
    let filled = bytes.get(..len).ok_or(EIO)?;
    buffer.get_mut(..len).ok_or(EIO)?.copy_from_slice(filled);
    Ok(len)
}

/// The names of the attributes; without a buffer only the length of the list.
///
/// # Errors
///
/// `ERANGE`, `EOPNOTSUPP`, the server's; `EIO` for a list that is none.
pub(crate) fn list(inode: &Inode<Fs>, buffer: Option<&mut [u8]>) -> Result<usize> {
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    node.check()?;
    inode.super_data().admit()?;
    supported(conn, Optional::Listxattr)?;
    let nodeid = node.nodeid();
    let Some(buffer) = buffer else {
        let len = conn.call(op::ListxattrLen { nodeid });
        return len
            .map(|len| (len as usize).min(LONGEST))
            .map_err(unsupported);
    };
    let len = fetch(buffer, |size, room| {
        conn.call_with(op::Listxattr { nodeid, size }, room)
    })
    .map_err(unsupported)?;
    match op::check_list(buffer.get(..len).unwrap_or(&[])) {
        Ok(()) => Ok(len),
        Err(fault) => {
            rfuse_kapi::log::err_ratelimited(format_args!("bad answer to LISTXATTR: {fault}"));
            Err(EIO)
        }
    }
}

/// Sets or removes an attribute; `kill_sgid` makes the server remove a set-group-id bit too.
///
/// # Errors
///
/// `EOPNOTSUPP`, the server's.
pub(crate) fn set(
    inode: &Inode<Fs>,
    name: &[u8],
    change: XattrChange<'_>,
    kill_flags: u32,
) -> Result {
    let (node, conn) = (inode.data(), &inode.super_data().conn);
    node.check()?;
    let nodeid = node.nodeid();
    let answer = match change {
        XattrChange::Set(value, flags) => {
            supported(conn, Optional::Setxattr)?;
            conn.call(op::Setxattr {
                nodeid,
                name,
                value,
                flags,
                extended: conn.has(InitFlags::SETXATTR_EXT).then_some(kill_flags),
            })
        }
        XattrChange::Remove => {
            supported(conn, Optional::Removexattr)?;
            conn.call(op::Removexattr { nodeid, name })
        }
    };
    // The server may have changed the mode along with an access control list.
    node.expire_attributes(conn);
    if name == CAPABILITY {
        node.note_without_capability(false);
    }
    answer.map_err(unsupported)
}
