// SPDX-License-Identifier: GPL-2.0

//! The callers of `random`: any system call on a few names, over and over; and the walk that tells
//! what the kernel shows.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};

use fastrand::Rng;
use mockd::errno::*;
use mockd::mem::{shared, PAGE};
use mockd::user;
use suites::catalogue::summary;

/// What test and callers tell each other.
#[repr(C)]
pub struct Shared {
    /// System calls that have succeeded, and all.
    pub good: AtomicU32,
    pub calls: AtomicU32,
    pub stale: AtomicU32,
    /// The callers are to end.
    pub stop: AtomicBool,
    /// One for each caller.
    pub writes: [Writes; WRITES],
}

/// More than there are callers at a time, those that have been killed among them.
pub const WRITES: usize = 400;

/// How much a caller writes just now. What it has copied to the page cache stays there, with either
/// module, if it is killed before the daemon has read the WRITE, so that it is killed then only if
/// the daemon has all of that.
pub struct Writes(AtomicU64);

const NOTHING: u64 = 0;
/// It is to be killed, and writes no more.
const NO_MORE: u64 = u64::MAX;

impl Writes {
    pub fn reset(&self) {
        self.0.store(NOTHING, SeqCst);
    }

    /// Whether it may be killed; `sent` is how much the daemon has been asked to write.
    pub fn may_die(&self, sent: Option<u64>) -> bool {
        let none = self.0.compare_exchange(NOTHING, NO_MORE, SeqCst, SeqCst);
        none.is_ok() || none.err() == sent
    }

    /// The caller writes so much.
    fn during<T>(&self, n: usize, f: impl FnOnce() -> T) -> T {
        if self
            .0
            .compare_exchange(NOTHING, n as u64, SeqCst, SeqCst)
            .is_err()
        {
            loop {
                std::thread::park();
            }
        }
        let v = f();
        self.0.store(NOTHING, SeqCst);
        v
    }
}

impl Shared {
    pub fn new() -> &'static Shared {
        // SAFETY: integers and flags, which may be zero.
        unsafe { shared() }
    }
}

/// All names there are, of files, directories and links.
pub const NAMES: [&str; 6] = ["d", "e", "f", "g", "h", "l"];

/// Files are not appended to beyond this.
const MOST: u64 = 40_000;

/// Works until told to stop.
pub fn run(mnt: &Path, seed: u64, shared: &Shared, number: usize) {
    let mut hands = Hands {
        mnt,
        writes: &shared.writes[number],
        rng: Rng::with_seed(seed),
        files: Vec::new(),
    };
    while !shared.stop.load(SeqCst) {
        let (what, r) = hands.one();
        shared.calls.fetch_add(1, SeqCst);
        match r {
            Ok(()) => {
                shared.good.fetch_add(1, SeqCst);
            }
            // What a name is, or is not; a directory into itself, and a link to one.
            Err(ENOENT | EEXIST | ENOTDIR | EISDIR | ENOTEMPTY | ELOOP | EINVAL | EPERM) => {}
            // The lookup of a directory whose RENAME was left or ended with EINTR moves it, and
            // cannot if somebody holds its old parent.
            Err(ESTALE) => {
                println!("{what}: ESTALE");
                shared.stale.fetch_add(1, SeqCst);
            }
            Err(e) => panic!("{what}: {e}"),
        }
    }
}

struct Hands<'a> {
    mnt: &'a Path,
    writes: &'a Writes,
    rng: Rng,
    files: Vec<OwnedFd>,
}

