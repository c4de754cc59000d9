// SPDX-License-Identifier: GPL-2.0

//! The control filesystem: what its files say and take, and what the limits do; `abort` has a file
//! of its own.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};
use suites::fusectl;
use suites::releases::unanswered;
use suites::setting::{get, set, Setting};

pub fn cases() -> Vec<Case> {
    cases![
        waiting_counts,
        waiting_counts_before_init,
        waiting_is_read_in_pieces,
        limits_by_default,
        limits_of_init,
        limits_of_old_daemons,
        limits_written,
        limits_refused,
        limits_not_seekable,
        limits_after_abort,
        limits_of_unprivileged_writers,
        limits_of_unprivileged_daemons,
        raising_lets_requests_pass,
        raising_wakes_callers,
        lowering_holds_back,
        zero_holds_back_all,
        congestion_stops_readahead,
    ]
}

/// A file of a connection.
pub fn of(m: &Mock, name: &str) -> std::path::PathBuf {
    fusectl::dir(&m.mnt).join(name)
}

/// `max_background` and `congestion_threshold`.
fn limits(m: &Mock) -> (u32, u32) {
    let n = |name: &str| {
        let t = get(&of(m, name)).expect(name);
        t.strip_suffix('\n')
            .expect("a line")
            .parse()
            .expect("number")
    };
    (n("max_background"), n("congestion_threshold"))
}

fn init(max_background: u16, congestion_threshold: u16) -> Init {
    Init {
        max_background,
        congestion_threshold,
        ..Init::plain()
    }
}

/// Callers that look up names.
pub fn stats(m: &mut Mock, n: usize) -> Vec<Caller> {
    (0..n)
        .map(|i| m.call(&format!("f{i}"), |p| user::lstat(p).map(drop)))
        .collect()
}

fn waiting_counts() {
    let mut m = Mock::new();
    assert_eq!(get(&of(&m, "waiting")).as_deref(), Ok("0\n"));
    let callers = stats(&mut m, 5);
    fusectl::await_waiting(&m.mnt, 5);
    // Read or not, a request counts until it is answered.
    let r: Vec<_> = (0..3).map(|_| m.expect(Op::LOOKUP)).collect();
    assert_eq!(fusectl::waiting(&m.mnt), 5);
    for r in &r {
        m.fail(r, ENOENT);
    }
    fusectl::await_waiting(&m.mnt, 2);
    for _ in 0..2 {
        let r = m.expect(Op::LOOKUP);
        m.fail(&r, EIO);
    }
    for c in callers {
        assert!(c.join::<Res<()>>().is_err());
    }
    fusectl::await_waiting(&m.mnt, 0);
    m.finish();
}

/// INIT, and those who wait for its end.
fn waiting_counts_before_init() {
    let mut m = Mock::uninit(&Setup::default());
    assert_eq!(fusectl::waiting(&m.mnt), 1);
    let r = m.expect(Op::INIT);
    let callers: Vec<_> = (0..3)
        .map(|_| m.call("", |p| user::lstat(p).map(drop)))
        .collect();
    fusectl::await_waiting(&m.mnt, 4);
    m.reply(&r, &Init::plain().bytes());
    for _ in 0..3 {
        let r = m.expect(Op::GETATTR);
        m.fail(&r, EIO);
    }
    for c in callers {
        assert_eq!(c.join::<Res<()>>(), Err(EIO));
    }
    fusectl::await_waiting(&m.mnt, 0);
    m.finish();
}

/// The number is that of the first read.
fn waiting_is_read_in_pieces() {
    let mut m = Mock::new();
    let callers = stats(&mut m, 11);
    fusectl::await_waiting(&m.mnt, 11);
    let f = user::open(&of(&m, "waiting"), libc::O_RDONLY, 0).expect("open");
    assert_eq!(user::read(&f, 1).as_deref(), Ok(&b"1"[..]));
    for _ in 0..11 {
        let r = m.expect(Op::LOOKUP);
        m.fail(&r, ENOENT);
    }
    for c in callers {
        assert!(c.join::<Res<()>>().is_err());
    }
    fusectl::await_waiting(&m.mnt, 0);
    assert_eq!(user::read(&f, 1).as_deref(), Ok(&b"1"[..]));
    assert_eq!(user::read(&f, 10).as_deref(), Ok(&b"\n"[..]));
    assert_eq!(user::read(&f, 10).as_deref(), Ok(&b""[..]));
    assert_eq!(user::pread(&f, 1, 0).err(), Some(ESPIPE));
    assert_eq!(user::write(&f, b"1"), Err(EBADF));
    // SAFETY: integers.
    let seek = check(unsafe { libc::lseek(f.as_raw_fd(), 0, libc::SEEK_SET) });
    assert_eq!(seek, Err(ESPIPE));
    m.finish();
}

