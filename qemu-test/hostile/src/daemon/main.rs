// SPDX-License-Identifier: GPL-2.0

//! The same tree over a character device like `/dev/fuse`, by the raw protocol: a daemon that answers
//! rightly unless told otherwise.
//!
//! `rfuse-run -- hostile-daemon OPTION… DIRECTORY` mounts the device and hands over its descriptor.

mod descriptor;
mod device;
mod room;

use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::thread;

use anyhow::{anyhow, Context as _, Result};
use clap::Parser;

use hostile::options::{list, Options};

use self::device::{Device, Interrupts};

/// Serves a made-up tree over a character device, and damages its answers.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The mounted device: /dev/fd/N
    #[arg(required_unless_present = "list")]
    device: Option<PathBuf>,
    /// Read by so many descriptors, each in a thread of its own
    #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=64))]
    clones: u16,
    /// The device that clones are opened of
    #[arg(long, default_value = "/dev/rfuse", value_name = "PATH")]
    clone_of: PathBuf,
    /// What becomes of INTERRUPT
    #[arg(long, value_enum, default_value_t = Interrupts::Heed)]
    interrupts: Interrupts,
    #[command(flatten)]
    options: Options,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let options = &arguments.options;
    let Some(path) = arguments.device.as_ref().filter(|_| !options.list) else {
        list();
        return Ok(());
    };
    let first = descriptor::take(number(path)?)?;
    let mut descriptors = vec![first];
    for _ in 1..arguments.clones {
        let first = &descriptors[0];
        descriptors.push(descriptor::clone(&arguments.clone_of, first)?);
    }
    let (service, interrupts) = (options.start()?, arguments.interrupts);
    let device = Device::new(descriptors, service, interrupts, options.die_after);
    serve(&Arc::new(device), options.max_write)
}

/// The descriptor that a path of the form /dev/fd/N names.
fn number(path: &Path) -> Result<i32> {
    let name = path.to_str().and_then(|path| path.strip_prefix("/dev/fd/"));
    name.and_then(|digits| digits.parse().ok())
        .ok_or_else(|| anyhow!("{} is not /dev/fd/N: rfuse-run gives one", path.display()))
}

/// Serves until the file system is unmounted. A reader that fails ends them all.
fn serve(device: &Arc<Device>, max_write: u32) -> Result<()> {
    let timer = Arc::clone(device);
    thread::spawn(move || fail_with(timer.release()));
    let readers = (0..device.clones()).map(|clone| {
        let device = Arc::clone(device);
        thread::spawn(move || device.read_all(clone, max_write))
    });
    for reader in readers.collect::<Vec<_>>() {
        let done = reader
            .join()
            .map_err(|_| anyhow!("a reader has panicked"))?;
        done.context("cannot read requests")?;
    }
    Ok(())
}

fn fail_with(done: Result<()>) {
    if let Err(error) = done {
        eprintln!("hostile-daemon: {error:#}");
        process::exit(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_named_by_paths() {
        assert_eq!(number(Path::new("/dev/fd/12")).unwrap(), 12);
        for bad in ["/dev/fd/", "/dev/fd/x", "/mnt"] {
            assert!(number(Path::new(bad)).is_err(), "{bad}");
        }
    }
}