impl Hands<'_> {
    fn name(&mut self) -> &'static str {
        NAMES[self.rng.usize(..NAMES.len())]
    }

    /// A path of up to three names, the first ones mostly of directories.
    fn path(&mut self) -> PathBuf {
        let mut p = self.mnt.to_path_buf();
        for _ in 0..[0, 0, 1, 1, 1, 2][self.rng.usize(..6)] {
            let dir = if self.rng.u8(..8) == 0 {
                self.name()
            } else {
                NAMES[self.rng.usize(..2)]
            };
            p.push(dir);
        }
        let last = self.name();
        p.push(last);
        p
    }

    fn bytes(&mut self) -> Vec<u8> {
        let n = [1, 100, PAGE, self.rng.usize(1..9000)][self.rng.usize(..4)];
        vec![self.rng.u8(1..); n]
    }

    fn at(&mut self) -> u64 {
        [0, 0, PAGE as u64, self.rng.u64(..12_000)][self.rng.usize(..4)]
    }

    /// One thing, and what it was.
    fn one(&mut self) -> (&'static str, Res<()>) {
        if self.files.len() > 3 || (!self.files.is_empty() && self.rng.u8(..8) == 0) {
            let i = self.rng.usize(..self.files.len());
            return ("close", user::close(self.files.swap_remove(i)));
        }
        match self.rng.u8(..24) {
            0..=1 => ("mkdir", user::mkdir(&self.path(), 0o755)),
            2 => ("rmdir", user::rmdir(&self.path())),
            3..=4 => ("unlink", user::unlink(&self.path())),
            5..=7 => {
                let (a, b) = (self.path(), self.path());
                let flags =
                    [0, 0, 0, libc::RENAME_NOREPLACE, libc::RENAME_EXCHANGE][self.rng.usize(..5)];
                ("rename", user::rename2(&a, &b, flags))
            }
            8 => ("link", user::link(&self.path(), &self.path())),
            9 => {
                let text = self.name();
                ("symlink", user::symlink(text, &self.path()))
            }
            10 => {
                let mode = 0o600 + self.rng.u32(..0o100);
                // A link's own mode is not to be changed, and it may lead to itself.
                ("chmod", user::chmod(&self.path(), mode))
            }
            11 => ("truncate", self.truncate()),
            12 => ("lstat", user::lstat(&self.path()).map(drop)),
            13 => ("readlink", user::readlink(&self.path()).map(drop)),
            14 => {
                let p = self.path();
                let dir = p.parent().unwrap_or(self.mnt);
                ("list", user::list(dir).map(drop))
            }
            15..=17 => ("open", self.open()),
            _ => self.use_file(),
        }
    }

    fn truncate(&mut self) -> Res<()> {
        let (p, len) = (self.path(), self.at());
        user::truncate(&p, len as i64)
    }

    fn open(&mut self) -> Res<()> {
        let how = [
            libc::O_RDONLY,
            libc::O_RDWR,
            libc::O_RDWR | libc::O_CREAT,
            libc::O_RDWR | libc::O_CREAT,
            libc::O_RDWR | libc::O_CREAT | libc::O_EXCL,
            libc::O_RDWR | libc::O_TRUNC,
            libc::O_RDWR | libc::O_CREAT | libc::O_APPEND,
            libc::O_RDWR | libc::O_APPEND,
            libc::O_RDWR | libc::O_DIRECT,
        ][self.rng.usize(..9)];
        let p = self.path();
        self.files.push(user::open(&p, how, 0o644)?);
        Ok(())
    }

    /// Something with an open file.
    fn use_file(&mut self) -> (&'static str, Res<()>) {
        if self.files.is_empty() {
            return ("open", self.open());
        }
        let (bytes, at) = (self.bytes(), self.at());
        let what = self.rng.u8(..9);
        let f = &self.files[self.rng.usize(..self.files.len())];
        // SAFETY: fcntl with integers.
        let flags = unsafe { libc::fcntl(f.as_raw_fd(), libc::F_GETFL) };
        if flags & libc::O_ACCMODE == libc::O_RDONLY {
            return match what {
                0 => ("fstat", user::fstat(f).map(drop)),
                1 => ("fchmod", user::fchmod(f, 0o600 + at as u32 % 0o100)),
                // It may be a directory.
                _ => ("pread", user::pread(f, 20_000, at).map(drop)),
            };
        }
        match what {
            0 => ("fstat", user::fstat(f).map(drop)),
            1 => ("fsync", user::fsync(f)),
            2 => ("ftruncate", user::ftruncate(f, at as i64)),
            3..=4 => ("pread", user::pread(f, 20_000, at).map(drop)),
            _ => {
                let append = flags & libc::O_APPEND != 0;
                if append && user::fstat(f).is_ok_and(|s| s.size > MOST) {
                    return ("ftruncate", user::ftruncate(f, 0));
                }
                let write = || user::pwrite(f, &bytes, at).map(drop);
                ("pwrite", self.writes.during(bytes.len(), write))
            }
        }
    }
}

/// What the kernel shows below `dir`, a line for each name and for what each directory lists. Names
/// that are not listed are asked for, too.
pub fn walk(dir: &Path, rel: &str, out: &mut Vec<String>) {
    let listed = user::list(dir).unwrap_or_else(|e| panic!("list {rel}: {e}"));
    out.push(format!("{rel}/ has {listed:?}"));
    for name in NAMES {
        let (p, rel) = (dir.join(name), format!("{rel}/{name}"));
        let s = match user::lstat(&p) {
            Ok(s) => s,
            Err(ENOENT) => continue,
            Err(e) => panic!("lstat {rel}: {e}"),
        };
        let content = match s.mode & libc::S_IFMT {
            libc::S_IFLNK => user::readlink(&p).unwrap_or_else(|e| panic!("readlink {rel}: {e}")),
            libc::S_IFREG => {
                let f = user::open(&p, libc::O_RDONLY, 0).unwrap_or_else(|e| panic!("{rel}: {e}"));
                summary(user::pread(&f, 1 << 17, 0).expect("pread"))
            }
            _ => String::new(),
        };
        out.push(line(&rel, s.ino, s.mode, s.nlink, s.size, &content));
        if s.mode & libc::S_IFMT == libc::S_IFDIR {
            walk(&p, &rel, out);
        }
    }
}

/// One name, on either side.
pub fn line(rel: &str, ino: u64, mode: u32, nlink: u64, size: u64, content: &str) -> String {
    format!("{rel}: node {ino} mode {mode:o} links {nlink} size {size} {content}")
}
