// SPDX-License-Identifier: GPL-2.0

//! What is in a file, and what the kernel knows of it, when a killed caller's change of it is
//! answered.

use std::os::fd::AsRawFd;
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::memfs::Memfs;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::{self, Op};
use mockd::{Caller, Init, Request};
use suites::catalogue::summary;
use suites::daemon::until;

use crate::scene::{open, ops, ours, show, Act, Scene};
use suites::settle::settle;

pub fn cases() -> Vec<Case> {
    cases![
        append_meanwhile,
        append_afterwards,
        append_direct_meanwhile,
        append_direct_afterwards,
        append_after_fstat,
        truncate_and_pages,
        truncate_and_pages_after_fstat,
        direct_write_and_pages,
        write_to_direct_file_and_pages,
        write_after_truncate,
        failed_write_beyond_the_end,
        cached_open_after_parallel_write,
        write_open_denies_exec,
        exec_denies_write_open,
        mode_after_chmod,
        attributes_after_flush,
        write_to_shortened_file,
        reads_beside_a_change,
    ]
}

const RW: i32 = libc::O_RDWR;

/// A scene with the file f, whose attributes are believed for long.
fn file(data: &[u8], flags: u32) -> (Scene, u64) {
    let mut fs = Memfs::new();
    let id = fs.file("f", data);
    let mut s = Scene::new(fs);
    s.open_flags.insert(id, flags);
    (s, id)
}

/// Reads by a descriptor, no more than it asks for.
fn reads(mnt: &Path, name: &str, n: usize, off: u64) -> Act {
    let f = open(mnt, name, libc::O_RDONLY);
    // SAFETY: integers.
    unsafe { libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
    Box::new(move || show(user::pread(&f, n, off).map(summary)))
}

fn pread(mnt: &Path, n: usize) -> Act {
    let f = open(mnt, "f", RW);
    Box::new(move || show(user::pread(&f, n, 0).map(summary)))
}

fn writes_at(v: &[Request]) -> Vec<u64> {
    let writes = v.iter().filter(|r| r.op == Op::WRITE);
    writes.map(|r| r.get("offset")).collect()
}

/// A writes 50 bytes at the end of 100; B appends 30, before or after the answer.
fn append(flags: u32, meanwhile: bool, fstat: bool) {
    let (mut s, id) = file(&[1; 100], flags);
    let mut b = s.actor("second", move |mnt| {
        let f = open(mnt, "f", RW | libc::O_APPEND);
        Box::new(move || {
            if fstat {
                user::fstat(&f).expect("fstat");
            }
            show(user::write(&f, &[0x42; 30]))
        })
    });
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::pwrite(&f, &[0x41; 50], 100)))
    });
    let r = s.leave("first", &mut a, Op::WRITE, "");
    assert_eq!((r.get("offset"), r.get("size")), (100, 50));
    let text = if meanwhile {
        s.waits(&mut b);
        assert_eq!(writes_at(&s.asked("second")), []);
        s.answered("first", &mut a, &r);
        s.said(&mut b)
    } else {
        s.answered("first", &mut a, &r);
        s.act(&mut b)
    };
    assert_eq!(text, "Ok(30)");
    assert_eq!(writes_at(&s.asked("second")), [150], "where it appends");
    let data = summary(s.fs.nodes[&id].data.clone());
    assert_eq!(data, "180 bytes: 100*1 50*65 30*66");
    s.end(vec![b]);
}

fn append_meanwhile() {
    append(0, true, false);
}

fn append_afterwards() {
    append(0, false, false);
}

fn append_direct_meanwhile() {
    append(wire::FOPEN_DIRECT_IO, true, false);
}

fn append_direct_afterwards() {
    append(wire::FOPEN_DIRECT_IO, false, false);
}

fn append_after_fstat() {
    append(0, false, true);
}

