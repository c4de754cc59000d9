// SPDX-License-Identifier: GPL-2.0

//! Those who wait for a page that somebody else's READ has locked: they drop it, truncate it, or
//! write to it.
//!
//! Each is tried in one script on both modules, once to its end and once killed. C's caller is gone
//! only when the READ is answered; ours goes at once. Then a third one reads all of the file, and
//! must find what the daemon has.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{open_out, Entry, LONG, ZERO};
use mockd::wire::{self, Op};
use mockd::{user, Caller, Mock, Request};

use crate::kit::{self, Act};

pub fn cases() -> Vec<Case> {
    cases![
        second_open,
        create_of_what_is_known,
        write_to_the_page,
        write_beyond_the_end,
        write_past_the_cache,
        write_past_the_cache_under_a_read,
        direct_write,
        direct_write_under_a_read,
        private_map_of_a_direct_file,
        open_that_truncates,
        stat_of_a_shorter_file,
        stat_of_a_longer_file,
        lookup_of_a_shorter_file,
        chmod_of_a_shorter_file,
        truncation,
        growth,
    ]
}

/// The page that is being read, and the last one, of which there is a part.
const HELD: u64 = PAGE as u64;
pub const LAST: u64 = 2 * PAGE as u64;
/// Pages that are mapped: one goes beyond the end.
pub const MAPPED: usize = 4;

/// Somebody who comes while a page is locked.
struct Second {
    /// Prepares the daemon before anybody comes, and after the reader has opened the file.
    before: fn(&mut Memfs),
    daemon: fn(&mut Memfs),
    /// What it does.
    caller: fn(&Path) -> Act,
    /// What it sends before it waits.
    sends: &'static [Op],
    /// What happens to the file after the READ has been carried out, and before the last of these.
    behind: fn(&mut Memfs),
    /// Where the READ that is held begins.
    held: u64,
    /// The file grows before all is read, and what was cut off must not come to light. It grows by
    /// a write past the cache: other ways would drop what is there.
    grow: bool,
    /// C's killed caller may write to the page and not tell the daemon.
    torn: bool,
    /// The READ begins while the daemon has the last of what it sends, and the page is not locked
    /// before.
    under: bool,
}

const SECOND: Second = Second {
    before: |_| {},
    daemon: |_| {},
    caller: |_| Box::new(|| Ok(())),
    sends: &[],
    behind: |_| {},
    held: HELD,
    grow: false,
    torn: false,
    under: false,
};

impl Second {
    /// Once to its end, once killed; and on ours once killed as with C.
    #[track_caller]
    fn run(&self) {
        for kill in [false, true] {
            println!("kill={kill}");
            self.one(kill);
        }
        if kit::killable() {
            println!("as with C");
            let _c = kit::NotKillable::new();
            self.one(true);
        }
    }

