// SPDX-License-Identifier: GPL-2.0

//! POSIX locks, and an open file's own ones: SETLK, SETLKW. GETLK is in `getlk`, locks that are
//! this machine's in `lock_local`, flock(2) in `flock`; what comes of signals and of the end of
//! those who have them is in `lock_ends`.

use std::os::fd::OwnedFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::lock::*;
use mockd::memfs::Memfs;
use mockd::msg::Msg;
use mockd::reply::message;
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::{Caller, Init, Mock, Request, Setup};

use crate::badreply::opened_and_bad;
use crate::xattr::ERRORS;

pub fn cases() -> Vec<Case> {
    cases![
        lock_ranges,
        lock_ranges_from_elsewhere,
        lock_ranges_refused,
        lock_kinds,
        lock_kinds_refused,
        lock_waits_or_not,
        lock_tells_the_process,
        lock_of_a_thread,
        unlock_tells_no_process,
        lock_owner_is_the_process,
        lock_owner_is_scrambled_by_mount,
        lock_owner_at_flush,
        setlk_errors,
        setlkw_errors,
        setlk_bad_lengths,
        lock_of_direct_file,
        lock_of_bad_inode,
        lock_of_others,
        lock_of_path_only,
        ofd_owner_is_the_file,
        ofd_waits_or_not,
        ofd_has_no_process,
        ofd_asks_for_its_own,
    ]
}

/// A caller opens "f" and does this: what it gets, and all locks that were asked for.
pub(crate) fn on_file<T: Msg>(init: &Init, f: impl FnOnce(OwnedFd) -> T) -> (T, Vec<Request>) {
    let (mut m, mut fs) = (Mock::with(&Setup::default(), init), files());
    let r = m.run(&mut fs, |mnt| {
        f(user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open"))
    });
    assert!(fs.locks.is_empty(), "{:?}", fs.locks);
    let asked = locks(&m);
    m.finish();
    (r, asked)
}

/// "f", and what is in it.
pub(crate) fn files() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", &[7; 1000]);
    fs
}

/// All locks that were asked for.
pub(crate) fn locks(m: &Mock) -> Vec<Request> {
    let mut all = m.rec.all();
    all.retain(|r| matches!(r.op, Op::GETLK | Op::SETLK | Op::SETLKW));
    all
}

/// First and last byte.
pub(crate) fn range(r: &Request) -> (u64, u64) {
    (r.get("start"), r.get("end"))
}

fn kind(r: &Request) -> i32 {
    r.get("type") as i32
}

/// What is locked is a range of bytes, the last one included.
fn lock_ranges() {
    const RANGES: &[(i64, i64, (u64, u64))] = &[
        (0, 1, (0, 0)),
        (0, 0, (0, LAST)),
        (10, 5, (10, 14)),
        (10, 0, (10, LAST)),
        (10, -4, (6, 9)),
        (10, -10, (0, 9)),
        (i64::MAX, 1, (LAST, LAST)),
        (i64::MAX, 0, (LAST, LAST)),
        (1, i64::MAX, (1, LAST)),
        (i64::MAX, -1, (LAST - 1, LAST - 1)),
    ];
    let (r, asked) = on_file(&Init::plain(), |f| {
        let set = |(start, len, _): &(i64, i64, (u64, u64))| setlk(&f, WRLCK, *start, *len);
        RANGES.iter().map(set).collect::<Vec<Res<()>>>()
    });
    assert_eq!(r, vec![Ok(()); RANGES.len()]);
    let got: Vec<_> = asked.iter().map(range).collect();
    let want: Vec<_> = RANGES.iter().map(|r| r.2).collect();
    assert_eq!(got, want);
}

