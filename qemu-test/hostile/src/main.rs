// SPDX-License-Identifier: GPL-2.0

//! The virtio-fs server of the tests that tells lies: a vhost-user back-end for QEMU.

#![forbid(unsafe_code)]

mod control;
mod virtio;

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

use hostile::damage::kinds::KINDS;
use hostile::damage::Plan;
use hostile::journal::Journal;
use hostile::request::operation;
use hostile::server::{Features, Settings, Writeback};
use hostile::service::Service;
use rfuse_proto::flags::InitFlags;
use rfuse_proto::wire::Opcode;

/// A virtio-fs server that damages its answers.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Socket for QEMU
    #[arg(long, value_name = "PATH", required_unless_present = "list")]
    socket_path: Option<PathBuf>,
    /// Socket for orders while it runs: `counters`, `damage OPTION…`, `make PATH`, `remove PATH`
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// File for a line about each damaged answer
    #[arg(long, value_name = "PATH")]
    journal: Option<PathBuf>,
    /// Number of request queues
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=62))]
    queues: u16,
    /// How long names and attributes may be cached, in milliseconds
    #[arg(long, default_value_t = 1000, value_name = "MILLISECONDS")]
    valid: u64,
    /// The largest WRITE in bytes, which also bounds the pages of a request
    #[arg(long, default_value_t = 1 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(4096..=1 << 20))]
    max_write: u32,
    /// Whether the client may keep what was written (WRITEBACK_CACHE)
    #[arg(long, value_enum, default_value_t = Writeback::Never)]
    writeback: Writeback,
    /// FOPEN_* flags of every opened file, as a number (1: around the page cache)
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    open_flags: u32,
    /// Flags of INIT that are not confirmed
    #[arg(long, value_delimiter = ',', value_name = "FLAG", value_parser = flag)]
    refuses: Vec<InitFlags>,
    /// Operations to answer with ENOSYS
    #[arg(long, value_delimiter = ',', value_name = "OPERATION", value_parser = operation)]
    lacks: Vec<Opcode>,
    /// End without a word after so many answers
    #[arg(long, value_name = "ANSWERS")]
    die_after: Option<u64>,
    /// Lists the kinds of damage
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    features: Features,
    #[command(flatten)]
    plan: Plan,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Some(socket) = arguments.socket_path.as_ref().filter(|_| !arguments.list) else {
        list();
        return Ok(());
    };
    let service = Arc::new(Mutex::new(service(&arguments)?));
    if let Some(path) = &arguments.control {
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path)
            .with_context(|| format!("cannot listen on {}", path.display()))?;
        let service = Arc::clone(&service);
        thread::spawn(move || control::serve(&listener, &service));
    }
    let queues = usize::from(arguments.queues) + virtio::HIPRIO_QUEUES;
    virtio::serve(socket, queues, arguments.die_after, service)
}

/// A flag of INIT that can be refused, by its name.
fn flag(name: &str) -> Result<InitFlags, String> {
    match name {
        "ASYNC_DIO" => Ok(InitFlags::ASYNC_DIO),
        "DIRECT_IO_ALLOW_MMAP" => Ok(InitFlags::DIRECT_IO_ALLOW_MMAP),
        _ => Err(format!("no flag that can be refused is called {name}")),
    }
}

fn service(arguments: &Arguments) -> Result<Service> {
    let refused = arguments
        .refuses
        .iter()
        .fold(InitFlags::NONE, |all, flag| all | *flag);
    let settings = Settings {
        flags: Settings::default().flags.without(refused),
        valid: Duration::from_millis(arguments.valid),
        writeback: arguments.writeback,
        max_write: arguments.max_write,
        open_flags: arguments.open_flags,
        lacks: arguments.lacks.clone(),
        features: arguments.features.clone(),
    };
    let journal = match &arguments.journal {
        Some(path) => Journal::open(path)
            .with_context(|| format!("cannot write the journal {}", path.display()))?,
        None => Journal::default(),
    };
    Ok(Service::new(settings, arguments.plan.clone(), journal))
}

fn list() {
    for kind in KINDS {
        println!("{:14} {:3}  {}", kind.name, kind.weight, kind.about);
    }
}
