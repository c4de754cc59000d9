// SPDX-License-Identifier: GPL-2.0

//! ntfs-3g, whose library is fuse-lite, on an image.

use std::process::Command;

use ktap::{cases, Case};
use suites::daemon::{dirs, need, Daemon};

use crate::output;
use crate::tour::{killed, tour};

pub fn cases() -> Vec<Case> {
    cases![ntfs_3g_work, ntfs_3g_killed]
}

/// On an image, which is made if it is not there.
fn ntfs_3g() -> Daemon {
    let (src, mnt) = dirs();
    let image = src.join("image");
    if !image.exists() {
        let file = std::fs::File::create(&image).expect("image");
        file.set_len(32 << 20).expect("image");
        let (out, text) = output(
            Command::new(need("mkntfs"))
                .args(["-F", "-Q", "-q"])
                .arg(&image),
        );
        assert!(out.status.success(), "{text}");
    }
    let options = "no_detach,permissions,acl,streams_interface=xattr";
    let mut cmd = Command::new(need("ntfs-3g"));
    cmd.arg("-o").arg(options).arg(&image).arg(&mnt);
    Daemon::start(cmd, &mnt, &mnt)
}

fn ntfs_3g_work() {
    tour(ntfs_3g, Daemon::stop);
}

fn ntfs_3g_killed() {
    killed(ntfs_3g, Daemon::stop);
}
