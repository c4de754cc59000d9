// SPDX-License-Identifier: GPL-2.0

//! FUSE_DEV_IOC_SYNC_INIT: the daemon waits for the mount, and mount(2) for the answer to INIT. And
//! what may happen before INIT is answered without it (FreeBSD fusefs: pre-init).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mock::read_request;
use mockd::mount::{clone_dev, is_mounted, open_dev, umount, Context};
use mockd::pipe::Pipe;
use mockd::record::Recorder;
use mockd::reply::{attr_out, message, raw, Attr};
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Request, Setup};

use crate::clones::{clone_of, ioctl};

pub fn cases() -> Vec<Case> {
    cases![
        sync_ioctl,
        sync_mount_waits,
        sync_threads,
        sync_init_error,
        sync_bad_replies,
        sync_daemon_dies,
        sync_mounter_killed_before_read,
        sync_mounter_killed_after_read,
        sync_mounter_killed_while_parked,
        sync_mounter_interrupted,
        sync_reader_waits,
        sync_reader_interrupted,
        sync_splice_waits,
        sync_fasync_waits,
        sync_closed_with_o_async,
        sync_clone_waits,
        sync_write_does_not_wait,
        closed_before_mount,
        preinit_umount,
        preinit_umount_unread,
        preinit_caller_waits,
        preinit_caller_killed,
        preinit_getattr,
        preinit_close,
        preinit_force,
    ]
}

pub const SYNC_INIT: u32 = 0xe503;
pub const BUF: usize = (1 << 20) + 4096;

pub fn sync_dev() -> OwnedFd {
    let dev = open_dev(false).expect("dev");
    assert_eq!(ioctl(&dev, SYNC_INIT, 0), Ok(0));
    dev
}

pub fn dir() -> PathBuf {
    let mnt = ktap::dir().join("mnt");
    std::fs::create_dir_all(&mnt).expect("mnt");
    mnt
}

/// Mounts with `dev` and has no copy of it afterwards.
fn mount_without_fd(dev: RawCopy, mnt: &Path) -> Res<()> {
    let ctx = Context::open("fuse")?;
    ctx.set("source", "mockd")?;
    ctx.set("fd", &dev.0.to_string())?;
    dev.close();
    for (k, v) in Setup::default().options {
        ctx.set(&k, &v)?;
    }
    ctx.create()?;
    ctx.attach(mnt)
}

/// A caller's copy of a descriptor.
struct RawCopy(i32);

impl RawCopy {
    fn close(&self) {
        // SAFETY: the copy in this process, which is not used again.
        unsafe { libc::close(self.0) };
    }
}

/// A process that mounts.
pub fn mounter(dev: &OwnedFd, mnt: &Path) -> Caller {
    let (fd, mnt) = (dev.as_raw_fd(), mnt.to_path_buf());
    let mut c = Caller::spawn(None, move |io| {
        user::catch_signal(libc::SIGUSR1, false);
        io.put(());
        mount_without_fd(RawCopy(fd), &mnt)
    });
    c.get::<()>();
    c
}

fn init(dev: BorrowedFd<'_>) -> Request {
    let r = read_request(dev, BUF, &Recorder::default()).expect("read");
    assert_eq!(r.op, Op::INIT);
    r
}

fn write(dev: &OwnedFd, b: &[u8]) -> Res<usize> {
    Ok(rustix::io::write(dev, b)?)
}

fn accept(dev: &OwnedFd, r: &Request) {
    let b = message(r.unique, 0, &Init::plain().bytes());
    assert_eq!(write(dev, &b), Ok(b.len()));
}

fn dead(dev: &OwnedFd) {
    suites::daemon::until("the end", || {
        (user::read(dev, BUF).err() == Some(ENODEV)).then_some(())
    });
}

fn works(dev: &OwnedFd, mnt: &Path) {
    let p = mnt.join("x");
    let c = Caller::spawn(Some(dev.as_fd()), move |_| user::lstat(&p).map(drop));
    let r = read_request(dev.as_fd(), BUF, &Recorder::default()).expect("read");
    assert_eq!((r.op, r.name()), (Op::LOOKUP, "x".into()));
    assert_eq!(write(dev, &message(r.unique, -libc::ENOENT, &[])), Ok(16));
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    umount(mnt, 0).expect("umount");
    dead(dev);
}

