// SPDX-License-Identifier: GPL-2.0

//! Names and the lookups that are counted for them.

use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{BatchForgetIn, EntryOut, ForgetIn, ForgetOne, Opcode, ROOT_ID};
use zerocopy::FromBytes;

use super::{attr, bytes, Body, Server};
use crate::request::{errno, name, Request};
use crate::tree::Kind;

impl Server {
    pub(super) fn lookup(&mut self, request: &Request<'_>) -> Body {
        let dir = self.dir(request.nodeid())?;
        let ino = match name(request.body)? {
            b"." => request.nodeid(),
            b".." => dir.parent,
            name => dir.find(name).ok_or(Errno::ENOENT)?,
        };
        Ok(bytes(&self.entry(ino)?))
    }

    /// The answer that a lookup of this node has; counts the lookup.
    pub(super) fn entry(&mut self, nodeid: u64) -> Result<EntryOut, Errno> {
        let node = self.node(nodeid)?;
        let (attr, generation) = (attr::of(node), node.generation);
        *self.lookups.entry(nodeid).or_default() += 1;
        let valid = self.settings.valid;
        Ok(EntryOut {
            nodeid,
            generation,
            entry_valid: valid.as_secs(),
            attr_valid: valid.as_secs(),
            entry_valid_nsec: valid.subsec_nanos(),
            attr_valid_nsec: valid.subsec_nanos(),
            attr,
        })
    }

    pub(super) fn readlink(&self, request: &Request<'_>) -> Body {
        match &self.node(request.nodeid())?.kind {
            Kind::Link(target) => Ok(target.clone()),
            _ => Err(errno(libc::EINVAL)),
        }
    }

    pub(super) fn forget(&mut self, request: &Request<'_>) {
        if request.opcode == Opcode::Forget {
            if let Ok((one, _)) = request.input::<ForgetIn>() {
                self.forget_one(request.nodeid(), one.nlookup);
            }
            return;
        }
        let Ok((head, mut rest)) = request.input::<BatchForgetIn>() else {
            return;
        };
        for _ in 0..head.count {
            let Ok((one, after)) = ForgetOne::read_from_prefix(rest) else {
                // A count that is higher than what follows.
                self.complaints.forgets += 1;
                return;
            };
            self.forget_one(one.nodeid, one.nlookup);
            rest = after;
        }
    }

    fn forget_one(&mut self, nodeid: u64, times: u64) {
        if nodeid == ROOT_ID {
            return;
        }
        let counted = self.lookups.entry(nodeid).or_default();
        match counted.checked_sub(times) {
            Some(left) => *counted = left,
            None => self.complaints.forgets += 1,
        }
        self.reap(nodeid);
    }
}
