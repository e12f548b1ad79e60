// SPDX-License-Identifier: GPL-2.0

//! Changes of the tree that no client asks for.

use rfuse_proto::reply::Errno;
use rfuse_proto::wire::ROOT_ID;

use super::Server;
use crate::tree::Kind;

impl Server {
    /// Makes an empty file.
    pub(crate) fn make_beside(&mut self, path: &str) -> Result<(), Errno> {
        let (parent, name) = self.place(path)?;
        let name = self.new_name(parent, name)?;
        let ino = self.tree.add(Kind::Data(Vec::new()), 0o644, (0, 0))?;
        self.tree.enter(parent, name, ino);
        self.modified(parent);
        Ok(())
    }

    /// Removes a name.
    pub(crate) fn remove_beside(&mut self, path: &str) -> Result<(), Errno> {
        let place = self.place(path)?;
        self.named(place)?;
        self.remove(place).map(|_| ())
    }

    /// The directory that a path leads to, and its last name.
    fn place<'a>(&self, path: &'a str) -> Result<(u64, &'a [u8]), Errno> {
        let (dirs, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut parent = ROOT_ID;
        for dir in dirs.split('/').filter(|dir| !dir.is_empty()) {
            let found = self.dir(parent)?.find(dir.as_bytes());
            parent = found.ok_or(Errno::ENOENT)?;
        }
        Ok((parent, name.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn names_come_and_go() {
        let mut server = Server::new(Settings::default());
        let nodes = server.nodes();
        server.make_beside("rw/new").unwrap();
        assert!(server.make_beside("rw/new").is_err());
        assert!(server.make_beside("files/new").is_err());
        assert_eq!(server.make_beside("none/new"), Err(Errno::ENOENT));
        assert_eq!(server.nodes(), nodes + 1);
        server.remove_beside("/rw/new").unwrap();
        assert_eq!(server.remove_beside("rw/new"), Err(Errno::ENOENT));
    }
}
