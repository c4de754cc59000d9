// SPDX-License-Identifier: GPL-2.0

//! The end of a connection with requests in each place: every place and every kind of end.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::{is_mounted, umount};
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Mock, Setup};
use suites::daemon::umount_soon;

pub fn cases() -> Vec<Case> {
    cases![
        queued_forced,
        queued_closed,
        queued_killed,
        with_daemon_forced,
        with_daemon_closed,
        with_daemon_killed,
        interrupt_queued_forced,
        interrupt_queued_closed,
        interrupt_queued_killed,
        interrupt_read_forced,
        interrupt_read_closed,
        background_forced,
        background_closed,
        background_killed,
        before_init_forced,
        before_init_closed,
        many_everywhere,
        forced_requests_end_too,
        open_files_after_the_end,
        mapped_pages_after_the_end,
        last_of_several_copies,
        descriptor_passed_on,
        descriptor_kept_by_fork,
        remount_after_death,
        detached_then_died,
        write_back_of_nothing,
    ]
}

/// How the connection ends.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    /// umount -f.
    Forced,
    /// The last descriptor is closed.
    Closed,
    /// The daemon's process is killed.
    Killed,
}

/// Ends it; the mount is gone afterwards.
fn end(mut m: Mock, how: End, callers: Vec<Caller>, want: &[Errno]) {
    m.without_record();
    let mnt = m.mnt.clone();
    let dev = m.dev().as_raw_fd();
    let mut m = Some(m);
    match how {
        End::Forced => drop(umount(&mnt, libc::MNT_FORCE)),
        End::Closed => drop(m.take()),
        End::Killed => {
            let mut daemon = Caller::spawn(None, |io| {
                io.put(dev);
                io.wait();
            });
            daemon.get::<i32>();
            drop(m.take());
            daemon.kill(libc::SIGKILL);
            daemon.reap();
        }
    }
    for c in callers {
        let r: Res<()> = c.join();
        assert!(
            r.is_err_and(|e| want.contains(&e)),
            "{r:?}, expected one of {want:?}"
        );
    }
    if let Some(m) = &m {
        assert_eq!(m.read().err(), Some(ENODEV));
    }
    if is_mounted(&mnt) {
        let c = Caller::spawn(None, |_| user::lstat(&mnt.join("later")).map(drop));
        let late = c.join::<Res<()>>();
        assert!(matches!(late, Err(ENOTCONN | ECONNREFUSED)), "{late:?}");
        umount_soon(&mnt);
    }
}

/// A caller that looks a name up; from the return on, SIGUSR1 does not kill it.
fn look(m: &mut Mock, name: &str) -> Caller {
    let name = name.to_string();
    let mut c = m.caller(move |mnt, io| {
        user::catch_signal(libc::SIGUSR1, false);
        io.put(());
        user::lstat(&mnt.join(name)).map(drop)
    });
    c.get::<()>();
    c
}

const ABORTED: &[Errno] = &[ECONNABORTED];

fn queued(how: End) {
    let mut m = Mock::new();
    let cs: Vec<_> = (0..3)
        .map(|i| {
            let c = look(&mut m, &format!("n{i}"));
            suites::daemon::until("the request", || m.pending().then_some(()));
            c.wait_asleep();
            c
        })
        .collect();
    end(m, how, cs, ABORTED);
}

fn queued_forced() {
    queued(End::Forced);
}
fn queued_closed() {
    queued(End::Closed);
}
fn queued_killed() {
    queued(End::Killed);
}

fn with_daemon(how: End) {
    let mut m = Mock::new();
    let cs: Vec<_> = (0..3).map(|i| look(&mut m, &format!("n{i}"))).collect();
    for _ in 0..3 {
        m.expect(Op::LOOKUP);
    }
    end(m, how, cs, ABORTED);
}

fn with_daemon_forced() {
    with_daemon(End::Forced);
}
fn with_daemon_closed() {
    with_daemon(End::Closed);
}
fn with_daemon_killed() {
    with_daemon(End::Killed);
}

/// Interrupted; the INTERRUPT is read or not.
fn interrupted(how: End, read: bool) {
    let mut m = Mock::new();
    let c = look(&mut m, "x");
    m.expect(Op::LOOKUP);
    c.kill(libc::SIGUSR1);
    suites::daemon::until("the INTERRUPT", || m.pending().then_some(()));
    if read {
        m.expect(Op::INTERRUPT);
    }
    end(m, how, vec![c], ABORTED);
}

