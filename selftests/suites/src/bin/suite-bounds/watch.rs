// SPDX-License-Identifier: GPL-2.0

//! The whole machine while somebody floods it: the memory that is taken outside of their group, and
//! whether each processor goes on from task to task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mockd::errno::check;
use suites::setting::Setting;

use crate::board::Board;
use crate::group::Group;

/// What the kernel's detector of soft lockups takes for one: no task gets on for so long.
const SOFTLOCKUP: Duration = Duration::from_secs(20);

/// Between two looks.
const TICK: Duration = Duration::from_millis(10);

/// A number of /proc/meminfo, in KiB.
pub fn meminfo(name: &str) -> i64 {
    let text = std::fs::read_to_string("/proc/meminfo").expect("meminfo");
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.expect(name).trim().trim_end_matches(" kB");
    kib.parse().expect(name)
}

/// KiB in use that the group is not charged for.
fn outside(group: &Group) -> i64 {
    meminfo("MemTotal") - meminfo("MemFree") - group.current()
}

/// What the watch has seen of one processor.
#[derive(Default)]
struct Seen {
    /// KiB taken outside at most.
    most: i64,
    /// The longest time in which the highest task did not get on.
    longest: Duration,
}

/// A thread on each processor which comes before all others.
pub struct Watch {
    group: Arc<Group>,
    before: i64,
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Seen>>,
    _lists: Setting,
}

impl Watch {
    /// Starts: what is in use now is where it was.
    pub fn start(group: &Arc<Group>, board: &'static Board) -> Watch {
        // Free pages that a processor keeps for itself are not among the free ones. They may be an
        // eighth of the memory; no more than a MiB from now on.
        let lists = Setting::sysctl("vm/percpu_pagelist_high_fraction");
        lists.set("1000000").expect("percpu_pagelist_high_fraction");
        mockd::user::drop_caches();
        let over = Arc::new(AtomicBool::new(false));
        let before = outside(group);
        // SAFETY: sysconf takes a number.
        let cpus = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) } as usize;
        let look = |cpu| {
            let (group, over) = (group.clone(), over.clone());
            std::thread::spawn(move || {
                come_first(cpu);
                watch(&over, || {
                    (cpu == 0).then(|| {
                        let taken = outside(&group) - before;
                        board.looked();
                        taken
                    })
                })
            })
        };
        Watch {
            group: group.clone(),
            before,
            threads: (0..cpus).map(look).collect(),
            over,
            _lists: lists,
        }
    }

    /// KiB taken outside now, without what is only cached.
    pub fn taken(&self) -> i64 {
        mockd::user::drop_caches();
        outside(&self.group) - self.before
    }

    /// Ends its threads; gives the KiB that were taken outside at most.
    pub fn most(&mut self) -> i64 {
        self.over.store(true, Ordering::Relaxed);
        let seen = self.threads.drain(..).map(|t| t.join().expect("watch"));
        let (mut most, mut longest) = (0, Duration::ZERO);
        for s in seen {
            (most, longest) = (most.max(s.most), longest.max(s.longest));
        }
        println!("no task got on for {} ms at most", longest.as_millis());
        assert!(longest < SOFTLOCKUP, "a processor was stuck");
        most
    }
}

/// Looks again and again until it is over.
fn watch(over: &AtomicBool, look: impl Fn() -> Option<i64>) -> Seen {
    let (mut seen, mut last) = (Seen::default(), Instant::now());
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
        let late = last.elapsed().saturating_sub(TICK);
        seen.longest = seen.longest.max(late);
        if let Some(taken) = look() {
            seen.most = seen.most.max(taken);
        }
        last = Instant::now();
    }
    seen
}

/// This thread on one processor, before all that is not real-time.
fn come_first(cpu: usize) {
    // SAFETY: a set of processors and a parameter of the right sizes, for this thread.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        check(libc::sched_setaffinity(0, size_of_val(&set), &set)).expect("affinity");
        let p = libc::sched_param { sched_priority: 50 };
        check(libc::sched_setscheduler(0, libc::SCHED_FIFO, &p)).expect("SCHED_FIFO");
    }
}
