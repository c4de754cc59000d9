// SPDX-License-Identifier: GPL-2.0

//! Open directories: OPENDIR, READDIR, READDIRPLUS, FSYNCDIR, RELEASEDIR.

use std::os::fd::AsRawFd;
use std::rc::Rc;

use mockd::errno::*;
use mockd::mem::Pages;
use mockd::user;
use mockd::wire::Op;

use super::Lock::{Turn, S, X};
use super::{Act, Got, Keeps, Leaves, Part, Place, Row, Unknown, Waits, FAULTS_OF_FILES};

const FLAGS: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

/// One getdents64(2) from the start.
fn readdir(p: &Place) -> Res<Act> {
    let (f, pages) = (p.open(Part::Dir, FLAGS)?, Rc::new(Pages::touched(1)));
    Ok(Act::new(move || {
        let n = user::getdents_at(f.as_raw_fd(), pages.addr(), pages.len())?;
        Ok(Got::Dirents(pages.clone(), n))
    }))
}

const READDIR: Row = Row {
    keeps: Keeps::Dir,
    holds: &[S(Part::Dir), Turn(Part::Dir)],
    class: "shared_list",
    beside: &["", "_elsewhere"],
    ..Row::new("readdir", Op::READDIR, readdir)
};

pub const ROWS: &[Row] = &[
    READDIR,
    Row {
        without: Some("PARALLEL_DIROPS"),
        ..READDIR.variant("readdir_turn", readdir)
    },
    Row {
        with: Some("DO_READDIRPLUS"),
        leaves: Leaves::Names,
        ..Row {
            name: "readdirplus",
            op: Op::READDIRPLUS,
            ..READDIR
        }
    },
    Row {
        unknown: Unknown::Remembered(Ok(())),
        leaves: Leaves::Dir,
        ..Row::new("opendir", Op::OPENDIR, |p| {
            let path = p.know(Part::Dir)?;
            Ok(Act::on(path, |p| user::open(p, FLAGS, 0).map(drop)))
        })
    },
    Row {
        unknown: Unknown::Remembered(Ok(())),
        keeps: Keeps::Dir,
        holds: &[X(Part::Dir)],
        class: "exclusive",
        faults: Some(FAULTS_OF_FILES),
        ..Row::new("fsyncdir", Op::FSYNCDIR, |p| {
            let f = p.open(Part::Dir, FLAGS)?;
            Ok(Act::done(move || user::fsync(&f)))
        })
    },
    Row {
        waits: Waits::Not,
        aborted: Ok(()),
        unknown: Unknown::Otherwise,
        faults: None,
        ..Row::new("releasedir", Op::RELEASEDIR, |p| {
            let (mut f, path) = (Some(p.open(Part::Dir, FLAGS)?), p.path(Part::Dir));
            Ok(Act::done(move || match f.take() {
                Some(f) => user::close(f),
                None => user::close(user::open(&path, FLAGS, 0)?),
            }))
        })
    },
];
