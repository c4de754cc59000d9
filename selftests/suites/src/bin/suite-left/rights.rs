// SPDX-License-Identifier: GPL-2.0

//! Who may do what, where a killed caller has asked or changes it.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::{Op, FOPEN_KEEP_CACHE};
use mockd::{Init, Setup};
use suites::catalogue::summary;

use crate::scene::{open, ops, show, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        capabilities_asked_for_by_a_writer,
        capabilities_asked_for_by_a_truncater,
        acl_of_a_file_given_away,
    ]
}

const RW: i32 = libc::O_RDWR;
const CAPABILITY: &str = "security.capability";

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
