// SPDX-License-Identifier: GPL-2.0

//! Operations on extended attributes.

use super::{Operation, Optional, Part, ReplyFault};
use crate::wire::{GetxattrIn, GetxattrOut, Opcode, SetxattrIn, COMPAT_SETXATTR_IN_SIZE};

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

/// SETXATTR: sets an extended attribute.
#[derive(Clone, Copy, Debug)]
pub struct Setxattr<'a> {
    /// The node.
    pub nodeid: u64,
    /// The name, without NUL.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// `XATTR_CREATE` or `XATTR_REPLACE`.
    pub flags: u32,
    /// `SETXATTR_ACL_KILL_SGID`, if the server knows the long body (`SETXATTR_EXT`).
    pub extended: Option<u32>,
}

impl Operation for Setxattr<'_> {
    const OPCODE: Opcode = Opcode::Setxattr;
    const OPTIONAL: Option<Optional> = Some(Optional::Setxattr);
    type In = SetxattrIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> SetxattrIn {
        SetxattrIn {
            size: u32::try_from(self.value.len()).unwrap_or(u32::MAX),
            flags: self.flags,
            setxattr_flags: self.extended.unwrap_or(0),
            padding: 0,
        }
    }

    fn body_len(&self) -> usize {
        match self.extended {
            Some(_) => size_of::<SetxattrIn>(),
            None => COMPAT_SETXATTR_IN_SIZE,
        }
    }

    fn name(&self) -> Option<&[u8]> {
        Some(self.name)
    }

    fn second(&self) -> Part<'_> {
        Part::Bytes(self.value)
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// REMOVEXATTR: removes an extended attribute.
#[derive(Clone, Copy, Debug)]
pub struct Removexattr<'a> {
    /// The node.
    pub nodeid: u64,
    /// The name, without NUL.
    pub name: &'a [u8],
}

impl Operation for Removexattr<'_> {
    const OPCODE: Opcode = Opcode::Removexattr;
    const OPTIONAL: Option<Optional> = Some(Optional::Removexattr);
    type In = ();
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) {}

    fn name(&self) -> Option<&[u8]> {
        Some(self.name)
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// LISTXATTR: the names of the extended attributes, which follow the reply; see [`check_list`].
#[derive(Clone, Copy, Debug)]
pub struct Listxattr {
    /// The node.
    pub nodeid: u64,
    /// At most so many bytes; never 0, which would ask for the length.
    pub size: u32,
}

impl Operation for Listxattr {
    const OPCODE: Opcode = Opcode::Listxattr;
    const OPTIONAL: Option<Optional> = Some(Optional::Listxattr);
    type In = GetxattrIn;
    type Out = ();
    /// Length of the list in bytes.
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

    fn reply(&self, (): (), tail: usize) -> Result<usize, ReplyFault> {
        Ok(tail)
    }
}

/// GETXATTR that asks for a length only.
#[derive(Clone, Copy, Debug)]
pub struct GetxattrLen<'a> {
    /// The node.
    pub nodeid: u64,
    /// The name, without NUL.
    pub name: &'a [u8],
}

impl Operation for GetxattrLen<'_> {
    const OPCODE: Opcode = Opcode::Getxattr;
    const OPTIONAL: Option<Optional> = Some(Optional::Getxattr);
    type In = GetxattrIn;
    type Out = GetxattrOut;
    /// Length of the value in bytes.
    type Reply = u32;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> GetxattrIn {
        GetxattrIn::default()
    }

    fn name(&self) -> Option<&[u8]> {
        Some(self.name)
    }

    fn reply(&self, out: GetxattrOut, _tail: usize) -> Result<u32, ReplyFault> {
        Ok(out.size)
    }
}

/// LISTXATTR that asks for a length only.
#[derive(Clone, Copy, Debug)]
pub struct ListxattrLen {
    /// The node.
    pub nodeid: u64,
}

impl Operation for ListxattrLen {
    const OPCODE: Opcode = Opcode::Listxattr;
    const OPTIONAL: Option<Optional> = Some(Optional::Listxattr);
    type In = GetxattrIn;
    type Out = GetxattrOut;
    /// Length of the list in bytes.
    type Reply = u32;

    fn nodeid(&self) -> u64 {
        self.nodeid
    }

    fn body(&self) -> GetxattrIn {
        GetxattrIn::default()
    }

    fn reply(&self, out: GetxattrOut, _tail: usize) -> Result<u32, ReplyFault> {
        Ok(out.size)
    }
}

/// Judges the answer to [`Listxattr`]: names that are not empty, each with a NUL behind it.
///
/// # Errors
///
/// [`ReplyFault::XattrList`].
pub fn check_list(list: &[u8]) -> Result<(), ReplyFault> {
    let bad = |list: &[u8]| list.last() != Some(&0) || list.starts_with(&[0]);
    let doubled = |pair: &[u8]| pair == [0, 0];
    match list {
        [] => Ok(()),
        list if bad(list) || list.windows(2).any(doubled) => Err(ReplyFault::XattrList),
        _ => Ok(()),
    }
}
