// SPDX-License-Identifier: GPL-2.0

//! fuse2fs: a file system in a file, which e2fsck looks at afterwards.

use std::path::Path;
use std::process::Command;

use ktap::{cases, Case};
use mockd::mount::umount;
use suites::compare;
use suites::daemon::{dirs, need, Daemon};
use suites::tools::{make_tree, sh};
use suites::workers::under_work;

use crate::output;

pub fn cases() -> Vec<Case> {
    cases![fuse2fs_work, fuse2fs_killed]
}

fn make(image: &Path) {
    let (out, text) = output(
        Command::new(need("mke2fs"))
            .args(["-q", "-t", "ext4", "-F"])
            .arg(image)
            .arg("64M"),
    );
    assert!(out.status.success(), "{text}");
}

fn start(image: &Path, mnt: &Path) -> Daemon {
    let mut cmd = Command::new(need("fuse2fs"));
    cmd.arg("-f").arg(image).arg(mnt);
    Daemon::start(cmd, mnt, mnt)
}

/// What e2fsck says: its status.
fn check(image: &Path, how: &str) -> Option<i32> {
    let (out, text) = output(Command::new(need("e2fsck")).args(["-f", how]).arg(image));
    println!("{text}");
    out.status.code()
}

/// A tree goes in and is worked on; afterwards the image is sound, and all is there.
fn fuse2fs_work() {
    let (src, mnt) = dirs();
    let image = src.join("image");
    make(&image);
    let d = start(&image, &mnt);
    let tree = ktap::dir().join("tree");
    make_tree(&tree);
    let mut said = Vec::new();
    let mut at = |script: &str| said.push(format!("{script}: {}", sh(&mnt, script)));
    at("cp -a ../tree copy; diff -r ../tree copy");
    at("mv copy moved; mv moved/dir0 moved/dir9; rm -r moved/dir3; mkdir -p moved/new/deep");
    at("echo one > log; echo two >> log; cat log; chmod 640 log; chown 5:6 log");
    at("stat -c '%a %s %u %g' log; setfattr -n user.a -v value log; getfattr -d log");
    at("setfattr -n trusted.b -v 1 log; getfattr -d -m - log; setfattr -x user.a log");
    at("getfattr -d -m - log; ln log hard; ln -s log soft; stat -c '%h %F' hard soft");
    at("mkfifo pipe; mknod null c 1 3; stat -c '%F %t %T' pipe null");
    at("truncate -s 5000 hard; wc -c < log; touch -d 2001-02-03T04:05:06 log; stat -c %y log");
    at("find . -not -name 'lost+found' | LC_ALL=C sort; sync log");
    d.stop();
    assert_eq!(check(&image, "-n"), Some(0));
    let d = start(&image, &mnt);
    said.push(sh(
        &mnt,
        "diff -r ../tree/dir5 moved/dir5; head -c 8 soft; getfattr -d -m - log",
    ));
    d.stop();
    compare(said);
}

/// Killed in the middle of work: e2fsck can mend it, and what was synchronised is there.
fn fuse2fs_killed() {
    let (src, mnt) = dirs();
    let image = src.join("image");
    make(&image);
    let mut d = start(&image, &mnt);
    sh(
        &mnt,
        "mkdir kept; for i in 1 2 3; do echo $i > kept/$i; done",
    );
    d.stop();
    d = start(&image, &mnt);
    under_work(&mut d, Daemon::kill);
    umount(&mnt, 0).expect("umount");
    let status = check(&image, "-y");
    assert!(matches!(status, Some(0 | 1)), "{status:?}");
    assert_eq!(check(&image, "-n"), Some(0));
    let d = start(&image, &mnt);
    assert_eq!(sh(&mnt, "cat kept/1 kept/2 kept/3"), "1\n2\n3\n");
    d.stop();
}
