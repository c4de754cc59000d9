// SPDX-License-Identifier: GPL-2.0
//! The journey of one `rm`, from the trace events between the entry and the exit of its unlinkat: the
//! caller on the left, the daemon on the right.

use crate::daemon::Daemon;
use crate::trace::{self, Event};
use std::process::{Command, Stdio};

const UNLINKAT: i64 = 263;
const READS: &[i64] = &[0, 275];
const WRITES: &[i64] = &[1, 20, 275];
const WIDTH: usize = 44;

/// One line of the timeline.
struct Line {
    micros: u64,
    right: bool,
    text: String,
    /// Which of the steps that must be seen this is.
    step: Option<&'static str>,
}

/// Steps of any journey, and those that only our module's own events show.
const STEPS: &[&str] = &[
    "enter", "send", "asleep", "woken", "sent", "read", "write", "end", "exit",
];
const OUR_STEPS: &[&str] = &["queued", "taken", "found", "copied"];

/// Removes a file of the daemon's mount and prints what happened.
pub fn show(daemon: &Daemon, ours: bool) -> Result<(), String> {
    let file = daemon.mount.join("farewell");
    std::fs::write(&file, "to be removed\n")
        .map_err(|error| format!("{}: {error}", file.display()))?;
    trace::enable()?;
    let mut child = Command::new("rm")
        .arg(&file)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| format!("rm: {error}"))?;
    let caller = child.id();
    let status = child.wait().map_err(|error| format!("rm: {error}"))?;
    // Threads are made as they are needed: ask now, not before.
    let threads = daemon.threads();
    let events = trace::take()?;
    if !status.success() {
        return Err(format!("rm: {status}"));
    }
    if std::fs::metadata(daemon.behind.join("farewell")).is_ok() {
        return Err("rm succeeded, and the file behind is still there".into());
    }

    let lines = timeline(window(&events, caller)?, caller, &threads);
    print(&lines, caller, daemon.name);
    let wanted = STEPS.iter().chain(if ours { OUR_STEPS } else { &[] });
    let missing: Vec<&str> = wanted
        .filter(|step| !lines.iter().any(|line| line.step == Some(step)))
        .copied()
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("not seen on the journey: {}", missing.join(", ")))
    }
}

/// The events from the caller's entry into unlinkat to its exit.
fn window(events: &[Event], caller: u32) -> Result<&[Event], String> {
    let is = |event: &Event, name: &str| {
        event.pid == caller && event.name == name && event.number("NR") == Some(UNLINKAT)
    };
    let begin = events.iter().position(|event| is(event, "sys_enter"));
    let end = events.iter().position(|event| is(event, "sys_exit"));
    match (begin, end) {
        (Some(begin), Some(end)) if begin < end => Ok(&events[begin..=end]),
        _ => Err("the trace does not show rm's unlinkat".into()),
    }
}

