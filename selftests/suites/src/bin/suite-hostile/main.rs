// SPDX-License-Identifier: GPL-2.0

//! Suite `hostile`: a daemon that lies, by seed.
//!
//! `N` is how many bad messages are sent in all, `SEED` where they come from: `make test
//! SUITE=hostile N=1000000 SEED=5`. FreeBSD's three cases of a bad server have names of their own
//! elsewhere: UnknownUnique is `requests.unknown_unique`, ShortWrite `requests.length_that_lies`,
//! ErrorWithPayload `ops.error_with_payload`.

mod daemon;
mod each;
mod ioctl;
mod mutate;
mod notify;
mod pick;
mod replay;
mod shards;
mod steps;
mod storm;
mod userns;
mod works;

fn main() {
    if !ktap::listing() {
        suites::killable::set(true);
    }
    ktap::run("hostile", shards::cases());
}
