// SPDX-License-Identifier: GPL-2.0

//! Text of the kernel for user space, such as mount options.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use crate::bindings;
use core::ptr;
use kernel::prelude::*;

pub use kernel::seq_file::{seq_print, SeqFile};

/// What [`SeqFile`] of the kernel crate lacks.
pub trait SeqFileExt {
    /// Appends bytes with every character of `escaped`, and `\`, as an octal escape.
    ///
    /// Mount options use `c", \t\n\\"`.
    fn escape(&self, bytes: &[u8], escaped: &CStr);

    /// Appends bytes as they are.
    fn write(&self, bytes: &[u8]);
}

impl SeqFileExt for SeqFile {
    fn escape(&self, bytes: &[u8], escaped: &CStr) {
        // SAFETY: A `SeqFile` is a transparent wrapper of a valid `struct seq_file` used by this
        // thread alone; the other arguments are only read during the call.
        unsafe {
            bindings::seq_escape_mem(
                ptr::from_ref(self).cast_mut().cast(),
                bytes.as_ptr().cast(),
                bytes.len(),
                bindings::ESCAPE_OCTAL,
                escaped.as_char_ptr(),
            )
        };
    }

    fn write(&self, bytes: &[u8]) {
        // SAFETY: As in `escape`. An overflow is noted in the file, which is then filled anew with
        // a larger buffer.
        unsafe {
            bindings::seq_write(
                ptr::from_ref(self).cast_mut().cast(),
                bytes.as_ptr().cast(),
                bytes.len(),
            )
        };
    }
}
