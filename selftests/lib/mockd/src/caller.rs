// SPDX-License-Identifier: GPL-2.0

//! Callers: processes that work on the mount while the test is the daemon.
//!
//! They are processes and not threads, because the exit of a process that is both caller and daemon
//! can wait for its own answer for ever. A caller runs one closure, which may [`Io::put`] values to
//! the test and [`Io::wait`] for its word.

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::errno::{check, Res};
use crate::msg::Msg;

/// The caller's end of its connection to the test.
pub struct Io {
    fd: OwnedFd,
}

const TAG_PUT: u8 = 1;
const TAG_END: u8 = 2;
const TAG_PANIC: u8 = 3;

impl Io {
    fn send(&self, tag: u8, payload: &[u8]) {
        let mut m = vec![tag];
        m.extend_from_slice(&(payload.len() as u32).to_ne_bytes());
        m.extend_from_slice(payload);
        let mut rest = &m[..];
        while !rest.is_empty() {
            match rustix::io::write(&self.fd, rest) {
                Ok(n) => rest = &rest[n..],
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    /// Hands a value to the test, which gets it with [`Caller::get`].
    pub fn put<T: Msg>(&self, v: T) {
        self.send(TAG_PUT, &v.encode());
    }

    /// Waits until the test says [`Caller::go`].
    pub fn wait(&self) {
        let mut b = [0u8; 1];
        loop {
            match rustix::io::read(&self.fd, &mut b) {
                Ok(1) => return,
                Err(rustix::io::Errno::INTR) => {}
                _ => std::process::exit(1),
            }
        }
    }
}

/// A running caller, seen from the test.
pub struct Caller {
    pub pid: i32,
    fd: OwnedFd,
    buf: Vec<u8>,
    end: Option<Vec<u8>>,
    reaped: bool,
}

impl Caller {
    /// Forks a process that closes `dev` and runs `f`.
    pub fn spawn<T: Msg>(dev: Option<BorrowedFd<'_>>, f: impl FnOnce(&Io) -> T) -> Caller {
        let (mine, its) = rustix_socketpair();
        let _ = std::io::stdout().flush();
        // SAFETY: the test has one thread when it starts callers, or its other threads hold no lock
        // that the child takes (they only serve the device).
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork");
        if pid == 0 {
            if let Some(d) = dev {
                // SAFETY: the copy of the descriptor in this process is used by nothing else in it.
                unsafe { libc::close(d.as_raw_fd()) };
            }
            drop(mine);
            // SAFETY: prctl with integers.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            let io = Io { fd: its };
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(&io))) {
                Ok(v) => io.send(TAG_END, &v.encode()),
                Err(_) => io.send(TAG_PANIC, &[]),
            }
            // SAFETY: no precondition.
            unsafe { libc::_exit(0) };
        }
        Caller {
            pid,
            fd: mine,
            buf: Vec::new(),
            end: None,
            reaped: false,
        }
    }

    /// To poll for what the caller says.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Lets a caller in [`Io::wait`] go on.
    pub fn go(&self) {
        let _ = rustix::io::write(&self.fd, &[1]);
    }

    /// Reads what is there; false at the end of the stream.
    fn fill(&mut self) -> bool {
        let mut b = vec![0u8; 65536];
        match rustix::io::read(&self.fd, &mut b) {
            Ok(0) | Err(rustix::io::Errno::CONNRESET) => false,
            Ok(n) => {
                self.buf.extend_from_slice(&b[..n]);
                true
            }
            Err(e) => panic!("reading from caller: {e}"),
        }
    }

    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let len = u32::from_ne_bytes(self.buf.get(1..5)?.try_into().ok()?) as usize;
        let body = self.buf.get(5..5 + len)?.to_vec();
        let tag = self.buf[0];
        self.buf.drain(..5 + len);
        Some((tag, body))
    }

    fn next(&mut self, bound: Duration) -> Option<(u8, Vec<u8>)> {
        let end = Instant::now() + bound;
        loop {
            if let Some(f) = self.frame() {
                return Some(f);
            }
            if !readable(
                self.fd.as_fd(),
                end.saturating_duration_since(Instant::now()),
            ) {
                return None;
            }
            if !self.fill() {
                return self.frame();
            }
        }
    }

