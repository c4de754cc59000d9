// SPDX-License-Identifier: GPL-2.0

//! The daemon's memory again: huge pages, files of another FUSE mount, memory without pages.

use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use ktap::{cases, implementation, Case, Impl};
use mockd::errno::*;
use mockd::mem::{read_at, vector, write_at, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::{answer, read_request};
use mockd::mount::{open_dev, umount};
use mockd::record::Recorder;
use mockd::reply::{message, Entry};
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::{Attr, Caller, Init, Mock, Request, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        huge_pages,
        transparent_huge_pages,
        read_into_another_mount,
        reply_from_another_mount,
        reply_from_another_mount_too_short,
        reply_from_memory_without_pages,
    ]
}

const HUGE: usize = 2 << 20;

fn dev(m: &Mock) -> i32 {
    m.dev().as_raw_fd()
}

/// Anonymous memory, never unmapped.
fn memory(len: usize, flags: i32) -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | flags;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping.
    let p = unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, -1, 0) };
    assert_ne!(p, libc::MAP_FAILED, "{}", last());
    p as usize
}

/// `len` bytes at an address that is mapped, and used by nobody else.
fn at(addr: usize, len: usize) -> &'static mut [u8] {
    // SAFETY: see above.
    unsafe { std::slice::from_raw_parts_mut(addr as *mut u8, len) }
}

/// Requests and replies of more than a small page, each across the border of two large ones at
/// `border`; `fresh` takes the memory away before each.
fn across(border: usize, fresh: impl Fn()) {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", b"");
    let data: Vec<u8> = (0..100_000u32).map(|i| (i / 3) as u8).collect();
    let want = data.clone();
    let c = m.call("f", move |p| {
        let file = user::open(p, libc::O_RDWR, 0)?;
        user::pwrite(&file, &want, 0)?;
        Ok::<_, Errno>(user::pread(&file, want.len(), 0)? == want)
    });
    let mut c = [c];
    while !c[0].ended() {
        if !m.pending() {
            continue;
        }
        fresh();
        let from = border - 100;
        let n = read_at(dev(&m), from, 1 << 18).expect("read");
        let r = Request::parse(at(from, n)).expect("request");
        m.rec.push(&r);
        match fs.handle(&r) {
            mockd::mock::Answer::Ok(b) => {
                let reply = message(r.unique, 0, &b);
                fresh();
                let from = border - reply.len() / 2;
                at(from, reply.len()).copy_from_slice(&reply);
                assert_eq!(write_at(dev(&m), from, reply.len()), Ok(reply.len()));
            }
            a => m.answer(&r, &a).expect("answer"),
        }
    }
    let [c] = c;
    assert_eq!(c.join::<Res<bool>>(), Ok(true));
    m.finish();
}

fn huge_pages() {
    ktap::needs("CONFIG_HUGETLBFS");
    ktap::needs("CONFIG_SYSCTL");
    const NUMBER: &str = "/proc/sys/vm/nr_hugepages";
    std::fs::write(NUMBER, "2").expect(NUMBER);
    let p = memory(2 * HUGE, libc::MAP_HUGETLB);
    across(p + HUGE, || drop_pages(p));
    // SAFETY: the mapping made above.
    unsafe { libc::munmap(p as *mut _, 2 * HUGE) };
    std::fs::write(NUMBER, "0").expect(NUMBER);
}

fn transparent_huge_pages() {
    ktap::needs("CONFIG_TRANSPARENT_HUGEPAGE");
    let p = memory(3 * HUGE, 0).next_multiple_of(HUGE);
    // SAFETY: within the mapping.
    check(unsafe { libc::madvise(p as *mut _, 2 * HUGE, libc::MADV_HUGEPAGE) })
        .expect("MADV_HUGEPAGE");
    at(p, 1)[0] = 1;
    let info = std::fs::read_to_string("/proc/meminfo").expect("meminfo");
    let huge = info.lines().find(|l| l.starts_with("AnonHugePages:"));
    assert!(huge.is_some_and(|l| !l.contains(" 0 kB")), "{huge:?}");
    across(p + HUGE, || drop_pages(p));
}

fn drop_pages(p: usize) {
    // SAFETY: within a mapping of ours, whose content nobody needs.
    check(unsafe { libc::madvise(p as *mut _, 2 * HUGE, libc::MADV_DONTNEED) })
        .expect("MADV_DONTNEED");
}

/// Another mount, whose daemon is a process that serves well until it is killed.
struct Other {
    daemon: Caller,
    mnt: PathBuf,
}

impl Other {
    /// With one file, of this content.
    fn new(content: &[u8]) -> Other {
        let mnt = std::env::current_dir().expect("directory").join("other");
        std::fs::create_dir_all(&mnt).expect("other");
        let mut daemon = Caller::spawn(None, |io| {
            let dev = open_dev(false).expect("/dev/fuse");
            Setup::default().mount(dev.as_fd(), &mnt).expect("mount");
            let rec = Recorder::default();
            let r = read_request(dev.as_fd(), 1 << 18, &rec).expect("INIT");
            let a = mockd::mock::Answer::Ok(Init::plain().bytes());
            answer(dev.as_fd(), &r, &a).expect("INIT");
            io.put(());
            let mut fs = Memfs::new();
            fs.file("f", content);
            while let Ok(r) = read_request(dev.as_fd(), 1 << 18, &rec) {
                let _ = answer(dev.as_fd(), &r, &fs.handle(&r));
            }
        });
        daemon.get::<()>();
        Other { daemon, mnt }
    }

