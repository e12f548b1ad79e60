// SPDX-License-Identifier: GPL-2.0

//! The wire types against the UAPI header, at compile time: sizes, and the offset of every field.

use crate::bindings;
use core::mem::{offset_of, size_of};

macro_rules! check {
    ($($rust:ident = $c:ident, $size:literal { $($field:ident),* $(,)? };)+) => {
        $(const _: () = {
            assert!(size_of::<bindings::$c>() == $size);
            assert!(size_of::<rfuse_proto::wire::$rust>() == $size);
            $(assert!(
                offset_of!(rfuse_proto::wire::$rust, $field) == offset_of!(bindings::$c, $field)
            );)*
        };)+
    };
}

rfuse_proto::wire_layout!(check);
