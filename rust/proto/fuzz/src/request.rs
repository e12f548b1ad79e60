// SPDX-License-Identifier: GPL-2.0

//! Target `request`: what goes out for every operation, with any numbers and names in it, is what the
//! UAPI header says, and only memory of exactly its length is written.

use crate::bytes::Message;
use arbitrary::Arbitrary;
use rfuse_proto::{
    flags::InitFlags,
    init::Offer,
    op::{self, Caller, Operation},
};

/// What the fuzzer chooses.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    operation: u8,
    unique: u64,
    uid: u32,
    gid: u32,
    pid: u32,
    nodeid: u64,
    fh: u64,
    with_fh: bool,
    offset: u64,
    size: u32,
    flags: u32,
    /// Length of memory that is not the message's.
    room: u16,
    name: &'a [u8],
}

/// The target.
pub fn run(data: &[u8]) {
    let Some(input) = crate::input::<Input>(data) else {
        return;
    };
    match input.operation % 4 {
        0 => named(&input),
        1 => of_nodes(&input),
        2 => of_handles(&input),
        _ => of_sessions(&input),
    }
}

/// Operations with a name.
fn named(input: &Input<'_>) {
    let &Input {
        nodeid, name, size, ..
    } = input;
    let lookup = op::Lookup {
        parent: nodeid,
        name,
    };
    expect(
        input,
        &lookup,
        1,
        nodeid,
        Message::new().bytes(name).zeros(1),
    );
    let getxattr = op::Getxattr { nodeid, name, size };
    let body = Message::new().u32(size).u32(0).bytes(name).zeros(1);
    expect(input, &getxattr, 22, nodeid, body);
}

/// Operations on nodes.
fn of_nodes(input: &Input<'_>) {
    let nodeid = input.nodeid;
    let fh = input.with_fh.then_some(input.fh);
    let with = Message::new()
        .u32(fh.is_some().into())
        .u32(0)
        .u64(fh.unwrap_or(0));
    expect(input, &op::Getattr { nodeid, fh }, 3, nodeid, with.clone());
    let statx = op::Statx { nodeid, fh };
    expect(input, &statx, 52, nodeid, with.u32(0).u32(0xfff));
    let mask = input.flags;
    let body = Message::new().u32(mask).u32(0);
    expect(input, &op::Access { nodeid, mask }, 34, nodeid, body);
    let empty = Message::new;
    expect(input, &op::Readlink { nodeid }, 5, nodeid, empty());
    expect(input, &op::Statfs { nodeid }, 17, nodeid, empty());
}

/// Operations on what is open.
fn of_handles(input: &Input<'_>) {
    let &Input {
        nodeid,
        fh,
        offset,
        size,
        flags,
        ..
    } = input;
    let target = op::Target { nodeid, flags };
    let body = Message::new().u32(flags).u32(0);
    expect(input, &op::Open(target), 14, nodeid, body.clone());
    expect(input, &op::Opendir(target), 27, nodeid, body);
    let handle = op::Handle {
        nodeid,
        fh,
        flags,
        flock_owner: None,
    };
    let body = Message::new().u64(fh).u32(flags).u32(0).u64(0);
    expect(input, &op::Release(handle), 18, nodeid, body.clone());
    expect(input, &op::Releasedir(handle), 29, nodeid, body);
    let range = op::Range {
        nodeid,
        fh,
        offset,
        size,
        flags,
    };
    let body = Message::new().u64(fh).u64(offset).u32(size).u32(0).u64(0);
    let body = body.u32(flags).u32(0);
    expect(input, &op::Read(range), 15, nodeid, body.clone());
    expect(input, &op::Readdir(range), 28, nodeid, body.clone());
    expect(input, &op::Readdirplus(range), 44, nodeid, body);
    let body = Message::new().u64(fh).u32(flags).u32(0);
    expect(
        input,
        &op::Fsyncdir(op::SyncTarget { nodeid, fh, flags }),
        30,
        nodeid,
        body,
    );
}

/// Operations on the connection.
fn of_sessions(input: &Input<'_>) {
    let bits = u64::from(input.flags);
    let offer = Offer {
        flags: InitFlags::from_bits(bits),
        max_readahead: input.size,
        max_pages_limit: 1,
    };
    let init = op::Init {
        offer: offer.body(),
    };
    let body = Message::new().u32(7).u32(46).u32(input.size);
    let body = body.u32(input.flags).u32(0).zeros(44);
    expect(input, &init, 26, 0, body);
    expect(input, &op::Destroy, 38, 0, Message::new());
}

/// Encodes `operation`, and compares with its opcode, node and what follows the head.
fn expect<O: Operation>(input: &Input<'_>, operation: &O, opcode: u32, nodeid: u64, body: Message) {
    let body = body.done();
    let want = Message::new()
        .u32(40 + body.len() as u32)
        .u32(opcode)
        .u64(input.unique)
        .u64(nodeid)
        .u32(input.uid)
        .u32(input.gid)
        .u32(input.pid)
        .u32(0)
        .bytes(&body)
        .done();
    assert_eq!(op::encoded_len(operation), want.len());
    assert_eq!(O::OPCODE as u32, opcode);
    let caller = Caller {
        unique: input.unique,
        owner: op::Owner {
            uid: input.uid,
            gid: input.gid,
        },
        pid: input.pid,
    };
    let mut buffer = vec![0; want.len()];
    assert_eq!(op::encode(operation, &caller, &mut buffer), Some(()));
    assert_eq!(buffer, want);
    let room = usize::from(input.room);
    if room != want.len() {
        assert_eq!(op::encode(operation, &caller, &mut vec![0; room]), None);
    }
}
