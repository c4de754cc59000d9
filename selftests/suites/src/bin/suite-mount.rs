// SPDX-License-Identifier: GPL-2.0

//! Suite `mount`: options, INIT, and the device around them.

#[path = "../mount/device.rs"]
mod device;
#[path = "../mount/init.rs"]
mod init;
#[path = "../mount/lifetime.rs"]
mod lifetime;
#[path = "../mount/options.rs"]
mod options;

fn main() {
    let mut all = options::cases();
    all.extend(init::cases());
    all.extend(device::cases());
    all.extend(lifetime::cases());
    ktap::run("mount", all);
}
