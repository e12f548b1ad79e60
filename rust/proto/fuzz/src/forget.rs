// SPDX-License-Identifier: GPL-2.0

//! Target `forget`: nodes to forget go out in messages of any size, each once and in order.

use crate::bytes::{u32_at, u64_at};
use arbitrary::Arbitrary;
use rfuse_proto::{
    forget::{self, Batch},
    op,
    wire::ForgetOne,
};

/// Length of a message's head.
const HEAD: usize = 40;

/// What memory holds that was not written.
const UNTOUCHED: u8 = 0xaa;

/// So many messages show what there is to see.
const MESSAGES: usize = 8;

/// What the fuzzer chooses.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    minor: u32,
    unique: u64,
    room: u16,
    /// 16 bytes a node.
    nodes: &'a [u8],
}

/// The target.
pub fn run(data: &[u8]) {
    let Some(input) = crate::input::<Input>(data) else {
        return;
    };
    let nodes = read_nodes(input.nodes);
    let room = usize::from(input.room) % 4200;
    drain(&nodes, input.minor, input.unique, room);
    check_fill(&nodes, room);
    check_batch(&nodes, room);
}

/// Sends messages until nothing is left, or there is no room for any, or enough were seen.
fn drain(nodes: &[ForgetOne], minor: u32, unique: u64, room: usize) {
    let mut told = Vec::new();
    let mut left = nodes;
    for _ in 0..MESSAGES {
        if left.is_empty() {
            break;
        }
        let mut buffer = vec![UNTOUCHED; room];
        let (len, count) = op::encode_forgets(left, minor, unique, &mut buffer);
        let batch = minor >= 16 && left.len() > 1;
        assert_eq!((len, count), model(left.len(), batch, room));
        if count == 0 {
            assert!(room < 64);
            return;
        }
        assert!(buffer[len..].iter().all(|&byte| byte == UNTOUCHED));
        told.extend(read(&buffer[..len], unique, batch));
        left = &left[count..];
    }
    assert_eq!(told, nodes[..nodes.len() - left.len()]);
    let nothing = op::encode_forgets(&[], minor, unique, &mut vec![0; room]);
    assert_eq!(nothing, (0, 0));
}

/// Length of a message, and nodes in it.
fn model(nodes: usize, batch: bool, room: usize) -> (usize, usize) {
    match (batch, room) {
        (false, 48..) => (48, 1),
        (true, 64..) => {
            let count = nodes.min((room - 48) / 16);
            (48 + 16 * count, count)
        }
        _ => (0, 0),
    }
}

/// What a server reads in a message.
fn read(message: &[u8], unique: u64, batch: bool) -> Vec<ForgetOne> {
    assert_eq!(u32_at(message, 0) as usize, message.len());
    assert_eq!(u32_at(message, 4), if batch { 42 } else { 2 });
    assert_eq!(u64_at(message, 8), unique);
    assert!(message[24..HEAD].iter().all(|&byte| byte == 0));
    if !batch {
        return vec![ForgetOne {
            nodeid: u64_at(message, 16),
            nlookup: u64_at(message, 40),
        }];
    }
    assert_eq!((u64_at(message, 16), u32_at(message, 44)), (0, 0));
    assert_eq!(
        u32_at(message, 40) as usize * 16,
        message.len() - HEAD - 8,
        "the count is the number of nodes"
    );
    read_nodes(&message[HEAD + 8..])
}

fn read_nodes(bytes: &[u8]) -> Vec<ForgetOne> {
    bytes
        .chunks_exact(16)
        .map(|node| ForgetOne {
            nodeid: u64_at(node, 0),
            nlookup: u64_at(node, 8),
        })
        .collect()
}

/// The body alone, filled at once.
fn check_fill(nodes: &[ForgetOne], room: usize) {
    let mut body = vec![UNTOUCHED; room];
    let fits = room.saturating_sub(8) / 16;
    assert_eq!(forget::capacity(room), fits);
    let (len, count) = forget::fill(nodes, &mut body);
    assert_eq!(count, nodes.len().min(fits));
    assert_eq!(len, if count == 0 { 0 } else { 8 + 16 * count });
    if count > 0 {
        assert_eq!(u32_at(&body, 0) as usize, count);
        assert_eq!(read_nodes(&body[8..len]), nodes[..count]);
    }
    assert!(body[len.max(8).min(room)..]
        .iter()
        .all(|&byte| byte == UNTOUCHED));
}

/// The body alone, filled node by node.
fn check_batch(nodes: &[ForgetOne], room: usize) {
    let mut body = vec![UNTOUCHED; room];
    let fits = forget::capacity(room);
    let Some(mut batch) = Batch::new(&mut body) else {
        assert_eq!(fits, 0);
        return;
    };
    for (index, node) in nodes.iter().enumerate() {
        assert_eq!(batch.is_full(), index >= fits);
        let pushed = batch.push(*node);
        assert_eq!(pushed, if index < fits { Ok(()) } else { Err(*node) });
        assert_eq!(batch.count() as usize, fits.min(index + 1));
    }
}
