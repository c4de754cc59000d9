// SPDX-License-Identifier: GPL-2.0

//! The configurations of the model that are explored.

use super::model::{Config, Kind, Memory};

/// The one of this name.
pub(crate) fn find(name: &str) -> Config {
    let found = configs().into_iter().find(|(other, _)| *other == name);
    found.expect("a configuration of this name").1
}

/// The configurations. Each is about certain events together; all have everything else in small.
pub(crate) fn configs() -> Vec<(&'static str, Config)> {
    [
        of_callers(),
        of_copies(),
        of_resends(),
        of_devices(),
        of_background(),
        of_memory(),
        of_memory_resent(),
        of_slots(),
    ]
    .concat()
}

/// Callers that are interrupted and killed, and a daemon that is slow or mute.
fn of_callers() -> Vec<(&'static str, Config)> {
    use Kind::Foreground;
    let base = Config::default;
    let two = || vec![Foreground, Foreground];
    vec![
        (
            "signals, kill and abort",
            Config {
                kinds: two(),
                signals: true,
                kills: 2,
                aborts: 1,
                ..base()
            },
        ),
        (
            "interrupts wanted again",
            Config {
                kinds: two(),
                signals: true,
                kills: 2,
                again: 2,
                ..base()
            },
        ),
        (
            "INIT answered late, kill, abort",
            Config {
                kinds: two(),
                late_init: true,
                signals: true,
                kills: 2,
                aborts: 1,
                ..base()
            },
        ),
        (
            "a mute daemon: who is killed returns",
            Config {
                kinds: two(),
                writers: vec![],
                readers: vec![0, 0],
                signals: true,
                kills: 2,
                faults: 1,
                ..base()
            },
        ),
        (
            "a killed reader",
            Config {
                kinds: two(),
                readers: vec![0, 0],
                reader_kills: 1,
                ..base()
            },
        ),
    ]
}

/// Copies that fault and fail, and answers that come too early.
fn of_copies() -> Vec<(&'static str, Config)> {
    use Kind::{Foreground, NotifyReply};
    let base = Config::default;
    let two = || vec![Foreground, Foreground];
    vec![
        (
            "two readers and writers, faults, abort",
            Config {
                kinds: two(),
                readers: vec![0, 0],
                writers: vec![0, 0],
                faults: 2,
                aborts: 1,
                ..base()
            },
        ),
        (
            "faults that are never served, abort",
            Config {
                kinds: two(),
                faults: 1,
                stuck: true,
                kills: 2,
                signals: true,
                aborts: 1,
                ..base()
            },
        ),
        (
            "copies that fail, abort",
            Config {
                kinds: two(),
                faults: 1,
                failures: 2,
                aborts: 1,
                ..base()
            },
        ),
        (
            "replies before the request was sent",
            Config {
                kinds: two(),
                readers: vec![0, 0],
                guesses: 2,
                faults: 1,
                signals: true,
                ..base()
            },
        ),
        (
            "more forgets than fit, and a killed reader",
            Config {
                kinds: vec![Foreground],
                readers: vec![0, 0],
                forgets: 3,
                room: 2,
                reader_kills: 1,
                ..base()
            },
        ),
        (
            "forgets, a message without reply, abort",
            Config {
                kinds: vec![NotifyReply, Foreground],
                forgets: 3,
                faults: 1,
                aborts: 1,
                ..base()
            },
        ),
    ]
}

/// Requests that are sent again.
fn of_resends() -> Vec<(&'static str, Config)> {
    use Kind::Foreground;
    let base = Config::default;
    let two = || vec![Foreground, Foreground];
    vec![
        (
            "resend, signals and kill",
            Config {
                kinds: two(),
                resends: 1,
                signals: true,
                kills: 2,
                ..base()
            },
        ),
        (
            "resend twice",
            Config {
                kinds: two(),
                resends: 2,
                signals: true,
                ..base()
            },
        ),
        (
            "one request, two readers, resend, signal",
            Config {
                kinds: vec![Foreground],
                readers: vec![0, 0],
                resends: 2,
                signals: true,
                ..base()
            },
        ),
        (
            "resend, two devices, abort",
            Config {
                kinds: two(),
                readers: vec![0, 1],
                writers: vec![0, 1],
                devices: 2,
                resends: 1,
                aborts: 1,
                ..base()
            },
        ),
    ]
}

/// Several devices, which are closed.
fn of_devices() -> Vec<(&'static str, Config)> {
    use Kind::Foreground;
    let base = Config::default;
    let two = || vec![Foreground, Foreground];
    vec![
        (
            "release of one of two devices, and of the last",
            Config {
                kinds: two(),
                readers: vec![0, 1],
                writers: vec![0, 1],
                devices: 2,
                releases: vec![0, 1],
                ..base()
            },
        ),
        (
            "release of a device while it is resent",
            Config {
                kinds: two(),
                readers: vec![0, 1],
                writers: vec![0, 1],
                devices: 2,
                releases: vec![0],
                resends: 1,
                ..base()
            },
        ),
    ]
}

/// The queue of the background and its gate.
fn of_background() -> Vec<(&'static str, Config)> {
    use Kind::{Background, ForcedBackground, Foreground};
    let base = Config::default;
    vec![
        (
            "background, one at a time, abort",
            Config {
                kinds: vec![Background, Background, Background, Foreground],
                max_background: 1,
                aborts: 1,
                ..base()
            },
        ),
        (
            "background, forced past the gate, abort",
            Config {
                kinds: vec![ForcedBackground, Background, ForcedBackground],
                max_background: 1,
                aborts: 1,
                ..base()
            },
        ),
        (
            "background, killed at the gate",
            Config {
                kinds: vec![Background, Background, Background],
                max_background: 1,
                kills: 1,
                late_init: true,
                ..base()
            },
        ),
        (
            "background, resend, failing copies, release",
            Config {
                kinds: vec![Background, Background],
                max_background: 1,
                resends: 1,
                failures: 1,
                faults: 1,
                releases: vec![0],
                ..base()
            },
        ),
    ]
}

