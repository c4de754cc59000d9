// SPDX-License-Identifier: GPL-2.0

//! What the tests of this layer share: bytes to compare with, values to begin from, any operation
//! behind one trait, and random numbers. Built for the host alone, by `selftests/host/abi`.
//!
//! What the protocol says is written down anew in the tests, from the header and the C
//! implementation: they use the layer's types, but none of its numbers.

use super::{
    attr::FuseAttr,
    entry::FuseEntryOut,
    BadReply,
    Body,
    Minor,
    Name,
    NodeId,
    Op,
    Opcode,
    Overflow,
    Reply,
    Writer, //
};
use std::fmt::Debug;

/// Our version.
pub const V46: Minor = Minor::OURS;

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

/// Builds the bytes that are expected.
#[derive(Default)]
pub struct Wire(pub Vec<u8>);

impl Wire {
    pub fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    pub fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    pub fn text(mut self, value: &str) -> Self {
        self.0.extend(value.as_bytes());
        self
    }
}

/// None yet.
pub fn wire() -> Wire {
    Wire::default()
}

/// The header of a message that is nobody's.
pub fn header(len: u32, opcode: u32, unique: u64, nodeid: u64) -> Wire {
    let wire = wire().u32(len).u32(opcode).u64(unique).u64(nodeid);
    wire.u32(0).u32(0).u32(0).u32(0)
}

pub fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).expect("a name")
}

pub fn node(number: u64) -> NodeId {
    NodeId::new(number).expect("a node")
}

/// Attributes that differ in every field.
pub fn raw_attr(mode: u32) -> FuseAttr {
    FuseAttr {
        ino: 3,
        size: 5,
        blocks: 8,
        atime: 10,
        mtime: 11,
        ctime: 12,
        atimensec: 13,
        mtimensec: 14,
        ctimensec: 15,
        mode,
        nlink: 2,
        uid: 1000,
        gid: 1001,
        rdev: 0x103,
        blksize: 4096,
        flags: 1,
    }
}

/// An entry that differs in every field.
pub fn raw_entry(nodeid: u64, mode: u32) -> FuseEntryOut {
    FuseEntryOut {
        nodeid,
        generation: 7,
        entry_valid: 20,
        attr_valid: 30,
        entry_valid_nsec: 21,
        attr_valid_nsec: 31,
        attr: raw_attr(mode),
    }
}

/// An operation whose type is forgotten.
pub trait AnyOp {
    fn opcode(&self) -> Opcode;
    fn in_len(&self, minor: Minor) -> usize;
    /// How many bytes of the buffer are left.
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
    /// None comes.
    Nothing,
    Exactly(usize),
    AtMost(usize),
    Payload(usize),
    /// Just so many, then at most so many of payload.
    Then(usize, usize),
}

/// An operation, and what the protocol says of its lengths. Each file of `op` has one, for what
/// holds for every operation (`op/tests.rs`).
pub struct Case {
    pub op: Box<dyn AnyOp>,
    /// Bytes after the header for a minor version, payload excluded.
    pub in_len: fn(u32) -> usize,
    pub expect: fn(u32) -> Expect,
}

impl Case {
    pub fn new(
        op: impl AnyOp + 'static,
        in_len: fn(u32) -> usize,
        expect: fn(u32) -> Expect,
    ) -> Self {
        Self {
            op: Box::new(op),
            in_len,
            expect,
        }
    }
}

/// Bytes of an entry.
pub fn entry_len(minor: u32) -> usize {
    if minor < 9 {
        120
    } else {
        128
    }
}

/// The reply is an entry.
pub fn entry_only(minor: u32) -> Expect {
    Expect::Exactly(entry_len(minor))
}

/// The reply is attributes.
pub fn attr_only(minor: u32) -> Expect {
    Expect::Exactly(if minor < 9 { 96 } else { 104 })
}

/// The reply has no body.
pub fn header_only(_: u32) -> Expect {
    Expect::Exactly(0)
}

/// The reply is an open file.
pub fn open_only(_: u32) -> Expect {
    Expect::Exactly(16)
}

/// What an operation writes, in a buffer that is just large enough.
#[track_caller]
pub fn encode(op: &dyn AnyOp, minor: u32) -> Vec<u8> {
    let minor = Minor::new(minor);
    let mut buf = vec![0xaa; op.in_len(minor)];
    assert_eq!(op.encode(&mut buf, minor), Ok(0), "{:?}", op.opcode());
    buf
}

/// An operation writes just this.
#[track_caller]
pub fn expect(op: impl AnyOp, minor: u32, wire: Wire) {
    assert_eq!(
        encode(&op, minor),
        wire.0,
        "{:?} for 7.{minor}",
        op.opcode()
    );
}

/// What an operation makes of a reply without a payload.
pub fn decode<O: Op>(op: O, own: &[u8], minor: u32) -> Result<O::Out, BadReply> {
    op.decode(Body::new(own, 0), Minor::new(minor))
}

/// What an operation makes of a reply that is all payload.
pub fn decode_payload<O: Op>(op: O, len: usize) -> Result<O::Out, BadReply> {
    op.decode(Body::new(&[], len), V46)
}

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

/// The seeds to go through: those that stay, and one that is new in each run unless `ABI_SEED`
/// gives it. Printed, so that a failure can be had again.
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
