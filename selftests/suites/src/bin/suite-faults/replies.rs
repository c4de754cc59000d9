// SPDX-License-Identifier: GPL-2.0

//! Other messages of the daemon: the answer to INIT, notifications, INTERRUPTs, data for the page
//! cache. Whatever a fault does to one, the caller ends, and never with wrong data.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::mem::{read_at, vector, Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::pipe::{Pipe, GIFT, MOVE};
use mockd::reply::{message, Bytes, Entry};
use mockd::wire::{Op, FOPEN_KEEP_CACHE};
use mockd::{user, Attr, Caller, Init, Mock, Request, Setup};

use crate::device::{mock, of_a_write};
use crate::nth::{prepare, rounds};

const STORE: i32 = 4;
const RETRIEVE: i32 = 5;

/// Under which number the answer to RETRIEVE comes.
const UNIQUE: u64 = 77;

pub fn cases() -> Vec<Case> {
    cases![
        answering_init,
        notifying,
        storing,
        retrieving,
        reading_interrupt,
        answering_interrupt,
        answering_read,
        moving_pages,
    ]
}

/// The connection works, or all is refused.
fn answering_init() {
    prepare();
    let o = rounds(
        || {
            let mut m = Mock::uninit(&Setup::default());
            m.without_record();
            let r = m.expect(Op::INIT);
            (m, message(r.unique, 0, &Init::plain().bytes()))
        },
        |(m, answer)| m.write(answer),
        |(mut m, answer), got| {
            // If INIT ended with the fault, there is nothing to answer any more.
            let answered = got.or_else(|_| m.write(&answer));
            let made = m.run(&mut Memfs::new(), |mnt| user::mkdir(&mnt.join("d"), 0o755));
            match answered {
                Ok(_) => assert_eq!(made, Ok(()), "{got:?}"),
                Err(e) => assert_eq!((e, made), (ENOENT, Err(ECONNREFUSED)), "{got:?}"),
            }
            m.umount();
        },
    );
    o.check("INIT reply", of_a_write());
}

/// A caller whose LOOKUP the daemon has, and who can be interrupted.
fn asked() -> (Mock, Caller, Request) {
    let mut m = mock();
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("x")).map(|s| s.ino)
    });
    let r = m.expect(Op::LOOKUP);
    (m, c, r)
}

/// A notification that was not taken has no effect.
fn notifying() {
    prepare();
    for (row, code) in [("notify RESEND", 7), ("notify INC_EPOCH", 8)] {
        let o = rounds(
            || (asked(), message(0, code, &[])),
            |((m, _, _), notification)| m.write(notification),
            |((mut m, c, r), _), got| {
                let resent = row == "notify RESEND" && got.is_ok();
                assert_eq!(m.pending(), resent, "{row}: {got:?}");
                let r = if resent { m.expect(Op::LOOKUP) } else { r };
                m.reply(&r, &Entry::new(Attr::file(50, 0)).bytes());
                assert_eq!(c.join::<Res<u64>>(), Ok(50), "{row}: {got:?}");
                m.finish();
            },
        );
        o.check(row, of_a_write());
    }
}

/// A file whose pages outlast an open, and the message of a STORE of its first two pages, or of a
/// RETRIEVE of them, which then are cached.
fn cached(code: i32) -> (Mock, Memfs, Vec<u8>) {
    // For RETRIEVE gives no more than a WRITE takes.
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    fs.open_flags = FOPEN_KEEP_CACHE;
    let node = fs.file("f", &data());
    let body = Bytes::default();
    let body = if code == STORE {
        body.u64(node)
            .u64(0)
            .u32(2 * PAGE as u32)
            .u32(0)
            .bytes(&[b's'; 2 * PAGE])
    } else {
        body.u64(UNIQUE)
            .u64(node)
            .u64(0)
            .u32(2 * PAGE as u32)
            .u32(0)
    };
    let seen = m.run(&mut fs, |mnt| -> Res<()> {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        if code == RETRIEVE {
            user::pread(&f, LEN, 0)?;
        }
        Ok(())
    });
    assert_eq!(seen, Ok(()));
    (m, fs, message(0, code, &body.0))
}

/// Each page has what was stored, or what the daemon has.
fn storing() {
    prepare();
    let o = rounds(
        || cached(STORE),
        |(m, _, store)| m.write(store),
        |(mut m, mut fs, _), got| {
            let read = m.run(&mut fs, |mnt| -> Res<Vec<u8>> {
                user::pread(&user::open(&mnt.join("f"), libc::O_RDONLY, 0)?, LEN, 0)
            });
            let read = read.expect("read");
            for (page, own) in read.chunks(PAGE).zip(data().chunks(PAGE)).take(2) {
                let stored = page.iter().all(|b| *b == b's');
                assert!(stored || got.is_err() && page == own, "{got:?}");
            }
            assert!(read[2 * PAGE..] == data()[2 * PAGE..]);
            m.finish();
        },
    );
    o.check("notify STORE", 1);
}

/// One that was not taken sends nothing.
fn retrieving() {
    prepare();
    let o = rounds(
        || cached(RETRIEVE),
        |(m, _, retrieve)| m.write(retrieve),
        |(mut m, _, _), got| {
            if got.is_ok() {
                let r = m.expect(Op::NOTIFY_REPLY);
                assert_eq!(r.unique, UNIQUE);
                let (got, want) = (r.tail(), &data()[..2 * PAGE]);
                assert!(got == want, "{} bytes, {r:?}", got.len());
            }
            m.finish();
        },
    );
    o.check("notify RETRIEVE", 1);
}

