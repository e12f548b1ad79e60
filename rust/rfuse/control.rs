// SPDX-License-Identifier: GPL-2.0

//! The control file system: what every connection tells of itself, and the orders that it takes.
//!
//! The first four files are those of `fusectl`.

use crate::{
    conn::{
        stats::{Sums, BUCKETS},
        Connection, Limit,
    },
    LocalModule,
};
use core::str;
use kernel::prelude::*;
use rfuse_kapi::{
    control_fs::{ControlFile, Controlled},
    seq_file::{seq_print, SeqFile, SeqFileExt},
};
use rfuse_proto::wire::Opcode;

impl Controlled for Connection {
    type OwnerModule = LocalModule;

    const NAME: &'static CStr = c"rfusectl";
    /// `FUSE_CTL_SUPER_MAGIC`.
    const MAGIC: usize = 0x6573_5543;
    const FILES: &'static [ControlFile<Self>] = &[
        shown(c"waiting", |conn, m| seq_print!(m, "{}\n", conn.waiting())),
        ControlFile {
            name: c"abort",
            mode: 0o200,
            show: None,
            store: Some(|conn, _| {
                conn.abort();
                Ok(())
            }),
        },
        limit(
            c"max_background",
            |conn, m| show_limit(conn, m, Limit::Background),
            |conn, order| store_limit(conn, order, Limit::Background),
        ),
        limit(
            c"congestion_threshold",
            |conn, m| show_limit(conn, m, Limit::Congestion),
            |conn, order| store_limit(conn, order, Limit::Congestion),
        ),
        shown(c"stats", stats),
        shown(c"latency", latency),
        shown(c"writeback_temp_bytes", |conn, m| {
            seq_print!(m, "{}\n", conn.written_bytes());
        }),
        shown(c"queues", queues),
        shown(c"info", info),
    ];
}

const fn shown(name: &'static CStr, show: fn(&Connection, &SeqFile)) -> ControlFile<Connection> {
    ControlFile {
        name,
        mode: 0o400,
        show: Some(show),
        store: None,
    }
}

const fn limit(
    name: &'static CStr,
    show: fn(&Connection, &SeqFile),
    store: fn(&Connection, &[u8]) -> Result,
) -> ControlFile<Connection> {
    ControlFile {
        name,
        mode: 0o600,
        show: Some(show),
        store: Some(store),
    }
}

fn show_limit(conn: &Connection, m: &SeqFile, limit: Limit) {
    seq_print!(m, "{}\n", conn.limit(limit));
}

/// Takes a decimal number from 1 to 65535: with less, nothing would ever be sent.
fn store_limit(conn: &Connection, order: &[u8], limit: Limit) -> Result {
    let number: u16 = str::from_utf8(order)
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|number| *number > 0)
        .ok_or(EINVAL)?;
    conn.set_limit(limit, number.into());
    Ok(())
}

/// The operations that were asked for, with their sums.
fn used(conn: &Connection) -> impl Iterator<Item = (&'static str, Sums)> + '_ {
    Opcode::ALL
        .iter()
        .map(|opcode| (opcode.name(), conn.sums(*opcode)))
        .filter(|(_, sums)| sums.requests() > 0)
}

fn stats(conn: &Connection, m: &SeqFile) {
    m.write(b"# operation requests errors bytes_sent bytes_received\n");
    for (name, sums) in used(conn) {
        let requests = sums.requests();
        let Sums {
            errors,
            sent,
            received,
            ..
        } = sums;
        seq_print!(m, "{name} {requests} {errors} {sent} {received}\n");
    }
}

fn latency(conn: &Connection, m: &SeqFile) {
    m.write(b"# operation us_total us_max requests_below_us");
    for power in 0..BUCKETS.saturating_sub(1) {
        seq_print!(m, " {}", 1u64 << power);
    }
    m.write(b" more\n");
    for (name, sums) in used(conn) {
        seq_print!(m, "{name} {} {}", sums.micros, sums.longest);
        for count in &sums.buckets {
            seq_print!(m, " {count}");
        }
        m.write(b"\n");
    }
}

fn queues(conn: &Connection, m: &SeqFile) {
    conn.show_queues(m);
}

fn info(conn: &Connection, m: &SeqFile) {
    conn.show_transport(m);
    seq_print!(m, "state {}\n", conn.state());
    let Some(it) = conn.negotiated() else {
        return;
    };
    seq_print!(m, "protocol 7.{}\n", it.minor);
    seq_print!(
        m,
        "max_write {}\nmax_pages {}\nmax_readahead {}\ntime_gran {}\n",
        it.max_write,
        it.max_pages,
        it.max_readahead,
        it.time_gran
    );
    m.write(b"flags");
    for name in it.flags.names() {
        seq_print!(m, " {name}");
    }
    m.write(b"\n");
}
