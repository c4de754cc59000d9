// SPDX-License-Identifier: GPL-2.0

//! What is measured. The calls are its own, not those of the suites' catalogue: loops are counted
//! to the instruction, so they have no boxed closures and allocate nothing, and what is to be
//! fstat(2) must be that and no other call.

use crate::measure::{Daemon, Meter};
use crate::server::Can;
use crate::{server, spawn};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{fcntl_lock, fgetxattr, open, stat, unlink, FlockOperation, Mode, OFlags};
use rustix::io::{pread, pwrite, read, write};
use rustix::mount::{mount, unmount, MountFlags, UnmountFlags};
use rustix::pipe::pipe;
use rustix::process::Pid;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

pub const ROUNDS: u64 = 2000;
/// Of what takes ten times as long.
pub const LONG_ROUNDS: u64 = 500;
pub const MOUNT: &str = "/tmp/bench";
/// Sizes of a GETATTR request and of its reply.
const ASK: usize = 56;
const TELL: usize = 120;
const PAGE: usize = 4096;

/// A buffer at the beginning of a page, as who reads past the page cache takes care to have.
#[repr(align(4096))]
struct Aligned([u8; server::MAX_DATA]);

/// What no filesystem can do without: a system call, and the same bytes to and fro through two
/// pipes.
pub fn floors(meter: &Meter) -> Result<(), String> {
    meter.measure("null_syscall", ROUNDS, 0, Daemon::default, || {
        // SAFETY: Has no arguments and changes nothing.
        unsafe { libc::syscall(libc::SYS_getppid) };
    })?;

    let error = |error| format!("pipe: {error}");
    let (ask_read, ask_write) = pipe().map_err(error)?;
    let (tell_read, tell_write) = pipe().map_err(error)?;
    let mut child = spawn("pong", &[&ask_read, &tell_write])?;
    drop((ask_read, tell_write));
    let question = [1u8; ASK];
    let mut reply = [0u8; TELL];
    meter.measure("pipe_ping_pong", ROUNDS, 0, Daemon::default, || {
        write(&ask_write, &question).expect("write");
        assert_eq!(read(&tell_read, &mut reply), Ok(TELL));
    })?;
    // It has inherited the writing end of its own question, so that closing ours would not end it.
    child.kill().map_err(|error| error.to_string())?;
    child.wait().map_err(|error| error.to_string()).map(drop)
}

/// The other end of the pipes.
pub fn pong(ask: &OwnedFd, tell: &OwnedFd) {
    let mut question = [0u8; ASK];
    let reply = [2u8; TELL];
    while read(ask, &mut question) == Ok(ASK) {
        write(tell, &reply).expect("write");
    }
}

pub fn path(name: &str) -> CString {
    CString::new(format!("{MOUNT}/{name}")).expect("names here have no NUL")
}

pub fn open_at(name: &str, flags: OFlags) -> Result<OwnedFd, String> {
    open(&*path(name), flags, Mode::empty()).map_err(|error| format!("{name}: {error}"))
}

/// What goes to the daemons of [`server`].
pub fn fuse(meter: &Meter) -> Result<(), String> {
    served(Can::Nothing.role(), |daemon, _| {
        names(meter, daemon)?;
        data(meter, daemon)
    })?;
    // Before each write the kernel asks whether the file has capabilities.
    served(Can::Xattrs.role(), |daemon, _| {
        xattrs(meter, daemon)?;
        cached(meter, "write_4k", 2, daemon)
    })?;
    // It has asked once.
    served(Can::Killpriv.role(), |daemon, _| {
        cached(meter, "write_4k_killpriv_v2", 1, daemon)
    })
}

/// Mounts a daemon in this role for as long as `rows` takes, which gets its counts and its process.
pub fn served(
    role: &str,
    rows: impl FnOnce(&dyn Fn() -> Daemon, Pid) -> Result<(), String>,
) -> Result<(), String> {
    std::fs::create_dir_all(MOUNT).map_err(|error| error.to_string())?;
    let device = open("/dev/fuse", OFlags::RDWR, Mode::empty())
        .map_err(|error| format!("/dev/fuse: {error}"))?;
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        device.as_raw_fd()
    );
    let options = CString::new(options).map_err(|error| error.to_string())?;
    mount("bench", MOUNT, "fuse", MountFlags::empty(), &*options)
        .map_err(|error| format!("mount: {error}"))?;
    // Only a mounted device can be read; nobody is waited for before the first lookup.
    let mut child = spawn(role, &[&device])?;
    drop(device);

    let count = open_at("count", OFlags::PATH)?;
    let counts = || {
        let counts = rustix::fs::fstat(&count).expect("fstat");
        Daemon {
            requests: counts.st_size as u64,
            switches: u64::from(counts.st_uid),
        }
    };
    rows(&counts, Pid::from_child(&child))?;

    drop(count);
    unmount(MOUNT, UnmountFlags::empty()).map_err(|error| format!("umount: {error}"))?;
    child.wait().map_err(|error| error.to_string()).map(drop)
}

