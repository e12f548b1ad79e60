// SPDX-License-Identifier: GPL-2.0

//! How long requests took: less than 1, 2, 4, … µs, and the rest.

use serde::Serialize;

/// How many took how long: the bucket `n` is for those below 2ⁿ µs, the last one for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Histogram(pub Vec<u64>);

impl Histogram {
    /// What was added since `earlier`.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.0.iter().copied().chain(std::iter::repeat(0));
        let more = self.0.iter().zip(before);
        Self(
            more.map(|(now, before)| now.saturating_sub(before))
                .collect(),
        )
    }

    /// A time in µs that `share` of all took less than, within a factor of 2; 0 if there were none.
    pub fn quantile(&self, share: f64) -> u64 {
        let total: u64 = self.0.iter().sum();
        let wanted = (total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        let reached = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        reached.map_or(0, |bucket| 1 << bucket.min(63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        let times = Histogram(vec![0, 50, 0, 49, 0, 1]);
        assert_eq!(times.quantile(0.5), 2);
        assert_eq!(times.quantile(0.51), 8);
        assert_eq!(times.quantile(0.99), 8);
        assert_eq!(times.quantile(1.0), 32);
        assert_eq!(Histogram(vec![0; 4]).quantile(0.5), 0);
        assert_eq!(Histogram::default().quantile(0.5), 0);
    }

    #[test]
    fn differences() {
        let (before, now) = (Histogram(vec![1, 2]), Histogram(vec![1, 5, 4]));
        assert_eq!(now.since(&before).0, [0, 3, 4]);
        assert_eq!(before.since(&now).0, [0, 0]);
    }
}
