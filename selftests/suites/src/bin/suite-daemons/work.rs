// SPDX-License-Identifier: GPL-2.0

//! Mount, work, compare with what is behind, unmount.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::user;

use crate::start::{hello, missing, start, Kind, ALL};
use suites::tools::{make_tree, sh};

pub fn cases() -> Vec<Case> {
    cases![
        programs_are_there,
        hello_high_level,
        hello_low_level,
        passthrough_ll_tools,
        bindfs_tools,
        sshfs_tools,
        splice_tools,
        passthrough_ll_archive,
        bindfs_archive,
        sshfs_archive,
        splice_archive,
        splice_is_used,
        programs_run,
        many_small_files,
        two_mounts_at_once,
        mount_on_mount,
        mounts_text,
        umount_when_busy,
        fusermount_unmounts,
        again_and_again,
    ]
}

fn programs_are_there() {
    assert_eq!(missing(), Vec::<&str>::new());
}

fn hello_of(name: &str) {
    let d = hello(name);
    assert_eq!(user::list(&d.mnt), Ok(vec!["hello".to_string()]));
    assert_eq!(
        std::fs::read(d.at("hello")).expect("read"),
        b"Hello World!\n"
    );
    assert_eq!(
        user::lstat(&d.at("hello")).map(|s| (s.mode, s.size)),
        Ok((libc::S_IFREG | 0o444, 13))
    );
    assert_eq!(sh(&d.mnt, "cat hello; wc -c < hello"), "Hello World!\n13\n");
    assert_eq!(user::lstat(&d.at("other")).err(), Some(ENOENT));
    let r = user::open(&d.at("hello"), libc::O_RDWR, 0).map(drop);
    assert_eq!(r, Err(EACCES));
    assert_eq!(user::mkdir(&d.at("x"), 0o755), Err(ENOSYS));
    d.stop();
}

fn hello_high_level() {
    hello_of("hello");
}

fn hello_low_level() {
    hello_of("hello_ll");
}

/// The journey of one tree: copied in, looked at, changed, compared, removed.
fn tools(kind: Kind) {
    let d = start(kind);
    let tree = ktap::dir().join("tree");
    make_tree(&tree);
    sh(&d.mnt, &format!("cp -a {} copy", tree.display()));
    sh(&d.mnt, &format!("diff -r {} copy", tree.display()));
    let names = |p: &std::path::Path| sh(p, "find . | LC_ALL=C sort");
    assert_eq!(names(&d.at("copy")), names(&tree));
    assert_eq!(names(&d.behind("copy")), names(&tree));
    sh(
        &d.mnt,
        "mv copy moved; mv moved/dir0 moved/dir9; mv 'moved/dir1/sub/file 2' 'moved/dir9/'",
    );
    sh(
        &d.mnt,
        "rm 'moved/dir2/sub/file 1'; rm -r moved/dir3; mkdir -p moved/new/deep; \
         rmdir moved/new/deep",
    );
    sh(
        &d.mnt,
        "echo one > log; echo two >> log; cat log log > both; sed -i s/one/ONE/ log; \
         head -c 5 both",
    );
    sh(
        &d.mnt,
        "dd if=/dev/zero of=zeros bs=64k count=20 2>/dev/null; truncate -s 1000 zeros; \
         chmod 640 zeros",
    );
    sh(
        &d.mnt,
        "touch -d 2001-02-03T04:05:06 log; ln -s log lnk; cat lnk; test -L lnk; \
         df . > /dev/null; ls -lR > /dev/null",
    );
    sh(&ktap::dir(), "diff -r mnt src");
    let times =
        |p: &std::path::Path| user::lstat(&p.join("log")).map(|s| (s.mtime.0, s.size, s.mode));
    assert_eq!(times(&d.mnt), times(&d.src));
    sh(&d.mnt, "rm -r moved log both zeros lnk");
    assert_eq!(user::list(&d.src), Ok(vec![]));
    d.stop();
}

fn passthrough_ll_tools() {
    tools(Kind::PassthroughLl);
}

fn bindfs_tools() {
    tools(Kind::Bindfs);
}

fn sshfs_tools() {
    tools(Kind::Sshfs);
}

fn splice_tools() {
    tools(Kind::FusexmpSplice);
}

/// tar both ways, and sums of everything.
fn archive(kind: Kind) {
    let d = start(kind);
    let tree = ktap::dir().join("tree");
    make_tree(&tree);
    let sums = |p: &std::path::Path| {
        sh(
            p,
            "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum",
        )
    };
    // sftp has no way to set the times of a link.
    let links = if kind == Kind::Sshfs {
        "--exclude=link"
    } else {
        ""
    };
    sh(&ktap::dir(), &format!("tar cf tree.tar {links} -C tree ."));
    sh(
        &d.mnt,
        "mkdir out; tar --no-same-owner -xf ../tree.tar -C out",
    );
    assert_eq!(sums(&d.at("out")), sums(&tree));
    assert_eq!(sums(&d.behind("out")), sums(&tree));
    sh(
        &d.mnt,
        "tar cf again.tar -C out . ; mkdir out2; \
         tar --no-same-owner -xf again.tar -C out2; diff -r out out2",
    );
    user::drop_caches();
    assert_eq!(sums(&d.at("out2")), sums(&tree));
    d.stop();
}

fn passthrough_ll_archive() {
    archive(Kind::PassthroughLl);
}

fn bindfs_archive() {
    archive(Kind::Bindfs);
}

fn sshfs_archive() {
    archive(Kind::Sshfs);
}

fn splice_archive() {
    archive(Kind::FusexmpSplice);
}

