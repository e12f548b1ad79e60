// SPDX-License-Identifier: GPL-2.0

//! The request object: one slab object with everything a typical request sends and receives.

use super::{
    folios::Folios, generations::Generation, outgoing::Outgoing, pieces::Pieces, timeout::Age,
    Connection,
};
use core::mem::size_of;
use kernel::{prelude::*, sync::Arc};
use rfuse_kapi::{
    handoff::Owned,
    inline_bytes::InlineBytes,
    pinned_pages::PinnedPages,
    time::local_clock,
    transfer::{Buffers, Transfer},
};
use rfuse_proto::{
    op::{self, Caller, Operation, Undo, INTERRUPT_BIT, RESEND_BIT},
    reply,
    wire::{Opcode, OutHeader},
};

/// Room for header, fixed body and short names. Names up to `NAME_MAX` fit behind every fixed body
/// that has one.
const OUT_INLINE: usize = 320;

/// Room for the reply header and the longest fixed reply (`StatxOut`).
const REPLY_INLINE: usize = 304;

/// The variable part of a reply or of a request, which is in memory of its own.
pub(crate) enum Payload {
    /// There is none.
    None,
    /// There is none, but this lives on until the server is done with the request.
    Held {
        /// Dropped with the request.
        _until_done: Arc<dyn Held>,
    },
    /// Bytes of a reply: a directory listing, a link target.
    Bytes(KVec<u8>),
    /// Page-cache folios of adjacent file ranges, which a reply fills.
    Folios(Folios),
    /// User memory, which a reply fills.
    Pinned(PinnedPages),
    /// User memory, which is sent.
    PinnedSource(PinnedPages),
    /// Pieces of memory, which are sent.
    Pieces(Pieces),
    /// What is written back, which is sent.
    Outgoing(Outgoing),
}

/// What a request needs to live on, should its caller go.
pub(crate) trait Held: Send + Sync {}

impl Payload {
    /// None but what is to live on.
    pub(crate) fn held(value: Arc<dyn Held>) -> Self {
        Self::Held { _until_done: value }
    }

    /// How many bytes of it are sent.
    fn sent_len(&self) -> usize {
        match self {
            Self::None | Self::Held { .. } | Self::Bytes(_) | Self::Pinned(_) | Self::Folios(_) => {
                0
            }
            Self::PinnedSource(pages) => pages.len(),
            Self::Pieces(pieces) => pieces.len(),
            Self::Outgoing(data) => data.len(),
        }
    }

    /// How many bytes of a reply it can take.
    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::None
            | Self::Held { .. }
            | Self::PinnedSource(_)
            | Self::Pieces(_)
            | Self::Outgoing(_) => 0,
            Self::Bytes(bytes) => bytes.len(),
            Self::Pinned(pages) => pages.len(),
            Self::Folios(folios) => folios.size(),
        }
    }
}

/// What happens once a background request is over. Process context, may sleep.
pub(crate) trait Completion: Send {
    /// `result` is the number of bytes of `payload` that the server filled or took.
    fn complete(self: KBox<Self>, conn: &Connection, payload: Payload, result: Result<usize>);
}

/// Who cares for the answer.
pub(crate) enum Role {
    /// A waiting caller; `undo` says what its answer did to the server, should the caller be gone.
    Call {
        /// See [`Operation::undo`].
        undo: fn(&[u8]) -> Undo,
    },
    /// Nobody waits, and it counts against the limit of background requests.
    Background {
        /// What to do with the answer.
        completion: Option<KBox<dyn Completion>>,
        /// See [`Operation::moved`].
        moved: fn(&[u8], usize) -> usize,
        /// When it began, until it ends.
        began: Option<(Generation, Age)>,
    },
    /// There is no answer, but it is to be known when the server has it.
    Forget,
    /// There is no answer.
    Message,
}

