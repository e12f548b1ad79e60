// SPDX-License-Identifier: GPL-2.0

//! Message headers and the bodies that belong to the connection rather than to a file.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Head of every request.
///
/// `struct fuse_in_header`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct InHeader {
    /// Length of the whole request in bytes, this header included.
    pub len: u32,
    /// What is asked, an [`Opcode`](super::Opcode).
    pub opcode: u32,
    /// Identifier that the reply repeats; even, bit 0 marks an INTERRUPT, bit 63 a resend.
    pub unique: u64,
    /// Node that the request is about; 0 for requests about the connection.
    pub nodeid: u64,
    /// Caller's user id, or [`INVALID_UIDGID`](super::INVALID_UIDGID).
    pub uid: u32,
    /// Caller's group id, or [`INVALID_UIDGID`](super::INVALID_UIDGID).
    pub gid: u32,
    /// Caller's thread id in the server's pid namespace; 0 if not visible there.
    pub pid: u32,
    /// Length of the extensions at the end, in units of 8 bytes.
    pub total_extlen: u16,
    /// Zero.
    pub padding: u16,
}

/// Head of every reply.
///
/// `struct fuse_out_header`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct OutHeader {
    /// Length of the whole reply in bytes, this header included.
    pub len: u32,
    /// 0, or a negated error number down to -511; a notification's code if `unique` is 0.
    pub error: i32,
    /// Identifier of the request that is answered; 0 for a notification.
    pub unique: u64,
}

/// Body of INIT: what the client offers.
///
/// `struct fuse_init_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct InitIn {
    /// Major version, 7.
    pub major: u32,
    /// Newest minor version of the client.
    pub minor: u32,
    /// Largest readahead in bytes.
    pub max_readahead: u32,
    /// Bits 0 to 31 of [`InitFlags`](crate::flags::InitFlags).
    pub flags: u32,
    /// Bits 32 to 63; counts only with `INIT_EXT`.
    pub flags2: u32,
    /// Zero.
    pub unused: [u32; 11],
}

/// Reply to INIT; 8 or 24 bytes are sent by old servers, the rest is then zero.
///
/// `struct fuse_init_out`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct InitOut {
    /// Major version of the server.
    pub major: u32,
    /// Minor version that both speak if it is not above the client's.
    pub minor: u32,
    /// Largest readahead in bytes (minor 6).
    pub max_readahead: u32,
    /// Bits 0 to 31 of the flags (minor 6).
    pub flags: u32,
    /// Most background requests at once (minor 13); 0 for the default.
    pub max_background: u16,
    /// Background requests that count as congestion (minor 13); 0 for the default.
    pub congestion_threshold: u16,
    /// Largest WRITE in bytes (minor 5).
    pub max_write: u32,
    /// Granularity of time stamps in nanoseconds (minor 23).
    pub time_gran: u32,
    /// Most pages of one request; counts only with `MAX_PAGES`.
    pub max_pages: u16,
    /// Log2 of the alignment of DAX mappings; counts only with `MAP_ALIGNMENT`.
    pub map_alignment: u16,
    /// Bits 32 to 63 of the flags; counts only with `INIT_EXT`.
    pub flags2: u32,
    /// Stacking depth of passthrough; counts only with `PASSTHROUGH`.
    pub max_stack_depth: u32,
    /// Seconds that a request may take; counts only with `REQUEST_TIMEOUT`.
    pub request_timeout: u16,
    /// Zero.
    pub unused: [u16; 11],
}

/// Body of INTERRUPT, which has no reply when it succeeds.
///
/// `struct fuse_interrupt_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct InterruptIn {
    /// Identifier of the request to interrupt.
    pub unique: u64,
}

/// Body of FORGET, which has no reply.
///
/// `struct fuse_forget_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct ForgetIn {
    /// Lookups of the node to take back.
    pub nlookup: u64,
}

/// Fixed body of BATCH_FORGET; `count` times [`ForgetOne`] follow.
///
/// `struct fuse_batch_forget_in`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct BatchForgetIn {
    /// Number of nodes that follow.
    pub count: u32,
    /// Zero.
    pub dummy: u32,
}

/// One node of a BATCH_FORGET.
///
/// `struct fuse_forget_one`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct ForgetOne {
    /// Node to forget.
    pub nodeid: u64,
    /// Lookups of the node to take back.
    pub nlookup: u64,
}

/// Head of one extension at the end of a request.
///
/// `struct fuse_ext_header`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct ExtHeader {
    /// Length of the extension in bytes, this header included.
    pub size: u32,
    /// Kind of extension; 0 to 31 are a [`SecctxHeader`]'s count.
    pub type_: u32,
}

/// Head of the security contexts of a creating request.
///
/// `struct fuse_secctx_header`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct SecctxHeader {
    /// Length of all security contexts in bytes, this header included.
    pub size: u32,
    /// Number of contexts that follow.
    pub nr_secctx: u32,
}

/// Head of one security context; its NUL-terminated name and the label follow.
///
/// `struct fuse_secctx`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct Secctx {
    /// Length of the label in bytes.
    pub size: u32,
    /// Zero.
    pub padding: u32,
}

/// Argument of the device's BACKING_OPEN ioctl.
///
/// `struct fuse_backing_map`.
#[derive(
    FromBytes, IntoBytes, KnownLayout, Immutable, Clone, Copy, Debug, Default, PartialEq, Eq,
)]
#[repr(C)]
pub struct BackingMap {
    /// Descriptor of the backing file.
    pub fd: i32,
    /// Zero.
    pub flags: u32,
    /// Zero.
    pub padding: u64,
}
