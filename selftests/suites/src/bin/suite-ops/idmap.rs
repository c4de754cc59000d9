// SPDX-License-Identifier: GPL-2.0

//! Idmapped mounts: who may have them, and what the daemon is told of who asks. With ALLOW_IDMAP it
//! is told whose a new file is to be, and for all else nobody (-1), whether the mount maps ids or
//! not.

use std::path::{Path, PathBuf};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::umount;
use mockd::msg::Msg;
use mockd::request::Request;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};
use suites::idmap::{mount_idmapped, shifted};

pub fn cases() -> Vec<Case> {
    cases![
        idmap_refused_without_flag,
        idmap_refused_before_init,
        idmap_without_default_permissions,
        idmap_with_acls,
        idmap_flag_not_heard_before_7_6,
        header_of_plain_mount,
        header_without_flag,
        header_of_each_operation,
        header_of_making,
        header_of_mknod_in_place_of_create,
        header_of_tmpfile,
        header_of_whiteout,
        header_of_exchange,
        header_of_link,
        header_of_readahead,
        header_of_locks,
        header_of_xattrs,
        header_before_init,
        header_of_release,
        header_of_other_mount_of_the_same,
    ]
}

/// Ids of the filesystem from 0 on are those from here on.
pub(crate) const BASE: u32 = 10_000;
pub(crate) const IDS: u32 = 1000;
const NOBODY: u32 = u32::MAX;

pub(crate) fn setup() -> Setup {
    Setup::default()
        .opt("default_permissions", "")
        .opt("allow_other", "")
}

/// A mount that may be mapped.
pub(crate) fn mappable() -> Mock {
    ktap::needs("CONFIG_USER_NS");
    Mock::with(&setup(), &Init::plain().with("ALLOW_IDMAP"))
}

/// A directory of the case for a mount.
pub(crate) fn place(name: &str) -> PathBuf {
    let at = ktap::dir().join(name);
    std::fs::create_dir_all(&at).expect("directory");
    at
}

/// Mounts it once more, mapped.
pub(crate) fn map(m: &Mock) -> PathBuf {
    let at = place("mapped");
    mount_idmapped(&m.mnt, &at, &shifted(BASE, IDS)).expect("idmapped mount");
    at
}

/// A mount, mapped, with a file system that any of its users may write to.
pub(crate) fn mapped() -> (Mock, Memfs, PathBuf) {
    let m = mappable();
    let at = map(&m);
    let mut fs = Memfs::new();
    fs.nodes.get_mut(&1).expect("root").attr.mode |= 0o777;
    (m, fs, at)
}

/// Runs `f` as a user, on what is mounted at `at`.
pub(crate) fn run_as<T: Msg>(
    m: &mut Mock,
    fs: &mut Memfs,
    (at, id): (&Path, u32),
    f: impl FnOnce(&Path) -> T,
) -> T {
    let c = caller_as(m, at, id, f);
    m.serve(c, &mut |r| fs.handle(r))
}

fn caller_as<T: Msg>(m: &mut Mock, at: &Path, id: u32, f: impl FnOnce(&Path) -> T) -> Caller {
    m.caller(|_, _| {
        user::become_user(id, id);
        f(at)
    })
}

/// Ends the case.
#[track_caller]
pub(crate) fn finish(m: Mock, at: &Path) {
    umount(at, 0).expect("umount");
    m.finish();
}

/// Who has asked for each of these operations, once per operation and asker.
fn askers(m: &Mock) -> Vec<(Op, u32, u32)> {
    let mut all = Vec::new();
    for r in m.rec.all() {
        let asker = (r.op, r.uid, r.gid);
        let told = !matches!(r.op, Op::INIT | Op::FORGET | Op::BATCH_FORGET);
        if told && !all.contains(&asker) {
            all.push(asker);
        }
    }
    all
}

fn asker(m: &Mock, op: Op) -> Vec<(u32, u32)> {
    let of = |(o, uid, gid): (Op, u32, u32)| (o == op).then_some((uid, gid));
    askers(m).into_iter().filter_map(of).collect()
}

fn try_map(m: &Mock) -> Res<()> {
    let at = place("mapped");
    let r = mount_idmapped(&m.mnt, &at, &shifted(BASE, IDS));
    if r.is_ok() {
        umount(&at, 0)?;
    }
    r
}

