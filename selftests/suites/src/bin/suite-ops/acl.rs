// SPDX-License-Identifier: GPL-2.0

//! POSIX ACLs: of a daemon that has agreed to POSIX_ACL, of one that has not, and of that on a
//! mount of an ordinary user's.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{attr_out, Attr, ZERO};
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Caller, Init, Mock, Setup};
use suites::catalogue::summary;

pub fn cases() -> Vec<Case> {
    cases![
        acl_agreed,
        acl_passed_through,
        acl_of_user_mount,
        acl_values_read,
        acl_values_set,
        acl_errors,
        acl_unknown,
        acl_set_unknown,
        acl_decides,
        acl_is_kept,
        acl_of_directory,
        acl_not_by_daemon_alone,
        acl_change_invalidates,
        acl_forces_default_permissions,
        acl_kill_sgid,
        acl_owner_sets,
        acl_of_bad_inode,
    ]
}

pub(crate) const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

pub(crate) const NOBODY: u32 = 65534;

/// The value of an attribute that is an ACL: tag, permissions, id.
fn value(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut b = 2u32.to_le_bytes().to_vec();
    for (tag, perm, id) in entries {
        b.extend(tag.to_le_bytes());
        b.extend(perm.to_le_bytes());
        b.extend(id.to_le_bytes());
    }
    b
}

const NO_ID: u32 = u32::MAX;
const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// Nothing for others, but so much for this user.
pub(crate) fn for_user(id: u32, perm: u16) -> Vec<u8> {
    value(&[
        (USER_OBJ, 7, NO_ID),
        (USER, perm, id),
        (GROUP_OBJ, 0, NO_ID),
        (MASK, 7, NO_ID),
        (OTHER, 0, NO_ID),
    ])
}

/// A file "f", a directory "d" and a link "l" of the superuser's, and a daemon that knows
/// attributes.
fn files() -> Memfs {
    let mut fs = Memfs::new();
    fs.xattrs = true;
    fs.add(ROOT, "f", libc::S_IFREG | 0o770, b"text");
    let d = fs.add(ROOT, "d", libc::S_IFDIR | 0o770, &[]);
    fs.add(d, "in", libc::S_IFREG | 0o666, b"text");
    fs.add(ROOT, "l", libc::S_IFLNK | 0o777, b"f");
    fs
}

/// The daemon's attributes of a name in the root.
fn xattrs<'a>(fs: &'a mut Memfs, name: &str) -> &'a mut BTreeMap<String, Vec<u8>> {
    let node = fs.nodes[&ROOT].children[name];
    &mut fs.nodes.get_mut(&node).expect("node").xattrs
}

/// A mount that others may use, with these flags of INIT besides.
fn mock(flags: &[&str]) -> Mock {
    let init = flags
        .iter()
        .fold(Init::plain(), |init, flag| init.with(flag));
    Mock::with(&Setup::default().opt("allow_other", ""), &init)
}

fn get(p: &Path, name: &str, size: usize) -> Res<String> {
    let text = |(n, b): (usize, Vec<u8>)| if size == 0 { n.to_string() } else { summary(b) };
    user::getxattr(p, name, size).map(text)
}

fn set(p: &Path, name: &str, value: &[u8]) -> Res<()> {
    user::setxattr(p, name, value, 0)
}

/// One of each call.
fn some_of_all(mnt: &Path) -> Vec<Res<String>> {
    let (f, d, l) = (mnt.join("f"), mnt.join("d"), mnt.join("l"));
    let done = |r: Res<()>| r.map(|()| "done".to_string());
    let acl = for_user(0, 5);
    vec![
        get(&f, ACCESS, 0),
        get(&f, ACCESS, 1000),
        done(set(&f, ACCESS, &acl)),
        get(&f, ACCESS, 0),
        get(&f, ACCESS, 1000),
        get(&f, ACCESS, 10),
        done(set(&f, DEFAULT, &acl)),
        get(&f, DEFAULT, 1000),
        done(set(&d, DEFAULT, &acl)),
        get(&d, DEFAULT, 1000),
        get(&d, ACCESS, 1000),
        done(user::removexattr(&f, ACCESS)),
        get(&f, ACCESS, 1000),
        done(user::removexattr(&d, DEFAULT)),
        done(user::removexattr(&d, DEFAULT)),
        done(user::removexattr(&f, DEFAULT)),
        done(set(&f, ACCESS, b"")),
        get(&l, ACCESS, 1000),
        done(set(&l, ACCESS, &acl)),
        done(user::removexattr(&l, ACCESS)),
    ]
}

