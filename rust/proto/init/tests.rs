// SPDX-License-Identifier: GPL-2.0

extern crate std;

use std::string::ToString;

use super::*;

const OFFER: Offer = Offer {
    flags: InitFlags::from_bits(0x0000_0fff_7fff_fffb),
    max_readahead: 128 << 10,
    max_pages_limit: 256,
};

fn reply(minor: u32) -> wire::InitOut {
    wire::InitOut {
        major: 7,
        minor,
        ..Default::default()
    }
}

fn with_flags(minor: u32, flags: InitFlags) -> wire::InitOut {
    let (flags, flags2) = (flags | InitFlags::INIT_EXT).to_wire();
    wire::InitOut {
        flags,
        flags2,
        ..reply(minor)
    }
}

fn settled(reply: &wire::InitOut) -> Negotiated {
    Negotiated::from_reply(reply.as_bytes(), &OFFER).unwrap()
}

#[test]
fn body_carries_the_offer() {
    let body = OFFER.body();
    assert_eq!((body.major, body.minor), (7, 46));
    assert_eq!(body.max_readahead, 128 << 10);
    assert_eq!(InitFlags::from_wire(body.flags, body.flags2), OFFER.flags);
    assert_eq!(body.unused, [0; 11]);
}

#[test]
fn body_adds_init_ext_where_needed() {
    let high = Offer {
        flags: InitFlags::PASSTHROUGH,
        ..OFFER
    };
    assert_eq!(high.body().flags, 1 << 30);
    let low = Offer {
        flags: InitFlags::ASYNC_READ,
        ..OFFER
    };
    assert_eq!(low.body().flags, 1);
}

#[test]
fn shortest_reply_gives_defaults() {
    let got = Negotiated::from_reply(&reply(4).as_bytes()[..8], &OFFER).unwrap();
    let want = Negotiated {
        minor: 4,
        flags: InitFlags::NONE,
        max_readahead: 128 << 10,
        max_write: 4096,
        max_pages: 32,
        max_background: 12,
        congestion_threshold: 9,
        time_gran: 1,
        name_max: 1024,
        map_alignment: 0,
        max_stack_depth: 0,
        request_timeout: 0,
    };
    assert_eq!(got, want);
}

#[test]
fn middle_reply_carries_limits() {
    let out = wire::InitOut {
        max_readahead: 4096,
        max_background: 40,
        max_write: 65536,
        time_gran: 99,
        ..with_flags(22, InitFlags::BIG_WRITES)
    };
    let got = Negotiated::from_reply(&out.as_bytes()[..24], &OFFER).unwrap();
    assert_eq!(got.max_readahead, 4096);
    assert_eq!(got.max_write, 65536);
    assert_eq!((got.max_background, got.congestion_threshold), (40, 30));
    assert_eq!(got.time_gran, 1);
}

#[test]
fn lengths() {
    let out = reply(46);
    for len in 0..8 {
        let fault = Negotiated::from_reply(&out.as_bytes()[..len], &OFFER);
        assert_eq!(fault, Err(InitFault::Length { got: len }));
    }
    let fault = Negotiated::from_reply(&[7; 65], &OFFER);
    assert_eq!(fault, Err(InitFault::Length { got: 65 }));
}

#[test]
fn majors() {
    for (major, want) in [
        (0, InitFault::Older { major: 0 }),
        (6, InitFault::Older { major: 6 }),
        (8, InitFault::Newer { major: 8 }),
    ] {
        let out = wire::InitOut { major, ..reply(46) };
        assert_eq!(Negotiated::from_reply(out.as_bytes(), &OFFER), Err(want));
    }
}

#[test]
fn minor_is_the_smaller_one() {
    assert_eq!(settled(&reply(99)).minor, 46);
    assert_eq!(settled(&reply(31)).minor, 31);
}

#[test]
fn flags_need_minor_6() {
    let all = InitFlags::from_bits(u64::MAX);
    assert_eq!(settled(&with_flags(5, all)).flags, InitFlags::NONE);
    let flags = settled(&with_flags(6, all)).flags;
    assert!(flags.contains(InitFlags::ASYNC_READ));
}

