// SPDX-License-Identifier: GPL-2.0

//! Requests: the bytes of each, for each minor version, and how buffers that are too small are taken.

mod common;

use common::{cases, name, node, AnyOp, MINORS};
use fuse_abi::abi::{
    op::*, FileHandle, FileType, InitFlags, LockOwner, Minor, Name, Nlookup, Opcode, Overflow,
    Rdev, Timestamp, Unique,
};
use std::collections::BTreeSet;
use zerocopy::IntoBytes;

/// Builds the bytes that are expected.
#[derive(Default)]
struct Wire(Vec<u8>);

impl Wire {
    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn text(mut self, value: &str) -> Self {
        self.0.extend(value.as_bytes());
        self
    }
}

fn wire() -> Wire {
    Wire::default()
}

fn encode(op: &dyn AnyOp, minor: u32) -> Vec<u8> {
    let minor = Minor::new(minor);
    let mut buf = vec![0xaa; op.in_len(minor)];
    assert_eq!(op.encode(&mut buf, minor), Ok(0), "{:?}", op.opcode());
    buf
}

#[track_caller]
fn expect(op: impl AnyOp, minor: u32, wire: Wire) {
    assert_eq!(
        encode(&op, minor),
        wire.0,
        "{:?} for 7.{minor}",
        op.opcode()
    );
}

#[test]
fn every_operation_of_the_issue_has_a_case() {
    let numbers: BTreeSet<u32> = cases().iter().map(|case| case.op.opcode().get()).collect();
    let wanted: BTreeSet<u32> = [
        1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 25, 26, 27, 28, 29, 30, 34,
        35, 45,
    ]
    .into();
    assert_eq!(numbers, wanted);
}

#[test]
fn lengths_are_what_the_protocol_says() {
    for case in cases() {
        for &minor in MINORS {
            let len = case.op.in_len(Minor::new(minor));
            assert_eq!(
                len,
                (case.in_len)(minor),
                "{:?} for 7.{minor}",
                case.op.opcode()
            );
        }
    }
}

#[test]
fn a_buffer_takes_all_or_says_so() {
    for case in cases() {
        for &minor in MINORS {
            let minor = Minor::new(minor);
            let len = case.op.in_len(minor);
            for short in 0..len {
                let mut buf = vec![0xaa; short];
                assert_eq!(case.op.encode(&mut buf, minor), Err(Overflow));
            }
            let mut buf = vec![0xaa; len + 9];
            assert_eq!(case.op.encode(&mut buf, minor), Ok(9));
            assert_eq!(buf[len..], [0xaa; 9], "written beyond the length");
        }
    }
}

#[test]
fn only_write_has_a_payload() {
    for case in cases() {
        let payload = match case.op.opcode() {
            Opcode::Write => 4096,
            _ => 0,
        };
        assert_eq!(case.op.payload_in(), payload, "{:?}", case.op.opcode());
    }
}

#[test]
fn names_end_with_a_nul() {
    expect(Lookup { name: name("ab") }, 46, wire().text("ab\0"));
    expect(Unlink { name: name("ab") }, 46, wire().text("ab\0"));
    expect(Rmdir { name: name("ab") }, 46, wire().text("ab\0"));
    expect(
        Symlink {
            name: name("ab"),
            target: name("../c/d"),
        },
        46,
        wire().text("ab\0../c/d\0"),
    );
    let long = "x".repeat(4095);
    expect(
        Lookup { name: name(&long) },
        46,
        wire().text(&long).text("\0"),
    );
}

#[test]
fn a_name_is_bytes_without_nul() {
    assert_eq!(Name::new(b""), None);
    assert_eq!(Name::new(b"\0"), None);
    assert_eq!(Name::new(b"a\0b"), None);
    assert_eq!(Name::new(b"ab\0"), None);
    for byte in 1..=255 {
        assert_eq!(Name::new(&[byte]).map(Name::as_bytes), Some(&[byte][..]));
    }
    let mut long = vec![b'x'; 5000];
    assert!(Name::new(&long).is_some());
    long[4999] = 0;
    assert!(Name::new(&long).is_none());
}

