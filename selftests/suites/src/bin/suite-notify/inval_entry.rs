// SPDX-License-Identifier: GPL-2.0

//! INVAL_ENTRY, of names of each kind and in each state, also where it is only to expire.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mount::{is_mounted, mount, umount};
use mockd::reply::{Answer, Entry, LONG};
use mockd::user;
use mockd::wire::{Op, ROOT};

use crate::kit::{inval_entry, Scene, EXPIRE_ONLY, NOBODY};

pub fn cases() -> Vec<Case> {
    cases![
        entry_file,
        entry_directory,
        entry_symlink,
        entry_below,
        entry_unknown_name,
        entry_twice,
        entry_negative,
        entry_negative_twice,
        entry_unknown_parent,
        entry_forgotten_parent,
        entry_of_another_mount,
        entry_parent_is_none,
        entry_odd_names,
        entry_long_names,
        entry_other_names,
        entry_open_file,
        entry_working_directory,
        entry_mount_point,
        entry_mount_point_below,
        entry_with_children,
        entry_changes_parent,
        entry_unknown_flags,
        entry_hard_link,
        entry_removed_directory,
        entry_new_node,
        entry_gone_node,
        expire_file,
        expire_negative,
        expire_open_file,
        expire_working_directory,
        expire_mount_point,
        expire_with_children,
        expire_unknown,
        expire_new_node,
        expire_changes_parent,
    ]
}

/// A name is looked up again, once.
fn looked_up_again(path: &str, parent: impl Fn(&Scene) -> u64) {
    let mut s = Scene::new();
    s.know(&[path]);
    assert_eq!(s.lookups(path), 0);
    let name = path.rsplit('/').next().expect("a name");
    let parent = parent(&s);
    for _ in 0..3 {
        let invalid = inval_entry(parent, 0, name.as_bytes());
        assert_eq!(s.tell(&invalid), Ok(()));
        assert_eq!((s.lookups(path), s.lookups(path)), (1, 0));
    }
    s.finish();
}

fn entry_file() {
    looked_up_again("f", |_| ROOT);
}

fn entry_directory() {
    looked_up_again("d", |_| ROOT);
}

fn entry_symlink() {
    looked_up_again("l", |_| ROOT);
}

fn entry_below() {
    looked_up_again("d/f", |s| s.d);
}

fn entry_unknown_name() {
    let mut s = Scene::new();
    s.know(&["d"]);
    for flags in [0, EXPIRE_ONLY] {
        // Of which the daemon knows, and not.
        for name in ["f", "nothing"] {
            let invalid = inval_entry(ROOT, flags, name.as_bytes());
            assert_eq!(s.tell(&invalid), Err(ENOENT));
            let invalid = inval_entry(s.d, flags, name.as_bytes());
            assert_eq!(s.tell(&invalid), Err(ENOENT));
        }
    }
    s.finish();
}

/// It is gone the second time.
fn entry_twice() {
    let mut s = Scene::new();
    s.know(&["f"]);
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"f")), Ok(()));
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"f")), Err(ENOENT));
    assert_eq!(s.tell(&inval_entry(ROOT, EXPIRE_ONLY, b"f")), Err(ENOENT));
    let f = s.f;
    s.await_forgotten(f);
    assert_eq!(s.lookups("f"), 1);
    s.finish();
}

/// A scene in which the daemon has said for how long there is no "n".
fn without_n() -> Scene {
    let mut s = Scene::new();
    let none = Entry::negative(LONG).bytes();
    s.fs.on(Op::LOOKUP, Answer::Ok(none));
    assert_eq!(s.lstat("n"), Err(ENOENT));
    assert_eq!(s.lookups("n"), 0);
    s.fs.fixed.clear();
    s
}

/// A name that is known to be none.
fn entry_negative() {
    let mut s = without_n();
    s.fs.file("n", b"");
    assert_eq!(s.lstat("n"), Err(ENOENT));
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"n")), Ok(()));
    assert_eq!(s.lookups("n"), 1);
    assert_eq!(s.lstat("n"), Ok(()));
    s.finish();
}

fn entry_negative_twice() {
    let s = without_n();
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"n")), Ok(()));
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"n")), Err(ENOENT));
    s.finish();
}

