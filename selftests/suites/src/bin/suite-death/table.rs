// SPDX-License-Identifier: GPL-2.0

//! The operations whose requests die, each with a caller that sends just that request.

use std::os::fd::OwnedFd;
use std::path::Path;

use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::{self, Op};
use mockd::Init;

/// What a caller does once all is ready for it.
pub type Act = Box<dyn FnOnce() -> Res<()>>;

/// An operation.
#[derive(Clone, Copy)]
pub struct Operation {
    pub name: &'static str,
    /// The request that dies.
    pub op: Op,
    /// Prepares daemon and mount.
    pub daemon: fn(&mut Memfs, &mut Init),
    /// Prepares the caller, and gives what it does then.
    pub caller: fn(&Path) -> Act,
    /// So many other requests come before the one that dies.
    pub before: usize,
    /// What the caller gets when the connection ends.
    pub aborted: Res<()>,
    pub kind: Kind,
}

/// How the caller waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// For the reply; it is sent an INTERRUPT.
    Call,
    /// The same, and C never lets it go, even while the request is queued.
    Forced,
    /// For a folio that a background request fills.
    Folio,
    /// Not at all.
    Background,
}

fn plain(_: &mut Memfs, _: &mut Init) {}

/// Opens for an operation on a file.
fn file(mnt: &Path) -> OwnedFd {
    user::open(&mnt.join("f"), libc::O_RDWR, 0).expect("open")
}

fn dir(mnt: &Path) -> OwnedFd {
    user::open(&mnt.join("d"), libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open")
}

/// Knows the names, so that they are not looked up again.
fn known(mnt: &Path, f: fn(&Path) -> Res<()>) -> Act {
    for name in ["f", "g", "d", "l"] {
        user::lstat(&mnt.join(name)).expect("lstat");
    }
    let mnt = mnt.to_path_buf();
    Box::new(move || f(&mnt))
}

const fn call(name: &'static str, op: Op, before: usize, caller: fn(&Path) -> Act) -> Operation {
    Operation {
        name,
        op,
        daemon: plain,
        caller,
        before,
        aborted: Err(ECONNABORTED),
        kind: Kind::Call,
    }
}

/// What the daemon has.
pub fn sample() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", &[7; 9000]);
    fs.file("g", &[8; 10]);
    fs.dir("d");
    fs.add(wire::ROOT, "l", libc::S_IFLNK | 0o777, b"f");
    fs
}

