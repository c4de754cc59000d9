// SPDX-License-Identifier: GPL-2.0

//! SPLICE_F_MOVE: pages of a pipe become pages of the page cache, or are copied.
//!
//! That no reference is lost or left is seen in what a page cache can be rid of: a page with a
//! reference too many stays when caches are dropped, and no READ asks for it again.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::pipe::{Pipe, GIFT, MOVE};
use mockd::reply::message;
use mockd::user;
use mockd::wire::{Op, FOPEN_KEEP_CACHE};
use mockd::{Caller, Mock, Request};

/// Answers a READ out of a pipe, with these bytes.
type Answering<'a> = dyn FnMut(&Mock, &Pipe, &Request, &[u8]) + 'a;

pub fn cases() -> Vec<Case> {
    cases![
        move_pipe_pages,
        move_file_pages,
        move_shared_is_copied,
        move_part_is_copied,
        move_while_mapped,
        move_short_reply,
        move_then_error,
        move_then_abort,
        move_of_own_pages,
        move_after_abort,
        move_of_a_request,
        move_huge,
    ]
}

const N: usize = 16;

fn data() -> Vec<u8> {
    (0..N * PAGE).map(|i| (i / 7 % 251) as u8 + 1).collect()
}

/// A mount with a file `f` whose opens keep the cache.
struct Cached {
    m: Mock,
    fs: Memfs,
    p: Pipe,
}

impl Cached {
    fn new() -> Cached {
        let mut fs = Memfs::new();
        fs.open_flags = FOPEN_KEEP_CACHE;
        fs.file("f", &data());
        Cached {
            m: Mock::new(),
            fs,
            p: Pipe::new(64),
        }
    }

    /// Runs a caller that reads and compares; READs are answered by `answer`. Gives how many there
    /// were.
    fn read(&mut self, answer: &mut Answering<'_>) -> usize {
        let mut c = self.m.call("f", |p| {
            let f = user::open(p, libc::O_RDONLY, 0)?;
            Ok::<_, Errno>(user::pread(&f, N * PAGE, 0)? == data())
        });
        let mut reads = 0;
        while !c.ended() {
            if !self.m.pending() {
                continue;
            }
            let r = self.m.request();
            match self.fs.handle(&r) {
                Answer::Ok(b) if r.op == Op::READ => {
                    reads += 1;
                    answer(&self.m, &self.p, &r, &b);
                }
                a => self.m.answer(&r, &a).expect("answer"),
            }
        }
        assert_eq!(c.join::<Res<bool>>(), Ok(true));
        reads
    }

    /// After `read` with `answer`: the pages are in the cache, and none is left once it is dropped.
    fn in_and_out(&mut self, answer: &mut Answering<'_>) {
        assert_ne!(self.read(answer), 0);
        assert_eq!(self.read(answer), 0, "in the cache");
        self.all_dropped();
    }

    fn all_dropped(&mut self) {
        user::drop_pages();
        let mut missing = 0;
        let all = self.read(&mut |m, _, r, b| {
            missing += b.len();
            m.reply(r, b);
        });
        assert_ne!(all, 0);
        assert_eq!(missing, N * PAGE, "pages that could not be dropped");
    }

    fn end(mut self) {
        let fs = &mut self.fs;
        self.m.drain(&mut |r| fs.handle(r));
        self.m.without_record();
        self.m.finish();
    }
}

/// A reply whose data are whole pages of the pipe, the header being in a page of its own.
fn in_pages(p: &Pipe, r: &Request, b: &[u8]) -> usize {
    p.put(&message(r.unique, 0, b)[..16]);
    for page in b.chunks(PAGE) {
        // By way of another pipe, as a write(2) here would go on in the header's page.
        let q = Pipe::new(1);
        q.put(page);
        assert_eq!(q.splice_to(&p.w, page.len(), 0), Ok(page.len()));
    }
    16 + b.len()
}

