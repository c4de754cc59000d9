// SPDX-License-Identifier: GPL-2.0

//! Daemons that show an archive: squashfuse and its low-level sister, which are read only;
//! archivemount and fuse-zip, which write it anew when they end.

use std::path::{Path, PathBuf};
use std::process::Command;

use ktap::{cases, Case};
use suites::compare;
use suites::daemon::{dirs, need, Daemon};
use suites::tools::{make_tree, sh};

use crate::tour::{contents, killed, killed_readers, said, tour};

pub fn cases() -> Vec<Case> {
    cases![
        squashfuse_work,
        squashfuse_ll_work,
        squashfuse_killed,
        squashfuse_ll_killed,
        archivemount_work,
        archivemount_killed,
        fuse_zip_work,
        fuse_zip_killed,
    ]
}

/// Starts a daemon that takes the file and the directory as its last arguments.
fn start(program: &str, args: &[&str], file: &Path, mnt: &Path) -> Daemon {
    let mut cmd = Command::new(need(program));
    cmd.args(args).arg(file).arg(mnt);
    Daemon::start(cmd, mnt, mnt)
}

/// An image of a tree with attributes, and the daemon that shows it.
fn squashfuse(program: &str) -> Daemon {
    let (src, mnt) = dirs();
    let tree = ktap::dir().join("tree");
    make_tree(&tree);
    sh(
        &tree,
        "mkfifo pipe; mknod null c 1 3; chmod 4711 program; chown 5:6 pipe; \
         setfattr -n user.a -v value program; for i in $(seq 300); do echo $i > dir0/$i; done",
    );
    let image = src.join("image");
    sh(
        &ktap::dir(),
        &format!(
            "{} tree src/image -quiet -no-progress",
            need("mksquashfs").display()
        ),
    );
    start(program, &["-f"], &image, &mnt)
}

fn squashfuse_reads(program: &str) {
    let d = squashfuse(program);
    sh(
        &ktap::dir(),
        "diff -r --no-dereference -x pipe -x null tree mnt",
    );
    let mut all = contents(&d.mnt);
    assert_eq!(all, contents(&ktap::dir().join("tree")));
    for step in [
        "stat -c '%n %a %u %g %t %T' pipe null program; getfattr -d program dir0",
        "echo x > program; touch new; mkdir new; rm program; chmod 600 program; mv dir0 dir9",
        "cp program ../out; cmp program ../out; ./program && echo ran",
        "dd if=program bs=1000 skip=3 count=2 2> /dev/null | md5sum; tail -c 100 program | md5sum",
        "df . > /dev/null; ls -R | wc -l; find . -name '*1' | sort | md5sum",
    ] {
        all.push(said(&d.mnt, step));
    }
    // From the daemon once more.
    mockd::user::drop_caches();
    sh(
        &ktap::dir(),
        "diff -r --no-dereference -x pipe -x null tree mnt",
    );
    d.stop();
    compare(all);
}

fn squashfuse_work() {
    squashfuse_reads("squashfuse");
}

fn squashfuse_ll_work() {
    squashfuse_reads("squashfuse_ll");
}

const READ: [&str; 4] = ["dir1/sub", "dir2/sub", "dir3/sub", "dir4/sub"];

fn squashfuse_killed() {
    killed_readers(squashfuse("squashfuse"), &READ);
}

fn squashfuse_ll_killed() {
    killed_readers(squashfuse("squashfuse_ll"), &READ);
}

/// Where an archive is, which is made with one name in it if it is not there.
fn archive(name: &str, make: &str) -> PathBuf {
    let file = dirs().0.join(name);
    if !file.exists() {
        sh(
            &ktap::dir(),
            &format!("cd src; : > first; {make}; rm first"),
        );
    }
    file
}

fn archivemount() -> Daemon {
    let file = archive("a.tar", "tar cf a.tar first");
    start("archivemount", &["-f", "-o", "nobackup"], &file, &dirs().1)
}

fn archivemount_work() {
    tour(archivemount, Daemon::stop);
}

fn archivemount_killed() {
    killed(archivemount, Daemon::stop);
}

fn fuse_zip() -> Daemon {
    let file = archive("a.zip", "python3 -m zipfile -c a.zip first");
    start("fuse-zip", &["-f"], &file, &dirs().1)
}

fn fuse_zip_work() {
    tour(fuse_zip, Daemon::stop);
}

fn fuse_zip_killed() {
    killed(fuse_zip, Daemon::stop);
}
