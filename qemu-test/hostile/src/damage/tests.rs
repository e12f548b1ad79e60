// SPDX-License-Identifier: GPL-2.0

//! That every damage is one, and that it can be repeated.

use std::collections::{BTreeSet, HashSet};

use rfuse_proto::op::F_WRLCK;
use rfuse_proto::wire::{
    AccessIn, CopyFileRangeIn, CreateIn, FileLock, ForgetIn, GetxattrIn, InHeader, InitIn, IoctlIn,
    LkIn, LseekIn, MkdirIn, Opcode, OpenIn, ReadIn, SetattrIn, WriteIn, KERNEL_VERSION,
};
use zerocopy::{Immutable, IntoBytes};

use super::kinds::{find, To};
use super::*;
use crate::delivery::{Receipt, Timing};
use crate::request::HEAD;
use crate::server::{Answer, Features, Server, Settings};

/// A request with room for its answer, and the right answer.
struct Sample {
    message: Vec<u8>,
    room: usize,
    right: Vec<u8>,
}

impl Sample {
    fn request(&self) -> Request<'_> {
        Request::parse(&self.message, self.room).unwrap()
    }

    fn content(&self) -> &[u8] {
        &self.right[HEAD..]
    }
}

fn sample(
    server: &mut Server,
    opcode: Opcode,
    nodeid: u64,
    body: &(impl IntoBytes + Immutable + ?Sized),
    room: usize,
) -> Sample {
    let header = InHeader {
        len: (size_of::<InHeader>() + size_of_val(body)) as u32,
        opcode: opcode.raw(),
        unique: 77,
        nodeid,
        ..InHeader::default()
    };
    let message = [header.as_bytes(), body.as_bytes()].concat();
    let request = Request::parse(&message, HEAD + room).unwrap();
    let Answer::Reply(right) = server.answer(&request) else {
        panic!("no answer")
    };
    assert!(right.len() <= HEAD + room, "{opcode} has no room");
    Sample {
        room: HEAD + room,
        message,
        right,
    }
}

fn reading(size: u32) -> ReadIn {
    ReadIn {
        size,
        ..ReadIn::default()
    }
}

/// An answer of every shape.
fn samples() -> Vec<Sample> {
    let mut server = Server::new(Settings::default());
    let server = &mut server;
    let offer = InitIn {
        major: KERNEL_VERSION,
        flags: u32::MAX,
        ..InitIn::default()
    };
    let (files, file, many, links, link) = (2, 20, 22, 3069, 3070);
    let getxattr = GetxattrIn::default();
    let mut all = vec![
        sample(server, Opcode::Init, 0, &offer, 64),
        sample(server, Opcode::Lookup, 1, b"files\0", 128),
        sample(server, Opcode::Lookup, 1, b"links\0", 128),
        sample(server, Opcode::Lookup, 1, b"none\0", 128),
        sample(server, Opcode::Getattr, file, &[0_u64; 2], 104),
        sample(server, Opcode::Statx, file, &[0_u64; 3], 288),
        sample(server, Opcode::Access, file, &AccessIn::default(), 0),
        sample(server, Opcode::Statfs, 1, b"", 80),
        sample(server, Opcode::Readlink, link, b"", 4096),
        sample(server, Opcode::Open, file, &OpenIn::default(), 16),
        sample(server, Opcode::Read, file, &reading(4096), 4096),
        sample(server, Opcode::Read, file, &reading(1 << 17), 1 << 17),
        sample(server, Opcode::Read, files + 2, &reading(4096), 4096),
        sample(server, Opcode::Release, file, &[0_u64; 3], 0),
        sample(server, Opcode::Opendir, many, &OpenIn::default(), 16),
        sample(server, Opcode::Readdir, many, &reading(4096), 4096),
        sample(server, Opcode::Readdir, links, &reading(4096), 4096),
        sample(server, Opcode::Readdirplus, many, &reading(32_768), 32_768),
        sample(server, Opcode::Readdirplus, links, &reading(4096), 4096),
        sample(server, Opcode::Listxattr, file, &getxattr, 8),
        sample(server, Opcode::Destroy, 0, b"", 0),
    ];
    all.extend(changes(server));
    all.extend(features());
    all
}

/// Answers that only a server has which can do more.
fn features() -> Vec<Sample> {
    let mut server = Server::new(Settings {
        features: Features {
            locks: true,
            export: true,
            ioctl: true,
            ..Features::default()
        },
        ..Settings::default()
    });
    let server = &mut server;
    let offer = InitIn {
        major: KERNEL_VERSION,
        flags: u32::MAX,
        ..InitIn::default()
    };
    let (files, file) = (2, 20);
    let lock = |owner| LkIn {
        owner,
        lk: FileLock {
            end: 100,
            type_: F_WRLCK,
            ..FileLock::default()
        },
        ..LkIn::default()
    };
    // A command that answers with eight bytes.
    let number = IoctlIn {
        cmd: 0x8008_7203,
        out_size: 8,
        ..IoctlIn::default()
    };
    vec![
        sample(server, Opcode::Init, 0, &offer, 64),
        sample(server, Opcode::Lookup, file, b".\0", 128),
        sample(server, Opcode::Lookup, files, b"..\0", 128),
        sample(server, Opcode::Setlk, file, &lock(1), 0),
        sample(server, Opcode::Getlk, file, &lock(2), 24),
        sample(server, Opcode::Ioctl, file, &number, 24),
        sample(server, Opcode::Ioctl, file, &number, 4112),
    ]
}

