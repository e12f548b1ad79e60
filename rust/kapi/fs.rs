// SPDX-License-Identifier: GPL-2.0

//! File system types.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::{
    bindings,
    dentry::{Dentry, LentDentry},
    file_system_type::FileSystemType,
    fs_context::{self, FsContext, Parameter, ParameterSpec},
    inode::{Inode, LentInode},
    inode_cache::InodeCache,
    seq_file::SeqFile,
    stat::StatFs,
    super_block::{self, FilledSuper, NewSuper, SuperBlock},
    super_slot::Slots,
    walk::{LookupFlags, Walk},
    xattr::XattrChange,
};
use kernel::{
    container_of,
    module::this_module,
    new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
    ModuleMetadata,
};
use pin_init::pin_init_scope;

/// Properties of a file system type, `FS_*`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FsFlags(u32);

impl FsFlags {
    /// No property.
    pub const NONE: Self = Self(0);
    /// Mounts may map ids (`FS_ALLOW_IDMAP`).
    pub const ALLOW_IDMAP: Self = Self(bindings::FS_ALLOW_IDMAP);
    /// A user namespace's root may mount it (`FS_USERNS_MOUNT`).
    pub const USERNS_MOUNT: Self = Self(bindings::FS_USERNS_MOUNT);
    /// Its file systems lie on block devices (`FS_REQUIRES_DEV`).
    pub const REQUIRES_DEV: Self = Self(bindings::FS_REQUIRES_DEV);
    /// The type's name may be followed by a dot and another name (`FS_HAS_SUBTYPE`).
    pub const HAS_SUBTYPE: Self = Self(bindings::FS_HAS_SUBTYPE);

    /// Both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A file system type: its mount, its superblocks and the data it attaches to VFS objects.
///
/// Objects a hook is lent ([`LentInode`], [`LentDentry`]) may have no reference of their own.
pub trait FileSystem: Sized + Send + Sync + 'static {
    /// The module that implements it; it stays loaded while anything is mounted.
    type OwnerModule: ModuleMetadata;

    /// What all mounts of the type share. Given to [`Registration::new`].
    type Shared: Send + Sync + 'static;

    /// What a mount collects from its parameters, `fc->fs_private`.
    type Context: Send + 'static;

    /// What a superblock owns, `sb->s_fs_info`.
    type Super: Send + Sync + 'static;

    /// What every inode embeds.
    ///
    /// Dropped after an RCU grace period in softirq context: dropping it must not sleep, and a lock
    /// that its drop takes must be taken with bottom halves or interrupts off elsewhere. The
    /// superblock may be gone by then.
    type Inode: Send + Sync;

    /// The name for `mount(2)`.
    const NAME: &'static CStr;

    /// The name of the slab cache of inodes.
    const INODE_CACHE: &'static CStr;

    /// Properties of the type.
    const FLAGS: FsFlags = FsFlags::NONE;

    /// The mount parameters; the last one is [`ParameterSpec::END`].
    const PARAMETERS: &'static [ParameterSpec];

    /// Whether an inode goes at its last reference (`inode_just_drop`), instead of staying in the
    /// cache until memory is short.
    const JUST_DROP: bool;

    /// Initialises the data of an inode nobody knows yet.
    fn new_inode() -> impl PinInit<Self::Inode>;

    /// Makes the context of a mount, submount or reconfiguration.
    fn init_context(fc: &FsContext<'_, Self>) -> Result<Self::Context>;

    /// Somebody walks over a name that is to be mounted on (`S_AUTOMOUNT`): makes `context` that of the file
    /// system to mount there. May sleep.
    ///
    /// # Errors
    ///
    /// The walk fails with them.
    fn automount(point: &Dentry<Self>, context: &mut Self::Context) -> Result;

    /// Takes a parameter that [`FileSystem::PARAMETERS`] lists. The VFS itself handles `source` and
    /// the generic flags (`ro`, `sync`, …).
    fn parse_param(
        fc: &FsContext<'_, Self>,
        context: &mut Self::Context,
        parameter: Parameter<'_>,
    ) -> Result;

    /// Makes the data of the superblock to mount, before it is known whether it exists already. What may take long
    /// is done here: nothing is locked yet, while [`FileSystem::fill_super`] has others wait, `sync(2)` among them.
    fn make_super(
        fc: &FsContext<'_, Self>,
        context: &mut Self::Context,
    ) -> Result<Arc<Self::Super>>;

    /// Whether the existing superblock is the one to mount. Must not sleep: called under `sb_lock`.
    fn same_super(existing: &Self::Super, candidate: &Self::Super) -> bool;

    /// Fills a superblock that did not exist. Its data is the candidate.
    ///
    /// On errors the superblock is killed.
    fn fill_super<'a>(
        sb: NewSuper<'a, Self>,
        fc: &FsContext<'_, Self>,
        context: &mut Self::Context,
    ) -> Result<FilledSuper<'a, Self>>;

    /// Applies the parameters of a remount.
    fn reconfigure(
        fc: &FsContext<'_, Self>,
        context: &mut Self::Context,
        sb: &SuperBlock<Self>,
    ) -> Result;

    /// Takes leave of an inode, bad ones included. Page cache is gone already. May sleep, but runs
    /// in memory reclaim too.
    fn evict_inode(inode: &LentInode<Self>);

