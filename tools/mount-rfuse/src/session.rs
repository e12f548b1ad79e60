// SPDX-License-Identifier: GPL-2.0

//! A daemon's file system: the character device opened and mounted, then the daemon on that
//! descriptor.
//!
//! libfuse 3 and others take `/dev/fd/N` as the name of a mount point that is mounted already.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};

use rustix::fs::{open, statfs, FileType, Mode, OFlags};
use rustix::io::{fcntl_setfd, Errno, FdFlags};
use rustix::mount::{unmount, MountFlags, UnmountFlags};

use crate::error::{plain, Error};
use crate::fscontext::FsContext;
use crate::module::{self, FILE_SYSTEM, MODULE_VARIABLE};
use crate::mountinfo;
use crate::options::{attributes, FsOption, Options};
use crate::report::Report;

/// What is to be mounted for a daemon, and where.
#[derive(Debug)]
pub struct Plan {
    /// The character device.
    pub device: PathBuf,
    /// The file system type, without a subtype.
    pub fs_type: String,
    /// The subtype, usually the daemon's name.
    pub subtype: Option<String>,
    /// What is shown as the source.
    pub source: OsString,
    /// The mount point.
    pub target: PathBuf,
    /// What the kernel gets.
    pub options: Options,
    /// Who may use the file system unless `allow_other` is given: user and group.
    pub owner: (u32, u32),
    /// Ignore options that the kernel does not know.
    pub sloppy: bool,
}

/// A mounted file system that nobody serves yet: dropping it leaves the mount dead.
#[derive(Debug)]
pub struct Session {
    device: OwnedFd,
    place: Place,
}

/// A mount, told from others that may come to lie on top of it.
#[derive(Debug)]
struct Place {
    target: PathBuf,
    id: u64,
}

/// A daemon that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    place: Place,
}

impl Session {
    /// Mounts the file system.
    ///
    /// # Errors
    ///
    /// Those of loading the module, [`Error::MountPoint`], [`Error::CharacterDevice`],
    /// [`Error::MayNotMount`], [`Error::Option`], [`Error::Mount`].
    pub fn mount(root: &Path, plan: &Plan, report: Report) -> Result<Self, Error> {
        let (target, kind) = mount_point(&plan.target)?;
        if plan.fs_type == FILE_SYSTEM {
            module::ensure(root, env::var_os(MODULE_VARIABLE), report)?;
        }
        let device = open_device(&plan.device)?;
        let context = FsContext::open(&plan.fs_type, report).map_err(|errno| match errno {
            Errno::PERM => Error::MayNotMount,
            errno => plan.error(plain(&errno.into())),
        })?;
        let own = plan.own_options(&device, kind);
        for option in own.iter().chain(&plan.options.file_system) {
            context.set(option, plan.sloppy)?;
        }
        let flags = plan.options.per_mount.applied_to(MountFlags::empty());
        let id = context
            .set_source(&plan.source)
            .and_then(|()| context.create())
            .map_err(|refusal| plan.error(refusal.reason))
            .and_then(|()| {
                let attached = context.attach(attributes(flags), &target);
                attached.map_err(|reason| plan.error(reason))
            })?;
        Ok(Self {
            device,
            place: Place { target, id },
        })
    }

    /// What the daemon takes for its mount point.
    pub fn point(&self) -> OsString {
        format!("/dev/fd/{}", self.device.as_raw_fd()).into()
    }

    /// Starts the daemon, which inherits the descriptor. If it cannot be started, nothing stays
    /// mounted.
    ///
    /// # Errors
    ///
    /// [`Error::Daemon`].
    pub fn start(self, mut command: Command) -> Result<Running, Error> {
        let inherited = fcntl_setfd(&self.device, FdFlags::empty());
        let spawned = inherited
            .map_err(io::Error::from)
            .and_then(|()| command.spawn());
        match spawned {
            Ok(child) => Ok(Running {
                child,
                place: self.place,
            }),
            Err(error) => {
                self.place.unmount();
                Err(Error::Daemon {
                    program: command.get_program().to_owned(),
                    error,
                })
            }
        }
    }
}

impl Running {
    /// The daemon's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the daemon ends, or has gone to the background. When nobody serves the file system
    /// any more, it is unmounted.
    ///
    /// # Errors
    ///
    /// Those of waiting.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait()?;
        if !status.success() || self.place.is_dead() {
            self.place.unmount();
        }
        Ok(status)
    }
}

impl Place {
    /// Whether the last descriptor of the device is closed.
    fn is_dead(&self) -> bool {
        matches!(
            statfs(&self.target),
            // CONNREFUSED: it ended before INIT was answered.
            Err(Errno::NOTCONN | Errno::CONNABORTED | Errno::CONNREFUSED)
        )
    }

