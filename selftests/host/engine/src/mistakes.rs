// SPDX-License-Identifier: GPL-2.0

//! What the model is worth: mistakes in how the module uses the engine, each of which must be
//! caught. Those in the engine itself are in the crate `engine-mutants`.

use super::configs::find;
use super::explore::{explore, Verdict};
use super::model::{Config, Mistake};

fn catches(name: &str, mistake: Mistake, expected: &str) {
    let config = Config {
        mistake: Some(mistake),
        ..find(name)
    };
    match explore(&config, usize::MAX) {
        Verdict::Wrong { what, path } if what.starts_with(expected) => {
            println!("{mistake:?}: {what}, after {} steps", path.len());
        }
        verdict => panic!("{mistake:?}: not caught: {verdict:?}"),
    }
}

#[test]
fn reader_keeps_wakeup() {
    catches("a killed reader", Mistake::ReaderKeepsWakeup, "L");
}

#[test]
fn caller_keeps_wakeup() {
    catches(
        "background, killed at the gate",
        Mistake::CallerKeepsWakeup,
        "L1",
    );
}

#[test]
fn no_relock() {
    catches(
        "two readers and writers, faults, abort",
        Mistake::NoRelock,
        "S3",
    );
}

#[test]
fn return_without_lock() {
    catches("left with memory, faults", Mistake::ReturnWithoutLock, "S7");
}

#[test]
fn takes_what_is_lent() {
    catches("left with memory, faults", Mistake::TakesWhatIsLent, "S6");
}

#[test]
fn lends_spent_again() {
    catches("left with memory, resend", Mistake::LendsSpentAgain, "S6");
}

#[test]
fn not_spent() {
    catches("left with memory, resend", Mistake::NotSpent, "S6");
}

#[test]
fn reader_keeps_own() {
    catches(
        "left with memory, a mute daemon",
        Mistake::ReaderKeepsOwn,
        "S6",
    );
}

#[test]
fn no_relist() {
    catches(
        "faults that are never served, abort",
        Mistake::NoRelist,
        "L",
    );
}
