// SPDX-License-Identifier: GPL-2.0

//! Beginning and end of a connection.

use rfuse_proto::flags::InitFlags;
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{InitIn, InitOut, KERNEL_MINOR_VERSION, KERNEL_VERSION};

use super::{bytes, Body, Server};
use crate::request::Request;

/// The largest WRITE in bytes, which also bounds pages.
const MAX_WRITE: u32 = 1 << 20;

impl Server {
    pub(super) fn init(&mut self, request: &Request<'_>) -> Body {
        let (offer, _) = request.input::<InitIn>()?;
        if offer.major != KERNEL_VERSION {
            return Err(Errno::EIO);
        }
        self.settle();
        let flags = InitFlags::from_wire(offer.flags, offer.flags2) & self.settings.flags;
        let (flags, flags2) = flags.to_wire();
        Ok(bytes(&InitOut {
            major: KERNEL_VERSION,
            minor: KERNEL_MINOR_VERSION,
            max_readahead: offer.max_readahead,
            flags,
            flags2,
            max_write: MAX_WRITE,
            max_pages: (MAX_WRITE / 4096) as u16,
            time_gran: 1,
            ..InitOut::default()
        }))
    }

    pub(super) fn destroy(&mut self) -> Body {
        self.complaints.unreleased += self.handles.len() as u64;
        self.handles.clear();
        self.destroyed = true;
        Ok(Vec::new())
    }

    /// Ends what was before. Forgets travel on a queue of their own and may come behind DESTROY, but
    /// not behind the next INIT.
    fn settle(&mut self) {
        if self.destroyed {
            self.complaints.unforgotten += self.lookups.values().sum::<u64>();
        }
        self.destroyed = false;
        self.lookups.clear();
        self.handles.clear();
    }
}
