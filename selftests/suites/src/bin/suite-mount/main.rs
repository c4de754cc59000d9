// SPDX-License-Identifier: GPL-2.0

//! Suite `mount`: options, INIT, and the device around them; and mounts on block devices.

mod blk;
mod blk_calls;
mod blk_destroy;
mod device;
mod freeze;
mod init;
mod lifetime;
mod minors;
mod options;
mod remount;
mod several;
mod unload;

fn main() {
    let mut all = options::cases();
    all.extend(init::cases());
    all.extend(minors::cases());
    all.extend(device::cases());
    all.extend(remount::cases());
    all.extend(several::cases());
    all.extend(freeze::cases());
    all.extend(lifetime::cases());
    all.extend(blk::cases());
    all.extend(blk_destroy::cases());
    all.extend(blk_calls::cases());
    all.extend(unload::cases());
    ktap::run("mount", all);
}
