// SPDX-License-Identifier: GPL-2.0

//! The protocol's flag words, one type per family, with the flags that have behaviour here: a new
//! one is a line here, and its use.
//!
//! C counterpart: `FUSE_*` and `FOPEN_*` of the header, under their names less the prefix. Takes no
//! locks.

macro_rules! flags {
    (
        $(#[$doc:meta])*
        $name:ident: $int:ty {
            $($(#[$flag_doc:meta])* $flag:ident = $bit:literal;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct $name($int);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: Self = Self(1 << $bit);)*

            /// Name and bit of each.
            #[cfg(test)]
            pub const NAMES: &'static [(&'static str, u64)] = &[
                $((stringify!($flag), 1 << $bit),)*
            ];
        }

        #[allow(dead_code, reason = "every family has these, whether it goes out or comes in")]
        impl $name {
            /// None of them.
            pub const EMPTY: Self = Self(0);
            /// All that this module knows.
            pub const KNOWN: Self = Self(0 $(| (1 << $bit))*);

            /// From the wire, unknown bits included.
            pub const fn from_bits(bits: $int) -> Self {
                Self(bits)
            }

            /// For the wire.
            pub const fn bits(self) -> $int {
                self.0
            }

            /// Whether all of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// With `other` set.
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// With `other` cleared.
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// With `other` set if `on`, else as it was.
            pub const fn with_if(self, on: bool, other: Self) -> Self {
                if on {
                    self.with(other)
                } else {
                    self
                }
            }

            /// Those that `other` has too.
            pub const fn masked(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }
    };
}

flags! {
    /// INIT, offered by us and accepted by the daemon. The upper half travels as `flags2`.
    InitFlags: u64 {
        /// Several READs of one file at a time.
        ASYNC_READ = 0;
        /// POSIX locks are the daemon's.
        POSIX_LOCKS = 1;
        /// OPEN truncates.
        ATOMIC_O_TRUNC = 3;
        /// LOOKUP of `.` and `..` works on any node.
        EXPORT_SUPPORT = 4;
        /// WRITE may be larger than 4 KiB.
        BIG_WRITES = 5;
        /// The daemon applies the umask.
        DONT_MASK = 6;
        /// Information: the device takes splice.
        SPLICE_WRITE = 7;
        /// Information: the device moves pages.
        SPLICE_MOVE = 8;
        /// Information: the device gives splice.
        SPLICE_READ = 9;
        /// BSD locks are the daemon's.
        FLOCK_LOCKS = 10;
        /// Information: directories have commands.
        HAS_IOCTL_DIR = 11;
        /// A changed size or time drops cached data.
        AUTO_INVAL_DATA = 12;
        /// READDIRPLUS.
        DO_READDIRPLUS = 13;
        /// READDIRPLUS where it seems worth it.
        READDIRPLUS_AUTO = 14;
        /// Information: OPEN may be answered with ENOSYS.
        NO_OPEN_SUPPORT = 17;
        /// Several LOOKUPs and READDIRs of one directory at a time.
        PARALLEL_DIROPS = 18;
        /// The daemon clears set-id bits and capabilities.
        HANDLE_KILLPRIV = 19;
        /// The kernel keeps ACLs, and goes by them.
        POSIX_ACL = 20;
        /// Reading the device after an abort gives ECONNABORTED.
        ABORT_ERROR = 21;
        /// `max_pages` is valid.
        MAX_PAGES = 22;
        /// The text of symbolic links stays in the page cache.
        CACHE_SYMLINKS = 23;
        /// Information: OPENDIR may be answered with ENOSYS.
        NO_OPENDIR_SUPPORT = 24;
        /// Cached data is dropped only when the daemon says so.
        EXPLICIT_INVAL_DATA = 25;
        /// The daemon clears set-id bits and capabilities; the bits only where a request says so.
        HANDLE_KILLPRIV_V2 = 28;
        /// SETXATTR has flags of its own.
        SETXATTR_EXT = 29;
        /// `flags2` is valid.
        INIT_EXT = 30;
        /// What makes something says with which security context.
        SECURITY_CTX = 32;
        /// What makes something says whether the caller is in the parent's group.
        CREATE_SUPP_GROUP = 34;
        /// Information: a notification may let an entry merely expire.
        HAS_EXPIRE_ONLY = 35;
        /// File handles are only made: nobody finds anything by them.
        NO_EXPORT_SUPPORT = 38;
        /// Information: requests may be sent again.
        HAS_RESEND = 39;
        /// Mounts may map ids: only what makes a file says whose it is to be.
        ALLOW_IDMAP = 40;
        /// `request_timeout` is valid.
        REQUEST_TIMEOUT = 42;
    }
}

flags! {
    /// What the daemon says about a file it has opened (`FOPEN_*`).
    OpenOutFlags: u32 {
        /// Past the page cache.
        DIRECT_IO = 0;
        /// Cached data stays.
        KEEP_CACHE = 1;
        /// No seeking.
        NONSEEKABLE = 2;
        /// The directory may be cached.
        CACHE_DIR = 3;
        /// No position at all.
        STREAM = 4;
        /// Closing does not flush.
        NOFLUSH = 5;
        /// Direct writes in parallel.
        PARALLEL_DIRECT_WRITES = 6;
        /// Data comes from a backing file.
        PASSTHROUGH = 7;
    }
}

flags! {
    /// What OPEN and CREATE ask for beside the flags of open(2) (`FUSE_OPEN_*`).
    OpenInFlags: u32 {
        /// Clear set-id bits.
        KILL_SUIDGID = 0;
    }
}

flags! {
    /// Which fields of SETATTR are valid (`FATTR_*`).
    SetattrValid: u32 {
        /// `mode`
        MODE = 0;
        /// `uid`
        UID = 1;
        /// `gid`
        GID = 2;
        /// `size`
        SIZE = 3;
        /// `atime`
        ATIME = 4;
        /// `mtime`
        MTIME = 5;
        /// `fh`
        FH = 6;
        /// The daemon's own time instead of `atime`.
        ATIME_NOW = 7;
        /// The daemon's own time instead of `mtime`.
        MTIME_NOW = 8;
        /// `lock_owner`
        LOCKOWNER = 9;
        /// `ctime`
        CTIME = 10;
        /// Clear set-id bits.
        KILL_SUIDGID = 11;
    }
}

flags! {
    /// GETATTR (`FUSE_GETATTR_*`).
    GetattrFlags: u32 {
        /// `fh` is valid.
        FH = 0;
    }
}

flags! {
    /// READ and READDIR (`FUSE_READ_*`).
    ReadFlags: u32 {
        /// `lock_owner` is valid.
        LOCKOWNER = 1;
    }
}

flags! {
    /// WRITE (`FUSE_WRITE_*`).
    WriteFlags: u32 {
        /// From the page cache, the handle is a guess.
        CACHE = 0;
        /// `lock_owner` is valid.
        LOCKOWNER = 1;
        /// Clear set-id bits.
        KILL_SUIDGID = 2;
    }
}

flags! {
    /// POLL (`FUSE_POLL_*`).
    PollFlags: u32 {
        /// The daemon is to say when the file is ready for something else.
        SCHEDULE_NOTIFY = 0;
    }
}

flags! {
    /// RELEASE (`FUSE_RELEASE_*`).
    ReleaseFlags: u32 {
        /// Drop the BSD lock of `lock_owner`.
        FLOCK_UNLOCK = 1;
    }
}

flags! {
    /// IOCTL, both ways (`FUSE_IOCTL_*`).
    IoctlFlags: u32 {
        /// Of a task whose system calls are 32-bit ones, in a kernel of 64 bits.
        COMPAT = 0;
        /// The daemon wants other memory of the caller's.
        RETRY = 2;
        /// Of a task of 32 bits.
        _32BIT = 3;
        /// Of a directory.
        DIR = 4;
        /// Of a task of 32 bits with system calls of 64 bits.
        COMPAT_X32 = 5;
    }
}

flags! {
    /// GETLK, SETLK, SETLKW (`FUSE_LK_*`).
    LkFlags: u32 {
        /// It is a lock of flock(2).
        FLOCK = 0;
    }
}

flags! {
    /// FSYNC and FSYNCDIR (`FUSE_FSYNC_*`).
    FsyncFlags: u32 {
        /// Data only.
        FDATASYNC = 0;
    }
}

flags! {
    /// SETXATTR, of a daemon that has agreed to SETXATTR_EXT (`FUSE_SETXATTR_*`).
    SetxattrFlags: u32 {
        /// Clear the set-group-id bit, as an access ACL is set.
        ACL_KILL_SGID = 0;
    }
}

flags! {
    /// What the daemon says about a file beside its attributes (`FUSE_ATTR_*`).
    AttrFlags: u32 {
        /// The root of a submount.
        SUBMOUNT = 0;
    }
}
