// SPDX-License-Identifier: GPL-2.0

//! How the server serves.

use std::time::Duration;

use clap::{Args, ValueEnum};
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

/// What the stock virtiofsd does not have, or has only when asked.
#[derive(Args, Clone, Debug, Default)]
pub struct Features {
    /// Keep locks (POSIX_LOCKS, FLOCK_LOCKS)
    #[arg(long)]
    pub locks: bool,
    /// Find nodes by their number alone (EXPORT_SUPPORT)
    #[arg(long)]
    pub export: bool,
    /// Know ioctls: flags of files, fs-verity, some of its own
    #[arg(long)]
    pub ioctl: bool,
    /// Have other file systems in the tree: `sub`, and `inner` in that (SUBMOUNTS)
    #[arg(long)]
    pub submounts: bool,
    /// Take security contexts of what is made, and keep them as extended attributes (SECURITY_CTX)
    #[arg(long)]
    pub security_ctx: bool,
    /// Look at permissions of who makes something, by ids and groups in the request (CREATE_SUPP_GROUP)
    #[arg(long)]
    pub supp_groups: bool,
    /// Let mounts be idmapped (ALLOW_IDMAP)
    #[arg(long)]
    pub idmap: bool,
    /// Let targets of links be cached (CACHE_SYMLINKS)
    #[arg(long)]
    pub cache_symlinks: bool,
    /// FOPEN_* flags of every opened directory, as a number (8: may be cached, 10: and kept from one to the next)
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub dir_flags: u32,
}

impl Features {
    /// What is confirmed for them if offered.
    pub fn flags(&self) -> InitFlags {
        let flags = [
            (self.locks, InitFlags::POSIX_LOCKS | InitFlags::FLOCK_LOCKS),
            (self.export, InitFlags::EXPORT_SUPPORT),
            (self.submounts, InitFlags::SUBMOUNTS),
            (self.security_ctx, InitFlags::SECURITY_CTX),
            (self.supp_groups, InitFlags::CREATE_SUPP_GROUP),
            (self.idmap, InitFlags::ALLOW_IDMAP),
            (self.cache_symlinks, InitFlags::CACHE_SYMLINKS),
        ];
        flags
            .iter()
            .filter(|(has, _)| *has)
            .fold(InitFlags::NONE, |all, (_, flags)| all | *flags)
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
    /// What it has beside.
    pub features: Features,
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
            features: Features::default(),
        }
    }
}