fn move_pipe_pages() {
    let mut c = Cached::new();
    for flags in [MOVE, 0, MOVE] {
        c.in_and_out(&mut |m, p, r, b| {
            let n = in_pages(p, r, b);
            assert_eq!(p.splice_to(&m.dev(), n, flags), Ok(n));
            assert!(p.is_empty());
        });
        user::drop_pages();
    }
    c.end();
}

/// From the page cache of another mount: what was moved is not there any more, and has to be read
/// from there again.
fn move_file_pages() {
    let mut source = Cached::new();
    let mut c = Cached::new();
    let plain = |m: &Mock, _: &Pipe, r: &Request, b: &[u8]| m.reply(r, b);
    assert_ne!(source.read(&mut { plain }), 0);
    let _ = std::fs::write("/proc/sys/vm/compact_memory", "1");

    // The answer to one READ of all pages: the caller of the source fills the pipe.
    let (mut reads, mut moved) = (0, false);
    let mut caller = c.m.call("f", |p| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        Ok::<_, Errno>(user::pread(&f, N * PAGE, 0)? == data())
    });
    while !caller.ended() {
        if !c.m.pending() {
            continue;
        }
        let r = c.m.request();
        match c.fs.handle(&r) {
            Answer::Ok(b) if r.op == Op::READ => {
                reads += 1;
                let p = Pipe::new(64);
                p.put(&message(r.unique, 0, &b)[..16]);
                let (from, len) = (r.get("offset"), b.len());
                let w = p.w.as_raw_fd();
                let filler = source.m.call("f", move |path| {
                    let f = user::open(path, libc::O_RDONLY, 0)?;
                    let mut at = from as i64;
                    let end = from as i64 + len as i64;
                    while at < end {
                        // SAFETY: `at` is valid.
                        let n = check(unsafe {
                            let left = (end - at) as usize;
                            libc::splice(f.as_raw_fd(), &mut at, w, std::ptr::null_mut(), left, 0)
                                as i64
                        })?;
                        assert_ne!(n, 0);
                    }
                    Ok::<_, Errno>(())
                });
                let fs = &mut source.fs;
                assert_eq!(
                    source.m.serve::<Res<()>>(filler, &mut |r| fs.handle(r)),
                    Ok(())
                );
                assert_eq!(p.splice_to(&c.m.dev(), 16 + len, MOVE), Ok(16 + len));
                moved = true;
            }
            a => c.m.answer(&r, &a).expect("answer"),
        }
    }
    assert_eq!(caller.join::<Res<bool>>(), Ok(true));
    assert!(moved && reads > 0);
    assert_eq!(c.read(&mut { plain }), 0, "in the cache");
    assert_ne!(source.read(&mut { plain }), 0, "no page was moved");
    c.all_dropped();
    source.all_dropped();
    source.end();
    c.end();
}

/// A page that somebody else refers to stays what it is.
fn move_shared_is_copied() {
    let mut c = Cached::new();
    let twin = Pipe::new(64);
    c.in_and_out(&mut |m, p, r, b| {
        let n = in_pages(p, r, b);
        assert_eq!(p.tee(&twin, n), Ok(n));
        assert_eq!(p.splice_to(&m.dev(), n, MOVE), Ok(n));
        let mut all = Vec::new();
        while all.len() < n {
            all.extend(twin.get(n - all.len()).expect("read"));
        }
        assert!(all[16..] == *b);
    });
    c.end();
}

/// Data that begin elsewhere than at a page's start: by the header's length later.
fn move_part_is_copied() {
    let mut c = Cached::new();
    c.in_and_out(&mut |m, p, r, b| {
        let b = message(r.unique, 0, b);
        assert_eq!(m.splice_message(p, &b, MOVE), Ok(b.len()));
    });
    c.end();
}

