// SPDX-License-Identifier: GPL-2.0

//! What requests name that are not answered yet: a client must not give that up before.

use std::collections::HashMap;

use rfuse_proto::flags::{FATTR_FH, GETATTR_FH};
use rfuse_proto::op::Named;
use rfuse_proto::wire::{CopyFileRangeIn, GetattrIn, LinkIn, Opcode, RenameIn, SetattrIn, StatxIn};
use zerocopy::FromBytes;

use crate::request::Request;

/// Requests that are not answered yet, by number.
#[derive(Debug, Default)]
pub struct Busy {
    open: HashMap<u64, [Named; 2]>,
}

impl Busy {
    /// A request is not answered at once.
    pub fn begin(&mut self, request: &Request<'_>) {
        self.open.insert(request.header.unique, named(request));
    }

    /// The request with that number is about to be answered.
    pub fn end(&mut self, unique: u64) {
        self.open.remove(&unique);
    }

    /// Nothing is open.
    pub fn clear(&mut self) {
        self.open.clear();
    }

    /// Whether an open request names this handle.
    pub fn names_handle(&self, nodeid: u64, fh: u64) -> bool {
        self.names(|named| *named == Named::open(nodeid, fh))
    }

    /// Whether an open request names this node.
    pub fn names_node(&self, nodeid: u64) -> bool {
        self.names(|named| named.nodeid == nodeid)
    }

    fn names(&self, is_it: impl Fn(&Named) -> bool) -> bool {
        self.open.values().flatten().any(is_it)
    }
}

fn body<T: FromBytes>(request: &Request<'_>) -> Option<T> {
    request.input().ok().map(|(body, _)| body)
}

/// The handle at the head of most bodies that have one.
fn first(request: &Request<'_>) -> Option<u64> {
    body(request)
}

fn handle(request: &Request<'_>) -> Option<u64> {
    match request.opcode {
        Opcode::Read | Opcode::Readdir | Opcode::Readdirplus | Opcode::Write => first(request),
        Opcode::Flush | Opcode::Fsync | Opcode::Fsyncdir | Opcode::Lseek => first(request),
        Opcode::Fallocate | Opcode::Ioctl | Opcode::Poll => first(request),
        Opcode::Getlk | Opcode::Setlk | Opcode::Setlkw => first(request),
        Opcode::Getattr => body::<GetattrIn>(request)
            .filter(|it| it.getattr_flags & GETATTR_FH != 0)
            .map(|it| it.fh),
        Opcode::Statx => body::<StatxIn>(request)
            .filter(|it| it.getattr_flags & GETATTR_FH != 0)
            .map(|it| it.fh),
        Opcode::Setattr => body::<SetattrIn>(request)
            .filter(|it| it.valid & FATTR_FH != 0)
            .map(|it| it.fh),
        Opcode::CopyFileRange | Opcode::CopyFileRange64 => {
            body::<CopyFileRangeIn>(request).map(|it| it.fh_in)
        }
        _ => None,
    }
}

/// What is named beside the node of the head.
fn second(request: &Request<'_>) -> Named {
    let named = match request.opcode {
        Opcode::CopyFileRange | Opcode::CopyFileRange64 => {
            body::<CopyFileRangeIn>(request).map(|it| Named::open(it.nodeid_out, it.fh_out))
        }
        Opcode::Rename | Opcode::Rename2 => {
            body::<RenameIn>(request).map(|it| Named::node(it.newdir))
        }
        Opcode::Link => body::<LinkIn>(request).map(|it| Named::node(it.oldnodeid)),
        _ => None,
    };
    named.unwrap_or_default()
}

