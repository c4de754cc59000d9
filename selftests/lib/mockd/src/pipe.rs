// SPDX-License-Identifier: GPL-2.0

//! Pipes, to splice requests into and replies out of.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::errno::{check, Res};
use crate::mem::PAGE;
use crate::mock::Mock;
use crate::request::Request;
use crate::user;

pub const MOVE: u32 = libc::SPLICE_F_MOVE;
pub const NONBLOCK: u32 = libc::SPLICE_F_NONBLOCK;
pub const GIFT: u32 = libc::SPLICE_F_GIFT;

/// Both ends of a pipe.
pub struct Pipe {
    pub r: OwnedFd,
    pub w: OwnedFd,
}

impl Pipe {
    /// A pipe of `slots` buffers, which must be a power of two.
    pub fn new(slots: usize) -> Pipe {
        let mut fds = [0; 2];
        // SAFETY: room for two descriptors, both new.
        let p = unsafe {
            check(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC)).expect("pipe");
            Pipe {
                r: OwnedFd::from_raw_fd(fds[0]),
                w: OwnedFd::from_raw_fd(fds[1]),
            }
        };
        // SAFETY: integers.
        let n = check(unsafe {
            libc::fcntl(p.w.as_raw_fd(), libc::F_SETPIPE_SZ, (slots * PAGE) as i32)
        });
        assert_eq!(n, Ok((slots * PAGE) as i64), "F_SETPIPE_SZ");
        p
    }

    /// write(2), all of it.
    pub fn put(&self, b: &[u8]) {
        assert_eq!(user::write(&self.w, b), Ok(b.len()), "write to pipe");
    }

    /// read(2) of up to `n` bytes.
    pub fn get(&self, n: usize) -> Res<Vec<u8>> {
        user::read(&self.r, n)
    }

    /// Bytes in it.
    pub fn len(&self) -> usize {
        let mut n = 0i32;
        // SAFETY: n is valid for writing.
        check(unsafe { libc::ioctl(self.r.as_raw_fd(), libc::FIONREAD, &mut n) })
            .expect("FIONREAD");
        n as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// splice(2) from `fd`, at an offset in it if given.
    pub fn splice_from(
        &self,
        fd: &impl AsRawFd,
        offset: Option<i64>,
        len: usize,
        flags: u32,
    ) -> Res<usize> {
        let mut at = offset.unwrap_or(0);
        let at = if offset.is_some() {
            &mut at
        } else {
            std::ptr::null_mut()
        };
        // SAFETY: `at` is null or valid.
        let n = unsafe {
            libc::splice(
                fd.as_raw_fd(),
                at,
                self.w.as_raw_fd(),
                std::ptr::null_mut(),
                len,
                flags,
            )
        };
        Ok(check(n as i64)? as usize)
    }

    /// splice(2) to `fd`.
    pub fn splice_to(&self, fd: &impl AsRawFd, len: usize, flags: u32) -> Res<usize> {
        let null = std::ptr::null_mut();
        // SAFETY: null offsets.
        let n = unsafe { libc::splice(self.r.as_raw_fd(), null, fd.as_raw_fd(), null, len, flags) };
        Ok(check(n as i64)? as usize)
    }

    /// vmsplice(2) of memory, whatever is there.
    pub fn vmsplice(&self, addr: usize, len: usize, flags: u32) -> Res<usize> {
        let v = libc::iovec {
            iov_base: addr as *mut _,
            iov_len: len,
        };
        // SAFETY: the kernel checks the address, and only reads there.
        let n = unsafe { libc::vmsplice(self.w.as_raw_fd(), &v, 1, flags) };
        Ok(check(n as i64)? as usize)
    }

    /// tee(2) to another pipe.
    pub fn tee(&self, to: &Pipe, len: usize) -> Res<usize> {
        // SAFETY: integers.
        let n = unsafe { libc::tee(self.r.as_raw_fd(), to.w.as_raw_fd(), len, 0) };
        Ok(check(n as i64)? as usize)
    }
}

impl Mock {
    /// One request by splice(2) through `pipe`, recorded. The pipe is empty before and after.
    pub fn splice(&self, pipe: &Pipe, len: usize) -> Res<Request> {
        let n = pipe.splice_from(&self.dev(), None, len, 0)?;
        assert_eq!(pipe.len(), n);
        let r = Request::parse(&pipe.get(n)?).unwrap_or_else(|e| panic!("bad request: {e}"));
        self.rec.push(&r);
        Ok(r)
    }

    /// Writes a message by splice(2) through `pipe`, from a page of its own.
    #[track_caller]
    pub fn splice_message(&self, pipe: &Pipe, message: &[u8], flags: u32) -> Res<usize> {
        pipe.put(message);
        pipe.splice_to(&self.dev(), message.len(), flags)
    }
}
