// SPDX-License-Identifier: GPL-2.0
//! From the initrd to the guest's disk, with the kernel's own filesystems where they belong.

use rustix::fs::{mkdir, Mode};
use rustix::io::Errno;
use rustix::mount::{mount, mount_bind, mount_move, MountFlags};
use std::fs;
use std::time::{Duration, Instant};

/// Where our own files are, in the initrd and then in the guest.
pub const INITRD: &str = "/rf";
pub const OURS: &str = "/run/rust_fuse";
/// A folder of the host, for files that are to come out.
pub const OUT: &str = "/run/rust_fuse/out";

fn make_dir(path: &str) -> Result<(), String> {
    match mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(format!("mkdir {path}: {error}")),
    }
}

fn attach(source: &str, target: &str, kind: &str, options: &str) -> Result<(), String> {
    let data = std::ffi::CString::new(options).map_err(|_| "NUL in options".to_string())?;
    mount(source, target, kind, MountFlags::empty(), &*data)
        .map_err(|error| format!("mount {kind} on {target}: {error}"))
}

/// Mounts the disk as the root and moves into it; our files stay where they are in memory and are bound
/// to [`OURS`].
pub fn enter_root() -> Result<(), String> {
    make_dir("/dev")?;
    attach("devtmpfs", "/dev", "devtmpfs", "")?;
    make_dir("/newroot")?;
    // The disk is found by a work of its own, which may take longer than we do.
    let start = Instant::now();
    while fs::metadata("/dev/vda").is_err() {
        if start.elapsed() > Duration::from_secs(30) {
            return Err("there is no disk /dev/vda".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    attach("/dev/vda", "/newroot", "ext4", "")?;
    mount_move("/dev", "/newroot/dev").map_err(|error| format!("move /dev: {error}"))?;
    attach("run", "/newroot/run", "tmpfs", "mode=755")?;
    let ours = format!("/newroot{OURS}");
    make_dir(&ours)?;
    mount_bind(INITRD, &*ours).map_err(|error| format!("bind {INITRD}: {error}"))?;
    std::env::set_current_dir("/newroot").map_err(|error| format!("chdir: {error}"))?;
    mount_move(".", "/").map_err(|error| format!("move root: {error}"))?;
    rustix::process::chroot(".").map_err(|error| format!("chroot: {error}"))?;
    std::env::set_current_dir("/").map_err(|error| format!("chdir: {error}"))?;

    attach("proc", "/proc", "proc", "")?;
    attach("sysfs", "/sys", "sysfs", "")?;
    attach("debugfs", "/sys/kernel/debug", "debugfs", "")?;
    attach("tracefs", "/sys/kernel/tracing", "tracefs", "")?;
    attach("tmp", "/tmp", "tmpfs", "mode=1777")?;
    make_dir("/dev/pts")?;
    attach(
        "devpts",
        "/dev/pts",
        "devpts",
        "ptmxmode=0666,mode=620,gid=5",
    )?;
    make_dir("/dev/shm")?;
    attach("shm", "/dev/shm", "tmpfs", "mode=1777")?;
    make_dir("/sys/fs/cgroup")?;
    attach("cgroup2", "/sys/fs/cgroup", "cgroup2", "")?;
    for (link, target) in [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
    ] {
        let _ = std::os::unix::fs::symlink(target, link);
    }
    // Daemons look for the table of mounts here.
    let _ = fs::remove_file("/etc/mtab");
    let _ = std::os::unix::fs::symlink("/proc/self/mounts", "/etc/mtab");
    make_dir(OUT)?;
    attach(
        "out",
        OUT,
        "9p",
        "trans=virtio,version=9p2000.L,msize=262144",
    )
}

/// Where the control filesystem belongs.
const CONTROL: &str = "/sys/fs/fuse/connections";

/// Mounts the control filesystem, as a system's own first process does.
pub fn mount_control() -> Result<(), String> {
    attach("fusectl", CONTROL, "fusectl", "")
}

/// Unmounts it, when all connections are gone.
pub fn unmount_control() -> Result<(), String> {
    let left: Vec<String> = fs::read_dir(CONTROL)
        .map_err(|error| format!("{CONTROL}: {error}"))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    rustix::mount::unmount(CONTROL, rustix::mount::UnmountFlags::empty())
        .map_err(|error| format!("unmounting {CONTROL}: {error}"))?;
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("connections left: {}", left.join(", ")))
    }
}

/// Mount points of our filesystem types that are still there, the latest first.
pub fn fuse_mounts() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut found: Vec<String> = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let place = words.next()?;
            let kind = words.next()?;
            let ours = kind == "fuse"
                || kind == "fuseblk"
                || kind == "fusectl"
                || kind.starts_with("fuse.")
                || kind.starts_with("fuseblk.");
            ours.then(|| place.replace("\\040", " "))
        })
        .collect();
    found.reverse();
    found
}
