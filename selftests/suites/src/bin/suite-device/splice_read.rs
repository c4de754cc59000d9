// SPDX-License-Identifier: GPL-2.0

//! Requests by splice(2) into a pipe.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mount::{open_dev, umount};
use mockd::pipe::{Pipe, NONBLOCK};
use mockd::reply::Entry;
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::{Attr, Caller, Init, Mock, Request, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        read_before_mount,
        read_request,
        read_nonblock,
        read_after_umount,
        read_minimum,
        read_long_name,
        read_forgets,
        read_interrupt,
        read_write_request,
        read_direct_write_is_copied,
        read_too_large,
        read_too_few_slots,
        read_full_pipe,
        read_without_reader,
        read_abort_wakes,
        read_signal,
        read_refills,
    ]
}

/// Room that splice(2) wants with a max_write of 4096.
const ROOM: usize = 8192;

fn small() -> Mock {
    Mock::with(
        &Setup::default(),
        &Init {
            max_write: 4096,
            ..Init::plain()
        },
    )
}

fn look(m: &mut Mock, name: &str) -> Caller {
    m.call(name, |p| user::lstat(p).map(|s| s.ino))
}

fn found(m: &Mock, c: Caller, r: &Request) {
    m.reply(r, &Entry::new(Attr::file(5, 0)).bytes());
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
}

fn read_before_mount() {
    let dev = open_dev(false).expect("dev");
    let p = Pipe::new(16);
    assert_eq!(p.splice_from(&dev, None, 65536, 0), Err(EPERM));
    p.put(&[0; 16]);
    assert_eq!(p.splice_to(&dev, 16, 0), Err(EPERM));
    assert_eq!(p.len(), 16, "nothing was taken");
}

fn read_request() {
    let mut m = small();
    let p = Pipe::new(16);
    for name in ["a", "b", "c"] {
        let c = look(&mut m, name);
        let r = m.splice(&p, ROOM).expect("splice");
        assert_eq!((r.op, r.name()), (Op::LOOKUP, name.into()));
        found(&m, c, &r);
    }
    m.finish();
}

