// SPDX-License-Identifier: GPL-2.0

//! Inputs to begin with: what honest servers answer, so that the fuzzer finds the deeper faults soon.

use crate::{
    bytes::Message,
    init::{MAJOR, MINOR},
    reply::{HONEST_LENGTH, HONEST_UNIQUE, LYING_DEVICE, SUCCESS},
};

/// The inputs of a target; none for one that does not exist.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "reply" => reply(),
        "dirents" => from_positions(&[plain(), names(), stuck(&[])]),
        "direntplus" => from_positions(&[plus(), stuck(&[0; 128])]),
        "init" => init(),
        "forget" => forget(),
        "notify" => notify(),
        "request" => request(),
        _ => Vec::new(),
    }
}

/// `struct fuse_attr` with a mode.
fn attr(mode: u32) -> Message {
    let times = Message::new().u64(1 << 30).u64(1 << 31).u64(u64::MAX);
    Message::new()
        .u64(77)
        .u64(4097)
        .u64(16)
        .bytes(&times.u32(1).u32(999_999_999).u32(1 << 30).done())
        .u32(mode)
        .u32(1)
        .u32(1000)
        .u32(100)
        .u32(0x0801)
        .u32(4096)
        .u32(0)
}

/// `struct fuse_entry_out` of a node.
fn entry(nodeid: u64) -> Vec<u8> {
    let head = Message::new().u64(nodeid).u64(3).u64(1).u64(u64::MAX);
    head.u32(5).u32(6).bytes(&attr(0o100_644).done()).done()
}

fn statx() -> Vec<u8> {
    let time = Message::new().u64(1 << 30).u32(7).u32(0).done();
    let stat = Message::new()
        .u32(0xfff)
        .u32(512)
        .u64(0)
        .u32(1)
        .u32(1000)
        .u32(100);
    let stat = stat.u16(0o040_755).u16(0).u64(9).u64(4096).u64(8).u64(0);
    let stat = stat
        .bytes(&time.repeat(4))
        .u32(8)
        .u32(1)
        .u32(254)
        .u32(0)
        .zeros(112);
    let head = Message::new().u64(1).u32(2).u32(0).zeros(16);
    head.bytes(&stat.done()).done()
}

/// A record of READDIR, or with a lookup before it of READDIRPLUS.
fn record(lookup: &[u8], off: u64, name: &[u8]) -> Vec<u8> {
    Message::new()
        .bytes(lookup)
        .u64(off.wrapping_add(100))
        .u64(off)
        .u32(name.len() as u32)
        .u32(8)
        .bytes(name)
        .padded()
        .done()
}

fn plain() -> Vec<u8> {
    let mut bytes = [record(&[], 1, b"."), record(&[], 2, b"..")].concat();
    bytes.extend(record(&[], 3, b"12345678"));
    bytes.extend(record(&[], u64::MAX, b"end"));
    bytes
}

/// Names of all lengths around the limits, and one that is no name.
fn names() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (off, len) in (1..).zip([1, 7, 8, 9, 255, 4095]) {
        bytes.extend(record(&[], off, &vec![b'n'; len]));
    }
    bytes.extend(record(&[], 7, b"a/b"));
    bytes
}

/// Two records with the same offset.
fn stuck(lookup: &[u8]) -> Vec<u8> {
    [record(lookup, 5, b"a"), record(lookup, 5, b"b")].concat()
}

fn plus() -> Vec<u8> {
    let nodes = [
        (0, "."),
        (2, ".."),
        (7, "a"),
        (0, "none"),
        (1, "root"),
        (7, "b/d"),
        (9, "c"),
    ];
    let records = (1..).zip(nodes);
    records
        .flat_map(|(off, (nodeid, name))| record(&entry(nodeid), off, name.as_bytes()))
        .collect()
}

/// Listings from their start, from the second record, and after its offset.
fn from_positions(listings: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let from = |position, before, listing: &Vec<u8>| {
        let head = Message::new().u16(position).bytes(&[before]);
        head.bytes(listing).done()
    };
    let positions = [(0, 0), (32, 1), (160, 5)];
    listings
        .iter()
        .flat_map(|listing| positions.map(|(at, before)| from(at, before, listing)))
        .collect()
}

/// Room for what follows the fixed part of an answer.
const ROOM: u16 = 4096;

/// An answer with a head to be repaired, as `mode` says.
fn answer(operation: u8, mode: u8, error: i32, body: &[u8]) -> Vec<u8> {
    claimed(operation, mode, 0, error, body)
}

/// As [`answer`], of which the device claims a length.
fn claimed(operation: u8, mode: u8, claim: u32, error: i32, body: &[u8]) -> Vec<u8> {
    let head = Message::new().bytes(&[operation, mode]).u16(ROOM);
    let head = head.u32(claim).u32(0).u32(error as u32).u64(0);
    head.bytes(body).done()
}

