// SPDX-License-Identifier: GPL-2.0

//! The headers: what is refused, in which order, and what the rest means.

mod common;

use common::Random;
use fuse_abi::abi::{
    Answer, BadHeader, Creds, Errno, InHeader, NodeId, Opcode, OutHeader, Overflow, Unique,
};
use zerocopy::{FromBytes, IntoBytes};

fn out(len: u32, error: i32, unique: u64) -> OutHeader {
    OutHeader { len, error, unique }
}

fn request(unique: u64, error: Option<Errno>, body_len: usize) -> Answer {
    Answer::Request {
        unique: Unique::from_raw(unique),
        error,
        body_len,
    }
}

#[test]
fn a_length_must_be_that_of_the_message() {
    for nbytes in 16..300 {
        for len in 0..300 {
            let parsed = out(len, 0, 2).parse(nbytes);
            if len as usize == nbytes {
                assert_eq!(parsed, Ok(request(2, None, nbytes - 16)));
            } else {
                assert_eq!(parsed, Err(BadHeader::Length));
            }
        }
    }
    // Too short to have a header, though the daemon says so itself; too long for the field.
    for nbytes in 0..16 {
        assert_eq!(
            out(nbytes as u32, 0, 2).parse(nbytes),
            Err(BadHeader::Length)
        );
    }
    assert_eq!(out(16, 0, 2).parse((1 << 32) + 16), Err(BadHeader::Length));
    assert_eq!(
        out(u32::MAX, 0, 2).parse(u32::MAX as usize),
        Ok(request(2, None, u32::MAX as usize - 16))
    );
    // The length is looked at before the error.
    assert_eq!(out(17, 5, 2).parse(16), Err(BadHeader::Length));
}

#[test]
fn an_error_is_one_of_minus_511_to_0() {
    let edges = [i32::MIN, i32::MIN + 1, -65_536 - 5, i32::MAX];
    for error in (-70_000..70_000).chain(edges) {
        let parsed = out(16, error, 2).parse(16);
        match error {
            0 => assert_eq!(parsed, Ok(request(2, None, 0))),
            -511..=-1 => {
                let errno = Errno::new(error.unsigned_abs()).expect("an errno");
                assert_eq!(errno.to_negative(), error);
                assert_eq!(parsed, Ok(request(2, Some(errno), 0)));
            }
            _ => assert_eq!(parsed, Err(BadHeader::Error), "{error}"),
        }
    }
    assert_eq!(BadHeader::Error.errno(), Errno::EINVAL);
}

#[test]
fn unique_0_is_a_notification_with_any_code() {
    for code in [i32::MIN, -512, -1, 0, 1, 9, 511, 512, i32::MAX] {
        assert_eq!(
            out(40, code, 0).parse(40),
            Ok(Answer::Notify { code, body_len: 24 })
        );
    }
    assert_eq!(out(16, 1, 0).parse(40), Err(BadHeader::Length));
}

#[test]
fn an_odd_unique_answers_an_interrupt() {
    for (error, errno) in [
        (0, None),
        (-38, Some(Errno::ENOSYS)),
        (-11, Some(Errno::EAGAIN)),
    ] {
        assert_eq!(
            out(20, error, 43).parse(20),
            Ok(Answer::Interrupt {
                request: Unique::from_raw(42),
                error: errno,
                body_len: 4,
            })
        );
    }
    // The range of errors is the same, and comes first.
    assert_eq!(out(16, -512, 43).parse(16), Err(BadHeader::Error));
    // There is no request 0: it will not be found.
    assert_eq!(
        out(16, 0, 1).parse(16),
        Ok(Answer::Interrupt {
            request: Unique::ZERO,
            error: None,
            body_len: 0,
        })
    );
}

#[test]
fn a_resent_request_is_another() {
    let first = Unique::from_raw(2);
    let again = Unique::from_raw(2 | Unique::RESEND);
    assert_eq!(
        out(16, 0, again.get()).parse(16),
        Ok(request((1 << 63) | 2, None, 0))
    );
    assert_eq!(again.interrupt().request(), again);
    assert_eq!(first.interrupt().get(), 3);
    assert!(first.interrupt().is_interrupt() && !first.is_interrupt());
}

#[test]
fn every_header_parses_or_is_refused() {
    for seed in common::seeds() {
        let mut random = Random::new(seed);
        for _ in 0..common::rounds() {
            let header = OutHeader::read_from_bytes(&random.bytes(16)).expect("16 bytes");
            let nbytes = match random.below(2) {
                0 => header.len as usize,
                _ => random.next() as usize,
            };
            if let Ok(Answer::Request { body_len, .. } | Answer::Interrupt { body_len, .. }) =
                header.parse(nbytes)
            {
                assert_eq!(body_len + 16, nbytes);
                assert!((-511..=0).contains(&header.error));
            }
        }
    }
}

#[test]
fn a_request_says_who_asks_for_what() {
    let creds = Creds {
        uid: 1000,
        gid: 1001,
        pid: 77,
    };
    let mut header =
        InHeader::new(Opcode::Write, Some(NodeId::ROOT), creds, 40, 4096).expect("short enough");
    header.unique = Unique::from_raw(42).get();

    let mut wire = Vec::new();
    wire.extend(4176u32.to_ne_bytes());
    wire.extend(16u32.to_ne_bytes());
    wire.extend(42u64.to_ne_bytes());
    wire.extend(1u64.to_ne_bytes());
    wire.extend(1000u32.to_ne_bytes());
    wire.extend(1001u32.to_ne_bytes());
    wire.extend(77u32.to_ne_bytes());
    wire.extend([0; 4]);
    assert_eq!(header.as_bytes(), wire);

    let forget = InHeader::new(Opcode::BatchForget, None, Creds::NONE, 8, 0).expect("short");
    assert_eq!((forget.nodeid, forget.unique, forget.len), (0, 0, 48));
}

#[test]
fn a_request_is_shorter_than_4_gib() {
    let header = |in_len, payload| {
        InHeader::new(Opcode::Write, None, Creds::NONE, in_len, payload).map(|header| header.len)
    };
    assert_eq!(header(40, u32::MAX - 80), Ok(u32::MAX));
    assert_eq!(header(40, u32::MAX - 79), Err(Overflow));
    assert_eq!(header(u32::MAX as usize - 40, 0), Ok(u32::MAX));
    assert_eq!(header(u32::MAX as usize - 39, 0), Err(Overflow));
    assert_eq!(header(1 << 32, 0), Err(Overflow));
    assert_eq!(header(usize::MAX, u32::MAX), Err(Overflow));
}

#[test]
fn an_errno_is_small_and_positive() {
    assert_eq!(Errno::new(0), None);
    assert_eq!(Errno::new(512), None);
    assert_eq!(Errno::new(65_536 + 5), None);
    assert_eq!(Errno::new(u32::MAX), None);
    assert_eq!(Errno::new(511).map(Errno::get), Some(511));
    assert_eq!(Errno::new(5), Some(Errno::EIO));
    assert_eq!(Errno::new(38), Some(Errno::ENOSYS));
}