    /// The next value that the caller puts.
    pub fn get<T: Msg>(&mut self) -> T {
        match self.next(ktap::patience()) {
            Some((TAG_PUT, b)) => T::decode(&b).expect("value from caller"),
            Some((TAG_PANIC, _)) => panic!("caller {} panicked", self.pid),
            Some(_) => panic!("caller {} ended instead of putting a value", self.pid),
            None => panic!("caller {} puts nothing", self.pid),
        }
    }

    /// True once the closure has returned; does not wait.
    pub fn ended(&mut self) -> bool {
        if self.end.is_some() {
            return true;
        }
        while readable(self.fd.as_fd(), Duration::ZERO) {
            if !self.fill() {
                break;
            }
        }
        match self.buf.first() {
            Some(&TAG_END) | Some(&TAG_PANIC) => true,
            _ => self.reaped || self.exited(),
        }
    }

    /// True if the closure has panicked; does not wait.
    pub fn panicked(&mut self) -> bool {
        self.ended() && self.buf.first() == Some(&TAG_PANIC)
    }

    /// True once the process is gone or a zombie.
    pub fn exited(&self) -> bool {
        let (gone, info) = self.waitid();
        // SAFETY: waitid(2) has filled it in, or left it zero.
        gone || unsafe { info.si_pid() } != 0
    }

    /// The signal that has killed the process.
    pub fn signalled(&self) -> Option<i32> {
        let (_, info) = self.waitid();
        let killed = matches!(info.si_code, libc::CLD_KILLED | libc::CLD_DUMPED);
        // SAFETY: as above.
        killed.then(|| unsafe { info.si_status() })
    }

