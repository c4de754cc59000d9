// SPDX-License-Identifier: GPL-2.0

//! LINK.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;

use crate::through::{each, read, same, write};

pub fn cases() -> Vec<Case> {
    cases![link_counts, link_errors, link_arguments]
}

/// All names of a file show one count, whichever of them was made, written to or removed.
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

fn link_arguments() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let f = fs.file("f", b"");
    let d = fs.dir("d");
    let r: Res<u64> = m.run(&mut fs, |mnt| {
        user::link(&mnt.join("f"), &mnt.join("d/g"))?;
        user::lstat(&mnt.join("d/g")).map(|s| s.nlink)
    });
    assert_eq!(r, Ok(2));
    let all = m.rec.all();
    let l = all.iter().find(|r| r.op == Op::LINK).expect("LINK");
    assert_eq!((l.get("oldnodeid"), l.node, l.name()), (f, d, "g".into()));
    m.finish();
}
