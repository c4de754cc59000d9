// SPDX-License-Identifier: GPL-2.0

//! ioctl(2) and the calls for files' flags: IOCTL.

use mockd::errno::*;
use mockd::user::{self, command};
use mockd::wire::Op;

use super::Lock::X;
use super::{Act, Got, Keeps, Part, Place, Row, Unknown};

/// Bytes that the command reads and writes.
const SIZE: usize = 300;

fn ioctl(p: &Place, part: Part) -> Res<Act> {
    let (f, mut data) = (p.open(part, libc::O_RDONLY)?, vec![p.byte(); SIZE]);
    let mut call = move || user::ioctl(&f, command(true, true, SIZE), &mut data);
    Ok(Act::new(move || call().map(|n| Got::Number(n as usize))))
}

// What it reads is the caller's: it goes with one that leaves.
const IOCTL: Row = Row {
    files: |fs| fs.ioctls = true,
    lends: true,
    unknown: Unknown::Becomes(ENOTTY),
    keeps: Keeps::File,
    ..Row::new("ioctl", Op::IOCTL, |p| ioctl(p, Part::File))
};

// A file is opened for it, and released.
const FILE_GETATTR: Row = Row {
    files: |fs| fs.ioctls = true,
    before: 1,
    unknown: Unknown::Becomes(EOPNOTSUPP),
    keeps: Keeps::Node,
    ..Row::new("file_getattr", Op::IOCTL, |p| {
        let path = p.know(Part::File)?;
        let get = move || user::file_getattr(&path);
        Ok(Act::new(move || get().map(|a| Got::Number(a.0 as usize))))
    })
};

pub const ROWS: &[Row] = &[
    IOCTL,
    Row {
        keeps: Keeps::Dir,
        ..IOCTL.variant("ioctl_dir", |p| ioctl(p, Part::Dir))
    },
    FILE_GETATTR,
    // What was there before is asked for first, with the lock held.
    Row {
        name: "file_setattr",
        ready: |p| {
            let (path, project) = (p.know(Part::File)?, p.names.tag.into());
            Ok(Act::done(move || {
                user::file_setattr(&path, (0, 0, 0, project, 0))
            }))
        },
        holds: &[X(Part::File)],
        class: "file",
        ..FILE_GETATTR
    },
];
