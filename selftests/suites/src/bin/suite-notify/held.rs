// SPDX-License-Identifier: GPL-2.0

//! Each notification, written by the very thread that has a request of the same object, and what
//! frees that thread if it hangs: the table in Documentation/deadlocks.rst.

use std::path::{Path, PathBuf};

use ktap::{implementation, Case, Impl};
use mockd::errno::*;
use mockd::mount::umount;
use mockd::{user, Caller, Op};
use suites::daemon::until;
use suites::ends::{end, references, wait_exit};
use suites::setting::Setting;
use suites::settle::{describe, settle};

use crate::held_daemon::{run, Shared, D, E, F};
use crate::kit::{delete, inval_entry, inval_inode, prune, EXPIRE_ONLY, NOBODY, NO_DATA};

/// A request that the daemon has.
pub struct Request {
    pub op: Op,
    /// The name that it is about, or of what it is about.
    pub name: &'static str,
    /// That name's node.
    child: u64,
    /// What it is about.
    node: u64,
    /// Names are good for no time.
    pub revalidates: bool,
    call: fn(&Path) -> Res<()>,
}

const fn named(op: Op, name: &'static str, child: u64, call: fn(&Path) -> Res<()>) -> Request {
    Request {
        op,
        name,
        child,
        node: D,
        revalidates: false,
        call,
    }
}

const fn of_file(op: Op, call: fn(&Path) -> Res<()>) -> Request {
    Request {
        op,
        name: "f",
        child: F,
        node: F,
        revalidates: false,
        call,
    }
}

fn open(p: &Path, flags: i32) -> Res<std::os::fd::OwnedFd> {
    user::open(p, flags, 0o644)
}

/// The requests; the path that each call gets is the directory.
const REQUESTS: &[Request] = &[
    named(Op::LOOKUP, "new", NOBODY, |d| {
        user::lstat(&d.join("new")).map(drop)
    }),
    Request {
        revalidates: true,
        ..named(Op::LOOKUP, "f", F, |d| user::lstat(&d.join("f")).map(drop))
    },
    named(Op::CREATE, "new", NOBODY, |d| {
        open(&d.join("new"), libc::O_CREAT | libc::O_EXCL | libc::O_RDWR).map(drop)
    }),
    named(Op::MKDIR, "new", NOBODY, |d| {
        user::mkdir(&d.join("new"), 0o755)
    }),
    named(Op::MKNOD, "new", NOBODY, |d| {
        user::mknod(&d.join("new"), libc::S_IFIFO | 0o644, 0)
    }),
    named(Op::SYMLINK, "new", NOBODY, |d| {
        user::symlink("f", &d.join("new"))
    }),
    named(Op::LINK, "new", NOBODY, |d| {
        user::link(&d.join("f"), &d.join("new"))
    }),
    named(Op::UNLINK, "f", F, |d| user::unlink(&d.join("f"))),
    named(Op::RMDIR, "e", E, |d| user::rmdir(&d.join("e"))),
    named(Op::RENAME, "f", F, |d| {
        user::rename(&d.join("f"), &d.join("new"))
    }),
    named(Op::OPENDIR, "f", F, |d| user::list(d).map(drop)),
    named(Op::READDIR, "f", F, |d| user::list(d).map(drop)),
    of_file(Op::GETATTR, |d| {
        user::statx(&d.join("f"), libc::AT_STATX_FORCE_SYNC, libc::STATX_SIZE).map(drop)
    }),
    of_file(Op::SETATTR, |d| user::chmod(&d.join("f"), 0o600)),
    of_file(Op::OPEN, |d| open(&d.join("f"), libc::O_RDONLY).map(drop)),
    of_file(Op::READ, |d| {
        user::pread(&open(&d.join("f"), libc::O_RDONLY)?, 100, 0).map(drop)
    }),
    of_file(Op::WRITE, |d| {
        user::pwrite(&open(&d.join("f"), libc::O_RDWR)?, b"text", 0).map(drop)
    }),
    of_file(Op::FSYNC, |d| {
        user::fsync(&open(&d.join("f"), libc::O_RDWR)?)
    }),
    of_file(Op::FLUSH, |d| {
        user::close(open(&d.join("f"), libc::O_RDONLY)?)
    }),
    of_file(Op::RELEASE, |d| {
        user::close(open(&d.join("f"), libc::O_RDONLY)?)
    }),
];

