// SPDX-License-Identifier: GPL-2.0

//! The client's own encoder, checks and parsers judge what the server says.

use std::collections::HashSet;

use rfuse_proto::attr::Lookup as Looked;
use rfuse_proto::dirent::{Dirents, DirentsPlus};
use rfuse_proto::flags::ATTR_SUBMOUNT;
use rfuse_proto::init::{Negotiated, Offer};
use rfuse_proto::op::{self, Caller, Operation, Range, Target};
use rfuse_proto::reply;
use rfuse_proto::wire::{ForgetOne, InitIn, OutHeader, KERNEL_VERSION, ROOT_ID};
use zerocopy::FromBytes;

use super::*;
use crate::content;

const PAGES: usize = 1 << 20;

/// The reply to an operation with room for `tail` bytes behind its fixed part; the tail's bytes too.
pub(super) fn ask<O: Operation>(
    server: &mut Server,
    operation: &O,
    tail: usize,
) -> Result<(O::Reply, Vec<u8>), i32> {
    let caller = Caller {
        unique: 8,
        owner: op::Owner { uid: 0, gid: 0 },
        pid: 1,
    };
    let mut message = vec![0; op::encoded_len(operation)];
    op::encode(operation, &caller, &mut message).unwrap();
    let fixed = op::fixed_reply_len::<O>();
    let request = Request::parse(&message, fixed + tail).unwrap();
    let Answer::Reply(answer) = server.answer(&request) else {
        panic!("no answer")
    };
    let (head, rest) = OutHeader::read_from_prefix(&answer).unwrap();
    let got = reply::check(&head, answer.len(), 8, fixed - HEAD, tail)
        .map_err(|error| i32::from(error.errno().get()))?;
    let reply = op::decode(operation, rest, got).ok().unwrap();
    Ok((reply, answer[fixed..].to_vec()))
}

pub(super) fn look(server: &mut Server, parent: u64, name: &[u8]) -> Result<u64, i32> {
    match ask(server, &op::Lookup { parent, name }, 0)?.0 {
        Looked::Found(node) => Ok(node.nodeid),
        Looked::Negative(_) => Ok(0),
    }
}

pub(super) fn open<O: Operation<Reply = rfuse_proto::wire::OpenOut>>(
    server: &mut Server,
    operation: &O,
) -> u64 {
    ask(server, operation, 0).unwrap().0.fh
}

/// Reads at an offset; the answer's bytes.
pub(super) fn range(nodeid: u64, fh: u64, offset: u64, size: usize) -> Range {
    Range {
        nodeid,
        fh,
        offset,
        size: size as u32,
        flags: 0,
    }
}

pub(super) fn forget(server: &mut Server, nodes: &[ForgetOne]) {
    let mut message = vec![0; 4096];
    let (len, count) = op::encode_forgets(nodes, 46, 2, &mut message);
    assert_eq!(count, nodes.len());
    let request = Request::parse(&message[..len], 0).unwrap();
    assert_eq!(server.answer(&request), Answer::Nothing);
}

pub(super) fn path(server: &mut Server, names: &[&str]) -> u64 {
    names.iter().fold(ROOT_ID, |parent, name| {
        look(server, parent, name.as_bytes()).unwrap()
    })
}

#[test]
fn init_is_settled_by_the_client() {
    let offer = Offer {
        flags: InitFlags::from_bits(u64::MAX >> 20).without(InitFlags::INIT_RESERVED),
        max_readahead: 1 << 20,
        max_pages_limit: 256,
    };
    let body = op::Init {
        offer: offer.body(),
    };
    let (len, bytes) = ask(&mut Server::new(Settings::default()), &body, 64).unwrap();
    let settled = Negotiated::from_reply(&bytes[..len], &offer).unwrap();
    assert_eq!((settled.minor, settled.max_pages), (46, 256));
    assert!(settled.flags.contains(InitFlags::READDIRPLUS_AUTO));
    assert!(!settled.flags.contains(InitFlags::WRITEBACK_CACHE));
}