#[test]
fn flags_that_were_not_offered_are_dropped() {
    let offer = Offer {
        flags: InitFlags::ASYNC_READ,
        ..OFFER
    };
    let out = with_flags(46, InitFlags::from_bits(u64::MAX));
    let got = Negotiated::from_reply(out.as_bytes(), &offer).unwrap();
    assert_eq!(got.flags, InitFlags::ASYNC_READ);
}

#[test]
fn second_half_needs_init_ext() {
    let out = wire::InitOut {
        flags: 1,
        flags2: 1 << 10,
        request_timeout: 30,
        ..reply(46)
    };
    assert_eq!(settled(&out).flags, InitFlags::ASYNC_READ);
    assert_eq!(settled(&out).request_timeout, 0);
}

#[test]
fn locks_follow_the_minor() {
    let posix = InitFlags::POSIX_LOCKS;
    let flock = InitFlags::FLOCK_LOCKS;
    assert!(settled(&with_flags(16, posix)).flags.contains(flock));
    assert!(!settled(&with_flags(16, flock)).flags.contains(flock));
    assert!(!settled(&with_flags(17, posix)).flags.contains(flock));
    assert!(settled(&with_flags(17, flock)).flags.contains(flock));
}

#[test]
fn export_needs_minor_9() {
    let export = InitFlags::EXPORT_SUPPORT;
    assert!(!settled(&with_flags(8, export)).flags.contains(export));
    assert!(settled(&with_flags(9, export)).flags.contains(export));
}

#[test]
fn flags_that_exclude_each_other() {
    let both = InitFlags::AUTO_INVAL_DATA | InitFlags::EXPLICIT_INVAL_DATA;
    let flags = settled(&with_flags(46, both)).flags;
    assert_eq!(flags & both, InitFlags::AUTO_INVAL_DATA);
    let auto = InitFlags::READDIRPLUS_AUTO;
    assert!(!settled(&with_flags(46, auto)).flags.contains(auto));
}

#[test]
fn passthrough_needs_depth_and_no_writeback() {
    let depth = |flags, max_stack_depth| {
        let got = settled(&wire::InitOut {
            max_stack_depth,
            ..with_flags(46, flags)
        });
        let passes = got.flags.contains(InitFlags::PASSTHROUGH);
        assert_eq!(passes, got.max_stack_depth > 0);
        got.max_stack_depth
    };
    let passthrough = InitFlags::PASSTHROUGH;
    assert_eq!(depth(passthrough, 1), 1);
    assert_eq!(depth(passthrough, 2), 2);
    assert_eq!(depth(passthrough, 0), 0);
    assert_eq!(depth(passthrough, 3), 0);
    assert_eq!(depth(passthrough | InitFlags::WRITEBACK_CACHE, 1), 0);
    assert_eq!(depth(InitFlags::NONE, 1), 0);
}

#[test]
fn pages_and_names() {
    let pages = |flags, max_pages| {
        let got = settled(&wire::InitOut {
            max_pages,
            ..with_flags(46, flags)
        });
        (got.max_pages, got.name_max)
    };
    assert_eq!(pages(InitFlags::MAX_PAGES, 0), (1, 1024));
    assert_eq!(pages(InitFlags::MAX_PAGES, 1), (1, 1024));
    assert_eq!(pages(InitFlags::MAX_PAGES, 2), (2, 4095));
    assert_eq!(pages(InitFlags::MAX_PAGES, 9999), (256, 4095));
    assert_eq!(pages(InitFlags::NONE, 9999), (32, 1024));
}

#[test]
fn pages_without_the_flag_keep_the_transports_limit() {
    let offer = Offer {
        max_pages_limit: 12,
        ..OFFER
    };
    let got = Negotiated::from_reply(reply(46).as_bytes(), &offer).unwrap();
    assert_eq!(got.max_pages, 12);
}

