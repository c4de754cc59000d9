// SPDX-License-Identifier: GPL-2.0

//! FUSE_CLONE: several descriptors of one connection, each with its own requests. And what
//! else is a descriptor's: fdinfo, ioctls of a 32-bit process.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::Pages;
use mockd::mock::read_request;
use mockd::mount::{clone_dev, open_dev, umount, DEV_IOC_CLONE as CLONE};
use mockd::reply::{message, Entry};
use mockd::user::{self, ioctl32};
use mockd::wire::Op;
use mockd::{Attr, Caller, Mock, Request};

pub fn cases() -> Vec<Case> {
    cases![
        clone_errors,
        clone_twice,
        clone_of_clone,
        clone_of_dead,
        clone_before_init,
        clone_survives_first,
        own_requests,
        close_one_ends_its_requests,
        close_last_aborts,
        interrupt_of_another,
        abort_ends_all,
        fdinfo_of_each,
        many_clones,
        compat_ioctls,
    ]
}

const BACKING_OPEN: u32 = 0x4010_e501;
const BACKING_CLOSE: u32 = 0x4004_e502;
const SYNC_INIT: u32 = 0xe503;

pub fn ioctl(fd: &impl AsRawFd, cmd: u32, arg: usize) -> Res<i64> {
    // SAFETY: the kernel checks the address.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), cmd as _, arg) })
}

fn clone_fd(fd: &impl AsRawFd, other: u32) -> Res<()> {
    ioctl(fd, CLONE, &raw const other as usize).map(drop)
}

/// A new descriptor of the same connection.
pub fn clone_of(dev: BorrowedFd<'_>) -> Res<OwnedFd> {
    let fd = open_dev(false)?;
    clone_dev(&fd, &dev)?;
    Ok(fd)
}

fn look(m: &mut Mock, name: &str) -> Caller {
    m.call(name, |p| user::lstat(p).map(|s| s.ino))
}

fn entry(r: &Request) -> Vec<u8> {
    message(r.unique, 0, &Entry::new(Attr::file(5, 0)).bytes())
}

fn write(fd: &OwnedFd, b: &[u8]) -> Res<usize> {
    Ok(rustix::io::write(fd, b)?)
}

fn read(m: &Mock, fd: &OwnedFd) -> Request {
    read_request(fd.as_fd(), m.buf, &m.rec).expect("read of a clone")
}

fn clone_errors() {
    let m = Mock::new();
    let fresh = open_dev(false).expect("dev");
    let good = m.dev().as_raw_fd() as u32;
    assert_eq!(ioctl(&fresh, CLONE, 0), Err(EFAULT));
    assert_eq!(ioctl(&fresh, CLONE, 0xffff_8000_0000_0000), Err(EFAULT));
    assert_eq!(clone_fd(&fresh, 9999), Err(EINVAL));
    assert_eq!(clone_fd(&fresh, u32::MAX), Err(EINVAL));
    let null = user::open("/dev/null".as_ref(), libc::O_RDWR, 0).expect("open");
    assert_eq!(clone_fd(&fresh, null.as_raw_fd() as u32), Err(EINVAL));
    let path = user::open("/dev/fuse".as_ref(), libc::O_PATH, 0).expect("open");
    assert_eq!(clone_fd(&fresh, path.as_raw_fd() as u32), Err(EINVAL));
    let other = open_dev(false).expect("dev");
    assert_eq!(clone_fd(&fresh, other.as_raw_fd() as u32), Err(EPERM));
    assert_eq!(clone_fd(&fresh, fresh.as_raw_fd() as u32), Err(EPERM));
    // Still of no connection, and good for one.
    assert_eq!(user::read(&fresh, m.buf).err(), Some(EPERM));
    assert_eq!(clone_fd(&fresh, good), Ok(()));
    m.finish();
}

fn clone_twice() {
    let m = Mock::new();
    let n = Mock::new();
    let c = clone_of(m.dev()).expect("clone");
    for of in [m.dev(), n.dev(), c.as_fd()] {
        assert_eq!(clone_fd(&c, of.as_raw_fd() as u32), Err(EINVAL));
    }
    assert_eq!(clone_fd(&m.dev(), m.dev().as_raw_fd() as u32), Err(EINVAL));
    m.finish();
    n.finish();
}

fn clone_of_clone() {
    let mut m = Mock::new();
    let a = clone_of(m.dev()).expect("clone");
    let b = clone_of(a.as_fd()).expect("clone");
    drop(a);
    let c = look(&mut m, "name");
    let r = read(&m, &b);
    assert_eq!(r.op, Op::LOOKUP);
    let reply = entry(&r);
    assert_eq!(write(&b, &reply), Ok(reply.len()));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
}

