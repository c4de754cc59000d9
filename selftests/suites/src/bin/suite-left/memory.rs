// SPDX-License-Identifier: GPL-2.0

//! A killed caller's own memory goes with it: what its request would fill, and what it reads.
//! Nothing is written to pages that others have, and RESEND sends nothing that was changed since.

use std::os::fd::AsRawFd;
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::memfs::Memfs;
use mockd::reply::message;
use mockd::user;
use mockd::wire::{self, Op};
use mockd::Init;

use crate::scene::{open, ours, show, Act, Scene};
use suites::catalogue::summary;
use suites::settle::settle;

pub fn cases() -> Vec<Case> {
    cases![
        buffers_of_readdir,
        pages_of_direct_reads,
        pages_of_direct_writes,
        answer_for_shared_memory,
        resend_of_a_read,
        resend_of_a_write,
        resend_of_a_change,
    ]
}

/// A number of /proc/meminfo, in KiB.
pub fn meminfo(what: &str) -> i64 {
    let t = std::fs::read_to_string("/proc/meminfo").expect("meminfo");
    let line = |l: &str| l.strip_prefix(what)?.strip_prefix(':').map(String::from);
    let n = t.lines().find_map(line).expect("line");
    n.trim().trim_end_matches(" kB").parse().expect("number")
}

/// Callers that ask for a MiB each, as many as leave; in C the first one stays.
const CALLERS: usize = 128;

/// What they may keep all together, in KiB.
const BOUND: i64 = 64 << 10;

fn kept(op: Op, prepare: fn(&Path) -> Act) {
    let init = Init {
        max_pages: 256,
        max_write: 1 << 20,
        ..Init::plain()
    };
    let mut fs = Memfs::new();
    let id = fs.file("f", &[7; 9000]);
    let mut s = Scene::with(fs, &init);
    s.open_flags.insert(
        id,
        wire::FOPEN_DIRECT_IO | wire::FOPEN_PARALLEL_DIRECT_WRITES,
    );
    s.fs.nodes.get_mut(&id).expect("f").attr.size = 1 << 20;
    user::drop_caches();
    let before = meminfo("MemAvailable");
    let (mut out, mut stayed) = (Vec::new(), None);
    for n in 0..CALLERS {
        let mut c = s.actor("first", prepare);
        let mut r = s.hold("first", &c, op, "");
        // For one processor alone C asks for no more of a directory than a page.
        if op != Op::READDIR || ktap::has("CONFIG_SMP") {
            assert_eq!(r.get("size"), 1 << 20, "{r:?}");
        }
        // The test keeps no payloads.
        r.body.truncate(r.fixed());
        r.body.shrink_to_fit();
        out.push(r);
        c.kill(libc::SIGKILL);
        if !ours() {
            settle(&[c.pid]);
        } else {
            s.gone(&mut c);
            continue;
        }
        assert!(!c.exited(), "gone in C");
        println!("stops at {n}");
        stayed = Some(c);
        break;
    }
    s.forget();
    // Nor what the allocator has of them.
    // SAFETY: Gives free memory back.
    unsafe { libc::malloc_trim(0) };
    user::drop_caches();
    // What was free for a moment stays with the processor, which gives it back in the course of
    // seconds.
    let mut lost = 0;
    suites::daemon::until("the memory to come back", || {
        lost = before - meminfo("MemAvailable");
        (lost < BOUND).then_some(())
    });
    println!("{} requests are out, {lost} KiB less", out.len());
    for r in &out {
        s.m.fail(r, EIO);
    }
    if let Some(c) = &mut stayed {
        s.gone(c);
    }
    s.end(vec![]);
}

fn buffers_of_readdir() {
    kept(Op::READDIR, |mnt| {
        let d = open(mnt, "", libc::O_RDONLY | libc::O_DIRECTORY);
        Box::new(move || show(user::getdents(&d, 1 << 20)))
    });
}

fn pages_of_direct_reads() {
    kept(Op::READ, |mnt| {
        let f = open(mnt, "f", libc::O_RDWR);
        Box::new(move || show(user::pread(&f, 1 << 20, 0)))
    });
}

fn pages_of_direct_writes() {
    kept(Op::WRITE, |mnt| {
        let f = open(mnt, "f", libc::O_RDWR);
        Box::new(move || show(user::pwrite(&f, &vec![1; 1 << 20], 0)))
    });
}

/// A page that this process and its children share.
#[derive(Clone, Copy)]
struct Shared(usize);

impl Shared {
    fn new() -> Shared {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping.
        let p = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, prot, flags, -1, 0) };
        assert_ne!(p, libc::MAP_FAILED);
        Shared(p as usize)
    }

    fn fill(self, b: u8) {
        // SAFETY: the page is ours.
        unsafe { std::ptr::write_bytes(self.0 as *mut u8, b, PAGE) };
    }

    fn text(self) -> String {
        // SAFETY: as above.
        let byte = |i| unsafe { (self.0 as *const u8).add(i).read_volatile() };
        summary((0..PAGE).map(byte).collect::<Vec<_>>())
    }

    fn read(self, mnt: &Path) -> Act {
        let f = open(mnt, "f", libc::O_RDWR);
        // SAFETY: the page.
        Box::new(move || unsafe {
            show(check(
                libc::pread(f.as_raw_fd(), self.0 as *mut _, PAGE, 0) as i64
            ))
        })
    }

    fn write(self, mnt: &Path) -> Act {
        let f = open(mnt, "f", libc::O_RDWR);
        // SAFETY: the page.
        Box::new(move || unsafe {
            show(check(
                libc::pwrite(f.as_raw_fd(), self.0 as *const _, PAGE, 0) as i64,
            ))
        })
    }
}

