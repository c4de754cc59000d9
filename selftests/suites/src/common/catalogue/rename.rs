// SPDX-License-Identifier: GPL-2.0

//! RENAME and RENAME2. The VFS looks the new name up first, known or not.

use mockd::errno::*;
use mockd::user;
use mockd::wire::Op;

use super::Lock::{Renames, X};
use super::{Act, Part, Place, Row, Unknown};

fn rename(p: &Place, from: Part, to: Part) -> Res<Act> {
    let (from, to) = (p.know(from)?, p.path(to));
    Ok(Act::done(move || user::rename(&from, &to)))
}

const RENAME: Row = Row {
    before: 1,
    holds: &[X(Part::Dir), X(Part::Victim)],
    class: "victim",
    beside: &["", "_same", "_elsewhere"],
    ..Row::new("rename", Op::RENAME, |p| rename(p, Part::Victim, Part::To))
};

pub const ROWS: &[Row] = &[
    RENAME,
    Row {
        holds: &[X(Part::Dir), X(Part::Victim), X(Part::Other)],
        class: "two_files",
        beside: &[],
        ..RENAME.variant("rename_over", |p| {
            p.know(Part::Other)?;
            rename(p, Part::Victim, Part::Other)
        })
    },
    Row {
        holds: &[Renames, X(Part::Dir), X(Part::Far), X(Part::Victim)],
        class: "two_dirs",
        beside: &[""],
        ..RENAME.variant("rename_cross", |p| {
            p.know(Part::Far)?;
            rename(p, Part::Victim, Part::FarTo)
        })
    },
    Row {
        holds: &[X(Part::Dir)],
        class: "exclusive",
        beside: &[],
        ..RENAME.variant("rename_dir", |p| rename(p, Part::Sub, Part::To))
    },
    Row {
        holds: &[Renames, X(Part::Dir), X(Part::Far), X(Part::Sub)],
        class: "renames",
        beside: &["", "_back"],
        ..RENAME.variant("rename_dir_cross", |p| {
            p.know(Part::Far)?;
            rename(p, Part::Sub, Part::FarTo)
        })
    },
    Row {
        op: Op::RENAME2,
        unknown: Unknown::Remembered(Err(EINVAL)),
        beside: &[""],
        variant: false,
        ..RENAME.variant("rename2", |p| {
            let (from, to) = (p.know(Part::Victim)?, p.path(Part::To));
            Ok(Act::done(move || {
                user::rename2(&from, &to, libc::RENAME_NOREPLACE)
            }))
        })
    },
    Row {
        op: Op::RENAME2,
        before: 0,
        unknown: Unknown::Remembered(Err(EINVAL)),
        holds: &[X(Part::Dir), X(Part::Victim), X(Part::Other)],
        class: "two_files",
        beside: &[],
        variant: false,
        ..RENAME.variant("exchange", |p| {
            let (one, other) = (p.know(Part::Victim)?, p.know(Part::Other)?);
            Ok(Act::done(move || {
                user::rename2(&one, &other, libc::RENAME_EXCHANGE)
            }))
        })
    },
];
