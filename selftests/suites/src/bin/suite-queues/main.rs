// SPDX-License-Identifier: GPL-2.0

//! Suite `queues`: what happens to requests besides being answered.

mod debug;
mod device;
mod notify;
mod record;
mod resend;
mod slots;
mod steps;
mod timeout;

fn main() {
    let mut all = notify::cases();
    all.extend(resend::cases());
    all.extend(debug::cases());
    all.extend(slots::cases());
    all.extend(steps::cases());
    all.extend(record::cases());
    all.extend(timeout::cases());
    ktap::run("queues", all);
}