/// O_NONBLOCK of the device says whether to wait, SPLICE_F_NONBLOCK does not.
fn read_nonblock() {
    let setup = Setup {
        nonblock: true,
        ..Setup::default()
    };
    let mut m = Mock::with(&setup, &Init::plain());
    let p = Pipe::new(64);
    m.buf = 64 * PAGE;
    assert_eq!(p.splice_from(&m.dev(), None, m.buf, 0), Err(EAGAIN));
    assert!(p.is_empty());
    m.finish();

    let mut m = small();
    let fd = m.dev().as_raw_fd();
    let mut t = Caller::spawn(None, |io| {
        let p = Pipe::new(16);
        io.put(());
        // SAFETY: the device's descriptor, which stays open in this process.
        let dev = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
        p.splice_from(&dev, None, ROOM, NONBLOCK)
    });
    t.get::<()>();
    t.wait_asleep();
    let c = look(&mut m, "n");
    assert_eq!(t.join::<Res<usize>>(), Ok(42));
    umount(&m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    assert_eq!(c.join::<Res<u64>>(), Err(ECONNABORTED));
    m.without_record();
}

fn read_after_umount() {
    let m = small();
    let p = Pipe::new(16);
    m.umount();
    assert_eq!(p.splice_from(&m.dev(), None, ROOM, 0), Err(ENODEV));
    assert_eq!(p.splice_from(&m.dev(), None, ROOM - 1, 0), Err(EINVAL));
    p.put(&[0; 16]);
    assert_eq!(p.splice_to(&m.dev(), 16, 0), Err(EINVAL));
    assert!(p.is_empty(), "a message is taken, good or bad");
}

/// The minimum counts for the length asked for, and for what the pipe has room for.
fn read_minimum() {
    let mut m = Mock::uninit(&Setup::default());
    let p = Pipe::new(32);
    assert_eq!(p.splice_from(&m.dev(), None, ROOM - 1, 0), Err(EINVAL));
    let r = m.splice(&p, ROOM).expect("splice");
    assert_eq!(r.op, Op::INIT);
    let max_write = 65536;
    m.reply(
        &r,
        &Init {
            max_write,
            ..Init::plain()
        }
        .bytes(),
    );
    let c = look(&mut m, "x");
    let room = max_write as usize + 80;
    assert_eq!(p.splice_from(&m.dev(), None, room - 1, 0), Err(EINVAL));
    let less = Pipe::new(16);
    assert_eq!(less.splice_from(&m.dev(), None, room, 0), Err(EINVAL));
    p.put(&[1; 15 * PAGE]);
    assert_eq!(p.splice_from(&m.dev(), None, room, 0), Ok(42));
    assert_eq!(p.len(), 15 * PAGE + 42);
    p.get(15 * PAGE).expect("read");
    let r = Request::parse(&p.get(42).expect("read")).expect("request");
    m.rec.push(&r);
    found(&m, c, &r);
    m.finish();
}

/// Messages of more than a page.
fn read_long_name() {
    let mut m = Mock::with(
        &Setup::default(),
        &Init {
            max_write: 4096,
            ..Init::plain()
        },
    );
    let p = Pipe::new(16);
    for len in [1000, 4000, 4055, 4056, 4095] {
        let text = "t".repeat(len);
        let c = m.caller(|mnt, _| user::symlink(&text, &mnt.join("l")));
        let r = m.splice(&p, ROOM).expect("splice");
        assert_eq!(r.op, Op::LOOKUP);
        m.fail(&r, ENOENT);
        let r = m.splice(&p, ROOM).expect("splice");
        assert_eq!(
            (r.op, r.names()),
            (Op::SYMLINK, vec!["l".into(), text.clone()])
        );
        m.fail(&r, EPERM);
        assert_eq!(c.join::<Res<()>>(), Err(EPERM));
    }
    m.finish();
}

fn read_forgets() {
    let mut m = small();
    let p = Pipe::new(16);
    let mut fs = Memfs::new();
    let n = 600;
    for i in 0..n {
        fs.file(&format!("f{i}"), b"");
    }
    let looked: usize = m.run(&mut fs, |mnt| {
        (0..n)
            .filter(|i| user::lstat(&mnt.join(format!("f{i}"))).is_ok())
            .count()
    });
    assert_eq!(looked, n);
    user::drop_caches();
    let mut forgot = 0;
    suites::daemon::until("all forgets", || {
        while m.pending() {
            let r = m.splice(&p, ROOM).expect("splice");
            forgot += r.forgets().len();
            assert!(r.len() <= ROOM);
        }
        (forgot == n).then_some(())
    });
    m.without_record();
    m.finish();
}

fn read_interrupt() {
    let mut m = small();
    let p = Pipe::new(16);
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("name")).map(drop)
    });
    let r = m.splice(&p, ROOM).expect("splice");
    c.kill(libc::SIGUSR1);
    let i = m.splice(&p, ROOM).expect("splice");
    assert_eq!((i.op, i.get("unique")), (Op::INTERRUPT, r.unique));
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
    m.finish();
}

/// Answers requests by read(2) until a WRITE is there, which is left to the test.
#[track_caller]
fn until_write(m: &mut Mock, fs: &mut Memfs, before: &[Op]) {
    for op in before {
        let r = m.expect(*op);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    suites::daemon::until("the WRITE", || m.pending().then_some(()));
}

/// Data of the page cache is referenced by the pipe, of one page and of several, at any offset.
fn read_write_request() {
    for (offset, len) in [(0, 1), (0, PAGE), (100, PAGE), (PAGE - 1, 2), (7, 3 * PAGE)] {
        let mut m = Mock::with(
            &Setup::default(),
            &Init {
                max_write: 65536,
                ..Init::plain()
            },
        );
        let p = Pipe::new(64);
        let mut fs = Memfs::new();
        fs.file("f", &[9; 8 * PAGE]);
        let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8 + 1).collect();
        let (d, o) = (data.clone(), offset as u64);
        let c = m.call("f", move |p| {
            user::pwrite(&user::open(p, libc::O_RDWR, 0)?, &d, o)
        });
        let mut got = Vec::new();
        let mut c = Some(c);
        while let Some(x) = c.as_mut() {
            suites::daemon::until("a request", || (m.pending() || x.ended()).then_some(()));
            if !m.pending() {
                assert_eq!(c.take().expect("caller").join::<Res<usize>>(), Ok(len));
                break;
            }
            let r = m.splice(&p, 64 * PAGE).expect("splice");
            if r.op == Op::WRITE {
                assert_eq!(r.get("offset"), (offset + got.len()) as u64);
                got.extend_from_slice(r.tail());
            }
            let a = if r.op == Op::GETXATTR {
                mockd::mock::Answer::Err(ENOSYS)
            } else {
                fs.handle(&r)
            };
            m.answer(&r, &a).expect("answer");
        }
        assert!(got == data, "offset {offset}, len {len}");
        m.drain(&mut |r| fs.handle(r));
        m.without_record();
        m.finish();
    }
}

