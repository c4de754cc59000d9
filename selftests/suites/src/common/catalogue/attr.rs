// SPDX-License-Identifier: GPL-2.0

//! What is asked and set of an inode: GETATTR, STATX, SETATTR, ACCESS, extended attributes; and
//! STATFS.

use std::os::fd::OwnedFd;

use mockd::errno::*;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::Op;

use super::Lock::{Folio, Tail, X};
use super::{Act, Got, Keeps, Part, Place, Row, Unknown, FAULTS_OF_FILES};

/// Holds an inode, and has nothing open.
fn held(p: &Place, part: Part) -> Res<OwnedFd> {
    p.open(part, libc::O_PATH)
}

fn chmod(p: &Place, part: Part) -> Res<Act> {
    let (f, mode) = (held(p, part)?, 0o600 | (u32::from(p.names.tag - 1) << 5));
    Ok(Act::done(move || user::chmod_at(&f, mode)))
}

const CHMOD: Row = Row {
    keeps: Keeps::Node,
    holds: &[X(Part::File)],
    class: "file",
    ..Row::new("chmod", Op::SETATTR, |p| chmod(p, Part::File))
};

fn setxattr(p: &Place, part: Part) -> Res<Act> {
    let (path, value) = (p.know(part)?, [p.byte(); 10]);
    Ok(Act::on(path, move |p| {
        user::setxattr(p, "user.a", &value, 0)
    }))
}

// The value is the caller's: it goes with one that leaves.
const SETXATTR: Row = Row {
    files: |fs| fs.xattrs = true,
    lends: true,
    unknown: Unknown::Remembered(Err(EOPNOTSUPP)),
    keeps: Keeps::Node,
    holds: &[X(Part::File)],
    class: "file",
    ..Row::new("setxattr", Op::SETXATTR, |p| setxattr(p, Part::File))
};

pub const ROWS: &[Row] = &[
    // What is cut off is waited for.
    Row {
        keeps: Keeps::File,
        wants: &[Folio(Part::File), Tail(Part::File)],
        beside: &["", "_direct", "_parallel"],
        faults: Some(FAULTS_OF_FILES),
        name: "truncate",
        ready: |p| {
            let f = p.open_to_write(Part::File, 0)?;
            let len = 2500 * i64::from(p.names.tag);
            Ok(Act::done(move || user::ftruncate(&f, len)))
        },
        ..CHMOD
    },
    CHMOD,
    Row {
        holds: &[X(Part::Dir)],
        class: "exclusive",
        ..CHMOD.variant("chmod_dir", |p| chmod(p, Part::Dir))
    },
    Row {
        files: |fs| fs.attr_valid = ZERO,
        keeps: Keeps::Node,
        class: "stat",
        beside: &["", "_dir"],
        ..Row::new("getattr", Op::GETATTR, |p| {
            let f = held(p, Part::File)?;
            Ok(Act::new(move || {
                user::fstat(&f).map(|s| Got::Stat(Box::new(s)))
            }))
        })
    },
    Row {
        unknown: Unknown::Replaced,
        files: |fs| fs.attr_valid = ZERO,
        keeps: Keeps::Node,
        class: "stat",
        ..Row::new("statx", Op::STATX, |p| {
            let f = held(p, Part::File)?;
            Ok(Act::new(move || {
                let (mask, (sec, nsec), size) = user::fstatx(&f, 0, libc::STATX_BTIME)?;
                Ok(Got::Numbers(vec![
                    mask.into(),
                    sec as u64,
                    nsec.into(),
                    size,
                ]))
            }))
        })
    },
    Row {
        unknown: Unknown::Remembered(Ok(())),
        keeps: Keeps::Node,
        ..Row::new("access", Op::ACCESS, |p| {
            let path = p.know(Part::File)?;
            Ok(Act::on(path, |p| user::access(p, libc::R_OK)))
        })
    },
    Row {
        files: |fs| fs.xattrs = true,
        unknown: Unknown::Remembered(Err(EOPNOTSUPP)),
        keeps: Keeps::Node,
        ..Row::new("getxattr", Op::GETXATTR, |p| {
            let path = p.know(Part::File)?;
            let get = move || user::getxattr(&path, "user.a", 100);
            Ok(Act::new(move || get().map(|(n, _)| Got::Number(n))))
        })
    },
    Row {
        files: |fs| fs.xattrs = true,
        unknown: Unknown::Remembered(Err(EOPNOTSUPP)),
        keeps: Keeps::Node,
        ..Row::new("listxattr", Op::LISTXATTR, |p| {
            let path = p.know(Part::File)?;
            let list = move || user::listxattr(&path, 100);
            Ok(Act::new(move || list().map(|(n, _)| Got::Number(n))))
        })
    },
    SETXATTR,
    Row {
        holds: &[X(Part::Dir)],
        class: "exclusive",
        ..SETXATTR.variant("setxattr_dir", |p| setxattr(p, Part::Dir))
    },
    Row {
        op: Op::REMOVEXATTR,
        variant: false,
        ..SETXATTR.variant("removexattr", |p| {
            let path = p.know(Part::File)?;
            Ok(Act::on(path, |p| user::removexattr(p, "user.a")))
        })
    },
    Row::new("statfs", Op::STATFS, |p| {
        let mnt = p.mnt.clone();
        Ok(Act::new(move || user::statfs(&mnt).map(Got::Numbers)))
    }),
];
