// SPDX-License-Identifier: GPL-2.0

//! Under shuttle: eight threads at once, over random schedules and such as probabilistic
//! concurrency testing (PCT) makes. A schedule that fails is printed, and can be run again from
//! that.

pub(crate) mod mix;
mod schedules;

// Compiled twice, here over shuttle's atomics and in loomed over loom's: it says super::sync.
#[path = "../rig/mod.rs"]
mod rig;

use super::engine;

/// What the rig is built of.
mod sync {
    pub(crate) use shuttle::sync::atomic::{fence, AtomicBool, AtomicU32};
    pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard as Guard};
    pub(crate) use std::sync::Arc;

    use shuttle::rand::{thread_rng, Rng};
    use std::sync::atomic::Ordering::SeqCst;

    /// Once in `n` times.
    pub(crate) fn chance(n: u32) -> bool {
        below(n) == 0
    }

    pub(crate) fn below(n: u32) -> u32 {
        thread_rng().gen_range(0..n)
    }

    /// Somebody else's turn.
    pub(crate) fn pause() {
        shuttle::thread::yield_now();
    }

    /// A request's arguments: two accesses at once are noticed.
    pub(crate) struct Args {
        value: AtomicU32,
        used: std::sync::atomic::AtomicBool,
    }

    impl Args {
        pub(crate) fn new() -> Self {
            Args {
                value: AtomicU32::new(0),
                used: false.into(),
            }
        }

        fn access<R>(&self, access: impl FnOnce(&AtomicU32) -> R) -> R {
            let used = self.used.swap(true, SeqCst);
            assert!(!used, "S3: two at the arguments");
            // Others may run here.
            let result = access(&self.value);
            self.used.store(false, SeqCst);
            result
        }

        pub(crate) fn read(&self) -> u32 {
            self.access(|value| value.load(SeqCst))
        }

        pub(crate) fn write(&self, new: u32) {
            self.access(|value| value.store(new, SeqCst));
        }
    }
}
