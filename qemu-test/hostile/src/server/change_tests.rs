// SPDX-License-Identifier: GPL-2.0

//! The same for what changes the tree.

use rfuse_proto::op::{CopyRange, Extensions, Move, NewFile, NewName, OldName};

use super::tests::{ask, forget, look, open, path, range};
use super::*;
use rfuse_proto::op;
use rfuse_proto::wire::ForgetOne;

fn at(parent: u64, name: &[u8]) -> NewName<'_> {
    NewName {
        parent,
        name,
        owner: None,
        extensions: Extensions::NONE,
    }
}

fn create(server: &mut Server, parent: u64, name: &[u8], flags: i32) -> Result<(u64, u64), i32> {
    let file = NewFile {
        flags: (flags | libc::O_CREAT | libc::O_RDWR) as u32,
        mode: libc::S_IFREG | 0o666,
        umask: 0o022,
        open_flags: 0,
    };
    let made = op::Create {
        at: at(parent, name),
        file,
    };
    let ((node, open), _) = ask(server, &made, 0)?;
    Ok((node.nodeid, open.fh))
}

fn write(server: &mut Server, (nodeid, fh): (u64, u64), offset: u64, data: &[u8]) -> Body {
    let head = rfuse_proto::wire::WriteIn {
        fh,
        offset,
        size: data.len() as u32,
        ..Default::default()
    };
    let body = [bytes(&head), data.to_vec()].concat();
    let header = rfuse_proto::wire::InHeader {
        nodeid,
        ..Default::default()
    };
    server.write(&Request {
        header,
        opcode: Opcode::Write,
        body: &body,
        extensions: &[],
        room: 24,
    })
}

fn read(server: &mut Server, (nodeid, fh): (u64, u64)) -> Vec<u8> {
    let asked = op::Read(range(nodeid, fh, 0, 1 << 20));
    ask(server, &asked, 1 << 20).unwrap().1
}

fn release(server: &mut Server, (nodeid, fh): (u64, u64)) {
    let asked = rfuse_proto::wire::ReleaseIn {
        fh,
        ..Default::default()
    };
    let header = rfuse_proto::wire::InHeader {
        nodeid,
        ..Default::default()
    };
    let body = bytes(&asked);
    let opcode = Opcode::Release;
    let request = Request {
        header,
        opcode,
        body: &body,
        extensions: &[],
        room: 16,
    };
    server.release(&request).unwrap();
}

#[test]
fn a_file_lives_until_nobody_has_it() {
    let mut server = Server::new(Settings::default());
    let rw = path(&mut server, &["rw"]);
    let file = create(&mut server, rw, b"file", libc::O_EXCL).unwrap();
    assert_eq!(
        create(&mut server, rw, b"file", libc::O_EXCL),
        Err(libc::EEXIST)
    );
    write(&mut server, file, 3, b"abc").unwrap();
    assert_eq!(read(&mut server, file), b"\0\0\0abc");
    let name = OldName {
        parent: rw,
        name: b"file",
    };
    ask(&mut server, &op::Unlink(name), 0).unwrap();
    assert_eq!(look(&mut server, rw, b"file"), Err(libc::ENOENT));
    write(&mut server, file, 0, b"xyz").unwrap();
    assert_eq!(read(&mut server, file), b"xyzabc");
    release(&mut server, file);
    assert!(server.node(file.0).is_ok());
    let nodeid = file.0;
    forget(&mut server, &[ForgetOne { nodeid, nlookup: 1 }]);
    assert_eq!(server.node(nodeid).err(), Some(errno(libc::ESTALE)));
    assert_eq!(server.complaints(), Complaints::default());
}

#[test]
fn only_a_part_can_be_written() {
    let mut server = Server::new(Settings::default());
    let hard = path(&mut server, &["hard"]);
    assert_eq!(create(&mut server, hard, b"file", 0), Err(libc::EROFS));
    let first = server.dir(hard).unwrap().entries[&2].1;
    let target = op::Target {
        nodeid: first,
        flags: libc::O_RDWR as u32,
    };
    assert_eq!(
        ask(&mut server, &op::Open(target), 0).err(),
        Some(libc::EROFS)
    );
    assert_eq!(
        write(&mut server, (first, 0), 0, b"x"),
        Err(errno(libc::EROFS))
    );
    let cut = op::Setattr {
        nodeid: first,
        size: Some(0),
        ..op::Setattr::default()
    };
    assert_eq!(ask(&mut server, &cut, 0).err(), Some(libc::EROFS));
}

