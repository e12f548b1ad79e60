// SPDX-License-Identifier: GPL-2.0

//! Mount options: which of them concern the mount, which the file system, and which mount(8) alone.

use std::fmt;

use rustix::mount::{MountAttrFlags, MountFlags};

use crate::error::Error;

const NONE: MountFlags = MountFlags::empty();
const ATIME: MountFlags = MountFlags::NOATIME
    .union(MountFlags::RELATIME)
    .union(MountFlags::STRICTATIME);
const USER: MountFlags = MountFlags::NOEXEC.union(OWNER);
const OWNER: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Per-mount options: name, flags set, flags cleared. `user` and its kin imply what mount(8) says.
const PER_MOUNT: &[(&str, MountFlags, MountFlags)] = &[
    ("ro", MountFlags::RDONLY, NONE),
    ("rw", NONE, MountFlags::RDONLY),
    ("nosuid", MountFlags::NOSUID, NONE),
    ("suid", NONE, MountFlags::NOSUID),
    ("nodev", MountFlags::NODEV, NONE),
    ("dev", NONE, MountFlags::NODEV),
    ("noexec", MountFlags::NOEXEC, NONE),
    ("exec", NONE, MountFlags::NOEXEC),
    ("nosymfollow", MountFlags::NOSYMFOLLOW, NONE),
    ("symfollow", NONE, MountFlags::NOSYMFOLLOW),
    ("noatime", MountFlags::NOATIME, ATIME),
    ("atime", NONE, MountFlags::NOATIME),
    ("relatime", MountFlags::RELATIME, ATIME),
    ("norelatime", NONE, MountFlags::RELATIME),
    ("strictatime", MountFlags::STRICTATIME, ATIME),
    ("nostrictatime", NONE, MountFlags::STRICTATIME),
    ("nodiratime", MountFlags::NODIRATIME, NONE),
    ("diratime", NONE, MountFlags::NODIRATIME),
    ("user", USER, NONE),
    ("users", USER, NONE),
    ("owner", OWNER, NONE),
    ("group", OWNER, NONE),
];

/// Options of the superblock that fs_context knows for every type; `ro` and `rw` are per mount too.
const SUPERBLOCK: &[&str] = &[
    "ro",
    "rw",
    "sync",
    "async",
    "dirsync",
    "lazytime",
    "nolazytime",
    "mand",
    "nomand",
];

/// Options that only mount(8), systemd or the administrator read.
const COMMENTS: &[&str] = &[
    "defaults", "auto", "noauto", "user", "nouser", "users", "nousers", "owner", "noowner",
    "group", "nogroup", "nofail", "_netdev", "silent", "loud", "comment", "uhelper", "helper",
];

/// Options that are operations of mount(8) and not properties of a mount, and how to ask for them.
const OPERATIONS: &[(&str, &str)] = &[
    ("rbind", "--rbind"),
    ("move", "--move"),
    ("shared", "--make-shared"),
    ("rshared", "--make-rshared"),
    ("slave", "--make-slave"),
    ("rslave", "--make-rslave"),
    ("private", "--make-private"),
    ("rprivate", "--make-rprivate"),
    ("unbindable", "--make-unbindable"),
    ("runbindable", "--make-runbindable"),
];

/// Options of the character device's file systems, beside those of the superblock.
const OF_KERNEL: &[&str] = &[
    "allow_other",
    "default_permissions",
    "max_read",
    "blksize",
    "context",
    "fscontext",
    "defcontext",
    "rootcontext",
];

/// Whose descriptor serves the file system.
const DESCRIPTOR: &str = "fd";
/// What is shown as the source.
pub const FILE_SYSTEM_NAME: &str = "fsname";
/// What is shown behind the type.
pub const SUBTYPE: &str = "subtype";
/// The user that a daemon runs as.
pub const SET_USER: &str = "setuid";
/// Whether a daemon runs without capabilities.
pub const DROP_PRIVILEGES: &str = "drop_privileges";