/// B has read the file, and reads again after A's truncation.
fn truncated(fstat: bool) {
    let (mut s, _) = file(&[7; 9000], 0);
    let mut b = s.actor("second", move |mnt| {
        let f = open(mnt, "f", RW);
        assert_eq!(user::pread(&f, 9000, 0).map(|v| v.len()), Ok(9000));
        Box::new(move || {
            if fstat {
                assert_eq!(user::fstat(&f).map(|s| s.size), Ok(0));
            }
            show(user::pread(&f, 10, 0))
        })
    });
    let mut a = s.actor("first", |mnt| {
        let p = mnt.join("f");
        Box::new(move || show(user::truncate(&p, 0)))
    });
    let r = s.leave("first", &mut a, Op::SETATTR, "");
    s.answered("first", &mut a, &r);
    assert_eq!(
        s.act(&mut b),
        "Ok([])",
        "what is read of a file of no bytes"
    );
    s.end(vec![b]);
}

fn truncate_and_pages() {
    truncated(false);
}

fn truncate_and_pages_after_fstat() {
    truncated(true);
}

/// B reads while A's direct write is out, and again after its answer.
fn direct_write(flags: i32, open_flags: u32) {
    let (mut s, id) = file(&[7; 9000], 0);
    let mut b = s.actor("second", |mnt| pread(mnt, 4));
    s.open_flags.insert(id, open_flags);
    let mut a = s.actor("first", move |mnt| {
        let f = open(mnt, "f", RW | flags);
        Box::new(move || show(user::pwrite(&f, &[9; PAGE], 0)))
    });
    let r = s.leave("first", &mut a, Op::WRITE, "");
    assert_eq!(s.act(&mut b), "Ok(\"4 bytes: 4*7\")");
    assert!(ops(&s.asked("second")).contains(&Op::READ));
    assert_eq!(s.act(&mut b), "Ok(\"4 bytes: 4*7\")");
    s.answered("first", &mut a, &r);
    assert_eq!(s.act(&mut b), "Ok(\"4 bytes: 4*9\")", "after the write");
    s.end(vec![b]);
}

fn direct_write_and_pages() {
    direct_write(libc::O_DIRECT, 0);
}

fn write_to_direct_file_and_pages() {
    direct_write(0, wire::FOPEN_DIRECT_IO);
}

/// What B has been told is written is not cut off by what the daemon does for A.
fn write_after_truncate() {
    let (mut s, id) = file(&[7; 9000], 0);
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::ftruncate(&f, 0)))
    });
    let mut b = s.actor("second", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::pwrite(&f, &[5; 100], 0)))
    });
    let r = s.leave("first", &mut a, Op::SETATTR, "");
    s.waits(&mut b);
    s.answered("first", &mut a, &r);
    assert_eq!(s.said(&mut b), "Ok(100)");
    let data = summary(s.fs.nodes[&id].data.clone());
    assert_eq!(data, "100 bytes: 100*5");
    s.end(vec![b]);
}

/// A writes with O_DIRECT beyond the end, which fails: nothing is cut off while the daemon still
/// has the WRITE, and B's comes when all of that is over.
fn failed_write_beyond_the_end() {
    let (mut s, id) = file(&[7; PAGE], 0);
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "f", RW | libc::O_DIRECT);
        Box::new(move || show(user::pwrite(&f, &[9; PAGE], PAGE as u64)))
    });
    let mut b = s.actor("second", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::pwrite(&f, &[5; 100], 2 * PAGE as u64)))
    });
    let r = s.leave("first", &mut a, Op::WRITE, "");
    s.waits(&mut b);
    assert_eq!(ops(&s.asked("first")), []);
    s.m.fail(&r, EIO);
    if !ours() {
        s.gone(&mut a);
    }
    assert_eq!(s.said(&mut b), "Ok(100)");
    let data = summary(s.fs.nodes[&id].data.clone());
    assert_eq!(data, "8292 bytes: 4096*7 4096*0 100*5");
    s.end(vec![b]);
}

