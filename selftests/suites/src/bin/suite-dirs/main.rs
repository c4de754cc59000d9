// SPDX-License-Identifier: GPL-2.0

//! Suite `dirs`: directories read with READDIRPLUS and from the page cache, symbolic links in the
//! page cache, and RENAME2. What READDIR does without these is in suite `ops`.

mod auto;
mod cache;
mod cache_change;
mod killed;
mod kit;
mod links;
mod memory;
mod names;
mod nodes;
mod plus;
mod rename;
mod reply;

fn main() {
    let mut all = Vec::new();
    for cases in [
        auto::cases,
        plus::cases,
        reply::cases,
        nodes::cases,
        names::cases,
        cache::cases,
        cache_change::cases,
        killed::cases,
        links::cases,
        memory::cases,
        rename::cases,
    ] {
        all.extend(cases());
    }
    ktap::run("dirs", all);
}
