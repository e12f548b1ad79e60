// SPDX-License-Identifier: GPL-2.0

//! Synchronous requests: send, wait, validate.

use super::{
    request::{OwnedRequest, Payload, Request, Role},
    Connection,
};
use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};
use rfuse_kapi::handoff::{Gfp, Waiter, Woken};
use rfuse_proto::{
    op::{self, Named, Operation, Optional, Refusal, Undo},
    reply::Errno,
    state::{Action, Event, State},
    wire::Opcode,
};

impl Connection {
    /// Asks the server and waits for the answer. May sleep; only a fatal signal ends the wait early.
    ///
    /// # Errors
    ///
    /// What the server says; `EIO` for an answer that is not valid; `EINTR` when killed;
    /// `ECONNABORTED` and `ENOTCONN` when the server is cut off or gone; `ENOMEM`.
    pub(crate) fn call<O: Operation>(&self, operation: O) -> Result<O::Reply> {
        self.call_with(operation, Payload::None)
            .map(|(reply, _)| reply)
    }

    /// As [`Self::call`], but a server that was found to lack the operation is not asked again: `ENOSYS`.
    pub(crate) fn call_known<O: Operation>(&self, operation: O) -> Result<O::Reply> {
        match O::OPTIONAL {
            Some(optional) if self.lacks(optional) => Err(ENOSYS),
            _ => self.call(operation),
        }
    }

    /// As [`Self::call`]; the variable part of the answer goes to `payload`.
    pub(crate) fn call_with<O: Operation>(
        &self,
        operation: O,
        payload: Payload,
    ) -> Result<(O::Reply, Payload)> {
        self.begin(operation, payload)?.end()
    }

    /// Asks the server; the answer is waited for later. Dropping the result leaves the request to the
    /// transport, as a caller does that is killed. May sleep.
    ///
    /// # Errors
    ///
    /// `ECONNABORTED`, `ENOMEM`: nothing was sent.
    pub(crate) fn begin<O: Operation>(
        &self,
        operation: O,
        payload: Payload,
    ) -> Result<Sent<'_, O>> {
        let (waiter, unique) = self.send(&operation, payload)?;
        Ok(Sent {
            conn: self,
            operation,
            unique,
            waiter: Some(waiter),
        })
    }

    /// Sends a request and waits until it is answered.
    pub(super) fn ask<O: Operation>(
        &self,
        operation: &O,
        payload: Payload,
    ) -> Result<OwnedRequest> {
        let (waiter, unique) = self.send(operation, payload)?;
        let named = || operation.named();
        self.wait(waiter, Asked::new(unique, &named))
    }

    /// Sends a request: the claim on its answer, and its number.
    fn send<O: Operation>(
        &self,
        operation: &O,
        payload: Payload,
    ) -> Result<(Waiter<Request>, u64)> {
        self.ready(O::OPCODE)?;
        let role = Role::Call { undo: O::undo };
        let mut request = self
            .engine
            .requests
            .alloc(Request::new(role, payload), Gfp::Kernel)?;
        request.encode(operation, &self.caller())?;
        let unique = request.unique();
        let (request, waiter) = request.lend().map_err(|_| EBUSY)?;
        if let Err(request) = self.transport.submit(request) {
            // The waiter has it at once; nobody else was told.
            drop(request);
        }
        Ok((waiter, unique))
    }

    fn wait(&self, waiter: Waiter<Request>, asked: Asked<'_>) -> Result<OwnedRequest> {
        match waiter.wait_interruptible(self.patience()) {
            Ok(request) => self.answered(request),
            Err((waiter, Woken::Signal)) => {
                if self.transport.heeds_signals() {
                    self.interrupt(&waiter, asked.unique);
                }
                self.wait_killable(waiter, asked)
            }
            Err((waiter, Woken::Late)) => self.gone(waiter, asked, Woken::Late),
        }
    }

    fn wait_killable(&self, waiter: Waiter<Request>, asked: Asked<'_>) -> Result<OwnedRequest> {
        match waiter.wait_killable(self.patience()) {
            Ok(request) => self.answered(request),
            Err((waiter, why)) => self.gone(waiter, asked, why),
        }
    }

    /// The caller waits no longer.
    #[cold]
    fn gone(&self, waiter: Waiter<Request>, asked: Asked<'_>, why: Woken) -> Result<OwnedRequest> {
        match (self.killed(waiter, asked), why) {
            (Ok(request), _) => self.answered(request),
            (Err(error), Woken::Signal) => Err(error),
            (Err(_), Woken::Late) => {
                self.timed_out();
                Err(ETIMEDOUT)
            }
        }
    }

    fn answered(&self, request: OwnedRequest) -> Result<OwnedRequest> {
        self.count(&request);
        match request.was_answered() {
            true => Ok(request),
            false => Err(self.lost(&request)),
        }
    }

    /// A fatal signal came. A request that was not sent is taken back; one that was is left to the
    /// transport, unless its answer comes right now. May sleep.
    fn killed(&self, waiter: Waiter<Request>, asked: Asked<'_>) -> Result<OwnedRequest> {
        let unsent = self.transport.take_back(&waiter);
        let state = match unsent {
            Some(_) => State::Queued,
            None => State::Sent,
        };
        match state.step(Event::Kill).1 {
            Action::Detach => {
                self.orphans.add(asked.unique, (asked.named)());
                let back = waiter.detach().ok_or(EINTR);
                back.inspect(|_| self.orphan_ended(asked.unique))
            }
            _ => {
                drop(unsent);
                Err(EINTR)
            }
        }
    }

    /// The error for the caller of an answer that is none.
    pub(super) fn refused(
        &self,
        opcode: Option<Opcode>,
        optional: Option<Optional>,
        error: Refusal,
    ) -> Error {
        match error {
            Refusal::Server(errno) => {
                let error = server_error(errno);
                if let (ENOSYS, Some(optional)) = (error, optional) {
                    set_bits(&self.missing, optional as u32);
                }
                error
            }
            Refusal::Fault(fault) => {
                let name = opcode.map_or("FORGET", Opcode::name);
                rfuse_kapi::log::err_ratelimited(format_args!("bad answer to {name}: {fault}"));
                EIO
            }
        }
    }

    /// Nobody takes an answer over: what it did to the server is undone. May sleep.
    pub(super) fn undo(&self, request: &mut Request) {
        let Role::Call { undo } = *request.role() else {
            return;
        };
        let Ok((fixed, tail)) = request.check() else {
            return;
        };
        let (effect, opened) = (undo(fixed), request.nodeid());
        let handle = |nodeid, fh| op::Handle {
            nodeid,
            fh,
            flags: 0,
            flock_owner: None,
        };
        match effect {
            Undo::Nothing => {}
            Undo::Forget(nodeid) => self.forget(nodeid, 1),
            Undo::Release(fh) => self.tell(&op::Release(handle(opened, fh))),
            Undo::Releasedir(fh) => self.tell(&op::Releasedir(handle(opened, fh))),
            Undo::ReleaseAndForget { nodeid, fh } => {
                self.tell(&op::Release(handle(nodeid, fh)));
                self.forget(nodeid, 1);
            }
            Undo::Unlock => {
                if let Some(body) = request.body() {
                    let unlock = op::Setlk(op::LockRequest::unlock(opened, &body));
                    self.tell_holding(&unlock, request.take_payload());
                }
            }
            Undo::ForgetEntries => self.forget_entries(&request.take_payload(), tail),
        }
    }
}

