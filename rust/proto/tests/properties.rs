// SPDX-License-Identifier: GPL-2.0

//! Properties of the parsers and of the life cycle, on arbitrary input.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use zerocopy::{FromBytes, IntoBytes};

use rfuse_proto::attr::{AttrFault, Attributes, Lookup, Node, Rdev, Timeout};
use rfuse_proto::dirent::{Dirents, DirentsPlus, Entry, Lookups};
use rfuse_proto::flags::InitFlags;
use rfuse_proto::forget::{capacity, Batch};
use rfuse_proto::init::{Negotiated, Offer};
use rfuse_proto::reply::{check, ReplyError};
use rfuse_proto::state::{Action, Event, State};
use rfuse_proto::wire::{
    Attr, BatchForgetIn, Dirent, EntryOut, ForgetOne, InitOut, OutHeader, StatxOut, ROOT_ID,
};

const NSEC: u32 = 1_000_000_000;

/// A wire structure of arbitrary bytes.
fn wire<T: FromBytes + std::fmt::Debug>() -> impl Strategy<Value = T> {
    vec(any::<u8>(), size_of::<T>()).prop_map(|bytes| T::read_from_bytes(&bytes).unwrap())
}

fn offer() -> impl Strategy<Value = Offer> {
    any::<(u64, u32, u16)>().prop_map(|(bits, max_readahead, max_pages_limit)| Offer {
        flags: InitFlags::from_bits(bits),
        max_readahead,
        max_pages_limit,
    })
}

/// A name that a server may send.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("no name has it", |&b| b != 0 && b != b'/');
    let lengths: Range<usize> = 1..300;
    vec(byte, lengths)
}