    /// Reads an extended attribute; without a buffer only its length.
    fn getxattr(inode: &Inode<Self>, name: &CStr, buffer: Option<&mut [u8]>) -> Result<usize>;

    /// Changes an extended attribute. The inode is locked exclusively.
    fn setxattr(inode: &Inode<Self>, name: &CStr, change: XattrChange<'_>) -> Result;

    /// Writes the times of an inode back, which the VFS has changed. Without `waits` nobody asks for the
    /// result, or [`Self::sync_fs`] follows; the caller is a thread of the kernel's then, which serves other
    /// inodes too and cannot be killed. May sleep.
    fn write_inode(inode: &LentInode<Self>, waits: bool) -> Result;

    /// Makes all that was written durable (`syncfs(2)`). The superblock is locked, shared.
    fn sync_fs(sb: &SuperBlock<Self>) -> Result;

    /// Answers `statfs(2)`. Type and id of the file system are filled in by the caller.
    fn statfs(root: &Dentry<Self>) -> Result<StatFs>;

    /// A forced unmount has begun: ends what could keep it waiting.
    fn umount_begin(sb: &SuperBlock<Self>);

    /// Shows the mount options, each with a leading comma.
    fn show_options(root: &Dentry<Self>, m: &SeqFile) -> Result;

    /// Takes leave of a superblock: no inode is left. Also called if [`FileSystem::fill_super`]
    /// failed, and for what [`FileSystem::make_super`] has made for a superblock that existed already. RCU walks may
    /// still read the data, which is dropped after a grace period.
    fn kill_super(data: &Arc<Self::Super>);

    /// The superblock is about to lose its inodes, whose eviction waits for locked folios. Process
    /// context, may sleep.
    fn shutdown_super(data: &Arc<Self::Super>);

    /// Whether a cached name is still valid.
    ///
    /// In [`Walk::Rcu`] it must not sleep; `ECHILD` asks for a call in reference walk. `name` may
    /// differ from the dentry's if it is being renamed.
    fn d_revalidate(
        dir: &LentInode<Self>,
        name: &[u8],
        dentry: &LentDentry<Self>,
        walk: Walk<'_>,
        flags: LookupFlags,
    ) -> Result<bool>;
}

/// A registered file system type.
///
/// It must live as long as something may be mounted: make it a field of the module's structure,
/// which the module's reference count keeps while superblocks exist. These and mount contexts find it by `fs`.
#[pin_data]
pub struct Registration<T: FileSystem> {
    /// Registered last and, being the first field, unregistered first.
    #[pin]
    fs: FileSystemType,
    cache: Arc<InodeCache<T>>,
    shared: Arc<T::Shared>,
    #[pin]
    slots: Mutex<Slots<T>>,
}

impl<T: FileSystem> Registration<T> {
    /// Registers the type. From then on it can be mounted.
    ///
    /// Fails with `EBUSY` if the name is taken.
    pub fn new(shared: Arc<T::Shared>) -> impl PinInit<Self, Error> {
        const { fs_context::check_parameters(T::PARAMETERS) };
        pin_init_scope(move || {
            let cache = Arc::new(InodeCache::new()?, GFP_KERNEL)?;
            Ok(Self::register(cache, shared, T::NAME, T::FLAGS))
        })
    }

    /// Registers the type by another name too, with properties that may be others.
    ///
    /// Fails with `EBUSY` if the name is taken.
    pub fn by_name(&self, name: &'static CStr, flags: FsFlags) -> impl PinInit<Self, Error> {
        Self::register(self.cache.clone(), self.shared.clone(), name, flags)
    }

    fn register(
        cache: Arc<InodeCache<T>>,
        shared: Arc<T::Shared>,
        name: &'static CStr,
        flags: FsFlags,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            cache,
            shared,
            slots <- new_mutex!(KVec::new()),
            fs <- FileSystemType::register(Self::file_system_type(name, flags)),
        })
    }

    fn file_system_type(name: &'static CStr, flags: FsFlags) -> bindings::file_system_type {
        bindings::file_system_type {
            owner: this_module::<T::OwnerModule>().as_ptr(),
            name: name.as_char_ptr(),
            // CAST: The flags are small.
            fs_flags: flags.0 as c_int,
            parameters: T::PARAMETERS.as_ptr().cast(),
            init_fs_context: Some(fs_context::init_fs_context::<T>),
            kill_sb: Some(super_block::kill_sb::<T>),
            ..pin_init::zeroed()
        }
    }

    /// The registration of a file system type.
    ///
    /// # Safety
    ///
    /// `fs` is the type of a superblock or of a mount context that [`FileSystem`] `T` made, and
    /// which exists during `'a`.
    pub(crate) unsafe fn from_type<'a>(fs: *mut bindings::file_system_type) -> &'a Self {
        // SAFETY: By the safety requirements `fs` is the field of a registration. The superblock or
        // context holds a reference to the module, which keeps the registration.
        unsafe { &*container_of!(FileSystemType::from_raw(fs), Self, fs) }
    }

    pub(crate) fn shared(&self) -> &Arc<T::Shared> {
        &self.shared
    }

    pub(crate) fn slots(&self) -> &Mutex<Slots<T>> {
        &self.slots
    }

    pub(crate) fn cache(&self) -> &InodeCache<T> {
        &self.cache
    }
}
