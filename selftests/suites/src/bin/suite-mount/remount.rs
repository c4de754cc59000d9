// SPDX-License-Identifier: GPL-2.0

//! Remounting, by both interfaces: what changes, what is ignored, and what is refused.

use std::os::fd::{AsFd, AsRawFd};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{fspick, mount, mounts_of, umount, Context};
use mockd::wire::Op;
use mockd::{user, Api, Init, Mock, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        remount_ignores_each_option,
        remount_with_each_flag,
        reconfigure_refuses_each_option,
        reconfigure_with_each_flag,
        mandatory_locks_refused,
        remount_while_written,
        remount_there_and_back,
        remount_asks_nothing,
        remount_of_the_dead,
        remount_of_a_bind_mount,
        reconfigure_where_it_was_made,
    ]
}

/// Every option there is, and one that is none.
const OPTIONS: &[(&str, &str)] = &[
    ("source", "other"),
    ("fd", "0"),
    ("fd", "9999"),
    ("fd", ""),
    ("rootmode", "100000"),
    ("rootmode", "x"),
    ("user_id", "5"),
    ("group_id", "5"),
    ("default_permissions", ""),
    ("allow_other", ""),
    ("max_read", "4096"),
    ("max_read", "x"),
    ("blksize", "512"),
    ("subtype", "other"),
    ("nonsense", ""),
    ("nonsense", "1"),
];

const USUAL: u64 = libc::MS_NOSUID | libc::MS_NODEV;

/// The line of a mount, without where it is.
fn line(m: &Mock) -> String {
    let line = mounts_of(&m.mnt).remove(0);
    line.replace(m.mnt.to_str().expect("utf-8"), "MNT")
}

/// mount(2) takes them all for compatibility, good or bad.
fn remount_ignores_each_option() {
    let m = Mock::new();
    let before = line(&m);
    for (key, value) in OPTIONS {
        let data = match *value {
            "" => key.to_string(),
            value => format!("{key}={value}"),
        };
        let flags = libc::MS_REMOUNT | USUAL;
        assert_eq!(
            mount("mockd", &m.mnt, "fuse", flags, &data),
            Ok(()),
            "{data}"
        );
        assert_eq!(line(&m), before, "{data}");
    }
    m.finish();
}

/// Those of the superblock and those of the mount.
fn remount_with_each_flag() {
    let m = Mock::new();
    let before = line(&m);
    for (name, flag) in [
        ("ro", libc::MS_RDONLY),
        ("sync", libc::MS_SYNCHRONOUS),
        ("dirsync", libc::MS_DIRSYNC),
        ("lazytime", 1 << 25),
        ("posixacl", libc::MS_POSIXACL),
        ("i_version", libc::MS_I_VERSION),
        ("silent", libc::MS_SILENT),
        ("noexec", libc::MS_NOEXEC),
        ("noatime", libc::MS_NOATIME),
        ("nodiratime", libc::MS_NODIRATIME),
        ("relatime", libc::MS_RELATIME),
        ("strictatime", libc::MS_STRICTATIME),
    ] {
        let flags = libc::MS_REMOUNT | USUAL | flag;
        let r = mount("mockd", &m.mnt, "fuse", flags, "");
        assert_eq!(r, Ok(()), "{name}");
        m.rec.note(format!("{name}: {}", line(&m)));
        let back = libc::MS_REMOUNT | USUAL;
        assert_eq!(mount("mockd", &m.mnt, "fuse", back, ""), Ok(()), "{name}");
    }
    // What was set goes when it is not set again.
    let after = line(&m);
    m.rec.note(after.clone());
    assert_eq!(after.contains(" rw,"), before.contains(" rw,"));
    m.finish();
}

