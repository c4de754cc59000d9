// SPDX-License-Identifier: GPL-2.0

//! Extended attributes: GETXATTR, and what they have in common.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{getxattr_out, message, open_out, write_out, Attr, Entry};
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Init, Mock, Request, Setup};
use suites::catalogue::{sample, summary};

use crate::badreply::opened_and_bad;

pub fn cases() -> Vec<Case> {
    cases![
        xattr_unknown,
        xattr_rules_of_the_vfs,
        getxattr_value,
        getxattr_length,
        getxattr_errors,
        getxattr_bad_lengths,
        getxattr_value_grows,
        getxattr_names,
        getxattr_capability,
        getxattr_before_writes,
        getxattr_before_writes_unknown,
        getxattr_before_other_changes,
        getxattr_refused_before_write,
        getxattr_permission,
        xattr_others,
        xattr_of_bad_inode,
    ]
}

/// A mount with a file "f" that is known.
pub(crate) fn known() -> Mock {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let r: Res<()> = m.run(&mut fs, |mnt| user::lstat(&mnt.join("f")).map(drop));
    assert_eq!(r, Ok(()));
    m
}

/// A call on "f" whose one request is answered with this: what the caller gets, the request, and
/// what the daemon's write(2) gives.
pub(crate) fn answered<T: mockd::msg::Msg>(
    m: &mut Mock,
    op: Op,
    call: impl FnOnce(&Path) -> T,
    error: i32,
    payload: &[u8],
) -> (T, Request, Res<usize>) {
    let c = m.call("f", call);
    let r = m.expect(op);
    let wrote = m.write(&message(r.unique, error, payload));
    (c.join(), r, wrote)
}

/// getxattr(2): the value as text, or its length if that is asked for.
pub(crate) fn get(p: &Path, name: &str, size: usize) -> Res<String> {
    let text = |(n, b): (usize, Vec<u8>)| if size == 0 { n.to_string() } else { summary(b) };
    user::getxattr(p, name, size).map(text)
}

/// listxattr(2), likewise.
pub(crate) fn list(p: &Path, size: usize) -> Res<String> {
    let text = |(n, b): (usize, Vec<u8>)| {
        if size == 0 {
            n.to_string()
        } else {
            format!("{:?}", String::from_utf8_lossy(&b))
        }
    };
    user::listxattr(p, size).map(text)
}

/// A daemon without extended attributes.
fn xattr_unknown() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        let mut v = vec![];
        for _ in 0..2 {
            v.push(user::getxattr(&f, "user.a", 100).map(drop));
            v.push(user::getxattr(&f, "user.a", 0).map(drop));
            v.push(user::setxattr(&f, "user.a", b"value", 0));
            v.push(user::removexattr(&f, "user.a"));
            v.push(list(&f, 100).map(drop));
            v.push(list(&f, 0).map(drop));
        }
        v
    });
    assert_eq!(r, [Err(EOPNOTSUPP); 12]);
    m.finish();
}

