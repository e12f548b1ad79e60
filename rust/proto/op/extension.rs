// SPDX-License-Identifier: GPL-2.0

//! Extensions: what follows the names of a request that makes a node.

use super::append;
use crate::wire::{ExtHeader, Secctx, SecctxHeader};
use zerocopy::IntoBytes as _;

/// Unit of the length of extensions in a request's header, in bytes.
pub(super) const UNIT: usize = 8;

/// `FUSE_EXT_GROUPS`.
const EXT_GROUPS: u32 = 32;

/// Length of the extension with one group, in bytes: head, number, group.
const GROUPS_LEN: usize = 16;

/// The label that a node gets from the client's security module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityContext<'a> {
    /// Name of the extended attribute, without NUL.
    pub name: &'a [u8],
    /// The label.
    pub label: &'a [u8],
}

/// What a server is to know of a node that it makes, beside the operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions<'a> {
    /// With SECURITY_CTX: the label, or `Some(None)` where no security module gives one.
    pub security: Option<Option<SecurityContext<'a>>>,
    /// With CREATE_SUPP_GROUP: the caller is of this group too, by which it may write to the directory.
    pub group: Option<u32>,
}

impl Extensions<'_> {
    /// None.
    pub const NONE: Self = Self {
        security: None,
        group: None,
    };

    /// Length in bytes, in whole units of 8.
    #[inline]
    pub(super) fn len(&self) -> usize {
        let security = self.security.map_or(0, security_len);
        let group = self.group.map_or(0, |_| GROUPS_LEN);
        security.saturating_add(group)
    }

    /// Writes them to `room`, which is zeroed; the rest of it. `None` if it is too small.
    #[inline]
    pub(super) fn write<'a>(&self, room: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let room = match self.security {
            None => room,
            Some(context) => write_security(context, room)?,
        };
        match self.group {
            None => Some(room),
            Some(group) => write_group(group, room),
        }
    }
}

fn write_group(group: u32, room: &mut [u8]) -> Option<&mut [u8]> {
    let head = ExtHeader {
        size: GROUPS_LEN as u32,
        type_: EXT_GROUPS,
    };
    let room = append(room, head.as_bytes(), false)?;
    append(room, [1, group].as_bytes(), false)
}

fn security_len(context: Option<SecurityContext<'_>>) -> usize {
    let context = context.map_or(0, |context| {
        size_of::<Secctx>()
            .saturating_add(context.name.len())
            .saturating_add(1)
            .saturating_add(context.label.len())
            .next_multiple_of(UNIT)
    });
    size_of::<SecctxHeader>().saturating_add(context)
}

fn write_security<'a>(
    context: Option<SecurityContext<'_>>,
    room: &'a mut [u8],
) -> Option<&'a mut [u8]> {
    let len = security_len(context);
    let (room, rest) = room.split_at_mut_checked(len)?;
    let head = SecctxHeader {
        size: u32::try_from(len).ok()?,
        nr_secctx: context.is_some().into(),
    };
    let room = append(room, head.as_bytes(), false)?;
    if let Some(SecurityContext { name, label }) = context {
        let head = Secctx {
            size: u32::try_from(label.len()).ok()?,
            padding: 0,
        };
        let room = append(room, head.as_bytes(), false)?;
        let room = append(room, name, true)?;
        append(room, label, false)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::{vec, vec::Vec};

    fn written(extensions: Extensions<'_>) -> Vec<u8> {
        let mut room = vec![0; extensions.len()];
        assert_eq!(extensions.write(&mut room), Some(&mut [][..]));
        assert_eq!(room.len() % UNIT, 0);
        let less = room.len().saturating_sub(1);
        assert!(room.is_empty() || extensions.write(&mut vec![0; less]).is_none());
        room
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    #[test]
    fn nothing_takes_no_room() {
        assert_eq!(written(Extensions::NONE), b"");
    }

    #[test]
    fn a_group_is_alone_in_its_list() {
        let extensions = Extensions {
            group: Some(1000),
            ..Extensions::NONE
        };
        assert_eq!(written(extensions), words(&[16, 32, 1, 1000]));
    }

    #[test]
    fn no_label_is_an_empty_list() {
        let extensions = Extensions {
            security: Some(None),
            ..Extensions::NONE
        };
        assert_eq!(written(extensions), words(&[8, 0]));
    }

    #[test]
    fn a_label_follows_its_name_and_is_padded() {
        let extensions = Extensions {
            security: Some(Some(SecurityContext {
                name: b"security.x",
                label: b"label",
            })),
            group: Some(7),
        };
        let bytes = [
            words(&[32, 1, 5, 0]),
            b"security.x\0label".to_vec(),
            words(&[16, 32, 1, 7]),
        ]
        .concat();
        assert_eq!(written(extensions), bytes);
    }
}