    fn one(&self, kill: bool) {
        let mut fs = kit::sample();
        (self.before)(&mut fs);
        let mut m = Mock::new();
        // The reader may find that its page was dropped, and ask again. A node may go with the last
        // answer to RELEASE, for ours by a work item.
        [Op::READ, Op::FORGET, Op::BATCH_FORGET].map(|op| m.rec.leave_out(op));
        if kill {
            // What C's caller sends after its wait is a matter of who is faster, and ours has gone.
            m.without_record();
        }
        let held = self.held;
        let reader = prepared(&mut m, &mut fs, move |mnt| {
            let f = open_random(&mnt.join("f"));
            // Not the one that is held.
            let other = if held == 0 { HELD } else { 0 };
            user::pread(&f, 10, other).expect("pread");
            Box::new(move || user::pread(&f, 10, held).map(drop))
        });
        (self.daemon)(&mut fs);
        let mut second = prepared(&mut m, &mut fs, self.caller);

        let mut read = None;
        if !self.under {
            read = Some(begin(&mut m, &mut fs, &reader));
        }
        second.go();
        if self.sends.is_empty() {
            (self.behind)(&mut fs);
        }
        for (n, &op) in self.sends.iter().enumerate() {
            let r = kit::next(&mut m);
            assert_eq!(r.op, op, "{r:?}");
            if n + 1 == self.sends.len() {
                if self.under {
                    read = Some(begin(&mut m, &mut fs, &reader));
                }
                (self.behind)(&mut fs);
            }
            answer(&m, &mut fs, &r);
        }
        let (read, data) = read.expect("a READ");
        second.wait_asleep();
        println!("{}", second.state());
        assert!(!m.pending(), "{:?}", m.request());

        if kill {
            second.kill(libc::SIGKILL);
            if kit::killable() {
                second.reap();
            } else {
                second.wait_signalled();
            }
        }
        m.answer(&read, &data).expect("answer");
        let mut callers = [reader, second];
        m.serve_all(&mut callers, &mut |r| handle(&mut fs, r));
        let [reader, mut second] = callers;
        assert_eq!(reader.join::<Res<()>>(), Ok(()));
        if !kill {
            let result = second.join::<Res<()>>();
            m.rec.note(format!("second: {result:?}"));
        } else if !kit::killable() {
            second.reap();
        }
        m.drain(&mut |r| handle(&mut fs, r));
        fs.open_flags = wire::FOPEN_KEEP_CACHE;
        if kill && kit::killable() {
            // What it has left is done by others, who are not seen.
            suites::daemon::until("the rest to be done", || {
                self.third(&mut m, &mut fs, kill).ok()
            });
        } else {
            let seen = self.third(&mut m, &mut fs, kill);
            m.rec
                .note(format!("third: {}", seen.unwrap_or_else(|e| panic!("{e}"))));
        }
        kit::close_down(&mut m, &mut fs);
    }

    /// Somebody reads all: which pages the daemon was asked for beside the one that was held, or
    /// the page that is not what the daemon has.
    fn third(&self, m: &mut Mock, fs: &mut Memfs, kill: bool) -> Result<String, String> {
        let grow = self.grow;
        let c = m.caller(move |mnt, _| {
            let f = open_random(&mnt.join("f"));
            if grow {
                let f = open(mnt, libc::O_WRONLY | libc::O_DIRECT);
                user::pwrite(&f, &[3; PAGE], LAST).expect("pwrite");
            }
            let size = user::fstat(&f).expect("fstat").size;
            let pages: Vec<Vec<u8>> = (0..4)
                .map(|n| user::pread(&f, PAGE, n * PAGE as u64).expect("pread"))
                .collect();
            (size, pages)
        });
        let mut asked = Vec::new();
        let (size, pages): (u64, Vec<Vec<u8>>) = m.serve(c, &mut |r| {
            if r.op == Op::READ {
                asked.push(r.get("offset") / PAGE as u64);
            }
            handle(fs, r)
        });
        let data = &fs.nodes[&file(fs)].data;
        assert_eq!(size, data.len() as u64);
        let held = self.held / PAGE as u64;
        for (n, page) in (0..).zip(&pages) {
            let from = (n as usize * PAGE).min(data.len());
            let to = (from + PAGE).min(data.len());
            let torn = self.torn && kill && !kit::killable() && n == held;
            if !torn && page != &data[from..to] {
                return Err(format!("page {n}, kill={kill}, asked for {asked:?}"));
            }
        }
        asked.retain(|page| *page != held);
        Ok(format!("{size} bytes, asked for {asked:?}"))
    }
}

fn file(fs: &Memfs) -> u64 {
    fs.nodes[&wire::ROOT].children["f"]
}

/// A caller that has prepared itself.
pub fn prepared(m: &mut Mock, fs: &mut Memfs, f: impl FnOnce(&Path) -> Act) -> Caller {
    let mut c = m.caller(move |mnt, io| {
        let act = f(mnt);
        io.put(());
        io.wait();
        act()
    });
    kit::serve_until_put(m, fs, &mut c);
    c
}

/// Has the reader send its READ, which is held; and what the daemon finds for it.
fn begin(m: &mut Mock, fs: &mut Memfs, reader: &Caller) -> (Request, Answer) {
    reader.go();
    let r = kit::next(m);
    assert_eq!(r.op, Op::READ, "{r:?}");
    reader.wait_asleep();
    let data = fs.handle(&r);
    (r, data)
}