/// What the VFS refuses before anybody is asked: by name, by length, by the kind of the file.
fn xattr_rules_of_the_vfs() {
    let (mut m, mut fs) = (Mock::new(), sample());
    fs.xattrs = true;
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let at = |name: &str| mnt.join(name);
        let get = |name: &str, xattr: &str| user::getxattr(&at(name), xattr, 100).err();
        let set = |name: &str, xattr: &str| user::setxattr(&at(name), xattr, b"", 0).err();
        let remove = |name: &str, xattr: &str| user::removexattr(&at(name), xattr).err();

        let long = format!("user.{}", "x".repeat(251));
        for xattr in ["", &long] {
            assert_eq!(get("f", xattr), Some(ERANGE));
            assert_eq!(set("f", xattr), Some(ERANGE));
            assert_eq!(remove("f", xattr), Some(ERANGE));
        }
        let value = vec![0; 65537];
        assert_eq!(user::setxattr(&at("f"), "user.b", &value, 0), Err(E2BIG));
        assert_eq!(user::setxattr(&at("f"), "user.b", b"", 4), Err(EINVAL));
        // On files and directories only.
        assert_eq!(get("l", "user.a"), Some(ENODATA));
        assert_eq!(set("l", "user.a"), Some(EPERM));
        assert_eq!(remove("l", "user.a"), Some(EPERM));
        Ok(())
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

/// A value comes in the length that it has, as long as there is room.
fn getxattr_value() {
    let mut m = known();
    for (size, len) in [
        (1, 1),
        (1, 0),
        (100, 0),
        (100, 5),
        (100, 100),
        (4096, 4095),
        (65536, 65536),
    ] {
        let call = |p: &Path| get(p, "user.a", size);
        let (got, r, wrote) = answered(&mut m, Op::GETXATTR, call, 0, &vec![7; len]);
        assert_eq!(
            (r.node, r.get("size"), r.name()),
            (2, size as u64, "user.a".into())
        );
        assert_eq!(got, Ok(summary(vec![7; len])), "{len} of {size}");
        assert_eq!(wrote, Ok(16 + len));
    }
    // More than a value can have is not asked for.
    let call = |p: &Path| get(p, "user.a", 1 << 20);
    let (got, r, _) = answered(&mut m, Op::GETXATTR, call, 0, b"v");
    assert_eq!((got, r.get("size")), (Ok(summary(b"v")), 65536));
    m.finish();
}

/// Asked for by a size of 0. No value is longer than 64 KiB, whatever the daemon says.
fn getxattr_length() {
    let mut m = known();
    let most = 65536;
    for (said, got) in [
        (0, 0),
        (1, 1),
        (255, 255),
        (most, most),
        (most + 1, most),
        (1 << 31, most),
        (u32::MAX, most),
    ] {
        let call = |p: &Path| get(p, "user.a", 0);
        let (r, asked, _) = answered(&mut m, Op::GETXATTR, call, 0, &getxattr_out(said));
        assert_eq!(r, Ok(got.to_string()), "{said}");
        assert_eq!(asked.get("size"), 0);
    }
    // What is not used may be anything.
    let mut odd = getxattr_out(5);
    odd[4..].fill(0xff);
    let call = |p: &Path| get(p, "user.a", 0);
    let (r, ..) = answered(&mut m, Op::GETXATTR, call, 0, &odd);
    assert_eq!(r, Ok("5".into()));
    m.finish();
}

/// Errors that reach the caller of any of them as they are, and are not remembered. With ESTALE the
/// VFS would ask once more.
pub(crate) const ERRORS: &[Errno] = &[
    EPERM,
    ENOENT,
    EINTR,
    EIO,
    E2BIG,
    EACCES,
    EEXIST,
    EINVAL,
    ENOSPC,
    EROFS,
    ERANGE,
    ENODATA,
    EOPNOTSUPP,
    EDQUOT,
    Errno(511),
];

/// Each error, with a buffer and without; ENOSYS is EOPNOTSUPP for good.
fn getxattr_errors() {
    let mut m = known();
    for size in [100, 0] {
        for e in ERRORS {
            let call = |p: &Path| get(p, "user.a", size);
            let (got, ..) = answered(&mut m, Op::GETXATTR, call, -e.0, &[]);
            assert_eq!(got, Err(*e));
        }
    }
    // The VFS knows that there is no such value.
    for (size, e) in [(65535, ERANGE), (65536, E2BIG), (1 << 20, E2BIG)] {
        let call = |p: &Path| get(p, "user.a", size);
        let (got, ..) = answered(&mut m, Op::GETXATTR, call, -ERANGE.0, &[]);
        assert_eq!(got, Err(e), "{size}");
    }
    let call = |p: &Path| get(p, "user.a", 0);
    let (got, ..) = answered(&mut m, Op::GETXATTR, call, -ENOSYS.0, &[]);
    assert_eq!(got, Err(EOPNOTSUPP));
    for size in [0, 100] {
        let c = m.call("f", |p| get(p, "user.b", size));
        assert_eq!(c.join::<Res<String>>(), Err(EOPNOTSUPP));
    }
    m.finish();
}

/// An answer that is too long, and one that is not just a length: EINVAL for the daemon, EIO for
/// the caller. So is an error with something behind it.
fn getxattr_bad_lengths() {
    let mut m = known();
    for (size, error, len) in [
        (1, 0, 2),
        (100, 0, 101),
        (100, 0, 4096),
        (65536, 0, 65537),
        (0, 0, 0),
        (0, 0, 4),
        (0, 0, 7),
        (0, 0, 9),
        (0, 0, 16),
        (0, 0, 65536),
        (100, -ENODATA.0, 1),
        (0, -ENODATA.0, 8),
    ] {
        let call = |p: &Path| get(p, "user.a", size);
        let (got, _, wrote) = answered(&mut m, Op::GETXATTR, call, error, &vec![0; len]);
        assert_eq!((got, wrote), (Err(EIO), Err(EINVAL)), "{len} of {size}");
    }
    m.finish();
}

/// A caller that asks for the length first may find the value longer, shorter, or gone.
fn getxattr_value_grows() {
    let mut m = known();
    for (error, len, expected) in [
        (-ERANGE.0, 0, Err(ERANGE)),
        (0, 2, Ok(summary(vec![0; 2]))),
        (0, 0, Ok(summary(b""))),
        (-ENODATA.0, 0, Err(ENODATA)),
        (0, 6, Err(EIO)),
    ] {
        let c = m.call("f", |p| {
            let (n, _) = user::getxattr(p, "user.a", 0)?;
            get(p, "user.a", n)
        });
        let r = m.expect(Op::GETXATTR);
        m.reply(&r, &getxattr_out(5));
        let r = m.expect(Op::GETXATTR);
        assert_eq!(r.get("size"), 5);
        let _ = m.write(&message(r.unique, error, &vec![0; len]));
        assert_eq!(c.join::<Res<String>>(), expected);
    }
    m.finish();
}

/// Every namespace is the daemon's, and what has none.
fn getxattr_names() {
    let mut m = known();
    let long = format!("user.{}", "x".repeat(250));
    for name in [
        "user.a",
        "user.\u{e4} b",
        "trusted.a",
        "security.a",
        "security.selinux",
        "system.a",
        "system.posix_acl",
        "os2.a",
        "none",
        "user",
        "a.b",
        &long,
    ] {
        let call = |p: &Path| get(p, name, 100);
        let (got, r, _) = answered(&mut m, Op::GETXATTR, call, 0, b"v");
        assert_eq!((got, r.name()), (Ok(summary(b"v")), name.into()));
    }
    m.finish();
}

/// The kernel reads the capabilities of a file itself, their length first, and looks at them.
fn getxattr_capability() {
    const NAME: &str = "security.capability";
    // Of version 2, none permitted; the second is too short, the third of an unknown version.
    let good = [[0, 0, 0, 2].as_slice(), &[0; 16]].concat();
    for (value, expected) in [
        (good.clone(), Ok(summary(&good))),
        (good[..19].to_vec(), Err(EINVAL)),
        (vec![9; 20], Err(EINVAL)),
        (vec![], Err(EINVAL)),
    ] {
        let mut m = known();
        let c = m.call("f", |p| get(p, NAME, 100));
        let r = m.expect_name(Op::GETXATTR, NAME);
        assert_eq!(r.get("size"), 0);
        m.reply(&r, &getxattr_out(value.len() as u32));
        if !value.is_empty() {
            let r = m.expect_name(Op::GETXATTR, NAME);
            assert_eq!(r.get("size"), value.len() as u64);
            m.reply(&r, &value);
        } else {
            let r = m.expect_name(Op::GETXATTR, NAME);
            m.reply(&r, &getxattr_out(0));
        }
        let got: Res<String> = c.join();
        println!("{value:?}: {got:?}");
        assert_eq!(got, expected);
        m.finish();
    }
}

/// Opens "f" and does something with it, while the daemon knows no attribute but counts who asks:
/// how often it was asked for the capabilities.
fn asked_for_capabilities(answer: Answer, f: impl FnOnce(&Path) -> Res<()>) -> (Res<()>, usize) {
    let (mut m, mut fs) = (Mock::new(), sample());
    let c = m.call("", f);
    let mut asked = 0;
    let r: Res<()> = m.serve(c, &mut |r| {
        if r.op != Op::GETXATTR {
            return fs.handle(r);
        }
        assert_eq!(
            (r.name().as_str(), r.get("size")),
            ("security.capability", 0)
        );
        asked += 1;
        answer.clone()
    });
    m.finish();
    (r, asked)
}

/// Each write(2) asks again, however it goes on; but not with FOPEN_DIRECT_IO.
fn getxattr_before_writes() {
    let no = || Answer::Err(ENODATA);
    let r = asked_for_capabilities(no(), |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::pwrite(&f, b"x", 0)?;
        user::pwrite(&f, b"y", 0)?;
        user::pread(&f, 2, 0).map(drop)
    });
    assert_eq!(r, (Ok(()), 2));
    let r = asked_for_capabilities(no(), |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR | libc::O_DIRECT, 0)?;
        user::pwrite(&f, &[1; 5000], 0)?;
        user::pwrite(&f, b"", 0).map(drop)
    });
    assert_eq!(r, (Ok(()), 1));
    for name in ["h", "q"] {
        let r = asked_for_capabilities(no(), |mnt| {
            let f = user::open(&mnt.join(name), libc::O_RDWR, 0)?;
            user::pwrite(&f, b"x", 0)?;
            user::pwrite(&f, b"y", 1 << 20).map(drop)
        });
        assert_eq!(r, (Ok(()), 0), "{name}");
    }
    // A length of 0 is none, and an answer that makes no sense is none either.
    for answer in [
        Answer::Ok(getxattr_out(0)),
        Answer::Err(EIO),
        Answer::Err(EACCES),
    ] {
        let r = asked_for_capabilities(answer, |mnt| {
            let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
            user::pwrite(&f, b"x", 0).map(drop)
        });
        assert_eq!(r, (Ok(()), 1));
    }
}

