// SPDX-License-Identifier: GPL-2.0

//! File systems of files that tell of things and take orders for them: a folder a thing, made while the thing is
//! there. All mounts of one are the same.
//!
//! C headers: [`include/linux/fs.h`](srctree/include/linux/fs.h),
//! [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use crate::{bindings, file_system_type::FileSystemType, namespaces::Owner, seq_file::SeqFile};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    container_of,
    error::{from_err_ptr, from_result, to_result},
    module::this_module,
    new_mutex,
    prelude::*,
    str::{as_char_ptr_in_const_context, CString},
    sync::{Arc, Mutex},
    ModuleMetadata,
};

/// The longest order, in bytes.
const ORDER: usize = 64;

/// The permissions of a folder.
const FOLDER: u16 = bindings::S_IFDIR as u16 | 0o500;

/// A file of every thing.
pub struct ControlFile<T: ?Sized> {
    /// Its name.
    pub name: &'static CStr,
    /// Its permissions, for the thing's owner.
    pub mode: u16,
    /// Writes what it tells. May sleep.
    pub show: Option<fn(&T, &SeqFile)>,
    /// Takes an order, without the white space around it. May sleep.
    pub store: Option<fn(&T, &[u8]) -> Result>,
}

/// What a control file system is about.
pub trait Controlled: Send + Sync + 'static {
    /// The module that implements it; it stays loaded while anything is mounted.
    type OwnerModule: ModuleMetadata;

    /// The name for `mount(2)`.
    const NAME: &'static CStr;

    /// What `statfs(2)` knows it by.
    const MAGIC: usize;

    /// The files of every thing.
    const FILES: &'static [ControlFile<Self>];
}

/// A thing, and who may see and order it.
struct Thing<T> {
    number: u32,
    owner: Owner,
    it: Arc<T>,
}

struct State<T> {
    things: KVec<Thing<T>>,
    /// Where it is mounted; one for each name of the type.
    sbs: KVec<NonNull<bindings::super_block>>,
}

// SAFETY: The superblocks are used under the lock of the tree alone, by any thread.
unsafe impl<T: Send + Sync> Send for State<T> {}

/// All things, shown where it is mounted.
///
/// # Invariants
///
/// Superblocks in it are filled, and stay until `kill_sb` takes them out.
#[pin_data]
pub struct ControlTree<T: Controlled> {
    #[pin]
    state: Mutex<State<T>>,
}

impl<T: Controlled> ControlTree<T> {
    /// Without things.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Arc<Self>> {
        let state = State {
            things: KVec::new(),
            sbs: KVec::new(),
        };
        Arc::pin_init(pin_init!(Self { state <- new_mutex!(state) }), GFP_KERNEL)
    }

    /// There is a thing, in the folder `number`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; then there is none.
    pub fn add(&self, number: u32, owner: Owner, it: &Arc<T>) -> Result {
        let mut state = self.state.lock();
        let thing = Thing {
            number,
            owner,
            it: it.clone(),
        };
        // SAFETY: By the type invariant, under the lock.
        let show = |sb: &NonNull<_>| unsafe { show(sb.as_ptr(), &thing) };
        let shown = state.sbs.iter().try_for_each(show);
        let added = shown.and_then(|()| Ok(state.things.push(thing, GFP_KERNEL)?));
        added.inspect_err(|_| state.sbs.iter().for_each(|sb| hide(*sb, number)))
    }

    /// The thing `number` is gone. Whoever has its files open keeps it. May sleep.
    pub fn remove(&self, number: u32) {
        let mut state = self.state.lock();
        state.things.retain(|thing| thing.number != number);
        state.sbs.iter().for_each(|sb| hide(*sb, number));
    }
}

/// A registered control file system. To be kept in static memory, as locks are classed by their type's address.
#[pin_data]
pub struct Registration<T: Controlled> {
    /// Registered last and, being the first field, unregistered first.
    #[pin]
    fs: FileSystemType,
    tree: Arc<ControlTree<T>>,
}

impl<T: Controlled> Registration<T> {
    /// Registers the type. From then on it can be mounted.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the name is taken.
    pub fn new(tree: Arc<ControlTree<T>>) -> impl PinInit<Self, Error> {
        Self::by_name(tree, T::NAME)
    }

    /// As [`Self::new`], by another name.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn by_name(tree: Arc<ControlTree<T>>, name: &'static CStr) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            tree,
            fs <- FileSystemType::register(bindings::file_system_type {
                owner: this_module::<T::OwnerModule>().as_ptr(),
                name: name.as_char_ptr(),
                init_fs_context: Some(init_fs_context::<T>),
                kill_sb: Some(kill_sb::<T>),
                ..pin_init::zeroed()
            }),
        })
    }
}

/// What a file is of: the `i_private` of its inode.
struct Node<T: 'static> {
    it: Arc<T>,
    file: &'static ControlFile<T>,
}

