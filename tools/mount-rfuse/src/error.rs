// SPDX-License-Identifier: GPL-2.0

//! Everything that can go wrong, as the user reads it, with the exit code that mount(8) documents.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use thiserror::Error;

/// How mount.rfuse is called.
pub const USAGE: &str =
    "mount.rfuse TAG|DAEMON#SOURCE DIRECTORY [-fnrsvw] [-N NAMESPACE] [-o OPTIONS] [-t rfuse[.DAEMON]]";

/// A failed mount: one line that names the culprit and says what to do.
#[derive(Debug, Error)]
pub enum Error {
    /// The command line cannot be understood.
    #[error("{0}; usage: {USAGE}")]
    Usage(String),

    /// The caller is not root.
    #[error("only root may mount; run it with sudo, or as root")]
    NotRoot,

    /// The caller is root, without the capability.
    #[error("the kernel does not permit this process to mount; run it with CAP_SYS_ADMIN in the first user namespace")]
    NotPermitted,

    /// The mount namespace of `-N` cannot be entered.
    #[error("cannot enter mount namespace '{}' ({}); name a process id or a /proc/PID/ns/mnt file", name.to_string_lossy(), plain(error))]
    Namespace {
        /// As given on the command line.
        name: OsString,
        /// What open(2) or setns(2) said.
        error: io::Error,
    },

    /// The mount point cannot be used.
    #[error("mount point '{}': {reason}; create the directory or name another one", target.display())]
    MountPoint {
        /// As given on the command line.
        target: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// No module is installed for the running kernel.
    #[error("module rfuse is not installed for kernel {release}; install it and run depmod, or set RFUSE_MODULE to the path of rfuse.ko")]
    ModuleMissing {
        /// The release of the running kernel.
        release: String,
    },

    /// modprobe(8) could not be run.
    #[error("cannot run '{}' ({}); install kmod, or set RFUSE_MODULE to the path of rfuse.ko", program.display(), plain(error))]
    Modprobe {
        /// What `/proc/sys/kernel/modprobe` names.
        program: PathBuf,
        /// What execve(2) said.
        error: io::Error,
    },

    /// The file that `RFUSE_MODULE` names cannot be opened.
    #[error("cannot open module '{}' ({}); correct or unset RFUSE_MODULE", path.display(), plain(error))]
    ModuleFile {
        /// The value of `RFUSE_MODULE`.
        path: PathBuf,
        /// What open(2) said.
        error: io::Error,
    },

    /// The kernel did not take the module.
    #[error("the kernel refused module {module} ({reason}); it must be built for this kernel, and signed where the kernel demands it: see dmesg")]
    ModuleRefused {
        /// The module's name or path.
        module: String,
        /// What modprobe(8) or finit_module(2) said.
        reason: String,
    },

    /// The module is loaded and yet no such file system type exists.
    #[error("module {module} was loaded, but file system type rfuse did not appear; see dmesg")]
    TypeMissing {
        /// The module's name or path.
        module: String,
    },

    /// Several devices carry the tag.
    #[error("tag '{tag}' is ambiguous: devices {devices} carry it; give each device its own tag in the virtual machine's configuration")]
    AmbiguousTag {
        /// The tag.
        tag: String,
        /// The devices' names on the virtio bus.
        devices: String,
    },

    /// The kernel's own driver has the device mounted.
    #[error("tag '{tag}' is busy: device {device} is mounted as virtiofs on '{mount_point}' (seen by process {pid}); unmount that first")]
    Busy {
        /// The tag.
        tag: String,
        /// The device's name on the virtio bus.
        device: String,
        /// The place of the mount.
        mount_point: String,
        /// A process in whose mount namespace that mount is.
        pid: u32,
    },

    /// The device could not be taken from the kernel's own driver.
    #[error(
        "cannot unbind device {device} of tag '{tag}' from driver virtiofs ({}); see dmesg",
        plain(error)
    )]
    Unbind {
        /// The tag.
        tag: String,
        /// The device's name on the virtio bus.
        device: String,
        /// What the driver core said.
        error: io::Error,
    },

    /// The device could not be given to rfuse.
    #[error(
        "cannot bind device {device} of tag '{tag}' to driver rfuse ({}); {afterwards}; see dmesg",
        plain(error)
    )]
    Bind {
        /// The tag.
        tag: String,
        /// The device's name on the virtio bus.
        device: String,
        /// What the driver core said.
        error: io::Error,
        /// Who has the device now.
        afterwards: String,
    },

    /// The kernel refused one option.
    #[error("option '{option}': {reason}; remove or correct it, see mount.rfuse(8)")]
    Option {
        /// The option as given.
        option: String,
        /// The kernel's message.
        reason: String,
    },

    /// No device has this tag.
    #[error("cannot mount '{tag}': {reason}; {known}; name one of those, or add the device to the virtual machine")]
    UnknownTag {
        /// The tag.
        tag: String,
        /// The kernel's message.
        reason: String,
        /// The tags and devices that exist.
        known: String,
    },

    /// The same tag is on top of the mount point.
    #[error("tag '{tag}' is already mounted on '{}'; use it as it is, or unmount it first", target.display())]
    AlreadyMounted {
        /// The tag.
        tag: String,
        /// The mount point.
        target: PathBuf,
    },

    /// The kernel refused the mount.
    #[error("cannot mount '{tag}' on '{}': {reason}; see dmesg", target.display())]
    Mount {
        /// The tag.
        tag: String,
        /// The mount point.
        target: PathBuf,
        /// The kernel's message.
        reason: String,
    },

    /// The caller has no right to mount where it is.
    #[error("the kernel does not permit this process to mount; run it as root, or in user and mount namespaces of its own")]
    MayNotMount,

    /// The character device cannot be opened.
    #[error("cannot open device '{}' ({}); see that its module is loaded, and has that device", path.display(), plain(error))]
    CharacterDevice {
        /// The device.
        path: PathBuf,
        /// What open(2) said.
        error: io::Error,
    },

    /// No user has that name.
    #[error("option 'setuid={0}': no such user; correct the name")]
    User(String),

    /// The daemon could not be started.
    #[error("cannot run '{}' ({}); install it, or correct its name", program.to_string_lossy(), plain(error))]
    Daemon {
        /// The program.
        program: OsString,
        /// What execve(2) said.
        error: io::Error,
    },

    /// The daemon did not serve.
    #[error("'{}' failed ({status}); what it says is above", program.to_string_lossy())]
    DaemonEnded {
        /// The program.
        program: OsString,
        /// How it ended.
        status: ExitStatus,
    },

    /// A remount of something that is not ours.
    #[error("cannot remount '{}': no file system of type rfuse is mounted there; mount it first", target.display())]
    NotMounted {
        /// The mount point.
        target: PathBuf,
    },

    /// The kernel refused the remount.
    #[error("cannot remount '{}': {reason}; see dmesg", target.display())]
    Remount {
        /// The mount point.
        target: PathBuf,
        /// The kernel's message.
        reason: String,
    },

    /// Something that works on every sane system did not.
    #[error(
        "cannot {action} ({}); see that /proc and /sys are mounted and readable",
        plain(error)
    )]
    System {
        /// What was tried.
        action: String,
        /// What the kernel said.
        error: io::Error,
    },
}

