// SPDX-License-Identifier: GPL-2.0

//! What MKNOD, MKDIR, SYMLINK, CREATE and TMPFILE end with where the daemon has agreed to
//! CREATE_SUPP_GROUP or SECURITY_CTX.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::Bytes;
use mockd::wire::{Op, IN_HEADER};
use mockd::{user, Init, Mock, Request, Setup};
use suites::extensions::{context, extensions, make, MAKERS};

pub fn cases() -> Vec<Case> {
    cases![
        group_of_the_parent,
        group_not_agreed,
        group_without_init_ext,
        group_of_the_caller,
        group_of_others,
        group_among_many,
        group_by_fsgid,
        group_of_nobody,
        group_of_root,
        group_that_changes,
        group_of_names_only,
        group_of_mknod_for_create,
        group_with_long_names,
        group_for_old_minors,
        group_of_a_bad_directory,
        context_of_each,
        context_of_each_type,
        context_and_group,
        context_with_long_names,
        context_for_old_minors,
        context_of_names_only,
        context_not_agreed,
    ]
}

const GROUP: &str = "CREATE_SUPP_GROUP";
const CONTEXT: &str = "SECURITY_CTX";
/// The group of the directory "d".
const ITS: u32 = 50;

/// Who calls: group, group for files, other groups.
type Who<'a> = (u32, u32, &'a [u32]);

/// Becomes this.
fn become_member((gid, fsgid, groups): Who<'_>) {
    // SAFETY: integers, and a list of so many.
    unsafe {
        assert_eq!(libc::setgroups(groups.len(), groups.as_ptr()), 0);
        assert_eq!(libc::setresgid(gid, gid, gid), 0);
        libc::setfsgid(fsgid);
    }
}

/// A mount for everybody, of a daemon that agrees to these flags.
fn mock(flags: &[&str]) -> Mock {
    let init = flags.iter().fold(Init::plain(), |init, f| init.with(f));
    Mock::with(&Setup::default().opt("allow_other", ""), &init)
}

/// Files with a directory "d" of this group.
fn files(gid: u32) -> Memfs {
    let mut fs = Memfs::new();
    let id = fs.dir("d");
    fs.nodes.get_mut(&id).expect("made").attr.gid = gid;
    fs
}

/// What a caller in a directory of this group sends.
#[track_caller]
fn sent(flags: &[&str], gid: u32, who: Who<'_>) -> Vec<Vec<u8>> {
    let (mut m, mut fs) = (mock(flags), files(gid));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        become_member(who);
        make(&mnt.join("d"), "")
    });
    assert_eq!(r, Ok(()));
    let all = extensions(&m);
    m.finish();
    all
}

/// The extension with one group.
fn group(gid: u32) -> Vec<u8> {
    Bytes::default().u32(16).u32(32).u32(1).u32(gid).0
}

#[track_caller]
fn each_is(sent: Vec<Vec<u8>>, want: &[u8]) {
    for (op, ext) in MAKERS.iter().zip(sent) {
        assert_eq!(ext, want, "{op:?}");
    }
}

/// The caller is in it, but makes files with another.
fn group_of_the_parent() {
    each_is(sent(&[GROUP], ITS, (7, 7, &[ITS])), &group(ITS));
}

fn group_not_agreed() {
    each_is(sent(&[], ITS, (7, 7, &[ITS])), &[]);
}

/// The flag is in the second word, which does not count then.
fn group_without_init_ext() {
    let init = Init::plain().with(GROUP).with(CONTEXT).without("INIT_EXT");
    let mut m = Mock::with(&Setup::default().opt("allow_other", ""), &init);
    let mut fs = files(ITS);
    let r: Res<()> = m.run(&mut fs, |mnt| {
        become_member((7, 7, &[ITS]));
        make(&mnt.join("d"), "")
    });
    assert_eq!(r, Ok(()));
    each_is(extensions(&m), &[]);
    m.finish();
}

/// What is made has it anyhow.
fn group_of_the_caller() {
    each_is(sent(&[GROUP], ITS, (ITS, ITS, &[])), &[]);
    each_is(sent(&[GROUP], ITS, (ITS, ITS, &[ITS, 3])), &[]);
}

fn group_of_others() {
    each_is(sent(&[GROUP], ITS, (7, 7, &[])), &[]);
    each_is(sent(&[GROUP], ITS, (7, 7, &[ITS - 1, ITS + 1])), &[]);
}

/// One of many: it is the only one that the daemon hears of.
fn group_among_many() {
    let many: Vec<u32> = (10..200).collect();
    each_is(sent(&[GROUP], ITS, (7, 7, &many)), &group(ITS));
}

/// The group for files counts as the caller's, the other one not even as one that it is in.
fn group_by_fsgid() {
    each_is(sent(&[GROUP], ITS, (ITS, 8, &[])), &[]);
    each_is(sent(&[GROUP], ITS, (7, ITS, &[])), &[]);
    each_is(sent(&[GROUP], ITS, (ITS, 8, &[ITS])), &group(ITS));
}

