// SPDX-License-Identifier: GPL-2.0

//! The daemon's memory: in pieces, across pages, partly unmapped, not writable, too small.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{read_at, vector, write_at, Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::reply::{message, Entry};
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::{Attr, Caller, Init, Mock, Request, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        read_across_pages,
        write_across_pages,
        read_in_pieces,
        write_in_pieces,
        read_into_nothing,
        read_header_only_mapped,
        read_half_mapped_payload,
        read_into_read_only,
        write_from_nothing,
        write_header_half_mapped,
        write_payload_unmapped,
        write_payload_half_mapped,
        write_from_unreadable,
        read_at_null_and_kernel,
        fresh_pages_are_filled_in,
        file_backed_buffer,
        buffer_of_too_many_pieces,
        request_larger_than_buffer,
        data_across_pages,
        data_half_mapped,
        large_pages_worth,
    ]
}

fn dev(m: &Mock) -> i32 {
    m.dev().as_raw_fd()
}

/// Room that read(2) wants with a max_write of 4096.
const ROOM: usize = 8192;

fn small() -> Mock {
    let mut m = Mock::with(
        &Setup::default(),
        &Init {
            max_write: 4096,
            ..Init::plain()
        },
    );
    m.buf = ROOM;
    m
}

fn looking(m: &mut Mock) -> Caller {
    let c = m.call("name", |p| user::lstat(p).map(|s| s.ino));
    suites::daemon::until("the request", || m.pending().then_some(()));
    c
}

fn parsed(m: &Mock, b: &[u8]) -> Request {
    let r = Request::parse(b).expect("request");
    m.rec.push(&r);
    assert_eq!((r.op, r.name()), (Op::LOOKUP, "name".into()));
    r
}

fn found(m: Mock, c: Caller, r: &Request) {
    m.reply(r, &Entry::new(Attr::file(5, 0)).bytes());
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
}

/// The request lies across the border of two pages, at every offset.
fn read_across_pages() {
    for before in [1, 3, 4, 8, 15, 16, 39, 40, 41, 44, 45] {
        let mut m = small();
        let mut p = Pages::new(4);
        let c = looking(&mut m);
        let from = PAGE - before;
        let n = read_at(dev(&m), p.addr() + from, ROOM).expect("read");
        assert_eq!(n, 45);
        let r = parsed(&m, p.bytes(from, n));
        found(m, c, &r);
    }
}

fn write_across_pages() {
    for before in [1, 4, 15, 16, 17, 100, 143] {
        let mut m = small();
        let mut p = Pages::new(2);
        let c = looking(&mut m);
        let r = m.expect_name(Op::LOOKUP, "name");
        let reply = message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes());
        let from = PAGE - before;
        p.bytes(from, reply.len()).copy_from_slice(&reply);
        assert_eq!(
            write_at(dev(&m), p.addr() + from, reply.len()),
            Ok(reply.len())
        );
        assert_eq!(c.join::<Res<u64>>(), Ok(5));
        m.finish();
    }
}

/// readv with pieces of every odd size, and empty ones.
fn read_in_pieces() {
    for size in [1usize, 3, 7, 16, 40, 41] {
        let mut m = small();
        let mut p = Pages::new(4);
        let c = looking(&mut m);
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < 80 {
            pieces.push((p.addr() + at, size));
            pieces.push((p.addr(), 0));
            at += size;
        }
        pieces.push((p.addr() + at, ROOM));
        let n = vector(dev(&m), false, &pieces).expect("readv");
        assert_eq!(n, 45);
        let r = parsed(&m, p.bytes(0, n));
        found(m, c, &r);
    }
}

fn write_in_pieces() {
    for size in [1usize, 3, 7, 15, 16, 17, 100] {
        let mut m = small();
        let c = looking(&mut m);
        let r = m.expect_name(Op::LOOKUP, "name");
        let reply = message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes());
        let mut pieces: Vec<(usize, usize)> = reply
            .chunks(size)
            .map(|c| (c.as_ptr() as usize, c.len()))
            .collect();
        pieces.insert(1, (0x10, 0));
        assert_eq!(
            vector(dev(&m), true, &pieces),
            Ok(reply.len()),
            "pieces of {size}"
        );
        assert_eq!(c.join::<Res<u64>>(), Ok(5));
        m.finish();
    }
}

/// A read that faults takes the request with it: EFAULT here, EIO there.
fn faulting_read(m: Mock, c: Caller, addr: usize) {
    let mut m = m;
    assert_eq!(read_at(dev(&m), addr, ROOM), Err(EFAULT));
    assert_eq!(c.join::<Res<u64>>(), Err(EIO));
    // The connection is well.
    let c = looking(&mut m);
    let r = m.expect_name(Op::LOOKUP, "name");
    found(m, c, &r);
}

