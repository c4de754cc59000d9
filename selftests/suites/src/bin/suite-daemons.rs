// SPDX-License-Identifier: GPL-2.0

//! Suite `daemons`: unmodified daemons, worked on with ordinary tools.

#[path = "../daemons/death.rs"]
mod death;
#[path = "../daemons/start.rs"]
mod start;
#[path = "../daemons/tools.rs"]
mod tools;
#[path = "../daemons/work.rs"]
mod work;

fn main() {
    let mut all = work::cases();
    all.extend(death::cases());
    ktap::run("daemons", all);
}
