// SPDX-License-Identifier: GPL-2.0

//! From mount to unmount: several mounts of one connection, forced ends, what outlives what.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{is_mounted, mounts_of, umount};
use mockd::user;
use mockd::wire::Op;
use mockd::{Init, Mock, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        second_mount_same_fd,
        second_mount_other_options,
        statfs_type,
        statfs_values,
        statfs_error,
        busy_then_free,
        lazy_umount,
        force_umount_idle,
        force_umount_waiting_caller,
        force_umount_of_bind_mount,
        daemon_gone,
        daemon_gone_before_init,
        bind_mount,
        many_mounts,
        move_and_propagate,
        anonymous_device,
        backing_device_info,
    ]
}

/// The same descriptor gives the same superblock again.
fn second_mount_same_fd() {
    let mut m = Mock::new();
    let second = ktap::dir().join("second");
    std::fs::create_dir(&second).expect("dir");
    Setup::default()
        .mount(m.dev(), &second)
        .expect("second mount");
    m.expect_none();
    let mut fs = Memfs::new();
    fs.file("f", b"x");
    let other = second.clone();
    let c = m.caller(|mnt, _| {
        let (a, b) = (
            std::fs::metadata(mnt.join("f")),
            std::fs::metadata(other.join("f")),
        );
        use std::os::unix::fs::MetadataExt;
        match (a, b) {
            (Ok(a), Ok(b)) => (a.dev() == b.dev(), a.ino() == b.ino()),
            _ => (false, false),
        }
    });
    let r: (bool, bool) = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, (true, true));
    assert_eq!(m.rec.count(Op::INIT), 1);
    umount(&second, 0).expect("umount");
    assert!(is_mounted(&m.mnt));
    let c = m.call("f", |p| user::lstat(p).map(|s| s.size));
    assert_eq!(m.serve::<Res<u64>>(c, &mut |r| fs.handle(r)), Ok(1));
    m.finish();
}

/// Options of a second mount are ignored, those of the first stay.
fn second_mount_other_options() {
    let m = Mock::new();
    let second = ktap::dir().join("second");
    std::fs::create_dir(&second).expect("dir");
    Setup::default()
        .opt("allow_other", "")
        .opt("user_id", "5")
        .mount(m.dev(), &second)
        .expect("mount");
    let opts = |p| mounts_of(p)[0].split(' ').nth(3).unwrap_or("").to_string();
    assert_eq!(opts(&second), opts(&m.mnt));
    umount(&second, 0).expect("umount");
    // They must be valid nevertheless.
    assert_eq!(
        Setup::default()
            .opt("rootmode", "1")
            .mount(m.dev(), &second),
        Err(EINVAL)
    );
    m.finish();
}

fn statfs_type() {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    let c = m.call("", user::statfs);
    let r: Res<Vec<u64>> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r.expect("statfs")[0], 0x6573_5546);
    m.finish();
}

fn statfs_values() {
    let mut m = Mock::new();
    let c = m.call("", user::statfs);
    let r = m.expect(Op::STATFS);
    assert_eq!(r.len(), 40);
    let s = mockd::reply::Statfs {
        blocks: 1 << 40,
        bfree: 11,
        bavail: 12,
        files: 13,
        ffree: 14,
        bsize: 512,
        namelen: 77,
        frsize: 1024,
    };
    m.reply(&r, &s.bytes());
    let got: Res<Vec<u64>> = c.join();
    assert_eq!(
        got,
        Ok(vec![0x6573_5546, 512, 1 << 40, 11, 12, 13, 14, 77, 1024])
    );
    m.finish();
}

fn statfs_error() {
    let mut m = Mock::new();
    let c = m.call("", user::statfs);
    let r = m.expect(Op::STATFS);
    m.fail(&r, EREMOTEIO);
    assert_eq!(c.join::<Res<Vec<u64>>>(), Err(EREMOTEIO));
    // A caller who may not look gets the type only, and the daemon is not asked.
    let c = m.call("", |p| {
        user::become_user(65534, 65534);
        user::statfs(p)
    });
    let got: Res<Vec<u64>> = c.join();
    println!("{got:?}");
    assert_eq!(got.expect("statfs")[0], 0x6573_5546);
    m.expect_none();
    m.finish();
}

