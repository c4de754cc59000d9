// SPDX-License-Identifier: GPL-2.0

//! INIT: what is offered, and what becomes of every kind of reply.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::message;
use mockd::user;
use mockd::wire::{init_flag, Op, FATTR_SIZE, INIT_FLAGS};
use mockd::{Init, Mock, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        offered,
        offered_least,
        major_too_high,
        major_too_low,
        error_reply,
        short_reply,
        reply_of_header_only,
        long_reply,
        old_minor,
        callers_wait_for_init,
        umount_before_reply,
        flags_not_offered_are_masked,
        max_write_bounds_writes,
        max_pages_bounds_writes,
        without_big_writes,
        without_atomic_o_trunc,
        dont_mask,
        name_max_follows_max_pages,
        time_gran,
        no_open_support,
        no_opendir_support,
    ]
}

/// INIT as it arrives, recorded for the comparison.
fn offered() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    assert_eq!((r.get("major"), r.get("minor")), (7, 46));
    assert_eq!(r.len(), 40 + 64);
    assert_eq!((r.node, r.uid, r.gid), (0, 0, 0));
    for f in INIT_FLAGS {
        if r.init_flags() & (1 << f.0) != 0 {
            println!("offers {}", f.1);
        }
    }
    m.reply(&r, &Init::plain().bytes());
    m.finish();
}

/// What is offered from the start, on either module.
fn offered_least() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    for f in [
        "INIT_EXT",
        "BIG_WRITES",
        "NO_OPEN_SUPPORT",
        "NO_OPENDIR_SUPPORT",
        "HAS_EXPIRE_ONLY",
        "MAX_PAGES",
        "ASYNC_READ",
        "ATOMIC_O_TRUNC",
        "DONT_MASK",
        "PARALLEL_DIROPS",
        "ABORT_ERROR",
    ] {
        assert!(r.init_flags() & init_flag(f) != 0, "{f} is not offered");
    }
    m.reply(&r, &Init::plain().bytes());
    m.finish();
}

/// Answers INIT with `payload` and gives what a stat of the root then says.
fn stat_after(payload: Result<&[u8], Errno>) -> Res<()> {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    match payload {
        Ok(b) => m.reply(&r, b),
        Err(e) => m.fail(&r, e),
    }
    let mut fs = Memfs::new();
    let c = m.call("", |p| user::lstat(p).map(drop));
    let res = m.serve(c, &mut |r| fs.handle(r));
    m.umount();
    res
}

fn major_too_high() {
    assert_eq!(
        stat_after(Ok(&Init {
            major: 8,
            ..Init::plain()
        }
        .bytes())),
        Err(ECONNREFUSED)
    );
}

fn major_too_low() {
    assert_eq!(
        stat_after(Ok(&Init {
            major: 6,
            ..Init::plain()
        }
        .bytes())),
        Err(ECONNREFUSED)
    );
}

fn error_reply() {
    assert_eq!(stat_after(Err(EPERM)), Err(ECONNREFUSED));
}

/// The rest of a short reply counts as zero, as old daemons are.
fn short_reply() {
    assert_eq!(stat_after(Ok(&Init::plain().bytes()[..24])), Ok(()));
    assert_eq!(stat_after(Ok(&Init::plain().bytes()[..8])), Ok(()));
}

fn reply_of_header_only() {
    assert_eq!(stat_after(Ok(&[])), Err(ECONNREFUSED));
}

fn long_reply() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    let mut b = Init::plain().bytes();
    b.extend([0; 8]);
    assert_eq!(m.write(&message(r.unique, 0, &b)), Err(EINVAL));
    let c = m.call("", |p| user::lstat(p).map(drop));
    let mut fs = Memfs::new();
    let res: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(res, Err(ECONNREFUSED));
    m.umount();
}

/// Old minors still work, down to the shape of each message.
fn old_minor() {
    for minor in [12, 23, 31] {
        let mut m = Mock::with(
            &Setup::default(),
            &Init {
                minor,
                ..Init::plain()
            },
        );
        let mut fs = Memfs::new();
        fs.file("f", b"text");
        let c = m.call("f", |p| {
            user::pread(&user::open(p, libc::O_RDONLY, 0)?, 10, 0)
        });
        let r: Res<Vec<u8>> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, Ok(b"text".to_vec()), "minor {minor}");
        m.finish();
    }
}

/// Requests made before the reply are sent after it.
fn callers_wait_for_init() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    let c = m.call("", |p| user::lstat(p).map(|s| s.mode));
    c.wait_asleep();
    assert!(!m.pending(), "a request before the reply to INIT");
    m.reply(&r, &Init::plain().bytes());
    let mut fs = Memfs::new();
    let res: Res<u32> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(res, Ok(libc::S_IFDIR | 0o755));
    m.finish();
}

