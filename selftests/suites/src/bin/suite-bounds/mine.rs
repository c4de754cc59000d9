// SPDX-License-Identifier: GPL-2.0

//! The user's own: mounts whose daemon is the process that has made them, and callers. No request
//! is recorded, for the records of a flood would be another one.

use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mockd::errno::*;
use mockd::mock::Answer;
use mockd::mount::open_dev;
use mockd::reply::{attr_out, message, open_out, LONG};
use mockd::wire::Op;
use mockd::{Attr, Entry, Init, Request, Setup};

/// Room for a request of any length.
const BUFFER: usize = (1 << 20) + 4096;

/// A mount.
pub struct Mount {
    dev: OwnedFd,
    pub mnt: PathBuf,
    buf: RefCell<Vec<u8>>,
    /// What each open of a file is answered with.
    pub open_flags: Cell<u32>,
    /// The last node that was given.
    nodes: Cell<u64>,
}

impl Mount {
    /// Mounts, and answers INIT. None if there is no memory for it.
    pub fn new(init: &Init) -> Option<Mount> {
        let m = Mount::uninit()?;
        let r = m.within(ktap::patience())?;
        assert_eq!(r.op, Op::INIT);
        m.answer(&r, &Answer::Ok(init.bytes())).ok()?;
        Some(m)
    }

    /// The same without the answer.
    pub fn uninit() -> Option<Mount> {
        static N: AtomicU32 = AtomicU32::new(0);
        let n = N.fetch_add(1, Ordering::Relaxed);
        let mnt = ktap::dir().join(format!("{}-{n}", std::process::id()));
        std::fs::create_dir(&mnt).ok()?;
        let dev = open_dev(true).ok()?;
        Setup::default().mount(dev.as_fd(), &mnt).ok()?;
        Some(Mount {
            dev,
            mnt,
            buf: RefCell::new(vec![0; BUFFER]),
            open_flags: Cell::new(0),
            nodes: Cell::new(1),
        })
    }

    pub fn dev(&self) -> BorrowedFd<'_> {
        self.dev.as_fd()
    }

    /// One request, if there is any.
    fn read(&self) -> Res<Request> {
        let mut b = self.buf.borrow_mut();
        let n = rustix::io::read(&self.dev, &mut b[..])?;
        Ok(Request::parse(&b[..n]).expect("a request"))
    }

    /// One request, if there is any within the time.
    pub fn within(&self, bound: Duration) -> Option<Request> {
        // Mostly there is one.
        if let Ok(r) = self.read() {
            return Some(r);
        }
        mockd::caller::readable(self.dev(), bound).then(|| self.read().ok())?
    }

    /// Answers what comes first, and gives the unique of such a request, if the one who is to send
    /// it lives to.
    pub fn held(&self, op: Op) -> Option<u64> {
        loop {
            let r = self.within(ktap::patience())?;
            if r.op == op {
                return Some(r.unique);
            }
            self.plainly(&r);
        }
    }

    /// Answers all that comes, but these, until the tasks are gone and nothing comes any more.
    pub fn serve_all_but(&self, op: Op, mut tasks: Vec<Task>) {
        loop {
            match self.within(Duration::from_millis(1)) {
                Some(r) if r.op == op => {}
                Some(r) => self.plainly(&r),
                None if tasks.is_empty() => return,
                None => tasks.retain(|t| !t.ended()),
            }
        }
    }

    /// So many callers, or fewer, if the user may have no more.
    pub fn callers(&self, n: usize, f: impl Fn(&Path, usize)) -> Vec<Task> {
        (0..n).map_while(|i| self.caller(|mnt| f(mnt, i))).collect()
    }

    /// Answers: each name is a file of its own, and everything else is well or unknown.
    pub fn plainly(&self, r: &Request) {
        let a = match r.op {
            Op::LOOKUP => {
                self.nodes.set(self.nodes.get() + 1);
                Answer::Ok(Entry::new(Attr::file(self.nodes.get(), 1 << 20)).bytes())
            }
            Op::OPEN => Answer::Ok(open_out(1, self.open_flags.get())),
            Op::OPENDIR => Answer::Ok(open_out(1, 0)),
            Op::GETATTR => Answer::Ok(attr_out(LONG, &Attr::dir(1))),
            Op::FORGET | Op::BATCH_FORGET | Op::INTERRUPT => Answer::None,
            Op::RELEASE | Op::RELEASEDIR => Answer::Ok(vec![]),
            _ => Answer::Err(ENOSYS),
        };
        // Who asked may be gone.
        let _ = self.answer(r, &a);
    }

    pub fn answer(&self, r: &Request, a: &Answer) -> Res<()> {
        mockd::mock::answer(self.dev(), r, a)
    }

    /// Any bytes.
    pub fn write(&self, b: &[u8]) -> Res<usize> {
        Ok(rustix::io::write(&self.dev, b)?)
    }

    /// An error, whether anybody waits for it or not.
    pub fn fail(&self, unique: u64, e: Errno) {
        let _ = self.write(&message(unique, -e.0, &[]));
    }

    /// Closes this process's copy of the daemon's descriptor, in a child that does not use it.
    pub fn leave(&self) {
        // SAFETY: nothing in this process uses it again.
        unsafe { libc::close(self.dev.as_raw_fd()) };
    }

    /// A caller, which has not the daemon's descriptor. None if the user may have no more tasks, or
    /// no more memory.
    pub fn caller(&self, f: impl FnOnce(&Path)) -> Option<Task> {
        // SAFETY: this process has one thread.
        match unsafe { libc::fork() } {
            0 => {
                self.leave();
                let run = std::panic::AssertUnwindSafe(|| f(&self.mnt));
                let ok = std::panic::catch_unwind(run).is_ok();
                // SAFETY: no precondition.
                unsafe { libc::_exit(i32::from(!ok)) }
            }
            -1 => None,
            pid => Some(Task(pid)),
        }
    }
}

/// A child of this process.
pub struct Task(pub i32);

impl Task {
    pub fn kill(&self) {
        // SAFETY: a child that has not been waited for.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }

    /// Whether it has ended; it is not buried.
    pub fn is_gone(&self) -> bool {
        // SAFETY: information to be filled in, which may be zero.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
            let r = libc::waitid(libc::P_PID, self.0 as u32, &mut info, options);
            r != 0 || info.si_pid() != 0
        }
    }

    /// Whether it has ended; it is buried then, and this must not be asked again.
    pub fn ended(&self) -> bool {
        let mut status = 0;
        // SAFETY: a place for the status.
        let r = unsafe { libc::waitpid(self.0, &mut status, libc::WNOHANG) };
        // What else it could do but exit well is to be killed, by us or for want of memory.
        assert!(r == 0 || !libc::WIFEXITED(status) || libc::WEXITSTATUS(status) == 0);
        r != 0
    }
}
