// SPDX-License-Identifier: GPL-2.0

//! Judging the head of a reply.

use core::fmt;

use crate::attr::AttrFault;
use crate::dirent::DirentFault;
use crate::wire::{OutHeader, ERRNO_MAX};

/// Length of a reply's head in bytes.
const HEAD: usize = size_of::<OutHeader>();

/// An error number that a server may answer with, 1 to 511.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(u16);

impl Errno {
    /// No such entry.
    pub const ENOENT: Self = Self(2);
    /// Interrupted by a signal.
    pub const EINTR: Self = Self(4);
    /// Input or output error.
    pub const EIO: Self = Self(5);
    /// Try again.
    pub const EAGAIN: Self = Self(11);
    /// Operation not implemented.
    pub const ENOSYS: Self = Self(38);
    /// Connection aborted.
    pub const ECONNABORTED: Self = Self(103);

    /// The error with that positive number, if it is in range.
    pub const fn new(number: u16) -> Option<Self> {
        match number {
            1..=ERRNO_MAX => Some(Self(number)),
            _ => None,
        }
    }

    /// The positive number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "errno {}", self.0)
    }
}

/// What a reply holds instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// The server answered with an error.
    Server(Errno),
    /// The reply is malformed; the request fails with EIO.
    Bad(Fault),
}

impl ReplyError {
    /// The error that the caller of the request gets.
    pub const fn errno(self) -> Errno {
        match self {
            Self::Server(errno) => errno,
            Self::Bad(_) => Errno::EIO,
        }
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(errno) => write!(f, "the server answered with {errno}"),
            Self::Bad(fault) => fault.fmt(f),
        }
    }
}

/// What is wrong with a reply. Lengths are in bytes and include the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Less than a head was sent.
    NoHead {
        /// Bytes sent.
        used: usize,
    },
    /// The head gives another length than was sent.
    Length {
        /// Length in the head.
        len: u32,
        /// Bytes sent.
        used: usize,
    },
    /// The reply belongs to another request.
    Unique {
        /// Identifier in the head.
        got: u64,
        /// Identifier of the request.
        want: u64,
    },
    /// The error number is not in -511..=0.
    Error {
        /// Number in the head.
        got: i32,
    },
    /// An error came with a body.
    ErrorBody {
        /// Bytes sent.
        used: usize,
    },
    /// The fixed part is not complete.
    Short {
        /// Bytes sent.
        used: usize,
        /// Fewest bytes that the operation's reply has.
        want: usize,
    },
    /// There is more than the operation allows or asked for.
    Long {
        /// Bytes sent.
        used: usize,
        /// Most bytes that this reply may have.
        most: usize,
    },
    /// A node or its attributes are not valid.
    Attr(AttrFault),
    /// A directory entry is not valid.
    Dirent(DirentFault),
}

impl From<AttrFault> for Fault {
    fn from(fault: AttrFault) -> Self {
        Self::Attr(fault)
    }
}

impl From<DirentFault> for Fault {
    fn from(fault: DirentFault) -> Self {
        Self::Dirent(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHead { used } => write!(f, "reply of {used} bytes is shorter than its head"),
            Self::Length { len, used } => {
                write!(f, "reply of {used} bytes claims a length of {len}")
            }
            Self::Unique { got, want } => {
                write!(f, "reply to request {got} where {want} was asked")
            }
            Self::Error { got } => write!(f, "reply with error {got}, not in -511..0"),
            Self::ErrorBody { used } => write!(f, "error reply of {used} bytes instead of 16"),
            Self::Short { used, want } => {
                write!(f, "reply of {used} bytes where at least {want} are due")
            }
            Self::Long { used, most } => {
                write!(f, "reply of {used} bytes where at most {most} are allowed")
            }
            Self::Attr(fault) => fault.fmt(f),
            Self::Dirent(fault) => fault.fmt(f),
        }
    }
}

/// Judges the head of the reply to request `unique`.
///
/// `used` is what the transport says was sent, the head included. After the head the reply must have
/// `fixed` bytes and may have up to `tail_max` more; the length of that tail is returned.
///
/// # Errors
///
/// [`ReplyError::Server`] for the server's own error, [`ReplyError::Bad`] for a malformed reply.
#[inline]
pub fn check(
    header: &OutHeader,
    used: usize,
    unique: u64,
    fixed: usize,
    tail_max: usize,
) -> Result<usize, ReplyError> {
    check_head(header, used, unique).map_err(ReplyError::Bad)?;
    if let Some(errno) = server_error(header.error, used).map_err(ReplyError::Bad)? {
        return Err(ReplyError::Server(errno));
    }
    tail_length(used, fixed, tail_max).map_err(ReplyError::Bad)
}

