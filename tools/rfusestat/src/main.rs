// SPDX-License-Identifier: GPL-2.0

//! `rfusestat`: what the mounts of rfuse do, as the control file system tells it.

mod arguments;
mod connection;
mod histogram;
mod operation;
mod table;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser;
use mount_rfuse::report;

use crate::arguments::{Arguments, Command};
use crate::connection::{Connection, State};

const PROGRAM: &str = "rfusestat";

/// Where the terminal goes on: at its start, with nothing below.
const HOME_AND_CLEAR: &str = "\x1b[H\x1b[J";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads it has gone.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report::problem(PROGRAM, format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new("/");
    match &arguments.command {
        Some(Command::Abort { directory }) => connection::at(root, directory)?.abort(),
        None if arguments.once => {
            let states = read_all(&connection::find(root, &arguments.directories)?)?;
            print(arguments, &states)
        }
        None => watch(root, arguments),
    }
}

/// The state of each, but of those whose mount has gone meanwhile.
fn read_all(connections: &[Connection]) -> Result<Vec<State>> {
    connections
        .iter()
        .filter_map(|connection| connection.read().transpose())
        .collect()
}

/// Prints what happens from one time to the next, until it is told to end.
fn watch(root: &Path, arguments: &Arguments) -> Result<()> {
    let connections = connection::find(root, &arguments.directories)?;
    let in_place = !arguments.json && io::stdout().is_terminal();
    let (mut before, mut since) = (read_all(&connections)?, Instant::now());
    let mut left = arguments.count;
    while left != Some(0) {
        thread::sleep(arguments.interval());
        let connections = connection::find(root, &arguments.directories)?;
        let (now, elapsed) = (read_all(&connections)?, since.elapsed());
        since = Instant::now();
        if in_place {
            print!("{HOME_AND_CLEAR}");
        }
        let changes: Vec<State> = now
            .iter()
            .map(|state| state.since(&before, elapsed))
            .collect();
        print(arguments, &changes)?;
        before = now;
        left = left.map(|left| left - 1);
    }
    Ok(())
}

fn print(arguments: &Arguments, states: &[State]) -> Result<()> {
    let mut out = io::stdout().lock();
    match arguments.json {
        true => {
            serde_json::to_writer(&mut out, states).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        false => table::write(&mut out, states)?,
    }
    out.flush().context("cannot write")
}