fn idmap_refused_without_flag() {
    let m = Mock::with(&setup(), &Init::plain());
    assert_eq!(try_map(&m), Err(EINVAL));
    m.finish();
}

fn idmap_refused_before_init() {
    let mut m = Mock::uninit(&setup());
    let r = m.expect(Op::INIT);
    assert_eq!(try_map(&m), Err(EINVAL));
    m.reply(&r, &Init::plain().with("ALLOW_IDMAP").bytes());
    assert_eq!(try_map(&m), Ok(()));
    m.finish();
}

/// Somebody must check permissions, and the daemon does not know who asks: INIT has failed.
fn idmap_without_default_permissions() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    m.reply(&r, &Init::plain().with("ALLOW_IDMAP").bytes());
    assert_eq!(try_map(&m), Err(EINVAL));
    let c = m.call("f", |p| user::lstat(p).map(drop));
    assert_eq!(c.join::<Res<()>>(), Err(ECONNREFUSED));
    m.finish();
}

/// That is as if permissions had been asked for.
fn idmap_with_acls() {
    let init = Init::plain().with("ALLOW_IDMAP").with("POSIX_ACL");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &init), Memfs::new());
    fs.file("f", b"");
    assert_eq!(try_map(&m), Ok(()));
    let r: Res<()> = m.run(&mut fs, |mnt| user::lstat(&mnt.join("f")).map(drop));
    assert_eq!((r, asker(&m, Op::LOOKUP)), (Ok(()), vec![(NOBODY, NOBODY)]));
    m.finish();
}

fn idmap_flag_not_heard_before_7_6() {
    let init = Init {
        minor: 5,
        ..Init::plain().with("ALLOW_IDMAP")
    };
    let m = Mock::with(&setup(), &init);
    assert_eq!(try_map(&m), Err(EINVAL));
    m.finish();
}

/// All operations that an ordinary user can make.
fn tour(at: &Path) -> Res<()> {
    user::mkdir(&at.join("d"), 0o755)?;
    user::symlink("text", &at.join("l"))?;
    user::mknod(&at.join("p"), libc::S_IFIFO | 0o600, 0)?;
    let p = at.join("f");
    let f = user::open(&p, libc::O_CREAT | libc::O_RDWR, 0o644)?;
    user::pwrite(&f, b"hello", 0)?;
    user::fsync(&f)?;
    user::pread(&f, 5, 0)?;
    drop(f);
    user::truncate(&p, 2)?;
    user::chmod(&p, 0o600)?;
    user::readlink(&at.join("l"))?;
    user::list(&at.join("d"))?;
    user::link(&p, &at.join("g"))?;
    user::rename(&at.join("g"), &at.join("d/h"))?;
    user::unlink(&at.join("d/h"))?;
    user::rmdir(&at.join("d"))?;
    user::statfs(at)?;
    drop(user::open(&p, libc::O_RDONLY, 0)?);
    Ok(())
}

/// What only makes names of what is there, or asks, says nothing of who does it.
fn only_makers_told(m: &Mock, id: u32) {
    let makes = |op| {
        matches!(
            op,
            Op::MKDIR | Op::SYMLINK | Op::MKNOD | Op::CREATE | Op::TMPFILE
        )
    };
    let all = askers(m);
    for op in [
        Op::MKDIR,
        Op::SYMLINK,
        Op::MKNOD,
        Op::CREATE,
        Op::UNLINK,
        Op::LOOKUP,
    ] {
        assert!(all.iter().any(|a| a.0 == op), "{op:?} was not asked for");
    }
    for (op, uid, gid) in all {
        let expected = match op {
            op if makes(op) => id,
            // It has nobody's.
            Op::RELEASE | Op::RELEASEDIR => 0,
            _ => NOBODY,
        };
        assert_eq!((uid, gid), (expected, expected), "{op:?}");
    }
}

/// As soon as the daemon has said so, of all mounts.
fn header_of_plain_mount() {
    let mut m = mappable();
    let mut fs = Memfs::new();
    fs.nodes.get_mut(&1).expect("root").attr.mode |= 0o777;
    let at = m.mnt.clone();
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, 1000), tour);
    assert_eq!(r, Ok(()));
    only_makers_told(&m, 1000);
    m.finish();
}

