// SPDX-License-Identifier: GPL-2.0

//! ioctl(2): flags of files, fs-verity, and some commands of its own.

use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{IoctlIn, IoctlOut};
use sha2::{Digest as _, Sha256};
use zerocopy::{FromBytes, IntoBytes};
use zerocopy_derive::{FromBytes, Immutable, IntoBytes};

use super::{bytes, Body, Server};
use crate::request::{errno, Request};
use crate::tree::{Kind, Marks};

/// `FS_IOC_GETFLAGS` and so on, as `<linux/fs.h>` and `<linux/fsverity.h>` have them.
const GETFLAGS: u32 = 0x8008_6601;
const SETFLAGS: u32 = 0x4008_6602;
const FSGETXATTR: u32 = 0x801c_581f;
const FSSETXATTR: u32 = 0x401c_5820;
const ENABLE_VERITY: u32 = 0x4080_6685;
const MEASURE_VERITY: u32 = 0xc004_6686;

/// `_IOWR('r', 1, any size)`: turns its argument around.
const TURN: u32 = 0xc000_7201;
/// A command without its size.
const SIZELESS: u32 = 0xc000_ffff;
/// `_IO('r', 2)`: gives its argument, as a result.
const RESULT: u32 = 0x7202;
/// `_IOR('r', 3, u64)`: the node's number.
const NUMBER: u32 = 0x8008_7203;
/// `_IOW('r', 4, u32)`: fails with the error of that number.
const FAIL: u32 = 0x4004_7204;

/// `FS_VERITY_FL`, which only enabling sets.
const VERITY: u32 = 0x10_0000;
/// The flags that can be set: SYNC, IMMUTABLE, APPEND, NODUMP, NOATIME, PROJINHERIT.
const SETTABLE: u32 = 0x2000_00f8;
/// Flags of a file, and what FSGETXATTR calls them.
const BOTH: [(u32, u32); 7] = [
    (0x08, 0x20),
    (Marks::IMMUTABLE, 0x08),
    (0x20, 0x10),
    (0x40, 0x80),
    (0x80, 0x40),
    (0x2000_0000, 0x200),
    (VERITY, 0x2_0000),
];

/// `FS_VERITY_HASH_ALG_SHA256`.
const SHA256: u16 = 1;
/// Bytes of its digest.
const DIGEST: u16 = 32;
/// The longest salt in bytes.
const MOST_SALT: u32 = 32;

/// `struct fsxattr`.
#[derive(FromBytes, IntoBytes, Immutable, Clone, Copy, Debug, Default)]
#[repr(C)]
struct Fsxattr {
    xflags: u32,
    extsize: u32,
    nextents: u32,
    projid: u32,
    cowextsize: u32,
    pad: [u8; 8],
}

/// `struct fsverity_enable_arg`; salt and signature follow.
#[derive(FromBytes, Clone, Copy, Debug)]
#[repr(C)]
struct EnableVerity {
    version: u32,
    hash_algorithm: u32,
    block_size: u32,
    salt_size: u32,
    salt_ptr: u64,
    sig_size: u32,
    reserved1: u32,
    sig_ptr: u64,
    reserved2: [u64; 11],
}

impl EnableVerity {
    /// Whether it is what this server can do.
    fn check(&self) -> Result<(), Errno> {
        let is_known = self.version == 1 && self.hash_algorithm == u32::from(SHA256);
        let has_blocks = self.block_size.is_power_of_two() && self.block_size >= 1024;
        let is_reserved = (self.reserved1, self.reserved2) == (0, [0; 11]);
        match is_known && has_blocks && is_reserved && self.salt_size <= MOST_SALT {
            true => Ok(()),
            false => Err(errno(libc::EINVAL)),
        }
    }
}

/// Result and data of a command.
type Outcome = Result<(i32, Vec<u8>), Errno>;

impl Server {
    pub(super) fn ioctl(&mut self, request: &Request<'_>) -> Body {
        if !self.settings.features.ioctl {
            return Err(Errno::ENOSYS);
        }
        let (asked, data) = request.input::<IoctlIn>()?;
        let head = size_of::<IoctlOut>();
        let has_room = request.body_room() >= head + asked.out_size as usize;
        if data.len() != asked.in_size as usize || !has_room {
            self.complaints.ioctls += 1;
            return Err(errno(libc::EINVAL));
        }
        self.check_handle(request.nodeid(), asked.fh);
        let (result, data) = self.command(request.nodeid(), &asked, data)?;
        let out = IoctlOut {
            result,
            ..IoctlOut::default()
        };
        Ok([bytes(&out), data].concat())
    }