fn named(request: &Request<'_>) -> [Named; 2] {
    match request.opcode {
        // Their node may be forgotten: forgets travel on a queue of their own.
        Opcode::Release | Opcode::Releasedir => <[Named; 2]>::default(),
        // They have no answer; that they were taken may be told late.
        Opcode::Forget | Opcode::BatchForget | Opcode::Interrupt => <[Named; 2]>::default(),
        _ => {
            let (nodeid, fh) = (request.nodeid(), handle(request));
            [Named { nodeid, fh }, second(request)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rfuse_proto::op::{self, Caller, Operation, Owner};
    use rfuse_proto::wire::ForgetOne;

    fn message<O: Operation>(operation: &O) -> Vec<u8> {
        let caller = Caller {
            unique: 6,
            owner: Owner { uid: 0, gid: 0 },
            pid: 1,
        };
        let mut bytes = vec![0; op::encoded_len(operation)];
        op::encode(operation, &caller, &mut bytes).unwrap();
        bytes
    }

    /// What the client keeps, the server looks for.
    fn agrees<O: Operation>(operation: &O) {
        let bytes = message(operation);
        let request = Request::parse(&bytes, 4096).unwrap();
        assert_eq!(named(&request), operation.named(), "{}", O::OPCODE);
        let mut busy = Busy::default();
        busy.begin(&request);
        for Named { nodeid, fh } in operation.named() {
            assert!(busy.names_node(nodeid));
            assert!(fh.is_none_or(|fh| busy.names_handle(nodeid, fh) && !busy.names_handle(99, fh)));
        }
        busy.end(6);
        assert!(!busy.names_node(operation.nodeid()));
    }

    #[test]
    fn handles() {
        let (nodeid, fh, offset, size) = (7, 8, 0, 1);
        let range = op::Range {
            nodeid,
            fh,
            offset,
            size,
            flags: 0,
        };
        agrees(&op::Read(range));
        agrees(&op::Readdir(range));
        agrees(&op::Readdirplus(range));
        agrees(&op::Fsync(op::SyncTarget {
            nodeid,
            fh,
            flags: 0,
        }));
        agrees(&op::Flush {
            nodeid,
            fh,
            lock_owner: 1,
        });
        agrees(&op::Lseek {
            nodeid,
            fh,
            offset,
            whence: 3,
        });
        agrees(&op::Fallocate {
            nodeid,
            fh,
            offset,
            length: 1,
            mode: 0,
        });
        agrees(&op::Poll {
            nodeid,
            fh,
            kh: 1,
            events: 0,
            schedules: false,
        });
        agrees(&op::Ioctl {
            nodeid,
            fh,
            flags: 0,
            cmd: 1,
            arg: 0,
            data: &[],
            out_size: 0,
        });
    }

    #[test]
    fn attributes_with_a_handle_and_without() {
        for fh in [None, Some(8)] {
            agrees(&op::Getattr { nodeid: 7, fh });
            agrees(&op::Statx { nodeid: 7, fh });
            agrees(&op::Setattr {
                nodeid: 7,
                fh,
                ..op::Setattr::default()
            });
        }
    }

    #[test]
    fn two_nodes() {
        let range = op::CopyRange {
            nodeid_in: 7,
            fh_in: 8,
            off_in: 0,
            nodeid_out: 9,
            fh_out: 10,
            off_out: 0,
            len: 1,
        };
        agrees(&op::CopyFileRange(range));
        agrees(&op::CopyFileRange64(range));
        let name = |parent| op::OldName { parent, name: b"x" };
        let names = op::Move {
            from: name(7),
            to: name(9),
        };
        agrees(&op::Rename(names));
        agrees(&op::Rename2 {
            names,
            flags: 1,
            owner: None,
        });
        agrees(&op::Link {
            target: 7,
            parent: 9,
            name: b"x",
        });
        agrees(&op::Unlink(name(7)));
    }

    #[test]
    fn what_has_no_answer_keeps_nothing() {
        let (nodeid, nlookup) = (1, 1);
        let mut bytes = [0; 4096];
        let (len, _) = op::encode_forgets(&[ForgetOne { nodeid, nlookup }], 46, 2, &mut bytes);
        let request = Request::parse(&bytes[..len], 0).unwrap();
        assert_eq!(request.nodeid(), 1);
        assert_eq!(named(&request), <[Named; 2]>::default());
    }
}
