// SPDX-License-Identifier: GPL-2.0

//! Our module's parameter `killable`: whether SIGKILL frees a caller whose request the daemon has. C has none, and
//! behaves as if it were N.

use ktap::Impl;

const FILE: &str = "/sys/module/fuse/parameters/killable";

/// Whether a killed caller leaves a request that the daemon has.
pub fn get() -> bool {
    ktap::implementation() == Impl::Rust
        && std::fs::read_to_string(FILE).expect(FILE).trim() == "Y"
}

/// Sets it; does nothing with C.
pub fn set(yes: bool) {
    if ktap::implementation() == Impl::Rust {
        std::fs::write(FILE, if yes { "Y" } else { "N" }).expect(FILE);
    }
}
