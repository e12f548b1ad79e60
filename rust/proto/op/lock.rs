// SPDX-License-Identifier: GPL-2.0

//! Locks on files that the server keeps.

use super::{Named, Operation, Optional, ReplyFault, Undo};
use crate::wire::{FileLock, LkIn, LkOut, Opcode};

/// `F_RDLCK`: shared.
pub const F_RDLCK: u32 = 0;
/// `F_WRLCK`: exclusive.
pub const F_WRLCK: u32 = 1;
/// `F_UNLCK`: none.
pub const F_UNLCK: u32 = 2;

/// A lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// First byte.
    pub start: u64,
    /// Last byte; `i64::MAX` for the end of the file, wherever it is.
    pub end: u64,
    /// [`F_RDLCK`], [`F_WRLCK`] or [`F_UNLCK`].
    pub kind: u32,
    /// The process that has it; 0 if it is none of this system.
    pub pid: u32,
}

/// A lock as a request names it.
#[derive(Clone, Copy, Debug)]
pub struct LockRequest {
    /// The node.
    pub nodeid: u64,
    /// The handle.
    pub fh: u64,
    /// Who locks.
    pub owner: u64,
    /// The lock.
    pub lock: Lock,
    /// `LK_FLOCK` or 0.
    pub flags: u32,
}

impl LockRequest {
    /// What gives the lock of a request up, by its body.
    pub fn unlock(nodeid: u64, body: &LkIn) -> Self {
        Self {
            nodeid,
            fh: body.fh,
            owner: body.owner,
            lock: Lock {
                start: body.lk.start,
                end: body.lk.end,
                kind: F_UNLCK,
                pid: 0,
            },
            flags: body.lk_flags,
        }
    }

    fn named(&self) -> [Named; 2] {
        Named::open(self.nodeid, self.fh).alone()
    }

    fn body(&self) -> LkIn {
        LkIn {
            fh: self.fh,
            owner: self.owner,
            lk: FileLock {
                start: self.lock.start,
                end: self.lock.end,
                type_: self.lock.kind,
                pid: self.lock.pid,
            },
            lk_flags: self.flags,
            padding: 0,
        }
    }
}

/// GETLK: asks for a lock that is in the way.
#[derive(Clone, Copy, Debug)]
pub struct Getlk(pub LockRequest);

impl Operation for Getlk {
    const OPCODE: Opcode = Opcode::Getlk;
    const OPTIONAL: Option<Optional> = Some(Optional::Lock);
    type In = LkIn;
    type Out = LkOut;
    /// The lock in the way, or one of kind [`F_UNLCK`].
    type Reply = Lock;

    fn nodeid(&self) -> u64 {
        self.0.nodeid
    }

    fn named(&self) -> [Named; 2] {
        self.0.named()
    }

    fn body(&self) -> LkIn {
        self.0.body()
    }

    fn reply(&self, out: LkOut, _tail: usize) -> Result<Lock, ReplyFault> {
        let lk = out.lk;
        let last = i64::MAX.unsigned_abs();
        let has_range = lk.start <= lk.end && lk.start <= last && lk.end <= last;
        match lk.type_ {
            F_UNLCK => {}
            F_RDLCK | F_WRLCK if has_range => {}
            _ => return Err(ReplyFault::Lock),
        }
        Ok(Lock {
            start: lk.start,
            end: lk.end,
            kind: lk.type_,
            pid: lk.pid,
        })
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(pub LockRequest);

        impl Operation for $name {
            const OPCODE: Opcode = Opcode::$name;
            const OPTIONAL: Option<Optional> = Some(Optional::Lock);
            type In = LkIn;
            type Out = ();
            type Reply = ();

            fn nodeid(&self) -> u64 {
                self.0.nodeid
            }

            fn named(&self) -> [Named; 2] {
                self.0.named()
            }

            fn body(&self) -> LkIn {
                self.0.body()
            }

            fn reply(&self, (): (), _tail: usize) -> Result<(), ReplyFault> {
                Ok(())
            }

            fn undo(_out: &[u8]) -> Undo {
                Undo::Unlock
            }
        }
    )+};
}

setters! {
    /// SETLK: locks or unlocks, at once or not at all.
    Setlk;

    /// SETLKW: locks, as soon as nothing is in the way.
    Setlkw;
}
