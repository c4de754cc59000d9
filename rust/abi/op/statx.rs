// SPDX-License-Identifier: GPL-2.0

//! STATX: asks for attributes and the time of birth.
//!
//! C counterpart: `fuse_do_statx` (dir.c). Takes no locks.
//!
//! After the header:
//!
//! ```text
//! 00 00 00 00  getattr_flags           00 00 00 00  reserved
//! 00 00 00 00 00 00 00 00              fh: none, as statx(2) of a descriptor goes by its path in C
//! 00 00 00 00  sx_flags                ff 0f 00 00  sx_mask: all basic ones, BTIME
//! ```
//!
//! The reply is a timeout and a [`FuseStatx`], which says in its mask what of it is true.

use super::Op;
use crate::abi::{
    attr::{
        Attr,
        FuseAttr,
        KeptAttr, //
    },
    codec::{
        Body,
        Reply,
        Writer, //
    },
    error::{
        BadAttr,
        BadReply,
        Overflow, //
    },
    mode::{
        FileType,
        S_IALLUGO, //
    },
    opcode::Opcode,
    time::{
        Timeout,
        Timestamp, //
    },
    version::Minor, //
};

wire! {
    /// C: `struct fuse_statx_in`.
    struct FuseStatxIn: 24 {
        getattr_flags: u32,
        reserved: u32,
        fh: u64,
        sx_flags: u32,
        sx_mask: u32,
    }
    /// C: `struct fuse_sx_time`, unchecked.
    struct FuseSxTime: 16 {
        tv_sec: i64,
        tv_nsec: u32,
        __reserved: i32,
    }
    /// C: `struct fuse_statx`, unchecked.
    struct FuseStatx: 256 {
        mask: u32,
        blksize: u32,
        attributes: u64,
        nlink: u32,
        uid: u32,
        gid: u32,
        mode: u16,
        __spare0: [u16; 1],
        ino: u64,
        size: u64,
        blocks: u64,
        attributes_mask: u64,
        atime: FuseSxTime,
        btime: FuseSxTime,
        ctime: FuseSxTime,
        mtime: FuseSxTime,
        rdev_major: u32,
        rdev_minor: u32,
        dev_major: u32,
        dev_minor: u32,
        __spare2: [u64; 14],
    }
    /// C: `struct fuse_statx_out`, unchecked.
    struct FuseStatxOut: 288 {
        attr_valid: u64,
        attr_valid_nsec: u32,
        flags: u32,
        spare: [u64; 2],
        stat: FuseStatx,
    }
}

/// Which attributes a [`StatxReply`] has, as `statx(2)` has them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StatxMask(u32);