/// A daemon that does not know GETXATTR is asked once.
fn getxattr_before_writes_unknown() {
    let r = asked_for_capabilities(Answer::Err(ENOSYS), |mnt| {
        for name in ["f", "g", "f"] {
            let f = user::open(&mnt.join(name), libc::O_RDWR, 0)?;
            user::pwrite(&f, b"x", 0)?;
            user::pwrite(&f, b"y", 0)?;
        }
        Ok(())
    });
    assert_eq!(r, (Ok(()), 1));
}

/// So do truncation and a new owner, but no other attribute.
fn getxattr_before_other_changes() {
    type Change = fn(&Path) -> Res<()>;
    let changes: &[(&str, Change)] = &[
        ("truncate", |p| user::truncate(p, 1)),
        ("ftruncate", |p| {
            user::ftruncate(&user::open(p, libc::O_RDWR, 0)?, 1)
        }),
        ("O_TRUNC", |p| {
            user::open(p, libc::O_RDWR | libc::O_TRUNC, 0).map(drop)
        }),
        ("chown", |p| user::lchown(p, 1, 2)),
        ("chmod", |p| user::chmod(p, 0o600)),
        ("utimes", |p| user::utimes(p, Some((1, 0)), Some((2, 0)))),
    ];
    for (what, change) in changes {
        let change = *change;
        let r = asked_for_capabilities(Answer::Err(ENODATA), move |mnt| change(&mnt.join("f")));
        println!("{what}: {r:?}");
        assert_eq!(r.0, Ok(()), "{what}");
        let asks = !matches!(*what, "chmod" | "utimes");
        assert_eq!(r.1 > 0, asks, "{what}: {r:?}");
    }
}

