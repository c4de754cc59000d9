// SPDX-License-Identifier: GPL-2.0

//! Replies by splice(2) from a pipe.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::pipe::{Pipe, GIFT, MOVE};
use mockd::reply::{message, raw, Entry};
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::{Attr, Caller, Mock, Request};

pub fn cases() -> Vec<Case> {
    cases![
        write_reply,
        write_in_pieces,
        write_across_buffers,
        write_part_of_buffer,
        write_shared_buffer,
        write_short_pipe,
        write_short_header,
        write_bad_headers,
        write_too_long_too_short,
        write_gifted_pages,
        write_from_a_file,
        write_data_direct,
        write_after_abort,
        write_file_error,
        write_interrupt_reply,
    ]
}

fn look(m: &mut Mock) -> (Caller, Request) {
    let c = m.call("name", |p| user::lstat(p).map(|s| s.ino));
    let r = m.expect_name(Op::LOOKUP, "name");
    (c, r)
}

fn entry(r: &Request) -> Vec<u8> {
    message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes())
}

fn write_reply() {
    let mut m = Mock::new();
    let p = Pipe::new(16);
    for (name, flags) in [("a", 0), ("b", MOVE)] {
        let c = m.call(name, |p| user::lstat(p).map(|s| s.ino));
        let r = m.expect_name(Op::LOOKUP, name);
        let b = entry(&r);
        assert_eq!(m.splice_message(&p, &b, flags), Ok(b.len()));
        assert!(p.is_empty());
        assert_eq!(c.join::<Res<u64>>(), Ok(5));
    }
    m.finish();
}

/// Many small buffers: vmsplice makes one of each piece.
fn write_in_pieces() {
    for size in [1, 3, 15, 16, 17, 100] {
        let mut m = Mock::new();
        let p = Pipe::new(256);
        let (c, r) = look(&mut m);
        let b = entry(&r);
        for piece in b.chunks(size) {
            let n = p.vmsplice(piece.as_ptr() as usize, piece.len(), 0);
            assert_eq!(n, Ok(piece.len()));
        }
        assert_eq!(p.splice_to(&m.dev(), b.len(), 0), Ok(b.len()), "{size}");
        assert_eq!(c.join::<Res<u64>>(), Ok(5));
        m.finish();
    }
}

/// The message begins at any place in a page, and goes on in the next.
fn write_across_buffers() {
    for before in [1, 15, 16, 17, 100, 143] {
        let mut m = Mock::new();
        let p = Pipe::new(16);
        let (c, r) = look(&mut m);
        let b = entry(&r);
        p.put(&vec![0; PAGE - before]);
        p.put(&b);
        p.get(PAGE - before).expect("read");
        assert_eq!(p.splice_to(&m.dev(), b.len(), MOVE), Ok(b.len()));
        assert_eq!(c.join::<Res<u64>>(), Ok(5));
        m.finish();
    }
}

/// A buffer with more than the message is shared: the rest stays in the pipe.
fn write_part_of_buffer() {
    let mut m = Mock::new();
    let p = Pipe::new(16);
    let (c, r) = look(&mut m);
    let mut b = entry(&r);
    let n = b.len();
    b.extend_from_slice(b"the rest");
    p.put(&b);
    assert_eq!(p.splice_to(&m.dev(), n, MOVE), Ok(n));
    assert_eq!(p.get(100), Ok(b"the rest".to_vec()));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
}

/// Buffers that another pipe has too.
fn write_shared_buffer() {
    let mut m = Mock::new();
    let (p, twin) = (Pipe::new(16), Pipe::new(16));
    let (c, r) = look(&mut m);
    let b = entry(&r);
    p.put(&b);
    assert_eq!(p.tee(&twin, b.len()), Ok(b.len()));
    assert_eq!(p.splice_to(&m.dev(), b.len(), MOVE), Ok(b.len()));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    assert_eq!(twin.get(b.len()), Ok(b.clone()));
    p.put(&b);
    assert_eq!(p.splice_to(&m.dev(), b.len(), 0), Err(ENOENT));
    m.finish();
}

