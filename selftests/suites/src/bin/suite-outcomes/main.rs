// SPDX-License-Identifier: GPL-2.0

//! Suite `outcomes`: a table without an empty cell. Each operation that is sent meets each thing
//! that can become of a request; what the caller gets, what the daemon's write gives and what is
//! sent next are the same on both modules.
//!
//! The rows are those of the catalogue.

mod outcome;

use suites::catalogue;

fn main() {
    let names = catalogue::main().map(|row| row.name.to_string());
    ktap::run("outcomes", suites::cases_of(names, row));
}

fn row() {
    outcome::meets_each(catalogue::find(&suites::case()));
}
