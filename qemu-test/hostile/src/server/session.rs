// SPDX-License-Identifier: GPL-2.0

//! Beginning and end of a connection.

use rfuse_proto::flags::InitFlags;
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{InitIn, InitOut, KERNEL_MINOR_VERSION, KERNEL_VERSION};

use super::{bytes, Body, Server};
use crate::request::Request;

impl Server {
    pub(super) fn init(&mut self, request: &Request<'_>) -> Body {
        let (offer, _) = request.input::<InitIn>()?;
        if offer.major != KERNEL_VERSION {
            return Err(Errno::EIO);
        }
        self.settle();
        let writeback = match self.settings.writeback.holds(self.inits) {
            true => InitFlags::WRITEBACK_CACHE,
            false => InitFlags::NONE,
        };
        self.inits += 1;
        let known = self.settings.flags | writeback | self.settings.features.flags();
        self.flags = InitFlags::from_wire(offer.flags, offer.flags2) & known;
        let (flags, flags2) = self.flags.to_wire();
        Ok(bytes(&InitOut {
            major: KERNEL_VERSION,
            minor: KERNEL_MINOR_VERSION,
            max_readahead: offer.max_readahead,
            flags,
            flags2,
            max_write: self.settings.max_write,
            max_pages: (self.settings.max_write / 4096).max(1) as u16,
            time_gran: 1,
            ..InitOut::default()
        }))
    }

    pub(super) fn destroy(&mut self) -> Body {
        self.complaints.unreleased += self.handles.len() as u64;
        self.complaints.locks_left += self.locks.held();
        self.drop_locks();
        self.handles.clear();
        self.busy.clear();
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
        self.drop_locks();
        self.lookups.clear();
        self.handles.clear();
        for nodeid in self.tree.nameless() {
            self.tree.discard(nodeid);
        }
    }
}
