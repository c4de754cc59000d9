// SPDX-License-Identifier: GPL-2.0
//! The journey of requests, from the trace events of the kernel: the caller on the left, the daemon
//! on the right.

use crate::daemon::Daemon;
use crate::syscall;
use crate::trace::{self, Event};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

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

/// Removes a file of the daemon's mount and shows what happened.
pub fn of_rm(daemon: &Daemon, ours: bool) -> Result<(), String> {
    let file = daemon.mount.join("farewell");
    std::fs::write(&file, "to be removed\n")
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let mut rm = Command::new("rm");
    let (status, caller, events) = traced(rm.arg(&file).stdin(Stdio::null()))?;
    if !status.success() {
        return Err(format!("rm: {status}"));
    }
    if std::fs::metadata(daemon.behind.join("farewell")).is_ok() {
        return Err("rm succeeded, and the file behind is still there".into());
    }

    let lines = timeline(window(&events, caller)?, caller);
    print(&lines, &format!("rm ({caller})"), daemon.name);
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

/// Runs a command and shows what it asks of daemons. Gives the command's exit code.
pub fn of_command(words: &[String]) -> Result<u8, String> {
    let (program, arguments) = words.split_first().ok_or("journey COMMAND [ARGUMENT...]")?;
    let (status, caller, events) = traced(Command::new(program).args(arguments))?;
    let lines = timeline(&events, caller);
    if lines.is_empty() {
        println!(
            "{program} ({caller}) has asked nothing of a daemon; \
             of what its children do nothing is shown"
        );
    } else {
        println!();
        print(&lines, &format!("{program} ({caller})"), "");
    }
    let signal = status.signal().unwrap_or(0) + 128;
    Ok(u8::try_from(status.code().unwrap_or(signal)).unwrap_or(1))
}

/// Runs a command with the events on: how it ended, its process id, and the events.
fn traced(command: &mut Command) -> Result<(ExitStatus, u32, Vec<Event>), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    trace::enable()?;
    let ended = command.spawn().and_then(|mut child| {
        let caller = child.id();
        child.wait().map(|status| (status, caller))
    });
    let events = trace::take()?;
    let (status, caller) = ended.map_err(|error| format!("{name}: {error}"))?;
    Ok((status, caller, events))
}

/// The events from the caller's entry into unlinkat to its exit.
fn window(events: &[Event], caller: u32) -> Result<&[Event], String> {
    let is = |event: &Event, name: &str| {
        event.pid == caller && event.name == name && event.number("NR") == Some(syscall::UNLINKAT)
    };
    let begin = events.iter().position(|event| is(event, "sys_enter"));
    let end = events.iter().position(|event| is(event, "sys_exit"));
    match (begin, end) {
        (Some(begin), Some(end)) if begin < end => Ok(&events[begin..=end]),
        _ => Err("the trace does not show rm's unlinkat".into()),
    }
}

/// What the caller asks of daemons, and what they do about it.
fn timeline(events: &[Event], caller: u32) -> Vec<Line> {
    let mut story = Story::new(events, caller);
    for event in events {
        story.tell(event);
    }
    // The entry into a system call is told when it turns out to ask something.
    story.lines.sort_by_key(|line| line.micros);
    story.lines
}

/// The caller's system call.
struct Call {
    number: i64,
    micros: u64,
    /// Has it asked something?
    told: bool,
}

/// Where the caller's request is.
#[derive(Default)]
struct Request {
    under_way: bool,
    /// The caller is still in the system call, or fault, that it came from.
    inside: bool,
    /// The daemon's read(2) has returned with it.
    read: bool,
    /// The daemon has begun to answer.
    answered: bool,
    ended: bool,
    daemon_woken: bool,
}

/// The timeline as it grows.
struct Story {
    caller: u32,
    /// Threads of daemons that have had requests: others sleep on, or look and find nothing.
    daemons: Vec<u32>,
    start: Option<u64>,
    call: Option<Call>,
    request: Request,
    asleep: bool,
    lines: Vec<Line>,
}

impl Story {
    fn new(events: &[Event], caller: u32) -> Self {
        let serving =
            |event: &&Event| event.pid != caller && trace::SERVING.contains(&event.name.as_str());
        Self {
            caller,
            daemons: events
                .iter()
                .filter(serving)
                .map(|event| event.pid)
                .collect(),
            start: None,
            call: None,
            request: Request::default(),
            asleep: false,
            lines: Vec::new(),
        }
    }

    fn push(&mut self, micros: u64, right: bool, step: Option<&'static str>, text: String) {
        let start = *self.start.get_or_insert(micros);
        self.lines.push(Line {
            micros: micros.saturating_sub(start),
            right,
            text,
            step,
        });
    }

    fn tell(&mut self, event: &Event) {
        if event.name == "sched_switch" {
            self.switch(event);
        } else if event.name == "fuse_request_end" {
            self.end(event);
        } else if event.pid == self.caller {
            self.of_caller(event);
        } else if self.request.under_way && self.daemons.contains(&event.pid) {
            self.of_daemon(event);
        }
    }

