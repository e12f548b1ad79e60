// SPDX-License-Identifier: GPL-2.0

extern crate std;

use std::string::ToString;

use super::*;

const REG: u32 = 0o100_644;

fn attr(mode: u32, size: u64) -> wire::Attr {
    wire::Attr {
        mode,
        size,
        ..Default::default()
    }
}

fn entry(nodeid: u64) -> wire::EntryOut {
    wire::EntryOut {
        nodeid,
        generation: 4,
        entry_valid: 1,
        entry_valid_nsec: 500,
        attr_valid: 2,
        attr: attr(REG, 10),
        ..Default::default()
    }
}

fn statx(mask: u32, mode: u16, size: u64) -> wire::StatxOut {
    wire::StatxOut {
        stat: wire::Statx {
            mask,
            mode,
            size,
            btime: wire::SxTime {
                tv_sec: -5,
                tv_nsec: u32::MAX,
                __reserved: 0,
            },
            rdev_major: 8,
            rdev_minor: 300,
            ..Default::default()
        },
        ..Default::default()
    }
}

#[test]
fn the_seven_types() {
    for kind in 0..16u32 {
        let mode = (kind << 12) | 0o7777;
        let valid = [1, 2, 4, 6, 8, 10, 12].contains(&kind);
        let want = if valid {
            Ok(mode as u16)
        } else {
            Err(AttrFault::Type { mode })
        };
        assert_eq!(Attributes::from_attr(&attr(mode, 0)).map(|a| a.mode), want);
    }
}

#[test]
fn bits_above_a_mode_are_ignored() {
    let got = Attributes::from_attr(&attr(0xabcd_0000 | REG, 0)).unwrap();
    assert_eq!(u32::from(got.mode), REG);
}

#[test]
fn sizes() {
    let most = i64::MAX as u64;
    assert_eq!(Attributes::from_attr(&attr(REG, most)).unwrap().size, most);
    let fault = Attributes::from_attr(&attr(REG, most + 1));
    assert_eq!(fault, Err(AttrFault::Size { size: most + 1 }));
}

#[test]
fn times() {
    let raw = wire::Attr {
        atime: u64::MAX,
        atimensec: 999_999_999,
        mtime: 5,
        mtimensec: 1_000_000_000,
        ctimensec: u32::MAX,
        ..attr(REG, 0)
    };
    let got = Attributes::from_attr(&raw).unwrap();
    assert_eq!((got.atime.sec, got.atime.nsec), (-1, 999_999_999));
    assert_eq!((got.mtime.sec, got.mtime.nsec), (5, 999_999_999));
    assert_eq!(got.ctime.nsec, 999_999_999);
    assert_eq!(got.btime, None);
}

#[test]
fn numbers_pass_through() {
    let raw = wire::Attr {
        ino: 1,
        blocks: 2,
        nlink: 3,
        uid: 4,
        gid: 5,
        blksize: 4096,
        flags: 1,
        ..attr(REG, 6)
    };
    let got = Attributes::from_attr(&raw).unwrap();
    assert_eq!((got.ino, got.blocks, got.nlink), (1, 2, 3));
    assert_eq!((got.uid, got.gid, got.flags, got.size), (4, 5, 1, 6));
    assert_eq!(got.blksize, 4096);
    assert!(got.is_complete());
}

#[test]
fn block_sizes_are_powers_of_two() {
    for (given, want) in [
        (0, 0),
        (1, 1),
        (4095, 2048),
        (4096, 4096),
        (u32::MAX, 1 << 31),
    ] {
        assert_eq!(floor_power_of_two(given), want);
    }
}

#[test]
fn device_numbers() {
    let rdev = Rdev {
        major: 0xabc,
        minor: 0xf_1234,
    };
    assert_eq!(Rdev::decode(rdev.encode()), rdev);
    assert_eq!(Rdev::decode(0x0803), Rdev { major: 8, minor: 3 });
    assert_eq!(Rdev::decode(u32::MAX).encode(), u32::MAX);
}

