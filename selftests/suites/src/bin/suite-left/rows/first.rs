// SPDX-License-Identifier: GPL-2.0

//! The operations whose requests are held while their callers are killed.

use mockd::mem::PAGE;
use mockd::user;
use mockd::wire::Op;

use super::Lock::*;
use super::{by_fd, on, reads, row, stat_text, writes, Row, DIR, RW};
use crate::scene::{open, show};

/// Whose requests are held.
pub const LEFT: &[Row] = &[
    Row {
        what: "n1",
        ..row(
            "lookup",
            "shared",
            Op::LOOKUP,
            &[S("d"), Name("d/n1")],
            |m| on(m, |m| stat_text(user::lstat(&m.join("d/n1")))),
        )
    },
    Row {
        what: "none",
        ..row(
            "lookup_missing",
            "shared",
            Op::LOOKUP,
            &[S("d"), Name("d/none")],
            |m| on(m, |m| stat_text(user::lstat(&m.join("d/none")))),
        )
    },
    row("readdir", "shared", Op::READDIR, &[S("d")], |m| {
        by_fd(m, "d", DIR, |f| show(user::getdents(f, 4096)))
    }),
    Row {
        what: "n1",
        without: Some("PARALLEL_DIROPS"),
        ..row(
            "lookup_turn",
            "turn",
            Op::LOOKUP,
            &[S("d"), Turn("d"), Name("d/n1")],
            |m| on(m, |m| stat_text(user::lstat(&m.join("d/n1")))),
        )
    },
    Row {
        without: Some("PARALLEL_DIROPS"),
        ..row(
            "readdir_turn",
            "turn",
            Op::READDIR,
            &[S("d"), Turn("d")],
            |m| by_fd(m, "d", DIR, |f| show(user::getdents(f, 4096))),
        )
    },
    row("mkdir", "exclusive", Op::MKDIR, &[X("d")], |m| {
        on(m, |m| show(user::mkdir(&m.join("d/m"), 0o755)))
    }),
    row("mknod", "exclusive", Op::MKNOD, &[X("d")], |m| {
        on(m, |m| {
            show(user::mknod(&m.join("d/p"), libc::S_IFIFO | 0o600, 0))
        })
    }),
    row("create", "exclusive", Op::CREATE, &[X("d")], |m| {
        on(m, |m| {
            show(user::open(&m.join("d/c"), libc::O_CREAT | RW, 0o644).map(drop))
        })
    }),
    row("symlink", "exclusive", Op::SYMLINK, &[X("d")], |m| {
        on(m, |m| show(user::symlink("text", &m.join("d/y"))))
    }),
    row("link", "source", Op::LINK, &[X("d"), X("d/f")], |m| {
        on(m, |m| show(user::link(&m.join("d/f"), &m.join("d/fl"))))
    }),
    row("unlink", "victim", Op::UNLINK, &[X("d"), X("d/v")], |m| {
        on(m, |m| show(user::unlink(&m.join("d/v"))))
    }),
    row("rmdir", "victim_dir", Op::RMDIR, &[X("d"), X("d/s")], |m| {
        on(m, |m| show(user::rmdir(&m.join("d/s"))))
    }),
    row("rename", "victim", Op::RENAME, &[X("d"), X("d/v")], |m| {
        on(m, |m| show(user::rename(&m.join("d/v"), &m.join("d/v2"))))
    }),
    row(
        "rename_over",
        "two_files",
        Op::RENAME,
        &[X("d"), X("d/v"), X("d/g")],
        |m| on(m, |m| show(user::rename(&m.join("d/v"), &m.join("d/g")))),
    ),
    row(
        "rename_cross",
        "two_dirs",
        Op::RENAME,
        &[Renames, X("d"), X("e"), X("d/v")],
        |m| on(m, |m| show(user::rename(&m.join("d/v"), &m.join("e/v2")))),
    ),
    row("rename_dir", "exclusive", Op::RENAME, &[X("d")], |m| {
        on(m, |m| show(user::rename(&m.join("d/s"), &m.join("d/s9"))))
    }),
    row(
        "rename_dir_cross",
        "renames",
        Op::RENAME,
        &[Renames, X("d"), X("e"), X("d/s")],
        |m| on(m, |m| show(user::rename(&m.join("d/s"), &m.join("e/s9")))),
    ),
    row("write", "file", Op::WRITE, &[X("d/f")], |m| {
        writes(m, "d/f", 0, PAGE, PAGE as u64, 0x41)
    }),
    row("write_beyond", "file", Op::WRITE, &[X("d/f")], |m| {
        writes(m, "d/f", 0, PAGE, 3 * PAGE as u64, 0x41)
    }),
    row("write_direct", "direct", Op::WRITE, &[X("d/h")], |m| {
        writes(m, "d/h", 0, 5000, 100, 0x41)
    }),
    row("write_parallel", "parallel", Op::WRITE, &[S("d/q")], |m| {
        writes(m, "d/q", 0, 5000, 100, 0x41)
    }),
    row("truncate", "file", Op::SETATTR, &[X("d/f")], |m| {
        by_fd(m, "d/f", RW, |f| show(user::ftruncate(f, 100)))
    }),
    row("chmod", "file", Op::SETATTR, &[X("d/f")], |m| {
        by_fd(m, "d/f", RW, |f| show(user::fchmod(f, 0o600)))
    }),
    row("fsync", "file", Op::FSYNC, &[X("d/f")], |m| {
        by_fd(m, "d/f", RW, |f| show(user::fsync(f)))
    }),
    row("fsyncdir", "exclusive", Op::FSYNCDIR, &[X("d")], |m| {
        by_fd(m, "d", DIR, |f| show(user::fsync(f)))
    }),
    row("chmod_dir", "exclusive", Op::SETATTR, &[X("d")], |m| {
        on(m, |m| show(user::chmod(&m.join("d"), 0o700)))
    }),
    Row {
        what: "f",
        ..row("revalidate", "nothing", Op::LOOKUP, &[], |m| {
            on(m, |m| stat_text(user::lstat(&m.join("d/f"))))
        })
    },
    row("open", "nothing", Op::OPEN, &[], |m| {
        on(m, |m| {
            show(user::open(&m.join("d/f"), libc::O_RDONLY, 0).map(drop))
        })
    }),
    row("open_write", "nothing", Op::OPEN, &[], |m| {
        on(m, |m| {
            show(user::open(&m.join("d/f"), libc::O_WRONLY, 0).map(drop))
        })
    }),
    row("open_truncate", "nothing", Op::OPEN, &[], |m| {
        on(m, |m| {
            show(user::open(&m.join("d/f"), RW | libc::O_TRUNC, 0).map(drop))
        })
    }),
    row("opendir", "nothing", Op::OPENDIR, &[], |m| {
        on(m, |m| show(user::open(&m.join("d"), DIR, 0).map(drop)))
    }),
    row("getattr", "nothing", Op::GETATTR, &[], |m| {
        by_fd(m, "d/f", RW, |f| stat_text(user::fstat(f)))
    }),
    row("access", "nothing", Op::ACCESS, &[], |m| {
        on(m, |m| show(user::access(&m.join("d/f"), libc::R_OK)))
    }),
    Row {
        killable_in_c: true,
        ..row("read", "folio", Op::READ, &[Folio("d/f", 2)], |m| {
            reads(m, "d/f", PAGE, 2 * PAGE as u64)
        })
    },
    Row {
        without: Some("ASYNC_READ"),
        ..row("read_sync", "folio", Op::READ, &[Folio("d/f", 2)], |m| {
            reads(m, "d/f", PAGE, 2 * PAGE as u64)
        })
    },
    row("read_direct", "nothing", Op::READ, &[], |m| {
        reads(m, "d/h", 5000, 0)
    }),
    row("flush", "nothing", Op::FLUSH, &[], |m| {
        let mut f = Some(open(m, "d/f", RW));
        Box::new(move || show(user::close(f.take().expect("once"))))
    }),
    row("readlink", "nothing", Op::READLINK, &[], |m| {
        on(m, |m| show(user::readlink(&m.join("d/l"))))
    }),
    row("statfs", "nothing", Op::STATFS, &[], |m| {
        on(m, |m| show(user::statfs(m)))
    }),
];
