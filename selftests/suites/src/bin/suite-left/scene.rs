// SPDX-License-Identifier: GPL-2.0

//! One mount, its daemon and its callers: a request that is held while its caller is killed, who
//! waits for it, and what the daemon is asked by whom.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use ktap::Impl;
use mockd::caller::readable;
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::{read_request, Answer};
use mockd::mount::umount;
use mockd::record::Recorder;
use mockd::user;
use mockd::wire::{Kind, Op};
use mockd::{Caller, Init, Mock, Request, Setup};
use rustix::event::{PollFd, PollFlags};
use suites::daemon::until;

use suites::settle::settle;

/// What a caller does each time that it is told, and what it says of it.
pub type Act = Box<dyn FnMut() -> String>;

/// Whether killed callers leave: with our module, once `killable` is Y.
pub fn ours() -> bool {
    ktap::implementation() == Impl::Rust
}

/// A parameter of our module that these tests depend on.
pub fn parameter(name: &str, value: &str) {
    let p = format!("/sys/module/fuse/parameters/{name}");
    std::fs::write(&p, value).unwrap_or_else(|e| panic!("{p}: {e}"));
}

/// Daemon and callers wait for each other, so one processor is what they need; waking the other one
/// up takes longer than all else. What the kernel does behind may be there.
pub fn on_one_processor() {
    on_processors(1);
}

/// For what is to happen at the same time.
pub fn on_all_processors() {
    on_processors(libc::CPU_SETSIZE as usize);
}

/// Those that there are not do no harm.
fn on_processors(n: usize) {
    // SAFETY: a set of processors is plain bits.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: sets bits of the set.
    (0..n).for_each(|i| unsafe { libc::CPU_SET(i, &mut set) });
    // SAFETY: the set is as long as said.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) }).expect("affinity");
}

/// No line in the log for each time that caches are dropped, where that is how they are.
pub fn drop_quietly() {
    let _ = std::fs::write("/proc/sys/vm/drop_caches", "4");
}

/// Killed callers leave, and do not wait for the FLUSH of what they have open, unless a test says
/// so.
pub fn callers_leave() {
    if ours() {
        parameter("killable", "Y");
        parameter("flush_wait", "0");
    }
}

/// Whose a request is, by the process that has sent it or opened the file.
pub type Who = &'static str;

/// A request that the daemon was asked while the scene was watched.
struct Asked {
    who: Who,
    r: Request,
}

pub struct Scene {
    pub m: Mock,
    pub fs: Memfs,
    /// Flags of FOPEN for the files that have some.
    pub open_flags: BTreeMap<u64, u32>,
    pids: Vec<(u32, Who)>,
    /// Who has opened a handle, and whether it is open.
    handles: BTreeMap<u64, (Who, bool)>,
    /// What is to be held: whose, which, of what name ("": any).
    hold: Option<(Who, Op, &'static str)>,
    held: Option<Request>,
    asked: Vec<Asked>,
}

impl Scene {
    pub fn new(fs: Memfs) -> Scene {
        Scene::with(fs, &Init::plain())
    }

    pub fn with(fs: Memfs, init: &Init) -> Scene {
        Scene::mounted(&Setup::default(), fs, init)
    }

    pub fn mounted(setup: &Setup, fs: Memfs, init: &Init) -> Scene {
        let setup = Setup {
            // A request may be taken back between poll(2) and read(2).
            nonblock: true,
            ..setup.clone()
        };
        let mut m = Mock::with(&setup, init);
        m.without_record();
        m.rec.stop();
        Scene {
            m,
            fs,
            open_flags: BTreeMap::new(),
            pids: vec![],
            handles: BTreeMap::new(),
            hold: None,
            held: None,
            asked: vec![],
        }
    }

    /// A caller that is ready to act.
    #[track_caller]
    pub fn actor(&mut self, who: Who, prepare: impl FnOnce(&Path) -> Act) -> Caller {
        let mut c = self.m.caller::<()>(move |mnt, io| {
            let mut act = prepare(mnt);
            io.put(String::new());
            loop {
                io.wait();
                io.put(act());
            }
        });
        self.pids.push((c.pid as u32, who));
        self.said(&mut c);
        c
    }

    /// Whose it is. What closes a file is sent by whoever drops it last.
    fn who(&self, r: &Request) -> Who {
        if matches!(r.op, Op::FLUSH | Op::RELEASE | Op::RELEASEDIR) {
            if let Some((who, _)) = self.handles.get(&r.get("fh")) {
                return who;
            }
        }
        let known = self.pids.iter().rev().find(|p| p.0 == r.pid);
        known.map_or("somebody", |p| p.1)
    }

