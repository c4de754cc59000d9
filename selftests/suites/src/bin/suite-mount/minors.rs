// SPDX-License-Identifier: GPL-2.0

//! Every minor version from 7.1 on: how long each message is, and what the kernel leaves alone
//! because the daemon is too old for it.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{as_long_as_then, message, Statfs};
use mockd::user;
use mockd::wire::{Op, IN_HEADER, MINOR};
use mockd::{Init, Mock, Request, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        minors_of_their_time,
        minors_with_all_flags,
        minors_to_come,
        minors_answered_too_long,
        minors_answered_too_short,
        init_replies_of_each_length,
    ]
}

/// The flags a daemon may set, by the minor that they came with.
const SINCE: &[(u32, &str)] = &[
    (6, "ASYNC_READ"),
    (7, "POSIX_LOCKS"),
    (9, "ATOMIC_O_TRUNC"),
    (9, "EXPORT_SUPPORT"),
    (9, "BIG_WRITES"),
    (12, "DONT_MASK"),
    (17, "FLOCK_LOCKS"),
    (20, "AUTO_INVAL_DATA"),
    (21, "DO_READDIRPLUS"),
    (21, "READDIRPLUS_AUTO"),
    (22, "ASYNC_DIO"),
    (23, "NO_OPEN_SUPPORT"),
    (25, "PARALLEL_DIROPS"),
    (27, "ABORT_ERROR"),
    (28, "MAX_PAGES"),
    (28, "CACHE_SYMLINKS"),
    (29, "NO_OPENDIR_SUPPORT"),
    (33, "HANDLE_KILLPRIV_V2"),
    (33, "SETXATTR_EXT"),
    (36, "INIT_EXT"),
    (38, "CREATE_SUPP_GROUP"),
    (38, "HAS_EXPIRE_ONLY"),
    (39, "DIRECT_IO_ALLOW_MMAP"),
];

/// What a daemon of `minor` that has all flags before 7.`known` answers to INIT.
fn init(minor: u32, known: u32) -> Init {
    let none = Init {
        minor,
        flags: 0,
        ..Init::plain()
    };
    let flags = SINCE.iter().filter(|f| f.0 <= known);
    flags.fold(none, |init, f| init.with(f.1))
}

/// As many bytes of it as daemons of that minor wrote.
fn init_bytes(minor: u32) -> Vec<u8> {
    let mut b = init(minor, minor).bytes();
    b.truncate(match minor {
        ..=4 => 8,
        5..=22 => 24,
        _ => 64,
    });
    b
}

const STATFS: Statfs = Statfs {
    blocks: 1000,
    bfree: 500,
    bavail: 400,
    files: 100,
    ffree: 50,
    bsize: 4096,
    namelen: 77,
    frsize: 512,
};

