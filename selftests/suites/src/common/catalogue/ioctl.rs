// SPDX-License-Identifier: GPL-2.0

//! ioctl(2): IOCTL.

use mockd::errno::*;
use mockd::user::{self, command};
use mockd::wire::Op;

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

pub const ROWS: &[Row] = &[
    IOCTL,
    Row {
        keeps: Keeps::Dir,
        ..IOCTL.variant("ioctl_dir", |p| ioctl(p, Part::Dir))
    },
];
