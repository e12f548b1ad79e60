// SPDX-License-Identifier: GPL-2.0

//! Operations on the data of open files, beside reading.

use super::{Named, Operation, Optional, ReplyFault};
use crate::flags::POLL_SCHEDULE_NOTIFY;
use crate::wire::{
    BmapIn, BmapOut, CopyFileRangeIn, CopyFileRangeOut, FallocateIn, FlushIn, LseekIn, LseekOut,
    Opcode, PollIn, PollOut, WriteIn, WriteOut,
};
use zerocopy::FromBytes as _;

/// WRITE: bytes for a file, which follow the request. The reply says how many were taken.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// The node.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// Where to begin, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub size: u32,
    /// `WRITE_CACHE`, `WRITE_LOCKOWNER`, `WRITE_KILL_SUIDGID`.
    pub write_flags: u32,
    /// Who writes, with `WRITE_LOCKOWNER`.
    pub lock_owner: u64,
    /// The `open(2)` flags of the handle.
    pub flags: u32,
}

impl Operation for Write {
    const OPCODE: Opcode = Opcode::Write;
    type In = WriteIn;
    type Out = WriteOut;
    /// Bytes taken, at most `size`.
    type Reply = u32;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn named(&self) -> [Named; 2] {
        Named::open(self.nodeid, self.fh).alone()
    }

    fn body(&self) -> WriteIn {
        WriteIn {
            fh: self.fh,
            offset: self.offset,
            size: self.size,
            write_flags: self.write_flags,
            lock_owner: self.lock_owner,
            flags: self.flags,
            padding: 0,
        }
    }

    fn data_len(&self) -> u32 {
        self.size
    }

    fn reply(&self, out: WriteOut, _tail: usize) -> Result<u32, ReplyFault> {
        at_most(out.size.into(), self.size.into()).map(|_| out.size)
    }

    fn moved(out: &[u8], _tail: usize) -> usize {
        WriteOut::read_from_prefix(out)
            .ok()
            .and_then(|(out, _)| usize::try_from(out.size).ok())
            .unwrap_or(0)
    }
}

/// # Errors
///
/// More was done than asked for.
fn at_most(got: u64, asked: u64) -> Result<u64, ReplyFault> {
    match got <= asked {
        true => Ok(got),
        false => Err(ReplyFault::Moved { got, asked }),
    }
}

/// FLUSH: a descriptor of an open file was closed.
#[derive(Clone, Copy, Debug)]
pub struct Flush {
    /// The node.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// Whose locks go.
    pub lock_owner: u64,
}

impl Operation for Flush {
    const OPCODE: Opcode = Opcode::Flush;
    const OPTIONAL: Option<Optional> = Some(Optional::Flush);
    type In = FlushIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn named(&self) -> [Named; 2] {
        Named::open(self.nodeid, self.fh).alone()
    }

