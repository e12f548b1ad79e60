// SPDX-License-Identifier: GPL-2.0

//! Open directories and their listings.

use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{Dirent, Direntplus, EntryOut, OpenIn, OpenOut, ReadIn};
use zerocopy::{Immutable, IntoBytes};

use super::{bytes, Body, Server};
use crate::request::Request;

/// Records are multiples of this many bytes.
pub const ALIGN: usize = 8;

/// An entry of a listing, before it is written.
struct Listed {
    ino: u64,
    off: u64,
    kind: u32,
    name: Vec<u8>,
}

impl Server {
    pub(super) fn opendir(&mut self, request: &Request<'_>) -> Body {
        request.input::<OpenIn>()?;
        self.dir(request.nodeid())?;
        Ok(bytes(&OpenOut {
            fh: self.handle(request.nodeid()),
            open_flags: self.settings.features.dir_flags,
            backing_id: 0,
        }))
    }

    pub(super) fn readdir(&mut self, request: &Request<'_>) -> Body {
        self.list(request, |_, entry| Ok(record(&entry.dirent(), &entry.name)))
    }

    pub(super) fn readdirplus(&mut self, request: &Request<'_>) -> Body {
        self.list(request, |server, entry| {
            let entry_out = match entry.name.as_slice() {
                b"." | b".." => EntryOut::default(),
                _ => server.entry(entry.ino)?,
            };
            let head = Direntplus {
                entry_out,
                dirent: entry.dirent(),
            };
            Ok(record(&head, &entry.name))
        })
    }

    /// As many records as fit.
    fn list(
        &mut self,
        request: &Request<'_>,
        write: impl Fn(&mut Self, &Listed) -> Result<Vec<u8>, Errno>,
    ) -> Body {
        let (asked, _) = request.input::<ReadIn>()?;
        self.check_handle(request.nodeid(), asked.fh);
        let room = request.body_room().min(asked.size as usize);
        let mut body = Vec::new();
        let mut at = asked.offset;
        while let Some(entry) = self.listed(request.nodeid(), at)? {
            at = entry.off;
            // A record that does not fit must not count a lookup.
            if body.len() + largest(&entry.name) > room {
                break;
            }
            body.extend(write(self, &entry)?);
        }
        Ok(body)
    }

    /// The first entry from an offset on.
    fn listed(&self, nodeid: u64, mut at: u64) -> Result<Option<Listed>, Errno> {
        let dir = self.dir(nodeid)?;
        let (name, ino) = match at {
            0 => (&b"."[..], nodeid),
            1 => (&b".."[..], dir.parent),
            _ => match dir.entries.range(at..).next() {
                Some((position, (name, ino))) => {
                    at = *position;
                    (name.as_slice(), *ino)
                }
                None => return Ok(None),
            },
        };
        Ok(Some(Listed {
            ino,
            off: at + 1,
            kind: (self.node(ino)?.mode() & libc::S_IFMT) >> 12,
            name: name.to_vec(),
        }))
    }
}

impl Listed {
    fn dirent(&self) -> Dirent {
        Dirent {
            ino: self.ino,
            off: self.off,
            namelen: self.name.len() as u32,
            type_: self.kind,
        }
    }
}

/// One record: a head, the name, padding.
pub fn record(head: &(impl IntoBytes + Immutable), name: &[u8]) -> Vec<u8> {
    let mut record = bytes(head);
    record.extend_from_slice(name);
    record.resize(record.len().next_multiple_of(ALIGN), 0);
    record
}

/// What a record of either kind takes at most, in bytes.
fn largest(name: &[u8]) -> usize {
    size_of::<Direntplus>() + name.len().next_multiple_of(ALIGN)
}