/// Flags to set and flags to clear; a flag in neither keeps its value over a remount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    set: MountFlags,
    clear: MountFlags,
}

impl Change {
    const NOTHING: Self = Self {
        set: NONE,
        clear: NONE,
    };

    fn then(self, set: MountFlags, clear: MountFlags) -> Self {
        Self {
            set: self.set.difference(clear).union(set),
            clear: self.clear.union(clear).difference(set),
        }
    }

    /// The flags of a mount that had `flags` before; a new mount had none.
    pub fn applied_to(self, flags: MountFlags) -> MountFlags {
        flags.difference(self.clear).union(self.set)
    }
}

/// One option for `fsconfig(2)`.
#[derive(Clone, Debug, PartialEq)]
pub struct FsOption {
    /// The parameter's name.
    pub key: String,
    /// What stood behind `=`, without quotes; a flag has none.
    pub value: Option<String>,
}

impl fmt::Display for FsOption {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.key)?;
        match &self.value {
            Some(value) => write!(formatter, "={value}"),
            None => Ok(()),
        }
    }
}

impl FsOption {
    fn parse(word: &str) -> Self {
        match word.split_once('=') {
            Some((key, value)) => Self {
                key: key.to_owned(),
                value: Some(unquoted(value).to_owned()),
            },
            None => Self {
                key: word.to_owned(),
                value: None,
            },
        }
    }

    fn is_comment(&self) -> bool {
        COMMENTS.contains(&self.key.as_str())
            || self.key.starts_with("x-")
            || self.key.starts_with("X-")
    }
}

/// The options of one mount.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What changes at the mount itself.
    pub per_mount: Change,
    /// What goes to the file system, in its order.
    pub file_system: Vec<FsOption>,
    /// Change an existing mount.
    pub remount: bool,
    /// With `remount`: leave the superblock alone.
    pub bind: bool,
}

impl Options {
    /// Reads the argument of `-o`.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for an open quote, an option without a name, and for operations of mount(8).
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut options = Self {
            per_mount: Change::NOTHING,
            file_system: Vec::new(),
            remount: false,
            bind: false,
        };
        for word in words(text)? {
            options.add(FsOption::parse(word))?;
        }
        if options.bind && !options.remount {
            return Err(not_here("bind", "--bind"));
        }
        Ok(options)
    }

    /// The value of an option; the last one counts.
    pub fn value(&self, key: &str) -> Option<&str> {
        let mut options = self.file_system.iter().rev();
        options.find(|option| option.key == key)?.value.as_deref()
    }

    /// Whether there is such an option.
    pub fn has(&self, key: &str) -> bool {
        self.file_system.iter().any(|option| option.key == key)
    }

    /// Whether they name the descriptor that the file system is served by.
    pub fn is_served(&self) -> bool {
        self.has(DESCRIPTOR)
    }

    /// The options of a daemon's mount that are the kernel's.
    pub fn of_kernel(&self) -> Self {
        let mut options = self.clone();
        options.file_system.retain(|option| {
            let key = option.key.as_str();
            SUPERBLOCK.contains(&key) || OF_KERNEL.contains(&key)
        });
        options
    }

    fn add(&mut self, option: FsOption) -> Result<(), Error> {
        match option.key.as_str() {
            "" => return Err(Error::Usage(format!("option '{option}' has no name"))),
            "remount" => self.remount = true,
            "bind" => self.bind = true,
            key => {
                refuse_operation(key)?;
                let flags = PER_MOUNT.iter().find(|(name, ..)| *name == key);
                if let Some((_, set, clear)) = flags {
                    self.per_mount = self.per_mount.then(*set, *clear);
                }
                let mount_alone = flags.is_some() && !SUPERBLOCK.contains(&key);
                if !mount_alone && !option.is_comment() {
                    self.file_system.push(option);
                }
            }
        }
        Ok(())
    }
}

