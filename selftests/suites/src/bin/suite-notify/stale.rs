// SPDX-License-Identifier: GPL-2.0

//! Answers to what was asked before a notification, and that come after it, by a daemon of several
//! threads: they do not undo it.

use std::path::Path;

use ktap::{cases, implementation, Case, Impl};
use mockd::errno::*;
use mockd::reply::{attr_out, Attr, Entry, LONG};
use mockd::wire::{Op, ROOT};
use mockd::{user, Caller, Request};

use crate::kit::{delete, inval_entry, inval_inode, prune, Scene, EXPIRE_ONLY, NO_DATA};

pub fn cases() -> Vec<Case> {
    cases![
        stale_getattr,
        stale_getattr_of_root,
        stale_revalidation,
        stale_lookup_of_another_name,
        fresh_getattr,
        setattr_meanwhile,
        revalidated_meanwhile,
        expired_while_revalidated,
        deleted_while_revalidated,
        deleted_while_getattr,
        evicted_meanwhile,
        lookup_meanwhile,
        create_meanwhile,
        mkdir_meanwhile,
        mknod_meanwhile,
        symlink_meanwhile,
        link_meanwhile,
        rename_meanwhile,
    ]
}

/// The size that lstat(2) gives.
fn size(s: &mut Scene, path: &str) -> Res<u64> {
    let path = s.m.path(path);
    s.run(|_| Ok(user::lstat(&path)?.size))
}

/// An answer to GETATTR, made before, is for who has asked.
fn stale(path: &str, node: impl Fn(&Scene) -> u64) {
    let mut s = Scene::new();
    s.know(&[path]);
    let node = node(&s);
    assert_eq!(s.tell(&inval_inode(node, NO_DATA, 0)), Ok(()));
    let c = s.m.call(path, |p| Ok::<_, Errno>(user::lstat(p)?.size));
    let r = s.m.expect(Op::GETATTR);
    let mut old = s.fs.nodes[&node].attr;
    old.size = 11;
    s.fs.nodes.get_mut(&node).expect("node").attr.size = 22;
    assert_eq!(s.tell(&inval_inode(node, NO_DATA, 0)), Ok(()));
    s.m.reply(&r, &attr_out(LONG, &old));
    let _: Res<u64> = c.join();
    let asked = s.m.rec.count(Op::GETATTR);
    assert_eq!(size(&mut s, path), Ok(22));
    assert_eq!(s.m.rec.count(Op::GETATTR) - asked, 1);
    s.finish();
}

fn stale_getattr() {
    stale("f", |s| s.f);
}

fn stale_getattr_of_root() {
    stale("", |_| ROOT);
}

/// A LOOKUP of `name`, which means `f`, is out when `f` grows and is said to be out of date: who
/// has asked, the request, and the attributes from before.
fn lookup_out(s: &mut Scene, name: &'static str) -> (Caller, Request, Attr) {
    let c = s.m.call(name, |p| user::lstat(p).map(drop));
    let r = s.m.expect_name(Op::LOOKUP, name);
    let mut old = s.fs.nodes[&s.f].attr;
    old.size = 11;
    s.fs.nodes.get_mut(&s.f).expect("f").attr.size = 22;
    assert_eq!(s.tell(&inval_inode(s.f, NO_DATA, 0)), Ok(()));
    (c, r, old)
}

/// It is answered as if that had not been.
fn answer_late(s: &mut Scene, c: Caller, r: &Request, entry: &Entry) {
    s.fs.nodes.get_mut(&s.f).expect("f").lookups += 1;
    s.m.reply(r, &entry.bytes());
    let fs = &mut s.fs;
    let r: Res<()> = s.m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(()));
}

/// `f` is known, and has another name, `g`, which is not.
fn with_another_name() -> Scene {
    let mut s = Scene::new();
    s.know(&["f"]);
    let root = s.fs.nodes.get_mut(&ROOT).expect("root");
    root.children.insert("g".into(), s.f);
    s
}