/// The same, signalled.
fn interrupted() -> (Mock, Caller, Request) {
    let (m, c, r) = asked();
    c.kill(libc::SIGUSR1);
    assert!(readable(m.dev(), ktap::patience()), "no INTERRUPT");
    (m, c, r)
}

/// The INTERRUPT may be lost; the request is not.
fn reading_interrupt() {
    prepare();
    let mut pages = Pages::new(4);
    // All of it is there before there are faults.
    pages.bytes(0, 4 * PAGE).fill(0);
    let (at, len) = (pages.addr(), pages.len());
    let o = rounds(
        interrupted,
        |(m, _, _)| read_at(m.dev().as_raw_fd(), at, len),
        |(m, c, r), got| {
            if let Ok(len) = got {
                let i = Request::parse(pages.bytes(0, len)).expect("request");
                assert_eq!((i.op, i.get("unique")), (Op::INTERRUPT, r.unique));
            }
            m.fail(&r, EINTR);
            assert_eq!(c.join::<Res<u64>>(), Err(EINTR), "{got:?}");
            m.finish();
        },
    );
    o.check("INTERRUPT read", 1);
}

/// EAGAIN asks for the INTERRUPT again.
fn answering_interrupt() {
    prepare();
    let o = rounds(
        || {
            let (mut m, c, r) = interrupted();
            let i = m.expect(Op::INTERRUPT);
            (m, c, r, message(i.unique, -EAGAIN.0, &[]))
        },
        |(m, _, _, answer)| {
            // In two pieces: a header in one is fetched by words, where no fault can be put.
            let (at, len) = (answer.as_ptr() as usize, answer.len());
            vector(m.dev().as_raw_fd(), true, &[(at, 10), (at + 10, len - 10)])
        },
        |(mut m, c, r, _), got| {
            assert_eq!(m.pending(), got.is_ok(), "{got:?}");
            if got.is_ok() {
                m.expect(Op::INTERRUPT);
            }
            m.fail(&r, EINTR);
            assert_eq!(c.join::<Res<u64>>(), Err(EINTR), "{got:?}");
            m.finish();
        },
    );
    o.check("INTERRUPT reply", of_a_write());
}

/// So long is the file that is read.
const LEN: usize = 8 * PAGE;

fn data() -> Vec<u8> {
    (0..LEN).map(|i| (i / 7 % 251) as u8).collect()
}

/// A caller that reads a file through the page cache, and the READ that readahead has made of it.
struct Reading {
    m: Mock,
    fs: Memfs,
    c: Caller,
    r: Request,
    answer: Vec<u8>,
}

impl Reading {
    fn new() -> Reading {
        let (mut m, mut fs) = (mock(), Memfs::new());
        fs.file("f", &data());
        let c = m.call("f", |p| {
            let f = user::open(p, libc::O_RDONLY, 0)?;
            Ok::<_, Errno>(user::pread(&f, LEN, 0)? == data())
        });
        let r = m.serve_until(Op::READ, &mut fs);
        let Answer::Ok(b) = fs.handle(&r) else {
            panic!("no answer to {r:?}");
        };
        let answer = message(r.unique, 0, &b);
        Reading {
            m,
            fs,
            c,
            r,
            answer,
        }
    }

    /// The caller gets the data, all of them right, or EIO.
    fn ends(mut self, got: Res<usize>) {
        assert!(self.r.get("size") >= 4 * PAGE as u64, "{:?}", self.r);
        let answered = got.or_else(|_| self.m.write(&self.answer));
        assert!(matches!(answered, Ok(_) | Err(ENOENT)), "{answered:?}");
        let read: Res<bool> = self.m.serve(self.c, &mut |r| self.fs.handle(r));
        assert!(matches!(read, Ok(true) | Err(EIO)), "{got:?}: {read:?}");
        self.m.finish();
    }
}

fn answering_read() {
    prepare();
    let o = rounds(Reading::new, |s| s.m.write(&s.answer), |s, got| s.ends(got));
    o.check("READ reply", of_a_write());
    let o = rounds(
        Reading::new,
        |s| {
            let at = s.answer.as_ptr() as usize;
            let rest = s.answer.len() - 5000;
            vector(
                s.m.dev().as_raw_fd(),
                true,
                &[(at, 16), (at + 16, 4984), (at + 5000, rest)],
            )
        },
        |s, got| s.ends(got),
    );
    o.check("READ reply, writev", of_a_write());
}

/// Pages that the daemon gives away become those of the page cache, if they can.
fn moving_pages() {
    prepare();
    for (row, flags) in [
        ("READ reply, splice", 0),
        ("READ reply, SPLICE_F_MOVE", MOVE),
    ] {
        let o = rounds(
            || {
                let (s, pipe) = (Reading::new(), Pipe::new(16));
                let (header, body) = s.answer.split_at(16);
                pipe.put(header);
                let mut pages = Pages::new(LEN / PAGE);
                pages.bytes(0, body.len()).copy_from_slice(body);
                let n = pipe.vmsplice(pages.addr(), body.len(), GIFT);
                assert_eq!(n, Ok(body.len()), "vmsplice");
                (s, pipe)
            },
            |(s, pipe)| pipe.splice_to(&s.m.dev(), s.answer.len(), flags),
            |(s, _), got| s.ends(got),
        );
        o.check(row, 1);
    }
}
