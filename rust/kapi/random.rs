// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::bindings;

/// Random words, fit for secrets. Any context.
pub fn words<const N: usize>() -> [u32; N] {
    let mut words = [0; N];
    // SAFETY: The array has that many bytes, of which all values are valid.
    unsafe { bindings::get_random_bytes(words.as_mut_ptr().cast(), size_of_val(&words)) };
    words
}
