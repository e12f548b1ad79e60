// SPDX-License-Identifier: GPL-2.0

//! Operations on names: making, linking, renaming and removing nodes.

use super::{lookup_of, Extensions, Named, Operation, Optional, Owner, Part, ReplyFault, Undo};
use crate::{
    attr::Node,
    wire::{
        CreateIn, CreateOut, EntryOut, LinkIn, MkdirIn, MknodIn, Opcode, OpenOut, Rename2In,
        RenameIn,
    },
};
use zerocopy::FromBytes as _;

/// `S_IFDIR`.
const S_IFDIR: u32 = 0o040_000;
/// `S_IFREG`.
const S_IFREG: u32 = 0o100_000;
/// `S_IFLNK`.
const S_IFLNK: u32 = 0o120_000;

/// A name that is to be made, and what follows it in the request.
#[derive(Clone, Copy, Debug)]
pub struct NewName<'a> {
    /// The directory.
    pub parent: u64,
    /// The name, without NUL.
    pub name: &'a [u8],
    /// Who is to own the node, if not the caller.
    pub owner: Option<Owner>,
    /// What else the server is to know.
    pub extensions: Extensions<'a>,
}

/// Judges the node that an operation has made: it must have the type of `mode`.
fn made(entry: &EntryOut, mode: u32) -> Result<Node, ReplyFault> {
    let node = Node::from_entry(entry)?;
    node.attributes.check_type((mode & 0xffff) as u16)?;
    Ok(node)
}

/// The node that a request about a name is sent to, and its parts.
macro_rules! new_name {
    ($undo:ident) => {
        fn nodeid(&self) -> u64 {
            self.at.parent
        }

        fn name(&self) -> Option<&[u8]> {
            Some(self.at.name)
        }

        fn owner(&self) -> Option<Owner> {
            self.at.owner
        }

        fn extensions(&self) -> Extensions<'_> {
            self.at.extensions
        }

        fn undo(out: &[u8]) -> Undo {
            $undo(out)
        }
    };
}

/// MKNOD: makes a file, device node, pipe or socket.
#[derive(Clone, Copy, Debug)]
pub struct Mknod<'a> {
    /// Where.
    pub at: NewName<'a>,
    /// Type and permission bits.
    pub mode: u32,
    /// Device number, as the kernel's `new_encode_dev` packs it.
    pub rdev: u32,
    /// The caller's umask.
    pub umask: u32,
}

impl Operation for Mknod<'_> {
    const OPCODE: Opcode = Opcode::Mknod;
    type In = MknodIn;
    type Out = EntryOut;
    type Reply = Node;

    new_name!(lookup_of);

    fn body(&self) -> MknodIn {
        MknodIn {
            mode: self.mode,
            rdev: self.rdev,
            umask: self.umask,
            padding: 0,
        }
    }

    fn reply(&self, out: EntryOut, _tail: usize) -> Result<Node, ReplyFault> {
        made(&out, self.mode)
    }
}

/// MKDIR: makes a directory.
#[derive(Clone, Copy, Debug)]
pub struct Mkdir<'a> {
    /// Where.
    pub at: NewName<'a>,
    /// Permission bits; the type is not sent.
    pub mode: u32,
    /// The caller's umask.
    pub umask: u32,
}

impl Operation for Mkdir<'_> {
    const OPCODE: Opcode = Opcode::Mkdir;
    type In = MkdirIn;
    type Out = EntryOut;
    type Reply = Node;

    new_name!(lookup_of);

    fn body(&self) -> MkdirIn {
        MkdirIn {
            mode: self.mode & !S_IFDIR,
            umask: self.umask,
        }
    }

    fn reply(&self, out: EntryOut, _tail: usize) -> Result<Node, ReplyFault> {
        made(&out, S_IFDIR)
    }
}

/// SYMLINK: makes a symbolic link.
#[derive(Clone, Copy, Debug)]
pub struct Symlink<'a> {
    /// Where.
    pub at: NewName<'a>,
    /// What it points to, without NUL.
    pub target: &'a [u8],
}

impl Operation for Symlink<'_> {
    const OPCODE: Opcode = Opcode::Symlink;
    type In = ();
    type Out = EntryOut;
    type Reply = Node;

    new_name!(lookup_of);

    fn body(&self) {}

    fn second(&self) -> Part<'_> {
        Part::Text(self.target)
    }

    fn reply(&self, out: EntryOut, _tail: usize) -> Result<Node, ReplyFault> {
        made(&out, S_IFLNK)
    }
}

/// LINK: gives a node another name.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The node.
    pub target: u64,
    /// The directory.
    pub parent: u64,
    /// The name, without NUL.
    pub name: &'a [u8],
}

impl Operation for Link<'_> {
    const OPCODE: Opcode = Opcode::Link;
    const OPTIONAL: Option<Optional> = Some(Optional::Link);
    type In = LinkIn;
    type Out = EntryOut;
    type Reply = Node;

    fn nodeid(&self) -> u64 {
        self.parent
    }

    fn named(&self) -> [Named; 2] {
        [Named::node(self.parent), Named::node(self.target)]
    }

    fn body(&self) -> LinkIn {
        LinkIn {
            oldnodeid: self.target,
        }
    }

    fn name(&self) -> Option<&[u8]> {
        Some(self.name)
    }

    fn reply(&self, out: EntryOut, _tail: usize) -> Result<Node, ReplyFault> {
        Ok(Node::from_entry(&out)?)
    }

    fn undo(out: &[u8]) -> Undo {
        lookup_of(out)
    }
}

