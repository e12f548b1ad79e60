// SPDX-License-Identifier: GPL-2.0

//! Locks, and those that wait for them.

use rfuse_proto::flags::{InitFlags, LK_FLOCK};
use rfuse_proto::op::{F_RDLCK, F_UNLCK, F_WRLCK};
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{FileLock, InterruptIn, LkIn, LkOut, Opcode};

use super::{bytes, Answer, Body, Server};
use crate::locks::{File, Lock, LAST};
use crate::request::{errno, Request};

/// Requests whose interruption came before them, at most: their uniques are not used again, so that
/// old ones do no harm.
const MOST_EARLY: usize = 64;

/// What a request asks for: where, and what; no lock at all for `F_UNLCK`.
struct Asked {
    file: File,
    lock: Lock,
    unlock: bool,
}

impl Server {
    /// GETLK.
    pub(super) fn getlk(&mut self, request: &Request<'_>) -> Body {
        let asked = self.lock_asked(request)?;
        let found = self.locks.conflict(asked.file, &asked.lock);
        let lk = match found {
            Some(lock) => FileLock {
                start: lock.start,
                end: lock.end,
                type_: if lock.exclusive { F_WRLCK } else { F_RDLCK },
                pid: lock.pid,
            },
            None => FileLock {
                type_: F_UNLCK,
                ..FileLock::default()
            },
        };
        Ok(bytes(&LkOut { lk }))
    }

    /// SETLK and SETLKW. `None` is an answer that comes later.
    pub(super) fn setlk(&mut self, request: &Request<'_>) -> Option<Body> {
        let Asked { file, lock, unlock } = match self.lock_asked(request) {
            Ok(asked) => asked,
            Err(error) => return Some(Err(error)),
        };
        if unlock {
            self.locks
                .drop_range(file, lock.owner, lock.start, lock.end);
            return Some(Ok(Vec::new()));
        }
        match self.locks.take(file, lock) {
            Err(_) if request.opcode == Opcode::Setlkw => self.wait_for(request, file, lock),
            done => Some(done.map(|()| Vec::new())),
        }
    }

    fn wait_for(&mut self, request: &Request<'_>, file: File, lock: Lock) -> Option<Body> {
        let unique = request.header.unique;
        if self.interrupted_early.contains(&unique) {
            return Some(Err(Errno::EINTR));
        }
        match self.locks.wait(unique, file, lock) {
            Ok(()) => None,
            Err(error) => Some(Err(error)),
        }
    }

    fn lock_asked(&mut self, request: &Request<'_>) -> Result<Asked, Errno> {
        let (asked, _) = request.input::<LkIn>()?;
        let flock = asked.lk_flags & LK_FLOCK != 0;
        let settled = match flock {
            true => InitFlags::FLOCK_LOCKS,
            false => InitFlags::POSIX_LOCKS,
        };
        if !self.flags.contains(settled) {
            return Err(Errno::ENOSYS);
        }
        self.check_handle(request.nodeid(), asked.fh);
        self.node(request.nodeid())?;
        let FileLock {
            start,
            end,
            type_,
            pid,
        } = asked.lk;
        let is_range = start <= end && end <= LAST && (!flock || (start, end) == (0, LAST));
        if !is_range || ![F_RDLCK, F_WRLCK, F_UNLCK].contains(&type_) {
            self.complaints.locks += 1;
            return Err(errno(libc::EINVAL));
        }
        let lock = Lock {
            owner: asked.owner,
            fh: asked.fh,
            start,
            end,
            exclusive: type_ == F_WRLCK,
            pid,
        };
        let file = File {
            nodeid: request.nodeid(),
            flock,
        };
        Ok(Asked {
            file,
            lock,
            unlock: type_ == F_UNLCK,
        })
    }

    /// INTERRUPT, which has no answer.
    pub(super) fn interrupt(&mut self, request: &Request<'_>) -> Answer {
        if let Ok((InterruptIn { unique }, _)) = request.input() {
            if self.locks.cancel(unique) {
                self.cancelled.push(unique);
            } else {
                self.interrupted_early.truncate(MOST_EARLY - 1);
                self.interrupted_early.push_front(unique);
            }
        }
        Answer::Nothing
    }

    /// An owner has closed a file: its locks of that kind go.
    pub(super) fn drop_owner(&mut self, nodeid: u64, flock: bool, owner: u64) {
        let file = File { nodeid, flock };
        self.locks.drop_range(file, owner, 0, LAST);
    }

    /// An open file is gone. Byte ranges that it owned itself go too: no other operation says so.
    pub(super) fn drop_ranges_of(&mut self, nodeid: u64, fh: u64) {
        let file = File {
            nodeid,
            flock: false,
        };
        self.locks.drop_handle(file, fh);
    }

    /// Requests that need not wait any more, and what they are answered.
    pub fn settled(&mut self) -> Vec<(u64, Body)> {
        let cancelled = std::mem::take(&mut self.cancelled).into_iter();
        let granted = self.locks.grant().into_iter();
        let cancelled = cancelled.map(|unique| (unique, Err(Errno::EINTR)));
        cancelled
            .chain(granted.map(|unique| (unique, Ok(Vec::new()))))
            .collect()
    }

    /// The connection ends: nobody has a lock any more, or waits for one.
    pub(super) fn drop_locks(&mut self) {
        self.cancelled.extend(self.locks.clear());
        self.interrupted_early.clear();
    }
}
