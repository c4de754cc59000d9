// SPDX-License-Identifier: GPL-2.0

//! Suite `notify`: what notifications do to what the kernel knows of nodes, names and data, at any
//! moment, also while the thread that sends one has a request of the same object.

mod delete;
mod forms;
mod held;
mod held_daemon;
mod inval_entry;
mod inval_inode;
mod kit;
mod pages;
mod prune;
mod race;
mod ranges;
mod reply;
mod retrieve;
mod stale;
mod store;
mod store_memory;
mod store_waits;
mod storm;

fn main() {
    let mut all = inval_inode::cases();
    all.extend(ranges::cases());
    all.extend(inval_entry::cases());
    all.extend(delete::cases());
    all.extend(prune::cases());
    all.extend(stale::cases());
    all.extend(forms::cases());
    all.extend(held::cases());
    all.extend(race::cases());
    all.extend(store::cases());
    all.extend(store_waits::cases());
    all.extend(store_memory::cases());
    all.extend(retrieve::cases());
    all.extend(reply::cases());
    all.extend(storm::cases());
    ktap::run("notify", all);
}
