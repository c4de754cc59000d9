// SPDX-License-Identifier: GPL-2.0

//! LOOKUP.

use mockd::errno::*;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::Op;

use super::Lock::{Name, Turn, S};
use super::{Act, Got, Leaves, Part, Place, Row, Unknown};

/// lstat(2) of a part.
fn lstat(p: &Place, part: Part) -> Res<Act> {
    let path = p.path(part);
    Ok(Act::new(move || {
        user::lstat(&path).map(|s| Got::Stat(Box::new(s)))
    }))
}

const LOOKUP: Row = Row {
    named: Some(Part::Unknown),
    leaves: Leaves::Node,
    holds: &[S(Part::Dir), Turn(Part::Dir), Name(Part::Unknown)],
    class: "shared",
    beside: &["_same", "", "_elsewhere", "_below"],
    ..Row::new("lookup", Op::LOOKUP, |p| lstat(p, Part::Unknown))
};

pub const ROWS: &[Row] = &[
    LOOKUP,
    Row {
        named: Some(Part::Missing),
        holds: &[S(Part::Dir), Turn(Part::Dir), Name(Part::Missing)],
        beside: &[""],
        ..LOOKUP.variant("lookup_missing", |p| lstat(p, Part::Missing))
    },
    Row {
        without: Some("PARALLEL_DIROPS"),
        ..LOOKUP.variant("lookup_turn", |p| lstat(p, Part::Unknown))
    },
    // An error makes the VFS ask again, for a fresh name.
    Row {
        files: |fs| fs.entry_valid = ZERO,
        named: Some(Part::File),
        aborted: Err(ENOTCONN),
        unknown: Unknown::Otherwise,
        leaves: Leaves::Reference,
        beside: &["", "_victim", "_dir"],
        ..Row::new("revalidate", Op::LOOKUP, |p| {
            p.know(Part::File)?;
            lstat(p, Part::File)
        })
    },
];