/// A context on a mount says so, of good and bad ones.
fn reconfigure_refuses_each_option() {
    let m = Mock::new();
    let before = line(&m);
    for (key, value) in OPTIONS {
        let c = fspick(&m.mnt).expect("fspick");
        let r = match *value {
            "" => c.flag(key),
            value => c.set(key, value),
        };
        assert_eq!(r, Err(EINVAL), "{key}={value}");
        let said = ["e fuse: No changes allowed in reconfigure"];
        assert_eq!(c.log(), said, "{key}={value}");
        // It goes on with what it has, which is nothing.
        m.rec.note(format!("{key}={value}: {:?}", c.reconfigure()));
    }
    assert_eq!(line(&m), before);
    m.finish();
}

fn reconfigure_with_each_flag() {
    let m = Mock::new();
    for name in [
        "ro",
        "rw",
        "sync",
        "async",
        "dirsync",
        "lazytime",
        "nolazytime",
        "nomand",
        "silent",
        "posixacl",
        "noexec",
        "nosuid",
        "defaults",
        "remount",
        "lsm",
    ] {
        let c = fspick(&m.mnt).expect("fspick");
        let set = c.flag(name);
        let done = c.reconfigure();
        let text = format!("{name}: {set:?} {:?} {done:?} {}", c.log(), line(&m));
        println!("{text}");
        m.rec.note(text);
    }
    m.finish_compared();
}

/// There have been none since long; FUSE has never had any.
fn mandatory_locks_refused() {
    let m = Mock::new();
    let before = line(&m);
    // Nor is anything else done then. Taken back, it was nothing.
    for (flags, result) in [
        (&["mand"][..], Err(EINVAL)),
        (&["ro", "mand"], Err(EINVAL)),
        (&["mand", "nomand"], Ok(())),
    ] {
        let c = fspick(&m.mnt).expect("fspick");
        for flag in flags {
            assert_eq!(c.flag(flag), Ok(()), "{flags:?}");
        }
        assert_eq!(c.reconfigure(), result, "{flags:?}");
    }
    assert_eq!(line(&m), before);
    m.finish();

    // Of a new mount.
    let dir = ktap::dir().join("new");
    std::fs::create_dir(&dir).expect("directory");
    let s = Setup::default().api(Api::Fsopen).opt("mand", "");
    let dev = mockd::mount::open_dev(false).expect("device");
    assert_eq!(s.mount(dev.as_fd(), &dir), Err(EINVAL));
    // The descriptor is as it was.
    let s = Setup::default().api(Api::Fsopen);
    assert_eq!(s.mount(dev.as_fd(), &dir), Ok(()));
    umount(&dir, 0).expect("umount");
}

/// What is open for writing is in the way, of the superblock and of the mount alone.
fn remount_while_written() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let ro = libc::MS_REMOUNT | libc::MS_RDONLY | USUAL;
    let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_WRONLY, 0).expect("open");
        let mut all = vec![
            mount("mockd", mnt, "fuse", ro, ""),
            mount("mockd", mnt, "fuse", ro | libc::MS_BIND, ""),
        ];
        let c = fspick(mnt).expect("fspick");
        all.push(c.flag("ro").and_then(|()| c.reconfigure()));
        all.push(user::pwrite(&f, b"T", 0).map(drop));
        all.push(user::close(f));
        // An open file to read is not.
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0).expect("open");
        all.push(mount("mockd", mnt, "fuse", ro, ""));
        all.push(user::mkdir(&mnt.join("d"), 0o755));
        all.push(user::close(f));
        all
    });
    let busy = Err(EBUSY);
    assert_eq!(
        got,
        [busy, busy, busy, Ok(()), Ok(()), Ok(()), Err(EROFS), Ok(())]
    );
    m.finish();
}

fn remount_there_and_back() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let remount = |flag| mount("", mnt, "", libc::MS_REMOUNT | USUAL | flag, "");
        let mut all = Vec::new();
        for i in 0..3 {
            all.push(remount(libc::MS_RDONLY));
            all.push(user::mkdir(&mnt.join(format!("d{i}")), 0o755));
            all.push(remount(0));
            all.push(user::mkdir(&mnt.join(format!("d{i}")), 0o755));
        }
        all
    });
    let once = [Ok(()), Err(EROFS), Ok(()), Ok(())];
    assert_eq!(got, once.repeat(3));
    m.finish();
}

