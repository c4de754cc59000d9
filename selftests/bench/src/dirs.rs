// SPDX-License-Identifier: GPL-2.0

//! What is measured of directories, and of names and attributes that the kernel has.

use crate::dir_server::{Lists, DIRS};
use crate::measure::{Daemon, Meter};
use crate::rows::{open_at, path, served, LONG_ROUNDS, MOUNT, ROUNDS};
use rustix::fd::OwnedFd;
use rustix::fs::{fstat, open, seek, stat, Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use rustix::mount::{mount_remount, MountFlags};
use rustix::process::{kill_process, waitid, Pid, Signal, WaitId, WaitIdOptions};
use std::os::fd::AsRawFd;

/// Of what takes a hundred times as long.
const FEW_ROUNDS: u64 = 20;

/// What goes to the daemons of [`crate::dir_server`].
pub fn rows(meter: &Meter) -> Result<(), String> {
    served(Lists::Names.role(), |daemon, _| {
        list(meter, daemon, Lists::Names, "d500", LONG_ROUNDS)?;
        listed(meter, daemon)?;
        names(meter, daemon)?;
        inval_entry(meter, daemon)
    })?;
    served(Lists::Entries.role(), |daemon, process| {
        list(meter, daemon, Lists::Entries, "d500", LONG_ROUNDS)?;
        evict();
        list(meter, daemon, Lists::Entries, "d10k", FEW_ROUNDS)?;
        evict_10k(meter, daemon, process)
    })
}

/// A buffer for getdents64(2). On User Mode Linux C asks for a page at a time, however much there
/// is room for.
fn buffer(meter: &Meter) -> Vec<u8> {
    vec![
        0;
        match meter {
            Meter::Instructions => 32_768,
            Meter::Time(_) => 4096,
        }
    ]
}

/// Reads a directory from the beginning to the end.
fn read_all(dir: &OwnedFd, buffer: &mut [u8]) {
    seek(dir, SeekFrom::Start(0)).expect("lseek");
    loop {
        let (at, len) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: The kernel writes to the buffer, which is as long as said.
        let n = unsafe { libc::syscall(libc::SYS_getdents64, dir.as_raw_fd(), at, len) };
        assert!(n >= 0, "getdents64");
        if n == 0 {
            return;
        }
    }
}

/// `readdir_500`, `readdirplus_500`, `readdirplus_10k`.
fn list(
    meter: &Meter,
    daemon: &dyn Fn() -> Daemon,
    lists: Lists,
    name: &str,
    rounds: u64,
) -> Result<(), String> {
    let dir = open_at(name, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let entries = DIRS
        .iter()
        .find(|dir| dir.name == name.as_bytes())
        .map_or(0, |dir| dir.entries);
    let mut buffer = buffer(meter);
    // The last one says that there are no more.
    let requests = entries.div_ceil(buffer.len() / lists.record()) as u64 + 1;
    let row = match lists {
        Lists::Names => format!("readdir_{}", &name[1..]),
        Lists::Entries => format!("readdirplus_{}", &name[1..]),
    };
    meter.measure(&row, rounds, requests, daemon, || {
        read_all(&dir, &mut buffer);
    })
}

/// A directory that the kernel has.
fn listed(meter: &Meter, daemon: &dyn Fn() -> Daemon) -> Result<(), String> {
    let dir = open_at("cached", OFlags::RDONLY | OFlags::DIRECTORY)?;
    let mut buffer = buffer(meter);
    meter.measure("readdir_cached_500", LONG_ROUNDS, 0, daemon, || {
        read_all(&dir, &mut buffer);
    })
}

/// Names, attributes and files that nobody is asked for.
fn names(meter: &Meter, daemon: &dyn Fn() -> Daemon) -> Result<(), String> {
    let file = path("file");
    meter.measure("cached_stat", ROUNDS, 0, daemon, || {
        let _ = stat(&*file).expect("stat");
    })?;
    let opened = open_at("file", OFlags::RDONLY)?;
    meter.measure("cached_fstat", ROUNDS, 0, daemon, || {
        let _ = fstat(&opened).expect("fstat");
    })?;
    // The daemon knows neither OPEN nor FLUSH.
    meter.measure("cached_open", ROUNDS, 0, daemon, || {
        drop(open(&*file, OFlags::RDONLY, Mode::empty()).expect("open"));
    })?;
    let none = path("none");
    meter.measure("negative_lookup", ROUNDS, 0, daemon, || {
        assert_eq!(stat(&*none).err(), Some(Errno::NOENT));
    })
}

/// A name is looked up, and invalidated by the daemon when it is asked for the attributes of
/// "inval".
fn inval_entry(meter: &Meter, daemon: &dyn Fn() -> Daemon) -> Result<(), String> {
    let inval = open_at("inval", OFlags::PATH)?;
    let name = path("name");
    // The inode stays.
    let _kept = open_at("name", OFlags::PATH)?;
    meter.measure("inval_entry", ROUNDS, 2, daemon, || {
        let _ = stat(&*name).expect("stat");
        let _ = fstat(&inval).expect("fstat");
    })
}

/// What nobody uses of the mount goes: a change of its flags does so, whatever they are, and leaves
/// the rest of the machine alone.
fn evict() {
    mount_remount(MOUNT, MountFlags::empty(), "").expect("remount");
}

/// The inodes of a directory go, until the daemon has read all FORGETs, for it is asked something
/// then. Once. It is stopped while they go: how many messages they become would hang on how often
/// it gets to read.
fn evict_10k(meter: &Meter, daemon: &dyn Fn() -> Daemon, process: Pid) -> Result<(), String> {
    let dir = open_at("d10k", OFlags::RDONLY | OFlags::DIRECTORY)?;
    read_all(&dir, &mut buffer(meter));
    meter.measure("evict_10k", 1, 1, daemon, || {
        kill_process(process, Signal::STOP).expect("stop");
        waitid(WaitId::Pid(process), WaitIdOptions::STOPPED).expect("stopped");
        evict();
        kill_process(process, Signal::CONT).expect("continue");
        daemon();
    })
}
