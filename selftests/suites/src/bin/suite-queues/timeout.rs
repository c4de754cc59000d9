// SPDX-License-Identifier: GPL-2.0

//! Request timeouts: a daemon that takes too long loses its connection. They are looked after every
//! 15 seconds, so these cases take their time.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{read_at, Held, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};
use suites::setting::Setting;

use crate::device::Clone;

pub fn cases() -> Vec<Case> {
    cases![unmounted_before, aborts_what_is_late]
}

/// Seconds between two looks.
const PERIOD: u64 = 15;
/// Milliseconds by which a time that is counted in jiffies may fall short of one that is not.
const JIFFIES: u64 = 20;

/// A mount whose daemon asks for a timeout.
fn asking(seconds: u16) -> Mock {
    let init = Init {
        request_timeout: seconds,
        ..Init::plain().with("REQUEST_TIMEOUT")
    };
    with(&init)
}

fn with(init: &Init) -> Mock {
    let mut m = Mock::with(&Setup::default(), init);
    m.without_record();
    m
}

fn unmounted_before() {
    for _ in 0..20 {
        asking(15).finish();
        asking(0).finish();
    }
}

/// A caller that says how it went, and after how many milliseconds.
fn look(m: &mut Mock, name: &str) -> Caller {
    m.call(name, |p| {
        let start = Instant::now();
        let r = user::lstat(p).map(drop);
        (r, start.elapsed().as_millis() as u64)
    })
}

/// A connection with a request that is not answered.
struct Late {
    what: &'static str,
    m: Mock,
    c: Caller,
    /// Seconds that the request may take.
    timeout: u64,
}

impl Late {
    /// The daemon has the request.
    fn new(what: &'static str, timeout: u64, mut m: Mock) -> Late {
        let c = look(&mut m, "x");
        m.expect_name(Op::LOOKUP, "x");
        Late {
            what,
            m,
            c,
            timeout,
        }
    }

    /// The connection is aborted, neither too early nor too late.
    #[track_caller]
    fn aborted(self) -> Mock {
        let Late {
            what,
            mut m,
            c,
            timeout,
        } = self;
        let (r, ms): (Res<()>, u64) = c.join();
        assert_eq!(r, Err(ECONNABORTED), "{what}");
        let late = (timeout + PERIOD) * 1000 + ktap::patience().as_millis() as u64;
        let early = timeout * 1000 - JIFFIES;
        assert!((early..late).contains(&ms), "{what}: {ms} ms");
        println!("# {what}: {ms} ms");
        assert_eq!(m.read().err(), Some(ENODEV), "{what}");
        let (r, _): (Res<()>, u64) = look(&mut m, "later").join();
        assert_eq!(r, Err(ENOTCONN), "{what}");
        m
    }

    /// Still there.
    #[track_caller]
    fn answered(mut self) {
        assert!(!self.c.ended(), "{}", self.what);
        let all = self.m.rec.all();
        let r = all.iter().find(|r| r.op == Op::LOOKUP).expect("its LOOKUP");
        self.m.fail(r, ENOENT);
        let (r, _): (Res<()>, u64) = self.c.join();
        assert_eq!(r, Err(ENOENT), "{}", self.what);
        self.m.finish();
    }
}

/// All at the same time, as each takes half a minute.
fn aborts_what_is_late() {
    let (late, in_time) = with_all_settings();
    let with_other = WithOther::new();
    let background = Background::new();
    let copied = Copied::new();
    let busy = Busy::new();

    late.into_iter().for_each(|l| drop(l.aborted()));
    with_other.aborted();
    background.aborted();
    copied.aborted();
    busy.ends();
    in_time.into_iter().for_each(Late::answered);
}

/// Mounts with each pair of what the daemon asks for and what the administrator has set: those
/// whose request will be late, and those whose request never is.
fn with_all_settings() -> (Vec<Late>, Vec<Late>) {
    let default = Setting::sysctl("fs/fuse/default_request_timeout");
    let max = Setting::sysctl("fs/fuse/max_request_timeout");
    assert_eq!((default.get().trim(), max.get().trim()), ("0", "0"));

    let mut late = vec![
        Late::new("with the daemon, 1 asked", PERIOD, asking(1)),
        Late::new("15 asked", PERIOD, asking(15)),
        Late::new("18 asked", 18, asking(18)),
    ];
    let mut in_time = vec![
        Late::new("nothing asked", 0, with(&Init::plain())),
        Late::new("0 asked", 0, asking(0)),
        Late::new("600 asked", 0, asking(600)),
    ];
    let unmarked = Init {
        request_timeout: 15,
        ..Init::plain()
    };
    in_time.push(Late::new("without the flag", 0, with(&unmarked)));
    let old = Init {
        minor: 5,
        ..unmarked.with("REQUEST_TIMEOUT")
    };
    in_time.push(Late::new("before 7.6", 0, with(&old)));

    default.set("16").expect("default");
    late.push(Late::new(
        "default, nothing asked",
        16,
        with(&Init::plain()),
    ));
    late.push(Late::new("default, 0 asked", 16, asking(0)));
    late.push(Late::new("default, 17 asked", 17, asking(17)));
    in_time.push(Late::new("default, 600 asked", 0, asking(600)));
    max.set("17").expect("max");
    late.push(Late::new("limit, 600 asked", 17, asking(600)));
    late.push(Late::new("limit and default", 16, asking(0)));
    late.push(Late::new("limit below 15", PERIOD, {
        max.set("3").expect("max");
        asking(600)
    }));
    default.set("0").expect("default");
    max.set("16").expect("max");
    late.push(Late::new("limit, no default", 16, with(&Init::plain())));
    drop((default, max));

    // Never read.
    let mut queued = asking(15);
    let c = look(&mut queued, "x");
    late.push(Late {
        what: "queued",
        m: queued,
        c,
        timeout: PERIOD,
    });
    (late, in_time)
}

