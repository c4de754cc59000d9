// SPDX-License-Identifier: GPL-2.0

//! Suite `left`: for everybody else it is as if a killed caller were still asleep in C.

mod data;
mod exits;
mod group;
mod limits;
mod locks;
mod matrix;
mod memory;
mod names;
mod over;
mod random;
mod random_caller;
mod random_daemon;
mod rights;
mod rows;
mod scene;
mod waiters;

fn main() {
    if !ktap::listing() {
        scene::on_one_processor();
        scene::drop_quietly();
        scene::callers_leave();
    }
    let mut all = data::cases();
    all.extend(names::cases());
    all.extend(rights::cases());
    all.extend(exits::cases());
    all.extend(locks::cases());
    all.extend(waiters::cases());
    all.extend(memory::cases());
    all.extend(group::cases());
    all.extend(limits::cases());
    all.extend(over::cases());
    all.extend(matrix::cases());
    all.extend(random::cases());
    ktap::run("left", all);
}
