// SPDX-License-Identifier: GPL-2.0

//! Nodes in READDIRPLUS that are impossible, are something else by now, or are somewhere else.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::reply::{attr_out, LONG, ZERO};
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Attr, Entry, Mock};

use crate::kit::*;

pub fn cases() -> Vec<Case> {
    cases![
        root_is_given_back,
        impossible_type,
        impossible_size,
        known_name_and_impossible_attributes,
        other_type,
        other_generation,
        other_type_under_another_name,
        bad_inode_is_given_back,
        bad_inode_of_open_file,
        directory_in_itself,
        directory_in_its_child,
        directory_under_two_names,
        directory_moved_by_daemon,
        working_directory_moves,
        every_type,
        largest_numbers,
    ]
}

fn dir(node: u64, off: u64, name: &str) -> Vec<u8> {
    record(&Entry::new(Attr::dir(node)), off, name)
}

/// It is nowhere but at the top.
fn root_is_given_back() {
    let reply = [dir(ROOT, 1, "r"), file(5, 2, "a")].concat();
    let (mut m, listed, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["r", "a"]));
    assert_eq!(names(&listed), ["r", "a"]);
    assert_eq!(found, [Err(ENOENT), Ok(1)]);
    assert_eq!(forgotten(&mut m, 2), [(ROOT, 1), (5, 1)]);
    m.finish();
}

/// The name is listed, and looked up when somebody wants it.
fn given_back(attr: Attr) {
    let reply = [record(&Entry::new(attr), 1, "bad"), file(6, 2, "a")].concat();
    let (mut m, listed, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["bad", "a"]));
    assert_eq!(names(&listed), ["bad", "a"]);
    assert_eq!(found, [Err(ENOENT), Ok(1)]);
    assert_eq!(m.rec.forgets().get(&5), Some(&1), "at once");
    assert_eq!(forgotten(&mut m, 2), [(5, 1), (6, 1)]);
    m.finish();
}

fn impossible_type() {
    for mode in [0, 0o644, libc::S_IFMT, 0o030644] {
        given_back(Attr::file(5, 1).mode(mode));
    }
}

fn impossible_size() {
    for size in [1 << 63, u64::MAX] {
        given_back(Attr::file(5, size));
    }
}

/// What is known of the name stays.
fn known_name_and_impossible_attributes() {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &file(5, 1, "a"), 4096, |_| ());
    let reply = record(&Entry::new(Attr::file(5, 1).mode(0)), 1, "a");
    let (_, found) = again(&mut m, &reply, 4096, |mnt| sizes(mnt, &["a"]));
    assert_eq!(found, [Ok(1)]);
    assert_eq!(m.rec.forgets().get(&5), Some(&1));
    m.finish();
}

/// The node of an open file is something else now: the file fails, the name is the new one's.
fn reused(second: &Entry) {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &file(5, 1, "a"), 4096, |_| ());
    let c = m.caller(|mnt, _| {
        let old = user::open(&mnt.join("a"), libc::O_RDONLY, 0)?;
        let fd = user::open(mnt, FLAGS, 0)?;
        user::getdents(&fd, 4096)?;
        let new = user::lstat(&mnt.join("a"))?;
        Ok::<_, Errno>((user::fstat(&old).map(drop), new.mode, new.size))
    });
    let mut reply = Some(record(second, 1, "a"));
    let seen: Res<(Res<()>, u32, u64)> = m.serve(c, &mut |r| serve(r, &mut reply));
    assert_eq!(seen, Ok((Err(EIO), second.attr.mode, second.attr.size)));
    assert_eq!(m.rec.count(Op::LOOKUP), 0);
    // Both inodes have counted.
    let start = std::time::Instant::now();
    while m.rec.forgets().get(&5) != Some(&2) && start.elapsed() < ktap::patience() {
        user::drop_dentries();
        m.drain(&mut |r| serve(r, &mut None));
    }
    assert_eq!(m.rec.forgets().get(&5), Some(&2));
    m.finish();
}

fn other_type() {
    reused(&Entry::new(Attr::dir(5)));
    reused(&Entry::new(Attr::symlink(5, 3)));
}

fn other_generation() {
    let mut entry = Entry::new(Attr::file(5, 2));
    entry.generation = 7;
    reused(&entry);
}

