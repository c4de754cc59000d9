// SPDX-License-Identifier: GPL-2.0

//! The model under stateright: every interleaving of small configurations.
//!
//! Liveness is asked for in the states in which nobody can move unless something happens from
//! outside: all runs are finite (`interleavings::no_cycles`), so what has not happened by then
//! never does.

use super::model::{Action, Config, State};
use stateright::{Model, Property};

/// A configuration of the model.
#[derive(Clone)]
pub(crate) struct System(pub(crate) Config);

/// What is asserted; each begins with the name that a violation begins with.
const S1: &str = "S1: every request ends exactly once";
const S2: &str = "S2: a request is on at most one list";
const S3: &str = "S3: no copy touches a request's arguments after its end";
const S4: &str = "S4: the counts are never below zero, and zero in the end";
const S5: &str = "S5: an INTERRUPT is queued once, while the daemon has the request";
const S6: &str =
    "S6: what a caller that has left has lent goes back once, and is not touched again";
const S7: &str = "S7: no reply is refused since its caller leaves";
const S8: &str = "S8: a reply that is put back finds a slot";
const S9: &str = "S9: in the end no slots are kept that nobody needs";
const L1: &str = "L1: whoever was let down, killed or aborted returns";
const L2: &str = "L2: a fair daemon leaves no request stuck";

/// In the state, or in that nobody moves any more.
fn holds(system: &System, state: &State, claim: &str) -> bool {
    let name = &claim[..2];
    let broken = |what: Option<String>| what.is_some_and(|what| what.starts_with(name));
    if broken(state.violation()) || (claim == S2 && broken(state.inconsistent())) {
        return false;
    }
    // Of the others there is nothing to say in the end.
    if ![S1, S4, S6, S9, L1, L2].contains(&claim) {
        return true;
    }
    let mut actions = vec![];
    state.actions(&system.0, &mut actions);
    !broken(state.unfinished(&system.0, &actions))
}

impl Model for System {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.0)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        state.actions(&self.0, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        next.step(&self.0, action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(S1, |system, state| holds(system, state, S1)),
            Property::always(S2, |system, state| holds(system, state, S2)),
            Property::always(S3, |system, state| holds(system, state, S3)),
            Property::always(S4, |system, state| holds(system, state, S4)),
            Property::always(S5, |system, state| holds(system, state, S5)),
            Property::always(S6, |system, state| holds(system, state, S6)),
            Property::always(S7, |system, state| holds(system, state, S7)),
            Property::always(S8, |system, state| holds(system, state, S8)),
            Property::always(S9, |system, state| holds(system, state, S9)),
            Property::always(L1, |system, state| holds(system, state, L1)),
            Property::always(L2, |system, state| holds(system, state, L2)),
        ]
    }
}
