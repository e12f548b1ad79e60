// SPDX-License-Identifier: GPL-2.0

//! A client for tests: it settles what a server can do, and asks.

use rfuse_proto::wire::{InHeader, InitIn, OpenIn, KERNEL_VERSION};
use zerocopy::FromBytes;

use super::*;

/// The node that requests are about where nothing else is said: a file.
pub(super) const NODE: u64 = 3;

/// A server, and the numbers of the requests that it gets.
pub(super) struct Session {
    pub server: Server,
    /// The number of the last request.
    pub unique: u64,
    /// The node that the next request is about.
    pub nodeid: u64,
    /// User and group of the next request.
    pub ids: (u32, u32),
    /// Extensions of the next request.
    pub extensions: Vec<u8>,
}

impl Session {
    /// A session with a server that offers this, and a client that wants all.
    pub fn new(features: Features) -> Self {
        let settings = Settings {
            features,
            ..Settings::default()
        };
        let server = Server::new(settings);
        let mut session = Self {
            server,
            unique: 0,
            nodeid: NODE,
            ids: (0, 0),
            extensions: Vec::new(),
        };
        let offer = InitIn {
            major: KERNEL_VERSION,
            flags: u32::MAX,
            flags2: u32::MAX,
            ..InitIn::default()
        };
        session.ask(Opcode::Init, &offer).unwrap();
        session
    }

    /// Sends a request: its answer's body, `None` if that comes later.
    pub fn send(
        &mut self,
        opcode: Opcode,
        body: &(impl IntoBytes + Immutable + ?Sized),
    ) -> Option<Body> {
        self.unique += 2;
        let header = InHeader {
            unique: self.unique,
            nodeid: self.nodeid,
            uid: self.ids.0,
            gid: self.ids.1,
            ..InHeader::default()
        };
        let request = Request {
            header,
            opcode,
            body: body.as_bytes(),
            extensions: &self.extensions,
            room: 4096,
        };
        let answer = match self.server.answer(&request) {
            Answer::Reply(answer) => answer,
            Answer::Nothing => return Some(Ok(Vec::new())),
            Answer::Later => return None,
        };
        let head = OutHeader::read_from_prefix(&answer).unwrap().0;
        Some(match head.error {
            0 => Ok(answer[HEAD..].to_vec()),
            error => Err(errno(-error)),
        })
    }

    /// The same with data behind the body.
    pub fn ask_with(
        &mut self,
        opcode: Opcode,
        body: &(impl IntoBytes + Immutable),
        data: &[u8],
    ) -> Body {
        let all = [body.as_bytes(), data].concat();
        self.send(opcode, all.as_slice()).unwrap()
    }

    /// Sends a request that is answered at once.
    pub fn ask(&mut self, opcode: Opcode, body: &(impl IntoBytes + Immutable)) -> Body {
        self.send(opcode, body).unwrap()
    }

    /// Another open file.
    pub fn open(&mut self) -> u64 {
        let out = self.ask(Opcode::Open, &OpenIn::default()).unwrap();
        OpenOut::read_from_bytes(&out).unwrap().fh
    }
}
