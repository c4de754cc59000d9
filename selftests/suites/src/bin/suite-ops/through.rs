// SPDX-License-Identifier: GPL-2.0

//! Running a test on passthrough_ll in each of its caching modes, and comparing with what is
//! behind.

use std::os::fd::OwnedFd;
use std::path::Path;

use mockd::user::{self, Stat};
use suites::daemon::Daemon;

/// Runs `f` on a mount without caching, with a second of it, and with all of it.
pub fn each(f: impl Fn(&Daemon)) {
    each_with("", f);
}

/// The same with further options.
#[track_caller]
pub fn each_with(options: &str, f: impl Fn(&Daemon)) {
    for cache in ["never", "auto", "always"] {
        println!("cache={cache}");
        let sep = if options.is_empty() { "" } else { "," };
        let d = Daemon::passthrough_ll(&format!("cache={cache}{sep}{options}"));
        f(&d);
        same_tree(&d, "");
        let src = d.src.clone();
        d.stop();
        std::fs::remove_dir_all(&src).expect("clean src");
    }
}

/// What must be equal on both sides; access times are not.
fn comparable(s: Stat) -> Stat {
    Stat {
        atime: (0, 0),
        blksize: 0,
        ..s
    }
}

/// Attributes of `rel` on the mount and behind it are the same.
#[track_caller]
pub fn same(d: &Daemon, rel: &str) {
    let a = user::lstat(&d.at(rel)).map(comparable);
    let b = user::lstat(&d.behind(rel)).map(comparable);
    assert_eq!(a, b, "{rel}: the mount, then behind it");
}

/// The same for everything below, with names and contents.
#[track_caller]
pub fn same_tree(d: &Daemon, rel: &str) {
    same(d, rel);
    let st = user::lstat(&d.behind(rel)).expect("stat");
    match st.mode & libc::S_IFMT {
        libc::S_IFDIR => {
            let names = user::list(&d.at(rel)).expect("list");
            assert_eq!(
                names,
                user::list(&d.behind(rel)).expect("list"),
                "names in {rel:?}"
            );
            for n in names {
                same_tree(
                    d,
                    &if rel.is_empty() {
                        n
                    } else {
                        format!("{rel}/{n}")
                    },
                );
            }
        }
        libc::S_IFREG => {
            assert!(
                read(&d.at(rel)) == read(&d.behind(rel)),
                "contents of {rel}"
            );
        }
        libc::S_IFLNK => assert_eq!(
            user::readlink(&d.at(rel)),
            user::readlink(&d.behind(rel)),
            "{rel}"
        ),
        _ => {}
    }
}

/// The whole of a file.
#[track_caller]
pub fn read(p: &Path) -> Vec<u8> {
    std::fs::read(p).unwrap_or_else(|e| panic!("{}: {e}", p.display()))
}

/// Makes a file.
#[track_caller]
pub fn write(p: &Path, b: &[u8]) {
    std::fs::write(p, b).unwrap_or_else(|e| panic!("{}: {e}", p.display()));
}

/// A new file of the mount, open for reading and writing.
#[track_caller]
pub fn rw(d: &Daemon, name: &str) -> OwnedFd {
    user::open(&d.at(name), libc::O_CREAT | libc::O_RDWR, 0o644).expect("create")
}

/// Bytes that differ everywhere, so that a page in the wrong place shows.
pub fn pattern(n: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(2).wrapping_add(1);
    let mut v = Vec::with_capacity(n + 8);
    while v.len() < n {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        v.extend_from_slice(&x.to_ne_bytes());
    }
    v.truncate(n);
    v
}
