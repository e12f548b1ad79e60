// SPDX-License-Identifier: GPL-2.0

//! The file system type and its superblocks.

use super::{
    export,
    inode::{Node, ROOT_ID},
    params::{self, Options},
    root::Root,
    server::{self, Server, Settling},
    submount::MountPoint,
};
use crate::{
    conn::Connection,
    transport::{chardev::Client, virtio::Devices},
    LocalModule,
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    seq_file::SeqFile,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc,
    },
};
use rfuse_kapi::{
    dentry::{Dentry, LentDentry},
    fs::{FileSystem, FsFlags},
    fs_context::{FsContext, Parameter, ParameterSpec},
    inline_atomic::InlineAtomic,
    inode::{Inode, LentInode},
    misc_device::OpenFile,
    namespaces::{Namespaces, Owner},
    stat::StatFs,
    super_block::{FilledSuper, LockedSuper, NewSuper, SuperBlock},
    walk::{LookupFlags, Walk},
    xattr::XattrChange,
};
use rfuse_proto::{flags::InitFlags, init::InitFault, op};

/// `FUSE_SUPER_MAGIC`: programs know the protocol by it.
const MAGIC: usize = 0x6573_5546;

/// The file system type `rfuse`.
pub(crate) struct Fs;

/// A mounted file system.
pub(crate) struct Mount {
    /// The connection to its server, which it has [joined](Connection::join).
    pub(crate) conn: Arc<Connection>,
    /// What it was mounted with.
    pub(crate) options: Options,
    /// Who answers.
    pub(crate) server: Server,
    /// The node of the root: another one if it is mounted below a mount of the same server.
    root: u64,
    /// INIT was answered, and all users may use it: there is nothing to look at.
    is_open: Atomic<bool>,
    /// Who may use it, if not all.
    owner: Option<Owner>,
}

/// What is to be mounted.
#[derive(Default)]
pub(crate) struct Context {
    options: Options,
    /// Where below another mount, if so.
    point: Option<MountPoint>,
    /// By which open file of the device, if so.
    file: Option<OpenFile<Client>>,
    /// Its root. Without one INIT is still to be said.
    root: Option<Root>,
}

impl Fs {
    /// Properties of the type by the names of file systems that lie on block devices.
    pub(crate) const BLOCK_FLAGS: FsFlags = FsFlags::ALLOW_IDMAP
        .with(FsFlags::HAS_SUBTYPE)
        .with(FsFlags::REQUIRES_DEV);
}

impl FileSystem for Fs {
    type OwnerModule = LocalModule;
    type Shared = Devices;
    type Context = Context;
    type Super = Mount;
    type Inode = Node;

    const NAME: &'static CStr = c"rfuse";
    const INODE_CACHE: &'static CStr = c"rfuse_inode";
    /// An inode that nobody uses goes at once: the server keeps a file open for each.
    const JUST_DROP: bool = true;
    const FLAGS: FsFlags = FsFlags::ALLOW_IDMAP
        .with(FsFlags::HAS_SUBTYPE)
        .with(FsFlags::USERNS_MOUNT);
    const PARAMETERS: &'static [ParameterSpec] = params::PARAMETERS;

    fn new_inode() -> impl PinInit<Node> {
        Node::new()
    }

    fn init_context(_fc: &FsContext<'_, Self>) -> Result<Context> {
        Ok(Context::default())
    }

    fn automount(point: &Dentry<Self>, context: &mut Context) -> Result {
        context.options = point.super_block().data().options.clone();
        context.point = Some(MountPoint::new(point)?);
        Ok(())
    }

    fn parse_param(
        fc: &FsContext<'_, Self>,
        context: &mut Context,
        parameter: Parameter<'_>,
    ) -> Result {
        params::parse(fc, &mut context.options, &parameter)
    }

    fn make_super(fc: &FsContext<'_, Self>, context: &mut Context) -> Result<Arc<Mount>> {
        let options = context.options.clone();
        if let Some(point) = &context.point {
            context.root = Some(point.root()?);
            point.mount.conn.join();
            let (conn, server) = (point.mount.conn.clone(), point.mount.server.clone());
            return Mount::new(conn, options, server, point.nodeid);
        }
        let mounter = Namespaces::of_mounter(fc);
        let server = match options.fd {
            None => Server::by_tag(fc, &mounter)?,
            Some(fd) => {
                server::check_options(fc, &mounter, &options)?;
                let (server, file) = Server::by_fd(fc, fd)?;
                context.file = Some(file);
                server
            }
        };
        let (conn, is_new) = server.connection(fc, mounter)?;
        if fc.is_on_device() {
            conn.trust_server();
        }
        let mount = Mount::new(conn, options, server, ROOT_ID)?;
        context.root = mount
            .reach(fc, context.file.as_ref(), is_new)
            .inspect_err(|_| mount.conn.leave())?;
        Ok(mount)
    }

