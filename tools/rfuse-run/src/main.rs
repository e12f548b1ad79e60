// SPDX-License-Identifier: GPL-2.0

//! `rfuse-run -- DAEMON ARGUMENTS… DIRECTORY`: runs an unmodified FUSE daemon on rfuse.
//!
//! The daemon mounts nothing itself: it gets `/dev/fd/N`, the mounted device, as its mount point.

mod arguments;
mod signals;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context as _, Result};
use clap::error::ErrorKind;
use clap::Parser;
use mount_rfuse::error::Error;
use mount_rfuse::report::{self, Report};
use mount_rfuse::session::Session;
use rustix::thread::{remove_capability_from_bounding_set, CapabilitySet};

use crate::arguments::Arguments;

const PROGRAM: &str = "rfuse-run";

/// Exit codes as those of env(1) and nohup(1); all others are the daemon's.
const FAILED: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe is no reason to fail in another way.
            let _ = error.print();
            let helped = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            return if helped { 0 } else { FAILED }.into();
        }
    };
    match run(&arguments) {
        Ok(status) => exit_code(status).into(),
        Err(error) => {
            report::problem(PROGRAM, format_args!("{error:#}"));
            failure_code(&error).into()
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitStatus> {
    let plan = arguments.plan()?;
    let report = Report::new(PROGRAM, arguments.verbose);
    // Before anything is mounted: whoever is told to end then still unmounts.
    let forwarder = signals::Forwarder::new().context("cannot handle signals")?;
    let session = Session::mount(Path::new("/"), &plan, report)?;
    let command = arguments.daemon(&session.point());
    report.step(format_args!("running {command:?}"));
    if arguments.no_mount {
        // The right to unmount stays here: a bounding set counts for what is run.
        remove_capability_from_bounding_set(CapabilitySet::SYS_ADMIN)
            .context("cannot take CAP_SYS_ADMIN from the daemon")?;
    }
    let running = session.start(command)?;
    forwarder
        .forward_to(running.pid())
        .context("cannot forward signals")?;
    running.wait().context("cannot wait for the daemon")
}

/// The daemon's own, or that of a shell for one that was killed.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|number| 128 + number));
    code.and_then(|code| code.try_into().ok()).unwrap_or(FAILED)
}

fn failure_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref() {
        Some(Error::Daemon { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
            NOT_FOUND
        }
        Some(Error::Daemon { .. }) => CANNOT_RUN,
        _ => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn the_exit_code_is_the_daemons() {
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(9)), 137);
    }

    #[test]
    fn what_could_not_be_run_has_codes_of_its_own() {
        let daemon = |number| {
            anyhow::Error::from(Error::Daemon {
                program: "daemon".into(),
                error: io::Error::from_raw_os_error(number),
            })
        };
        assert_eq!(failure_code(&daemon(2)), NOT_FOUND);
        assert_eq!(failure_code(&daemon(13)), CANNOT_RUN);
        assert_eq!(failure_code(&Error::MayNotMount.into()), FAILED);
    }
}
