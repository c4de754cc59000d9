// SPDX-License-Identifier: GPL-2.0
//! One measurement: so many operations between two readings of the instruction counter, or of the
//! clock.

use std::time::{Duration, Instant};

/// Operations before the measured ones, at most: always fewer than those.
const WARM_UP: u64 = 300;

/// Numbers of the plugin `counter`.
const BEGIN: u8 = 1;
const END: u8 = 2;

/// What the plugin counts from, or to; for the processor a no-op.
#[inline(always)]
fn mark<const NUMBER: u8>() {
    // SAFETY: `nopl NUMBER << 24 | "RFB"(%rax,%rax,1)` does nothing.
    unsafe {
        core::arch::asm!(
            ".byte 0x0f, 0x1f, 0x84, 0x00, 0x52, 0x46, 0x42, {number}",
            number = const NUMBER,
            options(nomem, nostack, preserves_flags)
        );
    }
}

/// The time stamp counter: executed instructions under QEMU, ticks of the host's processor on User
/// Mode Linux.
fn stamp() -> u64 {
    // SAFETY: Reads a counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Context switches of this process so far.
pub fn switches() -> u64 {
    // SAFETY: rusage is plain data, and the kernel fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    (usage.ru_nvcsw + usage.ru_nivcsw) as u64
}

/// Requests and context switches of the daemon so far.
#[derive(Clone, Copy, Default)]
pub struct Daemon {
    pub requests: u64,
    pub switches: u64,
}

/// What an operation is measured in.
pub enum Meter {
    /// Instructions, of as many operations as the row says.
    Instructions,
    /// Nanoseconds of CLOCK_MONOTONIC, of about as many operations as this time has room for.
    Time(Duration),
}

impl Meter {
    /// How many operations to measure, of which `warm_up` took `elapsed`, and for which the row
    /// says `rounds`.
    fn rounds(&self, rounds: u64, warm_up: u64, elapsed: Duration) -> u64 {
        match self {
            Meter::Instructions => rounds,
            Meter::Time(time) => {
                let fitting = time.as_nanos() * u128::from(warm_up) / elapsed.as_nanos().max(1);
                (fitting as u64).max(warm_up + 1)
            }
        }
    }

    /// Measures `rounds` operations, and prints a line: name, instructions or nanoseconds, requests
    /// and context switches, each per operation times 1000, and the number of operations. With the
    /// clock a second line has the time stamps of beginning and end, by which the host finds its
    /// samples. `daemon` asks it for its counts, which costs one request itself.
    ///
    /// # Errors
    ///
    /// If an operation does not make as many requests as `requests` says.
    pub fn measure(
        &self,
        name: &str,
        rounds: u64,
        requests: u64,
        daemon: impl Fn() -> Daemon,
        mut operation: impl FnMut(),
    ) -> Result<(), String> {
        let warm_up = WARM_UP.min(rounds - 1);
        let begin = Instant::now();
        for _ in 0..warm_up {
            operation();
        }
        let rounds = self.rounds(rounds, warm_up, begin.elapsed());
        let theirs = daemon();
        let mine = switches();
        let clock = Instant::now();
        mark::<BEGIN>();
        let begin = stamp();
        for _ in 0..rounds {
            operation();
        }
        let end = stamp();
        mark::<END>();
        let time = clock.elapsed();
        let mine = switches() - mine;
        let after = daemon();

        let asking = u64::from(after.requests > theirs.requests);
        let served = after.requests - theirs.requests - asking;
        let per = |value: u64| value * 1000 / rounds;
        let measured = match self {
            Meter::Instructions => end - begin,
            Meter::Time(_) => time.as_nanos() as u64,
        };
        println!(
            "row {name} {} {} {} {rounds}",
            per(measured),
            per(served),
            per(mine + after.switches - theirs.switches)
        );
        if let Meter::Time(_) = self {
            println!("stamps {begin} {end}");
        }
        // What nobody waits for may be on its way still, or have been when the counting began.
        if served.abs_diff(requests * rounds) > 2 {
            return Err(format!("{name}: {served} requests for {rounds} operations"));
        }
        Ok(())
    }
}
