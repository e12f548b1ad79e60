// SPDX-License-Identifier: GPL-2.0

//! Signals that ask to end go to the daemon: when it has ended, the mount is taken away.

use std::io;
use std::thread;

use nix::sys::signal::{kill, Signal};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// The signals, which end this process no more. By handlers: a daemon would inherit a mask.
pub struct Forwarder(Signals);

impl Forwarder {
    /// From now on they wait.
    ///
    /// # Errors
    ///
    /// Those of `sigaction(2)`.
    pub fn new() -> io::Result<Self> {
        Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP]).map(Self)
    }

    /// From now on that process gets them.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub fn forward_to(mut self, pid: u32) -> io::Result<()> {
        let pid = Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
        thread::Builder::new().spawn(move || {
            for number in self.0.forever() {
                // It may have ended just now.
                let _ = Signal::try_from(number).map(|signal| kill(pid, signal));
            }
        })?;
        Ok(())
    }
}
