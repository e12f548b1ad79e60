// SPDX-License-Identifier: GPL-2.0

//! How the open files of an inode reach its data: by the page cache, or by a backing file, but never both: neither
//! would know of the other's changes.
//!
//! A server that mixes them has made a mistake; `open(2)` fails with `EIO` then, as with the C client.

use super::{file::RegularFile, handle::Handle, inode::Node, mount::Fs};
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};
use rfuse_kapi::{
    backing_file::{BackingFile, BackingSource},
    file::{File, OpeningFile},
    inode::Inode,
    spin_lock::{new_spinlock, SpinLock},
};
use rfuse_proto::flags::InitFlags;

/// What an open file has a part in.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Part {
    /// Neither: the server reads and writes, and what is mapped is the caller's own.
    None = 0,
    /// The page cache.
    Cache = 1,
    /// The backing file.
    Backing = 2,
}

/// An open file's part; it ends when the file is closed.
pub(crate) struct OpenPart(Atomic<u32>);

impl OpenPart {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Atomic::new(Part::None as u32))
    }

    fn is(&self, part: Part) -> bool {
        self.0.load(Relaxed) == part as u32
    }

    /// The lock of the inode's [`IoMode`] is held, or nobody else has the file.
    fn set(&self, part: Part) {
        self.0.store(part as u32, Relaxed);
    }
}

/// How many open files of an inode have a part in what.
struct Parts {
    cached: usize,
    backed: usize,
    backing: Option<Arc<BackingSource>>,
}

/// How an inode's data is reached.
#[pin_data]
pub(crate) struct IoMode {
    #[pin]
    parts: SpinLock<Parts>,
}

impl IoMode {
    /// In no way yet.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            parts <- new_spinlock!(Parts {
                cached: 0,
                backed: 0,
                backing: None,
            }),
        })
    }

    /// Whether it is by a backing file.
    fn is_backed(&self) -> bool {
        self.parts.lock().backing.is_some()
    }

    /// Another file goes to `source`.
    ///
    /// # Errors
    ///
    /// `ETXTBSY` while files are cached, `EBUSY` while others go elsewhere.
    fn back(&self, part: &OpenPart, source: Arc<BackingSource>) -> Result {
        let mut parts = self.parts.lock();
        if parts.cached > 0 {
            return Err(ETXTBSY);
        }
        match &parts.backing {
            Some(other) if !Arc::ptr_eq(other, &source) => return Err(EBUSY),
            Some(_) => {}
            None => parts.backing = Some(source),
        }
        parts.backed = parts.backed.saturating_add(1);
        part.set(Part::Backing);
        Ok(())
    }

    /// Another file uses the page cache.
    ///
    /// # Errors
    ///
    /// `ETXTBSY` while files go to a backing file.
    fn cache(&self, part: &OpenPart) -> Result {
        let mut parts = self.parts.lock();
        if parts.backing.is_some() {
            return Err(ETXTBSY);
        }
        if !part.is(Part::Cache) {
            parts.cached = parts.cached.saturating_add(1);
            part.set(Part::Cache);
        }
        Ok(())
    }

    /// A file is closed. What the last one went to may be given up, which may sleep.
    fn leave(&self, part: &OpenPart) {
        if part.is(Part::None) {
            return;
        }
        let _given_up = {
            let mut parts = self.parts.lock();
            if part.is(Part::Cache) {
                parts.cached = parts.cached.saturating_sub(1);
                None
            } else {
                parts.backed = parts.backed.saturating_sub(1);
                match parts.backed {
                    0 => parts.backing.take(),
                    _ => None,
                }
            }
        };
        part.set(Part::None);
    }
}

/// Finds out how an open file reaches the data, as the server's answer says. May sleep.
///
/// # Errors
///
/// `EIO` where that does not fit, or the backing file cannot be opened.
pub(super) fn enter(node: &Node, file: &OpeningFile<'_>, handle: &Handle) -> Result {
    if !handle.conn().has(InitFlags::PASSTHROUGH) {
        return match handle.is_backed() {
            true => Err(EIO),
            false => Ok(()),
        };
    }
    let entered = if handle.is_backed() {
        back(node, file, handle)
    } else if handle.fh().is_none() {
        // A server that lacks OPEN has not said what to do.
        Ok(())
    } else if !handle.is_direct() {
        node.io_mode.cache(&handle.part)
    } else if node.io_mode.is_backed() {
        Err(ETXTBSY)
    } else {
        Ok(())
    };
    entered.map_err(|_| EIO)
}

fn back(node: &Node, file: &OpeningFile<'_>, handle: &Handle) -> Result {
    let source = handle.conn().lent(handle.backing_id()?)?;
    let backing = BackingFile::open(file, &source)?;
    node.io_mode.back(&handle.part, source)?;
    let _ = handle.backing.populate(backing);
    Ok(())
}

/// A file that is not cached is about to be mapped, for several or for one.
///
/// # Errors
///
/// `ENODEV` while others go to a backing file.
pub(super) fn map(file: &File<'_, RegularFile>, is_shared: bool) -> Result {
    let (node, handle) = (file.inode().data(), file.data());
    if !handle.conn().has(InitFlags::PASSTHROUGH) {
        return Ok(());
    }
    let mapped = match is_shared {
        true => node.io_mode.cache(&handle.part),
        false if node.io_mode.is_backed() => Err(ETXTBSY),
        false => Ok(()),
    };
    mapped.map_err(|_| ENODEV)
}

/// An open file is closed. May sleep.
pub(super) fn leave(inode: &Inode<Fs>, handle: &Handle) {
    inode.data().io_mode.leave(&handle.part);
}