#[inline]
fn check_head(header: &OutHeader, used: usize, unique: u64) -> Result<(), Fault> {
    if used < HEAD {
        return Err(Fault::NoHead { used });
    }
    if usize::try_from(header.len) != Ok(used) {
        let len = header.len;
        return Err(Fault::Length { len, used });
    }
    if header.unique != unique {
        return Err(Fault::Unique {
            got: header.unique,
            want: unique,
        });
    }
    Ok(())
}

#[inline]
fn server_error(error: i32, used: usize) -> Result<Option<Errno>, Fault> {
    if error == 0 {
        return Ok(None);
    }
    let number = u16::try_from(error.unsigned_abs()).ok();
    let errno = match number.and_then(Errno::new) {
        Some(errno) if error < 0 => errno,
        _ => return Err(Fault::Error { got: error }),
    };
    if used != HEAD {
        return Err(Fault::ErrorBody { used });
    }
    Ok(Some(errno))
}

fn tail_length(used: usize, fixed: usize, tail_max: usize) -> Result<usize, Fault> {
    let want = HEAD.saturating_add(fixed);
    let most = want.saturating_add(tail_max);
    if used > most {
        return Err(Fault::Long { used, most });
    }
    used.checked_sub(want).ok_or(Fault::Short { used, want })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    fn head(len: u32, error: i32) -> OutHeader {
        OutHeader {
            len,
            error,
            unique: 8,
        }
    }

    fn bad(fault: Fault) -> Result<usize, ReplyError> {
        Err(ReplyError::Bad(fault))
    }

    #[test]
    fn whole_replies() {
        assert_eq!(check(&head(16, 0), 16, 8, 0, 0), Ok(0));
        assert_eq!(check(&head(120, 0), 120, 8, 104, 0), Ok(0));
        assert_eq!(check(&head(26, 0), 26, 8, 8, 4096), Ok(2));
        assert_eq!(check(&head(4112, 0), 4112, 8, 0, 4096), Ok(4096));
    }

    #[test]
    fn server_errors() {
        for number in [1u16, 2, 38, 511] {
            let error = -i32::from(number);
            let want = ReplyError::Server(Errno::new(number).unwrap());
            assert_eq!(check(&head(16, error), 16, 8, 104, 0), Err(want));
            assert_eq!(want.errno().get(), number);
        }
    }

    #[test]
    fn error_numbers_out_of_range() {
        for got in [1, 511, -512, -65537, i32::MIN, i32::MAX] {
            let want = bad(Fault::Error { got });
            assert_eq!(check(&head(16, got), 16, 8, 0, 0), want);
        }
    }

    #[test]
    fn error_with_a_body() {
        let want = bad(Fault::ErrorBody { used: 120 });
        assert_eq!(check(&head(120, -2), 120, 8, 104, 0), want);
    }

    #[test]
    fn no_head() {
        for used in 0..16 {
            let want = bad(Fault::NoHead { used });
            assert_eq!(check(&head(used as u32, 0), used, 8, 0, 64), want);
        }
    }

    #[test]
    fn length_is_what_was_sent() {
        let want = bad(Fault::Length { len: 17, used: 16 });
        assert_eq!(check(&head(17, 0), 16, 8, 0, 64), want);
        let want = bad(Fault::Length { len: 16, used: 17 });
        assert_eq!(check(&head(16, 0), 17, 8, 0, 64), want);
    }

    #[test]
    fn another_request() {
        let want = bad(Fault::Unique { got: 8, want: 10 });
        assert_eq!(check(&head(16, 0), 16, 10, 0, 0), want);
    }

    #[test]
    fn too_short_and_too_long() {
        let want = bad(Fault::Short {
            used: 119,
            want: 120,
        });
        assert_eq!(check(&head(119, 0), 119, 8, 104, 0), want);
        let want = bad(Fault::Long {
            used: 121,
            most: 120,
        });
        assert_eq!(check(&head(121, 0), 121, 8, 104, 0), want);
    }

    #[test]
    fn faults_become_eio_and_name_the_input() {
        let fault = ReplyError::Bad(Fault::Error { got: -512 });
        assert_eq!(fault.errno(), Errno::EIO);
        assert!(fault.to_string().contains("-512"));
        let fault = Fault::Unique { got: 3, want: 5 }.to_string();
        assert!(fault.contains('3') && fault.contains('5'));
        let fault = Fault::from(AttrFault::Size { size: u64::MAX }).to_string();
        assert!(fault.contains("size"));
        let fault = Fault::from(DirentFault::Stuck { off: 9 }).to_string();
        assert!(fault.contains("offset 9"));
    }

    #[test]
    fn errno_range() {
        assert_eq!(Errno::new(0), None);
        assert_eq!(Errno::new(512), None);
        assert_eq!(Errno::new(511).map(Errno::get), Some(511));
    }
}
