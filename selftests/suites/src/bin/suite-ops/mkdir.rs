// SPDX-License-Identifier: GPL-2.0

//! MKDIR.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;

use crate::through::{each, same, write};

pub fn cases() -> Vec<Case> {
    cases![mkdir_rmdir, mkdir_errors, mkdir_umask]
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

/// The kernel takes the umask off the mode, for the daemon did not ask for DONT_MASK.
fn mkdir_umask() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        [0o000, 0o022, 0o777]
            .iter()
            .map(|u| {
                // SAFETY: an integer.
                unsafe { libc::umask(*u) };
                user::mkdir(&mnt.join(format!("d{u:o}")), 0o1777)
            })
            .collect()
    });
    assert_eq!(r, [Ok(()), Ok(()), Ok(())]);
    let modes: Vec<u64> = m
        .rec
        .all()
        .iter()
        .filter(|r| r.op == Op::MKDIR)
        .map(|r| r.get("mode"))
        .collect();
    assert_eq!(modes, [0o1777, 0o1755, 0o1000]);
    m.finish();
}