/// An answer to it that no daemon gives: the write goes on, as nothing is known.
fn getxattr_refused_before_write() {
    for (error, payload) in [
        (0, vec![]),
        (0, vec![0; 9]),
        (-ENODATA.0, vec![0; 8]),
        (-511, vec![]),
    ] {
        let mut m = Mock::new();
        let c = m.call("f", |p| {
            let f = user::open(p, libc::O_WRONLY, 0)?;
            user::pwrite(&f, b"x", 0)
        });
        let r = m.expect_name(Op::LOOKUP, "f");
        m.reply(&r, &Entry::new(Attr::file(2, 4)).bytes());
        let r = m.expect(Op::OPEN);
        m.reply(&r, &open_out(1, 0));
        let r = m.expect_name(Op::GETXATTR, "security.capability");
        let wrote = m.write(&message(r.unique, error, &payload));
        println!("{wrote:?}");
        let r = m.expect(Op::WRITE);
        m.reply(&r, &write_out(1));
        let r = m.expect(Op::FLUSH);
        m.reply(&r, &[]);
        assert_eq!(c.join::<Res<usize>>(), Ok(1));
        m.finish();
    }
}

const NOBODY: u32 = 65534;

/// With default_permissions "user." is read by who may read the file, "trusted." by who has
/// CAP_SYS_ADMIN; the rest is the daemon's to refuse, as is all without.
fn getxattr_permission() {
    for default_permissions in [false, true] {
        let mut setup = Setup::default().opt("allow_other", "");
        if default_permissions {
            setup = setup.opt("default_permissions", "");
        }
        let (mut m, mut fs) = (Mock::with(&setup, &Init::plain()), Memfs::new());
        fs.xattrs = true;
        for (name, mode) in [("mine", 0o600), ("all", 0o644)] {
            let node = fs.add(ROOT, name, libc::S_IFREG | mode, b"");
            let xattrs = &mut fs.nodes.get_mut(&node).expect("just made").xattrs;
            for name in ["user.a", "trusted.a", "security.a", "system.a", "none"] {
                xattrs.insert(name.into(), name.into());
            }
        }
        let r: Vec<Res<String>> = m.run(&mut fs, |mnt| {
            user::become_user(NOBODY, NOBODY);
            let names = ["user.a", "trusted.a", "security.a", "system.a", "none"];
            let of = |file: &'static str| names.map(|name| get(&mnt.join(file), name, 100));
            [of("mine"), of("all")].concat()
        });
        let some = |name: &str| Ok(summary(name));
        let refused = if default_permissions {
            Err(EACCES)
        } else {
            some("user.a")
        };
        let none = if default_permissions {
            Err(EACCES)
        } else {
            some("none")
        };
        let (security, system) = (some("security.a"), some("system.a"));
        let mine = [
            refused,
            Err(ENODATA),
            security.clone(),
            system.clone(),
            none,
        ];
        let all = [some("user.a"), Err(ENODATA), security, system, some("none")];
        assert_eq!(r, [mine, all].concat());
        m.finish();
    }
}

