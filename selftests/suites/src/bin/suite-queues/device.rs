// SPDX-License-Identifier: GPL-2.0

//! A second descriptor of a connection.

use std::os::fd::{AsFd, OwnedFd};

use mockd::errno::*;
use mockd::mock::read_request;
use mockd::mount::{clone_dev, open_dev};
use mockd::{Mock, Request};

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
        clone_dev(&dev, &m.dev()).expect("clone");
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