/// Less in the pipe than was asked for: EINVAL, and it stays there.
fn write_short_pipe() {
    let mut m = Mock::new();
    let p = Pipe::new(16);
    let (c, r) = look(&mut m);
    let b = entry(&r);
    p.put(&b[..b.len() - 1]);
    assert_eq!(p.splice_to(&m.dev(), b.len(), 0), Err(EINVAL));
    assert_eq!(p.len(), b.len() - 1);
    assert_eq!(p.splice_to(&m.dev(), 1 << 20, 0), Err(EINVAL));
    p.put(&b[b.len() - 1..]);
    assert_eq!(p.splice_to(&m.dev(), b.len(), 0), Ok(b.len()));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    let empty = Pipe::new(16);
    assert_eq!(empty.splice_to(&m.dev(), 16, 0), Err(EINVAL));
    assert_eq!(empty.splice_to(&m.dev(), 0, 0), Ok(0));
    m.finish();
}

fn write_short_header() {
    let m = Mock::new();
    let p = Pipe::new(16);
    for n in [1, 4, 15] {
        assert_eq!(m.splice_message(&p, &vec![0; n], 0), Err(EINVAL));
        assert!(p.is_empty());
    }
    m.finish();
}

/// Each check of the header.
fn write_bad_headers() {
    let mut m = Mock::new();
    let p = Pipe::new(16);
    let (c, r) = look(&mut m);
    let u = r.unique;
    let body = Entry::new(Attr::file(5, 0)).bytes();
    let len = 16 + body.len() as u32;
    for (what, b, e) in [
        ("length too short", raw(len - 1, u, 0, &body), EINVAL),
        ("length too long", raw(len + 1, u, 0, &body), EINVAL),
        ("length 0", raw(0, u, 0, &body), EINVAL),
        ("error positive", raw(16, u, 1, &[]), EINVAL),
        ("error -512", raw(16, u, -512, &[]), EINVAL),
        ("error smallest", raw(16, u, i32::MIN, &[]), EINVAL),
        ("unique unknown", raw(16, u + 2, 0, &[]), ENOENT),
        ("unique resent", raw(16, u | (1 << 63), 0, &[]), ENOENT),
        ("notification 0", raw(16, 0, 0, &[]), EINVAL),
        ("notification unknown", raw(16, 0, 100, &[]), EINVAL),
    ] {
        assert_eq!(m.splice_message(&p, &b, MOVE), Err(e), "{what}");
        assert!(p.is_empty(), "{what}");
    }
    let b = entry(&r);
    assert_eq!(m.splice_message(&p, &b, MOVE), Ok(b.len()));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
}

/// A reply of the wrong length, or an error with a body, ends the request.
fn write_too_long_too_short() {
    let body = Entry::new(Attr::file(5, 0)).bytes();
    for (error, body) in [
        (0, &body[..body.len() - 1]),
        (0, &[body.clone(), vec![0]].concat()[..]),
        (0, &[][..]),
        (-libc::ENOENT, &body[..]),
    ] {
        let mut m = Mock::new();
        let p = Pipe::new(16);
        let (c, r) = look(&mut m);
        let b = message(r.unique, error, body);
        assert_eq!(m.splice_message(&p, &b, 0), Err(EINVAL));
        assert_eq!(c.join::<Res<u64>>(), Err(EIO));
        assert_eq!(m.splice_message(&p, &b, 0), Err(ENOENT));
        m.finish();
    }
}

fn data(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i / 7 % 251) as u8).collect()
}

/// Reads a file of `size` bytes whose READs are answered by `answer`, through the page cache or
/// not, and compares.
fn reading(size: usize, open_flags: u32, answer: &mut dyn FnMut(&Mock, &Request, &[u8])) {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    let want = data(size);
    fs.open_flags = open_flags;
    fs.file("f", &want);
    let mut c = m.call("f", move |p| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        Ok::<_, Errno>(user::pread(&f, size + 10, 0)? == want)
    });
    while !c.ended() {
        if !m.pending() {
            continue;
        }
        let r = m.request();
        match fs.handle(&r) {
            Answer::Ok(b) if r.op == Op::READ => answer(&m, &r, &b),
            a => m.answer(&r, &a).expect("answer"),
        }
    }
    assert_eq!(c.join::<Res<bool>>(), Ok(true));
    m.drain(&mut |r| fs.handle(r));
    m.without_record();
    m.finish();
}