/// In a directory of a group that there is not nobody makes anything.
fn group_of_nobody() {
    let (mut m, mut fs) = (mock(&[GROUP]), files(u32::MAX));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        become_member((7, 7, &[ITS]));
        make(&mnt.join("d"), "")
    });
    assert_eq!(r, Err(EACCES));
    assert!(m.rec.all().iter().all(|r| !MAKERS.contains(&r.op)));
    m.finish();
    each_is(
        sent(&[GROUP], u32::MAX - 1, (7, 7, &[u32::MAX - 1])),
        &group(u32::MAX - 1),
    );
}

/// The administrator is in no group that is not on the list.
fn group_of_root() {
    each_is(sent(&[GROUP], ITS, (0, 0, &[])), &[]);
    each_is(sent(&[GROUP], 0, (0, 0, &[0])), &[]);
    each_is(sent(&[GROUP], 0, (7, 7, &[0])), &group(0));
}

/// What the kernel knows of the directory counts.
fn group_that_changes() {
    let (mut m, mut fs) = (mock(&[GROUP]), files(ITS));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let d = mnt.join("d");
        let groups = [ITS, ITS + 1];
        become_member((7, 7, &groups));
        make(&d, "a")?;
        user::lchown(&d, 0, ITS + 1)?;
        make(&d, "b")
    });
    assert_eq!(r, Ok(()));
    each_is(extensions(&m), &group(ITS + 1));
    let all = m.rec.all();
    let first = all.iter().find(|r| r.op == Op::MKDIR).expect("MKDIR");
    assert_eq!(first.ext(), group(ITS));
    m.finish();
}

/// What gives another name to something, or takes one away, has none.
fn group_of_names_only() {
    names_only(GROUP);
}

#[track_caller]
fn names_only(flag: &str) {
    let (mut m, mut fs) = (mock(&[flag]), files(ITS));
    fs.xattrs = true;
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let d = mnt.join("d");
        become_member((7, 7, &[ITS]));
        make(&d, "")?;
        user::link(&d.join("f"), &d.join("g"))?;
        user::rename(&d.join("g"), &d.join("h"))?;
        user::setxattr(&d.join("f"), "user.a", b"v", 0)?;
        user::chmod(&d.join("f"), 0o600)?;
        user::rmdir(&d.join("d"))?;
        user::unlink(&d.join("h"))
    });
    assert_eq!(r, Ok(()));
    let has = |r: &&Request| r.extlen != 0;
    let all = m.rec.all();
    let with: Vec<Op> = all.iter().filter(has).map(|r| r.op).collect();
    assert_eq!(with, MAKERS);
    m.finish();
}

/// A daemon without CREATE is told by MKNOD.
fn group_of_mknod_for_create() {
    let (mut m, mut fs) = (mock(&[GROUP]), files(ITS));
    fs.on(Op::CREATE, Answer::Err(ENOSYS));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        become_member((7, 7, &[ITS]));
        let f = mnt.join("d/f");
        user::open(&f, libc::O_CREAT | libc::O_RDWR, 0o640).map(drop)
    });
    assert_eq!(r, Ok(()));
    let all = m.rec.all();
    for op in [Op::CREATE, Op::MKNOD] {
        let r = all.iter().find(|r| r.op == op).expect("sent");
        assert_eq!(r.ext(), group(ITS), "{op:?}");
    }
    m.finish();
}

/// Right after the NUL, with nothing between, however long the name.
fn group_with_long_names() {
    long_names(&[GROUP]);
}

#[track_caller]
fn long_names(flags: &[&str]) {
    let (mut m, mut fs) = (mock(flags), files(ITS));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let d = mnt.join("d");
        become_member((7, 7, &[ITS]));
        for len in [1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 130, 131, 132, 133, 134, 254] {
            make(&d, &"n".repeat(len))?;
        }
        user::symlink(&"t".repeat(4095), &d.join("long"))
    });
    assert_eq!(r, Ok(()));
    for r in m.rec.all() {
        if !MAKERS.contains(&r.op) {
            assert_eq!(r.extlen, 0, "{r:?}");
            continue;
        }
        let names: usize = r.names().iter().map(|n| n.len() + 1).sum();
        assert_ne!(r.extlen, 0);
        assert_eq!(
            r.len(),
            IN_HEADER + r.fixed() + names + r.ext().len(),
            "{r:?}"
        );
    }
    m.finish();
}

/// Those that know less of CREATE and MKNOD may know this.
fn group_for_old_minors() {
    old_minors(GROUP);
}

#[track_caller]
fn old_minors(flag: &str) {
    for minor in [9, 11] {
        short(minor, flag);
    }
    for minor in [12, 37, 38, 46] {
        let init = Init {
            minor,
            ..Init::plain().with(flag)
        };
        let mut m = Mock::with(&Setup::default().opt("allow_other", ""), &init);
        let mut fs = files(ITS);
        let r: Res<()> = m.run(&mut fs, |mnt| {
            become_member((7, 7, &[ITS]));
            make(&mnt.join("d"), "")
        });
        println!("7.{minor}: {r:?}");
        assert_eq!(r, Ok(()), "7.{minor}");
        for r in m.rec.all().iter().filter(|r| MAKERS.contains(&r.op)) {
            assert_ne!(r.extlen, 0, "7.{minor}: {r:?}");
        }
        m.finish();
    }
}