#[test]
fn making() {
    let mknod = || Mknod {
        kind: FileType::BlockDevice,
        perm: 0o600,
        rdev: Rdev::new(259, 0x12345),
        umask: 0o22,
        name: name("ab"),
    };
    // major 259 is 0x103; the minor's low 8 bits stand below it, the rest above.
    let rdev = 0x45 | (0x103 << 8) | (0x123 << 20);
    for minor in [12, 46] {
        let fixed = wire().u32(0o060600).u32(rdev).u32(0o22).u32(0);
        expect(mknod(), minor, fixed.text("ab\0"));
    }
    for minor in [0, 11] {
        expect(mknod(), minor, wire().u32(0o060600).u32(rdev).text("ab\0"));
    }

    // No type bits in MKDIR, whatever the VFS passes.
    let mkdir = Mkdir {
        perm: 0o041755,
        umask: 0o22,
        name: name("ab"),
    };
    expect(mkdir, 46, wire().u32(0o1755).u32(0o22).text("ab\0"));

    let link = Link {
        old: node(6),
        kind: FileType::Fifo,
        name: name("ab"),
    };
    expect(link, 46, wire().u64(6).text("ab\0"));

    let create = |kill_suidgid| Create {
        flags: 0o1102,
        perm: 0o640,
        umask: 0o22,
        kill_suidgid,
        name: name("ab"),
    };
    let fixed = || wire().u32(0o1102).u32(0o100640);
    expect(create(false), 12, fixed().u32(0o22).u32(0).text("ab\0"));
    expect(create(true), 46, fixed().u32(0o22).u32(1).text("ab\0"));
    expect(create(true), 11, fixed().text("ab\0"));
}

#[test]
fn device_numbers_keep_12_and_20_bits() {
    for (major, minor) in [
        (0, 0),
        (1, 3),
        (8, 255),
        (259, 256),
        (4095, 0xfffff),
        (10, 229),
    ] {
        let rdev = Rdev::new(major, minor);
        assert_eq!((rdev.major(), rdev.minor()), (major, minor));
        assert_eq!(Rdev::from_raw(rdev.get()), rdev);
    }
    assert_eq!(Rdev::new(1, 3).get(), 0x103);
    assert_eq!(Rdev::new(4096, 1 << 20), Rdev::ZERO);
}

#[test]
fn renaming() {
    let (old, new) = (name("ab"), name("cde"));
    let newdir = node(6);
    expect(
        Rename { newdir, old, new },
        46,
        wire().u64(6).text("ab\0cde\0"),
    );
    let flags = 2;
    expect(
        Rename2 {
            newdir,
            flags,
            old,
            new,
        },
        46,
        wire().u64(6).u32(2).u32(0).text("ab\0cde\0"),
    );
}

#[test]
fn attributes() {
    expect(Getattr { fh: None }, 46, wire().u32(0).u32(0).u64(0));
    let fh = Some(FileHandle::from_raw(9));
    expect(Getattr { fh }, 0, wire().u32(1).u32(0).u64(9));
    let fh = Some(FileHandle::ZERO);
    expect(Getattr { fh }, 46, wire().u32(1).u32(0).u64(0));

    expect(Setattr::default(), 46, Wire(vec![0; 88]));
    // Every field, and every bit but MTIME_NOW.
    let all = wire()
        .u32(0b1110_1111_1111)
        .u32(0)
        .u64(9)
        .u64(1 << 33)
        .u64(77)
        .u64(10)
        .u64(-12i64 as u64)
        .u64(14)
        .u32(11)
        .u32(13)
        .u32(15)
        .u32(0o100644)
        .u32(0)
        .u32(1000)
        .u32(1001)
        .u32(0);
    expect(common::setattr(), 46, all);
}

