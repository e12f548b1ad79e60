// SPDX-License-Identifier: GPL-2.0

//! Extended attributes.
//!
//! C header: [`include/linux/xattr.h`](srctree/include/linux/xattr.h)

use crate::{bindings, fs::FileSystem, inode::Inode};
use core::{marker::PhantomData, ptr, slice};
use kernel::{error::from_result, prelude::*};

/// How an attribute is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XattrChange<'a> {
    /// To this value, with `XATTR_CREATE`, `XATTR_REPLACE` or neither.
    Set(&'a [u8], u32),
    /// It is removed.
    Remove,
}

/// The C table of handlers: one, for all names.
pub(crate) struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const HANDLER: bindings::xattr_handler = bindings::xattr_handler {
        prefix: kernel::str::as_char_ptr_in_const_context(c""),
        get: Some(get::<T>),
        set: Some(set::<T>),
        ..pin_init::zeroed()
    };

    /// The handlers, with a null pointer behind them.
    pub(crate) const HANDLERS: &'static [*const bindings::xattr_handler; 2] =
        &[&Self::HANDLER, ptr::null()];
}

/// Reads an attribute.
///
/// # Safety
///
/// Called by the VFS with an inode of `T`, a name that ends with a NUL, and a buffer of `size` bytes, or
/// none to ask for the length.
unsafe extern "C" fn get<T: FileSystem>(
    _handler: *const bindings::xattr_handler,
    _dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    name: *const c_char,
    buffer: *mut c_void,
    size: usize,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let (inode, name, buffer) = unsafe {
            (
                Inode::from_raw(inode),
                CStr::from_char_ptr(name),
                (size > 0).then(|| slice::from_raw_parts_mut(buffer.cast::<u8>(), size)),
            )
        };
        Ok(c_int::try_from(T::getxattr(inode, name, buffer)?)?)
    })
}

/// Sets or removes an attribute.
///
/// # Safety
///
/// Called by the VFS with a locked inode of `T`, a name that ends with a NUL, and `size` bytes, or null
/// to remove the attribute.
unsafe extern "C" fn set<T: FileSystem>(
    _handler: *const bindings::xattr_handler,
    _idmap: *mut bindings::mnt_idmap,
    _dentry: *mut bindings::dentry,
    inode: *mut bindings::inode,
    name: *const c_char,
    value: *const c_void,
    size: usize,
    flags: c_int,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let (inode, name) = unsafe { (Inode::from_raw(inode), CStr::from_char_ptr(name)) };
        let change = match value.is_null() {
            true => XattrChange::Remove,
            false => {
                let bytes = match size {
                    0 => &[],
                    // SAFETY: By the safety requirements.
                    _ => unsafe { slice::from_raw_parts(value.cast::<u8>(), size) },
                };
                // CAST: Bits.
                XattrChange::Set(bytes, flags as u32)
            }
        };
        T::setxattr(inode, name, change)?;
        Ok(0)
    })
}
