// SPDX-License-Identifier: GPL-2.0

//! The table of damages.

use rfuse_proto::wire::Opcode;

use super::draft::{Dice, Draft};
use super::{attr, body, change, dir, head, init, ioctl, lock, way};

/// Which answers a damage is for; the damage itself may still find nothing to spoil.
#[derive(Clone, Copy, Debug)]
pub enum To {
    /// All that are answers, that is, not the receipt for a FORGET.
    Any,
    /// Those to these operations.
    Only(&'static [Opcode]),
    /// Those to a lookup of `.` or `..`: of a node by its number.
    Numbered,
    /// All, and receipts.
    All,
    /// All and receipts, but for INIT: what breaks the queue is of no use before there is a mount.
    Mounted,
}

/// One kind of damage.
#[derive(Debug)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// How often it is chosen, compared with others; 0 is never, unless it is asked for.
    pub weight: u32,
    /// Which answers it is for.
    pub to: To,
    /// Does it; `false` if there was nothing to spoil.
    pub apply: fn(&mut Draft, &mut Dice) -> bool,
}

impl Kind {
    /// Whether it may be done to this answer.
    pub fn fits(&self, draft: &Draft) -> bool {
        let opcode = draft.opcode;
        match self.to {
            To::Numbered => draft.by_number,
            To::Any => has_answer(opcode),
            To::All => true,
            To::Only(these) => these.contains(&opcode),
            To::Mounted => opcode != Opcode::Init,
        }
    }
}

/// Whether there is an answer, rather than a receipt.
fn has_answer(opcode: Opcode) -> bool {
    !matches!(
        opcode,
        Opcode::Forget | Opcode::BatchForget | Opcode::Interrupt
    )
}

const NODES: To = To::Only(&[
    Opcode::Lookup,
    Opcode::Readdirplus,
    Opcode::Create,
    Opcode::Tmpfile,
    Opcode::Mknod,
    Opcode::Mkdir,
    Opcode::Symlink,
    Opcode::Link,
]);
const ATTRIBUTES: To = To::Only(&[
    Opcode::Lookup,
    Opcode::Readdirplus,
    Opcode::Create,
    Opcode::Tmpfile,
    Opcode::Mknod,
    Opcode::Mkdir,
    Opcode::Symlink,
    Opcode::Link,
    Opcode::Getattr,
    Opcode::Setattr,
    Opcode::Statx,
]);
const CHANGES: To = To::Only(&[
    Opcode::Create,
    Opcode::Tmpfile,
    Opcode::Mknod,
    Opcode::Mkdir,
    Opcode::Symlink,
    Opcode::Link,
    Opcode::Unlink,
    Opcode::Rmdir,
    Opcode::Rename,
    Opcode::Rename2,
    Opcode::Setattr,
    Opcode::Write,
    Opcode::Fallocate,
    Opcode::CopyFileRange,
    Opcode::CopyFileRange64,
    Opcode::Setxattr,
    Opcode::Removexattr,
    Opcode::Flush,
    Opcode::Fsync,
    Opcode::Syncfs,
    Opcode::Setlk,
    Opcode::Setlkw,
    Opcode::Ioctl,
]);
const MOVES: To = To::Only(&[
    Opcode::Write,
    Opcode::CopyFileRange,
    Opcode::CopyFileRange64,
]);
const LISTINGS: To = To::Only(&[Opcode::Readdir, Opcode::Readdirplus]);
const OPENS: To = To::Only(&[
    Opcode::Open,
    Opcode::Opendir,
    Opcode::Create,
    Opcode::Tmpfile,
]);
const LOCKS: To = To::Only(&[Opcode::Getlk]);
const IOCTLS: To = To::Only(&[Opcode::Ioctl]);
const XATTRS: To = To::Only(&[Opcode::Getxattr, Opcode::Listxattr]);
const INIT: To = To::Only(&[Opcode::Init]);

macro_rules! kinds {
    ($($name:literal $weight:literal $to:expr => $apply:path: $about:literal;)+) => {
        /// All kinds.
        pub static KINDS: &[Kind] = &[$(Kind {
            name: $name,
            about: $about,
            weight: $weight,
            to: $to,
            apply: $apply,
        },)+];
    };
}

