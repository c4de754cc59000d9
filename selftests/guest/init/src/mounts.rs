// SPDX-License-Identifier: GPL-2.0
//! From the initrd to the guest's disk, with the kernel's own filesystems where they belong.

use crate::host::Host;
use rustix::fs::{mkdir, Mode};
use rustix::io::Errno;
use rustix::mount::{mount, mount_bind, mount_move, MountFlags};
use std::fs;

/// Where our own files are, in the initrd and then in the guest.
pub const INITRD: &str = "/rf";
pub const OURS: &str = "/run/rust_fuse";
/// A folder of the host, for files that are to come out.
pub const OUT: &str = "/run/rust_fuse/out";

pub fn make_dir(path: &str) -> Result<(), String> {
    match mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(format!("mkdir {path}: {error}")),
    }
}

pub fn attach(source: &str, target: &str, kind: &str, options: &str) -> Result<(), String> {
    let data = std::ffi::CString::new(options).map_err(|_| "NUL in options".to_string())?;
    mount(source, target, kind, MountFlags::empty(), &*data)
        .map_err(|error| format!("mount {kind} on {target}: {error}"))
}

/// The same for a filesystem that a kernel may have been built without.
fn attach_if_there(source: &str, target: &str, kind: &str) -> Result<(), String> {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    if known
        .lines()
        .any(|line| line.ends_with(&format!("\t{kind}")))
    {
        attach(source, target, kind, "")?;
    }
    Ok(())
}

/// Mounts the disk as the root and moves into it; our files stay where they are in memory and are
/// bound to [`OURS`]. What it finds to be the host is returned, with the folder for files in place.
pub fn enter_root() -> Result<Host, String> {
    make_dir("/dev")?;
    attach("devtmpfs", "/dev", "devtmpfs", "")?;
    make_dir("/proc")?;
    attach("proc", "/proc", "proc", "")?;
    let host = Host::find()?;
    make_dir("/newroot")?;
    attach(host.disk()?, "/newroot", "ext4", "")?;
    for place in ["/dev", "/proc"] {
        mount_move(place, &*format!("/newroot{place}"))
            .map_err(|error| format!("move {place}: {error}"))?;
    }
    attach("run", "/newroot/run", "tmpfs", "mode=755")?;
    let ours = format!("/newroot{OURS}");
    make_dir(&ours)?;
    mount_bind(INITRD, &*ours).map_err(|error| format!("bind {INITRD}: {error}"))?;
    std::env::set_current_dir("/newroot").map_err(|error| format!("chdir: {error}"))?;
    mount_move(".", "/").map_err(|error| format!("move root: {error}"))?;
    rustix::process::chroot(".").map_err(|error| format!("chroot: {error}"))?;
    std::env::set_current_dir("/").map_err(|error| format!("chdir: {error}"))?;

    attach("sysfs", "/sys", "sysfs", "")?;
    attach_if_there("debugfs", "/sys/kernel/debug", "debugfs")?;
    attach_if_there("tracefs", "/sys/kernel/tracing", "tracefs")?;
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
    let _ = make_dir("/sys/fs/cgroup");
    attach_if_there("cgroup2", "/sys/fs/cgroup", "cgroup2")?;
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
    host.mount_out()?;
    Ok(host)
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
