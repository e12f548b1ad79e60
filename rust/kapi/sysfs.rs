// SPDX-License-Identifier: GPL-2.0

//! Folders below `/sys/fs`: one for a driver, with one for each of its devices and those that other file systems are
//! mounted on.
//!
//! C headers: [`include/linux/kobject.h`](srctree/include/linux/kobject.h),
//! [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)

use crate::bindings;
use core::{marker::PhantomData, pin::Pin, ptr, ptr::NonNull, slice};
use kernel::{
    container_of,
    error::to_result,
    fmt::{self, Write},
    page::PAGE_SIZE,
    prelude::*,
    str::as_char_ptr_in_const_context,
    sync::Arc,
    types::Opaque,
};

/// A file of an object.
#[repr(C)]
pub struct SysFile<T: ?Sized> {
    attribute: bindings::attribute,
    show: fn(&T, &mut Page<'_>) -> fmt::Result,
}

// SAFETY: The attribute's name is a static text, and nothing is written.
unsafe impl<T: ?Sized> Sync for SysFile<T> {}

impl<T: ?Sized> SysFile<T> {
    /// A file that everybody may read. `show` writes what it tells; it may sleep.
    // With lockdep there are more fields.
    #[allow(clippy::needless_update)]
    pub const fn new(name: &'static CStr, show: fn(&T, &mut Page<'_>) -> fmt::Result) -> Self {
        Self {
            attribute: bindings::attribute {
                name: as_char_ptr_in_const_context(name),
                mode: 0o444,
                ..pin_init::zeroed()
            },
            show,
        }
    }
}

/// What has a folder of its own.
pub trait Shown: Send + Sync + 'static {
    /// Its files.
    const FILES: &'static [SysFile<Self>];

    /// What events tell of it: a variable's name, and its value.
    fn variable(&self) -> (&'static CStr, &CStr);
}

/// The page that a file is read into. What does not fit is an error.
pub struct Page<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Page<'_> {
    /// Appends bytes as they are.
    ///
    /// # Errors
    ///
    /// They do not fit.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        let end = self.len.checked_add(bytes.len()).ok_or(fmt::Error)?;
        let place = self.room.get_mut(self.len..end).ok_or(fmt::Error)?;
        place.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }
}

impl Write for Page<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_bytes(text.as_bytes())
    }
}

/// A folder of `/sys/fs`, for objects of `T`.
///
/// # Invariants
///
/// The set is registered, and ours.
pub struct Kset<T>(NonNull<bindings::kset>, PhantomData<fn() -> T>);

// SAFETY: Sets are used from any thread.
unsafe impl<T> Send for Kset<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for Kset<T> {}

impl<T: Shown> Kset<T> {
    const EVENTS: bindings::kset_uevent_ops = bindings::kset_uevent_ops {
        uevent: Some(uevent::<T>),
        ..pin_init::zeroed()
    };

    /// Makes `/sys/fs/NAME`. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also for a name that is taken.
    pub fn new(name: &'static CStr) -> Result<Arc<Self>> {
        // SAFETY: The parent is always there; the name and the table are static.
        let kset = unsafe {
            bindings::kset_create_and_add(name.as_char_ptr(), &Self::EVENTS, bindings::fs_kobj)
        };
        // INVARIANT: Just made.
        let this = Self(NonNull::new(kset).ok_or(ENOMEM)?, PhantomData);
        Ok(Arc::new(this, GFP_KERNEL)?)
    }

    fn kobj(&self) -> *mut bindings::kobject {
        // SAFETY: By the type invariant.
        unsafe { &raw mut (*self.0.as_ptr()).kobj }
    }
}

impl<T> Drop for Kset<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. Objects and mount points hold the set, so there are none.
        unsafe { bindings::kset_unregister(self.0.as_ptr()) };
    }
}

/// A folder in that of a set, for another file system to be mounted on.
pub struct MountPoint<T> {
    set: Arc<Kset<T>>,
    name: &'static CStr,
}

impl<T: Shown> MountPoint<T> {
    /// Makes it. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EEXIST`.
    pub fn new(set: &Arc<Kset<T>>, name: &'static CStr) -> Result<Self> {
        // SAFETY: The set is registered.
        to_result(unsafe { bindings::sysfs_create_mount_point(set.kobj(), name.as_char_ptr()) })?;
        let set = set.clone();
        Ok(Self { set, name })
    }
}

impl<T> Drop for MountPoint<T> {
    fn drop(&mut self) {
        // SAFETY: It was made in `new`.
        unsafe {
            let folder = &raw mut (*self.set.0.as_ptr()).kobj;
            bindings::sysfs_remove_mount_point(folder, self.name.as_char_ptr());
        }
    }
}

/// The C part of an object, and what it shows.
#[pin_data]
struct Body<T> {
    #[pin]
    kobj: Opaque<bindings::kobject>,
    it: Arc<T>,
}

