// SPDX-License-Identifier: GPL-2.0

//! Block devices for mounts of type `fuseblk`, and such mounts.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use mockd::errno::*;
use mockd::mount::umount;
use mockd::request::Request;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};

const LOOP_SET_FD: u32 = 0x4c00;
const LOOP_CLR_FD: u32 = 0x4c01;
/// Says whether a block device is only to be read.
pub const BLKROSET: u32 = 0x125d;
const LOOP_CTL_GET_FREE: u32 = 0x4c82;

/// A block device behind which is a file of the case's directory. Drop takes it apart, when nobody
/// uses it any more.
pub struct LoopDevice {
    fd: OwnedFd,
    pub path: &'static str,
}

impl LoopDevice {
    /// One of so many bytes. Ends the case where there are none.
    pub fn new(bytes: i64) -> LoopDevice {
        ktap::needs("CONFIG_BLK_DEV_LOOP");
        let file = ktap::dir().join("disk");
        std::fs::write(&file, b"").expect("disk");
        user::truncate(&file, bytes).expect("truncate");
        let file = user::open(&file, libc::O_RDWR, 0).expect("disk");
        let control = user::open(Path::new("/dev/loop-control"), libc::O_RDWR, 0);
        let control = control.expect("loop-control");
        let n = user::ioctl_arg(&control, LOOP_CTL_GET_FREE, 0).expect("a free loop device");
        let path: &str = Box::leak(format!("/dev/loop{n}").into_boxed_str());
        let open = |flags| user::open(Path::new(path), flags, 0).expect(path);
        let writer = open(libc::O_RDWR);
        // As a case before may have left it.
        user::ioctl(&writer, BLKROSET, &mut 0i32.to_ne_bytes()).expect("BLKROSET");
        user::ioctl_arg(&writer, LOOP_SET_FD, file.as_raw_fd() as usize).expect("LOOP_SET_FD");
        drop(writer);
        // Whoever may write to a device keeps it from being mounted.
        let fd = open(libc::O_RDONLY);
        LoopDevice { fd, path }
    }

    /// How to mount it.
    pub fn setup(&self) -> Setup {
        Setup {
            fstype: "fuseblk",
            source: self.path,
            ..Setup::default()
        }
    }

    /// A mount of it, whose daemon has answered INIT.
    pub fn mount(&self) -> Mock {
        Mock::with(&self.setup(), &Init::plain())
    }

    /// Whether anybody else has the device for itself.
    pub fn is_busy(&self) -> bool {
        let r = user::open(Path::new(self.path), libc::O_RDONLY | libc::O_EXCL, 0);
        assert!(matches!(r, Ok(_) | Err(EBUSY)), "{r:?}");
        r.is_err()
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        // Whoever still uses it is the last one then.
        let _ = user::ioctl_arg(&self.fd, LOOP_CLR_FD, 0);
    }
}

/// Unmounts, in a process of its own.
pub fn start_umount(m: &mut Mock) -> Caller {
    m.caller(|mnt, _| umount(mnt, 0))
}

/// Unmounts a mount of type `fuseblk`; gives DESTROY, which is not answered, and who waits for the
/// answer.
#[track_caller]
pub fn until_destroy(m: &mut Mock) -> (Request, Caller) {
    let c = start_umount(m);
    loop {
        let r = m.request();
        match r.op {
            Op::RELEASE | Op::RELEASEDIR => m.reply(&r, &[]),
            Op::FORGET | Op::BATCH_FORGET => {}
            Op::DESTROY => return (r, c),
            _ => panic!("left over at the end: {r:?}"),
        }
    }
}

/// Unmounts, answers DESTROY and keeps the record.
#[track_caller]
pub fn finish(mut m: Mock) {
    let (r, c) = until_destroy(&mut m);
    m.reply(&r, &[]);
    assert_eq!(c.join::<Res<()>>(), Ok(()), "umount");
    gone(m);
}

/// The end of a mount that is gone.
#[track_caller]
pub fn gone(m: Mock) {
    assert_eq!(m.read().err(), Some(ENODEV), "device after umount");
}
