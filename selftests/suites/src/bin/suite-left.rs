// SPDX-License-Identifier: GPL-2.0

//! Suite `left`: for everybody else it is as if a killed caller were still asleep in C.

#[path = "../left/data.rs"]
mod data;
#[path = "../left/exits.rs"]
mod exits;
#[path = "../left/group.rs"]
mod group;
#[path = "../left/limits.rs"]
mod limits;
#[path = "../left/matrix.rs"]
mod matrix;
#[path = "../left/memory.rs"]
mod memory;
#[path = "../left/names.rs"]
mod names;
#[path = "../left/over.rs"]
mod over;
#[path = "../left/random.rs"]
mod random;
#[path = "../left/random_caller.rs"]
mod random_caller;
#[path = "../left/random_daemon.rs"]
mod random_daemon;
#[path = "../left/rows/mod.rs"]
mod rows;
#[path = "../left/scene.rs"]
mod scene;
#[path = "../deadlock/settle.rs"]
#[allow(dead_code)]
mod settle;
#[path = "../left/waiters.rs"]
mod waiters;

fn main() {
    if !ktap::listing() {
        scene::on_one_processor();
        scene::drop_quietly();
        scene::callers_leave();
    }
    let mut all = data::cases();
    all.extend(names::cases());
    all.extend(exits::cases());
    all.extend(waiters::cases());
    all.extend(memory::cases());
    all.extend(group::cases());
    all.extend(limits::cases());
    all.extend(over::cases());
    all.extend(matrix::cases());
    all.extend(random::cases());
    ktap::run("left", all);
}
