// SPDX-License-Identifier: GPL-2.0

//! Ordinary tools, run on a mount.

use std::path::Path;
use std::process::Command;

/// Runs a shell command in `dir`, which must end well, and gives its output.
#[track_caller]
pub fn sh(dir: &Path, script: &str) -> String {
    let out = Command::new("/bin/sh")
        .arg("-ec")
        .arg(script)
        .current_dir(dir)
        .output()
        .expect("sh");
    let (o, e) = (
        String::from_utf8_lossy(&out.stdout).into_owned(),
        String::from_utf8_lossy(&out.stderr),
    );
    assert!(out.status.success(), "{script}: {} {o}{e}", out.status);
    o
}

/// Makes a tree of files of many kinds and sizes in `dir`, outside of any mount.
pub fn make_tree(dir: &Path) {
    std::fs::create_dir_all(dir).expect("dir");
    for d in 0..6 {
        let sub = dir.join(format!("dir{d}/sub"));
        std::fs::create_dir_all(&sub).expect("dir");
        for f in 0..12usize {
            let n = [0, 1, 100, 4095, 4096, 4097, 10_000, 70_000][f % 8];
            let data: Vec<u8> = (0..n).map(|i| (i * 31 + d * 7 + f) as u8).collect();
            std::fs::write(sub.join(format!("file {f}")), data).expect("file");
        }
        std::os::unix::fs::symlink("sub/file 3", dir.join(format!("dir{d}/link"))).expect("link");
    }
    std::fs::hard_link(dir.join("dir0/sub/file 5"), dir.join("dir1/hard")).expect("hard link");
    std::fs::copy("/bin/true", dir.join("program")).expect("program");
}
