// SPDX-License-Identifier: GPL-2.0

//! The life cycle of a request.
//!
//! A request has a waiter (a task, or a completion callback) and buffers. [`State`] says who owns the
//! buffers and whether the waiter still waits; [`State::step`] says what an [`Event`] makes of that
//! and which [`Action`] the engine owes. The waiter is ended once, the buffers are released once, and
//! never while a device may write to them.
//!
//! ```text
//!            Send                 Reply
//! Queued ------------> Sent ---------------> Answered
//!   |  ^-- Resend ------+ |                                 waiter ended with the reply
//!   |                     +-- Kill ----> Detached --+
//!   | Kill, Abort,        |                | Abort  | Reply: undo
//!   | Refuse              +-- Abort ----> Aborted --+ Reply, Reclaim: drop
//!   v                     +-- Reclaim --------------+
//! Ended <-------------------------------------------+       waiter ended with an error
//! ```

use crate::reply::Errno;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Not sent yet: the queue owns the buffers, the waiter waits.
    Queued,
    /// As `Queued`, and INTERRUPT must follow when it is sent.
    QueuedInterrupted,
    /// Sent: the device owns the buffers, the waiter waits.
    Sent,
    /// As `Sent`, and INTERRUPT was asked for.
    SentInterrupted,
    /// The waiter was killed, the device owns the buffers, the answer will have to be undone.
    Detached,
    /// The connection was aborted, the device owns the buffers, the answer is of no use.
    Aborted,
    /// The waiter has the reply and the buffers. Final.
    Answered,
    /// The waiter has an error, the buffers are released. Final.
    Ended,
}

/// Who owns the buffers of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The queue of requests to send.
    Queue,
    /// The device, or the server that has read the request.
    Device,
    /// The waiter.
    Waiter,
    /// Nobody: they are released.
    Nobody,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// The transport takes it to hand it over.
    Send,
    /// The transport cannot take it at all, whatever room there is.
    Refuse,
    /// The device gives it back with a reply.
    Reply,
    /// The device gives it back without a reply: it was reset, or the server is gone.
    Reclaim,
    /// A signal that is not fatal came to the waiter.
    Interrupt,
    /// A fatal signal came to the waiter.
    Kill,
    /// The connection is aborted.
    Abort,
    /// The server asks for it again, and will not answer it as it was sent before.
    Resend,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 8] = [
        Self::Send,
        Self::Refuse,
        Self::Reply,
        Self::Reclaim,
        Self::Interrupt,
        Self::Kill,
        Self::Abort,
        Self::Resend,
    ];

    /// The error that a waiter ends with if this event ends it without a reply.
    pub const fn error(self) -> Errno {
        match self {
            Self::Kill | Self::Interrupt => Errno::EINTR,
            Self::Abort | Self::Reclaim => Errno::ECONNABORTED,
            Self::Send | Self::Refuse | Self::Reply | Self::Resend => Errno::EIO,
        }
    }
}

/// What the engine owes after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// Nothing.
    Ignore,
    /// Hand the request to the device.
    Submit,
    /// Hand the request to the device, and INTERRUPT after it.
    SubmitAndInterrupt,
    /// Send INTERRUPT.
    Interrupt,
    /// Put the request at the head of the queue again.
    Requeue,
    /// End the waiter with the reply; it releases the buffers.
    Complete,
    /// Take the request off the queue, end the waiter with the event's error, release the buffers.
    Withdraw,
    /// End the waiter with the event's error; the device keeps the buffers.
    Detach,
    /// End the waiter with the event's error and release the buffers, which are back.
    Fail,
    /// Undo what the reply did on the server, then release the buffers. Nobody waits.
    Undo,
    /// Release the buffers. Nobody waits.
    Drop,
}

impl Action {
    /// Whether the waiter is ended by this.
    pub const fn ends_waiter(self) -> bool {
        matches!(
            self,
            Self::Complete | Self::Withdraw | Self::Detach | Self::Fail
        )
    }