fn read_into_nothing() {
    let mut m = small();
    let p = Pages::new(3);
    (0..3).for_each(|i| p.unmap(i));
    let c = looking(&mut m);
    faulting_read(m, c, p.addr());
}

fn read_header_only_mapped() {
    for before in [40, 20, 1, 42] {
        let mut m = small();
        let p = Pages::new(4);
        p.unmap(1);
        let c = looking(&mut m);
        faulting_read(m, c, p.addr() + PAGE - before);
    }
}

/// A WRITE whose data no longer fits into what is mapped.
fn read_half_mapped_payload() {
    let mut m = small();
    let mut fs = Memfs::new();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", b"");
    let p = Pages::new(4);
    p.unmap(1);
    let c = m.call("f", |p| {
        user::pwrite(&user::open(p, libc::O_WRONLY, 0)?, &[3; 4096], 0)
    });
    for op in [Op::LOOKUP, Op::OPEN] {
        let r = m.expect(op);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    suites::daemon::until("the request", || m.pending().then_some(()));
    // It is the WRITE: before those past the page cache nothing is asked.
    assert_eq!(read_at(dev(&m), p.addr(), ROOM), Err(EFAULT));
    assert_eq!(m.serve::<Res<usize>>(c, &mut |r| fs.handle(r)), Err(EIO));
    m.without_record();
    m.finish();
}

fn read_into_read_only() {
    let mut m = small();
    let p = Pages::with(4, libc::PROT_READ);
    let c = looking(&mut m);
    faulting_read(m, c, p.addr());
    let mut m = small();
    let p = Pages::new(4);
    p.protect(1, libc::PROT_READ);
    let c = looking(&mut m);
    faulting_read(m, c, p.addr() + PAGE - 10);
}

/// A reply whose header cannot be read is no reply: the request goes on waiting.
fn write_from_nothing() {
    let mut m = small();
    let p = Pages::new(1);
    p.unmap(0);
    let c = looking(&mut m);
    let r = m.expect_name(Op::LOOKUP, "name");
    assert_eq!(write_at(dev(&m), p.addr(), 16), Err(EFAULT));
    assert_eq!(write_at(dev(&m), p.addr(), 144), Err(EFAULT));
    found(m, c, &r);
}

fn write_header_half_mapped() {
    let mut m = small();
    let mut p = Pages::new(2);
    p.unmap(1);
    let c = looking(&mut m);
    let r = m.expect_name(Op::LOOKUP, "name");
    let reply = message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes());
    p.bytes(PAGE - 12, 12).copy_from_slice(&reply[..12]);
    assert_eq!(
        write_at(dev(&m), p.addr() + PAGE - 12, reply.len()),
        Err(EFAULT)
    );
    found(m, c, &r);
}

/// Once the header was good, the request is over, well or not.
fn lost_payload(keep: usize) {
    let mut m = small();
    let mut p = Pages::new(2);
    p.unmap(1);
    let c = looking(&mut m);
    let r = m.expect_name(Op::LOOKUP, "name");
    let reply = message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes());
    let n = 16 + keep;
    p.bytes(PAGE - n, n).copy_from_slice(&reply[..n]);
    assert_eq!(
        write_at(dev(&m), p.addr() + PAGE - n, reply.len()),
        Err(EFAULT),
        "keep {keep}"
    );
    assert_eq!(c.join::<Res<u64>>(), Err(EIO), "keep {keep}");
    assert_eq!(m.write(&reply), Err(ENOENT));
    m.finish();
}

fn write_payload_unmapped() {
    lost_payload(0);
}

fn write_payload_half_mapped() {
    for keep in [1, 8, 64, 127] {
        lost_payload(keep);
    }
}

fn write_from_unreadable() {
    needs_read_permission();
    let mut m = small();
    let mut p = Pages::new(2);
    let c = looking(&mut m);
    let r = m.expect_name(Op::LOOKUP, "name");
    let reply = message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes());
    p.bytes(0, reply.len()).copy_from_slice(&reply);
    p.protect(0, libc::PROT_NONE);
    assert_eq!(write_at(dev(&m), p.addr(), reply.len()), Err(EFAULT));
    p.protect(0, libc::PROT_READ);
    assert_eq!(write_at(dev(&m), p.addr(), reply.len()), Ok(reply.len()));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
}

/// User Mode Linux takes a page that is there for one that may be read.
fn needs_read_permission() {
    let mut p = Pages::new(1);
    p.bytes(0, 1).fill(1);
    p.protect(0, libc::PROT_NONE);
    let (_end, pipe) = rustix::pipe::pipe().expect("pipe");
    if write_at(pipe.as_raw_fd(), p.addr(), 1) == Ok(1) {
        ktap::skip(&format!("{}check of the permission to read", ktap::LACKING));
    }
}

