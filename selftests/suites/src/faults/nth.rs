// SPDX-License-Identifier: GPL-2.0

//! `fail-nth`: the nth allocation or copy of a thread's system call fails.

use std::collections::BTreeMap;
use std::fs;

use ktap::{cases, Case};
use mockd::errno::{Errno, Res, EFAULT, ENOMEM};

use crate::results::{self, OK};

const FILE: &str = "/proc/thread-self/fail-nth";

/// More faults than any system call has places for: reached by a call that never gets through.
pub const MOST: u32 = 500;

pub fn cases() -> Vec<Case> {
    cases![known_injections_hit]
}

/// Prepares the kernel, or ends the case where there is no fault injection.
pub fn prepare() {
    if !ktap::debug_kernel() {
        ktap::skip("the plain kernel has no fault injection");
    }
    for (file, value) in [
        // Allocations that may sleep fail too, and those of a single page.
        ("failslab/ignore-gfp-wait", "N"),
        ("failslab/verbose", "0"),
        ("fail_page_alloc/ignore-gfp-wait", "N"),
        ("fail_page_alloc/ignore-gfp-highmem", "N"),
        ("fail_page_alloc/min-order", "0"),
        ("fail_page_alloc/verbose", "0"),
        ("fail_usercopy/verbose", "0"),
    ] {
        fs::write(format!("/sys/kernel/debug/{file}"), value)
            .unwrap_or_else(|e| panic!("{file}: {e}"));
    }
}

/// What a system call gave with faults: how many of them, and which results.
#[derive(Default)]
pub struct Outcome {
    pub injected: u32,
    /// Results by error, [`OK`] for success, with their number.
    pub results: BTreeMap<i32, u32>,
}

impl Outcome {
    /// A fault was reached, and this came of it.
    pub fn add<T>(&mut self, r: &Res<T>) {
        self.injected += 1;
        let e = r.as_ref().err().unwrap_or(&OK);
        *self.results.entry(e.0).or_default() += 1;
    }

    pub fn text(&self) -> String {
        let all: Vec<String> = self
            .results
            .iter()
            .map(|(e, n)| format!("{} {n}", name(Errno(*e))))
            .collect();
        format!("{} injected: {}", self.injected, all.join(", "))
    }

    /// What is wrong with it: fewer than so many faults, or a result that the table does not have for this row.
    pub fn wrong(&self, row: &str, least: u32) -> Vec<String> {
        println!("{row}: {}", self.text());
        let allowed = results::allowed(row);
        let mut wrong = Vec::new();
        if self.injected < least {
            wrong.push(format!("{row}: {} injected", self.injected));
        }
        for (e, n) in &self.results {
            if !allowed.contains(&Errno(*e)) {
                wrong.push(format!("{row}: {} {n} times", name(Errno(*e))));
            }
        }
        wrong
    }

    #[track_caller]
    pub fn check(&self, row: &str, least: u32) {
        let wrong = self.wrong(row, least);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

fn name(e: Errno) -> String {
    if e == OK {
        "ok".into()
    } else {
        e.to_string()
    }
}

/// Calls `f` with the nth place failing; whether that place was reached.
pub fn with_fault<T>(n: u32, f: impl FnOnce() -> T) -> (T, bool) {
    let text = n.to_string();
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(FILE)
        .expect(FILE);
    let mut left = [0u8; 16];
    // No call but these and `f` between, or they would be what fails: as the two that look and clear are, if `f` has
    // fewer places.
    let set = rustix::io::pwrite(&file, text.as_bytes(), 0);
    let v = f();
    let got = rustix::io::pread(&file, &mut left, 0);
    let cleared = rustix::io::pwrite(&file, b"0", 0);
    set.expect("fail-nth");
    let hit = match (got, cleared) {
        (Ok(len), Ok(_)) => left[..len].starts_with(b"0"),
        (Err(_), Ok(_)) | (Ok(_), Err(_)) => false,
        (Err(e), Err(_)) => panic!("fail-nth: {e}"),
    };
    (v, hit)
}

/// Repeats `f` with the first, second, ... place failing, until it gets through without. `before` makes what each
/// round works on and `after` tidies up, without faults.
pub fn rounds<S, T>(
    mut before: impl FnMut() -> S,
    mut f: impl FnMut(&mut S) -> Res<T>,
    mut after: impl FnMut(S, Res<T>),
) -> Outcome {
    let mut outcome = Outcome::default();
    // The first round is without a fault: memory of this process that is touched for the first time would be a place
    // too, and the one of the call that has its number would never fail.
    for n in std::iter::once(MOST).chain(1..) {
        assert!(n <= MOST, "no end: {}", outcome.text());
        let mut state = before();
        let (r, hit) = with_fault(n, || f(&mut state));
        if hit {
            outcome.add(&r);
        }
        after(state, r);
        if !hit && n != MOST {
            break;
        }
    }
    outcome
}

/// The same, where the rounds have nothing of their own to work on.
pub fn until_clean<T>(
    before: impl FnMut(),
    mut f: impl FnMut() -> Res<T>,
    mut after: impl FnMut(Res<T>),
) -> Outcome {
    rounds(before, |()| f(), |(), r| after(r))
}

/// The tool itself: system calls of others fail where they are known to.
fn known_injections_hit() {
    prepare();
    // A pipe needs memory.
    let (r, hit) = with_fault(1, || rustix::pipe::pipe().map(drop).map_err(Errno::from));
    assert_eq!(
        (r.err().map(|e| e == ENOMEM || e.0 == libc::ENFILE), hit),
        (Some(true), true)
    );
    // The first thing that stat(2) by path does is to get memory for the name and to copy it.
    let outcome = until_clean(
        || (),
        || mockd::user::lstat(std::path::Path::new("/")),
        drop,
    );
    println!("lstat: {}", outcome.text());
    for e in [ENOMEM, EFAULT] {
        assert!(
            outcome.results.contains_key(&e.0),
            "no {e}: {}",
            outcome.text()
        );
    }
}
