// SPDX-License-Identifier: GPL-2.0

//! Who may use a mount of an ordinary user's, inside of their user namespace and outside.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::ROOT;
use mockd::{Caller, Init, Setup};
use suites::setting::Setting;

use crate::unprivileged::{add, open, FIVE, FIVE_OUTSIDE, UNKNOWN};
use crate::userns_mount::{as_administrator, as_user, Users, OWNER};

pub fn cases() -> Vec<Case> {
    cases![
        others_stay_out,
        allow_other_is_for_those_inside,
        modes_bind_root_inside,
    ]
}

/// What somebody may do to the mount at all.
fn enter(mnt: &Path) -> Vec<Res<()>> {
    vec![
        user::stat(mnt).map(drop),
        user::list(mnt).map(drop),
        open(&mnt.join("f"), libc::O_RDONLY),
        user::mkdir(&mnt.join("d"), 0o755),
        user::rmdir(&mnt.join("d")),
        user::access(&mnt.join("f"), libc::R_OK),
        user::getxattr(&mnt.join("f"), "user.x", 10).map(drop),
    ]
}

/// A file for everybody.
fn one_file() -> Memfs {
    let mut fs = Memfs::new();
    add(&mut fs, "f", libc::S_IFREG | 0o666, 0, b"text");
    fs.nodes.get_mut(&ROOT).expect("root").attr.mode = libc::S_IFDIR | 0o777;
    fs
}

/// Without allow_other it is for those whose ids are all the owner's, wherever they are.
fn others_stay_out() {
    let inside = |mnt: &Path| {
        let ids = |uids: [u32; 3], gids: [u32; 3]| {
            let mnt = mnt.to_path_buf();
            Caller::spawn(None, move |_| {
                // SAFETY: integers.
                unsafe {
                    libc::setgroups(0, std::ptr::null());
                    libc::setresgid(gids[0], gids[1], gids[2]);
                    libc::setresuid(uids[0], uids[1], uids[2]);
                }
                enter(&mnt)
            })
            .join::<Vec<Res<()>>>()
        };
        let (zero, five) = ([0; 3], [5; 3]);
        vec![
            ids(zero, zero),
            ids(five, five),
            ids([0, 0, 5], zero),
            ids([0, 5, 0], zero),
            ids([5, 0, 0], zero),
            ids(zero, [0, 0, 5]),
            ids(zero, [0, 5, 0]),
            ids(zero, [5, 0, 0]),
        ]
    };
    let mut users = Users::new(&Setup::default(), &Init::plain(), one_file(), inside);
    let mine = as_user(OWNER, || enter(users.mnt()));
    let five = as_user(FIVE_OUTSIDE, || enter(users.mnt()));
    let root = enter(users.mnt());
    let inside: Vec<Vec<Res<()>>> = users.inside();
    println!("{inside:?}\n{mine:?}\n{five:?}\n{root:?}");
    assert_eq!(inside[0][..5], [Ok(()); 5]);
    assert_eq!(mine[..5], [Ok(()); 5]);
    for v in inside[1..].iter().chain([&five, &root]) {
        assert!(v.iter().all(|r| *r == Err(EACCES)), "{v:?}");
    }
    users.finish(&[format!("{inside:?}"), format!("{mine:?} {five:?} {root:?}")]);
}

/// allow_other is for whoever is in the namespace, or below it, and for nobody else: an
/// administrator outside may only if the module's parameter says so.
fn allow_other_is_for_those_inside() {
    let inside = |mnt: &Path| {
        let mine = as_user(0, || enter(mnt));
        let five = as_user(FIVE, || enter(mnt));
        let below = Caller::spawn(None, |_| {
            // SAFETY: a flag.
            assert_eq!(
                unsafe { libc::unshare(libc::CLONE_NEWUSER) },
                0,
                "{}",
                last()
            );
            enter(mnt)
        });
        vec![mine, five, below.join()]
    };
    let setup = Setup::default().opt("allow_other", "");
    let param = Setting::parameter("allow_sys_admin_access");
    param.set("N").expect("set");
    let mut users = Users::new(&setup, &Init::plain(), one_file(), inside);
    let out: Vec<Vec<Res<()>>> = vec![
        as_user(OWNER, || enter(users.mnt())),
        as_user(FIVE_OUTSIDE, || enter(users.mnt())),
        as_administrator(FIVE_OUTSIDE, || enter(users.mnt())),
        as_user(0, || enter(users.mnt())),
    ];
    param.set("Y").expect("set");
    let allowed = as_administrator(FIVE_OUTSIDE, || enter(users.mnt()));
    let ordinary = as_user(FIVE_OUTSIDE, || enter(users.mnt()));
    let without_id = as_user(0, || enter(users.mnt()));
    param.set("N").expect("set");
    let inside: Vec<Vec<Res<()>>> = users.inside();
    println!("{inside:?}\n{out:?}\n{allowed:?}\n{ordinary:?}\n{without_id:?}");
    for v in inside.iter().chain([&allowed]) {
        assert_eq!(v[..5], [Ok(()); 5], "{v:?}");
    }
    for v in out.iter().chain([&ordinary]) {
        assert!(v.iter().all(|r| *r == Err(EACCES)), "{v:?}");
    }
    // Who has no id in the namespace asks for nothing there.
    assert_eq!(without_id[1..4], [Err(EOVERFLOW); 3]);
    users.finish(&[format!("{inside:?}"), format!("{allowed:?} {without_id:?}")]);
}

/// Root of the namespace may do all only to what belongs to somebody there.
fn modes_bind_root_inside() {
    let mut fs = Memfs::new();
    for (name, id) in [("mine", 0), ("five", FIVE), ("unknown", UNKNOWN)] {
        for mode in [0, 0o600, 0o666] {
            let name = format!("{name}{mode:o}");
            add(&mut fs, &name, libc::S_IFREG | mode, id, b"text");
        }
    }
    let all = |mnt: &Path| -> Vec<Res<()>> {
        let mut v = Vec::new();
        for name in ["mine", "five", "unknown"] {
            for mode in ["0", "600", "666"] {
                let p = mnt.join(format!("{name}{mode}"));
                v.extend([libc::O_RDONLY, libc::O_WRONLY].map(|flags| open(&p, flags)));
            }
        }
        v
    };
    let inside = move |mnt: &Path| {
        let at = mnt.to_path_buf();
        (all(mnt), as_user(FIVE, move || all(&at)))
    };
    let setup = Setup::default()
        .opt("allow_other", "")
        .opt("default_permissions", "");
    let mut users = Users::new(&setup, &Init::plain(), fs, inside);
    let (root, five): (Vec<Res<()>>, Vec<Res<()>>) = users.inside();
    println!("{root:?} {five:?}");
    let (yes, no) = (Ok(()), Err(EACCES));
    assert_eq!(root[..12], [yes; 12]);
    assert_eq!(root[12..], [no, no, no, no, yes, no]);
    assert_eq!(five[..6], [no, no, no, no, yes, yes]);
    assert_eq!(five[6..12], [no, no, yes, yes, yes, yes]);
    assert_eq!(five[12..], [no, no, no, no, yes, no]);
    users.finish(&[format!("{root:?} {five:?}")]);
}
