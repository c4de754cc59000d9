// SPDX-License-Identifier: GPL-2.0

//! One cell of the table: a scenario, what happens to it, and who is free then.

use std::path::Path;

use ktap::{implementation, Impl};
use mockd::errno::*;
use mockd::mount::{mount, umount};
use mockd::{user, Caller};

use crate::scene::{Scene, Stuck};
pub use suites::ends::{end, references, wait_exit};
use suites::settle::{describe, settle};

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// SIGINT to the caller, who handles it.
    SigintCaught,
    /// SIGINT to the caller, who does not.
    SigintCaller,
    SigkillCaller,
    /// SIGINT to the daemon, who does not handle it.
    SigintDaemon,
    SigkillDaemon,
    SigkillBoth,
    /// `echo 1 >/sys/fs/fuse/connections/N/abort`.
    Abort,
    UmountForce,
    /// The daemon closes its device.
    Close,
}

/// What becomes of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It stays where it is.
    Hangs,
    /// The signal ends it.
    Dies(i32),
    /// Its call returns this: the caller's system call, or the daemon's in its trap. The daemon
    /// ends then, as the connection has.
    Gets(Res<()>),
    /// One of these, as it happens.
    OneOf(&'static [Fate]),
}

impl Fate {
    fn frees(self) -> bool {
        match self {
            Fate::Hangs => false,
            Fate::Dies(_) | Fate::Gets(_) => true,
            Fate::OneOf(all) => all.iter().all(|f| f.frees()),
        }
    }

    /// What was expected, if that is what came.
    fn or_if_among(self, want: Fate) -> Fate {
        match want {
            Fate::OneOf(all) if all.contains(&self) => want,
            _ => self,
        }
    }
}

/// What becomes of somebody who comes later and looks at another file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    Served,
    Wait,
    Fail(Errno),
}

/// What is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Want {
    pub caller: Fate,
    pub daemon: Fate,
    pub others: Others,
}

/// A row: what C does, and ours with `killable=N`; and what ours does with `killable=Y`.
pub struct Row {
    pub scene: Scene,
    pub event: Event,
    pub c: Want,
    pub ours: Want,
}

impl Row {
    /// Tries it, on ours with `killable` in either position.
    pub fn run(&self) {
        match implementation() {
            Impl::C => self.cell(&self.c),
            Impl::Rust => {
                for (killable, want) in [(false, &self.c), (true, &self.ours)] {
                    println!("killable={killable}");
                    suites::killable::set(killable);
                    self.cell(want);
                }
            }
        }
    }

    fn cell(&self, want: &Want) {
        let references = self::references();
        let s = self.scene.start(self.event == Event::SigintCaught);
        println!("{}", describe(&[s.caller.pid, s.daemon.pid]));
        self.fire(&s);

        // Who is freed, is freed; then, who is not, is not.
        let (caller, daemon) = (s.caller.pid, s.daemon.pid);
        let free: Vec<&Caller> = [(&s.caller, want.caller), (&s.daemon, want.daemon)]
            .into_iter()
            .filter(|(_, fate)| fate.frees())
            .map(|(who, _)| who)
            .collect();
        wait_exit(&free);
        s.settle();
        println!("{}", describe(&[caller, daemon]));
        let (others, later) = others(&s.mnt);
        let hung = [!s.caller.exited(), !s.daemon.exited()];
        let inside = s.shared.inside();

        // An abort frees everybody.
        s.umount_force();
        wait_exit(&[&s.caller, &s.daemon, &later]);
        let first = s.shared.first();
        assert!(!hung[1] || inside > 0, "the daemon serves on: {first:?}");
        let caller = if hung[0] {
            Fate::Hangs
        } else {
            fate(s.caller, |c| c.join())
        };
        let daemon = if hung[1] {
            Fate::Hangs
        } else {
            fate(s.daemon, |d| {
                d.join::<()>();
                first.expect("a result")
            })
        };
        let got = Want {
            caller: caller.or_if_among(want.caller),
            daemon: daemon.or_if_among(want.daemon),
            others,
        };
        assert_eq!(got, *want);

        end(&s.mnt, references);
    }

    fn fire(&self, s: &Stuck) {
        match self.event {
            Event::SigintCaught | Event::SigintCaller => s.caller.kill(libc::SIGINT),
            Event::SigkillCaller => s.caller.kill(libc::SIGKILL),
            Event::SigintDaemon => s.daemon.kill(libc::SIGINT),
            Event::SigkillDaemon => s.daemon.kill(libc::SIGKILL),
            Event::SigkillBoth => {
                s.caller.kill(libc::SIGKILL);
                s.daemon.kill(libc::SIGKILL);
            }
            Event::Abort => abort(connection(&s.mnt)),
            Event::UmountForce => umount_force(&s.mnt),
            Event::Close => s.daemon.go(),
        }
    }
}

/// `umount -f` of a mount in use: it stays, for others to look at. One that went would wait for the
/// daemon to let go of the request that it is copying.
pub fn umount_force(mnt: &Path) {
    let busy = user::open(mnt, libc::O_PATH, 0).expect("open");
    assert_eq!(umount(mnt, libc::MNT_FORCE), Err(EBUSY));
    drop(busy);
}

/// The number of a mount's connection.
pub fn connection(mnt: &Path) -> u32 {
    let mnt = mnt.to_str().expect("path");
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    text.lines()
        .map(|l| l.split(' ').collect::<Vec<_>>())
        .find(|f| f[4] == mnt)
        .and_then(|f| f[2].split(':').nth(1).and_then(|n| n.parse().ok()))
        .expect("the mount")
}

/// Aborts a connection through the control file system.
pub fn abort(connection: u32) {
    let dir = Path::new("connections");
    std::fs::create_dir_all(dir).expect("directory");
    mount("none", dir, "fusectl", 0, "").expect("mount of fusectl");
    let file = dir.join(connection.to_string()).join("abort");
    let written = std::fs::write(file, "1");
    umount(dir, 0).expect("umount of fusectl");
    written.expect("abort");
}

/// How a process ended.
fn fate(mut who: Caller, result: impl FnOnce(Caller) -> Res<()>) -> Fate {
    match who.signalled() {
        Some(signal) => {
            who.reap();
            Fate::Dies(signal)
        }
        None => Fate::Gets(result(who)),
    }
}

/// Looks at another file; whoever does that may still be at it.
fn others(mnt: &Path) -> (Others, Caller) {
    let path = mnt.join("other");
    let mut c = Caller::spawn(None, |io| {
        let r = user::lstat(&path).map(drop);
        io.put(r);
    });
    settle(&[c.pid]);
    let others = if !c.exited() {
        Others::Wait
    } else {
        match c.get::<Res<()>>() {
            Ok(()) => Others::Served,
            Err(e) => Others::Fail(e),
        }
    };
    (others, c)
}
