// SPDX-License-Identifier: GPL-2.0

//! What the replay is worth: a trace as the module writes it is accepted, and each damage to it
//! rejected.

use engine_replay::{parse, replay, Summary};

/// Event, unique, opcode, device. Steps but for `end`.
type Line = (&'static str, u64, u32, u64);

const GETATTR: u32 = 3;
const RELEASE: u32 = 18;
const INIT: u32 = 26;

/// A session with each kind of step. The daemon lets one background request through at a time.
const SESSION: &[Line] = &[
    ("device_added", 0, 0, 1),
    ("request_held", 0, INIT, 0),
    ("request_queued", 2, INIT, 0),
    ("request_taken", 2, INIT, 1),
    ("reply_found", 2, INIT, 1),
    ("reply_copied", 2, INIT, 1),
    ("end", 2, 0, 0),
    // Interrupted.
    ("request_queued", 4, GETATTR, 0),
    ("request_taken", 4, GETATTR, 1),
    ("interrupt_queued", 4, GETATTR, 0),
    ("interrupt_taken", 4, 0, 1),
    ("reply_found", 4, GETATTR, 1),
    ("reply_copied", 4, GETATTR, 1),
    ("end", 4, 0, 0),
    // Killed before it was read. A FORGET has number 6.
    ("request_queued", 8, GETATTR, 0),
    ("request_queued", 10, GETATTR, 0),
    ("request_cancelled", 8, GETATTR, 0),
    ("request_taken", 10, GETATTR, 1),
    // Sent again, before one that has come since.
    ("request_queued", 12, GETATTR, 0),
    ("request_recalled", 10, GETATTR, 0),
    ("request_taken", 10, GETATTR, 1),
    ("request_taken", 12, GETATTR, 1),
    ("reply_found", 12, GETATTR, 1),
    // Its writer waits for a page.
    ("reply_parked", 12, GETATTR, 1),
    ("request_removed", 12, GETATTR, 0),
    ("reply_copied", 12, GETATTR, 1),
    ("end", 12, 0, 0),
    // Two in the background; the reply to the first lets the second through, after a third that is
    // not.
    ("request_held", 0, RELEASE, 0),
    ("request_queued", 14, RELEASE, 0),
    ("request_held", 0, RELEASE, 0),
    ("request_taken", 14, RELEASE, 1),
    ("request_queued", 16, GETATTR, 0),
    ("request_queued", 18, RELEASE, 0),
    ("reply_found", 14, RELEASE, 1),
    ("reply_copied", 14, RELEASE, 1),
    ("end", 14, 0, 0),
    // A second device takes one, and is closed.
    ("device_added", 0, 0, 9),
    ("request_taken", 16, GETATTR, 9),
    ("device_released", 0, 0, 9),
    ("request_dropped", 16, GETATTR, 0),
    ("end", 16, 0, 0),
    // Aborted.
    ("request_queued", 20, GETATTR, 0),
    ("chan_aborted", 0, 0, 0),
    ("request_dropped", 10, GETATTR, 0),
    ("request_dropped", 18, RELEASE, 0),
    ("request_dropped", 20, GETATTR, 0),
    ("end", 10, 0, 0),
    ("end", 18, 0, 0),
    ("end", 20, 0, 0),
    ("device_released", 0, 0, 1),
];

/// As tracefs has it.
fn text(lines: &[Line]) -> String {
    let mut text = String::from("# tracer: nop\n# max_background 1\n");
    let mut seq = 0;
    for (number, (name, unique, opcode, device)) in lines.iter().enumerate() {
        let head = format!("   suite-queues-77   [001] .....    17.{number:06}: fuse_");
        if *name == "end" {
            text += &format!("{head}request_end: connection 45 req {unique} len 16 error 0\n");
        } else {
            text += &format!(
                "{head}{name}: connection 45 req {unique} opcode {opcode} (FUSE_X) \
                     device {device} seq {seq}\n"
            );
            seq += 1;
        }
    }
    text
}

fn run(lines: &[Line]) -> Result<Summary, String> {
    replay(&parse(&text(lines))?)
}

#[test]
fn session_is_accepted() {
    let summary = run(SESSION).expect("accepted");
    assert_eq!(summary.requests, 9);
    let steps = SESSION.iter().filter(|line| line.0 != "end").count();
    assert_eq!(summary.steps, steps);
    assert_eq!(summary.kinds.values().sum::<usize>(), steps);
}

/// As if the module had not taken the step. Without some of them it could have gone on like that.
#[test]
fn missing_step_is_rejected() {
    let last_held = SESSION.iter().rposition(|line| line.0 == "request_held");
    for (number, line) in SESSION.iter().enumerate() {
        let free = match line.0 {
            // The daemon need not have read it.
            "interrupt_taken" => true,
            "reply_copied" => line.2 != INIT,
            // Not held back, and passed by itself: the same as one that somebody waits for.
            "request_held" => line.2 == INIT || last_held == Some(number),
            // Nobody was there any more.
            "device_released" => line.3 == 1,
            _ => false,
        };
        let mut lines = SESSION.to_vec();
        lines.remove(number);
        let result = run(&lines);
        assert_eq!(
            result.is_ok(),
            free,
            "without {number}: {line:?}: {result:?}"
        );
    }
}

/// A resend with a request in the middle that cannot be sent again: the others go to the front
/// together.
#[test]
fn spent_request_is_let_go_of() {
    let session: Vec<Line> = vec![
        ("device_added", 0, 0, 1),
        ("request_held", 0, INIT, 0),
        ("request_queued", 2, INIT, 0),
        ("request_taken", 2, INIT, 1),
        ("reply_found", 2, INIT, 1),
        ("reply_copied", 2, INIT, 1),
        ("end", 2, 0, 0),
        ("request_queued", 4, GETATTR, 0),
        ("request_queued", 6, GETATTR, 0),
        ("request_queued", 8, GETATTR, 0),
        ("request_taken", 4, GETATTR, 1),
        ("request_taken", 6, GETATTR, 1),
        ("request_taken", 8, GETATTR, 1),
        ("request_recalled", 4, GETATTR, 0),
        ("request_removed", 6, GETATTR, 0),
        ("request_recalled", 8, GETATTR, 0),
        ("end", 6, 0, 0),
        ("request_taken", 4, GETATTR, 1),
        ("request_taken", 8, GETATTR, 1),
        ("reply_found", 4, GETATTR, 1),
        ("end", 4, 0, 0),
        ("reply_found", 8, GETATTR, 1),
        ("end", 8, 0, 0),
    ];
    assert_eq!(run(&session).expect("accepted").requests, 4);
    // Nobody said that it has let go of it.
    let untold = session
        .into_iter()
        .filter(|line| line.0 != "request_removed");
    assert!(run(&untold.collect::<Vec<_>>()).is_err());
}

#[test]
fn lost_event_is_rejected() {
    let text = text(SESSION);
    let damaged: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("seq 20"))
        .collect();
    let events = parse(&damaged.join("\n")).expect("text");
    assert!(replay(&events).expect_err("a gap").contains("missing"));
    let events = parse("CPU:0 [LOST 12 EVENTS]");
    assert!(events.expect_err("overflow").contains("lost"));
}

