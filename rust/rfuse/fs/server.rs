// SPDX-License-Identifier: GPL-2.0

//! Who answers the requests of a mount.

use super::{mount::Mount, notify::Notified, params::Options, root::Root, Fs};
use crate::{
    conn::{
        session::{InitError, Settle},
        Connection,
    },
    transport::{
        chardev::{Channel, Client},
        virtio::VirtioFs,
    },
};
use kernel::{prelude::*, sync::Arc};
use rfuse_kapi::{
    fs_context::FsContext,
    misc_device::OpenFile,
    namespaces::Namespaces,
    super_block::{ActiveSuper, NewSuper},
    virtio::Device,
};

/// Who answers.
#[derive(Clone)]
pub(crate) enum Server {
    /// The server of a virtio-fs device.
    Device(Arc<Device<VirtioFs>>),
    /// Processes that have `/dev/rfuse` open.
    Processes(Arc<Channel>),
}

impl Server {
    /// The device that the context names by its tag.
    ///
    /// # Errors
    ///
    /// `EPERM` for mounters of other user namespaces, `EINVAL` without a tag, `ENODEV` if there is none with it; the
    /// context's log says so.
    pub(crate) fn by_tag(fc: &FsContext<'_, Fs>, mounter: &Namespaces) -> Result<Self> {
        if fc.is_on_device() {
            fc.errorf(fmt!(
                "fd= is needed: a process serves what lies on a block device"
            ));
            return Err(EINVAL);
        }
        if !mounter.is_initial() {
            fc.errorf(fmt!("a device can be mounted by the system's root alone"));
            return Err(EPERM);
        }
        let Some(tag) = fc.source() else {
            fc.errorf(fmt!("neither a tag nor fd= given: mount -t rfuse TAG DIR"));
            return Err(EINVAL);
        };
        let Some(device) = fc.shared().find(tag.to_bytes()) else {
            fc.errorf(fmt!(
                "no virtio-fs device with tag \"{tag}\" is bound to rfuse"
            ));
            return Err(ENODEV);
        };
        Ok(Self::Device(device))
    }

    /// The processes that have the descriptor `fd` of the device: those of another mount if it is in use.
    ///
    /// # Errors
    ///
    /// `EBADF`, `EINVAL` for a descriptor of something else, and for a mount of a device by one that is in use,
    /// `EPERM` if it was opened in another user namespace; the context's log says so.
    pub(crate) fn by_fd(fc: &FsContext<'_, Fs>, fd: u32) -> Result<(Self, OpenFile<Client>)> {
        let file = OpenFile::<Client>::from_fd(fd).inspect_err(|_| {
            fc.errorf(fmt!("fd={fd} is not an open file of /dev/rfuse"));
        })?;
        if !fc.is_of_user_ns(&file) {
            fc.errorf(fmt!("fd={fd} was opened in another user namespace"));
            return Err(EPERM);
        }
        let channel = match file.data().channel() {
            Ok(_) if fc.is_on_device() => {
                fc.errorf(fmt!(
                    "fd={fd} is another mount's, and a device has one of its own"
                ));
                return Err(EINVAL);
            }
            Ok(channel) => channel.clone(),
            Err(_) => Channel::new()?,
        };
        Ok((Self::Processes(channel), file))
    }

    /// Whether both are the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Device(device), Self::Device(other)) => Arc::ptr_eq(device, other),
            (Self::Processes(channel), Self::Processes(other)) => Arc::ptr_eq(channel, other),
            _ => false,
        }
    }

    /// Joins a connection to it: that of another mount if there is one, else a new one, and whether it is. Waits for
    /// an unmount that is under way. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EINTR`.
    pub(crate) fn connection(
        &self,
        fc: &FsContext<'_, Fs>,
        mounter: Namespaces,
    ) -> Result<(Arc<Connection>, bool)> {
        let engine = fc.shared().engine().clone();
        match self {
            Self::Device(device) => {
                let new = Connection::new(engine, device.clone(), mounter)?;
                let conn = device.driver().attach(&new).inspect_err(|_| {
                    fc.errorf(fmt!("the device is still in use"));
                })?;
                let is_new = Arc::ptr_eq(&conn, &new);
                Ok((conn, is_new))
            }
            Self::Processes(channel) => {
                let other = channel.connection();
                if let Some(conn) = other.filter(|conn| conn.join_others()) {
                    return Ok((conn, false));
                }
                let new = Connection::new(engine, channel.clone(), mounter)?;
                new.join();
                Ok((new, true))
            }
        }
    }
}