#[test]
fn names() {
    let mut server = Server::new(Settings::default());
    let deep = path(&mut server, &["deep"]);
    let down = path(&mut server, &["deep", "down"]);
    assert_eq!(look(&mut server, down, b".."), Err(libc::EINVAL));
    assert_eq!(server.complaints().dots, 1);
    server.flags = InitFlags::EXPORT_SUPPORT;
    assert_eq!(look(&mut server, down, b".."), Ok(deep));
    assert_eq!(look(&mut server, down, b"."), Ok(down));
    assert_eq!(look(&mut server, ROOT_ID, b"none"), Err(libc::ENOENT));
    assert_eq!(look(&mut server, 1 << 40, b"none"), Err(libc::ESTALE));
    let link = path(&mut server, &["links", "dir"]);
    assert_eq!(look(&mut server, link, b"x"), Err(libc::ENOTDIR));
    assert_eq!(look(&mut server, link, b"."), Ok(link));
    assert_eq!(look(&mut server, 1 << 40, b"."), Err(libc::ESTALE));
    let (_, target) = ask(&mut server, &op::Readlink { nodeid: link }, 4096).unwrap();
    assert_eq!(target, b"../deep/down");
}

#[test]
fn a_whole_file_in_pieces() {
    let mut server = Server::new(Settings::default());
    let files = path(&mut server, &["files"]);
    let Kind::Dir(dir) = &server.tree.get(files).unwrap().kind else {
        panic!("not a directory");
    };
    for (_, nodeid) in dir.entries.clone().into_values() {
        let size = server.tree.get(nodeid).unwrap().size();
        let target = Target { nodeid, flags: 0 };
        let fh = open(&mut server, &op::Open(target));
        let mut all = Vec::new();
        while let (1.., bytes) = ask(
            &mut server,
            &op::Read(range(nodeid, fh, all.len() as u64, PAGES)),
            PAGES,
        )
        .unwrap()
        {
            all.extend(bytes);
        }
        assert_eq!(all.len() as u64, size);
        assert_eq!(all, content::read(nodeid, 0, all.len()));
    }
    assert_eq!(server.complaints(), Complaints::default());
}

