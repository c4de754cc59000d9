// SPDX-License-Identifier: GPL-2.0

//! lxcfs, which shows a container's part of /proc: all direct I/O, and poll.

use std::path::Path;
use std::process::Command;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mount::umount;
use mockd::{user, Caller};
use suites::compare;
use suites::daemon::{need, Daemon};
use suites::tools::sh;

pub fn cases() -> Vec<Case> {
    cases![lxcfs_work, lxcfs_polled, lxcfs_killed]
}

fn start() -> Daemon {
    ktap::needs("CONFIG_CGROUPS");
    let mnt = ktap::dir().join("mnt");
    std::fs::create_dir(&mnt).expect("mnt");
    let mut cmd = Command::new(need("lxcfs"));
    cmd.arg("-f")
        .arg("-p")
        .arg(ktap::dir().join("lxcfs.pid"))
        .arg(format!("--runtime-dir={}", ktap::dir().display()))
        .arg(&mnt);
    Daemon::start(cmd, &mnt, &mnt)
}

/// What there is, and what the files begin with; numbers change by themselves.
fn lxcfs_work() {
    let d = start();
    let mut said = Vec::new();
    let mut at = |script: &str| said.push(format!("{script}: {}", sh(&d.mnt, script)));
    at("ls; ls proc; find sys | LC_ALL=C sort | head -n 40");
    at("cd proc; stat -c '%n %F %a' cpuinfo meminfo stat uptime loadavg swaps diskstats");
    at("cut -d: -f1 proc/meminfo; grep -c processor proc/cpuinfo; cut -d' ' -f1 proc/stat");
    at("wc -w < proc/uptime; wc -w < proc/loadavg; head -n 1 proc/swaps");
    at("dd if=proc/meminfo bs=10 count=2 2>/dev/null | wc -c; tail -c 5 proc/meminfo | wc -c");
    at("echo x > proc/uptime 2>/dev/null || echo refused; mkdir proc/new 2>/dev/null || echo no");
    at("for i in 1 2 3 4 5 6 7 8 9; do cat proc/* > /dev/null 2>&1; done; echo read");
    at("df . > /dev/null; free > /dev/null; ls -lR sys > /dev/null; echo looked");
    d.stop();
    compare(said);
}

/// What poll(2) says of each file, by events asked for.
fn lxcfs_polled() {
    let d = start();
    let mut said = Vec::new();
    let mut names = user::list(&d.at("proc")).expect("proc");
    names.sort();
    for name in names {
        let Ok(f) = user::open(&d.at("proc").join(&name), libc::O_RDONLY, 0) else {
            said.push(format!("{name}: not opened"));
            continue;
        };
        for events in [libc::POLLIN, libc::POLLOUT, libc::POLLPRI] {
            said.push(format!("{name}: {events} {:?}", poll(&f, events)));
        }
    }
    d.stop();
    compare(said);
}

/// One poll(2) that does not wait.
fn poll(f: &impl std::os::fd::AsRawFd, events: i16) -> Res<i16> {
    let mut fd = libc::pollfd {
        fd: f.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: one descriptor, as said.
    check(unsafe { libc::poll(&mut fd, 1, 0) })?;
    Ok(fd.revents)
}

/// Reads a file again and again until that fails, and says how.
fn reader(p: &Path) -> Caller {
    Caller::spawn(None, |io| {
        for k in 0u64.. {
            match std::fs::read(p) {
                Ok(_) if k == 2 => io.put(()),
                Ok(_) => {}
                Err(e) => {
                    if k <= 2 {
                        io.put(());
                    }
                    return Errno(e.raw_os_error().unwrap_or(0));
                }
            }
        }
        EIO
    })
}

/// Killed while it is read.
fn lxcfs_killed() {
    let mut d = start();
    let names = ["proc/meminfo", "proc/stat", "proc/cpuinfo", "proc/uptime"];
    let mut readers: Vec<Caller> = names.iter().map(|n| reader(&d.at(n))).collect();
    readers.iter_mut().for_each(|r| r.get::<()>());
    d.kill();
    for r in readers {
        let e: Errno = r.join();
        assert!(matches!(e, ECONNABORTED | ENOTCONN | EIO), "{e}");
    }
    umount(&d.mnt, 0).expect("umount");
    let _ = std::fs::remove_dir(&d.mnt);
    start().stop();
}
