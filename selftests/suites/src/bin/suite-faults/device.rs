// SPDX-License-Identifier: GPL-2.0

//! The daemon's system calls, with each of their allocations and copies failing in turn. The
//! request is either still there, and answered then, or its caller has been told.

use std::os::fd::AsRawFd;
use std::time::Duration;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::mem::{read_at, Pages, PAGE};
use mockd::mount::{clone_dev, open_dev};
use mockd::pipe::Pipe;
use mockd::reply::{message, Entry};
use mockd::wire::Op;
use mockd::{user, Attr, Init, Mock, Request, Setup};

use crate::nth::{plan, prepare, rounds, until_clean, with_fault, Outcome};

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

/// With requests that fit into a small buffer or a pipe.
pub fn mock() -> Mock {
    let mut m = Mock::with(
        &Setup::default(),
        &Init {
            max_write: 4096,
            ..Init::plain()
        },
    );
    m.without_record();
    m
}

/// One lookup after the other; `serve` is given the device with a request on it and the fault's
/// number, and says what came of the faulty call, whether the fault was reached, and the request if
/// it has been read. At least `least` faults must be.
fn requests(
    row: &str,
    least: u32,
    serve: impl Fn(&mut Mock, u32) -> (Res<()>, bool, Option<Request>),
) {
    prepare();
    let mut m = mock();
    let mut outcome = Outcome::default();
    for round @ (places, n) in plan() {
        places.choose();
        let (r, hit) = one_request(&mut m, &format!("{places:?}{n}"), n, &serve);
        if !outcome.add(round, &r, hit) {
            break;
        }
    }
    m.umount();
    outcome.check(row, least);
}

/// A lookup of a new name that is served with fault `n`.
fn one_request(
    m: &mut Mock,
    name: &str,
    n: u32,
    serve: impl Fn(&mut Mock, u32) -> (Res<()>, bool, Option<Request>),
) -> (Res<()>, bool) {
    let c = m.call(name, |p| user::lstat(p).map(|s| s.ino));
    assert!(readable(m.dev(), ktap::patience()), "no request");
    let (r, hit, read) = serve(m, n);
    // Whatever became of it, the caller ends: with the answer, or with EIO if that was lost with
    // the fault.
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
    (r, hit)
}

fn reading() {
    let mut pages = Pages::new(4);
    // All of it is there before there are faults.
    pages.bytes(0, 4 * PAGE).fill(0);
    let pages = std::cell::RefCell::new(pages);
    requests("device read", 1, |m, n| {
        let (dev, mut pages) = (m.dev().as_raw_fd(), pages.borrow_mut());
        let (at, len) = (pages.addr(), pages.len());
        let (r, hit) = with_fault(n, || read_at(dev, at, len));
        let read = r.map(|len| {
            Request::parse(pages.bytes(0, len)).unwrap_or_else(|e| panic!("bad request: {e}"))
        });
        (read.as_ref().map(drop).map_err(|e| *e), hit, read.ok())
    });
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
pub fn of_a_write() -> u32 {
    match ktap::implementation() {
        ktap::Impl::C => 0,
        ktap::Impl::Rust => 1,
    }
}

fn writing() {
    requests("device write", of_a_write(), |m, n| {
        write_with(n, m, |m, b| m.write(b))
    });
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
    requests("device writev", of_a_write(), |m, n| {
        write_with(n, m, pieces)
    });
}

fn splicing_out() {
    let pipe = Pipe::new(16);
    requests("splice out", 1, |m, n| {
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
}

fn splicing_in() {
    requests("splice in", 1, |m, n| {
        let pipe = Pipe::new(16);
        let answer = |m: &Mock, bytes: &[u8]| pipe.splice_to(&m.dev(), bytes.len(), 0);
        write_prepared(n, m, |bytes| pipe.put(bytes), answer)
    });
}

fn polling() {
    requests("poll", 1, |m, n| {
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
}

/// open(2) of the device, and its ioctl that makes another of the same connection.
fn opening() {
    prepare();
    let m = Mock::new();
    until_clean(|| (), || clone_dev(&open_dev(false)?, &m.dev()), drop).check("device open", 4);
    m.finish();
}

/// The ioctl alone, each time on a new device.
fn cloning() {
    prepare();
    let m = Mock::new();
    let o = rounds(
        || open_dev(false).expect("device"),
        |dev| clone_dev(dev, &m.dev()),
        |_, _| (),
    );
    o.check("device clone", 1);
    m.finish();
}