fn header_without_flag() {
    let mut m = Mock::with(&setup(), &Init::plain());
    let mut fs = Memfs::new();
    fs.nodes.get_mut(&1).expect("root").attr.mode |= 0o777;
    let at = m.mnt.clone();
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, 1000), tour);
    assert_eq!(r, Ok(()));
    for (op, uid, gid) in askers(&m) {
        let id = match op {
            Op::RELEASE | Op::RELEASEDIR => 0,
            _ => 1000,
        };
        assert_eq!((uid, gid), (id, id), "{op:?}");
    }
    m.finish();
}

fn header_of_each_operation() {
    let (mut m, mut fs, at) = mapped();
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, BASE + 5), tour);
    assert_eq!(r, Ok(()));
    only_makers_told(&m, 5);
    finish(m, &at);
}

/// User and group each for itself; root of the filesystem, too.
fn header_of_making() {
    for (uid, gid) in [(0, 0), (0, 7), (7, 0), (999, 1)] {
        let (mut m, mut fs, at) = mapped();
        let c = m.caller(|_, _| {
            user::become_user(BASE + uid, BASE + gid);
            let st = user::open(&at.join("f"), libc::O_CREAT | libc::O_WRONLY, 0o644)
                .and_then(|f| user::fstat(&f))?;
            Res::Ok((st.uid, st.gid))
        });
        let r: Res<(u32, u32)> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, Ok((BASE + uid, BASE + gid)));
        assert_eq!(asker(&m, Op::CREATE), [(uid, gid)]);
        finish(m, &at);
    }
}

fn header_of_mknod_in_place_of_create() {
    let (mut m, mut fs, at) = mapped();
    fs.on(Op::CREATE, Answer::Err(ENOSYS));
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        user::open(&at.join("f"), libc::O_CREAT | libc::O_RDWR, 0o644).map(drop)
    });
    assert_eq!(r, Ok(()));
    assert_eq!(asker(&m, Op::CREATE), [(5, 5)]);
    assert_eq!(asker(&m, Op::MKNOD), [(5, 5)]);
    assert_eq!(asker(&m, Op::OPEN), [(NOBODY, NOBODY)]);
    finish(m, &at);
}

fn header_of_tmpfile() {
    let (mut m, mut fs, at) = mapped();
    let r: Res<u32> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        let f = user::open(at, libc::O_TMPFILE | libc::O_RDWR, 0o644)?;
        Ok(user::fstat(&f)?.uid)
    });
    assert_eq!((r, asker(&m, Op::TMPFILE)), (Ok(BASE + 5), vec![(5, 5)]));
    finish(m, &at);
}

/// It makes something in the old place; other renames do not.
fn header_of_whiteout() {
    let (mut m, mut fs, at) = mapped();
    let f = fs.file("f", b"");
    let attr = &mut fs.nodes.get_mut(&f).expect("f").attr;
    (attr.uid, attr.gid) = (5, 5);
    let c = m.caller(|_, _| {
        crate::userns_mount::become_administrator(BASE + 5);
        user::rename2(&at.join("f"), &at.join("g"), libc::RENAME_WHITEOUT)
    });
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    println!("{r:?}");
    assert_eq!(asker(&m, Op::RENAME2), [(5, 5)]);
    finish(m, &at);
}

fn header_of_exchange() {
    let (mut m, mut fs, at) = mapped();
    for name in ["f", "g"] {
        let f = fs.file(name, b"");
        fs.nodes.get_mut(&f).expect("file").attr.uid = 5;
    }
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        user::rename2(&at.join("f"), &at.join("g"), libc::RENAME_EXCHANGE)
    });
    assert_eq!(
        (r, asker(&m, Op::RENAME2)),
        (Ok(()), vec![(NOBODY, NOBODY)])
    );
    finish(m, &at);
}

fn header_of_link() {
    let (mut m, mut fs, at) = mapped();
    let f = fs.file("f", b"");
    fs.nodes.get_mut(&f).expect("f").attr.uid = 5;
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        user::link(&at.join("f"), &at.join("g"))
    });
    assert_eq!((r, asker(&m, Op::LINK)), (Ok(()), vec![(NOBODY, NOBODY)]));
    finish(m, &at);
}

