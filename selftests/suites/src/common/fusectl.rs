// SPDX-License-Identifier: GPL-2.0

//! The control filesystem, which init has mounted: the directory and the files of a connection.

use std::path::{Path, PathBuf};

use mockd::errno::Res;

use crate::setting;

/// Where it is mounted.
pub const CONNECTIONS: &str = "/sys/fs/fuse/connections";

/// The id of the connection that is mounted at `mnt`: its device number.
#[track_caller]
pub fn id(mnt: &Path) -> u32 {
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let mnt = mnt.to_str().expect("utf-8");
    let dev = text
        .lines()
        .map(|l| l.split(' ').collect::<Vec<_>>())
        .rfind(|f| f.get(4) == Some(&mnt))
        .map(|f| f[2].to_string())
        .unwrap_or_else(|| panic!("nothing is mounted at {mnt}"));
    let (major, minor) = dev.split_once(':').expect("major:minor");
    let n = |s: &str| s.parse::<u32>().expect("number");
    (n(major) << 20) | n(minor)
}

/// The directory of the connection that is mounted at `mnt`.
#[track_caller]
pub fn dir(mnt: &Path) -> PathBuf {
    Path::new(CONNECTIONS).join(id(mnt).to_string())
}

/// How many requests of it have not ended.
#[track_caller]
pub fn waiting(mnt: &Path) -> u32 {
    let text = setting::get(&dir(mnt).join("waiting")).expect("waiting");
    text.trim_end().parse().expect("number")
}

/// Waits until so many have not.
#[track_caller]
pub fn await_waiting(mnt: &Path, n: u32) {
    let end = std::time::Instant::now() + ktap::patience();
    while waiting(mnt) != n {
        assert!(std::time::Instant::now() < end, "{} wait", waiting(mnt));
        std::thread::yield_now();
    }
}

/// Aborts it.
#[track_caller]
pub fn abort(mnt: &Path) -> Res<()> {
    setting::set(&dir(mnt).join("abort"), "1")
}