fn interrupt_queued_forced() {
    interrupted(End::Forced, false);
}
fn interrupt_queued_closed() {
    interrupted(End::Closed, false);
}
fn interrupt_queued_killed() {
    interrupted(End::Killed, false);
}
fn interrupt_read_forced() {
    interrupted(End::Forced, true);
}
fn interrupt_read_closed() {
    interrupted(End::Closed, true);
}

/// RELEASEs with the daemon, behind the limit, and a reader of pages.
fn background(how: End) {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    for i in 0..20 {
        fs.file(&format!("f{i}"), b"");
    }
    fs.file("big", &[1; 200_000]);
    let c = m.caller(|mnt, _| {
        (0..20)
            .try_for_each(|i| user::close(user::open(&mnt.join(format!("f{i}")), libc::O_RDWR, 0)?))
    });
    let r: Res<()> = m.serve(c, &mut |r| {
        if r.op == Op::RELEASE {
            Answer::None
        } else {
            fs.handle(r)
        }
    });
    assert_eq!(r, Ok(()));
    let c = m.caller(|mnt, _| {
        std::fs::read(mnt.join("big"))
            .map(drop)
            .map_err(Errno::from)
    });
    for op in [Op::LOOKUP, Op::OPEN] {
        let r = m.find("open", |r| r.op == op);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    c.wait_asleep();
    // In its READ, or behind the limit before it.
    end(m, how, vec![c], &[ECONNABORTED, EIO, ENOTCONN]);
}

fn background_forced() {
    background(End::Forced);
}
fn background_closed() {
    background(End::Closed);
}
fn background_killed() {
    background(End::Killed);
}

fn before_init(how: End) {
    let mut m = Mock::uninit(&Setup::default());
    let cs: Vec<_> = (0..3)
        .map(|i| {
            let c = look(&mut m, &format!("n{i}"));
            c.wait_asleep();
            c
        })
        .collect();
    end(m, how, cs, &[ENOTCONN, ECONNREFUSED]);
}

fn before_init_forced() {
    before_init(End::Forced);
}
fn before_init_closed() {
    before_init(End::Closed);
}

fn many_everywhere() {
    for how in [End::Forced, End::Closed, End::Killed] {
        let mut m = Mock::new();
        let mut cs: Vec<_> = (0..30).map(|i| look(&mut m, &format!("n{i}"))).collect();
        for i in 0..10 {
            let r = m.find("LOOKUP", |r| r.op == Op::LOOKUP);
            if i % 3 == 0 {
                m.fail(&r, ENOENT);
            }
        }
        // Not before they handle it.
        cs.iter().for_each(Caller::wait_asleep);
        cs.iter().for_each(|c| c.kill(libc::SIGUSR1));
        let dead = cs.pop().expect("caller");
        dead.kill(libc::SIGKILL);
        drop(dead);
        end(m, how, cs, &[ECONNABORTED, ENOENT, EINTR]);
    }
}

/// FLUSH waits without being killed; the end of the connection is an end for it too.
fn forced_requests_end_too() {
    for how in [End::Forced, End::Closed, End::Killed] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.file("f", b"");
        let c = m.caller(|mnt, _| user::close(user::open(&mnt.join("f"), libc::O_RDWR, 0)?));
        for op in [Op::LOOKUP, Op::OPEN] {
            let r = m.expect(op);
            let a = fs.handle(&r);
            m.answer(&r, &a).expect("answer");
        }
        m.expect(Op::FLUSH);
        end(m, how, vec![c], ABORTED);
    }
}

/// What is open stays open, and says ENOTCONN.
fn open_files_after_the_end() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[1; 100]);
    let mut c = m.caller(|mnt, io| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR | libc::O_DIRECT, 0)?;
        let d = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        io.put(());
        io.wait();
        let r = vec![
            user::pread(&f, 10, 0).map(drop),
            user::pwrite(&f, b"x", 0).map(drop),
            user::fsync(&f),
            user::ftruncate(&f, 0),
            user::getdents(&d, 4096).map(drop),
            user::fsync(&d),
            user::mkdir(&mnt.join("d"), 0o755),
            user::statfs(mnt).map(drop),
            user::rename(&mnt.join("f"), &mnt.join("g")),
            user::unlink(&mnt.join("f")),
            user::open(&mnt.join("f"), libc::O_RDONLY, 0).map(drop),
        ];
        let closed = user::close(f);
        Ok::<_, Errno>((r, closed, user::close(d)))
    });
    for _ in 0..3 {
        let r = m.request();
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    c.get::<()>();
    m.without_record();
    let mnt = m.die();
    c.go();
    let (r, f, d) = c
        .join::<Res<(Vec<Res<()>>, Res<()>, Res<()>)>>()
        .expect("caller");
    println!("{r:?} {f:?} {d:?}");
    assert_eq!(r, vec![Err(ENOTCONN); 11]);
    assert_eq!((f, d), (Err(ENOTCONN), Ok(())));
    umount(&mnt, 0).expect("umount");
}