fn put_dirent(bytes: &mut Vec<u8>, ino: u64, off: u64, name: &[u8]) {
    let head = Dirent {
        ino,
        off,
        namelen: name.len() as u32,
        type_: 4,
    };
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(name);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

fn put_direntplus(bytes: &mut Vec<u8>, nodeid: u64, off: u64, name: &[u8]) {
    let entry = EntryOut {
        nodeid,
        ..Default::default()
    };
    bytes.extend_from_slice(entry.as_bytes());
    put_dirent(bytes, nodeid, off, name);
}

/// Records whose heads have small numbers, so that many of them are nearly valid.
fn nearly_dirents(head: usize) -> impl Strategy<Value = Vec<u8>> {
    let record = (0u64..4, 0u32..40, vec(select(b"ab./\0".to_vec()), 0..48)).prop_map(
        move |(off, namelen, name)| {
            let mut bytes = vec![0; head - size_of::<Dirent>()];
            let dirent = Dirent {
                ino: 9,
                off,
                namelen,
                type_: 0,
            };
            bytes.extend_from_slice(dirent.as_bytes());
            bytes.extend_from_slice(&name);
            bytes.resize(bytes.len().next_multiple_of(8), b'x');
            bytes
        },
    );
    vec(record, 0..6).prop_map(|records| records.concat())
}

fn assert_entry(entry: &Entry<'_>) {
    assert!((1..=4095).contains(&entry.name.len()));
    assert!(!entry.name.contains(&b'/') && !entry.name.contains(&0));
    assert!(entry.kind < 16);
}

fn assert_dirents(bytes: &[u8]) {
    let mut entries = Dirents::new(bytes);
    let mut last = (0, None);
    while let Some(Ok(entry)) = entries.next() {
        assert_entry(&entry);
        assert_ne!(last.1, Some(entry.off), "the offset advances");
        let record = (24 + entry.name.len()).next_multiple_of(8);
        assert_eq!(entries.position(), last.0 + record);
        last = (entries.position(), Some(entry.off));
    }
    assert_eq!(entries.position(), last.0, "the end does not move");
    assert!(last.0 <= bytes.len());
    assert!(entries.next().is_none());
}

fn assert_direntplus(bytes: &[u8]) {
    let mut entries = DirentsPlus::new(bytes);
    let mut nodes = Vec::new();
    while let Some(Ok(entry)) = entries.next() {
        assert_entry(&entry.dirent);
        let counted = ![0, ROOT_ID].contains(&entry.nodeid()) && !entry.dirent.is_dot();
        nodes.extend(counted.then_some(entry.nodeid()));
    }
    nodes.extend(Lookups::new(&bytes[entries.position()..]));
    let all: Vec<_> = Lookups::new(bytes).collect();
    assert_eq!(nodes, all, "no lookup is lost and none is told twice");
}

fn assert_attributes(got: &Attributes) {
    assert!(i64::try_from(got.size).is_ok());
    for time in [Some(got.atime), Some(got.mtime), Some(got.ctime), got.btime] {
        assert!(time.is_none_or(|time| time.nsec < NSEC));
    }
    assert!(got.rdev.major < 1 << 12 && got.rdev.minor < 1 << 20);
    assert!(got.blksize == 0 || got.blksize.is_power_of_two());
    if got.mask & 1 == 1 {
        assert!([1, 2, 4, 6, 8, 10, 12].contains(&(got.mode >> 12)));
    }
}

fn assert_negotiated(got: &Negotiated, offer: &Offer) {
    let offered = offer.flags | InitFlags::INIT_EXT;
    assert!(offered.contains(got.flags));
    assert!(got.minor <= 46);
    assert!(got.max_readahead <= offer.max_readahead);
    assert!(got.max_write >= 4096);
    assert!(got.max_pages >= 1 && got.max_pages <= offer.max_pages_limit.max(1));
    assert!(got.max_background >= 1 && got.congestion_threshold >= 1);
    assert!((1..=NSEC).contains(&got.time_gran));
    assert!([1024, 4095].contains(&got.name_max));
    assert!(got.map_alignment <= 21 && got.max_stack_depth <= 2);
}

/// What the engine and the device hold of one request.
#[derive(Default)]
struct Model {
    device_holds: bool,
    aborted: bool,
    waiter_ended: u32,
    released: u32,
    undone: u32,
}

impl Model {
    /// Lets the device give the buffers back, if the event says so.
    fn arrive(&mut self, event: Event) {
        self.aborted |= event == Event::Abort;
        let back = match event {
            Event::Reply | Event::Reclaim => true,
            Event::Resend => !self.aborted,
            _ => false,
        };
        self.device_holds &= !back;
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Ignore | Action::Interrupt | Action::Requeue => (),
            Action::Submit | Action::SubmitAndInterrupt => {
                assert!(!self.device_holds, "sent twice");
                self.device_holds = true;
            }
            Action::Complete | Action::Withdraw | Action::Fail => {
                self.waiter_ended += 1;
                self.release();
            }
            Action::Detach => self.waiter_ended += 1,
            Action::Undo => {
                assert!(!self.aborted, "an aborted connection cannot undo");
                self.undone += 1;
                self.release();
            }
            Action::Drop => self.release(),
        }
    }

    fn release(&mut self) {
        assert!(!self.device_holds, "released under the device");
        self.released += 1;
    }
}

