// SPDX-License-Identifier: GPL-2.0

//! IOCTL of regular files.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::msg::Msg;
use mockd::reply::{attr_out, ioctl_out, message, LONG};
use mockd::user::{self, command, ioctl, ioctl_arg};
use mockd::wire::*;
use mockd::{Attr, Init, Mock, Request, Setup};
use suites::catalogue::summary;

use crate::xattr::ERRORS;

pub fn cases() -> Vec<Case> {
    cases![
        ioctl_unknown,
        ioctl_without_memory,
        ioctl_sizes,
        ioctl_of_every_kind_of_open,
        ioctl_results,
        ioctl_result_with_data,
        ioctl_errors,
        ioctl_short_answers,
        ioctl_long_answers,
        ioctl_answers_that_do_not_fit,
        ioctl_again_is_refused,
        ioctl_other_flags_of_the_answer,
        ioctl_of_the_vfs,
        ioctl_of_other_files,
        ioctl_others,
        ioctl_of_bad_inode,
        ioctl_beside_another,
        ioctl_interrupted,
        ioctl_and_close,
    ]
}

/// Read by the daemon, and written by it.
pub(crate) const SIZE: usize = 40;
pub(crate) const BOTH: u32 = command(true, true, SIZE);

/// What the daemon answers: an error of the protocol's, and a body.
pub(crate) type Said = (i32, Vec<u8>);

/// What has come of a call: what the caller got, the IOCTLs, what the daemon's writes gave.
pub(crate) type Asked<T> = (T, Vec<Request>, Vec<Res<usize>>);

/// Opens `name` so, and makes a call on it whose IOCTLs are answered as `say` says.
pub(crate) fn asked_on<T: Msg>(
    m: &mut Mock,
    (name, flags): (&str, i32),
    call: impl FnOnce(&OwnedFd) -> T,
    say: impl Fn(&Request) -> Said,
) -> Asked<T> {
    let mut fs = Memfs::new();
    // A mount may be used several times.
    fs.check_forgets = false;
    fs.file("f", b"text");
    fs.dir("d");
    let c = m.call(name, |p| call(&user::open(p, flags, 0).expect("open")));
    let mut c = [c];
    let (mut requests, mut wrote) = (vec![], vec![]);
    let end = std::time::Instant::now() + ktap::patience();
    while !c[0].ended() {
        assert!(std::time::Instant::now() < end, "{}", c[0].state());
        while m.pending() {
            let r = m.request();
            if r.op == Op::IOCTL {
                let (error, body) = say(&r);
                wrote.push(m.write(&message(r.unique, error, &body)));
                requests.push(r);
            } else {
                let a = fs.handle(&r);
                m.answer(&r, &a).expect("answer");
            }
        }
    }
    let [c] = c;
    let value = c.join();
    m.drain(&mut |r| fs.handle(r));
    (value, requests, wrote)
}

/// The same with a mount of its own and a regular file.
pub(crate) fn asked<T: Msg>(
    call: impl FnOnce(&OwnedFd) -> T,
    say: impl Fn(&Request) -> Said,
) -> Asked<T> {
    let mut m = Mock::new();
    let asked = asked_on(&mut m, ("f", libc::O_RDONLY), call, say);
    m.finish();
    asked
}

/// A daemon that does what it is asked to, and sends nothing.
pub(crate) fn good(r: &Request) -> Said {
    (0, ioctl_out(0, &vec![0; r.get("out_size") as usize]))
}

/// Result and memory of a command that the daemon writes to, which was full of `x` before.
pub(crate) fn got(f: &OwnedFd, cmd: u32, size: usize) -> (Res<i64>, String) {
    let mut data = vec![b'x'; size];
    let r = ioctl(f, cmd, &mut data);
    (r, summary(data))
}

