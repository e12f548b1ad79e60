// SPDX-License-Identifier: GPL-2.0

//! Locks on files: byte ranges and whole files, as fcntl(2) and flock(2) describe them.
//!
//! Both kinds are ranges here; they know nothing of each other.

use std::collections::{BTreeMap, HashSet};

use rfuse_proto::reply::Errno;

use crate::request::errno;

/// The last byte that a lock can cover.
pub const LAST: u64 = i64::MAX as u64;

/// What is locked: a node, and whether by flock(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct File {
    /// Node id.
    pub nodeid: u64,
    /// Whether these are locks of whole files.
    pub flock: bool,
}

/// A lock that somebody has or wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Who.
    pub owner: u64,
    /// The handle it came with.
    pub fh: u64,
    /// First byte.
    pub start: u64,
    /// Last byte.
    pub end: u64,
    /// Whether nobody else may have one.
    pub exclusive: bool,
    /// The process that asked for it.
    pub pid: u32,
}

impl Lock {
    fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    fn conflicts(&self, other: &Self) -> bool {
        self.owner != other.owner && self.overlaps(other) && (self.exclusive || other.exclusive)
    }

    /// Whether both are one: of the same kind, and no byte is between them.
    fn continues(&self, other: &Self) -> bool {
        let near =
            self.start <= other.end.saturating_add(1) && other.start <= self.end.saturating_add(1);
        self.owner == other.owner && self.exclusive == other.exclusive && near
    }

    /// What is left of it outside of a range.
    fn without(&self, start: u64, end: u64) -> impl Iterator<Item = Self> {
        let before = (self.start < start).then(|| Self {
            end: self.end.min(start - 1),
            ..*self
        });
        let behind = (self.end > end).then(|| Self {
            start: self.start.max(end + 1),
            ..*self
        });
        before.into_iter().chain(behind)
    }
}

/// Somebody who waits for a lock.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    unique: u64,
    file: File,
    lock: Lock,
}

/// All locks of all files.
#[derive(Debug, Default)]
pub struct Locks {
    held: BTreeMap<File, Vec<Lock>>,
    waiters: Vec<Waiter>,
}

impl Locks {
    /// A lock that is in the way of another.
    pub fn conflict(&self, file: File, wanted: &Lock) -> Option<Lock> {
        let held = self.held.get(&file)?;
        held.iter().find(|lock| wanted.conflicts(lock)).copied()
    }

    /// Takes a lock, in place of what its owner has there.
    ///
    /// # Errors
    ///
    /// `EAGAIN`.
    pub fn take(&mut self, file: File, wanted: Lock) -> Result<(), Errno> {
        if file.flock {
            self.give_up_other_kind(file, &wanted);
        }
        if self.conflict(file, &wanted).is_some() {
            return Err(errno(libc::EAGAIN));
        }
        self.put(file, wanted);
        Ok(())
    }

    /// Who changes a lock on a whole file loses the old one first, as flock(2) says.
    fn give_up_other_kind(&mut self, file: File, wanted: &Lock) {
        if let Some(held) = self.held.get_mut(&file) {
            held.retain(|lock| lock.owner != wanted.owner || lock.exclusive == wanted.exclusive);
        }
    }

    fn put(&mut self, file: File, wanted: Lock) {
        self.drop_range(file, wanted.owner, wanted.start, wanted.end);
        let held = self.held.entry(file).or_default();
        let (joined, mut left): (Vec<Lock>, Vec<Lock>) =
            held.iter().partition(|lock| wanted.continues(lock));
        left.push(joined.iter().fold(wanted, |all, part| Lock {
            start: all.start.min(part.start),
            end: all.end.max(part.end),
            ..all
        }));
        left.sort_by_key(|lock| lock.start);
        *held = left;
    }

    /// Drops what an owner has in a range.
    pub fn drop_range(&mut self, file: File, owner: u64, start: u64, end: u64) {
        let Some(held) = self.held.get_mut(&file) else {
            return;
        };
        let left = held.iter().flat_map(|lock| {
            let all = (lock.owner != owner).then_some(*lock);
            let rest = (lock.owner == owner).then(|| lock.without(start, end));
            all.into_iter().chain(rest.into_iter().flatten())
        });
        *held = left.collect();
        if held.is_empty() {
            self.held.remove(&file);
        }
    }

