// SPDX-License-Identifier: GPL-2.0

//! Our module's parameter `killable`: whether SIGKILL frees a caller whose request the daemon has.
//! C has none, and behaves as if it were N.

use ktap::Impl;

const FILE: &str = "/sys/module/fuse/parameters/killable";

/// Whether a killed caller leaves a request that the daemon has.
pub fn get() -> bool {
    ktap::implementation() == Impl::Rust && std::fs::read_to_string(FILE).expect(FILE).trim() == "Y"
}

/// Sets it; does nothing with C.
pub fn set(yes: bool) {
    if ktap::implementation() == Impl::Rust {
        std::fs::write(FILE, if yes { "Y" } else { "N" }).expect(FILE);
    }
}

/// Sets how many seconds a task that dies of a signal waits for its FLUSHes; does nothing with C,
/// where it waits for ever.
pub fn set_flush_wait(secs: u32) {
    if ktap::implementation() == Impl::Rust {
        let file = "/sys/module/fuse/parameters/flush_wait";
        std::fs::write(file, secs.to_string()).expect(file);
    }
}
