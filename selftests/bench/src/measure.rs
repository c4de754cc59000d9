// SPDX-License-Identifier: GPL-2.0
//! One measurement: so many operations between two readings of the instruction counter.

/// Operations before the measured ones.
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

fn instructions() -> u64 {
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

/// Measures `rounds` operations, and prints a line: name, instructions, requests and context switches, each
/// per operation times 1000, and the number of operations. `daemon` asks it for its counts, which costs one request itself.
///
/// # Errors
///
/// If an operation does not make as many requests as `requests` says.
pub fn measure(
    name: &str,
    rounds: u64,
    requests: u64,
    daemon: impl Fn() -> Daemon,
    mut operation: impl FnMut(),
) -> Result<(), String> {
    for _ in 0..WARM_UP {
        operation();
    }
    let theirs = daemon();
    let mine = switches();
    mark::<BEGIN>();
    let begin = instructions();
    for _ in 0..rounds {
        operation();
    }
    let end = instructions();
    mark::<END>();
    let mine = switches() - mine;
    let after = daemon();

    let asking = u64::from(after.requests > theirs.requests);
    let served = after.requests - theirs.requests - asking;
    let per = |value: u64| value * 1000 / rounds;
    println!(
        "row {name} {} {} {} {rounds}",
        per(end - begin),
        per(served),
        per(mine + after.switches - theirs.switches)
    );
    // What nobody waits for may be on its way still, or have been when the counting began.
    if served.abs_diff(requests * rounds) > 2 {
        return Err(format!("{name}: {served} requests for {rounds} operations"));
    }
    Ok(())
}
