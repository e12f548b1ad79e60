// SPDX-License-Identifier: GPL-2.0

//! Requests in, deliveries out: server, damage and journal together, whatever the transport.

use std::collections::{BTreeMap, HashMap};

use rfuse_proto::reply::Errno;
use rfuse_proto::wire::Opcode;

use crate::damage::{Damage, Damager, Plan};
use crate::delivery::{Delivery, Receipt, Timing};
use crate::journal::Journal;
use crate::request::Request;
use crate::server::{message, Answer, Complaints, Server, Settings};

/// A server whose answers are damaged.
#[derive(Debug)]
pub struct Service {
    server: Server,
    damager: Damager,
    journal: Journal,
    /// Whether the client was lied to since its INIT.
    lied: bool,
    /// Whether a request was reported that was not answered, since the device was started: the client
    /// then has back what the server still is to read, and may use it for anything.
    forged: bool,
    answers: u64,
    waiting: usize,
    /// Requests that are not answered yet, by number, with their room.
    open: HashMap<u64, (Vec<u8>, usize)>,
    /// How many requests of each operation there were.
    operations: BTreeMap<&'static str, u64>,
    /// The most that waited at a time under the present plan.
    most_waiting: usize,
}

impl Service {
    /// Starts to serve.
    pub fn new(settings: Settings, plan: Plan, journal: Journal) -> Self {
        Self {
            server: Server::new(settings),
            damager: Damager::new(plan),
            journal,
            lied: false,
            forged: false,
            answers: 0,
            waiting: 0,
            open: HashMap::new(),
            operations: BTreeMap::new(),
            most_waiting: 0,
        }
    }

    /// Goes on by another plan.
    pub fn set_plan(&mut self, plan: Plan) {
        self.journal.note(&format!("plan {plan:?}"));
        self.damager = Damager::new(plan);
        self.most_waiting = 0;
    }

    /// The client's transport starts anew.
    pub fn restarted(&mut self) {
        self.journal.note("restart of the device");
        self.damager.restarted();
        self.forged = false;
        self.open.clear();
        self.server.busy.clear();
    }

    /// Takes note of how many requests wait for what the transport keeps back.
    pub fn set_waiting(&mut self, waiting: usize) {
        self.waiting = waiting;
        self.most_waiting = self.most_waiting.max(waiting);
    }

    /// Counts something that only the transport sees.
    pub fn count(&mut self, what: &'static str) {
        self.journal.count(what, 1);
    }

    /// What to answer to a message; `None` for nothing. A FORGET has no answer, but the transport
    /// reports that it was taken: its delivery is empty.
    ///
    /// `room` is what the client has room for, in bytes.
    pub fn handle(&mut self, message: &[u8], room: usize) -> Option<Delivery> {
        let request = match Request::parse(message, room) {
            Ok(request) => request,
            Err(fault) => {
                self.bad_request(&format!("bad request: {fault:?}"));
                return None;
            }
        };
        let before = self.server.complaints();
        let answer = self.server.answer(&request);
        self.judge(request.opcode, before);
        *self.operations.entry(request.opcode.name()).or_default() += 1;
        let unique = request.header.unique;
        let delivery = match answer {
            Answer::Reply(right) => self.deliver(&request, right),
            Answer::Nothing => self.deliver(&request, Vec::new()),
            Answer::Later => {
                self.open.insert(unique, (message.to_vec(), room));
                Delivery::open(unique)
            }
        };
        if delivery.timing != Timing::Now {
            self.server.busy.begin(&request);
        }
        Some(delivery)
    }

    /// The request with that number, which was not answered at once, is about to be.
    pub fn sent(&mut self, unique: u64) {
        self.server.busy.end(unique);
    }

    /// Answers that have become known, and the numbers of their requests.
    pub fn settled(&mut self) -> Vec<(u64, Delivery)> {
        let settled = self.server.settled().into_iter();
        let deliveries = settled.filter_map(|(unique, body)| {
            let (bytes, room) = self.open.remove(&unique)?;
            let request = Request::parse(&bytes, room).ok()?;
            let right = message(&request, &body);
            let delivery = self.deliver(&request, right);
            if delivery.timing == Timing::Now {
                self.sent(unique);
            }
            Some((unique, delivery))
        });
        deliveries.collect()
    }

    /// Takes the right answer to where it may be damaged.
    fn deliver(&mut self, request: &Request<'_>, right: Vec<u8>) -> Delivery {
        if right.len() > request.room {
            self.bad_request(&format!("no room: {request:?}"));
        }
        self.answers += 1;
        let nodes = self.server.nodes();
        let (delivery, damage) = self.damager.spoil(request, nodes, right);
        if let Some(Damage { kind, lie }) = damage {
            self.lied |= lie;
            self.forged |= delivery.receipt != Receipt::Right;
            self.journal.damage(kind.name);
            let (opcode, header) = (request.opcode, request.header);
            self.journal.note(&format!(
                "{} {opcode} unique {} node {} {}",
                self.answers, header.unique, header.nodeid, kind.name
            ));
        }
        delivery
    }

    fn bad_request(&mut self, what: &str) {
        self.journal.note(what);
        if !self.forged {
            self.journal.count("bad-requests", 1);
        }
    }