/// READs in the background, and for a mapping.
fn header_of_readahead() {
    let (mut m, mut fs, at) = mapped();
    fs.file("f", &[1; 200_000]);
    let r: Res<usize> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        let f = user::open(&at.join("f"), libc::O_RDONLY, 0)?;
        Ok(user::pread(&f, 200_000, 0)?.len())
    });
    assert!(r.is_ok());
    assert_eq!(asker(&m, Op::READ), [(NOBODY, NOBODY)]);
    finish(m, &at);
}

fn header_of_locks() {
    let (mut m, mut fs, at) = mapped();
    fs.file("f", b"");
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        use std::os::fd::AsRawFd;
        let f = user::open(&at.join("f"), libc::O_RDONLY, 0)?;
        // SAFETY: an open descriptor.
        check(unsafe { libc::flock(f.as_raw_fd(), libc::LOCK_SH) }).map(drop)
    });
    assert_eq!((r, asker(&m, Op::SETLKW)), (Ok(()), vec![(NOBODY, NOBODY)]));
    finish(m, &at);
}

fn header_of_xattrs() {
    let (mut m, mut fs, at) = mapped();
    fs.xattrs = true;
    let f = fs.file("f", b"");
    fs.nodes.get_mut(&f).expect("f").attr.uid = 5;
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        let f = at.join("f");
        user::setxattr(&f, "user.a", b"1", 0)?;
        user::getxattr(&f, "user.a", 10)?;
        user::listxattr(&f, 10)?;
        user::removexattr(&f, "user.a")
    });
    assert_eq!(r, Ok(()));
    for op in [Op::SETXATTR, Op::GETXATTR, Op::LISTXATTR, Op::REMOVEXATTR] {
        assert_eq!(asker(&m, op), [(NOBODY, NOBODY)], "{op:?}");
    }
    finish(m, &at);
}

/// A request that waits for the answer to INIT is of before.
fn header_before_init() {
    let mut m = Mock::uninit(&setup());
    let init = m.expect(Op::INIT);
    let c = m.call("f", |p| user::lstat(p).map(drop));
    c.wait_asleep();
    m.reply(&init, &Init::plain().with("ALLOW_IDMAP").bytes());
    let mut fs = Memfs::new();
    fs.file("f", b"");
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(()));
    let all: Vec<(Op, u32, u32)> = askers(&m);
    println!("{all:?}");
    m.finish_compared();
}

/// Nobody's, as ever; FLUSH is of whoever closes.
fn header_of_release() {
    let (mut m, mut fs, at) = mapped();
    fs.file("f", b"");
    let r: Res<()> = run_as(&mut m, &mut fs, (&at, BASE + 5), |at| {
        user::close(user::open(&at.join("f"), libc::O_RDONLY, 0)?)
    });
    assert_eq!(r, Ok(()));
    assert_eq!(asker(&m, Op::FLUSH), [(NOBODY, NOBODY)]);
    assert_eq!(asker(&m, Op::RELEASE), [(0, 0)]);
    finish(m, &at);
}

/// Each mount has its own mapping.
fn header_of_other_mount_of_the_same() {
    let (mut m, mut fs, at) = mapped();
    let other = place("other");
    mount_idmapped(&m.mnt, &other, &shifted(BASE + 100, 50)).expect("mount");
    let make = |name: &'static str| move |at: &Path| user::mkdir(&at.join(name), 0o755);
    let plain = m.mnt.clone();
    for (at, id, name) in [
        (&at, BASE + 105, "a"),
        (&other, BASE + 105, "b"),
        (&plain, BASE + 105, "c"),
    ] {
        let r: Res<()> = run_as(&mut m, &mut fs, (at, id), make(name));
        assert_eq!(r, Ok(()));
    }
    let made: Vec<u32> = m
        .rec
        .all()
        .iter()
        .filter(|r: &&Request| r.op == Op::MKDIR)
        .map(|r| r.uid)
        .collect();
    assert_eq!(made, [105, 5, BASE + 105]);
    umount(&other, 0).expect("umount");
    finish(m, &at);
}
