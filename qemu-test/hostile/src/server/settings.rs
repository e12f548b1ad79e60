// SPDX-License-Identifier: GPL-2.0

//! How the server serves.

use std::time::Duration;

use clap::ValueEnum;
use rfuse_proto::flags::InitFlags;
use rfuse_proto::wire::Opcode;

/// Whether WRITEBACK_CACHE is confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Writeback {
    /// Never.
    #[default]
    Never,
    /// Always.
    Always,
    /// At every other INIT.
    Alternate,
}

impl Writeback {
    /// Whether it is confirmed at the INIT of that number.
    pub fn holds(self, init: u64) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Alternate => init % 2 == 1,
        }
    }
}

/// How the server serves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long names and attributes may be cached.
    pub valid: Duration,
    /// What is confirmed if offered.
    pub flags: InitFlags,
    /// Whether the client may keep what was written.
    pub writeback: Writeback,
    /// The largest WRITE in bytes, which also bounds pages.
    pub max_write: u32,
    /// `FOPEN_*` of every opened file.
    pub open_flags: u32,
    /// Operations that are answered with ENOSYS.
    pub lacks: Vec<Opcode>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            valid: Duration::from_secs(1),
            flags: InitFlags::ASYNC_READ
                | InitFlags::AUTO_INVAL_DATA
                | InitFlags::BIG_WRITES
                | InitFlags::ATOMIC_O_TRUNC
                | InitFlags::DO_READDIRPLUS
                | InitFlags::READDIRPLUS_AUTO
                | InitFlags::ASYNC_DIO
                | InitFlags::PARALLEL_DIROPS
                | InitFlags::POSIX_ACL
                | InitFlags::DONT_MASK
                | InitFlags::SETXATTR_EXT
                | InitFlags::MAX_PAGES
                | InitFlags::DIRECT_IO_ALLOW_MMAP
                | InitFlags::INIT_EXT,
            writeback: Writeback::Never,
            max_write: 1 << 20,
            open_flags: 0,
            lacks: Vec::new(),
        }
    }
}