impl StatxMask {
    /// `STATX_TYPE`.
    pub const TYPE: Self = Self(0x001);
    /// `STATX_SIZE`.
    const SIZE: Self = Self(0x200);
    /// `STATX_BASIC_STATS`.
    pub const BASIC_STATS: Self = Self(0x7ff);
    /// `STATX_BTIME`.
    pub const BTIME: Self = Self(0x800);
    /// All that a daemon is asked for.
    const ASKED: Self = Self(0xfff);

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` are in it.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those of both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a daemon says of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatxReply {
    /// How long the attributes are good.
    pub valid: Timeout,
    /// Those that are true; others may say anything.
    pub mask: StatxMask,
    /// The time of birth.
    pub btime: Timestamp,
    attr: KeptAttr,
}

impl StatxReply {
    /// Checks what a daemon sent: type and size, where it says that they are true. What may say
    /// anything, and is impossible, is a regular file, and empty.
    fn new(out: &FuseStatxOut) -> Result<Self, BadAttr> {
        let stat = &out.stat;
        let mask = StatxMask(stat.mask & StatxMask::ASKED.0);
        let mut attr = FuseAttr {
            ino: stat.ino,
            size: stat.size,
            blocks: stat.blocks,
            atime: stat.atime.tv_sec as u64,
            mtime: stat.mtime.tv_sec as u64,
            ctime: stat.ctime.tv_sec as u64,
            atimensec: stat.atime.tv_nsec,
            mtimensec: stat.mtime.tv_nsec,
            ctimensec: stat.ctime.tv_nsec,
            mode: stat.mode.into(),
            nlink: stat.nlink,
            uid: stat.uid,
            gid: stat.gid,
            rdev: 0,
            blksize: stat.blksize,
            flags: 0,
        };
        if !mask.has(StatxMask::TYPE) && FileType::from_mode(attr.mode).is_none() {
            attr.mode = FileType::Regular.bits() | (attr.mode & S_IALLUGO);
        }
        if !mask.has(StatxMask::SIZE) && i64::try_from(attr.size).is_err() {
            attr.size = 0;
        }
        Ok(Self {
            valid: Timeout::new(out.attr_valid, out.attr_valid_nsec),
            mask,
            btime: Timestamp::new(stat.btime.tv_sec, stat.btime.tv_nsec),
            attr: Attr::new(&attr)?.into(),
        })
    }

    /// The attributes. Those of a device have no number, which no inode takes from here.
    pub fn attr(&self) -> Attr<'_> {
        self.attr.get()
    }
}

/// Asks for attributes and the time of birth.
#[derive(Clone, Copy, Debug)]
pub struct Statx;

impl Op for Statx {
    const OPCODE: Opcode = Opcode::Statx;
    /// An inode whose attributes are bad becomes bad itself, and its caller gets EIO.
    type Out = Result<StatxReply, BadAttr>;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseStatxIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        out.put(&FuseStatxIn {
            sx_mask: StatxMask::ASKED.bits(),
            ..FuseStatxIn::default()
        })
    }

    fn reply(&self, _minor: Minor) -> Reply {
        Reply::Fixed(size_of::<FuseStatxOut>())
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<Self::Out, BadReply> {
        Ok(StatxReply::new(&body.fixed()?))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::IntoBytes;

    pub fn case() -> Case {
        Case::new(Statx, |_| 24, |_| Expect::Exactly(288))
    }

    /// A reply that differs in every field.
    fn raw(mask: u32, mode: u16) -> FuseStatxOut {
        let time = |n| FuseSxTime {
            tv_sec: n,
            tv_nsec: (n + 100) as u32,
            __reserved: -1,
        };
        FuseStatxOut {
            attr_valid: 30,
            attr_valid_nsec: 31,
            flags: 9,
            spare: [9; 2],
            stat: FuseStatx {
                mask,
                blksize: 4096,
                attributes: 9,
                nlink: 2,
                uid: 1000,
                gid: 1001,
                mode,
                __spare0: [9],
                ino: 3,
                size: 5,
                blocks: 8,
                attributes_mask: 9,
                atime: time(10),
                btime: time(-13),
                ctime: time(12),
                mtime: time(11),
                rdev_major: 1,
                rdev_minor: 2,
                dev_major: 3,
                dev_minor: 4,
                __spare2: [9; 14],
            },
        }
    }

    fn look(raw: &FuseStatxOut) -> Result<StatxReply, BadAttr> {
        decode(Statx, raw.as_bytes(), 46).expect("of the right length")
    }

    #[test]
    fn bytes() {
        let asked = wire().u32(0).u32(0).u64(0).u32(0).u32(0xfff);
        expect(Statx, 46, asked);
    }

    #[test]
    fn everything_is_taken() {
        let mut raw = raw(u32::MAX, 0o100644);
        raw.stat.btime.tv_nsec = u32::MAX;
        let reply = look(&raw).expect("good attributes");
        assert_eq!(reply.valid, Timeout::new(30, 31));
        assert_eq!(reply.mask.bits(), 0xfff);
        assert_eq!(reply.btime, Timestamp::new(-13, 999_999_999));
        let attr = reply.attr();
        assert_eq!((attr.ino(), attr.size(), attr.blocks()), (3, 5, 8));
        assert_eq!(attr.atime(), Timestamp::new(10, 110));
        assert_eq!(attr.mtime(), Timestamp::new(11, 111));
        assert_eq!(attr.ctime(), Timestamp::new(12, 112));
        assert_eq!((attr.mode(), attr.nlink()), (0o100644, 2));
        assert_eq!((attr.uid(), attr.gid()), (1000, 1001));
        assert_eq!(attr.blkbits(), Some(12));
    }

    /// What the mask does not have may be anything; what it has must be possible.
    #[test]
    fn the_mask_decides_what_is_looked_at() {
        let (kind, size) = (0x001, 0x200);
        for (mask, mode, bytes, good) in [
            (0xfff, 0o100644, u64::MAX, false),
            (0xfff & !size, 0o100644, u64::MAX, true),
            (0xfff, 0o000644, 5, false),
            (0xfff & !kind, 0o000644, 5, true),
            (0, 0, 1 << 63, true),
            (0xfff, 0o160644, 5, false),
            (0xfff & !kind, 0o160644, 5, true),
            (0xfff, 0o040755, i64::MAX as u64, true),
        ] {
            let mut raw = raw(mask, mode);
            raw.stat.size = bytes;
            let reply = look(&raw);
            assert_eq!(reply.is_ok(), good, "{mask:#x} {mode:#o} {bytes}");
            if let Ok(reply) = reply {
                assert_eq!(u32::from(reply.attr().perm()), u32::from(mode) & 0o7777);
            }
        }
    }
}
