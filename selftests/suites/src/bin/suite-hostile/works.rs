// SPDX-License-Identifier: GPL-2.0

//! That a fresh mount with a good daemon is as it should be, whatever was there before.

use std::os::fd::OwnedFd;

use mockd::errno::*;
use mockd::lock::{flock, getlk, setlk, UNLCK, WRLCK};
use mockd::memfs::{Memfs, BIRTH};
use mockd::poll::poll;
use mockd::{user, Mock};

const READY: u32 = libc::POLLIN as u32;

/// A call of most kinds, and what is right for each. The list is by hand: FSYNCDIR is not in it.
pub fn check() {
    let mut fs = Memfs::new();
    (fs.xattrs, fs.ioctls, fs.ready) = (true, true, Some(READY));
    fs.file("old", b"text");
    let mut m = Mock::new();
    m.without_record();
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let at = |n: &str| mnt.join(n);
        let want = |what: &str, right: bool| {
            assert!(right, "{what} is wrong");
        };
        user::mkdir(&at("d"), 0o755)?;
        let f = user::open(
            &at("d/f"),
            libc::O_CREAT | libc::O_RDWR | libc::O_EXCL,
            0o644,
        )?;
        want("write", user::pwrite(&f, &[5; 10000], 0)? == 10000);
        want("read", user::pread(&f, 20000, 0)? == [5; 10000]);
        want("size", user::fstat(&f)?.size == 10000);
        want("lock", locks(&f)?);
        user::ftruncate(&f, 3)?;
        user::fsync(&f)?;
        let ready = poll(&f, libc::POLLIN | libc::POLLOUT, -1)?;
        want("poll", ready == READY as i16);
        want("truncated", user::pread(&f, 20, 0)? == [5; 3]);
        user::close(f)?;
        user::mknod(&at("n"), libc::S_IFIFO | 0o600, 0)?;
        user::symlink("old", &at("l"))?;
        want("link", user::readlink(&at("l"))? == "old");
        want("followed", user::stat(&at("l"))?.size == 4);
        user::link(&at("old"), &at("hard"))?;
        user::rename(&at("d/f"), &at("g"))?;
        user::rename2(&at("g"), &at("h"), libc::RENAME_NOREPLACE)?;
        user::chmod(&at("h"), 0o600)?;
        user::lchown(&at("h"), 1, 2)?;
        user::utimes(&at("h"), Some((1, 0)), Some((2, 0)))?;
        let s = user::lstat(&at("h"))?;
        want(
            "attributes",
            (s.mode & 0o777, s.uid, s.gid, s.mtime.0) == (0o600, 1, 2, 2),
        );
        let birth = libc::STATX_BTIME;
        let (known, born, _) = user::statx(&at("h"), 0, birth)?;
        want("birth", (known & birth, born) == (birth, BIRTH));
        user::access(&at("old"), libc::R_OK)?;
        user::setxattr(&at("old"), "user.a", b"value", 0)?;
        let (_, value) = user::getxattr(&at("old"), "user.a", 10)?;
        want("attribute", value == b"value");
        want("attributes listed", user::listxattr(&at("old"), 0)?.0 == 7);
        user::removexattr(&at("old"), "user.a")?;
        want(
            "list",
            user::list(mnt)? == ["d", "h", "hard", "l", "n", "old"],
        );
        want("statfs", user::statfs(mnt)?[2] == 1000);
        let (old, mut data) = (user::open(&at("old"), libc::O_RDONLY, 0)?, [3; 20]);
        user::ioctl(&old, user::command(true, true, 20), &mut data)?;
        want("command", data == [3; 20]);
        let f = user::open(mnt, libc::O_TMPFILE | libc::O_RDWR, 0o600)?;
        want("write without a name", user::pwrite(&f, b"new", 0)? == 3);
        user::link_fd(&f, &at("t"))?;
        user::close(f)?;
        want("named", user::lstat(&at("t"))?.size == 3);
        user::unlink(&at("t"))?;
        user::unlink(&at("h"))?;
        user::rmdir(&at("d"))?;
        want("gone", user::lstat(&at("h")).err() == Some(ENOENT));
        let text = user::pread(
            &user::open(&at("old"), libc::O_RDONLY | libc::O_DIRECT, 0)?,
            9,
            0,
        )?;
        want("direct", text == b"text");
        Ok(())
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

/// Takes locks of both kinds; nobody is in the way.
fn locks(f: &OwnedFd) -> Res<bool> {
    if !ktap::has("CONFIG_FILE_LOCKING") {
        return Ok(true);
    }
    setlk(f, WRLCK, 10, 10)?;
    flock(f, libc::LOCK_EX)?;
    Ok(getlk(f, WRLCK, 0, 0)?.0 == UNLCK)
}
