// SPDX-License-Identifier: GPL-2.0

//! That callers which have left hold of inodes what they should, and that it would be noticed if
//! not.

use super::occupied::{configs, explore, find, late, limits, Config, Mistake};

#[test]
fn h1_to_h4() {
    for (name, config) in configs() {
        match explore(&config) {
            Ok(states) => println!("{name}: {states} states"),
            Err((what, path)) => panic!("{name}: {what}\n{path:?}"),
        }
    }
}

#[test]
fn h2_limits() {
    assert_eq!(limits(), Ok(()));
}

#[test]
fn h3_late() {
    assert_eq!(late(), Ok(()));
}

fn catches(name: &str, mistake: Mistake, expected: &str) {
    let config = Config {
        mistake: Some(mistake),
        ..find(name)
    };
    match explore(&config) {
        Err((what, path)) if what.starts_with(expected) => {
            println!("{mistake:?}: {what}, after {} steps", path.len());
        }
        verdict => panic!("{mistake:?}: not caught: {verdict:?}"),
    }
}

/// What that is worth: mistakes in how the word is used.
#[test]
fn mistakes_are_caught() {
    catches("alone", Mistake::OccupyLate, "H1");
    catches("together and alone", Mistake::OccupyLate, "H1");
    catches("alone", Mistake::VacateEarly, "H1");
    catches("alone", Mistake::LookEarly, "H1");
    catches("alone", Mistake::WakeEarly, "H4");
    catches("alone", Mistake::SettleLate, "H3");
    catches("two inodes, leaving fails", Mistake::FailureKeeps, "H");
}
