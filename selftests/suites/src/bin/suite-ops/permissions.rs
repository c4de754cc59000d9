// SPDX-License-Identifier: GPL-2.0

//! Who may do what, of all operations: with and without default_permissions and allow_other.

use std::path::PathBuf;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::user;
use mockd::Caller;

use crate::through::{each_with, write};

pub fn cases() -> Vec<Case> {
    cases![
        others_are_kept_out,
        others_by_allow_other,
        owner_of_mount_only,
        default_permissions_files,
        default_permissions_directories,
        default_permissions_sticky,
        default_permissions_chown_chmod,
        without_default_permissions,
        effective_ids_matter,
        root_passes,
        group_permissions,
    ]
}

const NOBODY: u32 = 65534;

/// Runs `f` as another user.
fn as_user<T: mockd::msg::Msg>(uid: u32, gid: u32, f: impl FnOnce() -> T) -> T {
    Caller::spawn(None, |_| {
        user::become_user(uid, gid);
        f()
    })
    .join()
}

/// Opens, for the short tests.
fn open(p: PathBuf, flags: i32) -> Res<()> {
    user::open(&p, flags, 0o644).map(drop)
}

/// Without allow_other, even looking at the root is refused.
fn others_are_kept_out() {
    each_with("", |d| {
        write(&d.at("f"), b"x");
        user::chmod(&d.at("f"), 0o666).expect("chmod");
        let r = as_user(NOBODY, NOBODY, || {
            vec![
                user::lstat(&d.mnt).map(drop),
                user::lstat(&d.at("f")).map(drop),
                open(d.at("f"), libc::O_RDONLY),
                user::list(&d.mnt).map(drop),
                user::mkdir(&d.at("d"), 0o755),
                user::chdir(&d.mnt),
                user::access(&d.mnt, libc::F_OK),
            ]
        });
        println!("{r:?}");
        assert!(r.iter().all(|x| *x == Err(EACCES)), "{r:?}");
    });
}

/// With it, and no default_permissions, the mode does not matter either: all is the daemon's.
fn others_by_allow_other() {
    each_with("allow_other", |d| {
        write(&d.at("f"), b"x");
        user::chmod(&d.at("f"), 0o600).expect("chmod");
        let r = as_user(NOBODY, NOBODY, || {
            (
                user::lstat(&d.mnt).map(drop),
                user::lstat(&d.at("f")).map(|s| s.mode & 0o777),
                user::list(&d.mnt),
            )
        });
        assert_eq!(r, (Ok(()), Ok(0o600), Ok(vec!["f".to_string()])));
    });
}