    /// What there is to be known of the process's end; true if there is no such child any more.
    fn waitid(&self) -> (bool, libc::siginfo_t) {
        // SAFETY: info is valid for writing; WNOWAIT leaves the child to be reaped later.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let r = libc::waitid(
                libc::P_PID,
                self.pid as u32,
                &mut info,
                libc::WEXITED | libc::WNOHANG | libc::WNOWAIT,
            );
            (r != 0, info)
        }
    }

    /// Waits for the closure's value and for the end of the process.
    pub fn join<T: Msg>(mut self) -> T {
        let got = self.next(ktap::patience());
        match got {
            Some((TAG_END, b)) => {
                let v = T::decode(&b).expect("value from caller");
                self.reap();
                v
            }
            Some((TAG_PANIC, _)) => panic!("caller {} panicked", self.pid),
            Some(_) => panic!("caller {} put a value nobody took", self.pid),
            None => panic!(
                "caller {} does not end; {}",
                self.pid,
                ktap::describe_descendants()
            ),
        }
    }

    /// Sends a signal.
    pub fn kill(&self, sig: i32) {
        // SAFETY: the pid is of a child not yet reaped.
        unsafe { libc::kill(self.pid, sig) };
    }

    /// Runs `f`, which wakes the process, to its end before the process gets on: both on one
    /// processor, and this thread at a higher priority. `f` does not sleep.
    pub fn behind<T>(&self, f: impl FnOnce() -> T) -> T {
        let all = affinity();
        // SAFETY: A set of processors is plain bits.
        let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: Sets a bit.
        unsafe { libc::CPU_SET(0, &mut one) };
        set_affinity(self.pid, &one);
        set_affinity(0, &one);
        set_scheduler(libc::SCHED_FIFO, 1);
        let v = f();
        set_scheduler(libc::SCHED_OTHER, 0);
        set_affinity(0, &all);
        set_affinity(self.pid, &all);
        v
    }

    /// Waits for the process to be gone.
    pub fn reap(&mut self) -> i32 {
        let end = Instant::now() + ktap::patience();
        while !self.exited() {
            assert!(
                Instant::now() < end,
                "caller {} does not exit: {}",
                self.pid,
                self.state()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut st = 0;
        // SAFETY: st is valid for writing.
        let _: Res<i64> = check(unsafe { libc::waitpid(self.pid, &mut st, 0) });
        self.reaped = true;
        st
    }

    /// Scheduler state letter and where it waits, for messages and for waiting until it sleeps.
    pub fn state(&self) -> String {
        let get = |n: &str| {
            std::fs::read_to_string(format!("/proc/{}/{n}", self.pid)).unwrap_or_default()
        };
        let stat = get("stat");
        let letter = stat
            .rfind(')')
            .and_then(|p| stat.get(p + 2..p + 3))
            .unwrap_or("?")
            .to_string();
        format!(
            "{letter} in {} ({})",
            get("wchan").trim(),
            get("syscall").trim()
        )
    }

    /// True once the process is on its way out, past all that it was doing (`PF_EXITING`).
    pub fn exiting(&self) -> bool {
        const PF_EXITING: u64 = 0x4;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rfind(')')
            .and_then(|p| stat.get(p + 2..))
            .and_then(|rest| rest.split(' ').nth(6))
            .and_then(|flags| flags.parse::<u64>().ok())
            .is_none_or(|flags| flags & PF_EXITING != 0)
    }

    /// Waits until the process, which was sent a signal, sleeps so that this signal does not wake
    /// it any more: it waits for what only the daemon, or SIGKILL, or an end of the connection
    /// brings.
    #[track_caller]
    pub fn wait_signalled(&self) {
        let end = Instant::now() + ktap::patience();
        loop {
            let state = self.state();
            if state.starts_with('D') {
                return;
            }
            assert!(!state.starts_with('Z'), "it did not wait: {state}");
            assert!(
                Instant::now() < end,
                "caller {} does not wait on after its signal: {state}",
                self.pid
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// True if the process sleeps inside a system call, or has ended.
    fn asleep(&self) -> bool {
        let s = self.state();
        let call = s
            .rsplit('(')
            .next()
            .and_then(|c| c.split(' ').next())
            .and_then(|n| n.parse().ok());
        match s.as_bytes().first() {
            Some(b'Z') => true,
            // Not a fault of its memory, which has the number -1.
            Some(b'S' | b'D' | b'I') => call.is_some_and(|n: i64| n >= 0),
            _ => false,
        }
    }

    /// Waits until the process sleeps in a system call or has ended, so that what it does next is
    /// done by others.
    pub fn wait_asleep(&self) {
        let end = Instant::now() + ktap::patience();
        while !self.asleep() {
            assert!(
                Instant::now() < end,
                "caller {} never sleeps: {}",
                self.pid,
                self.state()
            );
            std::thread::yield_now();
        }
    }
}

/// Where this thread may run.
fn affinity() -> libc::cpu_set_t {
    // SAFETY: Plain bits, which the call fills in.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let r = libc::sched_getaffinity(0, size_of_val(&set), &mut set);
        assert_eq!(r, 0, "{}", crate::errno::last());
        set
    }
}

/// Says where a task runs, or (0) this thread; it may be gone.
fn set_affinity(pid: i32, set: &libc::cpu_set_t) {
    // SAFETY: The set is as long as said.
    let r = unsafe { libc::sched_setaffinity(pid, size_of_val(set), set) };
    let e = crate::errno::last();
    assert!(r == 0 || (pid != 0 && e == crate::errno::ESRCH), "{e}");
}

/// Of this thread.
fn set_scheduler(policy: i32, priority: i32) {
    let param = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: The parameter is valid.
    let r = unsafe { libc::sched_setscheduler(0, policy, &param) };
    assert_eq!(r, 0, "{}", crate::errno::last());
}

impl Drop for Caller {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill(libc::SIGKILL);
        }
    }
}

fn rustix_socketpair() -> (OwnedFd, OwnedFd) {
    let (a, b) = std::os::unix::net::UnixStream::pair().expect("socketpair");
    (a.into(), b.into())
}

/// Waits until `fd` can be read, has an error or is at its end.
pub fn readable(fd: BorrowedFd<'_>, bound: Duration) -> bool {
    let mut fds = [rustix::event::PollFd::new(
        &fd,
        rustix::event::PollFlags::IN,
    )];
    let ts = rustix::event::Timespec {
        tv_sec: bound.as_secs() as i64,
        tv_nsec: bound.subsec_nanos().into(),
    };
    loop {
        match rustix::event::poll(&mut fds, Some(&ts)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(n) => return n > 0,
            Err(e) => panic!("poll: {e}"),
        }
    }
}
