// SPDX-License-Identifier: GPL-2.0

//! Extended attributes.

use rfuse_proto::wire::{GetxattrIn, GetxattrOut};

use super::{bytes, Body, Server};
use crate::request::{errno, name, Request};

impl Server {
    pub(super) fn getxattr(&self, request: &Request<'_>) -> Body {
        let (asked, rest) = request.input::<GetxattrIn>()?;
        let wanted = name(rest)?;
        let xattrs = &self.node(request.nodeid())?.xattrs;
        match xattrs.iter().find(|(name, _)| name == wanted) {
            Some((_, value)) => sized(asked.size, value.clone()),
            None => Err(errno(libc::ENODATA)),
        }
    }

    pub(super) fn listxattr(&self, request: &Request<'_>) -> Body {
        let (asked, _) = request.input::<GetxattrIn>()?;
        let xattrs = &self.node(request.nodeid())?.xattrs;
        let names = xattrs
            .iter()
            .flat_map(|(name, _)| [name.as_slice(), b"\0"].concat());
        sized(asked.size, names.collect())
    }
}

/// The value, or its length if there is no room for any.
fn sized(room: u32, value: Vec<u8>) -> Body {
    let size = u32::try_from(value.len()).map_err(|_| errno(libc::E2BIG))?;
    match room {
        0 => Ok(bytes(&GetxattrOut { size, padding: 0 })),
        _ if room < size => Err(errno(libc::ERANGE)),
        _ => Ok(value),
    }
}
