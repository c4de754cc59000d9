// SPDX-License-Identifier: GPL-2.0

//! Files' flags: FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR, their setters, and file_getattr(2) and
//! file_setattr(2). The kernel opens the file, sends an IOCTL, and releases it.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::msg::Msg;
use mockd::reply::{attr_out, ioctl_out, open_out, LONG};
use mockd::user::{self, file_getattr, file_setattr, ioctl, ioctl32};
use mockd::wire::*;
use mockd::{Attr, Init, Mock, Request, Setup};

use crate::badreply::with_payload;
use crate::xattr::ERRORS;

pub fn cases() -> Vec<Case> {
    cases![
        fileattr_flags,
        fileattr_flags_of_a_directory,
        fileattr_fsx,
        fileattr_by_name,
        fileattr_set_flags,
        fileattr_set_fsx,
        fileattr_set_by_name,
        fileattr_errors,
        fileattr_errors_of_open,
        fileattr_unknown,
        fileattr_results,
        fileattr_result_that_is_none,
        fileattr_command_of_the_daemon,
        fileattr_lengths,
        fileattr_again_is_refused,
        fileattr_without_open,
        fileattr_of_other_files,
        fileattr_others,
        fileattr_of_bad_inode,
        fileattr_set_permission,
        fileattr_set_refused_by_the_vfs,
        fileattr_leaves_the_cache,
        fileattr_of_32_bits,
    ]
}

/// FS_IMMUTABLE_FL, FS_NODUMP_FL.
const FLAGS: u32 = 0x10 | 0x40;
/// FS_XFLAG_IMMUTABLE, FS_XFLAG_NODUMP.
const XFLAGS: u32 = 0x8 | 0x80;
const NOATIME: u32 = 0x80;

/// Files "f" and "d", with these flags.
fn files(flags: u32, fsx: [u32; 5]) -> Memfs {
    let mut fs = Memfs::new();
    fs.ioctls = true;
    for id in [fs.file("f", b"text"), fs.dir("d")] {
        let n = fs.nodes.get_mut(&id).expect("made");
        n.flags = flags.to_ne_bytes();
        for (to, from) in n.fsx.chunks_mut(4).zip(fsx) {
            to.copy_from_slice(&from.to_ne_bytes());
        }
    }
    fs
}

/// Runs `call` on a mount of these files: what it gives, and all that came, but for looking the
/// name up.
fn on<T: Msg>(fs: &mut Memfs, call: impl FnOnce(&Path) -> T) -> (T, Vec<Request>) {
    let mut m = Mock::new();
    let r = m.run(fs, call);
    let mut all = m.rec.all();
    all.retain(|r| !matches!(r.op, Op::LOOKUP | Op::INIT | Op::FORGET | Op::BATCH_FORGET));
    m.finish();
    (r, all)
}

fn ops(all: &[Request]) -> Vec<Op> {
    all.iter().map(|r| r.op).collect()
}

/// A number that FS_IOC_GETFLAGS gives.
fn flags(mnt: &Path, name: &str) -> Res<u32> {
    let f = user::open(&mnt.join(name), libc::O_RDONLY, 0)?;
    let mut data = [0; 4];
    ioctl(&f, FS_IOC_GETFLAGS, &mut data)?;
    Ok(u32::from_ne_bytes(data))
}

fn set_flags(mnt: &Path, name: &str, flags: u32) -> Res<()> {
    let f = user::open(&mnt.join(name), libc::O_RDONLY, 0)?;
    ioctl(&f, FS_IOC_SETFLAGS, &mut flags.to_ne_bytes()).map(drop)
}

/// Of a request that the kernel made by itself: command, flags, sizes; the argument is none.
fn sent(r: &Request) -> (u32, u32, u64, u64) {
    assert_eq!(r.get("arg"), 0);
    (
        r.get("cmd") as u32,
        r.get("flags") as u32,
        r.get("in_size"),
        r.get("out_size"),
    )
}

