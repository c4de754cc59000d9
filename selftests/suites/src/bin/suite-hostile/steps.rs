// SPDX-License-Identifier: GPL-2.0

//! What callers do under a hostile daemon: system calls chosen by seed, each with a result as text.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use mockd::errno::{check, Errno, Res, EBADF};
use mockd::mem::{read_at, write_at, PAGE};
use mockd::user;
use mockd::wire::Op;
use suites::catalogue::{self, Got, Names, Place, PARTS};

use crate::pick::Pick;

/// Descriptors that a caller keeps between its steps.
pub const SLOTS: usize = 4;

const PATHS: &[&str] = &[
    "f0", "f0", "f1", "f1", "d0", "d0", "d0/f", "d0/f", "d1", "l0", "d0/d", "d0/l", "d0/d/g",
    "d1/x", "n0", ".", "d0/..", "f0/x", "l1", "/f0", "/d0/f", "d0/l/y",
];

/// Names that nothing has at first, for calls that make something.
const NEW: &[&str] = &["n1", "n2", "n3", "n4", "d0/n1", "d0/n2", "d1/n1", "d1/n2"];

/// One system call, or a few that belong together.
#[derive(Clone, Debug)]
pub enum Step {
    /// A call of the catalogue, which closes again what it opens.
    Call(&'static str, Box<Names>),
    Lstat(&'static str),
    Stat(&'static str),
    Open(usize, &'static str, i32),
    Close(usize),
    Pread(usize, usize, u64),
    Pwrite(usize, usize, u64),
    Read(usize, usize),
    Write(usize, usize),
    Getdents(usize, usize),
    Rewind(usize, i64),
    Fsync(usize, bool),
    Fstat(usize),
    Ftruncate(usize, i64),
    MapRead(usize, usize),
    MapWrite(usize, usize),
    ToPipe(usize, usize),
    Mknod(&'static str, u32),
    Lchown(&'static str, u32),
    Truncate(&'static str, i64),
    Utimes(&'static str),
    List(&'static str),
    Chdir(&'static str),
}

impl Step {
    /// Any step; an opening one for the first, so that those that come later have something to work
    /// on. Of the calls half are those that send `focus`.
    pub fn random(rng: &mut Rng, opening: bool, focus: Op) -> Step {
        use libc::*;
        let p = PATHS.pick(rng);
        let slot = rng.usize(..SLOTS);
        let len = [0, 1, 100, 4096, 5000, 16384, 70000].pick(rng);
        let offset = [0, 1, 100, 4095, 4096, 10000, 65536].pick(rng);
        let kind = if opening { 5 } else { rng.u32(..44) };
        match kind {
            0..=2 => Step::Lstat(p),
            3..=4 => Step::Stat(p),
            5..=10 => {
                let access = [O_RDONLY, O_RDONLY, O_RDWR, O_RDWR, O_WRONLY].pick(rng);
                let more = [
                    0,
                    0,
                    O_CREAT,
                    O_CREAT,
                    O_CREAT | O_EXCL,
                    O_TRUNC,
                    O_CREAT | O_TRUNC,
                    O_APPEND,
                    O_DIRECT,
                    O_DIRECTORY,
                    O_NOFOLLOW,
                ]
                .pick(rng);
                // A file that the daemon says is a pipe must not make the caller wait for its other
                // end.
                Step::Open(slot, p, access | more | O_NONBLOCK)
            }
            11 => Step::Close(slot),
            12..=14 => Step::Pread(slot, len, offset),
            15..=17 => Step::Pwrite(slot, len, offset),
            18 => Step::Read(slot, len),
            19 => Step::Write(slot, len),
            20..=21 => Step::Getdents(slot, [64, 512, 4096, 32768].pick(rng)),
            22 => Step::Rewind(slot, [0, 0, 1, 3, i64::MAX].pick(rng)),
            23 => Step::Fsync(slot, rng.bool()),
            24 => Step::Fstat(slot),
            25 => Step::Ftruncate(slot, offset as i64),
            26 => Step::MapRead(slot, offset as usize / PAGE),
            27 => Step::MapWrite(slot, offset as usize / PAGE),
            28 => Step::ToPipe(slot, len),
            29..=39 => Step::any_call(rng, focus),
            40 => Step::Mknod(p, [S_IFREG, S_IFREG, S_IFIFO, S_IFSOCK].pick(rng) | 0o644),
            41 => [
                Step::Lchown(p, [0, 1, u32::MAX].pick(rng)),
                Step::Truncate(p, offset as i64),
                Step::Utimes(p),
            ]
            .pick(rng),
            42 => [Step::List("."), Step::List("d0")].pick(rng),
            _ => Step::Chdir(["/", "/d0", ".", p].pick(rng)),
        }
    }
}

impl Step {
    /// Any call of the catalogue, with any names.
    fn any_call(rng: &mut Rng, focus: Op) -> Step {
        let mut calls: Vec<&'static str> = catalogue::main().map(|row| row.name).collect();
        let focused: Vec<&'static str> = catalogue::main()
            .filter(|row| row.op == focus)
            .map(|row| row.name)
            .collect();
        if !focused.is_empty() && rng.bool() {
            calls = focused;
        }
        let names = Names {
            of: [(); PARTS].map(|()| if rng.u8(..4) == 0 { NEW } else { PATHS }.pick(rng)),
            page: rng.usize(..3),
            tag: 1,
        };
        Step::Call(calls.pick(rng), Box::new(names))
    }
}

/// A caller's descriptors.
pub struct Hands {
    files: [Option<OwnedFd>; SLOTS],
    pipe: (OwnedFd, OwnedFd),
    zero: OwnedFd,
}

impl Hands {
    /// Confines this process to the mount, so that no symbolic link of the daemon's leads out of
    /// it.
    pub fn new(mnt: &Path) -> Res<Hands> {
        let zero = user::open(Path::new("/dev/zero"), libc::O_RDONLY, 0)?;
        let pipe =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).map_err(Errno::from)?;
        user::chdir(mnt)?;
        rustix::process::chroot(".")?;
        Ok(Hands {
            files: Default::default(),
            pipe,
            zero,
        })
    }

    fn file(&self, slot: usize) -> Res<&OwnedFd> {
        self.files[slot].as_ref().ok_or(EBADF)
    }

    /// Runs a step and says what it gave.
    pub fn run(&mut self, step: &Step) -> String {
        match self.result(step) {
            Ok(text) => text,
            Err(e) => format!("{e:?}"),
        }
    }

    fn result(&mut self, step: &Step) -> Res<String> {
        let p = Path::new;
        let done = |r: Res<()>| r.map(|()| "ok".to_string());
        match step.clone() {
            Step::Call(name, names) => call(name, *names),
            Step::Lstat(a) => user::lstat(p(a)).map(|s| stat_text(&s)),
            Step::Stat(a) => user::stat(p(a)).map(|s| stat_text(&s)),
            Step::Open(slot, a, flags) => {
                // The old one goes first: its RELEASE is part of this step either way.
                self.files[slot] = None;
                self.files[slot] = Some(user::open(p(a), flags, 0o644)?);
                Ok("ok".into())
            }
            Step::Close(slot) => done(user::close(self.files[slot].take().ok_or(EBADF)?)),
            Step::Pread(slot, len, off) => {
                user::pread(self.file(slot)?, len, off).map(|b| data_text(&b))
            }
            Step::Pwrite(slot, len, off) => {
                user::pwrite(self.file(slot)?, &filler(len), off).map(|n| n.to_string())
            }
            Step::Read(slot, len) => user::read(self.file(slot)?, len).map(|b| data_text(&b)),
            Step::Write(slot, len) => {
                user::write(self.file(slot)?, &filler(len)).map(|n| n.to_string())
            }
            Step::Getdents(slot, size) => {
                user::getdents(self.file(slot)?, size).map(|v| format!("{v:?}"))
            }
            Step::Rewind(slot, to) => {
                // SAFETY: integers only.
                check(unsafe { libc::lseek(self.file(slot)?.as_raw_fd(), to, libc::SEEK_SET) })
                    .map(|n| n.to_string())
            }
            Step::Fsync(slot, true) => done(user::fdatasync(self.file(slot)?)),
            Step::Fsync(slot, false) => done(user::fsync(self.file(slot)?)),
            Step::Fstat(slot) => user::fstat(self.file(slot)?).map(|s| stat_text(&s)),
            Step::Ftruncate(slot, len) => done(user::ftruncate(self.file(slot)?, len)),
            Step::MapRead(slot, page) => self.map(slot, page, false),
            Step::MapWrite(slot, page) => self.map(slot, page, true),
            Step::ToPipe(slot, len) => self.to_pipe(slot, len),
            Step::Mknod(a, mode) => done(user::mknod(p(a), mode, 0)),
            Step::Lchown(a, id) => done(user::lchown(p(a), id, id)),
            Step::Truncate(a, len) => done(user::truncate(p(a), len)),
            Step::Utimes(a) => done(user::utimes(p(a), Some((7, 8)), Some((9, 10)))),
            Step::List(a) => {
                let dir = user::open(p(a), libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
                user::getdents(&dir, 4096).map(|v| format!("{v:?}"))
            }
            Step::Chdir(a) => done(user::chdir(p(a))),
        }
    }

    /// Touches one page of a private mapping. The kernel does so for us, so that what would be
    /// SIGBUS is EFAULT.
    fn map(&self, slot: usize, page: usize, write: bool) -> Res<String> {
        let file = self.file(slot)?;
        let (len, prot) = (
            (page + 1) * PAGE,
            libc::PROT_READ | if write { libc::PROT_WRITE } else { 0 },
        );
        // SAFETY: a new mapping, which nothing in this process refers to.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                prot,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(mockd::errno::last());
        }
        let there = at as usize + page * PAGE;
        let got = if write {
            read_at(self.zero.as_raw_fd(), there + 8, 16)
        } else {
            write_at(self.pipe.1.as_raw_fd(), there, 16)
        };
        // SAFETY: the mapping that was just made.
        unsafe { libc::munmap(at, len) };
        let got = got.map(|n| n.to_string());
        self.empty_pipe()
            .map(|b| format!("{got:?} {}", data_text(&b)))
    }

    /// splice(2) from the file to a pipe.
    fn to_pipe(&self, slot: usize, len: usize) -> Res<String> {
        let flags = rustix::pipe::SpliceFlags::NONBLOCK;
        let n = rustix::pipe::splice(
            self.file(slot)?,
            Some(&mut 0),
            self.pipe.1.as_fd(),
            None,
            len,
            flags,
        );
        let bytes = self.empty_pipe()?;
        Ok(format!("{n:?} {}", data_text(&bytes)))
    }

    fn empty_pipe(&self) -> Res<Vec<u8>> {
        let mut all = Vec::new();
        let mut b = vec![0; 65536];
        loop {
            match rustix::io::read(&self.pipe.0, &mut b) {
                Ok(n) => all.extend_from_slice(&b[..n]),
                Err(rustix::io::Errno::AGAIN) => return Ok(all),
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// Makes a call of the catalogue.
fn call(name: &str, names: Names) -> Res<String> {
    let place = Place {
        // A file that the daemon says is a pipe must not make the caller wait for its other end.
        flags: libc::O_NONBLOCK,
        ..Place::new(Path::new("."), names)
    };
    let mut act = (catalogue::find(name).ready)(&place)?;
    Ok(match act.call()? {
        Got::Stat(s) => stat_text(&s),
        Got::Data(pages, n) => data_text(pages.read(n)),
        got => format!("{got:?}"),
    })
}

/// Bytes to write, without a pattern that a page repeats.
fn filler(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn data_text(b: &[u8]) -> String {
    let sum = b.iter().fold(0u32, |a, c| a.rotate_left(5) ^ u32::from(*c));
    format!("{} bytes, sum {sum:08x}", b.len())
}

/// All that stat(2) gives; times near the present are not the daemon's.
fn stat_text(s: &user::Stat) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() as i64);
    let time = |t: (i64, i64)| {
        if t.0.abs_diff(now) < 100_000 {
            "now".to_string()
        } else {
            format!("{}.{}", t.0, t.1)
        }
    };
    format!(
        "ino={} mode={:o} nlink={} uid={} gid={} rdev={:x} size={} blksize={} blocks={} \
         times={} {} {}",
        s.ino,
        s.mode,
        s.nlink,
        s.uid,
        s.gid,
        s.rdev,
        s.size,
        s.blksize,
        s.blocks,
        time(s.atime),
        time(s.mtime),
        time(s.ctime)
    )
}
