// SPDX-License-Identifier: GPL-2.0

//! Numbers of the protocol, 7.46: opcodes, flags and the layout of each request's fixed part.

/// The kernel's minor version.
pub const MINOR: u32 = 46;
/// Bytes in a request's header.
pub const IN_HEADER: usize = 40;
/// Bytes in a reply's header.
pub const OUT_HEADER: usize = 16;
/// Node of the root directory.
pub const ROOT: u64 = 1;
/// Least buffer that read(2) on the device takes.
pub const MIN_READ: usize = 8192;

macro_rules! ops {
    ($($name:ident = $num:literal),* $(,)?) => {
        /// Operation codes.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        pub enum Op { $($name = $num),* , UNKNOWN = 0 }
        impl Op {
            /// From the number in a header.
            pub fn from_u32(n: u32) -> Op { match n { $($num => Op::$name,)* _ => Op::UNKNOWN } }
            /// From its name.
            pub fn from_name(s: &str) -> Option<Op> {
                match s { $(stringify!($name) => Some(Op::$name),)* _ => None }
            }
        }
    };
}

ops! {
    LOOKUP = 1, FORGET = 2, GETATTR = 3, SETATTR = 4, READLINK = 5, SYMLINK = 6, MKNOD = 8,
    MKDIR = 9,
    UNLINK = 10, RMDIR = 11, RENAME = 12, LINK = 13, OPEN = 14, READ = 15, WRITE = 16, STATFS = 17,
    RELEASE = 18, FSYNC = 20, SETXATTR = 21, GETXATTR = 22, LISTXATTR = 23, REMOVEXATTR = 24,
    FLUSH = 25, INIT = 26, OPENDIR = 27, READDIR = 28, RELEASEDIR = 29, FSYNCDIR = 30, GETLK = 31,
    SETLK = 32, SETLKW = 33, ACCESS = 34, CREATE = 35, INTERRUPT = 36, BMAP = 37, DESTROY = 38,
    IOCTL = 39, POLL = 40, NOTIFY_REPLY = 41, BATCH_FORGET = 42, FALLOCATE = 43, READDIRPLUS = 44,
    RENAME2 = 45, LSEEK = 46, COPY_FILE_RANGE = 47, SETUPMAPPING = 48, REMOVEMAPPING = 49,
    SYNCFS = 50, TMPFILE = 51, STATX = 52, COPY_FILE_RANGE_64 = 53,
}

/// INIT flags, by bit.
pub const INIT_FLAGS: &[(u32, &str)] = &[
    (0, "ASYNC_READ"),
    (1, "POSIX_LOCKS"),
    (2, "FILE_OPS"),
    (3, "ATOMIC_O_TRUNC"),
    (4, "EXPORT_SUPPORT"),
    (5, "BIG_WRITES"),
    (6, "DONT_MASK"),
    (7, "SPLICE_WRITE"),
    (8, "SPLICE_MOVE"),
    (9, "SPLICE_READ"),
    (10, "FLOCK_LOCKS"),
    (11, "HAS_IOCTL_DIR"),
    (12, "AUTO_INVAL_DATA"),
    (13, "DO_READDIRPLUS"),
    (14, "READDIRPLUS_AUTO"),
    (15, "ASYNC_DIO"),
    (16, "WRITEBACK_CACHE"),
    (17, "NO_OPEN_SUPPORT"),
    (18, "PARALLEL_DIROPS"),
    (19, "HANDLE_KILLPRIV"),
    (20, "POSIX_ACL"),
    (21, "ABORT_ERROR"),
    (22, "MAX_PAGES"),
    (23, "CACHE_SYMLINKS"),
    (24, "NO_OPENDIR_SUPPORT"),
    (25, "EXPLICIT_INVAL_DATA"),
    (26, "MAP_ALIGNMENT"),
    (27, "SUBMOUNTS"),
    (28, "HANDLE_KILLPRIV_V2"),
    (29, "SETXATTR_EXT"),
    (30, "INIT_EXT"),
    (31, "INIT_RESERVED"),
    (32, "SECURITY_CTX"),
    (33, "HAS_INODE_DAX"),
    (34, "CREATE_SUPP_GROUP"),
    (35, "HAS_EXPIRE_ONLY"),
    (36, "DIRECT_IO_ALLOW_MMAP"),
    (37, "PASSTHROUGH"),
    (38, "NO_EXPORT_SUPPORT"),
    (39, "HAS_RESEND"),
    (40, "ALLOW_IDMAP"),
    (41, "OVER_IO_URING"),
    (42, "REQUEST_TIMEOUT"),
    (43, "HAS_IO_URING_BUFPOOL"),
];