/// The file is opened for reading once more, and that handle asked and released.
fn fileattr_flags() {
    let (r, all) = on(&mut files(FLAGS, [0; 5]), |mnt| flags(mnt, "f"));
    assert_eq!(r, Ok(FLAGS));
    use Op::*;
    assert_eq!(ops(&all)[..4], [OPEN, OPEN, IOCTL, RELEASE]);
    let (open, asked, release) = (&all[1], &all[2], &all[3]);
    assert_eq!((open.node, open.get("flags")), (2, 0));
    assert_eq!(sent(asked), (FS_IOC_GETFLAGS, 0, 0, 4));
    assert_eq!((asked.node, asked.len()), (2, 40 + 32));
    assert_ne!(asked.get("fh"), 0);
    assert_eq!(release.get("fh"), asked.get("fh"));
    assert_eq!(release.get("flags"), 0);
    assert_eq!(ops(&all)[4..], [FLUSH, RELEASE]);
}

fn fileattr_flags_of_a_directory() {
    let (r, all) = on(&mut files(FLAGS, [0; 5]), |mnt| flags(mnt, "d"));
    assert_eq!(r, Ok(FLAGS));
    use Op::*;
    assert_eq!(ops(&all), [OPENDIR, OPENDIR, IOCTL, RELEASEDIR, RELEASEDIR]);
    assert_eq!(sent(&all[2]), (FS_IOC_GETFLAGS, IOCTL_DIR, 0, 4));
    assert_eq!(all[2].get("fh"), all[3].get("fh"));
}

/// What FS_IOC_FSGETXATTR gives.
fn fsx(mnt: &Path, name: &str) -> Res<Vec<u8>> {
    let f = user::open(&mnt.join(name), libc::O_RDONLY, 0)?;
    let mut data = vec![0xff; 28];
    ioctl(&f, FS_IOC_FSGETXATTR, &mut data)?;
    Ok(data)
}

fn words(w: [u32; 5]) -> Vec<u8> {
    let mut b: Vec<u8> = w.iter().flat_map(|w| w.to_ne_bytes()).collect();
    b.resize(28, 0);
    b
}

fn fileattr_fsx() {
    for name in ["f", "d"] {
        let (r, all) = on(&mut files(0, [XFLAGS, 2, 3, 4, 5]), |mnt| fsx(mnt, name));
        assert_eq!(r, Ok(words([XFLAGS, 2, 3, 4, 5])));
        let dir = if name == "d" { IOCTL_DIR } else { 0 };
        assert_eq!(sent(&all[2]), (FS_IOC_FSGETXATTR, dir, 0, 28));
    }
    // Which flags there are, the VFS knows.
    let (r, _) = on(&mut files(0, [u32::MAX; 5]), |mnt| fsx(mnt, "f"));
    let r = r.expect("attributes");
    println!("{r:?}");
    assert_eq!(r[4..20], [0xff; 16]);
    assert_ne!(r[..4], [0xff; 4]);
    assert_eq!(r[20..], [0; 8]);
}

/// By name nothing else is opened.
fn fileattr_by_name() {
    let mut fs = files(FLAGS, [0; 5]);
    let (r, all) = on(&mut fs, |mnt| file_getattr(&mnt.join("f")));
    assert_eq!(r, Ok((XFLAGS.into(), 0, 0, 0, 0)));
    use Op::*;
    assert_eq!(ops(&all), [OPEN, IOCTL, RELEASE]);
    assert_eq!(sent(&all[1]), (FS_IOC_GETFLAGS, 0, 0, 4));
}

