// SPDX-License-Identifier: GPL-2.0

//! Every place where a request can be, and every end that can come there.
//!
//! A case is a place and an end; in it, operations of the catalogue, drawn at random, or all of
//! them with `RF_DEATH=all`. `RF_SEED` repeats a draw.

use std::path::Path;

use ktap::Case;
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::wire::Op;
use mockd::{Caller, Mock, Request};
use suites::catalogue::{self, Row, Waits};
use suites::fusectl;

use crate::kit::{self, Stuck};

/// Where the request is when the end comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// On the list of what the daemon has not read.
    Queued,
    /// Being read by the daemon, which waits for a page of its buffer.
    CopiedOut,
    /// Read by the daemon, not answered.
    WithDaemon,
    /// Being answered by the daemon, which waits for a page of its buffer.
    CopiedIn,
    /// In the background and over the limit, or its caller waits for room there.
    Background,
    /// Read by the daemon, and an INTERRUPT for it queued.
    Interrupted,
    /// Read by the daemon, and its caller was killed.
    Orphaned,
}

/// What comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// SIGKILL to the caller; the daemon answers afterwards.
    Kill,
    /// umount -f.
    Force,
    /// A write to the file `abort` of the control filesystem.
    Abort,
    /// The daemon's last descriptor is closed.
    Close,
}

macro_rules! points {
    ($($name:ident: $place:ident, $end:ident;)*) => {
        $(fn $name() { run(Place::$place, End::$end) })*

        pub fn cases() -> Vec<Case> {
            ktap::cases![$($name),*]
        }
    };
}

points! {
    queued_kill: Queued, Kill;
    queued_umount_f: Queued, Force;
    queued_abort: Queued, Abort;
    queued_close: Queued, Close;
    copied_out_kill: CopiedOut, Kill;
    copied_out_umount_f: CopiedOut, Force;
    copied_out_abort: CopiedOut, Abort;
    copied_out_close: CopiedOut, Close;
    with_daemon_kill: WithDaemon, Kill;
    with_daemon_umount_f: WithDaemon, Force;
    with_daemon_abort: WithDaemon, Abort;
    with_daemon_close: WithDaemon, Close;
    copied_in_kill: CopiedIn, Kill;
    copied_in_umount_f: CopiedIn, Force;
    copied_in_abort: CopiedIn, Abort;
    copied_in_close: CopiedIn, Close;
    background_kill: Background, Kill;
    background_umount_f: Background, Force;
    background_abort: Background, Abort;
    background_close: Background, Close;
    interrupted_kill: Interrupted, Kill;
    interrupted_umount_f: Interrupted, Force;
    interrupted_abort: Interrupted, Abort;
    interrupted_close: Interrupted, Close;
    orphaned_umount_f: Orphaned, Force;
    orphaned_abort: Orphaned, Abort;
    orphaned_close: Orphaned, Close;
}

/// Operations of one case, where not all are asked for.
const SAMPLE: usize = 8;

fn run(place: Place, end: End) {
    let mut ops: Vec<&Row> = catalogue::main()
        .filter(|o| applies(o, place, end))
        .collect();
    if std::env::var("RF_DEATH").as_deref() != Ok("all") {
        let mut seed = seed();
        println!("RF_SEED={seed}");
        while ops.len() > SAMPLE {
            // xorshift64
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            ops.remove((seed % ops.len() as u64) as usize);
        }
    }
    for o in ops {
        println!("{}: {place:?}, {end:?}", o.name);
        Point::reach(o, place).end(end);
    }
}

