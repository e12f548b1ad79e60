// SPDX-License-Identifier: GPL-2.0

//! Target `reply`: an answer of any bytes to every operation, on the way that the kernel module takes
//! with it: head and lengths, the fixed part, what follows, and what is to be undone.

use crate::{
    assert_told, attributes,
    bytes::{put, u32_at, u64_at},
    direntplus, dirents, init,
};
use arbitrary::Arbitrary;
use rfuse_proto::{
    attr::{self, Attributes, Timeout},
    flags::InitFlags,
    init::Offer,
    op::{self, Operation, Refusal, ReplyFault, Undo},
    reply::{self, Errno, Fault, ReplyError},
    wire::{Kstatfs, OpenOut, OutHeader},
};
use std::fmt::Debug;
use zerocopy::FromBytes as _;

/// Number of the request that is answered.
const UNIQUE: u64 = 0x1234;

/// Length of the head.
const HEAD: usize = 16;

/// The head gives the length that the device gives.
pub const HONEST_LENGTH: u8 = 1 << 0;

/// The head names the request that was asked.
pub const HONEST_UNIQUE: u8 = 1 << 1;

/// The head has no error.
pub const SUCCESS: u8 = 1 << 2;

/// The device claims another length than it wrote.
pub const LYING_DEVICE: u8 = 1 << 3;

/// What the fuzzer chooses.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    operation: u8,
    /// Which parts of the head are as they should be, so that the fuzzer need not guess them.
    mode: u8,
    /// Room for what follows the fixed part.
    room: u16,
    /// What a lying device claims to have written.
    claim: u32,
    answer: &'a [u8],
}

/// A request's memory after the device had it.
struct Answered {
    /// Head and fixed part.
    reply: Vec<u8>,
    /// What follows.
    payload: Vec<u8>,
    /// Bytes that the device claims to have written.
    used: usize,
}

impl Answered {
    /// The device writes as much as there is room for.
    fn new(input: &Input<'_>, fixed: usize) -> Self {
        let mut reply = vec![0; HEAD + fixed];
        let mut payload = vec![0; input.room.into()];
        put(&mut reply, 0, input.answer);
        put(
            &mut payload,
            0,
            input.answer.get(reply.len()..).unwrap_or(&[]),
        );
        let used = match input.mode & LYING_DEVICE {
            0 => input.answer.len().min(reply.len() + payload.len()),
            _ => input.claim as usize,
        };
        if input.mode & HONEST_LENGTH != 0 {
            put(&mut reply, 0, &(used as u32).to_ne_bytes());
        }
        if input.mode & SUCCESS != 0 {
            put(&mut reply, 4, &[0; 4]);
        }
        if input.mode & HONEST_UNIQUE != 0 {
            put(&mut reply, 8, &UNIQUE.to_ne_bytes());
        }
        Self {
            reply,
            payload,
            used,
        }
    }

    /// What the head and the lengths must come to.
    fn model(&self, fixed: usize) -> Result<usize, ReplyError> {
        let (used, want) = (self.used, HEAD + fixed);
        let most = want + self.payload.len();
        let (len, got) = (u32_at(&self.reply, 0), u32_at(&self.reply, 4) as i32);
        let unique = u64_at(&self.reply, 8);
        let fault = if used < HEAD {
            Fault::NoHead { used }
        } else if len as usize != used {
            Fault::Length { len, used }
        } else if unique != UNIQUE {
            Fault::Unique {
                got: unique,
                want: UNIQUE,
            }
        } else if !(-511..=0).contains(&got) {
            Fault::Error { got }
        } else if got < 0 && used == HEAD {
            return Err(ReplyError::Server(errno(-got)));
        } else if got < 0 {
            Fault::ErrorBody { used }
        } else if used > most {
            Fault::Long { used, most }
        } else if used < want {
            Fault::Short { used, want }
        } else {
            return Ok(used - want);
        };
        Err(ReplyError::Bad(fault))
    }
}

/// An error number that is in range.
fn errno(number: i32) -> Errno {
    let number = u16::try_from(number).expect("in range");
    let errno = Errno::new(number).expect("in range");
    assert_eq!(errno.get(), number);
    errno
}