fn busy_then_free() {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    fs.file("f", b"x");
    let mut c = m.caller(|mnt, io| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0);
        io.put(());
        io.wait();
        fd.map(drop)
    });
    loop {
        if !m.pending() && mockd::caller::readable(c.fd(), std::time::Duration::ZERO) {
            break;
        }
        if m.pending() {
            let r = m.request();
            let a = fs.handle(&r);
            m.answer(&r, &a).expect("answer");
        } else {
            std::thread::yield_now();
        }
    }
    c.get::<()>();
    assert_eq!(umount(&m.mnt, 0), Err(EBUSY));
    c.go();
    assert_eq!(m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    m.finish();
}

/// A detached mount lives as long as its open files.
fn lazy_umount() {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    fs.file("f", b"text");
    fs.open_flags = mockd::wire::FOPEN_DIRECT_IO;
    let c = m.caller(|mnt, _| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        umount(mnt, libc::MNT_DETACH)?;
        user::pread(&fd, 10, 0)
    });
    let mut gone = false;
    let mut c = [c];
    // RELEASE is queued when the connection is about to be aborted: C drops it or not, as we do.
    m.rec.leave_out(Op::RELEASE);
    m.rec.exact_reads();
    // The last close ends the connection, so the device is gone when the caller is.
    while !c[0].ended() {
        if !m.pending() {
            std::thread::yield_now();
            continue;
        }
        match m.read() {
            Ok(r) => {
                let a = fs.handle(&r);
                let _ = m.answer(&r, &a);
            }
            Err(ENODEV) => gone = true,
            Err(e) => panic!("{e}"),
        }
    }
    let [c] = c;
    assert_eq!(c.join::<Res<Vec<u8>>>(), Ok(b"text".to_vec()));
    assert!(!is_mounted(&m.mnt));
    println!("gone while the caller ran: {gone}");
    loop {
        match m.read() {
            Ok(_) => {}
            Err(ENODEV) => break,
            Err(e) => panic!("{e}"),
        }
    }
}

fn force_umount_idle() {
    let m = Mock::new();
    umount(&m.mnt, libc::MNT_FORCE).expect("umount -f");
    assert_eq!(m.read().err(), Some(ENODEV));
    assert!(!is_mounted(&m.mnt));
}

/// umount -f ends what waits; the mount stays if it is busy, but dead.
fn force_umount_waiting_caller() {
    let mut m = Mock::new();
    let c = m.call("x", |p| user::lstat(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "x");
    let res = umount(&m.mnt, libc::MNT_FORCE);
    println!("umount -f: {res:?}");
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    assert_eq!(
        m.write(&mockd::reply::message(r.unique, 0, &[])),
        Err(ENOENT)
    );
    assert_eq!(m.read().err(), Some(ENODEV));
    if res.is_err() {
        let c = m.call("x", |p| user::lstat(p).map(drop));
        assert_eq!(c.join::<Res<()>>(), Err(ENOTCONN));
        m.umount();
    }
}

/// Of a mount of a part of it: that ends the connection for all.
fn force_umount_of_bind_mount() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.dir("d");
    let bound = ktap::dir().join("bound");
    std::fs::create_dir(&bound).expect("dir");
    let to = bound.clone();
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let d = mnt.join("d");
        let d = d.to_str().expect("utf-8");
        mockd::mount::mount(d, &to, "none", libc::MS_BIND, "")
    });
    assert_eq!(r, Ok(()));
    umount(&bound, libc::MNT_FORCE).expect("umount -f");
    assert!(!is_mounted(&bound) && is_mounted(&m.mnt));
    assert_eq!(m.read().err(), Some(ENODEV));
    assert_eq!(user::lstat(&m.mnt.join("x")).err(), Some(ENOTCONN));
    m.umount();
}

/// Who waited gets ECONNABORTED, who comes later ENOTCONN.
fn daemon_gone() {
    let mut m = Mock::new();
    let c = m.call("x", |p| user::lstat(p).map(drop));
    let _r = m.expect_name(Op::LOOKUP, "x");
    let mnt = m.die();
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    let c = mockd::Caller::spawn(None, |_| {
        (
            user::lstat(&mnt.join("x")).map(drop),
            user::lstat(&mnt).map(drop),
            user::list(&mnt).map(drop),
        )
    });
    let r: (Res<()>, Res<()>, Res<()>) = c.join();
    assert_eq!(r, (Err(ENOTCONN), Err(ENOTCONN), Err(ENOTCONN)));
    assert!(is_mounted(&mnt));
    umount(&mnt, 0).expect("umount");
}

