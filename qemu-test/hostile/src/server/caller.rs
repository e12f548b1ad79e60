// SPDX-License-Identifier: GPL-2.0

//! What a request says of who asks: ids, and extensions for what is made.

use rfuse_proto::flags::InitFlags;
use rfuse_proto::reply::Errno;
use rfuse_proto::wire::{Opcode, Rename2In, INVALID_UIDGID};

use super::Server;
use crate::extension::Extensions;
use crate::request::{errno, Request};

/// Operations that make a node.
const MAKING: [Opcode; 5] = [
    Opcode::Mknod,
    Opcode::Mkdir,
    Opcode::Symlink,
    Opcode::Create,
    Opcode::Tmpfile,
];

/// Operations that are nobody's, and may have no ids or those of root.
const NOBODYS: [Opcode; 8] = [
    Opcode::Forget,
    Opcode::BatchForget,
    Opcode::Interrupt,
    Opcode::Destroy,
    Opcode::Release,
    Opcode::Releasedir,
    Opcode::Write,
    Opcode::Syncfs,
];

impl Server {
    /// Whether a request says of its caller what was settled.
    pub(super) fn check_caller(&mut self, request: &Request<'_>) -> Result<(), Errno> {
        // What an INIT says was settled before.
        if request.opcode == Opcode::Init {
            return Ok(());
        }
        let makes = MAKING.contains(&request.opcode) || leaves_whiteout(request);
        if self.flags.contains(InitFlags::ALLOW_IDMAP) && !has_right_ids(request, makes) {
            self.complaints.ids += 1;
            return Err(errno(libc::EINVAL));
        }
        let Some(extensions) = Extensions::parse(request.extensions) else {
            self.complaints.extensions += 1;
            return Err(errno(libc::EINVAL));
        };
        let settled = [
            (InitFlags::SECURITY_CTX, extensions.contexts.is_empty()),
            (InitFlags::CREATE_SUPP_GROUP, extensions.groups.is_empty()),
        ];
        let has = |(flag, none): (InitFlags, bool)| none || makes && self.flags.contains(flag);
        match settled.into_iter().all(has) {
            true => Ok(()),
            false => {
                self.complaints.extensions += 1;
                Err(errno(libc::EINVAL))
            }
        }
    }
}

/// Whether a name is moved and a node made where it was.
fn leaves_whiteout(request: &Request<'_>) -> bool {
    request.opcode == Opcode::Rename2
        && request
            .input::<Rename2In>()
            .is_ok_and(|(how, _)| how.flags & libc::RENAME_WHITEOUT != 0)
}

/// With idmapped mounts, only what makes a node has ids: those that the node is to have.
fn has_right_ids(request: &Request<'_>, makes: bool) -> bool {
    let ids = (request.header.uid, request.header.gid);
    let are_none = ids == (INVALID_UIDGID, INVALID_UIDGID);
    match makes {
        true => ids.0 != INVALID_UIDGID && ids.1 != INVALID_UIDGID,
        false => are_none || ids == (0, 0) && NOBODYS.contains(&request.opcode),
    }
}

#[cfg(test)]
mod tests {
    use rfuse_proto::wire::{GetattrIn, MkdirIn, ROOT_ID};

    use super::super::client::Session;
    use super::super::{Body, Features};
    use super::*;

    /// A directory of that name below `rw`.
    fn mkdir(session: &mut Session, name: &str) -> Body {
        let root = session.server.dir(ROOT_ID).unwrap();
        session.nodeid = root.find(b"rw").unwrap();
        let how = MkdirIn {
            mode: 0o755,
            umask: 0,
        };
        session.ask_with(Opcode::Mkdir, &how, format!("{name}\0").as_bytes())
    }

    /// The last node.
    fn made(session: &Session) -> &crate::tree::Node {
        session.server.tree.get(session.server.nodes()).unwrap()
    }

    #[test]
    fn ids_are_those_of_what_is_made_and_none_else() {
        let mut session = Session::new(Features {
            idmap: true,
            ..Features::default()
        });
        session.ids = (1000, 2000);
        mkdir(&mut session, "dir").unwrap();
        assert_eq!(made(&session).owner, (1000, 2000));
        let getattr = GetattrIn::default();
        assert!(session.ask(Opcode::Getattr, &getattr).is_err());
        session.ids = (INVALID_UIDGID, INVALID_UIDGID);
        session.ask(Opcode::Getattr, &getattr).unwrap();
        assert_eq!(session.server.complaints().ids, 1);
        assert!(mkdir(&mut session, "other").is_err());
        let mut moving = Rename2In::default();
        let moved = session.ask_with(Opcode::Rename2, &moving, b"dir\0to\0");
        assert!(moved.is_err());
        assert_eq!(session.server.complaints().ids, 2);
        moving.flags = libc::RENAME_WHITEOUT;
        session.ids = (1, 1);
        let moved = session.ask_with(Opcode::Rename2, &moving, b"dir\0to\0");
        assert!(moved.is_err());
        session.ids = (0, 0);
        session.ask(Opcode::Destroy, &()).unwrap();
        assert_eq!(session.server.complaints().ids, 2);
    }

    #[test]
    fn who_makes_something_needs_the_permission() {
        let mut session = Session::new(Features {
            supp_groups: true,
            ..Features::default()
        });
        let rw = session.server.dir(ROOT_ID).unwrap().find(b"rw").unwrap();
        let node = session.server.tree.get_mut(rw).unwrap();
        (node.owner, node.permissions) = ((1, 500), 0o770);
        session.ids = (1, 1);
        mkdir(&mut session, "owner").unwrap();
        session.ids = (2, 500);
        mkdir(&mut session, "group").unwrap();
        session.ids = (2, 2);
        assert_eq!(mkdir(&mut session, "other"), Err(errno(libc::EACCES)));
        for (group, may) in [(500, true), (501, false)] {
            session.extensions = [16_u32, 32, 1, group].map(u32::to_ne_bytes).concat();
            assert_eq!(mkdir(&mut session, &format!("{group}")).is_ok(), may);
        }
        assert_eq!(session.server.complaints().extensions, 0);
    }

    #[test]
    fn contexts_become_extended_attributes() {
        // A context of 8 + 4 + 4 bytes.
        let extension = [
            &[24_u32, 1, 3, 0].map(u32::to_ne_bytes).concat()[..],
            b"a.b\0xyz\0",
        ];
        for (security_ctx, complaints) in [(true, 0), (false, 1)] {
            let mut session = Session::new(Features {
                security_ctx,
                ..Features::default()
            });
            session.extensions = extension.concat();
            let done = mkdir(&mut session, "dir");
            assert_eq!(done.is_ok(), security_ctx);
            assert_eq!(session.server.complaints().extensions, complaints);
            if security_ctx {
                let wanted = [(b"a.b".to_vec(), b"xyz".to_vec())];
                assert_eq!(made(&session).xattrs, wanted);
                session.extensions.truncate(16);
                assert!(mkdir(&mut session, "other").is_err());
                assert_eq!(session.server.complaints().extensions, 1);
            }
        }
    }
}
