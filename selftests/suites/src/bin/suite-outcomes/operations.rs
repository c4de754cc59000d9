// SPDX-License-Identifier: GPL-2.0

//! The rows: one call for each operation, which sends it as the last thing that it does.

use std::os::fd::OwnedFd;
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::{Op, ROOT};

use crate::outcome::meets_each;

/// A call that sends an operation.
pub struct Row {
    pub op: Op,
    /// Requests that come before it in the call.
    pub before: usize,
    /// Whether the caller waits for the answer in the request itself: signals reach the daemon, errors the caller.
    pub waits: bool,
    /// Changes the daemon's files first.
    pub files: fn(&mut Memfs),
    /// Opens what the call needs.
    pub prepare: fn(&Path) -> Res<Vec<OwnedFd>>,
    /// The call; done twice.
    pub call: fn(&Path, &mut Vec<OwnedFd>) -> Res<()>,
}

impl Row {
    /// A call on paths.
    fn new(op: Op, before: usize, call: fn(&Path, &mut Vec<OwnedFd>) -> Res<()>) -> Row {
        Row {
            op,
            before,
            waits: true,
            files: |_| (),
            prepare: |_| Ok(vec![]),
            call,
        }
    }

    /// A call that comes after these.
    fn after(mut self, prepare: fn(&Path) -> Res<Vec<OwnedFd>>) -> Row {
        self.prepare = prepare;
        self
    }

    /// The daemon's files differ.
    fn files(mut self, files: fn(&mut Memfs)) -> Row {
        self.files = files;
        self
    }

    /// Nobody waits for the answer, or only for a folio.
    fn in_background(mut self) -> Row {
        self.waits = false;
        self
    }
}

/// The daemon's files before [`Row::files`].
pub fn sample() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", &[b'x'; 5000]);
    fs.dir("d");
    fs.add(ROOT, "l", libc::S_IFLNK | 0o777, b"f");
    fs
}

fn open(path: &Path, flags: i32) -> Res<Vec<OwnedFd>> {
    Ok(vec![user::open(path, flags, 0)?])
}

/// The names are known already, so that the call need not look them up.
fn known(mnt: &Path) -> Res<Vec<OwnedFd>> {
    for name in ["f", "d", "l"] {
        user::lstat(&mnt.join(name))?;
    }
    Ok(vec![])
}

fn opened(mnt: &Path) -> Res<Vec<OwnedFd>> {
    open(&mnt.join("f"), libc::O_RDWR)
}

fn opened_direct(mnt: &Path) -> Res<Vec<OwnedFd>> {
    open(&mnt.join("f"), libc::O_RDWR | libc::O_DIRECT)
}

/// Written to before: C looks for a capability of the file before the first change of its data.
fn written(mnt: &Path) -> Res<Vec<OwnedFd>> {
    let files = opened(mnt)?;
    user::pwrite(first(&files)?, b"first", 0)?;
    Ok(files)
}

fn written_direct(mnt: &Path) -> Res<Vec<OwnedFd>> {
    let files = opened_direct(mnt)?;
    user::pwrite(first(&files)?, b"first", 0)?;
    Ok(files)
}

fn opened_dir(mnt: &Path) -> Res<Vec<OwnedFd>> {
    open(&mnt.join("d"), libc::O_RDONLY)
}

/// The open file of the call; EBADF where there is none any more.
fn first(files: &[OwnedFd]) -> Res<&OwnedFd> {
    files.first().ok_or(EBADF)
}

macro_rules! rows {
    ($($name:ident: $row:expr;)*) => {
        pub fn cases() -> Vec<Case> {
            cases![$($name),*]
        }
        $(fn $name() { meets_each(&$row); })*
    };
}