fn refuse_operation(key: &str) -> Result<(), Error> {
    match OPERATIONS.iter().find(|(name, _)| *name == key) {
        Some((_, switch)) => Err(not_here(key, switch)),
        None => Ok(()),
    }
}

fn not_here(option: &str, switch: &str) -> Error {
    Error::Usage(format!(
        "option '{option}' is an operation of mount(8) itself: use mount {switch}"
    ))
}

/// What of the argument of `-o` a daemon gets.
///
/// # Errors
///
/// [`Error::Usage`] for an open quote.
pub fn for_daemon(text: &str) -> Result<String, Error> {
    let words = words(text)?.into_iter().filter(|word| {
        let option = FsOption::parse(word);
        !option.is_comment() && ![SET_USER, DROP_PRIVILEGES].contains(&option.key.as_str())
    });
    Ok(words.collect::<Vec<_>>().join(","))
}

/// Splits at commas outside of double quotes.
fn words(text: &str) -> Result<Vec<&str>, Error> {
    let mut quoted = false;
    let words = text
        .split(|letter| {
            quoted ^= letter == '"';
            letter == ',' && !quoted
        })
        .filter(|word| !word.is_empty())
        .collect();
    if quoted {
        return Err(Error::Usage(format!(
            "options '{text}' have an open quote (\")"
        )));
    }
    Ok(words)
}

fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}

/// The flags of an existing mount, from the per-mount options in mountinfo.
pub fn flags_of_mount(per_mount: &str) -> MountFlags {
    let mut flags = per_mount
        .split(',')
        .filter_map(|word| PER_MOUNT.iter().find(|(name, ..)| *name == word))
        .fold(Change::NOTHING, |change, (_, set, clear)| {
            change.then(*set, *clear)
        })
        .applied_to(NONE);
    // The kernel shows strictatime as the absence of the other two.
    if !flags.intersects(ATIME) {
        flags |= MountFlags::STRICTATIME;
    }
    flags
}

