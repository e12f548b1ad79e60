// SPDX-License-Identifier: GPL-2.0

//! See [`rfuse_proto_fuzz::direntplus`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rfuse_proto_fuzz::direntplus::run(data));
