// SPDX-License-Identifier: GPL-2.0

//! A request whose caller was killed and has left, with a daemon that still has it.

use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::wire::Op;
use mockd::{Caller, Mock, Request};
use suites::catalogue::Row;

use crate::kit;

/// Skips the case where callers do not leave.
pub fn only_ours() {
    if !kit::killable() {
        ktap::skip("C's caller waits for the answer, killed or not");
    }
}

/// A daemon that has the request of a killed caller, which is gone.
pub struct Left {
    pub m: Mock,
    pub fs: Memfs,
    pub r: Request,
}

/// A caller that has sent its request, which the daemon has.
pub fn asked(row: &Row) -> (Mock, Memfs, Caller, Request) {
    let (mut m, mut fs) = kit::mounted(row, |_| ());
    let c = kit::start(row, &mut m, &mut fs);
    let r = kit::next(&mut m);
    assert_eq!(r.op, row.op, "{r:?}");
    (m, fs, c, r)
}

impl Left {
    /// By the call that has this name in the catalogue.
    pub fn by_name(name: &str) -> Left {
        Left::by(suites::catalogue::find(name))
    }

    pub fn by(row: &Row) -> Left {
        println!("{}", row.name);
        let (mut m, fs, mut c, r) = asked(row);
        m.without_record();
        c.kill(libc::SIGKILL);
        let i = m.expect(Op::INTERRUPT);
        assert_eq!(i.get("unique"), r.unique);
        c.reap();
        Left { m, fs, r }
    }

    /// Answers as a daemon would that has done it; gives the answer.
    pub fn answer(&mut self) -> Vec<u8> {
        match self.fs.handle(&self.r) {
            Answer::Ok(b) => {
                self.m.reply(&self.r, &b);
                b
            }
            a => panic!("{a:?}"),
        }
    }

    /// All that has come since, but for what the killed caller's files cause.
    pub fn all(&mut self) -> Vec<Request> {
        let mut v = Vec::new();
        while self.m.pending() {
            v.push(self.m.request());
        }
        v
    }

    /// Nothing has come since but what the caller's exit makes of the files that it had, and
    /// FORGETs of what it was to remove or rename: the names are dropped, as nobody knows what has
    /// them.
    #[track_caller]
    pub fn only_closes(&mut self) {
        let names = matches!(self.r.op, Op::UNLINK | Op::RMDIR | Op::RENAME | Op::RENAME2);
        for r in self.all() {
            let forget = names && !r.forgets().is_empty();
            assert!(forget || is_close(&r), "{r:?}");
            kit::answer(&self.m, &mut self.fs, &r);
        }
    }

    pub fn end(mut self) {
        kit::close_down(&mut self.m, &mut self.fs);
    }
}

/// What the exit of the caller makes of the files that it had.
fn is_close(r: &Request) -> bool {
    matches!(r.op, Op::FLUSH | Op::RELEASE | Op::RELEASEDIR)
}