fn limits_by_default() {
    let mut m = Mock::uninit(&Setup::default());
    assert_eq!(limits(&m), (12, 9));
    let r = m.expect(Op::INIT);
    m.reply(&r, &Init::plain().bytes());
    assert_eq!(limits(&m), (12, 9));
    m.finish();
}

fn limits_of_init() {
    for (asked, become_) in [
        ((100, 75), (100, 75)),
        ((1, 0), (1, 9)),
        ((0, 5), (12, 5)),
        ((65_535, 65_535), (65_535, 65_535)),
        ((3, 40), (3, 40)),
    ] {
        let m = Mock::with(&Setup::default(), &init(asked.0, asked.1));
        assert_eq!(limits(&m), become_, "{asked:?}");
        m.finish();
    }
}

fn limits_of_old_daemons() {
    for (minor, become_) in [(12, (12, 9)), (13, (30, 20))] {
        let mut m = Mock::uninit(&Setup::default());
        let r = m.expect(Op::INIT);
        let b = Init {
            minor,
            ..init(30, 20)
        };
        m.reply(&r, &b.bytes()[..24]);
        assert_eq!(limits(&m), become_, "minor {minor}");
        m.finish();
    }
}

const BOTH: [&str; 2] = ["max_background", "congestion_threshold"];

fn limits_written() {
    let m = Mock::new();
    for name in BOTH {
        let f = of(&m, name);
        for (text, value) in [
            ("0", 0),
            ("1\n", 1),
            ("65535", 65_535),
            ("0x1F", 31),
            ("010", 8),
            // What is longer than any number is cut.
            (&format!("{}1", "0".repeat(80)), 0),
            ("+7", 7),
        ] {
            assert_eq!(set(&f, text), Ok(()), "{name} {text:?}");
            assert_eq!(get(&f), Ok(format!("{value}\n")), "{name} {text:?}");
        }
    }
    assert_eq!(limits(&m), (7, 7));
    m.finish();
}

fn limits_refused() {
    let m = Mock::new();
    for name in BOTH {
        let f = user::open(&of(&m, name), libc::O_RDWR, 0).expect("open");
        let long = "1".repeat(30);
        for (text, e) in [
            ("", EINVAL),
            ("\n", EINVAL),
            ("x", EINVAL),
            ("-1", EINVAL),
            (" 5", EINVAL),
            ("5 ", EINVAL),
            ("5\n\n", EINVAL),
            ("1.5", EINVAL),
            ("08", EINVAL),
            ("65536", EINVAL),
            ("4294967297", EINVAL),
            ("18446744073709551616", ERANGE),
            (&long, ERANGE),
        ] {
            let w = user::write(&f, text.as_bytes());
            assert_eq!(w, Err(e), "{name} {text:?}");
        }
        let w = mockd::mem::write_at(f.as_raw_fd(), 4096, 1);
        assert_eq!(w, Err(EFAULT), "{name}");
    }
    assert_eq!(limits(&m), (12, 9));
    m.finish();
}

fn limits_not_seekable() {
    let m = Mock::new();
    for name in BOTH {
        let f = user::open(&of(&m, name), libc::O_RDWR, 0).expect("open");
        assert_eq!(user::pread(&f, 1, 0).err(), Some(ESPIPE));
        assert_eq!(user::pwrite(&f, b"1", 0), Err(ESPIPE));
        // Writing does not move the position, reading does.
        assert_eq!(user::write(&f, b"31"), Ok(2));
        assert_eq!(user::write(&f, b"32"), Ok(2));
        assert_eq!(user::read(&f, 1).as_deref(), Ok(&b"3"[..]));
        assert_eq!(user::write(&f, b"33"), Err(EINVAL));
        assert_eq!(user::read(&f, 9).as_deref(), Ok(&b"2\n"[..]));
        assert_eq!(user::read(&f, 9).as_deref(), Ok(&b""[..]));
        let mut two = mockd::mem::Pages::new(1);
        two.bytes(0, 2).copy_from_slice(b"45");
        let f = user::open(&of(&m, name), libc::O_RDWR, 0).expect("open");
        // Each piece is a number of its own.
        let pieces = [(two.addr(), 1), (two.addr() + 1, 1)];
        let w = mockd::mem::vector(f.as_raw_fd(), true, &pieces);
        assert_eq!(w, Ok(2));
        assert_eq!(get(&of(&m, name)).as_deref(), Ok("5\n"));
    }
    m.finish();
}

