// SPDX-License-Identifier: GPL-2.0

//! Mount contexts and parameters.
//!
//! C headers: [`include/linux/fs_context.h`](srctree/include/linux/fs_context.h),
//! [`include/linux/fs_parser.h`](srctree/include/linux/fs_parser.h)

use crate::{
    bindings,
    dentry::Dentry,
    fs::{FileSystem, Registration},
    misc_device::{MiscDevice, OpenFile},
    super_block::{self, SuperBlock},
};
use core::{
    marker::PhantomData,
    ptr::{self, NonNull},
};
use kernel::{
    error::{from_err_ptr, from_result, to_result},
    fmt,
    prelude::*,
    str::as_char_ptr_in_const_context,
    sync::Arc,
    types::ScopeGuard,
};

/// A mount parameter a file system understands, `struct fs_parameter_spec`.
#[repr(transparent)]
pub struct ParameterSpec(bindings::fs_parameter_spec);

/// The upper bits of the C option number say what kind of value to read back, so that the result of
/// the parser alone suffices.
const KIND_SHIFT: u32 = 6;
const KIND_FLAG: u8 = 0;
const KIND_U32: u8 = 1;
const KIND_STRING: u8 = 2;

impl ParameterSpec {
    /// Ends a list of parameters.
    pub const END: Self = Self(pin_init::zeroed());

    const fn new(name: &'static CStr, opt: i32, kind: u8, type_: bindings::fs_param_type) -> Self {
        assert!(
            opt >= 0 && opt < 1 << KIND_SHIFT,
            "parameter numbers go from 0 to 63"
        );
        Self(bindings::fs_parameter_spec {
            name: as_char_ptr_in_const_context(name),
            type_,
            opt: opt as u8 | kind << KIND_SHIFT,
            ..pin_init::zeroed()
        })
    }

    /// A parameter without a value. `opt` is a number of the caller's choice, from 0 to 63.
    pub const fn flag(name: &'static CStr, opt: i32) -> Self {
        Self::new(name, opt, KIND_FLAG, None)
    }

    /// A parameter without a value, which a prefix `no` negates.
    pub const fn flag_no(name: &'static CStr, opt: i32) -> Self {
        let mut spec = Self::flag(name, opt);
        spec.0.flags = bindings::fs_param_neg_with_no;
        spec
    }

    /// A parameter with a number: decimal, octal or hexadecimal.
    pub const fn u32(name: &'static CStr, opt: i32) -> Self {
        Self::new(name, opt, KIND_U32, Some(bindings::fs_param_is_u32))
    }

    /// A parameter with an octal number.
    pub const fn u32_octal(name: &'static CStr, opt: i32) -> Self {
        let mut spec = Self::new(name, opt, KIND_U32, Some(bindings::fs_param_is_u32));
        spec.0.data = ptr::without_provenance(8);
        spec
    }

    /// A parameter with a text that is not empty.
    pub const fn string(name: &'static CStr, opt: i32) -> Self {
        Self::new(name, opt, KIND_STRING, Some(bindings::fs_param_is_string))
    }
}

/// Refuses, at compile time, a list the C parser would run over.
pub(crate) const fn check_parameters(parameters: &[ParameterSpec]) {
    let ended = match parameters.last() {
        Some(last) => last.0.name.is_null(),
        None => false,
    };
    assert!(ended, "PARAMETERS must end with ParameterSpec::END");
}

/// The value of a parameter.
#[derive(Clone, Copy)]
pub enum ParamValue<'a> {
    /// None.
    Flag,
    /// A number.
    U32(u32),
    /// A text.
    String(&'a CStr),
}

/// A parameter a user gave.
#[derive(Clone, Copy)]
pub struct Parameter<'a> {
    /// The number of its [`ParameterSpec`].
    pub opt: i32,
    /// Whether it was negated by a prefix `no`.
    pub negated: bool,
    /// Its value.
    pub value: ParamValue<'a>,
}

/// What a mount context is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A mount a user asked for.
    Mount,
    /// An automatic mount below another one.
    Submount,
    /// A change of the parameters of a superblock.
    Reconfigure,
}

/// A mount context.
///
/// # Invariants
///
/// The pointer is a valid `struct fs_context` of the type `T` during `'a`, used by this thread
/// alone (under `uapi_mutex`).
pub struct FsContext<'a, T: FileSystem> {
    fc: NonNull<bindings::fs_context>,
    _lifetime: PhantomData<&'a ()>,
    _fs: PhantomData<fn() -> T>,
}

