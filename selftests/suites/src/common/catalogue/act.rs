// SPDX-License-Identifier: GPL-2.0

//! A call that is ready to be made, and what it brings.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;

use mockd::errno::Res;
use mockd::mem::{self, Pages, PAGE};
use mockd::user::{self, Stat};

/// A call that is ready: what it needs is open and known, and what it copies from or to is there,
/// so that it does nothing but its system call. It may be made again, when what it removes or makes
/// is as it left it.
pub struct Act(Box<dyn FnMut() -> Res<Got>>);

impl Act {
    pub fn new(f: impl FnMut() -> Res<Got> + 'static) -> Act {
        Act(Box::new(f))
    }

    /// A call without a result.
    pub fn done(mut f: impl FnMut() -> Res<()> + 'static) -> Act {
        Act::new(move || f().map(|()| Got::Nothing))
    }

    /// A call with one path.
    pub fn on(path: PathBuf, f: impl Fn(&std::path::Path) -> Res<()> + 'static) -> Act {
        Act::done(move || f(&path))
    }

    /// Makes the call.
    pub fn call(&mut self) -> Res<Got> {
        (self.0)()
    }

    /// Makes the call, whatever it brings.
    pub fn run(&mut self) -> Res<()> {
        self.call().map(drop)
    }
}

/// What a call brings.
#[derive(Clone)]
pub enum Got {
    Nothing,
    Number(usize),
    Text(String),
    Stat(Box<Stat>),
    /// So many bytes of data.
    Data(Rc<Pages>, usize),
    /// So many bytes of records of getdents64.
    Dirents(Rc<Pages>, usize),
    Numbers(Vec<u64>),
}

/// As text that is the same in each run, where the daemon's files are.
impl fmt::Debug for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Got::Nothing => f.write_str("()"),
            Got::Number(n) => n.fmt(f),
            Got::Text(t) => t.fmt(f),
            Got::Stat(s) => (s.ino, format!("{:o}", s.mode), s.nlink, s.size).fmt(f),
            Got::Data(pages, n) => f.write_str(&summary(pages.read(*n))),
            Got::Dirents(pages, n) => user::dirents(pages.read(*n)).fmt(f),
            Got::Numbers(v) => v.fmt(f),
        }
    }
}

/// Length, and runs of the same byte.
pub fn summary(b: impl AsRef<[u8]>) -> String {
    let b = b.as_ref();
    let mut v: Vec<(u8, usize)> = Vec::new();
    for x in b {
        match v.last_mut() {
            Some(l) if l.0 == *x => l.1 += 1,
            _ => v.push((*x, 1)),
        }
    }
    let run = |(x, n): &(u8, usize)| format!(" {n}*{x}");
    format!(
        "{} bytes:{}",
        b.len(),
        v.iter().map(run).collect::<String>()
    )
}

/// pread(2) of `n` bytes.
pub fn reads(f: OwnedFd, n: usize, off: u64) -> Act {
    let pages = Rc::new(Pages::touched(n.div_ceil(PAGE)));
    Act::new(move || {
        let got = mem::pread_at(f.as_raw_fd(), pages.addr(), n, off)?;
        Ok(Got::Data(pages.clone(), got))
    })
}

/// pwrite(2) of `n` times this byte.
pub fn writes(f: OwnedFd, n: usize, off: u64, byte: u8) -> Act {
    let pages = filled(n, byte);
    Act::new(move || mem::pwrite_at(f.as_raw_fd(), pages.addr(), n, off).map(Got::Number))
}

/// write(2) of as many at the end of a file that is open with O_APPEND.
pub fn appends(f: OwnedFd, n: usize, byte: u8) -> Act {
    let pages = filled(n, byte);
    Act::new(move || mem::write_at(f.as_raw_fd(), pages.addr(), n).map(Got::Number))
}

fn filled(n: usize, byte: u8) -> Pages {
    let mut pages = Pages::touched(n.div_ceil(PAGE));
    pages.bytes(0, n).fill(byte);
    pages
}
