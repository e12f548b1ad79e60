// SPDX-License-Identifier: GPL-2.0

//! The command line, as mount(8) builds it for its helpers.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

use crate::error::Error;
use crate::module::FILE_SYSTEM;

/// What the caller wants.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Print how to call this program.
    Help,
    /// Print the version.
    Version,
    /// Mount or remount.
    Mount(Arguments),
}

/// The command line of a mount.
#[derive(Debug, Default, PartialEq)]
pub struct Arguments {
    /// The tag of the virtio-fs device.
    pub source: OsString,
    /// The mount point.
    pub target: PathBuf,
    /// All `-o` options, and `-r` and `-w`, joined by commas in their order.
    pub options: String,
    /// `-f`: change nothing.
    pub fake: bool,
    /// `-s`: ignore options that the kernel does not know.
    pub sloppy: bool,
    /// `-v`: say each step.
    pub verbose: bool,
    /// `-N`: a process id or a namespace file.
    pub namespace: Option<OsString>,
    /// The part of `-t rfuse.SUBTYPE` behind the dot.
    pub subtype: Option<String>,
}

impl Arguments {
    fn switch(&mut self, letter: char, parser: &mut Parser) -> Result<(), Error> {
        match letter {
            'f' => self.fake = true,
            // There is no mtab to leave alone.
            'n' => {}
            'r' => self.add_options("ro"),
            's' => self.sloppy = true,
            'v' => self.verbose = true,
            'w' => self.add_options("rw"),
            'N' => self.namespace = Some(parser.value()?),
            'o' => self.add_options(&parser.value()?.string()?),
            't' => self.set_type(&parser.value()?.string()?)?,
            _ => return Err(Arg::Short(letter).unexpected().into()),
        }
        Ok(())
    }

    fn set_names(&mut self, names: Vec<OsString>) -> Result<(), Error> {
        let [source, target] = <[OsString; 2]>::try_from(names).map_err(|names| {
            let count = names.len();
            Error::Usage(format!("expected a tag and a directory, got {count} names"))
        })?;
        if source.is_empty() || target.is_empty() {
            return Err(Error::Usage("the tag or the directory is empty".into()));
        }
        self.source = source;
        self.target = target.into();
        Ok(())
    }

    fn add_options(&mut self, more: &str) {
        if !self.options.is_empty() {
            self.options.push(',');
        }
        self.options.push_str(more);
    }

    fn set_type(&mut self, name: &str) -> Result<(), Error> {
        match name.strip_prefix(FILE_SYSTEM) {
            Some("") => Ok(()),
            Some(rest) if rest.len() > 1 && rest.starts_with('.') => {
                self.subtype = rest.strip_prefix('.').map(str::to_owned);
                Ok(())
            }
            _ => Err(Error::Usage(format!(
                "file system type '{name}' is not rfuse"
            ))),
        }
    }
}

impl From<lexopt::Error> for Error {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Reads the command line behind the program's name.
///
/// # Errors
///
/// [`Error::Usage`], naming the argument.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, Error> {
    let mut parser = Parser::from_args(words);
    let mut arguments = Arguments::default();
    let mut names = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Short(letter) => arguments.switch(letter, &mut parser)?,
            Arg::Value(name) => names.push(name),
            other => return Err(other.unexpected().into()),
        }
    }
    arguments.set_names(names)?;
    Ok(Command::Mount(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Error> {
        parse(line.split(' ').map(OsString::from))
    }

    fn arguments(line: &str) -> Arguments {
        match parsed(line) {
            Ok(Command::Mount(arguments)) => arguments,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_mount_passes() {
        let seen = arguments("tag /mnt -s -f -n -v -o rw,noatime -t rfuse.host");
        assert_eq!(
            seen,
            Arguments {
                source: "tag".into(),
                target: "/mnt".into(),
                options: "rw,noatime".into(),
                fake: true,
                sloppy: true,
                verbose: true,
                namespace: None,
                subtype: Some("host".into()),
            }
        );
    }

    #[test]
    fn clusters_and_repeated_options_join() {
        let seen = arguments("-fvN 17 -oro tag -r -o sync -w /mnt -t rfuse");
        assert_eq!(seen.options, "ro,ro,sync,rw");
        assert_eq!(seen.namespace, Some("17".into()));
        assert_eq!(seen.subtype, None);
        assert!(seen.fake && seen.verbose && !seen.sloppy);
    }

    #[test]
    fn bad_usage_names_the_argument() {
        for (line, culprit) in [
            ("tag", "got 1 names"),
            ("tag /mnt more", "got 3 names"),
            ("tag /mnt -q", "'-q'"),
            ("tag /mnt -o", "'-o'"),
            ("tag /mnt -t nfs", "'nfs'"),
            ("tag /mnt -t rfuse.", "'rfuse.'"),
            ("tag /mnt -t rfused", "'rfused'"),
            (" /mnt", "empty"),
        ] {
            let error = parsed(line).expect_err(line);
            assert!(error.to_string().contains(culprit), "{line}: {error}");
            assert_eq!(error.exit_code(), 1);
        }
    }

    #[test]
    fn help_and_version_need_no_names() {
        assert_eq!(parsed("--help").unwrap(), Command::Help);
        assert_eq!(parsed("-V").unwrap(), Command::Version);
    }
}
