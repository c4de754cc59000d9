// SPDX-License-Identifier: GPL-2.0

//! overlayfs over a mount: a file that is changed is copied up with its flags, which the daemon is
//! asked for. What it says decides whether it can be changed.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::{mount, umount};
use mockd::reply::ioctl_out;
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;

pub fn cases() -> Vec<Case> {
    cases![
        copy_up_without_ioctl,
        copy_up_without_attributes,
        copy_up_with_flags,
        copy_up_with_bad_flags,
        copy_up_refused,
        copy_up_of_a_directory,
        overlay_asks_for_flags,
    ]
}

/// Makes `call` in overlayfs over a mount of `fs`, with "f" and "d" in it; what it gives, and how
/// often the daemon was asked for flags.
fn over<T: mockd::msg::Msg>(fs: &mut Memfs, call: impl FnOnce(&Path) -> T) -> (T, usize) {
    ktap::needs("CONFIG_OVERLAY_FS");
    fs.file("f", b"text");
    let d = fs.dir("d");
    fs.add(d, "in", libc::S_IFREG | 0o644, b"more");
    let mut m = Mock::new();
    // The order in which overlayfs asks is its own.
    m.without_record();
    let base = ktap::dir().join("over");
    let (rw, at) = (base.join("rw"), base.join("at"));
    std::fs::create_dir_all(&rw).expect("directory");
    std::fs::create_dir_all(&at).expect("directory");
    mount("x", &rw, "tmpfs", 0, "").expect("tmpfs");
    for name in ["up", "work"] {
        user::mkdir(&rw.join(name), 0o755).expect("mkdir");
    }
    let (from, top) = (rw.clone(), at.clone());
    let r = m.run(fs, move |mnt| {
        let (up, work) = (from.join("up"), from.join("work"));
        let (low, up, work) = (mnt.display(), up.display(), work.display());
        let data = format!("lowerdir={low},upperdir={up},workdir={work}");
        mount("x", &top, "overlay", 0, &data).expect("overlay");
        let r = call(&top);
        umount(&top, 0).expect("umount");
        r
    });
    umount(&rw, 0).expect("tmpfs");
    let n = m.rec.count(Op::IOCTL);
    m.drain(&mut |r| fs.handle(r));
    m.finish();
    (r, n)
}

/// Changes "f", and gives what is in it then.
fn change(at: &Path) -> Res<Vec<u8>> {
    let f = user::open(&at.join("f"), libc::O_RDWR, 0)?;
    user::pwrite(&f, b"TE", 0)?;
    user::pread(&f, 10, 0)
}

fn answered(answer: Answer) -> (Res<Vec<u8>>, usize) {
    let mut fs = Memfs::new();
    fs.on(Op::IOCTL, answer);
    over(&mut fs, change)
}

fn changed() -> Res<Vec<u8>> {
    Ok(b"TExt".to_vec())
}

/// A daemon that knows no IOCTL has no flags.
fn copy_up_without_ioctl() {
    assert_eq!(answered(Answer::Err(ENOSYS)), (changed(), 1));
    let answer = Answer::Ok(ioctl_out(-ENOSYS.0, &[0; 4]));
    assert_eq!(answered(answer), (changed(), 1));
}

/// Neither has one that says so.
fn copy_up_without_attributes() {
    for e in [ENOTTY, EINVAL] {
        assert_eq!(answered(Answer::Err(e)), (changed(), 1), "{e}");
        let answer = Answer::Ok(ioctl_out(-e.0, &[0; 4]));
        assert_eq!(answered(answer), (changed(), 1), "{e}");
    }
}

/// Flags that there are, and none.
fn copy_up_with_flags() {
    // FS_NOATIME_FL.
    for flags in [0u32, 0x80] {
        let answer = Answer::Ok(ioctl_out(0, &flags.to_ne_bytes()));
        let (r, n) = answered(answer);
        println!("{flags:#x}: {r:?} {n}");
        assert_eq!((r, n), (changed(), 1));
    }
}

/// An answer that is none is an error, and nothing is changed.
fn copy_up_with_bad_flags() {
    let mut body = ioctl_out(0, &[0; 4]);
    // FUSE_IOCTL_RETRY.
    body[4] = 4;
    assert_eq!(answered(Answer::Ok(body)), (Err(EIO), 1));
}

/// Other errors are the caller's.
fn copy_up_refused() {
    for e in [EOPNOTSUPP, EPERM, EACCES, EIO, ENOENT] {
        assert_eq!(answered(Answer::Err(e)), (Err(e), 1), "{e}");
    }
}

fn copy_up_of_a_directory() {
    for (e, result) in [(ENOSYS, Ok(())), (EOPNOTSUPP, Err(EOPNOTSUPP))] {
        let mut fs = Memfs::new();
        fs.on(Op::IOCTL, Answer::Err(e));
        let (r, n) = over(&mut fs, |at| user::mkdir(&at.join("d/new"), 0o755));
        assert_eq!((r, n), (result, 1), "{e}");
    }
}

/// What is asked of the overlay is asked of the daemon.
fn overlay_asks_for_flags() {
    for (answer, result) in [
        (Answer::Ok(ioctl_out(0, &0x40u32.to_ne_bytes())), Ok(0x80)),
        (Answer::Err(ENOSYS), Err(EOPNOTSUPP)),
        (Answer::Err(EINVAL), Err(EINVAL)),
    ] {
        let mut fs = Memfs::new();
        fs.on(Op::IOCTL, answer);
        let get = |at: &Path| user::file_getattr(&at.join("f")).map(|a| a.0);
        let (r, n) = over(&mut fs, get);
        assert_eq!((r, n), (result, 1));
    }
}
