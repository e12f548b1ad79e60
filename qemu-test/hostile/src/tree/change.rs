// SPDX-License-Identifier: GPL-2.0

//! What clients change in the tree, within bounds.

use rfuse_proto::reply::Errno;

use super::{Kind, Marks, Node, Time, Times, Tree, BIRTH};
use crate::request::errno;

/// Nodes that clients may make.
const MOST_NODES: u64 = 2000;

/// Bytes of one file.
const MOST_SIZE: u64 = 8 << 20;

/// Bytes of all files.
const MOST_STORED: u64 = 96 << 20;

impl Tree {
    /// Makes a node without a name.
    ///
    /// # Errors
    ///
    /// `ENOSPC`.
    pub fn add(&mut self, kind: Kind, permissions: u32, owner: (u32, u32)) -> Result<u64, Errno> {
        let reused = self.free.pop();
        if reused.is_none() && self.len() >= self.made_up + MOST_NODES {
            return Err(errno(libc::ENOSPC));
        }
        let mut ino = self.node(kind);
        if let Some(free) = reused {
            self.nodes[free as usize - 1] = self.nodes.pop().flatten();
            ino = free;
        }
        self.generation += 1;
        let generation = self.generation;
        let now = self.tick();
        self.with(ino, |node| {
            node.ino = ino;
            node.permissions = permissions & 0o7777;
            node.owner = owner;
            node.times = Times {
                atime: now,
                mtime: now,
                ctime: now,
            };
            node.generation = generation;
            node.writable = true;
        });
        Ok(ino)
    }

    /// The time: one of its own, so that the same requests get the same answers.
    pub fn tick(&mut self) -> Time {
        self.ticks += 1;
        (BIRTH + 1_000_000 + self.ticks, 0)
    }

    /// Gives a node a name, which is not there.
    pub fn enter(&mut self, parent: u64, name: &[u8], ino: u64) {
        let mut is_dir = false;
        self.with(ino, |node| {
            node.nlink += 1;
            if let Kind::Dir(dir) = &mut node.kind {
                dir.parent = parent;
                is_dir = true;
            }
        });
        self.with(parent, |node| {
            node.nlink += u32::from(is_dir);
            if let Kind::Dir(dir) = &mut node.kind {
                dir.enter(name, ino);
            }
        });
    }

    /// Takes a name away; the node it stood for.
    pub fn leave(&mut self, parent: u64, name: &[u8]) -> Option<u64> {
        let ino = match &mut self.get_mut(parent)?.kind {
            Kind::Dir(dir) => dir.leave(name)?,
            _ => return None,
        };
        let node = self.get_mut(ino)?;
        node.nlink -= 1;
        if matches!(node.kind, Kind::Dir(_)) {
            self.get_mut(parent)?.nlink -= 1;
        }
        Some(ino)
    }

    /// Makes a written file longer, with zeros, or shorter.
    ///
    /// # Errors
    ///
    /// `EFBIG`, `ENOSPC`; `EINVAL` and `EROFS` for what cannot be written.
    pub fn resize(&mut self, nodeid: u64, size: u64) -> Result<(), Errno> {
        let stored = self.stored;
        let data = self.data(nodeid)?;
        let others = stored - data.len() as u64;
        match size {
            _ if size > MOST_SIZE => return Err(errno(libc::EFBIG)),
            _ if size > data.len() as u64 && others + size > MOST_STORED => {
                return Err(errno(libc::ENOSPC))
            }
            _ => data.resize(size as usize, 0),
        }
        self.stored = others + size;
        Ok(())
    }

    /// What is in a written file.
    ///
    /// # Errors
    ///
    /// `ESTALE` for no node, `EISDIR`, `EROFS` for a made-up file, `EPERM` for one that is fixed,
    /// `EINVAL` for others.
    pub fn data(&mut self, nodeid: u64) -> Result<&mut Vec<u8>, Errno> {
        let node = self.get_mut(nodeid).ok_or(errno(libc::ESTALE))?;
        match &mut node.kind {
            Kind::Data(_) if node.marks.is_fixed() => Err(errno(libc::EPERM)),
            Kind::Data(data) => Ok(data),
            Kind::File(_) => Err(errno(libc::EROFS)),
            Kind::Dir(_) => Err(errno(libc::EISDIR)),
            _ => Err(errno(libc::EINVAL)),
        }
    }

    /// Ends a node that nobody has any more.
    pub fn discard(&mut self, nodeid: u64) {
        if nodeid > self.made_up && self.get(nodeid).is_some() {
            self.with(nodeid, |node| node.marks = Marks::default());
            let _ = self.resize(nodeid, 0);
            self.nodes[nodeid as usize - 1] = None;
            self.free.push(nodeid);
        }
    }

    /// Nodes without a name.
    pub fn nameless(&self) -> Vec<u64> {
        let written = self.nodes.iter().skip(self.made_up as usize).flatten();
        let nameless = written.filter(|node| node.is_nameless());
        nameless.map(|node| node.ino).collect()
    }
}

impl Node {
    /// Whether it has no name; a directory counts its own dot.
    pub fn is_nameless(&self) -> bool {
        match self.kind {
            Kind::Dir(_) => self.nlink <= 1,
            _ => self.nlink == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dir;
    use super::*;

    #[test]
    fn names_come_and_go() {
        let mut tree = Tree::new(false);
        let rw = tree.made_up;
        let dir = tree.add(Kind::Dir(Dir::default()), 0o755, (0, 0)).unwrap();
        tree.enter(rw, b"dir", dir);
        let file = tree.add(Kind::Data(Vec::new()), 0o644, (1, 2)).unwrap();
        tree.enter(dir, b"file", file);
        tree.enter(dir, b"other", file);
        let nlink = |tree: &Tree, ino| tree.get(ino).unwrap().nlink;
        assert_eq!([rw, dir, file].map(|ino| nlink(&tree, ino)), [3, 2, 2]);
        assert_eq!(tree.leave(dir, b"file"), Some(file));
        assert_eq!(tree.leave(dir, b"file"), None);
        assert_eq!(tree.nameless(), []);
        tree.leave(dir, b"other");
        tree.leave(rw, b"dir");
        assert_eq!(tree.nameless(), [dir, file]);
        assert_eq!(nlink(&tree, rw), 2);
        let old = tree.get(dir).unwrap().generation;
        tree.discard(dir);
        assert!(tree.get(dir).is_none());
        let next = tree.add(Kind::Data(Vec::new()), 0o644, (0, 0)).unwrap();
        assert_eq!(next, dir);
        assert!(tree.get(next).unwrap().generation > old);
    }

    #[test]
    fn there_are_bounds() {
        let mut tree = Tree::new(false);
        let file = |tree: &mut Tree| tree.add(Kind::Data(Vec::new()), 0o644, (0, 0));
        let first = file(&mut tree).unwrap();
        assert_eq!(tree.resize(first, MOST_SIZE + 1), Err(errno(libc::EFBIG)));
        tree.resize(first, MOST_SIZE).unwrap();
        for _ in 1..MOST_STORED / MOST_SIZE {
            let ino = file(&mut tree).unwrap();
            tree.resize(ino, MOST_SIZE).unwrap();
        }
        let last = file(&mut tree).unwrap();
        assert_eq!(tree.resize(last, 1), Err(errno(libc::ENOSPC)));
        tree.discard(first);
        tree.resize(last, 1).unwrap();
        while file(&mut tree).is_ok() {}
        assert_eq!(tree.len(), tree.made_up + MOST_NODES);
        assert_eq!(tree.resize(1, 0), Err(errno(libc::EISDIR)));
    }
}
