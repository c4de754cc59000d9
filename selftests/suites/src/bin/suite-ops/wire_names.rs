// SPDX-License-Identifier: GPL-2.0

//! Names, request by request: timeouts, negative entries, revalidation, FORGETs, every argument.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{open_out, LONG};
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Attr, Entry, Mock};

pub fn cases() -> Vec<Case> {
    cases![
        tour_of_names,
        create_makes_one_request,
        create_exclusive_flags,
        create_on_directory_entry,
        create_failed_eexist,
        mknod_arguments,
        mkdir_umask,
        symlink_arguments,
        link_arguments,
        rename_arguments,
        rename_noreplace,
        rename_exchange,
        rename_looks_at_target_again,
        unlink_invalidates,
        rmdir_drops_node,
        unlink_error_keeps_entry,
        directory_attributes_refreshed,
    ]
}

/// Every operation on names once, with all arguments as recorded.
fn tour_of_names() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let p = |n: &str| mnt.join(n);
        user::mkdir(&p("d"), 0o751)?;
        user::mknod(&p("d/fifo"), libc::S_IFIFO | 0o640, 0)?;
        drop(user::open(
            &p("d/file"),
            libc::O_CREAT | libc::O_RDWR | libc::O_EXCL,
            0o600,
        )?);
        user::symlink("file", &p("d/sym"))?;
        user::readlink(&p("d/sym"))?;
        user::link(&p("d/file"), &p("hard"))?;
        user::rename(&p("hard"), &p("d/hard2"))?;
        user::rename2(&p("d/hard2"), &p("d/hard3"), libc::RENAME_NOREPLACE)?;
        user::list(&p("d"))?;
        user::chmod(&p("d/file"), 0o644)?;
        user::lchown(&p("d/file"), 1, 2)?;
        user::utimes(&p("d/file"), Some((1, 2)), Some((3, 4)))?;
        user::truncate(&p("d/file"), 100)?;
        user::statfs(mnt)?;
        for n in ["fifo", "file", "sym", "hard3"] {
            user::unlink(&p("d").join(n))?;
        }
        user::rmdir(&p("d"))
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

fn create_makes_one_request() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::open(&mnt.join("f"), libc::O_CREAT | libc::O_RDWR, 0o640).map(drop)
    });
    assert_eq!(r, Ok(()));
    assert_eq!(
        (
            m.rec.count(Op::LOOKUP),
            m.rec.count(Op::CREATE),
            m.rec.count(Op::OPEN)
        ),
        (1, 1, 0)
    );
    m.finish();
}

fn create_exclusive_flags() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("there", b"");
    let flags = libc::O_CREAT
        | libc::O_EXCL
        | libc::O_WRONLY
        | libc::O_APPEND
        | libc::O_NOCTTY
        | libc::O_SYNC;
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        (
            user::open(&mnt.join("new"), flags, 0o640).map(drop),
            user::open(&mnt.join("there"), flags, 0o640).map(drop),
        )
    });
    assert_eq!(r, (Ok(()), Err(EEXIST)));
    m.finish();
}

/// What the daemon made in the meantime is opened, by OPEN.
fn create_on_directory_entry() {
    let mut m = Mock::new();
    let c = m.call("f", |p| {
        user::open(p, libc::O_CREAT | libc::O_RDWR, 0o640).map(drop)
    });
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &Entry::new(Attr::file(4, 0)).bytes());
    let r = m.expect(Op::OPEN);
    assert_eq!(r.get("flags") as i32 & (libc::O_CREAT | libc::O_EXCL), 0);
    m.reply(&r, &open_out(1, 0));
    let r = m.expect(Op::FLUSH);
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    m.finish();
}

fn create_failed_eexist() {
    let mut m = Mock::new();
    let c = m.call("f", |p| {
        user::open(p, libc::O_CREAT | libc::O_RDWR, 0o640).map(drop)
    });
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &Entry::negative(LONG).bytes());
    let r = m.expect_name(Op::CREATE, "f");
    m.fail(&r, EEXIST);
    let mut c = [c];
    let mut fs = Memfs::new();
    m.serve_all(&mut c, &mut |r| fs.handle(r));
    let [c] = c;
    let res = c.join::<Res<()>>();
    println!("{res:?}");
    assert_eq!(res, Err(EEXIST));
    // The entry is forgotten: asked for again.
    let c = m.call("f", |p| user::lstat(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "f");
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

fn mknod_arguments() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        vec![
            user::mknod(
                &mnt.join("chr"),
                libc::S_IFCHR | 0o600,
                libc::makedev(10, 229),
            ),
            user::mknod(
                &mnt.join("blk"),
                libc::S_IFBLK | 0o660,
                libc::makedev(259, 70_000),
            ),
            user::mknod(&mnt.join("fifo"), libc::S_IFIFO | 0o777, 0),
            user::mknod(&mnt.join("sock"), libc::S_IFSOCK | 0o4755, 0),
            user::mknod(&mnt.join("reg"), 0o644, 0),
            user::mknod(&mnt.join("dir"), libc::S_IFDIR | 0o644, 0),
        ]
    });
    assert_eq!(r, [Ok(()), Ok(()), Ok(()), Ok(()), Ok(()), Err(EPERM)]);
    m.finish();
}

fn mkdir_umask() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        [0o000, 0o022, 0o777]
            .iter()
            .map(|u| {
                // SAFETY: an integer.
                unsafe { libc::umask(*u) };
                user::mkdir(&mnt.join(format!("d{u:o}")), 0o1777)
            })
            .collect()
    });
    assert_eq!(r, [Ok(()), Ok(()), Ok(())]);
    let modes: Vec<u64> = m
        .rec
        .all()
        .iter()
        .filter(|r| r.op == Op::MKDIR)
        .map(|r| r.get("mode"))
        .collect();
    assert_eq!(modes, [0o1777, 0o1755, 0o1000]);
    m.finish();
}

