// SPDX-License-Identifier: GPL-2.0

//! A daemon of one thread that sends a notification while it has a request: a process of its own,
//! so that it can be killed.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};

use mockd::errno::*;
use mockd::mem::shared;
use mockd::memfs::Memfs;
use mockd::mock::{answer, read_request};
use mockd::mount::open_dev;
use mockd::record::Recorder;
use mockd::reply::message;
use mockd::user;
use mockd::wire::ROOT;
use mockd::{Init, Io, Op, Setup};

use crate::held::Request;

/// Nodes of the daemon's files.
pub const D: u64 = 2;
pub const F: u64 = 3;
pub const E: u64 = 4;

/// What the daemon and the test tell each other.
#[repr(C)]
pub struct Shared {
    /// The daemon is to keep the next such request.
    armed: AtomicBool,
    /// It has it.
    has: AtomicBool,
    /// It is inside its notification.
    inside: AtomicBool,
    /// What that gave: an errno, zero, or [`NONE`].
    result: AtomicI32,
}

const NONE: i32 = -1;

impl Shared {
    /// To be made before the daemon is forked.
    pub fn new() -> &'static Shared {
        // SAFETY: integers and flags, which may be zero.
        let s: &Shared = unsafe { shared() };
        s.result.store(NONE, SeqCst);
        s
    }

    pub fn arm(&self) {
        self.armed.store(true, SeqCst);
    }

    pub fn has(&self) -> bool {
        self.has.load(SeqCst)
    }

    pub fn is_inside(&self) -> bool {
        self.inside.load(SeqCst)
    }

    pub fn result(&self) -> Option<Res<()>> {
        match self.result.load(SeqCst) {
            NONE => None,
            0 => Some(Ok(())),
            e => Some(Err(Errno(e))),
        }
    }

    fn notify(&self, dev: &OwnedFd, notification: &[u8]) {
        self.inside.store(true, SeqCst);
        let r = user::write(dev, notification);
        self.result.store(r.map_or_else(|e| e.0, |_| 0), SeqCst);
        self.inside.store(false, SeqCst);
    }
}

/// Serves until the connection ends. Says when it is mounted; once it has the request that is to be
/// kept, it waits for the test's word, sends the notification, and then answers.
pub fn run(request: &Request, notification: &[u8], mnt: &Path, shared: &Shared, io: &Io) {
    let dev = open_dev(false).expect("/dev/fuse");
    Setup::default().mount(dev.as_fd(), mnt).expect("mount");
    let rec = Recorder::default();
    let mut fs = Memfs::new();
    assert_eq!(fs.dir("d"), D);
    assert_eq!(fs.add(D, "f", libc::S_IFREG | 0o644, &[7; 5000]), F);
    assert_eq!(fs.add(D, "e", libc::S_IFDIR | 0o755, b""), E);
    fs.add(ROOT, "other", libc::S_IFREG | 0o644, b"");
    if request.revalidates {
        fs.entry_valid = (0, 0);
    }

    let init = read_request(dev.as_fd(), 1 << 18, &rec).expect("INIT");
    // So that C's caller waits for the answer, and not for the page.
    let how = Init::plain().without("ASYNC_READ");
    let m = message(init.unique, 0, &how.bytes());
    assert_eq!(user::write(&dev, &m), Ok(m.len()));
    io.put(());
    loop {
        let r = match read_request(dev.as_fd(), 1 << 18, &rec) {
            Ok(r) => r,
            Err(EINTR) => continue,
            Err(ENODEV | ECONNABORTED) => return,
            Err(e) => panic!("read of the device: {e}"),
        };
        let named = r.op != Op::LOOKUP || r.name() == request.name;
        if r.op == request.op && named && shared.armed.swap(false, SeqCst) {
            shared.has.store(true, SeqCst);
            io.wait();
            shared.notify(&dev, notification);
        }
        match answer(dev.as_fd(), &r, &fs.handle(&r)) {
            Ok(()) | Err(ENOENT | EPERM | ENODEV) => {}
            Err(e) => panic!("reply to {r:?}: {e}"),
        }
    }
}
