// SPDX-License-Identifier: GPL-2.0

//! Who answers the requests of a mount.

use super::{
    inode::{self, Fresh, ROOT_ID},
    mount::Mount,
    notify::Notified,
    params::Options,
    Fs,
};
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
use kernel::{
    prelude::*,
    sync::{aref::ARef, Arc},
};
use rfuse_kapi::{
    fs_context::FsContext,
    inode::Inode,
    misc_device::OpenFile,
    namespaces::Namespaces,
    super_block::{ActiveSuper, NewSuper, SuperBlock},
    virtio::Device,
};
use rfuse_proto::{
    attr::{Attributes, Timeout},
    wire::Attr,
};

/// What a mount has left to do when INIT is answered.
type Later = Option<KBox<dyn Settle>>;

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
    /// `EBADF`, `EINVAL` for a descriptor of something else, `EPERM` if it was opened in another user namespace;
    /// the context's log says so.
    pub(crate) fn by_fd(fc: &FsContext<'_, Fs>, fd: u32) -> Result<(Self, OpenFile<Client>)> {
        let file = OpenFile::<Client>::from_fd(fd).inspect_err(|_| {
            fc.errorf(fmt!("fd={fd} is not an open file of /dev/rfuse"));
        })?;
        if !fc.is_of_user_ns(&file) {
            fc.errorf(fmt!("fd={fd} was opened in another user namespace"));
            return Err(EPERM);
        }
        let channel = match file.data().channel() {
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

    /// A connection to it; that of another mount if there is one.
    pub(crate) fn connection(
        &self,
        fc: &FsContext<'_, Fs>,
        mounter: Namespaces,
    ) -> Result<Arc<Connection>> {
        let engine = fc.shared().engine().clone();
        match self {
            Self::Device(device) => Connection::new(engine, device.clone(), mounter),
            Self::Processes(channel) => match channel.connection() {
                Some(connection) => Ok(connection),
                None => Connection::new(engine, channel.clone(), mounter),
            },
        }
    }
}

impl Mount {
    /// Gets a device's server going, and says INIT.
    ///
    /// # Errors
    ///
    /// Why the server cannot be used; the context's log says so. So it is below.
    pub(crate) fn connect_device(
        &self,
        sb: &mut NewSuper<'_, Fs>,
        fc: &FsContext<'_, Fs>,
        device: &Device<VirtioFs>,
    ) -> Result {
        self.start_device(fc, device)?;
        self.say_init(fc)?;
        self.adopt(sb, fc)
    }

    /// Gets the channel of processes going: the root, and what is left to do when INIT is answered, which is to be
    /// said ([`Connection::init_later`]) as soon as nothing can fail any more. Nothing is left if the mount waits.
    pub(crate) fn connect_processes(
        self: &Arc<Self>,
        sb: &mut NewSuper<'_, Fs>,
        fc: &FsContext<'_, Fs>,
        channel: &Arc<Channel>,
        file: &OpenFile<Client>,
    ) -> Result<(ARef<Inode<Fs>>, Later)> {
        let listener = Notified::of(sb)?;
        self.start_processes(fc, channel, file.data(), listener, sb.dev())?;
        sb.setup_bdi(0, 0)?;
        let root = self.given_root(sb, fc)?;
        if !file.data().waits_for_init() {
            return Ok((root, Some(Settling::of(self, sb)?)));
        }
        self.say_init(fc)?;
        self.settle(sb)?;
        Ok((root, None))
    }

    fn start_device(&self, fc: &FsContext<'_, Fs>, device: &Device<VirtioFs>) -> Result {
        let tag = fc.source().unwrap_or(c"");
        device.driver().attach(&self.conn).inspect_err(|_| {
            fc.errorf(fmt!("device \"{tag}\" is still in use"));
        })?;
        // From here on the end of the superblock gives the device back.
        self.count();
        device.restart().inspect_err(|error| {
            fc.errorf(fmt!("device \"{tag}\" does not start: {error:?}"));
        })
    }

    fn start_processes(
        &self,
        fc: &FsContext<'_, Fs>,
        channel: &Arc<Channel>,
        client: &Arc<Client>,
        listener: Arc<Notified>,
        id: u32,
    ) -> Result {
        client.attach(channel).inspect_err(|_| {
            fc.errorf(fmt!("the file of fd= was used for a mount that is gone"));
        })?;
        channel.start(&self.conn, id, listener);
        self.count();
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
    fn given_root(&self, sb: &SuperBlock<Fs>, fc: &FsContext<'_, Fs>) -> Result<ARef<Inode<Fs>>> {
        let mode = self.options.root_mode.unwrap_or(0);
        let attributes = Attributes::from_attr(&Attr {
            ino: ROOT_ID,
            mode,
            nlink: 1,
            ..Attr::default()
        })
        .map_err(|_| {
            fc.errorf(fmt!("rootmode={mode:o} names no type of a file"));
            EINVAL
        })?;
        let fresh = Fresh {
            attributes: &attributes,
            valid: Timeout::ZERO,
            asked_at: self.conn.attr_version(),
        };
        inode::inside(sb, ROOT_ID, 0, &fresh)
    }
}

/// What a mount has left to do when INIT is answered.
struct Settling {
    mount: Arc<Mount>,
    sb: ActiveSuper<Fs>,
}

impl Settling {
    fn of(mount: &Arc<Mount>, sb: &NewSuper<'_, Fs>) -> Result<KBox<dyn Settle>> {
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