    fn same_super(existing: &Mount, candidate: &Mount) -> bool {
        existing.root == ROOT_ID
            && candidate.root == ROOT_ID
            && existing.server.is(&candidate.server)
    }

    fn fill_super<'a>(
        mut sb: NewSuper<'a, Self>,
        fc: &FsContext<'_, Self>,
        context: &mut Context,
    ) -> Result<FilledSuper<'a, Self>> {
        let mount = sb.data_arc();
        sb.set_magic(MAGIC);
        if let Some(subtype) = &mount.options.subtype {
            sb.set_subtype(subtype)?;
        }
        if fc.is_on_device() {
            let size = mount.options.blksize();
            sb.set_blocksize(size).inspect_err(|_| {
                fc.errorf(fmt!("blksize={size} is no size of the device's blocks"));
            })?;
        }
        if let Some(max_read) = mount.options.max_read {
            mount.conn.limit_reads(max_read as usize);
        }
        if mount.options.writes_in_place {
            // Else `sync` would wait for this server.
            sb.set_no_data_integrity();
        }
        let (root, then) = match (context.root.take(), &context.file) {
            (Some(root), file) => {
                if file.is_some() {
                    mount.introduce(&sb)?;
                }
                mount.adopt(&mut sb, fc)?;
                (root, None)
            }
            (None, Some(file)) => {
                mount.start_processes(fc, file)?;
                mount.introduce(&sb)?;
                sb.setup_bdi(0, 0)?;
                (mount.given_root(fc)?, Some(Settling::of(&mount, &sb)?))
            }
            (None, None) => return Err(EINVAL),
        };
        let root = root.inode(&sb)?;
        sb.set_strictlimit();
        let number = sb.dev();
        let filled = sb.with_root(root)?;
        if mount.root == ROOT_ID {
            mount.conn.appear(number, mount.options.mounter())?;
        }
        if let Some(then) = then {
            mount.conn.init_later(then)?;
        }
        Ok(filled)
    }

    fn reconfigure(
        _fc: &FsContext<'_, Self>,
        _context: &mut Context,
        _sb: &SuperBlock<Self>,
    ) -> Result {
        Ok(())
    }

    fn getxattr(inode: &Inode<Self>, name: &CStr, buffer: Option<&mut [u8]>) -> Result<usize> {
        super::xattr::get(inode, name, buffer)
    }

    fn setxattr(inode: &Inode<Self>, name: &CStr, change: XattrChange<'_>) -> Result {
        super::xattr::set(inode, name.to_bytes(), change, 0)
    }

    fn write_inode(inode: &LentInode<Self>, waits: bool) -> Result {
        super::times::write(inode, waits)
    }

    fn sync_fs(sb: &SuperBlock<Self>) -> Result {
        let conn = &sb.data().conn;
        if !conn.trusts_server() {
            // Anybody may serve it: `sync(2)` by others does not wait for that.
            return Ok(());
        }
        conn.wait_written()?;
        let nodeid = sb.data().root;
        if sb.is_rootless() && nodeid != ROOT_ID {
            // The root of a submount is given back already.
            return Ok(());
        }
        match conn.call_known(op::Syncfs { nodeid }) {
            Err(ENOSYS) => Ok(()),
            other => other,
        }
    }

    fn evict_inode(inode: &LentInode<Self>) {
        let lookups = inode.data().take_lookups();
        let conn = &inode.super_data().conn;
        if lookups > 0 && !conn.is_aborted() {
            conn.forget(inode.data().nodeid(), lookups);
        }
    }

    fn statfs(root: &Dentry<Self>) -> Result<StatFs> {
        let nodeid = root.inode().ok_or(ESTALE)?.data().nodeid();
        match root.super_block().data().admit() {
            Err(EACCES) => return Ok(StatFs::default()),
            other => other?,
        }
        let it = root.super_block().data().conn.call(op::Statfs { nodeid })?;
        Ok(StatFs {
            blocks: it.blocks,
            bfree: it.bfree,
            bavail: it.bavail,
            files: it.files,
            ffree: it.ffree,
            bsize: it.bsize,
            frsize: it.frsize,
            namelen: it.namelen,
        })
    }

    fn umount_begin(sb: &SuperBlock<Self>) {
        // What is mounted below another mount shares its connection, which is not cut off for it.
        if sb.data().root == ROOT_ID {
            sb.data().conn.abort();
        }
        // The next mount has another server.
        sb.retire();
    }

    fn show_options(root: &Dentry<Self>, m: &SeqFile) -> Result {
        let sb = root.super_block();
        sb.data().options.show(m, sb.has_device());
        Ok(())
    }

    fn shutdown_super(mount: &Arc<Mount>) {
        mount.conn.quiesce();
        // Not before: it may be what ends the wait.
        if mount.root == ROOT_ID {
            mount.conn.disappear();
            if mount.conn.is_to_process() && mount.conn.trusts_server() {
                // While it has its block device still: nobody else is to open that before the server is done with it.
                mount.conn.say_farewell();
            }
        }
    }

    fn kill_super(mount: &Arc<Mount>) {
        mount.conn.leave();
    }

    fn d_revalidate(
        dir: &LentInode<Self>,
        name: &[u8],
        dentry: &LentDentry<Self>,
        walk: Walk<'_>,
        flags: LookupFlags,
    ) -> Result<bool> {
        super::dir::revalidate(dir, name, dentry, walk, flags)
    }
}

