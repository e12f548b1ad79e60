// SPDX-License-Identifier: GPL-2.0

//! Target `notify`: what a server tells unasked stays within what it sent, and within files.

use arbitrary::Arbitrary;
use rfuse_proto::notify::{self, Notification};

/// The largest offset in a file.
const MAX_OFFSET: u64 = i64::MAX as u64;

/// What the fuzzer chooses.
#[derive(Arbitrary, Debug)]
struct Input<'a> {
    code: i8,
    name_max: u16,
    body: &'a [u8],
}

/// The target.
pub fn run(data: &[u8]) {
    let Some(input) = crate::input::<Input>(data) else {
        return;
    };
    let (code, len) = (i32::from(input.code), input.body.len());
    let head = &input.body[..notify::head_len(code, len)];
    let name_max = usize::from(input.name_max);
    match notify::parse(code, head, len, name_max) {
        Ok(Notification::InvalInode {
            bytes: Some((start, last)),
            ..
        }) => assert!(last <= MAX_OFFSET && start <= MAX_OFFSET),
        Ok(Notification::InvalEntry { name, .. } | Notification::Delete { name, .. }) => {
            assert!(name.len() <= name_max && name.len() < len);
        }
        Ok(Notification::Store { offset, size, .. }) => {
            assert!(offset + u64::from(size) <= MAX_OFFSET && size as usize <= len - head.len());
        }
        Ok(Notification::Retrieve { offset, .. }) => assert!(offset < MAX_OFFSET),
        Ok(Notification::Prune(nodes)) => assert_eq!(16 + 8 * nodes.count(), len),
        _ => {}
    }
}