/// A request, from its making to the end of its answer.
pub(crate) struct Request {
    out: InlineBytes<OUT_INLINE>,
    out_len: usize,
    /// All of the out part, where it is too long for `out`. (To drop a vector is a call, even if it is empty.)
    spill: Option<KVec<u8>>,
    /// Header and fixed part of the reply; nothing without an answer.
    reply: InlineBytes<REPLY_INLINE>,
    payload: Payload,
    unique: u64,
    opcode: Option<Opcode>,
    nodeid: u64,
    /// When it was made, by [`local_clock`].
    began_at: u64,
    /// Whether the server is done with it.
    answered: bool,
    /// What the server claims to have written, header included.
    written: usize,
    /// Why there is no answer.
    error: Option<Error>,
    role: Role,
}

impl Request {
    /// An empty request in place, to be encoded into.
    pub(super) fn new(role: Role, payload: Payload) -> impl Init<Self> {
        init!(Self {
            out: InlineBytes::new(),
            out_len: 0,
            spill: None,
            reply: InlineBytes::new(),
            payload,
            unique: 0,
            opcode: None,
            nodeid: 0,
            began_at: 0,
            answered: false,
            written: 0,
            error: None,
            role,
        })
    }

    /// Writes `operation` into the request. May sleep for a long name.
    pub(super) fn encode<O: Operation>(&mut self, operation: &O, caller: &Caller) -> Result {
        let len = op::encoded_len(operation);
        let buffer = match self.out.zeroed(len) {
            Some(inline) => inline,
            None => self.spill.insert(KVec::zeroed(len, GFP_KERNEL)?),
        };
        op::encode(operation, caller, buffer).ok_or(EINVAL)?;
        self.out_len = len;
        let reply_len = op::fixed_reply_len::<O>();
        self.reply.zeroed(reply_len).ok_or(EINVAL)?;
        self.unique = caller.unique;
        self.opcode = Some(O::OPCODE);
        self.nodeid = operation.nodeid();
        self.began_at = local_clock();
        Ok(())
    }

    /// The server has nothing to say to it.
    pub(super) fn expect_no_answer(&mut self) {
        self.reply.zeroed(0);
    }

    /// Makes room for a message of up to `room` bytes, if memory allows. Does not sleep.
    pub(super) fn widen(&mut self, room: usize) {
        if let Ok(wide) = KVec::zeroed(room, GFP_NOWAIT) {
            self.spill = Some(wide);
        }
    }

    /// Lets `write` fill the out part with a message that has no answer; it returns the length of
    /// the message and what it put there. Returns the latter.
    pub(super) fn fill(&mut self, write: impl FnOnce(&mut [u8]) -> (usize, usize)) -> usize {
        if self.spill.is_none() {
            self.out.zeroed(OUT_INLINE);
        }
        let (len, count) = write(self.buffer());
        self.out_len = len;
        count
    }

    fn buffer(&mut self) -> &mut [u8] {
        match &mut self.spill {
            None => &mut self.out,
            Some(spill) => spill,
        }
    }

    /// How many bytes the server is to read.
    pub(crate) fn sent_len(&self) -> usize {
        self.out_len.saturating_add(self.payload.sent_len())
    }

    /// How many bytes the server claims to have written.
    pub(super) fn received_len(&self) -> usize {
        self.written
    }

    /// When it was made, by [`local_clock`].
    pub(super) fn began_at(&self) -> u64 {
        self.began_at
    }

    /// Whether the server should have answered it by now, if it was to answer all that was made before the time
    /// `before`. It may leave somebody waiting for a lock as long as others please.
    pub(crate) fn is_late(&self, before: u64) -> bool {
        self.expects_answer() && self.opcode != Some(Opcode::Setlkw) && self.began_at < before
    }

    /// Whether the server refused it, or never answered.
    pub(super) fn has_failed(&self) -> bool {
        let refused =
            || OutHeader::read_from_prefix(&self.reply).is_ok_and(|(header, _)| header.error != 0);
        !self.answered || (self.expects_answer() && refused())
    }

    /// The operation; a message without an answer has none.
    pub(crate) fn opcode(&self) -> Option<Opcode> {
        self.opcode
    }

    /// Whether somebody waits for the answer, or did.
    pub(crate) fn has_caller(&self) -> bool {
        matches!(self.role, Role::Call { .. })
    }