/// Answers to all operations, by their numbers in the target.
fn reply() -> Vec<Vec<u8>> {
    let honest = HONEST_LENGTH | HONEST_UNIQUE;
    let attr_out = Message::new().u64(1).u32(2).u32(0);
    let attr_out = attr_out.bytes(&attr(0o040_755).done()).done();
    let open = Message::new().u64(33).u32(1).u32(0).done();
    let bodies = [
        entry(7),
        attr_out,
        statx(),
        b"../target".to_vec(),
        vec![],
        vec![1; 80],
        open.clone(),
        open,
        vec![],
        vec![],
        vec![b'x'; 64],
        plain(),
        plus(),
        vec![],
        b"value".to_vec(),
        Message::new().u64(3).u64(9).u32(1).u32(42).done(),
        Message::new().u32(5).u32(0).u64(0).u32(7).done(),
        init_answer(),
    ];
    let mut seeds = Vec::new();
    for (operation, body) in (0..).zip(&bodies) {
        seeds.push(answer(operation, honest | SUCCESS, 0, body));
    }
    seeds.push(answer(0, honest | SUCCESS, 0, &entry(0)));
    seeds.push(answer(0, honest | SUCCESS, 0, &entry(1)));
    seeds.push(answer(0, honest, -2, &[]));
    seeds.push(answer(0, honest, -2, &[0]));
    seeds.push(answer(0, honest, -512, &[]));
    let lying = honest | SUCCESS | LYING_DEVICE;
    let most = 16 + u32::from(ROOM);
    for claim in [0, 15, 20, most, most + 1, u32::MAX] {
        seeds.push(claimed(3, lying, claim, 0, b"lie"));
    }
    seeds
}

/// `struct fuse_init_out` as `virtiofsd` has it.
fn init_answer() -> Vec<u8> {
    let bits = [0, 13, 14, 18, 20, 22, 26, 30];
    let flags = bits.iter().fold(0_u32, |flags, bit| flags | (1 << bit));
    let head = Message::new().u32(7).u32(46).u32(1 << 20).u32(flags);
    let limits = head.u16(0).u16(0).u32(1 << 20).u32(1).u16(256).u16(21);
    limits.u32(1 << 5).u32(1).u16(60).zeros(22).done()
}

fn init() -> Vec<Vec<u8>> {
    let full = init_answer();
    let offer = |mode: u8, flags: u64, answer: &[u8]| {
        let head = Message::new().bytes(&[mode]).u64(flags);
        head.u32(1 << 22).u16(128).bytes(answer).done()
    };
    let mut seeds: Vec<_> = [8, 24, 40, 64]
        .map(|len| offer(MAJOR, u64::MAX, &full[..len]))
        .into();
    seeds.push(offer(MAJOR | MINOR, 0xffff_ffff, &full));
    for minor in [0_u32, 4, 5, 6, 8, 9, 12, 13, 16, 17, 23, 45] {
        let mut old = full.clone();
        old[4..8].copy_from_slice(&minor.to_ne_bytes());
        seeds.push(offer(MAJOR, u64::MAX, &old));
    }
    seeds
}

/// One of each notification.
fn notify() -> Vec<Vec<u8>> {
    let told = |code: u8, body: Message| {
        let head = Message::new().bytes(&[code]).u16(255);
        head.bytes(&body.done()).done()
    };
    let named = Message::new().u64(1).u32(3).u32(1).bytes(b"abc\0");
    let deleted = Message::new().u64(1).u64(2).u32(3).u32(0).bytes(b"abc\0");
    let stored = Message::new()
        .u64(2)
        .u64(4096)
        .u32(5)
        .u32(0)
        .bytes(b"12345");
    let pruned = Message::new().u32(2).u32(0).u64(0).u64(5).u64(6);
    vec![
        told(1, Message::new().u64(1)),
        told(2, Message::new().u64(2).u64(0).u64(4096)),
        told(3, named),
        told(4, stored),
        told(5, Message::new().u64(9).u64(2).u64(0).u32(100).u32(0)),
        told(6, deleted),
        told(7, Message::new()),
        told(8, Message::new()),
        told(9, pruned),
    ]
}

fn forget() -> Vec<Vec<u8>> {
    let nodes = |minor, room, count: u64| {
        let head = Message::new().u32(minor).u64(8).u16(room);
        (0..count)
            .fold(head, |message, node| message.u64(node + 2).u64(1))
            .done()
    };
    vec![
        nodes(46, 320, 1),
        nodes(46, 320, 40),
        nodes(15, 320, 3),
        nodes(46, 4096, 256),
        nodes(46, 64, 3),
        nodes(46, 63, 2),
    ]
}

fn request() -> Vec<Vec<u8>> {
    let of = |operation: u8, name: &[u8]| {
        let head = Message::new().bytes(&[operation]).u64(6).u32(1000).u32(100);
        let head = head.u32(42).u64(7).u64(33).bytes(&[1]).u64(4096).u32(512);
        head.u32(0o100_000).u16(48).bytes(name).done()
    };
    let long = vec![b'n'; 4095];
    let short: &[u8] = b"user.name";
    let mut seeds: Vec<_> = (0..4).map(|operation| of(operation, short)).collect();
    seeds.push(of(0, &long));
    seeds.push(of(0, b""));
    seeds
}