/// The hooks of the file system of `T`.
struct Table<T>(PhantomData<T>);

impl<T: Controlled> Table<T> {
    const CONTEXT: bindings::fs_context_operations = bindings::fs_context_operations {
        get_tree: Some(get_tree::<T>),
        ..pin_init::zeroed()
    };

    const SUPER: bindings::super_operations = bindings::super_operations {
        statfs: Some(bindings::simple_statfs),
        drop_inode: Some(bindings::inode_just_drop),
        evict_inode: Some(evict_inode::<T>),
        ..pin_init::zeroed()
    };

    const FILE: bindings::file_operations = bindings::file_operations {
        owner: this_module::<T::OwnerModule>().as_ptr().cast(),
        open: Some(open::<T>),
        read: Some(bindings::seq_read),
        llseek: Some(bindings::seq_lseek),
        write: Some(write::<T>),
        release: Some(bindings::single_release),
        ..pin_init::zeroed()
    };

    const NOTHING: [bindings::tree_descr; 1] = [bindings::tree_descr {
        name: as_char_ptr_in_const_context(c""),
        ..pin_init::zeroed()
    }];
}

/// The registration of a type.
///
/// # Safety
///
/// `fs` is the type of a superblock or a context of the file system of `T`, which exists during `'a`.
unsafe fn registration<'a, T: Controlled>(
    fs: *mut bindings::file_system_type,
) -> &'a Registration<T> {
    // SAFETY: By the safety requirements; the superblock or context holds the module, and so the registration.
    unsafe { &*container_of!(FileSystemType::from_raw(fs), Registration<T>, fs) }
}

/// Begins a mount.
///
/// # Safety
///
/// Called by the VFS with a new context of the type.
unsafe extern "C" fn init_fs_context<T: Controlled>(
    fc: *mut kernel::bindings::fs_context,
) -> c_int {
    // SAFETY: By the safety requirements.
    unsafe { (*fc.cast::<bindings::fs_context>()).ops = &Table::<T>::CONTEXT };
    0
}

/// Finds or makes the only superblock.
///
/// # Safety
///
/// Called by the VFS with a context of the type.
unsafe extern "C" fn get_tree<T: Controlled>(fc: *mut bindings::fs_context) -> c_int {
    // SAFETY: By the safety requirements.
    unsafe { bindings::get_tree_single(fc, Some(fill_super::<T>)) }
}

/// Fills the superblock.
///
/// # Safety
///
/// Called by `get_tree_single` with a new superblock of the type, which is locked.
unsafe extern "C" fn fill_super<T: Controlled>(
    sb: *mut bindings::super_block,
    _fc: *mut bindings::fs_context,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements. The list of files is terminated, and only read.
        let registration = unsafe {
            let files = Table::<T>::NOTHING.as_ptr().cast_mut();
            to_result(bindings::simple_fill_super(sb, T::MAGIC as c_ulong, files))?;
            (*sb).s_op = &Table::<T>::SUPER;
            registration::<T>((*sb).s_type)
        };
        let mut state = registration.tree.state.lock();
        for thing in &state.things {
            // SAFETY: The superblock was just filled.
            unsafe { show(sb, thing) }?;
        }
        // INVARIANT: It is filled; if the mount fails behind this, `kill_sb` comes all the same.
        state
            .sbs
            .push(NonNull::new(sb).ok_or(EINVAL)?, GFP_KERNEL)?;
        Ok(0)
    })
}

/// Kills the superblock.
///
/// # Safety
///
/// Called by the VFS with a superblock of the type at its last active reference.
unsafe extern "C" fn kill_sb<T: Controlled>(sb: *mut bindings::super_block) {
    // SAFETY: By the safety requirements.
    unsafe {
        let tree = &registration::<T>((*sb).s_type).tree;
        tree.state.lock().sbs.retain(|other| other.as_ptr() != sb);
        bindings::kill_anon_super(sb);
    }
}

/// Gives up what an inode is of.
///
/// # Safety
///
/// Called by the VFS with an inode of the file system that nobody uses.
unsafe extern "C" fn evict_inode<T: Controlled>(inode: *mut bindings::inode) {
    // SAFETY: By the safety requirements. Only `file` sets `i_private`, to a box of this type.
    unsafe {
        bindings::truncate_inode_pages_final(&raw mut (*inode).i_data);
        bindings::clear_inode(inode);
        let node = (*inode).i_private.cast::<Node<T>>();
        if !node.is_null() {
            drop(KBox::from_raw(node));
        }
    }
}

