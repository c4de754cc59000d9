// SPDX-License-Identifier: GPL-2.0

//! Open files: OPEN, FLUSH, RELEASE. CREATE is in `make`.

use mockd::errno::*;
use mockd::user;
use mockd::wire::{Op, FOPEN_NOFLUSH};

use super::Lock::{Folio, Tail, X};
use super::{Act, Leaves, Part, Place, Row, Unknown, Waits};

fn open(p: &Place, part: Part, flags: i32) -> Res<Act> {
    let (path, flags) = (p.know(part)?, flags | p.flags);
    Ok(Act::on(path, move |p| {
        user::open(p, flags, 0o644).map(drop)
    }))
}

/// Closes an open file, and each further time one that it opens for it.
fn close(p: &Place) -> Res<Act> {
    let (mut f, p) = (Some(p.open(Part::File, libc::O_RDWR)?), p.clone());
    Ok(Act::done(move || match f.take() {
        Some(f) => user::close(f),
        None => user::close(p.open(Part::File, libc::O_RDWR)?),
    }))
}

/// What was in the page cache is dropped, and so waited for.
const OPEN: Row = Row {
    unknown: Unknown::Remembered(Ok(())),
    leaves: Leaves::File,
    wants: &[Folio(Part::File), Tail(Part::File)],
    class: "open",
    ..Row::new("open", Op::OPEN, |p| open(p, Part::File, libc::O_RDONLY))
};

pub const ROWS: &[Row] = &[
    Row {
        unknown: Unknown::Remembered(Ok(())),
        waits: Waits::Always,
        class: "flush",
        faults: None,
        ..Row::new("flush", Op::FLUSH, close)
    },
    Row {
        beside: &["", "_elsewhere", "_victim"],
        ..OPEN
    },
    OPEN.variant("open_write", |p| open(p, Part::File, libc::O_WRONLY)),
    // The VFS truncates when it is open: the daemon has done that, and the inode is locked for it.
    Row {
        wants: &[X(Part::File), Folio(Part::File), Tail(Part::File)],
        class: "open_truncate",
        ..OPEN.variant("open_truncate", |p| {
            open(p, Part::File, libc::O_RDWR | libc::O_TRUNC)
        })
    },
    // The name is known, so the directory is not locked.
    Row {
        wants: &[],
        class: "nothing",
        ..OPEN.variant("open_create", |p| {
            open(p, Part::Other, libc::O_CREAT | libc::O_RDWR)
        })
    },
    Row {
        files: |fs| fs.open_flags = FOPEN_NOFLUSH,
        waits: Waits::Not,
        aborted: Ok(()),
        unknown: Unknown::Otherwise,
        faults: None,
        ..Row::new("release", Op::RELEASE, close)
    },
];
