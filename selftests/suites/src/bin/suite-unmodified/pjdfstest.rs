// SPDX-License-Identifier: GPL-2.0

//! pjdfstest, which tests what POSIX says of files, over daemons that show a directory.
//!
//! A daemon may fail tests of its own accord. Which ones fail must not depend on the module.

use std::path::Path;
use std::process::Command;

use ktap::Case;
use suites::compare;
use suites::daemon::{dirs, need, Daemon};

use crate::output;

/// The daemons: of libfuse 2, and two of libfuse 3's low-level interface.
const DAEMONS: [&str; 3] = ["bindfs", "fuse_overlayfs", "passthrough_ll"];

/// What pjdfstest calls its modules; there is a case for each with each daemon.
const MODULES: [&str; 15] = [
    "chmod",
    "chown",
    "ftruncate",
    "link",
    "mkdir",
    "mkfifo",
    "mknod",
    "open",
    "posix_fallocate",
    "rename",
    "rmdir",
    "symlink",
    "truncate",
    "unlink",
    "utimensat",
];

pub fn cases() -> Vec<Case> {
    let over = |daemon: &'static str| {
        MODULES
            .iter()
            .map(move |module| format!("pjdfstest_{daemon}.{module}"))
    };
    let mut all = suites::cases_of(DAEMONS.into_iter().flat_map(over), over_daemon);
    all.extend(ktap::cases![every_test_has_a_case]);
    all
}

/// Starts the daemon on fresh directories, for all users, who may do what modes say.
fn start(daemon: &str) -> Daemon {
    let (src, mnt) = dirs();
    let program = daemon.replace("fuse_overlayfs", "fuse-overlayfs");
    let mut cmd = Command::new(need(&program));
    match daemon {
        "passthrough_ll" => return Daemon::passthrough_ll("allow_other,default_permissions"),
        "bindfs" => {
            cmd.arg("-f")
                .arg("-o")
                .arg("allow_other,default_permissions");
            cmd.arg(&src).arg(&mnt);
        }
        _ => {
            let part = |name: &str| {
                let p = src.join(name);
                std::fs::create_dir(&p).expect("part");
                p.display().to_string()
            };
            let (lower, upper, work) = (part("lower"), part("upper"), part("work"));
            cmd.arg("-f").arg("-o").arg(format!(
                "lowerdir={lower},upperdir={upper},workdir={work},allow_other,default_permissions"
            ));
            cmd.arg(&mnt);
        }
    }
    Daemon::start(cmd, &mnt, &src)
}

/// Runs the tests whose names have this, in a directory; gives names and results, sorted.
fn run(dir: &Path, pattern: &str) -> Vec<(String, String)> {
    let config = ktap::dir().join("pjdfstest.toml");
    // Times are as fine as the kernel's ticks. The users are there on each Debian.
    let text = "[features]\nposix_fallocate = {}\nutime_now = {}\nutimensat = {}\n\
        [settings]\nnaptime = 0.05\n\
        [dummy_auth]\nentries = [[\"nobody\", \"nogroup\"], [\"daemon\", \"daemon\"]]\n";
    std::fs::write(&config, text).expect("configuration");
    let (_, text) = output(
        Command::new(need("pjdfstest"))
            .env("NO_COLOR", "1")
            .arg("-c")
            .arg(&config)
            .arg("-p")
            .arg(dir)
            .arg("-s")
            .arg("/dev/shm")
            .arg(pattern),
    );
    let mut results = Vec::new();
    for line in text.lines().filter(|l| !l.starts_with(['\t', ' '])) {
        let Some((name, rest)) = line.split_once(' ') else {
            continue;
        };
        let result = rest.trim();
        if name.contains("::") && ["ok", "FAILED", "skipped"].contains(&result) {
            results.push((name.to_string(), result.to_string()));
        }
    }
    results.sort();
    let total = results.len();
    assert!(text.contains(&format!(", {total} total")), "{text}");
    // Why some fail.
    for line in text
        .lines()
        .filter(|l| l.contains("FAILED") || l.starts_with('\t'))
    {
        println!("{line}");
    }
    results
}

fn over_daemon() {
    let case = std::env::var("RF_CASE").expect("RF_CASE");
    let (daemon, module) = case
        .trim_start_matches("pjdfstest_")
        .split_once('.')
        .expect("daemon and module");
    let d = start(daemon);
    let results = run(&d.mnt, &format!("tests::{module}::"));
    assert!(!results.is_empty());
    compare(
        results
            .iter()
            .map(|(name, result)| format!("{name} {result}")),
    );
    assert!(module == "posix_fallocate" || results.iter().any(|r| r.1 == "ok"));
    // The daemon lives, and lets go.
    d.stop();
}

/// The modules above are all that there are: without any daemon, each test is of one of them.
fn every_test_has_a_case() {
    let results = run(&ktap::dir(), "tests::");
    let known = |name: &str| MODULES.contains(&name.split("::").next().unwrap_or_default());
    let unknown: Vec<_> = results.iter().filter(|r| !known(&r.0)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for module in MODULES {
        let prefix = format!("{module}::");
        assert!(results.iter().any(|r| r.0.starts_with(&prefix)), "{module}");
    }
}
