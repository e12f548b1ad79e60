// SPDX-License-Identifier: GPL-2.0

//! `mount -t rfuse.DAEMON SOURCE DIRECTORY` and `mount -t rfuse DAEMON#SOURCE DIRECTORY`: what
//! mount.fuse3(8) does for type fuse.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::User;
use rustix::process::{getgid, getuid};

use crate::arguments::Arguments;
use crate::error::Error;
use crate::interrupt;
use crate::module::FILE_SYSTEM;
use crate::options::{self, Options, DROP_PRIVILEGES, FILE_SYSTEM_NAME, SET_USER, SUBTYPE};
use crate::report::Report;
use crate::session::{Plan, Session};

/// The character device.
pub const DEVICE: &str = "/dev/rfuse";

/// mount(8) hands no PATH to its helpers.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Which daemon a mount is for.
#[derive(Debug, PartialEq)]
pub struct Daemon {
    name: OsString,
    source: Option<OsString>,
}

/// The daemon that a mount asks for: none for a virtio-fs device, for a remount, and where somebody
/// serves the descriptor already.
///
/// # Errors
///
/// [`Error::Usage`] where the name is missing.
pub fn of(arguments: &Arguments, options: &Options) -> Result<Option<Daemon>, Error> {
    if options.remount || options.is_served() {
        return Ok(None);
    }
    if let Some(name) = &arguments.subtype {
        return Ok(Some(Daemon {
            name: name.into(),
            source: Some(arguments.source.clone()),
        }));
    }
    let source = arguments.source.as_bytes();
    let Some(end) = source.iter().position(|byte| *byte == b'#') else {
        return Ok(None);
    };
    let (name, source) = source.split_at(end);
    if name.is_empty() {
        return Err(Error::Usage("no daemon is named before '#'".to_owned()));
    }
    let source = source.get(1..).filter(|source| !source.is_empty());
    Ok(Some(Daemon {
        name: OsStr::from_bytes(name).to_owned(),
        source: source.map(|source| OsStr::from_bytes(source).to_owned()),
    }))
}

impl Daemon {
    /// Mounts and starts the daemon; returns when it has gone to the background, or ended.
    ///
    /// # Errors
    ///
    /// Those of [`Session`], and [`Error::DaemonEnded`].
    pub fn mount(
        &self,
        root: &Path,
        arguments: &Arguments,
        options: &Options,
        report: Report,
    ) -> Result<(), Error> {
        let user = options.value(SET_USER).map(user).transpose()?;
        let plan = self.plan(arguments, options, user.as_ref());
        if arguments.fake {
            report.step(format_args!("would mount {plan:?}"));
            return Ok(());
        }
        let session = Session::mount(root, &plan, report)?;
        let command = self.command(&session.point(), arguments, options, user.as_ref())?;
        report.step(format_args!("running {command:?}"));
        // The terminal tells the daemon too; who unmounts when it ends must live on.
        let _held = interrupt::hold();
        let status = session
            .start(command)?
            .wait()
            .map_err(Error::system("wait for the daemon"))?;
        match status.success() {
            true => Ok(()),
            false => Err(Error::DaemonEnded {
                program: self.name.clone(),
                status,
            }),
        }
    }

    fn plan(&self, arguments: &Arguments, options: &Options, user: Option<&User>) -> Plan {
        let own = (getuid().as_raw(), getgid().as_raw());
        let name = Path::new(&self.name).file_name().unwrap_or(&self.name);
        let subtype = name.to_string_lossy();
        let source = self.source.as_ref().unwrap_or(&self.name);
        Plan {
            device: PathBuf::from(DEVICE),
            fs_type: FILE_SYSTEM.to_owned(),
            subtype: Some(options.value(SUBTYPE).unwrap_or(&subtype).to_owned()),
            source: options
                .value(FILE_SYSTEM_NAME)
                .map_or_else(|| source.clone(), OsString::from),
            target: arguments.target.clone(),
            options: options.of_kernel(),
            owner: user.map_or(own, |user| (user.uid.as_raw(), user.gid.as_raw())),
            sloppy: arguments.sloppy,
        }
    }

    /// The daemon's command line. It sees all options, those that the kernel has got too: some daemons
    /// behave by them, and none mounts by them.
    fn command(
        &self,
        point: &OsStr,
        arguments: &Arguments,
        options: &Options,
        user: Option<&User>,
    ) -> Result<Command, Error> {
        let mut words = privileges(user, options.has(DROP_PRIVILEGES));
        words.push(self.name.clone());
        words.extend(self.source.clone());
        words.push(point.to_owned());
        let text = options::for_daemon(&arguments.options)?;
        if !text.is_empty() {
            words.extend(["-o".into(), text.into()]);
        }
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        for (variable, value) in [("PATH", PATH), ("HOME", "/root")] {
            if env::var_os(variable).is_none() {
                command.env(variable, value);
            }
        }
        Ok(command)
    }
}