/// The error as a user reads it: without the number that Rust appends.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

impl Error {
    /// An [`Error::System`] constructor for `map_err`.
    pub fn system(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |error| Self::System { action, error }
    }

    /// An [`Error::MountPoint`].
    pub fn mount_point(target: &Path, reason: impl Into<String>) -> Self {
        Self::MountPoint {
            target: target.to_owned(),
            reason: reason.into(),
        }
    }

    /// An [`Error::Mount`].
    pub fn mount(source: &OsStr, target: &Path, reason: String) -> Self {
        Self::Mount {
            tag: source.to_string_lossy().into_owned(),
            target: target.to_owned(),
            reason,
        }
    }

    /// The exit code that mount(8) gives this kind of failure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::NotRoot
            | Self::NotPermitted
            | Self::MayNotMount
            | Self::User(_)
            | Self::Namespace { .. } => 1,
            Self::ModuleMissing { .. }
            | Self::Modprobe { .. }
            | Self::ModuleFile { .. }
            | Self::ModuleRefused { .. }
            | Self::TypeMissing { .. }
            | Self::System { .. } => 2,
            Self::MountPoint { .. }
            | Self::AmbiguousTag { .. }
            | Self::Busy { .. }
            | Self::Unbind { .. }
            | Self::Bind { .. }
            | Self::Option { .. }
            | Self::UnknownTag { .. }
            | Self::AlreadyMounted { .. }
            | Self::Mount { .. }
            | Self::CharacterDevice { .. }
            | Self::Daemon { .. }
            | Self::DaemonEnded { .. }
            | Self::NotMounted { .. }
            | Self::Remount { .. } => 32,
        }
    }
}

/// The exit code of a bug in this program.
pub const EXIT_INTERNAL: u8 = 4;

/// The exit code after SIGINT or SIGTERM.
pub const EXIT_INTERRUPTED: u8 = 8;