/// Everything whose form or way depends on the minor version; what each call gave.
fn tour(at: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut say = |what: &str, r: Res<String>| all.push(format!("{what}: {r:?}"));
    let unit = |r: Res<()>| r.map(|()| String::new());
    // SAFETY: an integer.
    unsafe { libc::umask(0o027) };
    say("root", user::lstat(at).map(|s| format!("{:o}", s.mode)));
    say("statfs", user::statfs(at).map(|s| format!("{s:?}")));
    say("mkdir", unit(user::mkdir(&at.join("d"), 0o777)));
    let mode = libc::S_IFREG | 0o666;
    say("mknod", unit(user::mknod(&at.join("n"), mode, 0)));
    let mode = libc::S_IFCHR | 0o666;
    say("device", unit(user::mknod(&at.join("z"), mode, 0x105)));
    say("symlink", unit(user::symlink("text", &at.join("l"))));
    say("readlink", user::readlink(&at.join("l")));
    say("link", unit(user::link(&at.join("n"), &at.join("h"))));
    let file = || {
        let flags = libc::O_CREAT | libc::O_RDWR;
        let f = user::open(&at.join("f"), flags, 0o666)?;
        let wrote = user::pwrite(&f, &[b'w'; 9000], 0)?;
        let read = user::pread(&f, 3, 8999)?;
        user::ftruncate(&f, 10)?;
        user::fchmod(&f, 0o4755)?;
        let s = user::fstat(&f)?;
        user::close(f)?;
        Ok(format!("{wrote} {read:?} {:o} {}", s.mode, s.size))
    };
    say("file", file());
    let trunc = || {
        let flags = libc::O_WRONLY | libc::O_TRUNC;
        user::close(user::open(&at.join("f"), flags, 0)?)?;
        user::lstat(&at.join("f")).map(|s| s.size.to_string())
    };
    say("truncate", trunc());
    let (n, m) = (at.join("n"), at.join("m"));
    say("set", unit(user::setxattr(&n, "user.a", b"value", 0)));
    let value = user::getxattr(&n, "user.a", 9);
    say("get", value.map(|v| format!("{v:?}")));
    let times = user::utimes(&n, Some((5, 6)), Some((7, 8)));
    say("times", unit(times));
    let ioctl = || {
        let d = user::open(&at.join("d"), libc::O_RDONLY, 0)?;
        let n = user::ioctl(&d, user::command(true, true, 8), &mut [1; 8])?;
        Ok(n.to_string())
    };
    say("ioctl of a directory", ioctl());
    let new = user::rename2(&n, &m, libc::RENAME_NOREPLACE);
    say("renameat2", unit(new));
    say("rename", unit(user::rename(&at.join("h"), &m)));
    say("list", user::list(at).map(|l| l.join(" ")));
    say("unlink", unit(user::unlink(&m)));
    say("rmdir", unit(user::rmdir(&at.join("d"))));
    all
}

/// Lengths of what the daemon received, beside the header and names.
fn check_lengths(r: &Request) {
    let len = r.fixed();
    let want = match r.op {
        Op::WRITE if r.minor < 9 => 24,
        Op::WRITE => 40,
        Op::MKNOD | Op::CREATE if r.minor < 12 => 8,
        Op::MKNOD | Op::CREATE => 16,
        _ => return,
    };
    assert_eq!(len, want, "{r:?}");
    let rest = match r.op {
        Op::WRITE => r.get("size") as usize,
        // One character, and NUL.
        _ => 2 + 8 * usize::from(r.extlen),
    };
    assert_eq!(r.len(), IN_HEADER + len + rest, "{r:?}");
}

/// Mounts, answers INIT with `reply`, and gives what the tour says.
fn toured(minor: u32, reply: &[u8]) -> Vec<String> {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    m.reply(&r, reply);
    let mut fs = Memfs::new();
    (fs.xattrs, fs.ioctls) = (true, true);
    let c = m.caller(|mnt, _| tour(mnt));
    let said: Vec<String> = m.serve(c, &mut |r| {
        assert_eq!(r.minor, minor);
        check_lengths(r);
        match r.op {
            Op::STATFS => Answer::Ok(as_long_as_then(r, STATFS.bytes())),
            _ => fs.handle(r),
        }
    });
    m.finish();
    said
}

/// What the tour says at each minor, as far as it depends on that.
fn check_tour(minor: u32, said: &[String]) {
    let says = |what: &str| {
        let of = |line: &&String| line.split(": ").next() == Some(what);
        said.iter().find(of).expect(what).clone()
    };
    // The size of fragments is not in the short form: it is that of blocks then.
    let frsize = if minor < 4 { 4096 } else { 512 };
    let statfs = says("statfs");
    assert!(
        statfs.contains(&format!(" 77, {frsize}]")),
        "7.{minor}: {statfs}"
    );
    let new = says("renameat2");
    assert_eq!(new.contains("EINVAL"), minor < 23, "7.{minor}: {new}");
    let ioctl = says("ioctl of a directory");
    assert_eq!(ioctl.contains("ENOTTY"), minor < 18, "7.{minor}: {ioctl}");
    for what in [
        "root", "mkdir", "mknod", "link", "file", "truncate", "set", "times", "rmdir",
    ] {
        assert!(says(what).contains("Ok("), "7.{minor}: {}", says(what));
    }
}

/// Daemons as they were: INIT's answer of their length, and no flag that came later.
fn minors_of_their_time() {
    for minor in 1..=MINOR {
        let said = toured(minor, &init_bytes(minor));
        check_tour(minor, &said);
    }
}

