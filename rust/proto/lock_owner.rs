// SPDX-License-Identifier: GPL-2.0

//! Names for lock owners that tell a server nothing of the kernel's addresses.

/// Rounds of the cipher.
const ROUNDS: u32 = 32;

/// Step of the key schedule.
const DELTA: u32 = 0x9e37_79b9;

/// A secret of a connection.
#[derive(Clone, Copy)]
pub struct Key([u32; 4]);

impl Key {
    /// A key of random words.
    pub const fn new(words: [u32; 4]) -> Self {
        Self(words)
    }

    fn word(&self, index: u32) -> u32 {
        let [a, b, c, d] = self.0;
        match index & 3 {
            0 => a,
            1 => b,
            2 => c,
            _ => d,
        }
    }

    /// The name of the owner that has the address `owner`: XTEA, so that no two have the same.
    pub fn scramble(&self, owner: u64) -> u64 {
        let (mut low, mut high) = (owner as u32, (owner >> 32) as u32);
        let mut sum = 0_u32;
        for _ in 0..ROUNDS {
            low = low.wrapping_add(mix(high) ^ sum.wrapping_add(self.word(sum)));
            sum = sum.wrapping_add(DELTA);
            high = high.wrapping_add(mix(low) ^ sum.wrapping_add(self.word(sum >> 11)));
        }
        (u64::from(high) << 32) | u64::from(low)
    }
}

const fn mix(half: u32) -> u32 {
    ((half << 4) ^ (half >> 5)).wrapping_add(half)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::collections::BTreeSet;

    /// A published vector of XTEA, whose halves are big-endian words.
    #[test]
    fn is_xtea() {
        let key = Key::new([0x0001_0203, 0x0405_0607, 0x0809_0a0b, 0x0c0d_0e0f]);
        let plain = (0x4546_4748_u64 << 32) | 0x4142_4344;
        let scrambled = key.scramble(plain);
        assert_eq!(scrambled as u32, 0x497d_f3d0);
        assert_eq!((scrambled >> 32) as u32, 0x7261_2cb5);
    }

    #[test]
    fn owners_stay_apart() {
        let key = Key::new([1, 2, 3, 4]);
        let names: BTreeSet<u64> = (0..10_000).map(|owner| key.scramble(owner * 64)).collect();
        assert_eq!(names.len(), 10_000);
    }
}
