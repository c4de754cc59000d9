// SPDX-License-Identifier: GPL-2.0

//! Building what the daemon writes.

use crate::errno::Errno;
use crate::request::Request;
use crate::wire::{init_flag, Op, OUT_HEADER};

/// What a handler gives for a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Ok(Vec<u8>),
    Err(Errno),
    /// No reply: FORGET, or one that the test leaves unanswered.
    None,
}

/// Appends numbers of fixed width.
#[derive(Default, Clone, Debug)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    pub fn u16(mut self, v: u16) -> Self {
        self.0.extend_from_slice(&v.to_ne_bytes());
        self
    }
    pub fn u32(mut self, v: u32) -> Self {
        self.0.extend_from_slice(&v.to_ne_bytes());
        self
    }
    pub fn u64(mut self, v: u64) -> Self {
        self.0.extend_from_slice(&v.to_ne_bytes());
        self
    }
    pub fn bytes(mut self, v: &[u8]) -> Self {
        self.0.extend_from_slice(v);
        self
    }
}

/// A whole message: header and payload. `error` is as on the wire: zero or negative.
pub fn message(unique: u64, error: i32, payload: &[u8]) -> Vec<u8> {
    raw((OUT_HEADER + payload.len()) as u32, unique, error, payload)
}

/// A message whose header may lie.
pub fn raw(len: u32, unique: u64, error: i32, payload: &[u8]) -> Vec<u8> {
    Bytes::default()
        .u32(len)
        .u32(error as u32)
        .u64(unique)
        .bytes(payload)
        .0
}

/// Attributes of a node. Times are whole seconds unless set otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attr {
    pub ino: u64,
    pub size: u64,
    pub blocks: u64,
    pub atime: u64,
    pub mtime: u64,
    pub ctime: u64,
    pub atimensec: u32,
    pub mtimensec: u32,
    pub ctimensec: u32,
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
    pub blksize: u32,
    pub flags: u32,
}

/// A fixed time for everything a test makes up.
pub const EPOCH: u64 = 1_000_000_000;

impl Attr {
    fn new(ino: u64, mode: u32, nlink: u32, size: u64) -> Attr {
        Attr {
            ino,
            size,
            blocks: size.div_ceil(512),
            atime: EPOCH,
            mtime: EPOCH + 1,
            ctime: EPOCH + 2,
            atimensec: 0,
            mtimensec: 0,
            ctimensec: 0,
            mode,
            nlink,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }

    pub fn dir(ino: u64) -> Attr {
        Attr::new(ino, libc::S_IFDIR | 0o755, 2, 4096)
    }

    pub fn file(ino: u64, size: u64) -> Attr {
        Attr::new(ino, libc::S_IFREG | 0o644, 1, size)
    }

    pub fn symlink(ino: u64, size: u64) -> Attr {
        Attr::new(ino, libc::S_IFLNK | 0o777, 1, size)
    }

    pub fn mode(mut self, m: u32) -> Attr {
        self.mode = m;
        self
    }

    pub fn perm(mut self, p: u32) -> Attr {
        self.mode = self.mode & libc::S_IFMT | p;
        self
    }

    pub fn owner(mut self, uid: u32, gid: u32) -> Attr {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        Bytes::default()
            .u64(self.ino)
            .u64(self.size)
            .u64(self.blocks)
            .u64(self.atime)
            .u64(self.mtime)
            .u64(self.ctime)
            .u32(self.atimensec)
            .u32(self.mtimensec)
            .u32(self.ctimensec)
            .u32(self.mode)
            .u32(self.nlink)
            .u32(self.uid)
            .u32(self.gid)
            .u32(self.rdev)
            .u32(self.blksize)
            .u32(self.flags)
            .0
    }
}

/// Seconds and nanoseconds for which something stays valid.
pub type Valid = (u64, u32);
/// Longer than any test.
pub const LONG: Valid = (100_000, 0);
/// Not at all.
pub const ZERO: Valid = (0, 0);

/// Answer to LOOKUP and all that create.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub node: u64,
    pub generation: u64,
    pub entry_valid: Valid,
    pub attr_valid: Valid,
    pub attr: Attr,
}