/// The same flags for `fsmount(2)`, where relatime is the absence of the other two.
pub fn attributes(flags: MountFlags) -> MountAttrFlags {
    [
        (MountFlags::RDONLY, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (MountFlags::NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (MountFlags::NODEV, MountAttrFlags::MOUNT_ATTR_NODEV),
        (MountFlags::NOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (
            MountFlags::NOSYMFOLLOW,
            MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW,
        ),
        (MountFlags::NOATIME, MountAttrFlags::MOUNT_ATTR_NOATIME),
        (
            MountFlags::STRICTATIME,
            MountAttrFlags::MOUNT_ATTR_STRICTATIME,
        ),
        (
            MountFlags::NODIRATIME,
            MountAttrFlags::MOUNT_ATTR_NODIRATIME,
        ),
    ]
    .into_iter()
    .filter(|(flag, _)| flags.contains(*flag))
    .fold(MountAttrFlags::empty(), |all, (_, attribute)| {
        all | attribute
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_mount(text: &str) -> (MountFlags, Vec<String>) {
        let options = Options::parse(text).expect(text);
        let names = options.file_system.iter().map(ToString::to_string);
        (options.per_mount.applied_to(NONE), names.collect())
    }

    #[test]
    fn an_empty_string_asks_for_nothing() {
        assert_eq!(new_mount(""), (NONE, vec![]));
        assert_eq!(new_mount("defaults,,"), (NONE, vec![]));
    }

    #[test]
    fn ro_concerns_the_mount_and_the_superblock() {
        assert_eq!(new_mount("ro"), (MountFlags::RDONLY, vec!["ro".into()]));
        assert_eq!(new_mount("ro,rw"), (NONE, vec!["ro".into(), "rw".into()]));
    }

    #[test]
    fn generic_options_become_flags() {
        assert_eq!(
            new_mount("nosuid,nodev,noexec,noatime,nodiratime,nosymfollow"),
            (
                MountFlags::NOSUID
                    | MountFlags::NODEV
                    | MountFlags::NOEXEC
                    | MountFlags::NOATIME
                    | MountFlags::NODIRATIME
                    | MountFlags::NOSYMFOLLOW,
                vec![]
            )
        );
        assert_eq!(
            new_mount("sync,dirsync,lazytime").1,
            ["sync", "dirsync", "lazytime"]
        );
    }

    #[test]
    fn the_last_atime_option_wins() {
        assert_eq!(new_mount("noatime,relatime").0, MountFlags::RELATIME);
        assert_eq!(new_mount("relatime,strictatime").0, MountFlags::STRICTATIME);
        assert_eq!(new_mount("strictatime,noatime").0, MountFlags::NOATIME);
        assert_eq!(new_mount("noatime,atime").0, NONE);
    }

    #[test]
    fn user_is_safe_until_told_otherwise() {
        assert_eq!(new_mount("user=joe"), (USER, vec![]));
        assert_eq!(new_mount("user,exec").0, OWNER);
        assert_eq!(new_mount("exec,user").0, USER);
        assert_eq!(new_mount("group,suid").0, MountFlags::NODEV);
    }

    #[test]
    fn comments_stay_here() {
        let text =
            "noauto,nofail,_netdev,x-systemd.automount,X-mount.mkdir=0755,comment=a b,silent";
        assert_eq!(new_mount(text), (NONE, vec![]));
    }

    #[test]
    fn the_rest_goes_to_the_file_system_in_order() {
        let options = Options::parse("default_permissions,rw,dax=never,a=b=c,e=").unwrap();
        let option = |key: &str, value: Option<&str>| FsOption {
            key: key.into(),
            value: value.map(str::to_owned),
        };
        assert_eq!(
            options.file_system,
            [
                option("default_permissions", None),
                option("rw", None),
                option("dax", Some("never")),
                option("a", Some("b=c")),
                option("e", Some("")),
            ]
        );
    }

    #[test]
    fn quotes_protect_commas() {
        let options = Options::parse("context=\"u:r:t:s0,c1\",ro").unwrap();
        assert_eq!(options.file_system[0].value.as_deref(), Some("u:r:t:s0,c1"));
        assert_eq!(options.file_system[1].key, "ro");
        assert!(Options::parse("a=\"b,c").is_err());
    }

    #[test]
    fn operations_and_nameless_options_are_refused() {
        for text in ["bind", "rw,move", "shared", "rslave", "=x"] {
            assert_eq!(Options::parse(text).expect_err(text).exit_code(), 1);
        }
    }

    #[test]
    fn a_remount_keeps_what_is_not_named() {
        let options = Options::parse("remount,ro,exec").unwrap();
        assert!(options.remount && !options.bind);
        let before = flags_of_mount("rw,nosuid,noexec,noatime");
        assert_eq!(
            options.per_mount.applied_to(before),
            MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOATIME
        );
        assert!(Options::parse("bind,remount,rw").unwrap().bind);
    }

    #[test]
    fn mountinfo_hides_strictatime() {
        assert_eq!(flags_of_mount("rw"), MountFlags::STRICTATIME);
        assert_eq!(flags_of_mount("rw,relatime"), MountFlags::RELATIME);
    }

    #[test]
    fn fsmount_takes_the_same_meaning() {
        assert_eq!(
            attributes(MountFlags::RELATIME | MountFlags::RDONLY),
            MountAttrFlags::MOUNT_ATTR_RDONLY
        );
        assert_eq!(
            attributes(MountFlags::STRICTATIME | USER),
            MountAttrFlags::MOUNT_ATTR_STRICTATIME
                | MountAttrFlags::MOUNT_ATTR_NOSUID
                | MountAttrFlags::MOUNT_ATTR_NODEV
                | MountAttrFlags::MOUNT_ATTR_NOEXEC
        );
    }
}