kinds! {
    "cut" 50 To::Any => head::cut: "ends early, while the head gives the whole length";
    "short" 50 To::Any => head::short: "ends early, and says so";
    "long" 50 To::Any => head::long: "has more than it should, and says so";
    "head-len" 50 To::Any => head::head_len: "the head gives another length than the transport";
    "used-more" 50 To::All => head::used_more: "the transport claims more than there is room for";
    "both-more" 25 To::Any => head::both_more: "head and transport claim more than there is room for";
    "unwritten" 30 To::Any => head::unwritten: "head and transport claim what was not written";
    "used-less" 50 To::Any => head::used_less: "the transport claims less than was written";
    "unique" 50 To::Any => head::unique: "answers another request, by its head";
    "error-odd" 50 To::Any => head::error_odd: "an error number that is none";
    "error-any" 50 To::Any => head::error_any: "an error that could be, but is not";
    "error-body" 25 To::Any => head::error_body: "an error with the body of a success";
    "no-error" 50 To::Any => head::no_error: "a bare success where there was an error";

    "garbage" 50 To::Any => body::garbage: "a body of random bytes";
    "fill" 25 To::Any => body::fill: "a body of one byte, over and over";
    "bits" 50 To::Any => body::bits: "some bits of the body are flipped";
    "field" 100 To::Any => body::field: "one number of the body is on a border of something";
    "link" 300 To::Only(&[Opcode::Readlink]) => body::link: "a link's target is empty, too long, has a NUL";
    "open" 300 OPENS => body::open: "flags, handle or backing file of an open file";
    "statfs" 300 To::Only(&[Opcode::Statfs]) => body::statfs: "absurd numbers of the file system";
    "xattr" 300 XATTRS => body::xattr: "a value of a length that was not promised";

    "xattr-len" 150 XATTRS => change::xattr_len: "a length that the value or list does not have";
    "xattr-list" 300 To::Only(&[Opcode::Listxattr]) => change::xattr_list: "a list with empty names, or without NULs";

    "done-anyway" 150 CHANGES => change::done_anyway: "an error, although it was done";
    "nothing" 50 CHANGES => change::nothing: "a bare success, without what it should have";
    "moved" 400 MOVES => change::moved: "more bytes than there were, fewer, or none";
    "position" 400 To::Only(&[Opcode::Lseek]) => change::position: "a position before the start, or beyond any end";

    "lock-range" 300 LOCKS => lock::range: "a lock in the way of an odd range or kind, or of nobody";
    "ioctl-size" 300 IOCTLS => ioctl::size: "more or less data than was asked for";
    "ioctl-result" 300 IOCTLS => ioctl::result: "a result that is no error and no success";
    "ioctl-retry" 300 IOCTLS => ioctl::retry: "the wish to be asked again, with memory of the caller";

    "size" 150 ATTRIBUTES => attr::size: "a file shrinks, grows, or is larger than any can be";
    "times" 50 ATTRIBUTES => attr::times: "negative and huge times, seconds of nanoseconds";
    "numbers" 100 ATTRIBUTES => attr::numbers: "link count, block size, device, inode number, owner, blocks";
    "kind" 100 ATTRIBUTES => attr::kind: "a node of another type than before";
    "mode" 100 ATTRIBUTES => attr::mode: "mode bits that no type has";
    "attr-flags" 50 ATTRIBUTES => attr::flags: "submount, DAX and unknown flags";
    "valid" 50 ATTRIBUTES => attr::valid: "cached for ever, or for seconds of nanoseconds";
    "statx-mask" 150 To::Only(&[Opcode::Statx]) => attr::statx_mask: "which fields of statx are valid";
    "node-none" 50 NODES => attr::node_none: "node id 0 for a name that is there";
    "node-root" 50 NODES => attr::node_root: "the root's node id for another name";
    "node-other" 150 NODES => attr::node_other: "the node id of another node, mostly of another type";
    "node-unknown" 50 NODES => attr::node_unknown: "a node id that does not exist";
    "node-here" 600 To::Numbered => attr::node_here: "another node for a number, or the same in another generation";
    "generation" 100 NODES => attr::generation: "the node in another generation";

    "name-slash" 50 LISTINGS => dir::name_slash: "a name with a slash";
    "name-nul" 50 LISTINGS => dir::name_nul: "a name with a NUL";
    "name-empty" 50 LISTINGS => dir::name_empty: "an empty name";
    "name-long" 50 LISTINGS => dir::name_long: "a name of 255 to 4095 bytes";
    "name-len" 50 LISTINGS => dir::name_len: "a name's length leads beyond the end";
    "name-dot" 50 LISTINGS => dir::name_dot: ". or .. in place of another name";
    "name-twice" 50 LISTINGS => dir::name_twice: "the same name again and again";
    "off-same" 50 LISTINGS => dir::off_same: "an entry that does not advance";
    "off-stuck" 50 LISTINGS => dir::off_stuck: "no entry advances";
    "off-back" 50 LISTINGS => dir::off_back: "an offset that leads back";
    "off-odd" 50 LISTINGS => dir::off_odd: "an offset that is no position";
    "kind-odd" 25 LISTINGS => dir::kind_odd: "an entry of a kind that does not exist";
    "endless" 75 LISTINGS => dir::endless: "a listing that goes on where it should end";

    "init-version" 300 INIT => init::version: "another major version, any minor one";
    "init-limits" 300 INIT => init::limits: "limits of nothing, one, or without end";
    "init-flags" 300 INIT => init::flags: "no flag, all flags, or any";
    "init-old" 150 INIT => init::old: "a reply of an older version's length";

    "late" 50 To::All => way::late: "up to 0.1 s late";
    "very-late" 5 To::All => way::very_late: "1.5 to 5 s late, when nobody waits any more";
    "swapped" 50 To::All => way::swapped: "after the next answer";
    "never" 5 To::All => way::never: "never";
    "twice" 2 To::Mounted => way::twice: "reported twice, which breaks a queue";
    "id-other" 2 To::Mounted => way::id_other: "another request is reported to be done";
    "id-absurd" 2 To::Mounted => way::id_absurd: "a request is reported to be done which cannot exist";
    "used-jump" 2 To::Mounted => way::jump: "more requests are reported to be done than are";
}

/// The kind of that name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
