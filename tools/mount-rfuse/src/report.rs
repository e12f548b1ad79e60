// SPDX-License-Identifier: GPL-2.0

//! What the user sees. A closed pipe must not end a mount half-way, so write errors are dropped.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints steps to standard output if asked to, problems to standard error always.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    program: &'static str,
    verbose: bool,
}

impl Report {
    /// Says nothing but warnings, for tests.
    #[cfg(test)]
    pub const QUIET: Self = Self::new("test", false);

    /// Lines that begin with the program's name; steps are shown if `verbose`.
    pub const fn new(program: &'static str, verbose: bool) -> Self {
        Self { program, verbose }
    }

    /// One step, shown with `-v`.
    pub fn step(self, text: impl Display) {
        if self.verbose {
            let _ = writeln!(io::stdout(), "{}: {text}", self.program);
        }
    }

    /// Something that does not stop the mount.
    pub fn warning(self, text: impl Display) {
        problem(self.program, format_args!("warning: {text}"));
    }
}

/// One line on standard error.
pub fn problem(program: &str, text: impl Display) {
    let _ = writeln!(io::stderr(), "{program}: {text}");
}
