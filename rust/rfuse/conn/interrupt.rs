// SPDX-License-Identifier: GPL-2.0

//! Requests whose caller heeds signals: the server is told, and answers.

use super::{
    call::Sent,
    request::{Held, OwnedRequest, Payload, Request, Role},
    Connection,
};
use kernel::{prelude::*, sync::Arc};
use rfuse_kapi::handoff::{Gfp, Waiter};
use rfuse_proto::op::{self, Caller, Operation, INTERRUPT_BIT};

impl Connection {
    /// As [`Self::call`], for what may take as long as others please. A signal has the server asked to give
    /// up; what it answers then is the answer. What is `held` lives on until the server is done. May sleep.
    ///
    /// # Errors
    ///
    /// As [`Self::call`]; `EINTR` also if a signal came and the server gave up, or had not got the request.
    pub(crate) fn call_interruptible<O: Operation>(
        &self,
        operation: O,
        held: Arc<dyn Held>,
    ) -> Result<O::Reply> {
        let sent: Sent<'_, O> = self.begin(operation, Payload::held(held))?;
        sent.end_early().map(|(reply, _)| reply)
    }

    /// Asks the server to give up on a request. One that is not sent leaves the caller to wait for the answer.
    pub(super) fn interrupt(&self, waiter: &Waiter<Request>, unique: u64) {
        if let Ok(message) = self.interrupt_message(unique) {
            drop(self.transport.interrupt(message, waiter));
        }
    }

    /// Sends something that has no answer, by a number of the server's choice. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENODEV` after the end.
    pub(crate) fn send_message<O: Operation>(
        &self,
        operation: &O,
        unique: u64,
        payload: Payload,
    ) -> Result {
        let message = self.message(operation, unique, payload)?;
        self.transport.submit(message).map_err(|_| ENODEV)
    }

    /// Asks the server to give up on the request with this number.
    pub(crate) fn interrupt_message(&self, unique: u64) -> Result<OwnedRequest> {
        let number = unique | INTERRUPT_BIT;
        self.message(&op::Interrupt { unique }, number, Payload::None)
    }

    fn message<O: Operation>(
        &self,
        operation: &O,
        unique: u64,
        payload: Payload,
    ) -> Result<OwnedRequest> {
        let blank = Request::new(Role::Message, payload);
        let mut message = self.engine.requests.alloc(blank, Gfp::Kernel)?;
        let caller = Caller {
            unique,
            ..self.caller()
        };
        message.encode(operation, &caller)?;
        message.expect_no_answer();
        Ok(message)
    }
}
