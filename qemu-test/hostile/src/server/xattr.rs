// SPDX-License-Identifier: GPL-2.0

//! Extended attributes.

use rfuse_proto::flags::InitFlags;
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{GetxattrIn, GetxattrOut, SetxattrIn, COMPAT_SETXATTR_IN_SIZE};

use super::{bytes, Body, Server};
use crate::request::{errno, name, Request};

/// What the names and values of a node may have in bytes.
const MOST: usize = 128 << 10;

const CREATE: u32 = 1;
const REPLACE: u32 = 2;

impl Server {
    pub(super) fn setxattr(&mut self, request: &Request<'_>) -> Body {
        let (wanted, rest) = self.setxattr_in(request)?;
        let end = rest.iter().position(|byte| *byte == 0);
        let (name_part, value) = rest.split_at(end.map_or(0, |end| end + 1));
        let name = name(name_part)?;
        if value.len() != wanted.size as usize {
            return Err(errno(libc::EINVAL));
        }
        let node = self.writable(request.nodeid())?;
        let at = node.xattrs.iter().position(|(there, _)| there == name);
        let used: usize = node
            .xattrs
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        match at {
            Some(_) if wanted.flags & CREATE != 0 => return Err(errno(libc::EEXIST)),
            None if wanted.flags & REPLACE != 0 => return Err(errno(libc::ENODATA)),
            _ if used + name.len() + value.len() > MOST => return Err(errno(libc::ENOSPC)),
            Some(at) => node.xattrs[at].1 = value.to_vec(),
            None => node.xattrs.push((name.to_vec(), value.to_vec())),
        }
        self.changed(request.nodeid());
        Ok(Vec::new())
    }

    /// The fixed body, of the length that was settled, and what follows it.
    fn setxattr_in<'a>(&self, request: &Request<'a>) -> Result<(SetxattrIn, &'a [u8]), Errno> {
        if self.flags.contains(InitFlags::SETXATTR_EXT) {
            return request.input();
        }
        let ([size, flags], rest) = request.input::<[u32; COMPAT_SETXATTR_IN_SIZE / 4]>()?;
        let wanted = SetxattrIn {
            size,
            flags,
            ..SetxattrIn::default()
        };
        Ok((wanted, rest))
    }

    pub(super) fn removexattr(&mut self, request: &Request<'_>) -> Body {
        let wanted = name(request.body)?;
        let node = self.writable(request.nodeid())?;
        let at = node.xattrs.iter().position(|(name, _)| name == wanted);
        node.xattrs.remove(at.ok_or(errno(libc::ENODATA))?);
        self.changed(request.nodeid());
        Ok(Vec::new())
    }

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