/// What is in the pipe is the caller's data as it was, although its memory changes: the pipe may
/// outlive the request.
fn read_direct_write_is_copied() {
    let mut m = small();
    let p = Pipe::new(16);
    let mut fs = Memfs::new();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", b"");
    let c = m.call("f", |p| {
        let f = user::open(p, libc::O_WRONLY, 0)?;
        let mut page = Pages::new(1);
        page.bytes(0, PAGE).fill(7);
        // SAFETY: a page of ours.
        let n =
            check(unsafe { libc::pwrite(f.as_raw_fd(), page.addr() as *const _, PAGE, 0) as i64 });
        page.bytes(0, PAGE).fill(8);
        n
    });
    until_write(&mut m, &mut fs, &[Op::LOOKUP, Op::OPEN]);
    // No attribute is asked for before a direct write.
    let n = p.splice_from(&m.dev(), None, ROOM, 0).expect("splice");
    assert_eq!(n, 80 + PAGE);
    let twin = Pipe::new(16);
    assert_eq!(p.tee(&twin, n), Ok(n));
    let r = Request::parse(&twin.get(n).expect("read")).expect("request");
    assert_eq!(r.op, Op::WRITE);
    m.reply(&r, &mockd::reply::write_out(PAGE as u32));
    let done = m.serve::<Res<i64>>(c, &mut |r| fs.handle(r));
    assert_eq!(done, Ok(PAGE as i64));
    let r = Request::parse(&p.get(n).expect("read")).expect("request");
    assert!(r.tail().iter().all(|b| *b == 7));
    m.without_record();
    m.finish();
}

/// A message that does not fit into the length asked for: EIO to the caller, and on to the next.
fn read_too_large() {
    let mut m = small();
    let p = Pipe::new(16);
    let (a, b) = ("a".repeat(4090), "b".repeat(4090));
    let x = a.clone();
    let mut c = m.caller(|mnt, _| {
        user::chdir(mnt)?;
        let r = user::rename2(x.as_ref(), b.as_ref(), libc::RENAME_NOREPLACE);
        Ok::<_, Errno>((r, user::lstat("next".as_ref()).map(drop)))
    });
    while !c.ended() {
        if !m.pending() {
            continue;
        }
        let r = m.splice(&p, ROOM).expect("splice");
        match r.op {
            Op::LOOKUP if r.name() == a => m.reply(&r, &Entry::new(Attr::file(4, 0)).bytes()),
            Op::LOOKUP => m.fail(&r, ENOENT),
            Op::ACCESS => m.reply(&r, &[]),
            _ => panic!("{r:?}"),
        }
    }
    assert_eq!(
        c.join::<Res<(Res<()>, Res<()>)>>(),
        Ok((Err(EIO), Err(ENOENT)))
    );
    m.finish();
}

/// The header and references of a WRITE to two pages need three slots. The daemon gets EIO; C keeps
/// the request as if it had been sent, ours ends it, so what the caller gets after that differs.
fn read_too_few_slots() {
    let mut m = Mock::with(
        &Setup::default(),
        &Init {
            max_write: (2 * PAGE - 80) as u32,
            ..Init::plain()
        },
    );
    let p = Pipe::new(4);
    let mut fs = Memfs::new();
    fs.file("f", &[9; 4 * PAGE]);
    let c = m.call("f", |p| {
        let f = user::open(p, libc::O_RDWR, 0)?;
        user::pwrite(&f, &[3; 2 * PAGE - 80], 0)
    });
    // Two slots are left for each message.
    let mut eio = false;
    p.put(&[1; 2 * PAGE]);
    suites::daemon::until("the end of it", || {
        if !m.pending() {
            return eio.then_some(());
        }
        match p.splice_from(&m.dev(), None, ROOM, 0) {
            Ok(n) => {
                assert_eq!(p.len(), 2 * PAGE + n);
                let all = p.get(2 * PAGE + n).expect("read");
                let r = Request::parse(&all[2 * PAGE..]).expect("request");
                p.put(&[1; 2 * PAGE]);
                let a = fs.handle(&r);
                m.answer(&r, &a).expect("answer");
            }
            Err(e) => {
                assert_eq!(e, EIO);
                assert_eq!(p.len(), 2 * PAGE, "nothing of it in the pipe");
                eio = true;
            }
        }
        None
    });
    m.without_record();
    let mnt = m.die();
    let r = c.join::<Res<usize>>();
    assert!(r == Err(EIO) || r == Err(ECONNABORTED), "{r:?}");
    umount(&mnt, 0).expect("umount");
}