/// All of them.
pub const ALL: &[Operation] = &[
    call("lookup", Op::LOOKUP, 0, |mnt| {
        let p = mnt.join("f");
        Box::new(move || user::lstat(&p).map(drop))
    }),
    // An error of the second LOOKUP makes the VFS try a third, of a fresh name.
    Operation {
        daemon: |fs, _| fs.entry_valid = ZERO,
        aborted: Err(ENOTCONN),
        ..call("revalidate", Op::LOOKUP, 0, |mnt| {
            let p = mnt.join("f");
            user::lstat(&p).expect("lstat");
            Box::new(move || user::lstat(&p).map(drop))
        })
    },
    Operation {
        daemon: |fs, _| fs.attr_valid = ZERO,
        ..call("getattr", Op::GETATTR, 0, |mnt| {
            known(mnt, |m| user::lstat(&m.join("f")).map(drop))
        })
    },
    call("setattr", Op::SETATTR, 0, |mnt| {
        known(mnt, |m| user::chmod(&m.join("f"), 0o600))
    }),
    // The first time, C asks for an attribute, in vain; so it does with the first write.
    call("truncate", Op::SETATTR, 0, |mnt| {
        user::truncate(&mnt.join("f"), 200).expect("truncate");
        known(mnt, |m| user::truncate(&m.join("f"), 100))
    }),
    call("readlink", Op::READLINK, 0, |mnt| {
        known(mnt, |m| user::readlink(&m.join("l")).map(drop))
    }),
    call("symlink", Op::SYMLINK, 1, |mnt| {
        known(mnt, |m| user::symlink("text", &m.join("new")))
    }),
    call("mknod", Op::MKNOD, 1, |mnt| {
        known(mnt, |m| {
            user::mknod(&m.join("new"), libc::S_IFIFO | 0o600, 0)
        })
    }),
    call("mkdir", Op::MKDIR, 1, |mnt| {
        known(mnt, |m| user::mkdir(&m.join("new"), 0o755))
    }),
    call("unlink", Op::UNLINK, 0, |mnt| {
        known(mnt, |m| user::unlink(&m.join("f")))
    }),
    call("rmdir", Op::RMDIR, 0, |mnt| {
        known(mnt, |m| user::rmdir(&m.join("d")))
    }),
    call("rename", Op::RENAME, 1, |mnt| {
        known(mnt, |m| user::rename(&m.join("f"), &m.join("g")))
    }),
    call("rename2", Op::RENAME2, 1, |mnt| {
        known(mnt, |m| {
            user::rename2(&m.join("f"), &m.join("new"), libc::RENAME_NOREPLACE)
        })
    }),
    call("link", Op::LINK, 1, |mnt| {
        known(mnt, |m| user::link(&m.join("f"), &m.join("new")))
    }),
    call("open", Op::OPEN, 0, |mnt| {
        known(mnt, |m| {
            user::open(&m.join("f"), libc::O_RDONLY, 0).map(drop)
        })
    }),
    call("create", Op::CREATE, 1, |mnt| {
        known(mnt, |m| {
            let flags = libc::O_CREAT | libc::O_RDWR;
            user::open(&m.join("new"), flags, 0o644).map(drop)
        })
    }),
    // The page is not there after the first READ, and not after the second: EIO.
    Operation {
        daemon: |_, init| init.flags &= !wire::init_flag("ASYNC_READ"),
        aborted: Err(EIO),
        ..call("read", Op::READ, 0, |mnt| {
            let f = file(mnt);
            Box::new(move || user::pread(&f, 10, 0).map(drop))
        })
    },
    Operation {
        daemon: |fs, _| fs.open_flags = wire::FOPEN_DIRECT_IO,
        ..call("read_direct", Op::READ, 0, |mnt| {
            let f = file(mnt);
            Box::new(move || user::pread(&f, 5000, 0).map(drop))
        })
    },
    Operation {
        aborted: Err(EIO),
        kind: Kind::Folio,
        ..call("readahead", Op::READ, 0, |mnt| {
            let f = file(mnt);
            Box::new(move || user::pread(&f, 10, 0).map(drop))
        })
    },
    call("write", Op::WRITE, 0, |mnt| {
        let f = file(mnt);
        user::pwrite(&f, b"first", 0).expect("write");
        Box::new(move || user::pwrite(&f, b"second", 0).map(drop))
    }),
    Operation {
        daemon: |fs, _| fs.open_flags = wire::FOPEN_DIRECT_IO,
        ..call("write_direct", Op::WRITE, 0, |mnt| {
            let f = file(mnt);
            user::pwrite(&f, b"first", 0).expect("write");
            Box::new(move || user::pwrite(&f, &[3; 5000], 0).map(drop))
        })
    },
    call("statfs", Op::STATFS, 0, |mnt| {
        known(mnt, |m| user::statfs(m).map(drop))
    }),
    call("fsync", Op::FSYNC, 0, |mnt| {
        let f = file(mnt);
        Box::new(move || user::fsync(&f))
    }),
    call("access", Op::ACCESS, 0, |mnt| {
        known(mnt, |m| user::access(&m.join("f"), libc::R_OK))
    }),
    call("opendir", Op::OPENDIR, 0, |mnt| {
        known(mnt, |m| {
            let flags = libc::O_RDONLY | libc::O_DIRECTORY;
            user::open(&m.join("d"), flags, 0).map(drop)
        })
    }),
    call("readdir", Op::READDIR, 0, |mnt| {
        let d = dir(mnt);
        Box::new(move || user::getdents(&d, 4096).map(drop))
    }),
    call("fsyncdir", Op::FSYNCDIR, 0, |mnt| {
        let d = dir(mnt);
        Box::new(move || user::fsync(&d))
    }),
    Operation {
        kind: Kind::Forced,
        ..call("flush", Op::FLUSH, 0, |mnt| {
            let f = file(mnt);
            Box::new(move || user::close(f))
        })
    },
    Operation {
        daemon: |fs, _| fs.open_flags = wire::FOPEN_NOFLUSH,
        aborted: Ok(()),
        kind: Kind::Background,
        ..call("release", Op::RELEASE, 0, |mnt| {
            let f = file(mnt);
            Box::new(move || user::close(f))
        })
    },
    Operation {
        aborted: Ok(()),
        kind: Kind::Background,
        ..call("releasedir", Op::RELEASEDIR, 0, |mnt| {
            let d = dir(mnt);
            Box::new(move || user::close(d))
        })
    },
];
