// SPDX-License-Identifier: GPL-2.0

//! The tree that is served: made up, always the same, but for what clients make below `rw`.
//!
//! A made-up file's name ends in its inode number and its size (`f.17.4096`), so that whoever reads it
//! knows what must be in it.

mod change;
mod made_up;

use std::collections::{BTreeMap, HashMap};

use rfuse_proto::wire::ROOT_ID;

/// When everything that is made up was made, in seconds since the epoch.
pub const BIRTH: u64 = 1_700_000_000;

/// What a node is.
#[derive(Debug)]
pub enum Kind {
    /// A directory.
    Dir(Dir),
    /// A made-up file of that size.
    File(u64),
    /// A file that was written.
    Data(Vec<u8>),
    /// A link with that target.
    Link(Vec<u8>),
    /// A node of another type (its `S_IFMT` bits) with that device number.
    Special(u32, u32),
}

/// A directory.
#[derive(Debug, Default)]
pub struct Dir {
    /// Inode number of the directory above.
    pub parent: u64,
    /// Names and their nodes by their position in listings, which stays theirs.
    pub entries: BTreeMap<u64, (Vec<u8>, u64)>,
    index: HashMap<Vec<u8>, u64>,
}

/// The positions of `.` and `..`.
const DOTS: u64 = 2;

impl Dir {
    /// The node id of a name.
    pub fn find(&self, name: &[u8]) -> Option<u64> {
        let position = self.index.get(name)?;
        self.entries.get(position).map(|(_, ino)| *ino)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn enter(&mut self, name: &[u8], ino: u64) {
        let last = self.entries.last_key_value();
        let position = last.map_or(DOTS, |(position, _)| position + 1);
        self.entries.insert(position, (name.to_vec(), ino));
        self.index.insert(name.to_vec(), position);
    }

    fn leave(&mut self, name: &[u8]) -> Option<u64> {
        let position = self.index.remove(name)?;
        self.entries.remove(&position).map(|(_, ino)| ino)
    }
}

/// Last access, modification and change, since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Last access.
    pub atime: Time,
    /// Last modification.
    pub mtime: Time,
    /// Last change.
    pub ctime: Time,
}

/// Seconds, as they travel, and nanoseconds.
pub type Time = (u64, u32);

/// What ioctls set of a node.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// `FS_*_FL`.
    pub flags: u32,
    /// Project.
    pub project: u32,
    /// Hint for extents, in bytes.
    pub extsize: u32,
    /// The same for copies on write.
    pub cowextsize: u32,
    /// Digest of a file that cannot be written any more.
    pub digest: Option<Vec<u8>>,
}

impl Marks {
    /// `FS_IMMUTABLE_FL`.
    pub const IMMUTABLE: u32 = 0x10;

    /// Whether the content must stay as it is.
    pub fn is_fixed(&self) -> bool {
        self.digest.is_some() || self.flags & Self::IMMUTABLE != 0
    }
}

/// A node.
#[derive(Debug)]
pub struct Node {
    /// Inode number, and node id.
    pub ino: u64,
    /// What it is.
    pub kind: Kind,
    /// Permission bits.
    pub permissions: u32,
    /// Number of names.
    pub nlink: u32,
    /// Extended attributes.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Owner and group.
    pub owner: (u32, u32),
    /// When it was used.
    pub times: Times,
    /// Which of those that had this number it is.
    pub generation: u64,
    /// Whether it may be changed.
    pub writable: bool,
    /// What ioctls set of it.
    pub marks: Marks,
    /// Whether another file system begins here.
    pub submount: bool,
}

impl Node {
    /// File type and permission bits.
    pub fn mode(&self) -> u32 {
        let kind = match &self.kind {
            Kind::Dir(_) => libc::S_IFDIR,
            Kind::File(_) | Kind::Data(_) => libc::S_IFREG,
            Kind::Link(_) => libc::S_IFLNK,
            Kind::Special(kind, _) => *kind,
        };
        kind | self.permissions
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::Dir(dir) => dir.entries.len() as u64 * 32,
            Kind::File(size) => *size,
            Kind::Data(data) => data.len() as u64,
            Kind::Link(target) => target.len() as u64,
            Kind::Special(..) => 0,
        }
    }

    /// Device number of a device node.
    pub fn rdev(&self) -> u32 {
        match self.kind {
            Kind::Special(_, rdev) => rdev,
            _ => 0,
        }
    }
}