fn sync_ioctl() {
    let dev = open_dev(false).expect("dev");
    assert_eq!(ioctl(&dev, SYNC_INIT, 0), Ok(0));
    assert_eq!(ioctl(&dev, SYNC_INIT, 0), Ok(0), "again");
    assert_eq!(ioctl(&dev, SYNC_INIT, usize::MAX), Ok(0), "no argument");
    let m = Mock::new();
    assert_eq!(ioctl(&m.dev(), SYNC_INIT, 0), Err(EINVAL), "too late");
    let c = clone_of(m.dev()).expect("clone");
    assert_eq!(ioctl(&c, SYNC_INIT, 0), Err(EINVAL));
    m.finish();
}

fn sync_mount_waits() {
    let (dev, mnt) = (sync_dev(), dir());
    let mut c = mounter(&dev, &mnt);
    let r = init(dev.as_fd());
    c.wait_asleep();
    assert!(!c.ended() && !is_mounted(&mnt));
    accept(&dev, &r);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    assert!(is_mounted(&mnt));
    works(&dev, &mnt);
}

/// One process: a thread serves before another mounts.
fn sync_threads() {
    let (dev, mnt) = (sync_dev(), dir());
    let copy = dev.try_clone().expect("dup");
    let t = std::thread::spawn(move || {
        let r = init(copy.as_fd());
        accept(&copy, &r);
    });
    Setup::default().mount(dev.as_fd(), &mnt).expect("mount");
    t.join().expect("thread");
    works(&dev, &mnt);
}

fn sync_init_error() {
    for error in [libc::EIO, libc::ENOSYS, libc::EPERM] {
        let (dev, mnt) = (sync_dev(), dir());
        let c = mounter(&dev, &mnt);
        let r = init(dev.as_fd());
        assert_eq!(write(&dev, &message(r.unique, -error, &[])), Ok(16));
        assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN));
        assert!(!is_mounted(&mnt));
        dead(&dev);
    }
}

fn sync_bad_replies() {
    let good = Init::plain().bytes();
    let other = Init {
        major: 8,
        ..Init::plain()
    };
    for (body, got) in [
        (other.bytes(), Ok(())),
        ([good.clone(), vec![0; 8]].concat(), Err(EINVAL)),
        (vec![], Ok(())),
    ] {
        let (dev, mnt) = (sync_dev(), dir());
        let c = mounter(&dev, &mnt);
        let r = init(dev.as_fd());
        let b = message(r.unique, 0, &body);
        assert_eq!(write(&dev, &b).map(drop), got, "{} bytes", body.len());
        assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN), "{} bytes", body.len());
        assert!(!is_mounted(&mnt));
        dead(&dev);
    }
    // What is no reply to it leaves the mounter waiting.
    let (dev, mnt) = (sync_dev(), dir());
    let mut c = mounter(&dev, &mnt);
    let r = init(dev.as_fd());
    assert_eq!(write(&dev, &raw(17, r.unique, 0, &[])), Err(EINVAL));
    assert_eq!(write(&dev, &message(r.unique + 2, 0, &[])), Err(ENOENT));
    c.wait_asleep();
    assert!(!c.ended());
    accept(&dev, &r);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    works(&dev, &mnt);
}

/// The last descriptor is closed, with INIT read or not.
fn sync_daemon_dies() {
    for read in [true, false] {
        let (dev, mnt) = (sync_dev(), dir());
        let c = mounter(&dev, &mnt);
        if read {
            init(dev.as_fd());
        } else {
            suites::daemon::until("INIT", || {
                mockd::caller::readable(dev.as_fd(), std::time::Duration::ZERO).then_some(())
            });
        }
        drop(dev);
        assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN));
        assert!(!is_mounted(&mnt));
    }
}

