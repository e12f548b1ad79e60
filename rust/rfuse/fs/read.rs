// SPDX-License-Identifier: GPL-2.0

//! Filling the page cache: folios are read straight from the server.

use super::{file::RegularFile, handle::Handle, inode::Node, mount::Fs, writeback};
use crate::conn::{
    folios::Folios,
    request::{Completion, Payload},
    Connection,
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::{aref::ARef, Arc},
};
use rfuse_kapi::{
    address_space::{AddressSpaceOperations, FileData, Readahead},
    folio::LockedFolio,
    handoff::Gfp,
    inode::Inode,
    writeback::WritebackControl,
};
use rfuse_proto::{
    flags::InitFlags,
    op::{self, Optional},
};

/// A read of up to so many pages that stands alone is attended: who asks for it waits for all of it.
const ATTEND_MAX: usize = 32;

/// The page cache of regular files.
pub(crate) struct Pages;

#[vtable]
impl AddressSpaceOperations for Pages {
    type Fs = Fs;
    type FileOps = RegularFile;

    fn read_folio(inode: &Inode<Fs>, file: FileData<'_, Self>, folio: LockedFolio) -> Result {
        // The server may not have yet what was written here.
        let start = folio.pos() as u64;
        inode
            .data()
            .writes
            .wait(start, start.saturating_add(folio.size() as u64))?;
        let mut run = Run::new(inode, file);
        run.add(folio)?;
        run.attend()
    }

    fn readahead(inode: &Inode<Fs>, file: FileData<'_, Self>, folios: Readahead<'_>) {
        let conn = &inode.super_data().conn;
        let start = folios.pos() as u64;
        let end = start.saturating_add(folios.len() as u64);
        if inode.data().writes.is_busy(start, end) {
            return;
        }
        let attended = folios.is_standalone() && folios.page_count() <= ATTEND_MAX;
        let mut run = Run::new(inode, file);
        for folio in folios {
            // Folios that are not read here stay locked for nobody: dropping them unlocks, and
            // whoever needs one reads it by itself, and hears of the error.
            if run.add(folio).is_err() || (run.sent && conn.is_congested()) {
                return;
            }
        }
        // Whoever needs a folio that could not be read hears of it when reading it alone.
        let _ = match attended {
            true => run.attend(),
            false => run.send(),
        };
    }

    fn read_range(
        inode: &Inode<Fs>,
        file: FileData<'_, Self>,
        pos: u64,
        len: usize,
    ) -> Result<KVec<u8>> {
        inode
            .data()
            .writes
            .wait(pos, pos.saturating_add(len as u64))?;
        let range = Run::new(inode, file).range(pos, u32::try_from(len)?);
        let room = Payload::Bytes(KVec::zeroed(len, GFP_KERNEL)?);
        let conn = &inode.super_data().conn;
        let (filled, Payload::Bytes(mut bytes)) = conn.call_with(op::Read(range), room)? else {
            return Err(EIO);
        };
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn bmap(inode: &Inode<Fs>, block: u64) -> u64 {
        let sb = inode.super_block();
        let conn = &sb.data().conn;
        if !sb.has_device() || conn.lacks(Optional::Bmap) {
            return 0;
        }
        // Who asks can be told of no error.
        let asked = conn.call(op::Bmap {
            nodeid: inode.data().nodeid(),
            block,
            blocksize: sb.blocksize(),
        });
        asked.unwrap_or(0)
    }

    fn writepages(inode: &Inode<Fs>, wbc: WritebackControl<'_>) -> Result {
        writeback::writepages(inode, wbc)
    }
}

/// A request, where its answer goes, and what becomes of it.
type Prepared = (op::Read, Payload, KBox<dyn Completion>);

/// Adjacent folios on their way into one request.
struct Run<'a> {
    inode: &'a Inode<Fs>,
    file: FileData<'a, Pages>,
    folios: Option<Folios>,
    bytes: usize,
    /// Whether a request went out.
    sent: bool,
}

