// SPDX-License-Identifier: GPL-2.0

//! Suite `daemons`: unmodified daemons, worked on with ordinary tools.

mod death;
mod start;
mod work;

fn main() {
    let mut all = work::cases();
    all.extend(death::cases());
    ktap::run("daemons", all);
}