impl Mount {
    /// With a connection that it has joined.
    fn new(
        conn: Arc<Connection>,
        options: Options,
        server: Server,
        root: u64,
    ) -> Result<Arc<Self>> {
        let joined = conn.clone();
        let owner = options.owner();
        let mount = Self {
            owner: owner.map(|owner| conn.ids().owner(owner.uid, owner.gid)),
            conn,
            options,
            server,
            root,
            is_open: Atomic::new(false),
        };
        Arc::new(mount, GFP_KERNEL).map_err(|_| {
            joined.leave();
            ENOMEM
        })
    }

    /// Whether the current task may have anything to do with the mount: a server could trace it, or keep it
    /// waiting. May sleep, until there is a server at all.
    ///
    /// # Errors
    ///
    /// `EACCES`; `EINTR` when killed.
    #[inline]
    pub(crate) fn admit(&self) -> Result {
        self.enter(true)
    }

    /// As [`Self::admit`], but sleeps only if it may.
    ///
    /// # Errors
    ///
    /// As there; `ECHILD` instead of sleeping.
    #[inline]
    pub(crate) fn enter(&self, may_sleep: bool) -> Result {
        match self.is_open.read_once() {
            true => Ok(()),
            false => self.enter_closed(may_sleep),
        }
    }

    fn enter_closed(&self, may_sleep: bool) -> Result {
        if !self.conn.is_connected() {
            self.conn.wait_init(may_sleep)?;
            if self.conn.negotiated().is_none() {
                // It ended before anybody knew what the server can do.
                return Err(ENOTCONN);
            }
        }
        let ids = self.conn.ids();
        let may = match &self.owner {
            Some(owner) => owner.is_all_of_current(),
            None => ids.have_current(),
        };
        match may {
            true => Ok(()),
            false => Err(EACCES),
        }
    }

    /// Whether permissions are checked here, by the mode bits. A server that leaves access control lists
    /// to the client leaves all of it.
    pub(crate) fn checks_mode(&self) -> bool {
        self.options.checks_permissions() || self.conn.has(InitFlags::POSIX_ACL)
    }

    /// Makes the superblock what INIT has settled, with room for requests of its size.
    pub(crate) fn adopt(&self, sb: &mut NewSuper<'_, Fs>, fc: &FsContext<'_, Fs>) -> Result {
        sb.setup_bdi(0, 0)?;
        self.settle(sb).inspect_err(|error| {
            if *error == EINVAL {
                let fault = InitFault::Idmap;
                fc.errorf(format_args!("the server cannot be used: {fault}"));
            }
        })
    }

    /// Makes the superblock what INIT has settled.
    ///
    /// # Errors
    ///
    /// `EINVAL` for ids that depend on the mount where permissions are not checked here: the server does not get
    /// to know them, and cannot check either.
    pub(crate) fn settle(&self, sb: &mut LockedSuper<'_, Fs>) -> Result {
        let negotiated = self.conn.negotiated().ok_or(EIO)?;
        let is_checked = self.options.checks_permissions();
        negotiated.check_idmap(is_checked).map_err(|_| EINVAL)?;
        if self.root == ROOT_ID {
            self.conn.limit_requests(negotiated.request_timeout)?;
        }
        sb.set_time_gran(negotiated.time_gran);
        sb.set_stack_depth(negotiated.max_stack_depth);
        if negotiated.flags.contains(InitFlags::ALLOW_IDMAP) {
            sb.allow_idmap();
        }
        sb.set_export_op(export::operations(&self.conn));
        let masks = InitFlags::POSIX_ACL | InitFlags::DONT_MASK;
        if negotiated.flags.bits() & masks.bits() != 0 {
            // Leaves the umask to the file system, too.
            sb.set_posixacl();
        }
        let is_open = self.options.owner().is_none() && self.conn.ids().is_initial();
        self.is_open.store(is_open, Relaxed);
        let readahead = negotiated.max_readahead as usize / PAGE_SIZE;
        sb.set_readahead(readahead, self.conn.read_pages());
        Ok(())
    }
}
