// SPDX-License-Identifier: GPL-2.0

//! Type `fuseblk`: what a mount on a block device is, how it comes and how it goes.

use std::os::fd::AsFd;
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{fspick, mount, mounts_of, open_dev, umount, Api};
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};
use suites::blockdev::{finish, gone, until_destroy, LoopDevice, BLKROSET};
use suites::fusectl;

pub fn cases() -> Vec<Case> {
    cases![
        blk_init,
        blk_type_and_device,
        blk_options_shown,
        blk_files,
        blk_options_refused,
        blk_source_refused,
        blk_blocksizes,
        blk_blocksize_of_statfs,
        blk_subtype,
        blk_remount,
        blk_bdi,
        blk_excludes_others,
        blk_twice,
        blk_twice_without_daemon,
        blk_twice_read_only,
        blk_read_only_device,
        blk_needs_privileges,
        blk_daemon_dies,
        blk_force,
        blk_force_idle,
        blk_force_mounts_again,
        blk_daemon_dies_before_init,
    ]
}

const SIZE: i64 = 1 << 20;

pub(crate) fn device() -> LoopDevice {
    LoopDevice::new(SIZE)
}

/// Major and minor.
fn numbers(d: &LoopDevice) -> (u32, u32) {
    let dev = user::stat(Path::new(d.path)).expect("stat").rdev;
    (libc::major(dev), libc::minor(dev))
}

/// What mount(2) says; unmounts what it has mounted.
fn attempt(setup: &Setup) -> Res<()> {
    let dev = open_dev(false)?;
    let at = ktap::dir().join("at");
    std::fs::create_dir_all(&at)?;
    setup.mount(dev.as_fd(), &at)?;
    drop(dev);
    umount(&at, 0)
}

/// INIT is that of any other mount.
fn blk_init() {
    let d = device();
    let mut m = Mock::uninit(&d.setup());
    let r = m.expect(Op::INIT);
    assert_eq!((r.node, r.uid, r.gid, r.len()), (0, 0, 0, 104));
    m.reply(&r, &Init::plain().bytes());
    finish(m);
}

fn blk_type_and_device() {
    let d = device();
    let m = d.mount();
    let line = mounts_of(&m.mnt).remove(0);
    assert!(line.starts_with(&format!("{} ", d.path)), "{line}");
    assert!(line.contains(" fuseblk "), "{line}");
    // The superblock's number is the device's.
    let (major, minor) = numbers(&d);
    assert_eq!(fusectl::id(&m.mnt), (major << 20) | minor);
    finish(m);
}

/// The default block size is not shown.
fn blk_options_shown() {
    let d = device();
    for (size, shown) in [
        (None, ""),
        (Some("512"), ""),
        (Some("4096"), ",blksize=4096"),
    ] {
        let mut s = d.setup().opt("allow_other", "").opt("max_read", "8192");
        if let Some(size) = size {
            s = s.opt("blksize", size);
        }
        let m = Mock::with(&s, &Init::plain());
        let line = mounts_of(&m.mnt).remove(0);
        let end = format!("user_id=0,group_id=0,allow_other,max_read=8192{shown} 0 0");
        assert!(line.ends_with(&end), "{line}");
        finish(m);
    }
}

/// Files are as those of any other mount.
fn blk_files() {
    let d = device();
    let (mut m, mut fs) = (d.mount(), Memfs::new());
    let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        let p = mnt.join("f");
        let f = user::open(&p, libc::O_CREAT | libc::O_RDWR, 0o600)?;
        user::pwrite(&f, b"hello", 0)?;
        user::fsync(&f)?;
        user::mkdir(&mnt.join("d"), 0o700)?;
        user::rename(&p, &mnt.join("d/g"))?;
        user::pread(&f, 10, 0)
    });
    assert_eq!(r, Ok(b"hello".to_vec()));
    finish(m);
}

fn blk_options_refused() {
    let d = device();
    let s = || d.setup();
    for (what, setup) in [
        ("no fd", None),
        ("no rootmode", Some(s().without("rootmode"))),
        ("no user_id", Some(s().without("user_id"))),
        ("no group_id", Some(s().without("group_id"))),
        ("unknown", Some(s().opt("nothing", ""))),
        ("no number", Some(s().opt("blksize", "many"))),
        ("negative", Some(s().opt("blksize", "-1"))),
        ("none", Some(s().opt("blksize", ""))),
    ] {
        let r = match setup {
            Some(setup) => attempt(&setup),
            None => s().mount_fd(None, &ktap::dir()),
        };
        assert_eq!(r, Err(EINVAL), "{what}");
        assert!(!d.is_busy(), "{what}");
    }
    for api in [Api::Mount, Api::Fsopen] {
        assert_eq!(attempt(&s().api(api)), Ok(()), "{api:?}");
    }
}

