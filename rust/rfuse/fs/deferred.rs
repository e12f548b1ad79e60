// SPDX-License-Identifier: GPL-2.0

//! Transfers around the page cache that nobody waits for (`io_submit(2)`, io_uring): the last answer ends them.

use super::{chunks::position, handle::Handle, inode::drop_range, mount::Fs};
use crate::conn::{
    request::{Completion, Payload},
    Connection,
};
use kernel::{
    prelude::*,
    sync::{aref::ARef, Arc},
};
use rfuse_kapi::{
    handoff::Gfp,
    inode::Inode,
    kiocb::Kiocb,
    queued_kiocb::QueuedKiocb,
    spin_lock::{new_spinlock, SpinLock},
};
use rfuse_proto::op::Operation;

/// What is known of a transfer so far.
struct Progress {
    /// Told of the end.
    iocb: Option<QueuedKiocb>,
    /// Chunks that have not landed, and one as long as more may be sent.
    left: usize,
    /// How many bytes were sent or asked for.
    sent: usize,
    /// The first byte that was not moved, and why if that is an error.
    gap: Option<(usize, Option<Error>)>,
}

impl Progress {
    /// A gap counts if none is known that lies before it.
    fn note_gap(&mut self, at: usize, error: Option<Error>) {
        if self.gap.as_ref().is_none_or(|(first, _)| at < *first) {
            self.gap = Some((at, error));
        }
    }

    fn outcome(&self) -> Result<usize> {
        match self.gap {
            None => Ok(self.sent),
            Some((0, Some(error))) => Err(error),
            Some((moved, _)) => Ok(moved),
        }
    }
}

/// A transfer under way.
#[pin_data]
pub(crate) struct Transfer {
    inode: ARef<Inode<Fs>>,
    /// Keeps RELEASE behind its requests.
    _handle: Arc<Handle>,
    pos: i64,
    writes: bool,
    #[pin]
    progress: SpinLock<Progress>,
}

/// Where chunks of a transfer are handed in. Dropping it says that no more come.
pub(crate) struct Sender(Arc<Transfer>);

impl Sender {
    /// Lets `iocb` end later. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; then it is as it was.
    pub(crate) fn new(
        inode: &Inode<Fs>,
        handle: &Arc<Handle>,
        iocb: &mut Kiocb<'_>,
        writes: bool,
    ) -> Result<Self> {
        let pos = iocb.pos();
        let transfer = Arc::pin_init(
            pin_init!(Transfer {
                inode: inode.into(),
                _handle: handle.clone(),
                pos,
                writes,
                progress <- new_spinlock!(Progress {
                    iocb: None,
                    left: 1,
                    sent: 0,
                    gap: None,
                }),
            }),
            GFP_KERNEL,
        )?;
        let queued = iocb.queue(handle.conn().workqueue())?;
        transfer.progress.lock().iocb = Some(queued);
        Ok(Self(transfer))
    }

    /// Sends a chunk of `len` bytes that follows the last. What fails is told at the end. May sleep.
    ///
    /// # Errors
    ///
    /// There is no going on.
    pub(crate) fn send<O: Operation>(&self, operation: &O, payload: Payload, len: usize) -> Result {
        let at = {
            let mut progress = self.0.progress.lock();
            let at = progress.sent;
            progress.sent = at.saturating_add(len);
            progress.left = progress.left.saturating_add(1);
            at
        };
        let transfer = self.0.clone();
        let landing = KBox::new(Landing { transfer, at, len }, GFP_KERNEL);
        let conn = &self.0.inode.super_data().conn;
        let sent = landing.map_err(Error::from).and_then(|landing| {
            conn.send_background(operation, payload, Some(landing), Gfp::Kernel)
        });
        sent.inspect_err(|error| self.0.land(at, len, Err(*error)))
    }

    /// No more can be sent.
    pub(crate) fn fail(&self, error: Error) {
        let mut progress = self.0.progress.lock();
        let at = progress.sent;
        progress.note_gap(at, Some(error));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.land(0, 0, Ok(0));
    }
}

impl Transfer {
    /// A chunk has landed. May sleep.
    fn land(&self, at: usize, len: usize, result: Result<usize>) {
        let iocb = {
            let mut progress = self.progress.lock();
            match result {
                Ok(moved) if moved >= len => {}
                Ok(moved) => progress.note_gap(at.saturating_add(moved), None),
                Err(error) => progress.note_gap(at, Some(error)),
            }
            progress.left = progress.left.saturating_sub(1);
            match progress.left {
                0 => progress.iocb.take(),
                _ => None,
            }
        };
        if let Some(iocb) = iocb {
            self.end(iocb);
        }
    }

    fn end(&self, iocb: QueuedKiocb) {
        let (outcome, sent) = {
            let progress = self.progress.lock();
            (progress.outcome(), progress.sent)
        };
        if self.writes {
            // It lay within the file.
            self.inode.data().wrote(&self.inode, 0);
            let (start, end) = (position(self.pos, 0), position(self.pos, sent));
            drop_range(&self.inode, start, end);
        }
        iocb.complete(outcome);
    }
}

/// What becomes of a chunk.
struct Landing {
    transfer: Arc<Transfer>,
    at: usize,
    len: usize,
}

impl Completion for Landing {
    fn complete(self: KBox<Self>, _conn: &Connection, payload: Payload, result: Result<usize>) {
        // The caller's memory is its own again before it hears of the end.
        drop(payload);
        self.transfer.land(self.at, self.len, result);
    }
}