/// Found by its node, and not by the name.
fn other_type_under_another_name() {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &file(5, 1, "a"), 4096, |_| ());
    let (_, found) = again(&mut m, &dir(5, 2, "b"), 4096, |mnt| {
        let kind = |name: &str| user::lstat(&mnt.join(name)).map(|s| s.mode & libc::S_IFMT);
        (kind("b"), kind("a"))
    });
    assert_eq!(found, (Ok(libc::S_IFDIR), Err(ENOENT)));
    m.finish();
}

/// Makes "a", which is known, fail for good: its type changes under it.
fn make_bad(m: &mut Mock) {
    let (_, ()) = again(m, &record(&entry(5, LONG, ZERO), 1, "a"), 4096, |_| ());
    let c = m.call("a", |p| user::lstat(p).map(drop));
    let r = m.expect(Op::GETATTR);
    m.reply(&r, &attr_out(LONG, &Attr::dir(5)));
    assert_eq!(c.join::<Res<()>>(), Err(EIO));
}

/// A name whose inode fails stays so until it is looked up.
fn bad_inode_is_given_back() {
    let mut m = mock(&plus());
    make_bad(&mut m);
    let (listed, found) = again(&mut m, &file(5, 1, "a"), 4096, |mnt| sizes(mnt, &["a"]));
    assert_eq!(names(&listed), ["a"]);
    assert_eq!(found, [Err(ENOENT)]);
    assert_eq!(m.rec.count(Op::LOOKUP), 1);
    let all = m.rec.forgets();
    m.rec.note(format!("{all:?}"));
    m.finish();
}

/// The directory itself fails while it is read.
fn bad_inode_of_open_file() {
    let mut m = mock(&plus());
    let (_, ()) = again(
        &mut m,
        &record(&Entry::new(Attr::dir(5)).attr_valid(ZERO), 1, "d"),
        4096,
        |_| (),
    );
    let c = m.caller(|mnt, io| {
        let fd = user::open(&mnt.join("d"), FLAGS, 0)?;
        io.put(());
        io.wait();
        user::getdents(&fd, 4096).map(drop)
    });
    let mut c = c;
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &mockd::reply::open_out(1, 0));
    c.get::<()>();
    let stat = m.call("d", |p| user::lstat(p).map(drop));
    let r = m.expect(Op::GETATTR);
    m.reply(&r, &attr_out(LONG, &Attr::file(5, 1)));
    assert_eq!(stat.join::<Res<()>>(), Err(EIO));
    c.go();
    let r = m.expect(Op::RELEASEDIR);
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Err(EIO));
    m.finish();
}

/// Reads directory `d` of node 5 once, with this answer.
fn below(m: &mut Mock, reply: &[u8]) -> Listed {
    let c = m.call("d", |p| {
        let fd = user::open(p, FLAGS, 0)?;
        user::getdents(&fd, 4096)
    });
    let mut reply = Some(reply.to_vec());
    m.serve(c, &mut |r| serve(r, &mut reply))
}

/// In the end a node is given back as often as it was told of.
fn all_given_back(m: &mut Mock, node: u64, times: u64) {
    suites::daemon::until("the last FORGET", || {
        user::drop_dentries();
        m.drain(&mut |r| serve(r, &mut None));
        (m.rec.forgets().get(&node) == Some(&times)).then_some(())
    });
}

fn directory_in_itself() {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &dir(5, 1, "d"), 4096, |_| ());
    assert_eq!(names(&below(&mut m, &dir(5, 1, "self"))), ["self"]);
    // Given back at once, as it cannot be there.
    assert_eq!(m.rec.forgets().get(&5), Some(&1));
    let stat = m.call("d/self", |p| user::lstat(p).map(drop));
    assert_eq!(
        m.serve::<Res<()>>(stat, &mut |r| serve(r, &mut None)),
        Err(ENOENT)
    );
    all_given_back(&mut m, 5, 2);
    m.finish();
}

fn directory_in_its_child() {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &dir(5, 1, "d"), 4096, |_| ());
    assert_eq!(names(&below(&mut m, &dir(6, 1, "e"))), ["e"]);
    let c = m.call("d/e", |p| {
        let fd = user::open(p, FLAGS, 0)?;
        user::getdents(&fd, 4096)
    });
    let mut reply = Some(dir(5, 1, "up"));
    let listed: Listed = m.serve(c, &mut |r| serve(r, &mut reply));
    assert_eq!(names(&listed), ["up"]);
    assert_eq!(m.rec.forgets().get(&5), Some(&1));
    all_given_back(&mut m, 5, 2);
    m.finish();
}