/// Nobody but the kernel has to do with it, not even before INIT is answered.
fn remount_asks_nothing() {
    let mut m = Mock::uninit(&Setup::default());
    let remount = |m: &Mock, flag| mount("", &m.mnt, "", libc::MS_REMOUNT | USUAL | flag, "");
    assert_eq!(remount(&m, libc::MS_RDONLY), Ok(()));
    let r = m.expect(Op::INIT);
    assert_eq!(remount(&m, 0), Ok(()));
    m.reply(&r, &Init::plain().bytes());
    assert_eq!(remount(&m, libc::MS_RDONLY), Ok(()));
    m.expect_none();
    m.finish();
}

fn remount_of_the_dead() {
    let mnt = Mock::new().die();
    let remount = |flag| mount("", &mnt, "", libc::MS_REMOUNT | USUAL | flag, "");
    assert_eq!(remount(libc::MS_RDONLY), Ok(()));
    assert_eq!(remount(0), Ok(()));
    let c = fspick(&mnt).expect("fspick");
    assert_eq!(c.flag("ro").and_then(|()| c.reconfigure()), Ok(()));
    drop(c);
    assert!(mounts_of(&mnt)[0].contains(" ro,"));
    umount(&mnt, 0).expect("umount");
}

/// Of the superblock it is a remount of all its mounts; with MS_BIND of that one alone.
fn remount_of_a_bind_mount() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let bound = ktap::dir().join("bound");
    std::fs::create_dir(&bound).expect("directory");
    mount(
        m.mnt.to_str().expect("utf-8"),
        &bound,
        "",
        libc::MS_BIND,
        "",
    )
    .expect("bind");
    let ro = libc::MS_REMOUNT | libc::MS_RDONLY | USUAL;
    let other = bound.clone();
    let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let mut all = vec![mount("", &other, "", ro | libc::MS_BIND, "")];
        all.push(user::mkdir(&other.join("a"), 0o755));
        all.push(user::mkdir(&mnt.join("a"), 0o755));
        all.push(mount("", &other, "", ro, ""));
        all.push(user::mkdir(&mnt.join("b"), 0o755));
        all
    });
    assert_eq!(got, [Ok(()), Err(EROFS), Ok(()), Ok(()), Err(EROFS)]);
    umount(&bound, 0).expect("umount");
    m.finish();
}

/// A context that has made a mount is good for changing it.
fn reconfigure_where_it_was_made() {
    let dev = mockd::mount::open_dev(false).expect("device");
    let dir = ktap::dir().join("made");
    std::fs::create_dir(&dir).expect("directory");
    let c = Context::open("fuse").expect("fsopen");
    c.set("fd", &dev.as_raw_fd().to_string()).expect("fd");
    for (key, value) in &Setup::default().options {
        c.set(key, value).expect(key);
    }
    assert_eq!(c.create(), Ok(()));
    // Made once.
    assert_eq!(c.create(), Err(EBUSY));
    assert_eq!(c.flag("allow_other"), Err(EBUSY));
    assert_eq!(c.attach(&dir), Ok(()));
    assert_eq!(c.attach(&dir), Err(EBUSY));
    assert_eq!(c.create(), Err(EBUSY));
    assert_eq!(c.flag("allow_other"), Err(EINVAL));
    let c = fspick(&dir).expect("fspick");
    assert_eq!(c.flag("ro").and_then(|()| c.reconfigure()), Ok(()));
    assert_eq!(c.flag("rw").and_then(|()| c.reconfigure()), Ok(()));
    assert_eq!(c.flag("allow_other"), Err(EINVAL));
    drop(c);
    umount(&dir, 0).expect("umount");
}