#[test]
fn setattr_says_which_fields_are_valid() {
    let time = Timestamp::new(1, 2);
    let table: &[(Setattr, u32)] = &[
        (
            Setattr {
                mode: Some(0),
                ..Default::default()
            },
            1 << 0,
        ),
        (
            Setattr {
                uid: Some(0),
                ..Default::default()
            },
            1 << 1,
        ),
        (
            Setattr {
                gid: Some(0),
                ..Default::default()
            },
            1 << 2,
        ),
        (
            Setattr {
                size: Some(0),
                ..Default::default()
            },
            1 << 3,
        ),
        (
            Setattr {
                atime: Some(SetTime::To(time)),
                ..Default::default()
            },
            1 << 4,
        ),
        (
            Setattr {
                mtime: Some(SetTime::To(time)),
                ..Default::default()
            },
            1 << 5,
        ),
        (
            Setattr {
                fh: Some(FileHandle::ZERO),
                ..Default::default()
            },
            1 << 6,
        ),
        (
            Setattr {
                atime: Some(SetTime::Now(time)),
                ..Default::default()
            },
            (1 << 4) | (1 << 7),
        ),
        (
            Setattr {
                mtime: Some(SetTime::Now(time)),
                ..Default::default()
            },
            (1 << 5) | (1 << 8),
        ),
        (
            Setattr {
                lock_owner: Some(LockOwner::from_raw(0)),
                ..Default::default()
            },
            1 << 9,
        ),
        (
            Setattr {
                ctime: Some(time),
                ..Default::default()
            },
            1 << 10,
        ),
        (
            Setattr {
                kill_suidgid: true,
                ..Default::default()
            },
            1 << 11,
        ),
    ];
    for (op, valid) in table {
        let wire = encode(op, 46);
        assert_eq!(wire[..4], valid.to_ne_bytes(), "{op:?}");
    }
}

#[test]
fn files() {
    let open = |kill_suidgid| Open {
        flags: 0o101002,
        kill_suidgid,
    };
    expect(open(false), 46, wire().u32(0o101002).u32(0));
    expect(open(true), 46, wire().u32(0o101002).u32(1));
    expect(Opendir(open(false)), 46, wire().u32(0o101002).u32(0));

    let fh = FileHandle::from_raw(9);
    let read = |lock_owner| Read {
        fh,
        offset: 1 << 40,
        size: 4096,
        lock_owner,
        flags: 0o100000,
    };
    let fixed = || wire().u64(9).u64(1 << 40).u32(4096);
    expect(read(None), 46, fixed().u32(0).u64(0).u32(0o100000).u32(0));
    let owner = Some(LockOwner::from_raw(77));
    expect(read(owner), 0, fixed().u32(2).u64(77).u32(0o100000).u32(0));
    let readdir = Readdir {
        fh,
        offset: 1 << 40,
        size: 4096,
        flags: 0o200000,
    };
    expect(readdir, 46, fixed().u32(0).u64(0).u32(0o200000).u32(0));

    let write = common::write();
    let tail = |flags| fixed().u32(flags).u64(77).u32(0o100001).u32(0);
    expect(write, 9, tail(2 | 4));
    expect(
        Write {
            cache: true,
            ..write
        },
        46,
        tail(1 | 2 | 4),
    );
    expect(write, 8, fixed().u32(2 | 4));
    let plain = Write {
        lock_owner: None,
        kill_suidgid: false,
        ..write
    };
    expect(plain, 46, fixed().u32(0).u64(0).u32(0o100001).u32(0));

    let release = |flock_owner| Release {
        fh,
        flags: 0o100002,
        flock_owner,
    };
    expect(release(None), 46, wire().u64(9).u32(0o100002).u32(0).u64(0));
    expect(
        release(owner),
        46,
        wire().u64(9).u32(0o100002).u32(2).u64(77),
    );
    expect(
        Releasedir(release(None)),
        46,
        wire().u64(9).u32(0o100002).u32(0).u64(0),
    );

    for datasync in [false, true] {
        let fsync = Fsync { fh, datasync };
        expect(fsync, 46, wire().u64(9).u32(datasync.into()).u32(0));
        expect(
            Fsyncdir(fsync),
            46,
            wire().u64(9).u32(datasync.into()).u32(0),
        );
    }
    let lock_owner = LockOwner::from_raw(77);
    expect(
        Flush { fh, lock_owner },
        46,
        wire().u64(9).u32(0).u32(0).u64(77),
    );
    expect(Access { mask: 5 }, 46, wire().u32(5).u32(0));
    expect(Statfs, 46, wire());
    expect(Readlink { max: 4095 }, 46, wire());
}

