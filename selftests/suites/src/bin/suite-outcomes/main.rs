// SPDX-License-Identifier: GPL-2.0

//! Suite `outcomes`: a table without an empty cell. Each operation that is sent meets each thing that can become of
//! a request; what the caller gets, what the daemon's write gives and what is sent next are the same on both
//! modules.

mod operations;
mod outcome;

fn main() {
    ktap::run("outcomes", operations::cases());
}
