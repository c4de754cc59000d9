// SPDX-License-Identifier: GPL-2.0

//! Paths as the VFS walks them, with a LOOKUP for each name: names of every length and byte, dots,
//! deep trees, the working directory.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::user;

use crate::through::{each, read, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        names_of_every_length,
        names_of_every_byte,
        dots,
        not_a_directory,
        deep_tree,
        working_directory,
    ]
}

/// Lengths at which buffers and inline names end, and one byte too many.
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

/// The kernel looks at no byte of a name but slash and NUL.
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

/// The kernel itself knows where dot and dot-dot lead, and asks for neither.
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

/// Sixty directories, walked down and removed from below.
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

/// Paths without a slash, and what still works in a directory that is removed.
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
