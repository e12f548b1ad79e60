// SPDX-License-Identifier: GPL-2.0

//! What the user sees. A closed pipe must not end a mount half-way, so write errors are dropped.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints steps to standard output if asked to, problems to standard error always.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// `-v` was given.
    pub verbose: bool,
}

impl Report {
    /// One step, shown with `-v`.
    pub fn step(self, text: impl Display) {
        if self.verbose {
            let _ = writeln!(io::stdout(), "mount.rfuse: {text}");
        }
    }

    /// Something that does not stop the mount.
    pub fn warning(self, text: impl Display) {
        problem(format_args!("warning: {text}"));
    }
}

/// One line on standard error.
pub fn problem(text: impl Display) {
    let _ = writeln!(io::stderr(), "mount.rfuse: {text}");
}
