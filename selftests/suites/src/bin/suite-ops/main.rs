// SPDX-License-Identifier: GPL-2.0

//! Suite `ops`: every operation, against libfuse's passthrough_ll and the directory behind it, and
//! request by request against mockd.

mod attr;
mod badreply;
mod badreply_data;
mod data;
mod enosys;
mod listing;
mod maps;
mod names;
mod perms;
mod through;
mod wire_attr;
mod wire_data;
mod wire_dirs;
mod wire_forget;
mod wire_lookup;
mod wire_names;
mod wire_open;

fn main() {
    let mut all = names::cases();
    all.extend(listing::cases());
    all.extend(attr::cases());
    all.extend(data::cases());
    all.extend(maps::cases());
    all.extend(perms::cases());
    all.extend(wire_names::cases());
    all.extend(wire_dirs::cases());
    all.extend(wire_attr::cases());
    all.extend(wire_open::cases());
    all.extend(wire_forget::cases());
    all.extend(wire_lookup::cases());
    all.extend(wire_data::cases());
    all.extend(enosys::cases());
    all.extend(badreply::cases());
    all.extend(badreply_data::cases());
    ktap::run("ops", all);
}
