// SPDX-License-Identifier: GPL-2.0

//! Every interleaving of small configurations, by stateright.

use super::check::System;
use super::configs::{configs, find, larger_configs};
use super::explore::{explore, Verdict};
use super::model::Config;
use stateright::{Checker, Model};

/// That all runs are finite, which makes liveness a question of the final states. No cycle in
/// configurations with each kind of event, by a search that knows its path.
#[test]
fn no_cycles() {
    for name in [
        "signals, kill and abort",
        "interrupts wanted again",
        "a killed reader",
        "copies that fail, abort",
        "resend, signals and kill",
        "release of a device while it is resent",
        "background, killed at the gate",
        "background, forced past the gate, abort",
        "INIT answered late, kill, abort",
        "left with memory, faults, two readers, resend twice",
    ] {
        match explore(&find(name), usize::MAX) {
            Verdict::Clean { states } => println!("{name}: no cycle in {states} states"),
            verdict => panic!("{name}: {verdict:?}"),
        }
    }
}

/// All of them; with `ENGINE_SOAK` set, millions of states more (`make soak`).
#[test]
fn all_interleavings() {
    let mut all = configs();
    if std::env::var_os("ENGINE_SOAK").is_some() {
        all.extend(larger_configs());
    }
    explore_all(all);
}

fn explore_all(configs: Vec<(&'static str, Config)>) {
    let (mut states, mut unique) = (0, 0);
    // To look at one of them.
    let only = std::env::var("ENGINE_CONFIG").unwrap_or_default();
    for (name, config) in configs.into_iter().filter(|(name, _)| name.contains(&only)) {
        let began = std::time::Instant::now();
        let checker = System(config).checker().threads(2).spawn_bfs().join();
        println!(
            "{name}: {} states, {} distinct, depth {}, {:.1?}",
            checker.state_count(),
            checker.unique_state_count(),
            checker.max_depth(),
            began.elapsed()
        );
        if let Some((property, path)) = checker.discoveries().into_iter().next() {
            let last = path.last_state();
            let mut actions = vec![];
            last.actions(&checker.model().0, &mut actions);
            let why = last
                .wrong()
                .or_else(|| last.unfinished(&checker.model().0, &actions));
            panic!(
                "{name}: {property}: {why:?}\n{:?}\n{last:?}",
                path.clone().into_actions()
            );
        }
        assert!(checker.is_done());
        states += checker.state_count();
        unique += checker.unique_state_count();
    }
    println!("in all: {states} states, {unique} distinct");
}
