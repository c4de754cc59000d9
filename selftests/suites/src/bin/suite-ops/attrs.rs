// SPDX-License-Identifier: GPL-2.0

//! Attributes that the kernel keeps: which answers are too old to be taken, what is asked for again
//! after a change, and numbers of inodes.

use std::os::fd::AsRawFd;
use std::path::Path;

use ktap::{cases, Case};
use libc::{AT_STATX_DONT_SYNC, STATX_BASIC_STATS};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{attr_out, LONG, ZERO};
use mockd::wire::{Op, ROOT};
use mockd::{user, Attr, Entry, Mock};

pub fn cases() -> Vec<Case> {
    cases![
        old_after_truncate,
        old_after_write,
        old_after_chmod,
        old_after_open_truncates,
        old_after_younger,
        old_lookup_after_truncate,
        old_setattr_after_younger,
        old_short_read_after_truncate,
        asked_again_after_changes,
        asked_again_after_changes_of_names,
        numbers_of_64_bits,
        number_that_changes,
    ]
}

/// What is known of "f", without asking the daemon: mode, size.
fn known(m: &mut Mock, fs: &mut Memfs) -> (u32, u64) {
    let r: Res<(u32, u64)> = m.run(fs, |mnt| {
        let f = mnt.join("f");
        let (_, _, size) = user::statx(&f, AT_STATX_DONT_SYNC, STATX_BASIC_STATS)?;
        user::lstat(&f).map(|s| (s.mode & 0o7777, size))
    });
    r.expect("known")
}

/// A GETATTR of "f", five bytes long, is out while `change` is made; then it is answered with what
/// was true before. Its caller is told that; what is known then is as the change left it.
#[track_caller]
fn old_after(change: impl FnOnce(&Path) -> Res<()>, size: u64, mode: u32) {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let id = fs.file("f", b"12345");
    // Asked for once more.
    fs.attr_valid = ZERO;
    let c = m.call("f", |p| user::lstat(p).map(|s| (s.mode & 0o7777, s.size)));
    let held = m.serve_until(Op::GETATTR, &mut fs);
    let old = fs.nodes[&id].attr;
    fs.attr_valid = LONG;
    let r: Res<()> = m.run(&mut fs, |mnt| change(&mnt.join("f")));
    assert_eq!(r, Ok(()));
    m.reply(&held, &attr_out(LONG, &old));
    let r: Res<(u32, u64)> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok((0o644, 5)));
    assert_eq!(known(&mut m, &mut fs), (mode, size));
    m.finish();
}

fn old_after_truncate() {
    old_after(|f| user::truncate(f, 3), 3, 0o644);
}

fn old_after_write() {
    let write = |f: &Path| {
        let f = user::open(f, libc::O_WRONLY, 0)?;
        user::pwrite(&f, b"longer", 4).map(drop)
    };
    old_after(write, 10, 0o644);
}

fn old_after_chmod() {
    old_after(|f| user::chmod(f, 0o600), 5, 0o600);
}

fn old_after_open_truncates() {
    let open = |f: &Path| user::open(f, libc::O_WRONLY | libc::O_TRUNC, 0).map(drop);
    old_after(open, 0, 0o644);
}

/// Of two GETATTRs the one that was sent first is answered last.
fn old_after_younger() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let id = fs.file("f", b"12345");
    fs.attr_valid = ZERO;
    let size = |p: &Path| user::lstat(p).map(|s| s.size);
    let first = m.call("f", size);
    let one = m.serve_until(Op::GETATTR, &mut fs);
    let second = m.call("f", size);
    let two = m.serve_until(Op::GETATTR, &mut fs);
    let attr = fs.nodes[&id].attr;
    let longer = Attr { size: 77, ..attr };
    m.reply(&two, &attr_out(LONG, &longer));
    let r: Res<u64> = m.serve(second, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(77));
    m.reply(&one, &attr_out(LONG, &attr));
    let r: Res<u64> = m.serve(first, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(5));
    let r: Res<u64> = m.run(&mut fs, |mnt| {
        user::statx(&mnt.join("f"), AT_STATX_DONT_SYNC, STATX_BASIC_STATS).map(|s| s.2)
    });
    assert_eq!(r, Ok(77));
    m.finish();
}

/// The entry of another name of it, asked for before.
fn old_lookup_after_truncate() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let id = fs.file("f", b"12345");
    let mut c = m.caller(|mnt, io| {
        user::lstat(&mnt.join("f"))?;
        io.put(());
        user::lstat(&mnt.join("g")).map(|s| s.size)
    });
    let r = m.expect_name(Op::LOOKUP, "f");
    let a = fs.handle(&r);
    m.answer(&r, &a).expect("answer");
    c.get::<()>();
    let held = m.expect_name(Op::LOOKUP, "g");
    let node = fs.nodes.get_mut(&id).expect("f");
    node.lookups += 1;
    let old = Entry::new(node.attr).bytes();
    let r: Res<()> = m.run(&mut fs, |mnt| user::truncate(&mnt.join("f"), 3));
    assert_eq!(r, Ok(()));
    m.reply(&held, &old);
    let r: Res<u64> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(3));
    assert_eq!(known(&mut m, &mut fs), (0o644, 3));
    m.finish();
}

