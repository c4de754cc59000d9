// SPDX-License-Identifier: GPL-2.0

//! The kernel log, read from where a case began, so that a splat is charged to its case.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

const BAD: &[&str] = &[
    "WARNING:",
    "BUG:",
    "BUG ",
    "Oops",
    "kernel panic",
    "Kernel panic",
    "rust_kernel: panicked",
    "KASAN",
    "INFO: task",
    "INFO: trying to register",
    "possible circular locking",
    "possible recursive locking",
    "inconsistent lock state",
    "suspicious RCU usage",
    "sleeping function called",
    "scheduling while atomic",
    "general protection fault",
    "unable to handle",
    "refcount_t:",
    "list_add corruption",
    "list_del corruption",
    "ODEBUG:",
    "workqueue lockup",
    "soft lockup",
    "rcu_sched",
    "rcu: INFO",
    "kmemleak:",
];

/// A position in /dev/kmsg.
pub struct Log {
    file: Option<File>,
}

impl Log {
    /// Opens the log at its present end.
    pub fn open() -> Log {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .ok();
        let mut file = file;
        if let Some(f) = file.as_mut() {
            let _ = f.seek(SeekFrom::End(0));
        }
        Log { file }
    }

    /// Lines since, from the first bad one on; empty if there is none.
    pub fn splats(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let Some(f) = self.file.as_mut() else {
            return lines;
        };
        let mut buf = [0u8; 8192];
        let mut seen = false;
        // One record per read; EPIPE means that some were overwritten.
        loop {
            match f.read(&mut buf) {
                Ok(0) => break,
                Ok(n) => {
                    let text = String::from_utf8_lossy(&buf[..n]);
                    let msg = text.split_once(';').map_or(&*text, |x| x.1).trim_end();
                    seen |= BAD.iter().any(|b| msg.contains(b));
                    if seen && lines.len() < 80 {
                        lines.push(msg.to_string());
                    }
                }
                Err(e) if e.raw_os_error() == Some(libc::EPIPE) => continue,
                Err(_) => break,
            }
        }
        lines
    }
}