/// Requests with memory of callers that leave.
fn of_memory() -> Vec<(&'static str, Config)> {
    use Kind::Foreground;
    let base = Config::default;
    let two = || vec![Foreground, Foreground];
    vec![
        (
            "left with memory, faults",
            Config {
                kinds: two(),
                memory: vec![Memory::In, Memory::Out],
                signals: true,
                kills: 2,
                faults: 1,
                ..base()
            },
        ),
        (
            "left with memory, a mute daemon",
            Config {
                kinds: two(),
                memory: vec![Memory::In, Memory::Out],
                writers: vec![],
                readers: vec![0, 0],
                signals: true,
                kills: 2,
                faults: 1,
                resends: 1,
                ..base()
            },
        ),
    ]
}

/// The same, sent again.
fn of_memory_resent() -> Vec<(&'static str, Config)> {
    use Kind::Foreground;
    let base = Config::default;
    let two = || vec![Foreground, Foreground];
    vec![
        (
            "left with memory, resend",
            Config {
                kinds: two(),
                memory: vec![Memory::In, Memory::Out],
                signals: true,
                kills: 1,
                resends: 1,
                ..base()
            },
        ),
        (
            "left with memory, faults, two readers, resend twice",
            Config {
                kinds: vec![Foreground],
                memory: vec![Memory::In],
                readers: vec![0, 0],
                writers: vec![0, 0],
                signals: true,
                kills: 1,
                faults: 1,
                resends: 2,
                ..base()
            },
        ),
        (
            "left with memory, resend, abort, release",
            Config {
                kinds: vec![Foreground],
                memory: vec![Memory::In],
                readers: vec![0, 1],
                writers: vec![0, 1],
                devices: 2,
                signals: true,
                kills: 1,
                resends: 1,
                aborts: 1,
                releases: vec![0],
                ..base()
            },
        ),
        (
            "left with memory before it is read, resend, abort",
            Config {
                kinds: vec![Foreground],
                readers: vec![0, 0],
                memory: vec![Memory::In],
                forced: true,
                kills: 1,
                resends: 1,
                faults: 1,
                aborts: 1,
                ..base()
            },
        ),
    ]
}

/// More requests than there are slots at first: segments come and go, and numbers of slots come
/// back. Devices that nobody uses take up the others.
fn of_slots() -> Vec<(&'static str, Config)> {
    use Kind::{Background, Foreground};
    let base = Config::default;
    vec![
        (
            "slots come and go, signals",
            Config {
                kinds: vec![Foreground; 3],
                devices: 3,
                signals: true,
                ..base()
            },
        ),
        (
            "slots come and go, faults, abort",
            Config {
                kinds: vec![Foreground; 2],
                devices: 3,
                writers: vec![0, 0],
                faults: 2,
                aborts: 1,
                ..base()
            },
        ),
        (
            "slots come and go, background, resend",
            Config {
                kinds: vec![Background, Foreground, Foreground],
                devices: 3,
                max_background: 1,
                resends: 1,
                ..base()
            },
        ),
        (
            "slots come and go, many in turn",
            Config {
                kinds: vec![Foreground; 7],
                devices: 3,
                at_once: 2,
                ..base()
            },
        ),
        (
            "slots come and go, a segment with others on it",
            Config {
                kinds: vec![Foreground],
                devices: 13,
                releases: vec![4, 5, 6, 7],
                ..base()
            },
        ),
        (
            "slots come and go, far devices are closed",
            Config {
                kinds: vec![Foreground; 2],
                readers: vec![0, 5],
                writers: vec![0, 5],
                devices: 6,
                releases: vec![4, 5],
                faults: 1,
                ..base()
            },
        ),
    ]
}

/// Those that are too large for each run.
pub(crate) fn larger_configs() -> Vec<(&'static str, Config)> {
    use Kind::{Background, Foreground};
    let base = Config::default;
    vec![
        (
            "background, resend, failing copies, release (3)",
            Config {
                kinds: vec![Background; 3],
                max_background: 2,
                resends: 1,
                failures: 1,
                faults: 1,
                releases: vec![0],
                ..base()
            },
        ),
        (
            "release of one of two devices, and of the last, faults",
            Config {
                kinds: vec![Foreground; 2],
                readers: vec![0, 1],
                writers: vec![0, 1],
                devices: 2,
                releases: vec![0, 1],
                faults: 1,
                ..base()
            },
        ),
        (
            "resend twice, signals and kill",
            Config {
                kinds: vec![Foreground; 2],
                resends: 2,
                signals: true,
                kills: 2,
                ..base()
            },
        ),
        (
            "three callers, signals, kill, abort",
            Config {
                kinds: vec![Foreground; 3],
                signals: true,
                kills: 3,
                aborts: 1,
                ..base()
            },
        ),
        (
            "left with memory before it is read, resend, abort (2)",
            Config {
                kinds: vec![Foreground; 2],
                memory: vec![Memory::In, Memory::Out],
                forced: true,
                kills: 2,
                resends: 1,
                aborts: 1,
                ..base()
            },
        ),
    ]
}
