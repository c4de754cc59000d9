// SPDX-License-Identifier: GPL-2.0

//! DELETE, of names of each kind and in each state.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mount::{is_mounted, mount};
use mockd::reply::{Answer, Entry, LONG};
use mockd::user;
use mockd::wire::{Op, ROOT};

use crate::kit::{delete, Scene, NOBODY};

pub fn cases() -> Vec<Case> {
    cases![
        delete_file,
        delete_symlink,
        delete_directory,
        delete_below,
        delete_wrong_child,
        delete_any_child,
        delete_any_child_in_use,
        delete_unknown_name,
        delete_twice,
        delete_negative,
        delete_unknown_parent,
        delete_parent_is_none,
        delete_odd_names,
        delete_long_names,
        delete_of_another_mount,
        delete_open_file,
        delete_working_directory,
        delete_directory_with_children,
        delete_directory_in_use,
        delete_mount_point,
        delete_mount_point_below,
        delete_hard_link,
        delete_changes_parent,
        delete_then_made_again,
    ]
}

/// The daemon removes a name by itself.
fn remove(s: &mut Scene, parent: u64, name: &str) {
    let dir = s.fs.nodes.get_mut(&parent).expect("parent");
    let node = dir.children.remove(name).expect("name");
    s.fs.nodes.get_mut(&node).expect("node").attr.nlink = 0;
}

/// It is gone, and the node is given back.
fn gone(path: &str, parent: impl Fn(&Scene) -> u64, node: impl Fn(&Scene) -> u64) {
    let mut s = Scene::new();
    s.know(&[path]);
    let name = path.rsplit('/').next().expect("a name");
    let (parent, node) = (parent(&s), node(&s));
    remove(&mut s, parent, name);
    assert_eq!(s.lstat(path), Ok(()));
    assert_eq!(s.tell(&delete(parent, node, name.as_bytes())), Ok(()));
    s.await_forgotten(node);
    assert_eq!(s.lookups(path), 1);
    assert_eq!(s.lstat(path), Err(ENOENT));
    s.finish();
}

fn delete_file() {
    gone("f", |_| ROOT, |s| s.f);
}

fn delete_symlink() {
    gone("l", |_| ROOT, |s| s.l);
}

fn delete_directory() {
    gone("empty", |_| ROOT, |s| s.empty);
}

fn delete_below() {
    gone("d/f", |s| s.d, |s| s.df);
}

/// What has the name is another node: it is looked up again, and stays.
fn delete_wrong_child() {
    let mut s = Scene::new();
    s.know(&["f", "d"]);
    for child in [ROOT, s.d, NOBODY, u64::MAX] {
        assert_eq!(s.tell(&delete(ROOT, child, b"f")), Err(ENOENT));
        assert_eq!((s.lookups("f"), s.lookups("f")), (1, 0));
    }
    let nlink: Res<u64> = s.run(|mnt| Ok(user::lstat(&mnt.join("f"))?.nlink));
    assert_eq!(nlink, Ok(1));
    s.finish();
}

/// Without a child it is as INVAL_ENTRY.
fn delete_any_child() {
    let mut s = Scene::new();
    s.know(&["f", "d/e", "empty"]);
    for (name, node) in [("f", s.f), ("empty", s.empty), ("d", s.d)] {
        assert_eq!(s.tell(&delete(ROOT, 0, name.as_bytes())), Ok(()));
        s.await_forgotten(node);
        assert_eq!((s.lookups(name), s.lookups(name)), (1, 0));
    }
    s.finish();
}

/// The link count stays, too.
fn delete_any_child_in_use() {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Res<u64> {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        io.put(());
        io.wait();
        Ok(user::fstat(&f)?.nlink)
    });
    assert_eq!(s.tell(&delete(ROOT, 0, b"f")), Ok(()));
    assert_eq!(s.release::<Res<u64>>(c), Ok(1));
    let f = s.f;
    s.await_forgotten(f);
    s.finish();
}

fn delete_unknown_name() {
    let mut s = Scene::new();
    s.know(&["d"]);
    for (parent, child) in [(ROOT, s.f), (s.d, s.df), (ROOT, 0), (s.d, NOBODY)] {
        assert_eq!(s.tell(&delete(parent, child, b"f")), Err(ENOENT));
    }
    s.finish();
}

