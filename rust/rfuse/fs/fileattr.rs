// SPDX-License-Identifier: GPL-2.0

//! Flags of inodes: the server knows them as ioctls of open files.

use super::{
    handle::{Handle, HandleKind},
    ioctl, Fs,
};
use kernel::prelude::*;
use rfuse_kapi::{
    fileattr::{FileKattr, FsXattr},
    inode::{FileKind, Inode},
};

const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
const FS_IOC_SETFLAGS: u32 = 0x4008_6602;
const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;

/// Length of `struct fsxattr` in bytes: five fields, and nothing.
const FSXATTR_LEN: usize = 28;

/// Opens a file or directory for ioctls. May sleep.
///
/// # Errors
///
/// `ENOTTY` for what is neither; the server's.
fn open(inode: &Inode<Fs>) -> Result<Handle> {
    inode.data().check()?;
    let kind = match inode.kind() {
        FileKind::Regular => HandleKind::File,
        FileKind::Directory => HandleKind::Dir,
        _ => return Err(ENOTTY),
    };
    Handle::open(&inode.super_data().conn, kind, inode.data().nodeid(), 0)
}

/// Reads the flags. May sleep.
///
/// # Errors
///
/// `ENOTTY` from a server without them; its others.
pub(crate) fn get(inode: &Inode<Fs>, attr: &mut FileKattr) -> Result {
    inode.super_data().admit()?;
    let handle = open(inode)?;
    if attr.flags().is_some() {
        let bytes = ioctl::command(&handle, FS_IOC_GETFLAGS, &[], size_of::<u32>())?;
        let flags = bytes.first_chunk().ok_or(EIO)?;
        attr.fill_flags(u32::from_ne_bytes(*flags));
    } else {
        let bytes = ioctl::command(&handle, FS_IOC_FSGETXATTR, &[], FSXATTR_LEN)?;
        attr.fill_xattr(&fsxattr(&bytes).ok_or(EIO)?);
    }
    Ok(())
}

/// Changes the flags. May sleep.
///
/// # Errors
///
/// As [`get`].
pub(crate) fn set(inode: &Inode<Fs>, attr: &FileKattr) -> Result {
    inode.super_data().admit()?;
    let handle = open(inode)?;
    match attr.flags() {
        Some(flags) => ioctl::command(&handle, FS_IOC_SETFLAGS, &flags.to_ne_bytes(), 0)?,
        None => ioctl::command(&handle, FS_IOC_FSSETXATTR, &bytes(&attr.xattr()), 0)?,
    };
    inode.data().touch(&inode.super_data().conn);
    Ok(())
}

/// `struct fsxattr`.
fn fsxattr(bytes: &[u8]) -> Option<FsXattr> {
    let mut words = bytes
        .chunks_exact(size_of::<u32>())
        .map_while(|chunk| Some(u32::from_ne_bytes(*chunk.first_chunk()?)));
    Some(FsXattr {
        xflags: words.next()?,
        extsize: words.next()?,
        nextents: words.next()?,
        projid: words.next()?,
        cowextsize: words.next()?,
    })
}

fn bytes(attr: &FsXattr) -> [u8; FSXATTR_LEN] {
    let mut bytes = [0; FSXATTR_LEN];
    let words = [
        attr.xflags,
        attr.extsize,
        attr.nextents,
        attr.projid,
        attr.cowextsize,
    ];
    for (chunk, word) in bytes.chunks_exact_mut(size_of::<u32>()).zip(words) {
        chunk.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}
