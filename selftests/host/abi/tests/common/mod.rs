// SPDX-License-Identifier: GPL-2.0

//! What the tests share: all operations behind one trait, what the protocol says about the lengths of
//! each (written down anew here, from the header and the C implementation), and random bytes.

#![allow(dead_code, reason = "no test uses all of it")]

use fuse_abi::abi::{
    op::*, Body, FileHandle, FileType, InitFlags, LockOwner, Minor, Name, NodeId, Op, Opcode,
    Overflow, Rdev, Reply, Timestamp, Writer,
};
use std::fmt::Debug;

/// An operation whose type is forgotten.
pub trait AnyOp {
    fn opcode(&self) -> Opcode;
    fn in_len(&self, minor: Minor) -> usize;
    fn encode(&self, buf: &mut [u8], minor: Minor) -> Result<usize, Overflow>;
    fn payload_in(&self) -> u32;
    fn reply(&self, minor: Minor) -> Reply;
    /// The result as text: errors and all.
    fn decode(&self, own: &[u8], payload: usize, minor: Minor) -> String;
}

impl<O: Op> AnyOp for O
where
    O::Out: Debug,
{
    fn opcode(&self) -> Opcode {
        O::OPCODE
    }

    fn in_len(&self, minor: Minor) -> usize {
        Op::in_len(self, minor)
    }

    fn encode(&self, buf: &mut [u8], minor: Minor) -> Result<usize, Overflow> {
        let mut writer = Writer::new(buf);
        Op::encode(self, &mut writer, minor)?;
        Ok(writer.remaining())
    }

    fn payload_in(&self) -> u32 {
        Op::payload_in(self)
    }

    fn reply(&self, minor: Minor) -> Reply {
        Op::reply(self, minor)
    }

    fn decode(&self, own: &[u8], payload: usize, minor: Minor) -> String {
        format!("{:?}", Op::decode(self, Body::new(own, payload), minor))
    }
}

/// What a reply's body may be, said again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Expect {
    Exactly(usize),
    AtMost(usize),
    Payload(usize),
}

pub struct Case {
    pub op: Box<dyn AnyOp>,
    /// Bytes after the header, payload excluded.
    pub in_len: fn(u32) -> usize,
    pub expect: fn(u32) -> Expect,
}

pub fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).expect("a name")
}

pub fn node(number: u64) -> NodeId {
    NodeId::new(number).expect("a node")
}

fn entry(minor: u32) -> usize {
    if minor < 9 {
        120
    } else {
        128
    }
}

fn entry_only(minor: u32) -> Expect {
    Expect::Exactly(entry(minor))
}

fn attr_only(minor: u32) -> Expect {
    Expect::Exactly(if minor < 9 { 96 } else { 104 })
}

fn header_only(_: u32) -> Expect {
    Expect::Exactly(0)
}

fn open_only(_: u32) -> Expect {
    Expect::Exactly(16)
}

pub const OPEN: Open = Open {
    flags: 0o100002,
    kill_suidgid: true,
};

pub const RELEASE: Release = Release {
    fh: FileHandle::from_raw(9),
    flags: 0o100002,
    flock_owner: Some(LockOwner::from_raw(77)),
};

pub const FSYNC: Fsync = Fsync {
    fh: FileHandle::from_raw(9),
    datasync: true,
};

pub const READ_SIZE: u32 = 200;

pub fn write() -> Write {
    Write {
        fh: FileHandle::from_raw(9),
        offset: 1 << 40,
        size: 4096,
        cache: false,
        lock_owner: Some(LockOwner::from_raw(77)),
        kill_suidgid: true,
        flags: 0o100001,
    }
}

pub fn setattr() -> Setattr {
    Setattr {
        mode: Some(0o100644),
        uid: Some(1000),
        gid: Some(1001),
        size: Some(1 << 33),
        atime: Some(SetTime::Now(Timestamp::new(10, 11))),
        mtime: Some(SetTime::To(Timestamp::new(-12, 13))),
        ctime: Some(Timestamp::new(14, 15)),
        fh: Some(FileHandle::from_raw(9)),
        lock_owner: Some(LockOwner::from_raw(77)),
        kill_suidgid: true,
    }
}