/// A daemon without IOCTL is asked each time.
fn ioctl_unknown() {
    let call = |f: &OwnedFd| [(); 3].map(|()| ioctl(f, BOTH, &mut [0; SIZE])).to_vec();
    let (r, requests, _) = asked(call, |_| (-ENOSYS.0, vec![]));
    assert_eq!(r, [Err(ENOTTY); 3]);
    assert_eq!(requests.len(), 3);
}

/// A command whose number says that it is about no memory: the argument may be anything, and the
/// daemon gets it.
fn ioctl_without_memory() {
    let args = [0, 1, 5, 1 << 31, 1 << 40, usize::MAX];
    let call = |f: &OwnedFd| {
        let cmds = [command(false, false, 0), command(false, false, 100), 0, 7];
        let each = |arg| cmds.map(|cmd| ioctl_arg(f, cmd, arg));
        args.map(each).concat()
    };
    let (r, requests, _) = asked(call, good);
    assert_eq!(r, [Ok(0); 24]);
    for (i, r) in requests.iter().enumerate() {
        assert_eq!((r.node, r.len()), (2, 40 + 32));
        assert_eq!(r.get("arg"), args[i / 4] as u64);
        let rest = (r.get("flags"), r.get("in_size"), r.get("out_size"));
        assert_eq!(rest, (0, 0, 0));
        assert_ne!(r.get("fh"), 0);
    }
    assert_eq!(requests.len(), 24);
}

/// As much is read and written as the number says, at the argument.
fn ioctl_sizes() {
    for size in [0, 1, 100, 4095, 4096, 4097, 8192, 16383] {
        for (reads, writes) in [(true, false), (false, true), (true, true)] {
            let cmd = command(reads, writes, size);
            let call = |f: &OwnedFd| got(f, cmd, size);
            let say = |r: &Request| (0, ioctl_out(5, &vec![b'y'; r.get("out_size") as usize]));
            let (r, requests, wrote) = asked(call, say);
            let [q] = &requests[..] else {
                panic!("{requests:?}")
            };
            let of = |on| if on { size } else { 0 };
            let sizes = (q.get("in_size") as usize, q.get("out_size") as usize);
            assert_eq!(sizes, (of(reads), of(writes)));
            assert_eq!((q.get("cmd"), q.get("flags")), (cmd.into(), 0));
            assert!(q.tail() == vec![b'x'; of(reads)]);
            let data = vec![if writes { b'y' } else { b'x' }; size];
            assert_eq!(r, (Ok(5), summary(data)), "{size} {reads} {writes}");
            assert_eq!(wrote, [Ok(32 + of(writes))]);
        }
    }
}

fn ioctl_of_every_kind_of_open() {
    for flags in [
        libc::O_RDONLY,
        libc::O_WRONLY,
        libc::O_RDWR,
        libc::O_RDONLY | libc::O_NONBLOCK,
        libc::O_RDONLY | libc::O_DIRECT,
    ] {
        let mut m = Mock::new();
        let call = |f: &OwnedFd| got(f, BOTH, SIZE).0;
        let (r, requests, _) = asked_on(&mut m, ("f", flags), call, good);
        assert_eq!((r, requests.len()), (Ok(0), 1), "{flags:#o}");
        m.finish();
    }
    let mut m = Mock::new();
    let call = |f: &OwnedFd| got(f, BOTH, SIZE).0;
    let (r, requests, _) = asked_on(&mut m, ("f", libc::O_PATH), call, good);
    assert_eq!((r, requests.len()), (Err(EBADF), 0));
    m.finish();
}