/// Of a connection that has ended: C lets it, and there is nothing to read.
fn clone_of_dead() {
    let m = Mock::new();
    m.umount();
    let c = clone_of(m.dev()).expect("clone");
    assert_eq!(user::read(&c, m.buf).err(), Some(ENODEV));
    assert_eq!(write(&c, &message(2, 0, &[])), Err(ENOENT));
    drop(c);
    assert_eq!(user::read(&m.dev(), m.buf).err(), Some(ENODEV));
}

fn clone_before_init() {
    let mut m = Mock::uninit(&mockd::Setup::default());
    let c = clone_of(m.dev()).expect("clone");
    let r = read(&m, &c);
    assert_eq!(r.op, Op::INIT);
    let b = message(r.unique, 0, &mockd::Init::plain().bytes());
    assert_eq!(write(&c, &b), Ok(b.len()));
    let x = look(&mut m, "name");
    let r = m.expect(Op::LOOKUP);
    m.fail(&r, ENOENT);
    assert_eq!(x.join::<Res<u64>>(), Err(ENOENT));
    m.finish();
}

/// The descriptor that was mounted with may be closed.
fn clone_survives_first() {
    let mut m = Mock::new();
    m.without_record();
    let c = clone_of(m.dev()).expect("clone");
    let p = m.path("name");
    let (rec, buf) = (m.rec.clone(), m.buf);
    let mnt = m.die();
    let x = Caller::spawn(Some(c.as_fd()), move |_| user::lstat(&p).map(|s| s.ino));
    let r = read_request(c.as_fd(), buf, &rec).expect("read");
    assert_eq!(r.op, Op::LOOKUP);
    let b = entry(&r);
    assert_eq!(write(&c, &b), Ok(b.len()));
    assert_eq!(x.join::<Res<u64>>(), Ok(5));
    umount(&mnt, 0).expect("umount");
    assert_eq!(user::read(&c, buf).err(), Some(ENODEV));
}

/// A request is answered on the descriptor that has read it, and on no other.
fn own_requests() {
    let mut m = Mock::new();
    let a = clone_of(m.dev()).expect("clone");
    let b = clone_of(m.dev()).expect("clone");
    let c = look(&mut m, "name");
    let r = read(&m, &a);
    let reply = entry(&r);
    assert_eq!(write(&b, &reply), Err(ENOENT));
    assert_eq!(m.write(&reply), Err(ENOENT));
    assert_eq!(write(&a, &reply), Ok(reply.len()));
    assert_eq!(write(&a, &reply), Err(ENOENT));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
}

/// A caller that is started before there are clones, so that it has no copies of them, and told to
/// go later.
fn waiting(m: &mut Mock, name: &'static str) -> Caller {
    m.caller(|mnt, io| {
        io.wait();
        user::lstat(&mnt.join(name)).map(|s| s.ino)
    })
}

/// What one descriptor has read ends with it; what others have, and what nobody has, goes on.
fn close_one_ends_its_requests() {
    let mut m = Mock::new();
    let ca = [waiting(&mut m, "a1"), waiting(&mut m, "a2")];
    let (cb, cp) = (waiting(&mut m, "b"), waiting(&mut m, "pending"));
    let a = clone_of(m.dev()).expect("clone");
    let b = clone_of(m.dev()).expect("clone");
    for c in &ca {
        c.go();
        read(&m, &a);
    }
    cb.go();
    let rb = read(&m, &b);
    cp.go();
    suites::daemon::until("the request", || m.pending().then_some(()));
    drop(a);
    for c in ca {
        assert_eq!(c.join::<Res<u64>>(), Err(ECONNABORTED));
    }
    let reply = entry(&rb);
    assert_eq!(write(&b, &reply), Ok(reply.len()));
    assert_eq!(cb.join::<Res<u64>>(), Ok(5));
    let r = m.expect_name(Op::LOOKUP, "pending");
    m.fail(&r, ENOENT);
    assert_eq!(cp.join::<Res<u64>>(), Err(ENOENT));
    m.finish();
}

/// Closed one by one, the last one takes with it what is queued.
fn close_last_aborts() {
    let mut m = Mock::new();
    m.without_record();
    let mut c = waiting(&mut m, "name");
    let a = clone_of(m.dev()).expect("clone");
    let b = clone_of(m.dev()).expect("clone");
    c.go();
    suites::daemon::until("the request", || m.pending().then_some(()));
    let mnt = m.die();
    drop(b);
    assert!(!c.ended(), "one is left");
    drop(a);
    assert_eq!(c.join::<Res<u64>>(), Err(ECONNABORTED));
    assert_eq!(user::lstat(&mnt.join("x")).err(), Some(ENOTCONN));
    umount(&mnt, 0).expect("umount");
}

