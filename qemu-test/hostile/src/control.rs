// SPDX-License-Identifier: GPL-2.0

//! Orders while the server runs: one line a connection, the answer is text.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;

use anyhow::{anyhow, bail, Context as _, Result};
use clap::Parser;

use rfuse_proto::reply::Errno;

use crate::damage::Plan;
use crate::lock;
use crate::service::Service;

/// The options of `damage`.
#[derive(Parser)]
// A later option has the last word: those of a seed come behind the usual ones.
#[command(no_binary_name = true, args_override_self = true)]
struct Order {
    #[command(flatten)]
    plan: Plan,
}

/// Serves orders until the process ends.
pub fn serve(listener: &UnixListener, service: &Mutex<Service>) {
    for stream in listener.incoming().flatten() {
        // Whoever hangs up does not want the answer.
        let _ = one(&stream, service);
    }
}

fn one(mut stream: &UnixStream, service: &Mutex<Service>) -> Result<()> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer = obey(&line, service).unwrap_or_else(|error| format!("error {error}\n"));
    stream.write_all(answer.as_bytes())?;
    Ok(())
}

/// A change of the tree that is not the client's, at a path below the root.
fn change<'a>(
    mut words: impl Iterator<Item = &'a str>,
    act: impl FnOnce(&str) -> Result<(), Errno>,
) -> Result<String> {
    let path = words.next().context("make and remove want a path")?;
    act(path).map_err(|error| anyhow!("{path}: error {}", error.get()))?;
    Ok(String::new())
}

fn obey(line: &str, service: &Mutex<Service>) -> Result<String> {
    let mut words = line.split_whitespace();
    match words.next() {
        Some("counters") => Ok(lock(service).counters()),
        Some("damage") => {
            let order = Order::try_parse_from(words)?;
            lock(service).set_plan(order.plan);
            Ok(String::new())
        }
        Some("make") => change(words, |place| lock(service).make(place)),
        Some("remove") => change(words, |place| lock(service).remove(place)),
        _ => bail!("knows counters, damage, make and remove, not {line:?}"),
    }
}