/// What the daemon says is returned: what is not an error of the kernel's is a number like another.
fn ioctl_results() {
    let error = |e: i32| (e, Err::<i64, _>(Errno(-e)));
    let number = |n: i32| (n, Ok(i64::from(n)));
    for (said, result) in [
        number(0),
        number(1),
        number(4096),
        number(i32::MAX),
        error(-1),
        error(-22),
        error(-511),
        (-ENOSYS.0, Err(ENOTTY)),
        error(-1000),
        error(-4095),
        number(-4096),
        number(i32::MIN),
    ] {
        let call = |f: &OwnedFd| got(f, BOTH, SIZE);
        let say = |_: &Request| (0, ioctl_out(said, &[]));
        let (r, ..) = asked(call, say);
        let (r, data) = r;
        // libc takes any negative number for an error, and leaves errno as it is.
        let r = if said < -4095 { result } else { r };
        assert_eq!((r, data), (result, summary([b'x'; SIZE])), "{said}");
    }
    // The VFS has a word for it.
    const ENOIOCTLCMD: i32 = 515;
    let call = |f: &OwnedFd| got(f, BOTH, SIZE).0;
    let (r, ..) = asked(call, |_| (0, ioctl_out(-ENOIOCTLCMD, &[])));
    assert_eq!(r, Err(ENOTTY));
}

/// Memory is written to whatever the result.
fn ioctl_result_with_data() {
    for said in [0, 3, -EINVAL.0, -ENOSYS.0] {
        let call = |f: &OwnedFd| got(f, BOTH, SIZE);
        let (r, ..) = asked(call, |_| (0, ioctl_out(said, &[b'y'; SIZE])));
        assert_eq!(r.1, summary([b'y'; SIZE]), "{said}");
    }
}

fn ioctl_errors() {
    let mut m = Mock::new();
    for e in ERRORS.iter().chain(&[ESTALE, ENOTTY]) {
        let call = |f: &OwnedFd| got(f, BOTH, SIZE);
        let open = ("f", libc::O_RDONLY);
        let (r, ..) = asked_on(&mut m, open, call, |_| (-e.0, vec![]));
        assert_eq!(r, (Err(*e), summary([b'x'; SIZE])));
    }
    m.finish();
}

/// Fewer bytes than there is room for: the rest stays as it was.
fn ioctl_short_answers() {
    for len in [0, 1, 39] {
        for cmd in [BOTH, command(false, true, SIZE)] {
            let call = |f: &OwnedFd| got(f, cmd, SIZE);
            let (r, _, wrote) = asked(call, |_| (0, ioctl_out(0, &vec![b'y'; len])));
            let data = [vec![b'y'; len], vec![b'x'; SIZE - len]].concat();
            assert_eq!((r, wrote), ((Ok(0), summary(data)), vec![Ok(32 + len)]));
        }
    }
}

/// More than was asked for. A page is always taken from the daemon, which does not help it.
fn ioctl_long_answers() {
    for (size, len, taken) in [
        (0, 1, true),
        (SIZE, SIZE + 1, true),
        (SIZE, 4096, true),
        (SIZE, 4097, false),
        (4096, 4097, false),
        (5000, 5001, false),
        (0, 8192, false),
    ] {
        for reads in [false, true] {
            let cmd = command(reads, true, size);
            let call = |f: &OwnedFd| got(f, cmd, size);
            let (r, _, wrote) = asked(call, |_| (0, ioctl_out(0, &vec![b'y'; len])));
            assert_eq!(r, (Err(EIO), summary(vec![b'x'; size])), "{len} of {size}");
            let written = if taken { Ok(32 + len) } else { Err(EINVAL) };
            assert_eq!(wrote, [written], "{len} of {size}");
        }
    }
    // Of one that writes nothing, too.
    let call = |f: &OwnedFd| got(f, command(true, false, SIZE), SIZE).0;
    let (r, ..) = asked(call, |_| (0, ioctl_out(0, &[0; 1])));
    assert_eq!(r, Err(EIO));
}

fn ioctl_answers_that_do_not_fit() {
    for len in [0, 1, 8, 15] {
        let call = |f: &OwnedFd| got(f, BOTH, SIZE).0;
        let (r, _, wrote) = asked(call, |_| (0, vec![0; len]));
        assert_eq!((r, wrote), (Err(EIO), vec![Err(EINVAL)]), "{len}");
    }
    for len in [1, 16, 56] {
        let call = |f: &OwnedFd| got(f, BOTH, SIZE).0;
        let (r, _, wrote) = asked(call, |_| (-EPERM.0, vec![0; len]));
        assert_eq!((r, wrote), (Err(EIO), vec![Err(EINVAL)]), "{len}");
    }
}