fn direct_file() -> (Scene, u64) {
    let mut fs = Memfs::new();
    let id = fs.file("f", &[0xaa; PAGE]);
    let mut s = Scene::new(fs);
    s.open_flags.insert(id, wire::FOPEN_DIRECT_IO);
    (s, id)
}

/// The page has been written to after the reader was gone.
fn answer_for_shared_memory() {
    let page = Shared::new();
    let (mut s, _) = direct_file();
    let mut a = s.actor("first", move |mnt| page.read(mnt));
    page.fill(0x11);
    let r = s.leave("first", &mut a, Op::READ, "");
    page.fill(0x55);
    s.answered("first", &mut a, &r);
    // In C the reader was there, and has been given what it asked for.
    let b = if ours() { 0x55 } else { 0xaa };
    assert_eq!(page.text(), summary(vec![b; PAGE]));
    s.end(vec![]);
}

const MARK: u64 = 1 << 63;

/// All that the daemon has is sent to it again.
fn resend(s: &Scene) {
    const RESEND: i32 = 7;
    let n = message(0, RESEND, &[]);
    assert_eq!(s.m.write(&n), Ok(n.len()));
}

/// A READ is sent again, and its answer goes nowhere.
fn resend_of_a_read() {
    let page = Shared::new();
    let (mut s, _) = direct_file();
    let mut a = s.actor("first", move |mnt| page.read(mnt));
    let r = s.leave("first", &mut a, Op::READ, "");
    page.fill(0x55);
    s.hold_next("first", Op::READ, "");
    resend(&s);
    let again = s.await_held(Op::READ);
    assert_eq!(again.unique, r.unique | MARK);
    assert_eq!(again.body, r.body);
    s.answered("first", &mut a, &again);
    let b = if ours() { 0x55 } else { 0xaa };
    assert_eq!(page.text(), summary(vec![b; PAGE]));
    s.end(vec![]);
}

/// In C the writer is there, and its bytes are sent again. Here they are gone with it: the WRITE
/// ends as if interrupted, and who waited for it goes on.
fn resend_of_a_write() {
    let page = Shared::new();
    let (mut s, id) = direct_file();
    let mut a = s.actor("first", move |mnt| page.write(mnt));
    let mut b = s.actor("second", |mnt| {
        let f = open(mnt, "f", libc::O_RDWR);
        Box::new(move || show(user::pwrite(&f, &[0x33; 100], 0)))
    });
    page.fill(0x11);
    let r = s.leave("first", &mut a, Op::WRITE, "");
    s.waits(&mut b);
    page.fill(0x22);
    s.hold_next("first", Op::WRITE, "");
    resend(&s);
    if ours() {
        assert_eq!(s.said(&mut b), "Ok(100)");
        // Nobody knows of it any more.
        assert_eq!(s.m.answer(&r, &mockd::mock::Answer::Err(EIO)), Err(ENOENT));
        assert!(!s.holds(), "it was sent again");
    } else {
        let again = s.await_held(Op::WRITE);
        assert_eq!(again.unique, r.unique | MARK);
        assert_eq!(s.goes_on(&mut b), None);
        s.answered("first", &mut a, &again);
        assert_eq!(s.said(&mut b), "Ok(100)");
    }
    let data = s.fs.nodes[&id].data[..100].to_vec();
    assert_eq!(summary(data), "100 bytes: 100*51");
    s.end(vec![b]);
}

/// What needs nothing of its caller is sent again as it was, and done once.
fn resend_of_a_change() {
    let mut s = Scene::new(Memfs::new());
    let mut a = s.actor("first", |mnt| {
        let p = mnt.join("m");
        Box::new(move || show(user::mkdir(&p, 0o755)))
    });
    let mut b = s.actor("second", |mnt| {
        let p = mnt.join("n");
        Box::new(move || show(user::mkdir(&p, 0o755)))
    });
    let r = s.leave("first", &mut a, Op::MKDIR, "");
    s.waits(&mut b);
    s.hold_next("first", Op::MKDIR, "");
    resend(&s);
    let again = s.await_held(Op::MKDIR);
    assert_eq!(again.unique, r.unique | MARK);
    assert_eq!(again.body, r.body);
    assert_eq!(s.goes_on(&mut b), None);
    s.answered("first", &mut a, &again);
    assert_eq!(s.said(&mut b), "Ok(())");
    let mut c = s.actor("third", |mnt| {
        let mnt = mnt.to_path_buf();
        Box::new(move || show(user::list(&mnt)))
    });
    assert_eq!(s.act(&mut c), "Ok([\"m\", \"n\"])");
    s.end(vec![b, c]);
}