/// A directory has one name: the last one.
fn directory_under_two_names() {
    let reply = [dir(5, 1, "a"), dir(5, 2, "b")].concat();
    let (mut m, listed, found) = once(&plus(), &reply, 4096, |mnt| {
        let kind = |name: &str| user::lstat(&mnt.join(name)).map(|s| s.mode & libc::S_IFMT);
        (kind("b"), kind("a"))
    });
    assert_eq!(names(&listed), ["a", "b"]);
    assert_eq!(found, (Ok(libc::S_IFDIR), Err(ENOENT)));
    assert_eq!(m.rec.count(Op::LOOKUP), 1);
    assert_eq!(forgotten(&mut m, 1), [(5, 2)]);
    m.finish();
}

/// From one directory to another, without this kernel's doing.
fn directory_moved_by_daemon() {
    let mut m = mock(&plus());
    let reply = [dir(5, 1, "d"), dir(6, 2, "sub")].concat();
    let (_, ()) = again(&mut m, &reply, 4096, |_| ());
    assert_eq!(names(&below(&mut m, &dir(6, 1, "sub"))), ["sub"]);
    let stat = m.call("", |p| {
        let ino = |name: &str| user::lstat(&p.join(name)).map(|s| s.ino);
        (ino("d/sub"), ino("sub"))
    });
    let inos: (Res<u64>, Res<u64>) = m.serve(stat, &mut |r| serve(r, &mut None));
    assert_eq!(inos, (Ok(6), Err(ENOENT)));
    assert_eq!(forgotten(&mut m, 2), [(5, 1), (6, 2)]);
    m.finish();
}

/// A process below it goes along.
fn working_directory_moves() {
    let mut m = mock(&plus());
    let reply = [dir(5, 1, "d"), dir(6, 2, "sub")].concat();
    let (_, ()) = again(&mut m, &reply, 4096, |_| ());
    let mut c = m.caller(|mnt, io| {
        std::env::set_current_dir(mnt.join("sub")).expect("chdir");
        io.put(());
        io.wait();
        let cwd = std::env::current_dir().expect("getcwd");
        Ok::<_, Errno>(cwd == mnt.join("d/sub"))
    });
    // ACCESS, which chdir(2) asks for.
    let r = m.expect(Op::ACCESS);
    m.fail(&r, ENOSYS);
    c.get::<()>();
    assert_eq!(names(&below(&mut m, &dir(6, 1, "sub"))), ["sub"]);
    c.go();
    assert_eq!(c.join::<Res<bool>>(), Ok(true));
    m.finish();
}

fn every_type() {
    let kinds = [
        libc::S_IFREG,
        libc::S_IFDIR,
        libc::S_IFLNK,
        libc::S_IFIFO,
        libc::S_IFSOCK,
        libc::S_IFCHR,
        libc::S_IFBLK,
    ];
    let reply: Vec<u8> = (kinds.iter().zip(5..))
        .flat_map(|(kind, node)| {
            let mut attr = Attr::file(node, 3).mode(kind | 0o640);
            attr.rdev = 0x0103;
            record(&Entry::new(attr), node, &format!("n{node}"))
        })
        .collect();
    let (m, listed, seen) = once(&plus(), &reply, 4096, |mnt| {
        (5..12)
            .map(|node| user::lstat(&mnt.join(format!("n{node}"))).map(|s| (s.mode, s.rdev)))
            .collect::<Vec<Res<(u32, u64)>>>()
    });
    m.rec.note(format!("{listed:?} {seen:?}"));
    let modes: Vec<u32> = seen.iter().map(|s| s.expect("lstat").0).collect();
    assert_eq!(modes, kinds.map(|kind| kind | 0o640));
    assert_eq!(m.rec.count(Op::LOOKUP), 0);
    m.finish();
}

fn largest_numbers() {
    let mut attr = Attr::file(u64::MAX, i64::MAX as u64);
    attr.nlink = u32::MAX;
    let mut entry = Entry::new(attr).entry_valid((u64::MAX, u32::MAX));
    entry.attr_valid = (u64::MAX, u32::MAX);
    entry.generation = u64::MAX;
    let (mut m, _, found) = once(
        &plus(),
        &record(&entry, i64::MAX as u64, "a"),
        4096,
        |mnt| sizes(mnt, &["a"]),
    );
    assert_eq!(found, [Ok(i64::MAX as u64)]);
    assert_eq!(forgotten(&mut m, 1), [(u64::MAX, 1)]);
    m.finish();
}