fn seed() -> u64 {
    if let Ok(seed) = std::env::var("RF_SEED") {
        return seed.parse().expect("RF_SEED");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("time").as_nanos() as u64 | 1
}

fn applies(o: &Row, place: Place, end: End) -> bool {
    match place {
        Place::Background if !matches!(o.waits, Waits::Not | Waits::ForFolio) => return false,
        // The end of a request that is answered with nothing but a header is not copied in.
        Place::CopiedIn if !o.has_payload() => return false,
        Place::Interrupted if !o.is_waited_for() => return false,
        Place::Orphaned if o.waits == Waits::Not => return false,
        _ => {}
    }
    // Nobody is left to be killed.
    end != End::Kill || o.waits != Waits::Not
}

/// What the daemon has of the request.
enum Has {
    /// Nothing.
    Nothing,
    /// A thread that reads it.
    Reader(Stuck),
    /// All of it.
    Request(Request),
    /// A thread that writes the answer.
    Writer(Stuck),
}

/// A request in its place.
struct Point {
    o: &'static Row,
    place: Place,
    m: Mock,
    fs: Memfs,
    c: Caller,
    has: Has,
    /// What keeps the background busy.
    busy: Option<Request>,
}

impl Point {
    fn reach(o: &'static Row, place: Place) -> Point {
        let (mut m, mut fs) = kit::mounted(o, |init| {
            if place == Place::Background {
                init.max_background = 1;
            }
        });
        m.without_record();
        let busy = (place == Place::Background).then(|| busy(&mut m, &mut fs));

        let c = kit::start(o, &mut m, &mut fs);
        let mut p = Point {
            o,
            place,
            m,
            fs,
            c,
            has: Has::Nothing,
            busy,
        };
        p.has = p.go_to(place);
        p
    }

    fn go_to(&mut self, place: Place) -> Has {
        let m = &mut self.m;
        if place == Place::Background {
            // The caller has either gone on, or waits for room.
            self.c.wait_asleep();
            assert!(!m.pending(), "more than the limit");
            return Has::Nothing;
        }
        suites::daemon::until("the request", || m.pending().then_some(()));
        if place == Place::Queued {
            return Has::Nothing;
        }
        if place == Place::CopiedOut {
            return Has::Reader(Stuck::reading(m));
        }
        let r = kit::next(m);
        assert_eq!(r.op, self.o.op, "{r:?}");
        match place {
            Place::CopiedIn => {
                let Answer::Ok(payload) = self.fs.handle(&r) else {
                    panic!("no answer to {r:?}");
                };
                return Has::Writer(Stuck::writing(m, &r, &payload));
            }
            Place::Interrupted => {
                self.c.kill(libc::SIGUSR1);
                suites::daemon::until("the INTERRUPT", || m.pending().then_some(()));
            }
            Place::Orphaned => {
                self.c.kill(libc::SIGKILL);
                if self.stays() {
                    self.c.wait_signalled();
                } else if kit::killable() {
                    self.c.reap();
                }
            }
            _ => {}
        }
        Has::Request(r)
    }

    /// Whether a killed caller waits for its answer all the same: with C, once the daemon has the
    /// request, and always if it is one that must be sent.
    fn stays(&self) -> bool {
        let late = !matches!(self.place, Place::Queued | Place::Background);
        match self.o.waits {
            _ if kit::killable() => false,
            Waits::Killably => late,
            Waits::Always => true,
            Waits::ForFolio | Waits::Not => false,
        }
    }

    fn end(self, end: End) {
        match end {
            End::Kill => self.kill(),
            End::Force => self.abort(end, kit::force),
            End::Abort => self.abort(end, |m| fusectl::abort(&m.mnt).expect("abort")),
            End::Close => self.close(),
        }
    }

    fn abort(self, end: End, act: fn(&Mock)) {
        act(&self.m);
        caller_ends(self.c, self.o, self.place, end);
        match self.has {
            Has::Reader(s) => assert_eq!(s.go_on(), Err(ENODEV)),
            Has::Writer(s) => assert_eq!(s.go_on(), Err(ENOENT)),
            Has::Nothing | Has::Request(_) => {}
        }
        fusectl::await_waiting(&self.m.mnt, 0);
        gone(&self.m.mnt);
    }

    fn close(self) {
        // It ends the requests that the daemon has before it aborts: nobody asks again in between.
        let mnt = self.c.behind(|| self.m.die());
        if let Has::Reader(s) | Has::Writer(s) = self.has {
            s.kill();
        }
        caller_ends(self.c, self.o, self.place, End::Close);
        fusectl::await_waiting(&mnt, 0);
        gone(&mnt);
    }

    fn kill(mut self) {
        self.c.kill(libc::SIGKILL);
        if self.stays() {
            self.c.wait_signalled();
        } else if kit::killable() {
            self.c.reap();
        } else {
            // With C it goes, too, but waits for the FLUSHes of its files. It takes back what is
            // queued first, which must not vanish between being seen and being read.
            suites::daemon::until("the killed caller to exit", || {
                self.c.exiting().then_some(())
            });
            self.until_gone();
        }
        // The daemon goes on as if nothing were.
        match std::mem::replace(&mut self.has, Has::Nothing) {
            Has::Nothing => {}
            Has::Reader(s) => match s.go_on() {
                // It is taken back: what is still to be copied is memory of the caller's.
                Err(ENOENT) if kit::killable() && self.o.lends => {}
                read => {
                    let r = Request::parse(&read.expect("read")).expect("request");
                    kit::answer(&self.m, &mut self.fs, &r);
                }
            },
            Has::Request(r) => kit::answer(&self.m, &mut self.fs, &r),
            Has::Writer(s) => drop(s.go_on().expect("write")),
        }
        if let Some(r) = self.busy.take() {
            kit::answer(&self.m, &mut self.fs, &r);
        }
        self.until_gone();
        let Point { m, fs, .. } = &mut self;
        suites::daemon::until("the end of all requests", || {
            m.drain(&mut |r| fs.handle(r));
            (fusectl::waiting(&m.mnt) == 0).then_some(())
        });
        kit::close_down(&mut self.m, &mut self.fs);
    }

    /// Serves until the caller is gone.
    fn until_gone(&mut self) {
        let Point { m, fs, c, .. } = self;
        suites::daemon::until("the killed caller to go", || {
            m.drain(&mut |r| fs.handle(r));
            c.ended().then_some(())
        });
    }
}

/// The mount of a connection that has ended goes, when the files of a caller that has left are
/// closed.
fn gone(mnt: &Path) {
    suites::daemon::until("the end of the mount", || match umount(mnt, 0) {
        Ok(()) => Some(()),
        Err(EBUSY) if kit::killable() => None,
        Err(e) => panic!("umount: {e}"),
    });
}

/// The connection has ended, and so must the caller.
fn caller_ends(mut c: Caller, o: &Row, place: Place, end: End) {
    if place == Place::Orphaned {
        c.reap();
        return;
    }
    let result = c.join::<Res<()>>();
    // A daemon that is killed while it copies may see its fault fail first, which is EIO; what is
    // tried again after that ends with the connection.
    let copying = end == End::Close && matches!(place, Place::CopiedOut | Place::CopiedIn);
    if !copying || !matches!(result, Err(EIO | ECONNABORTED)) {
        assert_eq!(result, o.aborted);
    }
}

/// Fills the background: one RELEASE that the daemon does not answer.
pub fn busy(m: &mut Mock, fs: &mut Memfs) -> Request {
    let mut c = m.caller(|mnt, _| {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        mockd::user::close(mockd::user::open(mnt, flags, 0)?)
    });
    let mut kept = None;
    suites::daemon::until("a RELEASE", || {
        m.drain(&mut |r| {
            if r.op == Op::RELEASEDIR {
                kept = Some(r.clone());
                return Answer::None;
            }
            fs.handle(r)
        });
        c.ended().then(|| kept.take()).flatten()
    })
}
