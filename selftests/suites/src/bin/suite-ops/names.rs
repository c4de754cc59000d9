// SPDX-License-Identifier: GPL-2.0

//! Names, on passthrough_ll: making, finding, renaming, removing.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::user;

use crate::through::{each, read, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        mkdir_rmdir,
        mkdir_errors,
        rmdir_errors,
        create_unlink,
        create_exclusive,
        mknod_kinds,
        symlink_readlink,
        symlink_long,
        symlink_loop,
        link_counts,
        link_errors,
        unlink_errors,
        unlinked_but_open,
        rename_file,
        rename_over,
        rename_directory,
        rename_errors,
        rename_flags_refused_by_daemon,
        names_of_every_length,
        names_of_every_byte,
        lookup_missing_then_made,
        made_behind_is_found,
        removed_behind_is_gone,
    ]
}

fn mkdir_rmdir() {
    each(|d| {
        user::mkdir(&d.at("a"), 0o750).expect("mkdir");
        same(d, "a");
        same(d, "");
        user::mkdir(&d.at("a/b"), 0o700).expect("mkdir");
        same(d, "a");
        user::rmdir(&d.at("a/b")).expect("rmdir");
        same(d, "a");
        user::rmdir(&d.at("a")).expect("rmdir");
        assert_eq!(user::lstat(&d.at("a")).err(), Some(ENOENT));
        assert_eq!(user::lstat(&d.behind("a")).err(), Some(ENOENT));
        user::mkdir(&d.at("a"), 0o755).expect("mkdir again");
    });
}

