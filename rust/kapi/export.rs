// SPDX-License-Identifier: GPL-2.0

//! File handles: names of inodes that hold without a path (`name_to_handle_at(2)`, NFS).
//!
//! C header: [`include/linux/exportfs.h`](srctree/include/linux/exportfs.h)

use crate::{
    bindings,
    fs::FileSystem,
    inode::{Inode, LentInode},
    super_block::SuperBlock,
};
use core::{marker::PhantomData, ptr, slice};
use kernel::{error::from_err_ptr, prelude::*, sync::aref::ARef};

/// Words of a handle of one inode; that of its directory follows in as many.
const WORDS: usize = 3;

/// What a handle says of an inode (`FILEID_INO64_GEN`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// The file system's number for it.
    pub id: u64,
    /// Its generation: another one is another inode.
    pub generation: u32,
}

impl FileId {
    // CAST: The halves of the number.
    fn into_words(self) -> [u32; WORDS] {
        [(self.id >> 32) as u32, self.id as u32, self.generation]
    }

    /// Reads the first handle of `words`, if it is long enough.
    fn from_words(words: &[u32]) -> Option<Self> {
        let &[high, low, generation] = words.first_chunk()?;
        Some(Self {
            id: u64::from(high) << 32 | u64::from(low),
            generation,
        })
    }
}

/// What file handles need of a file system, `struct export_operations`.
pub trait Export: 'static {
    /// The file system.
    type Fs: FileSystem;

    /// What a handle is to say of an inode. Must not sleep.
    fn file_id(inode: &LentInode<Self::Fs>) -> FileId;

    /// The inode of a handle. Anybody may have made the handle up. May sleep.
    ///
    /// # Errors
    ///
    /// `ESTALE` if there is none any more.
    fn inode(sb: &SuperBlock<Self::Fs>, id: FileId) -> Result<ARef<Inode<Self::Fs>>>;

    /// The directory that a directory is in. May sleep.
    ///
    /// # Errors
    ///
    /// `ESTALE` if it cannot be found.
    fn parent(dir: &Inode<Self::Fs>) -> Result<ARef<Inode<Self::Fs>>>;
}

/// The table of operations of an [`Export`].
pub struct ExportOps<T: FileSystem>(&'static bindings::export_operations, PhantomData<T>);

impl<T: FileSystem> ExportOps<T> {
    /// Handles are given out, and lead back to their inodes.
    pub const fn of<E: Export<Fs = T>>() -> Self {
        Self(&Table::<E>::OPERATIONS, PhantomData)
    }

    /// Handles are given out, and only tell inodes apart.
    pub const fn encoding<E: Export<Fs = T>>() -> Self {
        Self(&Table::<E>::ENCODING, PhantomData)
    }

    pub(crate) fn as_ptr(&self) -> *const bindings::export_operations {
        self.0
    }
}

/// The C tables of an [`Export`].
struct Table<E>(PhantomData<E>);

impl<E: Export> Table<E> {
    const ENCODING: bindings::export_operations = bindings::export_operations {
        encode_fh: Some(encode_fh::<E>),
        ..pin_init::zeroed()
    };

    const OPERATIONS: bindings::export_operations = bindings::export_operations {
        fh_to_dentry: Some(fh_to_dentry::<E>),
        fh_to_parent: Some(fh_to_parent::<E>),
        get_parent: Some(get_parent::<E>),
        ..Self::ENCODING
    };
}

/// Writes the handle of an inode, and of its directory if it is to be found again by it.
///
/// # Safety
///
/// Called by the VFS with inodes that it keeps, of which `parent` may be null, and with room for `max_len`
/// words at `fh`.
unsafe extern "C" fn encode_fh<E: Export>(
    inode: *mut bindings::inode,
    fh: *mut u32,
    max_len: *mut c_int,
    parent: *mut bindings::inode,
) -> c_int {
    let (words, kind) = match parent.is_null() {
        true => (WORDS, bindings::fid_type_FILEID_INO64_GEN),
        false => (2 * WORDS, bindings::fid_type_FILEID_INO64_GEN_PARENT),
    };
    // SAFETY: By the safety requirements.
    let room = unsafe { ptr::replace(max_len, words as c_int) };
    if usize::try_from(room).unwrap_or(0) < words {
        return bindings::fid_type_FILEID_INVALID as c_int;
    }
    // SAFETY: There is room for this many words, as just checked; handles of callers are aligned, and
    // initialised by the VFS.
    let fh = unsafe { slice::from_raw_parts_mut(fh, words) };
    for (inode, fh) in [inode, parent].into_iter().zip(fh.chunks_exact_mut(WORDS)) {
        // SAFETY: By the safety requirements, and `parent` is not looked at if it is null: there is
        // no chunk for it.
        let inode = unsafe { LentInode::from_raw(inode) };
        fh.copy_from_slice(&E::file_id(inode).into_words());
    }
    // CAST: Small constants.
    kind as c_int
}

/// The words of a handle of a known kind, or of a connectable one only.
///
/// # Safety
///
/// `fid` has `len` words during `'a`.
unsafe fn words<'a>(
    fid: *const bindings::fid,
    len: c_int,
    kind: c_int,
    connectable: bool,
) -> &'a [u32] {
    // CAST: Small constants.
    let known = match kind as u32 {
        bindings::fid_type_FILEID_INO64_GEN => !connectable,
        bindings::fid_type_FILEID_INO64_GEN_PARENT => true,
        _ => false,
    };
    match usize::try_from(len) {
        // SAFETY: By the safety requirements.
        Ok(len) if known => unsafe { slice::from_raw_parts(fid.cast(), len) },
        _ => &[],
    }
}

