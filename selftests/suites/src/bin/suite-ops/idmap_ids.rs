// SPDX-License-Identifier: GPL-2.0

//! Idmapped mounts: what callers see of owners, and may do because of them.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::{Op, FATTR_GID, FATTR_UID};
use mockd::{Init, Mock};
use suites::idmap::{mount_idmapped, namespace};

use crate::idmap::{finish, map, mapped, place, run_as, setup, BASE, IDS};

pub fn cases() -> Vec<Case> {
    cases![
        owners_are_mapped,
        owners_without_mapping,
        owners_by_statx,
        makers_without_mapping,
        users_and_groups_apart,
        chown_is_mapped,
        chown_to_nobody,
        chown_needs_rights,
        permissions_by_mapped_owner,
        permissions_by_mapped_group,
        utimes_by_mapped_owner,
        sticky_directory,
        setgid_goes,
        acls_are_mapped,
        acl_of_nobody,
        flags_by_mapped_owner,
        supplementary_group,
        write_clears_setuid,
    ]
}

/// Adds a file of that owner.
fn owned(fs: &mut Memfs, name: &str, (uid, gid): (u32, u32), perm: u32) -> u64 {
    let id = fs.file(name, b"hello");
    let attr = &mut fs.nodes.get_mut(&id).expect("file").attr;
    *attr = attr.perm(perm).owner(uid, gid);
    id
}

/// The owner of "f".
fn owner(at: &Path) -> Res<(u32, u32)> {
    user::lstat(&at.join("f")).map(|s| (s.uid, s.gid))
}

/// The owner of a file, as statx(2) says.
fn owner_by_statx(p: &Path, flags: i32, mask: u32) -> Res<(u32, u32)> {
    let p = mockd::mount::path(p);
    // SAFETY: a C string, and a place for the result.
    let s = unsafe {
        let mut s: libc::statx = std::mem::zeroed();
        check(libc::statx(libc::AT_FDCWD, p.as_ptr(), flags, mask, &mut s))?;
        s
    };
    Ok((s.stx_uid, s.stx_gid))
}

fn owners_are_mapped() {
    for (uid, gid) in [(0, 0), (5, 6), (999, 998)] {
        let (mut m, mut fs, at) = mapped();
        owned(&mut fs, "f", (uid, gid), 0o644);
        let plain = m.mnt.clone();
        let seen: Res<(u32, u32)> = run_as(&mut m, &mut fs, (&at, 1), owner);
        assert_eq!(seen, Ok((BASE + uid, BASE + gid)));
        let seen: Res<(u32, u32)> = run_as(&mut m, &mut fs, (&plain, 1), owner);
        assert_eq!(seen, Ok((uid, gid)));
        finish(m, &at);
    }
}

/// They are the overflow ids.
fn owners_without_mapping() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (IDS, IDS + 1), 0o644);
    let seen: Res<(u32, u32)> = run_as(&mut m, &mut fs, (&at, 1), owner);
    assert_eq!(seen, Ok((65534, 65534)));
    finish(m, &at);
}

/// Whether the daemon has just been asked or not.
fn owners_by_statx() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (5, 6), 0o644);
    fs.attr_valid = mockd::reply::ZERO;
    let seen: Res<Vec<(u32, u32)>> = run_as(&mut m, &mut fs, (&at, 1), |at| {
        let f = at.join("f");
        let mask = libc::STATX_BASIC_STATS;
        [
            (0, mask | libc::STATX_BTIME),
            (libc::AT_STATX_FORCE_SYNC, mask),
            (libc::AT_STATX_DONT_SYNC, mask),
        ]
        .into_iter()
        .map(|(flags, mask)| owner_by_statx(&f, flags, mask))
        .collect()
    });
    assert_eq!(seen, Ok(vec![(BASE + 5, BASE + 6); 3]));
    finish(m, &at);
}