impl<'a, T: FileSystem> FsContext<'a, T> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `fc` is a valid context of the type `T`, and used by this thread alone, during `'a`.
    unsafe fn from_raw(fc: *mut bindings::fs_context) -> Self {
        // INVARIANT: By the safety requirements.
        // SAFETY: A valid pointer is not null.
        let fc = unsafe { NonNull::new_unchecked(fc) };
        Self {
            fc,
            _lifetime: PhantomData,
            _fs: PhantomData,
        }
    }

    fn get(&self) -> *mut bindings::fs_context {
        self.fc.as_ptr()
    }

    /// What all mounts of the type share.
    pub fn shared(&self) -> &Arc<T::Shared> {
        // SAFETY: Contexts are made by the registration of their type, which they hold.
        unsafe { Registration::<T>::from_type((*self.get()).fs_type) }.shared()
    }

    /// A reference to what all mounts of the type share.
    pub fn shared_arc(&self) -> Arc<T::Shared> {
        self.shared().clone()
    }

    /// What is to be mounted, as given to `mount(8)`.
    pub fn source(&self) -> Option<&CStr> {
        // SAFETY: By the type invariant.
        let source = unsafe { (*self.get()).source };
        if source.is_null() {
            return None;
        }
        // SAFETY: The VFS keeps a terminated text here, until a hook gets it mutably.
        Some(unsafe { CStr::from_char_ptr(source) })
    }

    /// The user namespace of whoever mounts.
    pub(crate) fn user_ns(&self) -> *mut bindings::user_namespace {
        // SAFETY: By the type invariant.
        unsafe { (*self.get()).user_ns.cast() }
    }

    /// Whether whoever mounts is of the user namespace in which `file` was opened.
    pub fn is_of_user_ns<D: MiscDevice>(&self, file: &OpenFile<D>) -> bool {
        ptr::eq(self.user_ns(), file.user_ns())
    }

    /// Whether the file system is to lie on a block device, which the source names. What is mounted below one does
    /// not.
    pub fn is_on_device(&self) -> bool {
        // SAFETY: By the type invariant.
        let flags = unsafe { (*(*self.get()).fs_type).fs_flags };
        // CAST: A small constant.
        let has_device = flags & bindings::FS_REQUIRES_DEV as c_int != 0;
        has_device && self.purpose() != Purpose::Submount
    }

    /// What the context is for.
    pub fn purpose(&self) -> Purpose {
        // SAFETY: By the type invariant.
        match unsafe { (*self.get()).purpose() } {
            bindings::fs_context_purpose_FS_CONTEXT_FOR_SUBMOUNT => Purpose::Submount,
            bindings::fs_context_purpose_FS_CONTEXT_FOR_RECONFIGURE => Purpose::Reconfigure,
            _ => Purpose::Mount,
        }
    }

    /// Whether the request came by `mount(2)`, which cannot tell what a remount leaves alone.
    pub fn is_oldapi(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { (*self.get()).oldapi() }
    }

    /// Whether the mount is read-only (`SB_RDONLY`).
    pub fn is_readonly(&self) -> bool {
        self.has_sb_flag(bindings::SB_RDONLY)
    }

    /// Whether errors are not worth a message (`SB_SILENT`).
    pub fn is_silent(&self) -> bool {
        self.has_sb_flag(bindings::SB_SILENT)
    }

    /// Makes the mount read-only. Of use before there is a superblock, that is until `make_super`
    /// returns, and for a reconfiguration.
    pub fn set_readonly(&self) {
        // CAST: Superblock flags of contexts have 32 bits.
        // SAFETY: By the type invariant nobody else uses the context.
        unsafe { (*self.get()).sb_flags |= bindings::SB_RDONLY as c_uint };
    }

    fn has_sb_flag(&self, flag: c_ulong) -> bool {
        // SAFETY: By the type invariant.
        unsafe { (*self.get()).sb_flags as c_ulong & flag != 0 }
    }

    /// Tells whoever mounts about an error: in the context's log, or else in the kernel's.
    pub fn errorf(&self, message: fmt::Arguments<'_>) {
        self.log(b'e', message);
    }

    /// Warns whoever mounts.
    pub fn warnf(&self, message: fmt::Arguments<'_>) {
        self.log(b'w', message);
    }

    /// Informs whoever mounts.
    pub fn infof(&self, message: fmt::Arguments<'_>) {
        self.log(b'i', message);
    }

    fn log(&self, level: u8, message: fmt::Arguments<'_>) {
        // SAFETY: The log, if any, and the prefix belong to the context; `%pA` takes a pointer to
        // `Arguments`.
        unsafe {
            bindings::logfc(
                (*self.get()).log.log,
                (*self.get()).log.prefix,
                level,
                c"%pA".as_char_ptr(),
                ptr::from_ref(&message).cast::<c_void>(),
            )
        };
    }
}

/// The hooks of contexts of the type `T`.
struct Table<T>(PhantomData<T>);