/// The bit mask of a flag of INIT.
///
/// # Panics
///
/// If there is no such flag.
pub fn init_flag(name: &str) -> u64 {
    let row = INIT_FLAGS.iter().find(|f| f.1 == name);
    1 << row.unwrap_or_else(|| panic!("no INIT flag {name}")).0
}

pub const FATTR_MODE: u32 = 1 << 0;
pub const FATTR_UID: u32 = 1 << 1;
pub const FATTR_GID: u32 = 1 << 2;
pub const FATTR_SIZE: u32 = 1 << 3;
pub const FATTR_ATIME: u32 = 1 << 4;
pub const FATTR_MTIME: u32 = 1 << 5;
pub const FATTR_FH: u32 = 1 << 6;
pub const FATTR_ATIME_NOW: u32 = 1 << 7;
pub const FATTR_MTIME_NOW: u32 = 1 << 8;
pub const FATTR_LOCKOWNER: u32 = 1 << 9;
pub const FATTR_CTIME: u32 = 1 << 10;
pub const FATTR_KILL_SUIDGID: u32 = 1 << 11;

pub const FUSE_OPEN_KILL_SUIDGID: u32 = 1 << 0;
pub const FUSE_WRITE_KILL_SUIDGID: u32 = 1 << 2;

pub const FOPEN_DIRECT_IO: u32 = 1 << 0;
pub const FOPEN_KEEP_CACHE: u32 = 1 << 1;
pub const FOPEN_NONSEEKABLE: u32 = 1 << 2;
pub const FOPEN_CACHE_DIR: u32 = 1 << 3;
pub const FOPEN_STREAM: u32 = 1 << 4;
pub const FOPEN_NOFLUSH: u32 = 1 << 5;
pub const FOPEN_PARALLEL_DIRECT_WRITES: u32 = 1 << 6;
pub const FOPEN_PASSTHROUGH: u32 = 1 << 7;

pub const IOCTL_COMPAT: u32 = 1 << 0;
pub const IOCTL_UNRESTRICTED: u32 = 1 << 1;
pub const IOCTL_RETRY: u32 = 1 << 2;
pub const IOCTL_32BIT: u32 = 1 << 3;
pub const IOCTL_DIR: u32 = 1 << 4;
pub const IOCTL_COMPAT_X32: u32 = 1 << 5;

pub const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
pub const FS_IOC_SETFLAGS: u32 = 0x4008_6602;
pub const FS_IOC_FSGETXATTR: u32 = 0x801c_581f;
pub const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;

pub const FUSE_LK_FLOCK: u32 = 1 << 0;
pub const FUSE_RELEASE_FLOCK_UNLOCK: u32 = 1 << 1;

/// How a field is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A plain number.
    Dec,
    /// A mask of flags.
    Hex,
    /// A file mode.
    Oct,
    /// Seconds: replaced by `now` when near the present.
    Time,
    /// Nanoseconds that belong to the time before it in the table.
    Nsec,
    /// Identity of the owner of a lock: relabelled.
    Owner,
    /// Mostly an address of the caller's, and then only called so.
    Addr,
    /// A process: the one that sends the request, or another.
    Pid,
    /// Left out when zero.
    Pad,
}

/// One field of a fixed part: name, bytes, how to print.
pub type Field = (&'static str, usize, Kind);

/// What follows the fixed part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tail {
    None,
    /// So many strings that end in NUL.
    Names(usize),
    /// As many bytes as the field `size` says.
    Data,
    /// A name and then data.
    NameData,
    /// Pairs of node and count.
    Forgets,
}

use Kind::*;

const LK: [Field; 8] = [
    ("fh", 8, Dec),
    ("owner", 8, Owner),
    ("start", 8, Dec),
    ("end", 8, Dec),
    ("type", 4, Dec),
    ("lk_pid", 4, Pid),
    ("lk_flags", 4, Hex),
    ("padding", 4, Pad),
];