/// A body and what follows it.
fn with(body: &(impl IntoBytes + Immutable), rest: &[u8]) -> Vec<u8> {
    [body.as_bytes(), rest].concat()
}

/// Answers to what makes something and changes it.
fn changes(server: &mut Server) -> Vec<Sample> {
    let rw = server.nodes();
    let file = rw + 1;
    let (create, mkdir) = (CreateIn::default(), MkdirIn::default());
    let write = WriteIn {
        size: 100,
        ..WriteIn::default()
    };
    let copy = CopyFileRangeIn {
        nodeid_out: file,
        off_out: 100,
        len: 100,
        ..CopyFileRangeIn::default()
    };
    let seek = LseekIn {
        whence: libc::SEEK_HOLE as u32,
        ..LseekIn::default()
    };
    let list = GetxattrIn {
        size: 256,
        ..GetxattrIn::default()
    };
    vec![
        sample(
            server,
            Opcode::Create,
            rw,
            &with(&create, b"file\0")[..],
            144,
        ),
        sample(server, Opcode::Mkdir, rw, &with(&mkdir, b"dir\0")[..], 128),
        sample(server, Opcode::Symlink, rw, &b"link\0target\0"[..], 128),
        sample(server, Opcode::Setattr, file, &SetattrIn::default(), 104),
        sample(server, Opcode::Write, file, &with(&write, &[7; 100])[..], 8),
        sample(server, Opcode::CopyFileRange, file, &copy, 8),
        sample(server, Opcode::CopyFileRange64, file, &copy, 8),
        sample(server, Opcode::Lseek, file, &seek, 8),
        sample(
            server,
            Opcode::Setxattr,
            file,
            &b"\x01\0\0\0\0\0\0\0user.x\0y"[..],
            0,
        ),
        sample(server, Opcode::Listxattr, file, &list, 256),
        sample(server, Opcode::Unlink, rw, &b"link\0"[..], 0),
    ]
}

fn plan(seed: u64, only: &[&str]) -> Plan {
    Plan {
        seed,
        rate: 100.0,
        answers: u64::MAX,
        only: only.iter().map(|name| (*name).to_owned()).collect(),
        to: Vec::new(),
        without: Vec::new(),
        blocked: usize::MAX,
    }
}

/// What a plan makes of all samples, some rounds over.
fn spoiled(plan: Plan, rounds: usize) -> Vec<(Delivery, Option<&'static str>)> {
    let (samples, mut damager) = (samples(), Damager::new(plan));
    let mut all = Vec::new();
    for _ in 0..rounds {
        for sample in &samples {
            let right = sample.right.clone();
            let (delivery, damage) = damager.spoil(&sample.request(), 3000, right);
            all.push((delivery, damage.map(|damage| damage.kind.name)));
        }
    }
    all
}

#[test]
fn every_kind_spoils_something_and_nothing_else_is_called_so() {
    let samples = samples();
    for kind in KINDS {
        let mut hits = 0;
        for (number, (delivery, name)) in spoiled(plan(5, &[kind.name]), 40).iter().enumerate() {
            let sample = &samples[number % samples.len()];
            let right = Delivery::right(sample.right.clone());
            match name {
                Some(name) => {
                    assert_eq!(*name, kind.name);
                    assert_ne!(*delivery, right, "{name} changes nothing");
                    hits += 1;
                }
                None => assert_eq!(*delivery, right),
            }
        }
        assert!(hits > 0, "{} never finds anything to spoil", kind.name);
    }
}

#[test]
fn kinds_keep_to_their_operations() {
    let samples = samples();
    for kind in KINDS {
        let To::Only(these) = kind.to else {
            continue;
        };
        for (number, (_, name)) in spoiled(plan(6, &[kind.name]), 20).iter().enumerate() {
            let opcode = samples[number % samples.len()].request().opcode;
            assert!(name.is_none() || these.contains(&opcode));
        }
    }
}

#[test]
fn the_same_seed_does_the_same() {
    assert_eq!(spoiled(plan(7, &[]), 50), spoiled(plan(7, &[]), 50));
    assert_ne!(spoiled(plan(7, &[]), 5), spoiled(plan(8, &[]), 5));
}

#[test]
fn one_answer_does_not_change_the_next_ones_damage() {
    let samples = samples();
    let run = |first: usize| {
        let mut damager = Damager::new(plan(9, &[]));
        let mut spoil = |sample: &Sample| {
            let right = sample.right.clone();
            damager.spoil(&sample.request(), 3000, right).0
        };
        spoil(&samples[first]);
        spoil(&samples[1])
    };
    assert_eq!(run(0), run(17));
}

