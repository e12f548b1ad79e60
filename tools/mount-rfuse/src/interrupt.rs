// SPDX-License-Identifier: GPL-2.0

//! SIGINT and SIGTERM: exit code 8, never in the middle of a rebinding, which would leave a
//! device without a driver.

use std::io;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, Signal};

use crate::error::EXIT_INTERRUPTED;
use crate::report;

static UNINTERRUPTIBLE: Mutex<()> = Mutex::new(());

/// From now on a signal ends the process with [`EXIT_INTERRUPTED`].
///
/// Call it before any other thread exists: it blocks the signals for the threads to come.
///
/// # Errors
///
/// Those of `pthread_sigmask(3)` and of starting a thread.
pub fn watch(program: &'static str) -> io::Result<()> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM].into_iter().collect();
    signals.thread_block()?;
    thread::Builder::new().spawn(move || loop {
        if let Ok(signal) = signals.wait() {
            let _held = hold();
            report::problem(program, format_args!("interrupted by {signal}"));
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
