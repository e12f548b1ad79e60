// SPDX-License-Identifier: GPL-2.0

//! The file system: what the VFS asks for, as calls to a server.

mod acl;
mod attr;
mod dir;
mod direct;
mod file;
mod handle;
mod inode;
mod mount;
mod params;
mod read;
mod readdir;
mod symlink;

pub(crate) use self::mount::Fs;