/// What was there is asked for first, as FS_IOC_FSGETXATTR.
fn fileattr_set_flags() {
    for name in ["f", "d"] {
        let mut fs = files(0, [0, 2, 3, 4, 5]);
        let (r, all) = on(&mut fs, |mnt| set_flags(mnt, name, NOATIME));
        assert_eq!(r, Ok(()));
        let dir = if name == "d" { IOCTL_DIR } else { 0 };
        let asked: Vec<_> = all.iter().filter(|r| r.op == Op::IOCTL).collect();
        assert_eq!(asked.len(), 2);
        assert_eq!(sent(asked[0]), (FS_IOC_FSGETXATTR, dir, 0, 28));
        assert_eq!(sent(asked[1]), (FS_IOC_SETFLAGS, dir, 4, 0));
        assert_eq!(asked[1].tail(), NOATIME.to_ne_bytes());
        assert_ne!(asked[0].get("fh"), asked[1].get("fh"));
    }
}

fn fileattr_set_fsx() {
    let mut fs = files(0, [0, 2, 3, 4, 5]);
    let (r, all) = on(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        ioctl(&f, FS_IOC_FSSETXATTR, &mut words([0x40, 0, 7, 8, 0]))
    });
    assert_eq!(r, Ok(0));
    let asked: Vec<_> = all.iter().filter(|r| r.op == Op::IOCTL).collect();
    assert_eq!(sent(asked[0]), (FS_IOC_FSGETXATTR, 0, 0, 28));
    assert_eq!(sent(asked[1]), (FS_IOC_FSSETXATTR, 0, 28, 0));
    assert_eq!(asked[1].tail(), words([0x40, 0, 7, 8, 0]));
}

fn fileattr_set_by_name() {
    let mut fs = files(0, [0; 5]);
    let (r, all) = on(&mut fs, |mnt| {
        let f = mnt.join("f");
        file_setattr(&f, (0x40, 0, 0, 9, 0))?;
        file_getattr(&f)
    });
    assert_eq!(r.map(|a| a.3), Ok(0));
    let of = |r: &Request| (r.op == Op::IOCTL).then(|| r.get("cmd") as u32);
    let asked: Vec<u32> = all.iter().filter_map(of).collect();
    let wanted = [FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR, FS_IOC_GETFLAGS];
    assert_eq!(asked, wanted);
    let opened = all.iter().filter(|r| r.op == Op::OPEN).count();
    let released = all.iter().filter(|r| r.op == Op::RELEASE).count();
    assert_eq!((opened, released), (3, 3));
}

/// What the file was opened for is closed with an error, too.
fn fileattr_errors() {
    for e in ERRORS {
        let mut fs = files(0, [0; 5]);
        fs.on(Op::IOCTL, Answer::Err(*e));
        let call = |mnt: &Path| {
            (
                flags(mnt, "f").err(),
                file_setattr(&mnt.join("f"), (0, 0, 0, 0, 0)),
            )
        };
        let (r, all) = on(&mut fs, call);
        assert_eq!(r, (Some(*e), Err(*e)));
        let n = |op| all.iter().filter(|r| r.op == op).count();
        assert_eq!((n(Op::OPEN), n(Op::IOCTL), n(Op::RELEASE)), (3, 2, 3));
    }
}

fn fileattr_errors_of_open() {
    for e in ERRORS.iter().chain(&[ENOTTY]) {
        let mut fs = files(0, [0; 5]);
        fs.on(Op::OPEN, Answer::Err(*e));
        let (r, all) = on(&mut fs, |mnt| file_getattr(&mnt.join("f")));
        let e = if *e == ENOTTY { EOPNOTSUPP } else { *e };
        assert_eq!((r, ops(&all)), (Err(e), vec![Op::OPEN]));
    }
}

/// A daemon without IOCTL: no such thing, and it is asked each time.
fn fileattr_unknown() {
    let mut fs = files(0, [0; 5]);
    fs.ioctls = false;
    let call = |mnt: &Path| {
        let f = mnt.join("f");
        vec![
            flags(mnt, "f").map(drop),
            fsx(mnt, "d").map(drop),
            set_flags(mnt, "f", 0),
            file_getattr(&f).map(drop),
            file_setattr(&f, (0, 0, 0, 0, 0)),
        ]
    };
    let (r, all) = on(&mut fs, call);
    let (tty, no) = (Err(ENOTTY), Err(EOPNOTSUPP));
    assert_eq!(r, [tty, tty, tty, no, no]);
    assert_eq!(all.iter().filter(|r| r.op == Op::IOCTL).count(), 5);
}

