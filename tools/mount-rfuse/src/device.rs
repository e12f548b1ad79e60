// SPDX-License-Identifier: GPL-2.0

//! virtio-fs devices in sysfs: whose tag is whose, and handing one over to rfuse.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::fs::{flock, FlockOperation};

use crate::error::{plain, Error};
use crate::interrupt;
use crate::module::FILE_SYSTEM;
use crate::mountinfo;
use crate::report::Report;

/// The kernel's own driver, and its file system type.
const BUILT_IN: &str = "virtiofs";
const DRIVERS: &str = "sys/bus/virtio/drivers";

/// A device that the kernel's own driver has.
#[derive(Debug, PartialEq)]
pub struct Device {
    /// Its name on the virtio bus.
    pub name: String,
    /// Its tag.
    pub tag: OsString,
}

/// Takes the device of `tag` from the kernel's own driver, if that has it.
///
/// Returns whether there was something to take; rfuse may have had the device all along.
///
/// # Errors
///
/// [`Error::AmbiguousTag`], [`Error::Busy`], [`Error::Unbind`], [`Error::Bind`], [`Error::System`].
pub fn take(root: &Path, tag: &OsStr, report: Report) -> Result<bool, Error> {
    let _lock = lock(root)?;
    let Some(device) = find(root, tag)? else {
        return Ok(false);
    };
    refuse_busy(root, &device)?;
    let _held = interrupt::hold();
    rebind(root, &device, report)?;
    Ok(true)
}

/// What [`take`] would do, for `-f`: the device's name, if the kernel's own driver has it.
///
/// # Errors
///
/// [`Error::AmbiguousTag`], [`Error::Busy`], [`Error::System`].
pub fn would_take(root: &Path, tag: &OsStr) -> Result<Option<String>, Error> {
    let Some(device) = find(root, tag)? else {
        return Ok(None);
    };
    refuse_busy(root, &device)?;
    Ok(Some(device.name))
}

/// The tags and devices that exist, as part of a message.
pub fn known(root: &Path) -> String {
    let tags = built_in_devices(root).unwrap_or_default();
    let mut names: Vec<_> = tags
        .iter()
        .map(|device| format!("'{}'", device.tag.to_string_lossy()))
        .collect();
    names.sort();
    let mut list = match names.as_slice() {
        [] => "no tags are free".to_owned(),
        names => format!("free tags: {}", names.join(", ")),
    };
    let ours = bound_devices(root);
    if !ours.is_empty() {
        list.push_str(&format!("; rfuse has {}", ours.join(", ")));
    }
    list
}

/// Two mounts of one tag at boot must not unbind under each other; the directory is there anyway.
fn lock(root: &Path) -> Result<File, Error> {
    let path = root.join(DRIVERS);
    let error = |error: io::Error| Error::System {
        action: format!("lock {}", path.display()),
        error,
    };
    let directory = File::open(&path).map_err(error)?;
    flock(&directory, FlockOperation::LockExclusive).map_err(|errno| error(errno.into()))?;
    Ok(directory)
}

fn find(root: &Path, tag: &OsStr) -> Result<Option<Device>, Error> {
    let devices = built_in_devices(root).map_err(Error::system("list /sys/fs/virtiofs"))?;
    let mut matching: Vec<_> = devices
        .into_iter()
        .filter(|device| device.tag == tag)
        .collect();
    if matching.len() > 1 {
        let mut names: Vec<_> = matching.into_iter().map(|device| device.name).collect();
        names.sort();
        return Err(Error::AmbiguousTag {
            tag: tag.to_string_lossy().into_owned(),
            devices: names.join(" and "),
        });
    }
    Ok(matching.pop())
}

fn built_in_devices(root: &Path) -> io::Result<Vec<Device>> {
    let entries = match fs::read_dir(root.join("sys/fs/virtiofs")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    // An unplugged device vanishes between the listing and the look.
    Ok(entries
        .filter_map(|entry| device(&entry.ok()?.path()))
        .collect())
}

fn device(instance: &Path) -> Option<Device> {
    let mut tag = fs::read(instance.join("tag")).ok()?;
    if tag.last() == Some(&b'\n') {
        tag.pop();
    }
    let link = fs::read_link(instance.join("device")).ok()?;
    Some(Device {
        name: link.file_name()?.to_str()?.to_owned(),
        tag: OsString::from_vec(tag),
    })
}

fn bound_devices(root: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root.join(DRIVERS).join(FILE_SYSTEM)) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("virtio"))
        .collect();
    names.sort();
    names
}

fn refuse_busy(root: &Path, device: &Device) -> Result<(), Error> {
    let seen = mountinfo::anywhere(root, BUILT_IN, &device.tag)
        .map_err(Error::system("search /proc for mounts"))?;
    match seen {
        None => Ok(()),
        Some(seen) => Err(Error::Busy {
            tag: device.tag.to_string_lossy().into_owned(),
            device: device.name.clone(),
            mount_point: seen.mount.mount_point.display().to_string(),
            pid: seen.pid,
        }),
    }
}

fn rebind(root: &Path, device: &Device, report: Report) -> Result<(), Error> {
    let (tag, name) = (
        device.tag.to_string_lossy().into_owned(),
        device.name.clone(),
    );
    report.step(format_args!(
        "moving device {name} (tag '{tag}') from driver {BUILT_IN} to {FILE_SYSTEM}"
    ));
    if let Err(error) = tell_driver(root, BUILT_IN, "unbind", &name) {
        return Err(Error::Unbind {
            tag,
            device: name,
            error,
        });
    }
    let Err(error) = tell_driver(root, FILE_SYSTEM, "bind", &name) else {
        return Ok(());
    };
    let afterwards = match tell_driver(root, BUILT_IN, "bind", &name) {
        Ok(()) => format!("it was given back to {BUILT_IN}"),
        Err(error) => format!(
            "giving it back to {BUILT_IN} failed as well ({})",
            plain(&error)
        ),
    };
    Err(Error::Bind {
        tag,
        device: name,
        error,
        afterwards,
    })
}

