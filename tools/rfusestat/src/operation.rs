// SPDX-License-Identifier: GPL-2.0

//! What is counted of an operation, and the two tables that tell of it.

use std::collections::BTreeMap;

use anyhow::{anyhow, Result};
use serde::Serialize;

use crate::histogram::Histogram;

/// The sums of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// Requests that came to their end.
    pub requests: u64,
    /// Those that the server refused or never answered.
    pub errors: u64,
    /// Bytes that the server was sent.
    pub bytes_sent: u64,
    /// Bytes that it sent.
    pub bytes_received: u64,
    /// How long all took together, in µs.
    pub us_total: u64,
    /// How long the longest took since the mount, in µs.
    pub us_max: u64,
    /// How many took how long.
    pub us_histogram: Histogram,
}

/// All operations, by name.
pub type Operations = BTreeMap<String, Operation>;

impl Operation {
    /// What was added since `earlier`. Nobody knows of it which one took longest: the histogram bounds that.
    pub fn since(&self, earlier: &Self) -> Self {
        let us_histogram = self.us_histogram.since(&earlier.us_histogram);
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            errors: self.errors.saturating_sub(earlier.errors),
            bytes_sent: self.bytes_sent.saturating_sub(earlier.bytes_sent),
            bytes_received: self.bytes_received.saturating_sub(earlier.bytes_received),
            us_total: self.us_total.saturating_sub(earlier.us_total),
            us_max: us_histogram.quantile(1.0).min(self.us_max),
            us_histogram,
        }
    }
}

/// Reads the files `stats` and `latency`.
///
/// # Errors
///
/// They are not what this version of rfusestat knows.
pub fn parse(stats: &str, latency: &str) -> Result<Operations> {
    let mut operations = Operations::new();
    for line in lines(stats) {
        let (name, numbers) = numbers(line)?;
        let &[requests, errors, bytes_sent, bytes_received] = numbers.as_slice() else {
            return Err(anyhow!("cannot read \"{line}\""));
        };
        let operation = operations.entry(name.to_owned()).or_default();
        operation.requests = requests;
        operation.errors = errors;
        operation.bytes_sent = bytes_sent;
        operation.bytes_received = bytes_received;
    }
    for line in lines(latency) {
        let (name, numbers) = numbers(line)?;
        let [us_total, us_max, buckets @ ..] = numbers.as_slice() else {
            return Err(anyhow!("cannot read \"{line}\""));
        };
        // It may be newer than the other file.
        let operation = operations.entry(name.to_owned()).or_default();
        operation.us_total = *us_total;
        operation.us_max = *us_max;
        operation.us_histogram = Histogram(buckets.to_vec());
    }
    Ok(operations)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#'))
}

fn numbers(line: &str) -> Result<(&str, Vec<u64>)> {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default();
    let numbers: Result<_, _> = words.map(str::parse).collect();
    Ok((
        name,
        numbers.map_err(|_| anyhow!("cannot read \"{line}\""))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATS: &str =
        "# operation requests errors bytes_sent bytes_received\nREAD 3 1 240 8208\n";
    const LATENCY: &str =
        "# operation us_total us_max requests_below_us 1 2 more\nREAD 12 9 0 1 2\n";

    #[test]
    fn both_tables() {
        let operations = parse(STATS, LATENCY).unwrap();
        let read = &operations["READ"];
        assert_eq!((read.requests, read.errors, read.bytes_sent), (3, 1, 240));
        assert_eq!((read.us_total, read.us_max), (12, 9));
        assert_eq!(read.us_histogram.0, [0, 1, 2]);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in ["READ 3 1 240\n", "READ x 1 2 3\n", "READ 1 2 3 4 5\n", "\n"] {
            assert!(parse(wrong, LATENCY).is_err(), "{wrong}");
        }
        assert!(parse(STATS, "READ 1\n").is_err());
    }

    #[test]
    fn the_longest_of_a_while_is_bounded_by_its_bucket() {
        let before = parse(STATS, LATENCY).unwrap();
        let after = parse(STATS, "READ 14 9 0 2 2\n").unwrap();
        let more = after["READ"].since(&before["READ"]);
        assert_eq!((more.requests, more.us_total, more.us_max), (0, 2, 2));
    }
}
