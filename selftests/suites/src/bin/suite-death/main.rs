// SPDX-License-Identifier: GPL-2.0

//! Suite `death`: callers, daemons and connections that end in the middle of anything.

mod drops;
mod faulting;
mod freeze;
mod kit;
mod late;
mod left;
mod pages;
mod points;
mod undo;
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
    all.extend(drops::cases());
    all.extend(freeze::cases());
    all.extend(faulting::cases());
    ktap::run("death", all);
}