/// An error in the answer is as good as one of the protocol's, and no other number means anything.
fn fileattr_results() {
    for (said, result) in [
        (0, Ok(7)),
        (1, Ok(7)),
        (i32::MAX, Ok(7)),
        (-EPERM.0, Err(EPERM)),
        (-ENOSYS.0, Err(ENOTTY)),
        (-511, Err(Errno(511))),
        (-4095, Err(Errno(4095))),
    ] {
        let mut fs = files(0, [0; 5]);
        fs.on(Op::IOCTL, Answer::Ok(ioctl_out(said, &7u32.to_ne_bytes())));
        let (r, _) = on(&mut fs, |mnt| flags(mnt, "f"));
        assert_eq!(r, result, "{said}");
    }
}

/// What is no error of the kernel's is none of its callers'. C gives it to them as it is, and those
/// that make a pointer of it do not find that it is an error.
fn fileattr_result_that_is_none() {
    for said in [-4096, -5000, i32::MIN] {
        let mut fs = files(0, [0; 5]);
        fs.on(Op::IOCTL, Answer::Ok(ioctl_out(said, &7u32.to_ne_bytes())));
        let (r, _) = on(&mut fs, |mnt| {
            let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
            // libc leaves its errno as it was.
            assert_eq!(user::lstat(Path::new("none")).err(), Some(ENOENT));
            ioctl(&f, FS_IOC_GETFLAGS, &mut [0; 4])
        });
        let ours = ktap::implementation() == ktap::Impl::Rust;
        assert_eq!(r, Err(if ours { EIO } else { ENOENT }), "{said}");
    }
}

/// The VFS takes one of its own errors for an operation that is not there, and sends the command
/// as any other.
fn fileattr_command_of_the_daemon() {
    const ENOIOCTLCMD: i32 = 515;
    let mut m = Mock::new();
    let mut fs = files(0, [0; 5]);
    let c = m.call("f", |p| {
        let f = user::open(p, libc::O_RDONLY, 0)?;
        let mut data = [0; 8];
        ioctl(&f, FS_IOC_GETFLAGS, &mut data)?;
        Ok::<_, Errno>(u64::from_ne_bytes(data))
    });
    let r: Res<u64> = m.serve(c, &mut |r| match r.op {
        Op::IOCTL if r.get("out_size") == 4 => Answer::Ok(ioctl_out(-ENOIOCTLCMD, &[0; 4])),
        Op::IOCTL => Answer::Ok(ioctl_out(0, &9u64.to_ne_bytes())),
        _ => fs.handle(r),
    });
    assert_eq!((r, m.rec.count(Op::IOCTL)), (Ok(9), 2));
    m.finish();
}

/// An answer has one length, whatever it says.
fn fileattr_lengths() {
    for said in [0, -EPERM.0] {
        for len in [0, 15, 16, 19, 21, 24, 4116] {
            let mut fs = files(0, [0; 5]);
            let get = |mnt: &Path| file_getattr(&mnt.join("f")).map(drop);
            let (r, wrote) = with_payload(Op::IOCTL, &mut fs, get, |_| {
                let mut b = ioctl_out(said, &[]);
                b.resize(len, 0);
                b
            });
            assert_eq!((r, wrote), (Err(EIO), vec![Err(EINVAL)]), "{len}");
        }
    }
    // One that sets something has no data.
    for len in [0, 15, 17, 20] {
        let mut fs = files(0, [0; 5]);
        let set = |mnt: &Path| set_flags(mnt, "f", 0);
        let (r, wrote) = with_payload(Op::IOCTL, &mut fs, set, |b| {
            let mut b = b;
            if b.len() == 16 {
                b.resize(len, 0);
            }
            b
        });
        assert_eq!((r, wrote), (Err(EIO), vec![Ok(60), Err(EINVAL)]), "{len}");
    }
}

