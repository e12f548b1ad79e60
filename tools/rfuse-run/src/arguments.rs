// SPDX-License-Identifier: GPL-2.0

//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Result};
use clap::Parser;
use mount_rfuse::module::FILE_SYSTEM;
use mount_rfuse::options::{Options, FILE_SYSTEM_NAME, SUBTYPE};
use mount_rfuse::session::Plan;
use rustix::process::{getgid, getuid};

/// Without these a file system of a daemon could hand out rights; `suid` and `dev` undo them.
const SAFE: &str = "nosuid,nodev";

/// Options that are set here.
const OWN: [&str; 4] = ["fd", "rootmode", "user_id", "group_id"];

/// Mounts a file system and runs a FUSE daemon on it, which gets /dev/fd/N as its mount point.
#[derive(Debug, Parser)]
#[command(
    version,
    override_usage = "rfuse-run [OPTIONS] -- DAEMON [ARGUMENT]... DIRECTORY"
)]
pub struct Arguments {
    /// Mount options, by commas: allow_other, default_permissions, max_read=, ro, suid, dev, fsname=, …
    #[arg(short = 'o', long = "options", value_name = "OPTIONS")]
    options: Vec<String>,
    /// Where to mount: each argument of the daemon that is this is replaced (the last argument)
    #[arg(short, long, value_name = "DIRECTORY")]
    mount_point: Option<PathBuf>,
    /// File system type: rfuse, or fuse for the kernel's own client
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value = FILE_SYSTEM)]
    fs_type: String,
    /// Character device (/dev/TYPE)
    #[arg(long, value_name = "PATH")]
    device: Option<PathBuf>,
    /// Deny the daemon the right to mount, for one that tries that first (CAP_SYS_ADMIN)
    #[arg(long)]
    pub no_mount: bool,
    /// Say each step, and print the kernel's remarks
    #[arg(short, long)]
    pub verbose: bool,
    /// The daemon, its arguments, and the directory in place of which it gets the descriptor
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Arguments {
    /// What to mount.
    ///
    /// # Errors
    ///
    /// What is wrong with the command line.
    pub fn plan(&self) -> Result<Plan> {
        let text = [SAFE]
            .into_iter()
            .chain(self.options.iter().map(String::as_str));
        let mut options = Options::parse(&text.collect::<Vec<_>>().join(","))?;
        ensure!(!options.remount, "option 'remount': use mount -o remount");
        for key in OWN {
            ensure!(
                !options.has(key),
                "option '{key}' is set by rfuse-run itself"
            );
        }
        let target = self.target()?;
        let name = self.daemon_name();
        let subtype = options.value(SUBTYPE).unwrap_or(&name).to_owned();
        let source = options.value(FILE_SYSTEM_NAME).unwrap_or(&subtype).into();
        options
            .file_system
            .retain(|option| ![SUBTYPE, FILE_SYSTEM_NAME].contains(&option.key.as_str()));
        Ok(Plan {
            device: self.device(),
            fs_type: self.fs_type.clone(),
            subtype: Some(subtype),
            source,
            target,
            options,
            owner: (getuid().as_raw(), getgid().as_raw()),
            sloppy: false,
        })
    }

    /// The daemon's command line, with `point` as its mount point.
    pub fn daemon(&self, point: &OsStr) -> Command {
        let mut words = self.command.iter();
        let mut command = Command::new(words.next().map_or(OsStr::new(""), OsString::as_os_str));
        let last = self.command.len().saturating_sub(2);
        for (number, word) in words.enumerate() {
            let is_point = match &self.mount_point {
                Some(target) => word == target.as_os_str(),
                None => number == last,
            };
            command.arg(if is_point { point } else { word });
        }
        command
    }

    fn target(&self) -> Result<PathBuf> {
        let arguments = self.command.get(1..).unwrap_or_default();
        match (&self.mount_point, arguments.last()) {
            (Some(target), _) => {
                let named = arguments.iter().any(|word| word == target.as_os_str());
                let shown = target.display();
                ensure!(
                    named,
                    "no argument of the daemon is '{shown}', which -m names"
                );
                Ok(target.clone())
            }
            (None, Some(last)) => Ok(last.into()),
            (None, None) => anyhow::bail!(
                "'{}' has no argument, so no mount point: name the directory behind it",
                self.daemon_name()
            ),
        }
    }

    fn daemon_name(&self) -> String {
        let path = Path::new(self.command.first().map_or(OsStr::new(""), |word| word));
        let name = path.file_name().unwrap_or(path.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn device(&self) -> PathBuf {
        let named = self.device.clone();
        named.unwrap_or_else(|| Path::new("/dev").join(&self.fs_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn arguments(line: &str) -> Arguments {
        Arguments::try_parse_from(line.split(' ')).expect(line)
    }

    fn words(line: &str) -> Vec<String> {
        let command = arguments(line).daemon(OsStr::new("/dev/fd/3"));
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Arguments as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_last_argument_is_the_mount_point() {
        assert_eq!(
            words("rfuse-run -- bindfs -f /a /a"),
            ["bindfs", "-f", "/a", "/dev/fd/3"]
        );
        let plan = arguments("rfuse-run -- /usr/bin/bindfs /a /b")
            .plan()
            .unwrap();
        assert_eq!(plan.target, Path::new("/b"));
        assert_eq!(plan.subtype.as_deref(), Some("bindfs"));
        assert_eq!(plan.source, "bindfs");
        assert_eq!(plan.device, Path::new("/dev/rfuse"));
    }

    #[test]
    fn another_argument_can_be_named() {
        let line = "rfuse-run -m /b -t fuse -- sshfs host: /b -o idmap=user";
        assert_eq!(
            words(line),
            ["sshfs", "host:", "/dev/fd/3", "-o", "idmap=user"]
        );
        let plan = arguments(line).plan().unwrap();
        assert_eq!(plan.target, Path::new("/b"));
        assert_eq!(plan.device, Path::new("/dev/fuse"));
    }

    #[test]
    fn options_are_the_kernels() {
        let line = "rfuse-run -o ro,allow_other -o dev,fsname=x,subtype=y -- hello /mnt";
        let plan = arguments(line).plan().unwrap();
        let options: Vec<_> = plan
            .options
            .file_system
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(options, ["ro", "allow_other"]);
        assert_eq!((plan.source, plan.subtype), ("x".into(), Some("y".into())));
        let same = Options::parse("nosuid,nodev,ro,dev").unwrap();
        assert_eq!(plan.options.per_mount, same.per_mount);
    }

    #[test]
    fn bad_command_lines_name_the_culprit() {
        for (line, culprit) in [
            ("rfuse-run -- hello", "'hello' has no argument"),
            ("rfuse-run -m /b -- hello /c", "'/b'"),
            ("rfuse-run -o fd=3 -- hello /c", "'fd'"),
            ("rfuse-run -o remount -- hello /c", "'remount'"),
        ] {
            let error = arguments(line).plan().expect_err(line).to_string();
            assert!(error.contains(culprit), "{line}: {error}");
        }
        assert!(Arguments::try_parse_from(["rfuse-run"]).is_err());
    }
}