    /// Drops all that came with a handle.
    pub fn drop_handle(&mut self, file: File, fh: u64) {
        if let Some(held) = self.held.get_mut(&file) {
            held.retain(|lock| lock.fh != fh);
        }
        self.held.retain(|_, held| !held.is_empty());
    }

    /// Has a request wait for its lock.
    ///
    /// # Errors
    ///
    /// `EDEADLK` when those that it waits for wait for its owner.
    pub fn wait(&mut self, unique: u64, file: File, lock: Lock) -> Result<(), Errno> {
        let waiter = Waiter { unique, file, lock };
        if !file.flock && self.is_circle(&waiter) {
            return Err(errno(libc::EDEADLK));
        }
        self.waiters.push(waiter);
        Ok(())
    }

    /// Whether somebody that a request waits for waits for its owner.
    fn is_circle(&self, first: &Waiter) -> bool {
        let (mut todo, mut seen) = (self.blockers(first), HashSet::new());
        while let Some(owner) = todo.pop() {
            if owner == first.lock.owner {
                return true;
            }
            if seen.insert(owner) {
                let waiting = |one: &&Waiter| one.lock.owner == owner && !one.file.flock;
                let next = self.waiters.iter().filter(waiting);
                todo.extend(next.flat_map(|waiter| self.blockers(waiter)));
            }
        }
        false
    }

    fn blockers(&self, waiter: &Waiter) -> Vec<u64> {
        let held = self.held.get(&waiter.file).into_iter().flatten();
        let blockers = held.filter(|lock| waiter.lock.conflicts(lock));
        blockers.map(|lock| lock.owner).collect()
    }

    /// Ends a request's waiting; whether it did wait.
    pub fn cancel(&mut self, unique: u64) -> bool {
        let before = self.waiters.len();
        self.waiters.retain(|waiter| waiter.unique != unique);
        self.waiters.len() < before
    }

    /// Gives locks to those that wait and can have them, the first first; their requests.
    pub fn grant(&mut self) -> Vec<u64> {
        let mut done = Vec::new();
        // Who gets a lock may give up another that somebody before him waits for.
        while let Some(at) = self.waiters.iter().position(|waiter| {
            let Waiter { file, lock, .. } = waiter;
            self.conflict(*file, lock).is_none()
        }) {
            let waiter = self.waiters.remove(at);
            self.put(waiter.file, waiter.lock);
            done.push(waiter.unique);
        }
        done
    }

    /// Number of locks that are held.
    pub fn held(&self) -> u64 {
        self.held.values().map(|held| held.len() as u64).sum()
    }

