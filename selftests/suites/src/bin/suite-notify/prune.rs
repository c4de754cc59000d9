// SPDX-License-Identifier: GPL-2.0

//! PRUNE: nodes that nobody uses are given back, others stay.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{write_at, Pages, PAGE};
use mockd::user;
use mockd::wire::{Op, ROOT};

use crate::kit::{prune, Scene, NOBODY};

pub fn cases() -> Vec<Case> {
    cases![
        prune_unused,
        prune_kinds,
        prune_root,
        prune_open,
        prune_working_directory,
        prune_mapped,
        prune_directory_with_children,
        prune_children_first,
        prune_parents_first,
        prune_unknown,
        prune_forgotten,
        prune_of_another_mount,
        prune_none,
        prune_one_many_times,
        prune_two_names,
        prune_unlinked_open,
        prune_mount_point,
        prune_negative_below,
        prune_batches,
        prune_bad_memory_in_second_batch,
        prune_then_read,
    ]
}

fn prune_unused() {
    let mut s = Scene::new();
    s.know(&["f"]);
    assert_eq!(s.tell(&prune(&[s.f])), Ok(()));
    let f = s.f;
    s.await_forgotten(f);
    assert_eq!((s.lookups("f"), s.lookups("f")), (1, 0));
    s.finish();
}

/// A link and empty directories. With what is below the last use of a directory goes, and the VFS
/// takes that away at once.
fn prune_kinds() {
    let mut s = Scene::new();
    s.know(&["l", "empty", "d/e"]);
    assert_eq!(s.tell(&prune(&[s.l, s.empty, s.de])), Ok(()));
    for node in [s.l, s.empty, s.de, s.d] {
        s.await_forgotten(node);
    }
    s.finish();
}

fn prune_root() {
    let mut s = Scene::new();
    s.know(&["f", ""]);
    assert_eq!(s.tell(&prune(&[ROOT])), Ok(()));
    assert_eq!((s.lookups("f"), s.getattrs("")), (0, 0));
    s.finish();
}

/// What is in use stays, with its name, until it is told again.
fn stays(path: &'static str, node: impl Fn(&Scene) -> u64, using: fn(&std::path::Path)) {
    let mut s = Scene::new();
    let c = s.hold(move |mnt, io| {
        let path = mnt.join(path);
        let f = user::open(&path, libc::O_RDONLY, 0).expect("open");
        using(&path);
        io.put(());
        io.wait();
        drop(f);
    });
    let node = node(&s);
    assert_eq!(s.tell(&prune(&[node])), Ok(()));
    assert!(s.is_held(node));
    assert_eq!(s.lookups(path), 0);
    s.release::<()>(c);
    s.drain();
    // The file is closed, but RELEASE may still have it.
    suites::daemon::until("FORGET", || {
        assert_eq!(s.tell(&prune(&[node])), Ok(()));
        (!s.is_held(node)).then_some(())
    });
    s.m.without_record();
    s.finish();
}

fn prune_open() {
    stays("f", |s| s.f, |_| {});
}

fn prune_working_directory() {
    stays("empty", |s| s.empty, |p| user::chdir(p).expect("chdir"));
}

/// A mapping has the file.
fn prune_mapped() {
    stays(
        "f",
        |s| s.f,
        |p| {
            let f = user::open(p, libc::O_RDONLY, 0).expect("open");
            // SAFETY: a new mapping.
            let at = unsafe {
                let (prot, flags) = (libc::PROT_READ, libc::MAP_SHARED);
                libc::mmap(std::ptr::null_mut(), PAGE, prot, flags, f.as_raw_fd(), 0)
            };
            assert_ne!(at, libc::MAP_FAILED, "{}", last());
        },
    );
}

/// Its children use it.
fn prune_directory_with_children() {
    let mut s = Scene::new();
    s.know(&["d/f", "d/e"]);
    assert_eq!(s.tell(&prune(&[s.d])), Ok(()));
    assert!(s.is_held(s.d) && s.is_held(s.df) && s.is_held(s.de));
    assert_eq!(s.lookups("d/f") + s.lookups("d/e"), 0);
    s.finish();
}

fn prune_children_first() {
    let mut s = Scene::new();
    s.know(&["d/f", "d/e"]);
    assert_eq!(s.tell(&prune(&[s.df, s.de, s.d])), Ok(()));
    for node in [s.df, s.de, s.d] {
        s.await_forgotten(node);
    }
    s.finish();
}

fn prune_parents_first() {
    let mut s = Scene::new();
    s.know(&["d/f", "d/e"]);
    assert_eq!(s.tell(&prune(&[s.d, s.df, s.de])), Ok(()));
    for node in [s.df, s.de, s.d] {
        s.await_forgotten(node);
    }
    s.finish();
}

/// Nodes that are not there are no error.
fn prune_unknown() {
    let mut s = Scene::new();
    s.know(&["f"]);
    let all = [0, NOBODY, u64::MAX, s.d, s.f, s.df, 1 << 63];
    assert_eq!(s.tell(&prune(&all)), Ok(()));
    let f = s.f;
    s.await_forgotten(f);
    s.finish();
}

fn prune_forgotten() {
    let mut s = Scene::new();
    s.know(&["f"]);
    let f = s.f;
    for _ in 0..3 {
        assert_eq!(s.tell(&prune(&[f])), Ok(()));
        s.await_forgotten(f);
    }
    s.finish();
}

