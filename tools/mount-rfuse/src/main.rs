// SPDX-License-Identifier: GPL-2.0

//! `mount.rfuse SOURCE DIRECTORY`: what mount(8) calls for file systems of type rfuse.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};

use rustix::process::{geteuid, getuid};
use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};

use mount_rfuse::arguments::{self, Arguments, Command};
use mount_rfuse::error::{Error, EXIT_INTERNAL, USAGE};
use mount_rfuse::report::{self, Report};
use mount_rfuse::{interrupt, mount};

const PROGRAM: &str = "mount.rfuse";

fn main() -> ExitCode {
    panic::set_hook(Box::new(|details| {
        let text = details.to_string().replace('\n', " ");
        report::problem(
            PROGRAM,
            format_args!("internal error, please report it: {text}"),
        );
        process::exit(EXIT_INTERNAL.into());
    }));
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::problem(PROGRAM, &error);
            error.exit_code().into()
        }
    }
}

fn run() -> Result<(), Error> {
    match arguments::parse(env::args_os().skip(1))? {
        Command::Help => println!("{USAGE}"),
        Command::Version => println!("{PROGRAM} {}", env!("CARGO_PKG_VERSION")),
        Command::Mount(arguments) => as_root(&arguments)?,
    }
    Ok(())
}

fn as_root(arguments: &Arguments) -> Result<(), Error> {
    // With a set-user-id bit RFUSE_MODULE would load any module for any user.
    if !(getuid().is_root() && geteuid().is_root()) {
        return Err(Error::NotRoot);
    }
    // Only a process of one thread may change its mount namespace.
    if let Some(name) = &arguments.namespace {
        enter(name)?;
    }
    interrupt::watch(PROGRAM).map_err(Error::system("watch for signals"))?;
    let report = Report::new(PROGRAM, arguments.verbose);
    mount::run(Path::new("/"), arguments, report)
}

fn enter(name: &OsStr) -> Result<(), Error> {
    let path = match name.to_str().map(str::parse::<u32>) {
        Some(Ok(pid)) => PathBuf::from(format!("/proc/{pid}/ns/mnt")),
        _ => PathBuf::from(name),
    };
    let result = File::open(path).and_then(|file| {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Mount)).map_err(Into::into)
    });
    result.map_err(|error| Error::Namespace {
        name: name.to_owned(),
        error,
    })
}
