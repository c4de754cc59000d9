// SPDX-License-Identifier: GPL-2.0

//! What makes a name: MKDIR, MKNOD, CREATE; and TMPFILE, which makes none. LINK and SYMLINK are in
//! `link`.

use mockd::errno::*;
use mockd::user;
use mockd::wire::Op;

use super::Lock::X;
use super::{Act, Leaves, Part, Place, Row, Unknown};

/// A row of a call that makes [`Part::New`], which is looked up first.
const fn makes(row: Row) -> Row {
    Row {
        before: 1,
        leaves: Leaves::Node,
        holds: &[X(Part::Dir)],
        class: "exclusive",
        ..row
    }
}

fn create(p: &Place, flags: i32) -> Res<Act> {
    let flags = flags | p.flags | libc::O_CREAT | libc::O_RDWR;
    Ok(Act::on(p.path(Part::New), move |p| {
        user::open(p, flags, 0o644).map(drop)
    }))
}

const CREATE: Row = Row {
    unknown: Unknown::Replaced,
    leaves: Leaves::NodeAndFile,
    beside: &["", "_below"],
    ..makes(Row::new("create", Op::CREATE, |p| create(p, 0)))
};

pub const ROWS: &[Row] = &[
    Row {
        beside: &["", "_same", "_below", "_elsewhere"],
        ..makes(Row::new("mkdir", Op::MKDIR, |p| {
            Ok(Act::on(p.path(Part::New), |p| user::mkdir(p, 0o755)))
        }))
    },
    makes(Row::new("mknod", Op::MKNOD, |p| {
        Ok(Act::on(p.path(Part::New), |p| {
            user::mknod(p, libc::S_IFIFO | 0o600, 0)
        }))
    })),
    CREATE,
    Row {
        beside: &["_same"],
        ..CREATE.variant("create_exclusive", |p| create(p, libc::O_EXCL))
    },
    // The directory is not locked.
    Row {
        unknown: Unknown::Remembered(Err(EOPNOTSUPP)),
        leaves: Leaves::NodeAndFile,
        beside: &["", "_below"],
        ..Row::new("tmpfile", Op::TMPFILE, |p| {
            let (dir, flags) = (p.know(Part::Dir)?, p.flags | libc::O_TMPFILE | libc::O_RDWR);
            Ok(Act::on(dir, move |p| user::open(p, flags, 0o644).map(drop)))
        })
    },
];
