// SPDX-License-Identifier: GPL-2.0

//! The files of a connection in the control filesystem and in debugfs.

use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mem::{read_at, Pages, PAGE};
use mockd::wire::Op;
use mockd::{user, Mock};
use suites::{fusectl, setting};

use crate::nth::{prepare, rounds};

pub fn cases() -> Vec<Case> {
    let mut all = cases![files_are_read, limits_are_written, aborting];
    // C has nothing in debugfs.
    if ktap::implementation() == Impl::Rust {
        all.extend(cases![debug_files_are_read, latency_is_switched]);
    }
    all
}

fn mock() -> Mock {
    let mut m = Mock::new();
    m.without_record();
    m
}

/// Opens a file, then reads it, each with faults; what is read then says `want`.
fn read_with_faults(file: &Path, want: &str) {
    let name = file.file_name().expect("name").to_string_lossy();
    let o = rounds(
        || (),
        |()| user::open(file, libc::O_RDONLY, 0),
        |(), r| drop(r),
    );
    o.check(&format!("open {name}"), 1);
    let mut pages = Pages::new(1);
    // All of it is there before there are faults.
    pages.bytes(0, PAGE).fill(0);
    let (at, len) = (pages.addr(), pages.len());
    let o = rounds(
        || user::open(file, libc::O_RDONLY, 0).expect("open"),
        |fd| read_at(fd.as_raw_fd(), at, len),
        |_, r| {
            if let Ok(len) = r {
                let text = String::from_utf8_lossy(pages.bytes(0, len)).into_owned();
                assert!(text.contains(want), "{name}: {text}");
            }
        },
    );
    o.check(&format!("read {name}"), 1);
}

fn files_are_read() {
    prepare();
    let m = mock();
    let dir = fusectl::dir(&m.mnt);
    for (name, want) in [
        ("waiting", "0"),
        ("max_background", "12"),
        ("congestion_threshold", "9"),
    ] {
        read_with_faults(&dir.join(name), want);
    }
    m.finish();
}

/// A limit is what was written, or what it was.
fn limits_are_written() {
    prepare();
    let m = mock();
    let dir = fusectl::dir(&m.mnt);
    for name in ["max_background", "congestion_threshold"] {
        let file = dir.join(name);
        let mut n = 20;
        let o = rounds(
            || {
                n += 1;
                let old = setting::get(&file).expect("read");
                let fd = user::open(&file, libc::O_WRONLY, 0).expect("open");
                (fd, old, format!("{n}\n"))
            },
            |(fd, _, text)| Ok(rustix::io::write(fd, text.as_bytes())?),
            |(_, old, text), r| {
                let want = if r.is_ok() { text } else { old };
                assert_eq!(setting::get(&file), Ok(want), "{name}: {r:?}");
            },
        );
        o.check(&format!("write {name}"), 1);
    }
    m.finish();
}

/// The connection ends, or is as before.
fn aborting() {
    prepare();
    let o = rounds(
        || {
            let mut m = mock();
            let c = m.call("x", |p| user::lstat(p).map(drop));
            let r = m.expect(Op::LOOKUP);
            let file = fusectl::dir(&m.mnt).join("abort");
            let fd = user::open(&file, libc::O_WRONLY, 0).expect("open");
            (m, c, r, fd)
        },
        |(_, _, _, fd)| Ok(rustix::io::write(fd, b"1")?),
        |(m, c, r, _), got| {
            let end = if got.is_ok() {
                ECONNABORTED
            } else {
                m.fail(&r, ENOENT);
                ENOENT
            };
            assert_eq!(c.join::<Res<()>>(), Err(end), "{got:?}");
            m.umount();
        },
    );
    o.check("write abort", 0);
}

/// The connection's directory in debugfs.
fn debug_dir(m: &Mock) -> PathBuf {
    Path::new("/sys/kernel/debug/fuse").join(fusectl::id(&m.mnt).to_string())
}

fn debug_files_are_read() {
    prepare();
    let mut m = mock();
    let c = m.call("x", |p| user::lstat(p).map(drop));
    let r = m.expect(Op::LOOKUP);
    let dir = debug_dir(&m);
    std::fs::write(dir.join("latency"), "1").expect("latency");
    for (name, want) in [("requests", "FUSE_LOOKUP"), ("latency", "# on")] {
        read_with_faults(&dir.join(name), want);
    }
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

/// On or off as written, or as it was.
fn latency_is_switched() {
    prepare();
    let m = mock();
    let file = debug_dir(&m).join("latency");
    let on = || setting::get(&file).expect("read").starts_with("# on");
    for (row, text, becomes) in [
        ("write latency 1", "1", true),
        ("write latency 0", "0", false),
    ] {
        let o = rounds(
            || {
                std::fs::write(&file, if becomes { "0" } else { "1" }).expect("write");
                user::open(&file, libc::O_WRONLY, 0).expect("open")
            },
            |fd| Ok(rustix::io::write(fd, text.as_bytes())?),
            |_, r| assert_eq!(on(), r.is_ok() == becomes, "{row}: {r:?}"),
        );
        o.check(row, 1);
    }
    m.finish();
}
