// SPDX-License-Identifier: GPL-2.0

//! Ways to a server.

pub(crate) mod chardev;
pub(crate) mod virtio;

use crate::conn::request::{OwnedRequest, Request};
use kernel::{prelude::*, seq_file::SeqFile};
use rfuse_kapi::handoff::{Chain, Waiter};
use rfuse_proto::init::Negotiated;

/// A way to a server.
///
/// A request that is handed over is the transport's until it is finished ([`OwnedRequest::finish`])
/// or given back.
pub(crate) trait Transport: Send + Sync {
    /// Sends a request, or keeps it until there is room. Does not sleep.
    ///
    /// # Errors
    ///
    /// A request that cannot be sent is given back; it knows why.
    fn submit(&self, request: OwnedRequest) -> Result<(), OwnedRequest>;

    /// Sends several requests; those that cannot be sent go to `failed`. Does not sleep.
    fn submit_all(&self, requests: &mut Chain<Request>, failed: &mut Chain<Request>);

    /// Sends a message without an answer, ahead of requests where the transport can. Does not sleep.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`].
    fn forget(&self, message: OwnedRequest) -> Result<(), OwnedRequest>;

    /// Sends a message that asks the server to give up on the request of `waiter`. Does not sleep.
    ///
    /// # Errors
    ///
    /// As [`Self::submit`].
    fn interrupt(
        &self,
        message: OwnedRequest,
        waiter: &Waiter<Request>,
    ) -> Result<(), OwnedRequest>;

    /// Whether the server is told of signals whatever the request. Else it is for requests that wait for others.
    fn heeds_signals(&self) -> bool;

    /// Takes a request back that the server has not got yet. Does not sleep.
    fn take_back(&self, waiter: &Waiter<Request>) -> Option<OwnedRequest>;

    /// Ends what it can of the requests that are [late](Request::is_late); whether there were any. May sleep.
    fn expire(&self, before: u64) -> bool;

    /// Cuts the server off: when this returns no request is the server's, and all of them are
    /// finished without an answer. May sleep.
    fn abort(&self);

    /// Whether the server is a process, which anybody may be: it can tell something unasked, and nobody but its
    /// callers waits for it, `sync(2)` and unmounting least of all.
    fn is_to_process(&self) -> bool;

    /// Whether the server relies on forgets not to overtake what gives up a handle.
    fn needs_order(&self) -> bool;

    /// INIT has settled what the server takes.
    fn settled(&self, negotiated: &Negotiated);

    /// The connection is over, after [`Self::abort`] or when nothing is in flight. May sleep.
    fn detach(&self);

    /// How many requests are the server's, or wait for room.
    fn in_flight(&self) -> usize;

    /// Whether some requests fail or stay away for good until [`Self::abort`].
    fn is_broken(&self) -> bool;

    /// Whether the server says `EEXIST` by itself. Others were told only of names that a lookup had not
    /// found.
    fn refuses_existing(&self) -> bool;

    /// Shows what it is, a line a property.
    fn show(&self, m: &SeqFile);

    /// Shows its queues, a line a queue: its name, and how many requests are in it or with the server. May sleep.
    fn show_queues(&self, m: &SeqFile);

    /// The most pages that one request may carry.
    fn max_pages(&self) -> usize;
}