/// Who is nobody in the filesystem makes nothing, and the daemon is not asked.
fn makers_without_mapping() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (0, 0), 0o644);
    let r: Vec<Res<()>> = run_as(&mut m, &mut fs, (&at, 1000), |at| {
        let p = at.join("new");
        vec![
            user::mkdir(&p, 0o755),
            user::symlink("text", &p),
            user::mknod(&p, libc::S_IFIFO | 0o600, 0),
            user::open(&p, libc::O_CREAT | libc::O_RDWR, 0o644).map(drop),
            user::open(at, libc::O_TMPFILE | libc::O_RDWR, 0o644).map(drop),
            user::open(&at.join("f"), libc::O_RDONLY, 0).map(drop),
        ]
    });
    let refused = Err(EOVERFLOW);
    assert_eq!(r, [refused, refused, refused, refused, refused, Ok(())]);
    for op in [Op::MKDIR, Op::SYMLINK, Op::MKNOD, Op::CREATE, Op::TMPFILE] {
        assert_eq!(m.rec.count(op), 0, "{op:?}");
    }
    finish(m, &at);
}

/// With a mapping of users, and another one of groups.
fn users_and_groups_apart() {
    let mut m = Mock::with(&setup(), &Init::plain().with("ALLOW_IDMAP"));
    let at = place("apart");
    let ns = namespace("0 10000 10\n100 20000 10", "5 30000 1");
    mount_idmapped(&m.mnt, &at, &ns).expect("mount");
    let mut fs = Memfs::new();
    // Nobody may change what belongs to an id that is not mapped.
    let root = &mut fs.nodes.get_mut(&1).expect("root").attr;
    *root = root.perm(0o777).owner(0, 5);
    for (uid, gid, seen) in [
        (3, 5, (10_003, 30_000)),
        (104, 5, (20_004, 30_000)),
        (10, 6, (65534, 65534)),
    ] {
        owned(&mut fs, "f", (uid, gid), 0o644);
        fs.entry_valid = mockd::reply::ZERO;
        fs.attr_valid = mockd::reply::ZERO;
        let r: Res<(u32, u32)> = run_as(&mut m, &mut fs, (&at, 1), owner);
        assert_eq!(r, Ok(seen));
    }
    let c = m.caller(|_, _| {
        user::become_user(20_004, 30_000);
        user::mkdir(&at.join("d"), 0o755)
    });
    let mut made = vec![];
    let r: Res<()> = m.serve(c, &mut |r| {
        if r.op == Op::MKDIR {
            made.push((r.uid, r.gid));
        }
        fs.handle(r)
    });
    assert_eq!((r, made), (Ok(()), vec![(104, 5)]));
    finish(m, &at);
}

/// The daemon gets its own ids.
fn chown_is_mapped() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (5, 5), 0o644);
    let c = m.caller(|_, _| {
        user::lchown(&at.join("f"), BASE + 7, BASE + 8)?;
        owner(&at)
    });
    let mut set = vec![];
    let r: Res<(u32, u32)> = m.serve(c, &mut |r| {
        if r.op == Op::SETATTR {
            assert_eq!(
                r.get("valid") as u32 & (FATTR_UID | FATTR_GID),
                FATTR_UID | FATTR_GID
            );
            set.push((r.get("uid") as u32, r.get("gid") as u32, r.uid));
        }
        fs.handle(r)
    });
    assert_eq!((r, set), (Ok((BASE + 7, BASE + 8)), vec![(7, 8, u32::MAX)]));
    finish(m, &at);
}

fn chown_to_nobody() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (5, 5), 0o644);
    let r: Vec<Res<()>> = m.run(&mut fs, |_| {
        [0, 5, BASE - 1, BASE + IDS]
            .map(|id| user::lchown(&at.join("f"), id, id))
            .into()
    });
    println!("{r:?}");
    assert!(r.iter().all(Result::is_err));
    assert_eq!(m.rec.count(Op::SETATTR), 0);
    finish(m, &at);
}

