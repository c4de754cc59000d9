// SPDX-License-Identifier: GPL-2.0

//! fuse-overlayfs, started by an ordinary user in a user namespace, as for a container.

use std::path::Path;
use std::process::Command;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::user;
use mockd::Caller;
use suites::compare;
use suites::daemon::{need, Daemon};
use suites::tools::sh;
use suites::userns;
use suites::workers::under_work;

pub fn cases() -> Vec<Case> {
    cases![
        overlayfs_work,
        overlayfs_two_thousand_files,
        overlayfs_killed
    ]
}

const USER: u32 = 1000;

/// Starts it in the namespace of this process.
fn start(dir: &Path) -> Daemon {
    let mnt = dir.join("mnt");
    for name in ["lower", "upper", "work", "mnt"] {
        let _ = std::fs::create_dir(dir.join(name));
    }
    let at = |name: &str| dir.join(name).display().to_string();
    let (lower, upper, work) = (at("lower"), at("upper"), at("work"));
    let mut cmd = Command::new(need("fuse-overlayfs"));
    cmd.arg("-f")
        .arg("-o")
        .arg(format!("lowerdir={lower},upperdir={upper},workdir={work}"))
        .arg(&mnt);
    Daemon::start(cmd, &mnt, &dir.join("upper"))
}

/// Runs `f` as the user who is root of a namespace; what it gives is compared.
fn as_root_of_namespace(f: impl FnOnce(&Path) -> Vec<String>) {
    ktap::needs("CONFIG_USER_NS");
    userns::allow(USER);
    let dir = ktap::dir();
    let said: Vec<String> = Caller::spawn(None, |_| {
        userns::enter(USER);
        f(&dir)
    })
    .join();
    compare(said);
}

/// `stop` needs the control file system, which a user namespace may not read.
fn unmount(mut d: Daemon) {
    mockd::mount::umount(&d.mnt, 0).expect("umount");
    let status = d.wait();
    println!("{status}");
}

/// What was in the lower directory is changed, replaced and removed above it.
fn overlayfs_work() {
    as_root_of_namespace(|dir| {
        for name in ["lower", "lower/d"] {
            std::fs::create_dir(dir.join(name)).expect("lower");
        }
        for name in ["a", "b", "d/c", "d/e"] {
            std::fs::write(dir.join("lower").join(name), format!("{name}\n")).expect("lower");
        }
        let d = start(dir);
        let mnt = d.mnt.clone();
        let mut said = Vec::new();
        let mut at = |script: &str| said.push(format!("{script}: {}", sh(&mnt, script)));
        at("find . | LC_ALL=C sort; cat a b d/c d/e");
        at("echo more >> a; cat a; rm b; mv d/c c; rm -r d; mkdir d; find . | LC_ALL=C sort");
        at("setfattr -n user.x -v y a; getfattr -d a; setfattr -x user.x a; getfattr -d a");
        at("setfacl -m u:0:r a || true; getfacl -c a; getfacl -c d; chmod 4755 a; stat -c %a a");
        at("ln a hard; ln -s a soft; mkfifo pipe; stat -c '%h %F %u %g' a soft pipe");
        at("mknod null c 1 3 2>&1 || true; chown 5 a 2>&1 | sed 's/.*: //'; stat -c %u a");
        unmount(d);
        let d = start(dir);
        said.push(sh(&d.mnt, "find . | LC_ALL=C sort; cat a c; stat -c %a a"));
        unmount(d);
        said
    });
}

/// A tree with attributes and ACLs is copied by the tools that copy them.
fn overlayfs_two_thousand_files() {
    as_root_of_namespace(|dir| {
        std::fs::create_dir(dir.join("lower")).expect("lower");
        for i in 0..40 {
            let sub = dir.join(format!("lower/d{i}"));
            std::fs::create_dir(&sub).expect("directory");
            for k in 0..50usize {
                let data = format!("{i} {k}\n").repeat(k * 3);
                std::fs::write(sub.join(format!("f{k}")), data).expect("file");
            }
        }
        let d = start(dir);
        let mnt = d.mnt.clone();
        let mut said = Vec::new();
        let mut at = |script: &str| said.push(format!("{script}: {}", sh(&mnt, script)));
        at("find . -type f | wc -l");
        at("setfattr -n user.note -v text d1/*; getfattr -d d1/f1 d2/f2");
        at("setfacl -m u:0:rw d3/* || true; getfacl -c d3/f1");
        at("cp -a d1 ../copied; getfattr -d ../copied/f1; cp -a d3 again; getfacl -c again/f1");
        at("rsync -aAX d0 d1 d2 d3 d4 all/; diff -r d3 all/d3; getfattr -d all/d1/f1");
        at("rsync -aAX ./ ../out/; find ../out -type f | wc -l");
        at("rsync -aAXn --itemize-changes ./ ../out/ | head -n 5");
        at("rm -r d?; find . -type f | wc -l");
        unmount(d);
        said
    });
}

/// Killed in the middle of work; the directories behind can be mounted again.
fn overlayfs_killed() {
    as_root_of_namespace(|dir| {
        std::fs::create_dir(dir.join("lower")).expect("lower");
        std::fs::write(dir.join("lower/kept"), "kept\n").expect("lower");
        let mut d = start(dir);
        sh(&d.mnt, "echo more >> kept");
        under_work(&mut d, Daemon::kill);
        mockd::mount::umount(&d.mnt, 0).expect("umount");
        let d = start(dir);
        let said = sh(&d.mnt, "cat kept; rm -rf w*; ls");
        assert_eq!(user::lstat(&d.at("w0")).err(), Some(ENOENT));
        unmount(d);
        vec![said]
    });
}