/// The attributes that come with a name which is looked up again.
fn stale_revalidation() {
    let mut s = Scene::new();
    s.fs.entry_valid = (0, 0);
    s.know(&["f"]);
    let (c, r, old) = lookup_out(&mut s, "f");
    let entry = Entry::new(old).attr_valid(LONG).entry_valid(LONG);
    answer_late(&mut s, c, &r, &entry);
    assert_eq!(size(&mut s, "f"), Ok(22));
    s.finish();
}

/// The same of a name that is new, of a node that is known.
fn stale_lookup_of_another_name() {
    let mut s = with_another_name();
    let (c, r, old) = lookup_out(&mut s, "g");
    answer_late(&mut s, c, &r, &Entry::new(old));
    assert_eq!((size(&mut s, "g"), size(&mut s, "f")), (Ok(22), Ok(22)));
    s.finish();
}

/// What is asked after it is known from then on.
fn fresh_getattr() {
    let mut s = Scene::new();
    s.know(&["f", "d"]);
    assert_eq!(s.tell(&inval_inode(s.f, NO_DATA, 0)), Ok(()));
    let c = s.m.call("f", |p| user::lstat(p).map(drop));
    let r = s.m.expect(Op::GETATTR);
    // Of another node.
    assert_eq!(s.tell(&inval_inode(s.d, NO_DATA, 0)), Ok(()));
    s.m.reply(&r, &attr_out(LONG, &Attr::file(s.f, 9)));
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    assert_eq!((s.getattrs("f"), s.getattrs("d")), (0, 1));
    s.finish();
}

/// The answer to SETATTR tells how things are after it, and is believed, as in C.
fn setattr_meanwhile() {
    let mut s = Scene::new();
    s.know(&["f"]);
    let c = s.m.call("f", |p| user::chmod(p, 0o600));
    let r = s.m.expect(Op::SETATTR);
    assert_eq!(s.tell(&inval_inode(s.f, NO_DATA, 0)), Ok(()));
    let a = s.fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    s.know(&["f"]);
    s.m.finish_compared();
}

/// A name that is dropped while it is looked up again is looked up once more by the next one.
fn revalidated_meanwhile() {
    let mut s = Scene::new();
    s.fs.entry_valid = (0, 0);
    s.know(&["f"]);
    s.fs.entry_valid = LONG;
    let c = s.m.call("f", |p| user::lstat(p).map(drop));
    let r = s.m.expect_name(Op::LOOKUP, "f");
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"f")), Ok(()));
    let a = s.fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    let fs = &mut s.fs;
    let r: Res<()> = s.m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(()));
    assert_eq!((s.lookups("f"), s.lookups("f")), (1, 0));
    s.finish();
}

/// What only expires meanwhile has expired when the answer comes. With C's module the answer makes
/// the name good again.
fn expired_while_revalidated() {
    let mut s = Scene::new();
    s.fs.entry_valid = (0, 0);
    s.know(&["f"]);
    s.fs.entry_valid = LONG;
    let c = s.m.call("f", |p| user::lstat(p).map(drop));
    let r = s.m.expect_name(Op::LOOKUP, "f");
    assert_eq!(s.tell(&inval_entry(ROOT, EXPIRE_ONLY, b"f")), Ok(()));
    let a = s.fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    let fs = &mut s.fs;
    let r: Res<()> = s.m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(()));
    let again = match implementation() {
        Impl::C => 0,
        Impl::Rust => 1,
    };
    assert_eq!((s.lookups("f"), s.lookups("f")), (again, 0));
    s.m.without_record();
    s.finish();
}

/// The name is one of another node by the time of the answer.
fn deleted_while_revalidated() {
    let mut s = Scene::new();
    s.fs.entry_valid = (0, 0);
    s.know(&["f"]);
    s.fs.entry_valid = LONG;
    let c = s.m.call("f", |p| user::lstat(p).map(drop));
    let r = s.m.expect_name(Op::LOOKUP, "f");
    assert_eq!(s.tell(&delete(ROOT, s.f, b"f")), Ok(()));
    s.fs.nodes
        .get_mut(&ROOT)
        .expect("root")
        .children
        .remove("f");
    s.m.fail(&r, ENOENT);
    let fs = &mut s.fs;
    let r: Res<()> = s.m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Err(ENOENT));
    assert_eq!(s.lookups("f"), 1);
    s.finish();
}