/// A mount by and for another user keeps root out too.
fn owner_of_mount_only() {
    let mut m = mockd::Mock::with(
        &mockd::Setup::default()
            .opt("user_id", "65534")
            .opt("group_id", "65534"),
        &mockd::Init::plain(),
    );
    let mut fs = mockd::memfs::Memfs::new();
    let c = m.call("", |p| user::lstat(p).map(drop));
    assert_eq!(m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Err(EACCES));
    let c = m.call("", |p| {
        user::become_user(NOBODY, NOBODY);
        user::lstat(p).map(drop)
    });
    assert_eq!(m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    // All ids must be the owner's: real, effective and saved.
    let c = m.call("", |p| {
        // SAFETY: integers.
        unsafe {
            libc::setgroups(0, std::ptr::null());
            libc::setresgid(NOBODY, NOBODY, NOBODY);
            libc::setresuid(NOBODY, NOBODY, 0);
        }
        user::lstat(p).map(drop)
    });
    assert_eq!(m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Err(EACCES));
    m.finish();
}

/// Of each mode, what somebody else may do with a file.
fn default_permissions_files() {
    each_with("allow_other,default_permissions", |d| {
        for (name, mode) in [
            ("none", 0o600),
            ("ro", 0o644),
            ("wo", 0o622),
            ("rw", 0o666),
            ("x", 0o711),
        ] {
            write(&d.at(name), b"text");
            user::chmod(&d.at(name), mode).expect("chmod");
        }
        let try_all = |flags: i32| {
            as_user(NOBODY, NOBODY, || {
                ["none", "ro", "wo", "rw"]
                    .iter()
                    .map(|n| open(d.at(n), flags))
                    .collect::<Vec<Res<()>>>()
            })
        };
        let no = Err(EACCES);
        assert_eq!(try_all(libc::O_RDONLY), [no, Ok(()), no, Ok(())]);
        assert_eq!(try_all(libc::O_WRONLY), [no, no, Ok(()), Ok(())]);
        assert_eq!(try_all(libc::O_RDWR), [no, no, no, Ok(())]);
        assert_eq!(
            try_all(libc::O_WRONLY | libc::O_TRUNC),
            [no, no, Ok(()), Ok(())]
        );
        let r = as_user(NOBODY, NOBODY, || {
            (
                user::truncate(&d.at("ro"), 0),
                user::truncate(&d.at("rw"), 1),
                user::access(&d.at("x"), libc::X_OK),
                user::access(&d.at("rw"), libc::X_OK),
                user::access(&d.at("none"), libc::R_OK),
            )
        });
        assert_eq!(r, (no, Ok(()), Ok(()), no, no));
    });
}

/// Of each mode, what somebody else may do in a directory.
fn default_permissions_directories() {
    each_with("allow_other,default_permissions", |d| {
        for (name, mode) in [
            ("none", 0o700),
            ("list", 0o744),
            ("pass", 0o711),
            ("both", 0o755),
            ("all", 0o777),
        ] {
            user::mkdir(&d.at(name), 0o755).expect("mkdir");
            write(&d.at(&format!("{name}/f")), b"x");
            user::chmod(&d.at(name), mode).expect("chmod");
        }
        let each = |f: &dyn Fn(PathBuf) -> Res<()>| {
            as_user(NOBODY, NOBODY, || {
                ["none", "list", "pass", "both", "all"]
                    .iter()
                    .map(|n| f(d.at(n)))
                    .collect::<Vec<Res<()>>>()
            })
        };
        let no = Err(EACCES);
        assert_eq!(
            each(&|p| user::list(&p).map(drop)),
            [no, Ok(()), no, Ok(()), Ok(())]
        );
        assert_eq!(
            each(&|p| user::lstat(&p.join("f")).map(drop)),
            [no, no, Ok(()), Ok(()), Ok(())]
        );
        assert_eq!(each(&|p| user::chdir(&p)), [no, no, Ok(()), Ok(()), Ok(())]);
        assert_eq!(
            each(&|p| user::mkdir(&p.join("new"), 0o755)),
            [no, no, no, no, Ok(())]
        );
        assert_eq!(
            each(&|p| user::unlink(&p.join("f"))),
            [no, no, no, no, Ok(())]
        );
        assert_eq!(
            each(&|p| open(p.join("g"), libc::O_CREAT | libc::O_WRONLY)),
            [no, no, no, no, Ok(())]
        );
    });
}

/// In a directory like /tmp only the owner of a file removes it.
fn default_permissions_sticky() {
    each_with("allow_other,default_permissions", |d| {
        user::mkdir(&d.at("tmp"), 0o755).expect("mkdir");
        user::chmod(&d.at("tmp"), 0o1777).expect("chmod");
        write(&d.at("tmp/roots"), b"x");
        user::chmod(&d.at("tmp/roots"), 0o666).expect("chmod");
        write(&d.at("tmp/his"), b"x");
        user::lchown(&d.at("tmp/his"), NOBODY, NOBODY).expect("chown");
        let r = as_user(NOBODY, NOBODY, || {
            (
                user::unlink(&d.at("tmp/roots")),
                user::rename(&d.at("tmp/roots"), &d.at("tmp/x")),
                user::unlink(&d.at("tmp/his")),
            )
        });
        assert_eq!(r, (Err(EPERM), Err(EPERM), Ok(())));
    });
}

/// Attributes are the owner's to change, but for the time of now, which needs only write
/// permission.
fn default_permissions_chown_chmod() {
    each_with("allow_other,default_permissions", |d| {
        write(&d.at("roots"), b"x");
        user::chmod(&d.at("roots"), 0o666).expect("chmod");
        write(&d.at("his"), b"x");
        user::lchown(&d.at("his"), NOBODY, NOBODY).expect("chown");
        let r = as_user(NOBODY, NOBODY, || {
            (
                user::chmod(&d.at("roots"), 0o777),
                user::lchown(&d.at("roots"), NOBODY, NOBODY),
                user::chmod(&d.at("his"), 0o600),
                user::lchown(&d.at("his"), 0, 0),
                user::utimes(&d.at("roots"), Some((1, 1)), Some((1, 1))),
            )
        });
        assert_eq!(r, (Err(EPERM), Err(EPERM), Ok(()), Err(EPERM), Err(EPERM)));
        // The time of now needs only write permission.
        let now = Some((0, libc::UTIME_NOW));
        let r = as_user(NOBODY, NOBODY, || user::utimes(&d.at("roots"), now, now));
        assert_eq!(r, Ok(()));
        assert_eq!(user::lstat(&d.at("his")).map(|s| s.mode & 0o777), Ok(0o600));
    });
}

/// Without it the daemon decides; passthrough_ll works as root and so lets all pass.
fn without_default_permissions() {
    each_with("allow_other", |d| {
        write(&d.at("f"), b"secret");
        user::chmod(&d.at("f"), 0o600).expect("chmod");
        user::mkdir(&d.at("d"), 0o700).expect("mkdir");
        let r = as_user(NOBODY, NOBODY, || {
            let fd = user::open(&d.at("f"), libc::O_RDONLY, 0)?;
            let got = user::pread(&fd, 10, 0)?;
            user::mkdir(&d.at("d/x"), 0o755)?;
            user::access(&d.at("f"), libc::R_OK)?;
            Ok::<_, Errno>(got)
        });
        assert_eq!(r, Ok(b"secret".to_vec()));
        let st = user::lstat(&d.at("d/x")).expect("stat");
        println!("made by {} {}", st.uid, st.gid);
    });
}

/// Access of root with the file system ids of another.
fn effective_ids_matter() {
    each_with("allow_other,default_permissions", |d| {
        write(&d.at("f"), b"x");
        user::chmod(&d.at("f"), 0o600).expect("chmod");
        let f = d.at("f");
        let r = Caller::spawn(None, |_| {
            // SAFETY: integers.
            unsafe {
                libc::setgroups(0, std::ptr::null());
                libc::setfsgid(NOBODY);
                libc::setfsuid(NOBODY);
            }
            open(f, libc::O_RDONLY)
        });
        assert_eq!(r.join::<Res<()>>(), Err(EACCES));
    });
}

/// Root may do all but execute what nobody may.
fn root_passes() {
    each_with("allow_other,default_permissions", |d| {
        write(&d.at("f"), b"x");
        user::chmod(&d.at("f"), 0).expect("chmod");
        user::lchown(&d.at("f"), NOBODY, NOBODY).expect("chown");
        assert!(user::open(&d.at("f"), libc::O_RDWR, 0).is_ok());
        assert_eq!(user::access(&d.at("f"), libc::X_OK), Err(EACCES));
        user::chmod(&d.at("f"), 0o600).expect("chmod");
    });
}

/// A group counts as the caller's own one and as one of its others.
fn group_permissions() {
    each_with("allow_other,default_permissions", |d| {
        write(&d.at("f"), b"x");
        user::lchown(&d.at("f"), 0, 77).expect("chown");
        user::chmod(&d.at("f"), 0o640).expect("chmod");
        assert_eq!(
            as_user(NOBODY, 77, || open(d.at("f"), libc::O_RDONLY)),
            Ok(())
        );
        assert_eq!(
            as_user(NOBODY, 77, || open(d.at("f"), libc::O_WRONLY)),
            Err(EACCES)
        );
        assert_eq!(
            as_user(NOBODY, 78, || open(d.at("f"), libc::O_RDONLY)),
            Err(EACCES)
        );
        let f = d.at("f");
        let supplementary = Caller::spawn(None, |_| {
            // SAFETY: a list of one.
            unsafe {
                libc::setgroups(1, &77);
                libc::setresgid(NOBODY, NOBODY, NOBODY);
                libc::setresuid(NOBODY, NOBODY, NOBODY);
            }
            open(f, libc::O_RDONLY)
        });
        assert_eq!(supplementary.join::<Res<()>>(), Ok(()));
    });
}