impl<T: FileSystem> Table<T> {
    const OPERATIONS: bindings::fs_context_operations = bindings::fs_context_operations {
        free: Some(free::<T>),
        parse_param: Some(parse_param::<T>),
        get_tree: Some(get_tree::<T>),
        reconfigure: Some(reconfigure::<T>),
        ..pin_init::zeroed()
    };
}

/// The file system's part of a context.
///
/// # Safety
///
/// `init_fs_context` of `T` succeeded on `fc`, and nobody else uses it during `'a`.
unsafe fn private<'a, T: FileSystem>(fc: *mut bindings::fs_context) -> &'a mut T::Context {
    // SAFETY: `init_fs_context` stored a `KBox` of this type, which `free` alone takes back.
    unsafe { &mut *(*fc).fs_private.cast::<T::Context>() }
}

/// Initialises a context.
///
/// # Safety
///
/// Called by the VFS on a new context of the type `T`.
pub(crate) unsafe extern "C" fn init_fs_context<T: FileSystem>(
    fc: *mut kernel::bindings::fs_context,
) -> c_int {
    let fc = fc.cast::<bindings::fs_context>();
    from_result(|| {
        // SAFETY: By the safety requirements.
        let context = T::init_context(&unsafe { FsContext::from_raw(fc) })?;
        let context = KBox::new(context, GFP_KERNEL)?;
        // SAFETY: By the safety requirements.
        unsafe {
            (*fc).fs_private = KBox::into_raw(context).cast();
            (*fc).ops = &Table::<T>::OPERATIONS;
        }
        Ok(0)
    })
}

/// Frees the file system's part of a context.
///
/// # Safety
///
/// Called by the VFS as the last hook of a context of the type `T`.
unsafe extern "C" fn free<T: FileSystem>(fc: *mut bindings::fs_context) {
    // SAFETY: `init_fs_context` stored a `KBox` of this type, and this is the last use.
    drop(unsafe { KBox::<T::Context>::from_raw((*fc).fs_private.cast()) });
}

/// Parses a parameter.
///
/// # Safety
///
/// Called by the VFS with a context of the type `T` and a parameter.
unsafe extern "C" fn parse_param<T: FileSystem>(
    fc: *mut bindings::fs_context,
    param: *mut bindings::fs_parameter,
) -> c_int {
    from_result(|| {
        let mut result = bindings::fs_parse_result::default();
        let specs = T::PARAMETERS.as_ptr().cast::<bindings::fs_parameter_spec>();
        // SAFETY: All arguments are valid, and the list of parameters is terminated (checked at
        // compile time in `Registration::new`).
        let opt = unsafe { bindings::__fs_parse(&raw mut (*fc).log, specs, param, &mut result) };
        to_result(opt.min(0))?;
        // CAST: Not negative, and an `u8` in the table.
        let kind = opt as u8 >> KIND_SHIFT;
        let parameter = Parameter {
            opt: opt & ((1 << KIND_SHIFT) - 1),
            negated: result.negated,
            value: match kind {
                // SAFETY: The parser of this kind sets this member.
                KIND_U32 => ParamValue::U32(unsafe { *result.__bindgen_anon_1.uint_32.as_ref() }),
                // SAFETY: The parser of this kind accepts only parameters with a terminated text,
                // which lives as long as the parameter.
                KIND_STRING => ParamValue::String(unsafe {
                    CStr::from_char_ptr((*param).__bindgen_anon_1.string)
                }),
                _ => ParamValue::Flag,
            },
        };
        // SAFETY: By the safety requirements.
        let (fc, context) = unsafe { (FsContext::from_raw(fc), private::<T>(fc)) };
        T::parse_param(&fc, context, parameter)?;
        Ok(0)
    })
}

/// Makes a mount for a name that is to be mounted on.
///
/// # Safety
///
/// Called by the VFS with a path of the file system `T`, which it keeps.
pub(crate) unsafe extern "C" fn d_automount<T: FileSystem>(
    path: *mut bindings::path,
) -> *mut bindings::vfsmount {
    let mount = || {
        // SAFETY: By the safety requirements. A context is used by its maker alone.
        unsafe {
            let dentry = (*path).dentry;
            let fc = from_err_ptr(bindings::fs_context_for_submount(
                (*(*dentry).d_sb).s_type,
                dentry,
            ))?;
            let fc = ScopeGuard::new_with_data(fc, |fc| bindings::put_fs_context(fc));
            T::automount(Dentry::from_raw(dentry), private::<T>(*fc))?;
            from_err_ptr(bindings::fc_mount((*fc).cast()))
        }
    };
    mount().unwrap_or_else(Error::to_ptr)
}