/// What these know of CREATE and MKNOD is eight bytes, then come the name and the extension.
#[track_caller]
fn short(minor: u32, flag: &str) {
    let init = Init {
        minor,
        ..Init::plain().with(flag)
    };
    let setup = Setup::default().opt("allow_other", "");
    let (mut m, mut fs) = (Mock::with(&setup, &init), files(ITS));
    let c = m.caller(|mnt, _| {
        become_member((7, 7, &[ITS]));
        let (n, f) = (mnt.join("d/n"), mnt.join("d/f"));
        let made = user::mknod(&n, libc::S_IFIFO | 0o600, 0);
        (
            made,
            user::open(&f, libc::O_CREAT | libc::O_RDWR, 0o640).map(drop),
        )
    });
    for op in [Op::MKNOD, Op::CREATE] {
        let r = m.serve_until(op, &mut fs);
        assert_ne!(r.extlen, 0, "7.{minor}: {r:?}");
        assert_eq!(r.len(), IN_HEADER + 8 + 2 + r.ext().len(), "7.{minor}");
        m.fail(&r, EIO);
    }
    assert_eq!(c.join::<(Res<()>, Res<()>)>(), (Err(EIO), Err(EIO)));
    m.finish();
}

/// Nothing is asked for then.
fn group_of_a_bad_directory() {
    let (mut m, mut fs) = (mock(&[GROUP, CONTEXT]), files(ITS));
    fs.attr_valid = mockd::reply::ZERO;
    let mut c = m.caller(|mnt, io| {
        let d = mnt.join("d");
        become_member((7, 7, &[ITS]));
        user::chdir(&d)?;
        io.put(());
        io.wait();
        // Its type has changed.
        let seen = user::lstat(Path::new("."));
        let made = [
            user::mkdir(Path::new("x"), 0o755),
            user::mknod(Path::new("y"), libc::S_IFIFO | 0o600, 0),
            user::open(Path::new("z"), libc::O_CREAT | libc::O_RDWR, 0o600).map(drop),
        ];
        Ok::<_, Errno>((seen.map(drop), made.to_vec()))
    });
    while !c.ended() {
        let r = m.request();
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
        if r.op == Op::ACCESS {
            break;
        }
    }
    c.get::<()>();
    let id = *fs.nodes[&mockd::wire::ROOT].children.get("d").expect("d");
    let attr = &mut fs.nodes.get_mut(&id).expect("made").attr;
    *attr = attr.mode(libc::S_IFREG | 0o755);
    c.go();
    let r: Res<(Res<()>, Vec<Res<()>>)> = m.serve(c, &mut |r| fs.handle(r));
    println!("{r:?}");
    let (seen, made) = r.expect("directory");
    assert_eq!(seen, Err(EIO));
    assert!(made.iter().all(Res::is_err), "{made:?}");
    assert!(m.rec.all().iter().all(|r| r.extlen == 0));
    m.finish();
}

/// Of each one, and none where no security module has any.
fn context_of_each() {
    for ext in sent(&[CONTEXT], ITS, (7, 7, &[ITS])) {
        let (text, rest) = context(&ext);
        println!("{text:?}");
        assert_eq!(rest, []);
    }
}

/// Whatever type MKNOD makes.
fn context_of_each_type() {
    let (mut m, mut fs) = (mock(&[CONTEXT]), files(ITS));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let types = [
            libc::S_IFREG,
            libc::S_IFIFO,
            libc::S_IFSOCK,
            libc::S_IFCHR,
            libc::S_IFBLK,
        ];
        for (i, kind) in types.iter().enumerate() {
            user::mknod(&mnt.join(format!("n{i}")), kind | 0o640, 0x103)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    for r in m.rec.all().iter().filter(|r| r.op == Op::MKNOD) {
        println!("{:?}", context(r.ext()));
    }
    assert_eq!(m.rec.count(Op::MKNOD), 5);
    m.finish();
}

/// The context comes first.
fn context_and_group() {
    for ext in sent(&[CONTEXT, GROUP], ITS, (7, 7, &[ITS])) {
        let (_, rest) = context(&ext);
        assert_eq!(rest, group(ITS));
    }
    for ext in sent(&[CONTEXT, GROUP], ITS, (7, 7, &[])) {
        let (_, rest) = context(&ext);
        assert_eq!(rest, []);
    }
}

fn context_with_long_names() {
    long_names(&[CONTEXT]);
    long_names(&[CONTEXT, GROUP]);
}

fn context_for_old_minors() {
    old_minors(CONTEXT);
}

fn context_of_names_only() {
    names_only(CONTEXT);
}

fn context_not_agreed() {
    each_is(sent(&[], ITS, (7, 7, &[])), &[]);
}