fn umount_before_reply() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    m.umount();
    assert_eq!(
        m.write(&message(r.unique, 0, &Init::plain().bytes())),
        Err(ENOENT)
    );
    assert_eq!(m.read().err(), Some(ENODEV));
    // And before it was even read.
    let m = Mock::uninit(&Setup::default());
    m.umount();
    assert_eq!(m.read().err(), Some(ENODEV));
}

/// A reply may set any bit; those that were not offered change nothing.
fn flags_not_offered_are_masked() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    let offered = r.init_flags();
    let all: u64 = INIT_FLAGS.iter().map(|f| 1u64 << f.0).sum();
    let not = all & !offered;
    let init = Init {
        max_stack_depth: 1,
        request_timeout: 0,
        map_alignment: 12,
        ..Init::plain()
    };
    m.reply(
        &r,
        &Init {
            flags: init.flags | not,
            ..init
        }
        .bytes(),
    );
    let mut fs = Memfs::new();
    fs.file("f", b"hello");
    fs.add(1, "l", libc::S_IFLNK | 0o777, b"f");
    let c = m.caller(|mnt, _| {
        let f = mnt.join("f");
        let fd = user::open(&f, libc::O_RDWR, 0)?;
        user::pwrite(&fd, b"J", 0)?;
        let got = user::pread(&fd, 16, 0)?;
        user::readlink(&mnt.join("l"))?;
        user::readlink(&mnt.join("l"))?;
        user::list(mnt)?;
        Ok::<_, Errno>(got)
    });
    let mut wrote = 0;
    let mut links = 0;
    let res: Res<Vec<u8>> = m.serve(c, &mut |r| {
        wrote += usize::from(r.op == Op::WRITE);
        links += usize::from(r.op == Op::READLINK);
        assert!(
            !matches!(r.op, Op::READDIRPLUS | Op::SETLK | Op::SETLKW),
            "{r:?}"
        );
        fs.handle(r)
    });
    assert_eq!(res, Ok(b"Jello".to_vec()));
    assert_eq!(wrote, 1, "written at once, not kept for later");
    if not & init_flag("CACHE_SYMLINKS") != 0 {
        assert_eq!(links, 2);
    }
    m.finish();
}

/// Writes `len` bytes directly and gives the sizes that arrived.
fn write_sizes(init: &Init, len: usize, open_flags: u32) -> Vec<u64> {
    let mut m = Mock::with(&Setup::default(), init);
    let mut fs = Memfs::new();
    fs.open_flags = open_flags;
    fs.file("f", b"");
    let c = m.call("f", |p| {
        user::pwrite(&user::open(p, libc::O_WRONLY, 0)?, &vec![1; len], 0)
    });
    let n: Res<usize> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(n, Ok(len));
    let sizes = m
        .rec
        .all()
        .iter()
        .filter(|r| r.op == Op::WRITE)
        .map(|r| r.get("size"))
        .collect();
    m.finish();
    sizes
}

fn max_write_bounds_writes() {
    let init = Init {
        max_write: 8192,
        ..Init::plain()
    };
    for flags in [0, mockd::wire::FOPEN_DIRECT_IO] {
        assert_eq!(
            write_sizes(&init, 20000, flags),
            vec![8192, 8192, 3616],
            "flags {flags}"
        );
    }
    // Less than a page counts as a page.
    let init = Init {
        max_write: 1,
        ..Init::plain()
    };
    assert_eq!(write_sizes(&init, 8192, 0), vec![4096, 4096]);
}

fn max_pages_bounds_writes() {
    let init = Init {
        max_pages: 2,
        max_write: 1 << 20,
        ..Init::plain()
    };
    assert_eq!(write_sizes(&init, 20480, 0), vec![8192, 8192, 4096]);
    // Without the flag it is 32 pages.
    let init = Init {
        max_pages: 2,
        max_write: 1 << 20,
        ..Init::plain()
    }
    .without("MAX_PAGES");
    assert_eq!(write_sizes(&init, 139_264, 0), vec![131_072, 8192]);
}

fn without_big_writes() {
    let init = Init::plain().without("BIG_WRITES");
    assert_eq!(write_sizes(&init, 12288, 0), vec![4096, 4096, 4096]);
}

/// O_TRUNC is a SETATTR of its own for who has not asked to see it in OPEN.
fn without_atomic_o_trunc() {
    for atomic in [true, false] {
        let init = if atomic {
            Init::plain()
        } else {
            Init::plain().without("ATOMIC_O_TRUNC")
        };
        let mut m = Mock::with(&Setup::default(), &init);
        let mut fs = Memfs::new();
        fs.file("f", b"text");
        let c = m.call("f", |p| {
            user::open(p, libc::O_WRONLY | libc::O_TRUNC, 0).map(drop)
        });
        let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, Ok(()));
        let all = m.rec.all();
        let open = all.iter().find(|r| r.op == Op::OPEN).expect("OPEN");
        assert_eq!(open.get("flags") as i32 & libc::O_TRUNC != 0, atomic);
        let set = all
            .iter()
            .filter(|r| r.op == Op::SETATTR && r.get("valid") as u32 & FATTR_SIZE != 0)
            .count();
        assert_eq!(set, usize::from(!atomic));
        m.finish();
    }
}

