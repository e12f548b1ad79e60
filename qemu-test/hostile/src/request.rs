// SPDX-License-Identifier: GPL-2.0

//! A request as the client sent it.

use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{InHeader, Opcode, OutHeader};
use zerocopy::FromBytes;

use crate::extension::ALIGN;

/// Bytes of a reply's head.
pub const HEAD: usize = size_of::<OutHeader>();

/// Why a message is no request.
#[derive(Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// It is shorter than its head.
    Short(usize),
    /// Its head gives another length.
    Length {
        /// Length in the head.
        says: u32,
        /// Bytes that came.
        got: usize,
    },
    /// No operation has that number.
    Opcode(u32),
    /// Its head gives its extensions more bytes than there are.
    Extensions(usize),
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its head.
    pub header: InHeader,
    /// Its operation.
    pub opcode: Opcode,
    /// What follows the head.
    pub body: &'a [u8],
    /// What follows the body, see [`crate::extension`].
    pub extensions: &'a [u8],
    /// Room for the reply in bytes, the head included; 0 where none is expected.
    pub room: usize,
}

impl<'a> Request<'a> {
    /// Takes a message apart.
    ///
    /// # Errors
    ///
    /// What a client must not send.
    pub fn parse(bytes: &'a [u8], room: usize) -> Result<Self, BadRequest> {
        let (header, body) =
            InHeader::read_from_prefix(bytes).map_err(|_| BadRequest::Short(bytes.len()))?;
        if header.len as usize != bytes.len() {
            return Err(BadRequest::Length {
                says: header.len,
                got: bytes.len(),
            });
        }
        let opcode = Opcode::from_raw(header.opcode).ok_or(BadRequest::Opcode(header.opcode))?;
        let extensions = usize::from(header.total_extlen) * ALIGN;
        let (body, extensions) = body
            .len()
            .checked_sub(extensions)
            .map(|len| body.split_at(len))
            .ok_or(BadRequest::Extensions(extensions))?;
        Ok(Self {
            header,
            opcode,
            body,
            extensions,
            room,
        })
    }

    /// The node it is about.
    pub fn nodeid(&self) -> u64 {
        self.header.nodeid
    }

    /// Room for what follows the reply's head, in bytes.
    pub fn body_room(&self) -> usize {
        self.room.saturating_sub(HEAD)
    }

    /// The fixed body, and what follows it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a body that is too short.
    pub fn input<T: FromBytes>(&self) -> Result<(T, &'a [u8]), Errno> {
        T::read_from_prefix(self.body).map_err(|_| errno(libc::EINVAL))
    }
}

/// The name that `bytes` consist of, without its NUL.
///
/// # Errors
///
/// `EINVAL` for bytes that are no name.
pub fn name(bytes: &[u8]) -> Result<&[u8], Errno> {
    match bytes.split_last() {
        Some((0, name)) if !name.is_empty() && !name.contains(&0) => Ok(name),
        _ => Err(errno(libc::EINVAL)),
    }
}

/// The two names, or name and target, that `bytes` consist of, without their NULs.
///
/// # Errors
///
/// `EINVAL` for bytes that are no two names.
pub fn two_names(bytes: &[u8]) -> Result<(&[u8], &[u8]), Errno> {
    let end = bytes.iter().position(|byte| *byte == 0);
    let (first, second) = bytes.split_at(end.map_or(0, |end| end + 1));
    Ok((name(first)?, name(second)?))
}

/// The operation of that name, as options give it.
///
/// # Errors
///
/// That there is none.
pub fn operation(name: &str) -> Result<Opcode, String> {
    let found = Opcode::ALL.iter().find(|opcode| opcode.name() == name);
    found
        .copied()
        .ok_or_else(|| format!("no operation is called {name}"))
}

/// One of libc's error numbers.
pub fn errno(number: i32) -> Errno {
    u16::try_from(number)
        .ok()
        .and_then(Errno::new)
        .unwrap_or(Errno::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;

    fn message(len: u32, opcode: u32) -> Vec<u8> {
        let header = InHeader {
            len,
            opcode,
            ..InHeader::default()
        };
        header.as_bytes().to_vec()
    }

    #[test]
    fn requests_and_others() {
        let good = message(40, Opcode::Statfs.raw());
        assert_eq!(Request::parse(&good, 96).unwrap().body_room(), 80);
        assert_eq!(
            Request::parse(&good[..39], 96).unwrap_err(),
            BadRequest::Short(39)
        );
        let long = BadRequest::Length { says: 41, got: 40 };
        assert_eq!(Request::parse(&message(41, 17), 96).unwrap_err(), long);
        let odd = Request::parse(&message(40, 7), 96).unwrap_err();
        assert_eq!(odd, BadRequest::Opcode(7));
        let mut extended = message(48, Opcode::Mkdir.raw());
        extended.extend([7; 8]);
        extended[36] = 1;
        let request = Request::parse(&extended, 96).unwrap();
        assert_eq!((request.body, request.extensions), (&[][..], &[7; 8][..]));
        extended[36] = 2;
        let fault = Request::parse(&extended, 96).unwrap_err();
        assert_eq!(fault, BadRequest::Extensions(16));
    }

    #[test]
    fn operations() {
        assert_eq!(operation("READ"), Ok(Opcode::Read));
        assert!(operation("read").is_err());
    }

    #[test]
    fn names() {
        assert_eq!(name(b"ab\0"), Ok(&b"ab"[..]));
        for bad in [&b""[..], b"\0", b"ab", b"a\0b\0"] {
            assert_eq!(name(bad), Err(errno(libc::EINVAL)));
        }
        assert_eq!(two_names(b"ab\0c\0"), Ok((&b"ab"[..], &b"c"[..])));
        for bad in [
            &b""[..],
            b"ab\0",
            b"ab\0\0",
            b"ab\0c",
            b"\0c\0",
            b"a\0b\0c\0",
        ] {
            assert_eq!(two_names(bad), Err(errno(libc::EINVAL)));
        }
    }
}
