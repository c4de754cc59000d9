// SPDX-License-Identifier: GPL-2.0

//! Suite `requests`: the path of a request, with a daemon that does what no library would.

#[path = "../requests/background.rs"]
mod background;
#[path = "../requests/buffers.rs"]
mod buffers;
#[path = "../requests/ends.rs"]
mod ends;
#[path = "../requests/headers.rs"]
mod headers;
#[path = "../requests/interrupt.rs"]
mod interrupt;
#[path = "../requests/order.rs"]
mod order;
#[path = "../requests/parked.rs"]
mod parked;
#[path = "../requests/places.rs"]
mod places;
#[path = "../requests/threads.rs"]
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