fn fileattr_again_is_refused() {
    for (said, result) in [(0, Err(EIO)), (5, Err(EIO)), (-EPERM.0, Err(EPERM))] {
        let mut fs = files(0, [0; 5]);
        let mut body = ioctl_out(said, &[0; 4]);
        body[4..8].copy_from_slice(&IOCTL_RETRY.to_ne_bytes());
        body[8..16].fill(1);
        fs.on(Op::IOCTL, Answer::Ok(body));
        let (r, _) = on(&mut fs, |mnt| file_getattr(&mnt.join("f")).map(drop));
        assert_eq!(r, result, "{said}");
    }
}

/// A daemon that need not open files has no handle to be told.
fn fileattr_without_open() {
    let init = Init::plain()
        .with("NO_OPEN_SUPPORT")
        .with("NO_OPENDIR_SUPPORT");
    let mut m = Mock::with(&Setup::default(), &init);
    let mut fs = files(FLAGS, [0; 5]);
    fs.on(Op::OPEN, Answer::Err(ENOSYS));
    fs.on(Op::OPENDIR, Answer::Err(ENOSYS));
    let r: Vec<Res<u64>> = m.run(&mut fs, |mnt| {
        ["f", "d", "f", "d"]
            .map(|name| file_getattr(&mnt.join(name)).map(|a| a.0))
            .to_vec()
    });
    assert_eq!(r, [Ok(XFLAGS.into()); 4]);
    let n = |op| m.rec.count(op);
    assert_eq!((n(Op::OPEN), n(Op::OPENDIR), n(Op::IOCTL)), (1, 1, 4));
    assert_eq!((n(Op::RELEASE), n(Op::RELEASEDIR)), (0, 0));
    assert!(m
        .rec
        .all()
        .iter()
        .all(|r| r.op != Op::IOCTL || r.get("fh") == 0));
    m.finish();
}

/// Other kinds of files have none.
fn fileattr_of_other_files() {
    let mut fs = files(0, [0; 5]);
    fs.add(ROOT, "p", libc::S_IFIFO | 0o644, &[]);
    fs.add(ROOT, "s", libc::S_IFSOCK | 0o644, &[]);
    fs.add(ROOT, "l", libc::S_IFLNK | 0o777, b"f");
    let (r, all) = on(&mut fs, |mnt| {
        let at = |name: &str| mnt.join(name);
        ["p", "s", "l"]
            .map(|name| {
                let set = file_setattr(&at(name), (0, 0, 0, 0, 0));
                (file_getattr(&at(name)).map(drop), set)
            })
            .to_vec()
    });
    let no = Err(EOPNOTSUPP);
    assert_eq!((r, ops(&all)), (vec![(no, no); 3], vec![]));
}

fn fileattr_others() {
    let (r, all) = on(&mut files(0, [0; 5]), |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        user::become_user(1000, 1000);
        ioctl(&f, FS_IOC_GETFLAGS, &mut [0; 4])
    });
    assert_eq!(r, Err(EACCES));
    assert!(!ops(&all).contains(&Op::IOCTL));
}

fn fileattr_of_bad_inode() {
    let (mut m, mut fs) = (Mock::new(), files(0, [0; 5]));
    let c = m.call("f", |p| {
        let f = user::open(p, libc::O_RDWR, 0)?;
        let spoilt = user::fchmod(&f, 0o600);
        let get = ioctl(&f, FS_IOC_GETFLAGS, &mut [0; 4]).map(drop);
        let set = ioctl(&f, FS_IOC_SETFLAGS, &mut [0; 4]).map(drop);
        Ok::<_, Errno>(vec![spoilt, get, set])
    });
    fs.on(Op::SETATTR, Answer::Ok(attr_out(LONG, &Attr::dir(2))));
    let r: Res<Vec<Res<()>>> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Ok(vec![Err(EIO); 3]));
    assert_eq!(m.rec.count(Op::IOCTL), 0);
    m.finish();
}

