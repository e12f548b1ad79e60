// SPDX-License-Identifier: GPL-2.0

//! The targets on their first inputs and on all that are close to them, without a fuzzer.

use super::*;

/// Every beginning of an input.
fn cut(seed: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..=seed.len()).map(|len| &seed[..len])
}

/// An input with one byte changed, for every byte that is not far behind the start.
fn changed(seed: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..seed.len().min(600)).flat_map(move |at| {
        let old = seed[at];
        let near = [old.wrapping_add(1), old.wrapping_sub(1), old ^ 0x80];
        [0, b'/', 0xff].into_iter().chain(near).map(move |byte| {
            let mut changed = seed.to_vec();
            changed[at] = byte;
            changed
        })
    })
}

#[test]
fn seeds_and_their_neighbours() {
    for (target, run) in TARGETS {
        let seeds = seeds::of(target);
        assert!(!seeds.is_empty(), "{target}");
        for seed in seeds {
            cut(&seed).for_each(run);
            changed(&seed).for_each(|changed| run(&changed));
        }
    }
}

#[test]
#[should_panic(expected = "left == right")]
fn a_difference_is_a_finding() {
    listing::check::<Unjudged>(&[0; 24], 0, None);
}

/// A parser that sees no fault.
struct Unjudged;

impl Iterator for Unjudged {
    type Item = Result<(), rfuse_proto::dirent::DirentFault>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl<'a> listing::Walk<'a> for Unjudged {
    type Record = ();
    const LAYOUT: listing::Layout = listing::Layout::PLAIN;

    fn resume(_bytes: &'a [u8], _position: usize, _before: Option<u64>) -> Self {
        Self
    }

    fn position(&self) -> usize {
        0
    }

    fn entry(_record: &()) -> rfuse_proto::dirent::Entry<'a> {
        unreachable!("it gives none")
    }
}
