// SPDX-License-Identifier: GPL-2.0

//! Target `init`: any answer to any offer. The model follows the C client's `process_init_reply`.

use crate::{
    assert_told,
    bytes::{put, u16_at, u32_at},
};
use arbitrary::Arbitrary;
use rfuse_proto::{
    flags::InitFlags,
    init::{InitFault, Negotiated, Offer},
    wire::InitIn,
};

/// The answer is of major version 7.
pub const MAJOR: u8 = 1 << 0;

/// The answer is of the newest minor version.
pub const MINOR: u8 = 1 << 1;

/// What the fuzzer chooses.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    mode: u8,
    flags: u64,
    max_readahead: u32,
    max_pages_limit: u16,
    answer: &'a [u8],
}

/// The target.
pub fn run(data: &[u8]) {
    let Some(input) = crate::input::<Input>(data) else {
        return;
    };
    let offer = Offer {
        flags: InitFlags::from_bits(input.flags),
        max_readahead: input.max_readahead,
        max_pages_limit: input.max_pages_limit,
    };
    let mut answer = input.answer.to_vec();
    if input.mode & MAJOR != 0 {
        put(&mut answer, 0, &7_u32.to_ne_bytes());
    }
    if input.mode & MINOR != 0 {
        put(&mut answer, 4, &46_u32.to_ne_bytes());
    }
    check_offer(&offer);
    check(&answer, &offer);
}

/// What goes out.
fn check_offer(offer: &Offer) {
    let bits = offered(offer);
    let want = InitIn {
        major: 7,
        minor: 46,
        max_readahead: offer.max_readahead,
        flags: bits as u32,
        flags2: (bits >> 32) as u32,
        unused: [0; 11],
    };
    assert_eq!(offer.body(), want);
}

/// Compares what is settled with the model.
pub fn check(answer: &[u8], offer: &Offer) {
    let got = Negotiated::from_reply(answer, offer);
    match &got {
        Ok(negotiated) => assert_sound(negotiated, offer),
        Err(fault) => assert_told(fault),
    }
    assert_eq!(got, model(answer, offer));
}

/// Whatever the server said, the client can work with it.
fn assert_sound(got: &Negotiated, offer: &Offer) {
    assert_eq!(got.flags.bits() & !offered(offer), 0);
    assert!(got.minor <= 46 && got.max_readahead <= offer.max_readahead);
    assert!((1..=offer.max_pages_limit.max(1)).contains(&got.max_pages));
    assert!(got.max_write >= 4096);
    assert!(got.max_background >= 1 && got.congestion_threshold >= 1);
    assert!((1..=1_000_000_000).contains(&got.time_gran));
    assert!(got.name_max == 1024 || got.name_max == 4095);
    assert!(got.map_alignment <= 21 && got.max_stack_depth <= 2);
    let idmap = got.flags.contains(InitFlags::ALLOW_IDMAP);
    let acl = got.flags.contains(InitFlags::POSIX_ACL);
    for default_permissions in [false, true] {
        let fits = !idmap || acl || default_permissions;
        assert_eq!(got.check_idmap(default_permissions).is_ok(), fits);
    }
    let old = got.minor < 9;
    assert_eq!(got.entry_out_size(), if old { 120 } else { 128 });
    assert_eq!(got.attr_out_size(), if old { 96 } else { 104 });
    assert_eq!(got.statfs_out_size(), if got.minor < 4 { 48 } else { 80 });
}

/// `FUSE_INIT_EXT` goes with the second half.
fn offered(offer: &Offer) -> u64 {
    match offer.flags.bits() {
        bits if bits >> 32 != 0 => bits | (1 << 30),
        bits => bits,
    }
}

/// What client and server must settle on.
fn model(answer: &[u8], offer: &Offer) -> Result<Negotiated, InitFault> {
    let got = answer.len();
    if !(8..=64).contains(&got) {
        return Err(InitFault::Length { got });
    }
    let mut reply = [0; 64];
    put(&mut reply, 0, answer);
    let major = u32_at(&reply, 0);
    if major != 7 {
        return Err(match major {
            0..7 => InitFault::Older { major },
            _ => InitFault::Newer { major },
        });
    }
    let minor = u32_at(&reply, 4).min(46);
    let flags = flags(&reply, minor) & offered(offer);
    let flags = consistent(flags, u32_at(&reply, 36));
    let has = |bit: u32| (flags >> bit) & 1 == 1;
    let max_pages = if has(22) { u16_at(&reply, 28) } else { 32 };
    let max_pages = max_pages.clamp(1, offer.max_pages_limit.max(1));
    let log2 = if has(26) { u16_at(&reply, 30) } else { 0 };
    if log2 > 21 {
        return Err(InitFault::Alignment { log2 });
    }
    let (max_background, congestion_threshold) = background(&reply, minor);
    let readahead = u32_at(&reply, 8).min(offer.max_readahead);
    let time_gran = u32_at(&reply, 24);
    let fine = minor >= 6 && time_gran != 0 && time_gran <= 1_000_000_000;
    Ok(Negotiated {
        minor,
        flags: InitFlags::from_bits(flags),
        max_readahead: if minor < 6 {
            offer.max_readahead
        } else {
            readahead
        },
        max_write: if minor < 5 {
            4096
        } else {
            u32_at(&reply, 20).max(4096)
        },
        max_pages,
        max_background,
        congestion_threshold,
        time_gran: if fine { time_gran } else { 1 },
        name_max: if has(22) && max_pages > 1 { 4095 } else { 1024 },
        map_alignment: log2,
        max_stack_depth: if has(37) { u32_at(&reply, 36) as u8 } else { 0 },
        request_timeout: if has(42) { u16_at(&reply, 40) } else { 0 },
    })
}

/// What the server says, by the rules of its minor version.
fn flags(reply: &[u8], minor: u32) -> u64 {
    const EXPORT_SUPPORT: u64 = 1 << 4;
    const FLOCK_LOCKS: u64 = 1 << 10;
    let mut flags = u64::from(u32_at(reply, 12));
    if (flags >> 30) & 1 == 1 {
        flags |= u64::from(u32_at(reply, 32)) << 32;
    }
    if minor < 17 {
        let posix_locks = (flags >> 1) & 1;
        flags = (flags & !FLOCK_LOCKS) | (posix_locks << 10);
    }
    if minor < 9 {
        flags &= !EXPORT_SUPPORT;
    }
    if minor < 6 {
        flags = 0;
    }
    flags
}

/// Without what excludes each other.
fn consistent(mut flags: u64, depth: u32) -> u64 {
    let has = |bit: u32| (flags >> bit) & 1 == 1;
    let (auto_inval, plus, writeback) = (has(12), has(13), has(16));
    if auto_inval {
        flags &= !(1 << 25);
    }
    if !plus {
        flags &= !(1 << 14);
    }
    if writeback || depth == 0 || depth > 2 {
        flags &= !(1 << 37);
    }
    flags
}

/// Limit of background requests, and how many are congestion.
fn background(reply: &[u8], minor: u32) -> (u16, u16) {
    let named = |at| if minor < 13 { 0 } else { u16_at(reply, at) };
    let limit = match named(16) {
        0 => 12,
        limit => limit,
    };
    let threshold = match named(18) {
        // Three quarters, rounded down.
        0 => (u32::from(limit) * 3 / 4).max(1) as u16,
        threshold => threshold,
    };
    (limit, threshold)
}