fn delete_twice() {
    let mut s = Scene::new();
    s.know(&["f"]);
    assert_eq!(s.tell(&delete(ROOT, s.f, b"f")), Ok(()));
    assert_eq!(s.tell(&delete(ROOT, s.f, b"f")), Err(ENOENT));
    s.finish();
}

/// Of a name that is known to be none there is nothing more to do.
fn delete_negative() {
    for child in [0, NOBODY] {
        let mut s = Scene::new();
        s.fs.on(Op::LOOKUP, Answer::Ok(Entry::negative(LONG).bytes()));
        assert_eq!(s.lstat("n"), Err(ENOENT));
        s.fs.fixed.clear();
        assert_eq!(s.tell(&delete(ROOT, child, b"n")), Ok(()));
        assert_eq!(s.lookups("n"), 1);
        s.finish();
    }
}

fn delete_unknown_parent() {
    let mut s = Scene::new();
    s.know(&["f"]);
    for parent in [0, s.d, NOBODY, u64::MAX] {
        for child in [0, s.f] {
            assert_eq!(s.tell(&delete(parent, child, b"f")), Err(ENOENT));
        }
    }
    s.finish();
}

fn delete_parent_is_none() {
    let mut s = Scene::new();
    s.know(&["f", "l"]);
    for parent in [s.f, s.l] {
        for child in [0, s.f] {
            assert_eq!(s.tell(&delete(parent, child, b"f")), Err(ENOTDIR));
        }
    }
    s.finish();
}

fn delete_odd_names() {
    let mut s = Scene::new();
    s.know(&["f", "d/f"]);
    let odd: [&[u8]; 10] = [
        b"", b".", b"..", b"/", b"/f", b"d/f", b"\0", b"f\0", b"f\0f", b"\xff",
    ];
    for name in odd {
        for child in [0, ROOT, s.f] {
            let deleted = delete(ROOT, child, name);
            assert_eq!(s.tell(&deleted), Err(ENOENT), "{name:?}");
        }
    }
    assert_eq!(s.lookups("f") + s.lookups("d/f"), 0);
    s.finish();
}

fn delete_long_names() {
    let mut s = Scene::new();
    let long = "n".repeat(255);
    let node = s.fs.file(&long, b"");
    s.know(&[&long]);
    for len in [254, 256, 1024, 4095] {
        let deleted = delete(ROOT, node, &vec![b'n'; len]);
        assert_eq!(s.tell(&deleted), Err(ENOENT), "{len}");
    }
    for len in [4096, 100_000] {
        let deleted = delete(ROOT, node, &vec![b'n'; len]);
        assert_eq!(s.tell(&deleted), Err(ENAMETOOLONG), "{len}");
    }
    assert_eq!(s.lookups(&long), 0);
    assert_eq!(s.tell(&delete(ROOT, node, long.as_bytes())), Ok(()));
    s.await_forgotten(node);
    s.finish();
}

fn delete_of_another_mount() {
    let (mut s, mut other) = (Scene::new(), Scene::new());
    s.know(&["f"]);
    other.know(&["d/f"]);
    assert_eq!(s.tell(&delete(s.d, s.df, b"f")), Err(ENOENT));
    assert_eq!(other.tell(&delete(ROOT, s.f, b"f")), Err(ENOENT));
    assert_eq!((s.lookups("f"), other.lookups("d/f")), (0, 0));
    s.finish();
    other.finish();
}

/// Who has it open sees that it has no name any more, without asking.
fn delete_open_file() {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Res<(u64, Vec<u8>)> {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        io.put(());
        io.wait();
        let nlink = user::fstat(&f)?.nlink;
        Ok((nlink, user::pread(&f, 100, 0)?))
    });
    remove(&mut s, ROOT, "f");
    let asked = s.m.rec.count(Op::GETATTR);
    assert_eq!(s.tell(&delete(ROOT, s.f, b"f")), Ok(()));
    let r: Res<(u64, Vec<u8>)> = s.release(c);
    assert_eq!(r, Ok((0, b"text of f".to_vec())));
    assert_eq!(s.m.rec.count(Op::GETATTR), asked);
    let f = s.f;
    s.await_forgotten(f);
    s.finish();
}

