// SPDX-License-Identifier: GPL-2.0

use super::*;
use zerocopy::IntoBytes;

fn judged(code: i32, body: &[u8]) -> Result<Notification<'_>, NotifyFault> {
    parse(code, &body[..head_len(code, body.len())], body.len(), 255)
}

fn named<T: IntoBytes + zerocopy::Immutable>(fixed: &T, name: &[u8]) -> Vec<u8> {
    [fixed.as_bytes(), name, b"\0"].concat()
}

extern crate std;
use std::vec::Vec;

#[test]
fn inval_inode() {
    let inval = |off, len| {
        let out = NotifyInvalInodeOut { ino: 7, off, len };
        match judged(2, out.as_bytes()) {
            Ok(Notification::InvalInode { nodeid: 7, bytes }) => bytes,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(inval(-1, 5), None);
    assert_eq!(inval(0, 0), Some((0, MAX_OFFSET)));
    assert_eq!(inval(4096, -1), Some((4096, MAX_OFFSET)));
    assert_eq!(inval(10, 5), Some((10, 14)));
    assert_eq!(inval(i64::MAX, i64::MAX), Some((MAX_OFFSET, MAX_OFFSET)));
    assert_eq!(judged(2, &[0; 23]), Err(NotifyFault::Length));
    assert_eq!(judged(2, &[0; 25]), Err(NotifyFault::Length));
}

#[test]
fn names() {
    let out = NotifyInvalEntryOut {
        parent: 1,
        namelen: 3,
        flags: EXPIRE_ONLY,
    };
    assert_eq!(
        judged(3, &named(&out, b"abc")),
        Ok(Notification::InvalEntry {
            parent: 1,
            name: b"abc",
            expire_only: true
        })
    );
    assert_eq!(judged(3, &named(&out, b"ab")), Err(NotifyFault::Length));
    assert_eq!(judged(3, &named(&out, b"abcd")), Err(NotifyFault::Length));
    let long = NotifyInvalEntryOut {
        namelen: 256,
        ..out
    };
    assert_eq!(
        judged(3, &named(&long, &[b'x'; 256])),
        Err(NotifyFault::LongName)
    );
    let huge = NotifyDeleteOut {
        namelen: u32::MAX,
        ..NotifyDeleteOut::default()
    };
    assert_eq!(judged(6, huge.as_bytes()), Err(NotifyFault::LongName));
}

#[test]
fn store_and_retrieve() {
    let out = NotifyStoreOut {
        nodeid: 2,
        offset: MAX_OFFSET - 2,
        size: 5,
        padding: 0,
    };
    let body = [out.as_bytes(), b"12345"].concat();
    let stored = |size| Notification::Store {
        nodeid: 2,
        offset: MAX_OFFSET - 2,
        size,
    };
    assert_eq!(judged(4, &body), Ok(stored(2)));
    assert_eq!(judged(4, &body[..28]), Err(NotifyFault::Length));
    let beyond = NotifyStoreOut {
        offset: MAX_OFFSET,
        size: 0,
        ..out
    };
    assert_eq!(judged(4, beyond.as_bytes()), Err(NotifyFault::Offset));
    let wanted = NotifyRetrieveOut {
        offset: u64::MAX,
        ..NotifyRetrieveOut::default()
    };
    assert_eq!(judged(5, wanted.as_bytes()), Err(NotifyFault::Offset));
}

#[test]
fn without_a_body() {
    assert_eq!(judged(7, &[]), Ok(Notification::Resend));
    assert_eq!(judged(8, &[]), Ok(Notification::IncEpoch));
    assert_eq!(judged(7, &[0]), Ok(Notification::Resend));
    for code in [i32::MIN, -1, 0, 10] {
        assert_eq!(judged(code, &[]), Err(NotifyFault::Code(code)));
    }
}

#[test]
fn prune() {
    let body = |count, nodes: &[u64]| {
        let out = NotifyPruneOut {
            count,
            ..NotifyPruneOut::default()
        };
        [out.as_bytes(), nodes.as_bytes()].concat()
    };
    let good = body(2, &[5, 6]);
    let Ok(Notification::Prune(nodes)) = judged(9, &good) else {
        panic!();
    };
    assert_eq!(nodes.collect::<Vec<_>>(), [5, 6]);
    assert_eq!(judged(9, &body(3, &[5, 6])), Err(NotifyFault::Length));
    // A product of 32 bits would be 0.
    assert_eq!(judged(9, &body(1 << 29, &[])), Err(NotifyFault::Length));
}
