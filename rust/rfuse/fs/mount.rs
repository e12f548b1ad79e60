// SPDX-License-Identifier: GPL-2.0

//! The file system type and its superblocks.

use super::{
    attr, export,
    inode::{self, Fresh, Node, ROOT_ID},
    params::{self, Options},
    submount::MountPoint,
};
use crate::{
    conn::{session::InitError, Connection},
    transport::virtio::{Devices, VirtioFs},
    LocalModule,
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    seq_file::SeqFile,
    sync::{
        aref::ARef,
        atomic::{Atomic, Relaxed},
        Arc,
    },
};
use rfuse_kapi::{
    dentry::{Dentry, LentDentry},
    fs::{FileSystem, FsFlags},
    fs_context::{FsContext, Parameter, ParameterSpec},
    inode::{Inode, LentInode},
    seq_file::SeqFileExt,
    stat::StatFs,
    super_block::{FilledSuper, NewSuper, SuperBlock},
    virtio::Device,
    walk::{LookupFlags, Walk},
    xattr::XattrChange,
};
use rfuse_proto::{flags::InitFlags, op};

/// `FUSE_SUPER_MAGIC`: programs know the protocol by it.
const MAGIC: usize = 0x6573_5546;

/// The file system type `rfuse`.
pub(crate) struct Fs;

/// A mounted file system.
pub(crate) struct Mount {
    /// The connection to its server.
    pub(crate) conn: Arc<Connection>,
    /// What it was mounted with.
    pub(crate) options: Options,
    device: Arc<Device<VirtioFs>>,
    /// The node of the root: another one if it is mounted below a mount of the same server.
    root: u64,
    /// Whether it counts as a superblock of the connection.
    counted: Atomic<bool>,
}