/// Nothing is made there any more.
fn delete_working_directory() {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Vec<Res<()>> {
        user::chdir(&mnt.join("empty")).expect("chdir");
        io.put(());
        io.wait();
        let new = "new".as_ref();
        vec![
            user::mkdir(new, 0o755),
            user::open(new, libc::O_CREAT | libc::O_RDWR, 0o644).map(drop),
            user::lstat(new).map(drop),
            user::list(".".as_ref()).map(drop),
            std::env::current_dir().map(drop).map_err(Errno::from),
        ]
    });
    remove(&mut s, ROOT, "empty");
    assert_eq!(s.tell(&delete(ROOT, s.empty, b"empty")), Ok(()));
    let r: Vec<Res<()>> = s.release(c);
    assert_eq!(r, [Err(ENOENT); 5]);
    let empty = s.empty;
    s.await_forgotten(empty);
    s.finish();
}

/// What is known of the inside and not in use does not keep it.
fn delete_directory_with_children() {
    let mut s = Scene::new();
    s.know(&["d/f", "d/e"]);
    assert_eq!(s.tell(&delete(ROOT, s.d, b"d")), Ok(()));
    for node in [s.d, s.df, s.de] {
        s.await_forgotten(node);
    }
    s.finish();
}

/// What is in use does. It is looked up again, in its old place or in none.
fn delete_directory_in_use() {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Res<()> {
        let f = user::open(&mnt.join("d/f"), libc::O_RDONLY, 0)?;
        io.put(());
        io.wait();
        user::fstat(&f).map(drop)
    });
    assert_eq!(s.tell(&delete(ROOT, s.d, b"d")), Err(ENOTEMPTY));
    assert_eq!((s.lookups("d/f"), s.lookups("d/f")), (1, 0));
    assert_eq!(s.release::<Res<()>>(c), Ok(()));
    let nlink: Res<u64> = s.run(|mnt| Ok(user::lstat(&mnt.join("d"))?.nlink));
    assert_eq!(nlink, Ok(3));
    s.finish();
}

/// What is mounted there is unmounted before, as by INVAL_ENTRY.
fn delete_mount_point() {
    mounted("empty", "empty", |s| s.empty, Ok(()));
}

fn delete_mount_point_below() {
    mounted("d/e", "d", |s| s.d, Ok(()));
}

fn mounted(path: &str, name: &str, node: impl Fn(&Scene) -> u64, want: Res<()>) {
    let mut s = Scene::new();
    s.know(&[path]);
    let at = s.m.path(path);
    mount("none", &at, "tmpfs", 0, "").expect("tmpfs");
    let node = node(&s);
    assert_eq!(s.tell(&delete(ROOT, node, name.as_bytes())), want);
    assert!(!is_mounted(&at));
    s.await_forgotten(node);
    s.finish();
}

/// The other name is one of a node that has none, until it is asked for again.
fn delete_hard_link() {
    let mut s = Scene::new();
    let r: Res<()> = s.run(|mnt| user::link(&mnt.join("f"), &mnt.join("d/g")));
    assert_eq!(r, Ok(()));
    s.know(&["f", "d/g"]);
    assert_eq!(s.tell(&delete(ROOT, s.f, b"f")), Ok(()));
    let nlink: Res<u64> = s.run(|mnt| Ok(user::lstat(&mnt.join("d/g"))?.nlink));
    assert_eq!(nlink, Ok(0));
    assert_eq!(s.lookups("f"), 1);
    s.finish();
}

fn delete_changes_parent() {
    let mut s = Scene::new();
    s.know(&["d/f", "d"]);
    assert_eq!(s.tell(&delete(s.d, s.df, b"f")), Ok(()));
    assert_eq!((s.getattrs("d"), s.getattrs("d")), (1, 0));
    s.finish();
}

/// The name is free.
fn delete_then_made_again() {
    let mut s = Scene::new();
    s.know(&["f", "empty"]);
    for (name, node) in [("f", s.f), ("empty", s.empty)] {
        remove(&mut s, ROOT, name);
        assert_eq!(s.tell(&delete(ROOT, node, name.as_bytes())), Ok(()));
        let r: Res<()> = s.run(|mnt| user::mkdir(&mnt.join(name), 0o755));
        assert_eq!(r, Ok(()));
        let r: Res<()> = s.run(|mnt| user::rmdir(&mnt.join(name)));
        assert_eq!(r, Ok(()));
    }
    s.finish();
}