/// They count from the position or from the end of the file, as the kernel knows it.
fn lock_ranges_from_elsewhere() {
    let (r, asked) = on_file(&Init::plain(), |f| -> Res<()> {
        user::read(&f, 100)?;
        for whence in [libc::SEEK_CUR, libc::SEEK_END] {
            for (start, len) in [(0, 1), (5, -5), (-10, 0)] {
                fcntl_from(&f, libc::F_SETLK, whence, (RDLCK, start, len, 0))?;
            }
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    let got: Vec<_> = asked.iter().map(range).collect();
    let from = |n: u64| [(n, n), (n, n + 4), (n - 10, LAST)];
    assert_eq!(got, [from(100), from(1000)].concat());
}

/// What is no range is the VFS's to refuse.
fn lock_ranges_refused() {
    const BAD: &[(i64, i64, Errno)] = &[
        (-1, 1, EINVAL),
        (i64::MIN, 0, EINVAL),
        (4, -5, EINVAL),
        (2, i64::MAX, EOVERFLOW),
        (i64::MAX, 2, EOVERFLOW),
        (i64::MAX, i64::MAX, EOVERFLOW),
    ];
    let (r, asked) = on_file(&Init::plain(), |f| {
        let mut v: Vec<Res<()>> = Vec::new();
        for (start, len, _) in BAD {
            v.push(setlk(&f, WRLCK, *start, *len));
            v.push(setlkw(&f, RDLCK, *start, *len));
            v.push(getlk(&f, WRLCK, *start, *len).map(drop));
        }
        v
    });
    let want: Vec<Res<()>> = BAD.iter().flat_map(|b| [Err(b.2); 3]).collect();
    assert_eq!(r, want);
    assert_eq!(asked.len(), 0);
}

fn lock_kinds() {
    let (r, asked) = on_file(&Init::plain(), |f| -> Res<()> {
        for kind in [RDLCK, WRLCK, UNLCK] {
            setlk(&f, kind, 0, 1)?;
            setlkw(&f, kind, 0, 1)?;
        }
        for kind in [RDLCK, WRLCK] {
            getlk(&f, kind, 0, 1)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    let kinds: Vec<_> = asked.iter().map(kind).collect();
    assert_eq!(kinds, [0, 0, 1, 1, 2, 2, 0, 1]);
    assert!(asked.iter().all(|r| r.get("lk_flags") == 0));
}

/// A lock to write needs a file that is open for it, and so on; the daemon is not asked.
fn lock_kinds_refused() {
    let (mut m, mut fs) = (Mock::new(), files());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let open = |flags| user::open(&mnt.join("f"), flags, 0).expect("open");
        let (to_read, to_write) = (open(libc::O_RDONLY), open(libc::O_WRONLY));
        vec![
            setlk(&to_read, WRLCK, 0, 1),
            setlk(&to_write, RDLCK, 0, 1),
            setlk(&to_read, 3, 0, 1),
            setlk(&to_read, -1, 0, 1),
            getlk(&to_read, UNLCK, 0, 1).map(drop),
            getlk(&to_read, 3, 0, 1).map(drop),
        ]
    });
    let (file, kind) = (Err(EBADF), Err(EINVAL));
    assert_eq!(r, [file, file, kind, kind, kind, kind]);
    assert_eq!(locks(&m).len(), 0);
    m.finish();
}

fn lock_waits_or_not() {
    let (r, asked) = on_file(&Init::plain(), |f| -> Res<()> {
        setlk(&f, WRLCK, 0, 1)?;
        setlkw(&f, WRLCK, 0, 1)?;
        setlkw(&f, UNLCK, 0, 1)
    });
    assert_eq!(r, Ok(()));
    let ops: Vec<_> = asked.iter().map(|r| r.op).collect();
    assert_eq!(ops, [Op::SETLK, Op::SETLKW, Op::SETLKW]);
}

/// The process, in the lock as in the header.
fn lock_tells_the_process() {
    let (r, asked) = on_file(&Init::plain(), |f| {
        let r = setlk(&f, WRLCK, 0, 1);
        (r, std::process::id())
    });
    assert_eq!(r.0, Ok(()));
    let of = |name| asked[0].get(name);
    assert_eq!((of("lk_pid"), asked[0].pid), (r.1.into(), r.1));
}

/// Of a thread, the header has the thread and the lock the process.
fn lock_of_a_thread() {
    let (r, asked) = on_file(&Init::plain(), |f| {
        let r = std::thread::scope(|s| s.spawn(|| setlk(&f, WRLCK, 0, 1)).join());
        setlk(&f, UNLCK, 0, 1).expect("unlock");
        (r.expect("thread"), std::process::id())
    });
    assert_eq!(r.0, Ok(()));
    assert_eq!(asked[0].get("lk_pid"), r.1.into());
    assert_ne!(asked[0].pid, r.1);
    // The other thread's lock is the process's.
    assert_eq!(asked[0].get("owner"), asked[1].get("owner"));
}

fn unlock_tells_no_process() {
    let (r, asked) = on_file(&Init::plain(), |f| -> Res<()> {
        setlk(&f, UNLCK, 0, 0)?;
        setlkw(&f, UNLCK, 5, 5)
    });
    assert_eq!(r, Ok(()));
    assert!(asked.iter().all(|r| r.get("lk_pid") == 0), "{asked:?}");
}

/// One for all files of a process, another for those of its child.
fn lock_owner_is_the_process() {
    let (mut m, mut fs) = (Mock::new(), files());
    fs.file("g", b"");
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let open = |name| user::open(&mnt.join(name), libc::O_RDWR, 0).expect("open");
        let files = [open("f"), open("f"), open("g")];
        let mut r: Vec<_> = files.iter().map(|f| setlk(f, RDLCK, 0, 1)).collect();
        let child = Caller::spawn(None, |_| setlk(&files[0], RDLCK, 0, 1));
        r.push(child.join());
        r
    });
    assert_eq!(r, [Ok(()); 4]);
    let owners: Vec<_> = locks(&m).iter().map(|r| r.get("owner")).collect();
    assert_eq!((owners[0], owners[0]), (owners[1], owners[2]));
    assert_ne!(owners[0], owners[3]);
    m.without_record();
    m.finish();
}

/// The same process is somebody else for another daemon, and for none it is an address.
fn lock_owner_is_scrambled_by_mount() {
    let (mut one, mut other) = (Mock::new(), Mock::new());
    let (mut fs, mut fs2) = (files(), files());
    let there = other.mnt.clone();
    let c = one.caller(move |mnt, io| -> Res<()> {
        setlk(&user::open(&mnt.join("f"), libc::O_RDWR, 0)?, RDLCK, 0, 1)?;
        io.put(());
        io.wait();
        setlk(&user::open(&there.join("f"), libc::O_RDWR, 0)?, RDLCK, 0, 1)
    });
    other.rec.name_pid(c.pid, "c1");
    while locks(&one).is_empty() || !mockd::caller::readable(c.fd(), std::time::Duration::ZERO) {
        one.drain(&mut |r| fs.handle(r));
    }
    let mut c = c;
    c.get::<()>();
    one.drain(&mut |r| fs.handle(r));
    c.go();
    let r: Res<()> = other.serve(c, &mut |r| fs2.handle(r));
    assert_eq!(r, Ok(()));
    one.drain(&mut |r| fs.handle(r));
    let owner = |m: &Mock| locks(m)[0].get("owner");
    let (a, b) = (owner(&one), owner(&other));
    assert_ne!(a, b);
    for owner in [a, b] {
        assert!(owner >> 47 != (1 << 17) - 1, "{owner:#x} is an address");
    }
    one.finish();
    other.finish();
}

/// FLUSH says whose locks go, and nothing else is sent for it.
fn lock_owner_at_flush() {
    let (mut m, mut fs) = (Mock::new(), files());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        setlk(&f, WRLCK, 0, 10)?;
        let copy = f.try_clone()?;
        user::close(copy)?;
        setlk(&f, WRLCK, 20, 10)
    });
    assert_eq!(r, Ok(()));
    assert!(fs.locks.is_empty());
    let all = m.rec.all();
    let of = |op, name: &str| -> Vec<u64> {
        let some = all.iter().filter(|r| r.op == op);
        some.map(|r| r.get(name)).collect()
    };
    let owner = of(Op::SETLK, "owner")[0];
    assert_eq!(of(Op::SETLK, "owner"), [owner; 2]);
    assert_eq!(of(Op::FLUSH, "lock_owner"), [owner; 2]);
    // Only for flock(2).
    assert_eq!(of(Op::RELEASE, "release_flags"), [0]);
    assert_eq!(of(Op::RELEASE, "lock_owner"), [0]);
    m.finish();
}

