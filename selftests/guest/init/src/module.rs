// SPDX-License-Identifier: GPL-2.0
//! Loading and unloading the module under test.

use crate::mounts::OURS;
use rustix::io::Errno;
use std::ffi::CString;
use std::fs::{self, File};
use std::time::{Duration, Instant};

const SYSFS: &str = "/sys/module/fuse";

/// Loads `fuse.ko` from our files.
pub fn load() -> Result<(), String> {
    let path = format!("{OURS}/fuse.ko");
    let file = File::open(&path).map_err(|error| format!("{path}: {error}"))?;
    let parameters = CString::default();
    rustix::system::finit_module(&file, &parameters, 0)
        .map_err(|error| format!("loading {path}: {error}"))?;
    if fs::metadata("/dev/fuse").is_err() {
        return Err("the module is loaded, and there is no /dev/fuse".into());
    }
    Ok(())
}

fn references() -> Result<u64, String> {
    let path = format!("{SYSFS}/refcnt");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    text.trim().parse().map_err(|_| format!("{path}: {text:?}"))
}

/// Unloads the module. The last references go with work queues and RCU, so they are given
/// `patience`.
pub fn unload(patience: Duration) -> Result<(), String> {
    let start = Instant::now();
    loop {
        let count = references()?;
        if count == 0 {
            break;
        }
        if start.elapsed() > patience {
            return Err(format!("the module still has {count} references"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    match rustix::system::delete_module(c"fuse", flags) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Err("the module was gone before it was unloaded".into()),
        Err(error) => return Err(format!("unloading the module: {error}")),
    }
    if fs::metadata(SYSFS).is_ok() {
        return Err("the module is unloaded, and /sys/module/fuse is still there".into());
    }
    if fs::metadata("/dev/fuse").is_ok() {
        return Err("the module is unloaded, and /dev/fuse is still there".into());
    }
    let types = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    match types.lines().find(|line| line.contains("\tfuse")) {
        Some(line) => Err(format!(
            "the module is unloaded, and still a filesystem type: {line}"
        )),
        None => Ok(()),
    }
}