/// An open that wants the page cache waits for direct writes side by side, after it has been
/// answered.
fn cached_open_after_parallel_write() {
    let parallel = wire::FOPEN_DIRECT_IO | wire::FOPEN_PARALLEL_DIRECT_WRITES;
    let (mut s, id) = file(&[7; 9000], parallel);
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::pwrite(&f, &[9; 5000], 0)))
    });
    s.open_flags.insert(id, 0);
    let mut b = s.actor("second", |mnt| {
        let p = mnt.join("f");
        Box::new(move || {
            let f = user::open(&p, RW, 0).expect("open");
            show(user::pread(&f, 4, 0).map(summary))
        })
    });
    let r = s.leave("first", &mut a, Op::WRITE, "");
    s.waits(&mut b);
    assert_eq!(ops(&s.asked("second")), [Op::OPEN]);
    s.answered("first", &mut a, &r);
    assert_eq!(s.said(&mut b), "Ok(\"4 bytes: 4*9\")");
    s.end(vec![b]);
}

/// Tries to run what is no program.
fn run(p: &Path) -> Errno {
    let p = mockd::mount::path(p);
    let argv = [p.as_ptr(), std::ptr::null()];
    // SAFETY: a C string and an array of such that ends.
    check(unsafe { libc::execv(p.as_ptr(), argv.as_ptr()) }).expect_err("it is run")
}

fn program(mnt: &Path) -> Act {
    let p = mnt.join("f");
    Box::new(move || format!("{:?}", run(&p)))
}

/// Until it says something else than ETXTBSY.
#[track_caller]
fn not_busy(s: &mut Scene, c: &mut Caller) -> String {
    until("the file not to be busy", || {
        let text = s.act(c);
        (!text.contains("ETXTBSY")).then_some(text)
    })
}

/// What a killed caller opens for writing is not run.
fn write_open_denies_exec() {
    let (mut s, id) = file(b"no program", 0);
    s.fs.nodes.get_mut(&id).expect("f").attr.mode |= 0o111;
    let mut b = s.actor("second", program);
    assert_eq!(s.act(&mut b), "ENOEXEC");
    let mut a = s.actor("first", |mnt| {
        let p = mnt.join("f");
        Box::new(move || show(user::open(&p, libc::O_WRONLY, 0).map(drop)))
    });
    let r = s.leave("first", &mut a, Op::OPEN, "");
    assert_eq!(s.acts(&mut b).as_deref(), Some("ETXTBSY"));
    s.answered("first", &mut a, &r);
    assert_eq!(not_busy(&mut s, &mut b), "ENOEXEC");
    s.end(vec![b]);
}

/// What a killed caller is about to run is not written to.
fn exec_denies_write_open() {
    let mut fs = Memfs::new();
    let id = fs.file("f", b"no program");
    fs.nodes.get_mut(&id).expect("f").attr.mode |= 0o111;
    // So that C's caller waits for the answer, and not for the page.
    let mut s = Scene::with(fs, &Init::plain().without("ASYNC_READ"));
    let mut b = s.actor("second", |mnt| {
        let p = mnt.join("f");
        Box::new(move || show(user::open(&p, libc::O_WRONLY, 0).map(drop)))
    });
    let mut a = s.actor("first", program);
    let r = s.leave("first", &mut a, Op::READ, "");
    assert_eq!(s.acts(&mut b).as_deref(), Some("Err(ETXTBSY)"));
    s.answered("first", &mut a, &r);
    assert_eq!(not_busy(&mut s, &mut b), "Ok(())");
    s.end(vec![b]);
}

/// The attributes that A's answer has brought.
fn mode_after_chmod() {
    let (mut s, _) = file(b"text", 0);
    let mut b = s.actor("second", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::fstat(&f).map(|s| format!("{:o}", s.mode))))
    });
    let mut a = s.actor("first", |mnt| {
        let p = mnt.join("f");
        Box::new(move || show(user::chmod(&p, 0o600)))
    });
    let r = s.leave("first", &mut a, Op::SETATTR, "");
    assert_eq!(s.acts(&mut b).as_deref(), Some("Ok(\"100644\")"));
    s.answered("first", &mut a, &r);
    assert_eq!(s.act(&mut b), "Ok(\"100600\")");
    s.end(vec![b]);
}

