// SPDX-License-Identifier: GPL-2.0

//! Log lines that others may cause.
//!
//! C interface: `include/linux/ratelimit.h`.

use crate::bindings;
use kernel::{fmt, prelude::*};

/// Writes an error to the kernel log, unless there were too many lately. The message gets a prefix
/// and a line end. Any context.
pub fn err_ratelimited(message: fmt::Arguments<'_>) {
    // SAFETY: No requirements; the state is the helper's own.
    if unsafe { bindings::ratelimit() } {
        pr_err!("{}\n", message);
    }
}
