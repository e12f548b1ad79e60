// SPDX-License-Identifier: GPL-2.0

//! `ioctl(2)` in the server: commands whose data is what the number of the command says, and fs-verity,
//! whose data is known to be another.

use super::handle::Handle;
use crate::conn::{request::Payload, server_error};
use kernel::{
    ioctl::{_IOC_DIR, _IOC_SIZE},
    page::PAGE_SIZE,
    prelude::*,
    uaccess::{UserPtr, UserSlice},
};
use rfuse_kapi::ioctl::{Ioctl, Layout};
use rfuse_proto::{
    flags::{IOCTL_32BIT, IOCTL_COMPAT, IOCTL_COMPAT_X32, IOCTL_DIR},
    op,
};

/// Makes a digest of a file, and has reads checked by it; a salt and a signature follow the argument.
const FS_IOC_ENABLE_VERITY: u32 = 0x4080_6685;
/// Asks for the digest; the argument says how long it may be.
const FS_IOC_MEASURE_VERITY: u32 = 0xc004_6686;

const _IOC_WRITE: u32 = 1;
const _IOC_READ: u32 = 2;

/// The minor version since which directories have ioctls.
const DIR_MINOR: u32 = 18;

/// Memory of the caller.
#[derive(Clone, Copy, Default)]
struct Area {
    start: usize,
    len: usize,
}

impl Area {
    fn slice(self) -> UserSlice {
        UserSlice::new(UserPtr::from_addr(self.start), self.len)
    }
}

/// Where the data of a call is.
struct Data {
    /// What goes to the server, one area after the other.
    inputs: [Area; 3],
    /// Where its answer goes.
    output: Area,
}

impl Data {
    /// As the command says.
    ///
    /// # Errors
    ///
    /// `EFAULT`.
    fn of(call: &Ioctl) -> Result<Self> {
        let whole = Area {
            start: call.arg,
            len: _IOC_SIZE(call.cmd),
        };
        let nothing = Area::default();
        match call.cmd {
            FS_IOC_ENABLE_VERITY => Self::to_enable_verity(whole),
            FS_IOC_MEASURE_VERITY => Self::to_measure_verity(whole),
            cmd => Ok(Self {
                inputs: match _IOC_DIR(cmd) & _IOC_WRITE {
                    0 => [nothing; 3],
                    _ => [whole, nothing, nothing],
                },
                output: match _IOC_DIR(cmd) & _IOC_READ {
                    0 => nothing,
                    _ => whole,
                },
            }),
        }
    }

    /// `struct fsverity_digest`: algorithm and length, each 16 bits, and room for the digest.
    fn to_measure_verity(head: Area) -> Result<Self> {
        let mut fields = [0; 2];
        let mut reader = head.slice().reader();
        reader.skip(fields.len())?;
        reader.read_slice(&mut fields)?;
        let whole = Area {
            len: head.len.saturating_add(u16::from_ne_bytes(fields).into()),
            ..head
        };
        Ok(Self {
            inputs: [whole, Area::default(), Area::default()],
            output: whole,
        })
    }

    /// `struct fsverity_enable_arg`.
    fn to_enable_verity(argument: Area) -> Result<Self> {
        let mut reader = argument.slice().reader();
        // Version, hash algorithm and size of a block.
        reader.skip(12)?;
        let salt_size = reader.read::<u32>()?;
        let salt_ptr = reader.read::<u64>()?;
        let sig_size = reader.read::<u32>()?;
        reader.skip(4)?;
        let sig_ptr = reader.read::<u64>()?;
        let area = |start, len| Area {
            start: start as usize,
            len: len as usize,
        };
        Ok(Self {
            inputs: [argument, area(salt_ptr, salt_size), area(sig_ptr, sig_size)],
            output: Area::default(),
        })
    }

    /// Reads what goes to the server, `most` bytes at most.
    ///
    /// # Errors
    ///
    /// `EFAULT`; `ENOMEM`, also if it is more.
    fn read(&self, most: usize) -> Result<KVec<u8>> {
        let len = |sum: usize, area: &Area| sum.saturating_add(area.len);
        if self.inputs.iter().fold(0, len) > most {
            return Err(ENOMEM);
        }
        let mut bytes = KVec::new();
        for area in self.inputs {
            area.slice()
                .read_all(&mut bytes, GFP_KERNEL | __GFP_NOWARN)?;
        }
        Ok(bytes)
    }
}

/// A call on an open file or directory. May sleep.
///
/// # Errors
///
/// `ENOTTY` from a server that does not know the command; its others; `EFAULT`; `ENOMEM`.
pub(crate) fn ioctl(handle: &Handle, call: Ioctl) -> Result<u32> {
    let conn = handle.conn();
    let minor = conn.negotiated().map_or(0, |it| it.minor);
    if handle.is_dir() && minor < DIR_MINOR {
        return Err(ENOTTY);
    }
    let data = Data::of(&call)?;
    let input = data.read(conn.max_pages().saturating_mul(PAGE_SIZE))?;
    let layout = match call.layout {
        Layout::Native => 0,
        Layout::Compat => IOCTL_COMPAT | IOCTL_32BIT,
        Layout::X32 => IOCTL_COMPAT | IOCTL_32BIT | IOCTL_COMPAT_X32,
    };
    let (result, output) = ask(
        handle,
        call.cmd,
        (call.arg, layout),
        &input,
        data.output.len,
    )?;
    data.output.slice().writer().write_slice(&output)?;
    result
}

/// A command of this kernel, whose data is `input`; the answer has `size` bytes. May sleep.
///
/// # Errors
///
/// As [`ioctl`]; `EIO` for an answer of another size.
pub(crate) fn command(handle: &Handle, cmd: u32, input: &[u8], size: usize) -> Result<KVec<u8>> {
    let (result, output) = ask(handle, cmd, (0, 0), input, size)?;
    result?;
    match output.len() == size {
        true => Ok(output),
        false => Err(EIO),
    }
}

/// Asks the server: the result of the call, and what is to be the caller's.
fn ask(
    handle: &Handle,
    cmd: u32,
    (arg, layout): (usize, u32),
    input: &[u8],
    size: usize,
) -> Result<(Result<u32>, KVec<u8>)> {
    let (nodeid, fh) = handle.ids();
    let kind = if handle.is_dir() { IOCTL_DIR } else { 0 };
    let operation = op::Ioctl {
        nodeid,
        fh,
        flags: layout | kind,
        cmd,
        arg: arg as u64,
        data: input,
        out_size: u32::try_from(size)?,
    };
    let room = KVec::zeroed(size, GFP_KERNEL | __GFP_NOWARN)?;
    let payload = match size {
        0 => Payload::None,
        _ => Payload::Bytes(room),
    };
    let ((result, len), payload) = handle
        .conn()
        .call_with(operation, payload)
        .map_err(unknown)?;
    let mut output = match payload {
        Payload::Bytes(bytes) => bytes,
        _ => KVec::new(),
    };
    output.truncate(len);
    Ok((result.map_err(|errno| unknown(server_error(errno))), output))
}

/// What a call without the command fails with; `ENOSYS` is for system calls.
fn unknown(error: Error) -> Error {
    match error {
        ENOSYS => ENOTTY,
        other => other,
    }
}
