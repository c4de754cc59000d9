// SPDX-License-Identifier: GPL-2.0

//! Replies that no honest daemon sends: wrong lengths, wrong types, wrong numbers.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{attr_out, message, open_out, Entry, LONG};
use mockd::user;
use mockd::wire::{self, Op, Shape, ROOT};
use mockd::{Attr, Mock};
use suites::catalogue::{self, Names, Place, Row, Unknown};

pub fn cases() -> Vec<Case> {
    cases![
        lengths_of_every_reply,
        error_with_payload,
        lookup_bad_mode,
        lookup_bad_size,
        lookup_root_as_child,
        lookup_self_as_child,
        create_bad,
        mkdir_is_a_file,
        mknod_other_type,
        symlink_is_a_file,
        link_other_type,
        getattr_other_type,
        getattr_bad_size,
        setattr_other_type,
        setattr_of_bad_inode,
        nlink_zero,
        times_out_of_range,
        blksize_odd,
        huge_ids,
        attr_flags_unknown,
    ]
}

/// One call whose request `op` is answered with what `payload` makes of the honest answer.
pub(crate) fn with_payload<T: mockd::msg::Msg>(
    op: Op,
    fs: &mut Memfs,
    f: impl FnOnce(&Path) -> T,
    payload: impl Fn(Vec<u8>) -> Vec<u8>,
) -> (T, Vec<Res<usize>>) {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| f(mnt));
    let mut c = [c];
    let mut wrote = Vec::new();
    let start = std::time::Instant::now();
    while !c[0].ended() {
        assert!(
            start.elapsed() < ktap::patience(),
            "{op:?}: the caller does not end: {}",
            c[0].state()
        );
        if !m.pending() {
            continue;
        }
        let r = m.request();
        let a = fs.handle(&r);
        match (r.op == op, a) {
            (true, Answer::Ok(b)) => wrote.push(m.write(&message(r.unique, 0, &payload(b)))),
            (_, a) => drop(m.answer(&r, &a)),
        }
    }
    let [c] = c;
    let v = c.join();
    m.finish();
    (v, wrote)
}

pub(crate) fn sample() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", b"text");
    fs.dir("d");
    fs.add(ROOT, "l", libc::S_IFLNK | 0o777, b"f");
    fs
}

/// The same with a call of the catalogue.
fn row_with_payload(row: &Row, payload: impl Fn(Vec<u8>) -> Vec<u8>) -> (Res<()>, Vec<Res<usize>>) {
    let mut fs = catalogue::sample();
    (row.files)(&mut fs);
    let make = |mnt: &Path| (row.ready)(&Place::new(mnt, Names::ROOT))?.run();
    with_payload(row.op, &mut fs, make, payload)
}