/// Memory that is given away, and what is not a gift.
fn write_gifted_pages() {
    for gift in [0, GIFT] {
        for flags in [0, MOVE] {
            let p = Pipe::new(64);
            reading(8 * PAGE + 5, 0, &mut |m, r, b| {
                let mut pages = Pages::new(b.len().div_ceil(PAGE).max(1));
                pages.bytes(0, b.len()).copy_from_slice(b);
                p.put(&message(r.unique, 0, b)[..16]);
                let mut at = 0;
                while at < b.len() {
                    at += p
                        .vmsplice(pages.addr() + at, b.len() - at, gift)
                        .expect("vmsplice");
                }
                drop(pages);
                assert_eq!(p.splice_to(&m.dev(), 16 + b.len(), flags), Ok(16 + b.len()));
            });
        }
    }
}

/// The data come straight from the page cache of another file system.
fn write_from_a_file() {
    let size = 5 * PAGE + 123;
    let path = ktap::dir().join("source");
    std::fs::write(&path, data(size)).expect("source");
    let file = user::open(&path, libc::O_RDONLY, 0).expect("open");
    for flags in [0, MOVE] {
        let p = Pipe::new(64);
        reading(size, 0, &mut |m, r, b| {
            p.put(&message(r.unique, 0, b)[..16]);
            let mut at = r.get("offset") as usize;
            let end = at + b.len();
            while at < end {
                at += p
                    .splice_from(&file, Some(at as i64), end - at, 0)
                    .expect("splice");
            }
            assert_eq!(p.splice_to(&m.dev(), 16 + b.len(), flags), Ok(16 + b.len()));
        });
    }
    assert!(std::fs::read(&path).expect("source") == data(size));
}

/// Straight into the caller's memory.
fn write_data_direct() {
    let p = Pipe::new(64);
    for flags in [0, MOVE] {
        reading(3 * PAGE + 7, FOPEN_DIRECT_IO, &mut |m, r, b| {
            let b = message(r.unique, 0, b);
            assert_eq!(m.splice_message(&p, &b, flags), Ok(b.len()));
        });
    }
}

fn write_after_abort() {
    let mut m = Mock::new();
    let p = Pipe::new(16);
    let (c, r) = look(&mut m);
    umount(&m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    assert_eq!(c.join::<Res<u64>>(), Err(ECONNABORTED));
    let b = entry(&r);
    assert_eq!(m.splice_message(&p, &b, MOVE), Err(ENOENT));
    assert!(p.is_empty());
    m.without_record();
}

/// The page that a buffer refers to is truncated away: the pipe's own check fails.
fn write_file_error() {
    let path = ktap::dir().join("source");
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    fs.file("f", &data(PAGE));
    let c = m.call("f", |p| {
        user::pread(&user::open(p, libc::O_RDONLY, 0)?, PAGE, 0).map(|b| b.len())
    });
    let r = m.serve_until(Op::READ, &mut fs);
    std::fs::write(&path, data(PAGE)).expect("source");
    let file = user::open(&path, libc::O_RDWR, 0).expect("open");
    let p = Pipe::new(16);
    p.put(&message(r.unique, 0, &data(PAGE))[..16]);
    assert_eq!(p.splice_from(&file, Some(0), PAGE, 0), Ok(PAGE));
    user::truncate(&path, 0).expect("truncate");
    let got = p.splice_to(&m.dev(), 16 + PAGE, MOVE);
    // A page that was up to date stays so when it is truncated: it is copied as it is.
    assert_eq!(got, Ok(16 + PAGE));
    assert_eq!(m.serve::<Res<usize>>(c, &mut |r| fs.handle(r)), Ok(PAGE));
    m.without_record();
    m.finish();
}

/// Replies to an INTERRUPT.
fn write_interrupt_reply() {
    let mut m = Mock::new();
    let p = Pipe::new(16);
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("name")).map(drop)
    });
    let r = m.expect_name(Op::LOOKUP, "name");
    let iu = r.unique | 1;
    assert_eq!(
        m.splice_message(&p, &message(iu, -libc::EAGAIN, &[]), 0),
        Err(EINVAL),
        "not interrupted"
    );
    c.kill(libc::SIGUSR1);
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.unique, iu);
    assert_eq!(
        m.splice_message(&p, &message(iu, -libc::EAGAIN, &[]), 0),
        Ok(16)
    );
    m.expect(Op::INTERRUPT);
    assert_eq!(m.splice_message(&p, &message(iu, 0, &[1]), 0), Err(EINVAL));
    assert_eq!(m.splice_message(&p, &message(iu, 0, &[]), 0), Ok(16));
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
    assert_eq!(m.splice_message(&p, &message(iu, 0, &[]), 0), Err(ENOENT));
    m.finish();
}