    /// Answers all that is there, but for what is to be held.
    pub fn serve(&mut self) {
        while self.m.pending() {
            // Not kept there: they may be large.
            let rec = Recorder::default();
            let r = match read_request(self.m.dev(), self.m.buf, &rec) {
                Ok(r) => r,
                // Unmounted.
                Err(EAGAIN | ENODEV) => return,
                Err(e) => panic!("read of the device: {e}"),
            };
            let who = self.who(&r);
            if let Some((whose, op, name)) = self.hold {
                if (whose, op) == (who, r.op) && (name.is_empty() || r.name() == name) {
                    self.hold = None;
                    self.held = Some(r);
                    continue;
                }
            }
            if mockd::table::is_unasked(&r) {
                let a = self.fs.handle(&r);
                let _ = self.m.answer(&r, &a);
                continue;
            }
            match self.give(&r, who) {
                Ok(()) | Err(ENOENT) => {}
                Err(e) => panic!("reply to {r:?}: {e}"),
            }
            self.asked.push(Asked { who, r });
        }
    }

    /// Does what it says, and answers.
    fn give(&mut self, r: &Request, who: Who) -> Res<()> {
        self.fs.open_flags = match r.op {
            Op::OPEN => self.open_flags.get(&r.node).copied().unwrap_or(0),
            _ => 0,
        };
        let a = self.fs.handle(r);
        if let Answer::Ok(b) = &a {
            let at = match r.op {
                Op::OPEN | Op::OPENDIR => Some(0),
                Op::CREATE | Op::TMPFILE => Some(128),
                _ => None,
            };
            if let Some(at) = at {
                let fh = u64::from_ne_bytes(b[at..at + 8].try_into().expect("eight"));
                self.handles.insert(fh, (who, true));
            }
        }
        if matches!(r.op, Op::RELEASE | Op::RELEASEDIR) {
            if let Some(h) = self.handles.get_mut(&r.get("fh")) {
                assert!(h.1, "a second {r:?}");
                h.1 = false;
            }
        }
        self.m.answer(r, &a)
    }

    /// What the caller says, when it has been told to act.
    #[track_caller]
    pub fn said(&mut self, c: &mut Caller) -> String {
        let end = Instant::now() + ktap::patience();
        loop {
            self.serve();
            if readable(c.fd(), Duration::ZERO) {
                return c.get();
            }
            assert!(Instant::now() < end, "it does not act: {}", c.state());
            self.something(Some(c));
        }
    }

    /// Waits until there is a request, or the caller says something; not for long.
    fn something(&self, c: Option<&Caller>) {
        let mut fds = vec![PollFd::from_borrowed_fd(self.m.dev(), PollFlags::IN)];
        fds.extend(c.map(|c| PollFd::from_borrowed_fd(c.fd(), PollFlags::IN)));
        let tick = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 10_000_000,
        };
        let _ = rustix::event::poll(&mut fds, Some(&tick));
    }

    /// It acts.
    #[track_caller]
    pub fn act(&mut self, c: &mut Caller) -> String {
        c.go();
        self.said(c)
    }

    /// It acts, and its request stays with the daemon.
    #[track_caller]
    pub fn hold(&mut self, who: Who, c: &Caller, op: Op, name: &'static str) -> Request {
        self.hold = Some((who, op, name));
        c.go();
        self.await_held(op)
    }

    /// The request that is to be held comes.
    #[track_caller]
    pub fn await_held(&mut self, op: Op) -> Request {
        let end = Instant::now() + ktap::patience();
        loop {
            self.serve();
            if let Some(r) = self.held.take() {
                return r;
            }
            assert!(Instant::now() < end, "no {op:?}");
            self.something(None);
        }
    }

    /// Holds the next such request, whenever it comes.
    pub fn hold_next(&mut self, who: Who, op: Op, name: &'static str) {
        self.hold = Some((who, op, name));
    }

    /// It is killed; where killed callers leave, it is gone, elsewhere it sleeps on.
    #[track_caller]
    pub fn kill(&mut self, c: &mut Caller) {
        c.kill(libc::SIGKILL);
        if ours() {
            self.gone(c);
        } else {
            // It looks once more whether the daemon has read its request.
            settle(&[c.pid]);
        }
    }

    /// It has been killed, and goes.
    #[track_caller]
    pub fn gone(&mut self, c: &mut Caller) {
        until(&format!("the killed caller to go: {}", c.state()), || {
            self.serve();
            c.exited().then_some(())
        });
        c.reap();
    }

    /// It acts, or waits: None if it sleeps and nothing that can run changes that.
    #[track_caller]
    pub fn acts(&mut self, c: &mut Caller) -> Option<String> {
        c.go();
        self.goes_on(c)
    }

    /// The same, when it has been told already.
    #[track_caller]
    pub fn goes_on(&mut self, c: &mut Caller) -> Option<String> {
        let end = Instant::now() + ktap::patience();
        let mut quiet = false;
        loop {
            assert!(Instant::now() < end, "never quiet: {}", c.state());
            self.serve();
            if readable(c.fd(), Duration::ZERO) {
                return Some(c.get());
            }
            if quiet {
                return None;
            }
            // Mostly it is served, and that is soon seen.
            self.something(Some(c));
            if self.m.pending() || !asleep(c) {
                continue;
            }
            settle(&[c.pid]);
            quiet = !self.m.pending();
        }
    }

