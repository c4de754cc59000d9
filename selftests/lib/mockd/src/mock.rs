// SPDX-License-Identifier: GPL-2.0

//! The daemon itself: one mount, its descriptor, and what was received on it.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::caller::{readable, Caller, Io};
use crate::errno::{Errno, Res};
use crate::memfs::Memfs;
use crate::mount::{self, Setup};
use crate::msg::Msg;
use crate::record::Recorder;
pub use crate::reply::Answer;
use crate::reply::{message, Init};
use crate::request::Request;
use crate::table::is_unasked;
use crate::wire::Op;

/// A mounted file system whose daemon is the test.
pub struct Mock {
    dev: Arc<OwnedFd>,
    /// Where it is mounted.
    pub mnt: PathBuf,
    /// What arrived.
    pub rec: Arc<Recorder>,
    /// Bytes offered to read(2).
    pub buf: usize,
    backlog: VecDeque<Request>,
    callers: u32,
    saved: bool,
}

impl Mock {
    /// Mounts plainly and answers INIT.
    pub fn new() -> Mock {
        Mock::with(&Setup::default(), &Init::plain())
    }

    /// Mounts as `setup` says and answers INIT with `init`.
    pub fn with(setup: &Setup, init: &Init) -> Mock {
        let mut m = Mock::uninit(setup);
        let r = m.expect(Op::INIT);
        m.reply(&r, &init.bytes());
        m
    }

    /// Mounts and leaves INIT to the test.
    pub fn uninit(setup: &Setup) -> Mock {
        Mock::try_mount(setup).expect("mount")
    }

    /// The same, where mounting may fail.
    pub fn try_mount(setup: &Setup) -> Res<Mock> {
        let dev = mount::open_dev(setup.nonblock)?;
        Mock::try_mount_dev(setup, dev)
    }

    /// Mounts on a fresh directory with a descriptor that is open already.
    pub fn try_mount_dev(setup: &Setup, dev: OwnedFd) -> Res<Mock> {
        static N: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = N.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mnt = std::env::current_dir()?.join(format!("mnt{n}"));
        std::fs::create_dir_all(&mnt)?;
        setup.mount(dev.as_fd(), &mnt)?;
        Ok(Mock {
            dev: Arc::new(dev),
            mnt,
            rec: Arc::default(),
            buf: (1 << 20) + 4096,
            backlog: VecDeque::new(),
            callers: 0,
            saved: false,
        })
        .inspect(|m| m.rec.name_pid(std::process::id() as i32, "daemon"))
    }

    /// A path below the mount.
    pub fn path(&self, rel: &str) -> PathBuf {
        if rel.is_empty() {
            self.mnt.clone()
        } else {
            self.mnt.join(rel)
        }
    }