fn entry_unknown_parent() {
    let mut s = Scene::new();
    s.know(&["f"]);
    for parent in [0, s.d, NOBODY, u64::MAX] {
        for flags in [0, EXPIRE_ONLY] {
            let invalid = inval_entry(parent, flags, b"f");
            assert_eq!(s.tell(&invalid), Err(ENOENT));
        }
    }
    assert_eq!(s.lookups("f"), 0);
    s.finish();
}

fn entry_forgotten_parent() {
    let mut s = Scene::new();
    s.know(&["empty"]);
    let r: Res<()> = s.run(|mnt| user::rmdir(&mnt.join("empty")));
    assert_eq!(r, Ok(()));
    let empty = s.empty;
    s.await_forgotten(empty);
    assert_eq!(s.tell(&inval_entry(empty, 0, b"f")), Err(ENOENT));
    s.finish();
}

fn entry_of_another_mount() {
    let (mut s, mut other) = (Scene::new(), Scene::new());
    s.know(&["f"]);
    other.know(&["d/f"]);
    assert_eq!(s.tell(&inval_entry(s.d, 0, b"f")), Err(ENOENT));
    assert_eq!(other.tell(&inval_entry(ROOT, 0, b"f")), Err(ENOENT));
    assert_eq!((s.lookups("f"), other.lookups("d/f")), (0, 0));
    s.finish();
    other.finish();
}

fn entry_parent_is_none() {
    let mut s = Scene::new();
    s.know(&["f", "l"]);
    for parent in [s.f, s.l] {
        for flags in [0, EXPIRE_ONLY] {
            let invalid = inval_entry(parent, flags, b"f");
            assert_eq!(s.tell(&invalid), Err(ENOTDIR));
        }
    }
    assert_eq!(s.lookups("f"), 0);
    s.finish();
}

/// Names that nothing has.
fn entry_odd_names() {
    let mut s = Scene::new();
    s.know(&["f", "d/f"]);
    let odd: [&[u8]; 11] = [
        b"",
        b".",
        b"..",
        b"/",
        b"/f",
        b"f/",
        b"d/f",
        b"\0",
        b"f\0",
        b"f\0f",
        b"\xff\xfe",
    ];
    for name in odd {
        for flags in [0, EXPIRE_ONLY] {
            let invalid = inval_entry(ROOT, flags, name);
            assert_eq!(s.tell(&invalid), Err(ENOENT), "{name:?}");
        }
    }
    assert_eq!(s.lookups("d/f") + s.lookups("f"), 0);
    s.finish();
}

/// As long as a name can be, and longer.
fn entry_long_names() {
    let mut s = Scene::new();
    let long = "n".repeat(255);
    s.fs.file(&long, b"");
    s.know(&[&long]);
    assert_eq!(s.tell(&inval_entry(ROOT, 0, long.as_bytes())), Ok(()));
    assert_eq!(s.lookups(&long), 1);
    for len in [254, 256, 1023, 1024, 4095] {
        let invalid = inval_entry(ROOT, 0, &vec![b'n'; len]);
        assert_eq!(s.tell(&invalid), Err(ENOENT), "{len}");
    }
    for len in [4096, 5000, 100_000] {
        let invalid = inval_entry(ROOT, 0, &vec![b'n'; len]);
        assert_eq!(s.tell(&invalid), Err(ENAMETOOLONG), "{len}");
    }
    assert_eq!(s.lookups(&long), 0);
    s.finish();
}

/// It is about one name.
fn entry_other_names() {
    let mut s = Scene::new();
    s.fs.file("g", b"");
    s.know(&["f", "g", "d/f", "l"]);
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"f")), Ok(()));
    assert_eq!(s.lookups("g") + s.lookups("d/f") + s.lookups("l"), 0);
    assert_eq!(s.lookups("f"), 1);
    s.finish();
}

fn entry_open_file() {
    open_file(0);
}

fn expire_open_file() {
    open_file(EXPIRE_ONLY);
}