/// Opens a file without readahead.
pub fn open_random(p: &Path) -> OwnedFd {
    let f = user::open(p, libc::O_RDONLY, 0).expect("open");
    // SAFETY: integers.
    let r = unsafe { libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
    assert_eq!(r, 0);
    f
}

pub fn open(mnt: &Path, flags: i32) -> OwnedFd {
    user::open(&mnt.join("f"), flags, 0).expect("open")
}

/// Opens for a write. Before the first one C asks for an attribute, in vain.
pub fn open_to_write(mnt: &Path, flags: i32) -> OwnedFd {
    let f = open(mnt, libc::O_WRONLY | flags);
    user::pwrite(&f, &[4; 10], 0).expect("pwrite");
    f
}

/// As `fs` does; but CREATE makes another name of the file.
pub fn handle(fs: &mut Memfs, r: &Request) -> Answer {
    match r.op {
        Op::CREATE => {}
        // Of what a killed caller has left.
        Op::INTERRUPT => return Answer::None,
        _ => return fs.handle(r),
    }
    let f = file(fs);
    let node = fs.nodes.get_mut(&f).expect("f");
    node.lookups += 1;
    let mut b = Entry::new(node.attr)
        .entry_valid(LONG)
        .attr_valid(LONG)
        .bytes();
    b.extend(open_out(99, fs.open_flags));
    Answer::Ok(b)
}

fn answer(m: &Mock, fs: &mut Memfs, r: &Request) {
    let a = handle(fs, r);
    m.answer(r, &a).expect("answer");
}

/// The daemon's file has other contents.
pub fn rewrite(fs: &mut Memfs) {
    let f = file(fs);
    fs.nodes.get_mut(&f).expect("f").data.fill(9);
}

/// It has another size.
pub fn resize(fs: &mut Memfs, size: usize) {
    let f = file(fs);
    let node = fs.nodes.get_mut(&f).expect("f");
    node.data.resize(size, 9);
    node.attr.size = size as u64;
}

/// Opening a file drops its pages.
fn second_open() {
    Second {
        caller: |mnt| {
            let p = mnt.join("f");
            Box::new(move || user::open(&p, libc::O_RDONLY, 0).map(drop))
        },
        sends: &[Op::OPEN],
        behind: rewrite,
        ..SECOND
    }
    .run();
}

/// So does CREATE, where the daemon says that it is a file that was there already.
fn create_of_what_is_known() {
    Second {
        caller: |mnt| {
            let p = mnt.join("new");
            Box::new(move || user::open(&p, libc::O_RDONLY | libc::O_CREAT, 0o644).map(drop))
        },
        sends: &[Op::LOOKUP, Op::CREATE],
        behind: rewrite,
        ..SECOND
    }
    .run();
}

fn write_to_the_page() {
    Second {
        daemon: |fs| fs.open_flags = wire::FOPEN_KEEP_CACHE,
        caller: |mnt| {
            let f = open_to_write(mnt, 0);
            Box::new(move || user::pwrite(&f, &[3; 10], HELD + 10).map(drop))
        },
        torn: true,
        ..SECOND
    }
    .run();
}

/// What is beyond the end in its page is zeroed first.
fn write_beyond_the_end() {
    Second {
        daemon: |fs| fs.open_flags = wire::FOPEN_KEEP_CACHE,
        caller: |mnt| {
            let f = open_to_write(mnt, 0);
            Box::new(move || user::pwrite(&f, &[3; 10], 3 * PAGE as u64).map(drop))
        },
        held: LAST,
        ..SECOND
    }
    .run();
}

/// A page and a half.
pub fn write_twice(f: &OwnedFd) -> Res<()> {
    user::pwrite(f, &[3; PAGE + PAGE / 2], HELD).map(drop)
}

/// With O_DIRECT, to a file that others have in the page cache.
fn write_past_the_cache() {
    Second {
        daemon: |fs| fs.open_flags = wire::FOPEN_KEEP_CACHE,
        caller: |mnt| {
            let f = open_to_write(mnt, libc::O_DIRECT);
            Box::new(move || write_twice(&f))
        },
        ..SECOND
    }
    .run();
}

fn write_past_the_cache_under_a_read() {
    Second {
        daemon: |fs| fs.open_flags = wire::FOPEN_KEEP_CACHE,
        caller: |mnt| {
            let f = open_to_write(mnt, libc::O_DIRECT);
            Box::new(move || write_twice(&f))
        },
        sends: &[Op::WRITE],
        under: true,
        ..SECOND
    }
    .run();
}

pub const DIRECT: u32 = wire::FOPEN_DIRECT_IO | wire::FOPEN_KEEP_CACHE;

fn direct_write() {
    Second {
        daemon: |fs| fs.open_flags = DIRECT,
        caller: |mnt| {
            let f = open_to_write(mnt, 0);
            Box::new(move || write_twice(&f))
        },
        ..SECOND
    }
    .run();
}

fn direct_write_under_a_read() {
    Second {
        daemon: |fs| fs.open_flags = DIRECT,
        caller: |mnt| {
            let f = open_to_write(mnt, 0);
            Box::new(move || write_twice(&f))
        },
        sends: &[Op::WRITE],
        under: true,
        ..SECOND
    }
    .run();
}

pub fn map(f: &OwnedFd, flags: i32) -> Res<usize> {
    // SAFETY: a new mapping.
    let p = unsafe {
        let null = std::ptr::null_mut();
        libc::mmap(
            null,
            MAPPED * PAGE,
            libc::PROT_READ,
            flags,
            f.as_raw_fd(),
            0,
        )
    };
    if p == libc::MAP_FAILED {
        return Err(last());
    }
    Ok(p as usize)
}

fn private_map_of_a_direct_file() {
    Second {
        daemon: |fs| fs.open_flags = DIRECT,
        caller: |mnt| {
            let f = open(mnt, libc::O_RDONLY);
            Box::new(move || map(&f, libc::MAP_PRIVATE).map(drop))
        },
        behind: rewrite,
        ..SECOND
    }
    .run();
}

/// The daemon truncates at OPEN.
fn open_that_truncates() {
    Second {
        caller: |mnt| {
            let p = mnt.join("f");
            Box::new(move || user::open(&p, libc::O_WRONLY | libc::O_TRUNC, 0).map(drop))
        },
        sends: &[Op::OPEN],
        grow: true,
        ..SECOND
    }
    .run();
}

/// lstat(2), for which the daemon is asked.
const STAT: Second = Second {
    daemon: |fs| fs.attr_valid = ZERO,
    caller: |mnt| {
        let p = mnt.join("f");
        user::lstat(&p).expect("lstat");
        Box::new(move || user::lstat(&p).map(drop))
    },
    sends: &[Op::GETATTR],
    ..SECOND
};

fn stat_of_a_shorter_file() {
    for held in [HELD, 0] {
        Second {
            behind: |fs| resize(fs, 100),
            held,
            grow: true,
            ..STAT
        }
        .run();
    }
}

/// Its pages are dropped, the last one among them.
fn stat_of_a_longer_file() {
    for held in [HELD, LAST] {
        Second {
            behind: |fs| {
                rewrite(fs);
                resize(fs, 13_000);
            },
            held,
            ..STAT
        }
        .run();
    }
}

fn lookup_of_a_shorter_file() {
    Second {
        before: |fs| fs.entry_valid = ZERO,
        caller: STAT.caller,
        sends: &[Op::LOOKUP],
        behind: |fs| resize(fs, 100),
        grow: true,
        ..SECOND
    }
    .run();
}

fn chmod_of_a_shorter_file() {
    Second {
        caller: |mnt| {
            let p = mnt.join("f");
            Box::new(move || user::chmod(&p, 0o600))
        },
        sends: &[Op::SETATTR],
        behind: |fs| resize(fs, 100),
        grow: true,
        ..SECOND
    }
    .run();
}

fn truncation() {
    for held in [HELD, 0] {
        Second {
            caller: |mnt| {
                let p = mnt.join("f");
                Box::new(move || user::truncate(&p, 100))
            },
            sends: &[Op::SETATTR],
            held,
            grow: true,
            ..SECOND
        }
        .run();
    }
}

fn growth() {
    Second {
        caller: |mnt| {
            let p = mnt.join("f");
            Box::new(move || user::truncate(&p, 13_000))
        },
        sends: &[Op::SETATTR],
        behind: rewrite,
        held: LAST,
        ..SECOND
    }
    .run();
}
