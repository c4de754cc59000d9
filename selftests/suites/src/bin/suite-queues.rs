// SPDX-License-Identifier: GPL-2.0

//! Suite `queues`: what happens to requests besides being answered.

#[path = "../queues/debug.rs"]
mod debug;
#[path = "../queues/device.rs"]
mod device;
#[path = "../queues/notify.rs"]
mod notify;
#[path = "../queues/record.rs"]
mod record;
#[path = "../queues/resend.rs"]
mod resend;
#[path = "../queues/steps.rs"]
mod steps;
#[path = "../queues/timeout.rs"]
mod timeout;

fn main() {
    let mut all = notify::cases();
    all.extend(resend::cases());
    all.extend(debug::cases());
    all.extend(steps::cases());
    all.extend(record::cases());
    all.extend(timeout::cases());
    ktap::run("queues", all);
}
