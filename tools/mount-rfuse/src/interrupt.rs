// SPDX-License-Identifier: GPL-2.0

//! SIGINT and SIGTERM: exit code 8, never in the middle of a rebinding, which would leave a
//! device without a driver.

use std::io;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::signal::Signal;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::EXIT_INTERRUPTED;
use crate::report;

static UNINTERRUPTIBLE: Mutex<()> = Mutex::new(());

/// From now on a signal ends the process with [`EXIT_INTERRUPTED`].
///
/// Handlers, as a mask would be inherited by what is run.
///
/// # Errors
///
/// Those of `sigaction(2)` and of starting a thread.
pub fn watch(program: &'static str) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().spawn(move || {
        if let Some(number) = signals.forever().next() {
            let _held = hold();
            let name = Signal::try_from(number).map_or("a signal", Signal::as_str);
            report::problem(program, format_args!("interrupted by {name}"));
            process::exit(EXIT_INTERRUPTED.into());
        }
    })?;
    Ok(())
}

/// Signals wait until the guard is dropped.
pub fn hold() -> MutexGuard<'static, ()> {
    UNINTERRUPTIBLE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}
