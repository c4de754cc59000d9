// SPDX-License-Identifier: GPL-2.0

//! ntfs-3g, whose library is fuse-lite: on an image, and on a block device, which it mounts as type
//! `fuseblk`.

use std::path::Path;
use std::process::Command;

use ktap::{cases, Case};
use mockd::mount::mounts_of;
use mockd::user;
use suites::blockdev::LoopDevice;
use suites::compare;
use suites::daemon::{dirs, need, Daemon};
use suites::tools::sh;

use crate::output;
use crate::tour::{killed, said, tour};

pub fn cases() -> Vec<Case> {
    cases![
        ntfs_3g_work,
        ntfs_3g_killed,
        ntfs_3g_on_device_work,
        ntfs_3g_on_device_killed,
        ntfs_3g_on_device_blocks,
    ]
}

const SIZE: i64 = 32 << 20;

fn make(on: &Path) {
    let (out, text) = output(
        Command::new(need("mkntfs"))
            .args(["-F", "-Q", "-q"])
            .arg(on),
    );
    assert!(out.status.success(), "{text}");
}

fn start(on: &Path) -> Daemon {
    let (_, mnt) = dirs();
    let options = "no_detach,permissions,acl,streams_interface=xattr";
    let mut cmd = Command::new(need("ntfs-3g"));
    cmd.arg("-o").arg(options).arg(on).arg(&mnt);
    Daemon::start(cmd, &mnt, &mnt)
}

/// On an image, which is made if it is not there.
fn ntfs_3g() -> Daemon {
    let image = dirs().0.join("image");
    if !image.exists() {
        std::fs::write(&image, b"").expect("image");
        user::truncate(&image, SIZE).expect("image");
        make(&image);
    }
    start(&image)
}

fn ntfs_3g_work() {
    tour(ntfs_3g, Daemon::stop);
}

fn ntfs_3g_killed() {
    killed(ntfs_3g, Daemon::stop);
}

/// A device with an empty file system on it.
fn device() -> LoopDevice {
    let device = LoopDevice::new(SIZE);
    make(Path::new(device.path));
    device
}

fn on_device(device: &LoopDevice) -> Daemon {
    let d = start(Path::new(device.path));
    let line = mounts_of(&d.mnt).remove(0);
    assert!(line.starts_with(device.path), "{line}");
    assert!(line.contains(" fuseblk "), "{line}");
    d
}

/// What the file system's own tool says of it when it is not mounted.
fn checked(device: &LoopDevice) -> String {
    let (out, text) = output(Command::new(need("ntfsfix")).arg("-n").arg(device.path));
    assert!(out.status.success(), "{text}");
    text.replace(device.path, "DEVICE")
}

/// When umount(2) returns the daemon has written everything: the device is sound, and free.
fn ntfs_3g_on_device_work() {
    let device = device();
    tour(|| on_device(&device), Daemon::stop);
    let d = on_device(&device);
    let synced = said(
        &d.mnt,
        "cp -a ../tree copy; sync -f .; sync copy/program; sync; ls",
    );
    d.stop();
    assert!(!device.is_busy(), "{} is in use", device.path);
    let check = checked(&device);
    let d = on_device(&device);
    sh(&d.mnt, "diff -r -x hard -x link ../tree copy");
    d.stop();
    compare([synced, check]);
}

fn ntfs_3g_on_device_killed() {
    let device = device();
    killed(|| on_device(&device), Daemon::stop);
    assert!(!device.is_busy(), "{} is in use", device.path);
}

/// BMAP says where on the device the bytes of a file are.
fn ntfs_3g_on_device_blocks() {
    const FIBMAP: u32 = 1;
    const FIGETBSZ: u32 = 2;
    let device = device();
    let d = on_device(&device);
    let data: Vec<u8> = (0..100_000u32).flat_map(u32::to_ne_bytes).collect();
    std::fs::write(d.at("f"), &data).expect("write");
    let f = user::open(&d.at("f"), libc::O_RDONLY, 0).expect("open");
    let mut number = 0i32.to_ne_bytes();
    user::ioctl(&f, FIGETBSZ, &mut number).expect("FIGETBSZ");
    let size = i32::from_ne_bytes(number) as usize;
    let blocks: Vec<u64> = (0..data.len().div_ceil(size) as i32)
        .map(|n| {
            let mut number = n.to_ne_bytes();
            user::ioctl(&f, FIBMAP, &mut number).expect("FIBMAP");
            i32::from_ne_bytes(number) as u64
        })
        .collect();
    drop(f);
    d.stop();
    let on = user::open(Path::new(device.path), libc::O_RDONLY, 0).expect("open");
    for (n, part) in data.chunks(size).enumerate() {
        let got = user::pread(&on, part.len(), blocks[n] * size as u64);
        assert_eq!(got.as_deref(), Ok(part), "block {n} is {}", blocks[n]);
    }
    println!("{blocks:?} of {size} bytes");
}
