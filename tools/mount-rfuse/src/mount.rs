// SPDX-License-Identifier: GPL-2.0

//! The two things this program does: a new mount and a remount.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{mount_remount, MountFlags};

use crate::arguments::Arguments;
use crate::daemon;
use crate::device;
use crate::error::{plain, Error};
use crate::fscontext::{FsContext, Refusal};
use crate::module::{self, FILE_SYSTEM, MODULE_VARIABLE};
use crate::mountinfo::{self, Mount};
use crate::options::{attributes, flags_of_mount, FsOption, Options};
use crate::report::Report;

/// Mounts or remounts, as the options say.
///
/// # Errors
///
/// Any of [`Error`] but those of the command line.
pub fn run(root: &Path, arguments: &Arguments, report: Report) -> Result<(), Error> {
    let mut options = Options::parse(&arguments.options)?;
    if let Some(daemon) = daemon::of(arguments, &options)? {
        return daemon.mount(root, arguments, &options, report);
    }
    options
        .file_system
        .extend(arguments.subtype.iter().map(|subtype| FsOption {
            key: "subtype".to_owned(),
            value: Some(subtype.clone()),
        }));
    let job = Job {
        root,
        arguments,
        options,
        report,
    };
    if job.options.remount {
        job.remount()
    } else {
        job.mount()
    }
}

struct Job<'a> {
    root: &'a Path,
    arguments: &'a Arguments,
    options: Options,
    report: Report,
}