/// Who has it open goes on.
fn open_file(flags: u32) {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Res<Vec<u8>> {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        io.put(());
        io.wait();
        user::pread(&f, 100, 0)
    });
    assert_eq!(s.tell(&inval_entry(ROOT, flags, b"f")), Ok(()));
    assert_eq!((s.lookups("f"), s.lookups("f")), (1, 0));
    let r: Res<Vec<u8>> = s.release(c);
    assert_eq!(r, Ok(b"text of f".to_vec()));
    s.finish();
}

/// Where somebody works it can be gone on below, but nobody knows where that is.
fn entry_working_directory() {
    assert_eq!(working_directory(0), Err(ENOENT));
}

fn expire_working_directory() {
    assert_eq!(working_directory(EXPIRE_ONLY), Ok(()));
}

fn working_directory(flags: u32) -> Res<()> {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> (Res<()>, Res<()>) {
        user::chdir(&mnt.join("d")).expect("chdir");
        io.put(());
        io.wait();
        let there = std::env::current_dir().map(drop).map_err(Errno::from);
        (user::lstat("f".as_ref()).map(drop), there)
    });
    assert_eq!(s.tell(&inval_entry(ROOT, flags, b"d")), Ok(()));
    let (below, there): (Res<()>, Res<()>) = s.release(c);
    assert_eq!(below, Ok(()));
    s.finish();
    there
}

/// What is mounted there is unmounted.
fn entry_mount_point() {
    mount_point("d", ROOT, 0, false);
}

fn entry_mount_point_below() {
    mount_point("d/e", ROOT, 0, false);
}

/// What only expires keeps it.
fn expire_mount_point() {
    mount_point("d", ROOT, EXPIRE_ONLY, true);
}

fn mount_point(path: &str, parent: u64, flags: u32, stays: bool) {
    let mut s = Scene::new();
    s.know(&[path]);
    let at = s.m.path(path);
    mount("none", &at, "tmpfs", 0, "").expect("tmpfs");
    assert_eq!(s.tell(&inval_entry(parent, flags, b"d")), Ok(()));
    assert_eq!(is_mounted(&at), stays);
    let before = s.m.rec.count(Op::LOOKUP);
    s.know(&[path]);
    let lookups = path.split('/').count();
    assert_eq!(s.m.rec.count(Op::LOOKUP) - before, lookups);
    if stays {
        umount(&at, 0).expect("umount");
    }
    s.finish();
}

/// What is below goes with it, and so do the nodes.
fn entry_with_children() {
    let mut s = Scene::new();
    s.know(&["d/f", "d/e"]);
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"d")), Ok(()));
    for node in [s.d, s.df, s.de] {
        s.await_forgotten(node);
    }
    assert_eq!(s.lookups("d/f"), 2);
    s.finish();
}

fn expire_with_children() {
    let mut s = Scene::new();
    s.know(&["d/f", "d/e"]);
    assert_eq!(s.tell(&inval_entry(ROOT, EXPIRE_ONLY, b"d")), Ok(()));
    for node in [s.d, s.df, s.de] {
        assert!(s.is_held(node));
    }
    assert_eq!((s.lookups("d/f"), s.lookups("d/e")), (1, 0));
    s.finish();
}

/// The directory's attributes are asked for again.
fn entry_changes_parent() {
    changes_parent(0);
}

fn expire_changes_parent() {
    changes_parent(EXPIRE_ONLY);
}

fn changes_parent(flags: u32) {
    let mut s = Scene::new();
    s.know(&["d/f", "d", "f"]);
    assert_eq!(s.tell(&inval_entry(s.d, flags, b"f")), Ok(()));
    assert_eq!((s.getattrs("d"), s.getattrs("d")), (1, 0));
    assert_eq!(s.getattrs("f"), 0);
    // But not where nothing has changed.
    assert_eq!(s.tell(&inval_entry(s.d, flags, b"nothing")), Err(ENOENT));
    assert_eq!(s.getattrs("d"), 0);
    s.finish();
}

