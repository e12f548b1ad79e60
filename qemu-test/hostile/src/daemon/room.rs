// SPDX-License-Identifier: GPL-2.0

//! How long an answer may be: a device has no buffer that would tell.

use hostile::request::{Request, HEAD};
use rfuse_proto::wire::{GetxattrIn, IoctlIn, IoctlOut, Opcode, ReadIn};

/// What has no size in its request is shorter.
const OTHERS: usize = 4096;

/// Room for the answer in bytes, its head included; 0 where none is expected.
pub fn of(request: &Request<'_>) -> usize {
    let size = match request.opcode {
        Opcode::Forget | Opcode::BatchForget | Opcode::Interrupt => return 0,
        Opcode::Read | Opcode::Readdir | Opcode::Readdirplus => {
            request.input().map(|(asked, _): (ReadIn, _)| asked.size)
        }
        Opcode::Getxattr | Opcode::Listxattr => request
            .input()
            .map(|(asked, _): (GetxattrIn, _)| asked.size.max(8)),
        Opcode::Ioctl => request
            .input()
            .map(|(asked, _): (IoctlIn, _)| asked.out_size + size_of::<IoctlOut>() as u32),
        _ => Ok(OTHERS as u32),
    };
    HEAD + size.map_or(OTHERS, |size| size as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rfuse_proto::wire::InHeader;
    use zerocopy::IntoBytes as _;

    fn room(opcode: Opcode, body: &[u8]) -> usize {
        let header = InHeader {
            len: 40 + body.len() as u32,
            opcode: opcode.raw(),
            ..InHeader::default()
        };
        let message = [header.as_bytes(), body].concat();
        of(&Request::parse(&message, 0).unwrap())
    }

    #[test]
    fn requests_tell_the_room() {
        let read = ReadIn {
            size: 5000,
            ..ReadIn::default()
        };
        assert_eq!(room(Opcode::Read, read.as_bytes()), 5016);
        assert_eq!(room(Opcode::Getxattr, &[0; 8]), 24);
        assert_eq!(room(Opcode::Forget, &[0; 8]), 0);
        assert_eq!(room(Opcode::Statfs, &[]), 4112);
    }
}