impl Job<'_> {
    fn mount(&self) -> Result<(), Error> {
        if !self.options.is_served() {
            check_mount_point(&self.arguments.target)?;
        }
        if self.arguments.fake {
            return self.pretend();
        }
        module::ensure(self.root, env::var_os(MODULE_VARIABLE), self.report)?;
        let mut result = self.mount_tag(&self.arguments.source);
        if let (Err(Error::UnknownTag { .. }), Some(tag)) =
            (&result, shortened(&self.arguments.source))
        {
            self.report.step(format_args!(
                "trying '{}' as the tag",
                tag.to_string_lossy()
            ));
            result = self.mount_tag(tag);
        }
        result
    }

    fn pretend(&self) -> Result<(), Error> {
        let tag = &self.arguments.source;
        self.refuse_stacking(tag)?;
        if let Some(device) = device::would_take(self.root, tag)? {
            self.report
                .step(format_args!("would take device {device} from virtiofs"));
        }
        self.report.step(format_args!(
            "would mount '{}' on '{}'",
            tag.to_string_lossy(),
            self.arguments.target.display()
        ));
        Ok(())
    }

    /// mount(2) refuses to put a file system on top of itself, move_mount(2) does not.
    fn refuse_stacking(&self, tag: &OsStr) -> Result<(), Error> {
        match self.mount_at(&self.canonical_target()?)? {
            Some(mount) if mount.source == tag => Err(Error::AlreadyMounted {
                tag: tag.to_string_lossy().into_owned(),
                target: self.arguments.target.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn canonical_target(&self) -> Result<PathBuf, Error> {
        fs::canonicalize(&self.arguments.target)
            .map_err(|error| Error::mount_point(&self.arguments.target, plain(&error)))
    }

    /// Our mount at `target`, if there is one and nothing lies on top of it.
    fn mount_at(&self, target: &Path) -> Result<Option<Mount>, Error> {
        let mount =
            mountinfo::at(self.root, target).map_err(Error::system("read /proc/self/mountinfo"))?;
        Ok(mount.filter(|mount| is_ours(&mount.fs_type)))
    }

    fn mount_tag(&self, tag: &OsStr) -> Result<(), Error> {
        if !self.options.is_served() {
            self.refuse_stacking(tag)?;
        }
        let context = FsContext::open(FILE_SYSTEM, self.report).map_err(|errno| match errno {
            Errno::PERM => Error::NotPermitted,
            errno => self.mount_error(tag, plain(&errno.into())),
        })?;
        // A mistyped option must not cost the device its driver: options come first.
        for option in &self.options.file_system {
            context.set(option, self.arguments.sloppy)?;
        }
        context
            .set_source(tag)
            .map_err(|refusal| self.mount_error(tag, refusal.reason))?;
        if !self.options.is_served() {
            device::take(self.root, tag, self.report)?;
        }
        context
            .create()
            .map_err(|refusal| self.creation_error(tag, refusal))?;
        let flags = self.options.per_mount.applied_to(MountFlags::empty());
        context
            .attach(attributes(flags), &self.arguments.target)
            .map_err(|reason| self.mount_error(tag, reason))?;
        Ok(())
    }

    fn creation_error(&self, tag: &OsStr, refusal: Refusal) -> Error {
        match refusal.errno {
            Errno::NODEV | Errno::NOENT | Errno::INVAL if !self.options.is_served() => {
                Error::UnknownTag {
                    tag: tag.to_string_lossy().into_owned(),
                    reason: refusal.reason,
                    known: device::known(self.root),
                }
            }
            _ => self.mount_error(tag, refusal.reason),
        }
    }

    fn mount_error(&self, tag: &OsStr, reason: String) -> Error {
        Error::mount(tag, &self.arguments.target, reason)
    }

    fn remount(&self) -> Result<(), Error> {
        let target = self.canonical_target()?;
        let Some(mount) = self.mount_at(&target)? else {
            return Err(Error::NotMounted { target });
        };
        if self.arguments.fake {
            self.report
                .step(format_args!("would remount '{}'", target.display()));
            return Ok(());
        }
        if !self.options.bind {
            self.reconfigure(&target, &mount)?;
        }
        let flags = self
            .options
            .per_mount
            .applied_to(flags_of_mount(&mount.per_mount));
        mount_remount(&target, flags | MountFlags::BIND, c"")
            .map_err(|errno| remount_error(&target, errno))
    }

    /// mount(8) repeats the options in force at a remount: those are no change to ask for.
    fn reconfigure(&self, target: &Path, mount: &Mount) -> Result<(), Error> {
        let context =
            FsContext::pick(target, self.report).map_err(|errno| remount_error(target, errno))?;
        for option in &self.options.file_system {
            let word = option.to_string();
            let is_access = word == "ro" || word == "rw";
            if is_access || !mount.superblock.split(',').any(|old| old == word) {
                context.set(option, self.arguments.sloppy)?;
            }
        }
        context.reconfigure().map_err(|refusal| Error::Remount {
            target: target.to_owned(),
            reason: refusal.reason,
        })
    }
}

fn is_ours(fs_type: &str) -> bool {
    fs_type
        .strip_prefix(FILE_SYSTEM)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// mount(8) turns a source into an absolute path if a file of that name happens to lie in the
/// working directory; at boot that is `/`, where a tag like `home` is easily one.
fn shortened(source: &OsStr) -> Option<&OsStr> {
    let path = Path::new(source);
    if path.is_absolute() && path.exists() {
        path.file_name()
    } else {
        None
    }
}

fn check_mount_point(target: &Path) -> Result<(), Error> {
    match fs::metadata(target) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(Error::mount_point(target, "not a directory")),
        Err(error) => Err(Error::mount_point(target, plain(&error))),
    }
}

fn remount_error(target: &Path, errno: Errno) -> Error {
    match errno {
        Errno::PERM => Error::NotPermitted,
        errno => Error::Remount {
            target: target.to_owned(),
            reason: plain(&errno.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn fake(source: &str, target: &Path, options: &str) -> Arguments {
        Arguments {
            source: source.into(),
            target: target.to_owned(),
            options: options.to_owned(),
            fake: true,
            ..Arguments::default()
        }
    }

    fn run_fake(root: &Path, arguments: &Arguments) -> Result<(), Error> {
        run(root, arguments, Report::QUIET)
    }

    #[test]
    fn a_mount_point_must_be_a_directory() {
        let tree = Tree::new();
        tree.file("file", "");
        tree.file("proc/self/mountinfo", "");
        for (name, reason) in [("file", "not a directory"), ("none", "No such file")] {
            let target = tree.path().join(name);
            let error = run_fake(tree.path(), &fake("tag", &target, "")).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(error.exit_code(), 32);
        }
        run_fake(tree.path(), &fake("tag", tree.path(), "rw,noatime")).unwrap();
    }

    #[test]
    fn only_our_mounts_are_remounted() {
        let tree = Tree::new();
        let target = fs::canonicalize(tree.path()).unwrap();
        for (fs_type, ours) in [("rfuse", true), ("rfuse.x", true), ("rfused", false)] {
            let line = format!("1 2 0:3 / {} rw - {fs_type} tag rw\n", target.display());
            tree.file("proc/self/mountinfo", &line);
            let result = run_fake(tree.path(), &fake("tag", tree.path(), "remount,ro"));
            assert_eq!(result.is_ok(), ours, "{fs_type}");
        }
    }

    #[test]
    fn a_tag_is_not_stacked_on_itself() {
        let tree = Tree::new();
        let target = fs::canonicalize(tree.path()).unwrap();
        for (mounted, refused) in [
            ("rfuse tag", true),
            ("rfuse other", false),
            ("tmpfs tag", false),
        ] {
            let line = format!("1 2 0:3 / {} rw - {mounted} rw\n", target.display());
            tree.file("proc/self/mountinfo", &line);
            let result = run_fake(tree.path(), &fake("tag", tree.path(), ""));
            assert_eq!(
                matches!(result, Err(Error::AlreadyMounted { .. })),
                refused,
                "{mounted}"
            );
        }
    }

    #[test]
    fn a_tag_made_a_path_is_found_again() {
        let tree = Tree::new();
        tree.directory("home");
        let path = tree.path().join("home");
        assert_eq!(shortened(path.as_os_str()), Some(OsStr::new("home")));
        assert_eq!(shortened(tree.path().join("none").as_os_str()), None);
        assert_eq!(shortened(OsStr::new("home")), None);
        assert_eq!(shortened(OsStr::new("/")), None);
    }
}
