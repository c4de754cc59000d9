// SPDX-License-Identifier: GPL-2.0

//! Suite `ops`: every operation, against libfuse's passthrough_ll and the directory behind it, and
//! request by request against mockd.

#[path = "../ops/attr.rs"]
mod attr;
#[path = "../ops/badreply.rs"]
mod badreply;
#[path = "../ops/badreply_data.rs"]
mod badreply_data;
#[path = "../ops/data.rs"]
mod data;
#[path = "../ops/enosys.rs"]
mod enosys;
#[path = "../ops/listing.rs"]
mod listing;
#[path = "../ops/maps.rs"]
mod maps;
#[path = "../ops/names.rs"]
mod names;
#[path = "../ops/perms.rs"]
mod perms;
#[path = "../ops/through.rs"]
mod through;
#[path = "../ops/wire_attr.rs"]
mod wire_attr;
#[path = "../ops/wire_data.rs"]
mod wire_data;
#[path = "../ops/wire_dirs.rs"]
mod wire_dirs;
#[path = "../ops/wire_forget.rs"]
mod wire_forget;
#[path = "../ops/wire_lookup.rs"]
mod wire_lookup;
#[path = "../ops/wire_names.rs"]
mod wire_names;
#[path = "../ops/wire_open.rs"]
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