/// A call on "f" whose first request of an operation is answered with this.
pub(crate) fn scripted<T: Msg>(
    op: Op,
    error: i32,
    payload: &[u8],
    call: impl FnOnce(&OwnedFd) -> T,
) -> (T, Request, Res<usize>) {
    let (mut m, mut fs) = (Mock::new(), files());
    let c = m.call("f", |p| {
        call(&user::open(p, libc::O_RDWR, 0).expect("open"))
    });
    let r = m.serve_until(op, &mut fs);
    let wrote = m.write(&message(r.unique, error, payload));
    let got = m.serve(c, &mut |r| fs.handle(r));
    m.finish();
    (got, r, wrote)
}

/// Locking is restarted where a signal was the reason, so EINTR without one is the kernel's own
/// error, ERESTARTSYS.
pub(crate) fn locking(e: Errno) -> Errno {
    if e == EINTR {
        Errno(512)
    } else {
        e
    }
}

fn errors_of(op: Op, call: fn(&OwnedFd) -> Res<()>) {
    for e in [ERRORS, &[EAGAIN, ENOLCK, ENOSYS, EDEADLK, ESTALE]].concat() {
        let (r, ..) = scripted(op, -e.0, &[], call);
        assert_eq!(r, Err(locking(e)), "{e}");
    }
}

