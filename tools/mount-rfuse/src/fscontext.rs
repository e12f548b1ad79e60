// SPDX-License-Identifier: GPL-2.0

//! A file system context: fsopen(2), fsconfig(2), fsmount(2), and the messages that come with them.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::io::{read, Errno};
use rustix::mount::{
    fsconfig_create, fsconfig_reconfigure, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
    fspick, move_mount, FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, MoveMountFlags,
};

use crate::error::{plain, Error};
use crate::module::FILE_SYSTEM;
use crate::options::FsOption;
use crate::report::Report;

/// How grave the kernel finds a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Level {
    Error,
    Warning,
    Information,
}

/// One message of the kernel.
#[derive(Debug, PartialEq)]
struct Message {
    level: Level,
    text: String,
}

impl Message {
    /// Takes one read of the context's descriptor: a letter, a blank, a line.
    fn parse(line: &[u8]) -> Self {
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        let (level, text) = match line.split_at_checked(2) {
            Some(("e ", text)) => (Level::Error, text),
            Some(("w ", text)) => (Level::Warning, text),
            Some(("i ", text)) => (Level::Information, text),
            _ => (Level::Error, line),
        };
        let own_prefix = text
            .strip_prefix(FILE_SYSTEM)
            .and_then(|text| text.strip_prefix(": "));
        Self {
            level,
            text: own_prefix.unwrap_or(text).to_owned(),
        }
    }
}

/// Why the kernel refused a step.
#[derive(Debug, PartialEq)]
pub struct Refusal {
    /// The error number.
    pub errno: Errno,
    /// The kernel's words, or those for the error number if it had none.
    pub reason: String,
}

impl Refusal {
    fn new(errno: Errno, messages: &[Message]) -> Self {
        let errors: Vec<_> = messages
            .iter()
            .filter(|message| message.level == Level::Error)
            .map(|message| message.text.as_str())
            .collect();
        Self {
            errno,
            reason: match errors.as_slice() {
                [] => plain(&errno.into()),
                errors => errors.join("; "),
            },
        }
    }

    /// Whether the file system has no such parameter, which `-s` forgives.
    pub fn is_unknown_parameter(&self) -> bool {
        self.errno == Errno::INVAL && self.reason.to_lowercase().contains("unknown parameter")
    }
}

/// A mount under construction, or a superblock being changed.
#[derive(Debug)]
pub struct FsContext {
    descriptor: OwnedFd,
    report: Report,
}

impl FsContext {
    /// A context for a new mount.
    ///
    /// # Errors
    ///
    /// ENODEV: the type is not registered; EPERM: CAP_SYS_ADMIN is missing.
    pub fn open(fs_type: &str, report: Report) -> rustix::io::Result<Self> {
        report.step(format_args!("opening a context of type {fs_type}"));
        Ok(Self {
            descriptor: fsopen(fs_type, FsOpenFlags::FSOPEN_CLOEXEC)?,
            report,
        })
    }

    /// A context for the superblock that is mounted at `target`.
    ///
    /// # Errors
    ///
    /// Those of looking up `target`; EPERM: CAP_SYS_ADMIN is missing; EOPNOTSUPP: it cannot change.
    pub fn pick(target: &Path, report: Report) -> rustix::io::Result<Self> {
        report.step(format_args!("picking the mount at {}", target.display()));
        Ok(Self {
            descriptor: fspick(CWD, target, FsPickFlags::FSPICK_CLOEXEC)?,
            report,
        })
    }

    /// Sets one option. `sloppy` forgives those that the file system does not know.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] with what the file system says of it.
    pub fn set(&self, option: &FsOption, sloppy: bool) -> Result<(), Error> {
        self.report.step(format_args!("option {option}"));
        let descriptor = self.descriptor.as_fd();
        let result = self.heard(match &option.value {
            Some(value) => fsconfig_set_string(descriptor, &option.key, value),
            None => fsconfig_set_flag(descriptor, &option.key),
        });
        match result {
            Err(refusal) if sloppy && refusal.is_unknown_parameter() => {
                let reason = refusal.reason;
                self.report
                    .step(format_args!("option '{option}' ignored: {reason}"));
                Ok(())
            }
            result => result.map_err(|refusal| Error::Option {
                option: option.to_string(),
                reason: refusal.reason,
            }),
        }
    }

    /// Sets what to mount.
    ///
    /// # Errors
    ///
    /// What the file system says of it.
    pub fn set_source(&self, source: &OsStr) -> Result<(), Refusal> {
        self.report
            .step(format_args!("source {}", source.to_string_lossy()));
        self.heard(fsconfig_set_string(
            self.descriptor.as_fd(),
            "source",
            source,
        ))
    }