/// Into pages that a process has mapped and waits for in a fault; and others that come to them.
fn move_while_mapped() {
    let mut c = Cached::new();
    let reader = |p: &std::path::Path| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        // SAFETY: a new mapping.
        let a = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                N * PAGE,
                libc::PROT_READ,
                libc::MAP_SHARED,
                f.as_raw_fd(),
                0,
            )
        };
        if a == libc::MAP_FAILED {
            return Err(last());
        }
        // SAFETY: the mapping is as long.
        Ok(unsafe { std::slice::from_raw_parts(a as *const u8, N * PAGE) } == data())
    };
    let mut cs = Vec::new();
    for _ in 0..3 {
        cs.push(c.m.call("f", reader));
    }
    let (fs, p) = (&mut c.fs, &c.p);
    while !cs.iter_mut().all(Caller::ended) {
        if !c.m.pending() {
            continue;
        }
        let r = c.m.request();
        match fs.handle(&r) {
            Answer::Ok(b) if r.op == Op::READ => {
                // Let all of them come to the locked pages.
                std::thread::sleep(std::time::Duration::from_millis(5));
                let n = in_pages(p, &r, &b);
                assert_eq!(p.splice_to(&c.m.dev(), n, MOVE), Ok(n));
            }
            a => c.m.answer(&r, &a).expect("answer"),
        }
    }
    for x in cs {
        assert_eq!(x.join::<Res<bool>>(), Ok(true));
    }
    c.all_dropped();
    c.end();
}

/// The file is shorter than it was: what was not sent reads as nothing, and the rest is right.
fn move_short_reply() {
    let mut c = Cached::new();
    let short = 3 * PAGE + 100;
    let mut caller = c.m.call("f", move |p| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        Ok::<_, Errno>(user::pread(&f, N * PAGE, 0)? == data()[..short])
    });
    while !caller.ended() {
        if !c.m.pending() {
            continue;
        }
        let r = c.m.request();
        match c.fs.handle(&r) {
            Answer::Ok(b) if r.op == Op::READ => {
                let from = r.get("offset") as usize;
                let b = &b[..short.saturating_sub(from).min(b.len())];
                let n = in_pages(&c.p, &r, b);
                assert_eq!(c.p.splice_to(&c.m.dev(), n, MOVE), Ok(n));
            }
            a => c.m.answer(&r, &a).expect("answer"),
        }
    }
    assert_eq!(caller.join::<Res<bool>>(), Ok(true));
    c.end();
}

/// Some pages were moved when the message turns out bad: the read fails, and works again later.
fn move_then_error() {
    let mut c = Cached::new();
    let mut caller = c.m.call("f", |p| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        user::pread(&f, N * PAGE, 0).map(|b| b.len())
    });
    let mut first = true;
    let (fs, p, m) = (&mut c.fs, &c.p, &mut c.m);
    while !caller.ended() {
        if !m.pending() {
            continue;
        }
        let r = m.request();
        match fs.handle(&r) {
            Answer::Ok(b) if r.op == Op::READ => {
                if std::mem::take(&mut first) {
                    // Longer than what was asked for.
                    let long = [b.clone(), vec![0; PAGE]].concat();
                    let n = in_pages(p, &r, &long);
                    assert_eq!(p.splice_to(&m.dev(), n, MOVE), Err(EINVAL));
                    assert!(p.is_empty());
                } else {
                    m.fail(&r, EIO);
                }
            }
            a => m.answer(&r, &a).expect("answer"),
        }
    }
    assert_eq!(caller.join::<Res<usize>>(), Err(EIO));
    c.in_and_out(&mut |m, p, r, b| {
        let n = in_pages(p, r, b);
        assert_eq!(p.splice_to(&m.dev(), n, MOVE), Ok(n));
    });
    c.end();
}