/// A file's daemon may not ask for other memory of the caller's, however little.
fn ioctl_again_is_refused() {
    for (ins, outs) in [(0u32, 0u32), (1, 0), (0, 1), (1, 1), (256, 257), (!0, !0)] {
        for stretches in [0, 1, 2, 16] {
            let mut body = ioctl_out(0, &[]);
            body[4..8].copy_from_slice(&IOCTL_RETRY.to_ne_bytes());
            body[8..12].copy_from_slice(&ins.to_ne_bytes());
            body[12..16].copy_from_slice(&outs.to_ne_bytes());
            body.resize(16 + 16 * stretches, 0);
            let cmd = command(true, true, 256);
            let call = |f: &OwnedFd| got(f, cmd, 256);
            let (r, requests, _) = asked(call, |_| (0, body.clone()));
            let nothing = (Err(EIO), summary([b'x'; 256]));
            assert_eq!(
                (r, requests.len()),
                (nothing, 1),
                "{ins} {outs} {stretches}"
            );
        }
    }
}

fn ioctl_other_flags_of_the_answer() {
    for flags in [
        IOCTL_COMPAT,
        IOCTL_UNRESTRICTED,
        IOCTL_32BIT,
        IOCTL_DIR,
        IOCTL_COMPAT_X32,
        !IOCTL_RETRY,
    ] {
        let mut body = ioctl_out(9, &[b'y'; SIZE]);
        body[4..8].copy_from_slice(&flags.to_ne_bytes());
        body[8..16].fill(0xff);
        let call = |f: &OwnedFd| got(f, BOTH, SIZE);
        let (r, ..) = asked(call, |_| (0, body.clone()));
        assert_eq!(r, (Ok(9), summary([b'y'; SIZE])), "{flags:#x}");
    }
}

/// Those that the VFS knows are not sent.
fn ioctl_of_the_vfs() {
    const FIONREAD: u32 = 0x541b;
    const FIONBIO: u32 = 0x5421;
    const FIOCLEX: u32 = 0x5451;
    const FIONCLEX: u32 = 0x5450;
    const FIOASYNC: u32 = 0x5452;
    const FIOQSIZE: u32 = 0x5460;
    const FIGETBSZ: u32 = 2;
    let call = |f: &OwnedFd| {
        let number = |cmd| {
            let mut n = [0; 8];
            ioctl(f, cmd, &mut n).map(|_| u64::from_ne_bytes(n))
        };
        vec![
            number(FIONREAD),
            number(FIGETBSZ),
            number(FIONBIO),
            number(FIOASYNC),
            number(FIOCLEX),
            number(FIONCLEX),
            number(FIOQSIZE),
        ]
    };
    let (r, requests, _) = asked(call, good);
    println!("{r:?}");
    assert_eq!(requests.len(), 0);
    assert_eq!(r[..6], [Ok(4), Ok(4096), Ok(0), Ok(0), Ok(0), Ok(0)]);
}

/// Of special files they are not the daemon's.
fn ioctl_of_other_files() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.ioctls = true;
    fs.add(ROOT, "p", libc::S_IFIFO | 0o644, &[]);
    let r: Res<i64> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("p"), libc::O_RDWR, 0)?;
        got(&f, BOTH, SIZE).0
    });
    assert_eq!((r, m.rec.count(Op::IOCTL)), (Err(ENOTTY), 0));
    m.finish();
}