/// What they give where ACLs are for callers.
fn all_of_it(v: &[Res<String>]) {
    let (acl, len) = (for_user(0, 5), for_user(0, 5).len());
    assert_eq!(v[..2], [Err(ENODATA), Err(ENODATA)]);
    assert_eq!(
        v[3..6],
        [Ok(len.to_string()), Ok(summary(&acl)), Err(ERANGE)]
    );
    assert_eq!(v[6..8], [Err(EACCES), Err(ENODATA)]);
    assert_eq!(v[9..11], [Ok(summary(&acl)), Err(ENODATA)]);
    assert_eq!(v[12], Err(ENODATA));
    // Of a link there is none.
    assert_eq!(v[17..], [Err(EOPNOTSUPP), Err(EOPNOTSUPP), Err(EOPNOTSUPP)]);
}

fn acl_agreed() {
    let (mut m, mut fs) = (mock(&["POSIX_ACL"]), files());
    let v: Vec<Res<String>> = m.run(&mut fs, some_of_all);
    println!("{v:?}");
    all_of_it(&v);
    m.finish();
}

/// Without POSIX_ACL they are read and set through, each time.
fn acl_passed_through() {
    let (mut m, mut fs) = (mock(&[]), files());
    let v: Vec<Res<String>> = m.run(&mut fs, some_of_all);
    println!("{v:?}");
    all_of_it(&v);
    m.finish();
}

/// There are none on a mount of another user namespace, unless the daemon has agreed.
fn acl_of_user_mount() {
    ktap::needs("CONFIG_USER_NS");
    const OWNER: u32 = 1000;
    std::os::unix::fs::chown(ktap::dir(), Some(OWNER), Some(OWNER)).expect("chown");
    std::fs::set_permissions("/dev/fuse", std::fs::Permissions::from_mode(0o666)).expect("chmod");
    for flags in [&[][..], &["POSIX_ACL"]] {
        let c = Caller::spawn(None, |_| {
            suites::userns::enter(OWNER);
            let init = flags
                .iter()
                .fold(Init::plain(), |init, flag| init.with(flag));
            let (mut m, mut fs) = (Mock::with(&Setup::default(), &init), files());
            m.without_record();
            let v: Vec<Res<String>> = m.run(&mut fs, some_of_all);
            let asked = m.rec.count(Op::GETXATTR) + m.rec.count(Op::SETXATTR);
            m.finish();
            (v, asked)
        });
        let (v, asked): (Vec<Res<String>>, usize) = c.join();
        println!("{flags:?}: {v:?}");
        if flags.is_empty() {
            assert_eq!(
                (v[0].clone(), v[2].clone(), asked),
                (Err(EOPNOTSUPP), Err(EOPNOTSUPP), 0)
            );
        } else {
            all_of_it(&v);
        }
    }
}

/// What the daemon says is an ACL, is one of no entries, or makes no sense.
fn acl_values_read() {
    let good = for_user(1, 4);
    let mut other = good.clone();
    other[0] = 3;
    for flags in [&["POSIX_ACL"][..], &[]] {
        for (there, expected) in [
            (good.clone(), Ok(summary(&good))),
            (vec![], Err(ENODATA)),
            (value(&[]), Err(ENODATA)),
            (other.clone(), Err(EOPNOTSUPP)),
            (good[..3].to_vec(), Err(EINVAL)),
            (good[..good.len() - 1].to_vec(), Err(EINVAL)),
            (value(&[(0x99, 7, NO_ID)]), Err(EINVAL)),
            (vec![0xff; 44], Err(EOPNOTSUPP)),
        ] {
            let (mut m, mut fs) = (mock(flags), files());
            xattrs(&mut fs, "f").insert(ACCESS.into(), there.clone());
            let r: Res<String> = m.run(&mut fs, |mnt| get(&mnt.join("f"), ACCESS, 1000));
            println!("{flags:?} {there:?}: {r:?}");
            assert_eq!(r, expected, "{there:?}");
            m.finish();
        }
        // Longer than a page.
        let (mut m, mut fs) = (mock(flags), files());
        xattrs(&mut fs, "f").insert(ACCESS.into(), vec![0; 5000]);
        let r: Res<String> = m.run(&mut fs, |mnt| get(&mnt.join("f"), ACCESS, 65536));
        assert_eq!(r, Err(E2BIG));
        m.finish();
    }
}

