// SPDX-License-Identifier: GPL-2.0

//! Damage: a seed decides for every answer whether and how it is spoiled.
//!
//! Chance is drawn anew for every answer from the seed and the answer's number, so that the same
//! requests get the same damage, and one answer's damage does not change that of the next.

mod attr;
mod body;
mod change;
mod dir;
pub mod draft;
mod head;
mod init;
mod ioctl;
pub mod kinds;
mod lock;
#[cfg(test)]
mod tests;
mod way;

use clap::Args;
use rand::{Rng as _, SeedableRng as _};

use rfuse_proto::wire::Opcode;

use self::draft::{Dice, Draft};
use self::kinds::{Kind, KINDS};
use crate::delivery::Delivery;
use crate::request::{operation, Request};

/// How often another damage is tried when the first finds nothing to spoil.
const TRIES: usize = 8;

/// Which damage is done.
#[derive(Args, Clone, Debug)]
pub struct Plan {
    /// What chance starts from
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How many answers of a hundred are damaged
    #[arg(long, default_value_t = 0.0, value_name = "PERCENT")]
    pub rate: f64,
    /// Damage no more after so many
    #[arg(long, default_value_t = u64::MAX, value_name = "NUMBER", hide_default_value = true)]
    pub answers: u64,
    /// Only damages of these kinds (see --list)
    #[arg(long, value_delimiter = ',', value_name = "KIND", value_parser = known)]
    pub only: Vec<String>,
    /// Only answers to these operations (READ, GETATTR, …)
    #[arg(long, value_delimiter = ',', value_name = "OPERATION", value_parser = operation)]
    pub to: Vec<Opcode>,
    /// No damages of these kinds
    #[arg(long, value_delimiter = ',', value_name = "KIND", value_parser = known)]
    pub without: Vec<String>,
    /// How many requests may be left without an answer at a time
    #[arg(long, default_value_t = 3, value_name = "NUMBER")]
    pub blocked: usize,
}

fn known(name: &str) -> Result<String, String> {
    match kinds::find(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(format!("no kind of damage is called {name}: see --list")),
    }
}

/// What was done to an answer.
#[derive(Clone, Copy, Debug)]
pub struct Damage {
    /// The kind.
    pub kind: &'static Kind,
    /// Whether the answer now is wrong, or missing; a late one is neither.
    pub lie: bool,
}

/// Does damage by a plan.
#[derive(Debug)]
pub struct Damager {
    plan: Plan,
    answers: u64,
    damaged: u64,
    blocked: usize,
}

impl Damager {
    /// Starts a plan.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            answers: 0,
            damaged: 0,
            blocked: 0,
        }
    }

    /// The client's transport starts anew: nobody waits any more.
    pub fn restarted(&mut self) {
        self.blocked = 0;
    }

    /// Answers so far under this plan.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// Damaged answers so far under this plan.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Whether the plan's number of damaged answers was reached.
    pub fn is_done(&self) -> bool {
        self.damaged >= self.plan.answers
    }

    /// The answer to deliver, and the damage it has.
    ///
    /// `nodes` is the number of the server's nodes.
    pub fn spoil(
        &mut self,
        request: &Request<'_>,
        nodes: u64,
        right: Vec<u8>,
    ) -> (Delivery, Option<Damage>) {
        let mut dice = Dice::seed_from_u64(self.plan.seed);
        dice.set_stream(self.answers);
        self.answers += 1;
        let draft = Draft::new(request, nodes, right);
        let spared = !self.plan.to.is_empty() && !self.plan.to.contains(&request.opcode);
        if spared || self.is_done() || !dice.random_bool((self.plan.rate / 100.0).clamp(0.0, 1.0)) {
            return (draft.delivery, None);
        }
        for _ in 0..TRIES {
            if let Some((kind, spoiled)) = self.attempt(&draft, &mut dice) {
                self.damaged += 1;
                self.blocked += usize::from(spoiled.blocks());
                let lie = !spoiled.says(&draft.delivery);
                return (spoiled, Some(Damage { kind, lie }));
            }
        }
        (draft.delivery, None)
    }

    /// One damage, if it changes anything.
    fn attempt(&self, draft: &Draft, dice: &mut Dice) -> Option<(&'static Kind, Delivery)> {
        let kind = self.choose(draft, dice)?;
        let mut spoiled = draft.clone();
        let done = (kind.apply)(&mut spoiled, dice) && spoiled.delivery != draft.delivery;
        let full = self.blocked >= self.plan.blocked;
        (done && !(full && spoiled.delivery.blocks())).then_some((kind, spoiled.delivery))
    }

    fn choose(&self, draft: &Draft, dice: &mut Dice) -> Option<&'static Kind> {
        let weight = |kind: &Kind| self.weight(kind, draft);
        let total: u32 = KINDS.iter().map(weight).sum();
        if total == 0 {
            return None;
        }
        let mut point = dice.random_range(0..total);
        KINDS.iter().find(|kind| {
            let weight = weight(kind);
            let hit = point < weight;
            point = point.saturating_sub(weight);
            hit
        })
    }

    fn weight(&self, kind: &Kind, draft: &Draft) -> u32 {
        let named = |names: &[String]| names.iter().any(|name| name == kind.name);
        if !kind.fits(draft) || named(&self.plan.without) {
            return 0;
        }
        match (self.plan.only.is_empty(), named(&self.plan.only)) {
            (true, _) => kind.weight,
            (false, true) => kind.weight.max(1),
            (false, false) => 0,
        }
    }
}