/// The source is the device.
fn blk_source_refused() {
    let d = device();
    for source in ["mockd", "/dev/null", "/tmp", "/dev/nothing", ""] {
        let r = attempt(&Setup {
            source,
            ..d.setup()
        });
        println!("{source:?}: {r:?}");
        let expected = match source {
            "/dev/null" | "/tmp" => Err(ENOTBLK),
            "" => r,
            _ => Err(ENOENT),
        };
        assert_eq!(r, expected, "{source:?}");
        assert!(r.is_err());
    }
}

/// A power of two, from the device's to a page.
fn blk_blocksizes() {
    let d = device();
    for size in [512u32, 1024, 2048, 4096] {
        let s = d.setup().opt("blksize", &size.to_string());
        assert_eq!(attempt(&s), Ok(()), "{size}");
    }
    for size in [
        0u32,
        1,
        256,
        511,
        513,
        1000,
        3072,
        8192,
        65536,
        1 << 31,
        u32::MAX,
    ] {
        let s = d.setup().opt("blksize", &size.to_string());
        let r = attempt(&s);
        assert_eq!(r, Err(EINVAL), "{size}");
        assert!(!d.is_busy(), "{size}");
    }
}

/// It is no more than what BMAP is asked with.
fn blk_blocksize_of_statfs() {
    let d = device();
    let s = d.setup().opt("blksize", "1024");
    let (mut m, mut fs) = (Mock::with(&s, &Init::plain()), Memfs::new());
    let r: Res<u64> = m.run(&mut fs, |mnt| user::statfs(mnt).map(|s| s[1]));
    assert_eq!(r, Ok(4096));
    finish(m);
}

fn blk_subtype() {
    let d = device();
    for (fstype, option) in [("fuseblk.x", None), ("fuseblk", Some("x"))] {
        let mut s = Setup {
            fstype,
            ..d.setup()
        };
        if let Some(option) = option {
            s = s.opt("subtype", option);
        }
        let m = Mock::with(&s, &Init::plain());
        let line = mounts_of(&m.mnt).remove(0);
        assert!(line.contains(" fuseblk.x "), "{line}");
        finish(m);
    }
}

/// A remount syncs first, and changes no options.
fn blk_remount() {
    let d = device();
    let mut m = d.mount();
    let c = m.caller(|mnt, _| {
        let old = mount(
            "",
            mnt,
            "",
            libc::MS_REMOUNT | libc::MS_RDONLY,
            "blksize=4096",
        );
        let new = fspick(mnt).and_then(|c| c.set("blksize", "4096"));
        (old, new, mounts_of(mnt).remove(0))
    });
    let r = m.expect(Op::SYNCFS);
    m.reply(&r, &[]);
    let (old, new, line): (Res<()>, Res<()>, String) = c.join();
    assert_eq!((old, new), (Ok(()), Err(EINVAL)));
    assert!(line.contains(" ro,") && !line.contains("blksize"), "{line}");
    finish(m);
}

/// It has one of its own, named after the device, which does not take the disk's place.
fn blk_bdi() {
    let d = device();
    let (major, minor) = numbers(&d);
    let at = |name: String| Path::new("/sys/class/bdi").join(name);
    let (disk, own) = (
        at(format!("{major}:{minor}")),
        at(format!("{major}:{minor}-fuseblk")),
    );
    assert!(disk.exists() && !own.exists());
    for _ in 0..2 {
        let m = d.mount();
        assert!(disk.exists() && own.exists());
        let ratio = std::fs::read_to_string(own.join("max_ratio")).expect("max_ratio");
        assert_eq!(ratio.trim(), "1");
        finish(m);
        assert!(disk.exists() && !own.exists());
    }
}

/// As long as it is mounted nobody else has the device.
fn blk_excludes_others() {
    let d = device();
    assert!(!d.is_busy());
    let mut m = d.mount();
    assert!(d.is_busy());
    let (r, c) = until_destroy(&mut m);
    assert!(d.is_busy(), "not before DESTROY is answered");
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    assert!(!d.is_busy());
    gone(m);
}

/// A second mount of the device is of the same superblock; its daemon is not asked anything.
fn blk_twice() {
    let d = device();
    let mut m = d.mount();
    let second = open_dev(true).expect("device");
    let at = ktap::dir().join("second");
    std::fs::create_dir(&at).expect("directory");
    d.setup().mount(second.as_fd(), &at).expect("mount");
    let mut fs = Memfs::new();
    fs.file("f", b"");
    let r: Res<u64> = m.run(&mut fs, |_| user::lstat(&at.join("f")).map(|s| s.ino));
    assert_eq!(r, Ok(2));
    let mut b = [0u8; 8192];
    // It belongs to no connection.
    assert_eq!(
        rustix::io::read(&second, &mut b[..]).map_err(Errno::from),
        Err(EPERM)
    );
    let at = ktap::dir().join("second");
    umount(&at, 0).expect("umount");
    assert!(!m.pending(), "DESTROY comes with the last");
    finish(m);
}

