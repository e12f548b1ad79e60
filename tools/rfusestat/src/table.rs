// SPDX-License-Identifier: GPL-2.0

//! The table for the terminal.

use std::io::{self, Write};

use crate::connection::State;
use crate::operation::Operation;

/// Writes a table a mount.
///
/// # Errors
///
/// Those of writing.
pub fn write(out: &mut impl Write, states: &[State]) -> io::Result<()> {
    if states.is_empty() {
        return writeln!(out, "no mounts of rfuse to be seen");
    }
    for state in states {
        one(out, state)?;
    }
    Ok(())
}

fn one(out: &mut impl Write, state: &State) -> io::Result<()> {
    let point = state.mount_point.display();
    let (source, waiting) = (&state.source, state.waiting);
    writeln!(
        out,
        "{source} on {point}, connection {}: {waiting} waiting",
        state.connection
    )?;
    let (count, sent, received) = match state.seconds {
        Some(_) => ("ops/s", "sent kB/s", "got kB/s"),
        None => ("ops", "sent kB", "got kB"),
    };
    writeln!(
        out,
        "{:<20} {count:>10} {:>8} {sent:>11} {received:>11} {:>9} {:>9} {:>9} {:>9}",
        "operation", "errors", "avg us", "p50 us", "p99 us", "max us"
    )?;
    let mut used: Vec<_> = state
        .operations
        .iter()
        .filter(|(_, operation)| operation.requests > 0)
        .collect();
    used.sort_by_key(|(_, operation)| std::cmp::Reverse(operation.requests));
    for (name, operation) in used {
        row(out, name, operation, state.seconds.unwrap_or(1.0))?;
    }
    writeln!(out)
}

fn row(out: &mut impl Write, name: &str, it: &Operation, seconds: f64) -> io::Result<()> {
    let per_second = |number: u64| number as f64 / seconds;
    let (times, average) = (&it.us_histogram, it.us_total / it.requests.max(1));
    writeln!(
        out,
        "{name:<20} {:>10.0} {:>8} {:>11.1} {:>11.1} {average:>9} {:>9} {:>9} {:>9}",
        per_second(it.requests),
        it.errors,
        per_second(it.bytes_sent) / 1024.0,
        per_second(it.bytes_received) / 1024.0,
        times.quantile(0.5).min(it.us_max),
        times.quantile(0.99).min(it.us_max),
        it.us_max
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::Histogram;

    fn state(seconds: Option<f64>) -> State {
        let read = Operation {
            requests: 10,
            errors: 1,
            bytes_sent: 2048,
            bytes_received: 40_960,
            us_total: 100,
            us_max: 30,
            us_histogram: Histogram(vec![0, 0, 0, 9, 0, 1]),
        };
        State {
            mount_point: "/mnt".into(),
            source: "tag".to_owned(),
            connection: 45,
            waiting: 2,
            seconds,
            operations: [
                ("READ".to_owned(), read),
                ("OPEN".to_owned(), Operation::default()),
            ]
            .into(),
        }
    }

    fn lines(states: &[State]) -> Vec<String> {
        let mut out = Vec::new();
        write(&mut out, states).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn rates() {
        let lines = lines(&[state(Some(2.0))]);
        assert_eq!(lines[0], "tag on /mnt, connection 45: 2 waiting");
        let words: Vec<_> = lines[2].split_whitespace().collect();
        assert_eq!(
            words,
            ["READ", "5", "1", "1.0", "20.0", "10", "8", "30", "30"]
        );
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn totals() {
        let lines = lines(&[state(None)]);
        assert!(lines[1].contains("got kB "));
        assert!(lines[2].split_whitespace().nth(1) == Some("10"));
    }

    #[test]
    fn nothing() {
        assert_eq!(lines(&[]), ["no mounts of rfuse to be seen"]);
    }
}
