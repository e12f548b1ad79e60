// SPDX-License-Identifier: GPL-2.0

//! What security modules have to say.
//!
//! C header: [`include/linux/security.h`](srctree/include/linux/security.h)

use crate::{bindings, dentry::StableName, fs::FileSystem};
use core::{ptr, slice};
use kernel::{error::to_result, prelude::*};

/// A label that a security module gives a new inode (`struct lsm_context`).
///
/// # Invariants
///
/// It has a label, and `name` is a terminated text that stays.
pub struct LsmContext {
    name: *const c_char,
    context: bindings::lsm_context,
}

impl LsmContext {
    /// The name of the extended attribute.
    pub fn name(&self) -> &[u8] {
        // SAFETY: By the type invariant.
        unsafe { CStr::from_char_ptr(self.name) }.to_bytes()
    }

    /// The label.
    pub fn context(&self) -> &[u8] {
        // SAFETY: By the type invariant; the module keeps the label until it is released.
        unsafe { slice::from_raw_parts(self.context.context.cast(), self.context.len as usize) }
    }
}

impl Drop for LsmContext {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, and nobody uses it afterwards.
        unsafe { bindings::call_security_release_secctx(&mut self.context) };
    }
}

/// The label that a node gets which is made under this name, with this mode; `None` where no security
/// module gives one. May sleep.
///
/// # Errors
///
/// Those of the security modules: the node must not be made.
pub fn security_dentry_init_security<T: FileSystem>(
    name: &StableName<'_, T>,
    mode: u16,
) -> Result<Option<LsmContext>> {
    let mut label = LsmContext {
        name: ptr::null(),
        context: bindings::lsm_context::default(),
    };
    let dentry = name.dentry().as_ptr();
    // SAFETY: The dentry is valid, and its name stays, by the invariant of `StableName`. Names of
    // attributes are constants of the modules.
    let result = to_result(unsafe {
        bindings::call_security_dentry_init_security(
            dentry,
            mode.into(),
            &raw const (*dentry).__bindgen_anon_1.d_name,
            &mut label.name,
            &mut label.context,
        )
    });
    // INVARIANT: It has a label, and hence a name, if it is returned; one without is not released either.
    let has_label = label.context.len > 0 && !label.name.is_null();
    let label = match has_label {
        true => Some(label),
        false => {
            core::mem::forget(label);
            None
        }
    };
    match result {
        Err(EOPNOTSUPP) | Ok(()) => Ok(label),
        Err(error) => Err(error),
    }
}
