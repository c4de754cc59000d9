// SPDX-License-Identifier: GPL-2.0
//! The first process of the test guest.
//!
//! It comes in an initrd together with the module under test and the test programs. It mounts the
//! disk as the root, loads the module, runs one command, unloads the module, looks for anything
//! that went wrong in between, and brings the verdict out: first a line `started`, then one line
//! `fail: REASON` for each thing that failed, and at the very end one line `done`. A machine that
//! stops without that line has failed.

mod host;
mod job;
mod klog;
mod module;
mod mounts;
mod run;

use host::{Host, Port};
use job::Job;
use std::fs::{self, File};
use std::io::Write;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// Collects what failed, and says so at once: a machine may die later.
struct Verdict {
    port: Option<File>,
    failed: bool,
}

impl Verdict {
    fn line(&mut self, text: &str) {
        if let Some(port) = &mut self.port {
            let _ = writeln!(port, "{text}");
        } else {
            eprintln!("init: {text}");
        }
    }

    fn check(&mut self, what: &str, result: Result<(), String>) -> bool {
        if let Err(reason) = &result {
            self.failed = true;
            self.line(&format!("fail: {what}: {reason}"));
        }
        result.is_ok()
    }
}

fn main() {
    let mut verdict = Verdict {
        port: None,
        failed: false,
    };
    let host = mounts::enter_root();
    let result = match &host {
        Ok(host) => boot(&mut verdict, host),
        Err(error) => Err(error.clone()),
    };
    verdict.check("boot", result);
    let end = if verdict.failed {
        "done: failed"
    } else {
        "done: passed"
    };
    verdict.line(end);
    rustix::fs::sync();
    drop(verdict);
    host.unwrap_or(Host::Qemu).power_off()
}

fn boot(verdict: &mut Verdict, host: &Host) -> Result<(), String> {
    verdict.port = Some(host.open(Port::Verdict)?);
    verdict.line("started");
    let text = fs::read_to_string(format!("{}/job", mounts::OURS))
        .map_err(|error| format!("job: {error}"))?;
    let job = Job::parse(&text)?;
    tune();

    let mut loaded = false;
    if !job.no_module {
        loaded = verdict.check("load", module::load());
        if loaded {
            verdict.check("fusectl", mounts::mount_control());
        }
    }
    if loaded || job.no_module {
        verdict.check("run", run::run(&job, host));
    }
    let ended = verdict.check("end", run::end_all(PATIENCE));
    if loaded {
        verdict.check("fusectl", mounts::unmount_control());
    }
    let left = mounts::fuse_mounts();
    for place in &left {
        verdict.check("mounts", Err(format!("{place} was still mounted")));
        let _ = rustix::mount::unmount(place, rustix::mount::UnmountFlags::DETACH);
    }
    if job.kmemleak && ended {
        verdict.check("kmemleak", kmemleak_scan("before unloading"));
    }
    // What lockdep has seen, where there is one: scripts/lockdep.sh compares the suites by it. The
    // module's classes of locks go with it.
    if let Ok(chains) = fs::read("/proc/lockdep_chains") {
        let _ = fs::write(format!("{}/lockdep_chains", mounts::OUT), chains);
    }
    if loaded && ended {
        verdict.check("unload", module::unload(PATIENCE));
        if job.kmemleak {
            verdict.check("kmemleak", kmemleak_scan("after unloading"));
        }
    }
    let log = klog::read()?;
    let _ = fs::write(format!("{}/dmesg", mounts::OUT), &log);
    for line in klog::bad_lines(&log).into_iter().take(20) {
        verdict.check("kernel log", Err(line.into()));
    }
    Ok(())
}

/// Settings of the running kernel. What does not exist on this kernel is left out.
fn tune() {
    for (file, value) in [
        // Below the bound of a machine, above what a slow debug kernel may take.
        ("/proc/sys/kernel/hung_task_timeout_secs", "60"),
        ("/proc/sys/kernel/hung_task_warnings", "-1"),
        ("/proc/sys/kernel/panic_on_oops", "1"),
        // Ours to switch on when we ask for it, not in the middle of a test.
        ("/sys/kernel/debug/kmemleak", "scan=off"),
    ] {
        let _ = fs::write(file, value);
    }
    let _ = std::process::Command::new("/usr/sbin/ip")
        .args(["link", "set", "lo", "up"])
        .status();
}

/// kmemleak reports what is older than five seconds and was found lost by two scans.
fn kmemleak_scan(when: &str) -> Result<(), String> {
    const FILE: &str = "/sys/kernel/debug/kmemleak";
    std::thread::sleep(Duration::from_secs(6));
    for _ in 0..2 {
        fs::write(FILE, "scan")
            .map_err(|error| format!("{FILE}: {error} (is kmemleak=on given?)"))?;
    }
    let report = fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?;
    if report.trim().is_empty() {
        return Ok(());
    }
    let name = format!("{}/kmemleak-{}", mounts::OUT, when.replace(' ', "-"));
    let _ = fs::write(name, &report);
    let count = report.matches("unreferenced object").count();
    Err(format!("{count} lost objects {when}"))
}
