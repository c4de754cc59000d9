// SPDX-License-Identifier: GPL-2.0

//! What removes a name: UNLINK, RMDIR.

use mockd::user;
use mockd::wire::Op;

use super::Lock::X;
use super::{Act, Part, Row};

pub const ROWS: &[Row] = &[
    Row {
        holds: &[X(Part::Dir), X(Part::Victim)],
        class: "victim",
        beside: &["", "_same"],
        ..Row::new("unlink", Op::UNLINK, |p| {
            Ok(Act::on(p.know(Part::Victim)?, user::unlink))
        })
    },
    Row {
        holds: &[X(Part::Dir), X(Part::Sub)],
        class: "victim_dir",
        beside: &["", "_same"],
        ..Row::new("rmdir", Op::RMDIR, |p| {
            Ok(Act::on(p.know(Part::Sub)?, user::rmdir))
        })
    },
];
