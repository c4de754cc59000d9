// SPDX-License-Identifier: GPL-2.0

//! What all processes of a case see: how far the flood is, and how often the watch has looked.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// In memory that is shared.
pub struct Board {
    done: AtomicU64,
    looks: AtomicU64,
    over: AtomicBool,
}

impl Board {
    pub fn new() -> &'static Board {
        // SAFETY: two numbers and a flag, which may be zero.
        unsafe { mockd::mem::shared() }
    }

    /// One thing more has been done.
    pub fn did(&self, n: usize) {
        self.done.fetch_add(n as u64, Relaxed);
    }

    /// So many have.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// The time is over: to be asked in what takes long.
    pub fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    pub fn end(&self) {
        self.over.store(true, Relaxed);
    }

    pub fn looked(&self) {
        self.looks.fetch_add(1, Relaxed);
    }

    /// Returns when the watch has looked, at all, since the call.
    pub fn await_look(&self) {
        // One may be under way.
        let until = self.looks.load(Relaxed) + 2;
        while self.looks.load(Relaxed) < until {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}
