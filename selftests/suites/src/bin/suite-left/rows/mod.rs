// SPDX-License-Identifier: GPL-2.0

//! The operations: what each of them locks in C while its request is with the daemon; the small tree that they work on, and
//! who looks at all of it in the end.

mod first;
mod second;

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::path::Path;

use mockd::mem::PAGE;
use mockd::memfs::Memfs;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::{self, Op};

use crate::scene::{open, show, Act, Scene};

/// What an operation holds, or must have, while its request is with the daemon.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Lock {
    /// i_rwsem of what has this name, exclusive.
    X(&'static str),
    /// The same, shared.
    S(&'static str),
    /// The turn among LOOKUPs and READDIRs of a directory, where the daemon has not agreed to PARALLEL_DIROPS.
    Turn(&'static str),
    /// The superblock's lock for renames of directories across directories.
    Renames,
    /// A name that is being looked up.
    Name(&'static str),
    /// The page of a file.
    Folio(&'static str, u32),
}

use Lock::*;

pub use first::LEFT;
pub use second::OTHER;

impl Lock {
    /// True if who wants `other` waits for who has this.
    fn excludes(self, other: Lock) -> bool {
        match (self, other) {
            (X(a), X(b)) | (X(a), S(b)) | (S(a), X(b)) => a == b,
            (S(_), S(_)) => false,
            (a, b) => a == b,
        }
    }
}

/// An operation.
pub struct Row {
    pub name: &'static str,
    /// Rows of one class lock alike.
    pub class: &'static str,
    /// Its request, and the name in that, if it tells it from others.
    pub op: Op,
    pub what: &'static str,
    pub locks: &'static [Lock],
    pub prepare: fn(&Path) -> Act,
    /// A flag of INIT that the daemon does not agree to.
    pub without: Option<&'static str>,
    /// In C, too, SIGKILL frees who waits for it.
    pub killable_in_c: bool,
}

const fn row(
    name: &'static str,
    class: &'static str,
    op: Op,
    locks: &'static [Lock],
    prepare: fn(&Path) -> Act,
) -> Row {
    Row {
        name,
        class,
        op,
        what: "",
        locks,
        prepare,
        without: None,
        killable_in_c: false,
    }
}

/// What a row does with a path.
fn on(mnt: &Path, f: fn(&Path) -> String) -> Act {
    let mnt = mnt.to_path_buf();
    Box::new(move || f(&mnt))
}

fn stat_text(r: mockd::errno::Res<user::Stat>) -> String {
    show(r.map(|s| (s.ino, format!("{:o}", s.mode), s.nlink, s.size)))
}

/// Writes by a descriptor.
fn writes(mnt: &Path, name: &str, flags: i32, n: usize, off: u64, byte: u8) -> Act {
    let f = open(mnt, name, libc::O_RDWR | flags);
    Box::new(move || show(user::pwrite(&f, &vec![byte; n], off)))
}

/// Reads by a descriptor, no more than it asks for.
pub fn reads(mnt: &Path, name: &str, n: usize, off: u64) -> Act {
    let f = open(mnt, name, libc::O_RDONLY);
    // SAFETY: integers.
    unsafe { libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
    Box::new(move || show(user::pread(&f, n, off).map(summary)))
}

fn by_fd(mnt: &Path, name: &str, flags: i32, f: fn(&std::os::fd::OwnedFd) -> String) -> Act {
    let fd = open(mnt, name, flags);
    Box::new(move || f(&fd))
}

/// Length, and runs of the same byte.
pub fn summary(b: Vec<u8>) -> String {
    let mut v: Vec<(u8, usize)> = Vec::new();
    for x in &b {
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

const RW: i32 = libc::O_RDWR;
const DIR: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

/// The names that are there from the start, and that everybody knows.
pub const KNOWN: &[&str] = &[
    "d", "e", "d/f", "d/g", "d/h", "d/q", "d/v", "d/w", "d/s", "d/s2", "d/l", "e/k", "e/t",
];

/// A daemon with the tree: n1 to n4 are there, and nobody has looked them up yet. Nothing is believed for longer than it takes.
pub fn tree() -> (Memfs, Vec<(u64, u32)>) {
    let mut fs = Memfs::new();
    (fs.entry_valid, fs.attr_valid) = (ZERO, ZERO);
    let (file, dir) = (libc::S_IFREG | 0o644, libc::S_IFDIR | 0o755);
    let d = fs.dir("d");
    let e = fs.dir("e");
    fs.add(d, "f", file, &[7; 3 * PAGE]);
    fs.add(d, "g", file, &[8; 10]);
    let h = fs.add(d, "h", file, &[9; 3 * PAGE]);
    let q = fs.add(d, "q", file, &[10; 3 * PAGE]);
    for name in ["v", "w", "n1", "n2"] {
        fs.add(d, name, file, b"text");
    }
    let s = fs.add(d, "s", dir, &[]);
    fs.add(d, "s2", dir, &[]);
    fs.add(d, "l", libc::S_IFLNK | 0o777, b"f");
    fs.add(e, "k", file, b"text");
    fs.add(e, "n3", file, b"text");
    fs.add(e, "t", dir, &[]);
    let _ = s;
    let parallel = wire::FOPEN_DIRECT_IO | wire::FOPEN_PARALLEL_DIRECT_WRITES;
    (fs, vec![(h, wire::FOPEN_DIRECT_IO), (q, parallel)])
}

/// True if in C the second waits for the first.
pub fn waits(first: &Row, second: &Row) -> bool {
    let turns = first.without == Some("PARALLEL_DIROPS");
    first.locks.iter().any(|a| {
        let b = second.locks.iter();
        b.filter(|b| turns || !matches!(b, Turn(_)))
            .any(|b| a.excludes(*b))
    })
}

/// Who looks at all in the end. It knows all names and has what it looks at open from the start, and the first page of f
/// in the cache.
pub fn third(s: &mut Scene) -> mockd::Caller {
    s.actor("third", |mnt| {
        for name in KNOWN {
            user::lstat(&mnt.join(name)).expect("lstat");
        }
        let files = ["d/f", "d/h", "d/q"].map(|name| open(mnt, name, RW));
        let dirs = ["d", "e"].map(|name| open(mnt, name, DIR));
        let f = files[0].as_raw_fd();
        // Nobody asks for that any more.
        // SAFETY: a C string; no value.
        unsafe { libc::fgetxattr(f, c"security.capability".as_ptr(), std::ptr::null_mut(), 0) };
        // SAFETY: integers.
        unsafe { libc::posix_fadvise(f, 0, 0, libc::POSIX_FADV_RANDOM) };
        assert_eq!(user::pread(&files[0], PAGE, 0).map(|b| b.len()), Ok(PAGE));
        Box::new(move || {
            let mut t = String::new();
            for f in &files {
                t += &format!(" {}", stat_text(user::fstat(f)));
                t += &format!(" {}\n", show(user::pread(f, 5 * PAGE, 0).map(summary)));
            }
            for (dir, fd) in ["d", "e"].iter().zip(&dirs) {
                let (known, all) = (KNOWN.iter(), user::getdents(fd, 8192));
                let known = known.filter_map(|n| n.strip_prefix(dir)?.strip_prefix('/'));
                let mut names: BTreeSet<String> = known.map(String::from).collect();
                let there = all.map(|v| v.into_iter().map(|d| d.3).collect::<Vec<_>>());
                t += &format!(" {dir} {there:?}\n");
                names.extend(there.unwrap_or_default());
                // By descriptor, so that the directory itself is not asked for each time.
                let at = format!("/proc/self/fd/{}", fd.as_raw_fd());
                for name in names.iter().filter(|n| !n.starts_with('.')) {
                    let stat = user::lstat(&Path::new(&at).join(name));
                    t += &format!("  {name} {}\n", stat_text(stat));
                }
            }
            t
        })
    })
}
