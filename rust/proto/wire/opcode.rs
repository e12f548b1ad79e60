// SPDX-License-Identifier: GPL-2.0

//! The operations of the protocol.

/// Defines [`Opcode`] and what follows from the list of its variants.
macro_rules! opcodes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)+) => {
        /// What a request asks for.
        ///
        /// `enum fuse_opcode`, without CUSE and without the two numbers that are reserved for
        /// detecting the other byte order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum Opcode {
            $($(#[$doc])* $variant = $number,)+
        }

        impl Opcode {
            /// All operations, by ascending number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Name of the operation as in the UAPI header, without `FUSE_`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The operation with that number, if the protocol has one.
            pub const fn from_raw(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

opcodes! {
    /// Looks a name up; counts one lookup.
    Lookup = 1, "LOOKUP";
    /// Takes lookups back; no reply.
    Forget = 2, "FORGET";
    /// Attributes of a node.
    Getattr = 3, "GETATTR";
    /// Changes attributes.
    Setattr = 4, "SETATTR";
    /// Target of a symbolic link.
    Readlink = 5, "READLINK";
    /// Makes a symbolic link.
    Symlink = 6, "SYMLINK";
    /// Makes a node.
    Mknod = 8, "MKNOD";
    /// Makes a directory.
    Mkdir = 9, "MKDIR";
    /// Removes a name.
    Unlink = 10, "UNLINK";
    /// Removes a directory.
    Rmdir = 11, "RMDIR";
    /// Moves a name.
    Rename = 12, "RENAME";
    /// Makes a hard link.
    Link = 13, "LINK";
    /// Opens a file.
    Open = 14, "OPEN";
    /// Reads data.
    Read = 15, "READ";
    /// Writes data.
    Write = 16, "WRITE";
    /// Numbers of the file system.
    Statfs = 17, "STATFS";
    /// Ends an open file.
    Release = 18, "RELEASE";
    /// Makes a file durable.
    Fsync = 20, "FSYNC";
    /// Sets an extended attribute.
    Setxattr = 21, "SETXATTR";
    /// Value of an extended attribute.
    Getxattr = 22, "GETXATTR";
    /// Names of the extended attributes.
    Listxattr = 23, "LISTXATTR";
    /// Removes an extended attribute.
    Removexattr = 24, "REMOVEXATTR";
    /// Tells of a close(2).
    Flush = 25, "FLUSH";
    /// Negotiates; the first request of a connection.
    Init = 26, "INIT";
    /// Opens a directory.
    Opendir = 27, "OPENDIR";
    /// Entries of a directory.
    Readdir = 28, "READDIR";
    /// Ends an open directory.
    Releasedir = 29, "RELEASEDIR";
    /// Makes a directory durable.
    Fsyncdir = 30, "FSYNCDIR";
    /// Asks for a lock in the way.
    Getlk = 31, "GETLK";
    /// Sets a lock, or fails.
    Setlk = 32, "SETLK";
    /// Sets a lock, and waits for it.
    Setlkw = 33, "SETLKW";
    /// Checks permission.
    Access = 34, "ACCESS";
    /// Makes and opens a file.
    Create = 35, "CREATE";
    /// Interrupts a request.
    Interrupt = 36, "INTERRUPT";
    /// Block of the device for a block of a file.
    Bmap = 37, "BMAP";
    /// Ends the file system; the last request of a connection.
    Destroy = 38, "DESTROY";
    /// Device control.
    Ioctl = 39, "IOCTL";
    /// Events of an open file.
    Poll = 40, "POLL";
    /// Answers a RETRIEVE notification.
    NotifyReply = 41, "NOTIFY_REPLY";
    /// Takes lookups of several nodes back; no reply.
    BatchForget = 42, "BATCH_FORGET";
    /// Allocates, or punches a hole.
    Fallocate = 43, "FALLOCATE";
    /// Entries of a directory, each looked up.
    Readdirplus = 44, "READDIRPLUS";
    /// Moves a name, with flags.
    Rename2 = 45, "RENAME2";
    /// Finds data or a hole.
    Lseek = 46, "LSEEK";
    /// Copies within the server; at most 4 GiB are acknowledged.
    CopyFileRange = 47, "COPY_FILE_RANGE";
    /// Maps a file into the DAX window.
    Setupmapping = 48, "SETUPMAPPING";
    /// Unmaps parts of the DAX window.
    Removemapping = 49, "REMOVEMAPPING";
    /// Makes the file system durable.
    Syncfs = 50, "SYNCFS";
    /// Makes and opens a file without a name.
    Tmpfile = 51, "TMPFILE";
    /// Attributes of a node as statx(2) has them.
    Statx = 52, "STATX";
    /// Copies within the server.
    CopyFileRange64 = 53, "COPY_FILE_RANGE_64";
}

impl Opcode {
    /// Number of the operation on the wire.
    pub const fn raw(self) -> u32 {
        self as u32
    }
}

impl core::fmt::Display for Opcode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_back() {
        for &op in Opcode::ALL {
            assert_eq!(Opcode::from_raw(op.raw()), Some(op));
        }
        assert_eq!(Opcode::ALL.len(), 51);
    }

    #[test]
    fn gaps_are_no_operations() {
        for number in [0, 7, 19, 54, 4096, 436_207_616] {
            assert_eq!(Opcode::from_raw(number), None);
        }
    }
}
