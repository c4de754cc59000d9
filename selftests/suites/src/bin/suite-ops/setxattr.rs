// SPDX-License-Identifier: GPL-2.0

//! SETXATTR and REMOVEXATTR.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::getxattr_out;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Init, Mock, Setup};
use suites::catalogue::sample;

use crate::xattr::{answered, known, ERRORS};

pub fn cases() -> Vec<Case> {
    cases![
        setxattr_values,
        setxattr_flags,
        setxattr_ext,
        setxattr_errors,
        setxattr_names,
        setxattr_too_big_for_the_daemon,
        removexattr_errors,
        xattr_changes_ctime,
        xattr_change_permission,
        xattr_change_read_only,
        xattr_and_back,
        setxattr_capability,
        capability_is_removed_by_write,
        capability_that_stays,
    ]
}

fn set(p: &Path, name: &str, value: &[u8], flags: i32) -> Res<()> {
    user::setxattr(p, name, value, flags)
}

/// A value goes in the length that it has, an empty one too, with the flags that the caller gave.
fn setxattr_values() {
    let mut m = known();
    for (len, flags) in [
        (0, 0),
        (1, 1),
        (5, 2),
        (100, 3),
        (4096, 0),
        (8192, 0),
        (65536, 0),
    ] {
        let value = vec![7; len];
        let call = |p: &Path| set(p, "user.a", &value, flags);
        let (got, r, _) = answered(&mut m, Op::SETXATTR, call, 0, &[]);
        assert_eq!(got, Ok(()));
        assert_eq!(
            (r.node, r.get("size"), r.get("flags")),
            (2, len as u64, flags as u64)
        );
        assert_eq!((r.name(), r.len()), ("user.a".into(), 40 + 8 + 7 + len));
        assert!(r.tail().ends_with(&value));
    }
    m.finish();
}

/// What they say is the daemon's to do.
fn setxattr_flags() {
    let (mut m, mut fs) = (Mock::new(), sample());
    fs.xattrs = true;
    let (create, replace) = (libc::XATTR_CREATE, libc::XATTR_REPLACE);
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let set = |name: &str, flags| set(&mnt.join("f"), name, b"x", flags);
        vec![
            set("user.a", create),
            set("user.b", replace),
            set("user.b", create),
            set("user.b", create),
            set("user.b", replace),
            set("user.b", 0),
            set("user.c", create | replace),
        ]
    });
    let (there, none) = (Err(EEXIST), Err(ENODATA));
    assert_eq!(r, [there, none, Ok(()), there, Ok(()), Ok(()), Ok(())]);
    m.finish();
}

/// A daemon that has agreed to it gets a longer header, in which nothing is set.
fn setxattr_ext() {
    let init = Init::plain().with("SETXATTR_EXT");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &init), sample());
    fs.xattrs = true;
    let r: Res<()> = m.run(&mut fs, |mnt| {
        for (name, len) in [("user.a", 0), ("user.b", 5), ("s", 4096)] {
            set(&mnt.join("f"), name, &vec![0; len], 0)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    let all = m.rec.all();
    let sets: Vec<_> = all.iter().filter(|r| r.op == Op::SETXATTR).collect();
    assert_eq!(sets.len(), 3);
    for r in sets {
        assert_eq!(
            (r.get("setxattr_flags"), r.get("padding"), r.fixed()),
            (0, 0, 16)
        );
    }
    m.finish();
}

/// What an error, or an answer with something in it, is for each of both.
fn errors(op: Op, call: fn(&Path) -> Res<()>) {
    let mut m = known();
    for e in ERRORS {
        let (got, ..) = answered(&mut m, op, call, -e.0, &[]);
        assert_eq!(got, Err(*e));
    }
    for (error, len) in [(0, 1), (0, 8), (0, 4096), (-EPERM.0, 1)] {
        let (got, _, wrote) = answered(&mut m, op, call, error, &vec![0; len]);
        assert_eq!((got, wrote), (Err(EIO), Err(EINVAL)));
    }
    let (got, ..) = answered(&mut m, op, call, -ENOSYS.0, &[]);
    assert_eq!(got, Err(EOPNOTSUPP));
    let c = m.call("f", call);
    assert_eq!(c.join::<Res<()>>(), Err(EOPNOTSUPP));
    m.finish();
}

fn setxattr_errors() {
    errors(Op::SETXATTR, |p| set(p, "user.a", b"value", 0));
}

fn removexattr_errors() {
    errors(Op::REMOVEXATTR, |p| user::removexattr(p, "user.a"));
}

/// Every namespace is the daemon's, for who may: this one may all.
fn setxattr_names() {
    let mut m = known();
    let long = format!("user.{}", "x".repeat(250));
    let names = [
        "user.a",
        "trusted.a",
        "security.a",
        "system.a",
        "os2.a",
        "none",
        "a.b",
        &long,
    ];
    for name in names {
        let call = |p: &Path| set(p, name, b"v", 0);
        let (got, r, _) = answered(&mut m, Op::SETXATTR, call, 0, &[]);
        assert_eq!((got, r.name()), (Ok(()), name.into()));
        let call = |p: &Path| user::removexattr(p, name);
        let (got, r, _) = answered(&mut m, Op::REMOVEXATTR, call, 0, &[]);
        assert_eq!((got, r.name()), (Ok(()), name.into()));
    }
    m.finish();
}

/// A value that does not fit into the buffer that the daemon reads with: E2BIG for the caller, and
/// the daemon gets the next request.
fn setxattr_too_big_for_the_daemon() {
    let init = Init {
        max_write: 4096,
        ..Init::plain()
    };
    let mut m = Mock::with(&Setup::default(), &init);
    let mut fs = sample();
    fs.xattrs = true;
    m.buf = 8192;
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let set = |len: usize| set(&mnt.join("f"), "user.b", &vec![1; len], 0);
        // Header, sizes and name are 55 bytes.
        vec![set(8192 - 55), set(8192 - 54), set(65536), set(5)]
    });
    let (big, good) = (Err(E2BIG), Ok(()));
    assert_eq!(r, [good, big, big, good]);
    assert_eq!(m.rec.count(Op::SETXATTR), 2);
    m.finish();
}

