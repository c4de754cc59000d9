// SPDX-License-Identifier: GPL-2.0

//! A plain depth-first search of the model: it notices cycles, and is quick to compile once for
//! each mutant.

use super::model::{Action, Config, State};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

#[derive(Debug)]
pub(crate) enum Verdict {
    /// Everything was explored and all is well.
    Clean { states: usize },
    /// This is wrong after these steps.
    Wrong { what: String, path: Vec<Action> },
    /// There are more states than the limit.
    Unfinished,
}

struct Frame {
    state: State,
    print: u64,
    actions: Vec<Action>,
    by: Option<Action>,
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

pub(crate) fn explore(config: &Config, limit: usize) -> Verdict {
    // Whether the state is on the path.
    let mut seen: HashMap<u64, bool> = HashMap::new();
    let mut path: Vec<Frame> = vec![];
    let mut next = Some((State::new(config), None));
    loop {
        if let Some((state, by)) = next.take() {
            let print = fingerprint(&state);
            let mut wrong = None;
            match seen.insert(print, true) {
                Some(true) => wrong = Some("a cycle".to_string()),
                Some(false) => {
                    seen.insert(print, false);
                }
                None => {
                    let mut actions = vec![];
                    state.actions(config, &mut actions);
                    wrong = state.wrong();
                    wrong = wrong.or_else(|| state.unfinished(config, &actions));
                    path.push(Frame {
                        state,
                        print,
                        actions,
                        by,
                    });
                }
            }
            if let Some(what) = wrong {
                let path = path.iter().filter_map(|frame| frame.by).collect();
                return Verdict::Wrong { what, path };
            }
            if seen.len() > limit {
                return Verdict::Unfinished;
            }
        }
        let Some(frame) = path.last_mut() else {
            return Verdict::Clean { states: seen.len() };
        };
        match frame.actions.pop() {
            Some(action) => {
                let mut state = frame.state.clone();
                state.step(config, action);
                next = Some((state, Some(action)));
            }
            None => {
                seen.insert(frame.print, false);
                path.pop();
            }
        }
    }
}