/// Nor need there be one: not even the options that a mount must have.
fn blk_twice_without_daemon() {
    let d = device();
    let m = d.mount();
    let at = ktap::dir().join("second");
    std::fs::create_dir(&at).expect("directory");
    let bare = Setup {
        options: vec![],
        ..d.setup()
    };
    assert_eq!(bare.mount_fd(None, &at), Ok(()));
    assert_eq!(mounts_of(&at).len(), 1);
    umount(&at, 0).expect("umount");
    finish(m);
}

fn blk_twice_read_only() {
    let d = device();
    let m = d.mount();
    let ro = Setup {
        flags: d.setup().flags | libc::MS_RDONLY,
        ..d.setup()
    };
    assert_eq!(attempt(&ro), Err(EBUSY));
    finish(m);
}

fn blk_read_only_device() {
    let d = device();
    let fd = user::open(Path::new(d.path), libc::O_RDONLY, 0).expect("open");
    user::ioctl(&fd, BLKROSET, &mut 1i32.to_ne_bytes()).expect("BLKROSET");
    drop(fd);
    assert_eq!(attempt(&d.setup()), Err(EACCES));
    let ro = Setup {
        flags: d.setup().flags | libc::MS_RDONLY,
        ..d.setup()
    };
    let m = Mock::with(&ro, &Init::plain());
    finish(m);
}

/// No user namespace may mount it.
fn blk_needs_privileges() {
    ktap::needs("CONFIG_USER_NS");
    let d = device();
    suites::userns::allow(1000);
    let s = d.setup();
    let c = Caller::spawn(None, |_| {
        suites::userns::enter(1000);
        attempt(&s)
    });
    assert_eq!(c.join::<Res<()>>(), Err(EPERM));
}

/// The device is the daemon's no more when the mount has gone.
fn blk_daemon_dies() {
    let d = device();
    let (mut m, mut fs) = (d.mount(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| user::lstat(mnt).map(drop));
    assert_eq!(r, Ok(()));
    let mnt = m.die();
    assert_eq!(
        user::open(&mnt.join("f"), libc::O_RDONLY, 0).err(),
        Some(ENOTCONN)
    );
    assert!(d.is_busy());
    umount(&mnt, 0).expect("umount");
    assert!(!d.is_busy());
}

/// MNT_FORCE ends a connection whose daemon hangs, and asks no more. Whoever is inside keeps the
/// mount.
fn blk_force() {
    let d = device();
    let mut m = d.mount();
    let c = m.call("f", |p| user::lstat(p).map(drop));
    m.expect(Op::LOOKUP);
    let mnt = m.mnt.clone();
    let inside = user::open(&mnt, libc::O_PATH, 0).expect("open");
    assert_eq!(umount(&mnt, libc::MNT_FORCE), Err(EBUSY));
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    assert!(d.is_busy());
    drop(inside);
    // The caller that was told is exiting.
    suites::daemon::umount_soon(&mnt);
    gone(m);
    assert!(!d.is_busy());
}

/// With nobody inside it is the end of the mount.
fn blk_force_idle() {
    let d = device();
    let m = d.mount();
    assert_eq!(umount(&m.mnt, libc::MNT_FORCE), Ok(()));
    gone(m);
    assert!(!d.is_busy());
}

/// What still uses the old superblock does not keep the device from being mounted... but it does
/// keep the device.
fn blk_force_mounts_again() {
    let d = device();
    let m = d.mount();
    let mnt = m.mnt.clone();
    let held = user::open(&mnt, libc::O_PATH, 0).expect("open");
    assert_eq!(umount(&mnt, libc::MNT_FORCE), Err(EBUSY));
    assert_eq!(umount(&mnt, libc::MNT_DETACH), Ok(()));
    let again = attempt(&d.setup());
    println!("{again:?}");
    assert_eq!(again, Err(EBUSY));
    drop(held);
    gone(m);
    let end = std::time::Instant::now() + ktap::patience();
    while d.is_busy() {
        assert!(std::time::Instant::now() < end);
        std::thread::yield_now();
    }
    finish(d.mount());
}

fn blk_daemon_dies_before_init() {
    let d = device();
    let m = Mock::uninit(&d.setup());
    let mnt = m.die();
    umount(&mnt, 0).expect("umount");
    assert!(!d.is_busy());
}
