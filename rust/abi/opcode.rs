// SPDX-License-Identifier: GPL-2.0

//! The operations' numbers and names.
//!
//! C counterpart: `enum fuse_opcode`; the names are those of the tracepoints (fuse_trace.h). Takes
//! no locks.

use super::error::Errno;

macro_rules! opcodes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// Which operation a request is.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u32)]
        pub enum Opcode {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Opcode {
            /// All of them, in the header's order.
            #[cfg(test)]
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// From the wire; `None` for a number that 7.46 does not have.
            pub const fn from_raw(opcode: u32) -> Option<Self> {
                match opcode {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// As in the header: `FUSE_LOOKUP`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

opcodes! {
    /// Finds a name in a directory.
    Lookup = 1, "FUSE_LOOKUP";
    /// Gives references to one node back; no reply.
    Forget = 2, "FUSE_FORGET";
    /// Asks for attributes.
    Getattr = 3, "FUSE_GETATTR";
    /// Sets attributes.
    Setattr = 4, "FUSE_SETATTR";
    /// Asks for a symbolic link's target.
    Readlink = 5, "FUSE_READLINK";
    /// Makes a symbolic link.
    Symlink = 6, "FUSE_SYMLINK";
    /// Makes anything but a directory or a link.
    Mknod = 8, "FUSE_MKNOD";
    /// Makes a directory.
    Mkdir = 9, "FUSE_MKDIR";
    /// Removes a name that is no directory's.
    Unlink = 10, "FUSE_UNLINK";
    /// Removes a directory.
    Rmdir = 11, "FUSE_RMDIR";
    /// Renames.
    Rename = 12, "FUSE_RENAME";
    /// Makes a hard link.
    Link = 13, "FUSE_LINK";
    /// Opens a file.
    Open = 14, "FUSE_OPEN";
    /// Reads from a file.
    Read = 15, "FUSE_READ";
    /// Writes to a file.
    Write = 16, "FUSE_WRITE";
    /// Asks for the size of the filesystem and what is free.
    Statfs = 17, "FUSE_STATFS";
    /// Ends what OPEN or CREATE began.
    Release = 18, "FUSE_RELEASE";
    /// Makes a file's data durable.
    Fsync = 20, "FUSE_FSYNC";
    /// Sets an extended attribute.
    Setxattr = 21, "FUSE_SETXATTR";
    /// Asks for an extended attribute.
    Getxattr = 22, "FUSE_GETXATTR";
    /// Asks for the names of extended attributes.
    Listxattr = 23, "FUSE_LISTXATTR";
    /// Removes an extended attribute.
    Removexattr = 24, "FUSE_REMOVEXATTR";
    /// One of a file's descriptors is being closed.
    Flush = 25, "FUSE_FLUSH";
    /// Agrees on version, flags and limits; the first request of all.
    Init = 26, "FUSE_INIT";
    /// Opens a directory.
    Opendir = 27, "FUSE_OPENDIR";
    /// Reads a directory.
    Readdir = 28, "FUSE_READDIR";
    /// Ends what OPENDIR began.
    Releasedir = 29, "FUSE_RELEASEDIR";
    /// Makes a directory durable.
    Fsyncdir = 30, "FUSE_FSYNCDIR";
    /// Asks who holds a POSIX lock.
    Getlk = 31, "FUSE_GETLK";
    /// Takes or drops a lock.
    Setlk = 32, "FUSE_SETLK";
    /// Takes a lock, and waits for it.
    Setlkw = 33, "FUSE_SETLKW";
    /// Asks whether the caller may.
    Access = 34, "FUSE_ACCESS";
    /// Makes a regular file and opens it.
    Create = 35, "FUSE_CREATE";
    /// The caller of a request has a signal pending.
    Interrupt = 36, "FUSE_INTERRUPT";
    /// Asks where a block of a file is on the device.
    Bmap = 37, "FUSE_BMAP";
    /// The filesystem is being unmounted.
    Destroy = 38, "FUSE_DESTROY";
    /// An ioctl.
    Ioctl = 39, "FUSE_IOCTL";
    /// Asks what a file is ready for.
    Poll = 40, "FUSE_POLL";
    /// Carries the data that a RETRIEVE notification asked for; no reply.
    NotifyReply = 41, "FUSE_NOTIFY_REPLY";
    /// Gives references to many nodes back; no reply.
    BatchForget = 42, "FUSE_BATCH_FORGET";
    /// Reserves, or frees, a file's space.
    Fallocate = 43, "FUSE_FALLOCATE";
    /// Reads a directory, and looks up its entries.
    Readdirplus = 44, "FUSE_READDIRPLUS";
    /// Renames, with flags.
    Rename2 = 45, "FUSE_RENAME2";
    /// Finds data, or a hole.
    Lseek = 46, "FUSE_LSEEK";
    /// Copies from file to file.
    CopyFileRange = 47, "FUSE_COPY_FILE_RANGE";
    /// Maps a range of a file into the DAX window.
    Setupmapping = 48, "FUSE_SETUPMAPPING";
    /// Unmaps ranges from the DAX window.
    Removemapping = 49, "FUSE_REMOVEMAPPING";
    /// Makes the whole filesystem durable.
    Syncfs = 50, "FUSE_SYNCFS";
    /// Makes a file without a name.
    Tmpfile = 51, "FUSE_TMPFILE";
    /// Asks for attributes, the time of birth among them.
    Statx = 52, "FUSE_STATX";
    /// Copies from file to file; counts in 64 bits.
    CopyFileRange64 = 53, "FUSE_COPY_FILE_RANGE_64";
    /// As INIT, for a character device.
    CuseInit = 4096, "CUSE_INIT";
}

impl Opcode {
    /// For the wire.
    pub const fn get(self) -> u32 {
        self as u32
    }

    /// What the caller gets if the message is longer than the daemon's buffer. A value of an
    /// extended attribute may be of any size; what else does not fit is the daemon's mistake.
    pub const fn too_large(self) -> Errno {
        match self {
            Self::Setxattr => Errno::E2BIG,
            _ => Errno::EIO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;

    #[test]
    fn come_back_from_the_wire() {
        for &opcode in Opcode::ALL {
            assert_eq!(Opcode::from_raw(opcode.get()), Some(opcode));
        }
        let known: BTreeSet<u32> = Opcode::ALL.iter().map(|opcode| opcode.get()).collect();
        for number in (0..70_000).chain([436_207_616, 1_048_576, u32::MAX]) {
            assert_eq!(
                Opcode::from_raw(number).is_some(),
                known.contains(&number),
                "{number}"
            );
        }
    }

    #[test]
    fn too_large_for_the_daemon() {
        for &opcode in Opcode::ALL {
            let errno = match opcode {
                Opcode::Setxattr => -7,
                _ => -5,
            };
            assert_eq!(opcode.too_large().to_negative(), errno, "{opcode:?}");
        }
    }
}