    /// Whether the buffers are released by this, at once or by the waiter.
    pub const fn releases_buffers(self) -> bool {
        matches!(
            self,
            Self::Complete | Self::Withdraw | Self::Fail | Self::Undo | Self::Drop
        )
    }
}

impl State {
    /// All states.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::QueuedInterrupted,
        Self::Sent,
        Self::SentInterrupted,
        Self::Detached,
        Self::Aborted,
        Self::Answered,
        Self::Ended,
    ];

    /// Who owns the buffers.
    pub const fn owner(self) -> Owner {
        match self {
            Self::Queued | Self::QueuedInterrupted => Owner::Queue,
            Self::Sent | Self::SentInterrupted | Self::Detached | Self::Aborted => Owner::Device,
            Self::Answered => Owner::Waiter,
            Self::Ended => Owner::Nobody,
        }
    }

    /// Whether the waiter still waits.
    pub const fn is_waiting(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::QueuedInterrupted | Self::Sent | Self::SentInterrupted
        )
    }

    /// What `event` makes of the request, and what is owed for it.
    ///
    /// An event that cannot happen in this state is ignored.
    #[must_use]
    pub const fn step(self, event: Event) -> (Self, Action) {
        match self {
            Self::Queued | Self::QueuedInterrupted => self.step_queued(event),
            Self::Sent | Self::SentInterrupted => self.step_sent(event),
            Self::Detached | Self::Aborted => self.step_orphaned(event),
            Self::Answered | Self::Ended => (self, Action::Ignore),
        }
    }

    const fn step_queued(self, event: Event) -> (Self, Action) {
        match (event, self) {
            (Event::Send, Self::QueuedInterrupted) => {
                (Self::SentInterrupted, Action::SubmitAndInterrupt)
            }
            (Event::Send, _) => (Self::Sent, Action::Submit),
            (Event::Interrupt, _) => (Self::QueuedInterrupted, Action::Ignore),
            (Event::Kill | Event::Abort | Event::Refuse, _) => (Self::Ended, Action::Withdraw),
            (Event::Reply | Event::Reclaim | Event::Resend, _) => (self, Action::Ignore),
        }
    }

    const fn step_sent(self, event: Event) -> (Self, Action) {
        match (event, self) {
            (Event::Reply, _) => (Self::Answered, Action::Complete),
            (Event::Kill, _) => (Self::Detached, Action::Detach),
            (Event::Abort, _) => (Self::Aborted, Action::Detach),
            (Event::Reclaim, _) => (Self::Ended, Action::Fail),
            (Event::Interrupt, Self::Sent) => (Self::SentInterrupted, Action::Interrupt),
            (Event::Resend, Self::SentInterrupted) => (Self::QueuedInterrupted, Action::Requeue),
            (Event::Resend, _) => (Self::Queued, Action::Requeue),
            (Event::Interrupt | Event::Send | Event::Refuse, _) => (self, Action::Ignore),
        }
    }

    const fn step_orphaned(self, event: Event) -> (Self, Action) {
        match (event, self) {
            (Event::Reply, Self::Detached) => (Self::Ended, Action::Undo),
            (Event::Reply | Event::Reclaim, _) => (Self::Ended, Action::Drop),
            // Nothing was done that could be undone, and nobody wants the answer.
            (Event::Resend, Self::Detached) => (Self::Ended, Action::Drop),
            (Event::Abort, _) => (Self::Aborted, Action::Ignore),
            _ => (self, Action::Ignore),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every event that changes something or is owed something; all others are ignored.
    const TABLE: &[(State, Event, State, Action)] = &[
        (State::Queued, Event::Send, State::Sent, Action::Submit),
        (State::Queued, Event::Refuse, State::Ended, Action::Withdraw),
        (
            State::Queued,
            Event::Interrupt,
            State::QueuedInterrupted,
            Action::Ignore,
        ),
        (State::Queued, Event::Kill, State::Ended, Action::Withdraw),
        (State::Queued, Event::Abort, State::Ended, Action::Withdraw),
        (
            State::QueuedInterrupted,
            Event::Send,
            State::SentInterrupted,
            Action::SubmitAndInterrupt,
        ),
        (
            State::QueuedInterrupted,
            Event::Refuse,
            State::Ended,
            Action::Withdraw,
        ),
        (
            State::QueuedInterrupted,
            Event::Kill,
            State::Ended,
            Action::Withdraw,
        ),
        (
            State::QueuedInterrupted,
            Event::Abort,
            State::Ended,
            Action::Withdraw,
        ),
        (State::Sent, Event::Reply, State::Answered, Action::Complete),
        (State::Sent, Event::Reclaim, State::Ended, Action::Fail),
        (
            State::Sent,
            Event::Interrupt,
            State::SentInterrupted,
            Action::Interrupt,
        ),
        (State::Sent, Event::Kill, State::Detached, Action::Detach),
        (State::Sent, Event::Abort, State::Aborted, Action::Detach),
        (State::Sent, Event::Resend, State::Queued, Action::Requeue),
        (
            State::SentInterrupted,
            Event::Reply,
            State::Answered,
            Action::Complete,
        ),
        (
            State::SentInterrupted,
            Event::Reclaim,
            State::Ended,
            Action::Fail,
        ),
        (
            State::SentInterrupted,
            Event::Kill,
            State::Detached,
            Action::Detach,
        ),
        (
            State::SentInterrupted,
            Event::Abort,
            State::Aborted,
            Action::Detach,
        ),
        (
            State::SentInterrupted,
            Event::Resend,
            State::QueuedInterrupted,
            Action::Requeue,
        ),
        (State::Detached, Event::Reply, State::Ended, Action::Undo),
        (State::Detached, Event::Reclaim, State::Ended, Action::Drop),
        (State::Detached, Event::Resend, State::Ended, Action::Drop),
        (
            State::Detached,
            Event::Abort,
            State::Aborted,
            Action::Ignore,
        ),
        (State::Aborted, Event::Reply, State::Ended, Action::Drop),
        (State::Aborted, Event::Reclaim, State::Ended, Action::Drop),
    ];

    #[test]
    fn every_state_with_every_event() {
        for state in State::ALL {
            for event in Event::ALL {
                let listed = TABLE.iter().find(|row| (row.0, row.1) == (state, event));
                let want = listed.map_or((state, Action::Ignore), |row| (row.2, row.3));
                assert_eq!(state.step(event), want, "{state:?} with {event:?}");
            }
        }
    }

    #[test]
    fn waiters_and_buffers_agree_with_the_action() {
        for state in State::ALL {
            for event in Event::ALL {
                let (next, action) = state.step(event);
                let ended = state.is_waiting() && !next.is_waiting();
                assert_eq!(action.ends_waiter(), ended, "{state:?} with {event:?}");
                let held = |owner| matches!(owner, Owner::Queue | Owner::Device);
                let released = held(state.owner()) && !held(next.owner());
                assert_eq!(
                    action.releases_buffers(),
                    released,
                    "{state:?} with {event:?}"
                );
            }
        }
    }

    #[test]
    fn only_the_device_gives_its_buffers_back() {
        let gives_back = [Event::Reply, Event::Reclaim, Event::Resend];
        for state in State::ALL {
            for event in Event::ALL {
                let (next, _) = state.step(event);
                if state.owner() == Owner::Device && next.owner() != Owner::Device {
                    assert!(gives_back.contains(&event), "{state:?} with {event:?}");
                }
            }
        }
    }

    #[test]
    fn a_sent_request_can_always_be_killed() {
        for state in State::ALL {
            assert!(!state.step(Event::Kill).0.is_waiting());
            assert!(!state.step(Event::Abort).0.is_waiting());
        }
    }

    #[test]
    fn errors_of_the_waiter() {
        assert_eq!(Event::Kill.error(), Errno::EINTR);
        assert_eq!(Event::Abort.error(), Errno::ECONNABORTED);
        assert_eq!(Event::Reclaim.error(), Errno::ECONNABORTED);
        assert_eq!(Event::Refuse.error(), Errno::EIO);
    }
}