/// After a change ctime is asked for again, and nothing else; after none it is not.
fn xattr_changes_ctime() {
    for (change, asks) in [
        (Answer::Ok(vec![]), true),
        (Answer::Err(EPERM), false),
        (Answer::Err(EINTR), false),
        (Answer::Err(ENOSYS), false),
    ] {
        for op in [Op::SETXATTR, Op::REMOVEXATTR] {
            let (mut m, mut fs) = (Mock::new(), sample());
            fs.on(op, change.clone());
            let r: Res<()> = m.run(&mut fs, |mnt| {
                let f = mnt.join("f");
                user::lstat(&f)?;
                let _ = match op {
                    Op::SETXATTR => set(&f, "user.a", b"v", 0),
                    _ => user::removexattr(&f, "user.a"),
                };
                user::lstat(&f)?;
                user::lstat(&f).map(drop)
            });
            assert_eq!(r, Ok(()));
            let n = m.rec.count(Op::GETATTR);
            assert_eq!(n, usize::from(asks), "{op:?} {change:?}");
            m.finish();
        }
    }
}

const NOBODY: u32 = 65534;

/// "user." is changed by who may write, with default_permissions; "trusted." and "security." by who
/// has CAP_SYS_ADMIN; "system." by whom the daemon lets.
fn xattr_change_permission() {
    for default_permissions in [false, true] {
        let mut setup = Setup::default().opt("allow_other", "");
        if default_permissions {
            setup = setup.opt("default_permissions", "");
        }
        let (mut m, mut fs) = (Mock::with(&setup, &Init::plain()), Memfs::new());
        fs.xattrs = true;
        for (name, mode) in [("mine", 0o644), ("all", 0o666)] {
            fs.add(ROOT, name, libc::S_IFREG | mode, b"");
        }
        let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
            user::become_user(NOBODY, NOBODY);
            let mut v = vec![];
            for file in ["mine", "all"] {
                for name in ["user.a", "trusted.a", "security.a", "system.a", "none"] {
                    let path = mnt.join(file);
                    v.extend([set(&path, name, b"v", 0), user::removexattr(&path, name)]);
                }
            }
            v
        });
        println!("{r:?}");
        let no = |e| [Err(e), Err(e)];
        let mode = if default_permissions {
            no(EACCES)
        } else {
            [Ok(()); 2]
        };
        let mine = [mode, no(EPERM), no(EPERM), [Ok(()); 2], mode].concat();
        let all = [[Ok(()); 2], no(EPERM), no(EPERM), [Ok(()); 2], [Ok(()); 2]].concat();
        assert_eq!(r, [mine, all].concat());
        m.finish();
    }
}

fn xattr_change_read_only() {
    let setup = Setup {
        flags: libc::MS_RDONLY,
        ..Setup::default()
    };
    let (mut m, mut fs) = (Mock::with(&setup, &Init::plain()), sample());
    fs.xattrs = true;
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        vec![
            set(&f, "user.b", b"v", 0),
            user::removexattr(&f, "user.a"),
            user::getxattr(&f, "user.a", 100).map(drop),
        ]
    });
    assert_eq!(r, [Err(EROFS), Err(EROFS), Ok(())]);
    m.finish();
}