/// Who may not use the mount may not do so by a descriptor that it was given.
fn ioctl_others() {
    for (allow_other, result, sent) in [(false, Err(EACCES), 1), (true, Ok(0), 2)] {
        let mut setup = Setup::default();
        if allow_other {
            setup = setup.opt("allow_other", "");
        }
        let mut m = Mock::with(&setup, &Init::plain());
        let call = |f: &OwnedFd| {
            let mine = got(f, BOTH, SIZE).0;
            user::become_user(1000, 1000);
            vec![mine, got(f, BOTH, SIZE).0]
        };
        let (r, requests, _) = asked_on(&mut m, ("f", libc::O_RDONLY), call, good);
        assert_eq!((r, requests.len()), (vec![Ok(0), result], sent));
        assert_eq!(requests[sent - 1].uid, if allow_other { 1000 } else { 0 });
        m.finish();
    }
}

fn ioctl_of_bad_inode() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let c = m.call("f", |p| {
        let f = user::open(p, libc::O_RDWR, 0)?;
        let spoilt = user::fchmod(&f, 0o600);
        Ok::<_, Errno>(vec![spoilt, got(&f, BOTH, SIZE).0.map(drop)])
    });
    fs.on(Op::SETATTR, Answer::Ok(attr_out(LONG, &Attr::dir(2))));
    let r: Res<Vec<Res<()>>> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(vec![Err(EIO); 2]));
    assert_eq!(m.rec.count(Op::IOCTL), 0);
    m.finish();
}

/// Two commands on one file do not wait for each other.
fn ioctl_beside_another() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let act = |p: &Path, n: u8| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        ioctl(&f, BOTH, &mut [n; SIZE])
    };
    let mut callers = vec![];
    let mut asked = BTreeMap::new();
    for n in [1, 2] {
        callers.push(m.call("f", |p| act(p, n)));
        let r = m.serve_until(Op::IOCTL, &mut fs);
        asked.insert(r.tail()[0], r);
    }
    for (n, r) in asked.iter().rev() {
        m.reply(r, &ioctl_out((*n).into(), &[]));
    }
    for (n, c) in (1..).zip(callers) {
        let r: Res<i64> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, Ok(n));
    }
    m.finish();
}

/// A signal is told to the daemon, which says what comes of it.
fn ioctl_interrupted() {
    let answers: [(Answer, Res<i64>); 2] = [
        (Answer::Err(EINTR), Err(EINTR)),
        (Answer::Ok(ioctl_out(4, &[])), Ok(4)),
    ];
    for (answer, result) in answers {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.file("f", b"text");
        let c = m.call("f", |p| {
            user::catch_signal(libc::SIGUSR1, false);
            let f = user::open(p, libc::O_RDONLY, 0)?;
            ioctl(&f, BOTH, &mut [0; SIZE])
        });
        let r = m.serve_until(Op::IOCTL, &mut fs);
        c.wait_asleep();
        c.kill(libc::SIGUSR1);
        let i = m.expect(Op::INTERRUPT);
        assert_eq!(i.get("unique"), r.unique);
        m.answer(&r, &answer).expect("answer");
        let got: Res<i64> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(got, result);
        m.finish();
    }
}

/// A file that another thread closes meanwhile is released when the command is done.
fn ioctl_and_close() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let c = m.caller(|mnt, io| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let fd = f.as_raw_fd();
        std::thread::scope(|s| {
            let other = s.spawn(|| ioctl_arg(&FdOf(fd), BOTH, [0u8; SIZE].as_ptr() as usize));
            io.wait();
            user::close(f)?;
            io.put(());
            other.join().expect("thread")
        })
    });
    let r = m.serve_until(Op::IOCTL, &mut fs);
    c.go();
    let flush = m.expect(Op::FLUSH);
    m.reply(&flush, &[]);
    let mut c = c;
    c.get::<()>();
    m.expect_none();
    m.reply(&r, &ioctl_out(3, &[]));
    let got: Res<i64> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!((got, m.rec.count(Op::RELEASE)), (Ok(3), 1));
    m.finish();
}

/// A descriptor by its number.
struct FdOf(i32);

impl AsRawFd for FdOf {
    fn as_raw_fd(&self) -> i32 {
        self.0
    }
}
