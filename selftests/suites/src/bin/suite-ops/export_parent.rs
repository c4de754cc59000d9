// SPDX-License-Identifier: GPL-2.0

//! File handles of a daemon with EXPORT_SUPPORT: directories are connected to the root by LOOKUPs
//! of "..", and by the names that their parents' READDIRs give them; so are files by handles that
//! tell their parents.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{dirent, message, Attr, ZERO};
use mockd::request::Request;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Caller, Entry, Mock};

use crate::export::{exporting, finish_forgotten, forget_all, until_lookup};
use crate::handle::{handle_of, open_by_handle, Handle, AT_HANDLE_CONNECTABLE};

pub fn cases() -> Vec<Case> {
    cases![
        parents_of_deep,
        parents_stop_at_cached,
        parent_in_handle,
        parent_in_handle_moved,
        parent_in_handle_gone,
        dotdot_fails,
        dotdot_is_negative,
        dotdot_is_itself,
        dotdot_is_a_file,
        dotdot_is_root,
        dotdot_circle,
        dotdot_bad_attributes,
        dotdot_wrong_length,
        dotdot_killed,
        parent_without_the_name,
        parent_with_a_name_of_another,
        parent_that_cannot_be_read,
        directory_renamed_meanwhile,
        directory_removed_meanwhile,
    ]
}

fn is(r: &Request, name: &str) -> bool {
    r.op == Op::LOOKUP && r.name() == name
}

fn looked_up(m: &Mock, name: &str) -> usize {
    m.rec.all().iter().filter(|r| is(r, name)).count()
}

/// "a/b", the handle of "b" when all is forgotten.
fn two() -> (Mock, Memfs, Handle) {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    let a = fs.dir("a");
    fs.add(a, "b", libc::S_IFDIR | 0o755, &[]);
    fs.check_forgets = false;
    let h: Res<Handle> = m.run(&mut fs, |mnt| {
        let h = handle_of(&mnt.join("a/b"), 0)?;
        forget_all();
        Ok(h)
    });
    (m, fs, h.expect("handle"))
}

/// Somebody who opens "b" by its handle.
fn opening_b(m: &mut Mock, h: &[u32]) -> Caller {
    m.caller(|mnt, _| open_by_handle(mnt, h, libc::O_RDONLY | libc::O_DIRECTORY).map(drop))
}

/// Opens "b" by its handle, with a daemon that is asked before `fs` is; what the system call says.
fn open_b(
    m: &mut Mock,
    fs: &mut Memfs,
    h: &[u32],
    before: &mut dyn FnMut(&Request) -> Option<Answer>,
) -> Res<()> {
    let c = opening_b(m, h);
    m.serve(c, &mut |r| before(r).unwrap_or_else(|| fs.handle(r)))
}

/// The same, with LOOKUPs of ".." answered so.
fn dotdot(answer: Answer) -> Res<()> {
    let (mut m, mut fs, h) = two();
    let r = open_b(&mut m, &mut fs, &h, &mut |r| {
        is(r, "..").then(|| answer.clone())
    });
    assert!(looked_up(&m, "..") > 0);
    finish_forgotten(m, fs);
    r
}

/// Each directory on the way, and its name in the next.
fn parents_of_deep() {
    const DEPTH: usize = 12;
    let (mut m, mut fs) = (exporting(), Memfs::new());
    let (mut at, mut path) = (ROOT, String::new());
    for i in 0..DEPTH {
        at = fs.add(at, &format!("d{i}"), libc::S_IFDIR | 0o755, &[]);
        path += &format!("/d{i}");
    }
    let r: Res<(u64, u64)> = m.run(&mut fs, |mnt| {
        let p = mnt.join(&path[1..]);
        let h = handle_of(&p, 0)?;
        forget_all();
        let fd = open_by_handle(mnt, &h, libc::O_RDONLY | libc::O_DIRECTORY)?;
        Ok((user::fstat(&fd)?.ino, user::lstat(&p)?.ino))
    });
    assert_eq!(r, Ok((at, at)));
    assert_eq!((looked_up(&m, "."), looked_up(&m, "..")), (1, DEPTH));
    finish_forgotten(m, fs);
}