    /// Drops everything; the requests that waited.
    pub fn clear(&mut self) -> Vec<u64> {
        self.held.clear();
        let waiters = std::mem::take(&mut self.waiters);
        waiters.into_iter().map(|waiter| waiter.unique).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: File = File {
        nodeid: 7,
        flock: false,
    };
    const WHOLE: File = File {
        nodeid: 7,
        flock: true,
    };

    fn lock(owner: u64, start: u64, end: u64, exclusive: bool) -> Lock {
        Lock {
            owner,
            fh: owner * 10,
            start,
            end,
            exclusive,
            pid: owner as u32 + 100,
        }
    }

    fn ranges(locks: &Locks, file: File) -> Vec<(u64, u64, u64, bool)> {
        let held = locks.held.get(&file).into_iter().flatten();
        held.map(|lock| (lock.owner, lock.start, lock.end, lock.exclusive))
            .collect()
    }

    #[test]
    fn ranges_split_and_merge() {
        let mut locks = Locks::default();
        locks.take(FILE, lock(1, 0, 99, true)).unwrap();
        locks.drop_range(FILE, 1, 40, 49);
        assert_eq!(ranges(&locks, FILE), [(1, 0, 39, true), (1, 50, 99, true)]);
        // The other kind in the middle divides, the same kind joins.
        locks.take(FILE, lock(1, 60, 69, false)).unwrap();
        let four = [
            (1, 0, 39, true),
            (1, 50, 59, true),
            (1, 60, 69, false),
            (1, 70, 99, true),
        ];
        assert_eq!(ranges(&locks, FILE), four);
        locks.take(FILE, lock(1, 40, 69, true)).unwrap();
        assert_eq!(ranges(&locks, FILE), [(1, 0, 99, true)]);
        locks.take(FILE, lock(1, 50, LAST, true)).unwrap();
        assert_eq!(ranges(&locks, FILE), [(1, 0, LAST, true)]);
        locks.drop_range(FILE, 2, 0, LAST);
        assert_eq!(locks.held(), 1);
        locks.drop_range(FILE, 1, 0, LAST);
        assert_eq!((locks.held(), locks.held.len()), (0, 0));
    }

    #[test]
    fn others_are_in_the_way() {
        let mut locks = Locks::default();
        locks.take(FILE, lock(1, 10, 19, false)).unwrap();
        locks.take(FILE, lock(2, 15, 24, false)).unwrap();
        let wanted = lock(3, 19, 19, true);
        assert_eq!(locks.take(FILE, wanted), Err(errno(libc::EAGAIN)));
        assert_eq!(locks.conflict(FILE, &wanted).unwrap().pid, 101);
        locks.take(FILE, lock(3, 25, LAST, true)).unwrap();
        locks.take(FILE, lock(3, 0, 9, true)).unwrap();
        let shared = lock(1, 9, 9, false);
        assert_eq!(locks.conflict(FILE, &shared).unwrap().owner, 3);
        let other = File { nodeid: 8, ..FILE };
        assert_eq!(locks.conflict(other, &shared), None);
        assert_eq!(locks.conflict(WHOLE, &shared), None);
    }

    #[test]
    fn those_that_wait_get_theirs_in_turn() {
        let mut locks = Locks::default();
        locks.take(FILE, lock(1, 0, LAST, true)).unwrap();
        locks.wait(11, FILE, lock(2, 0, 9, true)).unwrap();
        locks.wait(12, FILE, lock(3, 5, 9, true)).unwrap();
        locks.wait(13, FILE, lock(4, 20, 29, false)).unwrap();
        assert!(locks.grant().is_empty());
        assert!(locks.cancel(13) && !locks.cancel(13));
        locks.drop_range(FILE, 1, 0, 9);
        assert_eq!(locks.grant(), [11]);
        locks.drop_handle(FILE, 20);
        assert_eq!(locks.grant(), [12]);
        locks.wait(14, FILE, lock(5, 0, 9, true)).unwrap();
        assert_eq!((locks.held(), locks.clear()), (2, vec![14]));
    }

    #[test]
    fn a_circle_is_found() {
        let mut locks = Locks::default();
        for owner in 1..4 {
            locks.take(FILE, lock(owner, owner, owner, true)).unwrap();
        }
        locks.wait(11, FILE, lock(1, 2, 2, true)).unwrap();
        locks.wait(12, FILE, lock(2, 3, 3, true)).unwrap();
        let last = locks.wait(13, FILE, lock(3, 1, 1, true));
        assert_eq!(last, Err(errno(libc::EDEADLK)));
    }

    #[test]
    fn a_whole_file_changes_hands() {
        let mut locks = Locks::default();
        locks.take(WHOLE, lock(1, 0, LAST, false)).unwrap();
        locks.take(WHOLE, lock(2, 0, LAST, false)).unwrap();
        // Who asks for more has lost what he had when he cannot get it.
        let more = lock(1, 0, LAST, true);
        assert_eq!(locks.take(WHOLE, more), Err(errno(libc::EAGAIN)));
        assert_eq!(ranges(&locks, WHOLE), [(2, 0, LAST, false)]);
        locks.take(WHOLE, lock(2, 0, LAST, true)).unwrap();
        assert_eq!(ranges(&locks, WHOLE), [(2, 0, LAST, true)]);
    }
}