#[test]
fn the_first_request() {
    let op = Init {
        max_readahead: 131072,
        offered: InitFlags::ASYNC_READ | InitFlags::INIT_EXT | InitFlags::HAS_EXPIRE_ONLY,
    };
    let mut expected = wire()
        .u32(7)
        .u32(46)
        .u32(131072)
        .u32(1 | (1 << 30))
        .u32(1 << 3);
    expected.0.resize(64, 0);
    expect(op, 46, expected);
}

/// The header of a message that is nobody's.
fn header(len: u32, opcode: u32, unique: u64, nodeid: u64) -> Wire {
    let wire = wire().u32(len).u32(opcode).u64(unique).u64(nodeid);
    wire.u32(0).u32(0).u32(0).u32(0)
}

#[test]
fn what_no_one_waits_for() {
    let unique = Unique::from_raw(42);
    let one = FuseForgetOne::new(node(6), Nlookup::new(5));
    let expected = header(48, 2, 42, 6).u64(5);
    assert_eq!(Forget::new(unique, one).as_bytes(), expected.0);

    // Its own unique is odd.
    let expected = header(48, 36, 43, 0).u64(42);
    assert_eq!(Interrupt::new(unique).as_bytes(), expected.0);
    let again = Unique::from_raw(42 | Unique::RESEND);
    let expected = header(48, 36, 43 | 1 << 63, 0).u64(42 | 1 << 63);
    assert_eq!(Interrupt::new(again).as_bytes(), expected.0);

    for count in [0, 1, 2, 1000] {
        let start = BatchForget::new(unique, count).expect("short enough");
        let len = 48 + 16 * count;
        let expected = header(len, 42, 42, 0).u32(count).u32(0);
        assert_eq!(start.as_bytes(), expected.0);
        assert_eq!(start.message_len(), len as usize);
    }
    assert_eq!(one.as_bytes(), wire().u64(6).u64(5).0);
    let most = (u32::MAX - 48) / 16;
    assert!(BatchForget::new(unique, most).is_ok());
    for count in [most + 1, u32::MAX] {
        assert_eq!(BatchForget::new(unique, count), Err(Overflow));
    }
}

#[test]
fn a_batch_fits_into_the_readers_buffer() {
    for len in 0..48 + 16 {
        assert_eq!(BatchForget::max_in(len), 0, "{len}");
    }
    assert_eq!(BatchForget::max_in(48 + 16), 1);
    for len in 48..10_000 {
        let count = BatchForget::max_in(len);
        assert!(48 + count * 16 <= len && 48 + (count + 1) * 16 > len);
    }
    assert_eq!(BatchForget::max_in(usize::MAX), (usize::MAX - 48) / 16);
}

#[test]
fn what_is_too_large_for_the_daemon() {
    for &opcode in Opcode::ALL {
        let errno = match opcode {
            Opcode::Setxattr => 7,
            _ => 5,
        };
        assert_eq!(opcode.too_large().get(), errno, "{opcode:?}");
    }
    // What a reader must have room for is the longest form of WRITE.
    for size in [0, 4096, 1 << 20, u32::MAX] {
        assert_eq!(Write::message_len(size), 40 + 40 + size as usize);
    }
}
