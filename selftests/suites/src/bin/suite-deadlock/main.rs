// SPDX-License-Identifier: GPL-2.0

//! Suite `deadlock`: daemons that wait for themselves, who gets free of that by which means, and
//! copying that races with the end of its request.

mod after;
mod cell;
mod daemon;
mod race;
mod race_caller;
mod race_daemon;
mod scene;
mod table;

fn main() {
    let mut all = table::cases();
    all.extend(after::cases());
    all.extend(race::cases());
    ktap::run("deadlock", all);
}
