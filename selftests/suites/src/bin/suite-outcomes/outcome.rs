// SPDX-License-Identifier: GPL-2.0

//! The columns: what becomes of a request. [`meets_each`] fills in one row of the table.

use mockd::caller::readable;
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::record::Recorder;
use mockd::reply::message;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Request, Setup};
use suites::catalogue::{sample, Names, Place, Row, Waits};
use suites::daemon::until;

/// What becomes of the first request of the operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// Answered as it should be.
    Answered,
    /// Answered with an error that means nothing special.
    Refused,
    /// Answered with ENOSYS.
    NotKnown,
    /// Answered with EINTR, which nobody asked for.
    Interrupted,
    /// An answer of one byte less.
    Short,
    /// An answer of a page more.
    Long,
    /// An error with something behind it.
    ErrorWithPayload,
    /// An answer of the right length, all bits set.
    Garbage,
    /// An error number outside of the range, then the right answer.
    BadError,
    /// Signalled before the daemon reads it, then answered.
    SignalQueued,
    /// Signalled while the daemon has it, then answered.
    SignalSent,
    /// Signalled while the daemon has it, then answered with EINTR.
    SignalObeyed,
    /// The caller is killed before the daemon reads it.
    KilledQueued,
    /// `umount -f` before the daemon reads it.
    AbortQueued,
    /// `umount -f` while the daemon has it.
    AbortSent,
    /// The daemon closes the device before it reads it.
    DeathQueued,
    /// The daemon closes the device while it has it.
    DeathSent,
}

use Outcome::*;

const ALL: &[Outcome] = &[
    Answered,
    Refused,
    NotKnown,
    Interrupted,
    Short,
    Long,
    ErrorWithPayload,
    Garbage,
    BadError,
    SignalQueued,
    SignalSent,
    SignalObeyed,
    KilledQueued,
    AbortQueued,
    AbortSent,
    DeathQueued,
    DeathSent,
];

/// The errors of a call that is done twice.
type Twice = (Res<()>, Res<()>);

/// Runs one row of the table; each cell is a mount of its own.
pub fn meets_each(row: &Row) {
    for outcome in ALL {
        // Shown if the cell fails.
        println!("{outcome:?}");
        Cell::new(row).run(*outcome);
    }
}

/// One mount, its caller stopped before the call, and what has come of it.
struct Cell<'a> {
    row: &'a Row,
    m: Mock,
    fs: Memfs,
    caller: Caller,
    /// What the writes of the answer gave.
    wrote: Vec<Res<usize>>,
}

impl<'a> Cell<'a> {
    fn new(row: &'a Row) -> Self {
        let init = Init::plain()
            .with("NO_OPEN_SUPPORT")
            .with("NO_OPENDIR_SUPPORT");
        let init = row.init(init);
        let setup = Setup {
            nonblock: true,
            ..Setup::default()
        };
        let mut m = Mock::with(&setup, &init);
        let mut fs = sample();
        (row.files)(&mut fs);

        let ready = row.ready;
        let mut caller = m.caller(move |mnt, io| -> Twice {
            user::catch_signal(libc::SIGUSR1, false);
            let mut act = ready(&Place::new(mnt, Names::ROOT)).expect("preparation");
            io.put(());
            io.wait();
            (act.run(), act.run())
        });
        // All that the preparation asks for.
        while !readable(caller.fd(), std::time::Duration::ZERO) {
            m.drain(&mut |r| fs.handle(r));
        }
        caller.get::<()>();
        m.drain(&mut |r| fs.handle(r));
        caller.go();
        let mut cell = Cell {
            row,
            m,
            fs,
            caller,
            wrote: vec![],
        };
        for _ in 0..row.before {
            let r = cell.m.request();
            assert!(r.op != row.op, "{r:?} comes too early");
            let a = cell.fs.handle(&r);
            cell.m.answer(&r, &a).expect("answer");
        }
        until("the request", || cell.m.pending().then_some(()));
        cell
    }

    /// The daemon reads the request.
    fn read(&mut self) -> Request {
        let r = self.m.request();
        assert_eq!(r.op, self.row.op, "{r:?}");
        r
    }

    fn write(&mut self, message: &[u8]) {
        self.wrote.push(self.m.write(message));
    }

    /// Answers with what `change` makes of the right answer.
    fn changed(&mut self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let r = self.read();
        let body = match self.fs.handle(&r) {
            Answer::Ok(body) => body,
            other => panic!("{r:?} is answered with {other:?}"),
        };
        self.write(&message(r.unique, 0, &change(body)));
    }

    fn error(&mut self, e: Errno) {
        let r = self.read();
        self.write(&message(r.unique, -e.0, &[]));
    }

    /// Interrupts the caller, which waits on without being woken by this signal again.
    fn signal(&self) {
        if self.row.is_waited_for() {
            self.caller.wait_asleep();
            self.caller.kill(libc::SIGUSR1);
            self.caller.wait_signalled();
        }
    }

    /// The INTERRUPT of a request, if somebody waits for it.
    fn interrupt(&mut self, of: &Request) {
        if self.row.is_waited_for() {
            let i = self.m.expect(Op::INTERRUPT);
            assert_eq!(
                (i.unique, i.get("unique")),
                (of.unique | 1, of.unique),
                "{i:?}"
            );
        }
    }

