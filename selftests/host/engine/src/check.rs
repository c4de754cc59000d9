// SPDX-License-Identifier: GPL-2.0

//! The model under stateright: every interleaving of small configurations.

use super::model::{Action, Config, State};
use stateright::{Model, Property};

/// A configuration of the model.
#[derive(Clone)]
pub(crate) struct System(pub(crate) Config);

pub(crate) const SAFE: &str = "S1 to S5 hold";
pub(crate) const LIVE: &str = "whoever can move no more is done (L1, L2)";

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
            Property::always(SAFE, |_, state: &State| state.wrong().is_none()),
            Property::always(LIVE, |system: &System, state: &State| {
                let mut actions = vec![];
                state.actions(&system.0, &mut actions);
                state.unfinished(&system.0, &actions).is_none()
            }),
        ]
    }
}
