// SPDX-License-Identifier: GPL-2.0

//! Who may do what, where a killed caller has asked or changes it.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::{Killpriv, Memfs};
use mockd::user;
use mockd::wire::{Op, FOPEN_KEEP_CACHE, FUSE_WRITE_KILL_SUIDGID};
use mockd::{Init, Setup};
use suites::catalogue::summary;

use crate::scene::{open, ops, ours, show, Act, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        capabilities_asked_for_by_a_writer,
        capabilities_asked_for_by_a_truncater,
        capabilities_asked_for_by_a_giver,
        capabilities_that_nobody_has_told_of,
        set_id_bits_cleared_by_a_writer,
        set_id_bits_of_a_file_being_written,
        acl_of_a_file_given_away,
    ]
}

const RW: i32 = libc::O_RDWR;
const CAPABILITY: &str = "security.capability";
const CAP_FSETID: u32 = 4;
/// Who clears set-id bits: the kernel, the daemon always, the daemon when it is told.
const KILLPRIV: [&str; 3] = ["", "HANDLE_KILLPRIV", "HANDLE_KILLPRIV_V2"];

/// A daemon that has agreed to this.
fn agreed(flag: &str) -> Init {
    match flag {
        "" => Init::plain(),
        flag => Init::plain().with(flag),
    }
}

/// A file with set-id bits, of a daemon that has agreed to this.
fn set_id(flag: &str) -> (Memfs, u64) {
    let mut fs = Memfs::new();
    fs.killpriv = match flag {
        "HANDLE_KILLPRIV" => Killpriv::All,
        "HANDLE_KILLPRIV_V2" => Killpriv::Told,
        _ => Killpriv::Kernel,
    };
    let id = fs.file("f", b"text");
    fs.nodes.get_mut(&id).expect("f").attr.mode = libc::S_IFREG | 0o6755;
    (fs, id)
}

/// Writes, and may not leave set-id bits.
fn writer(mnt: &Path, data: &'static [u8]) -> Act {
    let f = open(mnt, "f", RW);
    user::drop_capability(CAP_FSETID).expect("capset");
    Box::new(move || show(user::pwrite(&f, data, 0)))
}

/// A file with capabilities loses them before its data change. A asks for them and is killed before
/// it has learnt of any: it changes nothing, neither at the daemon nor in the cache.
fn capabilities_asked_for_by_a_writer() {
    let mut fs = Memfs::new();
    let id = fs.file("f", &[7; 9000]);
    let mut s = Scene::new(fs);
    s.open_flags.insert(id, FOPEN_KEEP_CACHE);
    let mut b = s.actor("second", |mnt| {
        let f = open(mnt, "f", RW);
        user::pread(&f, 9000, 0).expect("cached");
        Box::new(move || show(user::pread(&f, 9000, 0).map(summary)))
    });
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::pwrite(&f, &[5; 9000], 0)))
    });
    let r = s.leave("first", &mut a, Op::GETXATTR, CAPABILITY);
    assert_eq!(
        s.acts(&mut b).as_deref(),
        Some("Ok(\"9000 bytes: 9000*7\")")
    );
    assert_eq!(ops(&s.asked("first")), []);
    s.answered("first", &mut a, &r);
    s.end(vec![b]);
}

/// The same of one that cuts the file off.
fn capabilities_asked_for_by_a_truncater() {
    let mut fs = Memfs::new();
    fs.file("f", &[7; 9000]);
    let mut s = Scene::new(fs);
    let mut a = s.actor("first", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::ftruncate(&f, 0)))
    });
    let mut b = s.actor("second", |mnt| {
        let f = open(mnt, "f", RW);
        Box::new(move || show(user::fstat(&f).map(|s| s.size)))
    });
    let r = s.leave("first", &mut a, Op::GETXATTR, CAPABILITY);
    assert_eq!(s.acts(&mut b).as_deref(), Some("Ok(9000)"));
    assert_eq!(ops(&s.asked("first")), []);
    s.answered("first", &mut a, &r);
    s.end(vec![b]);
}

/// The same of one that gives the file away.
fn capabilities_asked_for_by_a_giver() {
    for flag in KILLPRIV {
        let mut fs = Memfs::new();
        let id = fs.file("f", b"text");
        let mut s = Scene::with(fs, &agreed(flag));
        let mut a = s.actor("first", |mnt| {
            let f = open(mnt, "f", RW);
            Box::new(move || show(user::fchown(&f, 7, 7)))
        });
        let mut b = s.actor("second", |mnt| {
            let f = open(mnt, "f", RW);
            Box::new(move || show(user::fstat(&f).map(|s| s.uid)))
        });
        let r = s.leave("first", &mut a, Op::GETXATTR, CAPABILITY);
        assert_eq!(s.acts(&mut b).as_deref(), Some("Ok(0)"), "{flag}");
        assert_eq!(ops(&s.asked("first")), [], "{flag}");
        s.answered("first", &mut a, &r);
        // Who sleeps on in C may be quicker with the next request than it is found to be killed.
        if ours() {
            assert_eq!(s.fs.nodes[&id].attr.uid, 0, "{flag}");
        }
        s.end(vec![b]);
    }
}

