// SPDX-License-Identifier: GPL-2.0
//! The kernel's trace events, through tracefs.

use std::fs;

const TRACEFS: &str = "/sys/kernel/tracing";

/// Events that happen in a daemon's thread, for a request that it serves.
pub const SERVING: &[&str] = &[
    "fuse_request_taken",
    "fuse_request_sent",
    "fuse_reply_found",
    "fuse_request_end",
];

/// One event as the kernel logged it.
#[derive(Debug, Clone)]
pub struct Event {
    /// In whose context it happened.
    pub pid: u32,
    pub micros: u64,
    pub name: String,
    /// The event's own text, `key=value` or the like.
    pub text: String,
}

impl Event {
    /// `              sh-50      [001] .....    17.495348: sys_enter: NR 33 (a, 1, 0, 0, 0, 0)`
    fn parse(line: &str) -> Option<Event> {
        let (task, rest) = line.split_once(" [")?;
        let pid = task.trim().rsplit_once('-')?.1.trim().parse().ok()?;
        let mut parts = rest.split_whitespace().skip(2);
        let time = parts.next()?.strip_suffix(':')?;
        let (seconds, fraction) = time.split_once('.')?;
        let micros = seconds.parse::<u64>().ok()? * 1_000_000 + fraction.parse::<u64>().ok()?;
        let (_, rest) = rest.split_once(&format!("{time}: "))?;
        let (name, text) = rest.split_once(": ")?;
        Some(Event {
            pid,
            micros,
            name: name.into(),
            text: text.trim().into(),
        })
    }

    /// The value after `key` in texts like `comm=rm pid=77` and `req 12 opcode 10`.
    pub fn value(&self, key: &str) -> Option<&str> {
        let mut words = self.text.split([' ', '=', ',', '(', ')']);
        words.find(|word| *word == key)?;
        words.find(|word| !word.is_empty())
    }

    pub fn number(&self, key: &str) -> Option<i64> {
        self.value(key)?.parse().ok()
    }
}

fn set(file: &str, value: &str) -> Result<(), String> {
    let path = format!("{TRACEFS}/{file}");
    fs::write(&path, value).map_err(|error| format!("{path}: {error}"))
}

/// Switches on the events that a journey is made of.
pub fn enable() -> Result<(), String> {
    set("tracing_on", "0")?;
    set("trace", "")?;
    // One clock for all processors.
    set("trace_clock", "mono")?;
    set("buffer_size_kb", "4096")?;
    for event in [
        "fuse",
        "raw_syscalls/sys_enter",
        "raw_syscalls/sys_exit",
        "sched/sched_switch",
        "sched/sched_waking",
    ] {
        set(&format!("events/{event}/enable"), "1")?;
    }
    set("tracing_on", "1")
}

/// Switches the events off and returns them in the order of time.
pub fn take() -> Result<Vec<Event>, String> {
    set("tracing_on", "0")?;
    set("events/enable", "0")?;
    let path = format!("{TRACEFS}/trace");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    set("trace", "")?;
    // The whole of it comes out too, for those who want to know more.
    if let Ok(out) = std::env::var("RF_OUT") {
        let _ = fs::write(format!("{out}/journey.trace"), &text);
    }
    let mut events: Vec<Event> = text.lines().filter_map(Event::parse).collect();
    events.sort_by_key(|event| event.micros);
    Ok(events)
}
