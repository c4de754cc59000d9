// SPDX-License-Identifier: GPL-2.0

//! gocryptfs, whose library is go-fuse.

use std::path::Path;
use std::process::Command;

use ktap::{cases, Case};
use mockd::mount::umount;
use mockd::user;
use suites::compare;
use suites::daemon::{dirs, need, Daemon};
use suites::tools::{make_tree, sh};
use suites::workers::under_work;

use crate::output;

pub fn cases() -> Vec<Case> {
    cases![gocryptfs_work, gocryptfs_killed]
}

/// Makes an encrypted directory, once.
fn make(src: &Path) {
    let password = ktap::dir().join("password");
    std::fs::write(&password, "secret\n").expect("password");
    let (out, text) = output(
        Command::new(need("gocryptfs"))
            .args(["-init", "-q", "-scryptn", "10", "-passfile"])
            .arg(&password)
            .arg(src),
    );
    assert!(out.status.success(), "{text}");
}

fn start(src: &Path, mnt: &Path) -> Daemon {
    let mut cmd = Command::new(need("gocryptfs"));
    cmd.args(["-fg", "-q", "-acl", "-passfile"])
        .arg(ktap::dir().join("password"))
        .arg(src)
        .arg(mnt);
    Daemon::start(cmd, mnt, src)
}

/// A tree goes in, is worked on with the usual tools, and is there again after a new mount.
fn gocryptfs_work() {
    let (src, mnt) = dirs();
    make(&src);
    let d = start(&src, &mnt);
    let tree = ktap::dir().join("tree");
    make_tree(&tree);
    let mut said = Vec::new();
    let mut at = |script: &str| said.push(format!("{script}: {}", sh(&mnt, script)));
    at("cp -a ../tree copy; diff -r ../tree copy");
    at("mv copy moved; mv moved/dir0 moved/dir9; rm -r moved/dir3; mkdir -p moved/new/deep");
    at("echo one > log; echo two >> log; cat log; chmod 640 log; stat -c '%a %s' log");
    at("setfattr -n user.a -v value log; getfattr -d log; setfattr -x user.a log; getfattr -d log");
    at("setfacl -m u:1000:r log; getfacl -c log; stat -c %a log; cp -a log log2; getfacl -c log2");
    at("ln log hard; ln -s log soft; stat -c '%h %F' hard soft");
    at("truncate -s 5000 hard; wc -c < log");
    at("mkfifo pipe; stat -c %F pipe; touch -d 2001-02-03T04:05:06 log; stat -c %y log");
    at("rsync -aAX ../tree/ synced/; diff -r ../tree synced; rsync -aAXi ../tree/ synced/");
    at("ls -lR --time-style=+ moved | grep -v ^total | wc -l; find . -type f | LC_ALL=C sort");
    at("flock log echo locked; df . > /dev/null; sync log");
    d.stop();
    // Nothing behind has a name or a content that can be read.
    assert!(!sh(&src, "ls -R").contains("moved"));
    let d = start(&src, &mnt);
    said.push(sh(
        &mnt,
        "diff -r ../tree synced; cat soft | head -c 8; getfacl -c log2",
    ));
    sh(&mnt, "rm -r moved synced log log2 hard soft pipe");
    assert_eq!(user::list(&mnt), Ok(vec![]));
    d.stop();
    compare(said);
}

/// Killed in the middle of work: what was synchronised is there with the next mount.
fn gocryptfs_killed() {
    let (src, mnt) = dirs();
    make(&src);
    let mut d = start(&src, &mnt);
    sh(
        &mnt,
        "mkdir kept; for i in 1 2 3; do echo $i > kept/$i; done; sync -f kept",
    );
    under_work(&mut d, Daemon::kill);
    let _ = umount(&mnt, 0);
    let d = start(&src, &mnt);
    assert_eq!(sh(&mnt, "cat kept/1 kept/2 kept/3"), "1\n2\n3\n");
    sh(&mnt, "rm -rf kept w*; echo again > f; cat f");
    d.stop();
}