/// A folder of a set, as long as this lives.
///
/// # Invariants
///
/// The body is initialised and added, with a reference that is ours.
pub struct Object<T: Shown> {
    body: NonNull<Body<T>>,
    /// Dropped last.
    _set: Arc<Kset<T>>,
}

// SAFETY: Objects are used from any thread.
unsafe impl<T: Shown> Send for Object<T> {}
// SAFETY: As above.
unsafe impl<T: Shown> Sync for Object<T> {}

impl<T: Shown> Object<T> {
    const TYPE: bindings::kobj_type = bindings::kobj_type {
        release: Some(release::<T>),
        sysfs_ops: &Self::OPERATIONS,
        ..pin_init::zeroed()
    };

    const OPERATIONS: bindings::sysfs_ops = bindings::sysfs_ops {
        show: Some(show::<T>),
        ..pin_init::zeroed()
    };

    /// Makes the folder `number` of `set`, and tells user space of it. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EEXIST`.
    pub fn new(set: &Arc<Kset<T>>, number: u32, it: Arc<T>) -> Result<Self> {
        let body = KBox::pin_init(pin_init!(Body { kobj <- Opaque::zeroed(), it }), GFP_KERNEL)?;
        // SAFETY: The body is not moved: it stays in its box until `release`, which the object's last reference
        // calls, also if it cannot be added.
        unsafe {
            let body = KBox::into_raw(Pin::into_inner_unchecked(body));
            let kobj = (*body).kobj.get();
            (*kobj).kset = set.0.as_ptr();
            let result = bindings::kobject_init_and_add(
                kobj,
                &Self::TYPE,
                ptr::null_mut(),
                c"%u".as_char_ptr(),
                number,
            );
            to_result(result).inspect_err(|_| bindings::kobject_put(kobj))?;
            // INVARIANT: Just added; from here on dropping it takes it away.
            let this = Self {
                body: NonNull::new_unchecked(body),
                _set: set.clone(),
            };
            for file in T::FILES {
                let ns = ptr::null();
                to_result(bindings::sysfs_create_file_ns(kobj, &file.attribute, ns))?;
            }
            bindings::kobject_uevent(kobj, bindings::kobject_action_KOBJ_ADD);
            Ok(this)
        }
    }
}

impl<T: Shown> Drop for Object<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. Nobody reads a file of it once it is deleted.
        unsafe {
            let kobj = (*self.body.as_ptr()).kobj.get();
            bindings::kobject_del(kobj);
            bindings::kobject_put(kobj);
        }
    }
}

/// The body that an object is part of.
///
/// # Safety
///
/// `kobj` is an object of [`Object`] `T`, with a reference during `'a`.
unsafe fn body<'a, T>(kobj: *const bindings::kobject) -> &'a Body<T> {
    // SAFETY: By the safety requirements.
    unsafe { &*container_of!(kobj.cast::<Opaque<bindings::kobject>>(), Body<T>, kobj) }
}

/// Frees an object.
///
/// # Safety
///
/// Called for an object of [`Object`] `T` at its last reference.
unsafe extern "C" fn release<T: Shown>(kobj: *mut bindings::kobject) {
    // SAFETY: By the safety requirements; `Object::new` made it with a box.
    drop(unsafe { KBox::from_raw(ptr::from_ref(body::<T>(kobj)).cast_mut()) });
}

/// Reads a file.
///
/// # Safety
///
/// Called by sysfs with a file of an object of [`Object`] `T`, and a page to fill.
unsafe extern "C" fn show<T: Shown>(
    kobj: *mut bindings::kobject,
    attribute: *mut bindings::attribute,
    buffer: *mut c_char,
) -> isize {
    // SAFETY: By the safety requirements; all files are of `T::FILES`, where the attribute comes first.
    let (body, file, room) = unsafe {
        (
            body::<T>(kobj),
            &*attribute.cast_const().cast::<SysFile<T>>(),
            slice::from_raw_parts_mut(buffer.cast(), PAGE_SIZE),
        )
    };
    let mut page = Page { room, len: 0 };
    match (file.show)(&body.it, &mut page) {
        // CAST: At most a page.
        Ok(()) => page.len as isize,
        // CAST: An error number.
        Err(_) => EOVERFLOW.to_errno() as isize,
    }
}

/// Adds the variable of an object to an event.
///
/// # Safety
///
/// Called for an object in the set, which all are [`Object`]s of `T`.
unsafe extern "C" fn uevent<T: Shown>(
    kobj: *const bindings::kobject,
    env: *mut bindings::kobj_uevent_env,
) -> c_int {
    // SAFETY: By the safety requirements.
    unsafe {
        let (name, value) = body::<T>(kobj).it.variable();
        let format = c"%s=%s".as_char_ptr();
        bindings::add_uevent_var(env, format, name.as_char_ptr(), value.as_char_ptr())
    }
}
