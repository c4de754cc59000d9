// SPDX-License-Identifier: GPL-2.0

//! Suite `control`: what an administrator sees and sets.

#[path = "../control/sysctl.rs"]
mod sysctl;

fn main() {
    let all = sysctl::cases();
    ktap::run("control", all, suites::GAPS);
}