/// What may be set; and none that is longer than a page.
fn acl_values_set() {
    let many = |n: u32| {
        let users = (0..n).map(|id| (USER, 4, 1000 + id));
        let mut all = vec![(USER_OBJ, 7, NO_ID)];
        all.extend(users);
        all.extend([(GROUP_OBJ, 0, NO_ID), (MASK, 7, NO_ID), (OTHER, 0, NO_ID)]);
        value(&all)
    };
    for flags in [&["POSIX_ACL"][..], &[]] {
        let (mut m, mut fs) = (mock(flags), files());
        let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
            let set = |v: &[u8]| set(&mnt.join("f"), ACCESS, v);
            vec![
                set(&many(1)),
                set(&many(507)),
                set(&many(508)),
                set(&many(3000)),
                set(b"x"),
                set(&[0xff; 44]),
                set(&value(&[(USER_OBJ, 7, NO_ID)])),
                set(&value(&[(OTHER, 7, NO_ID), (USER_OBJ, 7, NO_ID)])),
            ]
        });
        println!("{r:?}");
        let (good, big) = (Ok(()), Err(E2BIG));
        assert_eq!(r[..4], [good, good, big, big]);
        assert_eq!(
            r[4..],
            [Err(EINVAL), Err(EOPNOTSUPP), Err(EINVAL), Err(EINVAL)]
        );
        assert_eq!(m.rec.count(Op::SETXATTR), 2);
        m.finish();
    }
}

/// Other errors are the caller's.
fn acl_errors() {
    for flags in [&["POSIX_ACL"][..], &[]] {
        for e in [
            EPERM,
            EIO,
            EINTR,
            EACCES,
            EINVAL,
            ENOENT,
            EOPNOTSUPP,
            Errno(511),
        ] {
            let (mut m, mut fs) = (mock(flags), files());
            for op in [Op::GETXATTR, Op::SETXATTR, Op::REMOVEXATTR] {
                fs.on(op, Answer::Err(e));
            }
            let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
                let f = mnt.join("f");
                vec![
                    get(&f, ACCESS, 100).map(drop),
                    set(&f, ACCESS, &for_user(1, 7)),
                    user::removexattr(&f, ACCESS),
                ]
            });
            assert_eq!(r, [Err(e); 3]);
            m.finish();
        }
    }
}

/// A daemon that does not know GETXATTR has none.
fn acl_unknown() {
    for flags in [&["POSIX_ACL"][..], &[]] {
        let (mut m, mut fs) = (mock(flags), files());
        fs.on(Op::GETXATTR, Answer::Err(ENOSYS));
        let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
            let names = [("f", ACCESS), ("d", DEFAULT), ("f", ACCESS)];
            names
                .map(|(f, name)| get(&mnt.join(f), name, 100).map(drop))
                .to_vec()
        });
        assert_eq!(r, [Err(ENODATA); 3]);
        assert_eq!(m.rec.count(Op::GETXATTR), 1);
        m.finish();
    }
}

/// One that does not know SETXATTR is not asked to remove them either.
fn acl_set_unknown() {
    for flags in [&["POSIX_ACL"][..], &[]] {
        let (mut m, mut fs) = (mock(flags), files());
        fs.on(Op::SETXATTR, Answer::Err(ENOSYS));
        let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
            let f = mnt.join("f");
            let set = || set(&f, ACCESS, &for_user(1, 7));
            vec![set(), set(), user::removexattr(&f, ACCESS)]
        });
        assert_eq!(r, [Err(EOPNOTSUPP); 3]);
        let counts = (m.rec.count(Op::SETXATTR), m.rec.count(Op::REMOVEXATTR));
        assert_eq!(counts, (1, 0));
        m.finish();
    }
}

/// Opens "f" as another user.
fn open_as_nobody(m: &mut Mock, fs: &mut Memfs, flags: i32) -> Res<()> {
    m.run(fs, |mnt| {
        user::become_user(NOBODY, NOBODY);
        user::open(&mnt.join("f"), flags, 0).map(drop)
    })
}

/// It is the ACL that decides, where the daemon has agreed.
fn acl_decides() {
    for (perm, read, write) in [(6, true, true), (4, true, false), (0, false, false)] {
        let (mut m, mut fs) = (mock(&["POSIX_ACL"]), files());
        xattrs(&mut fs, "f").insert(ACCESS.into(), for_user(NOBODY, perm));
        for (flags, may) in [(libc::O_RDONLY, read), (libc::O_WRONLY, write)] {
            let r = open_as_nobody(&mut m, &mut fs, flags);
            assert_eq!(r, if may { Ok(()) } else { Err(EACCES) }, "{perm} {flags}");
        }
        m.finish();
    }
    // One that cannot be read lets nobody in.
    for e in [EIO, EPERM, ERANGE] {
        let (mut m, mut fs) = (mock(&["POSIX_ACL"]), files());
        fs.on(Op::GETXATTR, Answer::Err(e));
        let r = open_as_nobody(&mut m, &mut fs, libc::O_RDONLY);
        let e = if e == ERANGE { E2BIG } else { e };
        assert_eq!(r, Err(e));
        m.finish();
    }
}