fn killed(mut c: Caller, dev: &OwnedFd, mnt: &Path) {
    c.kill(libc::SIGKILL);
    let status = c.reap();
    assert!(libc::WIFSIGNALED(status));
    assert!(!is_mounted(mnt));
    dead(dev);
}

fn sync_mounter_killed_before_read() {
    let (dev, mnt) = (sync_dev(), dir());
    let c = mounter(&dev, &mnt);
    suites::daemon::until("INIT", || {
        mockd::caller::readable(dev.as_fd(), std::time::Duration::ZERO).then_some(())
    });
    killed(c, &dev, &mnt);
}

fn sync_mounter_killed_after_read() {
    let (dev, mnt) = (sync_dev(), dir());
    let c = mounter(&dev, &mnt);
    let r = init(dev.as_fd());
    killed(c, &dev, &mnt);
    let b = message(r.unique, 0, &Init::plain().bytes());
    assert_eq!(write(&dev, &b), Err(ENOENT));
}

/// The daemon is in the middle of its answer, waiting for a page.
fn sync_mounter_killed_while_parked() {
    use mockd::mem::{write_at, Held, PAGE};
    let (dev, mnt) = (sync_dev(), dir());
    let mut c = mounter(&dev, &mnt);
    let r = init(dev.as_fd());
    let b = message(r.unique, 0, &Init::plain().bytes());
    let held = Held::new(2);
    let mut page = vec![0; PAGE];
    page[PAGE - 20..].copy_from_slice(&b[..20]);
    held.fill(0, &page);
    let (fd, addr, n) = (dev.as_raw_fd(), held.pages.addr() + PAGE - 20, b.len());
    let t = std::thread::spawn(move || write_at(fd, addr, n));
    assert_eq!(held.wait(), 1);
    c.kill(libc::SIGKILL);
    dead(&dev);
    held.fill(1, &b[20..]);
    assert_eq!(t.join().expect("writer"), Err(ENOENT));
    assert!(libc::WIFSIGNALED(c.reap()));
    assert!(!is_mounted(&mnt));
}

/// A signal that does not kill makes an INTERRUPT, as for any request.
fn sync_mounter_interrupted() {
    let (dev, mnt) = (sync_dev(), dir());
    let c = mounter(&dev, &mnt);
    let r = init(dev.as_fd());
    c.wait_asleep();
    c.kill(libc::SIGUSR1);
    let i = read_request(dev.as_fd(), BUF, &Recorder::default()).expect("read");
    assert_eq!((i.op, i.get("unique")), (Op::INTERRUPT, r.unique));
    accept(&dev, &r);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    works(&dev, &mnt);
}

