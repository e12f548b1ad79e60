// SPDX-License-Identifier: GPL-2.0

//! See [`rfuse_proto_fuzz::notify`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rfuse_proto_fuzz::notify::run(data));
