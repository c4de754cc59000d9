// SPDX-License-Identifier: GPL-2.0

//! What others do while a killed caller's request is out.

use mockd::mem::PAGE;
use mockd::user;
use mockd::wire::Op;

use super::Lock::*;
use super::{by_fd, on, reads, row, stat_text, writes, Row, DIR, RW};
use crate::scene::{open, show};

/// What others do meanwhile. The names of those in `LEFT` that make or remove something are taken there.
pub const OTHER: &[Row] = &[
    row(
        "lookup_same",
        "shared",
        Op::LOOKUP,
        &[S("d"), Turn("d"), Name("d/n1")],
        |m| on(m, |m| stat_text(user::lstat(&m.join("d/n1")))),
    ),
    row(
        "lookup_other",
        "shared",
        Op::LOOKUP,
        &[S("d"), Turn("d")],
        |m| on(m, |m| stat_text(user::lstat(&m.join("d/n2")))),
    ),
    row(
        "lookup_missing",
        "shared",
        Op::LOOKUP,
        &[S("d"), Turn("d"), Name("d/none")],
        |m| on(m, |m| stat_text(user::lstat(&m.join("d/none")))),
    ),
    row(
        "lookup_elsewhere",
        "elsewhere",
        Op::LOOKUP,
        &[S("e"), Turn("e")],
        |m| on(m, |m| stat_text(user::lstat(&m.join("e/n3")))),
    ),
    row(
        "lookup_below",
        "below",
        Op::LOOKUP,
        &[S("d/s"), Turn("d/s")],
        |m| on(m, |m| stat_text(user::lstat(&m.join("d/s/none")))),
    ),
    row("revalidate", "nothing", Op::LOOKUP, &[], |m| {
        on(m, |m| stat_text(user::lstat(&m.join("d/f"))))
    }),
    row("revalidate_victim", "nothing", Op::LOOKUP, &[], |m| {
        on(m, |m| stat_text(user::lstat(&m.join("d/v"))))
    }),
    row("revalidate_dir", "nothing", Op::LOOKUP, &[], |m| {
        on(m, |m| stat_text(user::lstat(&m.join("d"))))
    }),
    row(
        "readdir",
        "shared_list",
        Op::READDIR,
        &[S("d"), Turn("d")],
        |m| by_fd(m, "d", DIR, |f| show(user::getdents(f, 4096))),
    ),
    row(
        "readdir_elsewhere",
        "elsewhere",
        Op::READDIR,
        &[S("e"), Turn("e")],
        |m| by_fd(m, "e", DIR, |f| show(user::getdents(f, 4096))),
    ),
    row("mkdir", "exclusive", Op::MKDIR, &[X("d")], |m| {
        on(m, |m| show(user::mkdir(&m.join("d/bm"), 0o755)))
    }),
    row("mkdir_same", "exclusive", Op::MKDIR, &[X("d")], |m| {
        on(m, |m| show(user::mkdir(&m.join("d/m"), 0o755)))
    }),
    row("mkdir_below", "below", Op::MKDIR, &[X("d/s")], |m| {
        on(m, |m| show(user::mkdir(&m.join("d/s/in"), 0o755)))
    }),
    row("mkdir_elsewhere", "elsewhere", Op::MKDIR, &[X("e")], |m| {
        on(m, |m| show(user::mkdir(&m.join("e/bm"), 0o755)))
    }),
    row("mknod", "exclusive", Op::MKNOD, &[X("d")], |m| {
        on(m, |m| {
            show(user::mknod(&m.join("d/bp"), libc::S_IFIFO | 0o600, 0))
        })
    }),
    row("create", "exclusive", Op::CREATE, &[X("d")], |m| {
        on(m, |m| {
            show(user::open(&m.join("d/bc"), libc::O_CREAT | RW, 0o644).map(drop))
        })
    }),
    row("create_same", "exclusive", Op::CREATE, &[X("d")], |m| {
        on(m, |m| {
            let flags = libc::O_CREAT | libc::O_EXCL | RW;
            show(user::open(&m.join("d/c"), flags, 0o644).map(drop))
        })
    }),
    row("create_below", "below", Op::CREATE, &[X("d/s")], |m| {
        on(m, |m| {
            show(user::open(&m.join("d/s/in"), libc::O_CREAT | RW, 0o644).map(drop))
        })
    }),
    row("symlink", "exclusive", Op::SYMLINK, &[X("d")], |m| {
        on(m, |m| show(user::symlink("text", &m.join("d/by"))))
    }),
    row("link", "source", Op::LINK, &[X("d"), X("d/g")], |m| {
        on(m, |m| show(user::link(&m.join("d/g"), &m.join("d/bl"))))
    }),
    row(
        "link_elsewhere",
        "source_elsewhere",
        Op::LINK,
        &[X("e"), X("d/f")],
        |m| on(m, |m| show(user::link(&m.join("d/f"), &m.join("e/bl")))),
    ),
    row("unlink", "victim", Op::UNLINK, &[X("d"), X("d/w")], |m| {
        on(m, |m| show(user::unlink(&m.join("d/w"))))
    }),
    row(
        "unlink_same",
        "victim",
        Op::UNLINK,
        &[X("d"), X("d/v")],
        |m| on(m, |m| show(user::unlink(&m.join("d/v")))),
    ),
    row(
        "rmdir",
        "victim_dir",
        Op::RMDIR,
        &[X("d"), X("d/s2")],
        |m| on(m, |m| show(user::rmdir(&m.join("d/s2")))),
    ),
    row(
        "rmdir_same",
        "victim_dir",
        Op::RMDIR,
        &[X("d"), X("d/s")],
        |m| on(m, |m| show(user::rmdir(&m.join("d/s")))),
    ),
    row("rename", "victim", Op::RENAME, &[X("d"), X("d/w")], |m| {
        on(m, |m| show(user::rename(&m.join("d/w"), &m.join("d/w2"))))
    }),
    row(
        "rename_same",
        "victim",
        Op::RENAME,
        &[X("d"), X("d/v")],
        |m| on(m, |m| show(user::rename(&m.join("d/v"), &m.join("d/w2")))),
    ),
    row(
        "rename_elsewhere",
        "elsewhere",
        Op::RENAME,
        &[X("e"), X("e/k")],
        |m| on(m, |m| show(user::rename(&m.join("e/k"), &m.join("e/k2")))),
    ),
    row(
        "rename_cross",
        "two_dirs",
        Op::RENAME,
        &[Renames, X("d"), X("e"), X("d/w")],
        |m| on(m, |m| show(user::rename(&m.join("d/w"), &m.join("e/w2")))),
    ),
    row(
        "rename_dir_cross",
        "renames",
        Op::RENAME,
        &[Renames, X("d"), X("e"), X("d/s2")],
        |m| on(m, |m| show(user::rename(&m.join("d/s2"), &m.join("e/s8")))),
    ),
    row(
        "rename_dir_back",
        "renames",
        Op::RENAME,
        &[Renames, X("d"), X("e"), X("e/t")],
        |m| on(m, |m| show(user::rename(&m.join("e/t"), &m.join("d/t8")))),
    ),
    row("write", "file", Op::WRITE, &[X("d/f")], |m| {
        writes(m, "d/f", 0, PAGE, PAGE as u64, 0x42)
    }),
    row("append", "file", Op::WRITE, &[X("d/f")], |m| {
        let f = open(m, "d/f", RW | libc::O_APPEND);
        Box::new(move || show(user::write(&f, &[0x42; 30])))
    }),
    row("write_victim", "victim_file", Op::WRITE, &[X("d/v")], |m| {
        writes(m, "d/v", 0, 4, 0, 0x42)
    }),
    row("write_source", "target_file", Op::WRITE, &[X("d/g")], |m| {
        writes(m, "d/g", 0, 4, 0, 0x42)
    }),
    row("write_direct", "direct", Op::WRITE, &[X("d/h")], |m| {
        writes(m, "d/h", 0, 5000, 100, 0x42)
    }),
    row("append_direct", "direct", Op::WRITE, &[X("d/h")], |m| {
        let f = open(m, "d/h", RW | libc::O_APPEND);
        Box::new(move || show(user::write(&f, &[0x42; 30])))
    }),
    row("write_parallel", "parallel", Op::WRITE, &[S("d/q")], |m| {
        writes(m, "d/q", 0, 5000, 100, 0x42)
    }),
    row(
        "append_parallel",
        "parallel_append",
        Op::WRITE,
        &[X("d/q")],
        |m| {
            let f = open(m, "d/q", RW | libc::O_APPEND);
            Box::new(move || show(user::write(&f, &[0x42; 30])))
        },
    ),
    // What is cut off is waited for.
    row(
        "truncate",
        "file",
        Op::SETATTR,
        &[X("d/f"), Folio("d/f", 2)],
        |m| by_fd(m, "d/f", RW, |f| show(user::ftruncate(f, 5000))),
    ),
    row("truncate_direct", "direct", Op::SETATTR, &[X("d/h")], |m| {
        by_fd(m, "d/h", RW, |f| show(user::ftruncate(f, 5000)))
    }),
    row(
        "truncate_parallel",
        "parallel_append",
        Op::SETATTR,
        &[X("d/q")],
        |m| by_fd(m, "d/q", RW, |f| show(user::ftruncate(f, 5000))),
    ),
    row("chmod", "file", Op::SETATTR, &[X("d/f")], |m| {
        by_fd(m, "d/f", RW, |f| show(user::fchmod(f, 0o640)))
    }),
    row("chmod_dir", "exclusive", Op::SETATTR, &[X("d")], |m| {
        on(m, |m| show(user::chmod(&m.join("d"), 0o750)))
    }),
    row("fsync", "file", Op::FSYNC, &[X("d/f")], |m| {
        by_fd(m, "d/f", RW, |f| show(user::fsync(f)))
    }),
    row("fsyncdir", "exclusive", Op::FSYNCDIR, &[X("d")], |m| {
        by_fd(m, "d", DIR, |f| show(user::fsync(f)))
    }),
    row("getattr", "stat", Op::GETATTR, &[], |m| {
        by_fd(m, "d/f", RW, |f| stat_text(user::fstat(f)))
    }),
    row("getattr_dir", "nothing", Op::GETATTR, &[], |m| {
        by_fd(m, "d", DIR, |f| stat_text(user::fstat(f)))
    }),
    row("access", "nothing", Op::ACCESS, &[], |m| {
        on(m, |m| show(user::access(&m.join("d/f"), libc::R_OK)))
    }),
    row("read_cached", "cached", Op::READ, &[], |m| {
        reads(m, "d/f", PAGE, 0)
    }),
    row("read_page", "folio", Op::READ, &[Folio("d/f", 2)], |m| {
        reads(m, "d/f", PAGE, 2 * PAGE as u64)
    }),
    row("read_direct", "read_direct", Op::READ, &[], |m| {
        reads(m, "d/h", 5000, 0)
    }),
    row("read_parallel", "nothing", Op::READ, &[], |m| {
        reads(m, "d/q", 5000, 0)
    }),
    row("read_elsewhere", "elsewhere_read", Op::READ, &[], |m| {
        reads(m, "e/k", 4, 0)
    }),
    row("flush", "flush", Op::FLUSH, &[], |m| {
        let mut f = Some(open(m, "d/f", RW));
        Box::new(move || show(user::close(f.take().expect("once"))))
    }),
    row("open_elsewhere", "nothing", Op::OPEN, &[], |m| {
        on(m, |m| show(user::open(&m.join("e/k"), RW, 0).map(drop)))
    }),
    row("open_victim", "nothing", Op::OPEN, &[], |m| {
        on(m, |m| show(user::open(&m.join("d/v"), RW, 0).map(drop)))
    }),
    row("open", "open", Op::OPEN, &[Folio("d/f", 2)], |m| {
        on(m, |m| show(user::open(&m.join("d/f"), RW, 0).map(drop)))
    }),
    // The name is known, so the directory is not locked.
    row("open_create", "nothing", Op::OPEN, &[], |m| {
        on(m, |m| {
            show(user::open(&m.join("d/g"), libc::O_CREAT | RW, 0o644).map(drop))
        })
    }),
    row("opendir", "nothing", Op::OPENDIR, &[], |m| {
        on(m, |m| show(user::open(&m.join("d"), DIR, 0).map(drop)))
    }),
    row("readlink", "nothing", Op::READLINK, &[], |m| {
        on(m, |m| show(user::readlink(&m.join("d/l"))))
    }),
    row("statfs", "nothing", Op::STATFS, &[], |m| {
        on(m, |m| show(user::statfs(m)))
    }),
];
