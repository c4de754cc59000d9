// SPDX-License-Identifier: GPL-2.0

//! Suite `faults`: the kernel is short of memory, or a buffer is bad, at each place in turn. Debug
//! kernel only, for the plain one has no fault injection.

mod calls;
mod control;
mod device;
mod nth;
mod replies;
mod results;

fn main() {
    let mut all = nth::cases();
    all.extend(calls::cases());
    all.extend(device::cases());
    all.extend(replies::cases());
    all.extend(control::cases());
    ktap::run("faults", all);
}