/// Pages that are in the cache can be read when the daemon is gone, others are SIGBUS.
fn mapped_pages_after_the_end() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[7; 1 << 20]);
    let c = m.caller(|mnt, io| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0).expect("open");
        // SAFETY: a new mapping, not unmapped before the end; its bytes are read one at a time.
        unsafe {
            let p = libc::mmap(
                std::ptr::null_mut(),
                1 << 20,
                libc::PROT_READ,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                0,
            );
            assert_ne!(p, libc::MAP_FAILED);
            libc::madvise(p, 1 << 20, libc::MADV_RANDOM);
            let byte = |i: usize| std::ptr::read_volatile(p.cast::<u8>().add(i));
            let first = byte(0);
            io.put(first);
            io.wait();
            let again = byte(1);
            io.put(again);
            byte(1 << 19)
        }
    });
    let mut c = c;
    while !mockd::caller::readable(c.fd(), std::time::Duration::ZERO) {
        if m.pending() {
            let r = m.request();
            let a = fs.handle(&r);
            m.answer(&r, &a).expect("answer");
        }
    }
    assert_eq!(c.get::<u8>(), 7);
    m.without_record();
    let mnt = m.die();
    c.go();
    assert_eq!(c.get::<u8>(), 7);
    let st = c.reap();
    assert!(
        libc::WIFSIGNALED(st) && libc::WTERMSIG(st) == libc::SIGBUS,
        "{st:#x}"
    );
    umount(&mnt, 0).expect("umount");
}

/// Only the last copy of the descriptor ends the connection.
fn last_of_several_copies() {
    let mut m = Mock::new();
    let copies: Vec<_> = (0..3)
        .map(|_| m.dev().try_clone_to_owned().expect("dup"))
        .collect();
    m.without_record();
    let mnt = m.die();
    let c = Caller::spawn(None, |_| {
        // This copy of all descriptors would keep the connection.
        user::lstat(&mnt.join("x")).map(drop)
    });
    let mut fs = Memfs::new();
    let rec = mockd::record::Recorder::default();
    use std::os::fd::AsFd;
    let r = mockd::mock::read_request(copies[1].as_fd(), 1 << 20, &rec).expect("read");
    mockd::mock::answer(copies[2].as_fd(), &r, &fs.handle(&r)).expect("answer");
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    drop(copies);
    let c = Caller::spawn(None, |_| user::lstat(&mnt.join("x")).map(drop));
    assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN));
    umount(&mnt, 0).expect("umount");
}

/// A descriptor sent through a socket serves on in another process.
fn descriptor_passed_on() {
    use std::io::IoSlice;
    use std::os::fd::AsFd;
    let mut m = Mock::new();
    let (a, b) = std::os::unix::net::UnixStream::pair().expect("pair");
    let dev = m.dev().as_raw_fd();
    let mut other = Caller::spawn(None, |io| {
        // Without the copy that fork gave.
        // SAFETY: this process does not use it.
        unsafe { libc::close(dev) };
        io.put(());
        let fd = receive(&b).expect("descriptor");
        let mut fs = Memfs::new();
        let rec = mockd::record::Recorder::default();
        let mut n = 0u32;
        loop {
            match mockd::mock::read_request(fd.as_fd(), 1 << 20, &rec) {
                Ok(r) => drop(mockd::mock::answer(fd.as_fd(), &r, &fs.handle(&r))),
                Err(_) => return n,
            }
            n += 1;
        }
    });
    other.get::<()>();
    let fds = [m.dev()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix_cmsg::SPACE];
    rustix_cmsg::send(&a, &[IoSlice::new(b"x")], &fds, &mut space);
    drop(a);
    m.without_record();
    let mnt = m.die();
    let c = Caller::spawn(None, |_| {
        user::mkdir(&mnt.join("d"), 0o755)?;
        user::lstat(&mnt.join("d")).map(drop)
    });
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    umount(&mnt, 0).expect("umount");
    assert!(other.join::<u32>() >= 2);
}

/// SCM_RIGHTS by hand.
mod rustix_cmsg {
    use std::io::IoSlice;
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    pub const SPACE: usize = 64;

