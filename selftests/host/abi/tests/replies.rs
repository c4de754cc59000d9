// SPDX-License-Identifier: GPL-2.0

//! Replies: every length, and what is taken from the bytes, refused, or clamped.

mod common;

use common::{cases, name, node, Expect, Random, MINORS};
use fuse_abi::abi::{
    attr::{FuseAttr, FuseAttrOut},
    entry::FuseEntryOut,
    op::*,
    Attr, AttrFlags, BadAttr, BadReply, Body, Errno, FileHandle, FileType, Generation, LockOwner,
    Minor, NodeId, Op, OpenOutFlags, Rdev, Reply, Split, Timeout, Timestamp,
};
use zerocopy::IntoBytes;

const V46: Minor = Minor::OURS;

fn decode<O: Op>(op: O, own: &[u8], minor: u32) -> Result<O::Out, BadReply> {
    op.decode(Body::new(own, 0), Minor::new(minor))
}

fn raw_attr(mode: u32) -> FuseAttr {
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

fn raw_entry(nodeid: u64, mode: u32) -> FuseEntryOut {
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

#[test]
fn every_length_of_every_reply() {
    let ends = [
        u32::MAX as usize - 1,
        u32::MAX as usize,
        1 << 32,
        usize::MAX - 1,
        usize::MAX,
    ];
    for case in cases() {
        for &minor in MINORS {
            let reply = case.op.reply(Minor::new(minor));
            let expect = (case.expect)(minor);
            for len in (0..5000).chain(ends) {
                let split = reply.split(len);
                let fits = match expect {
                    Expect::Exactly(exact) => len == exact,
                    Expect::AtMost(max) | Expect::Payload(max) => len <= max,
                };
                let what = format!("{:?}, {len} bytes, 7.{minor}", case.op.opcode());
                match split {
                    Err(bad) => {
                        assert!(!fits, "{what}");
                        assert_eq!(bad, BadReply::Length);
                    }
                    Ok(Split { own, payload }) => {
                        assert!(fits, "{what}");
                        let is_payload = matches!(expect, Expect::Payload(_));
                        assert_eq!((own, payload), if is_payload { (0, len) } else { (len, 0) });
                        assert!(own <= reply.space(), "{what}: no room");
                    }
                }
            }
            match expect {
                Expect::Exactly(len) | Expect::AtMost(len) => assert_eq!(reply.space(), len),
                Expect::Payload(_) => assert_eq!(reply.space(), 0),
            }
        }
    }
}

/// The transport has looked at the length before; decoding does not count on it.
#[test]
fn decoding_refuses_lengths_too() {
    for case in cases() {
        for &minor in MINORS {
            let expect = (case.expect)(minor);
            let minor = Minor::new(minor);
            for len in 0..300 {
                let zeros = vec![0; len];
                let of_length = case.op.decode(&zeros, 0, minor) != "Err(Length)";
                let fits = match expect {
                    Expect::Payload(_) => len == 0,
                    Expect::Exactly(exact) => len == exact,
                    Expect::AtMost(max) => len <= max,
                };
                assert_eq!(
                    of_length,
                    fits,
                    "{:?}, {len} bytes, {minor:?}",
                    case.op.opcode()
                );

                let of_payload = case.op.decode(&[], len, minor) != "Err(Length)";
                let fits = match expect {
                    Expect::Payload(max) => len <= max,
                    Expect::AtMost(_) | Expect::Exactly(0) => len == 0,
                    Expect::Exactly(_) => false,
                };
                assert_eq!(of_payload, fits, "{:?}, {len} of payload", case.op.opcode());
                if len > 0 {
                    assert_eq!(case.op.decode(&zeros, len, minor), "Err(Length)");
                }
            }
            assert_eq!(case.op.decode(&[], usize::MAX, minor), "Err(Length)");
            assert_eq!(case.op.decode(&[], (1 << 32) + 1, minor), "Err(Length)");
        }
    }
}

#[test]
fn payloads_are_counted() {
    let read = Read {
        fh: FileHandle::ZERO,
        offset: 0,
        size: u32::MAX,
        lock_owner: None::<LockOwner>,
        flags: 0,
    };
    assert_eq!(
        read.reply(V46)
            .split(u32::MAX as usize)
            .map(|split| split.payload),
        Ok(u32::MAX as usize)
    );
    assert_eq!(read.reply(V46).split(1 << 32), Err(BadReply::Length));
    assert_eq!(read.decode(Body::new(&[], 4096), V46), Ok(4096));
    assert_eq!(read.decode(Body::new(&[], 0), V46), Ok(0));
    assert_eq!(
        Readlink { max: 4095 }.decode(Body::new(&[], 4095), V46),
        Ok(4095)
    );
    assert_eq!(
        Readlink { max: 4095 }.decode(Body::new(&[], 4096), V46),
        Err(BadReply::Length)
    );
    assert_eq!(Reply::Payload(0).split(0).map(|split| split.payload), Ok(0));
    assert_eq!(Reply::Payload(0).split(1), Err(BadReply::Length));
}

#[test]
fn attributes_as_sent() {
    let raw = FuseAttrOut {
        attr_valid: 30,
        attr_valid_nsec: 31,
        dummy: u32::MAX,
        attr: raw_attr(0o104755),
    };
    let check = |attr: Attr<'_>, blkbits, flags| {
        assert_eq!((attr.ino(), attr.size(), attr.blocks()), (3, 5, 8));
        assert_eq!(attr.atime(), Timestamp::new(10, 13));
        assert_eq!(attr.mtime(), Timestamp::new(11, 14));
        assert_eq!(attr.ctime(), Timestamp::new(12, 15));
        assert_eq!((attr.kind(), attr.perm()), (FileType::Regular, 0o4755));
        assert_eq!(attr.mode(), 0o104755);
        assert_eq!((attr.nlink(), attr.uid(), attr.gid()), (2, 1000, 1001));
        assert_eq!(attr.rdev(), Rdev::new(1, 3));
        assert_eq!((attr.blkbits(), attr.flags()), (blkbits, flags));
    };
    for &minor in MINORS.iter().filter(|&&minor| minor >= 9) {
        let reply = decode(Getattr { fh: None }, raw.as_bytes(), minor);
        let reply = reply.expect("a length").expect("attributes");
        check(reply.attr(), Some(12), AttrFlags::SUBMOUNT);
        assert_eq!(reply.valid, Timeout::new(30, 31));
        let again = decode(common::setattr(), raw.as_bytes(), minor);
        assert_eq!(again, Ok(Ok(reply)));
    }
    // Before 7.9 the block size and the flags are not there, and are zero.
    for minor in [0, 8] {
        let reply = decode(Getattr { fh: None }, &raw.as_bytes()[..96], minor);
        let reply = reply.expect("a length").expect("attributes");
        check(reply.attr(), None, AttrFlags::EMPTY);
    }
}

/// A reply is looked at where it lies, or in a copy if it lies badly: no matter.
#[test]
fn attributes_anywhere() {
    let raw = FuseAttrOut {
        attr_valid: 30,
        attr: raw_attr(0o100644),
        ..Default::default()
    };
    for at in 0..8 {
        let mut place = [0u8; 112];
        place[at..at + 104].copy_from_slice(raw.as_bytes());
        let body = Body::new(&place[at..at + 104], 0);
        let seen = Getattr::look(body, Minor::OURS, |attr, valid| {
            (attr.map(|attr| attr.ino()), valid)
        });
        assert_eq!(seen, Ok((Ok(3), Timeout::new(30, 0))));
        // Not with a payload, nor with another length.
        for body in [
            Body::new(&place[at..at + 104], 1),
            Body::new(&place[at..at + 103], 0),
            Body::new(&place[..at], 0),
        ] {
            let seen = Getattr::look(body, Minor::OURS, |_, _| ());
            assert_eq!(seen, Err(BadReply::Length));
        }
    }
}

#[test]
fn every_mode() {
    let types = [0o01, 0o02, 0o04, 0o06, 0o10, 0o12, 0o14];
    for mode in (0..=0xffff).chain([
        0x1_0000 | 0o100644,
        u32::MAX,
        0xffff_0000,
        0xffff_0000 | 0o40755,
    ]) {
        let valid = types.contains(&((mode & 0o170000) >> 12));
        match Attr::new(&raw_attr(mode)) {
            Err(BadAttr) => assert!(!valid, "{mode:o}"),
            Ok(attr) => {
                assert!(valid, "{mode:o}");
                // Bits above the type mean nothing, as in C.
                assert_eq!(attr.mode(), mode & 0xffff, "{mode:o}");
                assert_eq!(FileType::from_mode(mode), Some(attr.kind()));
                assert_eq!(attr.kind().bits(), mode & 0o170000);
            }
        }
    }
}

#[test]
fn sizes_fit_into_loff_t() {
    let attr = |size| {
        let raw = FuseAttr {
            size,
            ..raw_attr(0o100644)
        };
        Attr::new(&raw).map(|attr| attr.size())
    };
    assert_eq!(attr(0), Ok(0));
    assert_eq!(attr(i64::MAX as u64), Ok(i64::MAX));
    assert_eq!(attr(i64::MAX as u64 + 1), Err(BadAttr));
    assert_eq!(attr(u64::MAX), Err(BadAttr));
}

#[test]
fn nanoseconds_are_clamped_and_seconds_are_signed() {
    let attr = |atimensec| FuseAttr {
        atimensec,
        mtimensec: atimensec,
        ctimensec: atimensec,
        atime: u64::MAX,
        mtime: 1 << 63,
        ctime: i64::MAX as u64,
        ..raw_attr(0o100644)
    };
    for (nsec, clamped) in [
        (0, 0),
        (999_999_999, 999_999_999),
        (1_000_000_000, 999_999_999),
        (u32::MAX, 999_999_999),
    ] {
        let raw = attr(nsec);
        let attr = Attr::new(&raw).expect("attributes");
        for (time, secs) in [
            (attr.atime(), -1),
            (attr.mtime(), i64::MIN),
            (attr.ctime(), i64::MAX),
        ] {
            assert_eq!((time.secs(), time.nsecs()), (secs, clamped));
        }
        let timeout = Timeout::new(u64::MAX, nsec);
        assert_eq!((timeout.secs(), timeout.nsecs()), (u64::MAX, clamped));
        assert!(!timeout.is_zero());
    }
    assert!(Timeout::new(0, 0).is_zero() && Timeout::ZERO.is_zero());
    assert!(!Timeout::new(0, 1).is_zero() && !Timeout::new(1, 0).is_zero());
}

#[test]
fn block_sizes_become_powers_of_two() {
    let blkbits = |blksize| {
        let raw = FuseAttr {
            blksize,
            ..raw_attr(0o100644)
        };
        Attr::new(&raw).expect("attributes").blkbits()
    };
    assert_eq!(blkbits(0), None);
    assert_eq!(blkbits(1), Some(0));
    assert_eq!(blkbits(4095), Some(11));
    assert_eq!(blkbits(4096), Some(12));
    assert_eq!(blkbits(u32::MAX), Some(31));
}

#[test]
fn unknown_flags_are_dropped() {
    let raw = FuseAttr {
        flags: u32::MAX,
        ..raw_attr(0o100644)
    };
    let flags = Attr::new(&raw).expect("attributes").flags();
    assert_eq!(flags, AttrFlags::SUBMOUNT | AttrFlags::DAX);

    let raw = FuseOpenOut {
        fh: u64::MAX,
        open_flags: u32::MAX,
        backing_id: -1,
    };
    let open = decode(common::OPEN, raw.as_bytes(), 46).expect("open");
    assert_eq!((open.fh.get(), open.flags), (u64::MAX, OpenOutFlags::KNOWN));
    let raw = FuseOpenOut {
        fh: 0,
        open_flags: 0b110,
        backing_id: 0,
    };
    let open = decode(Opendir(common::OPEN), raw.as_bytes(), 46).expect("open");
    assert_eq!(open.fh, FileHandle::ZERO);
    assert_eq!(
        open.flags,
        OpenOutFlags::KEEP_CACHE | OpenOutFlags::NONSEEKABLE
    );
}

#[test]
fn bad_attributes_are_told_apart_from_bad_replies() {
    let mut raw = FuseAttrOut {
        attr: raw_attr(0),
        ..Default::default()
    };
    assert_eq!(
        decode(Getattr { fh: None }, raw.as_bytes(), 46),
        Ok(Err(BadAttr))
    );
    assert_eq!(
        decode(common::setattr(), raw.as_bytes(), 46),
        Ok(Err(BadAttr))
    );
    raw.attr = FuseAttr {
        size: u64::MAX,
        ..raw_attr(0o100644)
    };
    assert_eq!(
        decode(Getattr { fh: None }, raw.as_bytes(), 46),
        Ok(Err(BadAttr))
    );
    let short = &raw.as_bytes()[..103];
    assert_eq!(
        decode(Getattr { fh: None }, short, 46),
        Err(BadReply::Length)
    );
    assert_eq!(BadReply::from(BadAttr), BadReply::Attr);
    assert_eq!(BadReply::Attr.errno(), Errno::EIO);
}

fn lookup(raw: &FuseEntryOut, minor: u32) -> Result<LookupOut, BadReply> {
    let len = if minor < 9 { 120 } else { 128 };
    decode(Lookup { name: name("ab") }, &raw.as_bytes()[..len], minor)
}

#[test]
fn lookup_finds() {
    for &minor in MINORS {
        let Ok(LookupOut::Found(entry)) = lookup(&raw_entry(5, 0o040755), minor) else {
            panic!("not found");
        };
        assert_eq!(entry.node, node(5));
        assert_eq!(entry.generation.get(), 7);
        assert_eq!(entry.entry_valid, Timeout::new(20, 21));
        assert_eq!(entry.attr_valid, Timeout::new(30, 31));
        assert_eq!(
            (entry.attr().kind(), entry.attr().gid()),
            (FileType::Directory, 1001)
        );
        let (blkbits, flags) = match minor {
            0..=8 => (None, AttrFlags::EMPTY),
            _ => (Some(12), AttrFlags::SUBMOUNT),
        };
        assert_eq!(
            (entry.attr().blkbits(), entry.attr().flags()),
            (blkbits, flags)
        );
    }
}

#[test]
fn lookup_finds_nothing_for_a_while() {
    // Attributes do not matter then.
    for mode in [0, 0o100644, u32::MAX] {
        let valid = Timeout::new(20, 21);
        assert_eq!(
            lookup(&raw_entry(0, mode), 46),
            Ok(LookupOut::Negative { valid })
        );
    }
    let zeros = FuseEntryOut::default();
    let valid = Timeout::ZERO;
    assert_eq!(lookup(&zeros, 46), Ok(LookupOut::Negative { valid }));
}

#[test]
fn lookup_keeps_the_node_of_bad_attributes() {
    let bad = |flags| {
        Ok(LookupOut::BadAttr {
            node: node(5),
            flags,
        })
    };
    let none = AttrFlags::from_bits(0);
    assert_eq!(lookup(&raw_entry(5, 0), 46), bad(AttrFlags::SUBMOUNT));
    let mut raw = raw_entry(5, 0o100644);
    raw.attr.size = 1 << 63;
    raw.attr.flags = 0;
    assert_eq!(lookup(&raw, 46), bad(none));
    raw.attr.flags = u32::MAX;
    assert_eq!(lookup(&raw, 46), bad(AttrFlags::SUBMOUNT | AttrFlags::DAX));
    // Not on the wire yet.
    assert_eq!(lookup(&raw, 8), bad(none));
}

#[test]
fn generations_are_32_bits_and_the_roots_is_0() {
    let generation = |nodeid, generation| {
        let raw = FuseEntryOut {
            generation,
            ..raw_entry(nodeid, 0o040755)
        };
        match lookup(&raw, 46) {
            Ok(LookupOut::Found(entry)) => entry.generation,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(generation(5, 0xffff_ffff_0000_0007).get(), 7);
    assert_eq!(generation(5, u64::MAX).get(), u32::MAX);
    assert_eq!(generation(1, 7), Generation::ZERO);
    assert_eq!(generation(u64::MAX, 0), Generation::ZERO);
}

/// What MKNOD and the like do with a reply: the node, or why not.
type Made = Box<dyn Fn(&FuseEntryOut) -> Result<NodeId, BadReply>>;

/// Those that make something, each with the type that it makes.
fn makers() -> Vec<(FileType, Made)> {
    fn maker<O: Op + 'static>(op: O, out: fn(O::Out) -> NodeId, more: &'static [u8]) -> Made {
        Box::new(move |raw| {
            let own = [raw.as_bytes(), more].concat();
            op.decode(Body::new(&own, 0), V46).map(out)
        })
    }
    let every = [
        FileType::Fifo,
        FileType::CharDevice,
        FileType::Directory,
        FileType::BlockDevice,
        FileType::Regular,
        FileType::Symlink,
        FileType::Socket,
    ];
    let name = name("ab");
    let mut makers = vec![];
    for kind in every {
        let mknod = Mknod {
            kind,
            perm: 0o644,
            rdev: Rdev::ZERO,
            umask: 0,
            name,
        };
        makers.push((kind, maker(mknod, |entry| entry.node, &[])));
        let link = Link {
            old: node(6),
            kind,
            name,
        };
        makers.push((kind, maker(link, |entry| entry.node, &[])));
    }
    let mkdir = Mkdir {
        perm: 0o755,
        umask: 0,
        name,
    };
    makers.push((FileType::Directory, maker(mkdir, |entry| entry.node, &[])));
    let symlink = Symlink { name, target: name };
    makers.push((FileType::Symlink, maker(symlink, |entry| entry.node, &[])));
    let create = Create {
        flags: 0o102,
        perm: 0o644,
        umask: 0,
        kill_suidgid: false,
        name,
    };
    makers.push((
        FileType::Regular,
        maker(create, |out| out.entry.node, &[0; 16]),
    ));
    makers
}

#[test]
fn what_is_made_has_a_node_and_the_type_that_was_asked_for() {
    for (kind, made) in makers() {
        for mode in (0..=0xf).map(|bits| (bits << 12) | 0o644) {
            let expected = match FileType::from_mode(mode) {
                None => Err(BadReply::Attr),
                Some(other) if other != kind => Err(BadReply::Kind),
                Some(_) => Ok(node(5)),
            };
            assert_eq!(made(&raw_entry(5, mode)), expected, "{kind:?}: {mode:o}");
        }
        let mode = kind.bits() | 0o7777;
        assert_eq!(made(&raw_entry(0, mode)), Err(BadReply::Node));
        assert_eq!(made(&raw_entry(1, mode)), Err(BadReply::Node));
        assert_eq!(made(&raw_entry(2, mode)), Ok(node(2)));
        assert_eq!(made(&raw_entry(u64::MAX, mode)), Ok(node(u64::MAX)));
        let mut raw = raw_entry(5, mode);
        raw.attr.size = u64::MAX;
        assert_eq!(made(&raw), Err(BadReply::Attr));
    }
}

#[test]
fn create_has_an_entry_and_a_handle() {
    let op = || Create {
        flags: 0,
        perm: 0,
        umask: 0,
        kill_suidgid: false,
        name: name("ab"),
    };
    let open = FuseOpenOut {
        fh: 99,
        open_flags: 1,
        backing_id: 0,
    };
    for (minor, len) in [(8, 120), (9, 128), (46, 128)] {
        let own = [&raw_entry(5, 0o100644).as_bytes()[..len], open.as_bytes()].concat();
        let out = decode(op(), &own, minor).expect("a file");
        assert_eq!((out.entry.node, out.entry.attr().uid()), (node(5), 1000));
        assert_eq!(out.open.fh, FileHandle::from_raw(99));
        assert_eq!(out.open.flags, OpenOutFlags::DIRECT_IO);
    }
}

#[test]
fn no_more_is_written_than_was_sent() {
    for size in [0, 1, 4096, u32::MAX] {
        let op = Write {
            size,
            ..common::write()
        };
        let written = |count: u32| {
            let raw = FuseWriteOut {
                size: count,
                padding: u32::MAX,
            };
            decode(op, raw.as_bytes(), 46)
        };
        assert_eq!(written(0), Ok(0));
        assert_eq!(written(size), Ok(size));
        if let Some(more) = size.checked_add(1) {
            assert_eq!(written(more), Err(BadReply::Count));
            assert_eq!(written(u32::MAX), Err(BadReply::Count));
        }
    }
}

#[test]
fn the_filesystems_size() {
    let raw = FuseStatfsOut {
        blocks: 1,
        bfree: u64::MAX,
        bavail: 3,
        files: 4,
        ffree: 5,
        bsize: 6,
        namelen: 7,
        frsize: 8,
        padding: u32::MAX,
        spare: [u32::MAX; 6],
    };
    let expected = StatfsOut {
        blocks: 1,
        bfree: u64::MAX,
        bavail: 3,
        files: 4,
        ffree: 5,
        bsize: 6,
        namelen: 7,
        frsize: 8,
    };
    assert_eq!(decode(Statfs, raw.as_bytes(), 46), Ok(expected));
    assert_eq!(decode(Statfs, raw.as_bytes(), 4), Ok(expected));
    let old = StatfsOut {
        frsize: 0,
        ..expected
    };
    assert_eq!(decode(Statfs, &raw.as_bytes()[..48], 3), Ok(old));
}

/// Whatever the bytes: no panic, and what comes out keeps its promises.
#[test]
fn garbage_is_refused_or_checked() {
    fn check(attr: Attr<'_>) {
        assert!(attr.size() >= 0 && attr.perm() <= 0o7777);
        assert!(attr.blkbits().is_none_or(|bits| bits <= 31));
        for time in [attr.atime(), attr.mtime(), attr.ctime()] {
            assert!(time.nsecs() < 1_000_000_000);
        }
        assert_eq!(attr.flags().without(AttrFlags::KNOWN), AttrFlags::EMPTY);
    }
    let mut taken = 0u64;
    for seed in common::seeds() {
        let mut random = Random::new(seed);
        for _ in 0..common::rounds() {
            let mut raw = raw_entry(random.edgy(), random.edgy() as u32);
            let wire = raw.as_mut_bytes();
            for _ in 0..random.below(4) {
                let at = 8 * random.below(16);
                wire[at..at + 8].copy_from_slice(&random.edgy().to_ne_bytes());
            }
            if let Ok(LookupOut::Found(entry)) = lookup(&raw, 46) {
                check(entry.attr());
                assert_eq!(entry.node.get(), raw.nodeid);
                assert_eq!(entry.attr().mode(), raw.attr.mode & 0xffff);
                assert!(entry.entry_valid.nsecs() < 1_000_000_000);
                taken += 1;
            }
            for (kind, made) in makers() {
                if let Ok(made) = made(&raw) {
                    assert!(made.get() == raw.nodeid && made.get() > 1);
                    assert_eq!(raw.attr.mode & 0o170000, kind.bits());
                    taken += 1;
                }
            }
        }
    }
    assert!(taken > 1000, "nothing but refusals: {taken}");
}

/// So that a request has room for it whatever the daemon's version.
#[test]
fn replies_are_longest_in_our_version() {
    for case in cases() {
        let ours = case.op.reply(Minor::OURS).space();
        for &minor in MINORS {
            assert!(case.op.reply(Minor::new(minor)).space() <= ours);
        }
    }
}

/// Every operation, random bytes of any length, any version: no panic, and the same answer twice.
#[test]
fn no_reply_makes_an_operation_panic() {
    let cases = cases();
    for seed in common::seeds() {
        let mut random = Random::new(seed);
        for _ in 0..common::rounds() {
            let case = &cases[random.below(cases.len())];
            let minor = Minor::new(MINORS[random.below(MINORS.len())]);
            let space = case.op.reply(minor).space();
            let len = match random.below(4) {
                0 => random.below(300),
                _ => space,
            };
            let own = random.bytes(len);
            let payload = match random.below(4) {
                0 => random.edgy() as usize,
                _ => 0,
            };
            let decoded = case.op.decode(&own, payload, minor);
            assert_eq!(decoded, case.op.decode(&own, payload, minor));
        }
    }
}
