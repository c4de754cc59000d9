// SPDX-License-Identifier: GPL-2.0

//! Suite `engine`: the device beyond read(2) and write(2).

#[path = "../engine/clones.rs"]
mod clones;
#[path = "../engine/events.rs"]
mod events;
#[path = "../engine/moves.rs"]
mod moves;
#[path = "../engine/namespaces.rs"]
mod namespaces;
#[path = "../engine/splice_read.rs"]
mod splice_read;
#[path = "../engine/splice_write.rs"]
mod splice_write;
#[path = "../engine/sync_init.rs"]
mod sync_init;
#[path = "../engine/uring.rs"]
mod uring;

fn main() {
    let mut all = splice_read::cases();
    all.extend(splice_write::cases());
    all.extend(moves::cases());
    all.extend(events::cases());
    all.extend(clones::cases());
    all.extend(sync_init::cases());
    all.extend(namespaces::cases());
    all.extend(uring::cases());
    ktap::run("engine", all);
}