/// The connection ends while the pages are on their way: none stays locked.
fn move_then_abort() {
    for _ in 0..20 {
        let mut c = Cached::new();
        let caller = c.m.call("f", |p| {
            let f = user::open(p, libc::O_RDONLY, 0)?;
            user::pread(&f, N * PAGE, 0).map(|b| b.len())
        });
        let r = c.m.serve_until(Op::READ, &mut c.fs);
        let b = match c.fs.handle(&r) {
            Answer::Ok(b) => b,
            a => panic!("{a:?}"),
        };
        let n = in_pages(&c.p, &r, &b);
        let mnt = c.m.mnt.clone();
        let t = std::thread::spawn(move || {
            umount(&mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
        });
        let got = c.p.splice_to(&c.m.dev(), n, MOVE);
        assert!(got == Ok(n) || got == Err(ENOENT), "{got:?}");
        t.join().expect("thread");
        let got = caller.join::<Res<usize>>();
        // After the abort the rest of the file cannot be read, so what there is comes short.
        assert!(
            matches!(got, Ok(_) | Err(ECONNABORTED) | Err(ENOTCONN) | Err(EIO)),
            "{got:?}"
        );
        c.m.without_record();
    }
}

/// A file's pages as the answer for the same file's other pages: they go from one place in the
/// cache to another.
fn move_of_own_pages() {
    let mut c = Cached::new();
    let half = N / 2 * PAGE;
    c.fs.file(
        "g",
        &[data()[..half].to_vec(), data()[..half].to_vec()].concat(),
    );
    // A process that has the first half of g in the cache fills the pipe with it, while the second
    // half is being asked for.
    let fill = c.p.w.as_raw_fd();
    let mut caller = c.m.call("g", move |p| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        // SAFETY: integers.
        check(unsafe { libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) })?;
        let ok = user::pread(&f, half, 0)? == data()[..half];
        let mut at = 0i64;
        while at < half as i64 {
            // SAFETY: `at` is valid.
            check(unsafe {
                let left = half - at as usize;
                libc::splice(f.as_raw_fd(), &mut at, fill, std::ptr::null_mut(), left, 0) as i64
            })?;
        }
        // SAFETY: integers.
        check(unsafe { libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_NORMAL) })?;
        Ok::<_, Errno>(ok && user::pread(&f, half, half as u64)? == data()[..half])
    });
    while !caller.ended() {
        if !c.m.pending() {
            continue;
        }
        let r = c.m.request();
        match c.fs.handle(&r) {
            Answer::Ok(b) if r.op == Op::READ && r.get("offset") as usize >= half => {
                // The header first, then as much of the file's pages.
                let q = Pipe::new(64);
                q.put(&message(r.unique, 0, &b)[..16]);
                let n = b.len().min(c.p.len());
                assert_eq!(c.p.splice_to(&q.w, n, 0), Ok(n));
                q.put(&b[n..]);
                assert_eq!(
                    q.splice_to(&c.m.dev(), 16 + b.len(), MOVE),
                    Ok(16 + b.len())
                );
            }
            a => c.m.answer(&r, &a).expect("answer"),
        }
    }
    assert_eq!(caller.join::<Res<bool>>(), Ok(true));
    c.end();
}

/// Pages of another mount's cache for a connection that has ended: they stay where they were.
fn move_after_abort() {
    let mut source = Cached::new();
    let mut c = Cached::new();
    let caller = c.m.call("f", |p| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        user::pread(&f, N * PAGE, 0).map(|b| b.len())
    });
    let r = c.m.serve_until(Op::READ, &mut c.fs);
    let len = r.get("size") as usize;
    c.p.put(&message(r.unique, 0, &vec![0; len])[..16]);
    let w = c.p.w.as_raw_fd();
    let filler = source.m.call("f", move |path| {
        let f = user::open(path, libc::O_RDONLY, 0)?;
        let mut at = 0i64;
        // SAFETY: `at` is valid.
        check(unsafe {
            libc::splice(f.as_raw_fd(), &mut at, w, std::ptr::null_mut(), len, 0) as i64
        })
    });
    let fs = &mut source.fs;
    let n = source.m.serve::<Res<i64>>(filler, &mut |r| fs.handle(r));
    let n = n.expect("splice") as usize;
    if n < len {
        c.p.put(&vec![0; len - n]);
    }
    umount(&c.m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    assert_eq!(c.p.splice_to(&c.m.dev(), 16 + len, MOVE), Err(ENOENT));
    let got = caller.join::<Res<usize>>();
    assert!(matches!(got, Err(ECONNABORTED | ENOTCONN | EIO)), "{got:?}");
    c.m.without_record();
    let plain = |m: &Mock, _: &Pipe, r: &Request, b: &[u8]| m.reply(r, b);
    source.read(&mut { plain });
    assert_eq!(source.read(&mut { plain }), 0);
    source.all_dropped();
    source.end();
}