fn names(meter: &Meter, daemon: &dyn Fn() -> Daemon) -> Result<(), String> {
    let file = open_at("getattr", OFlags::PATH)?;
    meter.measure("getattr", ROUNDS, 1, daemon, || {
        let _ = rustix::fs::fstat(&file).expect("fstat");
    })?;
    let lookup = path("lookup");
    meter.measure("lookup", ROUNDS, 1, daemon, || {
        let _ = stat(&*lookup).expect("stat");
    })?;
    // LOOKUP, OPEN, RELEASE: the daemon does not know FLUSH.
    let file = path("open");
    meter.measure("open_close", ROUNDS, 3, daemon, || {
        drop(open(&*file, OFlags::RDONLY, Mode::empty()).expect("open"));
    })?;
    // The whole file, to write; it is the same one each time.
    let file = open_at("open", OFlags::RDWR)?;
    meter.measure("setlk", ROUNDS, 1, daemon, || {
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).expect("fcntl");
    })?;
    drop(file);
    // LOOKUP, CREATE, RELEASE, LOOKUP, UNLINK, FORGET.
    let file = path("create");
    meter.measure("create_close_unlink", ROUNDS, 6, daemon, || {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR;
        drop(open(&*file, flags, Mode::RUSR | Mode::WUSR).expect("create"));
        unlink(&*file).expect("unlink");
    })
}

fn data(meter: &Meter, daemon: &dyn Fn() -> Daemon) -> Result<(), String> {
    let mut buffer = Box::new(Aligned([0; server::MAX_DATA]));
    buffer.0.fill(7);
    let file = open_at("direct", OFlags::RDWR)?;
    for (size, name, rounds) in [
        (PAGE, "4k", ROUNDS),
        (server::MAX_DATA, "128k", LONG_ROUNDS),
    ] {
        let part = &mut buffer.0[..size];
        meter.measure(&format!("direct_read_{name}"), rounds, 1, daemon, || {
            assert_eq!(pread(&file, &mut *part, 0), Ok(size));
        })?;
        meter.measure(&format!("direct_write_{name}"), rounds, 1, daemon, || {
            assert_eq!(pwrite(&file, &*part, 0), Ok(size));
        })?;
    }
    let now = Timespec::default();
    meter.measure("poll", ROUNDS, 1, daemon, || {
        let mut files = [PollFd::new(&file, PollFlags::IN)];
        assert_eq!(poll(&mut files, Some(&now)), Ok(1));
    })
}

/// Of a daemon that has attributes, and leaves ACLs to the kernel.
fn xattrs(meter: &Meter, daemon: &dyn Fn() -> Daemon) -> Result<(), String> {
    let file = open_at("xattrs", OFlags::RDONLY)?;
    let mut value = [0u8; 64];
    for (row, name, length, requests) in [
        ("getxattr", server::USER_XATTR, server::USER_VALUE.len(), 1),
        (
            "cached_getxattr_acl",
            server::ACL_XATTR,
            server::ACL.len(),
            0,
        ),
    ] {
        meter.measure(row, ROUNDS, requests, daemon, || {
            assert_eq!(fgetxattr(&file, name, &mut value), Ok(length));
        })?;
    }
    Ok(())
}

/// Writes to a page of the page cache, each of which is passed on at once.
fn cached(
    meter: &Meter,
    row: &str,
    requests: u64,
    daemon: &dyn Fn() -> Daemon,
) -> Result<(), String> {
    let file = open_at("cached", OFlags::RDWR)?;
    let page = [7u8; PAGE];
    meter.measure(row, ROUNDS, requests, daemon, || {
        assert_eq!(pwrite(&file, &page, 0), Ok(PAGE));
    })
}