/// Bits that mean nothing yet, alone and with the one that does.
fn entry_unknown_flags() {
    let mut s = Scene::new();
    s.know(&["d/e"]);
    for bit in 1..32 {
        assert_eq!(s.tell(&inval_entry(ROOT, 1 << bit, b"d")), Ok(()));
        assert_eq!(s.lookups("d/e"), 2, "{bit}");
    }
    for bit in 1..32 {
        let flags = (1 << bit) | EXPIRE_ONLY;
        assert_eq!(s.tell(&inval_entry(ROOT, flags, b"d")), Ok(()));
        assert_eq!(s.lookups("d/e"), 1, "{bit}");
    }
    s.finish();
}

fn entry_hard_link() {
    let mut s = Scene::new();
    let r: Res<()> = s.run(|mnt| user::link(&mnt.join("f"), &mnt.join("d/g")));
    assert_eq!(r, Ok(()));
    s.know(&["f", "d/g"]);
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"f")), Ok(()));
    assert!(s.is_held(s.f));
    assert_eq!((s.lookups("d/g"), s.lookups("f")), (0, 1));
    s.finish();
}

/// In a directory that was removed, and is in use, there are no names.
fn entry_removed_directory() {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Res<()> {
        user::chdir(&mnt.join("empty"))?;
        user::rmdir(&mnt.join("empty"))?;
        io.put(());
        io.wait();
        user::lstat("f".as_ref()).map(drop)
    });
    assert_eq!(s.tell(&inval_entry(s.empty, 0, b"f")), Err(ENOENT));
    assert_eq!(s.tell(&inval_entry(ROOT, 0, b"empty")), Err(ENOENT));
    assert_eq!(s.release::<Res<()>>(c), Err(ENOENT));
    s.finish();
}

/// The daemon has given the name to another node.
fn entry_new_node() {
    new_node(0);
}

fn expire_new_node() {
    new_node(EXPIRE_ONLY);
}

fn new_node(flags: u32) {
    let mut s = Scene::new();
    s.know(&["f"]);
    let g = s.fs.add(0, "", libc::S_IFREG | 0o644, b"more text");
    let root = s.fs.nodes.get_mut(&ROOT).expect("root");
    root.children.insert("f".into(), g);
    let ino = |s: &mut Scene| -> Res<u64> { s.run(|mnt| Ok(user::lstat(&mnt.join("f"))?.ino)) };
    assert_eq!(ino(&mut s), Ok(s.f));
    assert_eq!(s.tell(&inval_entry(ROOT, flags, b"f")), Ok(()));
    assert_eq!(ino(&mut s), Ok(g));
    let f = s.f;
    s.await_forgotten(f);
    s.finish();
}

/// The daemon has removed it.
fn entry_gone_node() {
    for flags in [0, EXPIRE_ONLY] {
        let mut s = Scene::new();
        s.know(&["f"]);
        let root = s.fs.nodes.get_mut(&ROOT).expect("root");
        root.children.remove("f");
        assert_eq!(s.lstat("f"), Ok(()));
        assert_eq!(s.tell(&inval_entry(ROOT, flags, b"f")), Ok(()));
        assert_eq!(s.lstat("f"), Err(ENOENT));
        s.finish();
    }
}

/// It is asked whether the name still is what it was; the node stays until then.
fn expire_file() {
    let mut s = Scene::new();
    s.know(&["f"]);
    for _ in 0..3 {
        assert_eq!(s.tell(&inval_entry(ROOT, EXPIRE_ONLY, b"f")), Ok(()));
        assert_eq!(s.tell(&inval_entry(ROOT, EXPIRE_ONLY, b"f")), Ok(()));
        assert!(s.is_held(s.f));
        assert_eq!((s.lookups("f"), s.lookups("f")), (1, 0));
    }
    s.finish();
}

fn expire_negative() {
    let mut s = without_n();
    assert_eq!(s.tell(&inval_entry(ROOT, EXPIRE_ONLY, b"n")), Ok(()));
    s.fs.file("n", b"");
    assert_eq!(s.lstat("n"), Ok(()));
    s.finish();
}

fn expire_unknown() {
    let mut s = Scene::new();
    s.know(&["d"]);
    assert_eq!(s.tell(&inval_entry(ROOT, EXPIRE_ONLY, b"f")), Err(ENOENT));
    let below = inval_entry(s.d, EXPIRE_ONLY, b"f");
    assert_eq!(s.tell(&below), Err(ENOENT));
    s.finish();
}
