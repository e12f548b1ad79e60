// SPDX-License-Identifier: GPL-2.0

//! Requests whose caller heeds signals: the server is told, and answers.

use super::{
    call::Sent,
    request::{Held, Payload, Request, Role},
    Connection,
};
use kernel::{prelude::*, sync::Arc};
use rfuse_kapi::handoff::Gfp;
use rfuse_proto::op::{self, Caller, Operation};

/// Marks the number of a request for the one that is to interrupt it.
const INTERRUPT_BIT: u64 = 1;

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
        let mut sent = self.begin(operation, Payload::held(held))?;
        if sent.wait_interruptible().is_err() {
            if sent.take_back() {
                return Err(EINTR);
            }
            self.interrupt(&sent)?;
        }
        sent.end().map(|(reply, _)| reply)
    }

    /// Asks the server to give up on a request.
    fn interrupt<O: Operation>(&self, sent: &Sent<'_, O>) -> Result {
        let blank = Request::new(Role::Message, Payload::None);
        let mut message = self.engine.requests.alloc(blank, Gfp::Kernel)?;
        let unique = sent.unique();
        let caller = Caller {
            unique: unique | INTERRUPT_BIT,
            ..self.caller()
        };
        message.encode(&op::Interrupt { unique }, &caller)?;
        message.expect_no_answer();
        // One that does not go out leaves the caller to wait for the answer.
        drop(self.transport.forget(message));
        Ok(())
    }
}