/// No more is asked than what is not known.
fn parents_stop_at_cached() {
    let (mut m, mut fs, h) = two();
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let held = user::open(&mnt.join("a"), libc::O_PATH, 0)?;
        let fd = open_by_handle(mnt, &h, libc::O_RDONLY | libc::O_DIRECTORY)?;
        drop((fd, held));
        Ok(())
    });
    assert_eq!((r, looked_up(&m, "..")), (Ok(()), 1));
    finish_forgotten(m, fs);
}

/// A file of "a" and a handle that tells "a", when all is forgotten.
fn connectable() -> (Mock, Memfs, Handle) {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    let a = fs.dir("a");
    fs.add(a, "f", libc::S_IFREG | 0o644, b"hello");
    fs.dir("z");
    fs.check_forgets = false;
    let h: Res<Handle> = m.run(&mut fs, |mnt| {
        let h = handle_of(&mnt.join("a/f"), AT_HANDLE_CONNECTABLE)?;
        forget_all();
        Ok(h)
    });
    (m, fs, h.expect("handle"))
}

fn open_f(m: &mut Mock, fs: &mut Memfs, h: &[u32]) -> Res<String> {
    use std::os::fd::AsRawFd;
    m.run(fs, |mnt| {
        let fd = open_by_handle(mnt, h, libc::O_RDONLY)?;
        let name = user::readlink(std::path::Path::new(&format!(
            "/proc/self/fd/{}",
            fd.as_raw_fd()
        )))?;
        let at = name.strip_prefix(mnt.to_str().expect("utf-8"));
        Ok(at.unwrap_or(&name).to_string())
    })
}

fn parent_in_handle() {
    let (mut m, mut fs, h) = connectable();
    assert_eq!(open_f(&mut m, &mut fs, &h), Ok("/a/f".into()));
    finish_forgotten(m, fs);
}

/// It is not in that directory any more.
fn parent_in_handle_moved() {
    let (mut m, mut fs, h) = connectable();
    let f = fs.nodes.get_mut(&2).expect("a").children.remove("f");
    let z = fs.nodes.get_mut(&4).expect("z");
    z.children.insert("g".into(), f.expect("f"));
    assert_eq!(open_f(&mut m, &mut fs, &h), Err(ESTALE));
    finish_forgotten(m, fs);
}

/// Nobody knows that directory any more.
fn parent_in_handle_gone() {
    let (mut m, mut fs, h) = connectable();
    fs.nodes.remove(&2);
    assert_eq!(open_f(&mut m, &mut fs, &h), Err(ESTALE));
    finish_forgotten(m, fs);
}

fn dotdot_fails() {
    for e in [
        ENOENT, ESTALE, ENOSYS, EIO, EACCES, ENOTCONN, ENOTDIR, EINTR, ENOMEM,
    ] {
        let r = dotdot(Answer::Err(e));
        println!("{e}: {r:?}");
        let expected = if e == ENOMEM { ENOMEM } else { ESTALE };
        assert_eq!(r, Err(expected), "{e}");
    }
}

fn dotdot_is_negative() {
    let answer = Answer::Ok(Entry::negative(ZERO).bytes());
    assert_eq!(dotdot(answer), Err(ESTALE));
}

fn dotdot_is_itself() {
    let b = Entry::new(Attr::dir(3));
    assert_eq!(dotdot(Answer::Ok(b.bytes())), Err(ESTALE));
}

fn dotdot_is_a_file() {
    let file = Entry::new(Attr::file(9, 0));
    assert_eq!(dotdot(Answer::Ok(file.bytes())), Err(ESTALE));
}

/// Which has no "b".
fn dotdot_is_root() {
    let root = Entry::new(Attr::dir(ROOT));
    assert_eq!(dotdot(Answer::Ok(root.bytes())), Err(ESTALE));
}

