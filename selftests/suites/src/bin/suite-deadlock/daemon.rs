// SPDX-License-Identifier: GPL-2.0

//! The daemon that waits for itself: a process of its own, so that it can be killed as a whole.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use mockd::errno::*;
use mockd::mem::{read_at, shared, write_at, Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::{answer, read_request};
use mockd::mount::open_dev;
use mockd::record::Recorder;
use mockd::reply::{message, Entry};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Init, Io, Request, Setup};

use crate::scene::{Scene, Trap};

/// What the daemon says about itself to the test, in memory that both have.
#[repr(C)]
pub struct Shared {
    /// How often a thread has gone into the trap.
    entered: AtomicU32,
    /// How many are inside.
    inside: AtomicU32,
    /// What the first call that came back from there gave: an errno, zero, or `NONE`.
    first: AtomicI32,
}

const NONE: i32 = -1;

impl Shared {
    /// To be made before the daemon is forked.
    pub fn new() -> &'static Shared {
        // SAFETY: integers, which may be zero.
        let s: &Shared = unsafe { shared() };
        s.first.store(NONE, SeqCst);
        s
    }

    pub fn entered(&self) -> bool {
        self.entered.load(SeqCst) > 0
    }

    pub fn inside(&self) -> u32 {
        self.inside.load(SeqCst)
    }

    pub fn first(&self) -> Option<Res<()>> {
        match self.first.load(SeqCst) {
            NONE => None,
            0 => Some(Ok(())),
            e => Some(Err(Errno(e))),
        }
    }

    fn trapped<T>(&self, f: impl FnOnce() -> Res<T>) -> Res<T> {
        self.inside.fetch_add(1, SeqCst);
        self.entered.fetch_add(1, SeqCst);
        let r = f();
        let code = r.as_ref().map_or_else(|e| e.0, |_| 0);
        // In this order: whoever sees a result sees that nobody is inside for it any more.
        self.inside.fetch_sub(1, SeqCst);
        let _ = self.first.compare_exchange(NONE, code, SeqCst, SeqCst);
        r
    }
}

/// What is in the file that is read.
pub fn content() -> Vec<u8> {
    (0..PAGE).map(|i| (i * 7 / 3) as u8).collect()
}

/// Bytes offered to read(2) where the message is to end in the trap: not more than must be.
const ROOM: usize = 8192;

struct Daemon {
    scene: Scene,
    dev: i32,
    mnt: PathBuf,
    fs: Mutex<Memfs>,
    rec: Recorder,
    shared: &'static Shared,
    /// Where the file is mapped, behind a page of ordinary memory.
    mapping: OnceLock<usize>,
    /// The next message is to be read into the trap, or answered from it.
    armed: AtomicU32,
    /// The other threads may serve.
    all: (Mutex<bool>, Condvar),
}

/// Runs until the connection ends. Says when it is mounted, takes commands as [`Scene::start`]
/// gives them, and at the next one closes its device.
pub fn run(scene: &Scene, mnt: &Path, shared: &'static Shared, io: &Io) {
    let daemon = Arc::new(Daemon::mount(scene, mnt, shared));
    let first = thread(&daemon, |d| d.serve(true));
    if let Some(name) = scene.mapped() {
        let mapping = daemon.map(name);
        daemon.mapping.set(mapping).expect("once");
    }
    let others: Vec<_> = (1..scene.threads)
        .map(|_| {
            thread(&daemon, |d| {
                let held = d.all.0.lock().expect("lock");
                drop(d.all.1.wait_while(held, |all| !*all).expect("lock"));
                d.serve(false);
            })
        })
        .collect();
    // SAFETY: the process ends with this function's caller; the thread uses it no longer than that.
    let io: &'static Io = unsafe { &*std::ptr::from_ref(io) };
    thread(&daemon, move |d| d.obey(io));
    first.join().expect("thread");
    daemon.let_all_serve();
    others.into_iter().for_each(|t| t.join().expect("thread"));
}

fn thread(
    daemon: &Arc<Daemon>,
    f: impl FnOnce(&Daemon) + Send + 'static,
) -> std::thread::JoinHandle<()> {
    let daemon = daemon.clone();
    std::thread::spawn(move || f(&daemon))
}

impl Daemon {
    fn mount(scene: &Scene, mnt: &Path, shared: &'static Shared) -> Daemon {
        let dev = open_dev(false).expect("/dev/fuse");
        Setup::default().mount(dev.as_fd(), mnt).expect("mount");
        let mut fs = Memfs::new();
        let dir = fs.dir("d");
        fs.add(dir, "f", libc::S_IFREG | 0o644, b"");
        fs.file("f", &content());
        fs.file("other", b"");
        let mut entry = Entry::new(Attr::file(77, 0)).bytes();
        entry.resize(PAGE, 0);
        fs.file("entry", &entry);
        let daemon = Daemon {
            scene: *scene,
            dev: dev.into_raw_fd(),
            mnt: mnt.into(),
            fs: Mutex::new(fs),
            rec: Recorder::default(),
            shared,
            mapping: OnceLock::new(),
            armed: AtomicU32::new(0),
            all: (Mutex::new(false), Condvar::new()),
        };
        let init = daemon.next().expect("INIT");
        assert_eq!(init.op, Op::INIT);
        let mut how = Init {
            max_write: 4096,
            ..Init::plain()
        };
        if !scene.async_read {
            how = how.without("ASYNC_READ");
        }
        let m = message(init.unique, 0, &how.bytes());
        assert_eq!(rustix::io::write(daemon.fd(), &m), Ok(m.len()));
        daemon
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: open until the test has it closed, and what happens then is its purpose.
        unsafe { BorrowedFd::borrow_raw(self.dev) }
    }

