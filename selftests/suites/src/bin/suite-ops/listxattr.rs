// SPDX-License-Identifier: GPL-2.0

//! LISTXATTR.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::reply::{getxattr_out, message};
use mockd::user;
use mockd::wire::Op;
use suites::catalogue::summary;

use crate::xattr::{answered, get, known, list, ERRORS};

pub fn cases() -> Vec<Case> {
    cases![
        listxattr_list,
        listxattr_length,
        listxattr_errors,
        listxattr_bad_lengths,
        listxattr_bad_lists,
        listxattr_grows,
    ]
}

/// Names come as they are, as many as there is room for.
fn listxattr_list() {
    let mut m = known();
    let long = "x".repeat(1000);
    for (size, names) in [
        (1, ""),
        (100, ""),
        (7, "user.a\0"),
        (100, "user.a\0"),
        (100, "user.a\0trusted.b\0security.c\0none\0"),
        (2, "a\0"),
        (65536, "user.a\0user.a\0"),
        (2000, &format!("{long}\0a\0")),
        (100, "\u{e4}\0 \0/\0"),
    ] {
        let (got, r, _) = answered(
            &mut m,
            Op::LISTXATTR,
            |p| list(p, size),
            0,
            names.as_bytes(),
        );
        assert_eq!((r.node, r.get("size")), (2, size as u64));
        assert_eq!(got, Ok(format!("{names:?}")));
    }
    let call = |p: &Path| list(p, 1 << 20);
    let (_, r, _) = answered(&mut m, Op::LISTXATTR, call, 0, b"a\0");
    assert_eq!(r.get("size"), 65536);
    m.finish();
}

/// No list is longer than 64 KiB.
fn listxattr_length() {
    let mut m = known();
    let most = 65536;
    for (said, got) in [
        (0, 0),
        (1, 1),
        (most, most),
        (most + 1, most),
        (u32::MAX, most),
    ] {
        let payload = getxattr_out(said);
        let (r, asked, _) = answered(&mut m, Op::LISTXATTR, |p| list(p, 0), 0, &payload);
        assert_eq!((r, asked.get("size")), (Ok(got.to_string()), 0));
    }
    m.finish();
}

/// As with GETXATTR.
fn listxattr_errors() {
    let mut m = known();
    for size in [100, 0] {
        for e in ERRORS {
            let (got, ..) = answered(&mut m, Op::LISTXATTR, |p| list(p, size), -e.0, &[]);
            assert_eq!(got, Err(*e));
        }
    }
    for (size, e) in [(65535, ERANGE), (65536, E2BIG), (1 << 20, E2BIG)] {
        let (got, ..) = answered(&mut m, Op::LISTXATTR, |p| list(p, size), -ERANGE.0, &[]);
        assert_eq!(got, Err(e), "{size}");
    }
    let (got, ..) = answered(&mut m, Op::LISTXATTR, |p| list(p, 100), -ENOSYS.0, &[]);
    assert_eq!(got, Err(EOPNOTSUPP));
    for size in [0, 100] {
        let c = m.call("f", |p| list(p, size));
        assert_eq!(c.join::<Res<String>>(), Err(EOPNOTSUPP));
    }
    // Another operation is another matter.
    let call = |p: &Path| get(p, "user.a", 100);
    let (got, ..) = answered(&mut m, Op::GETXATTR, call, 0, b"v");
    assert_eq!(got, Ok(summary(b"v")));
    m.finish();
}

fn listxattr_bad_lengths() {
    let mut m = known();
    for (size, error, len) in [
        (1, 0, 2),
        (100, 0, 101),
        (65536, 0, 65537),
        (0, 0, 0),
        (0, 0, 7),
        (0, 0, 9),
        (0, 0, 65536),
        (100, -EPERM.0, 1),
    ] {
        let call = |p: &Path| list(p, size);
        let (got, _, wrote) = answered(&mut m, Op::LISTXATTR, call, error, &vec![b'a'; len]);
        assert_eq!((got, wrote), (Err(EIO), Err(EINVAL)), "{len} of {size}");
    }
    m.finish();
}

/// An empty name, or one that does not end: EIO, and the daemon is not told.
fn listxattr_bad_lists() {
    let mut m = known();
    for names in [
        "\0", "a", "user.a", "\0a\0", "a\0\0", "a\0\0b\0", "a\0b", "\0\0\0", "a\0b\0c",
    ] {
        let call = |p: &Path| list(p, 100);
        let (got, _, wrote) = answered(&mut m, Op::LISTXATTR, call, 0, names.as_bytes());
        assert_eq!((got, wrote), (Err(EIO), Ok(16 + names.len())), "{names:?}");
    }
    // A whole buffer without an end.
    let payload = vec![b'a'; 65536];
    let (got, ..) = answered(&mut m, Op::LISTXATTR, |p| list(p, 65536), 0, &payload);
    assert_eq!(got, Err(EIO));
    m.finish();
}

/// The list may change between the two questions.
fn listxattr_grows() {
    let mut m = known();
    for (error, names, expected) in [
        (-ERANGE.0, "", Err(ERANGE)),
        (0, "a\0", Ok(format!("{:?}", "a\0"))),
        (0, "", Ok(format!("{:?}", ""))),
        (0, "user.ab\0", Err(EIO)),
    ] {
        let c = m.call("f", |p| {
            let (n, _) = user::listxattr(p, 0)?;
            list(p, n)
        });
        let r = m.expect(Op::LISTXATTR);
        m.reply(&r, &getxattr_out(7));
        let r = m.expect(Op::LISTXATTR);
        assert_eq!(r.get("size"), 7);
        let _ = m.write(&message(r.unique, error, names.as_bytes()));
        assert_eq!(c.join::<Res<String>>(), expected);
    }
    m.finish();
}
