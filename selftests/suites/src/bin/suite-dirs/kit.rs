// SPDX-License-Identifier: GPL-2.0

//! Daemons that speak READDIRPLUS, and one open directory that is read by hand.

use std::path::Path;

use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::msg::Msg;
use mockd::reply::{attr_out, direntplus, open_out, Valid, LONG, ZERO};
use mockd::user::{self, Dirent};
use mockd::wire::{Op, ROOT};
use mockd::{Attr, Entry, Init, Mock, Request, Setup};

/// Of a directory.
pub const FLAGS: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

/// FOPEN_KEEP_CACHE.
pub const KEEP_CACHE: u32 = 1 << 1;
/// FOPEN_CACHE_DIR.
pub const CACHE_DIR: u32 = 1 << 3;

/// A daemon that is always asked by READDIRPLUS.
pub fn plus() -> Init {
    Init::plain().with("DO_READDIRPLUS")
}

/// A daemon that is asked so where the kernel thinks that it pays.
pub fn auto() -> Init {
    plus().with("READDIRPLUS_AUTO")
}

/// Mounted, with INIT answered so.
pub fn mock(init: &Init) -> Mock {
    Mock::with(&Setup::default(), init)
}

/// So many files, `f00` and so on: more than one reply of a page, if asked by READDIRPLUS.
pub fn files(n: usize) -> Memfs {
    let mut fs = Memfs::new();
    for i in 0..n {
        fs.file(&format!("f{i:02}"), b"data");
    }
    fs
}

/// Which of the two was asked, and from where on, in order.
pub fn asked(m: &Mock) -> Vec<(Op, u64)> {
    let all = m.rec.all();
    let read = all
        .iter()
        .filter(|r| matches!(r.op, Op::READDIR | Op::READDIRPLUS));
    read.map(|r| (r.op, r.get("offset"))).collect()
}

/// A record with a node of this number, a file of one byte, valid for long.
pub fn file(node: u64, off: u64, name: &str) -> Vec<u8> {
    record(&Entry::new(Attr::file(node, 1)), off, name)
}

/// A record with this entry.
pub fn record(entry: &Entry, off: u64, name: &str) -> Vec<u8> {
    let typ = (entry.attr.mode >> 12) & 15;
    direntplus(entry, entry.attr.ino, off, typ, name.as_bytes())
}

/// An entry of a file that is valid so long.
pub fn entry(node: u64, entry_valid: Valid, attr_valid: Valid) -> Entry {
    Entry::new(Attr::file(node, 1))
        .entry_valid(entry_valid)
        .attr_valid(attr_valid)
}

/// An entry without a node.
pub fn unsaid() -> Entry {
    Entry::negative(ZERO)
}

/// What one call of getdents64(2) gives.
pub type Listed = Res<Vec<Dirent>>;

/// The names that were listed.
pub fn names(listed: &Listed) -> Vec<String> {
    let listed = listed.clone().expect("getdents");
    listed.into_iter().map(|d| d.3).collect()
}

/// Opens the root of the mount, calls getdents64(2) once, and leaves the rest to `after`, with the
/// directory open. The first READDIRPLUS is answered with `reply`, LOOKUPs with ENOENT.
pub fn once<T: Msg>(
    init: &Init,
    reply: &[u8],
    size: usize,
    after: impl FnOnce(&Path) -> T,
) -> (Mock, Listed, T) {
    let mut m = mock(init);
    let (listed, value) = again(&mut m, reply, size, after);
    (m, listed, value)
}

/// The same on a mount that is there.
pub fn again<T: Msg>(
    m: &mut Mock,
    reply: &[u8],
    size: usize,
    after: impl FnOnce(&Path) -> T,
) -> (Listed, T) {
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, FLAGS, 0).expect("open");
        let listed = user::getdents(&fd, size);
        (listed, after(mnt))
    });
    let mut reply = Some(reply.to_vec());
    m.serve(c, &mut |r| serve(r, &mut reply))
}

/// What such a daemon answers.
pub fn serve(r: &Request, reply: &mut Option<Vec<u8>>) -> Answer {
    match r.op {
        Op::OPENDIR | Op::OPEN => Answer::Ok(open_out(1, 0)),
        Op::READDIRPLUS => Answer::Ok(reply.take().unwrap_or_default()),
        Op::READDIR | Op::RELEASEDIR | Op::RELEASE | Op::FLUSH => Answer::Ok(vec![]),
        Op::GETATTR if r.node == ROOT => Answer::Ok(attr_out(LONG, &Attr::dir(ROOT))),
        Op::GETATTR => Answer::Ok(attr_out(LONG, &Attr::file(r.node, 77))),
        Op::LOOKUP => Answer::Err(ENOENT),
        Op::FORGET | Op::BATCH_FORGET | Op::INTERRUPT => Answer::None,
        _ => Answer::Err(ENOSYS),
    }
}

/// The size of each of these files, or the error of lstat(2).
pub fn sizes(mnt: &Path, names: &[&str]) -> Vec<Res<u64>> {
    let size = |name| user::lstat(&mnt.join(name)).map(|s| s.size);
    names.iter().map(size).collect()
}

/// Drops what is cached until nothing more comes of it, and gives the FORGETs so far.
pub fn forgotten(m: &mut Mock, nodes: usize) -> Vec<(u64, u64)> {
    let start = std::time::Instant::now();
    while m.rec.forgets().len() < nodes && start.elapsed() < ktap::patience() {
        user::drop_dentries();
        m.drain(&mut |r| serve(r, &mut None));
    }
    m.rec.forgets().into_iter().collect()
}

/// All names, by calls of getdents64(2) with a buffer of `size`.
pub fn list(fd: &std::os::fd::OwnedFd, size: usize) -> Res<Vec<String>> {
    let mut all = Vec::new();
    loop {
        let some = user::getdents(fd, size)?;
        if some.is_empty() {
            return Ok(all);
        }
        all.extend(some.into_iter().map(|d| d.3));
    }
}