fn daemon_gone_before_init() {
    let m = Mock::uninit(&Setup::default());
    let mnt = m.die();
    let c = mockd::Caller::spawn(None, |_| user::lstat(&mnt).map(drop));
    // INIT was never answered, which counts as refused.
    assert_eq!(c.join::<Res<()>>(), Err(ECONNREFUSED));
    umount(&mnt, 0).expect("umount");
}

fn bind_mount() {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    let d = fs.dir("d");
    fs.add(d, "f", libc::S_IFREG | 0o644, b"x");
    let bound = ktap::dir().join("bound");
    std::fs::create_dir(&bound).expect("dir");
    let to = bound.clone();
    let c = m.caller(|mnt, _| {
        mockd::mount::mount(
            mnt.join("d").to_str().unwrap_or(""),
            &to,
            "none",
            libc::MS_BIND,
            "",
        )?;
        user::list(&to)
    });
    assert_eq!(
        m.serve::<Res<Vec<String>>>(c, &mut |r| fs.handle(r)),
        Ok(vec!["f".to_string()])
    );
    m.umount();
    assert!(is_mounted(&bound));
    let to = bound.clone();
    let c = m.caller(|_, _| user::list(&to));
    assert_eq!(
        m.serve::<Res<Vec<String>>>(c, &mut |r| fs.handle(r)),
        Ok(vec!["f".to_string()])
    );
    umount(&bound, 0).expect("umount");
    assert_eq!(m.read().err(), Some(ENODEV));
}

/// Mounting and unmounting over and over leaves nothing behind.
fn many_mounts() {
    for _ in 0..50 {
        let m = Mock::with(&Setup::default(), &Init::plain());
        m.umount();
    }
    for _ in 0..20 {
        let m = Mock::uninit(&Setup::default());
        let mnt = m.die();
        umount(&mnt, 0).expect("umount");
    }
}

fn move_and_propagate() {
    let mut m = Mock::new();
    let to = ktap::dir().join("moved");
    std::fs::create_dir(&to).expect("dir");
    let parent = ktap::dir();
    let c = mockd::Caller::spawn(None, |_| {
        mockd::mount::mount(
            "none",
            std::path::Path::new("/"),
            "none",
            libc::MS_PRIVATE | libc::MS_REC,
            "",
        )?;
        let _ = &parent;
        mockd::mount::mount(m.mnt.to_str().unwrap_or(""), &to, "none", libc::MS_MOVE, "")
    });
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    let mut fs = Memfs::new();
    let p = to.clone();
    let c = m.caller(|_, _| user::lstat(&p).map(|s| s.ino));
    assert_eq!(m.serve::<Res<u64>>(c, &mut |r| fs.handle(r)), Ok(1));
    umount(&to, 0).expect("umount");
}

/// Two mounts have two device numbers, both without a major.
fn anonymous_device() {
    use std::os::unix::fs::MetadataExt;
    let (mut a, mut b) = (Mock::new(), Mock::new());
    let mut fs = Memfs::new();
    let dev = |m: &mut Mock, fs: &mut Memfs| {
        let c = m.call("", |p| {
            std::fs::metadata(p).map(|s| s.dev()).map_err(Errno::from)
        });
        m.serve::<Res<u64>>(c, &mut |r| fs.handle(r)).expect("stat")
    };
    let (x, y) = (dev(&mut a, &mut fs), dev(&mut b, &mut fs));
    assert_ne!(x, y);
    assert_eq!((libc::major(x), libc::major(y)), (0, 0));
    a.finish();
    b.finish();
}

/// /sys/class/bdi has the mount, with the read-ahead that INIT settled.
fn backing_device_info() {
    use std::os::unix::fs::MetadataExt;
    let mut m = Mock::with(
        &Setup::default(),
        &Init {
            max_readahead: 65536,
            ..Init::plain()
        },
    );
    let mut fs = Memfs::new();
    let c = m.call("", |p| {
        std::fs::metadata(p).map(|s| s.dev()).map_err(Errno::from)
    });
    let dev = m.serve::<Res<u64>>(c, &mut |r| fs.handle(r)).expect("stat");
    let dir = format!("/sys/class/bdi/{}:{}", libc::major(dev), libc::minor(dev));
    let get = |n: &str| {
        std::fs::read_to_string(format!("{dir}/{n}")).unwrap_or_else(|e| panic!("{dir}/{n}: {e}"))
    };
    assert_eq!(get("read_ahead_kb").trim(), "64");
    assert_eq!(get("max_ratio").trim(), "1");
    assert_eq!(get("strict_limit").trim(), "1");
    m.finish();
    assert!(!std::path::Path::new(&dir).exists());
}