    /// Maps the file, of which no page is there yet.
    fn map(&self, len: usize, prot: i32) -> usize {
        let file = user::open(&self.mnt.join("f"), libc::O_RDONLY, 0).expect("open");
        // SAFETY: a new mapping.
        let p = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                prot,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(p, libc::MAP_FAILED, "{}", last());
        p as usize
    }

    fn end(mut self, map: usize, len: usize) {
        // SAFETY: the mapping made above.
        unsafe { libc::munmap(map as *mut _, len) };
        umount(&self.mnt, 0).expect("umount");
        self.daemon.reap();
    }
}

fn looking(m: &mut Mock) -> Caller {
    m.call("name", |p| user::lstat(p).map(|s| s.ino))
}

/// The header goes to ordinary memory, the rest into a private mapping, whose pages have to be read
/// before they can be written to.
fn read_into_another_mount() {
    const LEN: usize = 1 << 18;
    let other = Other::new(&vec![b'o'; LEN]);
    let map = other.map(LEN, libc::PROT_READ | libc::PROT_WRITE);
    let mut m = Mock::new();
    let c = looking(&mut m);
    suites::daemon::until("the request", || m.pending().then_some(()));
    let header = memory(PAGE, 0);
    let n = vector(dev(&m), false, &[(header, 40), (map + 100, LEN - 100)]).expect("readv");
    assert_eq!(n, 45);
    let mut all = at(header, 40).to_vec();
    all.extend_from_slice(at(map + 100, 5));
    // What is not part of the message is as it was.
    assert!(at(map, 100).iter().all(|b| *b == b'o'));
    assert_eq!(at(map + 105, 1), b"o");
    let r = Request::parse(&all).expect("request");
    m.rec.push(&r);
    assert_eq!((r.op, r.name()), (Op::LOOKUP, "name".into()));
    m.reply(&r, &Entry::new(Attr::file(5, 0)).bytes());
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
    other.end(map, LEN);
}

fn reply_from_another_mount() {
    let mut content = vec![0; PAGE - 64];
    content.extend_from_slice(&Entry::new(Attr::file(5, 0)).bytes());
    let other = Other::new(&content);
    let map = other.map(2 * PAGE, libc::PROT_READ);
    let mut m = Mock::new();
    let c = looking(&mut m);
    let r = m.expect_name(Op::LOOKUP, "name");
    let mut header = message(r.unique, 0, &[]);
    header[..4].copy_from_slice(&144u32.to_ne_bytes());
    let pieces = [(header.as_ptr() as usize, 16), (map + PAGE - 64, 128)];
    assert_eq!(vector(dev(&m), true, &pieces), Ok(144));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
    other.end(map, 2 * PAGE);
}

/// The file ends in the middle of the reply: its last page is there, none is behind that.
fn reply_from_another_mount_too_short() {
    let other = Other::new(&[1; PAGE]);
    let map = other.map(2 * PAGE, libc::PROT_READ);
    let mut m = Mock::new();
    let c = looking(&mut m);
    let r = m.expect_name(Op::LOOKUP, "name");
    let mut header = message(r.unique, 0, &[]);
    header[..4].copy_from_slice(&144u32.to_ne_bytes());
    let pieces = [(header.as_ptr() as usize, 16), (map + PAGE - 64, 128)];
    assert_eq!(vector(dev(&m), true, &pieces), Err(EFAULT));
    assert_eq!(c.join::<Res<u64>>(), Err(EIO));
    m.finish();
    other.end(map, 2 * PAGE);
}

/// The buffer of a perf event is mapped as bare page frames: C, which must get pages, says EFAULT.
/// Ours copies what is mapped (Documentation/design.rst).
fn reply_from_memory_without_pages() {
    ktap::needs("CONFIG_PERF_EVENTS");
    // A software event that never counts anything: type, size; number.
    let event: [u64; 8] = [1 | (64 << 32), 9, 0, 0, 0, 0, 0, 0];
    // SAFETY: the structure has the size that it says; the mapping is new and never unmapped.
    let data = unsafe {
        let fd = check(libc::syscall(
            libc::SYS_perf_event_open,
            event.as_ptr(),
            0,
            -1,
            -1,
            0,
        ))
        .expect("perf_event_open");
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let p = libc::mmap(
            std::ptr::null_mut(),
            2 * PAGE,
            prot,
            libc::MAP_SHARED,
            fd as i32,
            0,
        );
        assert_ne!(p, libc::MAP_FAILED, "{}", last());
        p as usize + PAGE
    };
    assert_eq!(at(data, 64), [0; 64]);
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", &[0; 64]);
    let c = m.call("f", |p| {
        user::pread(&user::open(p, libc::O_RDONLY, 0)?, 64, 0).map(|b| b == [0; 64])
    });
    for op in [Op::LOOKUP, Op::OPEN] {
        let r = m.expect(op);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    let r = m.expect(Op::READ);
    let mut header = message(r.unique, 0, &[]);
    header[..4].copy_from_slice(&80u32.to_ne_bytes());
    let pieces = [(header.as_ptr() as usize, 16), (data, 64)];
    let (written, read) = match implementation() {
        Impl::C => (Err(EFAULT), Err(EIO)),
        Impl::Rust => (Ok(80), Ok(true)),
    };
    assert_eq!(vector(dev(&m), true, &pieces), written);
    assert_eq!(m.serve::<Res<bool>>(c, &mut |r| fs.handle(r)), read);
    m.finish();
}