fn prune_of_another_mount() {
    let (mut s, mut other) = (Scene::new(), Scene::new());
    s.know(&["f"]);
    other.know(&["d"]);
    assert_eq!(s.tell(&prune(&[s.d])), Ok(()));
    assert_eq!(other.tell(&prune(&[other.f])), Ok(()));
    assert!(s.is_held(s.f) && other.is_held(other.d));
    s.finish();
    other.finish();
}

fn prune_none() {
    let mut s = Scene::new();
    s.know(&["f"]);
    assert_eq!(s.tell(&prune(&[])), Ok(()));
    assert_eq!(s.lookups("f"), 0);
    s.finish();
}

fn prune_one_many_times() {
    let mut s = Scene::new();
    s.know(&["f"]);
    assert_eq!(s.tell(&prune(&[s.f; 2000])), Ok(()));
    let f = s.f;
    s.await_forgotten(f);
    assert_eq!(s.lookups("f"), 1);
    s.finish();
}

/// All names go, and a directory that had nothing else.
fn prune_two_names() {
    let mut s = Scene::new();
    let r: Res<()> = s.run(|mnt| user::link(&mnt.join("f"), &mnt.join("d/g")));
    assert_eq!(r, Ok(()));
    s.know(&["f", "d/g"]);
    assert_eq!(s.tell(&prune(&[s.f])), Ok(()));
    let f = s.f;
    s.await_forgotten(f);
    assert_eq!((s.lookups("f"), s.lookups("d/g")), (1, 2));
    s.finish();
}

fn prune_unlinked_open() {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Res<Vec<u8>> {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        user::unlink(&mnt.join("f"))?;
        io.put(());
        io.wait();
        user::pread(&f, 100, 0)
    });
    assert_eq!(s.tell(&prune(&[s.f])), Ok(()));
    let r: Res<Vec<u8>> = s.release(c);
    assert_eq!(r, Ok(b"text of f".to_vec()));
    let f = s.f;
    s.await_forgotten(f);
    s.finish();
}

/// What is mounted uses it.
fn prune_mount_point() {
    let mut s = Scene::new();
    s.know(&["empty"]);
    let at = s.m.path("empty");
    mockd::mount::mount("none", &at, "tmpfs", 0, "").expect("tmpfs");
    assert_eq!(s.tell(&prune(&[s.empty])), Ok(()));
    assert!(mockd::mount::is_mounted(&at) && s.is_held(s.empty));
    mockd::mount::umount(&at, 0).expect("umount");
    assert_eq!(s.tell(&prune(&[s.empty])), Ok(()));
    let empty = s.empty;
    s.await_forgotten(empty);
    s.finish();
}

/// Names that are known to be none use their directory.
fn prune_negative_below() {
    let mut s = Scene::new();
    s.know(&["empty"]);
    let none = mockd::reply::Entry::negative(mockd::reply::LONG).bytes();
    s.fs.on(Op::LOOKUP, mockd::mock::Answer::Ok(none));
    assert_eq!(s.lstat("empty/n"), Err(ENOENT));
    s.fs.fixed.clear();
    assert_eq!(s.tell(&prune(&[s.empty])), Ok(()));
    assert!(s.is_held(s.empty));
    assert_eq!(s.lookups("empty/n"), 0);
    s.finish();
}

/// As many as fit in a batch of C's, and more, of which some are cached.
fn prune_batches() {
    for count in [511, 512, 513, 1024, 1500] {
        let mut s = Scene::new();
        let names: Vec<String> = (0..20).map(|n| format!("n{n}")).collect();
        let nodes: Vec<u64> = names.iter().map(|n| s.fs.file(n, b"")).collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        s.know(&known);
        let mut all = vec![NOBODY; count];
        for (i, node) in nodes.iter().enumerate() {
            all[i * (count - 1) / (nodes.len() - 1)] = *node;
        }
        assert_eq!(s.tell(&prune(&all)), Ok(()));
        for node in nodes {
            s.await_forgotten(node);
        }
        s.finish();
    }
}

/// What has been read by then is done, as in C.
fn prune_bad_memory_in_second_batch() {
    let mut s = Scene::new();
    s.know(&["f", "d"]);
    let mut all = vec![NOBODY; 1100];
    all[500] = s.f;
    all[1099] = s.d;
    let message = prune(&all);
    let mut pages = Pages::new(4);
    pages.bytes(0, message.len()).copy_from_slice(&message);
    // The second batch ends in it.
    pages.unmap(2);
    let wrote = write_at(s.m.dev().as_raw_fd(), pages.addr(), message.len());
    assert_eq!(wrote, Err(EFAULT));
    let f = s.f;
    s.await_forgotten(f);
    assert!(s.is_held(s.d));
    s.finish();
}

/// What was cached of a file goes with its node.
fn prune_then_read() {
    let mut s = Scene::new();
    s.fs.open_flags = mockd::wire::FOPEN_KEEP_CACHE;
    let read = |s: &mut Scene| -> Res<Vec<u8>> {
        s.run(|mnt| {
            let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
            user::pread(&f, 100, 0)
        })
    };
    assert_eq!(read(&mut s), Ok(b"text of f".to_vec()));
    s.fs.nodes.get_mut(&s.f).expect("f").data = b"new  of f".to_vec();
    assert_eq!(read(&mut s), Ok(b"text of f".to_vec()));
    let f = s.f;
    suites::daemon::until("FORGET", || {
        assert_eq!(s.tell(&prune(&[f])), Ok(()));
        (!s.is_held(f)).then_some(())
    });
    assert_eq!(read(&mut s), Ok(b"new  of f".to_vec()));
    s.m.without_record();
    s.finish();
}