/// All of them on every kind of file that may have some.
fn xattr_and_back() {
    let (mut m, mut fs) = (Mock::new(), sample());
    fs.xattrs = true;
    for node in fs.nodes.values_mut() {
        node.xattrs.clear();
    }
    let r: Res<()> = m.run(&mut fs, |mnt| {
        for (file, name) in [
            ("f", "user.x"),
            ("s", "user.x"),
            ("l", "trusted.x"),
            ("", "user.x"),
        ] {
            let p = mnt.join(file);
            let size = |n| user::listxattr(&p, n);
            assert_eq!(size(0)?.0, 0, "{file}");
            set(&p, name, b"", 0)?;
            assert_eq!(user::getxattr(&p, name, 0)?.0, 0);
            let value: Vec<u8> = (0..60_000).map(|i| (i % 251) as u8).collect();
            set(&p, name, &value, libc::XATTR_REPLACE)?;
            assert_eq!(user::getxattr(&p, name, 0)?.0, value.len());
            assert_eq!(user::getxattr(&p, name, 65536)?.1, value);
            assert_eq!(user::getxattr(&p, name, 100).err(), Some(ERANGE));
            assert_eq!(size(100)?.1, format!("{name}\0").into_bytes());
            assert_eq!(size(3).err(), Some(ERANGE));
            user::removexattr(&p, name)?;
            assert_eq!(user::removexattr(&p, name), Err(ENODATA));
            assert_eq!(user::getxattr(&p, name, 0).err(), Some(ENODATA));
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

const CAPABILITY: &str = "security.capability";

/// Of version 2, with one capability.
fn capability() -> Vec<u8> {
    [&[0u8, 0, 0, 2, 1][..], &[0; 15]].concat()
}

/// The VFS looks at capabilities that are set; the daemon gets those of the first namespace as they
/// are.
fn setxattr_capability() {
    let mut m = known();
    for bad in [&b"v"[..], &[9; 20], &[0; 20], &[0; 24]] {
        let c = m.call("f", |p| set(p, CAPABILITY, bad, 0));
        assert_eq!(c.join::<Res<()>>(), Err(EINVAL), "{bad:?}");
    }
    let value = capability();
    let call = |p: &Path| set(p, CAPABILITY, &value, 0);
    let (got, r, _) = answered(&mut m, Op::SETXATTR, call, 0, &[]);
    assert_eq!(got, Ok(()));
    assert!(r.tail().ends_with(&value));
    let call = |p: &Path| user::removexattr(p, CAPABILITY);
    let (got, ..) = answered(&mut m, Op::REMOVEXATTR, call, 0, &[]);
    assert_eq!(got, Ok(()));
    m.finish();
}

/// Opens "f", which has capabilities, and changes it: what is asked, in order.
fn changed(fs: &mut Memfs, change: fn(&Path) -> Res<()>) -> (Res<()>, Vec<Op>) {
    let mut m = Mock::new();
    fs.xattrs = true;
    let f = fs.nodes[&ROOT].children["f"];
    let xattrs = &mut fs.nodes.get_mut(&f).expect("f").xattrs;
    xattrs.insert(CAPABILITY.into(), capability());
    let r = m.run(fs, |mnt| change(&mnt.join("f")));
    let ops = m.rec.all().iter().map(|r| r.op).collect();
    m.finish();
    (r, ops)
}

/// A file loses its capabilities when its data or its owner change.
fn capability_is_removed_by_write() {
    type Change = fn(&Path) -> Res<()>;
    let changes: &[Change] = &[
        |p| user::pwrite(&user::open(p, libc::O_WRONLY, 0)?, b"x", 0).map(drop),
        |p| user::truncate(p, 1),
        |p| user::open(p, libc::O_WRONLY | libc::O_TRUNC, 0).map(drop),
        |p| user::lchown(p, 1, 2),
    ];
    for change in changes {
        let mut fs = sample();
        let (r, ops) = changed(&mut fs, *change);
        println!("{ops:?}");
        assert_eq!(r, Ok(()));
        let f = fs.nodes[&ROOT].children["f"];
        assert!(!fs.nodes[&f].xattrs.contains_key(CAPABILITY), "{ops:?}");
        let place = |op| ops.iter().position(|o| *o == op).expect("asked");
        assert!(place(Op::GETXATTR) < place(Op::REMOVEXATTR));
    }
    // Other changes leave them.
    let mut fs = sample();
    let (r, ops) = changed(&mut fs, |p| user::chmod(p, 0o600));
    assert_eq!(r, Ok(()));
    assert!(!ops.contains(&Op::REMOVEXATTR));
}

/// Where they cannot be removed nothing is written.
fn capability_that_stays() {
    for (answer, result) in [
        (Answer::Err(EPERM), Err(EPERM)),
        (Answer::Err(EIO), Err(EIO)),
        (Answer::Err(ENOSYS), Ok(())),
        (Answer::Err(ENODATA), Err(ENODATA)),
    ] {
        let mut fs = sample();
        fs.on(Op::REMOVEXATTR, answer.clone());
        fs.on(Op::GETXATTR, Answer::Ok(getxattr_out(20)));
        let write: fn(&Path) -> Res<()> =
            |p| user::pwrite(&user::open(p, libc::O_WRONLY, 0)?, b"x", 0).map(drop);
        let (r, ops) = changed(&mut fs, write);
        println!("{answer:?}: {r:?} {ops:?}");
        assert_eq!(r, result, "{answer:?}");
        assert_eq!(ops.contains(&Op::WRITE), result.is_ok());
    }
}