/// What is sent about the request's object.
type Notification = fn(&Request) -> Vec<u8>;

const NOTIFICATIONS: &[(&str, Notification)] = &[
    ("attributes", |r| inval_inode(r.node, NO_DATA, 0)),
    ("data", |r| inval_inode(r.node, 0, 0)),
    ("entry", |r| inval_entry(D, 0, r.name.as_bytes())),
    ("expire", |r| inval_entry(D, EXPIRE_ONLY, r.name.as_bytes())),
    ("delete", |r| delete(D, r.child, r.name.as_bytes())),
    ("prune", |r| prune(&[r.node])),
];

/// What becomes of the notification where nobody is killed: for C's module and ours.
const HANGS: &[(&str, &[Op], &[Op])] = &[
    ("attributes", &[], &[]),
    ("data", LOCK_PAGE, LOCK_PAGE),
    ("entry", LOCK_D, &[]),
    ("expire", LOCK_D, &[]),
    ("delete", LOCK_D_OR_F, LOCK_D_OR_F),
    ("prune", &[], &[]),
];

/// Those whose callers have a page locked: WRITE, as it is of a part of one that is not cached.
const LOCK_PAGE: &[Op] = &[Op::READ, Op::WRITE];

/// Those whose callers have the directory locked. A name that is looked up again is not among them.
const LOCK_D: &[Op] = &[
    Op::LOOKUP,
    Op::CREATE,
    Op::MKDIR,
    Op::MKNOD,
    Op::SYMLINK,
    Op::LINK,
    Op::UNLINK,
    Op::RMDIR,
    Op::RENAME,
    Op::READDIR,
];

/// Or the file.
const LOCK_D_OR_F: &[Op] = &[
    Op::LOOKUP,
    Op::CREATE,
    Op::MKDIR,
    Op::MKNOD,
    Op::SYMLINK,
    Op::LINK,
    Op::UNLINK,
    Op::RMDIR,
    Op::RENAME,
    Op::READDIR,
    Op::SETATTR,
    Op::WRITE,
    Op::FSYNC,
];

/// Whom SIGKILL gets, and when.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Killed {
    Nobody,
    /// The caller, before the notification.
    CallerBefore,
    /// The caller, when the notification hangs.
    Caller,
    /// The daemon, then.
    Daemon,
}

const KILLED: &[(&str, Killed)] = &[
    ("nobody", Killed::Nobody),
    ("caller_before", Killed::CallerBefore),
    ("caller", Killed::Caller),
    ("daemon", Killed::Daemon),
];

pub fn cases() -> Vec<Case> {
    let names = NOTIFICATIONS.iter().flat_map(|(notification, _)| {
        KILLED
            .iter()
            .map(move |(killed, _)| format!("held::{notification}_killed_{killed}"))
    });
    suites::cases_of(names, cells)
}

/// Which requests are tried: on a debug kernel, where a hang and its end take long, a third of
/// them, which `SEED` draws. With `RF_NOTIFY=all` they all are.
fn drawn(i: usize) -> bool {
    let seed = suites::number("SEED").unwrap_or(0);
    !ktap::debug_kernel()
        || std::env::var("RF_NOTIFY").is_ok_and(|v| v == "all")
        || (i as u64).wrapping_add(seed) % 3 == 0
}

/// Requests with a notification and an end.
fn cells() {
    let case = suites::case();
    let case = case.rsplit("::").next().unwrap_or(&case);
    let (notification, killed) = case.split_once("_killed_").expect("a cell's name");
    let (_, message) = NOTIFICATIONS
        .iter()
        .find(|(name, _)| *name == notification)
        .expect("a notification");
    let (_, killed) = KILLED
        .iter()
        .find(|(name, _)| *name == killed)
        .expect("an end");
    let (_, c, ours) = HANGS
        .iter()
        .find(|(name, _, _)| *name == notification)
        .expect("a row");
    let hangs = match implementation() {
        Impl::C => c,
        Impl::Rust => ours,
    };
    // Who is killed in close(2) waits so long for the answer to FLUSH.
    let flush_wait = Setting::of_ours("flush_wait", "1");
    let mut wrong = Vec::new();
    for (i, request) in REQUESTS.iter().enumerate().filter(|(i, _)| drawn(*i)) {
        let want = hangs.contains(&request.op) && !request.revalidates;
        let got = Cell::new(i, request, message(request)).run(*killed, want);
        println!("{:?} {}: {got}", request.op, request.name);
        if got.starts_with("hangs") != want {
            wrong.push(format!("{:?} {}: {got}", request.op, request.name));
        }
    }
    drop(flush_wait);
    assert_eq!(wrong, Vec::<String>::new(), "{notification}");
}

