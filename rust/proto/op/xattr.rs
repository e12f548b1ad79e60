// SPDX-License-Identifier: GPL-2.0

//! Operations on extended attributes.

use super::{Operation, Optional, ReplyFault};
use crate::wire::{GetxattrIn, Opcode};

/// GETXATTR: the value of an extended attribute, as the reply's tail.
#[derive(Clone, Copy, Debug)]
pub struct Getxattr<'a> {
    /// The node.
    pub nodeid: u64,
    /// The name, without NUL.
    pub name: &'a [u8],
    /// At most so many bytes; never 0, which would ask for the length.
    pub size: u32,
}

impl Operation for Getxattr<'_> {
    const OPCODE: Opcode = Opcode::Getxattr;
    const OPTIONAL: Option<Optional> = Some(Optional::Getxattr);
    type In = GetxattrIn;
    type Out = ();
    /// Length of the value in bytes.
    type Reply = usize;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> GetxattrIn {
        GetxattrIn {
            size: self.size,
            padding: 0,
        }
    }

    fn name(&self) -> Option<&[u8]> {
        Some(self.name)
    }

    fn reply(&self, (): (), tail: usize) -> Result<usize, ReplyFault> {
        Ok(tail)
    }
}
