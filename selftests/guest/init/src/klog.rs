// SPDX-License-Identifier: GPL-2.0
//! The kernel's log, and what in it fails a run. There is no list of exceptions.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

/// Any of these in a line of the log is a failure.
const BAD: &[&str] = &[
    "WARNING:",
    "BUG:",
    "BUG ",
    "kernel BUG at",
    "Oops",
    "general protection fault",
    "Kernel panic",
    "INFO: possible",
    "INFO: task",
    "INFO: rcu",
    "INFO: lockdep",
    "INFO: trying to register",
    "possible circular locking",
    "possible recursive locking",
    "suspicious RCU usage",
    "bad unlock balance",
    "held lock freed",
    "lock held when returning",
    "inconsistent lock state",
    "KASAN:",
    "KFENCE:",
    "ODEBUG:",
    "rust_kernel: panicked",
    "refcount_t:",
    "list_add corruption",
    "list_del corruption",
    "Objects remaining",
    "kmem_cache_destroy",
    "kmemleak:",
    "unreferenced object",
    "soft lockup",
    "hard LOCKUP",
    "detected stall",
    "self-detected stall",
    "blocked for more than",
    "sleeping function called",
    "scheduling while atomic",
    "VFS: Busy inodes",
    "module verification failed",
    "Unknown symbol",
    "disagrees about version",
];

/// What kmemleak says when all is well.
const GOOD: &[&str] = &[
    "kmemleak: Kernel memory leak detector initialized",
    "kmemleak: Automatic memory scanning thread started",
];

/// What kmemleak says with CONFIG_DEBUG_KMEMLEAK_DEFAULT_OFF, at boot. Later it would mean that it
/// has given up.
const OFF: &str = "kmemleak: Kernel memory leak detector disabled";

/// The last line of the boot.
const BOOTED: &str = "Run /init as init process";

/// The whole log as text, one line per record.
pub fn read() -> Result<String, String> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open("/dev/kmsg")
        .map_err(|error| format!("/dev/kmsg: {error}"))?;
    let mut text = String::new();
    let mut record = [0u8; 8192];
    loop {
        match file.read(&mut record) {
            Ok(0) => break,
            Ok(length) => push_record(&mut text, &String::from_utf8_lossy(&record[..length])),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // EPIPE: records were overwritten before they were read; what was lost cannot be
            // judged.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                text.push_str("WARNING: records of the kernel's log were lost\n");
            }
            Err(error) => return Err(format!("/dev/kmsg: {error}")),
        }
    }
    Ok(text)
}

/// A record is `priority,sequence,microseconds,flags;text`, then lines of its dictionary.
fn push_record(text: &mut String, record: &str) {
    let Some((head, body)) = record.split_once(';') else {
        return;
    };
    let micros: u64 = head
        .split(',')
        .nth(2)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    let line = body.lines().next().unwrap_or_default();
    text.push_str(&format!(
        "[{:5}.{:06}] {line}\n",
        micros / 1_000_000,
        micros % 1_000_000
    ));
}

/// The lines of the log that fail a run.
pub fn bad_lines(log: &str) -> Vec<&str> {
    let booted = log.lines().position(|line| line.contains(BOOTED));
    log.lines()
        .enumerate()
        .filter(|(at, line)| !(line.contains(OFF) && booted.is_some_and(|booted| *at < booted)))
        .map(|(_, line)| line)
        .filter(|line| BAD.iter().any(|bad| line.contains(bad)))
        .filter(|line| !GOOD.iter().any(|good| line.contains(good)))
        .collect()
}
