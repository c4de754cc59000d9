// SPDX-License-Identifier: GPL-2.0

//! The module's order of a wait (`engine::wait_loop`) under loom, over the steps of the kernel's
//! wait queues and rcuwait: no wake-up is lost.

use super::scenarios;

#[test]
fn rcuwait_wakes_up() {
    scenarios::rcuwait(true);
}

/// Without the barrier in the waker, loom finds the execution in which both miss the other.
#[test]
#[should_panic(expected = "deadlock")]
fn rcuwait_needs_its_barrier() {
    scenarios::rcuwait(false);
}

#[test]
fn l1_answer_wakes_up() {
    scenarios::answer();
}

#[test]
fn s5_l1_signalled() {
    scenarios::signalled(false);
}

#[test]
fn s1_l1_killed_caller_leaves() {
    scenarios::signalled(true);
}

#[test]
fn l2_killed_reader_keeps_no_wakeup() {
    scenarios::killed_reader();
}

#[test]
fn l1_killed_at_gate_keeps_no_wakeup() {
    scenarios::killed_at_gate();
}

#[test]
fn l1_foreground_at_gate_keeps_no_wakeup() {
    scenarios::foreground_at_gate();
}

#[test]
fn l1_abort_frees_all() {
    scenarios::abort();
}

#[test]
fn s9_callers_that_go_give_slots_back() {
    scenarios::slots();
}
