// SPDX-License-Identifier: GPL-2.0

//! Suite `requests`: the path of a request, with a daemon that does what no library would.

mod background;
mod buffers;
mod ends;
mod headers;
mod interrupt;
mod order;
mod parked;
mod places;
mod threads;

fn main() {
    let mut all = order::cases();
    all.extend(interrupt::cases());
    all.extend(headers::cases());
    all.extend(buffers::cases());
    all.extend(places::cases());
    all.extend(parked::cases());
    all.extend(background::cases());
    all.extend(ends::cases());
    all.extend(threads::cases());
    ktap::run("requests", all);
}
