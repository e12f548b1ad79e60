// SPDX-License-Identifier: GPL-2.0

//! Locks as a client asks for them.

use rfuse_proto::flags::{LK_FLOCK, RELEASE_FLOCK_UNLOCK};
use rfuse_proto::op::{F_RDLCK, F_UNLCK, F_WRLCK};
use rfuse_proto::wire::{FileLock, FlushIn, InterruptIn, LkIn, LkOut, ReleaseIn};
use zerocopy::FromBytes;

use super::client::Session;
use super::*;
use crate::locks::LAST;

fn with_locks() -> Session {
    Session::new(Features {
        locks: true,
        ..Features::default()
    })
}

fn asked(owner: u64, fh: u64, type_: u32, range: (u64, u64), lk_flags: u32) -> LkIn {
    let lk = FileLock {
        start: range.0,
        end: range.1,
        type_,
        pid: owner as u32,
    };
    LkIn {
        fh,
        owner,
        lk,
        lk_flags,
        padding: 0,
    }
}

const WHOLE: (u64, u64) = (0, LAST);

#[test]
fn locks_are_kept_only_where_that_was_settled() {
    let mut session = Session::new(Features::default());
    let fh = session.open();
    for flags in [0, LK_FLOCK] {
        let lock = asked(1, fh, F_WRLCK, WHOLE, flags);
        assert_eq!(session.ask(Opcode::Setlk, &lock), Err(Errno::ENOSYS));
    }
}

#[test]
fn a_lock_in_the_way_is_told_of() {
    let mut session = with_locks();
    let fh = session.open();
    let first = asked(1, fh, F_RDLCK, (5, 9), 0);
    assert_eq!(session.ask(Opcode::Setlk, &first), Ok(vec![]));
    let found = session.ask(Opcode::Getlk, &asked(2, fh, F_WRLCK, WHOLE, 0));
    let found = LkOut::read_from_bytes(&found.unwrap()).unwrap();
    assert_eq!(found.lk, first.lk);
    let free = session.ask(Opcode::Getlk, &asked(2, fh, F_RDLCK, WHOLE, 0));
    let free = LkOut::read_from_bytes(&free.unwrap()).unwrap();
    assert_eq!(free.lk.type_, F_UNLCK);
    let more = asked(2, fh, F_WRLCK, (9, LAST), 0);
    assert_eq!(session.ask(Opcode::Setlk, &more), Err(Errno::EAGAIN));
}

#[test]
fn who_waits_is_answered_when_the_lock_is_free_or_he_is_interrupted() {
    let mut session = with_locks();
    let fh = session.open();
    let take = |owner| asked(owner, fh, F_WRLCK, WHOLE, 0);
    assert_eq!(session.send(Opcode::Setlkw, &take(1)), Some(Ok(vec![])));
    assert_eq!(session.send(Opcode::Setlkw, &take(2)), None);
    let second = session.unique;
    assert_eq!(session.send(Opcode::Setlkw, &take(3)), None);
    let third = session.unique;
    assert!(session.server.settled().is_empty());
    let interrupt = InterruptIn { unique: second };
    session.ask(Opcode::Interrupt, &interrupt).unwrap();
    assert_eq!(session.server.settled(), [(second, Err(Errno::EINTR))]);
    let close = FlushIn {
        fh,
        lock_owner: 1,
        ..FlushIn::default()
    };
    session.ask(Opcode::Flush, &close).unwrap();
    assert_eq!(session.server.settled(), [(third, Ok(vec![]))]);
    assert_eq!(session.server.complaints().locks_left, 0);
    session.ask(Opcode::Destroy, &()).unwrap();
    assert_eq!(session.server.complaints().locks_left, 1);
}

/// An interruption travels by another queue.
#[test]
fn an_interruption_may_come_before_its_request() {
    let mut session = with_locks();
    let fh = session.open();
    let take = |owner| asked(owner, fh, F_WRLCK, WHOLE, 0);
    session.ask(Opcode::Setlk, &take(1)).unwrap();
    let unique = session.unique + 4;
    let interrupt = InterruptIn { unique };
    session.ask(Opcode::Interrupt, &interrupt).unwrap();
    assert_eq!(session.ask(Opcode::Setlkw, &take(2)), Err(Errno::EINTR));
    assert_eq!(session.send(Opcode::Setlkw, &take(2)), None);
}

#[test]
fn closing_gives_up_what_belongs_to_the_open_file() {
    let mut session = with_locks();
    let (one, two) = (session.open(), session.open());
    for (owner, fh, flags) in [(1, one, LK_FLOCK), (7, one, 0), (8, two, 0)] {
        let range = if flags == 0 { (owner, owner) } else { WHOLE };
        let lock = asked(owner, fh, F_WRLCK, range, flags);
        session.ask(Opcode::Setlk, &lock).unwrap();
    }
    let release = ReleaseIn {
        fh: one,
        release_flags: RELEASE_FLOCK_UNLOCK,
        lock_owner: 1,
        ..ReleaseIn::default()
    };
    session.ask(Opcode::Release, &release).unwrap();
    assert_eq!(session.server.locks.held(), 1);
    let release = ReleaseIn { fh: two, ..release };
    session.ask(Opcode::Release, &release).unwrap();
    assert_eq!(session.server.locks.held(), 0);
}

#[test]
fn ranges_that_are_none_are_complained_of() {
    let mut session = with_locks();
    let fh = session.open();
    let bad = [
        asked(1, fh, F_WRLCK, (5, 4), 0),
        asked(1, fh, F_WRLCK, (0, 1 << 63), 0),
        asked(1, fh, 3, WHOLE, 0),
        asked(1, fh, F_WRLCK, (1, LAST), LK_FLOCK),
    ];
    for lock in bad {
        assert_eq!(session.ask(Opcode::Setlk, &lock), Err(errno(libc::EINVAL)));
    }
    assert_eq!(session.server.complaints().locks, 4);
}