/// Makes the folder of a thing. What is left of it on errors is for [`hide`].
///
/// # Safety
///
/// The superblock is filled, and stays.
unsafe fn show<T: Controlled>(sb: *mut bindings::super_block, thing: &Thing<T>) -> Result {
    let name = CString::try_from_fmt(fmt!("{}", thing.number))?;
    // SAFETY: By the safety requirements. The dentries that are returned stay until they are hidden, which is under
    // the lock of the tree, as this is.
    unsafe {
        let folder = entry(sb, (*sb).s_root, &name, FOLDER, thing.owner, |inode| {
            (*inode).i_op = &raw const bindings::simple_dir_inode_operations;
            (*inode).__bindgen_anon_3.i_fop = &raw const bindings::simple_dir_operations;
            bindings::inc_nlink(inode);
            Ok(())
        })?;
        bindings::inc_nlink((*(*sb).s_root).d_inode);
        for file in T::FILES {
            let mode = bindings::S_IFREG as u16 | file.mode;
            entry(sb, folder, file.name, mode, thing.owner, |inode| {
                let it = thing.it.clone();
                let node = KBox::new(Node { it, file }, GFP_KERNEL)?;
                (*inode).i_private = KBox::into_raw(node).cast();
                (*inode).__bindgen_anon_3.i_fop = &Table::<T>::FILE;
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// Removes the folder of a thing, if there is one.
fn hide(sb: NonNull<bindings::super_block>, number: u32) {
    let Ok(name) = CString::try_from_fmt(fmt!("{number}")) else {
        return;
    };
    // SAFETY: Called under the lock of the tree, with its superblock.
    unsafe {
        bindings::simple_remove_by_name((*sb.as_ptr()).s_root, name.as_char_ptr(), None);
    }
}

/// Makes a name, with an inode that `init` completes. May sleep.
///
/// # Errors
///
/// `ENOMEM`, `EEXIST`; those of `init`.
///
/// # Safety
///
/// `parent` is a folder of the superblock, which is filled, and both stay.
unsafe fn entry(
    sb: *mut bindings::super_block,
    parent: *mut bindings::dentry,
    name: &CStr,
    mode: u16,
    owner: Owner,
    init: impl FnOnce(*mut bindings::inode) -> Result,
) -> Result<*mut bindings::dentry> {
    // SAFETY: By the safety requirements. The inode is this function's alone until it has its name.
    unsafe {
        let inode = NonNull::new(bindings::new_inode(sb))
            .ok_or(ENOMEM)?
            .as_ptr();
        (*inode).i_ino = bindings::get_next_ino().into();
        (*inode).i_mode = mode;
        (*inode).i_uid = owner.uid;
        (*inode).i_gid = owner.gid;
        bindings::simple_inode_init_ts(inode);
        let named = init(inode).and_then(|()| {
            from_err_ptr(bindings::simple_start_creating(parent, name.as_char_ptr()))
        });
        let dentry = named.inspect_err(|_| bindings::iput(inode))?;
        bindings::d_make_persistent(dentry, inode);
        bindings::simple_done_creating(dentry);
        Ok(dentry)
    }
}

/// Opens a file.
///
/// # Safety
///
/// Called by the VFS with a file of the file system, and its inode.
unsafe extern "C" fn open<T: Controlled>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: By the safety requirements; the inode and its node outlive the open file.
    unsafe { bindings::single_open(file, Some(seq_show::<T>), (*inode).i_private) }
}

/// Writes what a file tells.
///
/// # Safety
///
/// Called by `seq_read` for a file that [`open`] opened.
unsafe extern "C" fn seq_show<T: Controlled>(m: *mut bindings::seq_file, _: *mut c_void) -> c_int {
    // SAFETY: `open` left the node, which its inode keeps.
    let (node, m) = unsafe {
        (
            &*(*m).private.cast::<Node<T>>(),
            SeqFile::from_raw(m.cast()),
        )
    };
    match node.file.show {
        Some(show) => {
            show(&node.it, m);
            0
        }
        None => EINVAL.to_errno(),
    }
}

/// Takes an order.
///
/// # Safety
///
/// Called by the VFS with a file that [`open`] opened, and a buffer of user space.
unsafe extern "C" fn write<T: Controlled>(
    file: *mut bindings::file,
    buffer: *const c_char,
    len: usize,
    pos: *mut bindings::loff_t,
) -> isize {
    from_result(|| {
        let mut order = [0u8; ORDER];
        // SAFETY: By the safety requirements. At most `ORDER` bytes are written.
        let (node, copied) = unsafe {
            let node = &*(*(*file).f_inode).i_private.cast::<Node<T>>();
            let room = order.as_mut_ptr().cast();
            (
                node,
                bindings::simple_write_to_buffer(room, ORDER, &mut 0, buffer.cast(), len),
            )
        };
        let store = node.file.store.ok_or(EINVAL)?;
        // CAST: Not negative, and at most `ORDER`.
        let copied = to_result(copied.min(0) as c_int).map(|()| copied as usize)?;
        if copied < len {
            return Err(EINVAL);
        }
        store(&node.it, order[..copied].trim_ascii())?;
        // SAFETY: By the safety requirements.
        unsafe { *pos += copied as bindings::loff_t };
        Ok(copied as isize)
    })
}