fn read_at_null_and_kernel() {
    let mut m = small();
    let c = looking(&mut m);
    // Addresses that no process may have are refused before a request is taken.
    assert_eq!(read_at(dev(&m), 0xffff_8000_0000_0000, ROOM), Err(EFAULT));
    let r = m.expect_name(Op::LOOKUP, "name");
    assert_eq!(write_at(dev(&m), 0xffff_8000_0000_0000, 144), Err(EFAULT));
    found(m, c, &r);
    let mut m = small();
    let c = looking(&mut m);
    faulting_read(m, c, 0);
}

/// Pages never touched before: the copy has to fault each of them in.
fn fresh_pages_are_filled_in() {
    let mut m = Mock::new();
    m.buf = 1 << 18;
    let mut fs = Memfs::new();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", b"");
    let data = vec![0x5a; 131_072];
    let c = m.call("f", |p| {
        user::pwrite(&user::open(p, libc::O_WRONLY, 0)?, &vec![0x5a; 131_072], 0)
    });
    let mut c = [c];
    let mut wrote = false;
    while !c[0].ended() {
        if !m.pending() {
            continue;
        }
        // Each request into memory that is new.
        let mut p = Pages::new(64);
        let n = read_at(dev(&m), p.addr() + 100, 63 * PAGE).expect("read");
        let r = Request::parse(p.bytes(100, n)).expect("request");
        m.rec.push(&r);
        if r.op == Op::WRITE {
            assert!(r.tail() == data);
            wrote = true;
        }
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    let [c] = c;
    assert_eq!(c.join::<Res<usize>>(), Ok(131_072));
    assert!(wrote);
    m.finish();
}

/// A buffer that is a mapping of a file elsewhere.
fn file_backed_buffer() {
    let mut m = small();
    let f = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open("buffer")
        .expect("file");
    f.set_len(ROOM as u64).expect("set_len");
    // SAFETY: a new shared mapping of our file.
    let p = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            ROOM,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            f.as_raw_fd(),
            0,
        )
    };
    assert_ne!(p, libc::MAP_FAILED);
    let c = looking(&mut m);
    let n = read_at(dev(&m), p as usize, ROOM).expect("read");
    // SAFETY: within the mapping.
    let r = parsed(&m, unsafe { std::slice::from_raw_parts(p.cast(), n) });
    // What was read is in the file.
    assert_eq!(std::fs::read("buffer").expect("read")[..n], *unsafe {
        std::slice::from_raw_parts(p.cast::<u8>(), n)
    });
    let reply = message(
        r.unique,
        0,
        &Entry::new(Attr::file(5, 0)).entry_valid((0, 0)).bytes(),
    );
    std::fs::write("reply", &reply).expect("reply");
    let f = std::fs::File::open("reply").expect("open");
    // SAFETY: a new mapping of our file.
    let q = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            PAGE,
            libc::PROT_READ,
            libc::MAP_SHARED,
            f.as_raw_fd(),
            0,
        )
    };
    assert_eq!(write_at(dev(&m), q as usize, reply.len()), Ok(reply.len()));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    // Beyond the end of the file there is nothing.
    let c = m.call("other", |p| user::lstat(p).map(|s| s.ino));
    suites::daemon::until("the request", || m.pending().then_some(()));
    f.metadata().expect("metadata");
    std::fs::OpenOptions::new()
        .write(true)
        .open("buffer")
        .expect("open")
        .set_len(0)
        .expect("set_len");
    assert_eq!(read_at(dev(&m), p as usize, ROOM), Err(EFAULT));
    assert_eq!(c.join::<Res<u64>>(), Err(EIO));
    m.finish();
}

fn buffer_of_too_many_pieces() {
    let m = Mock::new();
    let p = Pages::new(1);
    let pieces = vec![(p.addr(), 1); 1025];
    assert_eq!(vector(dev(&m), false, &pieces), Err(EINVAL));
    // The room is what all pieces have together.
    let pieces = vec![(p.addr(), 8); 1000];
    assert_eq!(vector(dev(&m), false, &pieces), Err(EINVAL));
    m.finish();
}

