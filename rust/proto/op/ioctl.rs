// SPDX-License-Identifier: GPL-2.0

//! IOCTL.

use super::{Named, Operation, Part, ReplyFault};
use crate::{
    flags::IOCTL_RETRY,
    reply::Errno,
    wire::{IoctlIn, IoctlOut, Opcode},
};

/// IOCTL: a command that only the server understands. Restricted: the data is what the command says it is.
#[derive(Clone, Copy, Debug)]
pub struct Ioctl<'a> {
    /// The node.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// `IOCTL_*`.
    pub flags: u32,
    /// The command.
    pub cmd: u32,
    /// Its argument as the caller gave it.
    pub arg: u64,
    /// The caller's data.
    pub data: &'a [u8],
    /// The most bytes that the answer may have.
    pub out_size: u32,
}

/// What a call has come to.
pub type IoctlResult = Result<u32, Errno>;

impl Operation for Ioctl<'_> {
    const OPCODE: Opcode = Opcode::Ioctl;
    type In = IoctlIn;
    type Out = IoctlOut;
    /// Result and length of the data.
    type Reply = (IoctlResult, usize);

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn named(&self) -> [Named; 2] {
        Named::open(self.nodeid, self.fh).alone()
    }

    fn body(&self) -> IoctlIn {
        IoctlIn {
            fh: self.fh,
            flags: self.flags,
            cmd: self.cmd,
            arg: self.arg,
            in_size: u32::try_from(self.data.len()).unwrap_or(u32::MAX),
            out_size: self.out_size,
        }
    }

    fn second(&self) -> Part<'_> {
        Part::Bytes(self.data)
    }

    fn reply(&self, out: IoctlOut, tail: usize) -> Result<Self::Reply, ReplyFault> {
        if out.flags & IOCTL_RETRY != 0 {
            return Err(ReplyFault::Ioctl);
        }
        let result = match (u32::try_from(out.result), out.result.unsigned_abs()) {
            (Ok(result), _) => Ok(result),
            (Err(_), number) => Err(u16::try_from(number)
                .ok()
                .and_then(Errno::new)
                .ok_or(ReplyFault::Ioctl)?),
        };
        Ok((result, tail))
    }
}