#[test]
fn listings_are_complete_and_count_lookups() {
    let mut server = Server::new(Settings::default());
    let nodeid = path(&mut server, &["many"]);
    let target = Target { nodeid, flags: 0 };
    let fh = open(&mut server, &op::Opendir(target));
    let (mut offset, mut names, mut looked) = (0, HashSet::new(), Vec::new());
    loop {
        let asked = op::Readdirplus(range(nodeid, fh, offset, 16_384));
        let (_, bytes) = ask(&mut server, &asked, 16_384).unwrap();
        for entry in DirentsPlus::new(&bytes).map(Result::unwrap) {
            offset = entry.dirent.off;
            assert!(names.insert(entry.dirent.name.to_vec()));
            if !entry.dirent.is_dot() {
                looked.push(ForgetOne {
                    nodeid: entry.nodeid(),
                    nlookup: 1,
                });
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    let asked = op::Readdir(range(nodeid, fh, 0, PAGES));
    let (_, bytes) = ask(&mut server, &asked, PAGES).unwrap();
    let plain: HashSet<_> = Dirents::new(&bytes)
        .map(|entry| entry.unwrap().name.to_vec())
        .collect();
    assert_eq!((names.len(), &names), (3002, &plain));
    for some in looked.chunks(100) {
        forget(&mut server, some);
    }
    assert_eq!(server.complaints(), Complaints::default());
    forget(&mut server, &looked[..1]);
    assert_eq!(server.complaints().forgets, 1);
}

#[test]
fn handles_are_watched() {
    let mut server = Server::new(Settings::default());
    let nodeid = path(&mut server, &["hard"]);
    let target = Target { nodeid, flags: 0 };
    let fh = open(&mut server, &op::Opendir(target));
    ask(
        &mut server,
        &op::Readdir(range(nodeid, fh + 1, 0, 4096)),
        4096,
    )
    .unwrap();
    assert_eq!(server.complaints().handles, 1);
    ask(&mut server, &op::Destroy, 0).unwrap();
    assert_eq!(server.complaints().unreleased, 1);
}

#[test]
fn what_is_lacking_needs_no_handle() {
    let settings = Settings {
        lacks: vec![Opcode::Open, Opcode::Statx],
        ..Settings::default()
    };
    let mut server = Server::new(settings);
    // The last of the files that are made up.
    let nodeid = server.tree.len() - 1;
    let statx = op::Statx { nodeid, fh: None };
    assert_eq!(ask(&mut server, &statx, 0).err(), Some(libc::ENOSYS));
    let read = op::Read(range(nodeid, 0, 0, 4096));
    assert_eq!(ask(&mut server, &read, 4096).unwrap().0, 10);
    assert_eq!(server.complaints(), Complaints::default());
}

#[test]
fn lookups_are_due_before_the_next_init() {
    let mut server = Server::new(Settings::default());
    let init = op::Init {
        offer: InitIn {
            major: KERNEL_VERSION,
            ..InitIn::default()
        },
    };
    let nodeid = path(&mut server, &["hard"]);
    path(&mut server, &["hard"]);
    ask(&mut server, &op::Destroy, 0).unwrap();
    forget(&mut server, &[ForgetOne { nodeid, nlookup: 1 }]);
    assert_eq!(server.complaints().unforgotten, 0);
    ask(&mut server, &init, 64).unwrap();
    assert_eq!(server.complaints().unforgotten, 1);
    // Without DESTROY the device was reset, and nothing is due.
    path(&mut server, &["hard"]);
    ask(&mut server, &init, 64).unwrap();
    assert_eq!(server.complaints().unforgotten, 1);
}

#[test]
fn attributes_of_both_kinds_agree() {
    let mut server = Server::new(Settings::default());
    for nodeid in 1..60 {
        let fh = None;
        let attr = ask(&mut server, &op::Getattr { nodeid, fh }, 0)
            .unwrap()
            .0
             .0;
        let statx = ask(&mut server, &op::Statx { nodeid, fh }, 0).unwrap().0 .0;
        assert_eq!(
            (attr.mode, attr.size, attr.mtime, attr.nlink, attr.rdev),
            (statx.mode, statx.size, statx.mtime, statx.nlink, statx.rdev)
        );
        assert!(statx.is_complete() && statx.btime.is_some());
    }
}

#[test]
fn submounts_are_told_to_those_who_know_them() {
    let features = Features {
        submounts: true,
        ..Features::default()
    };
    for (settled, flags) in [(InitFlags::NONE, 0), (InitFlags::SUBMOUNTS, ATTR_SUBMOUNT)] {
        let mut server = Server::new(Settings {
            features: features.clone(),
            ..Settings::default()
        });
        server.flags = settled;
        for (names, wanted) in [
            (&["sub"][..], flags),
            (&["sub", "inner"], flags),
            (&["sub", "plain"], 0),
        ] {
            let nodeid = path(&mut server, names);
            assert_eq!(server.entry(nodeid).unwrap().attr.flags, wanted);
        }
    }
}

#[test]
fn extended_attributes() {
    let mut server = Server::new(Settings::default());
    let dir = path(&mut server, &["xattrs"]);
    let last = server.dir(dir).unwrap().entries[&5].1;
    let mut get = |name: &[u8], size: u32| {
        let asked = op::Getxattr {
            nodeid: last,
            name,
            size,
        };
        Ok::<_, i32>(ask(&mut server, &asked, 4096)?.1)
    };
    assert_eq!(
        get(b"user.attribute-2", 0).unwrap()[..4],
        148_u32.to_ne_bytes()
    );
    assert_eq!(get(b"user.attribute-2", 148).unwrap().len(), 148);
    assert_eq!(get(b"user.attribute-2", 147), Err(libc::ERANGE));
    assert_eq!(get(b"user.none", 147), Err(libc::ENODATA));
    assert_eq!(get(b"system.posix_acl_access", 4096).unwrap().len(), 44);
}