#[test]
fn all_kinds_are_chosen_by_chance_alone() {
    let chosen: BTreeSet<_> = spoiled(plan(10, &[]), 1000)
        .into_iter()
        .filter_map(|(_, name)| name)
        .collect();
    let all: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(chosen, all);
}

/// There is nothing in a receipt to spoil but how it travels.
#[test]
fn receipts_of_forgets_have_no_bytes() {
    let forget = ForgetIn { nlookup: 1 };
    let mut server = Server::new(Settings::default());
    let header = InHeader {
        len: 48,
        opcode: Opcode::Forget.raw(),
        nodeid: 2,
        ..InHeader::default()
    };
    let message = [header.as_bytes(), forget.as_bytes()].concat();
    let request = Request::parse(&message, 0).unwrap();
    assert_eq!(server.answer(&request), Answer::Nothing);
    let mut damager = Damager::new(plan(13, &[]));
    let chosen: BTreeSet<_> = (0..2000)
        .filter_map(|_| {
            let (delivery, damage) = damager.spoil(&request, 3000, Vec::new());
            assert_eq!(delivery.bytes, []);
            damage.map(|damage| damage.kind.name)
        })
        .collect();
    assert!(chosen.contains("never") && chosen.contains("used-more") && !chosen.contains("cut"));
}

#[test]
fn names_are_unique() {
    let names: HashSet<_> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), KINDS.len());
    assert!(find("cut").is_some() && find("none").is_none());
}

#[test]
fn rate_answers_and_without() {
    let none = Plan {
        rate: 0.0,
        ..plan(1, &[])
    };
    assert!(spoiled(none, 20).iter().all(|(_, name)| name.is_none()));
    let reads = Plan {
        to: vec![Opcode::Read],
        ..plan(1, &[])
    };
    let samples = samples();
    for (number, (_, name)) in spoiled(reads, 20).iter().enumerate() {
        let opcode = samples[number % samples.len()].request().opcode;
        assert!(name.is_none() || opcode == Opcode::Read);
    }
    let few = Plan {
        answers: 5,
        ..plan(1, &[])
    };
    let count =
        |all: Vec<(Delivery, Option<&str>)>| all.iter().filter(|(_, name)| name.is_some()).count();
    assert_eq!(count(spoiled(few, 20)), 5);
    let half = Plan {
        rate: 50.0,
        ..plan(1, &[])
    };
    let (damaged, all) = (count(spoiled(half.clone(), 100)), spoiled(half, 100).len());
    assert!((all * 45 / 100..all * 55 / 100).contains(&damaged));
    let without = Plan {
        without: vec!["cut".to_owned()],
        ..plan(1, &[])
    };
    assert!(spoiled(without, 50)
        .iter()
        .all(|(_, name)| *name != Some("cut")));
}

#[test]
fn only_so_many_are_blocked() {
    let limited = Plan {
        blocked: 4,
        ..plan(1, &["never", "id-other", "id-absurd"])
    };
    let blocked = spoiled(limited, 50)
        .iter()
        .filter(|(one, _)| one.blocks())
        .count();
    assert_eq!(blocked, 4);
}

/// Content that a client cannot judge is never a lie: it is cut off, or zero.
#[test]
fn content_is_right_or_zero() {
    let samples: Vec<_> = samples();
    let reads = samples
        .iter()
        .filter(|one| one.request().opcode == Opcode::Read);
    for sample in reads {
        let mut damager = Damager::new(plan(11, &[]));
        for _ in 0..1000 {
            let right = sample.right.clone();
            let (delivery, _) = damager.spoil(&sample.request(), 3000, right);
            let body = delivery.bytes.get(HEAD..).unwrap_or(&[]);
            let same = body.len().min(sample.content().len());
            assert_eq!(body[..same], sample.content()[..same]);
            assert!(body[same..].iter().all(|byte| *byte == 0));
        }
    }
}

#[test]
fn what_travels_oddly_says_the_truth() {
    for name in [
        "late",
        "very-late",
        "swapped",
        "never",
        "twice",
        "id-other",
        "id-absurd",
    ] {
        let samples = samples();
        for (number, (delivery, kind)) in spoiled(plan(12, &[name]), 5).iter().enumerate() {
            assert_eq!(delivery.bytes, samples[number % samples.len()].right);
            let odd = delivery.timing != Timing::Now || delivery.receipt != Receipt::Right;
            assert_eq!(odd, kind.is_some());
        }
    }
}

#[test]
fn a_late_answer_is_no_lie() {
    for (name, wanted) in [
        ("late", false),
        ("swapped", false),
        ("never", true),
        ("twice", true),
        ("cut", true),
    ] {
        let sample = &samples()[4];
        let mut damager = Damager::new(plan(14, &[name]));
        let (_, damage) = damager.spoil(&sample.request(), 3000, sample.right.clone());
        assert_eq!(damage.unwrap().lie, wanted, "{name}");
    }
}
