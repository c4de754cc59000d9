// SPDX-License-Identifier: GPL-2.0

//! Directories, on passthrough_ll: listing, walking, working in them.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::user;

use crate::through::{each, read, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        dots,
        not_a_directory,
        readdir_small_buffer,
        readdir_big,
        readdir_seek_and_rewind,
        readdir_while_changing,
        readdir_types,
        deep_tree,
        working_directory,
        open_directory_errors,
    ]
}

fn dots() {
    each(|d| {
        user::mkdir(&d.at("a"), 0o755).expect("mkdir");
        user::mkdir(&d.at("a/b"), 0o755).expect("mkdir");
        let ino = |p: &str| user::lstat(&d.at(p)).map(|s| s.ino).expect("stat");
        assert_eq!(ino("a/b/.."), ino("a"));
        assert_eq!(ino("a/b/../.."), ino(""));
        assert_eq!(ino("a/./b/."), ino("a/b"));
        let up = user::lstat(&d.at("..")).expect("stat");
        assert_eq!(up.ino, user::lstat(&ktap::dir()).expect("stat").ino);
    });
}

fn not_a_directory() {
    each(|d| {
        write(&d.at("f"), b"x");
        assert_eq!(user::lstat(&d.at("f/x")).err(), Some(ENOTDIR));
        assert_eq!(user::lstat(&d.at("f/")).err(), Some(ENOTDIR));
        assert_eq!(
            user::open(&d.at("f"), libc::O_DIRECTORY, 0).err(),
            Some(ENOTDIR)
        );
        assert_eq!(user::list(&d.at("f")).err(), Some(ENOTDIR));
        assert_eq!(user::chdir(&d.at("f")), Err(ENOTDIR));
    });
}

fn readdir_small_buffer() {
    each(|d| {
        for i in 0..30 {
            write(&d.behind(&format!("file-with-a-name-{i:02}")), b"");
        }
        for size in [64, 100, 200, 1000] {
            let fd = user::open(&d.mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
            let mut names = Vec::new();
            loop {
                let some = user::getdents(&fd, size).expect("getdents");
                if some.is_empty() {
                    break;
                }
                names.extend(some.into_iter().map(|e| e.3));
            }
            names.sort();
            assert_eq!(names.len(), 32, "buffer of {size}");
            names.dedup();
            assert_eq!(names.len(), 32, "buffer of {size}");
            // Too small for any record.
            user::close(fd).expect("close");
            let fd = user::open(&d.mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
            assert_eq!(user::getdents(&fd, 16).err(), Some(EINVAL));
        }
    });
}

fn readdir_big() {
    each(|d| {
        user::mkdir(&d.behind("big"), 0o755).expect("mkdir");
        for i in 0..400 {
            std::fs::File::create(d.behind(&format!("big/{i:05}"))).expect("create");
        }
        assert_eq!(user::list(&d.at("big")), user::list(&d.behind("big")));
        std::fs::remove_dir_all(d.at("big")).expect("rm -r");
        assert_eq!(user::list(&d.behind("")), Ok(vec![]));
    });
}

fn readdir_seek_and_rewind() {
    each(|d| {
        for i in 0..20 {
            write(&d.behind(&format!("f{i:02}")), b"");
        }
        let fd = user::open(&d.mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
        let all = |fd| {
            let mut v = Vec::new();
            loop {
                let some = user::getdents(fd, 4096).expect("getdents");
                if some.is_empty() {
                    return v;
                }
                v.extend(some);
            }
        };
        let first = all(&fd);
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(0)).expect("rewind");
        assert_eq!(all(&fd), first);
        // A position seen earlier leads to what followed it.
        let at = first[7].1;
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(at as u64)).expect("seek");
        assert_eq!(all(&fd), first[8..].to_vec());
        // New names show after a rewind.
        write(&d.at("new"), b"");
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(0)).expect("rewind");
        assert!(all(&fd).iter().any(|e| e.3 == "new"));
    });
}