/// Too short and too long: the write gets EINVAL and the caller EIO, for each operation whose
/// answer has one length.
fn lengths_of_every_reply() {
    let one_length = |row: &&Row| {
        let some = [Shape::Data, Shape::Text, Shape::Dirents, Shape::Ioctl];
        row.is_waited_for()
            && row.unknown != Unknown::Otherwise
            && !some.contains(&wire::answer(row.op))
    };
    let mut bad = Vec::new();
    for row in catalogue::main().filter(one_length) {
        for delta in [-8i64, -1, 1, 8, 4096, i64::MIN] {
            if !row.has_payload() && delta < 0 {
                continue;
            }
            let (r, w) = row_with_payload(row, |mut b: Vec<u8>| {
                let n = (b.len() as i64).saturating_add(delta).max(0) as usize;
                b.resize(n, 0);
                b
            });
            if r != Err(EIO) || !w.contains(&Err(EINVAL)) {
                bad.push(format!("{} {delta}: caller {r:?}, daemon {w:?}", row.name));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// An error comes alone: with a payload it is EINVAL for the daemon and EIO for the caller.
fn error_with_payload() {
    let mut m = Mock::new();
    let c = m.call("f", |p| user::lstat(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "f");
    assert_eq!(
        m.write(&message(r.unique, -libc::ENOENT, &[0; 8])),
        Err(EINVAL)
    );
    assert_eq!(c.join::<Res<()>>(), Err(EIO));
    m.finish();
}

/// Answers the lookup of "f" with `e`, and gives what lstat says.
fn lookup(e: Entry) -> Res<user::Stat> {
    let mut m = Mock::new();
    let c = m.call("f", user::lstat);
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &e.bytes());
    let v = c.join();
    m.finish();
    v
}

fn lookup_bad_mode() {
    for mode in [0, 0o644, 0o170_000, 0o030_000, 0o110_000, u32::MAX] {
        let r = lookup(Entry::new(Attr::file(2, 1).mode(mode)));
        assert_eq!(r.err(), Some(EIO), "{mode:#o}");
    }
    // Bits beyond the mode are not looked at.
    let r = lookup(Entry::new(
        Attr::file(2, 1).mode(0x1_0000 | libc::S_IFREG | 0o600),
    ));
    println!("{r:?}");
}

fn lookup_bad_size() {
    for size in [1 << 63, u64::MAX] {
        assert_eq!(lookup(Entry::new(Attr::file(2, size))).err(), Some(EIO));
    }
    assert_eq!(
        lookup(Entry::new(Attr::file(2, i64::MAX as u64))).map(|s| s.size),
        Ok(i64::MAX as u64)
    );
}

/// The root is nobody's child.
fn lookup_root_as_child() {
    assert_eq!(lookup(Entry::new(Attr::dir(ROOT))).err(), Some(EIO));
    let odd = Entry {
        generation: 9,
        ..Entry::new(Attr::dir(ROOT))
    };
    assert_eq!(lookup(odd).err(), Some(EIO));
}

/// A directory that contains itself.
fn lookup_self_as_child() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        (
            user::lstat(&mnt.join("d")).map(drop),
            user::lstat(&mnt.join("d/d")).map(drop),
        )
    });
    for _ in 0..2 {
        let r = m.expect_name(Op::LOOKUP, "d");
        m.reply(&r, &Entry::new(Attr::dir(5)).bytes());
    }
    let r: (Res<()>, Res<()>) = c.join();
    assert_eq!(r, (Ok(()), Err(ELOOP)));
    m.finish();
}

fn create_bad() {
    let good = Entry::new(Attr::file(9, 0));
    let rows = [
        ("a directory", Entry::new(Attr::dir(9))),
        ("a link", Entry::new(Attr::symlink(9, 1))),
        ("no node", Entry { node: 0, ..good }),
        ("the root", Entry { node: ROOT, ..good }),
        ("huge", Entry::new(Attr::file(9, u64::MAX))),
    ];
    for (what, e) in rows {
        let mut m = Mock::new();
        let c = m.call("f", |p| {
            user::open(p, libc::O_CREAT | libc::O_RDWR, 0o644).map(drop)
        });
        let r = m.expect_name(Op::LOOKUP, "f");
        m.fail(&r, ENOENT);
        let r = m.expect_name(Op::CREATE, "f");
        let mut b = e.bytes();
        b.extend(open_out(1, 0));
        m.reply(&r, &b);
        assert_eq!(c.join::<Res<()>>(), Err(EIO), "{what}");
        m.finish();
    }
}

/// A call of the catalogue that makes something gets `e` for it.
fn made(name: &str, e: Entry) -> Res<()> {
    row_with_payload(catalogue::find(name), |_| e.bytes()).0
}

fn mkdir_is_a_file() {
    let no_node = Entry {
        node: 0,
        ..Entry::new(Attr::dir(90))
    };
    assert_eq!(made("mkdir", Entry::new(Attr::file(90, 0))), Err(EIO));
    assert_eq!(made("mkdir", no_node), Err(EIO));
    assert_eq!(made("mkdir", Entry::new(Attr::dir(ROOT))), Err(EIO));
    assert_eq!(made("mkdir", Entry::new(Attr::dir(90))), Ok(()));
}

fn mknod_other_type() {
    let pipe = Attr::file(90, 0).mode(libc::S_IFIFO | 0o600);
    assert_eq!(made("mknod", Entry::new(Attr::file(90, 0))), Err(EIO));
    assert_eq!(made("mknod", Entry::new(Attr::dir(90))), Err(EIO));
    assert_eq!(made("mknod", Entry::new(pipe)), Ok(()));
}

fn symlink_is_a_file() {
    assert_eq!(made("symlink", Entry::new(Attr::file(90, 0))), Err(EIO));
}

/// LINK must give the same kind; another node of it is taken as it is.
fn link_other_type() {
    let no_node = Entry {
        node: 0,
        ..Entry::new(Attr::file(90, 0))
    };
    assert_eq!(made("link", Entry::new(Attr::dir(90))), Err(EIO));
    assert_eq!(made("link", no_node), Err(EIO));
    let r = made("link", Entry::new(Attr::file(90, 0)));
    println!("another node: {r:?}");
    assert_eq!(r, Ok(()));
}

/// GETATTR of another type makes the inode bad for good.
fn getattr_other_type() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        let f = mnt.join("f");
        (0..3)
            .map(|_| user::lstat(&f).map(drop))
            .collect::<Vec<Res<()>>>()
    });
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &Entry::new(Attr::file(2, 1)).attr_valid((0, 0)).bytes());
    let r = m.expect(Op::GETATTR);
    m.reply(&r, &mockd::reply::attr_out(LONG, &Attr::dir(2)));
    // A bad inode's entry is looked up anew.
    let mut c = [c];
    m.serve_all(&mut c, &mut |r| match r.op {
        Op::LOOKUP => Answer::Ok(Entry::new(Attr::file(2, 1)).bytes()),
        _ => Answer::None,
    });
    let [c] = c;
    let v: Vec<Res<()>> = c.join();
    println!("{v:?}");
    assert_eq!(v, [Err(EIO), Ok(()), Ok(())]);
    m.finish();
}