/// A daemon, and a caller whose request it has.
struct Cell {
    mnt: PathBuf,
    references: u32,
    shared: &'static Shared,
    daemon: Caller,
    caller: Caller,
}

impl Cell {
    fn new(i: usize, request: &'static Request, notification: Vec<u8>) -> Cell {
        let references = references();
        let mnt = ktap::dir().join(format!("mnt{i}"));
        std::fs::create_dir_all(&mnt).expect("directory");
        let shared = Shared::new();
        let at = mnt.clone();
        let mut daemon =
            Caller::spawn(None, move |io| run(request, &notification, &at, shared, io));
        daemon.get::<()>();
        let dir = mnt.join("d");
        // What is there is known.
        let at = dir.clone();
        let known = Caller::spawn(None, move |_| -> Res<()> {
            user::lstat(&at.join("f"))?;
            user::lstat(&at.join("e")).map(drop)
        });
        assert_eq!(known.join::<Res<()>>(), Ok(()));
        shared.arm();
        let caller = Caller::spawn(None, move |_| (request.call)(&dir));
        until("the request", || shared.has().then_some(()));
        Cell {
            mnt,
            references,
            shared,
            daemon,
            caller,
        }
    }

    fn settle(&self) {
        settle(&[self.caller.pid, self.daemon.pid]);
        println!("{}", describe(&[self.caller.pid, self.daemon.pid]));
    }

    /// What came of it: "hangs" or what the notification gave, and how it went on.
    fn run(mut self, killed: Killed, hangs: bool) -> String {
        let ours = implementation() == Impl::Rust;
        if killed == Killed::CallerBefore {
            self.caller.kill(libc::SIGKILL);
            if ours {
                wait_exit(&[&self.caller]);
            }
            self.settle();
        }
        self.daemon.go();
        self.settle();
        let inside = self.shared.is_inside();
        let mut got = match self.shared.result() {
            None => "hangs".to_string(),
            Some(Ok(())) => "0".to_string(),
            Some(Err(e)) => format!("{e:?}"),
        };
        assert_eq!(inside, self.shared.result().is_none());
        if inside && hangs {
            got += &self.free(killed, ours);
        } else if !inside {
            // It has been answered then.
            wait_exit(&[&self.caller]);
        }

        let _ = umount(&self.mnt, libc::MNT_FORCE);
        wait_exit(&[&self.caller, &self.daemon]);
        self.caller.reap();
        self.daemon.reap();
        drop((self.caller, self.daemon));
        end(&self.mnt, self.references);
        got
    }

    /// SIGKILL to somebody while the notification hangs; says who is free then.
    fn free(&self, killed: Killed, ours: bool) -> String {
        match killed {
            Killed::Nobody | Killed::CallerBefore => return String::new(),
            Killed::Caller => self.caller.kill(libc::SIGKILL),
            Killed::Daemon => self.daemon.kill(libc::SIGKILL),
        }
        if ours {
            // The daemon's end is the end of the connection, and so of the request.
            wait_exit(&[&self.caller]);
            if killed == Killed::Daemon {
                wait_exit(&[&self.daemon]);
            }
        }
        self.settle();
        let free = [self.caller.exited(), self.daemon.exited()];
        let want = match (ours, killed) {
            (true, Killed::Daemon) => [true, true],
            (true, _) => [true, false],
            (false, _) => [false, false],
        };
        assert_eq!(free, want, "caller and daemon");
        // One that was killed does not say any more that it is outside.
        assert!(free[1] || self.shared.is_inside());
        format!(", free: {free:?}")
    }
}