    /// Answers what was held.
    #[track_caller]
    pub fn answer(&mut self, who: Who, r: &Request) {
        if let Err(e) = self.give(r, who) {
            panic!("answer to {r:?}: {e}");
        }
    }

    /// True if what is to be held has come.
    pub fn holds(&mut self) -> bool {
        self.serve();
        self.hold = None;
        self.held.take().is_some()
    }

    /// Its request is held and it is killed; where killed callers leave, it is gone.
    #[track_caller]
    pub fn leave(&mut self, who: Who, c: &mut Caller, op: Op, name: &'static str) -> Request {
        let r = self.hold(who, c, op, name);
        self.forget();
        self.kill(c);
        r
    }

    /// The answer to a request of a killed caller; where that has not left, it goes now.
    #[track_caller]
    pub fn answered(&mut self, who: Who, c: &mut Caller, r: &Request) {
        self.answer(who, r);
        if !ours() {
            self.gone(c);
        }
    }

    /// It acts, and waits for others.
    #[track_caller]
    pub fn waits(&mut self, c: &mut Caller) {
        if let Some(t) = self.acts(c) {
            panic!("it does not wait: {t}");
        }
    }

    /// What `who` has asked since the last time, its closes apart.
    pub fn asked(&mut self, who: Who) -> Vec<Request> {
        let all = std::mem::take(&mut self.asked);
        let mine = |a: &Asked| a.who == who;
        let (mine, others) = all.into_iter().partition(mine);
        self.asked = others;
        let requests = |a: Asked| a.r;
        mine.into_iter().map(requests).filter(is_asked).collect()
    }

    /// FLUSHes and RELEASEs of files of `who` that have come.
    pub fn closes(&self, who: Who) -> Vec<Op> {
        let mine = self.asked.iter().filter(|a| a.who == who);
        mine.map(|a| a.r.op)
            .filter(|op| matches!(op, Op::FLUSH | Op::RELEASE | Op::RELEASEDIR))
            .collect()
    }

    /// What has come is forgotten.
    pub fn forget(&mut self) {
        self.asked.clear();
    }

    /// Ends the callers; all that is open is closed, all that was looked up is forgotten, and the
    /// mount goes.
    #[track_caller]
    pub fn end(mut self, mut callers: Vec<Caller>) -> String {
        for c in &mut callers {
            c.kill(libc::SIGKILL);
            self.gone(c);
        }
        let end = Instant::now() + ktap::patience();
        loop {
            self.serve();
            let closed = self.handles.values().all(|h| !h.1);
            if closed && self.fs.held().is_empty() {
                break;
            }
            assert!(
                Instant::now() < end,
                "open {:?}, not forgotten {:?}",
                self.handles,
                self.fs.held()
            );
            if closed {
                user::drop_dentries();
            } else {
                self.something(None);
            }
        }
        let mut closes: BTreeMap<(Who, u64), Vec<Op>> = BTreeMap::new();
        for a in &self.asked {
            if !is_asked(&a.r) && a.r.op != Op::INTERRUPT && a.r.forgets().is_empty() {
                let key = (a.who, a.r.get("fh"));
                closes.entry(key).or_default().push(a.r.op);
            }
        }
        until("the mount to be free", || {
            self.serve();
            umount(&self.m.mnt, 0).ok()
        });
        let line = |((who, fh), ops)| format!("  {who} {fh}: {ops:?}\n");
        closes.into_iter().map(line).collect()
    }
}

/// Asked for, and not the end of a file or a name.
fn is_asked(r: &Request) -> bool {
    !matches!(
        r.op,
        Op::FLUSH | Op::RELEASE | Op::RELEASEDIR | Op::INTERRUPT | Op::FORGET | Op::BATCH_FORGET
    )
}

/// True if it sleeps or is gone.
fn asleep(c: &Caller) -> bool {
    c.state().starts_with(['S', 'D', 'I', 'Z'])
}

/// As text that is the same in each run.
pub fn text(r: &Request) -> String {
    r.text(|kind, v| match kind {
        Kind::Owner if v == 0 => "0".into(),
        _ => "*".into(),
    })
}

/// The names of these operations.
pub fn ops(v: &[Request]) -> Vec<Op> {
    v.iter().map(|r| r.op).collect()
}

/// A result as text.
pub fn show<T: std::fmt::Debug>(r: Res<T>) -> String {
    format!("{r:?}")
}

/// Opens, for a caller's preparation.
#[track_caller]
pub fn open(mnt: &Path, rel: &str, flags: i32) -> std::os::fd::OwnedFd {
    user::open(&mnt.join(rel), flags, 0o644).unwrap_or_else(|e| panic!("open {rel}: {e}"))
}