/// Who is not the owner sets nothing, and nobody does on a mount for reading.
fn fileattr_set_permission() {
    let setup = Setup::default().opt("allow_other", "");
    let mut m = Mock::with(&setup, &Init::plain());
    let mut fs = files(0, [0; 5]);
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        user::become_user(1000, 1000);
        (set_flags(mnt, "f", 0), flags(mnt, "f").map(drop))
    });
    assert_eq!((r, m.rec.count(Op::IOCTL)), ((Err(EPERM), Ok(())), 1));
    m.finish();

    let setup = Setup {
        flags: libc::MS_RDONLY,
        ..Setup::default()
    };
    let mut m = Mock::with(&setup, &Init::plain());
    let mut fs = files(0, [0; 5]);
    let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        (set_flags(mnt, "f", 0), flags(mnt, "f").map(drop))
    });
    assert_eq!((r, m.rec.count(Op::IOCTL)), ((Err(EROFS), Ok(())), 1));
    m.finish();
}

/// By what there was: an immutable file is made so by who may, and an extent's size is a regular
/// file's.
fn fileattr_set_refused_by_the_vfs() {
    let mut fs = files(0, [0; 5]);
    let (r, all) = on(&mut fs, |mnt| {
        let wrong = file_setattr(&mnt.join("d"), (0x800, 4096, 0, 0, 0));
        (wrong, file_setattr(&mnt.join("f"), (1 << 40, 0, 0, 0, 0)))
    });
    assert_eq!(r, (Err(EINVAL), Err(EINVAL)));
    let asked: Vec<_> = all.iter().filter(|r| r.op == Op::IOCTL).collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(sent(asked[0]).0, FS_IOC_FSGETXATTR);
}

/// What the daemon says about the file that the kernel opens concerns nobody, and no page is
/// dropped for it.
fn fileattr_leaves_the_cache() {
    let (mut m, mut fs) = (Mock::new(), files(FLAGS, [0; 5]));
    let c = m.caller(|mnt, _| {
        let path = mnt.join("f");
        let f = user::open(&path, libc::O_RDONLY, 0)?;
        let first = user::pread(&f, 4, 0)?;
        let flags = file_getattr(&path)?.0;
        let mut p = Pages::new(1);
        let again = mockd::mem::pread_at(std::os::fd::AsRawFd::as_raw_fd(&f), p.addr(), PAGE, 0)?;
        Ok::<_, Errno>((first, flags, p.bytes(0, again).to_vec()))
    });
    let mut opens = 0;
    let r: Res<(Vec<u8>, u64, Vec<u8>)> = m.serve(c, &mut |r| match r.op {
        Op::OPEN => {
            opens += 1;
            let odd = FOPEN_DIRECT_IO | FOPEN_NONSEEKABLE | FOPEN_STREAM;
            Answer::Ok(open_out(opens, if opens == 2 { odd } else { 0 }))
        }
        _ => fs.handle(r),
    });
    let text = b"text".to_vec();
    assert_eq!(r, Ok((text.clone(), XFLAGS.into(), text)));
    assert_eq!((opens, m.rec.count(Op::READ)), (2, 1));
    m.finish();
}

/// Of a caller of 32 bits the daemon does not learn here.
fn fileattr_of_32_bits() {
    ktap::needs("CONFIG_IA32_EMULATION");
    const FS_IOC32_GETFLAGS: u32 = 0x8004_6601;
    let (r, all) = on(&mut files(FLAGS, [0; 5]), |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let mut low = Pages::low();
        ioctl32(&f, FS_IOC32_GETFLAGS, low.addr() as u32)?;
        Ok::<_, Errno>(low.bytes(0, 4).to_vec())
    });
    assert_eq!(r, Ok(FLAGS.to_ne_bytes().to_vec()));
    assert_eq!(sent(&all[2]), (FS_IOC_GETFLAGS, 0, 0, 4));
}