    /// The device.
    pub fn dev(&self) -> BorrowedFd<'_> {
        self.dev.as_fd()
    }

    /// Starts a caller; it gets the path of the mount.
    pub fn caller<T: Msg>(&mut self, f: impl FnOnce(&Path, &Io) -> T) -> Caller {
        self.callers += 1;
        let mnt = self.mnt.clone();
        let c = Caller::spawn(Some(self.dev.as_fd()), |io| f(&mnt, io));
        self.rec.name_pid(c.pid, &format!("c{}", self.callers));
        c
    }

    /// A caller that does one thing with one path.
    pub fn call<T: Msg>(&mut self, rel: &str, f: impl FnOnce(&Path) -> T) -> Caller {
        let p = self.path(rel);
        self.caller(|_, _| f(&p))
    }

    /// One read(2) on the device: the whole message, recorded.
    pub fn read(&self) -> Res<Request> {
        read_request(self.dev.as_fd(), self.buf, &self.rec)
    }

    /// True if a request is there, at once.
    pub fn pending(&self) -> bool {
        !self.backlog.is_empty() || readable(self.dev.as_fd(), Duration::ZERO)
    }

    /// The next request of any kind.
    pub fn request(&mut self) -> Request {
        if let Some(r) = self.backlog.pop_front() {
            return r;
        }
        self.fresh("a request")
    }

    fn fresh(&self, what: &str) -> Request {
        assert!(
            readable(self.dev.as_fd(), ktap::patience()),
            "no request, expected {what}"
        );
        self.read()
            .unwrap_or_else(|e| panic!("read of the device: {e}, expected {what}"))
    }

    /// True if taken care of here: FORGETs, and what comes unasked, which gets ENOSYS.
    fn noise(&self, r: &Request, want: &[Op]) -> bool {
        if want.contains(&r.op) {
            return false;
        }
        if is_unasked(r) {
            self.fail(r, crate::errno::ENOSYS);
            return true;
        }
        matches!(r.op, Op::FORGET | Op::BATCH_FORGET)
    }

    /// The next request must be this one.
    #[track_caller]
    pub fn expect(&mut self, op: Op) -> Request {
        loop {
            let r = match self.backlog.pop_front() {
                Some(r) => r,
                None => self.fresh(&format!("{op:?}")),
            };
            if self.noise(&r, &[op]) {
                continue;
            }
            assert!(r.op == op, "expected {op:?}, got {r:?}");
            return r;
        }
    }

    /// The next request must be this one, with this name.
    #[track_caller]
    pub fn expect_name(&mut self, op: Op, name: &str) -> Request {
        let r = self.expect(op);
        assert_eq!(r.name(), name, "{r:?}");
        r
    }

    /// The next request that `want` likes; others wait for later.
    #[track_caller]
    pub fn find(&mut self, what: &str, want: impl Fn(&Request) -> bool) -> Request {
        if let Some(i) = self.backlog.iter().position(&want) {
            return self.backlog.remove(i).expect("in backlog");
        }
        loop {
            let r = self.fresh(what);
            if want(&r) {
                return r;
            }
            if !self.noise(&r, &[]) {
                self.backlog.push_back(r);
            }
        }
    }

    /// Nothing may be there.
    #[track_caller]
    pub fn expect_none(&mut self) {
        while self.pending() {
            let r = self.request();
            assert!(self.noise(&r, &[]), "expected no request, got {r:?}");
        }
    }

    /// Answers.
    #[track_caller]
    pub fn reply(&self, r: &Request, payload: &[u8]) {
        self.note_init(r, payload);
        let m = message(r.unique, 0, payload);
        assert_eq!(self.write(&m), Ok(m.len()), "reply to {r:?}");
    }

    /// Answers with an error.
    #[track_caller]
    pub fn fail(&self, r: &Request, e: Errno) {
        let m = message(r.unique, -e.0, &[]);
        assert_eq!(self.write(&m), Ok(m.len()), "reply to {r:?}");
    }

    /// Answers as `a` says.
    pub fn answer(&self, r: &Request, a: &Answer) -> Res<()> {
        if let Answer::Ok(payload) = a {
            self.note_init(r, payload);
        }
        answer(self.dev.as_fd(), r, a)
    }

    /// From the answer to INIT on, requests may be shorter.
    fn note_init(&self, r: &Request, payload: &[u8]) {
        if r.op == Op::INIT {
            self.rec.init_answered(payload);
        }
    }

    /// One write(2) on the device.
    pub fn write(&self, b: &[u8]) -> Res<usize> {
        Ok(rustix::io::write(&self.dev, b)?)
    }

    /// Lets `handler` answer until `caller` has ended, then everything that is still there, and
    /// gives the caller's value.
    #[track_caller]
    pub fn serve<T: Msg>(
        &mut self,
        caller: Caller,
        handler: &mut dyn FnMut(&Request) -> Answer,
    ) -> T {
        let mut callers = [caller];
        self.serve_all(&mut callers, handler);
        let [caller] = callers;
        let v = caller.join();
        self.drain(handler);
        v
    }

    /// Answers as `fs` does until this request comes, which is not answered.
    #[track_caller]
    pub fn serve_until(&mut self, op: Op, fs: &mut Memfs) -> Request {
        loop {
            let r = self.request();
            if r.op == op {
                return r;
            }
            let a = fs.handle(&r);
            self.answer(&r, &a).expect("answer");
        }
    }

    /// Runs `f` as a caller on `fs`.
    #[track_caller]
    pub fn run<T: Msg>(&mut self, fs: &mut Memfs, f: impl FnOnce(&Path) -> T) -> T {
        let c = self.caller(|mnt, _| f(mnt));
        self.serve(c, &mut |r| fs.handle(r))
    }

    /// Lets `handler` answer until all callers have ended.
    #[track_caller]
    pub fn serve_all(
        &mut self,
        callers: &mut [Caller],
        handler: &mut dyn FnMut(&Request) -> Answer,
    ) {
        let mut end = Instant::now() + ktap::patience();
        loop {
            if callers.iter_mut().all(|c| c.ended()) {
                break;
            }
            let state = || {
                callers
                    .iter()
                    .map(|c| c.state())
                    .collect::<Vec<_>>()
                    .join("; ")
            };
            assert!(Instant::now() < end, "callers do not end: {}", state());
            let mut fds = vec![rustix::event::PollFd::new(
                &self.dev,
                rustix::event::PollFlags::IN,
            )];
            fds.extend(callers.iter().map(|c| {
                rustix::event::PollFd::from_borrowed_fd(c.fd(), rustix::event::PollFlags::IN)
            }));
            let tick = rustix::event::Timespec {
                tv_sec: 0,
                tv_nsec: 100_000_000,
            };
            match rustix::event::poll(&mut fds, Some(&tick)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => panic!("poll: {e}"),
            }
            let there = !fds[0].revents().is_empty();
            drop(fds);
            if there || !self.backlog.is_empty() {
                self.one(handler);
                end = Instant::now() + ktap::patience();
            }
        }
    }

    fn one(&mut self, handler: &mut dyn FnMut(&Request) -> Answer) {
        let r = self.request();
        let a = handler(&r);
        match self.answer(&r, &a) {
            // The caller may have gone in the meantime.
            Ok(()) | Err(crate::errno::ENOENT) => {}
            Err(e) => panic!("reply to {r:?}: {e}"),
        }
    }

    /// Answers one request if one is there, without waiting.
    pub fn one_pending(&mut self, handler: &mut dyn FnMut(&Request) -> Answer) {
        if self.pending() {
            self.one(handler);
        }
    }

    /// Answers until nothing is there, without waiting. Callers that go on asking may keep it from
    /// ever returning.
    pub fn drain(&mut self, handler: &mut dyn FnMut(&Request) -> Answer) {
        while self.pending() {
            self.one(handler);
        }
    }

    /// Drops caches until the kernel holds no node of `fs`.
    pub fn forget_all(&mut self, fs: &mut Memfs) {
        let start = Instant::now();
        while !fs.held().is_empty() && start.elapsed() < ktap::patience() {
            crate::user::drop_caches();
            self.drain(&mut |r| fs.handle(r));
        }
    }

    /// Waits until the kernel holds node `node` of `fs` no more. Of a file that has no name it lets
    /// go some time after the last RELEASE was answered.
    #[track_caller]
    pub fn await_forgotten(&mut self, fs: &mut Memfs, node: u64) {
        let end = Instant::now() + ktap::patience();
        while fs.held().iter().any(|(held, _)| *held == node) {
            assert!(Instant::now() < end, "{node} is held: {:?}", fs.held());
            self.drain(&mut |r| fs.handle(r));
            std::thread::yield_now();
        }
    }

    /// Serves on `n` threads until the connection ends. Start the callers first.
    pub fn threads(
        &self,
        n: usize,
        handler: Arc<dyn Fn(&Request) -> Answer + Send + Sync>,
    ) -> Vec<JoinHandle<usize>> {
        (0..n)
            .map(|_| {
                let (dev, rec, h, buf) = (
                    self.dev.clone(),
                    self.rec.clone(),
                    handler.clone(),
                    self.buf,
                );
                std::thread::spawn(move || {
                    let mut served = 0;
                    loop {
                        match read_request(dev.as_fd(), buf, &rec) {
                            Ok(r) => {
                                served += 1;
                                match answer(dev.as_fd(), &r, &h(&r)) {
                                    Ok(()) | Err(crate::errno::ENOENT) => {}
                                    Err(e) => panic!("reply to {r:?}: {e}"),
                                }
                            }
                            Err(crate::errno::EINTR) => {}
                            // A request that an abort under way takes out of this reader's hands;
                            // the next read says ENODEV.
                            Err(crate::errno::ECONNABORTED) => {}
                            Err(crate::errno::ENODEV) => return served,
                            Err(e) => panic!("read of the device: {e}"),
                        }
                    }
                })
            })
            .collect()
    }

    /// Unmounts.
    #[track_caller]
    pub fn umount(&self) {
        mount::umount(&self.mnt, 0).expect("umount");
    }

    /// Closes the daemon's descriptor: the end of the daemon, if no copy is open.
    pub fn die(mut self) -> PathBuf {
        self.save();
        self.mnt.clone()
    }

    /// This mount's requests depend on time or chance and are not compared.
    pub fn without_record(&mut self) {
        self.saved = true;
    }

    fn save(&mut self) {
        if !self.saved && !std::thread::panicking() {
            self.saved = true;
            if self.rec.count(Op::TMPFILE) > 0 {
                // A file without a name is forgotten when its RELEASE has ended: in C at once, here
                // by a work item, which the end of the case may overtake.
                self.rec.leave_out(Op::FORGET);
                self.rec.leave_out(Op::BATCH_FORGET);
            }
            self.rec.save();
        }
    }

    /// Ends a case that is **only compared**: what it is about is in the record, which must be the
    /// other module's, and it asserts itself no more than that the calls went as they should. With
    /// one module alone it says little.
    #[track_caller]
    pub fn finish_compared(self) {
        assert!(!self.saved, "nothing is left to compare");
        println!("only compared: what arrived must be what arrives on the other module");
        self.finish();
    }

    /// Answers what is left of RELEASEs, checks that nothing else is, unmounts and keeps the
    /// record.
    #[track_caller]
    pub fn finish(mut self) {
        while self.pending() {
            let r = self.request();
            if matches!(r.op, Op::RELEASE | Op::RELEASEDIR) {
                self.reply(&r, &[]);
            } else {
                assert!(self.noise(&r, &[]), "left over at the end: {r:?}");
            }
        }
        self.save();
        self.umount();
        assert_eq!(
            self.read().err(),
            Some(crate::errno::ENODEV),
            "device after umount"
        );
    }
}