fn mkdir_errors() {
    each(|d| {
        user::mkdir(&d.at("a"), 0o755).expect("mkdir");
        write(&d.at("f"), b"");
        assert_eq!(user::mkdir(&d.at("a"), 0o755), Err(EEXIST));
        assert_eq!(user::mkdir(&d.at("f"), 0o755), Err(EEXIST));
        assert_eq!(user::mkdir(&d.at("f/x"), 0o755), Err(ENOTDIR));
        assert_eq!(user::mkdir(&d.at("none/x"), 0o755), Err(ENOENT));
        assert_eq!(user::mkdir(&d.at(""), 0o755), Err(EEXIST));
    });
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

fn create_unlink() {
    each(|d| {
        let fd = user::open(&d.at("f"), libc::O_CREAT | libc::O_RDWR, 0o640).expect("create");
        same(d, "f");
        assert_eq!(user::write(&fd, b"hello"), Ok(5));
        assert_eq!(user::fstat(&fd).map(|s| s.size), Ok(5));
        user::close(fd).expect("close");
        same(d, "f");
        assert_eq!(read(&d.behind("f")), b"hello");
        user::unlink(&d.at("f")).expect("unlink");
        assert_eq!(user::lstat(&d.at("f")).err(), Some(ENOENT));
        assert_eq!(user::lstat(&d.behind("f")).err(), Some(ENOENT));
    });
}

fn create_exclusive() {
    each(|d| {
        let f = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY;
        user::open(&d.at("f"), f, 0o644).expect("first");
        assert_eq!(user::open(&d.at("f"), f, 0o644).err(), Some(EEXIST));
        user::symlink("nowhere", &d.at("l")).expect("symlink");
        assert_eq!(user::open(&d.at("l"), f, 0o644).err(), Some(EEXIST));
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        assert_eq!(user::open(&d.at("d"), f, 0o644).err(), Some(EEXIST));
        write(&d.behind("b"), b"made behind");
        assert_eq!(user::open(&d.at("b"), f, 0o644).err(), Some(EEXIST));
    });
}

fn mknod_kinds() {
    each(|d| {
        for (n, mode, dev) in [
            ("reg", libc::S_IFREG, 0),
            ("fifo", libc::S_IFIFO, 0),
            ("sock", libc::S_IFSOCK, 0),
            ("chr", libc::S_IFCHR, libc::makedev(1, 3)),
            ("blk", libc::S_IFBLK, libc::makedev(7, 300)),
        ] {
            user::mknod(&d.at(n), mode | 0o640, dev).unwrap_or_else(|e| panic!("mknod {n}: {e}"));
            same(d, n);
            assert_eq!(user::mknod(&d.at(n), mode | 0o640, dev), Err(EEXIST), "{n}");
        }
        // A fifo works as one, without the daemon. The mount is nodev.
        let (p, q) = (d.at("fifo"), d.at("fifo"));
        let reader = mockd::Caller::spawn(None, |_| std::fs::read(p).map_err(Errno::from));
        std::fs::write(q, b"through").expect("fifo");
        assert_eq!(reader.join::<Res<Vec<u8>>>(), Ok(b"through".to_vec()));
        assert_eq!(
            user::open(&d.at("sock"), libc::O_RDONLY, 0).err(),
            Some(ENXIO)
        );
    });
}

fn symlink_readlink() {
    each(|d| {
        write(&d.at("f"), b"target");
        user::symlink("f", &d.at("l")).expect("symlink");
        same(d, "l");
        assert_eq!(user::readlink(&d.at("l")), Ok("f".into()));
        assert_eq!(read(&d.at("l")), b"target");
        assert_eq!(
            user::lstat(&d.at("l")).map(|s| s.mode),
            Ok(libc::S_IFLNK | 0o777)
        );
        assert_eq!(user::symlink("x", &d.at("l")), Err(EEXIST));
        assert_eq!(user::readlink(&d.at("f")).err(), Some(EINVAL));
        user::symlink("missing", &d.at("dangling")).expect("symlink");
        assert_eq!(user::stat(&d.at("dangling")).err(), Some(ENOENT));
        // Made through the link.
        write(&d.at("dangling"), b"now there");
        assert_eq!(read(&d.behind("missing")), b"now there");
        user::unlink(&d.at("l")).expect("unlink");
        same(d, "f");
    });
}

fn symlink_long() {
    each(|d| {
        for n in [1, 255, 1000, 4000, 4095] {
            let text = "x".repeat(n);
            let name = format!("l{n}");
            user::symlink(&text, &d.at(&name)).unwrap_or_else(|e| panic!("{n}: {e}"));
            assert_eq!(user::readlink(&d.at(&name)), Ok(text), "{n}");
            user::unlink(&d.at(&name)).expect("unlink");
        }
        assert_eq!(
            user::symlink(&"x".repeat(4096), &d.at("l")),
            Err(ENAMETOOLONG)
        );
        assert_eq!(user::symlink("", &d.at("l")), Err(ENOENT));
    });
}

fn symlink_loop() {
    each(|d| {
        user::symlink("b", &d.at("a")).expect("symlink");
        user::symlink("a", &d.at("b")).expect("symlink");
        assert_eq!(user::stat(&d.at("a")).err(), Some(ELOOP));
        assert_eq!(user::open(&d.at("a"), libc::O_RDONLY, 0).err(), Some(ELOOP));
        assert_eq!(
            user::open(&d.at("a"), libc::O_RDONLY | libc::O_NOFOLLOW, 0).err(),
            Some(ELOOP)
        );
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        user::symlink("../d", &d.at("d/up")).expect("symlink");
        let many = format!("d{}", "/up".repeat(39));
        assert!(user::stat(&d.at(&many)).is_ok());
        let more = format!("d{}", "/up".repeat(45));
        assert_eq!(user::stat(&d.at(&more)).err(), Some(ELOOP));
        user::unlink(&d.at("d/up")).expect("unlink");
    });
}

fn link_counts() {
    each(|d| {
        write(&d.at("f"), b"x");
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        user::link(&d.at("f"), &d.at("g")).expect("link");
        user::link(&d.at("f"), &d.at("d/h")).expect("link");
        for n in ["f", "g", "d/h"] {
            same(d, n);
            assert_eq!(user::lstat(&d.at(n)).map(|s| s.nlink), Ok(3), "{n}");
        }
        let fd = user::open(&d.at("g"), libc::O_WRONLY | libc::O_APPEND, 0).expect("open");
        assert_eq!(user::write(&fd, b"y"), Ok(1));
        drop(fd);
        assert_eq!(read(&d.at("d/h")), b"xy");
        user::unlink(&d.at("f")).expect("unlink");
        assert_eq!(user::lstat(&d.at("g")).map(|s| s.nlink), Ok(2));
        same(d, "d/h");
    });
}

fn link_errors() {
    each(|d| {
        write(&d.at("f"), b"x");
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        assert_eq!(user::link(&d.at("f"), &d.at("d")), Err(EEXIST));
        assert_eq!(user::link(&d.at("d"), &d.at("e")), Err(EPERM));
        assert_eq!(user::link(&d.at("none"), &d.at("e")), Err(ENOENT));
        assert_eq!(user::link(&d.at("f"), &d.at("none/e")), Err(ENOENT));
        assert_eq!(user::link(&d.at("f"), &d.behind("e")), Err(EXDEV));
    });
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

fn rename_file() {
    each(|d| {
        write(&d.at("a"), b"A");
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        user::rename(&d.at("a"), &d.at("b")).expect("rename");
        assert_eq!(user::lstat(&d.at("a")).err(), Some(ENOENT));
        same(d, "b");
        user::rename(&d.at("b"), &d.at("d/c")).expect("rename");
        same(d, "d/c");
        same(d, "d");
        same(d, "");
        assert_eq!(read(&d.at("d/c")), b"A");
        user::rename(&d.at("d/c"), &d.at("d/c")).expect("onto itself");
        let fd = user::open(&d.at("d/c"), libc::O_RDONLY, 0).expect("open");
        user::rename(&d.at("d/c"), &d.at("a")).expect("rename");
        assert_eq!(user::pread(&fd, 5, 0), Ok(b"A".to_vec()));
    });
}

fn rename_over() {
    each(|d| {
        write(&d.at("a"), b"A");
        write(&d.at("b"), b"B");
        let old = user::open(&d.at("b"), libc::O_RDONLY, 0).expect("open");
        user::rename(&d.at("a"), &d.at("b")).expect("rename");
        assert_eq!(read(&d.at("b")), b"A");
        assert_eq!(user::pread(&old, 5, 0), Ok(b"B".to_vec()));
        assert_eq!(user::fstat(&old).map(|s| s.nlink), Ok(0));
        drop(old);
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        user::mkdir(&d.at("e"), 0o755).expect("mkdir");
        user::rename(&d.at("d"), &d.at("e")).expect("over an empty directory");
        same(d, "e");
        // Two links of one file: nothing happens.
        user::link(&d.at("b"), &d.at("c")).expect("link");
        user::rename(&d.at("b"), &d.at("c")).expect("rename");
        assert!(user::lstat(&d.at("b")).is_ok());
    });
}

fn rename_directory() {
    each(|d| {
        user::mkdir(&d.at("a"), 0o755).expect("mkdir");
        user::mkdir(&d.at("a/b"), 0o755).expect("mkdir");
        write(&d.at("a/b/f"), b"deep");
        user::mkdir(&d.at("z"), 0o755).expect("mkdir");
        user::rename(&d.at("a/b"), &d.at("z/b")).expect("rename");
        assert_eq!(read(&d.at("z/b/f")), b"deep");
        same(d, "a");
        same(d, "z");
        assert_eq!(user::lstat(&d.at("a/b/f")).err(), Some(ENOENT));
        let up = user::lstat(&d.at("z/b/..")).expect("dotdot");
        assert_eq!(up.ino, user::lstat(&d.at("z")).expect("z").ino);
    });
}

fn rename_errors() {
    each(|d| {
        user::mkdir(&d.at("d"), 0o755).expect("mkdir");
        user::mkdir(&d.at("d/e"), 0o755).expect("mkdir");
        write(&d.at("f"), b"");
        assert_eq!(user::rename(&d.at("none"), &d.at("x")), Err(ENOENT));
        assert_eq!(user::rename(&d.at("f"), &d.at("d")), Err(EISDIR));
        assert_eq!(user::rename(&d.at("d"), &d.at("f")), Err(ENOTDIR));
        assert_eq!(user::rename(&d.at("d"), &d.at("d/e/x")), Err(EINVAL));
        user::mkdir(&d.at("g"), 0o755).expect("mkdir");
        assert_eq!(user::rename(&d.at("g"), &d.at("d")), Err(ENOTEMPTY));
        assert_eq!(user::rename(&d.at("d/e"), &d.at("d")), Err(ENOTEMPTY));
        assert_eq!(user::rename(&d.at("f"), &d.behind("x")), Err(EXDEV));
        assert_eq!(user::rename(&d.at("f"), &d.at("f/x")), Err(ENOTDIR));
    });
}

/// passthrough_ll refuses flags of rename; its error must arrive.
fn rename_flags_refused_by_daemon() {
    each(|d| {
        write(&d.at("a"), b"A");
        write(&d.at("b"), b"B");
        // The VFS answers this one itself.
        assert_eq!(
            user::rename2(&d.at("a"), &d.at("b"), libc::RENAME_NOREPLACE),
            Err(EEXIST)
        );
        assert_eq!(
            user::rename2(&d.at("a"), &d.at("c"), libc::RENAME_NOREPLACE),
            Err(EINVAL)
        );
        assert_eq!(
            user::rename2(&d.at("a"), &d.at("b"), libc::RENAME_EXCHANGE),
            Err(EINVAL)
        );
        assert_eq!(user::rename2(&d.at("a"), &d.at("b"), 0x80), Err(EINVAL));
        assert_eq!(read(&d.at("a")), b"A");
    });
}

fn names_of_every_length() {
    each(|d| {
        for n in [1, 2, 7, 8, 15, 16, 31, 32, 39, 40, 100, 254, 255] {
            let name = "n".repeat(n);
            write(&d.at(&name), name.as_bytes());
            assert_eq!(read(&d.at(&name)), name.as_bytes());
        }
        assert_eq!(user::list(&d.mnt).expect("list").len(), 13);
        let long = "n".repeat(256);
        assert_eq!(user::lstat(&d.at(&long)).err(), Some(ENAMETOOLONG));
        assert_eq!(user::mkdir(&d.at(&long), 0o755), Err(ENAMETOOLONG));
        assert_eq!(
            user::open(&d.at(&long), libc::O_CREAT | libc::O_WRONLY, 0o644).err(),
            Some(ENAMETOOLONG)
        );
    });
}

fn names_of_every_byte() {
    use std::os::unix::ffi::OsStrExt;
    each(|d| {
        for c in 1..=255u8 {
            if c == b'/' || c == b'.' {
                continue;
            }
            let name = [c];
            let name = std::ffi::OsStr::from_bytes(&name);
            user::mknod(&d.mnt.join(name), libc::S_IFREG | 0o644, 0)
                .unwrap_or_else(|e| panic!("{c}: {e}"));
            assert!(user::lstat(&d.src.join(name)).is_ok(), "{c}");
        }
        let n = std::fs::read_dir(&d.mnt).expect("list").count();
        assert_eq!(n, 253);
        for e in std::fs::read_dir(&d.mnt).expect("list") {
            user::unlink(&e.expect("entry").path()).expect("unlink");
        }
    });
}

fn lookup_missing_then_made() {
    each(|d| {
        assert_eq!(user::lstat(&d.at("x")).err(), Some(ENOENT));
        assert_eq!(user::lstat(&d.at("x")).err(), Some(ENOENT));
        write(&d.at("x"), b"1");
        same(d, "x");
        user::unlink(&d.at("x")).expect("unlink");
        assert_eq!(user::lstat(&d.at("x")).err(), Some(ENOENT));
        user::mkdir(&d.at("x"), 0o755).expect("mkdir");
        same(d, "x");
    });
}

fn made_behind_is_found() {
    each(|d| {
        write(&d.behind("f"), b"1");
        assert_eq!(read(&d.at("f")), b"1");
        user::mkdir(&d.behind("d"), 0o755).expect("mkdir");
        write(&d.behind("d/g"), b"2");
        assert_eq!(user::list(&d.at("d")), Ok(vec!["g".to_string()]));
    });
}

/// With nothing cached, what goes behind is gone at once.
fn removed_behind_is_gone() {
    let d = suites::daemon::Daemon::passthrough_ll("cache=never");
    write(&d.behind("f"), b"1");
    assert!(user::lstat(&d.at("f")).is_ok());
    user::unlink(&d.behind("f")).expect("unlink");
    assert_eq!(user::lstat(&d.at("f")).err(), Some(ENOENT));
    // Replaced by something of another type.
    write(&d.behind("g"), b"1");
    assert!(user::lstat(&d.at("g")).is_ok());
    user::unlink(&d.behind("g")).expect("unlink");
    user::mkdir(&d.behind("g"), 0o755).expect("mkdir");
    assert_eq!(
        user::lstat(&d.at("g")).map(|s| s.mode & libc::S_IFMT),
        Ok(libc::S_IFDIR)
    );
    d.stop();
}