    fn body(&self) -> FlushIn {
        FlushIn {
            fh: self.fh,
            lock_owner: self.lock_owner,
            ..FlushIn::default()
        }
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// FALLOCATE: reserves, zeroes or frees a range.
#[derive(Clone, Copy, Debug)]
pub struct Fallocate {
    /// The node.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// Where to begin, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// `FALLOC_FL_*`.
    pub mode: u32,
}

impl Operation for Fallocate {
    const OPCODE: Opcode = Opcode::Fallocate;
    const OPTIONAL: Option<Optional> = Some(Optional::Fallocate);
    type In = FallocateIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn named(&self) -> [Named; 2] {
        Named::open(self.nodeid, self.fh).alone()
    }

    fn body(&self) -> FallocateIn {
        FallocateIn {
            fh: self.fh,
            offset: self.offset,
            length: self.length,
            mode: self.mode,
            padding: 0,
        }
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// LSEEK: looks for data or a hole.
#[derive(Clone, Copy, Debug)]
pub struct Lseek {
    /// The node.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// Where to begin, in bytes.
    pub offset: u64,
    /// `SEEK_DATA` or `SEEK_HOLE`.
    pub whence: u32,
}

impl Operation for Lseek {
    const OPCODE: Opcode = Opcode::Lseek;
    const OPTIONAL: Option<Optional> = Some(Optional::Lseek);
    type In = LseekIn;
    type Out = LseekOut;
    /// Where it is, in bytes.
    type Reply = i64;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn named(&self) -> [Named; 2] {
        Named::open(self.nodeid, self.fh).alone()
    }

    fn body(&self) -> LseekIn {
        LseekIn {
            fh: self.fh,
            offset: self.offset,
            whence: self.whence,
            padding: 0,
        }
    }

    fn reply(&self, out: LseekOut, _tail: usize) -> Result<i64, ReplyFault> {
        let offset = out.offset;
        i64::try_from(offset).map_err(|_| ReplyFault::Position { offset })
    }
}

/// BMAP: looks for a block of a file on its device.
#[derive(Clone, Copy, Debug)]
pub struct Bmap {
    /// The node.
    pub nodeid: u64,
    /// The block in the file.
    pub block: u64,
    /// The size of a block, in bytes.
    pub blocksize: u32,
}

impl Operation for Bmap {
    const OPCODE: Opcode = Opcode::Bmap;
    const OPTIONAL: Option<Optional> = Some(Optional::Bmap);
    type In = BmapIn;
    type Out = BmapOut;
    /// The block on the device; 0 for none.
    type Reply = u64;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> BmapIn {
        BmapIn {
            block: self.block,
            blocksize: self.blocksize,
            padding: 0,
        }
    }

    fn reply(&self, out: BmapOut, _tail: usize) -> Result<u64, ReplyFault> {
        Ok(out.block)
    }
}

/// A range that is to be copied from one open file to another.
#[derive(Clone, Copy, Debug)]
pub struct CopyRange {
    /// The node of the data.
    pub nodeid_in: u64,
    /// Its handle.
    pub fh_in: u64,
    /// Where to begin in it, in bytes.
    pub off_in: u64,
    /// The node that gets the data.
    pub nodeid_out: u64,
    /// Its handle.
    pub fh_out: u64,
    /// Where to begin in it, in bytes.
    pub off_out: u64,
    /// How many bytes.
    pub len: u64,
}

impl CopyRange {
    fn named(&self) -> [Named; 2] {
        [
            Named::open(self.nodeid_in, self.fh_in),
            Named::open(self.nodeid_out, self.fh_out),
        ]
    }

    fn body(&self) -> CopyFileRangeIn {
        CopyFileRangeIn {
            fh_in: self.fh_in,
            off_in: self.off_in,
            nodeid_out: self.nodeid_out,
            fh_out: self.fh_out,
            off_out: self.off_out,
            len: self.len,
            flags: 0,
        }
    }
}

/// COPY_FILE_RANGE_64: copies a range of any length.
#[derive(Clone, Copy, Debug)]
pub struct CopyFileRange64(pub CopyRange);

impl Operation for CopyFileRange64 {
    const OPCODE: Opcode = Opcode::CopyFileRange64;
    const OPTIONAL: Option<Optional> = Some(Optional::CopyFileRange64);
    type In = CopyFileRangeIn;
    type Out = CopyFileRangeOut;
    /// Bytes copied, at most `len`.
    type Reply = u64;

    fn nodeid(&self) -> u64 {
        self.0.nodeid_in
    }

    fn named(&self) -> [Named; 2] {
        self.0.named()
    }

    fn body(&self) -> CopyFileRangeIn {
        self.0.body()
    }

    fn reply(&self, out: CopyFileRangeOut, _tail: usize) -> Result<u64, ReplyFault> {
        at_most(out.bytes_copied, self.0.len)
    }
}

/// COPY_FILE_RANGE: copies a range of less than 4 GiB.
#[derive(Clone, Copy, Debug)]
pub struct CopyFileRange(pub CopyRange);

impl Operation for CopyFileRange {
    const OPCODE: Opcode = Opcode::CopyFileRange;
    const OPTIONAL: Option<Optional> = Some(Optional::CopyFileRange);
    type In = CopyFileRangeIn;
    type Out = WriteOut;
    /// Bytes copied, at most `len`.
    type Reply = u64;

    fn nodeid(&self) -> u64 {
        self.0.nodeid_in
    }

    fn named(&self) -> [Named; 2] {
        self.0.named()
    }

    fn body(&self) -> CopyFileRangeIn {
        self.0.body()
    }

    fn reply(&self, out: WriteOut, _tail: usize) -> Result<u64, ReplyFault> {
        at_most(out.size.into(), self.0.len)
    }
}

/// POLL: what can be done without waiting.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// The node.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// The number that a notification is to have.
    pub kh: u64,
    /// What is asked for, `EPOLL*`.
    pub events: u32,
    /// Somebody waits: a notification is wanted when there is more to be done.
    pub schedules: bool,
}

impl Operation for Poll {
    const OPCODE: Opcode = Opcode::Poll;
    const OPTIONAL: Option<Optional> = Some(Optional::Poll);
    type In = PollIn;
    type Out = PollOut;
    /// What can be done, `EPOLL*`.
    type Reply = u32;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn named(&self) -> [Named; 2] {
        Named::open(self.nodeid, self.fh).alone()
    }

    fn body(&self) -> PollIn {
        PollIn {
            fh: self.fh,
            kh: self.kh,
            flags: match self.schedules {
                true => POLL_SCHEDULE_NOTIFY,
                false => 0,
            },
            events: self.events,
        }
    }

    fn reply(&self, out: PollOut, _tail: usize) -> Result<u32, ReplyFault> {
        Ok(out.revents)
    }
}
