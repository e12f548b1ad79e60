// SPDX-License-Identifier: GPL-2.0

//! Listings that the server lets be kept (FOPEN_CACHE_DIR): the records of READDIR, one after the other, in
//! the page cache of the directory.

use super::{
    attr,
    inode::{self, Node},
    mount::Fs,
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
};
use rfuse_kapi::inode::Inode;
use rfuse_proto::{
    attr::Time,
    dirent::{Dirents, DirentsPlus},
    flags::InitFlags,
    wire::EntryOut,
};

/// What is kept of a directory.
#[pin_data]
pub(crate) struct Kept {
    #[pin]
    records: Mutex<Records>,
}

/// How far the records go. They hold for one state of the directory.
struct Records {
    /// Grows with each beginning.
    generation: u64,
    /// Bytes of records.
    len: u64,
    /// The position in the directory behind the last record.
    position: u64,
    /// Whether that is the end.
    complete: bool,
    /// When the directory was changed last.
    mtime: Time,
    /// How often it was changed from here.
    changes: u64,
}

/// A place among the records, as long as they do not begin anew.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    generation: u64,
    offset: u64,
}

impl Mark {
    /// The place `bytes` further.
    pub(crate) fn behind(self, bytes: usize) -> Self {
        Self {
            offset: self.offset.saturating_add(bytes as u64),
            ..self
        }
    }
}

impl Kept {
    /// Nothing is kept yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        let records = Records {
            generation: 0,
            len: 0,
            position: 0,
            complete: false,
            mtime: Time { sec: 0, nsec: 0 },
            changes: 0,
        };
        Arc::pin_init(
            pin_init!(Self { records <- new_mutex!(records) }),
            GFP_KERNEL,
        )
    }

    /// Drops what is kept. May sleep.
    pub(crate) fn clear(&self, dir: &Inode<Fs>) {
        self.records.lock().begin(dir);
    }

    /// Fills `room` with records from a position of the directory on, which `mark` is known to be the place
    /// of: where they lie, and how many bytes. None at the end. `None` if the server must be asked. May sleep.
    ///
    /// # Errors
    ///
    /// Those of asking whether the directory has changed.
    pub(crate) fn load(
        &self,
        dir: &Inode<Fs>,
        position: u64,
        mark: Option<Mark>,
        room: &mut [u8],
    ) -> Result<Option<(Mark, usize)>> {
        if position == 0 {
            Self::learn_of_changes(dir)?;
        }
        let mut records = self.records.lock();
        if !records.complete || !records.hold_for(dir.data()) {
            if position == 0 {
                records.begin(dir);
            }
            return Ok(None);
        }
        let mark = match (position, mark) {
            (0, _) => Some(0),
            (_, Some(mark)) if mark.generation == records.generation => Some(mark.offset),
            _ => records.find(dir, position, room),
        };
        let loaded = mark.and_then(|offset| Some((offset, records.read(dir, offset, room)?)));
        if loaded.is_none() {
            // Memory was short: some of it is gone.
            records.begin(dir);
        }
        let generation = records.generation;
        Ok(loaded.map(|(offset, len)| (Mark { generation, offset }, len)))
    }

    /// Servers of which nobody can tell when a directory changes are asked when a listing begins.
    fn learn_of_changes(dir: &Inode<Fs>) -> Result {
        let old = dir.data().attributes_expired() || dir.data().is_touched();
        match old && dir.super_data().conn.has(InitFlags::AUTO_INVAL_DATA) {
            true => attr::refresh(dir, false),
            false => Ok(()),
        }
    }

    /// Keeps what the server has answered for a position, if it goes on with what is kept: records, each
    /// with a lookup before it if `plus`; nothing at the end. May sleep.
    pub(crate) fn add(&self, dir: &Inode<Fs>, position: u64, plus: bool, answer: &[u8]) {
        let mut records = self.records.lock();
        let fits = position == records.position && !records.complete;
        if !fits || !records.hold_for(dir.data()) {
            return;
        }
        let added = match (answer.is_empty(), plus) {
            (true, _) => {
                records.complete = true;
                Ok(())
            }
            (false, true) => records.add_plus(dir, answer),
            (false, false) => records.add_plain(dir, answer),
        };
        if added.is_err() {
            records.begin(dir);
        }
    }
}

impl Records {
    /// Whether the directory still is as it was.
    fn hold_for(&self, node: &Node) -> bool {
        self.changes == node.changes() && self.mtime == node.mtime()
    }

    fn begin(&mut self, dir: &Inode<Fs>) {
        inode::drop_pages(dir, 0);
        *self = Self {
            generation: self.generation.wrapping_add(1),
            len: 0,
            position: 0,
            complete: false,
            mtime: dir.data().mtime(),
            changes: dir.data().changes(),
        };
    }

    fn add_plain(&mut self, dir: &Inode<Fs>, answer: &[u8]) -> Result {
        let mut entries = Dirents::new(answer);
        for entry in entries.by_ref() {
            self.position = entry.map_err(|_| EIO)?.off;
        }
        let end = entries.position();
        self.append(dir, answer.get(..end).ok_or(EIO)?)
    }

    fn add_plus(&mut self, dir: &Inode<Fs>, answer: &[u8]) -> Result {
        let mut entries = DirentsPlus::new(answer);
        let mut start = 0_usize;
        while let Some(entry) = entries.next() {
            self.position = entry.map_err(|_| EIO)?.dirent.off;
            let record = start.saturating_add(size_of::<EntryOut>())..entries.position();
            start = record.end;
            self.append(dir, answer.get(record).ok_or(EIO)?)?;
        }
        Ok(())
    }

    fn append(&mut self, dir: &Inode<Fs>, records: &[u8]) -> Result {
        dir.mapping()
            .write_cached(i64::try_from(self.len)?, records)?;
        self.len = self.len.saturating_add(records.len() as u64);
        Ok(())
    }

    /// Reads records from the byte `offset` on: how many bytes there were.
    fn read(&self, dir: &Inode<Fs>, offset: u64, room: &mut [u8]) -> Option<usize> {
        let left = usize::try_from(self.len.checked_sub(offset)?).ok()?;
        let len = left.min(room.len());
        let is_there = dir
            .mapping()
            .read_cached(i64::try_from(offset).ok()?, room.get_mut(..len)?);
        is_there.then_some(len)
    }

    /// Where the records behind a position of the directory lie.
    fn find(&self, dir: &Inode<Fs>, position: u64, room: &mut [u8]) -> Option<u64> {
        let mut offset = 0_u64;
        loop {
            let len = self.read(dir, offset, room)?;
            let mut entries = Dirents::new(room.get(..len)?);
            while let Some(Ok(entry)) = entries.next() {
                if entry.off == position {
                    return Some(offset.saturating_add(entries.position() as u64));
                }
            }
            if entries.position() == 0 {
                return None;
            }
            offset = offset.saturating_add(entries.position() as u64);
        }
    }
}
