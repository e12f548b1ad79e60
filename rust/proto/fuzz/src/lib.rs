// SPDX-License-Identifier: GPL-2.0

//! What the fuzz targets do with their input: each hands it to one parser of [`rfuse_proto`], as the
//! kernel module does, and compares the result with a model of its own, byte by byte from the UAPI
//! header. A difference panics, which is a finding.
//!
//! The models index, slice and add as they like: they may panic, the parsers may not.

pub mod attributes;
pub mod bytes;
pub mod direntplus;
pub mod dirents;
pub mod forget;
pub mod init;
pub mod listing;
pub mod notify;
pub mod reply;
pub mod request;
pub mod seeds;

/// What a target does with its input.
pub type Run = fn(&[u8]);

/// All targets.
pub const TARGETS: [(&str, Run); 7] = [
    ("reply", reply::run),
    ("dirents", dirents::run),
    ("direntplus", direntplus::run),
    ("init", init::run),
    ("forget", forget::run),
    ("notify", notify::run),
    ("request", request::run),
];

/// What the fuzzer's bytes mean to a target; too few of them count as zeros.
fn input<'a, T: arbitrary::Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(arbitrary::Unstructured::new(data)).ok()
}

/// A fault as the log has it: one line that says something.
fn assert_told(fault: &impl std::fmt::Display) {
    let text = fault.to_string();
    assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
}

#[cfg(test)]
mod tests;