/// What is to be mounted.
#[derive(Default)]
pub(crate) struct Context {
    options: Options,
    /// Where below another mount, if so.
    point: Option<MountPoint>,
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
    const FLAGS: FsFlags = FsFlags::ALLOW_IDMAP;
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
            let (conn, device) = (point.mount.conn.clone(), point.mount.device.clone());
            return Mount::new(conn, options, device, point.nodeid);
        }
        let Some(tag) = fc.source() else {
            fc.errorf(fmt!("no tag given: mount -t rfuse TAG DIR"));
            return Err(EINVAL);
        };
        let Some(device) = fc.shared().find(tag.to_bytes()) else {
            fc.errorf(fmt!(
                "no virtio-fs device with tag \"{tag}\" is bound to rfuse"
            ));
            return Err(ENODEV);
        };
        let conn = Connection::new(device.driver().engine().clone(), device.clone())?;
        Mount::new(conn, options, device, ROOT_ID)
    }

    fn same_super(existing: &Mount, candidate: &Mount) -> bool {
        existing.root == ROOT_ID
            && candidate.root == ROOT_ID
            && Arc::ptr_eq(&existing.device, &candidate.device)
    }

    fn fill_super<'a>(
        mut sb: NewSuper<'a, Self>,
        fc: &FsContext<'_, Self>,
        context: &mut Context,
    ) -> Result<FilledSuper<'a, Self>> {
        let mount = sb.data_arc();
        match context.point {
            None => mount.connect(fc)?,
            Some(_) => mount.count(),
        }
        let conn = &mount.conn;
        let negotiated = conn.negotiated().ok_or(EIO)?;
        sb.set_magic(MAGIC);
        sb.set_time_gran(negotiated.time_gran);
        mount.check_idmap(fc)?;
        if negotiated.flags.contains(InitFlags::ALLOW_IDMAP) {
            sb.allow_idmap();
        }
        sb.set_export_op(export::operations(conn));
        let masks = InitFlags::POSIX_ACL | InitFlags::DONT_MASK;
        if negotiated.flags.bits() & masks.bits() != 0 {
            // Leaves the umask to the file system, too.
            sb.set_posixacl();
        }
        sb.setup_bdi(
            negotiated.max_readahead as usize / PAGE_SIZE,
            conn.max_pages(),
        )?;
        sb.set_strictlimit();
        if mount.options.writes_in_place {
            // Else `sync` would wait for this server.
            sb.set_no_data_integrity();
        }
        let root = match &context.point {
            Some(point) => point.root(&sb)?,
            None => mount.root(&sb, fc)?,
        };
        sb.with_root(root)
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
        conn.wait_written()?;
        match conn.call_known(op::Syncfs {
            nodeid: sb.data().root,
        }) {
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
    }

    fn show_options(root: &Dentry<Self>, m: &SeqFile) -> Result {
        if !root.super_block().data().options.default_permissions {
            m.write(b",nodefault_permissions");
        }
        if root.super_block().data().options.writes_in_place {
            m.write(b",writeback=inplace");
        }
        Ok(())
    }

    fn shutdown_super(mount: &Arc<Mount>) {
        mount.conn.quiesce();
    }

    fn kill_super(mount: &Arc<Mount>) {
        if mount.counted.load(Relaxed) && mount.conn.remove_superblock() {
            mount.conn.close();
            mount.device.driver().detach();
        }
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
    fn new(
        conn: Arc<Connection>,
        options: Options,
        device: Arc<Device<VirtioFs>>,
        root: u64,
    ) -> Result<Arc<Self>> {
        let mount = Self {
            conn,
            options,
            device,
            root,
            counted: Atomic::new(false),
        };
        Ok(Arc::new(mount, GFP_KERNEL)?)
    }

    /// The superblock uses the connection from now on.
    fn count(&self) {
        self.conn.add_superblock();
        self.counted.store(true, Relaxed);
    }

    /// The root that INIT has made known. May sleep.
    fn root(&self, sb: &SuperBlock<Fs>, fc: &FsContext<'_, Fs>) -> Result<ARef<Inode<Fs>>> {
        let asked_at = self.conn.attr_version();
        let (attributes, valid) = self.conn.call(op::Getattr {
            nodeid: ROOT_ID,
            fh: None,
        })?;
        if attributes.file_type() != attr::S_IFDIR {
            fc.errorf(fmt!("what the server shares is not a directory"));
            return Err(ENOTDIR);
        }
        let fresh = Fresh {
            attributes: &attributes,
            valid,
            asked_at,
        };
        inode::inside(sb, ROOT_ID, 0, &fresh)
    }

    /// Whether permissions are checked here, by the mode bits. A server that leaves access control lists
    /// to the client leaves all of it.
    pub(crate) fn checks_mode(&self) -> bool {
        self.options.default_permissions || self.conn.has(InitFlags::POSIX_ACL)
    }

    /// Where ids depend on the mount, the server does not get to know them, and cannot check permissions.
    fn check_idmap(&self, fc: &FsContext<'_, Fs>) -> Result {
        let negotiated = self.conn.negotiated().ok_or(EIO)?;
        negotiated
            .check_idmap(self.options.default_permissions)
            .map_err(|fault| {
                fc.errorf(format_args!("the server cannot be used: {fault}"));
                EINVAL
            })
    }

    /// Gets the device going and says INIT.
    fn connect(&self, fc: &FsContext<'_, Fs>) -> Result {
        let tag = fc.source().unwrap_or(c"");
        self.device.driver().attach(&self.conn).inspect_err(|_| {
            fc.errorf(fmt!("device \"{tag}\" is still in use"));
        })?;
        // From here on the end of the superblock gives the device back.
        self.count();
        self.device.restart().inspect_err(|error| {
            fc.errorf(fmt!("device \"{tag}\" does not start: {error:?}"));
        })?;
        match self.conn.init() {
            Ok(()) => Ok(()),
            Err(InitError::Call(error)) => {
                fc.errorf(fmt!(
                    "the server of \"{tag}\" does not answer INIT: {error:?}"
                ));
                Err(error)
            }
            Err(InitError::Fault(fault)) => {
                fc.errorf(format_args!("the server cannot be used: {fault}"));
                Err(EPROTO)
            }
        }
    }
}
