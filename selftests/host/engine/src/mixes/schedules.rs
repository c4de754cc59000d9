// SPDX-License-Identifier: GPL-2.0

//! The schedules that the mix is run under. `ENGINE_SCHEDULES` says how many of each kind; `make
//! soak` asks for more. A schedule that failed is run again, and told, with `ENGINE_REPLAY`.

use super::mix::run;
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// Takes about a quarter of a minute.
const SCHEDULES: usize = 30_000;
/// Changes of priority in a run, by PCT: bugs that need no more of them are found with a known
/// chance.
const DEPTH: usize = 4;

fn schedules() -> usize {
    match std::env::var("ENGINE_SCHEDULES") {
        Ok(number) => number.parse().expect("ENGINE_SCHEDULES is a number"),
        Err(_) => SCHEDULES,
    }
}

fn explore(scheduler: impl Scheduler + 'static) {
    if let Ok(schedule) = std::env::var("ENGINE_REPLAY") {
        return shuttle::replay(run, &schedule);
    }
    let mut config = Config::new();
    config.stack_size = 0x10000;
    config.failure_persistence = FailurePersistence::Print;
    config.silence_warnings = true;
    let done = Runner::new(scheduler, config).run(run);
    println!("{done} schedules");
}

#[test]
fn s1_to_s5_l1_l2_random() {
    explore(RandomScheduler::new(schedules()));
}

#[test]
fn s1_to_s5_l1_l2_pct() {
    explore(PctScheduler::new(DEPTH, schedules()));
}
