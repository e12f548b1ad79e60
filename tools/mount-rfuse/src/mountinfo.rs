// SPDX-License-Identifier: GPL-2.0

//! `/proc/PID/mountinfo`, as proc_pid_mountinfo(5) describes it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, PartialEq)]
pub struct Mount {
    /// Its number in the kernel.
    pub id: u64,
    /// The number of its device in the kernel's encoding, which is that of the superblock's connection.
    pub device: u32,
    /// Where, seen from the process's root.
    pub mount_point: PathBuf,
    /// Per-mount options, comma-separated.
    pub per_mount: String,
    /// File system type, with its subtype.
    pub fs_type: String,
    /// What was mounted.
    pub source: OsString,
    /// Options of the superblock, comma-separated.
    pub superblock: String,
}

/// A mount and a process that sees it.
#[derive(Debug, PartialEq)]
pub struct SeenMount {
    /// The process.
    pub pid: u32,
    /// The mount in that process's mount namespace.
    pub mount: Mount,
}

/// The mounts of one mountinfo file, bottom first. Lines of another form are left out.
pub fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').map(unescape);
    let id = fields.next()?.to_str()?.parse().ok()?;
    let device = fields.nth(1)?.into_string().ok()?;
    let mount_point = fields.nth(1)?;
    let per_mount = fields.next()?;
    // Optional fields are any number, and a lone hyphen ends them.
    fields.find(|field| field == "-")?;
    Some(Mount {
        id,
        device: encoded(&device)?,
        mount_point: mount_point.into(),
        per_mount: per_mount.into_string().ok()?,
        fs_type: fields.next()?.into_string().ok()?,
        source: fields.next()?,
        superblock: fields.next()?.to_string_lossy().into_owned(),
    })
}

/// How many bits of a device number in the kernel's encoding are the minor part.
const MINORBITS: u32 = 20;

/// What the kernel makes of `MAJOR:MINOR`, `MKDEV`.
fn encoded(device: &str) -> Option<u32> {
    let (major, minor) = device.split_once(':')?;
    let major: u32 = major.parse().ok()?;
    Some(major.checked_mul(1 << MINORBITS)? | minor.parse::<u32>().ok()?)
}

/// Undoes the kernel's `\ooo` for blanks and backslashes.
fn unescape(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        match escaped_byte(rest) {
            Some((byte, behind)) => {
                bytes.push(byte);
                rest = behind;
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    OsString::from_vec(bytes)
}

fn escaped_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, behind) = text.strip_prefix(b"\\")?.split_first_chunk::<3>()?;
    let digits = std::str::from_utf8(digits).ok()?;
    Some((u8::from_str_radix(digits, 8).ok()?, behind))
}

/// The topmost mount at `mount_point` in the caller's own mount namespace.
///
/// # Errors
///
/// Those of reading `/proc/self/mountinfo` below `root`.
pub fn at(root: &Path, mount_point: &Path) -> io::Result<Option<Mount>> {
    let mounts = parse(&fs::read(root.join("proc/self/mountinfo"))?);
    Ok(mounts
        .into_iter()
        .rev()
        .find(|mount| mount.mount_point == mount_point))
}

/// A mount of `source` with this type in any mount namespace that has a process.
///
/// Processes that vanish meanwhile are passed over.
///
/// # Errors
///
/// Those of listing `/proc` below `root`.
pub fn anywhere(root: &Path, fs_type: &str, source: &OsStr) -> io::Result<Option<SeenMount>> {
    let mut namespaces = HashSet::new();
    for entry in fs::read_dir(root.join("proc"))? {
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let found = mounts_of(&entry.path(), &mut namespaces)
            .into_iter()
            .find(|mount| mount.fs_type == fs_type && mount.source == source);
        if let Some(mount) = found {
            return Ok(Some(SeenMount { pid, mount }));
        }
    }
    Ok(None)
}

