// SPDX-License-Identifier: GPL-2.0

//! Mount options.

use super::Fs;
use kernel::{prelude::*, seq_file::SeqFile, seq_print, str::CString, sync::Arc};
use rfuse_kapi::{
    fs_context::{FsContext, ParamValue, Parameter, ParameterSpec},
    seq_file::SeqFileExt,
};
use rfuse_proto::op::Owner;

const DEFAULT_PERMISSIONS: i32 = 0;
const ALLOW_OTHER: i32 = 1;
const DAX: i32 = 2;
const WRITEBACK: i32 = 3;
const FD: i32 = 4;
const ROOTMODE: i32 = 5;
const USER_ID: i32 = 6;
const GROUP_ID: i32 = 7;
const MAX_READ: i32 = 8;
const BLKSIZE: i32 = 9;
const SUBTYPE: i32 = 10;

/// The least that `max_read=` limits a READ to, in bytes.
const MIN_MAX_READ: u32 = 4096;

/// `FUSE_DEFAULT_BLKSIZE`: the size of a device's blocks, in bytes, unless `blksize=` tells another.
const DEFAULT_BLKSIZE: u32 = 512;

/// The options by name.
pub(crate) const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::flag_no(c"default_permissions", DEFAULT_PERMISSIONS),
    ParameterSpec::flag(c"allow_other", ALLOW_OTHER),
    ParameterSpec::string(c"dax", DAX),
    ParameterSpec::string(c"writeback", WRITEBACK),
    ParameterSpec::u32(c"fd", FD),
    ParameterSpec::u32_octal(c"rootmode", ROOTMODE),
    ParameterSpec::u32(c"user_id", USER_ID),
    ParameterSpec::u32(c"group_id", GROUP_ID),
    ParameterSpec::u32(c"max_read", MAX_READ),
    ParameterSpec::u32(c"blksize", BLKSIZE),
    ParameterSpec::string(c"subtype", SUBTYPE),
    ParameterSpec::END,
];

/// What a file system was mounted with.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// The kernel checks permissions by mode bits; else the server is asked (ACCESS).
    default_permissions: Option<bool>,
    /// By which descriptor of `/dev/rfuse` the server is found; none for a virtio-fs device.
    pub(crate) fd: Option<u32>,
    /// The type and permissions of the root, until the server is asked.
    pub(crate) root_mode: Option<u32>,
    /// The user who mounts.
    pub(crate) user_id: Option<u32>,
    /// The group that mounts.
    pub(crate) group_id: Option<u32>,
    /// Users other than who mounts may use it.
    pub(crate) allow_other: bool,
    /// The most that one READ asks for, in bytes.
    pub(crate) max_read: Option<u32>,
    /// The size of the device's blocks, in bytes.
    blksize: Option<u32>,
    /// What follows the type's name and a dot.
    pub(crate) subtype: Option<Arc<CString>>,
    /// Folios stay under writeback until the server has them, as with the C client, instead of being
    /// copied.
    pub(crate) writes_in_place: bool,
}

impl Options {
    /// Whether the kernel checks permissions by mode bits; else the server is asked (ACCESS).
    pub(crate) fn checks_permissions(&self) -> bool {
        self.default_permissions.unwrap_or(self.fd.is_none())
    }

    /// Who may use the mount; none if all may. Every user of the guest may use a virtio-fs device.
    pub(crate) fn owner(&self) -> Option<Owner> {
        match (
            self.allow_other || self.fd.is_none(),
            self.user_id,
            self.group_id,
        ) {
            (false, Some(uid), Some(gid)) => Some(Owner { uid, gid }),
            _ => None,
        }
    }

    /// Who mounts; root mounts devices.
    pub(crate) fn mounter(&self) -> Owner {
        Owner {
            uid: self.user_id.unwrap_or(0),
            gid: self.group_id.unwrap_or(0),
        }
    }

    /// The size of the device's blocks, in bytes, of a mount that lies on one.
    pub(crate) fn blksize(&self) -> u32 {
        self.blksize.unwrap_or(DEFAULT_BLKSIZE)
    }

    /// Shows what differs from what a mount has by itself, on a device if `is_on_device`.
    pub(crate) fn show(&self, m: &SeqFile, is_on_device: bool) {
        if let (Some(_), Some(uid), Some(gid)) = (self.fd, self.user_id, self.group_id) {
            seq_print!(m, ",user_id={uid},group_id={gid}");
        }
        match (self.fd, self.checks_permissions()) {
            (None, false) => m.write(b",nodefault_permissions"),
            (Some(_), true) => m.write(b",default_permissions"),
            _ => {}
        }
        if self.fd.is_some() && self.allow_other {
            m.write(b",allow_other");
        }
        if let Some(max_read) = self.max_read {
            seq_print!(m, ",max_read={max_read}");
        }
        if is_on_device && self.blksize() != DEFAULT_BLKSIZE {
            seq_print!(m, ",blksize={}", self.blksize());
        }
        if self.writes_in_place {
            m.write(b",writeback=inplace");
        }
    }
}

/// Takes one option over.
///
/// # Errors
///
/// `EINVAL` for a value that is not one.
pub(crate) fn parse(
    fc: &FsContext<'_, Fs>,
    options: &mut Options,
    parameter: &Parameter<'_>,
) -> Result {
    match (parameter.opt, &parameter.value) {
        (DEFAULT_PERMISSIONS, _) => options.default_permissions = Some(!parameter.negated),
        (ALLOW_OTHER, _) => options.allow_other = true,
        (FD, ParamValue::U32(fd)) => options.fd = Some(*fd),
        (ROOTMODE, ParamValue::U32(mode)) => options.root_mode = Some(*mode),
        (USER_ID, ParamValue::U32(uid)) => options.user_id = Some(*uid),
        (GROUP_ID, ParamValue::U32(gid)) => options.group_id = Some(*gid),
        (MAX_READ, ParamValue::U32(bytes)) => options.max_read = Some((*bytes).max(MIN_MAX_READ)),
        (BLKSIZE, ParamValue::U32(bytes)) if fc.is_on_device() => options.blksize = Some(*bytes),
        (BLKSIZE, _) => {
            fc.errorf(fmt!("blksize= is for block devices: mount -t rfuseblk"));
            return Err(EINVAL);
        }
        (SUBTYPE, ParamValue::String(_)) if options.subtype.is_some() => {
            fc.errorf(fmt!("a second subtype="));
            return Err(EINVAL);
        }
        (SUBTYPE, ParamValue::String(name)) => {
            options.subtype = Some(Arc::new((*name).try_into()?, GFP_KERNEL)?);
        }
        (WRITEBACK, ParamValue::String(way)) => match way.to_bytes() {
            b"temp" => options.writes_in_place = false,
            b"inplace" => options.writes_in_place = true,
            _ => {
                fc.errorf(fmt!(
                    "writeback={way} is not known, writeback=temp and writeback=inplace are"
                ));
                return Err(EINVAL);
            }
        },
        (DAX, ParamValue::String(mode)) if mode.to_bytes() == b"never" => {}
        (DAX, ParamValue::String(mode)) => {
            fc.errorf(fmt!("dax={mode} is not supported, dax=never is"));
            return Err(EINVAL);
        }
        _ => return Err(EINVAL),
    }
    Ok(())
}
