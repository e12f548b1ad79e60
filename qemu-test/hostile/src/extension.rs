// SPDX-License-Identifier: GPL-2.0

//! What requests that make a node carry behind their body.

use rfuse_proto::wire::{ExtHeader, Secctx};
use zerocopy::FromBytes;

/// Extensions are multiples of this many bytes.
pub const ALIGN: usize = 8;

/// Kinds below this one are security contexts, as many as the kind says.
const FIRST_OTHER: u32 = 32;

/// The kind that lists groups.
const GROUPS: u32 = 32;

/// All extensions of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions<'a> {
    /// Security contexts: names of extended attributes, and their values.
    pub contexts: Vec<(&'a [u8], &'a [u8])>,
    /// Supplementary groups of the caller that count.
    pub groups: Vec<u32>,
}

impl<'a> Extensions<'a> {
    /// Takes extensions apart; `None` if they are not well formed.
    pub fn parse(mut bytes: &'a [u8]) -> Option<Self> {
        let mut all = Self::default();
        while !bytes.is_empty() {
            let head = ExtHeader::read_from_prefix(bytes).ok()?.0;
            let (one, rest) = bytes.split_at_checked(head.size as usize)?;
            let body = one.get(size_of::<ExtHeader>()..)?;
            match head.type_ {
                _ if one.len() % ALIGN != 0 => return None,
                number @ 0..FIRST_OTHER => all.contexts.extend(contexts(body, number)?),
                GROUPS => all.groups.extend(groups(body)?),
                _ => return None,
            }
            bytes = rest;
        }
        Some(all)
    }
}

fn contexts(mut body: &[u8], number: u32) -> Option<Vec<(&[u8], &[u8])>> {
    let mut all = Vec::new();
    for _ in 0..number {
        let (head, rest) = Secctx::read_from_prefix(body).ok()?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (name, value) = (&rest[..end], &rest[end + 1..]);
        let (value, padding) = value.split_at_checked(head.size as usize)?;
        // What comes before is a multiple: only the padding may be left over.
        body = padding.get(padding.len() % ALIGN..)?;
        if name.is_empty() || head.padding != 0 {
            return None;
        }
        all.push((name, value));
    }
    body.is_empty().then_some(all)
}

fn groups(body: &[u8]) -> Option<Vec<u32>> {
    let (number, rest) = u32::read_from_prefix(body).ok()?;
    let len = (number as usize).checked_mul(size_of::<u32>())?;
    let (groups, padding) = rest.split_at_checked(len)?;
    let groups = groups.chunks_exact(size_of::<u32>());
    let groups = groups.map(|group| u32::read_from_bytes(group).ok());
    (padding.len() < ALIGN).then(|| groups.collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_ne_bytes())
            .collect()
    }

    fn context(name: &[u8], value: &[u8]) -> Vec<u8> {
        let mut bytes = numbers(&[value.len() as u32, 0]);
        bytes.extend([name, b"\0", value].concat());
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        bytes
    }

    fn extension(kind: u32, body: &[u8]) -> Vec<u8> {
        [numbers(&[8 + body.len() as u32, kind]), body.to_vec()].concat()
    }

    #[test]
    fn contexts_and_groups() {
        let (one, two) = (
            context(b"security.one", b"label"),
            context(b"security.two", b"x"),
        );
        let both = extension(2, &[one, two].concat());
        let bytes = [both, extension(32, &numbers(&[1, 77]))].concat();
        let all = Extensions::parse(&bytes).unwrap();
        assert_eq!(all.groups, [77]);
        let wanted: [(&[u8], &[u8]); 2] = [(b"security.one", b"label"), (b"security.two", b"x")];
        assert_eq!(all.contexts, wanted);
        assert_eq!(Extensions::parse(b""), Some(Extensions::default()));
        let none = extension(0, b"");
        assert_eq!(Extensions::parse(&none), Some(Extensions::default()));
    }

    #[test]
    fn what_is_not_well_formed() {
        let good = extension(1, &context(b"security.one", b"label"));
        assert!(Extensions::parse(&good).is_some());
        for len in 1..good.len() {
            assert_eq!(Extensions::parse(&good[..len]), None, "{len} bytes");
        }
        let longer = [good.clone(), vec![0; 8]].concat();
        let bad = [
            longer,
            extension(2, &context(b"security.one", b"label")),
            extension(1, &context(b"", b"label")),
            extension(33, &[0; 8]),
            extension(32, &numbers(&[5, 1])),
            extension(32, &numbers(&[1, 1, 2, 3])),
            numbers(&[4, 0]),
        ];
        for bytes in bad {
            assert_eq!(Extensions::parse(&bytes), None, "{bytes:?}");
        }
    }
}