fn dont_mask() {
    for flag in [false, true] {
        let init = if flag {
            Init::plain().with("DONT_MASK")
        } else {
            Init::plain()
        };
        let mut m = Mock::with(&Setup::default(), &init);
        let mut fs = Memfs::new();
        let c = m.caller(|mnt, _| {
            // SAFETY: an integer.
            unsafe { libc::umask(0o027) };
            user::mkdir(&mnt.join("d"), 0o777)?;
            user::mknod(&mnt.join("n"), libc::S_IFREG | 0o666, 0)?;
            user::open(&mnt.join("f"), libc::O_CREAT | libc::O_WRONLY, 0o666).map(drop)
        });
        let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, Ok(()));
        for r in m
            .rec
            .all()
            .iter()
            .filter(|r| matches!(r.op, Op::MKDIR | Op::MKNOD | Op::CREATE))
        {
            assert_eq!(r.get("umask"), 0o027, "{r:?}");
            let want = if r.op == Op::MKDIR { 0o777 } else { 0o666 };
            let want = if flag { want } else { want & !0o027 };
            assert_eq!(r.get("mode") & 0o777, want, "{r:?}");
        }
        m.finish();
    }
}

/// Names may be longer than a page only if a request can hold them.
fn name_max_follows_max_pages() {
    for (pages, least, most) in [(32, 255, 256), (1, 255, 256)] {
        let mut m = Mock::with(
            &Setup::default(),
            &Init {
                max_pages: pages,
                ..Init::plain()
            },
        );
        let mut fs = Memfs::new();
        let c = m.caller(|mnt, _| {
            (
                user::lstat(&mnt.join("x".repeat(least))).map(drop),
                user::lstat(&mnt.join("x".repeat(most))).map(drop),
                user::lstat(&mnt.join("x".repeat(1024))).map(drop),
                user::lstat(&mnt.join("x".repeat(1025))).map(drop),
            )
        });
        let r: (Res<()>, Res<()>, Res<()>, Res<()>) = m.serve(c, &mut |r| fs.handle(r));
        let over = if pages > 1 {
            Err(ENOENT)
        } else {
            Err(ENAMETOOLONG)
        };
        assert_eq!(
            r,
            (Err(ENOENT), Err(ENOENT), Err(ENOENT), over),
            "max_pages {pages}"
        );
        m.finish();
    }
}

/// Times that the kernel sets have the granularity that INIT gave.
fn time_gran() {
    let mut m = Mock::with(
        &Setup::default(),
        &Init {
            time_gran: 1_000_000_000,
            ..Init::plain()
        },
    );
    let mut fs = Memfs::new();
    fs.file("f", b"x");
    let c = m.call("f", |p| {
        user::utimes(p, Some((5, 123_456_789)), Some((6, 999_999_999)))
    });
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(()));
    let all = m.rec.all();
    let s = all.iter().find(|r| r.op == Op::SETATTR).expect("SETATTR");
    assert_eq!(
        (s.get("atime"), s.get("atimensec"), s.get("mtimensec")),
        (5, 0, 0)
    );
    m.finish();
}

/// OPEN answered ENOSYS is not sent again, and files work without handles.
fn no_open_support() {
    let mut m = Mock::with(&Setup::default(), &Init::plain().with("NO_OPEN_SUPPORT"));
    let mut fs = Memfs::new();
    fs.file("f", b"text");
    fs.on(Op::OPEN, mockd::mock::Answer::Err(ENOSYS));
    let c = m.call("f", |p| {
        let a = user::pread(&user::open(p, libc::O_RDONLY, 0)?, 10, 0)?;
        let b = user::pread(&user::open(p, libc::O_RDONLY, 0)?, 10, 0)?;
        Ok::<_, Errno>((a, b))
    });
    let r: Res<(Vec<u8>, Vec<u8>)> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok((b"text".to_vec(), b"text".to_vec())));
    assert_eq!(m.rec.count(Op::OPEN), 1);
    assert_eq!(m.rec.count(Op::RELEASE), 0);
    assert_eq!(m.rec.count(Op::READ), 1, "kept from the first open");
    m.finish();
}

fn no_opendir_support() {
    let mut m = Mock::with(&Setup::default(), &Init::plain().with("NO_OPENDIR_SUPPORT"));
    let mut fs = Memfs::new();
    fs.file("f", b"text");
    fs.on(Op::OPENDIR, mockd::mock::Answer::Err(ENOSYS));
    let c = m.call("", |p| Ok::<_, Errno>((user::list(p)?, user::list(p)?)));
    let r: Res<(Vec<String>, Vec<String>)> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok((vec!["f".to_string()], vec!["f".to_string()])));
    assert_eq!(m.rec.count(Op::OPENDIR), 1);
    assert_eq!(m.rec.count(Op::RELEASEDIR), 0);
    m.finish();
}