    fn command(&mut self, nodeid: u64, asked: &IoctlIn, data: &[u8]) -> Outcome {
        let done = |()| (0, Vec::new());
        match asked.cmd {
            GETFLAGS => padded(asked, &self.node(nodeid)?.marks.flags.to_ne_bytes()),
            SETFLAGS => {
                let (flags, _) = read::<u32>(data)?;
                self.set_flags(nodeid, flags).map(done)
            }
            FSGETXATTR => padded(asked, fsxattr(&self.node(nodeid)?.marks).as_bytes()),
            FSSETXATTR => self.set_fsxattr(nodeid, read(data)?.0).map(done),
            ENABLE_VERITY => self.enable_verity(nodeid, data).map(done),
            MEASURE_VERITY => self.measure_verity(nodeid, asked, data),
            turn if turn & SIZELESS == TURN => Ok((0, data.iter().rev().copied().collect())),
            RESULT => Ok((asked.arg as i32 & i32::MAX, Vec::new())),
            NUMBER => padded(asked, &nodeid.to_ne_bytes()),
            FAIL => Ok((-read::<i32>(data)?.0.clamp(1, 511), Vec::new())),
            _ => Err(errno(libc::ENOTTY)),
        }
    }

    fn set_flags(&mut self, nodeid: u64, flags: u32) -> Result<(), Errno> {
        let marks = self.marks(nodeid)?;
        let fixed = marks.flags & !SETTABLE;
        if flags & !SETTABLE & !fixed != 0 {
            return Err(errno(libc::EOPNOTSUPP));
        }
        marks.flags = flags & SETTABLE | fixed;
        self.changed(nodeid);
        Ok(())
    }

    fn set_fsxattr(&mut self, nodeid: u64, wanted: Fsxattr) -> Result<(), Errno> {
        let known = BOTH.iter().fold(0, |all, (_, xflag)| all | xflag);
        if wanted.xflags & !known != 0 {
            return Err(errno(libc::EOPNOTSUPP));
        }
        let has = |pair: &&(u32, u32)| wanted.xflags & pair.1 != 0;
        let flags = BOTH.iter().filter(has).fold(0, |all, (flag, _)| all | flag);
        self.set_flags(nodeid, flags)?;
        let marks = self.marks(nodeid)?;
        (marks.project, marks.extsize) = (wanted.projid, wanted.extsize);
        marks.cowextsize = wanted.cowextsize;
        Ok(())
    }

    /// What may be changed of a node even if its content may not.
    fn marks(&mut self, nodeid: u64) -> Result<&mut Marks, Errno> {
        match self.tree.get_mut(nodeid) {
            None => Err(errno(libc::ESTALE)),
            Some(node) if node.writable => Ok(&mut node.marks),
            Some(_) => Err(errno(libc::EROFS)),
        }
    }

    /// From now on the file cannot be written, and has a digest.
    fn enable_verity(&mut self, nodeid: u64, data: &[u8]) -> Result<(), Errno> {
        let (how, rest) = read::<EnableVerity>(data)?;
        how.check()?;
        if rest.len() as u64 != u64::from(how.salt_size) + u64::from(how.sig_size) {
            self.complaints.ioctls += 1;
            return Err(errno(libc::EINVAL));
        }
        let node = self.node(nodeid)?;
        match node.kind {
            Kind::Data(_) if node.marks.digest.is_some() => return Err(errno(libc::EEXIST)),
            Kind::Data(_) => {}
            Kind::Dir(_) => return Err(errno(libc::EISDIR)),
            _ => return Err(errno(libc::EINVAL)),
        }
        let content = self.content(nodeid, 0, node.size())?;
        let salt = &rest[..how.salt_size as usize];
        let digest = Sha256::new_with_prefix(salt).chain_update(content);
        let marks = self.marks(nodeid)?;
        marks.digest = Some(digest.finalize().to_vec());
        marks.flags |= VERITY;
        self.changed(nodeid);
        Ok(())
    }

    /// The argument begins with the algorithm and the room for a digest; so does the answer.
    fn measure_verity(&self, nodeid: u64, asked: &IoctlIn, data: &[u8]) -> Outcome {
        let ([_, room], _) = read::<[u16; 2]>(data)?;
        let digest = self.node(nodeid)?.marks.digest.as_ref();
        let digest = digest.ok_or(errno(libc::ENODATA))?;
        if room < DIGEST {
            return Err(errno(libc::EOVERFLOW));
        }
        let head = [SHA256.to_ne_bytes(), DIGEST.to_ne_bytes()].concat();
        padded(asked, &[head, digest.clone()].concat())
    }
}

fn fsxattr(marks: &Marks) -> Fsxattr {
    let has = |pair: &&(u32, u32)| marks.flags & pair.0 != 0;
    Fsxattr {
        xflags: BOTH
            .iter()
            .filter(has)
            .fold(0, |all, (_, xflag)| all | xflag),
        extsize: marks.extsize,
        projid: marks.project,
        cowextsize: marks.cowextsize,
        ..Fsxattr::default()
    }
}

