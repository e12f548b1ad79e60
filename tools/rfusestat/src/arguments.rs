// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Shows what the mounts of rfuse do: operations, rates, errors and latencies.
///
/// It reads the control file system: mount -t rfusectl none /sys/fs/rfuse/connections
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// Where something is mounted [default: all mounts of rfuse]
    pub directories: Vec<PathBuf>,

    /// Print what happened since the mount, and end
    #[arg(long)]
    pub once: bool,

    /// Print JSON, a line each time
    #[arg(long)]
    pub json: bool,

    /// Seconds from one time to the next
    #[arg(long, short, default_value_t = 1.0, value_parser = seconds, conflicts_with = "once")]
    interval: f64,

    /// End after so many times
    #[arg(long, short, value_name = "NUMBER", conflicts_with = "once")]
    pub count: Option<u64>,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What else it does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Cuts a mount off from its server: all that waits ends with an error
    Abort {
        /// Where it is mounted
        directory: PathBuf,
    },
}

impl Arguments {
    /// From one time to the next.
    pub fn interval(&self) -> Duration {
        Duration::from_secs_f64(self.interval)
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number from 0.1 to 86400 is wanted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn intervals() {
        let parse = |text| Arguments::try_parse_from(["rfusestat", "--interval", text]);
        assert_eq!(parse("0.5").unwrap().interval(), Duration::from_millis(500));
        for wrong in ["0", "-1", "NaN", "inf", "1e9", "x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
