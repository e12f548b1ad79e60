// SPDX-License-Identifier: GPL-2.0

//! Negotiation: what INIT offers and what its reply settles.

use core::fmt;

use zerocopy::IntoBytes as _;

use crate::flags::InitFlags;
use crate::wire;

/// Pages per request unless `MAX_PAGES` settles another number.
pub const DEFAULT_MAX_PAGES: u16 = 32;

/// Background requests at once unless the server names another number.
pub const DEFAULT_MAX_BACKGROUND: u16 = 12;

/// Smallest limit of WRITE, in bytes.
pub const MIN_MAX_WRITE: u32 = 4096;

/// Largest log2 of the DAX alignment that a client can keep: the mappings are of 2 MiB.
const MAX_MAP_ALIGNMENT: u16 = 21;

/// Stacking depth that the kernel allows file systems.
const MAX_STACK_DEPTH: u32 = 2;

/// Largest granularity of time stamps, in nanoseconds.
const MAX_TIME_GRAN: u32 = 1_000_000_000;

/// What the client offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Flags that the client can honour; `INIT_EXT` is added where it is needed.
    pub flags: InitFlags,
    /// Largest readahead in bytes.
    pub max_readahead: u32,
    /// Most pages of one request that the client and its transport can carry.
    pub max_pages_limit: u16,
}

impl Offer {
    /// Body of the INIT request.
    pub fn body(&self) -> wire::InitIn {
        let (flags, flags2) = self.offered().to_wire();
        wire::InitIn {
            major: wire::KERNEL_VERSION,
            minor: wire::KERNEL_MINOR_VERSION,
            max_readahead: self.max_readahead,
            flags,
            flags2,
            ..Default::default()
        }
    }

    fn offered(&self) -> InitFlags {
        match self.flags.to_wire() {
            (_, 0) => self.flags,
            _ => self.flags | InitFlags::INIT_EXT,
        }
    }
}

/// What client and server have settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Minor version that both speak.
    pub minor: u32,
    /// Flags that hold: offered, confirmed, and consistent with each other and with `minor`.
    ///
    /// `AUTO_INVAL_DATA` excludes `EXPLICIT_INVAL_DATA`; `READDIRPLUS_AUTO` needs `DO_READDIRPLUS`;
    /// `PASSTHROUGH` needs a valid depth and excludes `WRITEBACK_CACHE`; below minor 17
    /// `FLOCK_LOCKS` follows `POSIX_LOCKS`; below minor 9 there is no `EXPORT_SUPPORT`.
    pub flags: InitFlags,
    /// Largest readahead in bytes, not above the offer.
    pub max_readahead: u32,
    /// Largest WRITE in bytes, at least 4096; `max_pages` bounds it too.
    pub max_write: u32,
    /// Most pages of one request, at least 1, not above the offer's limit.
    pub max_pages: u16,
    /// Most background requests at once, at least 1.
    pub max_background: u16,
    /// Background requests that count as congestion, at least 1.
    pub congestion_threshold: u16,
    /// Granularity of time stamps in nanoseconds, 1 to 1,000,000,000.
    pub time_gran: u32,
    /// Longest name in bytes, without a NUL.
    pub name_max: usize,
    /// Log2 of the alignment of DAX mappings; 0 without `MAP_ALIGNMENT`.
    pub map_alignment: u16,
    /// Stacking depth of passthrough; 0 without `PASSTHROUGH`.
    pub max_stack_depth: u8,
    /// Seconds that a request may take; 0 for no limit.
    pub request_timeout: u16,
}

impl Negotiated {
    /// Judges the body of the reply to `offer`.
    ///
    /// Old servers send 8 or 24 bytes; what is missing counts as zero, as it does for the C client.
    ///
    /// # Errors
    ///
    /// [`InitFault`]: the connection cannot be used.
    pub fn from_reply(bytes: &[u8], offer: &Offer) -> Result<Self, InitFault> {
        let reply = read_reply(bytes)?;
        check_major(reply.major)?;
        let minor = reply.minor.min(wire::KERNEL_MINOR_VERSION);
        let flags = settle_flags(&reply, minor, offer);
        let max_pages = settle_max_pages(&reply, flags, offer);
        let (max_background, congestion_threshold) = settle_background(&reply, minor);
        Ok(Self {
            minor,
            flags,
            max_readahead: settle_readahead(&reply, minor, offer),
            max_write: settle_max_write(&reply, minor),
            max_pages,
            max_background,
            congestion_threshold,
            time_gran: settle_time_gran(&reply, minor),
            name_max: settle_name_max(flags, max_pages),
            map_alignment: settle_map_alignment(&reply, flags)?,
            max_stack_depth: settle_stack_depth(&reply, flags),
            request_timeout: counts(flags, InitFlags::REQUEST_TIMEOUT, reply.request_timeout),
        })
    }