fn limits_after_abort() {
    let m = Mock::with(&Setup::default(), &init(20, 10));
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    assert_eq!(limits(&m), (u32::MAX, 10));
    assert_eq!(set(&of(&m, "max_background"), "5"), Ok(()));
    assert_eq!(set(&of(&m, "congestion_threshold"), "4"), Ok(()));
    assert_eq!(limits(&m), (5, 4));
    m.umount();
}

/// The mounter may write, but not more than the administrator allows.
fn limits_of_unprivileged_writers() {
    let [bg, cong] = ["max_user_bgreq", "max_user_congthresh"].map(Setting::parameter);
    bg.set("50").expect("set");
    cong.set("40").expect("set");
    let setup = Setup::default()
        .opt("user_id", "1000")
        .opt("group_id", "1000");
    let m = Mock::with(&setup, &Init::plain());
    let dir = fusectl::dir(&m.mnt);
    let write = |uid: u32, name: &'static str, text: &'static str| {
        let p = dir.join(name);
        let c = Caller::spawn(None, move |_| {
            user::become_user(uid, uid);
            set(&p, text)
        });
        c.join::<Res<()>>()
    };
    for (name, limit, more) in [("max_background", "50", "51"), (BOTH[1], "40", "41")] {
        assert_eq!(write(1000, name, limit), Ok(()), "{name}");
        assert_eq!(write(1000, name, more), Err(EINVAL), "{name}");
        assert_eq!(write(1000, name, "65535"), Err(EINVAL), "{name}");
        assert_eq!(write(1000, name, "65536"), Err(EINVAL), "{name}");
        assert_eq!(write(1001, name, "1"), Err(EACCES), "{name}");
    }
    assert_eq!(limits(&m), (50, 40));
    // The limit may change, and what was set stays.
    bg.set("10").expect("set");
    assert_eq!(limits(&m), (50, 40));
    assert_eq!(write(1000, "max_background", "11"), Err(EINVAL));
    assert_eq!(write(1000, "max_background", "10"), Ok(()));
    // Who has CAP_SYS_ADMIN may more.
    assert_eq!(set(&of(&m, "max_background"), "60000"), Ok(()));
    assert_eq!(limits(&m), (60_000, 40));
    m.finish();
}

/// INIT asks for more than the daemon may have: it gets what it may.
fn limits_of_unprivileged_daemons() {
    let [bg, cong] = ["max_user_bgreq", "max_user_congthresh"].map(Setting::parameter);
    bg.set("20").expect("set");
    cong.set("15").expect("set");
    for (asked, become_) in [
        ((100, 75), (20, 15)),
        ((20, 15), (20, 15)),
        ((7, 5), (7, 5)),
        ((0, 0), (12, 9)),
        ((65_535, 0), (20, 9)),
    ] {
        let mut m = Mock::uninit(&Setup::default());
        let r = m.expect(Op::INIT);
        let answer = mockd::reply::message(r.unique, 0, &init(asked.0, asked.1).bytes());
        // Who answers is what counts.
        let dev = m.dev().as_raw_fd();
        let c = Caller::spawn(None, |_| {
            user::become_user(1000, 1000);
            mockd::mem::write_at(dev, answer.as_ptr() as usize, answer.len())
        });
        assert_eq!(c.join::<Res<usize>>(), Ok(answer.len()));
        assert_eq!(limits(&m), become_, "{asked:?}");
        m.finish();
    }
}

/// RELEASEs that wait for their turn, which a higher limit brings.
fn raising_lets_requests_pass() {
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &init(2, 0)), Memfs::new());
    let kept = unanswered(&mut m, &mut fs, 10);
    assert_eq!(kept.len(), 2);
    assert_eq!(fusectl::waiting(&m.mnt), 10);
    assert_eq!(set(&of(&m, "max_background"), "5"), Ok(()));
    let mut seen = kept.len();
    // C lets them pass when the next one is queued or ends.
    m.reply(&kept[0], &[]);
    while m.pending() {
        m.expect(Op::RELEASE);
        seen += 1;
    }
    assert_eq!(seen, 6);
    m.without_record();
    assert_eq!(fusectl::abort(&m.mnt), Ok(()));
    m.umount();
}