    /// Counts what a client did wrong that had no reason to.
    fn judge(&mut self, opcode: Opcode, before: Complaints) {
        let now = self.server.complaints();
        let counts = [
            ("excess-forgets", now.forgets - before.forgets),
            ("bad-handles", now.handles - before.handles),
            ("early-releases", now.early_releases - before.early_releases),
            ("early-forgets", now.early_forgets - before.early_forgets),
            ("unreleased", now.unreleased - before.unreleased),
            ("unforgotten", now.unforgotten - before.unforgotten),
            ("bad-writes", now.writes - before.writes),
            ("bad-locks", now.locks - before.locks),
            ("bad-ioctls", now.ioctls - before.ioctls),
            ("bad-ids", now.ids - before.ids),
            ("bad-extensions", now.extensions - before.extensions),
            ("bad-dots", now.dots - before.dots),
            ("locks-left", now.locks_left - before.locks_left),
        ];
        for (what, number) in counts {
            if number > 0 && !self.lied {
                self.journal.note(&format!("{what} {number}"));
                self.journal.count(what, number);
            }
        }
        if opcode == Opcode::Init {
            self.lied = false;
        }
    }

    /// Makes an empty file, as somebody else would who has the tree.
    ///
    /// # Errors
    ///
    /// As CREATE has them.
    pub fn make(&mut self, path: &str) -> Result<(), Errno> {
        self.server.make_beside(path)
    }

    /// Removes a name, as somebody else would who has the tree.
    ///
    /// # Errors
    ///
    /// As UNLINK has them.
    pub fn remove(&mut self, path: &str) -> Result<(), Errno> {
        self.server.remove_beside(path)
    }

    /// Counts, one a line.
    pub fn counters(&self) -> String {
        let (answers, damaged) = (self.damager.answers(), self.damager.damaged());
        let operations = self.operations.iter();
        let operations = operations.map(|(name, number)| format!("op {name} {number}\n"));
        format!(
            "answers {answers}\ndamaged {damaged}\ndone {}\nwaiting {}\nmost-waiting {}\n{}{}",
            u8::from(self.damager.is_done()),
            self.waiting,
            self.most_waiting,
            operations.collect::<String>(),
            self.journal.counters()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rfuse_proto::wire::InHeader;
    use zerocopy::IntoBytes;

    fn message(opcode: Opcode, nodeid: u64) -> Vec<u8> {
        let header = InHeader {
            len: 40,
            opcode: opcode.raw(),
            unique: 6,
            nodeid,
            ..InHeader::default()
        };
        header.as_bytes().to_vec()
    }

    fn plan(rate: f64) -> Plan {
        Plan {
            seed: 3,
            rate,
            answers: 7,
            only: vec!["unique".to_owned()],
            to: Vec::new(),
            without: Vec::new(),
            blocked: 3,
        }
    }

    fn service(rate: f64) -> Service {
        Service::new(Settings::default(), plan(rate), Journal::default())
    }

    #[test]
    fn the_most_that_waited_is_told_for_each_plan() {
        let mut service = service(0.0);
        service.set_waiting(3);
        service.set_waiting(1);
        assert!(service.counters().contains("\nwaiting 1\nmost-waiting 3\n"));
        service.set_plan(plan(0.0));
        assert!(service.counters().contains("\nmost-waiting 0\n"));
    }

    #[test]
    fn answers_and_damages_are_counted() {
        let mut service = service(100.0);
        for _ in 0..10 {
            let delivery = service.handle(&message(Opcode::Statfs, 1), 96).unwrap();
            assert_eq!(delivery.bytes.len(), 96);
        }
        let counters = service.counters();
        for line in ["answers 10", "damaged 7", "done 1", "kind unique 7"] {
            assert!(counters.lines().any(|one| one == line), "{counters}");
        }
    }

    #[test]
    fn operations_are_counted() {
        let mut service = service(0.0);
        for opcode in [Opcode::Statfs, Opcode::Lookup, Opcode::Statfs] {
            service.handle(&message(opcode, 1), 4096);
        }
        assert!(service.counters().contains("op STATFS 2\n"));
    }

    #[test]
    fn what_is_no_request_is_counted_and_not_answered() {
        let mut service = service(0.0);
        assert_eq!(service.handle(&message(Opcode::Statfs, 1)[..20], 96), None);
        assert!(service.counters().contains("bad-requests 1"));
        // A reply that does not fit is the client's fault too.
        service.handle(&message(Opcode::Statfs, 1), 95);
        assert!(service.counters().contains("bad-requests 2"));
    }

    #[test]
    fn what_comes_from_a_ring_that_was_forged_is_nobodys_fault() {
        let mut service = service(100.0);
        service.damager = Damager::new(Plan {
            seed: 1,
            rate: 100.0,
            answers: 1,
            only: vec!["twice".to_owned()],
            to: Vec::new(),
            without: Vec::new(),
            blocked: 3,
        });
        service.handle(&message(Opcode::Statfs, 1), 96);
        service.handle(&[7; 50], 96);
        assert!(!service.counters().contains("bad-requests"));
        service.restarted();
        service.handle(&[7; 50], 96);
        assert!(service.counters().contains("bad-requests 1"));
    }

    #[test]
    fn a_client_that_was_lied_to_is_not_blamed() {
        let forget = [message(Opcode::Forget, 2), vec![1, 0, 0, 0, 0, 0, 0, 0]].concat();
        let forget = [&48_u32.to_ne_bytes()[..], &forget[4..]].concat();
        for (rate, blamed) in [(0.0, true), (100.0, false)] {
            let mut service = service(rate);
            service.handle(&message(Opcode::Statfs, 1), 96);
            assert_eq!(service.handle(&forget, 0).unwrap().bytes, []);
            service.handle(&message(Opcode::Statfs, 1), 96);
            let counters = service.counters();
            assert_eq!(counters.contains("excess-forgets 1"), blamed, "{counters}");
        }
    }
}