/// A process that does `f` on the device, which must wait for the mount.
pub fn waiter<T: mockd::msg::Msg>(dev: &OwnedFd, f: impl FnOnce(BorrowedFd<'_>) -> T) -> Caller {
    let fd = dev.as_raw_fd();
    let mut c = Caller::spawn(None, move |io| {
        user::catch_signal(libc::SIGUSR1, false);
        io.put(());
        // SAFETY: the copy in this process stays open.
        f(unsafe { BorrowedFd::borrow_raw(fd) })
    });
    c.get::<()>();
    c.wait_asleep();
    c
}

fn sync_reader_waits() {
    let (dev, mnt) = (sync_dev(), dir());
    let readers: Vec<Caller> = (0..3)
        .map(|_| {
            waiter(&dev, |fd| match user::read(&fd, BUF) {
                Ok(b) => {
                    let r = Request::parse(&b).expect("request");
                    let b = message(r.unique, 0, &Init::plain().bytes());
                    let n = rustix::io::write(fd, &b).map(|n| n as u64);
                    n.map_err(Errno::from)
                }
                Err(e) => Err(e),
            })
        })
        .collect();
    let c = mounter(&dev, &mnt);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    assert!(is_mounted(&mnt));
    umount(&mnt, 0).expect("umount");
    let mut got: Vec<bool> = readers
        .into_iter()
        .map(|r| match r.join::<Res<u64>>() {
            Ok(_) => true,
            Err(e) => {
                assert_eq!(e, ENODEV);
                false
            }
        })
        .collect();
    got.sort();
    assert_eq!(got, [false, false, true], "one has answered");
}

fn sync_reader_interrupted() {
    let dev = sync_dev();
    let c = waiter(&dev, |fd| user::read(&fd, BUF).map(|b| b.len()));
    c.kill(libc::SIGUSR1);
    assert_eq!(c.join::<Res<usize>>(), Err(EINTR));
    let mut c = waiter(&dev, |fd| user::read(&fd, BUF).map(|b| b.len()));
    c.kill(libc::SIGKILL);
    assert!(libc::WIFSIGNALED(c.reap()));
}

/// Mounts and answers, and gives what the waiter gave.
fn then_mounted<T: mockd::msg::Msg>(dev: &OwnedFd, c: Caller) -> T {
    let mnt = dir();
    let mounting = mounter(dev, &mnt);
    let r = init(dev.as_fd());
    accept(dev, &r);
    assert_eq!(mounting.join::<Res<()>>(), Ok(()));
    let got = c.join::<T>();
    umount(&mnt, 0).expect("umount");
    dead(dev);
    got
}

fn sync_splice_waits() {
    let (dev, mnt) = (sync_dev(), dir());
    let c = waiter(&dev, |fd| {
        let p = Pipe::new(256);
        let n = p.splice_from(&fd, None, 256 * 4096, 0)?;
        let r = Request::parse(&p.get(n)?).expect("request");
        let b = message(r.unique, 0, &Init::plain().bytes());
        p.put(&b);
        p.splice_to(&fd, b.len(), 0).map(|_| r.op == Op::INIT)
    });
    let mounting = mounter(&dev, &mnt);
    assert_eq!(c.join::<Res<bool>>(), Ok(true));
    assert_eq!(mounting.join::<Res<()>>(), Ok(()));
    works(&dev, &mnt);
}

fn sync_fasync_waits() {
    let dev = sync_dev();
    let c = waiter(&dev, |fd| {
        // SAFETY: integers.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_ASYNC) })
    });
    assert_eq!(then_mounted::<Res<i64>>(&dev, c), Ok(0));
}

/// A file that was opened with O_ASYNC is taken off the list for SIGIO when it is closed, though it
/// is on none. C waits for the mount then, which nobody can make any more, until a signal; a task
/// that dies gets none.
fn sync_closed_with_o_async() {
    let mut c = Caller::spawn(None, |io| {
        user::catch_signal(libc::SIGUSR1, false);
        let dev = user::open(Path::new("/dev/fuse"), libc::O_RDWR | libc::O_ASYNC, 0)?;
        ioctl(&dev, SYNC_INIT, 0)?;
        io.put(());
        user::close(dev)
    });
    c.get::<()>();
    if ktap::implementation() == Impl::C {
        c.wait_asleep();
        c.kill(libc::SIGUSR1);
    }
    assert_eq!(c.join::<Res<()>>(), Ok(()));
}

fn sync_clone_waits() {
    let dev = sync_dev();
    let c = waiter(&dev, |fd| clone_of(fd).map(drop));
    assert_eq!(then_mounted::<Res<()>>(&dev, c), Ok(()));
    let dev = sync_dev();
    let c = waiter(&dev, |fd| clone_of(fd).map(drop));
    c.kill(libc::SIGUSR1);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
}

fn sync_write_does_not_wait() {
    let dev = sync_dev();
    assert_eq!(write(&dev, &message(2, 0, &[])), Err(EPERM));
    let p = Pipe::new(16);
    p.put(&[0; 16]);
    assert_eq!(p.splice_to(&dev, 16, 0), Err(EPERM));
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", dev.as_raw_fd()));
    assert!(!info.expect("fdinfo").contains("fuse_connection"));
    // To clone into it is to mount it, in a way.
    let m = Mock::new();
    assert_eq!(clone_dev(&dev, &m.dev()), Ok(()));
    m.finish();
}

/// The device is closed between being named and the mount.
fn closed_before_mount() {
    for sync in [false, true] {
        let (dev, mnt) = (open_dev(false).expect("dev"), dir());
        if sync {
            assert_eq!(ioctl(&dev, SYNC_INIT, 0), Ok(0));
        }
        let ctx = Context::open("fuse").expect("fsopen");
        ctx.set("source", "mockd").expect("source");
        ctx.set("fd", &dev.as_raw_fd().to_string()).expect("fd");
        for (k, v) in Setup::default().options {
            ctx.set(&k, &v).expect("option");
        }
        drop(dev);
        assert_eq!(ctx.create(), Err(ENOTCONN), "sync {sync}");
        assert!(!is_mounted(&mnt));
    }
}

fn preinit_umount() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    m.umount();
    assert_eq!(
        m.write(&message(r.unique, 0, &Init::plain().bytes())),
        Err(ENOENT)
    );
    assert_eq!(m.read().err(), Some(ENODEV));
}