proptest! {
    #[test]
    fn init_replies_of_any_bytes(bytes in vec(any::<u8>(), 0..80), offer in offer()) {
        if let Ok(got) = Negotiated::from_reply(&bytes, &offer) {
            assert_negotiated(&got, &offer);
        }
    }

    #[test]
    fn init_replies_of_major_7(
        reply in wire::<InitOut>(),
        minor in 0u32..60,
        len in 8usize..=64,
        offer in offer(),
    ) {
        let reply = InitOut { major: 7, minor, map_alignment: 12, ..reply };
        let got = Negotiated::from_reply(&reply.as_bytes()[..len], &offer).unwrap();
        assert_negotiated(&got, &offer);
    }

    #[test]
    fn offers_come_back_whole(offer in offer()) {
        let body = offer.body();
        let reply = InitOut {
            major: 7,
            minor: 46,
            flags: body.flags,
            flags2: body.flags2,
            max_stack_depth: 1,
            ..Default::default()
        };
        let got = Negotiated::from_reply(reply.as_bytes(), &offer).unwrap();
        let depend = InitFlags::EXPLICIT_INVAL_DATA
            | InitFlags::READDIRPLUS_AUTO
            | InitFlags::PASSTHROUGH
            | InitFlags::INIT_EXT;
        prop_assert_eq!(got.flags.without(depend), offer.flags.without(depend));
    }

    #[test]
    fn dirents_of_any_bytes(bytes in vec(any::<u8>(), 0..600)) {
        assert_dirents(&bytes);
        assert_direntplus(&bytes);
    }

    #[test]
    fn dirents_that_are_nearly_valid(bytes in nearly_dirents(24), plus in nearly_dirents(152)) {
        assert_dirents(&bytes);
        assert_direntplus(&plus);
    }

    #[test]
    fn dirents_round_trip(names in vec(name(), 0..12), cut in 0usize..24) {
        let mut bytes = Vec::new();
        for (off, name) in (1..).zip(&names) {
            put_dirent(&mut bytes, off * 2, off, name);
        }
        bytes.resize(bytes.len() + cut, 0xff);
        assert_dirents(&bytes);
        let got: Vec<_> = Dirents::new(&bytes).map(Result::unwrap).collect();
        prop_assert_eq!(got.len(), names.len());
        for ((off, name), entry) in (1..).zip(&names).zip(got) {
            prop_assert_eq!((entry.ino, entry.off, entry.kind), (off * 2, off, 4));
            prop_assert_eq!(entry.name, &name[..]);
        }
    }

    #[test]
    fn direntplus_round_trips(nodes in vec((0u64..5, name()), 0..8), faulty in any::<bool>()) {
        let mut bytes = Vec::new();
        for (off, (nodeid, name)) in (1..).zip(&nodes) {
            put_direntplus(&mut bytes, *nodeid, off, name);
        }
        if faulty {
            put_direntplus(&mut bytes, 6, 99, b"a/b");
            put_direntplus(&mut bytes, 7, 100, b"c");
        }
        assert_direntplus(&bytes);
        let got = DirentsPlus::new(&bytes).map_while(Result::ok);
        let got: Vec<_> = got.map(|e| (e.nodeid(), e.dirent.name.to_vec())).collect();
        prop_assert_eq!(got, nodes);
        let after_fault = Lookups::new(&bytes).filter(|&node| node > 5).count();
        prop_assert_eq!(after_fault, if faulty { 2 } else { 0 });
    }

    #[test]
    fn attributes_of_any_bytes(attr in wire::<Attr>(), out in wire::<StatxOut>()) {
        match Attributes::from_attr(&attr) {
            Ok(got) => assert_attributes(&got),
            Err(AttrFault::Type { mode }) => prop_assert_eq!(mode, attr.mode),
            Err(AttrFault::Size { size }) => prop_assert_eq!(size, attr.size),
            Err(fault) => panic!("{fault}"),
        }
        if let Ok(got) = Attributes::from_statx(&out) {
            assert_attributes(&got);
        }
    }

    #[test]
    fn attributes_that_are_valid(attr in wire::<Attr>(), perm in 0u32..0o10000) {
        let attr = Attr { mode: 0o100_000 | perm, size: attr.size >> 1, ..attr };
        let got = Attributes::from_attr(&attr).unwrap();
        assert_attributes(&got);
        prop_assert_eq!((u32::from(got.mode), got.size), (attr.mode, attr.size));
        prop_assert_eq!((got.uid, got.gid, got.nlink), (attr.uid, attr.gid, attr.nlink));
    }

    #[test]
    fn lookups_of_any_bytes(entry in wire::<EntryOut>(), nodeid in 0u64..4) {
        let entry = EntryOut { nodeid, ..entry };
        match Lookup::from_entry(&entry) {
            Ok(Lookup::Negative(_)) => prop_assert_eq!(nodeid, 0),
            Ok(Lookup::Found(node)) => {
                prop_assert_eq!(node.nodeid, nodeid);
                prop_assert!(nodeid > ROOT_ID);
                prop_assert_eq!(Node::from_entry(&entry), Ok(node));
            }
            Err(AttrFault::Root) => prop_assert_eq!(nodeid, ROOT_ID),
            Err(_) => prop_assert!(nodeid > ROOT_ID),
        }
    }

    #[test]
    fn device_numbers_round_trip(dev in any::<u32>()) {
        prop_assert_eq!(Rdev::decode(dev).encode(), dev);
    }

    #[test]
    fn timeouts_keep_their_order(a in any::<(u64, u32)>(), b in any::<(u64, u32)>()) {
        let clamp = |(sec, nsec): (u64, u32)| (sec, nsec.min(NSEC - 1));
        let (short, long) = (clamp(a).min(clamp(b)), clamp(a).max(clamp(b)));
        prop_assert!(Timeout::new(short.0, short.1) <= Timeout::new(long.0, long.1));
        prop_assert_eq!(Timeout::new(a.0, a.1) == Timeout::ZERO, a == (0, 0));
    }

    #[test]
    fn replies_of_any_head(
        head in wire::<OutHeader>(),
        used in 0usize..200,
        fixed in 0usize..100,
        tail in 0usize..100,
    ) {
        prop_assert!(check(&head, used, !head.unique, fixed, tail).is_err());
        let head = OutHeader { len: used as u32, ..head };
        match check(&head, used, head.unique, fixed, tail) {
            Ok(length) => {
                prop_assert_eq!(head.error, 0);
                prop_assert_eq!(used, 16 + fixed + length);
                prop_assert!(length <= tail);
            }
            Err(ReplyError::Server(errno)) => {
                prop_assert_eq!(head.error, -i32::from(errno.get()));
                prop_assert_eq!(used, 16);
            }
            Err(ReplyError::Bad(_)) => (),
        }
    }

    #[test]
    fn replies_of_honest_servers(error in -511i32..=0, fixed in 0usize..300, tail in 0usize..300) {
        let used = if error == 0 { 16 + fixed + tail } else { 16 };
        let head = OutHeader { len: used as u32, error, unique: 2 };
        match check(&head, used, 2, fixed, 300) {
            Ok(length) => prop_assert_eq!((error, length), (0, tail)),
            Err(fault) => prop_assert_eq!(-i32::from(fault.errno().get()), error),
        }
    }

    #[test]
    fn batches_round_trip(nodes in vec(any::<(u64, u64)>(), 0..40), room in 0usize..600) {
        let mut body = vec![0xaa; room];
        let Some(mut batch) = Batch::new(&mut body) else {
            prop_assert_eq!(capacity(room), 0);
            return Ok(());
        };
        let pushed = nodes
            .iter()
            .take_while(|&&(nodeid, nlookup)| batch.push(ForgetOne { nodeid, nlookup }).is_ok())
            .count();
        prop_assert_eq!(pushed, nodes.len().min(capacity(room)));
        prop_assert_eq!(batch.is_full(), pushed == capacity(room));
        let used = batch.finish();
        prop_assert!(used <= room);
        if pushed > 0 {
            let (head, ones) = BatchForgetIn::read_from_prefix(&body[..used]).unwrap();
            prop_assert_eq!(head.count as usize, pushed);
            let ones = ones.chunks(16).map(|one| ForgetOne::read_from_bytes(one).unwrap());
            let got: Vec<_> = ones.map(|one| (one.nodeid, one.nlookup)).collect();
            prop_assert_eq!(&got[..], &nodes[..pushed]);
        }
    }

    #[test]
    fn life_cycles(events in vec(select(Event::ALL.to_vec()), 0..24)) {
        let mut state = State::Queued;
        let mut model = Model::default();
        // Whatever happened, an abort and a reset end every request.
        for event in events.into_iter().chain([Event::Abort, Event::Reclaim]) {
            model.arrive(event);
            let (next, action) = state.step(event);
            state = next;
            model.act(action);
            prop_assert_eq!(model.waiter_ended == 0, state.is_waiting());
        }
        prop_assert_eq!((model.waiter_ended, model.released), (1, 1));
        prop_assert!(!model.device_holds);
        prop_assert!(model.undone <= 1);
    }
}
