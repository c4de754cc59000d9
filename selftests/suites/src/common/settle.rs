// SPDX-License-Identifier: GPL-2.0

//! When is it certain that a task hangs? When it sleeps, and everything else that could have woken
//! it up has run.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use ktap::patience;
use mockd::errno::check;

/// Processor time that a task of the lowest class gets on each processor in a round: other tasks,
/// as long as they can run, get a few hundred times as much meanwhile.
const ROUND: Duration = Duration::from_millis(3);

/// What a thread was doing: its state, and how often it has slept and been made to wait.
type Doing = (char, String);

/// All threads of these processes that are left.
fn look(pids: &[i32]) -> BTreeMap<i32, Doing> {
    let mut all = BTreeMap::new();
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let tid = task.file_name().to_string_lossy().parse().expect("tid");
            let text = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            let field = |name: &str| {
                text.lines()
                    .find_map(|l| l.strip_prefix(name))
                    .map(|v| v.trim().to_string())
                    .unwrap_or_default()
            };
            let state = field("State:").chars().next().unwrap_or('?');
            let switches =
                field("voluntary_ctxt_switches:") + "+" + &field("nonvoluntary_ctxt_switches:");
            all.insert(tid, (state, switches));
        }
    }
    all
}

/// Where the threads of these processes are, to be printed.
pub fn describe(pids: &[i32]) -> String {
    let mut s = String::new();
    for (tid, (state, _)) in look(pids) {
        let get = |n: &str| fs::read_to_string(format!("/proc/{tid}/{n}")).unwrap_or_default();
        let call = get("syscall");
        let number = call.split(' ').next().unwrap_or("").trim();
        s += &format!(
            "[{tid}: {state} in {}, system call {number}] ",
            get("wchan").trim()
        );
    }
    s
}

/// Processor time that this thread has used.
fn cpu_time() -> Duration {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a place for the result.
    check(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) }).expect("clock");
    Duration::new(t.tv_sec as u64, t.tv_nsec as u32)
}

/// Runs a thread of the lowest class on each processor for a while, then waits for a grace period
/// of RCU.
fn round() {
    // SAFETY: sysconf takes a number.
    let cpus = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) } as usize;
    let threads: Vec<_> = (0..cpus)
        .map(|cpu| {
            std::thread::spawn(move || {
                // SAFETY: a set of processors and a parameter of the right sizes, for this thread.
                unsafe {
                    let mut set: libc::cpu_set_t = std::mem::zeroed();
                    libc::CPU_SET(cpu, &mut set);
                    check(libc::sched_setaffinity(0, size_of_val(&set), &set)).expect("affinity");
                    let p = libc::sched_param { sched_priority: 0 };
                    check(libc::sched_setscheduler(0, libc::SCHED_IDLE, &p)).expect("SCHED_IDLE");
                }
                let end = cpu_time() + ROUND;
                while cpu_time() < end {}
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().expect("round"));
    const MEMBARRIER_CMD_GLOBAL: i32 = 1;
    // SAFETY: takes integers.
    check(unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) })
        .expect("membarrier");
}

/// Returns once no thread of these processes has moved while all else that can run has run: then
/// none of them moves any more unless something new happens.
pub fn settle(pids: &[i32]) {
    let end = Instant::now() + patience();
    let mut before = look(pids);
    let mut quiet = 0;
    while quiet < 2 {
        round();
        let after = look(pids);
        let still = before == after && after.values().all(|d| "SDIZ".contains(d.0));
        quiet = if still { quiet + 1 } else { 0 };
        assert!(
            still || Instant::now() < end,
            "never quiet: {}",
            describe(pids)
        );
        before = after;
    }
}