    /// Checks that the client checks permissions itself, as idmapped mounts need.
    ///
    /// `default_permissions` tells whether the mount asks for that; `POSIX_ACL` implies it.
    ///
    /// # Errors
    ///
    /// [`InitFault::Idmap`].
    pub fn check_idmap(&self, default_permissions: bool) -> Result<(), InitFault> {
        let checked = default_permissions || self.flags.contains(InitFlags::POSIX_ACL);
        if self.flags.contains(InitFlags::ALLOW_IDMAP) && !checked {
            return Err(InitFault::Idmap);
        }
        Ok(())
    }

    /// Length in bytes of the replies that are a [`wire::EntryOut`].
    pub const fn entry_out_size(&self) -> usize {
        if self.minor < 9 {
            wire::COMPAT_ENTRY_OUT_SIZE
        } else {
            size_of::<wire::EntryOut>()
        }
    }

    /// Length in bytes of the replies that are a [`wire::AttrOut`].
    pub const fn attr_out_size(&self) -> usize {
        if self.minor < 9 {
            wire::COMPAT_ATTR_OUT_SIZE
        } else {
            size_of::<wire::AttrOut>()
        }
    }

    /// Length in bytes of the reply to STATFS.
    pub const fn statfs_out_size(&self) -> usize {
        if self.minor < 4 {
            wire::COMPAT_STATFS_SIZE
        } else {
            size_of::<wire::StatfsOut>()
        }
    }

    /// Length in bytes of the fixed body of MKNOD and CREATE.
    pub const fn mknod_in_size(&self) -> usize {
        if self.minor < 12 {
            wire::COMPAT_MKNOD_IN_SIZE
        } else {
            size_of::<wire::MknodIn>()
        }
    }

    /// Length in bytes of the fixed body of WRITE.
    pub const fn write_in_size(&self) -> usize {
        if self.minor < 9 {
            wire::COMPAT_WRITE_IN_SIZE
        } else {
            size_of::<wire::WriteIn>()
        }
    }

    /// Length in bytes of the fixed body of SETXATTR.
    pub const fn setxattr_in_size(&self) -> usize {
        if self.flags.contains(InitFlags::SETXATTR_EXT) {
            size_of::<wire::SetxattrIn>()
        } else {
            wire::COMPAT_SETXATTR_IN_SIZE
        }
    }
}

/// Reads a reply that may be shorter than its structure; the rest is zero.
fn read_reply(bytes: &[u8]) -> Result<wire::InitOut, InitFault> {
    let fault = InitFault::Length { got: bytes.len() };
    if bytes.len() < wire::COMPAT_INIT_OUT_SIZE {
        return Err(fault);
    }
    let mut reply = wire::InitOut::default();
    bytes
        .write_to_prefix(reply.as_mut_bytes())
        .map_err(|_| fault)?;
    Ok(reply)
}

fn check_major(major: u32) -> Result<(), InitFault> {
    match major {
        wire::KERNEL_VERSION => Ok(()),
        wire::KERNEL_VERSION.. => Err(InitFault::Newer { major }),
        _ => Err(InitFault::Older { major }),
    }
}

fn settle_flags(reply: &wire::InitOut, minor: u32, offer: &Offer) -> InitFlags {
    let mut flags = confirmed_flags(reply, minor) & offer.offered();
    if flags.contains(InitFlags::AUTO_INVAL_DATA) {
        flags = flags.without(InitFlags::EXPLICIT_INVAL_DATA);
    }
    if !flags.contains(InitFlags::DO_READDIRPLUS) {
        flags = flags.without(InitFlags::READDIRPLUS_AUTO);
    }
    let depth_fits = (1..=MAX_STACK_DEPTH).contains(&reply.max_stack_depth);
    if !depth_fits || flags.contains(InitFlags::WRITEBACK_CACHE) {
        flags = flags.without(InitFlags::PASSTHROUGH);
    }
    flags
}

