// SPDX-License-Identifier: GPL-2.0

//! Daemons that show directories: mergerfs, which has a library of its own; disorderfs, of
//! libfuse 2; rclone, whose library is bazil.org/fuse.

use std::process::Command;

use ktap::{cases, Case};
use mockd::mount::umount;
use suites::compare;
use suites::daemon::{dirs, need, Daemon};
use suites::tools::sh;

use crate::tour::{contents, killed, said, tour};

pub fn cases() -> Vec<Case> {
    cases![
        mergerfs_work,
        mergerfs_caching,
        mergerfs_branches,
        mergerfs_killed,
        disorderfs_work,
        disorderfs_order,
        disorderfs_killed,
        rclone_killed,
    ]
}

/// Two directories as one: what is new goes to the first.
fn mergerfs(options: &str) -> Daemon {
    let (src, mnt) = dirs();
    for name in ["a", "b"] {
        std::fs::create_dir_all(src.join(name)).expect("branch");
    }
    let mut cmd = Command::new(need("mergerfs"));
    cmd.arg("-f")
        .arg("-o")
        .arg(format!(
            "category.create=ff,minfreespace=0,fsname=both,{options}"
        ))
        .arg(format!("{0}/a:{0}/b", src.display()))
        .arg(&mnt);
    Daemon::start(cmd, &mnt, &src)
}

/// Unmounts it, and ends it then: by itself it may not get to its end, on C's module either, when
/// its thread that reads and the first one wait for each other.
fn end_mergerfs(mut d: Daemon) {
    d.settle();
    umount(&d.mnt, 0).expect("umount");
    d.kill();
}

/// With all that it can have cached.
const CACHING: &str = "cache.files=auto-full,cache.symlinks=true,cache.readdir=true,\
                       cache.entry=60,cache.negative_entry=60,cache.attr=60";

fn mergerfs_work() {
    tour(|| mergerfs("cache.files=off"), end_mergerfs);
}

fn mergerfs_caching() {
    tour(|| mergerfs(CACHING), end_mergerfs);
}

fn mergerfs_killed() {
    killed(|| mergerfs(CACHING), end_mergerfs);
}

/// What is in both, in one, and where it goes; and its own attributes.
fn mergerfs_branches() {
    let d = mergerfs("cache.files=off");
    let mut all = vec![said(
        &d.src,
        "mkdir a/d b/d b/e; echo a > a/d/x; echo b > b/d/x; echo b > b/d/y; echo b > b/e/z",
    )];
    for step in [
        "find . | sort; cat d/x d/y e/z",
        "echo more >> d/y; mv d/y d/x; cat d/x; ls d",
        "rm d/x; ls d; rm -r e; mkdir e; echo new > e/new; find . | sort",
        "getfattr --only-values -n user.mergerfs.version .mergerfs | wc -l",
        "getfattr --only-values -n user.mergerfs.relpath d",
    ] {
        all.push(said(&d.mnt, step));
    }
    all.extend(contents(&d.src));
    end_mergerfs(d);
    compare(all);
}

/// For one user or, as here, for all; directories in reverse.
fn disorderfs(options: &str) -> Daemon {
    let (src, mnt) = dirs();
    let mut cmd = Command::new(need("disorderfs"));
    cmd.args(["-f", "-q", "--multi-user=yes", options])
        .arg(&src)
        .arg(&mnt);
    Daemon::start(cmd, &mnt, &src)
}

fn disorderfs_work() {
    tour(|| disorderfs("--pad-blocks=3"), Daemon::stop);
}

/// In each order that it knows a directory is listed so, whatever the one behind has.
fn disorderfs_order() {
    let (src, _) = dirs();
    sh(&src, "for i in $(seq 300); do : > file$i; done");
    let order = |options: &str| -> Vec<String> {
        let d = disorderfs(options);
        let names = sh(&d.mnt, "ls -U");
        d.stop();
        names.lines().map(String::from).collect()
    };
    let reversed = |names: &[String]| -> Vec<String> { names.iter().rev().cloned().collect() };
    let behind: Vec<String> = sh(&src, "ls -U").lines().map(String::from).collect();
    assert_eq!(order("--reverse-dirents=no"), behind);
    assert_eq!(order("--reverse-dirents=yes"), reversed(&behind));
    let sorted = order("--sort-dirents=yes");
    assert!(sorted.is_sorted() || reversed(&sorted).is_sorted());
    assert_eq!(sorted.len(), 300);
}

fn disorderfs_killed() {
    killed(|| disorderfs("--reverse-dirents=yes"), Daemon::stop);
}

/// A mount of the remote that is a directory of this machine.
fn rclone() -> Daemon {
    let (src, mnt) = dirs();
    let mut cmd = Command::new(need("rclone"));
    cmd.args(["mount", "--config", "", "--vfs-cache-mode", "full"])
        // Written through at once, so that the directory behind is up to date in the end.
        .args(["--vfs-write-back", "0", "--dir-cache-time", "1h"])
        .arg("--cache-dir")
        .arg(ktap::dir().join("cache"))
        .arg(format!(":local:{}", src.display()))
        .arg(&mnt);
    Daemon::start(cmd, &mnt, &src)
}

fn rclone_killed() {
    killed(rclone, Daemon::stop);
}
