// SPDX-License-Identifier: GPL-2.0

//! The kernel module: is it there, and if not, load it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;

use crate::error::{plain, Error};
use crate::report::Report;

/// The file system type, the module and the virtio driver have one name.
pub const FILE_SYSTEM: &str = "rfuse";

/// Names a module file to load instead of the installed module.
pub const MODULE_VARIABLE: &str = "RFUSE_MODULE";

/// Sees to it that the kernel knows the file system type.
///
/// `file` is the value of [`MODULE_VARIABLE`].
///
/// # Errors
///
/// [`Error::ModuleMissing`], [`Error::Modprobe`], [`Error::ModuleFile`], [`Error::ModuleRefused`],
/// [`Error::TypeMissing`], and [`Error::System`] if `/proc/filesystems` cannot be read.
pub fn ensure(root: &Path, file: Option<OsString>, report: Report) -> Result<(), Error> {
    if is_registered(root)? {
        return Ok(());
    }
    let module = match file.filter(|path| !path.is_empty()) {
        Some(path) => {
            let path = PathBuf::from(path);
            report.step(format_args!("loading module {}", path.display()));
            insert(&path)?;
            path.display().to_string()
        }
        None => {
            probe(root, report)?;
            FILE_SYSTEM.to_owned()
        }
    };
    if is_registered(root)? {
        Ok(())
    } else {
        Err(Error::TypeMissing { module })
    }
}

fn is_registered(root: &Path) -> Result<bool, Error> {
    let text = fs::read_to_string(root.join("proc/filesystems"))
        .map_err(Error::system("read /proc/filesystems"))?;
    Ok(text
        .lines()
        .any(|line| line.split_whitespace().next_back() == Some(FILE_SYSTEM)))
}

fn insert(path: &Path) -> Result<(), Error> {
    let file = File::open(path).map_err(|error| Error::ModuleFile {
        path: path.to_owned(),
        error,
    })?;
    match rustix::system::finit_module(&file, c"", 0) {
        // Two mounts at boot may both find it missing.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(Error::ModuleRefused {
            module: path.display().to_string(),
            reason: plain(&errno.into()),
        }),
    }
}

/// Runs the program that the kernel itself would run: mount(8) hands no PATH to its helpers.
fn probe(root: &Path, report: Report) -> Result<(), Error> {
    let setting = root.join("proc/sys/kernel/modprobe");
    let program = fs::read_to_string(setting).map_err(Error::system("read the modprobe path"))?;
    let program = PathBuf::from(program.trim_end());
    report.step(format_args!("running {} {FILE_SYSTEM}", program.display()));
    let output = Command::new(&program)
        .arg(FILE_SYSTEM)
        .output()
        .map_err(|error| Error::Modprobe { program, error })?;
    if output.status.success() {
        return Ok(());
    }
    Err(refusal(&String::from_utf8_lossy(&output.stderr)))
}

/// modprobe(8) has one exit status for all failures.
fn refusal(message: &str) -> Error {
    if message.contains("not found in directory") {
        return Error::ModuleMissing {
            release: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
        };
    }
    let lines: Vec<_> = message.lines().map(str::trim).collect();
    Error::ModuleRefused {
        module: FILE_SYSTEM.to_owned(),
        reason: lines.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    const QUIET: Report = Report::QUIET;

    #[test]
    fn a_known_type_needs_no_module() {
        let tree = Tree::new();
        tree.file("proc/filesystems", "nodev\tsysfs\n\text4\nnodev\trfuse\n");
        let nowhere = Some(OsString::from("/nonexistent/rfuse.ko"));
        ensure(tree.path(), nowhere, QUIET).expect("no module is loaded");
    }

    #[test]
    fn a_type_of_a_longer_name_is_another() {
        let tree = Tree::new();
        tree.file("proc/filesystems", "nodev\trfuse2\nnodev\txrfuse\n");
        assert!(!is_registered(tree.path()).unwrap());
    }

    #[test]
    fn a_wrong_module_path_is_named() {
        let tree = Tree::new();
        tree.file("proc/filesystems", "nodev\tsysfs\n");
        let file = tree.path().join("missing.ko");
        let error = ensure(tree.path(), Some(file.into_os_string()), QUIET).unwrap_err();
        assert!(matches!(error, Error::ModuleFile { .. }), "{error}");
        assert!(error.to_string().contains("missing.ko"));
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn the_program_that_the_kernel_names_is_run() {
        let tree = Tree::new();
        let types = tree.path().join("proc/filesystems");
        let program = tree.path().join("modprobe");
        tree.file("proc/filesystems", "nodev\tsysfs\n");
        tree.file(
            "proc/sys/kernel/modprobe",
            &format!("{}\n", program.display()),
        );
        let error = ensure(tree.path(), None, QUIET).unwrap_err();
        assert!(matches!(error, Error::Modprobe { .. }), "{error}");

        tree.program("modprobe", "exit 0");
        let error = ensure(tree.path(), Some("".into()), QUIET).unwrap_err();
        assert!(matches!(error, Error::TypeMissing { .. }), "{error}");

        tree.program("modprobe", "echo one >&2; echo two >&2; exit 1");
        let error = ensure(tree.path(), None, QUIET).unwrap_err();
        assert!(error.to_string().contains("(one; two)"), "{error}");

        tree.program("modprobe", &format!("echo nodev $1 > {}", types.display()));
        ensure(tree.path(), None, QUIET).unwrap();
    }

    #[test]
    fn modprobe_failures_are_told_apart() {
        let missing =
            "modprobe: FATAL: Module rfuse not found in directory /lib/modules/7.3.4+deb13-amd64\n";
        assert!(matches!(refusal(missing), Error::ModuleMissing { .. }));
        let refused = refusal("modprobe: ERROR: could not insert 'rfuse': Exec format error\n");
        assert!(refused.to_string().contains("'rfuse': Exec format error)"));
    }
}
