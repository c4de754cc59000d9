// SPDX-License-Identifier: GPL-2.0

//! UNLINK and RMDIR: what is gone, what stays while it is in use, what an error says of the name.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;

use crate::through::{each, read, write};

pub fn cases() -> Vec<Case> {
    cases![
        unlink_errors,
        unlinked_but_open,
        unlink_invalidates,
        unlink_error_keeps_entry,
        rmdir_errors,
        rmdir_drops_node,
    ]
}

fn unlink_errors() {
    each(|d| {
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        write(&d.at("f"), b"");
        assert_eq!(user::unlink(&d.at("d")), Err(EISDIR));
        assert_eq!(user::unlink(&d.at("none")), Err(ENOENT));
        assert_eq!(user::unlink(&d.at("f/x")), Err(ENOTDIR));
        // Removed behind while the kernel still knows it.
        assert!(user::lstat(&d.at("f")).is_ok());
        user::unlink(&d.behind("f")).expect("unlink behind");
        assert_eq!(user::unlink(&d.at("f")), Err(ENOENT));
        assert_eq!(user::lstat(&d.at("f")).err(), Some(ENOENT));
    });
}

/// The daemon is still asked about a file without a name, by its handle.
fn unlinked_but_open() {
    each(|d| {
        let fd = user::open(&d.at("f"), libc::O_CREAT | libc::O_RDWR, 0o644).expect("create");
        assert_eq!(user::write(&fd, b"still here"), Ok(10));
        user::unlink(&d.at("f")).expect("unlink");
        assert_eq!(user::lstat(&d.at("f")).err(), Some(ENOENT));
        assert_eq!(user::pread(&fd, 20, 0), Ok(b"still here".to_vec()));
        assert_eq!(user::pwrite(&fd, b"S", 0), Ok(1));
        assert_eq!(user::fstat(&fd).map(|s| (s.nlink, s.size)), Ok((0, 10)));
        user::ftruncate(&fd, 5).expect("truncate");
        assert_eq!(user::pread(&fd, 20, 0), Ok(b"Still".to_vec()));
        user::fsync(&fd).expect("fsync");
        // A new file of that name is another.
        write(&d.at("f"), b"new");
        assert_eq!(user::pread(&fd, 20, 0), Ok(b"Still".to_vec()));
        user::close(fd).expect("close");
        assert_eq!(read(&d.at("f")), b"new");
    });
}

/// The name is asked for again, each time, for the daemon said nothing of how long it is gone.
fn unlink_invalidates() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let r: (Res<()>, Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        (
            user::unlink(&f),
            user::lstat(&f).map(drop),
            user::lstat(&f).map(drop),
        )
    });
    assert_eq!(r, (Ok(()), Err(ENOENT), Err(ENOENT)));
    m.finish_compared();
}

/// An entry is dropped only if the error says that it may be gone.
fn unlink_error_keeps_entry() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    for e in [EPERM, EBUSY, EIO] {
        fs.on(Op::UNLINK, Answer::Err(e));
        let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
            (
                user::unlink(&mnt.join("f")),
                user::lstat(&mnt.join("f")).map(drop),
            )
        });
        assert_eq!(r, (Err(e), Ok(())));
    }
    assert_eq!(m.rec.count(Op::LOOKUP), 1);
    // These mean that the entry may be gone.
    for e in [ENOENT, EINTR] {
        fs.on(Op::UNLINK, Answer::Err(e));
        let before = m.rec.count(Op::LOOKUP);
        let r: (Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
            (
                user::unlink(&mnt.join("f")),
                user::lstat(&mnt.join("f")).map(drop),
            )
        });
        assert_eq!(r, (Err(e), Ok(())));
        assert_eq!(m.rec.count(Op::LOOKUP), before + 1, "{e}");
    }
    m.finish();
}

fn rmdir_errors() {
    each(|d| {
        user::mkdir(&d.at("a"), 0o755).expect("mkdir");
        write(&d.at("a/f"), b"");
        assert_eq!(user::rmdir(&d.at("a")), Err(ENOTEMPTY));
        assert_eq!(user::rmdir(&d.at("a/f")), Err(ENOTDIR));
        assert_eq!(user::rmdir(&d.at("none")), Err(ENOENT));
        assert_eq!(user::rmdir(&d.mnt), Err(EBUSY));
        assert_eq!(user::rmdir(&d.at("a/.")), Err(EINVAL));
    });
}

/// The directory has no user left, so its FORGET comes at once.
fn rmdir_drops_node() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    let r: Res<()> = m.run(&mut fs, |mnt| user::rmdir(&mnt.join("d")));
    assert_eq!(r, Ok(()));
    assert_eq!(m.rec.forgets().get(&d), Some(&1));
    m.finish();
}