fn interrupt_of_another() {
    let mut m = Mock::new();
    let a = clone_of(m.dev()).expect("clone");
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("name")).map(drop)
    });
    let r = read(&m, &a);
    c.kill(libc::SIGUSR1);
    // Anybody may read the INTERRUPT.
    let i = m.expect(Op::INTERRUPT);
    assert_eq!(i.get("unique"), r.unique);
    let again = message(r.unique | 1, -libc::EAGAIN, &[]);
    assert_eq!(m.write(&again), Err(ENOENT), "has not read the request");
    assert_eq!(write(&a, &again), Ok(16));
    assert_eq!(read(&m, &a).op, Op::INTERRUPT);
    let b = message(r.unique, -libc::EINTR, &[]);
    assert_eq!(write(&a, &b), Ok(16));
    assert_eq!(c.join::<Res<()>>(), Err(EINTR));
    m.finish();
}

fn abort_ends_all() {
    let mut m = Mock::new();
    let clones: Vec<OwnedFd> = (0..4).map(|_| clone_of(m.dev()).expect("clone")).collect();
    let mut cs = Vec::new();
    for (i, fd) in clones.iter().enumerate() {
        cs.push(look(&mut m, &format!("n{i}")));
        read(&m, fd);
    }
    umount(&m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    for c in cs {
        assert_eq!(c.join::<Res<u64>>(), Err(ECONNABORTED));
    }
    for fd in &clones {
        assert_eq!(user::read(fd, m.buf).err(), Some(ENODEV));
        assert_eq!(write(fd, &message(2, 0, &[])), Err(ENOENT));
    }
    m.without_record();
}

fn fdinfo(fd: &impl AsRawFd) -> Option<u32> {
    std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))
        .expect("fdinfo")
        .lines()
        .find_map(|l| l.strip_prefix("fuse_connection:\t"))
        .map(|id| id.parse().expect("a number"))
}

/// The number is that of the mount's device, for each descriptor, before and after the end.
fn fdinfo_of_each() {
    let fresh = open_dev(false).expect("dev");
    assert_eq!(fdinfo(&fresh), None);
    let m = Mock::new();
    let c = clone_of(m.dev()).expect("clone");
    let info = std::fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let line = info
        .lines()
        .find(|l| l.contains(m.mnt.to_str().expect("utf-8")))
        .expect("mount");
    let dev = line.split(' ').nth(2).expect("device");
    let (major, minor) = dev.split_once(':').expect("numbers");
    assert_eq!(major, "0");
    let minor = minor.parse().expect("minor");
    assert_eq!(fdinfo(&m.dev()), Some(minor));
    assert_eq!(fdinfo(&c), Some(minor));
    assert_eq!(fdinfo(&fresh), None);
    m.umount();
    assert_eq!(fdinfo(&m.dev()), Some(minor));
    assert_eq!(fdinfo(&c), Some(minor));
}

/// Many of them, all at work, closed in any order.
fn many_clones() {
    let mut m = Mock::new();
    let mut clones: Vec<OwnedFd> = Vec::new();
    for round in 0..3 {
        while clones.len() < 200 {
            clones.push(clone_of(m.dev()).unwrap_or_else(|e| panic!("{}: {e}", clones.len())));
        }
        let mut cs = Vec::new();
        for (i, fd) in clones.iter().enumerate().step_by(40) {
            cs.push(look(&mut m, &format!("n{round}.{i}")));
            let r = read(&m, fd);
            let b = entry(&r);
            assert_eq!(write(fd, &b), Ok(b.len()));
        }
        for c in cs {
            assert_eq!(c.join::<Res<u64>>(), Ok(5));
        }
        let mut i = 0;
        clones.retain(|_| {
            i += 1;
            i % 3 == round
        });
    }
    m.without_record();
    drop(clones);
    m.finish();
}

fn compat_ioctls() {
    ktap::needs("CONFIG_IA32_EMULATION");
    let mut m = Mock::new();
    let mut low = Pages::low();
    let dev = m.dev().as_raw_fd() as u32;
    low.bytes(0, 4).copy_from_slice(&dev.to_ne_bytes());
    let arg = low.addr() as u32;
    let fresh = open_dev(false).expect("dev");
    assert_eq!(ioctl32(&fresh, CLONE, 8), Err(EFAULT));
    assert_eq!(ioctl32(&fresh, CLONE + 0x7f, arg), Err(ENOTTY));
    assert_eq!(ioctl32(&fresh, BACKING_OPEN, arg), Err(EPERM));
    assert_eq!(ioctl32(&fresh, BACKING_CLOSE, arg), Err(EPERM));
    assert_eq!(ioctl32(&m.dev(), SYNC_INIT, 0), Err(EINVAL));
    assert_eq!(ioctl32(&fresh, CLONE, arg), Ok(0));
    let c = look(&mut m, "name");
    let r = read(&m, &fresh);
    let b = entry(&r);
    assert_eq!(write(&fresh, &b), Ok(b.len()));
    assert_eq!(c.join::<Res<u64>>(), Ok(5));
    m.finish();
}