/// The kernel remembers of a file that it has no capabilities (HANDLE_KILLPRIV_V2), but not of one
/// whose writer was killed before it has learnt of any: the next writer asks again.
fn capabilities_that_nobody_has_told_of() {
    for flag in KILLPRIV {
        let mut fs = Memfs::new();
        fs.xattrs = true;
        let id = fs.file("f", b"text");
        let xattrs = &mut fs.nodes.get_mut(&id).expect("f").xattrs;
        xattrs.insert(CAPABILITY.into(), b"some".to_vec());
        let mut s = Scene::with(fs, &agreed(flag));
        let mut a = s.actor("first", |mnt| {
            let f = open(mnt, "f", RW);
            Box::new(move || show(user::pwrite(&f, b"A", 0)))
        });
        let mut b = s.actor("second", |mnt| {
            let f = open(mnt, "f", RW);
            Box::new(move || show(user::pwrite(&f, b"B", 0)))
        });
        let r = s.leave("first", &mut a, Op::GETXATTR, CAPABILITY);
        s.answered("first", &mut a, &r);
        assert_eq!(s.act(&mut b), show(Ok(1)), "{flag}");
        assert!(!s.fs.nodes[&id].xattrs.contains_key(CAPABILITY), "{flag}");
        s.end(vec![b]);
    }
}

/// Set-id bits go before the data change. A is killed while it has them cleared: it writes nothing,
/// and B, who may not leave them either, finds them or not.
fn set_id_bits_cleared_by_a_writer() {
    for flag in KILLPRIV {
        let (fs, id) = set_id(flag);
        let mut s = Scene::with(fs, &agreed(flag));
        let mut a = s.actor("first", |mnt| writer(mnt, b"A"));
        let mut b = s.actor("second", |mnt| writer(mnt, b"B"));
        let r = s.leave("first", &mut a, Op::SETATTR, "");
        s.waits(&mut b);
        assert_eq!(ops(&s.asked("first")), [], "{flag}");
        s.answered("first", &mut a, &r);
        assert_eq!(s.said(&mut b), show(Ok(1)), "{flag}");
        let node = &s.fs.nodes[&id];
        assert_eq!(node.attr.mode & 0o7777, 0o755, "{flag}");
        assert_eq!(node.data, b"Bext", "{flag}");
        s.end(vec![b]);
    }
}

/// The daemon clears them with the data (HANDLE_KILLPRIV_V2), also in place of a caller that has
/// left.
fn set_id_bits_of_a_file_being_written() {
    let flag = "HANDLE_KILLPRIV_V2";
    let (mut fs, id) = set_id(flag);
    fs.nodes.get_mut(&id).expect("f").attr.mode = libc::S_IFREG | 0o755;
    let mut s = Scene::with(fs, &agreed(flag));
    let mut a = s.actor("first", |mnt| writer(mnt, b"A"));
    let mut b = s.actor("second", |mnt| writer(mnt, b"B"));
    // Somebody else sets them, and the kernel does not know.
    s.fs.nodes.get_mut(&id).expect("f").attr.mode = libc::S_IFREG | 0o6755;
    let r = s.leave("first", &mut a, Op::WRITE, "");
    assert_eq!(r.get("write_flags") as u32, FUSE_WRITE_KILL_SUIDGID);
    s.waits(&mut b);
    s.answered("first", &mut a, &r);
    assert_eq!(s.fs.nodes[&id].attr.mode & 0o7777, 0o755);
    assert_eq!(s.said(&mut b), show(Ok(1)));
    s.end(vec![b]);
}

/// Version, and owner, group and others with these permissions.
fn acl(owner: u16) -> Vec<u8> {
    let mut b = 2u32.to_ne_bytes().to_vec();
    for (tag, perm) in [(0x01u16, owner), (0x04, 4), (0x20, 4)] {
        b.extend(tag.to_ne_bytes());
        b.extend(perm.to_ne_bytes());
        b.extend(u32::MAX.to_ne_bytes());
    }
    b
}

/// A gives B's file away; B sets an ACL of it, and is not its owner any more when it can.
fn acl_of_a_file_given_away() {
    for flags in [&[][..], &["POSIX_ACL"]] {
        let mut fs = Memfs::new();
        fs.xattrs = true;
        let id = fs.file("f", b"x");
        let attr = &mut fs.nodes.get_mut(&id).expect("f").attr;
        (attr.uid, attr.gid) = (1000, 1000);
        let init = flags.iter().fold(Init::plain(), |init, f| init.with(f));
        let setup = Setup::default().opt("allow_other", "");
        let mut s = Scene::mounted(&setup, fs, &init);
        let mut a = s.actor("first", |mnt| {
            let f = mnt.join("f");
            user::lstat(&f).expect("known");
            Box::new(move || show(user::lchown(&f, 2000, 2000)))
        });
        let mut b = s.actor("second", |mnt| {
            let f = mnt.join("f");
            user::become_user(1000, 1000);
            user::lstat(&f).expect("known");
            let set = move || user::setxattr(&f, "system.posix_acl_access", &acl(7), 0);
            Box::new(move || show(set()))
        });
        let r = s.leave("first", &mut a, Op::SETATTR, "");
        s.waits(&mut b);
        s.answered("first", &mut a, &r);
        assert_eq!(s.said(&mut b), show::<()>(Err(EPERM)));
        assert!(!ops(&s.asked("second")).contains(&Op::SETXATTR));
        s.end(vec![b]);
    }
}
