// SPDX-License-Identifier: GPL-2.0

//! `fail-nth`: the nth allocation or copy of a thread's system call fails.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::sync::OnceLock;

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
    for option in [
        "CONFIG_FAILSLAB",
        "CONFIG_FAIL_PAGE_ALLOC",
        "CONFIG_FAULT_INJECTION_USERCOPY",
        "CONFIG_FAULT_INJECTION_DEBUG_FS",
        // Each row wants faults under functions of the module.
        "CONFIG_FAULT_INJECTION_STACKTRACE_FILTER",
    ] {
        ktap::needs(option);
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
    Places::All.choose();
}

/// Which places are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Places {
    /// Those that a function of the module has led to.
    OfModule,
    All,
}

impl Places {
    /// Has the kernel count only these.
    pub fn choose(self) {
        static TEXT: OnceLock<Range<usize>> = OnceLock::new();
        let Range { start, end } = match self {
            Places::OfModule => TEXT.get_or_init(module_text).clone(),
            Places::All => 0..usize::MAX,
        };
        for attr in ["failslab", "fail_page_alloc", "fail_usercopy"] {
            for (file, value) in [("require-start", start), ("require-end", end)] {
                let file = format!("/sys/kernel/debug/{attr}/{file}");
                fs::write(&file, format!("{value:#x}")).unwrap_or_else(|e| panic!("{file}: {e}"));
            }
        }
    }
}

/// Where the code of the module under test is.
fn module_text() -> Range<usize> {
    let all = fs::read_to_string("/proc/kallsyms").expect("kallsyms");
    let of_functions = all.lines().filter_map(|line| {
        let (address, rest) = line.strip_suffix("[fuse]")?.split_once(' ')?;
        let function = rest.starts_with(['t', 'T']);
        function.then(|| usize::from_str_radix(address, 16).expect("address"))
    });
    let at: Vec<usize> = of_functions.collect();
    let (first, last) = (at.iter().min(), at.iter().max());
    let (first, last) = first.zip(last).expect("no function of the module");
    assert_ne!(*first, 0, "addresses are hidden");
    // No function is longer than that, and no code of others is near.
    *first..*last + 0x1_0000
}

/// What a system call gave with faults: how many of them, and which results.
#[derive(Default)]
pub struct Outcome {
    pub injected: u32,
    /// There is one under a function of the module.
    pub in_module: bool,
    /// Results by error, [`OK`] for success, with their number.
    pub results: BTreeMap<i32, u32>,
}

impl Outcome {
    /// This came of a round; whether there is another.
    pub fn add<T>(&mut self, (of, n): Round, r: &Res<T>, hit: bool) -> bool {
        if hit {
            match of {
                Places::OfModule => self.in_module = true,
                Places::All => self.injected += 1,
            }
            let e = r.as_ref().err().unwrap_or(&OK);
            *self.results.entry(e.0).or_default() += 1;
            assert!(n < MOST, "no end: {}", self.text());
        }
        hit || of == Places::OfModule || n == MOST
    }

    pub fn text(&self) -> String {
        let all: Vec<String> = self
            .results
            .iter()
            .map(|(e, n)| format!("{} {n}", name(Errno(*e))))
            .collect();
        let module = if self.in_module {
            ""
        } else {
            ", none of the module's"
        };
        format!("{} injected{module}: {}", self.injected, all.join(", "))
    }

    /// What is wrong with it: fewer than so many faults, none of the module's, or a result that the
    /// table does not have for this row.
    pub fn wrong(&self, row: &str, least: u32) -> Vec<String> {
        println!("{row}: {}", self.text());
        let allowed = results::allowed(row);
        let mut wrong = Vec::new();
        if self.injected < least {
            wrong.push(format!("{row}: {} injected", self.injected));
        }
        if !self.in_module && !results::nothing_of_module(row) {
            wrong.push(format!("{row}: none of the module's"));
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
    // No call but these and `f` between, or they would be what fails: as the two that look and
    // clear are, if `f` has fewer places.
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

/// Of which places the nth fails.
pub type Round = (Places, u32);

/// The rounds, the last of which is the one that does not reach a fault. The first has none either:
/// memory of this process that is touched for the first time would be a place too, and the one of
/// the call that has its number would never fail.
pub fn plan() -> impl Iterator<Item = Round> {
    let first = [(Places::All, MOST), (Places::OfModule, 1)];
    first.into_iter().chain((1..).map(|n| (Places::All, n)))
}

/// Repeats `f` with the first, second, ... place failing, until it gets through without. `before`
/// makes what each round works on and `after` tidies up, without faults.
pub fn rounds<S, T>(
    mut before: impl FnMut() -> S,
    mut f: impl FnMut(&mut S) -> Res<T>,
    mut after: impl FnMut(S, Res<T>),
) -> Outcome {
    let mut outcome = Outcome::default();
    for round in plan() {
        round.0.choose();
        let mut state = before();
        let (r, hit) = with_fault(round.1, || f(&mut state));
        let goes_on = outcome.add(round, &r, hit);
        after(state, r);
        if !goes_on {
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