    /// Finds or makes the superblock.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn create(&self) -> Result<(), Refusal> {
        self.report.step("creating the superblock");
        self.heard(fsconfig_create(self.descriptor.as_fd()))
    }

    /// Changes the superblock as the options say.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn reconfigure(&self) -> Result<(), Refusal> {
        self.report.step("reconfiguring the superblock");
        self.heard(fsconfig_reconfigure(self.descriptor.as_fd()))
    }

    /// Mounts the superblock at `target`; returns the mount's number.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn attach(&self, attributes: MountAttrFlags, target: &Path) -> Result<u64, String> {
        let mount = self.mount(attributes).map_err(|refusal| refusal.reason)?;
        let id = mount_id(&mount).map_err(|error| plain(&error))?;
        self.report
            .step(format_args!("attaching it to '{}'", target.display()));
        let how = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_SYMLINKS;
        move_mount(mount.as_fd(), "", CWD, target, how).map_err(|errno| plain(&errno.into()))?;
        Ok(id)
    }

    /// A mount of the superblock that is not attached anywhere yet.
    fn mount(&self, attributes: MountAttrFlags) -> Result<OwnedFd, Refusal> {
        let mount = fsmount(
            self.descriptor.as_fd(),
            FsMountFlags::FSMOUNT_CLOEXEC,
            attributes,
        );
        match mount {
            Ok(mount) => Ok(mount),
            Err(errno) => self.heard(Err(errno)).and(Err(Refusal::new(errno, &[]))),
        }
    }

    /// Adds what the kernel had to say to the result of a call; passes warnings on.
    fn heard(&self, result: rustix::io::Result<()>) -> Result<(), Refusal> {
        let messages = self.messages();
        for message in &messages {
            match message.level {
                Level::Error => {}
                Level::Warning => self.report.warning(&message.text),
                Level::Information => self.report.step(&message.text),
            }
        }
        result.map_err(|errno| Refusal::new(errno, &messages))
    }

    /// The kernel queues eight messages at most and ends the queue with ENODATA.
    fn messages(&self) -> Vec<Message> {
        let mut line = [0; 4096];
        let mut messages = Vec::new();
        while let Ok(length) = read(&self.descriptor, &mut line) {
            match line.get(..length) {
                None | Some([]) => break,
                Some(text) => messages.push(Message::parse(text)),
            }
        }
        messages
    }
}

/// A mount's number, without a question to the file system.
fn mount_id(mount: &OwnedFd) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", mount.as_raw_fd()))?;
    let mut lines = text.lines();
    let id = lines.find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok());
    id.ok_or_else(|| io::Error::other("fdinfo has no mnt_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_numbered() {
        let proc = OwnedFd::from(fs::File::open("/proc").unwrap());
        let mount = crate::mountinfo::at(Path::new("/"), Path::new("/proc")).unwrap();
        assert_eq!(mount_id(&proc).unwrap(), mount.unwrap().id);
    }

    fn message(level: Level, text: &str) -> Message {
        Message {
            level,
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_letter_is_the_level() {
        let parsed = |line: &str| Message::parse(line.as_bytes());
        assert_eq!(
            parsed("e rfuse: Unknown parameter 'x'\n"),
            message(Level::Error, "Unknown parameter 'x'")
        );
        assert_eq!(
            parsed("w rfuse2: old\n"),
            message(Level::Warning, "rfuse2: old")
        );
        assert_eq!(
            parsed("i queue 1: 2"),
            message(Level::Information, "queue 1: 2")
        );
    }

    #[test]
    fn an_odd_line_is_kept_whole() {
        for line in ["", "e", "x y", "éa", "broken"] {
            assert_eq!(Message::parse(line.as_bytes()), message(Level::Error, line));
        }
        assert_eq!(Message::parse(b"e \xff").text, "\u{fffd}");
    }

    #[test]
    fn a_refusal_quotes_errors_alone() {
        let messages = [
            message(Level::Information, "hello"),
            message(Level::Error, "one"),
            message(Level::Warning, "beware"),
            message(Level::Error, "two"),
        ];
        assert_eq!(Refusal::new(Errno::INVAL, &messages).reason, "one; two");
    }

    #[test]
    fn without_words_the_error_number_speaks() {
        let refusal = Refusal::new(Errno::NODEV, &[message(Level::Information, "hello")]);
        assert_eq!(refusal.reason, "No such device");
    }

    #[test]
    fn only_unknown_parameters_are_forgiven() {
        let refusal = |errno, text| Refusal::new(errno, &[Message::parse(text)]);
        assert!(refusal(Errno::INVAL, b"e rfuse: Unknown parameter 'x'").is_unknown_parameter());
        assert!(!refusal(Errno::INVAL, b"e rfuse: Bad value for 'dax'").is_unknown_parameter());
        assert!(!refusal(Errno::PERM, b"e rfuse: Unknown parameter 'x'").is_unknown_parameter());
    }
}
