// SPDX-License-Identifier: GPL-2.0

//! The virtio-fs server of the tests that tells lies: a vhost-user back-end for QEMU.

#![forbid(unsafe_code)]

mod virtio;

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use hostile::options::{list, Options};

/// A virtio-fs server that damages its answers.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Socket for QEMU
    #[arg(long, value_name = "PATH", required_unless_present = "list")]
    socket_path: Option<PathBuf>,
    /// Number of request queues
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=62))]
    queues: u16,
    #[command(flatten)]
    options: Options,
}

fn main() -> Result<()> {
    let Arguments {
        socket_path,
        queues,
        options,
    } = Arguments::parse();
    let Some(socket) = socket_path.filter(|_| !options.list) else {
        list();
        return Ok(());
    };
    let queues = usize::from(queues) + virtio::HIPRIO_QUEUES;
    virtio::serve(&socket, queues, options.die_after, options.start()?)
}
