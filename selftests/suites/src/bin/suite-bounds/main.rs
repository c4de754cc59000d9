// SPDX-License-Identifier: GPL-2.0

//! Suite `bounds`: an ordinary user, in a control group with little memory and few tasks, does with
//! mounts of their own what takes most: the machine's memory outside of the group stays as it is,
//! no processor gets stuck, and everybody else's mounts work.
//!
//! `RF_BOUNDS` is for how many seconds each flood goes on, in a group with 256 MiB; without it each
//! has a few rounds, most in a smaller group. `SEED` is where what is drawn comes from.

mod board;
mod clones;
mod directories;
mod flood;
mod forgets;
mod group;
mod halves;
mod inits;
mod left;
mod mine;
mod notifications;
mod releases;
mod watch;

fn main() {
    if !ktap::listing() {
        suites::killable::set(true);
    }
    let mut all = directories::cases();
    all.extend(releases::cases());
    all.extend(forgets::cases());
    all.extend(notifications::cases());
    all.extend(halves::cases());
    all.extend(inits::cases());
    all.extend(clones::cases());
    all.extend(left::cases());
    ktap::run("bounds", all);
}