/// The target.
pub fn run(data: &[u8]) {
    let Some(input) = crate::input::<Input>(data) else {
        return;
    };
    let (nodeid, fh, flags) = (5, 6, 0);
    let handle = op::Handle {
        nodeid,
        fh,
        flags,
        flock_owner: None,
    };
    let target = op::Target { nodeid, flags };
    let range = op::Range {
        nodeid,
        fh,
        offset: 0,
        size: input.room.into(),
        flags,
    };
    let name = b"name";
    let size = u32::from(input.room);
    match input.operation % 18 {
        0 => exchange(&input, &op::Lookup { parent: 1, name }),
        1 => exchange(&input, &op::Getattr { nodeid, fh: None }),
        2 => exchange(&input, &op::Statx { nodeid, fh: None }),
        3 => exchange(&input, &op::Readlink { nodeid }),
        4 => exchange(&input, &op::Access { nodeid, mask: 1 }),
        5 => exchange(&input, &op::Statfs { nodeid }),
        6 => exchange(&input, &op::Open(target)),
        7 => exchange(&input, &op::Opendir(target)),
        8 => exchange(&input, &op::Release(handle)),
        9 => exchange(&input, &op::Releasedir(handle)),
        10 => exchange(&input, &op::Read(range)),
        11 => exchange(&input, &op::Readdir(range)),
        12 => exchange(&input, &op::Readdirplus(range)),
        13 => exchange(&input, &op::Fsyncdir(op::SyncTarget { nodeid, fh, flags })),
        14 => exchange(&input, &op::Getxattr { nodeid, name, size }),
        15 => exchange(&input, &op::Getlk(lock())),
        16 => exchange(&input, &ioctl(size)),
        _ => exchange(
            &input,
            &op::Init {
                offer: OFFER.body(),
            },
        ),
    }
}

fn lock() -> op::LockRequest {
    op::LockRequest {
        nodeid: 5,
        fh: 6,
        owner: 7,
        lock: op::Lock {
            start: 0,
            end: 9,
            kind: op::F_WRLCK,
            pid: 8,
        },
        flags: 0,
    }
}

fn ioctl(out_size: u32) -> op::Ioctl<'static> {
    op::Ioctl {
        nodeid: 5,
        fh: 6,
        flags: 0,
        cmd: 7,
        arg: 8,
        data: b"data",
        out_size,
    }
}

/// What an answer to INIT answers.
const OFFER: Offer = Offer {
    flags: InitFlags::from_bits(u64::MAX),
    max_readahead: 1 << 20,
    max_pages_limit: 256,
};

/// What an answer to an operation means, in terms of its bytes.
trait Model: Operation<Reply: PartialEq + Debug> {
    /// The reply for the bytes of the fixed part and the number of bytes behind it.
    fn expect(fixed: &[u8], tail: usize) -> Result<Self::Reply, ReplyFault>;

    /// What nobody takes over is to be undone.
    fn expect_undo(_fixed: &[u8]) -> Undo {
        Undo::Nothing
    }

    /// Goes on with what follows a valid fixed part.
    fn tail(_bytes: &[u8]) {}
}

/// Takes an answer to `operation` as the kernel module does.
fn exchange<O: Model>(input: &Input<'_>, operation: &O) {
    let fixed = op::fixed_reply_len::<O>() - HEAD;
    let answered = Answered::new(input, fixed);
    let (header, _) = OutHeader::read_from_prefix(&answered.reply).expect("a head has room");
    let room = answered.payload.len();
    let judged = reply::check(&header, answered.used, UNIQUE, fixed, room);
    assert_eq!(judged, answered.model(fixed));
    match judged {
        Ok(tail) => take(operation, &answered, tail),
        Err(error) => {
            assert_told(&error);
            let want = match Refusal::from(error) {
                Refusal::Server(errno) => errno,
                Refusal::Fault(_) => Errno::EIO,
            };
            assert_eq!(error.errno(), want);
        }
    }
}

/// The head is valid: what the answer says, and what it did to the server.
fn take<O: Model>(operation: &O, answered: &Answered, tail: usize) {
    let fixed = &answered.reply[HEAD..];
    let want = O::expect(fixed, tail);
    let got = op::decode(operation, fixed, tail);
    if let Err(Refusal::Fault(fault)) = &got {
        assert_told(fault);
    }
    assert_eq!(got, want.map_err(Refusal::Fault));
    assert_eq!(O::undo(fixed), O::expect_undo(fixed));
    if fixed.last().is_some() {
        let short = op::decode(operation, &fixed[1..], tail);
        assert!(matches!(
            short,
            Err(Refusal::Fault(ReplyFault::Reply(Fault::Short { .. })))
        ));
    }
    O::tail(answered.payload.get(..tail).expect("the tail has room"));
}

impl Model for op::Lookup<'_> {
    fn expect(fixed: &[u8], _tail: usize) -> Result<attr::Lookup, ReplyFault> {
        let found = attributes::lookup(fixed).map_err(ReplyFault::Attr)?;
        if let attr::Lookup::Found(node) = &found {
            attributes::assert_sound(&node.attributes);
        }
        Ok(found)
    }

    fn expect_undo(fixed: &[u8]) -> Undo {
        match u64_at(fixed, 0) {
            0 | 1 => Undo::Nothing,
            nodeid => Undo::Forget(nodeid),
        }
    }
}

