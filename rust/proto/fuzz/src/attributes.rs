// SPDX-License-Identifier: GPL-2.0

//! Models of the attributes and lookups in answers.

use crate::bytes::{u16_at, u32_at, u64_at};
use rfuse_proto::attr::{AttrFault, Attributes, Lookup, Node, Rdev, Time, Timeout};

/// `struct fuse_attr` of 88 bytes.
///
/// # Errors
///
/// What is wrong with it.
pub fn attr(bytes: &[u8]) -> Result<Attributes, AttrFault> {
    let size = size(u64_at(bytes, 8))?;
    let dev = u32_at(bytes, 76);
    Ok(Attributes {
        mask: 0x7ff,
        ino: u64_at(bytes, 0),
        size,
        blocks: u64_at(bytes, 16),
        atime: time(u64_at(bytes, 24), u32_at(bytes, 48)),
        mtime: time(u64_at(bytes, 32), u32_at(bytes, 52)),
        ctime: time(u64_at(bytes, 40), u32_at(bytes, 56)),
        btime: None,
        mode: mode(u32_at(bytes, 60))?,
        nlink: u32_at(bytes, 64),
        uid: u32_at(bytes, 68),
        gid: u32_at(bytes, 72),
        rdev: Rdev {
            major: (dev >> 8) & 0xfff,
            minor: (dev & 0xff) | ((dev >> 20) << 8),
        },
        blksize: power_of_two(u32_at(bytes, 80)),
        flags: u32_at(bytes, 84),
    })
}

/// `struct fuse_statx_out` of 288 bytes; `struct fuse_statx` begins at 32.
///
/// # Errors
///
/// What is wrong with it.
pub fn statx(bytes: &[u8]) -> Result<(Attributes, Timeout), AttrFault> {
    let stat = &bytes[32..];
    let mask = u32_at(stat, 0);
    let size = match mask & 0x200 {
        0 => 0,
        _ => size(u64_at(stat, 40))?,
    };
    let bits = u16_at(stat, 28);
    let mode = match mask & 1 {
        0 => bits & 0o7777,
        _ => mode(bits.into())?,
    };
    let attributes = Attributes {
        mask: mask & 0xfff,
        ino: u64_at(stat, 32),
        size,
        blocks: u64_at(stat, 48),
        atime: time(u64_at(stat, 64), u32_at(stat, 72)),
        mtime: time(u64_at(stat, 112), u32_at(stat, 120)),
        ctime: time(u64_at(stat, 96), u32_at(stat, 104)),
        btime: (mask & 0x800 != 0).then(|| time(u64_at(stat, 80), u32_at(stat, 88))),
        mode,
        nlink: u32_at(stat, 16),
        uid: u32_at(stat, 20),
        gid: u32_at(stat, 24),
        rdev: Rdev {
            major: u32_at(stat, 128) % (1 << 12),
            minor: u32_at(stat, 132) % (1 << 20),
        },
        blksize: power_of_two(u32_at(stat, 4)),
        flags: u32_at(bytes, 12),
    };
    Ok((attributes, timeout(u64_at(bytes, 0), u32_at(bytes, 8))))
}

/// `struct fuse_attr_out` of 104 bytes.
///
/// # Errors
///
/// What is wrong with it.
pub fn attr_out(bytes: &[u8]) -> Result<(Attributes, Timeout), AttrFault> {
    let valid = timeout(u64_at(bytes, 0), u32_at(bytes, 8));
    Ok((attr(&bytes[16..])?, valid))
}

/// `struct fuse_entry_out` of 128 bytes.
///
/// # Errors
///
/// What is wrong with it.
pub fn lookup(bytes: &[u8]) -> Result<Lookup, AttrFault> {
    let entry_valid = timeout(u64_at(bytes, 16), u32_at(bytes, 32));
    match u64_at(bytes, 0) {
        0 => Ok(Lookup::Negative(entry_valid)),
        1 => Err(AttrFault::Root),
        nodeid => Ok(Lookup::Found(Node {
            nodeid,
            generation: u64_at(bytes, 8),
            entry_valid,
            attr_valid: timeout(u64_at(bytes, 24), u32_at(bytes, 36)),
            attributes: attr(&bytes[40..])?,
        })),
    }
}

/// What an inode takes over: whatever the server said, the VFS can live with it.
pub fn assert_sound(got: &Attributes) {
    assert!(got.size <= i64::MAX as u64);
    for time in [Some(got.atime), Some(got.mtime), Some(got.ctime), got.btime] {
        assert!(time.is_none_or(|time| time.nsec < 1_000_000_000));
    }
    assert!(got.blksize == 0 || got.blksize.is_power_of_two());
    assert_eq!(got.file_type() & 0o7777, 0);
    assert!(got.check_type(got.mode).is_ok());
    assert!(got.check_type(got.mode ^ 0o010_000).is_err());
    if got.is_complete() {
        assert!([1, 2, 4, 6, 8, 10, 12].contains(&(got.mode >> 12)));
    }
}

fn size(size: u64) -> Result<u64, AttrFault> {
    match size >> 63 {
        0 => Ok(size),
        _ => Err(AttrFault::Size { size }),
    }
}

fn mode(mode: u32) -> Result<u16, AttrFault> {
    match (mode >> 12) & 0xf {
        1 | 2 | 4 | 6 | 8 | 10 | 12 => Ok(mode as u16),
        _ => Err(AttrFault::Type { mode }),
    }
}

fn time(sec: u64, nsec: u32) -> Time {
    Time {
        sec: sec as i64,
        nsec: nsec.min(999_999_999),
    }
}

/// In 128 bits nothing overflows.
fn timeout(sec: u64, nsec: u32) -> Timeout {
    let nanos = u128::from(sec) * 1_000_000_000 + u128::from(nsec.min(999_999_999));
    let Ok(nanos) = u64::try_from(nanos) else {
        return Timeout::FOREVER;
    };
    let timeout = Timeout::new(nanos / 1_000_000_000, (nanos % 1_000_000_000) as u32);
    assert_eq!(timeout.as_nanos(), nanos);
    timeout
}

fn power_of_two(value: u32) -> u32 {
    (0..32)
        .rev()
        .map(|bit| 1 << bit)
        .find(|bit| value & bit != 0)
        .unwrap_or(0)
}
