// SPDX-License-Identifier: GPL-2.0

//! Ids of users and processes are those of the daemon's namespaces.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::lock::{getlk, setlk, Lk, WRLCK};
use mockd::memfs::Memfs;
use mockd::mock::{answer, read_request};
use mockd::mount::{open_dev, umount};
use mockd::msg::Msg;
use mockd::record::Recorder;
use mockd::reply::message;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Request, Setup};
use suites::setting::Setting;

pub fn cases() -> Vec<Case> {
    cases![
        pid_namespace,
        pid_namespace_of_locks,
        user_namespace,
        user_without_id
    ]
}

const USER: u32 = 1000;
const BUF: usize = (1 << 20) + 4096;

fn dir() -> PathBuf {
    let d = ktap::dir().join("m");
    std::fs::create_dir(&d).expect("dir");
    d
}

/// A device whose mount another process made.
struct Device {
    fd: OwnedFd,
    fs: Memfs,
}

impl Device {
    fn read(&self) -> Request {
        assert!(mockd::caller::readable(self.fd.as_fd(), ktap::patience()));
        read_request(self.fd.as_fd(), BUF, &Recorder::default()).expect("read")
    }

    /// Answers INIT.
    fn start(&self) {
        let r = self.read();
        assert_eq!(r.op, Op::INIT);
        let b = message(r.unique, 0, &Init::plain().bytes());
        assert_eq!(user::write(&self.fd, &b), Ok(b.len()));
    }

    /// Serves until the caller has ended; gives its value and what was asked, in order.
    fn serve<T: Msg>(&mut self, c: Caller) -> (T, Vec<Request>) {
        let (mut c, mut asked) = ([c], vec![]);
        loop {
            let ended = c[0].ended();
            while mockd::caller::readable(self.fd.as_fd(), std::time::Duration::ZERO) {
                asked.push(self.one());
            }
            if ended {
                let [c] = c;
                return (c.join(), asked);
            }
            std::thread::yield_now();
        }
    }

    /// Serves until the caller says something.
    fn said<T: Msg>(&mut self, c: &mut Caller) -> T {
        while !mockd::caller::readable(c.fd(), std::time::Duration::ZERO) {
            if mockd::caller::readable(self.fd.as_fd(), std::time::Duration::ZERO) {
                self.one();
            }
        }
        c.get()
    }

    fn one(&mut self) -> Request {
        let r = self.read();
        let a = self.fs.handle(&r);
        answer(self.fd.as_fd(), &r, &a).expect("answer");
        r
    }
}

/// Who is outside of the daemon's namespace has no number there.
fn pid_namespace() {
    ktap::needs("CONFIG_PID_NS");
    let (mnt, fd) = (dir(), open_dev(false).expect("dev"));
    let stat = |name: &'static str| {
        let p = mnt.join(name);
        move || user::lstat(&p).map(drop)
    };
    let (outside, inside) = (stat("outside"), stat("inside"));
    let outside = Caller::spawn(None, |io| {
        io.wait();
        outside()
    });
    // SAFETY: a flag.
    check(unsafe { libc::unshare(libc::CLONE_NEWPID) }).expect("unshare");
    // The first process of the namespace, which ends with it.
    let mut first = Caller::spawn(None, |io| {
        io.put(Setup::default().mount(fd.as_fd(), &mnt));
        io.wait();
    });
    assert_eq!(first.get::<Res<()>>(), Ok(()));
    let mut dev = Device {
        fd,
        fs: Memfs::new(),
    };
    dev.start();
    outside.go();
    let (r, asked) = dev.serve::<Res<()>>(outside);
    assert_eq!((r, asked[0].pid), (Err(ENOENT), 0), "{asked:?}");
    let inside = Caller::spawn(None, |_| (inside(), std::process::id()));
    let (r, asked) = dev.serve::<(Res<()>, u32)>(inside);
    assert_eq!(r, (Err(ENOENT), asked[0].pid), "{asked:?}");
    umount(&mnt, 0).expect("umount");
}

/// The daemon is told who locks by the number that it has in the daemon's namespace, and tells it
/// so; whoever asks gets the number in its own.
fn pid_namespace_of_locks() {
    ktap::needs("CONFIG_PID_NS");
    ktap::needs("CONFIG_FILE_LOCKING");
    let (mnt, fd) = (dir(), open_dev(false).expect("dev"));
    let p = mnt.join("f");
    // Locks one byte, and is told who has another.
    let locks = |mine: i64, other: i64| {
        let p = &p;
        Caller::spawn(None, move |io| {
            io.wait();
            let f = user::open(p, libc::O_RDWR, 0).expect("open");
            io.put(setlk(&f, WRLCK, mine, 1));
            io.wait();
            io.put(getlk(&f, WRLCK, other, 1));
            io.wait();
        })
    };
    let mut outside = locks(0, 10);
    // SAFETY: a flag.
    check(unsafe { libc::unshare(libc::CLONE_NEWPID) }).expect("unshare");
    // The first process of the namespace, which ends with it.
    let mut first = Caller::spawn(None, |io| {
        io.put(Setup::default().mount(fd.as_fd(), &mnt));
        io.wait();
    });
    assert_eq!(first.get::<Res<()>>(), Ok(()));
    let mut fs = Memfs::new();
    fs.file("f", b"");
    let mut dev = Device { fd, fs };
    dev.start();
    let mut inside = locks(10, 0);
    for c in [&mut outside, &mut inside] {
        c.go();
        assert_eq!(dev.said::<Res<()>>(c), Ok(()));
    }
    outside.go();
    let found: Res<Lk> = dev.said(&mut outside);
    assert_eq!(found, Ok((WRLCK, 10, 1, inside.pid)));
    inside.go();
    // Outside, it is nobody.
    let found: Res<Lk> = dev.said(&mut inside);
    assert_eq!(found, Ok((WRLCK, 0, 1, 0)));
    for c in [outside, inside] {
        c.go();
        dev.serve::<()>(c);
    }
    umount(&mnt, 0).expect("umount");
}