/// It is asked for once, as long as the attributes are good, and so is that there is none.
fn acl_is_kept() {
    for there in [true, false] {
        let (mut m, mut fs) = (mock(&["POSIX_ACL"]), files());
        if there {
            xattrs(&mut fs, "f").insert(ACCESS.into(), for_user(NOBODY, 6));
        }
        let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
            user::become_user(NOBODY, NOBODY);
            let open = || user::open(&mnt.join("f"), libc::O_RDONLY, 0).map(drop);
            (0..5).map(|_| open()).collect()
        });
        assert_eq!(r, [if there { Ok(()) } else { Err(EACCES) }; 5]);
        let asked = m.rec.count(Op::GETXATTR);
        println!("{asked} times");
        m.finish();
    }
    // Attributes that have timed out are asked for anew, and it with them.
    let (mut m, mut fs) = (mock(&["POSIX_ACL"]), files());
    fs.attr_valid = ZERO;
    xattrs(&mut fs, "f").insert(ACCESS.into(), for_user(NOBODY, 6));
    for _ in 0..3 {
        assert_eq!(open_as_nobody(&mut m, &mut fs, libc::O_RDONLY), Ok(()));
    }
    m.finish();
}

/// Names in a directory are found by it, in RCU walk too: the daemon is not asked again.
fn acl_of_directory() {
    let (mut m, mut fs) = (mock(&["POSIX_ACL"]), files());
    xattrs(&mut fs, "d").insert(ACCESS.into(), for_user(NOBODY, 1));
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        user::become_user(NOBODY, NOBODY);
        let stat = || user::lstat(&mnt.join("d/in")).map(drop);
        let list = user::list(&mnt.join("d")).map(drop);
        vec![stat(), stat(), stat(), list]
    });
    assert_eq!(r, [Ok(()), Ok(()), Ok(()), Err(EACCES)]);
    // Once for all that it allows, and once more before it refuses. That of the root is not kept:
    // it was made before INIT was answered.
    let d = fs.nodes[&ROOT].children["d"];
    let all = m.rec.all();
    let of_d = all.iter().filter(|r| r.op == Op::GETXATTR && r.node == d);
    assert_eq!(of_d.count(), 2);
    m.finish();
}

/// Where the daemon has not agreed the kernel does not look at them, with default_permissions
/// neither.
fn acl_not_by_daemon_alone() {
    let setup = Setup::default()
        .opt("allow_other", "")
        .opt("default_permissions", "");
    let (mut m, mut fs) = (Mock::with(&setup, &Init::plain()), files());
    xattrs(&mut fs, "f").insert(ACCESS.into(), for_user(NOBODY, 6));
    assert_eq!(open_as_nobody(&mut m, &mut fs, libc::O_RDONLY), Err(EACCES));
    assert_eq!(m.rec.count(Op::GETXATTR), 0);
    m.finish();
}

/// After an ACL was set, or was to be set, attributes are asked for again; so is it after chmod(2).
fn acl_change_invalidates() {
    type Change = fn(&Path) -> Res<()>;
    let changes: &[Change] = &[
        |p| set(p, ACCESS, &for_user(NOBODY, 4)),
        |p| user::removexattr(p, ACCESS),
        |p| user::chmod(p, 0o700),
        |p| user::lchown(p, 0, 0),
        |p| user::utimes(p, Some((1, 0)), None),
    ];
    for flags in [&["POSIX_ACL"][..], &[]] {
        for change in changes {
            for refused in [false, true] {
                let (mut m, mut fs) = (mock(flags), files());
                xattrs(&mut fs, "f").insert(ACCESS.into(), for_user(NOBODY, 4));
                if refused {
                    for op in [Op::SETXATTR, Op::REMOVEXATTR, Op::SETATTR] {
                        fs.on(op, Answer::Err(EPERM));
                    }
                }
                let change = *change;
                let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
                    let f = mnt.join("f");
                    let look = || user::lstat(&f).map(drop);
                    let acl = || get(&f, ACCESS, 1000).map(drop);
                    vec![
                        look(),
                        acl(),
                        acl(),
                        change(&f),
                        look(),
                        look(),
                        acl(),
                        acl(),
                    ]
                });
                println!("{flags:?}, refused {refused}: {r:?}");
                assert_eq!(r[3].is_err(), refused);
                // What is asked for in all is in the record.
                m.finish();
            }
        }
    }
}

