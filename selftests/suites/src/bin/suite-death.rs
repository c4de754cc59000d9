// SPDX-License-Identifier: GPL-2.0

//! Suite `death`: callers, daemons and connections that end in the middle of anything.

#[path = "../death/faulting.rs"]
mod faulting;
#[path = "../death/freeze.rs"]
mod freeze;
#[path = "../death/kit.rs"]
mod kit;
#[path = "../death/late.rs"]
mod late;
#[path = "../death/left.rs"]
mod left;
#[path = "../death/pages.rs"]
mod pages;
#[path = "../death/points.rs"]
mod points;
#[path = "../death/table.rs"]
mod table;
#[path = "../death/undo.rs"]
mod undo;
#[path = "../death/waits.rs"]
mod waits;

fn main() {
    if !ktap::listing() {
        // Callers are waited for before anything is served.
        suites::killable::set_flush_wait(0);
    }
    let mut all = points::cases();
    all.extend(undo::cases());
    all.extend(late::cases());
    all.extend(waits::cases());
    all.extend(pages::cases());
    all.extend(freeze::cases());
    all.extend(faulting::cases());
    ktap::run("death", all);
}