    /// Maps a file of our own mount behind a page of ordinary memory; the other thread serves that.
    fn map(&self, name: &str) -> usize {
        let file = user::open(&self.mnt.join(name), libc::O_RDONLY, 0).expect("open");
        let pages = Pages::new(1 + ROOM / PAGE + 1);
        let place = pages.addr() + PAGE;
        std::mem::forget(pages);
        let (prot, flags) = if self.scene.trap.reads() {
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE)
        } else {
            (libc::PROT_READ, libc::MAP_SHARED)
        };
        // SAFETY: in place of a page of ours.
        unsafe {
            let p = libc::mmap(
                place as *mut _,
                PAGE,
                prot,
                flags | libc::MAP_FIXED,
                file.as_raw_fd(),
                0,
            );
            assert_ne!(p, libc::MAP_FAILED, "{}", last());
        }
        if self.scene.keep {
            std::mem::forget(file);
        }
        place
    }

    /// The test's commands, in their order.
    fn obey(&self, io: &Io) {
        if self.scene.trap == Trap::Unlink {
            self.let_all_serve();
            io.put(());
        } else {
            io.put(());
            io.wait();
            self.armed.store(1, SeqCst);
            io.put(());
            io.wait();
            self.let_all_serve();
        }
        io.wait();
        // SAFETY: ours; the threads that use it get an error from then on.
        unsafe { libc::close(self.dev) };
    }

    fn let_all_serve(&self) {
        *self.all.0.lock().expect("lock") = true;
        self.all.1.notify_all();
    }

    /// The next request; `None` once the connection has ended.
    fn next(&self) -> Option<Request> {
        loop {
            match read_request(self.fd(), 1 << 17, &self.rec) {
                Ok(r) => return Some(r),
                Err(EINTR) => {}
                Err(ENODEV | ECONNABORTED | EBADF) => return None,
                Err(e) => panic!("read of the device: {e}"),
            }
        }
    }

    fn serve(&self, first: bool) {
        loop {
            if first && self.scene.trap.reads() {
                // Not in read(2) already when the trap is set.
                let _ = mockd::caller::readable(self.fd(), Duration::from_secs(1 << 20));
                if self.armed.swap(0, SeqCst) == 1 {
                    if let Some(r) = self.read_into_trap() {
                        self.reply(&r);
                    }
                    continue;
                }
            }
            let Some(r) = self.next() else { return };
            if !self.fall_into_trap(&r) {
                self.reply(&r);
            }
        }
    }

    fn reply(&self, r: &Request) {
        let a = self.fs.lock().expect("lock").handle(r);
        match answer(self.fd(), r, &a) {
            Ok(()) | Err(ENOENT | EPERM | EBADF) => {}
            Err(e) => panic!("reply to {r:?}: {e}"),
        }
    }

    /// Where the message starts that is to end in the mapping.
    fn before(&self, bytes: usize) -> usize {
        self.mapping.get().expect("mapping") - bytes
    }

    fn read_into_trap(&self) -> Option<Request> {
        const HEADER: usize = 40;
        let from = self.before(HEADER);
        let n = self.shared.trapped(|| read_at(self.dev, from, ROOM)).ok()?;
        // SAFETY: n bytes were read there, all of it mapped.
        let bytes = unsafe { std::slice::from_raw_parts(from as *const u8, n) };
        Some(Request::parse(bytes).expect("request"))
    }

    /// Does what brings the deadlock about, if it is time; true if that has answered.
    fn fall_into_trap(&self, r: &Request) -> bool {
        // The number is a thread's.
        let ours = Path::new("/proc/self/task").join(r.pid.to_string());
        match (self.scene.trap, r.op) {
            (Trap::Unlink, Op::UNLINK) if self.scene.again || !ours.exists() => {
                let path = self.mnt.join("d/f");
                let _ = self.shared.trapped(|| user::unlink(&path));
                false
            }
            (Trap::Answer, Op::READ) | (Trap::OwnAnswer, Op::LOOKUP)
                if self.armed.swap(0, SeqCst) == 1 =>
            {
                let len = if r.op == Op::READ { PAGE } else { 128 };
                let header = message(r.unique, 0, &[]);
                let from = self.before(header.len());
                // SAFETY: the end of the page of ordinary memory.
                unsafe {
                    let place = std::slice::from_raw_parts_mut(from as *mut u8, header.len());
                    place.copy_from_slice(&header);
                    (from as *mut u32).write_unaligned((header.len() + len) as u32);
                }
                self.shared
                    .trapped(|| write_at(self.dev, from, header.len() + len))
                    .is_ok()
            }
            _ => false,
        }
    }
}