#[test]
fn background_limits() {
    let limits = |minor, max_background, congestion_threshold| {
        let got = settled(&wire::InitOut {
            max_background,
            congestion_threshold,
            ..reply(minor)
        });
        (got.max_background, got.congestion_threshold)
    };
    assert_eq!(limits(46, 0, 0), (12, 9));
    assert_eq!(limits(46, 64, 0), (64, 48));
    assert_eq!(limits(46, 65535, 0), (65535, 49151));
    assert_eq!(limits(46, 1, 0), (1, 1));
    assert_eq!(limits(46, 0, 5), (12, 5));
    assert_eq!(limits(46, 20, 11), (20, 11));
    assert_eq!(limits(13, 20, 11), (20, 11));
    assert_eq!(limits(12, 20, 11), (12, 9));
}

#[test]
fn sizes_and_granularity() {
    let out = wire::InitOut {
        max_readahead: u32::MAX,
        max_write: 100,
        ..reply(46)
    };
    assert_eq!(settled(&out).max_readahead, OFFER.max_readahead);
    assert_eq!(settled(&out).max_write, 4096);
    for (gran, want) in [(0, 1), (1, 1), (100, 100), (1_000_000_000, 1_000_000_000)] {
        let out = wire::InitOut {
            time_gran: gran,
            ..reply(46)
        };
        assert_eq!(settled(&out).time_gran, want);
    }
    let out = wire::InitOut {
        time_gran: 1_000_000_001,
        ..reply(46)
    };
    assert_eq!(settled(&out).time_gran, 1);
}

#[test]
fn write_limit_needs_minor_5() {
    let limit = |minor| {
        settled(&wire::InitOut {
            max_write: 1 << 20,
            ..reply(minor)
        })
        .max_write
    };
    assert_eq!((limit(4), limit(5)), (4096, 1 << 20));
}

#[test]
fn alignment() {
    let out = |flags, map_alignment| wire::InitOut {
        map_alignment,
        ..with_flags(46, flags)
    };
    let flag = InitFlags::MAP_ALIGNMENT;
    assert_eq!(settled(&out(flag, 21)).map_alignment, 21);
    assert_eq!(settled(&out(InitFlags::NONE, 22)).map_alignment, 0);
    let fault = Negotiated::from_reply(out(flag, 22).as_bytes(), &OFFER);
    assert_eq!(fault, Err(InitFault::Alignment { log2: 22 }));
}

#[test]
fn idmap_needs_permission_checks() {
    let idmap = settled(&with_flags(46, InitFlags::ALLOW_IDMAP));
    assert_eq!(idmap.check_idmap(false), Err(InitFault::Idmap));
    assert_eq!(idmap.check_idmap(true), Ok(()));
    let acl = settled(&with_flags(
        46,
        InitFlags::ALLOW_IDMAP | InitFlags::POSIX_ACL,
    ));
    assert_eq!(acl.check_idmap(false), Ok(()));
    assert_eq!(settled(&reply(46)).check_idmap(false), Ok(()));
}

#[test]
fn sizes_of_old_minors() {
    let sizes = |minor| {
        let got = settled(&reply(minor));
        (
            got.statfs_out_size(),
            got.entry_out_size(),
            got.attr_out_size(),
            got.write_in_size(),
            got.mknod_in_size(),
        )
    };
    assert_eq!(sizes(3), (48, 120, 96, 24, 8));
    assert_eq!(sizes(4), (80, 120, 96, 24, 8));
    assert_eq!(sizes(9), (80, 128, 104, 40, 8));
    assert_eq!(sizes(12), (80, 128, 104, 40, 16));
    assert_eq!(settled(&reply(46)).setxattr_in_size(), 8);
    let ext = settled(&with_flags(46, InitFlags::SETXATTR_EXT));
    assert_eq!(ext.setxattr_in_size(), 16);
}

#[test]
fn faults_name_the_input() {
    assert!(InitFault::Length { got: 7 }.to_string().contains("7 bytes"));
    assert!(InitFault::Newer { major: 8 }.to_string().contains('8'));
    assert!(InitFault::Older { major: 6 }.to_string().contains('6'));
    assert!(InitFault::Alignment { log2: 22 }
        .to_string()
        .contains("2^22"));
    assert!(InitFault::Idmap.to_string().contains("default_permissions"));
}
