// SPDX-License-Identifier: GPL-2.0

//! Names and the lookups that are counted for them.

use rfuse_proto::flags::InitFlags;
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{BatchForgetIn, EntryOut, ForgetIn, ForgetOne, Opcode, ROOT_ID};
use zerocopy::FromBytes;

use super::{bytes, Body, Server};
use crate::request::{errno, name, Request};
use crate::tree::Kind;

impl Server {
    pub(super) fn lookup(&mut self, request: &Request<'_>) -> Body {
        let ino = match name(request.body)? {
            b"." | b".." if !self.flags.contains(InitFlags::EXPORT_SUPPORT) => {
                self.complaints.dots += 1;
                return Err(errno(libc::EINVAL));
            }
            b"." => self.found_again(request.nodeid())?,
            b".." => self.dir(request.nodeid())?.parent,
            name => self
                .dir(request.nodeid())?
                .find(name)
                .ok_or(Errno::ENOENT)?,
        };
        Ok(bytes(&self.entry(ino)?))
    }

    /// A node by its number alone: one that has a name, or is open.
    fn found_again(&self, nodeid: u64) -> Result<u64, Errno> {
        let node = self.node(nodeid)?;
        let is_open = self.handles.values().any(|open| *open == nodeid);
        match node.is_nameless() && !is_open {
            true => Err(errno(libc::ESTALE)),
            false => Ok(nodeid),
        }
    }

    /// The answer that a lookup of this node has; counts the lookup.
    pub(super) fn entry(&mut self, nodeid: u64) -> Result<EntryOut, Errno> {
        let (attr, generation) = (self.attr(nodeid)?, self.node(nodeid)?.generation);
        // No client gives the root back, which `..` may lead to.
        if nodeid != ROOT_ID {
            *self.lookups.entry(nodeid).or_default() += 1;
        }
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
            Some(left) => {
                *counted = left;
                let is_early = left == 0 && self.busy.names_node(nodeid);
                self.complaints.early_forgets += u64::from(is_early);
            }
            None => self.complaints.forgets += 1,
        }
        self.reap(nodeid);
    }
}
