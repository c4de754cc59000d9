// SPDX-License-Identifier: GPL-2.0

//! Links: LINK, SYMLINK, READLINK.

use mockd::errno::*;
use mockd::user;
use mockd::wire::Op;

use super::Lock::X;
use super::{Act, Got, Keeps, Leaves, Part, Row, Unknown};

pub const ROWS: &[Row] = &[
    Row {
        before: 1,
        leaves: Leaves::Node,
        holds: &[X(Part::Dir)],
        class: "exclusive",
        ..Row::new("symlink", Op::SYMLINK, |p| {
            Ok(Act::on(p.path(Part::New), |p| user::symlink("text", p)))
        })
    },
    Row {
        before: 1,
        unknown: Unknown::Remembered(Err(EPERM)),
        leaves: Leaves::Reference,
        holds: &[X(Part::Dir), X(Part::File)],
        class: "source",
        beside: &["", "_out"],
        ..Row::new("link", Op::LINK, |p| {
            let (from, to) = (p.know(Part::File)?, p.path(Part::New));
            Ok(Act::done(move || user::link(&from, &to)))
        })
    },
    Row {
        keeps: Keeps::Node,
        ..Row::new("readlink", Op::READLINK, |p| {
            let path = p.know(Part::Link)?;
            Ok(Act::new(move || user::readlink(&path).map(Got::Text)))
        })
    },
];
