// SPDX-License-Identifier: GPL-2.0

//! Several mounts: of one connection, which lives as long as the last use of its superblock, and
//! of several connections, which have nothing to do with each other.

use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{clone_dev, is_mounted, mount, mounts_of, open_dev, umount, Context};
use mockd::msg::Msg;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::{user, Api, Caller, Mock, Setup};
use suites::daemon::until;
use suites::fusectl;

pub fn cases() -> Vec<Case> {
    cases![
        same_descriptor_both_ways,
        same_descriptor_exclusively,
        same_descriptor_read_only,
        same_descriptor_in_a_namespace,
        cloned_descriptor_mounts_the_same,
        descriptor_after_umount,
        descriptor_after_lazy_umount,
        descriptor_after_abort,
        descriptor_before_init,
        descriptors_apart,
        mounted_in_another,
        ends_with_the_last_use,
        ends_with_who_is_there,
    ]
}

fn place(name: &str) -> PathBuf {
    let dir = ktap::dir().join(name);
    std::fs::create_dir(&dir).expect("directory");
    dir
}

/// Whether the connection is there: somebody asks for the root, and its daemon is asked.
fn lives(m: &mut Mock, fs: &mut Memfs, at: &Path) -> Res<u64> {
    let at = at.to_path_buf();
    m.run(fs, |_| user::lstat(&at).map(|s| s.ino))
}

/// Serves until the caller has put a value.
fn ready(m: &mut Mock, c: &mut Caller, fs: &mut Memfs) {
    until("the caller to be ready", || {
        m.drain(&mut |r| fs.handle(r));
        readable(c.fd(), Duration::from_millis(1)).then_some(())
    });
    c.get::<()>();
}

/// Serves a caller with whom the connection may end.
fn serve_last<T: Msg>(m: &mut Mock, mut c: Caller, fs: &mut Memfs) -> T {
    // RELEASE may be taken out by the end of the connection.
    m.rec.leave_out(Op::RELEASE);
    until("the caller to end", || {
        while readable(m.dev(), Duration::from_millis(1)) {
            match m.read() {
                Ok(r) => {
                    let a = fs.handle(&r);
                    let _ = m.answer(&r, &a);
                }
                Err(ENODEV) => return Some(()),
                Err(e) => panic!("{e}"),
            }
        }
        c.ended().then_some(())
    });
    until_gone(m);
    c.join()
}

/// What was queued may have to be taken out first.
fn until_gone(m: &Mock) {
    while m.read().err() != Some(ENODEV) {}
}

/// By mount(2) and by fsopen(2), again and again: one superblock.
fn same_descriptor_both_ways() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let mut at = Vec::new();
    for (i, api) in [Api::Mount, Api::Fsopen, Api::Mount, Api::Fsopen]
        .iter()
        .enumerate()
    {
        let dir = place(&format!("m{i}"));
        let s = Setup::default().api(*api);
        assert_eq!(s.mount(m.dev(), &dir), Ok(()), "{i}");
        at.push(dir);
    }
    for dir in &at {
        assert_eq!(lives(&mut m, &mut fs, dir), Ok(1));
        assert_eq!(fusectl::id(dir), fusectl::id(&m.mnt));
        umount(dir, 0).expect("umount");
    }
    let first = m.mnt.clone();
    assert_eq!(lives(&mut m, &mut fs, &first), Ok(1));
    m.finish();
}

/// Who wants a superblock for themselves does not get this one.
fn same_descriptor_exclusively() {
    let m = Mock::new();
    let context = |fd: i32| {
        let c = Context::open("fuse").expect("fsopen");
        c.set("fd", &fd.to_string()).expect("fd");
        for (key, value) in &Setup::default().options {
            c.set(key, value).expect(key);
        }
        c
    };
    let c = context(m.dev().as_raw_fd());
    assert_eq!(c.create_exclusive(), Err(EBUSY));
    println!("{:?}", c.log());
    // But a new one.
    let dev = open_dev(false).expect("device");
    let (c, dir) = (context(dev.as_raw_fd()), place("new"));
    assert_eq!(c.create_exclusive(), Ok(()));
    assert_eq!(c.attach(&dir), Ok(()));
    drop(c);
    umount(&dir, 0).expect("umount");
    m.finish();
}