fn symlink_arguments() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<String> = m.run(&mut fs, |mnt| {
        user::symlink("to/where ever\n", &mnt.join("l"))?;
        user::readlink(&mnt.join("l"))
    });
    assert_eq!(r, Ok("to/where ever\n".into()));
    let all = m.rec.all();
    let s = all.iter().find(|r| r.op == Op::SYMLINK).expect("SYMLINK");
    assert_eq!(s.names(), ["l", "to/where ever\n"]);
    m.finish();
}

fn link_arguments() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let f = fs.file("f", b"");
    let d = fs.dir("d");
    let r: Res<u64> = m.run(&mut fs, |mnt| {
        user::link(&mnt.join("f"), &mnt.join("d/g"))?;
        user::lstat(&mnt.join("d/g")).map(|s| s.nlink)
    });
    assert_eq!(r, Ok(2));
    let all = m.rec.all();
    let l = all.iter().find(|r| r.op == Op::LINK).expect("LINK");
    assert_eq!((l.get("oldnodeid"), l.node, l.name()), (f, d, "g".into()));
    m.finish();
}

fn rename_arguments() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let d = fs.dir("d");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::rename(&mnt.join("f"), &mnt.join("d/g"))
    });
    assert_eq!(r, Ok(()));
    let all = m.rec.all();
    let l = all.iter().find(|r| r.op == Op::RENAME).expect("RENAME");
    assert_eq!(
        (l.node, l.get("newdir"), l.names()),
        (ROOT, d, vec!["f".to_string(), "g".to_string()])
    );
    m.finish();
}

fn rename_noreplace() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    fs.file("g", b"");
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let no = libc::RENAME_NOREPLACE;
        (
            user::rename2(&mnt.join("f"), &mnt.join("g"), no),
            user::rename2(&mnt.join("f"), &mnt.join("h"), no),
        )
    });
    assert_eq!(r, (Err(EEXIST), Ok(())));
    assert_eq!((m.rec.count(Op::RENAME2), m.rec.count(Op::RENAME)), (1, 0));
    m.finish();
}

fn rename_exchange() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let f = fs.file("f", b"1");
    let g = fs.dir("g");
    let r: Res<(u64, u64, Res<()>)> = m.run(&mut fs, |mnt| {
        let no = user::rename2(&mnt.join("f"), &mnt.join("none"), libc::RENAME_EXCHANGE);
        user::rename2(&mnt.join("f"), &mnt.join("g"), libc::RENAME_EXCHANGE)?;
        Ok((
            user::lstat(&mnt.join("f"))?.ino,
            user::lstat(&mnt.join("g"))?.ino,
            no,
        ))
    });
    assert_eq!(r, Ok((g, f, Err(ENOENT))));
    m.finish();
}

/// The target of a rename is looked up even if it is valid, for its type matters.
fn rename_looks_at_target_again() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"1");
    fs.file("g", b"1");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::lstat(&mnt.join("f"))?;
        user::lstat(&mnt.join("g"))?;
        user::rename(&mnt.join("f"), &mnt.join("g"))
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

fn unlink_invalidates() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let r: (Res<()>, Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        (
            user::unlink(&f),
            user::lstat(&f).map(drop),
            user::lstat(&f).map(drop),
        )
    });
    assert_eq!(r, (Ok(()), Err(ENOENT), Err(ENOENT)));
    m.finish();
}

fn rmdir_drops_node() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    let r: Res<()> = m.run(&mut fs, |mnt| user::rmdir(&mnt.join("d")));
    assert_eq!(r, Ok(()));
    assert_eq!(m.rec.forgets().get(&d), Some(&1));
    m.finish();
}

fn unlink_error_keeps_entry() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    for e in [EPERM, EBUSY, EIO] {
        fs.on(Op::UNLINK, Answer::Err(e));
        let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
            (
                user::unlink(&mnt.join("f")),
                user::lstat(&mnt.join("f")).map(drop),
            )
        });
        assert_eq!(r, (Err(e), Ok(())));
    }
    assert_eq!(m.rec.count(Op::LOOKUP), 1);
    // These mean that the entry may be gone.
    for e in [ENOENT, EINTR] {
        fs.on(Op::UNLINK, Answer::Err(e));
        let before = m.rec.count(Op::LOOKUP);
        let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
            (
                user::unlink(&mnt.join("f")),
                user::lstat(&mnt.join("f")).map(drop),
            )
        });
        assert_eq!(r, (Err(e), Ok(())));
        assert_eq!(m.rec.count(Op::LOOKUP), before + 1, "{e}");
    }
    m.finish();
}

/// Changing a directory makes its attributes stale, whatever their timeout.
fn directory_attributes_refreshed() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.dir("d");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let d = mnt.join("d");
        user::lstat(&d)?;
        user::mkdir(&d.join("a"), 0o755)?;
        user::lstat(&d)?;
        user::mknod(&d.join("b"), 0o644, 0)?;
        user::lstat(&d)?;
        user::rename(&d.join("b"), &d.join("c"))?;
        user::lstat(&d)?;
        user::link(&d.join("c"), &d.join("e"))?;
        user::lstat(&d)?;
        user::unlink(&d.join("c"))?;
        user::lstat(&d)?;
        user::rmdir(&d.join("a"))?;
        user::lstat(&d)?;
        user::symlink("x", &d.join("s"))?;
        user::lstat(&d)?;
        drop(user::open(
            &d.join("f"),
            libc::O_CREAT | libc::O_RDWR,
            0o644,
        )?);
        user::lstat(&d).map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish();
}