impl Entry {
    /// A node that stays valid for long.
    pub fn new(attr: Attr) -> Entry {
        Entry {
            node: attr.ino,
            generation: 0,
            entry_valid: LONG,
            attr_valid: LONG,
            attr,
        }
    }

    /// No such name, to be remembered for that long.
    pub fn negative(valid: Valid) -> Entry {
        let attr = Attr {
            mode: 0,
            ..Attr::new(0, 0, 0, 0)
        };
        Entry {
            node: 0,
            generation: 0,
            entry_valid: valid,
            attr_valid: ZERO,
            attr,
        }
    }

    pub fn entry_valid(mut self, v: Valid) -> Entry {
        self.entry_valid = v;
        self
    }

    pub fn attr_valid(mut self, v: Valid) -> Entry {
        self.attr_valid = v;
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        Bytes::default()
            .u64(self.node)
            .u64(self.generation)
            .u64(self.entry_valid.0)
            .u64(self.attr_valid.0)
            .u32(self.entry_valid.1)
            .u32(self.attr_valid.1)
            .bytes(&self.attr.bytes())
            .0
    }
}

/// Answer to GETATTR and SETATTR.
pub fn attr_out(valid: Valid, attr: &Attr) -> Vec<u8> {
    Bytes::default()
        .u64(valid.0)
        .u32(valid.1)
        .u32(0)
        .bytes(&attr.bytes())
        .0
}

/// Answer to STATX: what of `attr` is true says `mask`, as does whether there is a time of birth.
pub fn statx_out(valid: Valid, mask: u32, attr: &Attr, btime: (i64, u32)) -> Vec<u8> {
    let time = |b: Bytes, (sec, nsec): (i64, u32)| b.u64(sec as u64).u32(nsec).u32(0);
    let b = Bytes::default()
        .u64(valid.0)
        .u32(valid.1)
        .u32(0)
        .u64(0)
        .u64(0);
    let b = b.u32(mask).u32(attr.blksize).u64(0);
    let b = b.u32(attr.nlink).u32(attr.uid).u32(attr.gid);
    let b = b.u16(attr.mode as u16).u16(0);
    let b = b.u64(attr.ino).u64(attr.size).u64(attr.blocks).u64(0);
    let b = time(b, (attr.atime as i64, attr.atimensec));
    let b = time(b, btime);
    let b = time(b, (attr.ctime as i64, attr.ctimensec));
    let b = time(b, (attr.mtime as i64, attr.mtimensec));
    let b = b.u32((attr.rdev >> 8) & 0xfff).u32(attr.rdev & 0xff);
    b.u32(0).u32(0).bytes(&[0; 14 * 8]).0
}

/// Answer to OPEN and OPENDIR, and the second half of that to CREATE.
pub fn open_out(fh: u64, flags: u32) -> Vec<u8> {
    Bytes::default().u64(fh).u32(flags).u32(0).0
}

/// Answer to WRITE.
pub fn write_out(size: u32) -> Vec<u8> {
    Bytes::default().u32(size).u32(0).0
}

/// Answer to GETXATTR and LISTXATTR that ask for a length.
pub fn getxattr_out(size: u32) -> Vec<u8> {
    Bytes::default().u32(size).u32(0).0
}

/// Answer to IOCTL: what ioctl(2) returns, and what it writes.
pub fn ioctl_out(result: i32, data: &[u8]) -> Vec<u8> {
    Bytes::default()
        .u32(result as u32)
        .u32(0)
        .u64(0)
        .bytes(data)
        .0
}

/// Answer to STATFS.
#[derive(Clone, Copy, Debug)]
pub struct Statfs {
    pub blocks: u64,
    pub bfree: u64,
    pub bavail: u64,
    pub files: u64,
    pub ffree: u64,
    pub bsize: u32,
    pub namelen: u32,
    pub frsize: u32,
}

