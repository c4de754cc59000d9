// SPDX-License-Identifier: GPL-2.0

//! Ending what a case left behind: its mounts and its processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Orphans of a case become children of the runner, which can then find and reap them.
pub fn become_subreaper() {
    // SAFETY: PR_SET_CHILD_SUBREAPER takes an integer.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
}

/// Mount points below `dir`, deepest first.
fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut v: Vec<PathBuf> = text
        .lines()
        .filter_map(|l| l.split(' ').nth(1))
        .map(|p| PathBuf::from(p.replace("\\040", " ")))
        .filter(|p| p.starts_with(dir))
        .collect();
    v.reverse();
    v
}

/// Aborts and detaches every mount below `dir`.
pub fn unmount_below(dir: &Path) {
    for m in mounts_below(dir) {
        let c = crate::cstr(&m);
        // SAFETY: c is a C string.
        unsafe {
            libc::umount2(c.as_ptr(), libc::MNT_FORCE);
            libc::umount2(c.as_ptr(), libc::MNT_DETACH);
        }
    }
}

/// Kills all descendants and aborts all mounts below `dir`.
pub fn clear(dir: &Path) {
    kill_descendants();
    unmount_below(dir);
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = &stat[stat.rfind(')')? + 2..];
    rest.split(' ').nth(1)?.parse().ok()
}

fn descendants() -> Vec<i32> {
    let me = std::process::id() as i32;
    let mut all: Vec<(i32, i32)> = Vec::new();
    for e in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = e.file_name().to_str().and_then(|s| s.parse().ok()) {
            if let Some(pp) = parent_of(pid) {
                all.push((pid, pp));
            }
        }
    }
    let mut found = vec![me];
    let mut i = 0;
    while i < found.len() {
        let p = found[i];
        found.extend(all.iter().filter(|x| x.1 == p).map(|x| x.0));
        i += 1;
    }
    found.remove(0);
    found
}

fn kill_descendants() {
    for pid in descendants() {
        // SAFETY: the pid is of a descendant of ours.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

/// Waits for all children; Err says which remain and where they hang.
pub fn reap_all(bound: Duration) -> Result<(), String> {
    let end = Instant::now() + bound;
    loop {
        let mut st = 0;
        // SAFETY: st is a valid place for the status.
        match unsafe { libc::waitpid(-1, &mut st, libc::WNOHANG) } {
            -1 => return Ok(()),
            0 => {
                if Instant::now() > end {
                    return Err(describe_descendants());
                }
                kill_descendants();
                std::thread::sleep(Duration::from_millis(2));
            }
            _ => {}
        }
    }
}

/// What each thread of each descendant is doing, for the report of a hang.
pub fn describe_descendants() -> String {
    let mut s = String::from("what is there:\n");
    for pid in descendants() {
        for t in fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let p = t.path();
            let get = |n: &str| fs::read_to_string(p.join(n)).unwrap_or_default();
            let state = get("status");
            let state = state
                .lines()
                .find(|l| l.starts_with("State"))
                .unwrap_or("")
                .to_string();
            s += &format!(
                "pid {pid} tid {} {} {state} wchan {} syscall {}\n",
                t.file_name().to_string_lossy(),
                get("comm").trim(),
                get("wchan").trim(),
                get("syscall").trim(),
            );
            for l in get("stack").lines() {
                s += &format!("    {l}\n");
            }
        }
    }
    s
}