/// Capabilities count where the ids are.
fn chown_needs_rights() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (5, 5), 0o644);
    for id in [BASE, BASE + 5] {
        let r: Res<()> = run_as(&mut m, &mut fs, (&at, id), |at| {
            user::lchown(&at.join("f"), BASE + 6, BASE + 6)
        });
        assert_eq!(r, Err(EPERM), "{id}");
    }
    finish(m, &at);
}

fn permissions_by_mapped_owner() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (5, 5), 0o600);
    let plain = m.mnt.clone();
    for (at, id, result) in [
        (&at, BASE + 5, Ok(())),
        (&at, 5, Err(EACCES)),
        (&at, BASE + 6, Err(EACCES)),
        (&plain, 5, Ok(())),
        (&plain, BASE + 5, Err(EACCES)),
    ] {
        let r: Res<()> = run_as(&mut m, &mut fs, (at, id), |at| {
            user::open(&at.join("f"), libc::O_RDWR, 0).map(drop)
        });
        assert_eq!(r, result, "{id}");
    }
    finish(m, &at);
}

fn permissions_by_mapped_group() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (0, 5), 0o060);
    for (gid, result) in [(BASE + 5, Ok(())), (5, Err(EACCES))] {
        let c = m.caller(|_, _| {
            user::become_user(1000, gid);
            user::open(&at.join("f"), libc::O_RDWR, 0).map(drop)
        });
        let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, result, "{gid}");
    }
    finish(m, &at);
}

fn utimes_by_mapped_owner() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (5, 5), 0o600);
    for (id, result) in [(BASE + 5, Ok(())), (5, Err(EPERM))] {
        let r: Res<()> = run_as(&mut m, &mut fs, (&at, id), |at| {
            user::utimes(&at.join("f"), Some((1, 2)), Some((3, 4)))
        });
        assert_eq!(r, result, "{id}");
    }
    finish(m, &at);
}

/// Only the owners of file and directory remove what is in it.
fn sticky_directory() {
    let (mut m, mut fs, at) = mapped();
    fs.nodes.get_mut(&1).expect("root").attr.mode |= libc::S_ISVTX;
    owned(&mut fs, "f", (5, 5), 0o666);
    for (id, result) in [(5, Err(EPERM)), (BASE + 6, Err(EPERM)), (BASE + 5, Ok(()))] {
        let r: Res<()> = run_as(&mut m, &mut fs, (&at, id), |at| user::unlink(&at.join("f")));
        assert_eq!(r, result, "{id}");
    }
    finish(m, &at);
}

/// Of a file whose group the owner is not in, set-group-id does not stay.
fn setgid_goes() {
    let (mut m, mut fs, at) = mapped();
    owned(&mut fs, "f", (5, 9), 0o755);
    let c = m.caller(|_, _| {
        user::become_user(BASE + 5, BASE + 5);
        user::chmod(&at.join("f"), 0o2755)
    });
    let mut modes = vec![];
    let r: Res<()> = m.serve(c, &mut |r| {
        if r.op == Op::SETATTR {
            modes.push(r.get("mode") & 0o7777);
        }
        fs.handle(r)
    });
    assert_eq!((r, modes), (Ok(()), vec![0o755]));
    finish(m, &at);
}

/// `struct posix_acl_xattr`: owner, one user, group, mask, others.
fn acl(uid: u32) -> Vec<u8> {
    let entry = |tag: u16, perm: u16, id: u32| {
        [
            &tag.to_ne_bytes()[..],
            &perm.to_ne_bytes(),
            &id.to_ne_bytes(),
        ]
        .concat()
    };
    let none = u32::MAX;
    [
        2u32.to_ne_bytes().to_vec(),
        entry(1, 6, none),
        entry(2, 6, uid),
        entry(4, 0, none),
        entry(0x10, 6, none),
        entry(0x20, 0, none),
    ]
    .concat()
}

const ACCESS: &str = "system.posix_acl_access";