    /// Whether the server has something to say to it.
    pub(crate) fn expects_answer(&self) -> bool {
        !self.reply.is_empty()
    }

    /// Whether an answer without an error may have this length in bytes, header included.
    pub(crate) fn takes_answer(&self, len: usize) -> bool {
        let most = self.reply.len().saturating_add(self.payload.capacity());
        (self.reply.len()..=most).contains(&len)
    }

    /// The server is to read it once more, and to know that it may have before.
    pub(crate) fn resend(&mut self) {
        self.unique |= RESEND_BIT;
        let unique = self.unique;
        op::set_unique(self.buffer(), unique);
    }

    /// Whether it asks the server to give up on another request.
    pub(crate) fn is_interrupt(&self) -> bool {
        self.opcode == Some(Opcode::Interrupt)
    }

    /// Whether it does so on the request with the number `unique`.
    pub(crate) fn interrupts(&self, unique: u64) -> bool {
        self.is_interrupt() && self.unique == unique | INTERRUPT_BIT
    }

    /// Whether the server is done with it. It is not if the request was lost on the way.
    pub(crate) fn was_answered(&self) -> bool {
        self.answered
    }

    /// The node the request is about.
    pub(crate) fn nodeid(&self) -> u64 {
        self.nodeid
    }

    /// The number that the server knows it by.
    pub(crate) fn unique(&self) -> u64 {
        self.unique
    }

    /// The body that was sent, if it is one of this type.
    pub(super) fn body<T: FromBytes>(&self) -> Option<T> {
        let body = self.out.get(op::HEADER..self.out_len)?;
        Some(T::read_from_prefix(body).ok()?.0)
    }

    pub(super) fn role(&mut self) -> &mut Role {
        &mut self.role
    }

    /// Why the request never got an answer, if so.
    pub(crate) fn error(&self) -> Option<Error> {
        self.error
    }

    pub(super) fn take_payload(&mut self) -> Payload {
        core::mem::replace(&mut self.payload, Payload::None)
    }

    /// Validates the answer: header, lengths, error number; the result is the reply's fixed part.
    pub(super) fn check(&self) -> Result<(&[u8], usize), reply::ReplyError> {
        let fixed = self.reply.len().saturating_sub(size_of::<OutHeader>());
        let (header, _) = OutHeader::read_from_prefix(&self.reply).unwrap_or_default();
        let most = self.payload.capacity();
        let tail = reply::check(&header, self.written, self.unique, fixed, most)?;
        Ok((
            self.reply.get(size_of::<OutHeader>()..).unwrap_or(&[]),
            tail,
        ))
    }
}

impl Transfer for Request {
    fn buffers<'a, B: Buffers<'a>>(&'a mut self, buffers: &mut B) -> Result {
        let out: &[u8] = match &self.spill {
            None => &self.out,
            Some(spill) => spill,
        };
        buffers.readable(out.get(..self.out_len).ok_or(EINVAL)?)?;
        let reply = &mut *self.reply;
        match &mut self.payload {
            Payload::None | Payload::Held { .. } => buffers.writable(reply),
            Payload::PinnedSource(pages) => {
                buffers.readable_pages(pages)?;
                buffers.writable(reply)
            }
            Payload::Outgoing(data) => {
                data.name(buffers)?;
                buffers.writable(reply)
            }
            Payload::Pieces(pieces) => {
                pieces.name(buffers)?;
                buffers.writable(reply)
            }
            Payload::Bytes(bytes) => {
                buffers.writable(reply)?;
                buffers.writable(bytes)
            }
            Payload::Pinned(pages) => {
                buffers.writable(reply)?;
                buffers.writable_pages(pages)
            }
            Payload::Folios(folios) => {
                buffers.writable(reply)?;
                folios
                    .iter_mut()
                    .try_for_each(|folio| buffers.writable_folio(folio))
            }
        }
    }

    fn written(&mut self, written: usize) {
        self.answered = true;
        self.written = written;
    }

    fn failed(&mut self, error: Error) {
        self.error = Some(error);
    }
}

/// A request in the hands of its current owner.
pub(crate) type OwnedRequest = Owned<Request>;