/// Another process's descriptor.
fn get_fd(pid: i32, fd: RawFd) -> OwnedFd {
    // SAFETY: integers; the descriptors are new.
    unsafe {
        let p = check(libc::syscall(libc::SYS_pidfd_open, pid, 0)).expect("pidfd_open");
        let p = OwnedFd::from_raw_fd(p as RawFd);
        let fd = libc::syscall(libc::SYS_pidfd_getfd, p.as_raw_fd(), fd, 0);
        OwnedFd::from_raw_fd(check(fd).expect("pidfd_getfd") as RawFd)
    }
}

/// A mount in a user namespace, in which an ordinary user is root and nobody else is anybody: the
/// process that made it, the device, and the root of the mount.
fn of_a_user() -> (Caller, Device, OwnedFd) {
    ktap::needs("CONFIG_USER_NS");
    let mnt = dir();
    // What udev does elsewhere: the device is there for everybody.
    std::fs::set_permissions("/dev/fuse", std::fs::Permissions::from_mode(0o666)).expect("chmod");
    let mut c = Caller::spawn(None, |io| {
        suites::userns::enter(USER);
        let dev = open_dev(false).expect("dev");
        Setup::default().mount(dev.as_fd(), &mnt).expect("mount");
        io.put(dev.as_raw_fd());
        io.wait();
    });
    let fd = c.get::<i32>();
    let mut fs = Memfs::new();
    for (name, id) in [("mine", 0), ("other", 7)] {
        let node = fs.file(name, b"");
        let attr = &mut fs.nodes.get_mut(&node).expect("node").attr;
        (attr.uid, attr.gid) = (id, id);
    }
    let dev = Device {
        fd: get_fd(c.pid, fd),
        fs,
    };
    dev.start();
    // Nobody is asked about a root that is only named.
    let path = format!("/proc/{}/root{}", c.pid, mnt.display());
    let root = user::open(Path::new(&path), libc::O_PATH, 0).expect("root");
    (c, dev, root)
}

/// Opens a name in the root for reading.
fn open_at(root: BorrowedFd<'_>, name: &str) -> Res<OwnedFd> {
    let name = CString::new(name).expect("name");
    // SAFETY: a string; the descriptor is new.
    unsafe {
        let fd = libc::openat(root.as_raw_fd(), name.as_ptr(), libc::O_RDONLY);
        Ok(OwnedFd::from_raw_fd(check(fd)? as RawFd))
    }
}

/// The owner, as seen from here.
fn owner(root: BorrowedFd<'_>, name: &str) -> Res<(u32, u32)> {
    let fd = open_at(root, name)?;
    user::fstat(&fd).map(|s| (s.uid, s.gid))
}

fn user_namespace() {
    let (_c, mut dev, root) = of_a_user();
    let caller = Caller::spawn(None, |_| {
        user::become_user(USER, USER);
        (owner(root.as_fd(), "mine"), owner(root.as_fd(), "other"))
    });
    let (r, asked) = dev.serve::<(Res<(u32, u32)>, Res<(u32, u32)>)>(caller);
    // 7 is nobody outside, which is called 65534.
    assert_eq!(r, (Ok((USER, USER)), Ok((65534, 65534))));
    assert!(!asked.is_empty());
    for r in asked {
        // Those that are nobody's are sent for nobody in particular.
        if r.op != Op::RELEASE {
            assert_eq!((r.uid, r.gid), (0, 0), "{r:?}");
        }
    }
}

/// A caller who has no id in the daemon's namespace gets EOVERFLOW, and the daemon hears nothing of
/// it; only a request that cannot fail is sent, in the name of nobody.
fn user_without_id() {
    let s = Setting::parameter("allow_sys_admin_access");
    let (_c, mut dev, root) = of_a_user();
    let as_root = |f: fn(BorrowedFd<'_>) -> Res<()>| {
        let root = root.as_fd();
        Caller::spawn(None, move |_| f(root))
    };
    let look: fn(BorrowedFd<'_>) -> Res<()> = |root| owner(root, "mine").map(drop);
    let (r, asked) = dev.serve::<Res<()>>(as_root(look));
    assert_eq!((r, asked.len()), (Err(EACCES), 0));
    s.set("Y").expect("set");
    let (r, asked) = dev.serve::<Res<()>>(as_root(look));
    assert_eq!((r, asked.len()), (Err(EOVERFLOW), 0));

    // A file that somebody else has opened.
    let mut opener = Caller::spawn(None, |io| {
        user::become_user(USER, USER);
        let fd = open_at(root.as_fd(), "mine").expect("open");
        io.put(fd.as_raw_fd());
        io.wait();
    });
    for op in [Op::LOOKUP, Op::OPEN] {
        assert_eq!(dev.one().op, op);
    }
    let (pid, fd) = (opener.pid, opener.get::<i32>());
    let closer = Caller::spawn(None, move |_| {
        let file = get_fd(pid, fd);
        (user::fsync(&file), user::close(file))
    });
    let (r, asked) = dev.serve::<(Res<()>, Res<()>)>(closer);
    assert_eq!(r, (Err(EOVERFLOW), Ok(())));
    let asked: Vec<_> = asked.iter().map(|r| (r.op, r.uid, r.gid)).collect();
    assert_eq!(asked, [(Op::FLUSH, 65534, 65534)]);
    opener.go();
    dev.serve::<()>(opener);
}