/// Two that are in each other; the names are there.
fn dotdot_circle() {
    let (mut m, mut fs, h) = two();
    let mut n = 0;
    let r = open_b(&mut m, &mut fs, &h, &mut |r| {
        n += 1;
        assert!(n < 1000, "it never ends");
        let other = 5 - r.node;
        match r.op {
            Op::LOOKUP if r.name() == "." => None,
            Op::LOOKUP => Some(Answer::Ok(Entry::new(Attr::dir(other)).bytes())),
            Op::READDIR if r.get("offset") == 0 => Some(Answer::Ok(dirent(other, 1, 4, b"other"))),
            Op::READDIR => Some(Answer::Ok(vec![])),
            _ => None,
        }
    });
    assert_eq!(r, Err(ESTALE));
    finish_forgotten(m, fs);
}

fn dotdot_bad_attributes() {
    let bad = Entry::new(Attr::dir(2).mode(0));
    assert_eq!(dotdot(Answer::Ok(bad.bytes())), Err(ESTALE));
}

fn dotdot_wrong_length() {
    for len in [0, 40, 129] {
        let (mut m, mut fs, h) = two();
        let c = opening_b(&mut m, &h);
        let r = until_lookup(&mut m, &mut fs, ".");
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
        let r = until_lookup(&mut m, &mut fs, "..");
        let mut body = Entry::new(Attr::dir(2)).bytes();
        body.resize(len, 0);
        assert_eq!(m.write(&message(r.unique, 0, &body)), Err(EINVAL), "{len}");
        assert_eq!(c.join::<Res<()>>(), Err(ESTALE), "{len}");
        finish_forgotten(m, fs);
    }
}

/// The answer is taken for a caller that was killed.
fn dotdot_killed() {
    let (mut m, mut fs, h) = two();
    let mut c = opening_b(&mut m, &h);
    let r = until_lookup(&mut m, &mut fs, ".");
    let a = fs.handle(&r);
    m.answer(&r, &a).expect("answer");
    let r = until_lookup(&mut m, &mut fs, "..");
    c.kill(libc::SIGKILL);
    m.expect(Op::INTERRUPT);
    m.fail(&r, ENOENT);
    c.reap();
    finish_forgotten(m, fs);
}

fn parent_without_the_name() {
    let (mut m, mut fs, h) = two();
    let a = fs.nodes.get_mut(&2).expect("a");
    a.children.remove("b");
    let r = open_b(&mut m, &mut fs, &h, &mut |_| None);
    assert_eq!(r, Err(ESTALE));
    finish_forgotten(m, fs);
}

/// The name that READDIR gives is another node's by now.
fn parent_with_a_name_of_another() {
    let (mut m, mut fs, h) = two();
    let r = open_b(&mut m, &mut fs, &h, &mut |r| {
        is(r, "b").then(|| Answer::Ok(Entry::new(Attr::dir(77)).bytes()))
    });
    assert_eq!(r, Err(ESTALE));
    finish_forgotten(m, fs);
}

fn parent_that_cannot_be_read() {
    for op in [Op::OPENDIR, Op::READDIR] {
        let (mut m, mut fs, h) = two();
        let r = open_b(&mut m, &mut fs, &h, &mut |r| {
            (r.op == op && r.node == 2).then_some(Answer::Err(EACCES))
        });
        println!("{op:?}: {r:?}");
        assert_eq!(r, Err(ESTALE));
        finish_forgotten(m, fs);
    }
}

/// It is where it is found in the end.
fn directory_renamed_meanwhile() {
    let (mut m, mut fs, h) = two();
    let mut moved = false;
    let c = opening_b(&mut m, &h);
    let r: Res<()> = m.serve(c, &mut |r| {
        let a = fs.handle(r);
        if r.op == Op::READDIR && !std::mem::replace(&mut moved, true) {
            let a = fs.nodes.get_mut(&2).expect("a");
            let b = a.children.remove("b").expect("b");
            a.children.insert("c".into(), b);
        }
        a
    });
    println!("{r:?}");
    assert_eq!(r, Err(ESTALE));
    finish_forgotten(m, fs);
}

fn directory_removed_meanwhile() {
    let (mut m, mut fs, h) = two();
    let c = opening_b(&mut m, &h);
    let r: Res<()> = m.serve(c, &mut |r| match (r.op, r.name().as_str()) {
        (Op::LOOKUP, "b") => Answer::Err(ENOENT),
        _ => fs.handle(r),
    });
    assert_eq!(r, Err(ESTALE));
    finish_forgotten(m, fs);
}
