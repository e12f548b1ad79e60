// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over C interfaces of the kernel that the `kernel` crate lacks.
//!
//! Every `unsafe` of the module is in this crate. It knows nothing of what uses it; names are those
//! of the C interfaces (`d_splice_alias`, `iget5_locked`), and their life cycles are types.

#[doc(hidden)]
pub const __LOG_PREFIX: &[u8] = b"rfuse\0";

#[doc(hidden)]
mod bindings;

pub mod address_space;
pub mod ahead;
pub mod atomic_open;
pub mod backing_file;
pub mod control_fs;
pub mod cpu;
pub mod dentry;
pub mod dir;
pub mod export;
pub mod file;
mod file_system_type;
pub mod fileattr;
pub mod filelock;
pub mod folio;
pub mod fs;
pub mod fs_context;
pub mod handoff;
pub mod iattr;
pub mod ids;
pub mod iget;
pub mod inline_atomic;
pub mod inline_bytes;
pub mod inode;
mod inode_cache;
pub mod inode_operations;
pub mod ioctl;
mod iomap;
pub mod kiocb;
mod layout;
pub mod log;
pub mod maybe;
pub mod memalloc;
pub mod memory;
pub mod misc_device;
mod mmap;
pub mod namespaces;
pub mod pinned_pages;
pub mod pipe_room;
pub mod poll;
pub mod queued_kiocb;
pub mod random;
mod rcu;
pub mod security;
pub mod seq_file;
pub mod spin_lock;
pub mod stat;
pub mod super_block;
pub mod super_slot;
pub mod sysfs;
pub mod temp_pages;
pub mod ticker;
pub mod time;
pub mod transfer;
pub mod user_copy;
pub mod virtio;
pub mod virtqueue;
pub mod wait;
pub mod walk;
pub mod workqueue;
pub mod writeback;
pub mod xattr;