const CFR: [Field; 7] = [
    ("fh_in", 8, Dec),
    ("off_in", 8, Dec),
    ("nodeid_out", 8, Dec),
    ("fh_out", 8, Dec),
    ("off_out", 8, Dec),
    ("len", 8, Dec),
    ("flags", 8, Hex),
];

/// SETXATTR's where the daemon has agreed to SETXATTR_EXT.
pub const SETXATTR_EXT: (&[Field], Tail) = (
    &[
        ("size", 4, Dec),
        ("flags", 4, Hex),
        ("setxattr_flags", 4, Hex),
        ("padding", 4, Pad),
    ],
    Tail::NameData,
);

/// Fixed part and tail of each operation's request.
#[rustfmt::skip]
pub fn layout(op: Op) -> (&'static [Field], Tail) {
    use Op::*;
    match op {
        LOOKUP | UNLINK | RMDIR | REMOVEXATTR => (&[], Tail::Names(1)),
        SYMLINK => (&[], Tail::Names(2)),
        FORGET => (&[("nlookup", 8, Dec)], Tail::None),
        GETATTR => (&[("getattr_flags", 4, Hex), ("dummy", 4, Pad), ("fh", 8, Dec)], Tail::None),
        SETATTR => (&[
            ("valid", 4, Hex), ("padding", 4, Pad), ("fh", 8, Dec), ("size", 8, Dec),
            ("lock_owner", 8, Owner),
            ("atime", 8, Time), ("mtime", 8, Time), ("ctime", 8, Time), ("atimensec", 4, Nsec),
            ("mtimensec", 4, Nsec), ("ctimensec", 4, Nsec), ("mode", 4, Oct), ("unused4", 4, Pad),
            ("uid", 4, Dec), ("gid", 4, Dec), ("unused5", 4, Pad)], Tail::None),
        READLINK | STATFS | DESTROY => (&[], Tail::None),
        MKNOD => (&[
            ("mode", 4, Oct), ("rdev", 4, Hex), ("umask", 4, Oct),
            ("padding", 4, Pad)], Tail::Names(1)),
        MKDIR => (&[("mode", 4, Oct), ("umask", 4, Oct)], Tail::Names(1)),
        RENAME => (&[("newdir", 8, Dec)], Tail::Names(2)),
        RENAME2 => (&[("newdir", 8, Dec), ("flags", 4, Hex), ("padding", 4, Pad)], Tail::Names(2)),
        LINK => (&[("oldnodeid", 8, Dec)], Tail::Names(1)),
        OPEN | OPENDIR => (&[("flags", 4, Hex), ("open_flags", 4, Hex)], Tail::None),
        CREATE | TMPFILE => (&[
            ("flags", 4, Hex), ("mode", 4, Oct), ("umask", 4, Oct),
            ("open_flags", 4, Hex)], Tail::Names(1)),
        READ | READDIR | READDIRPLUS => (&[
            ("fh", 8, Dec), ("offset", 8, Dec), ("size", 4, Dec), ("read_flags", 4, Hex),
            ("lock_owner", 8, Owner), ("flags", 4, Hex), ("padding", 4, Pad)], Tail::None),
        WRITE => (&[
            ("fh", 8, Dec), ("offset", 8, Dec), ("size", 4, Dec), ("write_flags", 4, Hex),
            ("lock_owner", 8, Owner), ("flags", 4, Hex), ("padding", 4, Pad)], Tail::Data),
        RELEASE | RELEASEDIR => (&[
            ("fh", 8, Dec), ("flags", 4, Hex), ("release_flags", 4, Hex),
            ("lock_owner", 8, Owner)], Tail::None),
        FSYNC | FSYNCDIR => (&[
            ("fh", 8, Dec), ("fsync_flags", 4, Hex), ("padding", 4, Pad)], Tail::None),
        SETXATTR => (&[("size", 4, Dec), ("flags", 4, Hex)], Tail::NameData),
        GETXATTR => (&[("size", 4, Dec), ("padding", 4, Pad)], Tail::Names(1)),
        LISTXATTR => (&[("size", 4, Dec), ("padding", 4, Pad)], Tail::None),
        FLUSH => (&[
            ("fh", 8, Dec), ("unused", 4, Pad), ("padding", 4, Pad),
            ("lock_owner", 8, Owner)], Tail::None),
        INIT => (&[
            ("major", 4, Dec), ("minor", 4, Dec), ("max_readahead", 4, Dec), ("flags", 4, Hex),
            ("flags2", 4, Hex),
            ("unused0", 4, Pad), ("unused1", 8, Pad), ("unused2", 8, Pad),
            ("unused3", 8, Pad), ("unused4", 8, Pad), ("unused5", 8, Pad)], Tail::None),
        GETLK | SETLK | SETLKW => (&LK, Tail::None),
        ACCESS => (&[("mask", 4, Oct), ("padding", 4, Pad)], Tail::None),
        INTERRUPT => (&[("unique", 8, Dec)], Tail::None),
        BMAP => (&[("block", 8, Dec), ("blocksize", 4, Dec), ("padding", 4, Pad)], Tail::None),
        IOCTL => (&[
            ("fh", 8, Dec), ("flags", 4, Hex), ("cmd", 4, Hex), ("arg", 8, Addr),
            ("in_size", 4, Dec), ("out_size", 4, Dec)], Tail::Data),
        POLL => (&[
            ("fh", 8, Dec), ("kh", 8, Dec), ("flags", 4, Hex), ("events", 4, Hex)], Tail::None),
        NOTIFY_REPLY => (&[
            ("dummy1", 8, Pad), ("offset", 8, Dec), ("size", 4, Dec), ("dummy2", 4, Pad),
            ("dummy3", 8, Pad), ("dummy4", 8, Pad)], Tail::Data),
        BATCH_FORGET => (&[("count", 4, Dec), ("dummy", 4, Pad)], Tail::Forgets),
        FALLOCATE => (&[
            ("fh", 8, Dec), ("offset", 8, Dec), ("length", 8, Dec), ("mode", 4, Hex),
            ("padding", 4, Pad)], Tail::None),
        LSEEK => (&[
            ("fh", 8, Dec), ("offset", 8, Dec), ("whence", 4, Dec),
            ("padding", 4, Pad)], Tail::None),
        COPY_FILE_RANGE | COPY_FILE_RANGE_64 => (&CFR, Tail::None),
        SYNCFS => (&[("padding", 8, Pad)], Tail::None),
        STATX => (&[
            ("getattr_flags", 4, Hex), ("reserved", 4, Pad), ("fh", 8, Dec),
            ("sx_flags", 4, Hex), ("sx_mask", 4, Hex)], Tail::None),
        _ => (&[], Tail::Data),
    }
}