fn setlk_errors() {
    errors_of(Op::SETLK, |f| setlk(f, WRLCK, 0, 1));
    errors_of(Op::SETLK, |f| setlk(f, UNLCK, 0, 1));
}

fn setlkw_errors() {
    errors_of(Op::SETLKW, |f| setlkw(f, RDLCK, 0, 1));
}

/// They are answered with a header.
fn setlk_bad_lengths() {
    for n in [1, 8, 24, 4096] {
        let (r, _, w) = scripted(Op::SETLK, 0, &vec![0; n], |f| setlk(f, WRLCK, 0, 1));
        assert_eq!((r, w), (Err(EIO), Err(EINVAL)), "{n}");
        let (r, _, w) = scripted(Op::SETLKW, 0, &vec![0; n], |f| setlkw(f, WRLCK, 0, 1));
        assert_eq!((r, w), (Err(EIO), Err(EINVAL)), "{n}");
    }
}

/// Data past the page cache changes nothing.
fn lock_of_direct_file() {
    let (mut m, mut fs) = (Mock::new(), files());
    fs.open_flags = FOPEN_DIRECT_IO;
    let r: Res<Lk> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        setlk(&f, WRLCK, 0, 1)?;
        setlkw(&f, WRLCK, 1, 1)?;
        flock(&f, libc::LOCK_EX)?;
        getlk(&f, WRLCK, 0, 1)
    });
    assert_eq!(r, Ok((UNLCK, 0, 1, 0)));
    assert_eq!(locks(&m).len(), 4);
    m.finish();
}

/// Of an inode that has turned out to be another they are asked for all the same.
fn lock_of_bad_inode() {
    let mut m = Mock::new();
    let c = m.call("f", |p| {
        let f = user::open(p, libc::O_RDWR, 0).expect("open");
        let stat = user::fstat(&f).map(drop);
        let r: Vec<Res<()>> = vec![
            stat,
            setlk(&f, WRLCK, 0, 1),
            getlk(&f, WRLCK, 0, 1).map(drop),
            flock(&f, libc::LOCK_EX),
        ];
        r
    });
    opened_and_bad(&mut m);
    let mut fs = Memfs::new();
    let r: Vec<Res<()>> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, [Err(EIO), Ok(()), Ok(()), Ok(())]);
    m.finish();
}

/// Whoever has the file open may lock it, also one that may not use the mount.
fn lock_of_others() {
    let (r, asked) = on_file(&Init::plain(), |f| {
        user::become_user(65534, 65534);
        (setlk(&f, WRLCK, 0, 1), flock(&f, libc::LOCK_SH))
    });
    assert_eq!(r, (Ok(()), Ok(())));
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|r| (r.uid, r.gid) == (65534, 65534)));
}

