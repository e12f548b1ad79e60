// SPDX-License-Identifier: GPL-2.0

//! Damage of how an answer travels; what it says is right.

use std::time::Duration;

use rand::Rng as _;

use super::draft::{pick, Dice, Draft};
use crate::delivery::{Receipt, Timing};

fn milliseconds(dice: &mut Dice, from: u64, to: u64) -> Duration {
    Duration::from_millis(dice.random_range(from..to))
}

/// A little late.
pub fn late(draft: &mut Draft, dice: &mut Dice) -> bool {
    draft.delivery.timing = Timing::After(milliseconds(dice, 1, 100));
    true
}

/// So late that whoever waits is being killed.
pub fn very_late(draft: &mut Draft, dice: &mut Dice) -> bool {
    draft.delivery.timing = Timing::After(milliseconds(dice, 1500, 5000));
    true
}

/// After the next answer.
pub fn swapped(draft: &mut Draft, dice: &mut Dice) -> bool {
    draft.delivery.timing = Timing::Behind(milliseconds(dice, 10, 100));
    true
}

/// Never.
pub fn never(draft: &mut Draft, _dice: &mut Dice) -> bool {
    draft.delivery.timing = Timing::Never;
    true
}

/// Reported twice.
pub fn twice(draft: &mut Draft, dice: &mut Dice) -> bool {
    draft.delivery.receipt = Receipt::Again(match dice.random() {
        true => Duration::ZERO,
        false => milliseconds(dice, 1, 100),
    });
    true
}

/// Another request is reported to be done.
pub fn id_other(draft: &mut Draft, _dice: &mut Dice) -> bool {
    draft.delivery.receipt = Receipt::Other;
    true
}

/// A request is reported to be done which cannot exist.
pub fn id_absurd(draft: &mut Draft, dice: &mut Dice) -> bool {
    let ids = [1024, 65_535, 65_536, u32::MAX, dice.random_range(0..1024)];
    draft.delivery.receipt = Receipt::Absurd(pick(dice, &ids).copied().unwrap_or(u32::MAX));
    true
}

/// More requests are reported to be done than are, by an index that jumps.
pub fn jump(draft: &mut Draft, dice: &mut Dice) -> bool {
    let steps = [
        2,
        3,
        1023,
        1024,
        1025,
        32_768,
        u16::MAX,
        dice.random_range(2..1024),
    ];
    draft.delivery.receipt = Receipt::Jump(pick(dice, &steps).copied().unwrap_or(2));
    true
}
