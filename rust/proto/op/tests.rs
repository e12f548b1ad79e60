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
    owner: Owner {
        uid: 1000,
        gid: 100,
    },
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
    let up = decode(&lookup(b".."), entry(ROOT_ID).as_bytes(), 0);
    assert!(matches!(up, Ok(attr::Lookup::Found(node)) if node.nodeid == ROOT_ID));
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

fn at(name: &[u8]) -> NewName<'_> {
    NewName {
        parent: 7,
        name,
        owner: None,
        extensions: Extensions::NONE,
    }
}

#[test]
fn two_names_are_terminated() {
    let (header, rest) = encoded(&Symlink {
        at: at(b"link"),
        target: b"to",
    });
    assert_eq!((header.nodeid, header.total_extlen), (7, 0));
    assert_eq!(rest, b"link\0to\0");
    let name = |parent, name| OldName { parent, name };
    let (header, rest) = encoded(&Rename2 {
        names: Move {
            from: name(3, b"a"),
            to: name(4, b"bc"),
        },
        flags: 2,
        owner: None,
    });
    assert_eq!(header.nodeid, 3);
    assert_eq!(rest[..8], 4_u64.to_ne_bytes());
    assert_eq!(rest[8..12], 2_u32.to_ne_bytes());
    assert_eq!(&rest[16..], b"a\0bc\0");
}

#[test]
fn values_are_not_terminated() {
    let set = |extended| Setxattr {
        nodeid: 3,
        name: b"user.x",
        value: b"v\0w",
        flags: 1,
        extended,
    };
    assert_eq!(&encoded(&set(Some(1))).1[16..], b"user.x\0v\0w");
    let (_, short) = encoded(&set(None));
    assert_eq!(&short[8..], b"user.x\0v\0w");
    assert_eq!(short[..4], 3_u32.to_ne_bytes());
}

#[test]
fn owner_and_extensions_are_those_of_the_new_node() {
    let mkdir = Mkdir {
        at: NewName {
            owner: Some(Owner { uid: 5, gid: 6 }),
            extensions: Extensions {
                group: Some(1000),
                ..Extensions::NONE
            },
            ..at(b"dir")
        },
        mode: 0o040_755,
        umask: 0,
    };
    let mut bytes = vec![0; encoded_len(&mkdir)];
    encode(&mkdir, &CALLER, &mut bytes).unwrap();
    let (header, rest) = InHeader::read_from_prefix(&bytes).unwrap();
    assert_eq!((header.uid, header.gid, header.pid), (5, 6, 42));
    assert_eq!(header.total_extlen, 2);
    assert_eq!(rest[..4], 0o755_u32.to_ne_bytes());
    let extension = [16_u32, 32, 1, 1000].map(u32::to_ne_bytes).concat();
    assert_eq!(&rest[8..], [b"dir\0", &extension[..]].concat());
}

#[test]
fn data_counts_in_the_header() {
    let write = Write {
        nodeid: 3,
        fh: 4,
        offset: 5,
        size: 100,
        write_flags: 0,
        lock_owner: 0,
        flags: 0,
    };
    let mut bytes = vec![0; encoded_len(&write)];
    encode(&write, &CALLER, &mut bytes).unwrap();
    let (header, _) = InHeader::read_from_prefix(&bytes).unwrap();
    assert_eq!(header.len as usize, bytes.len() + 100);
    let answer = |size| {
        let out = crate::wire::WriteOut { size, padding: 0 };
        decode(&write, out.as_bytes(), 0)
    };
    assert_eq!(answer(100), Ok(100));
    assert_eq!(answer(0), Ok(0));
    let fault = ReplyFault::Moved {
        got: 101,
        asked: 100,
    };
    assert_eq!(answer(101), Err(Refusal::Fault(fault)));
    assert_eq!(Write::moved(&7_u64.to_ne_bytes(), 0), 7);
}

#[test]
fn what_was_made_must_be_what_was_asked_for() {
    let mkdir = Mkdir {
        at: at(b"dir"),
        mode: 0o755,
        umask: 0,
    };
    assert!(matches!(
        decode(&mkdir, entry(9).as_bytes(), 0),
        Err(Refusal::Fault(ReplyFault::Attr(
            AttrFault::TypeChanged { .. }
        )))
    ));
    assert_eq!(Mkdir::undo(entry(9).as_bytes()), Undo::Forget(9));
    let made = crate::wire::CreateOut {
        entry: entry(9),
        open: OpenOut {
            fh: 5,
            ..OpenOut::default()
        },
    };
    let undo = Undo::ReleaseAndForget { nodeid: 9, fh: 5 };
    assert_eq!(Create::undo(made.as_bytes()), undo);
}

#[test]
fn lists_of_names_are_judged() {
    for good in [&b""[..], b"a\0", b"user.a\0user.b\0"] {
        assert_eq!(check_list(good), Ok(()));
    }
    for bad in [&b"\0"[..], b"a", b"a\0b", b"a\0\0", b"\0a\0"] {
        assert_eq!(check_list(bad), Err(ReplyFault::XattrList), "{bad:?}");
    }
}

#[test]
fn positions_and_locks_are_judged() {
    let lseek = Lseek {
        nodeid: 3,
        fh: 4,
        offset: 0,
        whence: 3,
    };
    assert_eq!(decode(&lseek, &7_u64.to_ne_bytes(), 0), Ok(7));
    assert!(decode(&lseek, &u64::MAX.to_ne_bytes(), 0).is_err());
    let bmap = Bmap {
        nodeid: 3,
        block: 7,
        blocksize: 512,
    };
    assert_eq!(decode(&bmap, &107_u64.to_ne_bytes(), 0), Ok(107));
    assert_eq!(
        encoded(&bmap).1,
        [7_u64.to_ne_bytes(), 512_u64.to_ne_bytes()].concat()
    );
    let lock = Lock {
        start: 0,
        end: 9,
        kind: F_WRLCK,
        pid: 1,
    };
    let getlk = Getlk(LockRequest {
        nodeid: 3,
        fh: 4,
        owner: 5,
        lock,
        flags: 0,
    });
    let answer = |start, end, type_| {
        let lk = crate::wire::FileLock {
            start,
            end,
            type_,
            pid: 1,
        };
        decode(&getlk, crate::wire::LkOut { lk }.as_bytes(), 0)
    };
    assert_eq!(answer(0, 9, F_WRLCK), Ok(lock));
    assert!(answer(9, 0, F_RDLCK).is_err());
    assert!(answer(0, u64::MAX, F_RDLCK).is_err());
    assert!(answer(0, 9, 7).is_err());
    assert!(answer(9, 0, F_UNLCK).is_ok());
}

#[test]
fn setattr_says_what_counts() {
    let time = attr::Time { sec: -1, nsec: 5 };
    let (_, rest) = encoded(&Setattr {
        nodeid: 3,
        fh: Some(4),
        size: Some(10),
        mtime: Some(SetTime::Now(time)),
        ..Setattr::default()
    });
    let valid = crate::flags::FATTR_FH
        | crate::flags::FATTR_SIZE
        | crate::flags::FATTR_MTIME
        | crate::flags::FATTR_MTIME_NOW;
    assert_eq!(rest[..4], valid.to_ne_bytes());
    assert_eq!(rest.len(), 88);
}