/// Readers, whose READs of readahead are held back at the gate.
struct Readers {
    m: Mock,
    fs: Memfs,
    callers: Vec<Caller>,
    reads: Vec<mockd::Request>,
}

impl Readers {
    /// As many as there are files, with this limit.
    fn new(n: usize, max_background: u16) -> Readers {
        let m = Mock::with(&Setup::default(), &init(max_background, 0));
        let mut fs = Memfs::new();
        for i in 0..n {
            fs.file(&format!("f{i}"), &[5; 4096]);
        }
        let mut r = Readers {
            m,
            fs,
            callers: vec![],
            reads: vec![],
        };
        for i in 0..n {
            let c = r.m.call(&format!("f{i}"), |p| {
                Ok::<_, Errno>(std::fs::read(p)?.len())
            });
            r.callers.push(c);
        }
        r
    }

    /// Serves until all callers sleep and nothing is left to serve; READs are kept.
    fn settle(&mut self) -> usize {
        loop {
            while self.m.pending() {
                let r = self.m.request();
                if r.op == Op::READ {
                    self.reads.push(r);
                } else {
                    let a = self.fs.handle(&r);
                    self.m.answer(&r, &a).expect("answer");
                }
            }
            self.callers.iter().for_each(Caller::wait_asleep);
            if !self.m.pending() {
                return self.reads.len();
            }
        }
    }

    /// Answers so many READs.
    fn answer(&mut self, n: usize) {
        for r in self.reads.drain(..n) {
            let a = self.fs.handle(&r);
            self.m.answer(&r, &a).expect("answer");
        }
    }

    /// Answers all, until all are through.
    fn finish(mut self) {
        while !self.callers.iter_mut().all(|c| c.ended()) {
            let n = self.settle();
            self.answer(n);
        }
        for c in self.callers.drain(..) {
            assert_eq!(c.join::<Res<usize>>(), Ok(4096));
        }
        self.m.without_record();
        self.m.finish();
    }
}

fn raising_wakes_callers() {
    let mut r = Readers::new(8, 2);
    assert_eq!(r.settle(), 2);
    assert_eq!(fusectl::waiting(&r.m.mnt), 8);
    assert_eq!(set(&of(&r.m, "max_background"), "5"), Ok(()));
    assert_eq!(r.settle(), 5);
    assert_eq!(set(&of(&r.m, "max_background"), "100"), Ok(()));
    assert_eq!(r.settle(), 8);
    r.finish();
}

fn lowering_holds_back() {
    let mut r = Readers::new(8, 5);
    assert_eq!(r.settle(), 5);
    assert_eq!(set(&of(&r.m, "max_background"), "2"), Ok(()));
    r.answer(3);
    assert_eq!(r.settle(), 2);
    r.answer(1);
    assert_eq!(r.settle(), 2);
    r.finish();
}

fn zero_holds_back_all() {
    let mut r = Readers::new(3, 5);
    // None is there yet.
    assert_eq!(set(&of(&r.m, "max_background"), "0"), Ok(()));
    let n = r.settle();
    println!("{n} had come before");
    assert_eq!(set(&of(&r.m, "max_background"), "1"), Ok(()));
    r.finish();
}

/// From the threshold on, what is read ahead of need is left out.
fn congestion_stops_readahead() {
    let sent = |threshold: &str| {
        let mut m = Mock::with(&Setup::default(), &init(50, 0));
        assert_eq!(set(&of(&m, "congestion_threshold"), threshold), Ok(()));
        m.rec.exact_reads();
        let mut fs = Memfs::new();
        fs.file("f", &[6; 1 << 20]);
        let r: Res<()> = m.run(&mut fs, |mnt| {
            let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
            (0..4).try_for_each(|n| user::pread(&f, 4096, n * 4096).map(drop))
        });
        assert_eq!(r, Ok(()));
        let reads = m.rec.all().into_iter().filter(|r| r.op == Op::READ);
        let reads: Vec<_> = reads.map(|r| (r.get("offset"), r.get("size"))).collect();
        m.finish();
        reads
    };
    assert_eq!(sent("0"), [(0, 16_384)]);
    assert_eq!(sent("1"), [(0, 16_384), (16_384, 32_768)]);
    assert_eq!(sent("100"), [(0, 16_384), (16_384, 32_768)]);
}
