// SPDX-License-Identifier: GPL-2.0

//! Suite `faults`: the kernel is short of memory, or a buffer is bad, at each place in turn. Debug kernel only, for
//! the plain one has no fault injection.

#[path = "../faults/calls.rs"]
mod calls;
#[path = "../faults/device.rs"]
mod device;
#[path = "../faults/nth.rs"]
mod nth;

fn main() {
    let mut all = nth::cases();
    all.extend(calls::cases());
    all.extend(device::cases());
    ktap::run("faults", all, suites::GAPS);
}