    /// Takes the mount away, if it still is the topmost; who uses it keeps it.
    fn unmount(&self) {
        let top = mountinfo::at(Path::new("/"), &self.target);
        if top.is_ok_and(|top| top.is_some_and(|mount| mount.id == self.id)) {
            let _ = unmount(&self.target, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        }
    }
}

impl Plan {
    /// The options that every such mount has.
    fn own_options(&self, device: &OwnedFd, kind: u32) -> Vec<FsOption> {
        let (user, group) = self.owner;
        let numbers = [
            ("fd", device.as_raw_fd().to_string()),
            ("rootmode", format!("{kind:o}")),
            ("user_id", user.to_string()),
            ("group_id", group.to_string()),
        ];
        let subtype = self.subtype.iter().map(|name| ("subtype", name.clone()));
        let all = numbers.into_iter().chain(subtype);
        all.map(|(key, value)| FsOption {
            key: key.to_owned(),
            value: Some(value),
        })
        .collect()
    }

    fn error(&self, reason: String) -> Error {
        Error::mount(&self.source, &self.target, reason)
    }
}

/// Its real name, which later cannot be asked for without the daemon, and its type in `st_mode`.
fn mount_point(target: &Path) -> Result<(PathBuf, u32), Error> {
    let failed = |error: io::Error| Error::mount_point(target, plain(&error));
    let real = fs::canonicalize(target).map_err(failed)?;
    let metadata = fs::metadata(&real).map_err(failed)?;
    let kind = FileType::from_raw_mode(metadata.mode());
    match kind {
        FileType::Directory | FileType::RegularFile => Ok((real, kind.as_raw_mode())),
        _ => Err(Error::mount_point(target, "neither a directory nor a file")),
    }
}

fn open_device(path: &Path) -> Result<OwnedFd, Error> {
    open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| {
        Error::CharacterDevice {
            path: path.to_owned(),
            error: errno.into(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn plan(target: &Path) -> Plan {
        Plan {
            device: "/nonexistent/rfuse".into(),
            fs_type: "other".to_owned(),
            subtype: Some("hello".to_owned()),
            source: "hello".into(),
            target: target.to_owned(),
            options: Options::parse("").unwrap(),
            owner: (5, 6),
            sloppy: false,
        }
    }

    #[test]
    fn the_mount_point_is_named_when_it_is_bad() {
        let tree = Tree::new();
        let target = tree.path().join("missing");
        let error = Session::mount(Path::new("/"), &plan(&target), Report::QUIET).unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
        let error = mount_point(Path::new("/dev/null")).unwrap_err();
        assert!(error.to_string().contains("neither"), "{error}");
        assert_eq!(error.exit_code(), 32);
    }

    #[test]
    fn a_mount_point_is_a_directory_or_a_file() {
        let tree = Tree::new();
        tree.file("file", "");
        tree.link("link", "file");
        let file = fs::canonicalize(tree.path().join("file")).unwrap();
        assert_eq!(mount_point(tree.path()).unwrap().1, 0o040_000);
        assert_eq!(
            mount_point(&tree.path().join("link")).unwrap(),
            (file, 0o100_000)
        );
    }

    #[test]
    fn the_device_is_named_when_it_is_bad() {
        let tree = Tree::new();
        let error = Session::mount(Path::new("/"), &plan(tree.path()), Report::QUIET).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/rfuse"), "{error}");
    }

    #[test]
    fn what_every_mount_has() {
        let device = open_device(Path::new("/dev/null")).unwrap();
        let options = plan(Path::new("/")).own_options(&device, 0o040_000);
        let words: Vec<_> = options.iter().map(ToString::to_string).collect();
        let fd = format!("fd={}", device.as_raw_fd());
        assert_eq!(
            words,
            [
                fd.as_str(),
                "rootmode=40000",
                "user_id=5",
                "group_id=6",
                "subtype=hello"
            ]
        );
    }

    #[test]
    fn another_mount_is_left_alone() {
        let place = Place {
            target: "/proc".into(),
            id: u64::MAX,
        };
        place.unmount();
        assert!(!place.is_dead());
        assert!(Path::new("/proc/self").exists());
    }

    #[test]
    fn a_daemon_that_is_missing_is_named() {
        let session = Session {
            device: open_device(Path::new("/dev/null")).unwrap(),
            place: Place {
                target: "/proc".into(),
                id: u64::MAX,
            },
        };
        let error = session.start(Command::new("/nonexistent/daemon"));
        let error = error.unwrap_err();
        assert!(error.to_string().contains("/nonexistent/daemon"), "{error}");
    }
}
