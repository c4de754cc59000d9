// SPDX-License-Identifier: GPL-2.0

//! The daemon's system calls, with each of their allocations and copies failing in turn. The request is either still
//! there, and answered then, or its caller has been told.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::mock::read_request;
use mockd::pipe::Pipe;
use mockd::reply::{message, Entry};
use mockd::wire::Op;
use mockd::{user, Attr, Init, Mock, Request, Setup};

use crate::nth::{prepare, until_clean, with_fault, Outcome};

pub fn cases() -> Vec<Case> {
    cases![
        reading,
        writing,
        writing_in_pieces,
        splicing_out,
        splicing_in,
        polling,
        opening,
        cloning,
    ]
}

/// One lookup after the other; `serve` is given the device with a request on it and the fault's number, and says
/// what came of the faulty call, whether the fault was reached, and the request if it has been read.
fn requests(serve: impl Fn(&mut Mock, u32) -> (Res<()>, bool, Option<Request>)) -> Outcome {
    prepare();
    // So that a pipe has room for any request.
    let mut m = Mock::with(
        &Setup::default(),
        &Init {
            max_write: 4096,
            ..Init::plain()
        },
    );
    m.without_record();
    let mut outcome = Outcome::default();
    for n in 1..200 {
        let c = m.call(&format!("x{n}"), |p| user::lstat(p).map(|s| s.ino));
        assert!(readable(m.dev(), ktap::patience()), "no request");
        let (r, hit, read) = serve(&mut m, n);
        if hit {
            outcome.injected += 1;
            *outcome.results.entry(r.err().map(|e| e.0)).or_default() += 1;
        }
        // Whatever became of it, the caller ends: with the answer, or with EIO if that was lost with the fault.
        let entry = Entry::new(Attr::file(50, 0)).bytes();
        let read = read.or_else(|| readable(m.dev(), Duration::ZERO).then(|| m.expect(Op::LOOKUP)));
        let answered = match read {
            Some(r) => m.write(&message(r.unique, 0, &entry)),
            None => Err(ENOENT),
        };
        let got: Res<u64> = c.join();
        match answered {
            Ok(_) => assert_eq!(got, Ok(50), "fault {n}"),
            Err(ENOENT) => assert!(matches!(got, Ok(50) | Err(EIO)), "fault {n}: {got:?}"),
            Err(e) => panic!("answer after fault {n}: {e}"),
        }
        if !hit {
            m.umount();
            println!("{}", outcome.text());
            let fine = [None, Some(libc::ENOMEM), Some(libc::EFAULT)];
            assert!(
                outcome.results.keys().all(|e| fine.contains(e)),
                "{}",
                outcome.text()
            );
            return outcome;
        }
    }
    panic!("no end: {}", outcome.text());
}

fn reading() {
    let o = requests(|m, n| {
        let (dev, rec) = (m.dev(), m.rec.clone());
        // Once without a fault, so that all memory of our own is there; this finds nothing to read.
        let (r, hit) = with_fault(n, || read_request(dev, m.buf, &rec));
        match r {
            Ok(r) => (Ok(()), hit, Some(r)),
            Err(e) => (Err(e), hit, None),
        }
    });
    assert!(o.injected > 0);
}

fn write_with(
    n: u32,
    m: &mut Mock,
    write: impl Fn(&Mock, &[u8]) -> Res<usize>,
) -> (Res<()>, bool, Option<Request>) {
    write_prepared(n, m, |_| (), write)
}

/// `prepare` is given the answer before there are faults.
fn write_prepared(
    n: u32,
    m: &mut Mock,
    prepare: impl Fn(&[u8]),
    write: impl Fn(&Mock, &[u8]) -> Res<usize>,
) -> (Res<()>, bool, Option<Request>) {
    let r = m.expect(Op::LOOKUP);
    let bytes = message(r.unique, 0, &Entry::new(Attr::file(50, 0)).bytes());
    prepare(&bytes);
    let (got, hit) = with_fault(n, || write(m, &bytes));
    (got.map(drop), hit, Some(r))
}

/// C pins the pages of the buffer before it copies: there is no place that may fail.
fn hit(o: &Outcome) -> bool {
    o.injected > 0 || ktap::implementation() == ktap::Impl::C
}

fn writing() {
    assert!(hit(&requests(|m, n| write_with(n, m, |m, b| m.write(b)))));
}

fn writing_in_pieces() {
    let pieces = |m: &Mock, b: &[u8]| {
        let at = b.as_ptr() as usize;
        mockd::mem::vector(
            m.dev().as_raw_fd(),
            true,
            &[(at, 10), (at + 10, 20), (at + 30, b.len() - 30)],
        )
    };
    assert!(hit(&requests(|m, n| write_with(n, m, pieces))));
}

fn splicing_out() {
    let pipe = Pipe::new(16);
    let o = requests(|m, n| {
        let dev = m.dev();
        let (r, hit) = with_fault(n, || pipe.splice_from(&dev, None, 8192, 0));
        match r {
            Ok(len) => {
                let bytes = pipe.get(len).expect("pipe");
                let r = Request::parse(&bytes).unwrap_or_else(|e| panic!("bad request: {e}"));
                (Ok(()), hit, Some(r))
            }
            Err(e) => {
                assert!(pipe.is_empty(), "{} bytes after {e}", pipe.len());
                (Err(e), hit, None)
            }
        }
    });
    assert!(o.injected > 0);
}

fn splicing_in() {
    let o = requests(|m, n| {
        let pipe = Pipe::new(16);
        let answer = |m: &Mock, bytes: &[u8]| pipe.splice_to(&m.dev(), bytes.len(), 0);
        write_prepared(n, m, |bytes| pipe.put(bytes), answer)
    });
    assert!(o.injected > 0);
}

fn polling() {
    let o = requests(|m, n| {
        let dev = m.dev();
        let mut fd = libc::pollfd {
            fd: dev.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one descriptor.
        let (r, hit) = with_fault(n, || check(unsafe { libc::poll(&mut fd, 1, 0) }));
        (r.map(drop), hit, None)
    });
    assert!(o.injected > 0);
}

const CLONE: u64 = 0x8004_e500;

/// Repeats `open`, which makes a device, with faults.
fn devices(least: u32, before: impl FnMut(), open: impl FnMut() -> Res<()>) {
    let o = until_clean(before, open, drop);
    println!("{}", o.text());
    assert!(o.injected >= least, "{}", o.text());
    let fine = [
        None,
        Some(libc::ENOMEM),
        Some(libc::EFAULT),
        Some(libc::ENFILE),
    ];
    assert!(o.results.keys().all(|e| fine.contains(e)), "{}", o.text());
}

fn clone_of(dev: &OwnedFd, old: &i32) -> Res<()> {
    // SAFETY: the ioctl reads a number.
    check(unsafe { libc::ioctl(dev.as_raw_fd(), CLONE as _, old) }).map(drop)
}

/// open(2) of the device, and its ioctl that makes another of the same connection.
fn opening() {
    prepare();
    let m = Mock::new();
    let old = m.dev().as_raw_fd();
    devices(4, || (), || clone_of(&mockd::mount::open_dev(false)?, &old));
    m.finish();
}

/// The ioctl alone, each time on a new device.
fn cloning() {
    prepare();
    let m = Mock::new();
    let old = m.dev().as_raw_fd();
    let dev = std::cell::RefCell::new(None);
    devices(
        1,
        || {
            dev.replace(Some(mockd::mount::open_dev(false).expect("device")));
        },
        || clone_of(dev.borrow().as_ref().ok_or(EBADF)?, &old),
    );
    drop(dev);
    m.finish();
}