/// libfuse makes pipes when it has something to splice: requests by default, replies as told.
fn splice_is_used() {
    for kind in [Kind::PassthroughLl, Kind::FusexmpSplice] {
        let d = start(kind);
        let data: Vec<u8> = (0..300_000u32).map(|i| (i / 5) as u8).collect();
        std::fs::write(d.at("f"), &data).expect("write");
        user::drop_caches();
        assert!(std::fs::read(d.at("f")).expect("read") == data);
        let proc = std::path::PathBuf::from(format!("/proc/{}", d.pid()));
        let reads_a_pipe = |fd: &std::ffi::OsString| {
            let link = std::fs::read_link(proc.join("fd").join(fd)).unwrap_or_default();
            let info = std::fs::read_to_string(proc.join("fdinfo").join(fd)).unwrap_or_default();
            let flags = info.lines().find_map(|l| l.strip_prefix("flags:\t"));
            link.to_string_lossy().starts_with("pipe:")
                && flags.is_some_and(|f| i32::from_str_radix(f, 8).unwrap_or(1) & 3 == 0)
        };
        let fds = std::fs::read_dir(proc.join("fd")).expect("fd");
        let some = fds.flatten().any(|e| reads_a_pipe(&e.file_name()));
        assert!(some, "{kind:?} splices nothing");
        user::unlink(&d.at("f")).expect("unlink");
        d.stop();
    }
}

fn programs_run() {
    for kind in ALL {
        println!("{kind:?}");
        let d = start(kind);
        sh(
            &d.mnt,
            "cp /bin/cat /bin/sh . ; chmod 755 cat sh; echo text > f",
        );
        assert_eq!(sh(&d.mnt, "./cat f"), "text\n");
        assert_eq!(
            sh(
                &d.mnt,
                "printf '#!/bin/sh\\necho ran $0\\n' > s; chmod +x s; ./s"
            ),
            "ran ./s\n"
        );
        assert_eq!(
            sh(&d.mnt, "./sh -c 'echo from the mount'"),
            "from the mount\n"
        );
        let src = d.src.clone();
        d.stop();
        std::fs::remove_dir_all(src).expect("clean");
    }
}

fn many_small_files() {
    for kind in [Kind::PassthroughLl, Kind::Bindfs] {
        let d = start(kind);
        sh(
            &d.mnt,
            "mkdir d; i=0; while [ $i -lt 300 ]; do echo $i > d/$i; i=$((i+1)); done",
        );
        assert_eq!(sh(&d.mnt, "ls d | wc -l"), "300\n");
        assert_eq!(sh(&d.mnt, "cat d/* | sort -n | tail -1"), "299\n");
        sh(&d.mnt, "rm -r d");
        d.stop();
    }
}

fn two_mounts_at_once() {
    let a = start(Kind::PassthroughLl);
    let other = ktap::dir().join("other");
    std::fs::create_dir(&other).expect("dir");
    let mut cmd = std::process::Command::new(suites::daemon::need("bindfs"));
    // A mount of a mount.
    cmd.arg("-f").arg(&a.mnt).arg(&other);
    let b = suites::daemon::Daemon::start(cmd, &other, &a.mnt.clone());
    sh(&b.mnt, "echo through two > f; mkdir d; mv f d; cat d/f");
    assert_eq!(
        std::fs::read(a.behind("d/f")).expect("read"),
        b"through two\n"
    );
    b.stop();
    a.stop();
}

fn mount_on_mount() {
    let d = start(Kind::PassthroughLl);
    user::mkdir(&d.at("inner"), 0o755).expect("mkdir");
    let inner = d.at("inner");
    let mut cmd = std::process::Command::new(suites::daemon::need("hello"));
    cmd.arg("-f").arg(&inner);
    let h = suites::daemon::Daemon::start(cmd, &inner, &inner.clone());
    assert_eq!(sh(&d.mnt, "cat inner/hello"), "Hello World!\n");
    assert_eq!(mockd::mount::umount(&d.mnt, 0), Err(EBUSY));
    h.stop();
    d.stop();
}

fn mounts_text() {
    for (kind, typ) in [
        (Kind::PassthroughLl, "fuse.passthrough_ll"),
        (Kind::Bindfs, "fuse"),
        (Kind::Sshfs, "fuse.sshfs"),
    ] {
        let d = start(kind);
        let l = mockd::mount::mounts_of(&d.mnt).remove(0);
        let f: Vec<&str> = l.split(' ').collect();
        println!("{l}");
        assert_eq!(f[2], typ);
        assert!(
            f[3].ends_with("user_id=0,group_id=0") || f[3].contains("user_id=0,group_id=0,"),
            "{l}"
        );
        d.stop();
    }
}

fn umount_when_busy() {
    let d = start(Kind::PassthroughLl);
    std::fs::write(d.at("f"), b"x").expect("write");
    let f = std::fs::File::open(d.at("f")).expect("open");
    assert_eq!(mockd::mount::umount(&d.mnt, 0), Err(EBUSY));
    drop(f);
    d.stop();
}

fn fusermount_unmounts() {
    let mut d = start(Kind::Sshfs);
    d.settle();
    sh(&ktap::dir(), "fusermount3 -u mnt");
    assert!(d.wait().success());
    assert!(!mockd::mount::is_mounted(&d.mnt));
}

fn again_and_again() {
    for i in 0..10 {
        let d = start(Kind::PassthroughLl);
        std::fs::write(d.at("f"), format!("{i}")).expect("write");
        assert_eq!(
            std::fs::read(d.behind("f")).expect("read"),
            format!("{i}").as_bytes()
        );
        d.stop();
    }
}