#[test]
fn other_values_are_rejected() {
    for number in 0..SESSION.len() {
        let mut others = vec![];
        let (_, unique, opcode, device) = SESSION[number];
        if unique != 0 {
            others.push((unique + 2, opcode, device));
            others.push((unique + 100, opcode, device));
        }
        // The last one may be of any number that no other has.
        if device != 0 && SESSION[number].0 != "reply_copied" {
            others.push((unique, opcode, device + 1));
        }
        if opcode != 0 && SESSION[number].0 != "request_held" {
            others.push((unique, opcode + 1, device));
        }
        for (unique, opcode, device) in others {
            let mut lines = SESSION.to_vec();
            lines[number] = (lines[number].0, unique, opcode, device);
            let result = run(&lines);
            assert!(result.is_err(), "{number}: {:?}: {result:?}", lines[number]);
        }
    }
}

#[test]
fn wrong_order_is_rejected() {
    let swap = |one: Line, other: Line| {
        let mut lines = SESSION.to_vec();
        let at = |line: Line| SESSION.iter().position(|it| *it == line).expect("line");
        let last = |line: Line| SESSION.iter().rposition(|it| *it == line).expect("line");
        lines.swap(last(one), at(other));
        run(&lines)
    };
    // What is sent again goes first.
    let order = swap(
        ("request_taken", 10, GETATTR, 1),
        ("request_taken", 12, GETATTR, 1),
    );
    assert!(order
        .expect_err("order")
        .contains("another request is next"));
    // A reply before the request was read.
    let early = swap(
        ("request_taken", 4, GETATTR, 1),
        ("reply_found", 4, GETATTR, 1),
    );
    assert!(early.is_err());
    // An INTERRUPT after the reply.
    let late = swap(
        ("interrupt_queued", 4, GETATTR, 0),
        ("reply_found", 4, GETATTR, 1),
    );
    assert!(late.is_err());
    // A request that comes after the abort.
    let after = swap(
        ("request_queued", 20, GETATTR, 0),
        ("chan_aborted", 0, 0, 0),
    );
    assert!(after.expect_err("abort").contains("Disconnected"));
}

/// S1: ended twice, or never.
#[test]
fn ends_are_counted() {
    let end = SESSION
        .iter()
        .position(|line| line.0 == "end")
        .expect("end");
    let mut lines = SESSION.to_vec();
    lines.insert(end, SESSION[end]);
    assert!(run(&lines)
        .expect_err("twice")
        .contains("has ended 2 times"));
    lines.drain(end..end + 2);
    assert!(run(&lines)
        .expect_err("never")
        .contains("has ended 0 times"));
}