/// Read through another descriptor than the first. No caller may have a copy of it.
struct WithOther {
    late: Late,
    clone: Clone,
}

impl WithOther {
    fn new() -> WithOther {
        let mut m = asking(15);
        let c = look(&mut m, "x");
        let clone = Clone::of(&m);
        assert_eq!(clone.read(&m).op, Op::LOOKUP);
        let late = Late {
            what: "with the other descriptor",
            m,
            c,
            timeout: PERIOD,
        };
        WithOther { late, clone }
    }

    fn aborted(self) {
        drop(self.late.aborted());
        drop(self.clone);
    }
}

/// Nothing but a request of the background, which is held back.
struct Background {
    m: Mock,
    /// Sees the end, as a process that does nothing but wait for it.
    waiter: Caller,
}

impl Background {
    fn new() -> Background {
        let mut m = asking(15);
        let limit = suites::fusectl::dir(&m.mnt).join("max_background");
        suites::setting::set(&limit, "0").expect("limit");
        let mut fs = Memfs::new();
        fs.file("f", b"");
        let start = Instant::now();
        let r: Res<()> = m.run(&mut fs, |mnt| {
            user::close(user::open(&mnt.join("f"), libc::O_RDWR, 0)?)
        });
        assert_eq!((r, m.rec.count(Op::RELEASE)), (Ok(()), 0));
        let (fd, patience) = (m.dev().as_raw_fd(), ktap::patience());
        let waiter = Caller::spawn(None, |_| {
            // SAFETY: the descriptor is inherited.
            let dev = unsafe { BorrowedFd::borrow_raw(fd) };
            mockd::caller::readable(dev, 2 * Duration::from_secs(PERIOD) + patience);
            start.elapsed().as_millis() as u64
        });
        Background { m, waiter }
    }

    fn aborted(self) {
        let ms: u64 = self.waiter.join();
        assert!(ms >= PERIOD * 1000 - JIFFIES, "in the background: {ms} ms");
        assert_eq!(self.m.read().err(), Some(ENODEV));
    }
}

/// In the middle of being read.
struct Copied {
    m: Mock,
    c: Caller,
    held: Held,
    reader: JoinHandle<Res<usize>>,
}

impl Copied {
    fn new() -> Copied {
        let mut m = asking(15);
        let held = Held::new((1 << 18) / PAGE + 2);
        let c = look(&mut m, "x");
        let (fd, addr) = (m.dev().as_raw_fd(), held.pages.addr() + PAGE - 20);
        held.fill(0, &[]);
        let reader = std::thread::spawn(move || read_at(fd, addr, 1 << 18));
        assert_eq!(held.wait(), 1);
        Copied { m, c, held, reader }
    }

    fn aborted(self) {
        let (r, ms): (Res<()>, u64) = self.c.join();
        assert_eq!(r, Err(ECONNABORTED), "being read");
        assert!(ms >= PERIOD * 1000 - JIFFIES, "being read: {ms} ms");
        self.held.fill(1, &[]);
        let read = self.reader.join().expect("reader");
        assert_eq!(read, Err(ENODEV), "being read");
        drop(self.m);
    }
}

/// Busy all the time, and never late.
struct Busy {
    m: Mock,
    c: Caller,
    threads: Vec<JoinHandle<usize>>,
}

impl Busy {
    fn new() -> Busy {
        let mut m = asking(15);
        let c = m.caller(|mnt, _| {
            (0..4).try_for_each(|i| match user::lstat(&mnt.join(format!("n{i}"))) {
                Err(ENOENT) => Ok(()),
                other => other.map(drop),
            })
        });
        let threads = m.threads(
            1,
            Arc::new(|_| {
                std::thread::sleep(Duration::from_secs(9));
                Answer::Err(ENOENT)
            }),
        );
        Busy { m, c, threads }
    }

    fn ends(self) {
        assert_eq!(self.c.join::<Res<()>>(), Ok(()));
        self.m.umount();
        for t in self.threads {
            t.join().expect("reader");
        }
    }
}
