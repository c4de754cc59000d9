// SPDX-License-Identifier: GPL-2.0

//! Suite `control`: what an administrator sees and sets.

mod abort;
mod files;
mod inval;
mod many;
mod params;
mod sysctl;
mod trace;
mod tree;

fn main() {
    let mut all = tree::cases();
    all.extend(files::cases());
    all.extend(abort::cases());
    all.extend(inval::cases());
    all.extend(many::cases());
    all.extend(params::cases());
    all.extend(sysctl::cases());
    all.extend(trace::cases());
    ktap::run("control", all);
}