impl Mount {
    /// Gets the server going, and asks it for its root; `None` if it may not answer before it is mounted. `file` is
    /// what it is mounted by, and the connection one that `is_new`. May sleep.
    ///
    /// # Errors
    ///
    /// Why the server cannot be used; the context's log says so. So it is below.
    pub(crate) fn reach(
        &self,
        fc: &FsContext<'_, Fs>,
        file: Option<&OpenFile<Client>>,
        is_new: bool,
    ) -> Result<Option<Root>> {
        match (&self.server, file) {
            (Server::Device(_), _) if !is_new => self.conn.wait_init(true)?,
            (Server::Device(device), _) => {
                self.restart(fc, device)?;
                self.say_init(fc)?;
            }
            (Server::Processes(_), Some(file)) if is_new && file.data().waits_for_init() => {
                self.start_processes(fc, file)?;
                self.say_init(fc)?;
                return self.given_root(fc).map(Some);
            }
            (Server::Processes(_), _) => return Ok(None),
        }
        Root::ask(&self.conn, fc).map(Some)
    }

    fn restart(&self, fc: &FsContext<'_, Fs>, device: &Device<VirtioFs>) -> Result {
        device.restart().inspect_err(|error| {
            let tag = fc.source().unwrap_or(c"");
            fc.errorf(fmt!("device \"{tag}\" does not start: {error:?}"));
            self.conn.refuse();
        })
    }

    /// Has the processes that have `file` open serve the mount.
    pub(crate) fn start_processes(
        &self,
        fc: &FsContext<'_, Fs>,
        file: &OpenFile<Client>,
    ) -> Result {
        let Server::Processes(channel) = &self.server else {
            return Err(EINVAL);
        };
        file.data().attach(channel).inspect_err(|_| {
            fc.errorf(fmt!("the file of fd= was used for a mount that is gone"));
        })?;
        channel.start(&self.conn);
        Ok(())
    }

    /// Has what the processes tell unasked find the superblock.
    pub(crate) fn introduce(&self, sb: &NewSuper<'_, Fs>) -> Result {
        if let Server::Processes(channel) = &self.server {
            channel.mounted(sb.dev(), Notified::of(sb)?);
        }
        Ok(())
    }

    fn say_init(&self, fc: &FsContext<'_, Fs>) -> Result {
        let source = fc.source().unwrap_or(c"");
        match self.conn.init() {
            Ok(()) => Ok(()),
            Err(InitError::Call(error)) => {
                fc.errorf(fmt!(
                    "the server of \"{source}\" does not answer INIT: {error:?}"
                ));
                Err(error)
            }
            Err(InitError::Fault(fault)) => {
                fc.errorf(format_args!("the server cannot be used: {fault}"));
                Err(EPROTO)
            }
        }
    }

    /// The root as the mount options have it: whoever serves it may not answer before it is mounted.
    pub(crate) fn given_root(&self, fc: &FsContext<'_, Fs>) -> Result<Root> {
        let mode = self.options.root_mode.unwrap_or(0);
        Root::given(&self.conn, mode).inspect_err(|_| {
            fc.errorf(fmt!("rootmode={mode:o} names no type of a file"));
        })
    }
}

/// What a mount has left to do when INIT is answered.
pub(crate) struct Settling {
    mount: Arc<Mount>,
    sb: ActiveSuper<Fs>,
}

impl Settling {
    /// For a superblock that is being made. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn of(mount: &Arc<Mount>, sb: &NewSuper<'_, Fs>) -> Result<KBox<dyn Settle>> {
        let settling = Self {
            mount: mount.clone(),
            sb: sb.activate(),
        };
        Ok(KBox::new(settling, GFP_KERNEL)?)
    }
}

impl Settle for Settling {
    fn settle(self: KBox<Self>, _conn: &Connection) -> Result {
        self.sb.locked(|sb| self.mount.settle(sb))
    }
}

/// Refuses a mount by descriptor that lacks what such a mount must say.
pub(crate) fn check_options(
    fc: &FsContext<'_, Fs>,
    mounter: &Namespaces,
    options: &Options,
) -> Result {
    match (options.user_id, options.group_id, options.root_mode) {
        _ if options.writes_in_place && !mounter.is_initial() => {
            fc.errorf(fmt!(
                "writeback=inplace lets the server hold up others: it is the system's root's"
            ));
            Err(EPERM)
        }
        (Some(uid), Some(gid), Some(_)) if mounter.have_ids(uid, gid) => Ok(()),
        (Some(uid), Some(gid), Some(_)) => {
            fc.errorf(fmt!("there is no user_id={uid} or no group_id={gid} here"));
            Err(EINVAL)
        }
        _ => {
            fc.errorf(fmt!(
                "fd= needs rootmode=, user_id= and group_id= beside it"
            ));
            Err(EINVAL)
        }
    }
}