/// What a daemon says that no such daemon can know: which of it counts, C decides.
fn minors_with_all_flags() {
    for minor in [1, 4, 5, 6, 8, 9, 11, 12, 16, 17, 18, 22, 23, 31, 35, 45] {
        let said = toured(minor, &init(minor, MINOR).bytes());
        check_tour(minor, &said);
    }
}

/// Newer daemons are taken at their word.
fn minors_to_come() {
    for minor in [MINOR + 1, 1000, u32::MAX] {
        let said = toured(minor, &init(minor, MINOR).bytes());
        check_tour(minor, &said);
    }
}

/// An operation whose answer has grown, and the minor with which it did.
const GROWN: &[(Op, u32, usize)] = &[
    (Op::STATFS, 4, 80),
    (Op::LOOKUP, 9, 128),
    (Op::MKNOD, 9, 128),
    (Op::MKDIR, 9, 128),
    (Op::SYMLINK, 9, 128),
    (Op::LINK, 9, 128),
    (Op::CREATE, 9, 144),
    (Op::GETATTR, 9, 104),
    (Op::SETATTR, 9, 104),
];

/// A call that makes the operation, of a mount with "f" in it.
fn call(op: Op, at: &Path) -> Res<()> {
    let (f, new) = (at.join("f"), at.join("new"));
    match op {
        Op::STATFS => user::statfs(at).map(drop),
        Op::LOOKUP => user::lstat(&f).map(drop),
        Op::MKNOD => user::mknod(&new, libc::S_IFREG | 0o644, 0),
        Op::MKDIR => user::mkdir(&new, 0o755),
        Op::SYMLINK => user::symlink("text", &new),
        Op::LINK => user::link(&f, &new),
        Op::CREATE => user::open(&new, libc::O_CREAT | libc::O_WRONLY, 0o644).map(drop),
        Op::GETATTR => user::lstat(at).map(drop),
        Op::SETATTR => user::chmod(&f, 0o600),
        _ => unreachable!(),
    }
}

/// Answers an operation with so many bytes, to a daemon of `minor`: refused, and the caller's EIO.
fn refused(op: Op, minor: u32, len: usize) {
    let mut m = Mock::with(&Setup::default(), &init(minor, minor));
    let mut fs = Memfs::new();
    fs.file("f", b"text");
    let c = m.caller(|mnt, _| call(op, mnt));
    let r = m.serve_until(op, &mut fs);
    let Answer::Ok(mut b) = fs.handle(&r) else {
        panic!("7.{minor}: {r:?}");
    };
    b.resize(len, 0);
    let wrote = m.write(&message(r.unique, 0, &b));
    assert_eq!(wrote, Err(EINVAL), "7.{minor}: {r:?}");
    let got: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(got, Err(EIO), "7.{minor}: {op:?}");
    m.finish();
}

/// The form of today, before it was.
fn minors_answered_too_long() {
    for &(op, since, len) in GROWN {
        refused(op, since - 1, len);
        refused(op, 1, len);
    }
}

/// The form of old, when it is no more.
fn minors_answered_too_short() {
    for &(op, since, len) in GROWN {
        let old = match op {
            Op::STATFS => 48,
            _ => len - 8,
        };
        refused(op, since, old);
        refused(op, MINOR, old);
    }
}

/// What is missing of the answer to INIT is zero, wherever it is cut.
fn init_replies_of_each_length() {
    let whole = Init::plain().bytes();
    assert_eq!(whole.len(), 64);
    for len in 0..=whole.len() {
        let mut m = Mock::uninit(&Setup::default());
        let r = m.expect(Op::INIT);
        m.reply(&r, &whole[..len]);
        let mut fs = Memfs::new();
        fs.file("f", b"");
        let got: Res<usize> = m.run(&mut fs, |mnt| {
            let f = user::open(&mnt.join("f"), libc::O_WRONLY, 0)?;
            user::pwrite(&f, &[1; 20_000], 0)
        });
        let want = if len == 0 {
            Err(ECONNREFUSED)
        } else {
            Ok(20_000)
        };
        assert_eq!(got, want, "{len} bytes");
        m.finish();
    }
}
