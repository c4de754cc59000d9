// SPDX-License-Identifier: GPL-2.0

//! Daemons killed in the middle of work.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mount::{is_mounted, umount};
use mockd::user;
use mockd::Caller;
use rustix::process::Signal;
use suites::daemon::Daemon;
use suites::tools::sh;
use suites::workers::under_work;

use crate::start::{start, Kind};

pub fn cases() -> Vec<Case> {
    cases![
        passthrough_ll_killed,
        bindfs_killed,
        sshfs_killed,
        passthrough_ll_stopped_then_killed,
        stopped_and_continued,
        server_behind_killed,
        killed_while_idle,
        killed_with_mappings,
        forced_umount_of_stopped,
        mounted_again_after_death,
        terminated_politely,
    ]
}

/// With four workers at it, the daemon is killed; all of them come back, and the mount stays until
/// it is unmounted.
fn killed_under_work(mut d: Daemon) {
    under_work(&mut d, Daemon::kill);
    assert_eq!(user::list(&d.mnt).err(), Some(ENOTCONN));
    assert!(is_mounted(&d.mnt));
    umount(&d.mnt, 0).expect("umount");
    assert!(!is_mounted(&d.mnt));
}

fn passthrough_ll_killed() {
    killed_under_work(start(Kind::PassthroughLl));
}

fn bindfs_killed() {
    killed_under_work(start(Kind::Bindfs));
}

fn sshfs_killed() {
    killed_under_work(start(Kind::Sshfs));
}

/// Stopped first, so that all callers wait for it.
fn passthrough_ll_stopped_then_killed() {
    let d = start(Kind::PassthroughLl);
    d.sigstop();
    let mnt = d.mnt.clone();
    let cs: Vec<Caller> = (0..5)
        .map(|i| {
            let p = mnt.join(format!("n{i}"));
            Caller::spawn(None, move |_| user::lstat(&p).map(drop))
        })
        .collect();
    cs.iter().for_each(Caller::wait_asleep);
    let mut d = d;
    d.kill();
    // Who waits for another in the same directory comes too late.
    let r: Vec<Res<()>> = cs.into_iter().map(Caller::join).collect();
    println!("{r:?}");
    assert!(r.contains(&Err(ECONNABORTED)));
    assert!(r.iter().all(|r| matches!(r, Err(ECONNABORTED | ENOTCONN))));
    umount(&mnt, 0).expect("umount");
}

fn stopped_and_continued() {
    let d = start(Kind::PassthroughLl);
    d.sigstop();
    let p = d.at("new");
    let c = Caller::spawn(None, move |_| user::mkdir(&p, 0o755));
    c.wait_asleep();
    d.signal(Signal::CONT);
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    d.stop();
}

/// sshfs loses its server: it says EIO and goes, and the mount with it.
fn server_behind_killed() {
    let mut d = start(Kind::Sshfs);
    std::fs::write(d.at("f"), b"x").expect("write");
    let mut killed = false;
    for e in std::fs::read_dir("/proc").expect("proc").flatten() {
        let Ok(pid) = e.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        // sshfs forks twice for it, so it is not a child.
        if std::fs::read_to_string(e.path().join("comm")).is_ok_and(|c| c.trim() == "sftp-server") {
            // SAFETY: a process that this test has started, by way of sshfs.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            killed = true;
        }
    }
    assert!(killed, "no server found");
    d.wait();
    suites::daemon::until("the end of the mount", || match user::lstat(&d.at("f")) {
        Err(ENOTCONN | ENOENT) => Some(()),
        _ => None,
    });
}

fn killed_while_idle() {
    for kind in [Kind::PassthroughLl, Kind::Bindfs] {
        let mut d = start(kind);
        d.kill();
        assert_eq!(user::lstat(&d.at("x")).err(), Some(ENOTCONN));
        umount(&d.mnt, 0).expect("umount");
    }
}

fn killed_with_mappings() {
    use std::os::fd::AsRawFd;
    let mut d = start(Kind::PassthroughLl);
    std::fs::write(d.at("f"), vec![3; 100_000]).expect("write");
    let f = std::fs::File::open(d.at("f")).expect("open");
    // SAFETY: a new mapping, read where the pages are in the cache.
    unsafe {
        let p = libc::mmap(
            std::ptr::null_mut(),
            100_000,
            libc::PROT_READ,
            libc::MAP_PRIVATE,
            f.as_raw_fd(),
            0,
        );
        assert_ne!(p, libc::MAP_FAILED);
        assert_eq!(std::ptr::read_volatile(p.cast::<u8>()), 3);
        d.kill();
        assert_eq!(std::ptr::read_volatile(p.cast::<u8>().add(1)), 3);
        assert_eq!(umount(&d.mnt, 0), Err(EBUSY));
        libc::munmap(p, 100_000);
    }
    drop(f);
    umount(&d.mnt, 0).expect("umount");
}

fn forced_umount_of_stopped() {
    let mut d = start(Kind::PassthroughLl);
    d.sigstop();
    let p = d.at("x");
    let c = Caller::spawn(None, move |_| user::lstat(&p).map(drop));
    c.wait_asleep();
    let r = umount(&d.mnt, libc::MNT_FORCE);
    println!("{r:?}");
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    d.signal(Signal::CONT);
    d.wait();
    if is_mounted(&d.mnt) {
        umount(&d.mnt, 0).expect("umount");
    }
}

fn mounted_again_after_death() {
    for _ in 0..5 {
        let mut d = start(Kind::PassthroughLl);
        sh(&d.mnt, "echo text > f; cat f");
        d.kill();
        umount(&d.mnt, 0).expect("umount");
    }
}

/// SIGTERM: libfuse unmounts by itself.
fn terminated_politely() {
    for kind in [Kind::PassthroughLl, Kind::Bindfs, Kind::Sshfs] {
        let mut d = start(kind);
        sh(&d.mnt, "echo text > f");
        d.signal(Signal::TERM);
        d.wait();
        assert!(!is_mounted(&d.mnt), "{kind:?}");
    }
}