/// splice(2) waits for a slot, or does not, before the device is asked at all.
fn read_full_pipe() {
    let mut m = small();
    let p = Pipe::new(2);
    p.put(&[1; 2 * PAGE]);
    let c = look(&mut m, "x");
    suites::daemon::until("the request", || m.pending().then_some(()));
    assert_eq!(p.splice_from(&m.dev(), None, ROOM, NONBLOCK), Err(EAGAIN));
    p.get(PAGE).expect("read");
    assert_eq!(
        p.splice_from(&m.dev(), None, ROOM, NONBLOCK),
        Err(EINVAL),
        "room for one page"
    );
    p.get(PAGE).expect("read");
    let r = m.splice(&p, ROOM).expect("splice");
    found(&m, c, &r);
    m.finish();
}

fn read_without_reader() {
    let mut m = small();
    let c = look(&mut m, "x");
    suites::daemon::until("the request", || m.pending().then_some(()));
    let fd = m.dev().as_raw_fd();
    let d = Caller::spawn(None, |_| {
        user::catch_signal(libc::SIGPIPE, false);
        let Pipe { r, w } = Pipe::new(16);
        drop(r);
        let null = std::ptr::null_mut();
        // SAFETY: null offsets.
        check(unsafe { libc::splice(fd, null, w.as_raw_fd(), null, ROOM, 0) as i64 })
    });
    assert_eq!(d.join::<Res<i64>>(), Err(EPIPE));
    let r = m.expect_name(Op::LOOKUP, "x");
    found(&m, c, &r);
    m.finish();
}

/// A daemon that sleeps in splice(2) sees the abort.
fn read_abort_wakes() {
    let m = small();
    let fd = m.dev().as_raw_fd();
    let mut d = Caller::spawn(None, |io| {
        let p = Pipe::new(16);
        // SAFETY: the device's descriptor, which stays open in this process.
        let dev = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
        io.put(());
        p.splice_from(&dev, None, ROOM, 0)
    });
    d.get::<()>();
    d.wait_asleep();
    m.umount();
    assert_eq!(d.join::<Res<usize>>(), Err(ENODEV));
}

fn read_signal() {
    let m = small();
    let fd = m.dev().as_raw_fd();
    let mut d = Caller::spawn(None, |io| {
        user::catch_signal(libc::SIGUSR1, false);
        let p = Pipe::new(16);
        // SAFETY: the device's descriptor, which stays open in this process.
        let dev = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
        io.put(());
        p.splice_from(&dev, None, ROOM, 0)
    });
    d.get::<()>();
    d.wait_asleep();
    d.kill(libc::SIGUSR1);
    assert_eq!(d.join::<Res<usize>>(), Err(EINTR));
    m.finish();
}

/// A message goes behind what is in the pipe already, and is cut where the reader likes.
fn read_refills() {
    let mut m = small();
    let p = Pipe::new(16);
    p.put(b"before");
    let c = look(&mut m, "name");
    let n = p.splice_from(&m.dev(), None, ROOM, 0).expect("splice");
    p.put(b"after");
    assert_eq!(p.get(6), Ok(b"before".to_vec()));
    let mut all = Vec::new();
    while all.len() < n {
        all.extend(p.get(7.min(n - all.len())).expect("read"));
    }
    assert_eq!(p.get(100), Ok(b"after".to_vec()));
    let r = Request::parse(&all).expect("request");
    m.rec.push(&r);
    found(&m, c, &r);
    m.finish();
}
