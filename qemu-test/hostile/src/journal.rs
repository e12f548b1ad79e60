// SPDX-License-Identifier: GPL-2.0

//! What was damaged: a line for each in a file, and counts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

/// The file and the counts.
#[derive(Debug, Default)]
pub struct Journal {
    file: Option<BufWriter<File>>,
    kinds: BTreeMap<&'static str, u64>,
    counts: BTreeMap<&'static str, u64>,
}

impl Journal {
    /// Goes on with a file, or begins it.
    ///
    /// # Errors
    ///
    /// Why it cannot be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self {
            file: Some(BufWriter::new(file)),
            ..Self::default()
        })
    }

    /// One line, at once: it must not be lost when the server dies.
    pub fn note(&mut self, text: &str) {
        if let Some(file) = &mut self.file {
            // A full disk ends the journal, not the server.
            if writeln!(file, "{text}")
                .and_then(|()| file.flush())
                .is_err()
            {
                self.file = None;
            }
        }
    }

    /// Counts a damage.
    pub fn damage(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    /// Counts anything else.
    pub fn count(&mut self, what: &'static str, number: u64) {
        *self.counts.entry(what).or_default() += number;
    }

    /// All counts, one a line: `NAME NUMBER`, and `kind NAME NUMBER`.
    pub fn counters(&self) -> String {
        let mut text = String::new();
        for (what, number) in &self.counts {
            let _ = writeln!(text, "{what} {number}");
        }
        for (kind, number) in &self.kinds {
            let _ = writeln!(text, "kind {kind} {number}");
        }
        text
    }
}