#[test]
fn moving_never_makes_a_circle() {
    let mut server = Server::new(Settings::default());
    let rw = path(&mut server, &["rw"]);
    let mut mkdir = |parent, name| {
        let (mode, umask) = (0o755, 0);
        let at = at(parent, name);
        let made = op::Mkdir { at, mode, umask };
        ask(&mut server, &made, 0).unwrap().0.nodeid
    };
    let above = mkdir(rw, b"above");
    let below = mkdir(above, b"below");
    let mut rename = |from, old, to, new, flags| {
        let from = OldName {
            parent: from,
            name: old,
        };
        let to = OldName {
            parent: to,
            name: new,
        };
        let names = Move { from, to };
        ask(
            &mut server,
            &op::Rename2 {
                names,
                flags,
                owner: None,
            },
            0,
        )
        .err()
    };
    assert_eq!(
        rename(rw, &b"above"[..], below, &b"x"[..], 0),
        Some(libc::EINVAL)
    );
    assert_eq!(rename(rw, b"above", above, b"below", 2), Some(libc::EINVAL));
    assert_eq!(rename(above, b"below", rw, b"above", 1), Some(libc::EEXIST));
    assert_eq!(
        rename(above, b"below", rw, b"above", 0),
        Some(libc::ENOTEMPTY)
    );
    assert_eq!(rename(above, b"below", rw, b"below", 1), None);
    assert_eq!(rename(rw, b"above", below, b"x", 0), None);
    assert_eq!(look(&mut server, below, b"x"), Ok(above));
}

#[test]
fn copies_and_sizes() {
    let mut server = Server::new(Settings::default());
    let rw = path(&mut server, &["rw"]);
    let from = create(&mut server, rw, b"from", 0).unwrap();
    let to = create(&mut server, rw, b"to", 0).unwrap();
    write(&mut server, from, 0, b"0123456789").unwrap();
    let copy = CopyRange {
        nodeid_in: from.0,
        fh_in: from.1,
        off_in: 6,
        nodeid_out: to.0,
        fh_out: to.1,
        off_out: 1,
        len: 100,
    };
    assert_eq!(
        ask(&mut server, &op::CopyFileRange64(copy), 0).unwrap().0,
        4
    );
    assert_eq!(ask(&mut server, &op::CopyFileRange(copy), 0).unwrap().0, 4);
    assert_eq!(read(&mut server, to), b"\x006789");
    let punch = op::Fallocate {
        nodeid: to.0,
        fh: to.1,
        offset: 2,
        length: 1,
        mode: 3,
    };
    ask(&mut server, &punch, 0).unwrap();
    let size = op::Setattr {
        nodeid: to.0,
        size: Some(4),
        ..op::Setattr::default()
    };
    assert_eq!(ask(&mut server, &size, 0).unwrap().0 .0.size, 4);
    assert_eq!(read(&mut server, to), b"\x006\08");
    assert_eq!(server.complaints(), Complaints::default());
}

#[test]
fn writeback_is_confirmed_as_settings_say() {
    for (writeback, wanted) in [
        (Writeback::Never, [false, false]),
        (Writeback::Always, [true, true]),
        (Writeback::Alternate, [false, true]),
    ] {
        assert_eq!([0, 1].map(|init| writeback.holds(init)), wanted);
    }
    let settings = Settings {
        max_write: 4096,
        ..Settings::default()
    };
    let mut server = Server::new(settings);
    let rw = path(&mut server, &["rw"]);
    let target = op::Target {
        nodeid: rw,
        flags: 0,
    };
    assert!(open(&mut server, &op::Opendir(target)) > 0);
    let file = create(&mut server, rw, b"file", 0).unwrap();
    assert!(write(&mut server, file, 0, &[1; 4097]).is_err());
    assert_eq!(server.complaints().writes, 1);
}
