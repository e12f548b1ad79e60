// SPDX-License-Identifier: GPL-2.0

//! The file system: what the VFS asks for, as calls to a server.

mod acl;
mod attr;
mod chunks;
mod create;
mod deferred;
mod dir;
mod direct;
mod export;
mod file;
mod fileattr;
mod handle;
mod inode;
mod io_mode;
mod ioctl;
mod kept;
mod lock;
mod mount;
mod name_word;
mod names;
mod notify;
mod params;
mod range;
mod read;
mod readdir;
mod root;
mod server;
mod setattr;
mod submount;
mod symlink;
mod times;
mod write;
mod writeback;
mod xattr;

pub(crate) use self::mount::Fs;
