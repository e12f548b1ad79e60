// SPDX-License-Identifier: GPL-2.0

//! What is there from the beginning.

use rfuse_proto::wire::ROOT_ID;

use super::{Dir, Kind, Tree};

/// Sizes around everything that counts: pages, folios, requests.
const SIZES: [u64; 19] = [
    0, 1, 15, 16, 17, 4095, 4096, 4097, 8192, 12_345, 65_535, 65_536, 65_537, 131_072, 1_048_575,
    1_048_576, 1_048_577, 3_000_000, 5_242_999,
];

/// Entries of the large directory.
const MANY: u64 = 3000;

/// Depth of the deep one.
const DEPTH: usize = 20;

impl Tree {
    /// All but other file systems.
    pub(super) fn fill(&mut self) {
        let files = self.dir(ROOT_ID, "files");
        for size in SIZES {
            self.file(files, "f", size);
        }
        let many = self.dir(ROOT_ID, "many");
        for number in 0..MANY {
            self.file(many, "entry-of-the-large-directory", number % 97);
        }
        self.dir(ROOT_ID, "empty");
        self.fill_deep();
        self.fill_hard();
        self.fill_links();
        self.fill_special();
        self.fill_xattrs();
        let writable = self.dir(ROOT_ID, "rw");
        self.with(writable, |node| node.writable = true);
    }

    /// Other file systems, one in another.
    pub(super) fn fill_submounts(&mut self) {
        let mut at = ROOT_ID;
        for name in ["sub", "inner"] {
            at = self.dir(at, name);
            self.with(at, |node| node.submount = true);
            self.file(at, "f", 5000);
            let plain = self.dir(at, "plain");
            self.file(plain, "f", 4096);
            let writable = self.dir(at, "rw");
            self.with(writable, |node| node.writable = true);
        }
    }

    fn fill_deep(&mut self) {
        let mut at = self.dir(ROOT_ID, "deep");
        for _ in 0..DEPTH {
            self.file(at, "f", 100);
            at = self.dir(at, "down");
        }
    }

    fn fill_hard(&mut self) {
        let hard = self.dir(ROOT_ID, "hard");
        let ino = self.file(hard, "first", 7000);
        for name in ["second", "third"] {
            let name = format!("{name}.{ino}.7000");
            self.enter(hard, name.as_bytes(), ino);
        }
    }

    fn fill_links(&mut self) {
        let links = self.dir(ROOT_ID, "links");
        let targets = [
            ("file", b"../hard".to_vec()),
            ("dir", b"../deep/down".to_vec()),
            ("dangling", b"nowhere".to_vec()),
            ("loop", b"loop".to_vec()),
            ("long", b"x".repeat(4000)),
        ];
        for (name, target) in targets {
            let ino = self.node(Kind::Link(target));
            self.enter(links, name.as_bytes(), ino);
        }
    }

    fn fill_special(&mut self) {
        let special = self.dir(ROOT_ID, "special");
        let kinds = [
            ("fifo", libc::S_IFIFO, 0),
            ("socket", libc::S_IFSOCK, 0),
            ("null", libc::S_IFCHR, 0x103),
            ("block", libc::S_IFBLK, 0x700),
        ];
        for (name, kind, rdev) in kinds {
            let ino = self.node(Kind::Special(kind, rdev));
            self.enter(special, name.as_bytes(), ino);
        }
    }

    fn fill_xattrs(&mut self) {
        let dir = self.dir(ROOT_ID, "xattrs");
        for number in 0..4_usize {
            let ino = self.file(dir, "x", 10);
            let mut xattrs: Vec<_> = (0..number * 5)
                .map(|n| {
                    let value = content_of(ino, n * n * 37);
                    (format!("user.attribute-{n}").into_bytes(), value)
                })
                .collect();
            if number > 1 {
                xattrs.push((b"system.posix_acl_access".to_vec(), acl()));
            }
            self.with(ino, |node| node.xattrs = xattrs);
        }
    }

    fn dir(&mut self, parent: u64, name: &str) -> u64 {
        let ino = self.node(Kind::Dir(Dir::default()));
        self.enter(parent, name.as_bytes(), ino);
        ino
    }

    fn file(&mut self, parent: u64, prefix: &str, size: u64) -> u64 {
        let ino = self.node(Kind::File(size));
        self.enter(parent, format!("{prefix}.{ino}.{size}").as_bytes(), ino);
        ino
    }
}

fn content_of(ino: u64, len: usize) -> Vec<u8> {
    crate::content::read(ino, 0, len)
}

/// A POSIX ACL as the kernel passes it: owner rw, user 1000 r, group r, mask r, others none.
fn acl() -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, u32::MAX),
        (0x02, 4, 1000),
        (0x04, 4, u32::MAX),
        (0x10, 4, u32::MAX),
        (0x20, 0, u32::MAX),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}