/// A command's argument, and what follows it.
fn read<T: FromBytes>(data: &[u8]) -> Result<(T, &[u8]), Errno> {
    T::read_from_prefix(data).map_err(|_| errno(libc::EINVAL))
}

/// Data of just the size that was asked for: a client that asks for itself has no use for other sizes.
fn padded(asked: &IoctlIn, data: &[u8]) -> Outcome {
    let mut data = data.to_vec();
    data.resize(asked.out_size as usize, 0);
    Ok((0, data))
}

#[cfg(test)]
mod tests {
    use rfuse_proto::wire::Opcode;

    use super::super::client::Session;
    use super::super::Features;
    use super::*;

    fn session(ioctl: bool) -> Session {
        let mut session = Session::new(Features {
            ioctl,
            ..Features::default()
        });
        session.server.make_beside("rw/file").unwrap();
        session.nodeid = session.server.nodes();
        session
    }

    fn call(
        session: &mut Session,
        cmd: u32,
        data: &[u8],
        out_size: u32,
    ) -> Result<(i32, Vec<u8>), Errno> {
        let fh = session.open();
        let asked = IoctlIn {
            fh,
            cmd,
            arg: 77,
            in_size: data.len() as u32,
            out_size,
            ..IoctlIn::default()
        };
        let body = session.ask_with(Opcode::Ioctl, &asked, data)?;
        let (out, data) = IoctlOut::read_from_prefix(&body).unwrap();
        Ok((out.result, data.to_vec()))
    }

    #[test]
    fn commands_of_its_own() {
        let mut session = session(true);
        let data: Vec<u8> = (0..64).collect();
        let turned = data.iter().rev().copied().collect();
        assert_eq!(call(&mut session, TURN, &data, 64), Ok((0, turned)));
        assert_eq!(call(&mut session, RESULT, &[], 0), Ok((77, vec![])));
        let fail = call(&mut session, FAIL, &5_i32.to_ne_bytes(), 0);
        assert_eq!(fail, Ok((-5, vec![])));
        assert_eq!(call(&mut session, 1, &[], 0), Err(errno(libc::ENOTTY)));
        assert_eq!(session.server.complaints().ioctls, 0);
    }

    #[test]
    fn without_the_option_there_are_none() {
        assert_eq!(
            call(&mut session(false), TURN, &[0; 64], 64),
            Err(Errno::ENOSYS)
        );
    }

    #[test]
    fn flags_of_both_kinds_are_one() {
        let mut session = session(true);
        let set = |flags: u32| u64::from(flags).to_ne_bytes();
        call(&mut session, SETFLAGS, &set(0x88), 0).unwrap();
        let flags = call(&mut session, GETFLAGS, &[], 4);
        assert_eq!(flags, Ok((0, 0x88_u32.to_ne_bytes().to_vec())));
        let (_, data) = call(&mut session, FSGETXATTR, &[], 28).unwrap();
        let mut xattr = Fsxattr::read_from_bytes(&data).unwrap();
        assert_eq!(xattr.xflags, 0x60);
        (xattr.xflags, xattr.projid) = (0x20, 9);
        call(&mut session, FSSETXATTR, xattr.as_bytes(), 0).unwrap();
        let (_, data) = call(&mut session, FSGETXATTR, &[], 28).unwrap();
        let xattr = Fsxattr::read_from_bytes(&data).unwrap();
        assert_eq!((xattr.xflags, xattr.projid), (0x20, 9));
        let unknown = call(&mut session, SETFLAGS, &set(1), 0);
        assert_eq!(unknown, Err(errno(libc::EOPNOTSUPP)));
    }

    #[test]
    fn what_has_a_digest_is_not_written() {
        let mut session = session(true);
        let measure = [SHA256.to_ne_bytes(), DIGEST.to_ne_bytes()].concat();
        let measure = [measure, vec![0; 32]].concat();
        let none = call(&mut session, MEASURE_VERITY, &measure, 36);
        assert_eq!(none, Err(errno(libc::ENODATA)));
        let mut enable = vec![0; size_of::<EnableVerity>()];
        enable[..12].copy_from_slice([1_u32, 1, 4096].as_bytes());
        call(&mut session, ENABLE_VERITY, &enable, 0).unwrap();
        let again = call(&mut session, ENABLE_VERITY, &enable, 0);
        assert_eq!(again, Err(errno(libc::EEXIST)));
        let (_, digest) = call(&mut session, MEASURE_VERITY, &measure, 36).unwrap();
        assert_eq!(digest[4..], Sha256::digest(b"")[..]);
        let write = session.server.tree.data(session.nodeid);
        assert_eq!(write.err(), Some(errno(libc::EPERM)));
    }

    #[test]
    fn sizes_that_do_not_fit_are_complained_of() {
        let mut session = session(true);
        assert!(call(&mut session, TURN, &[0; 64], 1 << 20).is_err());
        assert_eq!(session.server.complaints().ioctls, 1);
    }
}
