// SPDX-License-Identifier: GPL-2.0

//! What holds for every operation: how long its messages and replies are in each version, and that
//! neither side counts on the other's lengths. What each of them says stands in its own file.

pub use super::lookup::tests::lookup;
use super::*;
use crate::abi::{
    entry::FuseEntryOut,
    testing::*,
    FileType,
    NodeId,
    Split, //
};
use std::collections::BTreeSet;
use zerocopy::IntoBytes;

/// Every operation that is a request, in each of its forms.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        super::access::tests::case(),
        super::bmap::tests::case(),
        super::create::tests::case(),
        super::destroy::tests::case(),
        super::flush::tests::case(),
        super::fsync::tests::case(),
        super::fsyncdir::tests::case(),
        super::getattr::tests::case(),
        super::getlk::tests::case(),
        super::init::tests::case(),
        super::ioctl::tests::case(),
        super::link::tests::case(),
        super::lookup::tests::case(),
        super::mkdir::tests::case(),
        super::mknod::tests::case(),
        super::notify_reply::tests::case(),
        super::open::tests::case(),
        super::opendir::tests::case(),
        super::poll::tests::case(),
        super::read::tests::case(),
        super::readdir::tests::case(),
        super::readdir::tests::plus_case(),
        super::readlink::tests::case(),
        super::release::tests::case(),
        super::releasedir::tests::case(),
        super::removexattr::tests::case(),
        super::rename::tests::case(),
        super::rename2::tests::case(),
        super::rmdir::tests::case(),
        super::setattr::tests::case(),
        super::setlk::tests::case(),
        super::setlkw::tests::case(),
        super::statfs::tests::case(),
        super::statx::tests::case(),
        super::symlink::tests::case(),
        super::syncfs::tests::case(),
        super::tmpfile::tests::case(),
        super::unlink::tests::case(),
        super::write::tests::case(),
    ];
    cases.extend(super::getxattr::tests::cases());
    cases.extend(super::listxattr::tests::cases());
    cases.extend(super::priv_ioctl::tests::cases());
    cases.extend(super::setxattr::tests::cases());
    cases
}

#[test]
fn every_operation_has_a_case() {
    let numbers: BTreeSet<u32> = cases().iter().map(|case| case.op.opcode().get()).collect();
    let wanted: BTreeSet<u32> = [
        1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27,
        28, 29, 30, 31, 32, 33, 34, 35, 37, 38, 39, 40, 41, 44, 45, 50, 51, 52,
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
fn writes_have_a_payload() {
    for case in cases() {
        let payload = match case.op.opcode() {
            Opcode::Write | Opcode::NotifyReply => 4096,
            Opcode::Setxattr => 5,
            // What the kernel sends by itself is not payload.
            Opcode::Ioctl if (case.expect)(46) == Expect::Then(16, 100) => 3,
            _ => 0,
        };
        assert_eq!(case.op.payload_in(), payload, "{:?}", case.op.opcode());
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
                    Expect::Nothing => false,
                    Expect::Exactly(exact) => len == exact,
                    Expect::AtMost(max) | Expect::Payload(max) => len <= max,
                    Expect::Then(fixed, max) => (fixed..=fixed + max).contains(&len),
                };
                let what = format!("{:?}, {len} bytes, 7.{minor}", case.op.opcode());
                match split {
                    Err(bad) => {
                        assert!(!fits, "{what}");
                        assert_eq!(bad, BadReply::Length);
                    }
                    Ok(Split { own, payload }) => {
                        assert!(fits, "{what}");
                        let wanted = match expect {
                            Expect::Payload(_) => 0,
                            Expect::Then(fixed, _) => fixed,
                            Expect::Exactly(_) | Expect::AtMost(_) | Expect::Nothing => len,
                        };
                        assert_eq!((own, payload), (wanted, len - wanted));
                        assert!(own <= reply.space(), "{what}: no room");
                    }
                }
            }
            match expect {
                Expect::Exactly(len) | Expect::AtMost(len) | Expect::Then(len, _) => {
                    assert_eq!(reply.space(), len);
                }
                Expect::Payload(_) | Expect::Nothing => assert_eq!(reply.space(), 0),
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
                    Expect::Nothing => false,
                    Expect::Payload(_) => len == 0,
                    Expect::Exactly(exact) | Expect::Then(exact, _) => len == exact,
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
                    Expect::Exactly(_) | Expect::Then(..) | Expect::Nothing => false,
                };
                assert_eq!(of_payload, fits, "{:?}, {len} of payload", case.op.opcode());
                let both = matches!(expect, Expect::Then(fixed, _) if len == fixed);
                if len > 0 && !both {
                    assert_eq!(case.op.decode(&zeros, len, minor), "Err(Length)");
                }
            }
            assert_eq!(case.op.decode(&[], usize::MAX, minor), "Err(Length)");
            assert_eq!(case.op.decode(&[], (1 << 32) + 1, minor), "Err(Length)");
        }
    }
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

/// What makes something ends with its extensions, whatever the version, and counts them.
#[test]
fn extensions_come_last() {
    #[track_caller]
    fn check<O: Op>(plain: O, with: O)
    where
        O::Out: std::fmt::Debug,
    {
        assert_eq!((plain.ext_len(), with.ext_len()), (0, 24));
        let ext = wire().u32(8).u32(0).u32(16).u32(32).u32(1).u32(1000).0;
        for &minor in MINORS {
            let want = [encode(&plain, minor), ext.clone()].concat();
            assert_eq!(encode(&with, minor), want, "{:?}", O::OPCODE);
        }
    }
    let ext = crate::abi::create_ext::tests::BOTH;
    let mknod = super::mknod::tests::mknod(FileType::Fifo);
    check(mknod, Mknod { ext, ..mknod });
    let mkdir = super::mkdir::tests::mkdir(0o755);
    check(mkdir, Mkdir { ext, ..mkdir });
    let symlink = super::symlink::tests::symlink();
    check(symlink, Symlink { ext, ..symlink });
    let create = super::create::tests::create(false);
    check(create, Create { ext, ..create });
    let tmpfile = super::tmpfile::tests::tmpfile();
    check(tmpfile, Tmpfile(Create { ext, ..tmpfile.0 }));
}

/// What MKNOD and the like do with a reply: the node, or why not.
pub type Made = Box<dyn Fn(&FuseEntryOut) -> Result<NodeId, BadReply>>;

/// Those that make something, each with the type that it makes.
pub fn makers() -> Vec<(FileType, Made)> {
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
    let mut makers = vec![];
    for kind in every {
        let mknod = super::mknod::tests::mknod(kind);
        makers.push((kind, maker(mknod, |entry| entry.node, &[])));
        let link = super::link::tests::link(kind);
        makers.push((kind, maker(link, |entry| entry.node, &[])));
    }
    let mkdir = super::mkdir::tests::mkdir(0o755);
    makers.push((FileType::Directory, maker(mkdir, |entry| entry.node, &[])));
    let symlink = super::symlink::tests::symlink();
    makers.push((FileType::Symlink, maker(symlink, |entry| entry.node, &[])));
    let create = super::create::tests::create(false);
    makers.push((
        FileType::Regular,
        maker(create, |out| out.entry.node, &[0; 16]),
    ));
    let tmpfile = super::tmpfile::tests::tmpfile();
    makers.push((
        FileType::Regular,
        maker(tmpfile, |out| out.entry.node, &[0; 16]),
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