    pub fn send(
        s: &UnixStream,
        data: &[IoSlice<'_>],
        fds: &[BorrowedFd<'_>],
        space: &mut [MaybeUninit<u8>; SPACE],
    ) {
        // SAFETY: the message is built within `space`, which is large enough for one descriptor.
        unsafe {
            let mut m: libc::msghdr = std::mem::zeroed();
            m.msg_iov = data.as_ptr() as *mut libc::iovec;
            m.msg_iovlen = data.len();
            m.msg_control = space.as_mut_ptr().cast();
            m.msg_controllen = libc::CMSG_SPACE(4) as usize;
            let c = libc::CMSG_FIRSTHDR(&m);
            (*c).cmsg_level = libc::SOL_SOCKET;
            (*c).cmsg_type = libc::SCM_RIGHTS;
            (*c).cmsg_len = libc::CMSG_LEN(4) as usize;
            libc::CMSG_DATA(c)
                .cast::<i32>()
                .write_unaligned(fds[0].as_raw_fd());
            assert_eq!(libc::sendmsg(s.as_raw_fd(), &m, 0), 1);
        }
    }
}

fn receive(s: &std::os::unix::net::UnixStream) -> Option<std::os::fd::OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: buffers of the sizes given; the descriptor received is new.
    unsafe {
        let (mut byte, mut space) = ([0u8; 1], [0u64; 8]);
        let mut iov = libc::iovec {
            iov_base: byte.as_mut_ptr().cast(),
            iov_len: 1,
        };
        let mut m: libc::msghdr = std::mem::zeroed();
        m.msg_iov = &mut iov;
        m.msg_iovlen = 1;
        m.msg_control = space.as_mut_ptr().cast();
        m.msg_controllen = 64;
        if libc::recvmsg(s.as_raw_fd(), &mut m, 0) != 1 {
            return None;
        }
        let c = libc::CMSG_FIRSTHDR(&m);
        if c.is_null() {
            return None;
        }
        Some(std::os::fd::OwnedFd::from_raw_fd(
            libc::CMSG_DATA(c).cast::<i32>().read_unaligned(),
        ))
    }
}

/// A daemon that forks: the child's copy keeps the connection.
fn descriptor_kept_by_fork() {
    let mut m = Mock::new();
    let mut child = Caller::spawn(None, |io| {
        io.put(());
        io.wait();
    });
    child.get::<()>();
    m.without_record();
    let mnt = m.die();
    let mut c = Caller::spawn(None, |_| user::lstat(&mnt.join("x")).map(drop));
    c.wait_asleep();
    assert!(!c.ended());
    child.kill(libc::SIGKILL);
    child.reap();
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    umount(&mnt, 0).expect("umount");
}

/// A new daemon on top of a dead one's mount, and below it.
fn remount_after_death() {
    let mut m = Mock::new();
    m.without_record();
    let mnt = m.die();
    let dev = mockd::mount::open_dev(false).expect("open");
    // The way to a dead root is closed, so it cannot be covered.
    println!(
        "on top: {:?}",
        Setup::default().mount(std::os::fd::AsFd::as_fd(&dev), &mnt)
    );
    while is_mounted(&mnt) {
        umount(&mnt, 0).expect("umount");
    }
    let m = Mock::new();
    m.finish();
}

fn detached_then_died() {
    let mut m = Mock::new();
    let c = look(&mut m, "x");
    m.expect(Op::LOOKUP);
    umount(&m.mnt, libc::MNT_DETACH).expect("umount -l");
    m.without_record();
    m.die();
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
}

/// Nothing written is kept back: after the daemon's death there is nothing to complain about.
fn write_back_of_nothing() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let mut c = m.caller(|mnt, io| {
        let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::pwrite(&fd, &[1; 10_000], 0)?;
        io.put(());
        io.wait();
        // SAFETY: a descriptor.
        let synced = check(unsafe { libc::syncfs(fd.as_raw_fd()) });
        Ok::<_, Errno>(synced.is_ok())
    });
    let start = std::time::Instant::now();
    while !mockd::caller::readable(c.fd(), std::time::Duration::ZERO)
        && start.elapsed() < ktap::patience()
    {
        if m.pending() {
            let r = m.request();
            let a = fs.handle(&r);
            m.answer(&r, &a).expect("answer");
        }
    }
    c.get::<()>();
    m.without_record();
    let mnt = m.die();
    c.go();
    assert_eq!(c.join::<Res<bool>>(), Ok(true));
    umount(&mnt, 0).expect("umount");
}