/// What SETATTR is answered with is taken, but not believed for long if something younger is known.
fn old_setattr_after_younger() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let id = fs.file("f", b"12345");
    let c = m.call("f", |p| user::chmod(p, 0o600));
    let held = m.serve_until(Op::SETATTR, &mut fs);
    let answer = fs.handle(&held);
    let attr = fs.nodes[&id].attr;
    let younger = Attr { size: 77, ..attr };
    let reader = m.call("f", |p| {
        let flags = libc::AT_STATX_FORCE_SYNC;
        user::statx(p, flags, STATX_BASIC_STATS).map(|s| s.2)
    });
    let r = m.serve_until(Op::GETATTR, &mut fs);
    m.reply(&r, &attr_out(LONG, &younger));
    let r: Res<u64> = m.serve(reader, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(77));
    m.answer(&held, &answer).expect("answer");
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(()));
    let before = m.rec.count(Op::GETATTR);
    let r: Res<u64> = m.run(&mut fs, |mnt| user::lstat(&mnt.join("f")).map(|s| s.size));
    assert_eq!((r, m.rec.count(Op::GETATTR)), (Ok(5), before + 1));
    m.finish();
}

/// A READ that finds the end sooner than expected says how long the file was, before it was
/// changed.
fn old_short_read_after_truncate() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"12345");
    let c = m.call("f", |p| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        user::pread(&f, 10, 0)
    });
    let held = m.serve_until(Op::READ, &mut fs);
    let r: Res<()> = m.run(&mut fs, |mnt| user::chmod(&mnt.join("f"), 0o600));
    assert_eq!(r, Ok(()));
    m.reply(&held, b"12");
    let r: Res<Vec<u8>> = m.serve(c, &mut |r| fs.handle(r));
    println!("{r:?}");
    assert!(r.is_ok());
    let r: Res<u64> = m.run(&mut fs, |mnt| {
        user::statx(&mnt.join("f"), AT_STATX_DONT_SYNC, STATX_BASIC_STATS).map(|s| s.2)
    });
    assert_eq!(r, Ok(5));
    m.finish();
}

/// Each field that statx(2) can be asked for alone.
const FIELDS: [u32; 11] = [
    libc::STATX_TYPE,
    libc::STATX_MODE,
    libc::STATX_NLINK,
    libc::STATX_UID,
    libc::STATX_GID,
    libc::STATX_ATIME,
    libc::STATX_MTIME,
    libc::STATX_CTIME,
    libc::STATX_INO,
    libc::STATX_SIZE,
    libc::STATX_BLOCKS,
];