    fn of_caller(&mut self, event: &Event) {
        let now = event.micros;
        match event.name.as_str() {
            "sys_enter" => {
                self.call = event.number("NR").map(|number| Call {
                    number,
                    micros: now,
                    told: false,
                });
            }
            "sys_exit" => {
                if let Some(Call {
                    number, told: true, ..
                }) = self.call.take()
                {
                    self.request.inside = false;
                    let result = event.text.rsplit(' ').next().unwrap_or("?");
                    let text = format!("done: {} returns {result}", syscall::name(number));
                    self.push(now, false, Some("exit"), text);
                }
            }
            "fuse_request_send" => {
                if let Some(call) = &mut self.call {
                    let (number, micros) = (call.number, call.micros);
                    if !std::mem::replace(&mut call.told, true) {
                        let text = format!("enters {}", syscall::name(number));
                        self.push(micros, false, Some("enter"), text);
                    }
                }
                self.request = Request {
                    under_way: true,
                    inside: true,
                    ..Request::default()
                };
                let what = event.text.split(['(', ')']).nth(1).unwrap_or("?");
                let unique = event.value("req").unwrap_or("?");
                let text = format!("makes a request: {what}, unique {unique}");
                self.push(now, false, Some("send"), text);
            }
            "fuse_request_queued" => {
                self.push(
                    now,
                    false,
                    Some("queued"),
                    "request queued on pending".into(),
                );
            }
            "sched_waking" if self.request.under_way && self.wakes_a_daemon(event) => {
                let more = if self.request.ended { " for more" } else { "" };
                self.push(now, false, None, format!("wakes the daemon{more}"));
            }
            _ => {}
        }
    }

    fn wakes_a_daemon(&self, event: &Event) -> bool {
        process(event, "pid").is_some_and(|pid| self.daemons.contains(&pid))
    }

    fn of_daemon(&mut self, event: &Event) {
        let (name, number) = (event.name.as_str(), event.number("NR").unwrap_or(-1));
        let (step, text) = match name {
            "sys_exit" if !self.request.read && syscall::READS.contains(&number) => {
                self.request.read = true;
                let result = event.text.rsplit(' ').next().unwrap_or("?");
                (Some("read"), format!("read returns {result} bytes"))
            }
            "sys_enter" if self.request.read && !self.request.answered => {
                if syscall::WRITES.contains(&number) {
                    self.request.answered = true;
                    (Some("write"), "writes the answer".into())
                } else if syscall::is_about_files(number) {
                    (None, format!("calls {}", syscall::name(number)))
                } else {
                    return;
                }
            }
            "fuse_request_taken" => (Some("taken"), "request put on processing".into()),
            "fuse_request_sent" => (Some("sent"), "request copied out".into()),
            "fuse_reply_found" => {
                let unique = event.value("req").unwrap_or("?");
                (Some("found"), format!("request found by unique {unique}"))
            }
            "fuse_reply_copied" => (Some("copied"), "reply copied in".into()),
            "sched_waking" if process(event, "pid") == Some(self.caller) => {
                (None, "wakes the caller".into())
            }
            _ => return,
        };
        self.push(event.micros, true, step, text);
    }

    fn end(&mut self, event: &Event) {
        let mine = event.pid == self.caller;
        if !self.request.under_way || !(mine || self.daemons.contains(&event.pid)) {
            return;
        }
        self.request.ended = true;
        let error = event.value("error").unwrap_or("?");
        let text = format!("request ended, error {error}");
        self.push(event.micros, !mine, Some("end"), text);
    }

    /// `prev_comm=rm prev_pid=77 prev_prio=120 prev_state=S ==> next_comm=... next_pid=70
    /// next_prio=120`
    fn switch(&mut self, event: &Event) {
        if !self.request.under_way {
            return;
        }
        let now = event.micros;
        let (previous, next) = (process(event, "prev_pid"), process(event, "next_pid"));
        let is_daemon = |pid: Option<u32>| pid.is_some_and(|pid| self.daemons.contains(&pid));
        let (from_daemon, to_daemon) = (is_daemon(previous), is_daemon(next));
        // A task that is only preempted stays runnable.
        let sleeps = event
            .value("prev_state")
            .is_some_and(|state| !state.starts_with('R'));
        if previous == Some(self.caller) && sleeps && self.request.inside {
            self.asleep = true;
            self.push(now, false, Some("asleep"), "asleep".into());
        } else if from_daemon && sleeps && self.request.read {
            let again = if self.request.answered {
                " in read again"
            } else {
                ""
            };
            self.push(now, true, None, format!("asleep{again}"));
        }
        if next == Some(self.caller) && self.asleep {
            self.asleep = false;
            self.push(now, false, Some("woken"), "woken".into());
        } else if to_daemon && !self.request.daemon_woken {
            self.request.daemon_woken = true;
            self.push(now, true, Some("woken"), "woken in read".into());
        }
    }
}

fn process(event: &Event, key: &str) -> Option<u32> {
    u32::try_from(event.number(key)?).ok()
}

fn print(lines: &[Line], caller: &str, daemon: &str) {
    let left = format!("caller: {caller}");
    let right = format!("daemon: {daemon}");
    let right = right.trim_end_matches([':', ' ']);
    println!("    us  {left:<WIDTH$}| {right}");
    println!("        {:-<WIDTH$}+{:-<WIDTH$}", "", "");
    for line in lines {
        if line.right {
            println!("{:6}  {:<WIDTH$}| {}", line.micros, "", line.text);
        } else {
            println!("{:6}  {:<WIDTH$}|", line.micros, line.text);
        }
    }
}