fn readdir_while_changing() {
    each(|d| {
        for i in 0..50 {
            write(&d.at(&format!("f{i:02}")), b"");
        }
        let fd = user::open(&d.mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
        let mut removed = 0;
        loop {
            let some = user::getdents(&fd, 300).expect("getdents");
            if some.is_empty() {
                break;
            }
            for e in some.iter().filter(|e| e.3.starts_with('f')) {
                user::unlink(&d.at(&e.3)).expect("unlink");
                removed += 1;
            }
        }
        assert_eq!(removed, 50);
        assert_eq!(user::list(&d.mnt), Ok(vec![]));
    });
}

fn readdir_types() {
    each(|d| {
        write(&d.behind("f"), b"");
        user::mkdir(&d.behind("d"), 0o755).expect("mkdir");
        user::symlink("x", &d.behind("l")).expect("symlink");
        user::mknod(&d.behind("p"), libc::S_IFIFO | 0o644, 0).expect("mknod");
        let of = |p: &std::path::Path| {
            let fd = user::open(p, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
            let mut v: Vec<_> = user::getdents(&fd, 4096)
                .expect("getdents")
                .into_iter()
                .map(|e| (e.3, e.2, e.0))
                .collect();
            v.sort();
            v.retain(|e| e.0 != "..");
            v
        };
        assert_eq!(of(&d.mnt), of(&d.src));
    });
}

fn deep_tree() {
    each(|d| {
        let mut rel = String::from("d");
        for i in 0..60 {
            user::mkdir(&d.at(&rel), 0o755).expect("mkdir");
            write(&d.at(&format!("{rel}/f")), format!("{i}").as_bytes());
            rel += "/d";
        }
        let f = format!("d{}/f", "/d".repeat(59));
        assert_eq!(read(&d.at(&f)), b"59");
        same(d, &f);
        std::fs::remove_dir_all(d.at("d")).expect("rm -r");
        assert_eq!(user::list(&d.src), Ok(vec![]));
    });
}

fn working_directory() {
    each(|d| {
        user::mkdir(&d.at("a"), 0o755).expect("mkdir");
        write(&d.at("a/f"), b"rel");
        let a = d.at("a");
        let c = mockd::Caller::spawn(None, |_| {
            user::chdir(&a)?;
            let text = std::fs::read("f")?;
            let here = std::env::current_dir()?;
            user::unlink(std::path::Path::new("f"))?;
            user::rmdir(&a)?;
            // In a directory that is gone.
            let made = user::mkdir(std::path::Path::new("x"), 0o755);
            let listed = user::list(std::path::Path::new("."));
            Ok::<_, Errno>((text, here == a, made, listed))
        });
        type Seen = (Vec<u8>, bool, Res<()>, Res<Vec<String>>);
        let r: Res<Seen> = c.join();
        let (text, here, made, listed) = r.expect("caller");
        assert_eq!((text.as_slice(), here), (&b"rel"[..], true));
        assert_eq!(made, Err(ENOENT));
        println!("list of a removed directory: {listed:?}");
        assert_eq!(listed, Err(ENOENT));
    });
}

fn open_directory_errors() {
    each(|d| {
        user::mkdir(&d.at("a"), 0o755).expect("mkdir");
        assert_eq!(
            user::open(&d.at("a"), libc::O_WRONLY, 0).err(),
            Some(EISDIR)
        );
        assert_eq!(user::open(&d.at("a"), libc::O_RDWR, 0).err(), Some(EISDIR));
        assert_eq!(
            user::open(&d.at("a"), libc::O_CREAT | libc::O_RDONLY, 0).err(),
            Some(EISDIR)
        );
        assert_eq!(
            user::open(&d.at("a"), libc::O_TRUNC | libc::O_RDONLY, 0).err(),
            Some(EISDIR)
        );
        let fd = user::open(&d.at("a"), libc::O_RDONLY, 0).expect("open");
        assert_eq!(user::pread(&fd, 10, 0).err(), Some(EISDIR));
        user::fsync(&fd).expect("fsync");
        let fd = user::open(&d.at("a"), libc::O_PATH, 0).expect("open path");
        assert!(user::fstat(&fd).is_ok());
    });
}
