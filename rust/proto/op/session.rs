// SPDX-License-Identifier: GPL-2.0

//! Beginning and end of a connection.

use super::{Operation, ReplyFault};
use crate::wire::{InitIn, InterruptIn, NotifyRetrieveIn, Opcode};

/// INIT: its reply has several lengths and is read as a tail, see
/// [`Negotiated::from_reply`](crate::init::Negotiated::from_reply).
#[derive(Clone, Copy, Debug)]
pub struct Init {
    /// What the client offers.
    pub offer: InitIn,
}

impl Operation for Init {
    const OPCODE: Opcode = Opcode::Init;
    type In = InitIn;
    type Out = ();
    /// Length of the reply's body.
    type Reply = usize;

    fn nodeid(&self) -> u64 {
        0
    }

    fn body(&self) -> InitIn {
        self.offer
    }

    fn reply(&self, (): (), tail: usize) -> Result<usize, ReplyFault> {
        Ok(tail)
    }
}

/// DESTROY: the server may forget everything.
#[derive(Clone, Copy, Debug)]
pub struct Destroy;

impl Operation for Destroy {
    const OPCODE: Opcode = Opcode::Destroy;
    type In = ();
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        0
    }

    fn body(&self) {}

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// INTERRUPT: asks the server to give up on a request, and to answer it. Has no answer of its own.
#[derive(Clone, Copy, Debug)]
pub struct Interrupt {
    /// The request's number.
    pub unique: u64,
}

impl Operation for Interrupt {
    const OPCODE: Opcode = Opcode::Interrupt;
    type In = InterruptIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        0
    }

    fn body(&self) -> InterruptIn {
        InterruptIn {
            unique: self.unique,
        }
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// NOTIFY_REPLY: data of the page cache that the server has asked for; they follow the request. Has no answer.
#[derive(Clone, Copy, Debug)]
pub struct NotifyReply {
    /// The node.
    pub nodeid: u64,
    /// Where they begin, in bytes.
    pub offset: u64,
    /// Their length in bytes.
    pub size: u32,
}

impl Operation for NotifyReply {
    const OPCODE: Opcode = Opcode::NotifyReply;
    type In = NotifyRetrieveIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> NotifyRetrieveIn {
        NotifyRetrieveIn {
            offset: self.offset,
            size: self.size,
            ..NotifyRetrieveIn::default()
        }
    }

    fn data_len(&self) -> u32 {
        self.size
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}