#[test]
fn statx_with_all() {
    let out = statx(STATX_BASIC_STATS | STATX_BTIME | (1 << 20), 0o040_755, 7);
    let got = Attributes::from_statx(&out).unwrap();
    assert_eq!(got.mask, STATX_BASIC_STATS | STATX_BTIME);
    assert_eq!((got.mode, got.size), (0o040_755, 7));
    let created = got.btime.unwrap();
    assert_eq!((created.sec, created.nsec), (-5, 999_999_999));
    assert_eq!((got.rdev.major, got.rdev.minor), (8, 300));
}

#[test]
fn statx_judges_what_is_known() {
    let got = Attributes::from_statx(&statx(0, 0o170_644, u64::MAX)).unwrap();
    assert_eq!((got.size, got.mode, got.btime), (0, 0o644, None));
    assert!(!got.is_complete());
    let fault = Attributes::from_statx(&statx(STATX_SIZE, 0, u64::MAX));
    assert_eq!(fault, Err(AttrFault::Size { size: u64::MAX }));
    let fault = Attributes::from_statx(&statx(STATX_TYPE, 0o644, 0));
    assert_eq!(fault, Err(AttrFault::Type { mode: 0o644 }));
}

#[test]
fn types_are_kept() {
    let file = Attributes::from_attr(&attr(REG, 0)).unwrap();
    assert_eq!(file.check_type(0o100_000), Ok(()));
    let fault = AttrFault::TypeChanged {
        was: 0o040_000,
        is: 0o100_000,
    };
    assert_eq!(file.check_type(0o040_755), Err(fault));
}

#[test]
fn timeouts() {
    assert_eq!(Timeout::new(0, 0), Timeout::ZERO);
    assert_eq!(Timeout::new(1, 5).as_nanos(), 1_000_000_005);
    assert_eq!(Timeout::new(0, u32::MAX).as_nanos(), 999_999_999);
    assert_eq!(Timeout::new(u64::MAX, 0), Timeout::FOREVER);
    let last = u64::MAX / 1_000_000_000;
    assert_eq!(Timeout::new(last, 999_999_999), Timeout::FOREVER);
    assert!(Timeout::new(last, 0) < Timeout::FOREVER);
}

#[test]
fn lookups() {
    let Lookup::Found(node) = Lookup::from_entry(&entry(9)).unwrap() else {
        panic!("a node was found");
    };
    assert_eq!((node.nodeid, node.generation), (9, 4));
    assert_eq!(node.entry_valid, Timeout::new(1, 500));
    assert_eq!(node.attr_valid, Timeout::new(2, 0));
    assert_eq!(node.attributes.size, 10);
}

#[test]
fn negative_lookups_have_a_timeout_and_no_attributes() {
    let out = wire::EntryOut {
        attr: attr(0, u64::MAX),
        ..entry(0)
    };
    let want = Lookup::Negative(Timeout::new(1, 500));
    assert_eq!(Lookup::from_entry(&out), Ok(want));
    assert_eq!(Node::from_entry(&out), Err(AttrFault::NoNode));
}

#[test]
fn the_root_is_nobodys_child() {
    assert_eq!(Lookup::from_entry(&entry(1)), Err(AttrFault::Root));
    assert_eq!(Node::from_entry(&entry(1)), Err(AttrFault::Root));
}

#[test]
fn bad_attributes_spoil_a_lookup() {
    let out = wire::EntryOut {
        attr: attr(0, 0),
        ..entry(9)
    };
    assert_eq!(Lookup::from_entry(&out), Err(AttrFault::Type { mode: 0 }));
}

#[test]
fn faults_name_the_input() {
    let fault = AttrFault::Type { mode: 0o644 };
    assert!(fault.to_string().contains("0o644"));
    let fault = AttrFault::Size { size: u64::MAX };
    assert!(fault.to_string().contains("18446744073709551615"));
    let fault = AttrFault::TypeChanged {
        was: 0o040_000,
        is: 0o100_000,
    };
    assert!(fault.to_string().contains("0o40000"));
}