/// Both ways, and in what they allow.
fn acls_are_mapped() {
    let init = Init::plain().with("ALLOW_IDMAP").with("POSIX_ACL");
    let mut m = Mock::with(&setup(), &init);
    let at = map(&m);
    let mut fs = Memfs::new();
    fs.xattrs = true;
    let f = owned(&mut fs, "f", (5, 5), 0o660);
    let r: Res<Vec<u8>> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        let f = at.join("f");
        user::setxattr(&f, ACCESS, &acl(BASE + 7), 0)?;
        Ok(user::getxattr(&f, ACCESS, 100)?.1)
    });
    assert_eq!(r, Ok(acl(BASE + 7)));
    assert_eq!(fs.nodes[&f].xattrs.get(ACCESS), Some(&acl(7)));
    for (id, result) in [(BASE + 7, Ok(())), (7, Err(EACCES))] {
        let r: Res<()> = run_as(&mut m, &mut fs, (&at, id), |at| {
            user::open(&at.join("f"), libc::O_RDWR, 0).map(drop)
        });
        assert_eq!(r, result, "{id}");
    }
    finish(m, &at);
}

fn acl_of_nobody() {
    let init = Init::plain().with("ALLOW_IDMAP").with("POSIX_ACL");
    let mut m = Mock::with(&setup(), &init);
    let at = map(&m);
    let mut fs = Memfs::new();
    fs.xattrs = true;
    owned(&mut fs, "f", (5, 5), 0o600);
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        user::setxattr(&at.join("f"), ACCESS, &acl(7), 0)
    });
    println!("{r:?}");
    assert!(r.is_err());
    assert_eq!(m.rec.count(Op::SETXATTR), 0);
    finish(m, &at);
}

fn flags_by_mapped_owner() {
    let (mut m, mut fs, at) = mapped();
    fs.ioctls = true;
    owned(&mut fs, "f", (5, 5), 0o666);
    for (id, result) in [(5, Err(EPERM)), (BASE + 5, Ok(()))] {
        let r: Res<()> = run_as(&mut m, &mut fs, (&at, id), |at| {
            let f = user::open(&at.join("f"), libc::O_RDWR, 0)?;
            // FS_NOATIME_FL.
            user::ioctl(&f, mockd::wire::FS_IOC_SETFLAGS, &mut 0x80u32.to_ne_bytes()).map(drop)
        });
        assert_eq!(r, result, "{id}");
    }
    finish(m, &at);
}

/// The group of the directory, in which the caller is beside its own.
fn supplementary_group() {
    let init = Init::plain().with("ALLOW_IDMAP").with("CREATE_SUPP_GROUP");
    let mut m = Mock::with(&setup(), &init);
    let at = map(&m);
    let mut fs = Memfs::new();
    let root = &mut fs.nodes.get_mut(&1).expect("root").attr;
    *root = root.perm(0o2777).owner(0, 9);
    let c = m.caller(|_, _| {
        // SAFETY: a list of one.
        check(unsafe { libc::setgroups(1, &(BASE + 9)) }).expect("setgroups");
        // SAFETY: integers.
        unsafe {
            check(libc::setgid(BASE + 5)).expect("setgid");
            check(libc::setuid(BASE + 5)).expect("setuid");
        }
        user::mkdir(&at.join("d"), 0o755)
    });
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!((r, m.rec.count(Op::MKDIR)), (Ok(()), 1));
    // The extension is in the record.
    mockd::mount::umount(&at, 0).expect("umount");
    m.finish_compared();
}

/// Whoever writes clears set-user-id, the owner too.
fn write_clears_setuid() {
    for id in [BASE + 6, BASE + 5] {
        let (mut m, mut fs, at) = mapped();
        owned(&mut fs, "f", (5, 5), 0o4777);
        let r: Res<u32> = run_as(&mut m, &mut fs, (&at, id), |at| {
            let f = user::open(&at.join("f"), libc::O_RDWR, 0)?;
            user::pwrite(&f, b"J", 0)?;
            Ok(user::fstat(&f)?.mode & 0o7777)
        });
        assert_eq!(r, Ok(0o777), "{id}");
        finish(m, &at);
    }
}
