// SPDX-License-Identifier: GPL-2.0

//! A daemon that reads and writes its device by io_uring(7), as it would any other file.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::reply::{message, Entry};
use mockd::ring::Ring;
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Caller, Mock, Request};
use rustix::io_uring::IoringOp;

pub fn cases() -> Vec<Case> {
    cases![uring_serves, uring_waits, uring_registered_buffers]
}

const BUF: usize = 1 << 20;

fn buffer() -> &'static mut [u8] {
    vec![0; BUF].leak()
}

fn look(m: &mut Mock, name: &str) -> Caller {
    m.call(name, |p| user::lstat(p).map(|s| s.ino))
}

/// Answers the LOOKUP that is in `b`.
fn found(m: &Mock, ring: &Ring, b: &[u8], c: Caller) {
    let r = Request::parse(b).expect("request");
    assert_eq!(r.op, Op::LOOKUP);
    let mut reply = message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes());
    let n = reply.len();
    let wrote = ring.run(IoringOp::Write, m.dev(), reply.as_mut_ptr(), n);
    assert_eq!(wrote, Ok(n));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
}

fn uring_serves() {
    let mut m = Mock::new();
    m.without_record();
    let (ring, b) = (Ring::new(), buffer());
    for i in 0..5 {
        let c = look(&mut m, &format!("n{i}"));
        suites::daemon::until("the request", || m.pending().then_some(()));
        // Too small for any request.
        let n = ring.run(IoringOp::Read, m.dev(), b.as_mut_ptr(), 8191);
        assert_eq!(n, Err(EINVAL));
        let n = ring.run(IoringOp::Read, m.dev(), b.as_mut_ptr(), BUF);
        found(&m, &ring, &b[..n.expect("read")], c);
    }
    // A reply to nobody.
    let mut reply = message(1 << 20, 0, &[]);
    let n = ring.run(IoringOp::Write, m.dev(), reply.as_mut_ptr(), 16);
    assert_eq!(n, Err(ENOENT));
    m.finish();
}

/// A read that was started before there was anything to read; and one that meets the end.
fn uring_waits() {
    let mut m = Mock::new();
    m.without_record();
    let (ring, b) = (Ring::new(), buffer());
    ring.start(IoringOp::Read, m.dev(), b.as_mut_ptr(), BUF);
    let c = look(&mut m, "name");
    let n = ring.end().expect("read");
    found(&m, &ring, &b[..n], c);
    ring.start(IoringOp::Read, m.dev(), b.as_mut_ptr(), BUF);
    m.umount();
    assert_eq!(ring.end(), Err(ENODEV));
}

/// The kernel hands these over as pages, not as memory of a process: they are refused, and nothing
/// is lost.
fn uring_registered_buffers() {
    let mut m = Mock::new();
    m.without_record();
    let (ring, b) = (Ring::new(), buffer());
    let at = b.as_mut_ptr();
    ring.register(b).expect("register");
    let c = look(&mut m, "name");
    suites::daemon::until("the request", || m.pending().then_some(()));
    assert_eq!(ring.run(IoringOp::ReadFixed, m.dev(), at, BUF), Err(EINVAL));
    let r = m.expect(Op::LOOKUP);
    let reply = message(r.unique, -libc::ENOENT, &[]);
    // SAFETY: the buffer is ours, and as long as that.
    unsafe { std::ptr::copy_nonoverlapping(reply.as_ptr(), at, reply.len()) };
    assert_eq!(
        ring.run(IoringOp::WriteFixed, m.dev(), at, reply.len()),
        Err(EINVAL)
    );
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<u64>>(), Err(ENOENT));
    m.finish();
}