/// How many fields of the fixed part are sent to a daemon of an old minor.
pub fn fields_sent(op: Op, minor: u32) -> usize {
    use Op::*;
    match op {
        WRITE if minor < 9 => 4,
        MKNOD | CREATE if minor < 12 => 2,
        _ => usize::MAX,
    }
}

/// The shape of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// No more than a header, if anything.
    Nothing,
    /// An entry.
    Entry,
    /// An entry and what was opened.
    EntryAndOpen,
    /// Attributes, and for how long they are good.
    Attr,
    /// What was opened.
    Open,
    /// How much was written.
    Write,
    Statfs,
    /// Up to as many bytes as the field `size` says.
    Data,
    /// The text of a link.
    Text,
    /// Up to as many bytes of directory records.
    Dirents,
    /// What has become of a command, then up to as many bytes as the field `out_size` says.
    Ioctl,
    /// Something else of a fixed length.
    Fixed(usize),
}

/// What each operation is answered with.
pub fn answer(op: Op) -> Shape {
    use Op::*;
    match op {
        LOOKUP | SYMLINK | MKNOD | MKDIR | LINK => Shape::Entry,
        CREATE | TMPFILE => Shape::EntryAndOpen,
        GETATTR | SETATTR => Shape::Attr,
        OPEN | OPENDIR => Shape::Open,
        WRITE | COPY_FILE_RANGE => Shape::Write,
        STATFS => Shape::Statfs,
        READ | GETXATTR | LISTXATTR => Shape::Data,
        READLINK => Shape::Text,
        READDIR | READDIRPLUS => Shape::Dirents,
        INIT => Shape::Fixed(64),
        GETLK => Shape::Fixed(24),
        BMAP | POLL | LSEEK | COPY_FILE_RANGE_64 => Shape::Fixed(8),
        IOCTL => Shape::Ioctl,
        STATX => Shape::Fixed(288),
        _ => Shape::Nothing,
    }
}