/// A dentry of an inode, with a reference, as the VFS is to get it: any that there is, else one that is
/// not connected to a directory.
///
/// # Safety
///
/// `sb` is the superblock that the VFS asks about.
unsafe fn alias<T: FileSystem>(
    sb: *mut bindings::super_block,
    inode: Result<ARef<Inode<T>>>,
) -> *mut bindings::dentry {
    let found = inode.and_then(|inode| match ptr::eq(inode.super_block().as_ptr(), sb) {
        // SAFETY: The call consumes the reference, even if it fails.
        true => unsafe {
            from_err_ptr(bindings::d_obtain_alias(
                ARef::into_raw(inode).as_ptr().cast(),
            ))
        },
        false => Err(ESTALE),
    });
    found.unwrap_or_else(Error::to_ptr)
}

/// A dentry of the inode that a handle begins with, as the VFS is to get it.
///
/// # Safety
///
/// As [`alias`].
unsafe fn find<E: Export>(
    sb: *mut bindings::super_block,
    words: Option<&[u32]>,
) -> *mut bindings::dentry {
    match words.and_then(FileId::from_words) {
        // SAFETY: By the safety requirements; the VFS keeps the superblock.
        Some(id) => unsafe { alias(sb, E::inode(SuperBlock::from_raw(sb), id)) },
        // The VFS makes ESTALE of it.
        None => ptr::null_mut(),
    }
}

/// Finds the inode that a handle is of.
///
/// # Safety
///
/// Called by the VFS with a superblock of the file system, and a handle of `fh_len` words.
unsafe extern "C" fn fh_to_dentry<E: Export>(
    sb: *mut bindings::super_block,
    fid: *mut bindings::fid,
    fh_len: c_int,
    fh_type: c_int,
) -> *mut bindings::dentry {
    // SAFETY: By the safety requirements.
    unsafe { find::<E>(sb, Some(words(fid, fh_len, fh_type, false))) }
}

/// Finds the directory of the inode that a handle is of.
///
/// # Safety
///
/// As [`fh_to_dentry`].
unsafe extern "C" fn fh_to_parent<E: Export>(
    sb: *mut bindings::super_block,
    fid: *mut bindings::fid,
    fh_len: c_int,
    fh_type: c_int,
) -> *mut bindings::dentry {
    // SAFETY: By the safety requirements.
    unsafe { find::<E>(sb, words(fid, fh_len, fh_type, true).get(WORDS..)) }
}

/// Finds the directory that a directory is in.
///
/// # Safety
///
/// Called by the VFS with a positive dentry of the file system, which it keeps.
unsafe extern "C" fn get_parent<E: Export>(child: *mut bindings::dentry) -> *mut bindings::dentry {
    // SAFETY: By the safety requirements.
    unsafe {
        let dir = Inode::<E::Fs>::from_raw(bindings::d_inode_rcu(child));
        alias((*child).d_sb, E::parent(dir))
    }
}
