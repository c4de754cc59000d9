// SPDX-License-Identifier: GPL-2.0
//! Running the command that the job names, as a first process has to: every orphan is ours to bury.

use crate::host::{Host, Port};
use crate::job::Job;
use crate::mounts::{OURS, OUT};
use rustix::process::{kill_process, wait, Pid, Signal, WaitOptions, WaitStatus};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn start(job: &Job, host: &Host) -> Result<Pid, String> {
    let (input, output) = if job.interactive {
        let console = || File::options().read(true).write(true).open("/dev/ttyS0");
        let input = console().map_err(|error| format!("/dev/ttyS0: {error}"))?;
        (
            Stdio::from(input),
            console().map_err(|error| format!("/dev/ttyS0: {error}"))?,
        )
    } else {
        (Stdio::null(), host.open(Port::Output)?)
    };
    let errors = output
        .try_clone()
        .map_err(|error| format!("output: {error}"))?;
    let mut command = Command::new(&job.command[0]);
    command
        .args(&job.command[1..])
        .stdin(input)
        .stdout(output)
        .stderr(errors)
        .current_dir("/tmp")
        .env_clear()
        .env(
            "PATH",
            format!("{OURS}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        )
        .env("HOME", "/root")
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "linux")
        .env("RF_IMPL", &job.implementation)
        .env("RF_KERNEL", &job.kernel)
        .env("RF_OUT", OUT)
        .env("RF_BIN", format!("{OURS}/bin"))
        .envs(job.env.iter().map(|(name, value)| (name, value)))
        .process_group(0);
    let child = command
        .spawn()
        .map_err(|error| format!("{}: {error}", job.command[0]))?;
    Pid::from_raw(child.id() as i32).ok_or_else(|| "no pid".into())
}

/// Buries one dead child, if there is any. `Err` when there are no children at all.
fn bury() -> Result<Option<(Pid, WaitStatus)>, ()> {
    wait(WaitOptions::NOHANG).map_err(|_| ())
}

/// Runs the command to its end. `Err` says why it failed.
pub fn run(job: &Job, host: &Host) -> Result<(), String> {
    let begin = Instant::now();
    let pid = start(job, host)?;
    loop {
        match bury() {
            Ok(Some((dead, status))) if dead == pid => return judge(status),
            Ok(Some(_)) => continue,
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Err(()) => return Err("the command is gone, and nobody saw it end".into()),
        }
        if begin.elapsed() > job.limit {
            show_blocked_tasks();
            let _ = kill_process(pid, Signal::KILL);
            return Err(format!("not done after {} seconds", job.limit.as_secs()));
        }
    }
}

fn judge(status: WaitStatus) -> Result<(), String> {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(format!("exit code {code}")),
        (_, Some(signal)) => Err(format!("killed by signal {signal}")),
        _ => Err("ended in an unknown way".into()),
    }
}

/// The stacks of tasks in uninterruptible sleep, and then of all, go to the kernel's log: they tell
/// what hangs.
fn show_blocked_tasks() {
    let _ = fs::write("/proc/sysrq-trigger", "w");
    let _ = fs::write("/proc/sysrq-trigger", "t");
}

/// Ends every other process. Those that do not go within `patience` are named.
pub fn end_all(patience: Duration) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        for pid in user_processes() {
            let _ = kill_process(pid, Signal::KILL);
        }
        while let Ok(Some(_)) = bury() {}
        let left = user_processes();
        if left.is_empty() {
            return Ok(());
        }
        if begin.elapsed() > patience {
            show_blocked_tasks();
            let names: Vec<String> = left
                .iter()
                .map(|pid| {
                    let pid = pid.as_raw_nonzero();
                    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                    format!("{} ({pid})", name.trim())
                })
                .collect();
            return Err(format!("these processes do not die: {}", names.join(", ")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// All processes but the first and the kernel's own threads, which have no command line and no
/// executable.
fn user_processes() -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok())
        .filter(|pid| *pid > 2 && !is_kernel_thread(*pid))
        .filter_map(Pid::from_raw)
        .collect()
}

/// PF_KTHREAD in the flags of `/proc/PID/stat`.
fn is_kernel_thread(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return true;
    };
    let after_name = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    let flags: u64 = after_name
        .split_whitespace()
        .nth(6)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    flags & 0x0020_0000 != 0
}
