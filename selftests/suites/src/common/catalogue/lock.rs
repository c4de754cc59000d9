// SPDX-License-Identifier: GPL-2.0

//! Locks of files: GETLK, SETLK, SETLKW. A caller's are its own: nobody is in its way.

use mockd::errno::*;
use mockd::lock::{flock, getlk, setlk, setlkw, RDLCK, WRLCK};
use mockd::wire::Op;

use super::{Act, Got, Keeps, Part, Place, Row, OK};

/// A `struct file_lock` that there is no memory for is ENOLCK.
const FAULTS: Option<&[Errno]> = Some(&[OK, ENOMEM, EFAULT, ENOLCK]);

const LOCK: Row = Row {
    config: Some("CONFIG_FILE_LOCKING"),
    keeps: Keeps::File,
    faults: FAULTS,
    ..Row::new("setlk", Op::SETLK, |p| {
        let (f, start) = (p.open(Part::File, libc::O_RDWR)?, first(p));
        Ok(Act::done(move || setlk(&f, WRLCK, start, 10)))
    })
};

/// The first byte of those that this caller locks.
fn first(p: &Place) -> i64 {
    100 * i64::from(p.names.tag)
}

pub const ROWS: &[Row] = &[
    LOCK,
    Row {
        op: Op::SETLKW,
        variant: false,
        ..LOCK.variant("setlkw", |p| {
            let (f, start) = (p.open(Part::File, libc::O_RDWR)?, first(p));
            Ok(Act::done(move || setlkw(&f, RDLCK, start, 10)))
        })
    },
    Row {
        op: Op::GETLK,
        variant: false,
        ..LOCK.variant("getlk", |p| {
            let (f, start) = (p.open(Part::File, libc::O_RDWR)?, first(p));
            let get = move || getlk(&f, WRLCK, start, 10);
            Ok(Act::new(move || {
                get().map(|lk| Got::Text(format!("{} {} {}", lk.0, lk.1, lk.2)))
            }))
        })
    },
    Row {
        variant: false,
        ..LOCK.variant("flock", |p| {
            let f = p.open(Part::File, libc::O_RDWR)?;
            Ok(Act::done(move || flock(&f, libc::LOCK_SH | libc::LOCK_NB)))
        })
    },
    Row {
        op: Op::SETLKW,
        ..LOCK.variant("flock_waiting", |p| {
            let f = p.open(Part::File, libc::O_RDONLY)?;
            Ok(Act::done(move || flock(&f, libc::LOCK_SH)))
        })
    },
];