/// Finds or makes the superblock, and its root.
///
/// # Safety
///
/// Called by the VFS with a context of the type `T`.
unsafe extern "C" fn get_tree<T: FileSystem>(fc: *mut bindings::fs_context) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let (context, private) = unsafe { (FsContext::from_raw(fc), private::<T>(fc)) };
        let candidate = T::make_super(&context, private)?;
        // SAFETY: By the safety requirements. `sget_fc` moves the candidate to a new superblock.
        let result = unsafe {
            (*fc).s_fs_info = Arc::into_raw(candidate).cast_mut().cast();
            match context.is_on_device() {
                true => to_result(bindings::get_tree_bdev(fc, Some(fill_on_device::<T>))),
                false => get_tree_anon::<T>(fc),
            }
        };
        // SAFETY: By the safety requirements.
        let left = unsafe { ptr::replace(&raw mut (*fc).s_fs_info, ptr::null_mut()) };
        if !left.is_null() {
            // SAFETY: Set above, and no superblock took it.
            T::kill_super(&unsafe { Arc::<T::Super>::from_raw(left.cast()) });
        }
        result.map(|()| 0)
    })
}

/// Finds a superblock that lies on no device, or makes one with the data of the candidate.
///
/// # Safety
///
/// `fc` is a context of the type `T`, used by this thread alone, with a candidate.
unsafe fn get_tree_anon<T: FileSystem>(fc: *mut bindings::fs_context) -> Result {
    // SAFETY: By the safety requirements.
    let sb = from_err_ptr(unsafe {
        bindings::sget_fc(
            fc.cast(),
            Some(test_super::<T>),
            Some(bindings::set_anon_super_fc),
        )
    })?;
    let dead = ScopeGuard::new(|| {
        // SAFETY: `sget_fc` returned a locked, referenced superblock.
        unsafe { bindings::deactivate_locked_super(sb) }
    });
    // SAFETY: `sb` is locked. A superblock without a root is a new one, with the candidate.
    unsafe {
        if (*sb).s_root.is_null() {
            fill::<T>(sb, fc)?;
        }
    }
    dead.dismiss();
    // SAFETY: The root exists now; the caller gets the lock and the reference of `sb`.
    unsafe { (*fc).root = bindings::dget((*sb).s_root) };
    Ok(())
}

/// Makes a superblock ready that has its device.
///
/// # Safety
///
/// Called by `get_tree_bdev` in [`get_tree`].
unsafe extern "C" fn fill_on_device<T: FileSystem>(
    sb: *mut bindings::super_block,
    fc: *mut bindings::fs_context,
) -> c_int {
    // SAFETY: A new superblock of `T`; `get_tree` has set the candidate.
    from_result(|| unsafe { fill::<T>(sb, fc) }.map(|()| 0))
}

/// Makes a superblock ready.
///
/// # Safety
///
/// `sb` is new, locked, and has the candidate of `fc`, which is a context of the type `T` that this thread alone
/// uses.
unsafe fn fill<T: FileSystem>(
    sb: *mut bindings::super_block,
    fc: *mut bindings::fs_context,
) -> Result {
    // SAFETY: By the safety requirements; a new superblock is used by its maker alone.
    unsafe { super_block::fill::<T>(sb, &FsContext::from_raw(fc), private::<T>(fc)) }
}

/// Compares a superblock with the candidate, under `sb_lock`.
///
/// # Safety
///
/// Called by `sget_fc` in [`get_tree_anon`].
unsafe extern "C" fn test_super<T: FileSystem>(
    sb: *mut bindings::super_block,
    fc: *mut kernel::bindings::fs_context,
) -> c_int {
    let fc = fc.cast::<bindings::fs_context>();
    // SAFETY: The data of a superblock is set before it can be found, and stays until `sget_fc`
    // skips it.
    let existing = unsafe { SuperBlock::<T>::from_raw(sb) };
    // SAFETY: `get_tree` has set the candidate.
    let candidate = unsafe { &*(*fc).s_fs_info.cast::<T::Super>() };
    T::same_super(existing.data(), candidate).into()
}

/// Changes the parameters of a superblock.
///
/// # Safety
///
/// Called by the VFS with a context of the type `T` for reconfiguration.
unsafe extern "C" fn reconfigure<T: FileSystem>(fc: *mut bindings::fs_context) -> c_int {
    from_result(|| {
        // SAFETY: The root of such a context is that of the superblock.
        let sb = unsafe { SuperBlock::from_raw((*(*fc).root).d_sb) };
        // SAFETY: By the safety requirements.
        let (context, private) = unsafe { (FsContext::from_raw(fc), private::<T>(fc)) };
        T::reconfigure(&context, private, sb)?;
        Ok(0)
    })
}