impl Model for op::Getattr {
    fn expect(fixed: &[u8], _tail: usize) -> Result<(Attributes, Timeout), ReplyFault> {
        let got = attributes::attr_out(fixed).map_err(ReplyFault::Attr)?;
        attributes::assert_sound(&got.0);
        Ok(got)
    }
}

impl Model for op::Statx {
    fn expect(fixed: &[u8], _tail: usize) -> Result<(Attributes, Timeout), ReplyFault> {
        let got = attributes::statx(fixed).map_err(ReplyFault::Attr)?;
        attributes::assert_sound(&got.0);
        Ok(got)
    }
}

impl Model for op::Readlink {
    fn expect(_fixed: &[u8], tail: usize) -> Result<usize, ReplyFault> {
        match tail {
            0 => Err(ReplyFault::EmptyLink),
            len => Ok(len),
        }
    }
}

impl Model for op::Statfs {
    fn expect(fixed: &[u8], _tail: usize) -> Result<Kstatfs, ReplyFault> {
        Ok(Kstatfs {
            blocks: u64_at(fixed, 0),
            bfree: u64_at(fixed, 8),
            bavail: u64_at(fixed, 16),
            files: u64_at(fixed, 24),
            ffree: u64_at(fixed, 32),
            bsize: u32_at(fixed, 40),
            namelen: u32_at(fixed, 44),
            frsize: u32_at(fixed, 48),
            padding: u32_at(fixed, 52),
            spare: std::array::from_fn(|index| u32_at(fixed, 56 + 4 * index)),
        })
    }
}

impl Model for op::Getlk {
    fn expect(fixed: &[u8], _tail: usize) -> Result<op::Lock, ReplyFault> {
        let lock = op::Lock {
            start: u64_at(fixed, 0),
            end: u64_at(fixed, 8),
            kind: u32_at(fixed, 16),
            pid: u32_at(fixed, 20),
        };
        let is_one = lock.kind < 2 && lock.start <= lock.end && lock.end >> 63 == 0;
        match is_one || lock.kind == 2 {
            true => Ok(lock),
            false => Err(ReplyFault::Lock),
        }
    }
}

impl Model for op::Ioctl<'_> {
    fn expect(fixed: &[u8], tail: usize) -> Result<(op::IoctlResult, usize), ReplyFault> {
        let (result, wants_more) = (u32_at(fixed, 0) as i32, u32_at(fixed, 4) & 4 != 0);
        match result {
            _ if wants_more => Err(ReplyFault::Ioctl),
            0.. => Ok((Ok(result as u32), tail)),
            -511..=-1 => Ok((Err(Errno::new(-result as u16).expect("is one")), tail)),
            _ => Err(ReplyFault::Ioctl),
        }
    }
}

/// Operations that open something.
macro_rules! opening {
    ($($name:ident, $undo:ident;)+) => {$(
        impl Model for op::$name {
            fn expect(fixed: &[u8], _tail: usize) -> Result<OpenOut, ReplyFault> {
                Ok(OpenOut {
                    fh: u64_at(fixed, 0),
                    open_flags: u32_at(fixed, 8),
                    backing_id: u32_at(fixed, 12) as i32,
                })
            }

            fn expect_undo(fixed: &[u8]) -> Undo {
                Undo::$undo(u64_at(fixed, 0))
            }
        }
    )+};
}

opening! {
    Open, Release;
    Opendir, Releasedir;
}

/// Operations whose answer is empty.
macro_rules! empty {
    ($($name:ident)+) => {$(
        impl Model for op::$name {
            fn expect(_fixed: &[u8], tail: usize) -> Result<(), ReplyFault> {
                let _ = tail;
                Ok(())
            }
        }
    )+};
}

empty!(Access Release Releasedir Fsyncdir);

/// Operations whose answer is what follows: `Name, undo, what is done with the bytes`.
macro_rules! tail {
    ($($name:ty, $undo:ident, $tail:expr;)+) => {$(
        impl Model for $name {
            fn expect(_fixed: &[u8], tail: usize) -> Result<usize, ReplyFault> {
                Ok(tail)
            }

            fn expect_undo(_fixed: &[u8]) -> Undo {
                Undo::$undo
            }

            fn tail(bytes: &[u8]) {
                let tail: fn(&[u8]) = $tail;
                tail(bytes)
            }
        }
    )+};
}

tail! {
    op::Read, Nothing, |_| ();
    op::Getxattr<'_>, Nothing, |_| ();
    op::Readdir, Nothing, dirents::check;
    op::Readdirplus, ForgetEntries, direntplus::check;
    op::Init, Nothing, |bytes| init::check(bytes, &OFFER);
}