/// A FLUSH says nothing of attributes, and they stay known.
fn attributes_after_flush() {
    let (mut s, _) = file(b"text", 0);
    let mut b = s.actor("second", |mnt| {
        let f = open(mnt, "f", libc::O_RDONLY);
        Box::new(move || show(user::fstat(&f).map(|s| s.size)))
    });
    let mut a = s.actor("first", |mnt| {
        let mut f = Some(open(mnt, "f", libc::O_RDONLY));
        Box::new(move || show(user::close(f.take().expect("once"))))
    });
    let r = s.leave("first", &mut a, Op::FLUSH, "");
    s.answered("first", &mut a, &r);
    assert_eq!(s.act(&mut b), "Ok(4)");
    assert_eq!(ops(&s.asked("second")), []);
    s.end(vec![b]);
}

/// A learns that the file is shorter while a page of it is being read. That page is dropped when it
/// has been read, and B has written to it by then: what the daemon gets of that is what B has
/// written.
fn write_to_shortened_file() {
    let (mut s, id) = file(&[7; 9000], wire::FOPEN_KEEP_CACHE);
    s.fs.attr_valid = ZERO;
    let mut reader = s.actor("reader", |mnt| pread(mnt, 4));
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::fstat(&f).map(|s| s.size)))
    });
    let mut b = s.actor("second", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::pwrite(&f, &[5; 200], 100)))
    });
    let read = s.hold("reader", &reader, Op::READ, "");
    let r = s.leave("first", &mut a, Op::GETATTR, "");
    let node = s.fs.nodes.get_mut(&id).expect("f");
    node.data.truncate(100);
    node.attr.size = 100;
    s.answer("first", &r);
    s.waits(&mut b);
    s.answer("reader", &read);
    // All that can run has run before the daemon looks at the WRITE.
    settle(&[b.pid]);
    assert_eq!(s.said(&mut b), "Ok(200)");
    let data = summary(s.fs.nodes[&id].data.clone());
    assert_eq!(data, "300 bytes: 100*7 200*5");
    assert_eq!(s.said(&mut reader), "Ok(\"4 bytes: 4*7\")");
    if !ours() {
        s.gone(&mut a);
    }
    s.end(vec![reader, b]);
}

/// A has changed the file's size, and its pages are dropped; the second one is being read. What has
/// been dropped and is read again meanwhile is not waited for.
fn reads_beside_a_change() {
    let mut fs = Memfs::new();
    let id = fs.file("f", &[7; 2 * PAGE]);
    let mut s = Scene::new(fs);
    s.open_flags.insert(id, wire::FOPEN_KEEP_CACHE);
    let reader = |s: &mut Scene, who, page: u64| {
        s.actor(who, move |mnt| reads(mnt, "f", 1, page * PAGE as u64))
    };
    let mut r0 = reader(&mut s, "page 0", 0);
    let mut r1 = reader(&mut s, "page 1", 1);
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::ftruncate(&f, 3 * PAGE as i64)))
    });
    let mut b = s.actor("second", |mnt| {
        let p = mnt.join("f");
        Box::new(move || show(user::chmod(&p, 0o600)))
    });
    let read1 = s.hold("page 1", &r1, Op::READ, "");
    let r = s.leave("first", &mut a, Op::SETATTR, "");
    s.answer("first", &r);
    s.waits(&mut b);
    let read0 = s.hold("page 0", &r0, Op::READ, "");
    s.answer("page 1", &read1);
    assert_eq!(s.said(&mut b), "Ok(())");
    assert_eq!(s.said(&mut r1), "Ok(\"1 bytes: 1*7\")");
    s.answer("page 0", &read0);
    assert_eq!(s.said(&mut r0), "Ok(\"1 bytes: 1*7\")");
    if !ours() {
        s.gone(&mut a);
    }
    s.end(vec![r0, r1, b]);
}