    /// Answers as it should be.
    fn answer(&mut self, r: &Request) {
        let a = self.fs.handle(r);
        self.m.answer(r, &a).expect("answer");
    }

    fn run(mut self, outcome: Outcome) {
        match outcome {
            Answered => self.changed(|body| body),
            Refused => self.error(EREMOTEIO),
            NotKnown => self.error(ENOSYS),
            Interrupted => self.error(EINTR),
            Short => self.changed(|mut body| {
                body.pop();
                body
            }),
            Long => self.changed(|mut body| {
                body.resize(body.len() + 4096, 0);
                body
            }),
            Garbage => self.changed(|body| vec![0xff; body.len()]),
            ErrorWithPayload => {
                let r = self.read();
                self.write(&message(r.unique, -EREMOTEIO.0, b"more"));
            }
            BadError => {
                let r = self.read();
                for e in [1, -512, i32::MIN] {
                    self.write(&message(r.unique, e, &[]));
                }
                self.answer(&r);
            }
            SignalQueued => {
                self.signal();
                let r = self.read();
                self.interrupt(&r);
                self.answer(&r);
            }
            SignalSent => {
                let r = self.read();
                self.signal();
                self.interrupt(&r);
                self.answer(&r);
            }
            SignalObeyed => {
                let r = self.read();
                self.signal();
                self.interrupt(&r);
                self.write(&message(r.unique, -EINTR.0, &[]));
            }
            KilledQueued => {
                if self.row.is_waited_for() {
                    self.caller.wait_asleep();
                }
                self.caller.kill(libc::SIGKILL);
                return self.killed(outcome);
            }
            AbortQueued => return self.ended(outcome, End::Forced),
            AbortSent => {
                self.read();
                return self.ended(outcome, End::Forced);
            }
            DeathQueued => return self.ended(outcome, End::Closed),
            DeathSent => {
                self.read();
                return self.ended(outcome, End::Closed);
            }
        }
        self.served(outcome);
    }

    /// What else the caller asks is answered, until it has its result.
    fn served(self, outcome: Outcome) {
        let Cell {
            row,
            mut m,
            mut fs,
            caller,
            wrote,
        } = self;
        let result: Twice = m.serve(caller, &mut |r| fs.handle(r));
        note(
            &m.rec,
            row,
            outcome,
            &format!("{result:?}, wrote {wrote:?}"),
        );
        m.finish();
    }

    /// The caller is dead, or will be as soon as it has closed its files.
    fn killed(mut self, outcome: Outcome) {
        // Until then the request may still be there to be read. What must be sent stays there,
        // killed or not.
        if self.row.waits != Waits::Always {
            until("the caller to have left", || {
                (self.caller.exiting() || self.caller.ended()).then_some(())
            });
        }
        while !self.caller.ended() {
            // What poll(2) has seen may have been taken back by the time of the read.
            match self.m.read() {
                Ok(r) => {
                    let a = self.fs.handle(&r);
                    self.m.answer(&r, &a).expect("answer");
                }
                Err(EAGAIN) => std::thread::yield_now(),
                Err(e) => panic!("read of the device: {e}"),
            }
        }
        let status = self.caller.reap();
        // Who sends it is a matter of who lets go of the file last: the caller, or whoever ends a
        // FLUSH that it has not waited for.
        self.m.rec.leave_out(Op::RELEASE);
        self.m.drain(&mut |r| self.fs.handle(r));
        note(&self.m.rec, self.row, outcome, &format!("status {status}"));
        self.m.finish();
    }

    /// The connection ends, and every call with it.
    fn ended(mut self, outcome: Outcome, how: End) {
        let (mnt, rec) = (self.m.mnt.clone(), self.m.rec.clone());
        // Saved here, when the caller has told what it got.
        self.m.without_record();
        let kept = match how {
            End::Forced => {
                // EBUSY where the caller has a file open; it has aborted all the same.
                let _ = umount(&mnt, libc::MNT_FORCE);
                Some(self.m)
            }
            End::Closed => {
                // It ends the requests that the daemon has before it aborts: nobody asks again in
                // between.
                self.caller.behind(|| drop(self.m));
                None
            }
        };
        let result: Twice = self.caller.join();
        drop(kept);
        if self.row.is_waited_for() {
            assert!(result.0.is_err(), "{outcome:?}: {result:?}");
        }
        // The second call may still find the connection, which a close ends after the requests, or
        // not even the mount, which goes if the caller is between its calls just then.
        note(&rec, self.row, outcome, &format!("{:?}", result.0));
        rec.save();
        let _ = umount(&mnt, libc::MNT_DETACH);
    }
}

/// How a connection ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// `umount -f`.
    Forced,
    /// The last descriptor of the device is closed.
    Closed,
}

/// Puts a cell's result into the record that is compared between the modules.
fn note(rec: &Recorder, row: &Row, outcome: Outcome, text: &str) {
    rec.note(format!("{:?} {outcome:?}: {text}", row.op));
}