/// A superblock is read-only or not, whoever mounts it again.
fn same_descriptor_read_only() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let dir = place("second");
    let s = Setup {
        flags: libc::MS_RDONLY,
        ..Setup::default()
    };
    let r = s.mount(m.dev(), &dir);
    m.rec.note(format!("{r:?}"));
    if r.is_ok() {
        let line = mounts_of(&dir).remove(0);
        let line = line.replace(dir.to_str().expect("utf-8"), "DIR");
        m.rec.note(line);
        let other = dir.clone();
        let made: Res<()> = m.run(&mut fs, |_| user::mkdir(&other.join("d"), 0o755));
        m.rec.note(format!("{made:?}"));
        umount(&dir, 0).expect("umount");
    }
    let made: Res<()> = m.run(&mut fs, |mnt| user::mkdir(&mnt.join("e"), 0o755));
    assert_eq!(made, Ok(()));
    m.finish();
}

/// A user namespace may not mount what another has opened.
fn same_descriptor_in_a_namespace() {
    ktap::needs("CONFIG_USER_NS");
    const USER: u32 = 1000;
    suites::userns::allow(USER);
    let m = Mock::new();
    let (dir, fd) = (place("theirs"), m.dev().as_raw_fd());
    let c = Caller::spawn(None, |_| {
        suites::userns::enter(USER);
        Setup::default().mount_fd(Some(&fd.to_string()), &dir)
    });
    assert_eq!(c.join::<Res<()>>(), Err(EINVAL));
    m.finish();
}

/// A clone is a descriptor of the same connection.
fn cloned_descriptor_mounts_the_same() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let clone = open_dev(false).expect("device");
    clone_dev(&clone, &m.dev()).expect("clone");
    let dir = place("second");
    assert_eq!(Setup::default().mount(clone.as_fd(), &dir), Ok(()));
    assert_eq!(fusectl::id(&dir), fusectl::id(&m.mnt));
    assert_eq!(lives(&mut m, &mut fs, &dir), Ok(1));
    umount(&dir, 0).expect("umount");
    drop(clone);
    m.finish();
}

/// It has had its mount.
fn descriptor_after_umount() {
    let m = Mock::new();
    m.umount();
    let dir = place("again");
    for api in [Api::Mount, Api::Fsopen] {
        let s = Setup::default().api(api);
        assert_eq!(s.mount(m.dev(), &dir), Err(ENOTCONN), "{api:?}");
    }
    assert_eq!(m.read().err(), Some(ENODEV));
}

/// What is still in use can be mounted again, and goes on.
fn descriptor_after_lazy_umount() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    fs.open_flags = FOPEN_DIRECT_IO;
    let dir = place("again");
    let to = dir.clone();
    let mut c = m.caller(|mnt, io| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        umount(mnt, libc::MNT_DETACH)?;
        io.put(());
        io.wait();
        user::close(f)?;
        user::pread(&user::open(&to.join("f"), libc::O_RDONLY, 0)?, 10, 0)
    });
    ready(&mut m, &mut c, &mut fs);
    assert_eq!(Setup::default().mount(m.dev(), &dir), Ok(()));
    c.go();
    let got: Res<Vec<u8>> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(got, Ok(b"text".to_vec()));
    assert!(!is_mounted(&m.mnt));
    umount(&dir, 0).expect("umount");
    until_gone(&m);
    assert_eq!(Setup::default().mount(m.dev(), &dir), Err(ENOTCONN));
}

/// A dead connection can be mounted again as long as it is mounted.
fn descriptor_after_abort() {
    let mut m = Mock::new();
    fusectl::abort(&m.mnt).expect("abort");
    let dir = place("again");
    assert_eq!(Setup::default().mount(m.dev(), &dir), Ok(()));
    let other = dir.clone();
    let c = m.caller(|_, _| user::statfs(&other).map(drop));
    assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN));
    umount(&dir, 0).expect("umount");
    m.umount();
    assert_eq!(Setup::default().mount(m.dev(), &dir), Err(ENOTCONN));
}

/// There is one INIT, and who comes by the second mount waits for its answer too.
fn descriptor_before_init() {
    let (mut m, mut fs) = (Mock::uninit(&Setup::default()), Memfs::new());
    let dir = place("second");
    assert_eq!(Setup::default().mount(m.dev(), &dir), Ok(()));
    let other = dir.clone();
    let c = m.caller(|_, _| user::lstat(&other).map(|s| s.ino));
    c.wait_asleep();
    let r = m.expect(Op::INIT);
    m.expect_none();
    m.reply(&r, &mockd::Init::plain().bytes());
    assert_eq!(m.serve::<Res<u64>>(c, &mut |r| fs.handle(r)), Ok(1));
    umount(&dir, 0).expect("umount");
    m.finish();
}

