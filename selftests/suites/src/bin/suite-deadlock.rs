// SPDX-License-Identifier: GPL-2.0

//! Suite `deadlock`: daemons that wait for themselves, who gets free of that by which means, and
//! copying that races with the end of its request.

#[path = "../deadlock/after.rs"]
mod after;
#[path = "../deadlock/cell.rs"]
mod cell;
#[path = "../deadlock/daemon.rs"]
mod daemon;
#[path = "../deadlock/race.rs"]
mod race;
#[path = "../deadlock/race_caller.rs"]
mod race_caller;
#[path = "../deadlock/race_daemon.rs"]
mod race_daemon;
#[path = "../deadlock/scene.rs"]
mod scene;
#[path = "../deadlock/settle.rs"]
mod settle;
#[path = "../deadlock/table.rs"]
mod table;

fn main() {
    let mut all = table::cases();
    all.extend(after::cases());
    all.extend(race::cases());
    ktap::run("deadlock", all);
}
