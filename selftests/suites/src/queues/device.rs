// SPDX-License-Identifier: GPL-2.0

//! A second descriptor of a connection.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use mockd::errno::*;
use mockd::mock::read_request;
use mockd::mount::open_dev;
use mockd::{Mock, Request};

/// `FUSE_DEV_IOC_CLONE`
const CLONE: u32 = 0x8004_e500;

pub struct Clone(OwnedFd);

impl Clone {
    /// Of the connection that `m` serves.
    pub fn of(m: &Mock) -> Clone {
        Clone::with(m, false)
    }

    /// The same, not to be waited for.
    pub fn nonblocking(m: &Mock) -> Clone {
        Clone::with(m, true)
    }

    fn with(m: &Mock, nonblock: bool) -> Clone {
        let dev = open_dev(nonblock).expect("open");
        let of: u32 = m.dev().as_raw_fd() as u32;
        // SAFETY: the argument is a number, read by the kernel.
        let r = unsafe { libc::ioctl(dev.as_raw_fd(), CLONE as _, &of) };
        assert_eq!(r, 0, "clone: {}", std::io::Error::last_os_error());
        Clone(dev)
    }

    /// One read(2).
    pub fn read(&self, m: &Mock) -> Request {
        self.try_read(m).expect("read of the clone")
    }

    /// The same, which may fail.
    pub fn try_read(&self, m: &Mock) -> Res<Request> {
        read_request(self.0.as_fd(), m.buf, &m.rec)
    }

    /// One write(2).
    pub fn write(&self, b: &[u8]) -> Res<usize> {
        Ok(rustix::io::write(&self.0, b)?)
    }
}
