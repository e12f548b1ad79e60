// SPDX-License-Identifier: GPL-2.0

extern crate std;

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use zerocopy::IntoBytes as _;

use super::*;

fn record(off: u64, name: &[u8]) -> Vec<u8> {
    let head = Dirent {
        ino: off + 100,
        off,
        namelen: name.len() as u32,
        type_: 8,
    };
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend_from_slice(name);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn record_plus(nodeid: u64, off: u64, name: &[u8]) -> Vec<u8> {
    let entry = EntryOut {
        nodeid,
        ..Default::default()
    };
    let mut bytes = entry.as_bytes().to_vec();
    bytes.extend_from_slice(&record(off, name));
    bytes
}

fn names(bytes: &[u8]) -> Vec<&[u8]> {
    Dirents::new(bytes)
        .map(|entry| entry.unwrap().name)
        .collect()
}

fn only_fault(bytes: &[u8]) -> DirentFault {
    let mut entries = Dirents::new(bytes);
    let fault = entries.next().unwrap().unwrap_err();
    assert!(entries.next().is_none(), "a fault ends the iteration");
    fault
}

#[test]
fn entries_in_order() {
    let bytes = [
        record(1, b"."),
        record(2, b".."),
        record(3, b"12345678"),
        record(9, b"last"),
    ]
    .concat();
    let want: [&[u8]; 4] = [b".", b"..", b"12345678", b"last"];
    assert_eq!(names(&bytes), want);
    let first = Dirents::new(&bytes).next().unwrap().unwrap();
    let want = Entry {
        ino: 101,
        off: 1,
        kind: 8,
        name: b".",
    };
    assert_eq!(first, want);
    assert!(first.is_dot());
}

#[test]
fn empty_reply() {
    assert_eq!(Dirents::new(&[]).next(), None);
    assert_eq!(DirentsPlus::new(&[]).next(), None);
}

#[test]
fn a_cut_record_ends_without_fault() {
    let whole = [record(1, b"one"), record(2, b"second name")].concat();
    let first = record(1, b"one").len();
    for len in first..whole.len() {
        assert_eq!(names(&whole[..len]), [b"one"], "cut to {len} bytes");
    }
}

#[test]
fn name_lengths() {
    let longest = vec![b'n'; NAME_MAX];
    assert_eq!(names(&record(1, &longest)), [&longest[..]]);
    for len in [0, NAME_MAX + 1] {
        let bytes = record(1, &vec![b'n'; len]);
        let want = DirentFault::NameLength {
            namelen: len as u32,
        };
        assert_eq!(only_fault(&bytes), want);
    }
}

#[test]
fn a_name_length_beyond_all_bounds_is_a_fault_even_if_cut() {
    let mut bytes = record(1, b"name");
    bytes[16..20].copy_from_slice(&u32::MAX.to_ne_bytes());
    let want = DirentFault::NameLength { namelen: u32::MAX };
    assert_eq!(only_fault(&bytes), want);
}

#[test]
fn bytes_that_no_name_has() {
    assert_eq!(
        only_fault(&record(1, b"a/b")),
        DirentFault::NameByte { byte: b'/' }
    );
    assert_eq!(
        only_fault(&record(1, b"a\0")),
        DirentFault::NameByte { byte: 0 }
    );
}

#[test]
fn offsets_must_advance() {
    let bytes = [record(5, b"a"), record(5, b"b"), record(6, b"c")].concat();
    let mut entries = Dirents::new(&bytes);
    assert_eq!(entries.next().unwrap().unwrap().name, b"a");
    assert_eq!(entries.next(), Some(Err(DirentFault::Stuck { off: 5 })));
    assert_eq!(entries.next(), None);
}

#[test]
fn offsets_may_go_back() {
    let bytes = [record(5, b"a"), record(3, b"b"), record(5, b"c")].concat();
    assert_eq!(names(&bytes).len(), 3);
}

#[test]
fn resuming_at_a_position() {
    let bytes = [record(1, b"a"), record(2, b"bb"), record(3, b"ccc")].concat();
    let mut entries = Dirents::new(&bytes);
    assert_eq!(entries.position(), 0);
    entries.next().unwrap().unwrap();
    assert_eq!(entries.position(), 32);
    let rest: Vec<_> = Dirents::resume(&bytes, entries.position(), Some(1)).collect();
    assert_eq!(rest, entries.collect::<Vec<_>>());
    assert_eq!(rest.len(), 2);
    assert_eq!(Dirents::resume(&bytes, bytes.len(), None).next(), None);
    assert_eq!(Dirents::resume(&bytes, usize::MAX, None).next(), None);
}

#[test]
fn resuming_does_not_forget_the_offset_before() {
    let bytes = [record(5, b"a"), record(5, b"b"), record(6, b"c")].concat();
    let mut rest = Dirents::resume(&bytes, 32, Some(5));
    assert_eq!(rest.next(), Some(Err(DirentFault::Stuck { off: 5 })));
    assert_eq!(Dirents::resume(&bytes, 32, None).count(), 2);
    let bytes = [record_plus(7, 5, b"a"), record_plus(8, 5, b"b")].concat();
    let mut rest = DirentsPlus::resume(&bytes, 160, Some(5));
    assert_eq!(rest.next(), Some(Err(DirentFault::Stuck { off: 5 })));
}

#[test]
fn plus_carries_the_lookup() {
    let bytes = [record_plus(0, 1, b"."), record_plus(77, 2, b"file")].concat();
    let entries: Vec<_> = DirentsPlus::new(&bytes).map(Result::unwrap).collect();
    assert_eq!(entries[0].nodeid(), 0);
    assert_eq!(entries[1].nodeid(), 77);
    assert_eq!(entries[1].dirent.name, b"file");
}

#[test]
fn plus_keeps_the_position_of_a_bad_record() {
    let bytes = [
        record_plus(7, 1, b"good"),
        record_plus(8, 2, b"b/d"),
        record_plus(9, 3, b"unread"),
    ]
    .concat();
    let mut entries = DirentsPlus::new(&bytes);
    entries.next().unwrap().unwrap();
    assert!(entries.next().unwrap().is_err());
    let left: Vec<_> = Lookups::new(&bytes[entries.position()..]).collect();
    assert_eq!(left, [8, 9]);
}

#[test]
fn lookups_to_forget() {
    let bytes = [
        record_plus(5, 1, b"."),
        record_plus(6, 2, b".."),
        record_plus(7, 3, b"a"),
        record_plus(0, 4, b"not looked up"),
        record_plus(ROOT_ID, 5, b"root"),
        record_plus(7, 6, b"hard link"),
        record_plus(8, 7, b"cut"),
    ]
    .concat();
    let left: Vec<_> = Lookups::new(&bytes[..bytes.len() - 1]).collect();
    assert_eq!(left, [7, 7]);
}

#[test]
fn faults_name_the_input() {
    let fault = DirentFault::NameLength { namelen: 5000 };
    assert!(fault.to_string().contains("5000"));
    let fault = DirentFault::NameByte { byte: b'/' };
    assert!(fault.to_string().contains("0x2f"));
    assert!(DirentFault::Stuck { off: 12 }.to_string().contains("12"));
}