/// The data of a WRITE, which the pipe refers to where they lie in the page cache, are the answer
/// to a READ of another file: they are copied, and both files are right.
fn move_of_a_request() {
    let mut c = Cached::new();
    c.fs.file("g", &[0; PAGE]);
    let mut writer = c.m.caller(|mnt, _| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::pwrite(&f, &[7; PAGE], 0)
    });
    while !writer.ended() {
        if !c.m.pending() {
            continue;
        }
        let n = c.p.splice_from(&c.m.dev(), None, 64 * PAGE, 0);
        let n = n.expect("splice");
        let head = c.p.get(n.min(80)).expect("read");
        if u32::from_ne_bytes(head[4..8].try_into().expect("opcode")) == 16 {
            let unique = u64::from_ne_bytes(head[8..16].try_into().expect("unique"));
            let b = message(unique, 0, &mockd::reply::write_out(PAGE as u32));
            assert_eq!(c.m.write(&b), Ok(b.len()));
            assert_eq!(c.p.len(), PAGE);
            break;
        }
        let rest = if n > 80 {
            c.p.get(n - 80).expect("read")
        } else {
            vec![]
        };
        let r = Request::parse(&[head, rest].concat()).expect("request");
        let a = c.fs.handle(&r);
        c.m.answer(&r, &a).expect("answer");
    }
    let fs = &mut c.fs;
    assert_eq!(
        c.m.serve::<Res<usize>>(writer, &mut |r| fs.handle(r)),
        Ok(PAGE)
    );
    let mut reader = c.m.caller(|mnt, _| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let g = user::open(&mnt.join("g"), libc::O_RDONLY, 0)?;
        Ok::<_, Errno>(
            [
                user::pread(&g, PAGE, 0)? == [7; PAGE],
                user::pread(&f, PAGE, 0)? == [7; PAGE],
            ]
            .to_vec(),
        )
    });
    while !reader.ended() {
        if !c.m.pending() {
            continue;
        }
        let r = c.m.request();
        match c.fs.handle(&r) {
            Answer::Ok(b) if r.op == Op::READ => {
                assert_eq!(b.len(), PAGE);
                let q = Pipe::new(16);
                q.put(&message(r.unique, 0, &b)[..16]);
                assert_eq!(c.p.splice_to(&q.w, PAGE, 0), Ok(PAGE));
                assert_eq!(q.splice_to(&c.m.dev(), 16 + PAGE, MOVE), Ok(16 + PAGE));
            }
            a => c.m.answer(&r, &a).expect("answer"),
        }
    }
    assert_eq!(reader.join::<Res<Vec<bool>>>(), Ok(vec![true, true]));
    c.end();
}

/// Given pages that are parts of a huge one.
fn move_huge() {
    ktap::needs("CONFIG_TRANSPARENT_HUGEPAGE");
    const HUGE: usize = 2 << 20;
    let mut c = Cached::new();
    // SAFETY: a new mapping, twice as long as needed, so that a whole huge page lies in it.
    let addr = unsafe {
        let p = libc::mmap(
            std::ptr::null_mut(),
            2 * HUGE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        assert_ne!(p, libc::MAP_FAILED);
        libc::madvise(p, 2 * HUGE, libc::MADV_HUGEPAGE);
        (p as usize).next_multiple_of(HUGE)
    };
    c.in_and_out(&mut |m, p, r, b| {
        let reply = message(r.unique, 0, b);
        // SAFETY: the huge page is in our mapping.
        let memory = unsafe { std::slice::from_raw_parts_mut(addr as *mut u8, HUGE) };
        memory[..b.len()].copy_from_slice(b);
        p.put(&reply[..16]);
        let mut at = 0;
        while at < b.len() {
            at += p.vmsplice(addr + at, b.len() - at, GIFT).expect("vmsplice");
        }
        assert_eq!(p.splice_to(&m.dev(), reply.len(), MOVE), Ok(reply.len()));
        assert!(memory[..b.len()] == *b);
    });
    c.end();
}