/// A call, what it is called, and its path.
type Change = (&'static str, fn(&Path) -> Res<()>);

/// Makes each change anew for each field, and looks at that field of `what`: whether the daemon is
/// asked. What it is asked goes to the record.
#[track_caller]
fn asked_again(changes: &[Change], what: &'static str) {
    for (name, change) in changes {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.xattrs = true;
        fs.file("f", b"12345");
        fs.dir("d");
        let mut asked = vec![];
        for field in FIELDS {
            let change = *change;
            let r: Res<()> = m.run(&mut fs, move |mnt| {
                // All is known before.
                user::statx(
                    &mnt.join(what),
                    libc::AT_STATX_FORCE_SYNC,
                    STATX_BASIC_STATS,
                )?;
                change(mnt)
            });
            assert_eq!(r, Ok(()), "{name}");
            let before = m.rec.count(Op::GETATTR);
            let r: Res<()> = m.run(&mut fs, move |mnt| {
                user::statx(&mnt.join(what), 0, field).map(drop)
            });
            assert_eq!(r, Ok(()), "{name}");
            asked.push(m.rec.count(Op::GETATTR) - before);
        }
        let text = format!("{name}: {asked:?}");
        println!("{text}");
        m.rec.note(text);
        m.finish();
    }
}

fn read(mnt: &Path) -> Res<()> {
    let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
    user::pread(&f, 10, 0).map(drop)
}

fn read_direct(mnt: &Path) -> Res<()> {
    let f = user::open(&mnt.join("f"), libc::O_RDONLY | libc::O_DIRECT, 0)?;
    user::pread(&f, 10, 0).map(drop)
}

fn write(mnt: &Path) -> Res<()> {
    let f = user::open(&mnt.join("f"), libc::O_WRONLY, 0)?;
    user::pwrite(&f, b"x", 0).map(drop)
}

/// Of a file.
fn asked_again_after_changes() {
    let changes: [Change; 11] = [
        ("nothing", |_| Ok(())),
        ("open", |m| {
            user::open(&m.join("f"), libc::O_RDONLY, 0).map(drop)
        }),
        ("read", read),
        ("read_direct", read_direct),
        ("write", write),
        ("open_truncate", |m| {
            user::open(&m.join("f"), libc::O_WRONLY | libc::O_TRUNC, 0).map(drop)
        }),
        ("truncate", |m| user::truncate(&m.join("f"), 5)),
        ("chmod", |m| user::chmod(&m.join("f"), 0o600)),
        ("utimes", |m| user::utimes(&m.join("f"), Some((1, 0)), None)),
        ("setxattr", |m| {
            user::setxattr(&m.join("f"), "user.a", b"v", 0)
        }),
        ("link", |m| {
            let _ = user::unlink(&m.join("g"));
            user::link(&m.join("f"), &m.join("g"))
        }),
    ];
    asked_again(&changes, "f");
}

/// Of the directory.
fn asked_again_after_changes_of_names() {
    let changes: [Change; 9] = [
        ("list", |m| user::list(m).map(drop)),
        ("lookup", |m| {
            user::lstat(&m.join("none")).map(drop).or(Ok(()))
        }),
        ("mkdir", |m| {
            let _ = user::rmdir(&m.join("n"));
            user::mkdir(&m.join("n"), 0o755)
        }),
        ("create", |m| {
            let _ = user::unlink(&m.join("n"));
            user::open(&m.join("n"), libc::O_CREAT | libc::O_RDWR, 0o644).map(drop)
        }),
        ("tmpfile", |m| {
            user::open(m, libc::O_TMPFILE | libc::O_RDWR, 0o644).map(drop)
        }),
        ("symlink", |m| {
            let _ = user::unlink(&m.join("n"));
            user::symlink("f", &m.join("n"))
        }),
        ("rename", |m| {
            let _ = user::rename(&m.join("n"), &m.join("f"));
            user::rename(&m.join("f"), &m.join("n"))
        }),
        ("rename_below", |m| {
            let _ = user::rename(&m.join("d/f"), &m.join("f"));
            user::rename(&m.join("f"), &m.join("d/f"))
        }),
        ("unlink_below", |m| {
            let f = m.join("d/n");
            user::open(&f, libc::O_CREAT | libc::O_RDWR, 0o644)?;
            user::unlink(&f)
        }),
    ];
    asked_again(&changes, "");
}

/// The number that the kernel uses itself, as /proc shows it of an open file.
fn number_of(f: &impl AsRawFd) -> Res<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", f.as_raw_fd()))?;
    let line = text.lines().find_map(|l| l.strip_prefix("ino:"));
    Ok(line.and_then(|n| n.trim().parse().ok()).expect("ino"))
}

/// The same answer with another number of the inode.
fn numbered(answer: Answer, op: Op, ino: u64) -> Answer {
    let Answer::Ok(mut b) = answer else {
        return answer;
    };
    let at = match op {
        Op::LOOKUP => 40,
        Op::GETATTR => 16,
        Op::STATX => 64,
        _ => return Answer::Ok(b),
    };
    b[at..at + 8].copy_from_slice(&ino.to_ne_bytes());
    Answer::Ok(b)
}

/// All 64 bits of a number are the caller's, from whichever answer; what the kernel uses itself is
/// a machine word.
fn numbers_of_64_bits() {
    let word = |ino: u64| match usize::BITS {
        64 => ino,
        _ => (ino ^ (ino >> 32)) & 0xffff_ffff,
    };
    for ino in [
        0,
        1,
        0xffff_ffff,
        0x1_0000_0000,
        0x1234_5678_9abc_def0,
        u64::MAX,
    ] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.attr_valid = ZERO;
        fs.file("f", b"12345");
        let c = m.caller(|mnt, _| {
            let f = mnt.join("f");
            let mut all = vec![user::lstat(&f)?.ino];
            let fd = user::open(&f, libc::O_RDONLY, 0)?;
            all.push(user::fstat(&fd)?.ino);
            user::statx(&f, 0, libc::STATX_BTIME | STATX_BASIC_STATS)?;
            all.push(user::lstat(&f)?.ino);
            Ok::<_, Errno>((all, number_of(&fd)?))
        });
        let r: Res<(Vec<u64>, u64)> = m.serve(c, &mut |r| numbered(fs.handle(r), r.op, ino));
        assert_eq!(r, Ok((vec![ino; 3], word(ino))), "{ino:#x}");
        m.finish();
    }
}

/// The daemon may say another number later, of the same node.
fn number_that_changes() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.attr_valid = ZERO;
    let id = fs.file("f", b"12345");
    let mut seen = vec![];
    for ino in [id, 7 << 40, 9, u64::MAX - 1] {
        fs.nodes.get_mut(&id).expect("f").attr.ino = ino;
        let r: Res<(u64, u64)> = m.run(&mut fs, |mnt| {
            let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
            Ok((user::fstat(&fd)?.ino, number_of(&fd)?))
        });
        seen.push(r.map(|r| r.0));
        println!("{r:?}");
    }
    assert_eq!(seen, [Ok(id), Ok(7 << 40), Ok(9), Ok(u64::MAX - 1)]);
    let nodes: Vec<u64> = m.rec.all().iter().map(|r| r.node).collect();
    assert!(nodes.iter().all(|n| [0, ROOT, id].contains(n)), "{nodes:?}");
    m.finish();
}