fn tell_driver(root: &Path, driver: &str, action: &str, device: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(root.join(DRIVERS).join(driver).join(action))?
        .write_all(device.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    const QUIET: Report = Report::QUIET;
    const PLAIN: &str = "25 30 0:23 / /proc rw - proc proc rw\n";

    fn guest() -> Tree {
        let tree = Tree::new();
        for (driver, action) in [
            ("virtiofs", "bind"),
            ("virtiofs", "unbind"),
            ("rfuse", "bind"),
        ] {
            tree.file(&format!("{DRIVERS}/{driver}/{action}"), "");
        }
        tree.file("proc/1/mountinfo", PLAIN);
        tree.link("proc/1/ns/mnt", "mnt:[1]");
        add(&tree, "0", "virtio2", "data");
        add(&tree, "1", "virtio3", "with blank ");
        tree
    }

    fn add(tree: &Tree, instance: &str, device: &str, tag: &str) {
        tree.file(
            &format!("sys/fs/virtiofs/{instance}/tag"),
            &format!("{tag}\n"),
        );
        let target = format!("../../../devices/pci0000:00/0000:00:04.0/{device}");
        tree.link(&format!("sys/fs/virtiofs/{instance}/device"), &target);
    }

    fn told(tree: &Tree, driver: &str, action: &str) -> String {
        tree.text(&format!("{DRIVERS}/{driver}/{action}"))
    }

    #[test]
    fn a_free_device_changes_hands() {
        let tree = guest();
        assert!(take(tree.path(), OsStr::new("with blank "), QUIET).unwrap());
        assert_eq!(told(&tree, "virtiofs", "unbind"), "virtio3");
        assert_eq!(told(&tree, "rfuse", "bind"), "virtio3");
        assert_eq!(told(&tree, "virtiofs", "bind"), "");
    }

    #[test]
    fn a_foreign_tag_changes_nothing() {
        let tree = guest();
        for tag in ["dat", "data2", "with blank"] {
            assert!(!take(tree.path(), OsStr::new(tag), QUIET).unwrap());
        }
        assert_eq!(told(&tree, "virtiofs", "unbind"), "");
    }

    #[test]
    fn no_built_in_driver_means_nothing_to_take() {
        let tree = Tree::new();
        tree.directory(DRIVERS);
        assert!(!take(tree.path(), OsStr::new("data"), QUIET).unwrap());
    }

    #[test]
    fn a_mounted_device_stays() {
        let tree = guest();
        tree.file(
            "proc/70/mountinfo",
            "9 1 0:5 / /m\\040n rw - virtiofs data rw\n",
        );
        tree.link("proc/70/ns/mnt", "mnt:[2]");
        let error = take(tree.path(), OsStr::new("data"), QUIET).unwrap_err();
        let text = error.to_string();
        for part in ["'data'", "virtio2", "'/m n'", "process 70"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(error.exit_code(), 32);
        assert_eq!(told(&tree, "virtiofs", "unbind"), "");
        assert!(would_take(tree.path(), OsStr::new("data")).is_err());
        assert!(take(tree.path(), OsStr::new("with blank "), QUIET).unwrap());
    }

    #[test]
    fn a_refused_device_is_given_back() {
        let tree = guest();
        fs::remove_file(tree.path().join(DRIVERS).join("rfuse/bind")).unwrap();
        let error = take(tree.path(), OsStr::new("data"), QUIET).unwrap_err();
        assert!(error.to_string().contains("given back to virtiofs"));
        assert_eq!(told(&tree, "virtiofs", "bind"), "virtio2");
    }

    #[test]
    fn a_lost_device_is_said_to_be_lost() {
        let tree = guest();
        for file in ["rfuse/bind", "virtiofs/bind"] {
            fs::remove_file(tree.path().join(DRIVERS).join(file)).unwrap();
        }
        let error = take(tree.path(), OsStr::new("data"), QUIET).unwrap_err();
        assert!(error.to_string().contains("failed as well"), "{error}");
    }

    #[test]
    fn two_devices_of_one_tag_are_both_named() {
        let tree = guest();
        add(&tree, "2", "virtio9", "data");
        let error = take(tree.path(), OsStr::new("data"), QUIET).unwrap_err();
        assert!(error.to_string().contains("virtio2 and virtio9"), "{error}");
    }

    #[test]
    fn a_fake_mount_only_looks() {
        let tree = guest();
        let device = would_take(tree.path(), OsStr::new("data")).unwrap();
        assert_eq!(device.as_deref(), Some("virtio2"));
        assert_eq!(told(&tree, "virtiofs", "unbind"), "");
    }

    #[test]
    fn the_list_names_tags_and_our_devices() {
        let tree = guest();
        assert_eq!(known(tree.path()), "free tags: 'data', 'with blank '");
        tree.link("sys/bus/virtio/drivers/rfuse/virtio7", "../virtio7");
        fs::remove_dir_all(tree.path().join("sys/fs/virtiofs")).unwrap();
        assert_eq!(known(tree.path()), "no tags are free; rfuse has virtio7");
    }
}
