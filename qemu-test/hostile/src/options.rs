// SPDX-License-Identifier: GPL-2.0

//! The options of all transports, and the service that they make.

use std::fs;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use rfuse_proto::flags::InitFlags;
use rfuse_proto::wire::Opcode;

use crate::control;
use crate::damage::kinds::KINDS;
use crate::damage::Plan;
use crate::journal::Journal;
use crate::request::operation;
use crate::server::{Features, Settings, Writeback};
use crate::service::Service;

/// What is served, and how rightly.
#[derive(Args, Debug)]
pub struct Options {
    /// Socket for orders while it runs: `counters`, `damage OPTION…`, `make PATH`, `remove PATH`
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// File for a line about each damaged answer
    #[arg(long, value_name = "PATH")]
    journal: Option<PathBuf>,
    /// How long names and attributes may be cached, in milliseconds
    #[arg(long, default_value_t = 1000, value_name = "MILLISECONDS")]
    valid: u64,
    /// The largest WRITE in bytes, which also bounds the pages of a request
    #[arg(long, default_value_t = 1 << 20, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(4096..=1 << 20))]
    pub max_write: u32,
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
    pub die_after: Option<u64>,
    /// Lists the kinds of damage
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    features: Features,
    #[command(flatten)]
    plan: Plan,
}

impl Options {
    /// The service, and a thread that takes orders for it.
    ///
    /// # Errors
    ///
    /// Files and sockets that cannot be made.
    pub fn start(&self) -> Result<Arc<Mutex<Service>>> {
        let service = Arc::new(Mutex::new(Service::new(
            self.settings(),
            self.plan.clone(),
            self.journal()?,
        )));
        if let Some(path) = &self.control {
            let listener =
                listen(path).with_context(|| format!("cannot listen on {}", path.display()))?;
            let service = Arc::clone(&service);
            thread::spawn(move || control::serve(&listener, &service));
        }
        Ok(service)
    }

    fn journal(&self) -> Result<Journal> {
        match &self.journal {
            Some(path) => Journal::open(path)
                .with_context(|| format!("cannot write the journal {}", path.display())),
            None => Ok(Journal::default()),
        }
    }

    fn settings(&self) -> Settings {
        let refused = self
            .refuses
            .iter()
            .fold(InitFlags::NONE, |all, flag| all | *flag);
        Settings {
            flags: Settings::default().flags.without(refused),
            valid: Duration::from_millis(self.valid),
            writeback: self.writeback,
            max_write: self.max_write,
            open_flags: self.open_flags,
            lacks: self.lacks.clone(),
            features: self.features.clone(),
        }
    }
}

/// A socket at that path, in place of what is there. Who waits for the path may connect at once: a socket has its name
/// before it listens, so it gets this one after.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let mut early = path.as_os_str().to_owned();
    early.push(".early");
    let _ = fs::remove_file(&early);
    let listener = UnixListener::bind(&early)?;
    fs::rename(&early, path)?;
    Ok(listener)
}

/// A flag of INIT that can be refused, by its name.
fn flag(name: &str) -> Result<InitFlags, String> {
    match name {
        "ASYNC_DIO" => Ok(InitFlags::ASYNC_DIO),
        "DIRECT_IO_ALLOW_MMAP" => Ok(InitFlags::DIRECT_IO_ALLOW_MMAP),
        _ => Err(format!("no flag that can be refused is called {name}")),
    }
}

/// Prints the kinds of damage.
pub fn list() {
    for kind in KINDS {
        println!("{:14} {:3}  {}", kind.name, kind.weight, kind.about);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A bound socket that does not listen yet refuses: in a tenth of the rounds, if it has its name at once.
    #[test]
    fn who_sees_the_socket_is_let_in() {
        let path = std::env::temp_dir().join(format!("hostile-{}", std::process::id()));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut refused = 0;
                while !done.load(Ordering::Relaxed) {
                    let answer = UnixStream::connect(&path).map_err(|error| error.kind());
                    refused += u32::from(matches!(answer, Err(io::ErrorKind::ConnectionRefused)));
                }
                refused
            });
            let mut open = Vec::new();
            for _ in 0..200 {
                // The ones before stay open: a closed one whose name is left would refuse too.
                open.push(listen(&path).unwrap());
                let _ = fs::remove_file(&path);
            }
            done.store(true, Ordering::Relaxed);
            assert_eq!(watcher.join().unwrap(), 0);
        });
    }
}
