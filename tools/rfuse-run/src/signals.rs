// SPDX-License-Identifier: GPL-2.0

//! Signals that ask to end go to the daemon: when it has ended, the mount is taken away.

use std::io;
use std::thread;

use nix::sys::signal::{kill, SigSet, Signal};
use nix::unistd::Pid;

/// The signals, blocked. A daemon is started with none blocked.
pub struct Forwarder(SigSet);

impl Forwarder {
    /// Blocks them, for the threads to come as well.
    ///
    /// # Errors
    ///
    /// Those of `pthread_sigmask(3)`.
    pub fn block() -> io::Result<Self> {
        let signals = [
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGTERM,
            Signal::SIGHUP,
        ];
        let signals: SigSet = signals.into_iter().collect();
        signals.thread_block()?;
        Ok(Self(signals))
    }

    /// From now on that process gets them.
    ///
    /// # Errors
    ///
    /// Those of starting a thread.
    pub fn forward_to(self, pid: u32) -> io::Result<()> {
        let pid = Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
        thread::Builder::new().spawn(move || {
            while let Ok(signal) = self.0.wait() {
                // It may have ended just now.
                let _ = kill(pid, signal);
            }
        })?;
        Ok(())
    }
}