fn getattr_bad_size() {
    let mut m = Mock::new();
    let c = m.call("f", |p| user::lstat(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &Entry::new(Attr::file(2, 1)).attr_valid((0, 0)).bytes());
    let r = m.expect(Op::GETATTR);
    m.reply(&r, &mockd::reply::attr_out(LONG, &Attr::file(2, u64::MAX)));
    assert_eq!(c.join::<Res<()>>(), Err(EIO));
    m.finish();
}

fn setattr_other_type() {
    let mut fs = sample();
    let (r, _) = with_payload(
        Op::SETATTR,
        &mut fs,
        |m| {
            (
                user::chmod(&m.join("f"), 0o600),
                user::lstat(&m.join("f")).map(drop),
            )
        },
        |_| mockd::reply::attr_out(LONG, &Attr::dir(2)),
    );
    println!("{r:?}");
    assert_eq!(r.0, Err(EIO));
}

/// A caller opens "f", and its fstat(2) hears that it has become a directory: the inode is bad.
#[track_caller]
pub(crate) fn opened_and_bad(m: &mut Mock) {
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &Entry::new(Attr::file(2, 4)).attr_valid((0, 0)).bytes());
    let r = m.expect(Op::OPEN);
    m.reply(&r, &open_out(1, 0));
    let r = m.expect(Op::GETATTR);
    m.reply(&r, &attr_out(LONG, &Attr::dir(2)));
}

/// On a bad inode nothing is sent any more.
fn setattr_of_bad_inode() {
    let mut m = Mock::new();
    let mut fs = sample();
    let c = m.caller(|mnt, _| {
        let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        let first = user::fchmod(&fd, 0o600);
        Ok::<_, Errno>(vec![
            first,
            user::fchmod(&fd, 0o600),
            user::ftruncate(&fd, 0),
            user::fstat(&fd).map(drop),
            user::pread(&fd, 1, 0).map(drop),
            user::pwrite(&fd, b"x", 0).map(drop),
            user::fsync(&fd),
        ])
    });
    let mut set = 0;
    let r: Res<Vec<Res<()>>> = m.serve(c, &mut |r| {
        if r.op == Op::SETATTR {
            set += 1;
            return Answer::Ok(mockd::reply::attr_out(LONG, &Attr::dir(2)));
        }
        fs.handle(r)
    });
    assert_eq!(r, Ok(vec![Err(EIO); 7]));
    assert_eq!(set, 1);
    m.finish();
}

/// A file without links, or with the most: what unlink makes of it is no trouble.
fn nlink_zero() {
    for n in [0, 1, u32::MAX] {
        let mut fs = sample();
        let f = fs
            .nodes
            .values_mut()
            .find(|n| n.data == b"text")
            .expect("f");
        f.attr.nlink = n;
        let mut m = Mock::new();
        let c = m.caller(|mnt, _| {
            let a = user::lstat(&mnt.join("f"))?.nlink;
            user::link(&mnt.join("f"), &mnt.join("g"))?;
            user::unlink(&mnt.join("f"))?;
            Ok::<_, Errno>(a)
        });
        let r: Res<u64> = m.serve(c, &mut |r| match r.op {
            Op::UNLINK => Answer::Ok(vec![]),
            Op::LINK => Answer::Ok(
                Entry::new(Attr {
                    nlink: n,
                    ..Attr::file(2, 4)
                })
                .bytes(),
            ),
            _ => fs.handle(r),
        });
        println!("nlink {n}: {r:?}");
        // The VFS links nothing that has no link.
        assert_eq!(
            r,
            if n == 0 {
                Err(ENOENT)
            } else {
                Ok(u64::from(n))
            }
        );
        m.finish();
    }
}

fn times_out_of_range() {
    let attr = Attr {
        atime: u64::MAX,
        mtime: 1 << 63,
        ctime: 5,
        atimensec: u32::MAX,
        mtimensec: 1_000_000_000,
        ..Attr::file(2, 1)
    };
    let r = lookup(Entry::new(attr));
    println!("{r:?}");
    assert!(r.is_ok());
}

fn blksize_odd() {
    for b in [0, 1, 3, 511, 4097, 1 << 31, u32::MAX] {
        let r = lookup(Entry::new(Attr {
            blksize: b,
            ..Attr::file(2, 1)
        }));
        println!("blksize {b}: {:?}", r.map(|s| s.blksize));
        assert!(r.is_ok());
    }
}

fn huge_ids() {
    let r = lookup(Entry::new(Attr::file(2, 1).owner(u32::MAX, u32::MAX)));
    println!("{r:?}");
    assert_eq!(r.map(|s| (s.uid, s.gid)), Ok((65534, 65534)));
    let r = lookup(Entry {
        node: u64::MAX,
        ..Entry::new(Attr::file(u64::MAX, 1))
    });
    assert_eq!(r.map(|s| s.ino), Ok(u64::MAX));
}

/// Unknown bits of the attributes' flags mean nothing; SUBMOUNT is for those who were offered it.
fn attr_flags_unknown() {
    let r = lookup(Entry::new(Attr {
        flags: !3,
        ..Attr::file(2, 1)
    }));
    assert_eq!(r.map(|s| s.size), Ok(1));
}
