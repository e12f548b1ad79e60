// SPDX-License-Identifier: GPL-2.0

//! Transfers that take several requests, some of them in flight at the same time.

use super::mount::Fs;
use crate::conn::Connection;
use kernel::prelude::*;
use rfuse_kapi::inode::Inode;
use rfuse_proto::flags::InitFlags;

/// How many chunks of one transfer are in flight at most: enough that the server always has the next one,
/// and few enough that a single caller leaves room in the ring for others (the stock device has 128 places).
/// They do not count as background requests, as their caller waits for them.
const DEPTH: usize = 8;

/// How many chunks of one transfer may be in flight at a time.
pub(crate) fn depth(conn: &Connection) -> usize {
    match conn.has(InitFlags::ASYNC_DIO) {
        true => DEPTH,
        false => 1,
    }
}

/// The same, for the chunk from the byte `pos` on of a write that ends at `end`. What makes the file longer is
/// sent alone: the file must not reach beyond a chunk that failed.
pub(crate) fn write_depth(inode: &Inode<Fs>, pos: u64, end: u64) -> usize {
    let conn = &inode.super_data().conn;
    let chunk_end = pos.saturating_add(conn.max_write(pos) as u64);
    match chunk_end.min(end) <= inode.size() {
        true => depth(conn),
        false => 1,
    }
}

/// `at` bytes behind `pos`, which is not negative.
pub(crate) fn position(pos: i64, at: usize) -> u64 {
    (pos.max(0) as u64).saturating_add(at as u64)
}

/// A transfer of bytes that follow each other, in chunks.
pub(crate) trait Chunks {
    /// A chunk that was sent.
    type Flight;

    /// How many chunks may be in flight together with the one that begins `at` bytes behind the first; not
    /// more than [`DEPTH`].
    fn depth(&self, at: usize) -> usize;

    /// Sends the chunk that begins `at` bytes behind the first. The result is its length, which is not 0;
    /// `None` if no more is left.
    fn send(&mut self, at: usize) -> Result<Option<(usize, Self::Flight)>>;

    /// Waits for the chunk that begins at `at`: how many bytes of it the server has moved.
    fn land(&mut self, at: usize, flight: Self::Flight) -> Result<usize>;
}

/// What became of a transfer.
pub(crate) struct Outcome {
    /// How many bytes were moved without a gap; an error if there are none.
    pub(crate) moved: Result<usize>,
    /// How many bytes were sent or asked for. Behind the first gap, the server may have moved them or not.
    pub(crate) sent: usize,
}

/// Sends chunk after chunk, and puts together what comes of them, as if they had been sent one after the other:
/// the first that is short, or that fails, ends it, and what lies behind does not count. All that was sent is
/// waited for, as long as the caller is not killed.
pub(crate) fn transfer<C: Chunks>(chunks: &mut C) -> Outcome {
    let mut flights = Flights::new();
    let (mut sent, mut moved) = (0_usize, 0_usize);
    let mut end = None;
    loop {
        while end.is_none() && flights.len < chunks.depth(sent).clamp(1, DEPTH) {
            match chunks.send(sent) {
                Ok(Some((len, flight))) => {
                    flights.push((sent, len, flight));
                    sent = sent.saturating_add(len);
                }
                Ok(None) => end = Some(Ok(())),
                Err(error) => end = Some(Err(error)),
            }
        }
        let Some((at, len, flight)) = flights.pop() else {
            break;
        };
        let landed = chunks.land(at, flight);
        if at != moved {
            // There is a gap before it.
            continue;
        }
        match landed {
            Ok(got) => {
                moved = moved.saturating_add(got);
                if got < len {
                    end = Some(Ok(()));
                }
            }
            Err(error) => end = Some(Err(error)),
        }
    }
    Outcome {
        moved: match (moved, end) {
            (0, Some(Err(error))) => Err(error),
            _ => Ok(moved),
        },
        sent,
    }
}

/// Where a chunk begins, how long it is, and what waits for it.
type Flying<F> = (usize, usize, F);

/// Chunks in flight, in order. No memory of its own: most transfers are one chunk.
struct Flights<F> {
    slots: [Option<Flying<F>>; DEPTH],
    len: usize,
}

impl<F> Flights<F> {
    fn new() -> Self {
        Self {
            slots: [const { None }; DEPTH],
            len: 0,
        }
    }

    fn push(&mut self, flying: Flying<F>) {
        if let Some(slot) = self.slots.get_mut(self.len) {
            *slot = Some(flying);
            self.len = self.len.saturating_add(1);
        }
    }

    fn pop(&mut self) -> Option<Flying<F>> {
        let first = self.slots.first_mut()?.take()?;
        self.len = self.len.saturating_sub(1);
        if self.len > 0 {
            self.slots.rotate_left(1);
        }
        Some(first)
    }
}