rows! {
    lookup: Row::new(Op::LOOKUP, 0, |m, _| user::lstat(&m.join("f")).map(drop));
    revalidate: Row::new(Op::LOOKUP, 0, |m, _| user::lstat(&m.join("f")).map(drop))
        .files(|fs| fs.entry_valid = ZERO)
        .after(known);
    getattr: Row::new(Op::GETATTR, 0, |_, f| user::fstat(first(f)?).map(drop))
        .files(|fs| fs.attr_valid = ZERO)
        .after(opened);
    setattr: Row::new(Op::SETATTR, 0, |m, _| user::chmod(&m.join("f"), 0o600)).after(known);
    truncate: Row::new(Op::SETATTR, 0, |_, f| user::ftruncate(first(f)?, 10)).after(written);
    readlink: Row::new(Op::READLINK, 0, |m, _| user::readlink(&m.join("l")).map(drop)).after(known);
    symlink: Row::new(Op::SYMLINK, 1, |m, _| user::symlink("text", &m.join("s")));
    mknod: Row::new(Op::MKNOD, 1, |m, _| user::mknod(&m.join("n"), libc::S_IFIFO | 0o644, 0));
    mkdir: Row::new(Op::MKDIR, 1, |m, _| user::mkdir(&m.join("e"), 0o755));
    unlink: Row::new(Op::UNLINK, 0, |m, _| user::unlink(&m.join("f"))).after(known);
    rmdir: Row::new(Op::RMDIR, 0, |m, _| user::rmdir(&m.join("d"))).after(known);
    rename: Row::new(Op::RENAME, 1, |m, _| user::rename(&m.join("f"), &m.join("g"))).after(known);
    rename2: Row::new(Op::RENAME2, 0, |m, _| {
        user::rename2(&m.join("f"), &m.join("l"), libc::RENAME_EXCHANGE)
    })
    .after(known);
    link: Row::new(Op::LINK, 1, |m, _| user::link(&m.join("f"), &m.join("g"))).after(known);
    open_file: Row::new(Op::OPEN, 0, |m, _| {
        user::open(&m.join("f"), libc::O_RDWR, 0).map(drop)
    })
    .after(known);
    read_cached: Row::new(Op::READ, 0, |_, f| user::pread(first(f)?, 100, 0).map(drop))
        .after(opened)
        .in_background();
    read_direct: Row::new(Op::READ, 0, |_, f| user::pread(first(f)?, 100, 0).map(drop))
        .after(opened_direct);
    write_through: Row::new(Op::WRITE, 0, |_, f| user::pwrite(first(f)?, b"text", 0).map(drop))
        .after(written);
    write_direct: Row::new(Op::WRITE, 0, |_, f| user::pwrite(first(f)?, b"text", 0).map(drop))
        .after(written_direct);
    statfs: Row::new(Op::STATFS, 0, |m, _| user::statfs(m).map(drop));
    flush: Row::new(Op::FLUSH, 0, |m, f| match f.pop() {
        Some(file) => user::close(file),
        None => user::close(user::open(&m.join("f"), libc::O_RDWR, 0)?),
    })
    .after(opened);
    release: Row::new(Op::RELEASE, 1, |m, f| match f.pop() {
        Some(file) => user::close(file),
        None => user::close(user::open(&m.join("f"), libc::O_RDWR, 0)?),
    })
    .after(opened)
    .in_background();
    fsync: Row::new(Op::FSYNC, 0, |_, f| user::fsync(first(f)?)).after(opened);
    fsyncdir: Row::new(Op::FSYNCDIR, 0, |_, f| user::fsync(first(f)?)).after(opened_dir);
    opendir: Row::new(Op::OPENDIR, 0, |m, _| {
        user::open(&m.join("d"), libc::O_RDONLY, 0).map(drop)
    })
    .after(known);
    readdir: Row::new(Op::READDIR, 0, |_, f| user::getdents(first(f)?, 4096).map(drop))
        .after(opened_dir);
    releasedir: Row::new(Op::RELEASEDIR, 0, |m, f| match f.pop() {
        Some(file) => user::close(file),
        None => user::close(user::open(&m.join("d"), libc::O_RDONLY, 0)?),
    })
    .after(opened_dir)
    .in_background();
    access: Row::new(Op::ACCESS, 0, |m, _| user::access(&m.join("f"), libc::R_OK)).after(known);
    create: Row::new(Op::CREATE, 1, |m, _| {
        user::open(&m.join("n"), libc::O_CREAT | libc::O_RDWR, 0o644).map(drop)
    });
}
