// SPDX-License-Identifier: GPL-2.0

//! The callers whose interleavings are explored.

use super::{Caller, Config, Hold, Lock};

fn caller(locks: &[Lock]) -> Caller {
    Caller {
        locks: locks.to_vec(),
        user: 0,
        privileged: true,
    }
}

/// These callers on one inode, with nothing else that may happen.
fn with_callers(callers: impl IntoIterator<Item = Caller>) -> Config {
    Config {
        callers: callers.into_iter().collect(),
        inodes: 1,
        max_left: 100,
        failures: false,
        mistake: None,
    }
}

/// The one of this name.
pub(crate) fn find(name: &str) -> Config {
    let found = configs().into_iter().find(|(other, _)| *other == name);
    found.expect("a configuration of this name").1
}

/// What is explored.
pub(crate) fn configs() -> Vec<(&'static str, Config)> {
    use Hold::{Exclusive, Shared, Turn};
    let with = |callers: &[&[Lock]]| with_callers(callers.iter().map(|locks| caller(locks)));
    let user = |user| Caller {
        user,
        privileged: false,
        ..caller(&[(0, Shared)])
    };
    vec![
        ("alone", with(&[&[(0, Exclusive)][..]; 3])),
        (
            "together and alone",
            with(&[&[(0, Shared)], &[(0, Shared)], &[(0, Exclusive)]]),
        ),
        (
            "together and alone, leaving fails",
            Config {
                failures: true,
                ..with(&[&[(0, Shared)], &[(0, Shared)], &[(0, Exclusive)]])
            },
        ),
        (
            "turns of a directory",
            with(&[
                &[(0, Shared), (0, Turn)],
                &[(0, Shared), (0, Turn)],
                &[(0, Exclusive)],
            ]),
        ),
        (
            "two inodes",
            Config {
                inodes: 2,
                ..with(&[
                    &[(0, Exclusive), (1, Exclusive)],
                    &[(0, Shared)],
                    &[(1, Exclusive)],
                ])
            },
        ),
        (
            "two inodes, leaving fails",
            Config {
                inodes: 2,
                failures: true,
                ..with(&[
                    &[(0, Exclusive), (1, Shared)],
                    &[(0, Shared), (1, Exclusive)],
                ])
            },
        ),
        (
            "at most two",
            Config {
                max_left: 2,
                ..with(&[&[(0, Shared)][..]; 4])
            },
        ),
        (
            "at most five, of two users",
            Config {
                max_left: 5,
                ..with_callers([user(0), user(0), user(0), user(1)])
            },
        ),
    ]
}