/// It goes with default_permissions, whatever the mounter says.
fn acl_forces_default_permissions() {
    for (flags, result, asks) in [(&["POSIX_ACL"][..], Err(EACCES), 0), (&[], Ok(()), 1)] {
        let (mut m, mut fs) = (mock(flags), files());
        let node = fs.nodes[&ROOT].children["f"];
        fs.nodes.get_mut(&node).expect("f").attr = Attr::file(node, 4).mode(libc::S_IFREG | 0o600);
        let r: (Res<()>, bool) = m.run(&mut fs, |mnt| {
            user::become_user(NOBODY, NOBODY);
            let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
            let mnt_text = mnt.to_string_lossy();
            let line = mounts
                .lines()
                .find(|l| l.contains(&*mnt_text))
                .expect("mounted");
            let said = line.contains(",default_permissions");
            (user::access(&mnt.join("f"), libc::R_OK), said)
        });
        assert_eq!(r, (result, asks == 0));
        assert_eq!(m.rec.count(Op::ACCESS), asks);
        m.finish();
    }
}

/// Who sets an access ACL and is not in the group loses the bit: the daemon is told, if it has
/// agreed to be.
fn acl_kill_sgid() {
    for flags in [
        &["POSIX_ACL", "SETXATTR_EXT"][..],
        &["POSIX_ACL"],
        &["SETXATTR_EXT"],
    ] {
        for (gid, in_group) in [(0, false), (NOBODY, true)] {
            let (mut m, mut fs) = (mock(flags), files());
            let node = fs.nodes[&ROOT].children["f"];
            let attr = &mut fs.nodes.get_mut(&node).expect("f").attr;
            attr.mode = libc::S_IFREG | 0o2770;
            (attr.uid, attr.gid) = (NOBODY, gid);
            let r: Res<()> = m.run(&mut fs, |mnt| {
                user::become_user(NOBODY, NOBODY);
                set(&mnt.join("f"), ACCESS, &for_user(1, 7))
            });
            assert_eq!(r, Ok(()));
            let all = m.rec.all();
            let r = all.iter().find(|r| r.op == Op::SETXATTR).expect("SETXATTR");
            assert_eq!(
                r.fixed(),
                if flags.contains(&"SETXATTR_EXT") {
                    16
                } else {
                    8
                }
            );
            if r.fixed() == 16 {
                let kills = flags.len() == 2 && !in_group;
                assert_eq!(r.get("setxattr_flags"), u64::from(kills), "{flags:?} {gid}");
            }
            m.finish();
        }
    }
}

/// Only the owner sets one, or who has CAP_FOWNER; but anybody reads it.
fn acl_owner_sets() {
    for flags in [&["POSIX_ACL"][..], &[]] {
        let (mut m, mut fs) = (mock(flags), files());
        xattrs(&mut fs, "f").insert(ACCESS.into(), for_user(1, 4));
        let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
            user::become_user(NOBODY, NOBODY);
            let f = mnt.join("f");
            vec![
                set(&f, ACCESS, &for_user(NOBODY, 7)),
                user::removexattr(&f, ACCESS),
                get(&f, ACCESS, 1000).map(drop),
            ]
        });
        assert_eq!(r, [Err(EPERM), Err(EPERM), Ok(())]);
        m.finish();
    }
}

/// EIO, as for all else of it.
fn acl_of_bad_inode() {
    for flags in [&["POSIX_ACL"][..], &[]] {
        let (mut m, mut fs) = (mock(flags), files());
        fs.attr_valid = ZERO;
        let mut c = m.caller(|mnt, io| {
            let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0).expect("open");
            io.put(());
            io.wait();
            let stat = user::fstat(&f).map(drop);
            let get = user::fgetxattr(&f, ACCESS, 100).map(drop);
            let r: Vec<Res<()>> = vec![stat, get];
            r
        });
        suites::daemon::until("the caller to be ready", || {
            m.drain(&mut |r| fs.handle(r));
            readable(c.fd(), Duration::from_millis(1)).then_some(())
        });
        c.get::<()>();
        fs.on(Op::GETATTR, Answer::Ok(attr_out(ZERO, &Attr::dir(2))));
        c.go();
        let r: Vec<Res<()>> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, [Err(EIO), Err(EIO)]);
        m.finish();
    }
}