fn deleted_while_getattr() {
    let mut s = Scene::new();
    s.know(&["f"]);
    assert_eq!(s.tell(&inval_inode(s.f, NO_DATA, 0)), Ok(()));
    let c = s.m.call("f", |p| user::lstat(p).map(drop));
    let r = s.m.expect(Op::GETATTR);
    assert_eq!(s.tell(&delete(ROOT, s.f, b"f")), Ok(()));
    s.m.reply(&r, &attr_out(LONG, &s.fs.nodes[&s.f].attr));
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    assert_eq!(s.lookups("f"), 1);
    s.finish();
}

/// The inode is evicted and made anew by an answer from before.
fn evicted_meanwhile() {
    let mut s = with_another_name();
    let (c, r, old) = lookup_out(&mut s, "g");
    assert_eq!(s.tell(&prune(&[s.f])), Ok(()));
    let f = s.f;
    s.await_forgotten(f);
    answer_late(&mut s, c, &r, &Entry::new(old));
    assert_eq!(size(&mut s, "g"), Ok(22));
    s.finish();
}

/// A request that brings `d/new`: its caller has the directory locked, for which C's notification
/// waits. Here it does not, and what the request brings is looked up again all the same.
fn brought_meanwhile(op: Op, call: fn(&Path) -> Res<()>) {
    let mut s = Scene::new();
    s.know(&["d/f"]);
    if op == Op::LOOKUP {
        s.fs.add(s.d, "new", libc::S_IFREG | 0o644, b"");
    }
    let c = s.m.call("d", call);
    let r = s.m.serve_until(op, &mut s.fs);
    let a = s.fs.handle(&r);
    let told = inval_entry(s.d, 0, b"new");
    let got = match implementation() {
        Impl::Rust => {
            let got = s.tell(&told);
            assert_eq!(s.m.answer(&r, &a), Ok(()));
            got
        }
        Impl::C => std::thread::scope(|scope| {
            let (s, told) = (&s, &told);
            let thread = scope.spawn(move || s.tell(told));
            assert_eq!(s.m.answer(&r, &a), Ok(()));
            thread.join().expect("thread")
        }),
    };
    assert!(matches!(got, Ok(()) | Err(ENOENT)), "{got:?}");
    let fs = &mut s.fs;
    let r: Res<()> = s.m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(()));
    // With C's module the notification may have been too early.
    let again = s.lookups("d/new");
    assert!(again == 1 || (got.is_err() && implementation() == Impl::C));
    assert_eq!(s.lookups("d/new"), 0);
    // It is dropped there, and given back, and is only out of date here.
    s.m.without_record();
    s.finish();
}

fn lookup_meanwhile() {
    brought_meanwhile(Op::LOOKUP, |d| user::lstat(&d.join("new")).map(drop));
}

fn create_meanwhile() {
    brought_meanwhile(Op::CREATE, |d| {
        let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR;
        user::open(&d.join("new"), flags, 0o644).map(drop)
    });
}

fn mkdir_meanwhile() {
    brought_meanwhile(Op::MKDIR, |d| user::mkdir(&d.join("new"), 0o755));
}

fn mknod_meanwhile() {
    brought_meanwhile(Op::MKNOD, |d| {
        user::mknod(&d.join("new"), libc::S_IFIFO | 0o644, 0)
    });
}

fn symlink_meanwhile() {
    brought_meanwhile(Op::SYMLINK, |d| user::symlink("f", &d.join("new")));
}

fn link_meanwhile() {
    brought_meanwhile(Op::LINK, |d| user::link(&d.join("f"), &d.join("new")));
}

fn rename_meanwhile() {
    brought_meanwhile(Op::RENAME, |d| user::rename(&d.join("f"), &d.join("new")));
}