fn timeline(events: &[Event], caller: u32, threads: &[u32]) -> Vec<Line> {
    let start = events.first().map_or(0, |event| event.micros);
    // Daemon threads that hold the request: others sleep on, or look and find nothing.
    let mut serving: Vec<u32> = Vec::new();
    for event in events {
        if event.name.starts_with("fuse_") && threads.contains(&event.pid) {
            serving.push(event.pid);
        }
    }
    let mut lines = Vec::new();
    let mut push = |event: &Event, right: bool, step: Option<&'static str>, text: String| {
        lines.push(Line {
            micros: event.micros - start,
            right,
            text,
            step,
        });
    };
    let (mut reading, mut writing, mut ended) = (true, false, false);
    let (mut caller_sleeps, mut woken) = (false, false);
    for event in events {
        let mine = event.pid == caller;
        let theirs = serving.contains(&event.pid);
        let number = event.number("NR").unwrap_or(-1);
        let target = event.number("pid").and_then(|pid| u32::try_from(pid).ok());
        match event.name.as_str() {
            "sys_enter" if mine && number == UNLINKAT => {
                push(event, false, Some("enter"), "enters unlink()".into());
            }
            "sys_exit" if mine && number == UNLINKAT => {
                let result = event.text.rsplit(' ').next().unwrap_or("?");
                push(
                    event,
                    false,
                    Some("exit"),
                    format!("done: unlink() returns {result}"),
                );
            }
            "sys_exit" if theirs && reading && READS.contains(&number) => {
                reading = false;
                let result = event.text.rsplit(' ').next().unwrap_or("?");
                push(
                    event,
                    true,
                    Some("read"),
                    format!("read returns {result} bytes"),
                );
            }
            "sys_enter" if theirs && number == UNLINKAT => {
                push(event, true, None, "unlinks the file behind".into());
            }
            "sys_enter" if theirs && !reading && !writing && WRITES.contains(&number) => {
                writing = true;
                push(event, true, Some("write"), "writes the answer".into());
            }
            "fuse_request_send" if mine => {
                let what = event.text.split(['(', ')']).nth(1).unwrap_or("?");
                let unique = event.value("req").unwrap_or("?");
                push(
                    event,
                    false,
                    Some("send"),
                    format!("makes a request: {what}, unique {unique}"),
                );
            }
            "fuse_request_queued" if mine => {
                push(
                    event,
                    false,
                    Some("queued"),
                    "request queued on pending".into(),
                );
            }
            "fuse_request_taken" if theirs => {
                push(
                    event,
                    true,
                    Some("taken"),
                    "request put on processing".into(),
                );
            }
            "fuse_request_sent" if theirs => {
                push(event, true, Some("sent"), "request copied out".into());
            }
            "fuse_reply_found" if theirs => {
                let unique = event.value("req").unwrap_or("?");
                push(
                    event,
                    true,
                    Some("found"),
                    format!("request found by unique {unique}"),
                );
            }
            "fuse_reply_copied" if theirs => {
                push(event, true, Some("copied"), "reply copied in".into());
            }
            "fuse_request_end" => {
                ended = true;
                let error = event.value("error").unwrap_or("?");
                push(
                    event,
                    !mine,
                    Some("end"),
                    format!("request ended, error {error}"),
                );
            }
            "sched_waking" if mine && target.is_some_and(|pid| threads.contains(&pid)) => {
                let text = if ended {
                    "wakes the daemon for more"
                } else {
                    "wakes the daemon"
                };
                push(event, false, None, text.into());
            }
            "sched_waking" if theirs && target == Some(caller) => {
                push(event, true, None, "wakes the caller".into());
            }
            // `prev_comm=rm prev_pid=77 prev_prio=120 prev_state=S ==> next_comm=... next_pid=70 next_prio=120`
            "sched_switch" => {
                let who = |key| event.number(key).and_then(|pid| u32::try_from(pid).ok());
                let (previous, next) = (who("prev_pid"), who("next_pid"));
                // A task that is only preempted stays runnable.
                let sleeps = event
                    .value("prev_state")
                    .is_some_and(|state| !state.starts_with('R'));
                if previous == Some(caller) && sleeps {
                    caller_sleeps = true;
                    push(event, false, Some("asleep"), "asleep".into());
                } else if previous.is_some_and(|pid| serving.contains(&pid)) && sleeps {
                    let text = if writing {
                        "asleep in read again"
                    } else {
                        "asleep"
                    };
                    push(event, true, None, text.into());
                }
                if next == Some(caller) && caller_sleeps {
                    caller_sleeps = false;
                    push(event, false, None, "woken".into());
                } else if next.is_some_and(|pid| serving.contains(&pid)) && !woken {
                    woken = true;
                    push(event, true, Some("woken"), "woken in read".into());
                }
            }
            _ => {}
        }
    }
    lines
}

fn print(lines: &[Line], caller: u32, daemon: &str) {
    let left = format!("caller: rm ({caller})");
    println!("    us  {left:<WIDTH$}| daemon: {daemon}");
    println!("        {:-<WIDTH$}+{:-<WIDTH$}", "", "");
    for line in lines {
        if line.right {
            println!("{:6}  {:<WIDTH$}| {}", line.micros, "", line.text);
        } else {
            println!("{:6}  {:<WIDTH$}|", line.micros, line.text);
        }
    }
}