/// A name that is to go.
#[derive(Clone, Copy, Debug)]
pub struct OldName<'a> {
    /// The directory.
    pub parent: u64,
    /// The name, without NUL.
    pub name: &'a [u8],
}

macro_rules! removals {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a>(pub OldName<'a>);

        impl Operation for $name<'_> {
            const OPCODE: Opcode = Opcode::$name;
            type In = ();
            type Out = ();
            type Reply = ();

            fn nodeid(&self) -> u64 {
                self.0.parent
            }

            fn body(&self) {}

            fn name(&self) -> Option<&[u8]> {
                Some(self.0.name)
            }

            fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
                Ok(())
            }
        }
    )+};
}

removals! {
    /// UNLINK: removes the name of something that is not a directory.
    Unlink;

    /// RMDIR: removes a directory.
    Rmdir;
}

/// Two names: one that goes, and one that comes.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// The name as it is.
    pub from: OldName<'a>,
    /// The name as it will be.
    pub to: OldName<'a>,
}

impl Move<'_> {
    fn named(&self) -> [Named; 2] {
        [self.from.parent, self.to.parent].map(Named::node)
    }
}

/// RENAME: moves a name.
#[derive(Clone, Copy, Debug)]
pub struct Rename<'a>(pub Move<'a>);

impl Operation for Rename<'_> {
    const OPCODE: Opcode = Opcode::Rename;
    type In = RenameIn;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.0.from.parent
    }

    fn named(&self) -> [Named; 2] {
        self.0.named()
    }

    fn body(&self) -> RenameIn {
        RenameIn {
            newdir: self.0.to.parent,
        }
    }

    fn name(&self) -> Option<&[u8]> {
        Some(self.0.from.name)
    }

    fn second(&self) -> Part<'_> {
        Part::Text(self.0.to.name)
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// RENAME2: moves a name with `RENAME_*` flags.
#[derive(Clone, Copy, Debug)]
pub struct Rename2<'a> {
    /// The names.
    pub names: Move<'a>,
    /// `RENAME_NOREPLACE`, `RENAME_EXCHANGE` or `RENAME_WHITEOUT`.
    pub flags: u32,
    /// Who is to own the node that `RENAME_WHITEOUT` leaves behind, if not the caller.
    pub owner: Option<Owner>,
}

impl Operation for Rename2<'_> {
    const OPCODE: Opcode = Opcode::Rename2;
    const OPTIONAL: Option<Optional> = Some(Optional::Rename2);
    type In = Rename2In;
    type Out = ();
    type Reply = ();

    fn nodeid(&self) -> u64 {
        self.names.from.parent
    }

    fn named(&self) -> [Named; 2] {
        self.names.named()
    }

    fn body(&self) -> Rename2In {
        Rename2In {
            newdir: self.names.to.parent,
            flags: self.flags,
            padding: 0,
        }
    }

    fn name(&self) -> Option<&[u8]> {
        Some(self.names.from.name)
    }

    fn second(&self) -> Part<'_> {
        Part::Text(self.names.to.name)
    }

    fn owner(&self) -> Option<Owner> {
        self.owner
    }

    fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
        Ok(())
    }
}

/// How a file is to be made and opened at once.
#[derive(Clone, Copy, Debug)]
pub struct NewFile {
    /// `open(2)` flags that are the server's business.
    pub flags: u32,
    /// Type and permission bits.
    pub mode: u32,
    /// The caller's umask.
    pub umask: u32,
    /// `OPEN_KILL_SUIDGID` or 0.
    pub open_flags: u32,
}

impl NewFile {
    fn body(&self) -> CreateIn {
        CreateIn {
            flags: self.flags,
            mode: self.mode,
            umask: self.umask,
            open_flags: self.open_flags,
        }
    }
}

/// What it was opened as too, should nobody take the answer over.
fn created(out: &[u8]) -> Undo {
    match (CreateOut::read_from_prefix(out), lookup_of(out)) {
        (Ok((out, _)), Undo::Forget(nodeid)) => Undo::ReleaseAndForget {
            nodeid,
            fh: out.open.fh,
        },
        _ => Undo::Nothing,
    }
}

macro_rules! creations {
    ($($(#[$doc:meta])* $name:ident, optional $optional:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            /// Where.
            pub at: NewName<'a>,
            /// What.
            pub file: NewFile,
        }

        impl Operation for $name<'_> {
            const OPCODE: Opcode = Opcode::$name;
            const OPTIONAL: Option<Optional> = Some(Optional::$optional);
            type In = CreateIn;
            type Out = CreateOut;
            type Reply = (Node, OpenOut);

            new_name!(created);

            fn body(&self) -> CreateIn {
                self.file.body()
            }

            fn reply(&self, out: CreateOut, _tail: usize) -> Result<Self::Reply, ReplyFault> {
                Ok((made(&out.entry, S_IFREG)?, out.open))
            }
        }
    )+};
}

creations! {
    /// CREATE: makes a regular file and opens it.
    Create, optional Create;

    /// TMPFILE: makes a regular file without a name and opens it.
    Tmpfile, optional Tmpfile;
}