/// What the server says, as its minor version means it.
fn confirmed_flags(reply: &wire::InitOut, minor: u32) -> InitFlags {
    let flags = InitFlags::from_wire(reply.flags, reply.flags2);
    let posix = flags.contains(InitFlags::POSIX_LOCKS);
    match minor {
        0..=5 => InitFlags::NONE,
        6..=8 if posix => flags.without(InitFlags::EXPORT_SUPPORT) | InitFlags::FLOCK_LOCKS,
        6..=8 => flags.without(InitFlags::EXPORT_SUPPORT.union(InitFlags::FLOCK_LOCKS)),
        9..=16 if posix => flags | InitFlags::FLOCK_LOCKS,
        9..=16 => flags.without(InitFlags::FLOCK_LOCKS),
        _ => flags,
    }
}

/// `value` if the flag that makes it count is set, else 0.
fn counts(flags: InitFlags, flag: InitFlags, value: u16) -> u16 {
    if flags.contains(flag) {
        value
    } else {
        0
    }
}

fn settle_max_pages(reply: &wire::InitOut, flags: InitFlags, offer: &Offer) -> u16 {
    let wanted = if flags.contains(InitFlags::MAX_PAGES) {
        reply.max_pages
    } else {
        DEFAULT_MAX_PAGES
    };
    wanted.min(offer.max_pages_limit).max(1)
}

fn settle_name_max(flags: InitFlags, max_pages: u16) -> usize {
    // RENAME with two names of PATH_MAX needs more than one page.
    if flags.contains(InitFlags::MAX_PAGES) && max_pages > 1 {
        wire::NAME_MAX
    } else {
        wire::NAME_LOW_MAX
    }
}

fn settle_background(reply: &wire::InitOut, minor: u32) -> (u16, u16) {
    let (background, threshold) = if minor < 13 {
        (0, 0)
    } else {
        (reply.max_background, reply.congestion_threshold)
    };
    let background = match background {
        0 => DEFAULT_MAX_BACKGROUND,
        named => named,
    };
    let threshold = match threshold {
        0 => background.saturating_sub(background.div_ceil(4)).max(1),
        named => named,
    };
    (background, threshold)
}

fn settle_readahead(reply: &wire::InitOut, minor: u32, offer: &Offer) -> u32 {
    if minor < 6 {
        offer.max_readahead
    } else {
        reply.max_readahead.min(offer.max_readahead)
    }
}

fn settle_max_write(reply: &wire::InitOut, minor: u32) -> u32 {
    if minor < 5 {
        MIN_MAX_WRITE
    } else {
        reply.max_write.max(MIN_MAX_WRITE)
    }
}

fn settle_time_gran(reply: &wire::InitOut, minor: u32) -> u32 {
    match reply.time_gran {
        gran @ 1..=MAX_TIME_GRAN if minor >= 6 => gran,
        _ => 1,
    }
}

fn settle_map_alignment(reply: &wire::InitOut, flags: InitFlags) -> Result<u16, InitFault> {
    match counts(flags, InitFlags::MAP_ALIGNMENT, reply.map_alignment) {
        log2 @ ..=MAX_MAP_ALIGNMENT => Ok(log2),
        log2 => Err(InitFault::Alignment { log2 }),
    }
}

fn settle_stack_depth(reply: &wire::InitOut, flags: InitFlags) -> u8 {
    if flags.contains(InitFlags::PASSTHROUGH) {
        u8::try_from(reply.max_stack_depth).unwrap_or(0)
    } else {
        0
    }
}

/// Why a reply to INIT makes the connection unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitFault {
    /// The reply is shorter than any version's or longer than the newest.
    Length {
        /// Length of the reply's body in bytes.
        got: usize,
    },
    /// The server speaks a newer major version.
    Newer {
        /// Major version of the server.
        major: u32,
    },
    /// The server speaks an older major version.
    Older {
        /// Major version of the server.
        major: u32,
    },
    /// The server wants DAX mappings aligned more coarsely than the client can.
    Alignment {
        /// Log2 of the alignment in bytes.
        log2: u16,
    },
    /// The server wants idmapped mounts, but the mount leaves permissions to the server.
    Idmap,
}

impl fmt::Display for InitFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { got } => write!(
                f,
                "the INIT reply has {got} bytes instead of 8 to 64; fix the server"
            ),
            Self::Newer { major } => write!(
                f,
                "the server speaks protocol {major}, newer than 7; start it with protocol 7"
            ),
            Self::Older { major } => write!(
                f,
                "the server speaks protocol {major}, older than 7; update it"
            ),
            Self::Alignment { log2 } => write!(
                f,
                "the server aligns DAX mappings to 2^{log2} bytes, more than 2 MiB; mount without DAX"
            ),
            Self::Idmap => f.write_str(
                "the server asks for idmapped mounts, which need default_permissions; mount with it",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