/// An error that a server names.
pub(crate) fn server_error(errno: Errno) -> Error {
    Error::from_errno(i32::from(errno.get()).wrapping_neg())
}

/// What is known of a request that the transport has.
#[derive(Clone, Copy)]
struct Asked<'a> {
    unique: u64,
    /// See [`Operation::named`].
    named: &'a dyn Fn() -> [Named; 2],
}

impl<'a> Asked<'a> {
    fn new(unique: u64, named: &'a dyn Fn() -> [Named; 2]) -> Self {
        Self { unique, named }
    }
}

/// A request that was sent, and whose answer somebody is to wait for.
pub(crate) struct Sent<'a, O: Operation> {
    conn: &'a Connection,
    operation: O,
    unique: u64,
    /// Always there, until the end.
    waiter: Option<Waiter<Request>>,
}

impl<O: Operation> Sent<'_, O> {
    /// Waits for the answer. May sleep; only a fatal signal ends the wait early.
    ///
    /// # Errors
    ///
    /// As [`Connection::call`].
    pub(crate) fn end(mut self) -> Result<(O::Reply, Payload)> {
        let waiter = self.waiter.take().ok_or(EIO)?;
        let named = || self.operation.named();
        let request = self.conn.wait(waiter, Asked::new(self.unique, &named))?;
        self.decode(request)
    }

    /// As [`Self::end`], but a signal ends the wait if the server has not got the request, and has it asked to
    /// give up if it has.
    ///
    /// # Errors
    ///
    /// As [`Connection::call_interruptible`].
    pub(super) fn end_early(mut self) -> Result<(O::Reply, Payload)> {
        let waiter = self.waiter.take().ok_or(EIO)?;
        // However long it takes: it may be another's lock.
        let request = match waiter.wait_interruptible(None) {
            Ok(request) => self.conn.answered(request)?,
            Err((waiter, _)) => {
                if self.conn.transport.take_back(&waiter).is_some() {
                    return Err(EINTR);
                }
                self.conn.interrupt(&waiter, self.unique);
                let named = || self.operation.named();
                self.conn
                    .wait_killable(waiter, Asked::new(self.unique, &named))?
            }
        };
        self.decode(request)
    }

    fn decode(&self, mut request: OwnedRequest) -> Result<(O::Reply, Payload)> {
        let answer = request
            .check()
            .map_err(Refusal::from)
            .and_then(|(fixed, tail)| op::decode(&self.operation, fixed, tail));
        match answer {
            Ok(reply) => Ok((reply, request.take_payload())),
            Err(error) => {
                if matches!(error, Refusal::Fault(_)) {
                    // Whatever is wrong with it, the server has counted a lookup.
                    self.conn.undo(&mut request);
                }
                Err(self.conn.refused(Some(O::OPCODE), O::OPTIONAL, error))
            }
        }
    }
}

impl<O: Operation> Drop for Sent<'_, O> {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter.take() else {
            return;
        };
        let named = || self.operation.named();
        let killed = self.conn.killed(waiter, Asked::new(self.unique, &named));
        if let Ok(mut request) = killed {
            self.conn.undo(&mut request);
        }
    }
}

/// What a server without the operation means to a caller who can do without it.
pub(crate) fn unsupported(error: Error) -> Error {
    match error {
        ENOSYS => EOPNOTSUPP,
        other => other,
    }
}

/// Sets `bits`; atomics of the kernel crate have no `fetch_or`.
fn set_bits(word: &Atomic<u32>, bits: u32) {
    let mut old = word.load(Relaxed);
    while let Err(now) = word.cmpxchg(old, old | bits, Relaxed) {
        old = now;
    }
}