impl Default for Mock {
    fn default() -> Mock {
        Mock::new()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.save();
    }
}

thread_local! {
    /// What a request is read into; kept, for clearing it costs more than all the rest.
    static BUFFER: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// One read(2) of a whole request, checked and recorded.
pub fn read_request(dev: BorrowedFd<'_>, size: usize, rec: &Recorder) -> Res<Request> {
    BUFFER.with_borrow_mut(|b| {
        if b.len() < size {
            b.resize(size, 0);
        }
        let n = rustix::io::read(dev, &mut b[..size])?;
        let mut r = Request::parse(&b[..n]).unwrap_or_else(|e| panic!("bad request: {e}"));
        r.minor = rec.minor();
        let odd = r.unique & 1 != 0;
        // What answers RETRIEVE has the number that the daemon gave.
        let any = r.op == Op::NOTIFY_REPLY;
        assert!(any || odd == (r.op == Op::INTERRUPT), "unique of {r:?}");
        rec.push(&r);
        Ok(r)
    })
}

/// Writes an answer.
pub fn answer(dev: BorrowedFd<'_>, r: &Request, a: &Answer) -> Res<()> {
    let m = match a {
        Answer::Ok(payload) => message(r.unique, 0, payload),
        Answer::Err(e) => message(r.unique, -e.0, &[]),
        Answer::None => return Ok(()),
    };
    let n = rustix::io::write(dev, &m)?;
    assert_eq!(n, m.len(), "reply to {r:?}");
    Ok(())
}
