// SPDX-License-Identifier: GPL-2.0

//! The device before, during and after a mount: errors, O_NONBLOCK, poll.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mount::{open_dev, umount};
use mockd::reply::message;
use mockd::user;
use mockd::wire::Op;
use mockd::{Init, Mock, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        before_mount,
        nonblock,
        poll_events,
        poll_wakes,
        epoll_edge,
        after_umount,
        small_buffer,
        read_is_whole,
        clone_without_mount,
        unknown_ioctl,
        nonblock_set_later,
        seek_and_mmap,
        positions_mean_nothing,
        node_of_device,
        names_to_load_by,
        fdinfo,
    ]
}

fn events(fd: BorrowedFd<'_>) -> i16 {
    let mut p = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN | libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one valid entry.
    unsafe { libc::poll(&mut p, 1, 0) };
    p.revents
}

fn before_mount() {
    let dev = open_dev(false).expect("dev");
    assert_eq!(user::read(&dev, 8192).err(), Some(EPERM));
    assert_eq!(user::write(&dev, &message(2, 0, &[])), Err(EPERM));
    assert_eq!(events(dev.as_fd()), libc::POLLERR);
}

fn nonblock() {
    let mut m = Mock::with(
        &Setup {
            nonblock: true,
            ..Setup::default()
        },
        &Init::plain(),
    );
    assert_eq!(m.read().err(), Some(EAGAIN));
    let c = m.call("x", |p| user::lstat(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "x");
    assert_eq!(m.read().err(), Some(EAGAIN));
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

fn poll_events() {
    let mut m = Mock::uninit(&Setup::default());
    let (r, w) = (libc::POLLIN, libc::POLLOUT);
    assert_eq!(events(m.dev()), r | w, "INIT waits");
    let init = m.expect(Op::INIT);
    assert_eq!(events(m.dev()), w);
    m.reply(&init, &Init::plain().bytes());
    assert_eq!(events(m.dev()), w);
    m.umount();
    assert_eq!(events(m.dev()), libc::POLLERR);
}

/// poll(2) wakes for a request and for the end.
fn poll_wakes() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, io| {
        io.wait();
        user::lstat(&mnt.join("x")).map(drop)
    });
    c.go();
    let r = m.expect_name(Op::LOOKUP, "x");
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    // A process that only polls sees the abort.
    let dev = m.dev().as_raw_fd();
    let mut p = mockd::Caller::spawn(None, |io| {
        io.put(());
        let mut e = libc::pollfd {
            fd: dev,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid entry.
        unsafe { libc::poll(&mut e, 1, 60_000) };
        e.revents as i32
    });
    p.get::<()>();
    p.wait_asleep();
    umount(&m.mnt, 0).expect("umount");
    assert_eq!(p.join::<i32>(), i32::from(libc::POLLERR));
}

/// Edge-triggered epoll sees each new request.
fn epoll_edge() {
    use rustix::event::epoll;
    let mut m = Mock::new();
    let ep = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    epoll::add(
        &ep,
        m.dev(),
        epoll::EventData::new_u64(1),
        epoll::EventFlags::IN | epoll::EventFlags::ET,
    )
    .expect("epoll add");
    for i in 0..3 {
        let name = format!("n{i}");
        let c = m.call(&name, |p| user::lstat(p).map(drop));
        let mut ev = Vec::with_capacity(4);
        let bound = rustix::event::Timespec {
            tv_sec: ktap::patience().as_secs() as i64,
            tv_nsec: 0,
        };
        epoll::wait(&ep, rustix::buffer::spare_capacity(&mut ev), Some(&bound))
            .expect("epoll wait");
        assert_eq!(ev.len(), 1);
        let r = m.expect_name(Op::LOOKUP, &name);
        m.fail(&r, ENOENT);
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    drop(ep);
    m.finish();
}

fn after_umount() {
    let m = Mock::new();
    m.umount();
    assert_eq!(m.read().err(), Some(ENODEV));
    assert_eq!(m.write(&message(2, 0, &[])), Err(ENOENT));
    assert_eq!(m.write(&[0; 4]), Err(EINVAL));
    assert_eq!(events(m.dev()), libc::POLLERR);
    // The descriptor cannot be used for a mount again.
    let dir = ktap::dir().join("again");
    std::fs::create_dir(&dir).expect("dir");
    assert_eq!(Setup::default().mount(m.dev(), &dir), Err(ENOTCONN));
}

/// read(2) wants room for the largest WRITE, whatever is there.
fn small_buffer() {
    let mut m = Mock::uninit(&Setup::default());
    assert_eq!(user::read(&m.dev(), 8191).err(), Some(EINVAL));
    assert_eq!(user::read(&m.dev(), 0).err(), Some(EINVAL));
    m.buf = 8192;
    let r = m.expect(Op::INIT);
    m.reply(
        &r,
        &Init {
            max_write: 65536,
            ..Init::plain()
        }
        .bytes(),
    );
    let c = m.call("x", |p| user::lstat(p).map(drop));
    assert_eq!(user::read(&m.dev(), 65536 + 79).err(), Some(EINVAL));
    m.buf = 65536 + 80;
    let r = m.expect_name(Op::LOOKUP, "x");
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

/// One request for each read, however large the buffer.
fn read_is_whole() {
    let mut m = Mock::new();
    let mut cs: Vec<_> = (0..4)
        .map(|i| m.call(&format!("n{i}"), |p| user::lstat(p).map(drop)))
        .collect();
    let mut seen: Vec<String> = (0..4)
        .map(|_| {
            let r = m.expect(Op::LOOKUP);
            m.fail(&r, ENOENT);
            r.name()
        })
        .collect();
    seen.sort();
    assert_eq!(seen, ["n0", "n1", "n2", "n3"]);
    for c in cs.drain(..) {
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    m.finish();
}

/// O_NONBLOCK is a matter of the moment, not of the open.
fn nonblock_set_later() {
    let mut m = Mock::new();
    let set = |flags: i32| {
        // SAFETY: integers.
        check(unsafe { libc::fcntl(m.dev().as_raw_fd(), libc::F_SETFL, flags) }).expect("fcntl");
    };
    set(libc::O_NONBLOCK);
    assert_eq!(m.read().err(), Some(EAGAIN));
    set(0);
    let dev = m.dev().as_raw_fd();
    let reader = mockd::Caller::spawn(None, |_| {
        // SAFETY: the descriptor is inherited.
        let dev = unsafe { BorrowedFd::borrow_raw(dev) };
        user::read(&dev, 1 << 20).map(|b| b.len())
    });
    reader.wait_asleep();
    let c = m.call("x", |p| user::lstat(p).map(drop));
    assert_eq!(reader.join::<Res<usize>>(), Ok(42));
    umount(&m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    m.without_record();
}

/// pread(2) and pwrite(2) are read and write; what does not wait by its own flag, and what needs a
/// position, is refused.
fn positions_mean_nothing() {
    let mut m = Mock::new();
    let fd = m.dev().as_raw_fd();
    let c = m.call("x", |p| user::lstat(p).map(drop));
    c.wait_asleep();
    suites::daemon::until("the request", || m.pending().then_some(()));
    let out = std::fs::File::create(ktap::dir().join("out")).expect("create");
    let mut b = vec![0u8; 1 << 20];
    let iov = libc::iovec {
        iov_base: b.as_mut_ptr().cast(),
        iov_len: b.len(),
    };
    // SAFETY: the vector's buffer is valid.
    unsafe {
        let p = libc::preadv2(fd, &iov, 1, -1, libc::RWF_NOWAIT);
        assert_eq!(check(p as i64), Err(EOPNOTSUPP));
        let p = libc::sendfile(out.as_raw_fd(), fd, std::ptr::null_mut(), b.len());
        assert_eq!(check(p as i64), Err(EINVAL));
    }
    let b = user::pread(&m.dev(), 1 << 20, 12345).expect("pread");
    let r = mockd::Request::parse(&b).expect("request");
    assert_eq!((r.op, r.name()), (Op::LOOKUP, "x".into()));
    let reply = message(r.unique, -libc::ENOENT, &[]);
    assert_eq!(user::pwrite(&m.dev(), &reply, 999), Ok(16));
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.without_record();
    m.finish();
}

const FUSE_DEV_IOC_CLONE: u64 = 0x8004_e500;

fn ioctl(fd: &impl AsRawFd, cmd: u64, arg: *mut u32) -> Res<i64> {
    // SAFETY: arg is null or valid for a word.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), cmd as _, arg) })
}

fn clone_without_mount() {
    let (a, b) = (open_dev(false).expect("dev"), open_dev(false).expect("dev"));
    let mut n = b.as_raw_fd() as u32;
    let r = ioctl(&a, FUSE_DEV_IOC_CLONE, &mut n);
    assert_eq!(r, Err(EPERM));
    assert_eq!(
        ioctl(&a, FUSE_DEV_IOC_CLONE, std::ptr::null_mut()),
        Err(EFAULT)
    );
    n = 9999;
    assert_eq!(ioctl(&a, FUSE_DEV_IOC_CLONE, &mut n), Err(EINVAL));
}

fn unknown_ioctl() {
    let a = open_dev(false).expect("dev");
    let mut n = 0;
    assert_eq!(ioctl(&a, 0x8004_e5ff, &mut n), Err(ENOTTY));
}

fn seek_and_mmap() {
    let m = Mock::new();
    // SAFETY: integers.
    let r = check(unsafe { libc::lseek(m.dev().as_raw_fd(), 0, libc::SEEK_SET) });
    assert_eq!(r, Err(ESPIPE));
    // SAFETY: a new mapping.
    let p = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ,
            libc::MAP_SHARED,
            m.dev().as_raw_fd(),
            0,
        )
    };
    assert_eq!(p, libc::MAP_FAILED);
    assert_eq!(last(), ENODEV);
    m.finish();
}

fn node_of_device() {
    let st = user::stat(std::path::Path::new("/dev/fuse")).expect("stat");
    assert_eq!(st.mode & libc::S_IFMT, libc::S_IFCHR);
    assert_eq!((libc::major(st.rdev), libc::minor(st.rdev)), (10, 229));
    let misc = std::fs::read_to_string("/proc/misc").expect("misc");
    assert!(misc.lines().any(|l| l.trim() == "229 fuse"), "{misc}");
    let fs = std::fs::read_to_string("/proc/filesystems").expect("filesystems");
    assert!(fs.lines().any(|l| l == "nodev\tfuse"), "{fs}");
}

/// By these names the module is loaded when somebody opens the device or mounts.
fn names_to_load_by() {
    let module = std::fs::read("/run/rust_fuse/fuse.ko").expect("module");
    for name in ["devname:fuse", "char-major-10-229", "fs-fuse", "fs-fusectl"] {
        // The first entry of .modinfo has no NUL before it.
        let want = format!("alias={name}\0");
        let has = module.windows(want.len()).any(|w| w == want.as_bytes());
        assert!(has, "{name}");
    }
}

fn fdinfo() {
    let m = Mock::new();
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", m.dev().as_raw_fd()))
        .expect("fdinfo");
    let st = std::fs::metadata("/proc/self/fdinfo").map(drop);
    assert!(st.is_ok());
    let id = text
        .lines()
        .find_map(|l| l.strip_prefix("fuse_connection:\t"))
        .expect("fuse_connection line");
    assert!(id.parse::<u32>().is_ok(), "{id}");
    m.finish();
}
