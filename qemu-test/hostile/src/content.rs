// SPDX-License-Identifier: GPL-2.0

//! What is in the files: every page tells of which file and which page it is.
//!
//! A page is a window into one fixed pattern; where the window starts depends on inode number and
//! page. So bytes of another page, another file or no file at all are recognised, and so are right
//! bytes at a wrong offset. `qemu-test/guest/hostile.py` has the same function.

use std::sync::LazyLock;

/// Bytes of a page.
pub const PAGE: u64 = 4096;

/// Where windows may start.
const STARTS: u64 = 65_536;

/// Where the pattern starts from.
const PATTERN_SEED: u64 = 0x7266_7573_6521;

static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..(STARTS + PAGE) / 8)
        .flat_map(|index| mix(PATTERN_SEED.wrapping_add(index)).to_le_bytes())
        .collect()
});

/// Scrambles a number (the finish of splitmix64).
fn mix(number: u64) -> u64 {
    let mut word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The window of one page.
fn page(ino: u64, number: u64) -> &'static [u8] {
    let start = mix(ino.wrapping_mul(1 << 32).wrapping_add(number)) % STARTS;
    &PATTERN[start as usize..(start + PAGE) as usize]
}

/// The bytes of file `ino` from `offset` on.
pub fn read(ino: u64, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    let mut at = offset;
    while bytes.len() < len {
        let rest = &page(ino, at / PAGE)[(at % PAGE) as usize..];
        let taken = rest.len().min(len - bytes.len());
        bytes.extend_from_slice(&rest[..taken]);
        at += taken as u64;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_make_the_whole() {
        let whole = read(7, 0, 20_000);
        for (offset, len) in [(0, 1), (1, 4096), (4095, 2), (8000, 9000), (19_999, 1)] {
            assert_eq!(read(7, offset as u64, len), whole[offset..offset + len]);
        }
    }

    #[test]
    fn files_and_pages_differ() {
        assert_ne!(read(7, 0, 64), read(8, 0, 64));
        assert_ne!(read(7, 0, 64), read(7, PAGE, 64));
        assert_ne!(read(7, 0, 64), read(7, 16, 64));
        assert!(read(7, 0, 4096).iter().any(|byte| *byte != 0));
    }

    /// The value that `qemu-test/guest/hostile.py` has too.
    #[test]
    fn the_guest_knows_it() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    }
}