impl Statfs {
    pub fn bytes(&self) -> Vec<u8> {
        let mut b = Bytes::default()
            .u64(self.blocks)
            .u64(self.bfree)
            .u64(self.bavail)
            .u64(self.files)
            .u64(self.ffree)
            .u32(self.bsize)
            .u32(self.namelen)
            .u32(self.frsize)
            .u32(0);
        b.0.extend_from_slice(&[0; 24]);
        b.0
    }
}

/// One record of a directory, padded to eight bytes.
pub fn dirent(ino: u64, off: u64, typ: u32, name: &[u8]) -> Vec<u8> {
    let mut b = Bytes::default()
        .u64(ino)
        .u64(off)
        .u32(name.len() as u32)
        .u32(typ)
        .bytes(name);
    while b.0.len() % 8 != 0 {
        b.0.push(0);
    }
    b.0
}

/// One record of a directory with what LOOKUP would say.
pub fn direntplus(entry: &Entry, ino: u64, off: u64, typ: u32, name: &[u8]) -> Vec<u8> {
    [entry.bytes(), dirent(ino, off, typ, name)].concat()
}

/// Answer to INIT.
#[derive(Clone, Copy, Debug)]
pub struct Init {
    pub major: u32,
    pub minor: u32,
    pub max_readahead: u32,
    pub flags: u64,
    pub max_background: u16,
    pub congestion_threshold: u16,
    pub max_write: u32,
    pub time_gran: u32,
    pub max_pages: u16,
    pub map_alignment: u16,
    pub max_stack_depth: u32,
    pub request_timeout: u16,
}

impl Init {
    /// What an ordinary modern daemon says, with the flags that both modules offer.
    pub fn plain() -> Init {
        let flags = [
            "ASYNC_READ",
            "BIG_WRITES",
            "ATOMIC_O_TRUNC",
            "PARALLEL_DIROPS",
            "MAX_PAGES",
            "INIT_EXT",
            "POSIX_LOCKS",
            "FLOCK_LOCKS",
        ];
        Init {
            major: 7,
            minor: 46,
            max_readahead: 131_072,
            flags: flags.iter().map(|f| init_flag(f)).sum(),
            max_background: 0,
            congestion_threshold: 0,
            max_write: 131_072,
            time_gran: 1,
            max_pages: 32,
            map_alignment: 0,
            max_stack_depth: 0,
            request_timeout: 0,
        }
    }

    /// Adds a flag.
    pub fn with(mut self, flag: &str) -> Init {
        self.flags |= init_flag(flag);
        self
    }

    /// Takes a flag away.
    pub fn without(mut self, flag: &str) -> Init {
        self.flags &= !init_flag(flag);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut b = Bytes::default()
            .u32(self.major)
            .u32(self.minor)
            .u32(self.max_readahead)
            .u32(self.flags as u32)
            .u16(self.max_background)
            .u16(self.congestion_threshold)
            .u32(self.max_write)
            .u32(self.time_gran)
            .u16(self.max_pages)
            .u16(self.map_alignment)
            .u32((self.flags >> 32) as u32)
            .u32(self.max_stack_depth)
            .u16(self.request_timeout);
        b.0.resize(64, 0);
        b.0
    }
}

/// An answer as long as the daemon's minor version has it; `b` is as long as now.
pub fn as_long_as_then(r: &Request, mut b: Vec<u8>) -> Vec<u8> {
    match r.op {
        Op::STATFS if r.minor < 4 => b.truncate(48),
        Op::GETATTR | Op::SETATTR if r.minor < 9 => b.truncate(96),
        Op::LOOKUP | Op::MKNOD | Op::MKDIR | Op::SYMLINK | Op::LINK if r.minor < 9 => {
            b.truncate(120)
        }
        Op::CREATE if r.minor < 9 => drop(b.drain(120..128)),
        _ => {}
    }
    b
}
