// SPDX-License-Identifier: GPL-2.0

//! Data of files: READ, WRITE, FSYNC; and POLL.

use std::os::fd::{AsRawFd, OwnedFd};

use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::poll;
use mockd::user;
use mockd::wire::Op;

use super::Lock::{Folio, Tail, S, X};
use super::{appends, reads, writes, Act, Got, Keeps, Part, Place, Row, Unknown, Waits, OK, PAGES};

/// More than a page, and not as pages are cut.
const DIRECT: usize = 5000;

/// Opens to read just what is asked for.
fn to_read(p: &Place, part: Part, flags: i32) -> Res<OwnedFd> {
    let f = p.open(part, libc::O_RDONLY | flags)?;
    // SAFETY: integers.
    unsafe { libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
    Ok(f)
}

/// One page of the file, through the page cache.
fn read(p: &Place) -> Res<Act> {
    let f = to_read(p, Part::File, 0)?;
    Ok(reads(f, PAGE, (p.names.page * PAGE) as u64))
}

/// A folio that is not there after a READ is asked for once more, and then it is EIO.
const READ: Row = Row {
    waits: Waits::ForFolio,
    aborted: Err(EIO),
    unknown: Unknown::Otherwise,
    keeps: Keeps::File,
    holds: &[Folio(Part::File)],
    class: "folio",
    beside: &["", "_elsewhere"],
    faults: None,
    ..Row::new("read", Op::READ, read)
};

const READ_DIRECT: Row = Row {
    waits: Waits::Killably,
    aborted: Err(ECONNABORTED),
    unknown: Unknown::Error,
    holds: &[],
    class: "read_direct",
    beside: &[""],
    ..READ
};

const WRITE: Row = Row {
    keeps: Keeps::File,
    holds: &[X(Part::File)],
    class: "file",
    faults: None,
    ..Row::new("write", Op::WRITE, |p| {
        let f = p.open_to_write(Part::File, 0)?;
        Ok(writes(f, PAGE, PAGE as u64, p.byte()))
    })
};

const WRITE_DIRECT: Row = Row {
    lends: true,
    holds: &[X(Part::Direct)],
    class: "direct",
    ..WRITE
};

fn write_direct(p: &Place, part: Part, flags: i32) -> Res<Act> {
    let f = p.open_to_write(part, flags)?;
    Ok(writes(f, DIRECT, 100, p.byte()))
}

fn append(p: &Place) -> Res<Act> {
    let f = p.open_to_write(Part::File, libc::O_APPEND)?;
    Ok(appends(f, 30, p.byte()))
}

pub const ROWS: &[Row] = &[
    Row {
        beside: &["", "_victim", "_source"],
        ..WRITE
    },
    // A page that is not written as a whole stays locked, lest somebody reads the rest of it.
    Row {
        beside: &["", "_direct", "_parallel"],
        holds: &[X(Part::File), Tail(Part::File)],
        ..WRITE.variant("append", append)
    },
    Row {
        beside: &[],
        ..WRITE.variant("write_beyond", |p| {
            let f = p.open_to_write(Part::File, 0)?;
            Ok(writes(f, PAGE, (PAGES * PAGE) as u64, p.byte()))
        })
    },
    Row {
        name: "write_direct",
        ready: |p| write_direct(p, Part::Direct, 0),
        ..WRITE_DIRECT
    },
    Row {
        name: "write_o_direct",
        ready: |p| write_direct(p, Part::File, libc::O_DIRECT),
        holds: &[X(Part::File)],
        class: "file",
        ..WRITE_DIRECT
    },
    Row {
        holds: &[S(Part::Parallel)],
        class: "parallel",
        ..WRITE_DIRECT.variant("write_parallel", |p| write_direct(p, Part::Parallel, 0))
    },
    READ,
    Row {
        name: "read_sync",
        without: Some("ASYNC_READ"),
        waits: Waits::Killably,
        ..READ
    },
    Row {
        name: "read_direct",
        ready: |p| Ok(reads(to_read(p, Part::Direct, 0)?, DIRECT, 0)),
        ..READ_DIRECT
    },
    Row {
        name: "read_o_direct",
        ready: |p| {
            let f = to_read(p, Part::File, libc::O_DIRECT)?;
            Ok(reads(f, DIRECT, 0))
        },
        ..READ_DIRECT
    },
    Row {
        ..READ_DIRECT.variant("read_parallel", |p| {
            Ok(reads(to_read(p, Part::Parallel, 0)?, DIRECT, 0))
        })
    },
    Row {
        unknown: Unknown::Remembered(Ok(())),
        keeps: Keeps::File,
        holds: &[X(Part::File)],
        class: "file",
        faults: Some(super::FAULTS_OF_FILES),
        ..Row::new("fsync", Op::FSYNC, |p| {
            let f = p.open(Part::File, libc::O_RDWR)?;
            Ok(Act::done(move || user::fsync(&f)))
        })
    },
    // That there is an error is one of the things that poll(2) says.
    Row {
        files: |fs| fs.ready = Some(libc::POLLIN as u32),
        aborted: Err(EIO),
        unknown: Unknown::Remembered(Ok(())),
        error: Some(EIO),
        keeps: Keeps::File,
        faults: Some(&[OK, EIO, EFAULT]),
        ..Row::new("poll", Op::POLL, |p| {
            let f = p.open(Part::File, libc::O_RDWR)?;
            Ok(Act::new(move || match poll::poll(&f, libc::POLLIN, 0)? {
                told if told & libc::POLLERR != 0 => Err(EIO),
                told => Ok(Got::Number(told as usize)),
            }))
        })
    },
];