fn preinit_umount_unread() {
    let m = Mock::uninit(&Setup::default());
    m.umount();
    assert_eq!(m.read().err(), Some(ENODEV));
}

/// Callers wait for INIT, and go on when it is answered.
fn preinit_caller_waits() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    let cs: Vec<Caller> = (0..4)
        .map(|i| m.call(&format!("n{i}"), |p| user::lstat(p).map(drop)))
        .collect();
    cs.iter().for_each(Caller::wait_asleep);
    assert!(!m.pending());
    m.reply(&r, &Init::plain().bytes());
    for _ in &cs {
        let r = m.expect(Op::LOOKUP);
        m.fail(&r, ENOENT);
    }
    for c in cs {
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    m.without_record();
    m.finish();
}

fn preinit_caller_killed() {
    let mut m = Mock::uninit(&Setup::default());
    let r = m.expect(Op::INIT);
    let mut c = m.call("x", |p| user::lstat(p).map(drop));
    c.wait_asleep();
    c.kill(libc::SIGKILL);
    assert!(libc::WIFSIGNALED(c.reap()));
    // A signal that does not kill changes nothing.
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("y")).map(drop)
    });
    c.wait_asleep();
    c.kill(libc::SIGUSR1);
    c.wait_asleep();
    m.reply(&r, &Init::plain().bytes());
    // Except that the request is sent interrupted.
    let r = m.expect_name(Op::LOOKUP, "y");
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), r.unique);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
    m.finish();
}

/// The first thing asked for is the root, with the kernel's own checks of permission or without.
fn preinit_getattr() {
    for checks in [false, true] {
        let setup = if checks {
            Setup::default().opt("default_permissions", "")
        } else {
            Setup::default()
        };
        let mut m = Mock::uninit(&setup);
        let r = m.expect(Op::INIT);
        let c = m.call("", |p| user::lstat(p).map(|s| (s.mode, s.size)));
        c.wait_asleep();
        assert!(!m.pending());
        m.reply(&r, &Init::plain().bytes());
        let r = m.expect(Op::GETATTR);
        assert_eq!(r.node, mockd::wire::ROOT);
        let attr = Attr {
            size: 77,
            ..Attr::dir(1)
        };
        m.reply(&r, &attr_out(mockd::reply::ZERO, &attr));
        assert_eq!(c.join::<Res<(u32, u64)>>(), Ok((attr.mode, 77)));
        m.finish();
    }
}

fn preinit_close() {
    let mut m = Mock::uninit(&Setup::default());
    m.expect(Op::INIT);
    let c = m.call("x", |p| user::lstat(p).map(drop));
    c.wait_asleep();
    m.without_record();
    let mnt = m.die();
    // The end of INIT lets it go on, perhaps before the end of the connection stops it.
    let got = c.join::<Res<()>>();
    assert!(matches!(got, Err(ENOTCONN | ECONNABORTED)), "{got:?}");
    umount(&mnt, 0).expect("umount");
}

fn preinit_force() {
    let mut m = Mock::uninit(&Setup::default());
    m.expect(Op::INIT);
    let c = m.call("x", |p| user::lstat(p).map(drop));
    c.wait_asleep();
    umount(&m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN));
    m.without_record();
}
