// SPDX-License-Identifier: GPL-2.0

//! Suite `device`: the device beyond read(2) and write(2).

mod clones;
mod early;
mod events;
mod moves;
mod namespaces;
mod splice_read;
mod splice_write;
mod sync_init;
mod uring;

fn main() {
    let mut all = splice_read::cases();
    all.extend(splice_write::cases());
    all.extend(moves::cases());
    all.extend(events::cases());
    all.extend(clones::cases());
    all.extend(sync_init::cases());
    all.extend(early::cases());
    all.extend(namespaces::cases());
    all.extend(uring::cases());
    ktap::run("device", all);
}
