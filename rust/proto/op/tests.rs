// SPDX-License-Identifier: GPL-2.0

//! What operations look like on the wire.

extern crate std;

use super::*;
use crate::{
    attr,
    wire::{BatchForgetIn, EntryOut, OpenOut, ROOT_ID},
};
use std::{vec, vec::Vec};

const CALLER: Caller = Caller {
    unique: 6,
    uid: 1000,
    gid: 100,
    pid: 42,
};

fn encoded<O: Operation>(operation: &O) -> (InHeader, Vec<u8>) {
    let mut bytes = vec![0; encoded_len(operation)];
    encode(operation, &CALLER, &mut bytes).unwrap();
    let (header, rest) = InHeader::read_from_prefix(&bytes).unwrap();
    assert_eq!(header.len as usize, bytes.len());
    assert_eq!(header.opcode, O::OPCODE as u32);
    assert_eq!(
        (header.unique, header.uid, header.gid, header.pid),
        (6, 1000, 100, 42)
    );
    (header, rest.to_vec())
}

fn lookup(name: &[u8]) -> Lookup<'_> {
    Lookup { parent: 7, name }
}

fn entry(nodeid: u64) -> EntryOut {
    let mut entry = EntryOut {
        nodeid,
        ..EntryOut::default()
    };
    entry.attr.mode = 0o100_644;
    entry
}

#[test]
fn name_is_terminated() {
    let (header, rest) = encoded(&lookup(b"abc"));
    assert_eq!(header.nodeid, 7);
    assert_eq!(rest, b"abc\0");
}

#[test]
fn name_follows_the_body() {
    let (_, rest) = encoded(&Getxattr {
        nodeid: 3,
        name: b"user.x",
        size: 256,
    });
    assert_eq!(&rest[..4], &256_u32.to_ne_bytes());
    assert_eq!(&rest[8..], b"user.x\0");
}

#[test]
fn buffer_of_another_length_is_refused() {
    for len in [0, 39, 43, 45] {
        assert_eq!(
            encode(&lookup(b"abc"), &CALLER, &mut vec![0; len]),
            None,
            "{len}"
        );
    }
}

#[test]
fn lookup_is_judged() {
    let judge = |entry: EntryOut| decode(&lookup(b"x"), entry.as_bytes(), 0);
    assert!(matches!(judge(entry(9)), Ok(attr::Lookup::Found(node)) if node.nodeid == 9));
    assert!(matches!(judge(entry(0)), Ok(attr::Lookup::Negative(_))));
    let root = judge(entry(ROOT_ID));
    assert_eq!(root, Err(Refusal::Fault(ReplyFault::Attr(AttrFault::Root))));
    let mut odd = entry(9);
    odd.attr.mode = 0o644;
    assert!(matches!(
        judge(odd),
        Err(Refusal::Fault(ReplyFault::Attr(AttrFault::Type { .. })))
    ));
}

#[test]
fn fixed_part_must_be_complete() {
    let short = &entry(9).as_bytes()[..127].to_vec();
    assert!(matches!(
        decode(&lookup(b"x"), short, 0),
        Err(Refusal::Fault(ReplyFault::Reply(
            reply::Fault::Short { .. }
        )))
    ));
}

#[test]
fn empty_link_is_a_fault() {
    let readlink = Readlink { nodeid: 2 };
    assert_eq!(decode(&readlink, &[], 5), Ok(5));
    assert_eq!(
        decode(&readlink, &[], 0),
        Err(Refusal::Fault(ReplyFault::EmptyLink))
    );
}

#[test]
fn answers_are_undone() {
    assert_eq!(Lookup::undo(entry(9).as_bytes()), Undo::Forget(9));
    assert_eq!(Lookup::undo(entry(0).as_bytes()), Undo::Nothing);
    assert_eq!(Lookup::undo(entry(ROOT_ID).as_bytes()), Undo::Nothing);
    assert_eq!(Lookup::undo(&[0; 3]), Undo::Nothing);
    let open = OpenOut {
        fh: 5,
        ..OpenOut::default()
    };
    assert_eq!(Open::undo(open.as_bytes()), Undo::Release(5));
    assert_eq!(Opendir::undo(open.as_bytes()), Undo::Releasedir(5));
    assert_eq!(Read::undo(&[]), Undo::Nothing);
    assert_eq!(Readdirplus::undo(&[]), Undo::ForgetEntries);
}

fn nodes(count: u64) -> Vec<ForgetOne> {
    (0..count)
        .map(|nodeid| ForgetOne {
            nodeid: nodeid + 2,
            nlookup: 1,
        })
        .collect()
}

#[test]
fn one_forget_is_not_a_batch() {
    let mut buffer = [0; 320];
    assert_eq!(encode_forgets(&nodes(1), 46, 8, &mut buffer), (48, 1));
    let (header, _) = InHeader::read_from_prefix(&buffer).unwrap();
    assert_eq!(
        (header.opcode, header.nodeid, header.len),
        (Opcode::Forget as u32, 2, 48)
    );
}

#[test]
fn old_servers_get_one_forget_at_a_time() {
    assert_eq!(encode_forgets(&nodes(5), 15, 8, &mut [0; 320]), (48, 1));
}

#[test]
fn batch_takes_what_fits() {
    let mut buffer = [0; 320];
    let (len, count) = encode_forgets(&nodes(100), 46, 8, &mut buffer);
    assert_eq!((len, count), (320, 17));
    let (header, rest) = InHeader::read_from_prefix(&buffer).unwrap();
    assert_eq!(
        (header.opcode, header.len),
        (Opcode::BatchForget as u32, 320)
    );
    let (head, _) = BatchForgetIn::read_from_prefix(rest).unwrap();
    assert_eq!(head.count, 17);
    assert_eq!(encode_forgets(&[], 46, 8, &mut buffer), (0, 0));
    assert_eq!(encode_forgets(&nodes(1), 46, 8, &mut buffer[..40]), (0, 0));
}