/// Without allow_other others are kept out, even those that have the file open; but for names that
/// the VFS does not look at.
fn xattr_others() {
    let (mut m, mut fs) = (Mock::new(), sample());
    fs.xattrs = true;
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0).expect("open");
        user::become_user(NOBODY, NOBODY);
        let names = ["user.a", "trusted.a", "security.a", "system.a"];
        let open = names.map(|name| user::fgetxattr(&f, name, 100).map(drop));
        let path = get(&mnt.join("f"), "user.a", 100).map(drop);
        let list = [0, 100].map(|size| user::flistxattr(&f, size).map(drop));
        [open.to_vec(), vec![path], list.to_vec()].concat()
    });
    let (out, none) = (Err(EACCES), Err(ENODATA));
    assert_eq!(r, [out, none, none, none, out, out, out]);
    assert_eq!(
        (m.rec.count(Op::GETXATTR), m.rec.count(Op::LISTXATTR)),
        (2, 0)
    );
    m.finish();
}

/// Of an inode that has turned out to be another there are none.
fn xattr_of_bad_inode() {
    let mut m = Mock::new();
    let c = m.call("f", |p| {
        let f = user::open(p, libc::O_RDONLY, 0).expect("open");
        let stat = user::fstat(&f).map(drop);
        let get = |size| user::fgetxattr(&f, "security.a", size).map(drop);
        let list = |size| user::flistxattr(&f, size).map(drop);
        let r: Vec<Res<()>> = vec![stat, get(0), get(100), list(0), list(100)];
        r
    });
    opened_and_bad(&mut m);
    assert_eq!(c.join::<Vec<Res<()>>>(), [Err(EIO); 5]);
    m.finish();
}
