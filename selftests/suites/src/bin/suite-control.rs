// SPDX-License-Identifier: GPL-2.0

//! Suite `control`: what an administrator sees and sets.

#[path = "../control/abort.rs"]
mod abort;
#[path = "../control/files.rs"]
mod files;
#[path = "../control/inval.rs"]
mod inval;
#[path = "../control/many.rs"]
mod many;
#[path = "../control/params.rs"]
mod params;
#[path = "../control/sysctl.rs"]
mod sysctl;
#[path = "../control/trace.rs"]
mod trace;
#[path = "../control/tree.rs"]
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
