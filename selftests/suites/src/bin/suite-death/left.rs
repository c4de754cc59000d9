// SPDX-License-Identifier: GPL-2.0

//! A request whose caller was killed and has left, with a daemon that still has it.

use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Request, Setup};

use crate::kit;
use crate::table::{self, Operation};

pub fn operation(name: &str) -> &'static Operation {
    let found = table::ALL.iter().find(|o| o.name == name);
    found.unwrap_or_else(|| panic!("no operation {name}"))
}

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
pub fn asked(o: &Operation) -> (Mock, Memfs, Caller, Request) {
    let (mut fs, mut init) = (table::sample(), Init::plain());
    (o.daemon)(&mut fs, &mut init);
    let mut m = Mock::with(&Setup::default(), &init);
    let c = kit::start(o, &mut m, &mut fs);
    let r = kit::next(&mut m);
    assert_eq!(r.op, o.op, "{r:?}");
    (m, fs, c, r)
}

impl Left {
    pub fn by(name: &str) -> Left {
        let (mut m, fs, mut c, r) = asked(operation(name));
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

    /// Nothing has come since but what the caller's exit makes of the files that it had, and FORGETs
    /// of what it was to remove or rename: the names are dropped, as nobody knows what has them.
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