/// All nodes. Node ids are 1 (the root) to [`Tree::len`]; ids of nodes that are gone are used again.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Option<Node>>,
    free: Vec<u64>,
    /// Number of nodes that are made up.
    made_up: u64,
    generation: u64,
    /// Bytes of all data that was written.
    stored: u64,
    ticks: u64,
}

impl Tree {
    /// The tree as it begins; with other file systems in it, if that is wanted.
    pub fn new(submounts: bool) -> Self {
        let mut tree = Self::default();
        tree.node(Kind::Dir(Dir {
            parent: ROOT_ID,
            ..Dir::default()
        }));
        tree.fill();
        if submounts {
            tree.fill_submounts();
        }
        tree.made_up = tree.len();
        tree
    }

    /// The node with that id.
    pub fn get(&self, nodeid: u64) -> Option<&Node> {
        let index = usize::try_from(nodeid.checked_sub(1)?).ok()?;
        self.nodes.get(index)?.as_ref()
    }

    /// The node with that id, for a change.
    pub fn get_mut(&mut self, nodeid: u64) -> Option<&mut Node> {
        let index = usize::try_from(nodeid.checked_sub(1)?).ok()?;
        self.nodes.get_mut(index)?.as_mut()
    }

    /// Number of nodes, those that are gone included.
    pub fn len(&self) -> u64 {
        self.nodes.len() as u64
    }

    /// Never: there is a root.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn with(&mut self, ino: u64, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.get_mut(ino) {
            change(node);
        }
    }

    fn node(&mut self, kind: Kind) -> u64 {
        let ino = self.len() + 1;
        let permissions = match kind {
            Kind::Dir(_) => 0o755,
            Kind::Link(_) => 0o777,
            _ => 0o644,
        };
        let times = Times {
            atime: (BIRTH, 1),
            mtime: (BIRTH + ino, 999_999_999),
            ctime: (BIRTH, 0),
        };
        self.nodes.push(Some(Node {
            ino,
            nlink: u32::from(matches!(kind, Kind::Dir(_))),
            kind,
            permissions,
            xattrs: Vec::new(),
            owner: (0, 0),
            times,
            generation: 0,
            writable: false,
            marks: Marks::default(),
            submount: false,
        }));
        ino
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_to_a_node_and_every_node_has_its_names() {
        let tree = Tree::new(true);
        let mut names = vec![0; tree.len() as usize + 1];
        for nodeid in 1..=tree.len() {
            let Kind::Dir(dir) = &tree.get(nodeid).unwrap().kind else {
                continue;
            };
            for (name, ino) in dir.entries.values() {
                assert_eq!(dir.find(name), Some(*ino));
                names[*ino as usize] += 1;
            }
        }
        for nodeid in 2..=tree.len() {
            let node = tree.get(nodeid).unwrap();
            if !matches!(node.kind, Kind::Dir(_)) {
                assert_eq!(node.nlink, names[nodeid as usize], "node {nodeid}");
            }
        }
        assert!(tree.get(0).is_none() && tree.get(tree.len() + 1).is_none());
    }

    #[test]
    fn names_tell_number_and_size() {
        let tree = Tree::new(false);
        for nodeid in 1..=tree.len() {
            let Kind::Dir(dir) = &tree.get(nodeid).unwrap().kind else {
                continue;
            };
            for (name, ino) in dir.entries.values() {
                if let Kind::File(size) = tree.get(*ino).unwrap().kind {
                    let name = String::from_utf8(name.clone()).unwrap();
                    assert!(name.ends_with(&format!(".{ino}.{size}")), "{name}");
                }
            }
        }
    }
}