/// Two connections: the end of one is not the other's.
fn descriptors_apart() {
    let (mut a, mut b) = (Mock::new(), Mock::new());
    let (mut fs, mut other) = (Memfs::new(), Memfs::new());
    assert_ne!(fusectl::id(&a.mnt), fusectl::id(&b.mnt));
    let (at_a, at_b) = (a.mnt.clone(), b.mnt.clone());
    assert_eq!(lives(&mut a, &mut fs, &at_a), Ok(1));
    assert_eq!(lives(&mut b, &mut other, &at_b), Ok(1));
    fusectl::abort(&at_a).expect("abort");
    let c = a.call("", |p| user::statfs(p).map(drop));
    assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN));
    assert_eq!(lives(&mut b, &mut other, &at_b), Ok(1));
    // The dead one is on the living one's descriptor no more than it ever was.
    assert_eq!(Setup::default().mount(b.dev(), &at_a), Ok(()));
    assert_eq!(lives(&mut b, &mut other, &at_a), Ok(1));
    umount(&at_a, 0).expect("umount");
    a.umount();
    b.finish();
}

/// One below the other, which is in use as long as that is there.
fn mounted_in_another() {
    let (mut a, mut fs) = (Mock::new(), Memfs::new());
    fs.dir("d");
    let (mut b, mut below) = (Mock::new(), Memfs::new());
    below.file("f", b"x");
    let dev = b.dev().as_raw_fd().to_string();
    let r: Res<()> = a.run(&mut fs, |mnt| {
        Setup::default().mount_fd(Some(&dev), &mnt.join("d"))
    });
    assert_eq!(r, Ok(()));
    // The way is through both.
    let at = a.mnt.join("d/f");
    let c = Caller::spawn(None, |_| user::lstat(&at).map(|s| s.size));
    let mut callers = [c];
    while !callers[0].ended() {
        a.one_pending(&mut |r| fs.handle(r));
        b.one_pending(&mut |r| below.handle(r));
        std::thread::yield_now();
    }
    let [c] = callers;
    assert_eq!(c.join::<Res<u64>>(), Ok(1));
    assert_eq!(umount(&a.mnt, 0), Err(EBUSY));
    let r: Res<()> = a.run(&mut fs, |mnt| umount(&mnt.join("d"), 0));
    assert_eq!(r, Ok(()));
    a.finish();
    b.finish();
}

/// A mount, a second one, one of a part, a detached one with a file open: each is enough.
fn ends_with_the_last_use() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    fs.add(d, "f", libc::S_IFREG | 0o644, b"text");
    fs.open_flags = FOPEN_DIRECT_IO;
    let (second, bound) = (place("second"), place("bound"));
    assert_eq!(Setup::default().mount(m.dev(), &second), Ok(()));
    let part = bound.clone();
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let from = mnt.join("d");
        mount(from.to_str().unwrap_or(""), &part, "", libc::MS_BIND, "")
    });
    assert_eq!(r, Ok(()));
    m.umount();
    assert_eq!(lives(&mut m, &mut fs, &second), Ok(1));
    umount(&second, 0).expect("umount");
    assert_eq!(lives(&mut m, &mut fs, &bound), Ok(d));
    let part = bound.clone();
    let mut c = m.caller(|_, io| {
        let f = user::open(&part.join("f"), libc::O_RDONLY, 0).expect("open");
        umount(&part, libc::MNT_DETACH).expect("umount");
        let got = user::pread(&f, 10, 0);
        io.put(());
        io.wait();
        got
    });
    ready(&mut m, &mut c, &mut fs);
    c.go();
    let got: Res<Vec<u8>> = serve_last(&mut m, c, &mut fs);
    assert_eq!(got, Ok(b"text".to_vec()));
}

/// So is a working directory.
fn ends_with_who_is_there() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let c = m.caller(|mnt, _| {
        user::chdir(mnt)?;
        umount(mnt, libc::MNT_DETACH)?;
        user::lstat(Path::new("f")).map(|s| s.size)
    });
    let got: Res<u64> = serve_last(&mut m, c, &mut fs);
    assert_eq!(got, Ok(4));
}
