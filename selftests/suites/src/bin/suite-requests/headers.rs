// SPDX-License-Identifier: GPL-2.0

//! What the daemon writes: headers that lie, numbers that nobody waits for.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::reply::{message, raw, Entry};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Mock};

pub fn cases() -> Vec<Case> {
    cases![
        too_short_for_a_header,
        length_that_lies,
        unknown_unique,
        twice,
        before_it_was_read,
        bad_reply_ends_the_request,
        notification_that_is_none,
        notification_before_init,
        other_descriptor_same_file,
        huge_write,
        reply_to_what_needs_none,
        resend_bit,
    ]
}

fn waiting(m: &mut Mock) -> (mockd::Caller, mockd::Request) {
    let c = m.call("x", |p| user::lstat(p).map(|s| s.ino));
    let r = m.expect_name(Op::LOOKUP, "x");
    (c, r)
}

fn end(m: Mock, c: mockd::Caller, r: &mockd::Request) {
    m.reply(r, &Entry::new(Attr::file(9, 0)).bytes());
    assert_eq!(c.join::<Res<u64>>(), Ok(9));
    m.finish();
}

/// None of these touches the request, which is answered afterwards.
fn too_short_for_a_header() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    let good = message(r.unique, -libc::ENOENT, &[]);
    for n in 0..16 {
        assert_eq!(m.write(&good[..n]), Err(EINVAL), "{n}");
    }
    end(m, c, &r);
}

fn length_that_lies() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    let payload = Entry::new(Attr::file(9, 0)).bytes();
    for len in [0, 1, 15, 16, 143, 145, 1000, u32::MAX, 1 << 31] {
        assert_eq!(
            m.write(&raw(len, r.unique, 0, &payload)),
            Err(EINVAL),
            "{len}"
        );
    }
    end(m, c, &r);
}

fn unknown_unique() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    for u in [
        1,
        3,
        r.unique + 2,
        r.unique - 2,
        r.unique ^ (1 << 40),
        u64::MAX,
        u64::MAX - 1,
        1 << 62,
        2,
    ] {
        if u & !1 == r.unique {
            continue;
        }
        assert_eq!(m.write(&message(u, 0, &[])), Err(ENOENT), "{u:#x}");
        assert_eq!(m.write(&message(u, -libc::EIO, &[])), Err(ENOENT), "{u:#x}");
    }
    end(m, c, &r);
}

fn twice() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    m.fail(&r, ENOENT);
    assert_eq!(m.write(&message(r.unique, -libc::ENOENT, &[])), Err(ENOENT));
    assert_eq!(
        m.write(&message(r.unique, 0, &Entry::new(Attr::file(9, 0)).bytes())),
        Err(ENOENT)
    );
    assert_eq!(c.join::<Res<u64>>(), Err(ENOENT));
    m.finish();
}

/// The number of a request that is queued but not read is as unknown as any.
fn before_it_was_read() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    let d = m.call("y", |p| user::lstat(p).map(|s| s.ino));
    suites::daemon::until("the request", || m.pending().then_some(()));
    assert_eq!(
        m.write(&message(r.unique + 2, -libc::ENOENT, &[])),
        Err(ENOENT)
    );
    let s = m.expect_name(Op::LOOKUP, "y");
    assert_eq!(s.unique, r.unique + 2);
    m.fail(&s, ENOENT);
    assert_eq!(d.join::<Res<u64>>(), Err(ENOENT));
    end(m, c, &r);
}

/// A reply of the wrong length is the end of its request: EIO, and no second chance.
fn bad_reply_ends_the_request() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    assert_eq!(m.write(&message(r.unique, 0, &[0; 17])), Err(EINVAL));
    assert_eq!(c.join::<Res<u64>>(), Err(EIO));
    assert_eq!(m.write(&message(r.unique, -libc::ENOENT, &[])), Err(ENOENT));
    m.finish();
}

fn notification_that_is_none() {
    let m = Mock::new();
    for code in [0, -1, 10, 11, 100, i32::MAX, i32::MIN] {
        assert_eq!(m.write(&message(0, code, &[])), Err(EINVAL), "{code}");
        assert_eq!(m.write(&message(0, code, &[0; 64])), Err(EINVAL), "{code}");
    }
    // Known ones with no payload.
    for code in [1, 2, 3, 4, 5, 6, 9] {
        assert_eq!(m.write(&message(0, code, &[])), Err(EINVAL), "{code}");
    }
    m.finish();
}

fn notification_before_init() {
    let mut m = Mock::uninit(&mockd::Setup::default());
    assert_eq!(m.write(&message(0, 2, &[0; 24])), Err(EINVAL));
    let r = m.expect(Op::INIT);
    assert_eq!(m.write(&message(0, 2, &[0; 24])), Err(EINVAL));
    m.reply(&r, &mockd::Init::plain().bytes());
    m.finish();
}

/// Any copy of the descriptor can answer; another open of the device cannot.
fn other_descriptor_same_file() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    let other = mockd::mount::open_dev(false).expect("open");
    let payload = message(r.unique, 0, &Entry::new(Attr::file(9, 0)).bytes());
    assert_eq!(user::write(&other, &payload), Err(EPERM));
    let second = Mock::new();
    assert_eq!(second.write(&payload), Err(ENOENT));
    second.finish();
    let copy = m.dev().try_clone_to_owned().expect("dup");
    assert_eq!(user::write(&copy, &payload), Ok(payload.len()));
    assert_eq!(c.join::<Res<u64>>(), Ok(9));
    drop(copy);
    m.finish();
}

fn huge_write() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    let big = raw(32 << 20, r.unique, 0, &vec![0; (32 << 20) - 16]);
    assert_eq!(m.write(&big), Err(EINVAL));
    assert_eq!(c.join::<Res<u64>>(), Err(EIO));
    m.finish();
}

/// FORGET has no answer, and INTERRUPT's is only looked for by number.
fn reply_to_what_needs_none() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    m.reply(&r, &Entry::new(Attr::file(9, 0)).bytes());
    assert_eq!(c.join::<Res<u64>>(), Ok(9));
    suites::daemon::until("a FORGET", || {
        user::drop_caches();
        m.pending().then_some(())
    });
    let f = m.request();
    assert_eq!(f.op, Op::FORGET);
    assert_eq!(m.write(&message(f.unique, 0, &[])), Err(ENOENT));
    m.finish();
}

/// Bit 63 belongs to requests that were sent again, of which there are none.
fn resend_bit() {
    let mut m = Mock::new();
    let (c, r) = waiting(&mut m);
    assert_eq!(
        m.write(&message(r.unique | (1 << 63), -libc::ENOENT, &[])),
        Err(ENOENT)
    );
    end(m, c, &r);
}
