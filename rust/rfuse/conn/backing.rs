// SPDX-License-Identifier: GPL-2.0

//! Files that the server has lent to the connection, by a number for each: the data of its own may be there.

use super::Connection;
use kernel::{prelude::*, rbtree::RBTree, sync::Arc};
use rfuse_kapi::{backing_file::BackingSource, ids};
use rfuse_proto::{flags::InitFlags, wire::BackingMap};

/// The files by their numbers.
pub(super) struct BackingFiles {
    files: RBTree<i32, Arc<BackingSource>>,
    /// The number that was given out last: none comes again soon.
    last: i32,
}

impl BackingFiles {
    /// None.
    pub(super) fn new() -> Self {
        Self {
            files: RBTree::new(),
            last: 0,
        }
    }

    /// A number that is not in use.
    fn number(&mut self) -> i32 {
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if self.files.get(&self.last).is_none() {
                return self.last;
            }
        }
    }
}

impl Connection {
    /// Takes a file that the current process has open (`FUSE_DEV_IOC_BACKING_OPEN`): its number. May sleep.
    ///
    /// # Errors
    ///
    /// `EPERM` for who is not the system's administrator, and where INIT did not settle it; `EINVAL` for what is no
    /// regular file, or for flags; `EISDIR`, `EBADF`; `ELOOP` where the file's file system is stacked too deeply;
    /// `ENOMEM`.
    pub(crate) fn lend(&self, map: &BackingMap) -> Result<i32> {
        let depth = self.may_lend()?;
        if map.flags != 0 || map.padding != 0 {
            return Err(EINVAL);
        }
        let source = BackingSource::from_fd(u32::try_from(map.fd).map_err(|_| EBADF)?)?;
        if source.stack_depth() >= depth {
            return Err(ELOOP);
        }
        let source = Arc::new(source, GFP_KERNEL)?;
        let mut lent = self.lent.lock();
        let number = lent.number();
        lent.files
            .try_create_and_insert(number, source, GFP_KERNEL)?;
        Ok(number)
    }

    /// Gives a file back (`FUSE_DEV_IOC_BACKING_CLOSE`); who has it open goes on with it. May sleep.
    ///
    /// # Errors
    ///
    /// `EPERM` as in [`Self::lend`], `EINVAL` for what cannot be a number, `ENOENT`.
    pub(crate) fn give_back(&self, number: u32) -> Result {
        self.may_lend()?;
        let number = i32::try_from(number).map_err(|_| EINVAL)?;
        if number == 0 {
            return Err(EINVAL);
        }
        let file = self.lent.lock().files.remove(&number);
        file.map(drop).ok_or(ENOENT)
    }

    /// The file with a number. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOENT`.
    pub(crate) fn lent(&self, number: i32) -> Result<Arc<BackingSource>> {
        self.lent.lock().files.get(&number).cloned().ok_or(ENOENT)
    }

    /// How deeply this is stacked at most, for who may lend files.
    fn may_lend(&self) -> Result<u32> {
        match self.negotiated() {
            Some(negotiated)
                if negotiated.flags.contains(InitFlags::PASSTHROUGH)
                    && ids::capable_sys_admin() =>
            {
                Ok(negotiated.max_stack_depth.into())
            }
            _ => Err(EPERM),
        }
    }
}