/// What does not fit ends with EIO, and the reader gets the next one.
fn request_larger_than_buffer() {
    let mut m = small();
    let (a, b) = ("a".repeat(4090), "b".repeat(4090));
    let (x, y) = (a.clone(), b.clone());
    let c = m.caller(|mnt, _| {
        user::chdir(mnt)?;
        let r = user::rename2(x.as_ref(), y.as_ref(), libc::RENAME_NOREPLACE);
        Ok::<_, Errno>((r, user::lstat("next".as_ref()).map(drop)))
    });
    let mut c = [c];
    let mut names = Vec::new();
    while !c[0].ended() {
        if !m.pending() {
            continue;
        }
        let r = m.request();
        match (r.op, r.names().first().map(String::len)) {
            (Op::LOOKUP, Some(4090)) if r.name() == a => {
                m.reply(&r, &Entry::new(Attr::file(4, 0)).bytes())
            }
            (Op::LOOKUP, _) => {
                names.push(r.name());
                m.fail(&r, ENOENT);
            }
            (Op::ACCESS, _) => m.reply(&r, &[]),
            _ => panic!("{r:?}"),
        }
    }
    let [c] = c;
    assert_eq!(
        c.join::<Res<(Res<()>, Res<()>)>>(),
        Ok((Err(EIO), Err(ENOENT)))
    );
    assert_eq!(names, [b, "next".to_string()]);
    assert_eq!(m.rec.count(Op::RENAME2), 0);
    m.finish();
}

/// The answer to a READ of several pages, from memory that begins anywhere.
fn data_across_pages() {
    for shift in [0, 1, 100, 4080, 4095] {
        let mut m = Mock::new();
        let mut fs = Memfs::new();
        let data: Vec<u8> = (0..40_000u32).map(|i| (i / 7) as u8).collect();
        fs.file("f", &data);
        let want = data.clone();
        let c = m.call("f", move |p| Ok::<_, Errno>(std::fs::read(p)? == want));
        let mut c = [c];
        let mut p = Pages::new(64);
        while !c[0].ended() {
            if !m.pending() {
                continue;
            }
            let r = m.request();
            let a = fs.handle(&r);
            match a {
                mockd::mock::Answer::Ok(b) => {
                    let reply = message(r.unique, 0, &b);
                    p.bytes(shift, reply.len()).copy_from_slice(&reply);
                    assert_eq!(
                        write_at(dev(&m), p.addr() + shift, reply.len()),
                        Ok(reply.len())
                    );
                }
                a => m.answer(&r, &a).expect("answer"),
            }
        }
        let [c] = c;
        assert_eq!(c.join::<Res<bool>>(), Ok(true), "shift {shift}");
        m.finish();
    }
}

/// A READ whose answer ends in unmapped memory: EFAULT here, EIO there, and nothing half-done
/// stays. Pages that readahead did not get are asked for once more.
fn data_half_mapped() {
    for flags in [0, FOPEN_DIRECT_IO] {
        let mut m = Mock::new();
        let mut fs = Memfs::new();
        fs.open_flags = flags;
        fs.file("f", &[6; 8192]);
        let c = m.call("f", |p| {
            let fd = user::open(p, libc::O_RDONLY, 0)?;
            let a = user::pread(&fd, 8192, 0).map(|b| b.len());
            let b = user::pread(&fd, 8192, 0)?;
            Ok::<_, Errno>((a, b == [6; 8192]))
        });
        let mut c = [c];
        let mut broken = false;
        while !c[0].ended() {
            if !m.pending() {
                continue;
            }
            let r = m.request();
            let a = fs.handle(&r);
            match a {
                mockd::mock::Answer::Ok(b) if r.op == Op::READ && !broken => {
                    broken = true;
                    let reply = message(r.unique, 0, &b);
                    let mut p = Pages::new(4);
                    p.unmap(2);
                    p.bytes(0, 8192).copy_from_slice(&reply[..8192]);
                    assert_eq!(write_at(dev(&m), p.addr(), reply.len()), Err(EFAULT));
                }
                a => m.answer(&r, &a).expect("answer"),
            }
        }
        let [c] = c;
        let r = c.join::<Res<(Res<usize>, bool)>>();
        let first = if flags == 0 { Ok(8192) } else { Err(EIO) };
        assert_eq!(r, Ok((first, true)), "flags {flags}");
        m.without_record();
        m.finish();
    }
}

/// A megabyte each way, in one request.
fn large_pages_worth() {
    let init = Init {
        max_write: 1 << 20,
        max_pages: 256,
        ..Init::plain()
    };
    let mut m = Mock::with(&Setup::default(), &init);
    let mut fs = Memfs::new();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", b"");
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        let data: Vec<u8> = (0..1u32 << 20).map(|i| (i % 251) as u8).collect();
        let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        assert_eq!(user::pwrite(&fd, &data, 0)?, 1 << 20);
        Ok(user::pread(&fd, 1 << 20, 0)? == data)
    });
    assert_eq!(r, Ok(true));
    let sizes: Vec<u64> = m
        .rec
        .all()
        .iter()
        .filter(|r| r.op == Op::WRITE)
        .map(|r| r.get("size"))
        .collect();
    println!("{sizes:?}");
    assert_eq!(sizes.iter().sum::<u64>(), 1 << 20);
    m.finish();
}