fn lock_of_path_only() {
    let (mut m, mut fs) = (Mock::new(), files());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_PATH, 0).expect("open");
        let get = getlk(&f, WRLCK, 0, 1).map(drop);
        vec![setlk(&f, RDLCK, 0, 1), get, flock(&f, libc::LOCK_SH)]
    });
    assert_eq!(r, [Err(EBADF); 3]);
    m.finish();
}

pub(crate) const OFD_GET: i32 = libc::F_OFD_GETLK;
pub(crate) const OFD_SET: i32 = libc::F_OFD_SETLK;

/// The owner is the open file, whoever has a descriptor; at its close only RELEASE is sent.
fn ofd_owner_is_the_file() {
    let (mut m, mut fs) = (Mock::new(), files());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let open = || user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open");
        let (a, b) = (open(), open());
        let copy = a.try_clone().expect("copy");
        let set = |f: &OwnedFd| fcntl(f, OFD_SET, (RDLCK, 0, 10, 0)).map(drop);
        let child: Res<()> = Caller::spawn(None, |_| set(&a)).join();
        vec![set(&a), set(&copy), child, set(&b), setlk(&a, RDLCK, 0, 1)]
    });
    assert_eq!(r, [Ok(()); 5]);
    let owners: Vec<_> = locks(&m).iter().map(|r| r.get("owner")).collect();
    // The child's came first.
    assert_eq!(owners[..3], [owners[0]; 3]);
    assert_ne!(owners[0], owners[3]);
    assert_ne!(owners[0], owners[4]);
    let flushed = m.rec.all();
    let flushed: Vec<_> = flushed.iter().filter(|r| r.op == Op::FLUSH).collect();
    assert!(flushed.iter().all(|r| r.get("lock_owner") != owners[0]));
    assert!(fs.locks.is_empty(), "{:?}", fs.locks);
    m.without_record();
    m.finish();
}

fn ofd_waits_or_not() {
    let (r, asked) = on_file(&Init::plain(), |f| -> Res<()> {
        for cmd in [OFD_SET, libc::F_OFD_SETLKW] {
            fcntl(&f, cmd, (WRLCK, 3, 4, 0))?;
            fcntl(&f, cmd, (UNLCK, 3, 4, 0))?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    let ops: Vec<_> = asked.iter().map(|r| (r.op, kind(r), range(r))).collect();
    let both = |op| [(op, WRLCK, (3, 6)), (op, UNLCK, (3, 6))];
    assert_eq!(ops, [both(Op::SETLK), both(Op::SETLKW)].concat());
}

/// A question for them must have none, and who has one is nobody (-1), whatever the daemon says.
fn ofd_has_no_process() {
    let call = |f: &OwnedFd| {
        let odd = fcntl(f, OFD_GET, (WRLCK, 0, 1, 1)).map(drop);
        (odd, fcntl(f, OFD_GET, (WRLCK, 10, 5, 0)))
    };
    let answer = lk_out(0, 99, 1, std::process::id());
    let (r, asked, _) = scripted(Op::GETLK, 0, &answer, call);
    assert_eq!(r, (Err(EINVAL), Ok((WRLCK, 0, 100, -1))));
    assert_eq!(asked.get("lk_pid"), 0);
}

/// They may also be asked for as F_UNLCK, which is what the file has itself.
fn ofd_asks_for_its_own() {
    let call = |f: &OwnedFd| fcntl(f, OFD_GET, (UNLCK, 0, 0, 0));
    let (r, asked, _) = scripted(Op::GETLK, 0, &lk_out(5, 6, 0, 0), call);
    assert_eq!((r, kind(&asked)), (Ok((RDLCK, 5, 2, -1)), UNLCK));
}

/// A daemon that has agreed to neither, so that locks are this machine's.
pub(crate) fn none() -> Init {
    Init::plain().without("POSIX_LOCKS").without("FLOCK_LOCKS")
}