fn user(name: &str) -> Result<User, Error> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        _ => Err(Error::User(name.to_owned())),
    }
}

/// setpriv(1) gives up what the options say.
fn privileges(user: Option<&User>, drop: bool) -> Vec<OsString> {
    let mut words = Vec::new();
    if user.is_some() || drop {
        words.push("setpriv".to_owned());
    }
    if let Some(user) = user {
        let (uid, gid) = (user.uid, user.gid);
        words.extend([format!("--reuid={uid}"), format!("--regid={gid}")]);
        words.push("--init-groups".to_owned());
    }
    if drop {
        let switches = [
            "--no-new-privs",
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--securebits=+noroot,+noroot_locked",
        ];
        words.extend(switches.map(str::to_owned));
    }
    words.into_iter().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(source: &str, subtype: Option<&str>, options: &str) -> Arguments {
        Arguments {
            source: source.into(),
            target: "/mnt".into(),
            options: options.to_owned(),
            subtype: subtype.map(str::to_owned),
            ..Arguments::default()
        }
    }

    fn found(arguments: &Arguments) -> Option<(String, Option<String>)> {
        let options = Options::parse(&arguments.options).unwrap();
        let text = |name: &OsString| name.to_string_lossy().into_owned();
        of(arguments, &options)
            .unwrap()
            .map(|daemon| (text(&daemon.name), daemon.source.as_ref().map(text)))
    }

    fn command(arguments: &Arguments) -> Vec<String> {
        let options = Options::parse(&arguments.options).unwrap();
        let daemon = of(arguments, &options).unwrap().unwrap();
        let command = daemon
            .command(OsStr::new("/dev/fd/3"), arguments, &options, None)
            .unwrap();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn daemons_are_named_by_type_or_source() {
        let named =
            |name: &str, source: Option<&str>| Some((name.to_owned(), source.map(str::to_owned)));
        for (source, subtype, wanted) in [
            ("host:dir", Some("sshfs"), named("sshfs", Some("host:dir"))),
            ("sshfs#host:a#b", None, named("sshfs", Some("host:a#b"))),
            ("hello#", None, named("hello", None)),
            ("tag", None, None),
        ] {
            assert_eq!(found(&arguments(source, subtype, "")), wanted, "{source}");
        }
        let nameless = arguments("#x", None, "");
        assert!(of(&nameless, &Options::parse("").unwrap()).is_err());
    }

    #[test]
    fn a_remount_and_a_served_descriptor_need_no_daemon() {
        for options in ["remount,ro", "fd=5,rootmode=40000"] {
            assert_eq!(found(&arguments("a#b", Some("c"), options)), None);
        }
    }

    #[test]
    fn the_daemon_gets_all_options_but_comments() {
        let text = "rw,nofail,allow_other,x-systemd.automount,idmap=user,_netdev";
        assert_eq!(
            command(&arguments("host:", Some("sshfs"), text)),
            [
                "sshfs",
                "host:",
                "/dev/fd/3",
                "-o",
                "rw,allow_other,idmap=user"
            ]
        );
        assert_eq!(
            command(&arguments("hello#", None, "")),
            ["hello", "/dev/fd/3"]
        );
    }

    #[test]
    fn the_kernel_gets_what_is_its_own() {
        let text = "ro,nodev,allow_other,max_read=4096,idmap=user,fsname=x,subtype=y";
        let arguments = arguments("host:", Some("sshfs"), text);
        let options = Options::parse(text).unwrap();
        let daemon = of(&arguments, &options).unwrap().unwrap();
        let plan = daemon.plan(&arguments, &options, None);
        let words: Vec<_> = plan
            .options
            .file_system
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(words, ["ro", "allow_other", "max_read=4096"]);
        assert_eq!(plan.options.per_mount, options.per_mount);
        assert_eq!((plan.source, plan.subtype), ("x".into(), Some("y".into())));
    }

    #[test]
    fn privileges_are_given_up_by_setpriv() {
        let dropping = arguments("a#b", None, "drop_privileges");
        let words = command(&dropping);
        assert_eq!(words[0], "setpriv");
        assert_eq!(words[words.len() - 3..], ["a", "b", "/dev/fd/3"]);
        let root = user("root").unwrap();
        let words = privileges(Some(&root), false);
        assert_eq!(
            words,
            ["setpriv", "--reuid=0", "--regid=0", "--init-groups"]
        );
        assert!(user("no such user").is_err());
    }
}