impl<'a> Run<'a> {
    fn new(inode: &'a Inode<Fs>, file: FileData<'a, Pages>) -> Self {
        Self {
            inode,
            file,
            folios: None,
            bytes: 0,
            sent: false,
        }
    }

    /// Adds the folio that follows; what would get too long is sent before.
    fn add(&mut self, folio: LockedFolio) -> Result {
        let limit = self
            .inode
            .super_data()
            .conn
            .read_pages()
            .saturating_mul(PAGE_SIZE);
        if self.folios.is_some() && self.bytes.saturating_add(folio.size()) > limit {
            self.send()?;
        }
        folio.clear_stale();
        self.bytes = self.bytes.saturating_add(folio.size());
        match &mut self.folios {
            Some(folios) => folios.push(folio),
            None => {
                self.folios = Some(Folios::new(folio));
                Ok(())
            }
        }
    }

    /// Sends what there is. Its folios are unlocked when the answer has come, or on an error.
    fn send(&mut self) -> Result {
        let Some((operation, payload, completion)) = self.take()? else {
            return Ok(());
        };
        let conn = &self.inode.super_data().conn;
        conn.send_background(&operation, payload, Some(completion), Gfp::Kernel)?;
        self.sent = true;
        if !conn.has(InitFlags::ASYNC_READ) {
            // Such a server wants one READ at a time.
            conn.wait_background()?;
        }
        Ok(())
    }

    /// As [`Self::send`], for a caller that waits for the answer anyway.
    fn attend(&mut self) -> Result {
        let Some((operation, payload, completion)) = self.take()? else {
            return Ok(());
        };
        let conn = &self.inode.super_data().conn;
        conn.attend_background(&operation, payload, completion)
    }

    /// What there is, as a request and what becomes of it.
    fn take(&mut self) -> Result<Option<Prepared>> {
        let size = u32::try_from(core::mem::take(&mut self.bytes))?;
        let Some(folios) = self.folios.take() else {
            return Ok(None);
        };
        let start = u64::try_from(folios.first().pos())?;
        let read = PageRead {
            inode: self.inode.into(),
            _handle: self.file.map(Arc::from),
            start,
            asked_at: self.inode.super_data().conn.attr_version(),
        };
        let completion = KBox::new(read, GFP_KERNEL)?;
        let operation = op::Read(self.range(start, size));
        Ok(Some((operation, Payload::Folios(folios), completion)))
    }

    fn range(&self, offset: u64, size: u32) -> op::Range {
        match &self.file {
            Some(handle) => handle.range(offset, size),
            None => op::Range {
                nodeid: self.inode.data().nodeid(),
                fh: 0,
                offset,
                size,
                flags: 0,
            },
        }
    }
}

/// A READ into the page cache that is under way.
struct PageRead {
    /// Keeps the inode from being evicted, which would wait for the folios.
    inode: ARef<Inode<Fs>>,
    /// Keeps RELEASE behind this READ.
    _handle: Option<Arc<Handle>>,
    start: u64,
    asked_at: u64,
}

impl Completion for PageRead {
    fn complete(self: KBox<Self>, _conn: &Connection, payload: Payload, result: Result<usize>) {
        let Payload::Folios(folios) = payload else {
            return;
        };
        let Ok(filled) = result else {
            return folios.into_each().for_each(|folio| folio.end_read(false));
        };
        if filled < folios.size() {
            let end = self.start.saturating_add(filled as u64);
            Node::end_at(self.inode.data(), &self.inode, end, self.asked_at);
        }
        let (first, last) = (folios.first().index(), folios.last().index());
        let mut left = filled;
        for folio in folios.into_each() {
            let bytes = left.min(folio.size());
            folio.zero_segment(bytes, folio.size());
            left = left.saturating_sub(bytes);
            folio.end_read(true);
        }
        // What was asked for before the cache was dropped may be old.
        if self.inode.data().dropped_since(self.asked_at) {
            self.inode.mapping().invalidate_unlocked_range(first, last);
        }
    }
}