/// Every operation that is a request, once.
pub fn cases() -> Vec<Case> {
    fn case(op: impl AnyOp + 'static, in_len: fn(u32) -> usize, expect: fn(u32) -> Expect) -> Case {
        Case {
            op: Box::new(op),
            in_len,
            expect,
        }
    }

    vec![
        case(Lookup { name: name("ab") }, |_| 3, entry_only),
        case(Getattr { fh: None }, |_| 16, attr_only),
        case(setattr(), |_| 88, attr_only),
        case(Readlink { max: 4095 }, |_| 0, |_| Expect::Payload(4095)),
        case(
            Symlink {
                name: name("ab"),
                target: name("../cde"),
            },
            |_| 3 + 7,
            entry_only,
        ),
        case(
            Mknod {
                kind: FileType::CharDevice,
                perm: 0o600,
                rdev: Rdev::new(1, 3),
                umask: 0o22,
                name: name("ab"),
            },
            |minor| if minor < 12 { 8 + 3 } else { 16 + 3 },
            entry_only,
        ),
        case(
            Mkdir {
                perm: 0o755,
                umask: 0o22,
                name: name("ab"),
            },
            |_| 8 + 3,
            entry_only,
        ),
        case(Unlink { name: name("ab") }, |_| 3, header_only),
        case(Rmdir { name: name("ab") }, |_| 3, header_only),
        case(
            Rename {
                newdir: node(6),
                old: name("ab"),
                new: name("cde"),
            },
            |_| 8 + 3 + 4,
            header_only,
        ),
        case(
            Rename2 {
                newdir: node(6),
                flags: 2,
                old: name("ab"),
                new: name("cde"),
            },
            |_| 16 + 3 + 4,
            header_only,
        ),
        case(
            Link {
                old: node(6),
                kind: FileType::Regular,
                name: name("ab"),
            },
            |_| 8 + 3,
            entry_only,
        ),
        case(OPEN, |_| 8, open_only),
        case(
            Read {
                fh: FileHandle::from_raw(9),
                offset: 1 << 40,
                size: READ_SIZE,
                lock_owner: Some(LockOwner::from_raw(77)),
                flags: 0o100000,
            },
            |_| 40,
            |_| Expect::Payload(READ_SIZE as usize),
        ),
        case(
            write(),
            |minor| if minor < 9 { 24 } else { 40 },
            |_| Expect::Exactly(8),
        ),
        case(
            Statfs,
            |_| 0,
            |minor| Expect::Exactly(if minor < 4 { 48 } else { 80 }),
        ),
        case(RELEASE, |_| 24, header_only),
        case(FSYNC, |_| 16, header_only),
        case(Fsyncdir(FSYNC), |_| 16, header_only),
        case(
            Flush {
                fh: FileHandle::from_raw(9),
                lock_owner: LockOwner::from_raw(77),
            },
            |_| 24,
            header_only,
        ),
        case(
            Init {
                max_readahead: 131072,
                offered: InitFlags::KNOWN,
            },
            |_| 64,
            |_| Expect::AtMost(64),
        ),
        case(Opendir(OPEN), |_| 8, open_only),
        case(
            Readdir {
                fh: FileHandle::from_raw(9),
                offset: 7,
                size: READ_SIZE,
                flags: 0o200000,
            },
            |_| 40,
            |_| Expect::Payload(READ_SIZE as usize),
        ),
        case(Releasedir(RELEASE), |_| 24, header_only),
        case(Access { mask: 5 }, |_| 8, header_only),
        case(
            Create {
                flags: 0o102,
                perm: 0o640,
                umask: 0o22,
                kill_suidgid: true,
                name: name("ab"),
            },
            |minor| if minor < 12 { 8 + 3 } else { 16 + 3 },
            |minor| Expect::Exactly(entry(minor) + 16),
        ),
    ]
}

/// The minors worth a try: all that differ, both sides of each, and what no daemon should say.
pub const MINORS: &[u32] = &[
    0,
    3,
    4,
    5,
    6,
    8,
    9,
    11,
    12,
    13,
    16,
    17,
    22,
    23,
    45,
    46,
    47,
    u32::MAX,
];

/// Random numbers that a seed brings back (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// A number that is likely to be at the edge of something.
    pub fn edgy(&mut self) -> u64 {
        const EDGES: &[u64] = &[
            0,
            1,
            2,
            7,
            46,
            255,
            4095,
            4096,
            999_999_999,
            1_000_000_000,
            i32::MAX as u64,
            1 << 31,
            u32::MAX as u64,
            i64::MAX as u64,
            1 << 63,
            u64::MAX,
        ];
        match self.below(3) {
            0 => self.next(),
            _ => EDGES[self.below(EDGES.len())],
        }
    }

    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// The seeds to go through: those that stay, and one that is new in each run unless `ABI_SEED` gives
/// it. Printed, so that a failure can be had again.
pub fn seeds() -> Vec<u64> {
    let fresh = match std::env::var("ABI_SEED") {
        Ok(seed) => seed.parse().expect("ABI_SEED is a number"),
        Err(_) => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock after 1970")
            .as_nanos() as u64,
    };
    println!("# seeds 1 2 3 and ABI_SEED={fresh}");
    vec![1, 2, 3, fresh]
}

/// Rounds for each seed: `ABI_ROUNDS`, or enough for a second or so.
pub fn rounds() -> usize {
    match std::env::var("ABI_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("ABI_ROUNDS is a number"),
        Err(_) => 20_000,
    }
}