/// Nothing if the process's namespace is in `seen` already, or if the process vanished.
fn mounts_of(process: &Path, seen: &mut HashSet<PathBuf>) -> Vec<Mount> {
    let Ok(namespace) = fs::read_link(process.join("ns/mnt")) else {
        return Vec::new();
    };
    if seen.contains(&namespace) {
        return Vec::new();
    }
    // A zombie may have a namespace and no mounts: then the namespace is not done with.
    let Ok(text) = fs::read(process.join("mountinfo")) else {
        return Vec::new();
    };
    seen.insert(namespace);
    parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    const PLAIN: &str = "25 30 0:23 / /proc rw,nosuid,relatime shared:14 - proc proc rw\n";

    #[test]
    fn escapes_and_optional_fields() {
        let line = b"99 30 0:45 /a /mnt/with\\040blank\\134\\011 ro,noatime shared:1 master:2 - \
            virtiofs my\\040tag ro,dax=never\n";
        assert_eq!(
            parse(line),
            [Mount {
                id: 99,
                device: 45,
                mount_point: "/mnt/with blank\\\t".into(),
                per_mount: "ro,noatime".into(),
                fs_type: "virtiofs".into(),
                source: "my tag".into(),
                superblock: "ro,dax=never".into(),
            }]
        );
        assert_eq!(
            parse(b"1 2 7:3 / /m rw - rfuseblk /dev/loop3 rw")[0].device,
            0x70_0003
        );
        assert_eq!(parse(PLAIN.as_bytes())[0].fs_type, "proc");
        assert_eq!(
            parse(b"1 2 0:3 / /m rw - rfuse.host t rw")[0].fs_type,
            "rfuse.host"
        );
    }

    #[test]
    fn names_need_not_be_utf_8() {
        let mounts = parse(b"1 2 0:3 / /\xff\\0409 rw - virtiofs \xfe rw");
        assert_eq!(mounts[0].mount_point.as_os_str().len(), 4);
        assert_eq!(mounts[0].source, OsString::from_vec(vec![0xfe]));
    }

    #[test]
    fn a_backslash_without_three_octal_digits_stays() {
        for text in ["\\", "\\04", "\\089", "\\777", "a\\"] {
            assert_eq!(unescape(text.as_bytes()), text);
        }
    }

    #[test]
    fn broken_lines_are_left_out() {
        for line in [
            "",
            "1 2 3",
            "1 2 0:3 / /m rw shared:1",
            "1 2 0:3 / /m rw - tmpfs",
            "1 2 03 / /m rw - tmpfs t rw",
            "1 2 0:x / /m rw - tmpfs t rw",
            "1 2 4096:1 / /m rw - tmpfs t rw",
        ] {
            assert_eq!(parse(line.as_bytes()), [], "{line}");
        }
    }

    #[test]
    fn the_topmost_mount_counts() {
        let tree = Tree::new();
        let below = "1 2 0:3 / /m rw - tmpfs t rw\n";
        let above = "2 1 0:4 / /m rw - rfuse tag rw\n";
        tree.file("proc/self/mountinfo", &format!("{below}{above}{PLAIN}"));
        let top = at(tree.path(), Path::new("/m")).unwrap().unwrap();
        assert_eq!(top.fs_type, "rfuse");
        assert_eq!(at(tree.path(), Path::new("/n")).unwrap(), None);
    }

    #[test]
    fn every_namespace_is_searched() {
        let tree = Tree::new();
        let mounted = format!("{PLAIN}7 1 0:9 / /deep rw - virtiofs tag rw\n");
        for (pid, namespace, text) in [(1, 40, PLAIN), (12, 40, PLAIN), (300, 41, &mounted)] {
            tree.file(&format!("proc/{pid}/mountinfo"), text);
            tree.link(&format!("proc/{pid}/ns/mnt"), &format!("mnt:[{namespace}]"));
        }
        tree.link("proc/13/ns/mnt", "mnt:[41]");
        tree.file("proc/14/mountinfo", &mounted);
        tree.file("proc/version", "not a process");
        let seen = anywhere(tree.path(), "virtiofs", OsStr::new("tag")).unwrap();
        let seen = seen.expect("the mount of process 300");
        assert_eq!(
            (seen.pid, seen.mount.mount_point),
            (300, PathBuf::from("/deep"))
        );
        for (fs_type, source) in [("virtiofs", "other"), ("rfuse", "tag")] {
            let seen = anywhere(tree.path(), fs_type, OsStr::new(source)).unwrap();
            assert_eq!(seen, None);
        }
    }
}
