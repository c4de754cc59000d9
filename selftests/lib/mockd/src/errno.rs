// SPDX-License-Identifier: GPL-2.0

//! Error numbers that compare, print by name and travel between processes.

/// An error number as system calls give it, positive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(pub i32);

/// What a system call of a test gave.
pub type Res<T> = Result<T, Errno>;

macro_rules! names {
    ($($n:ident),* $(,)?) => {
        $(#[allow(missing_docs)] pub const $n: Errno = Errno(libc::$n);)*
        const NAMES: &[(i32, &str)] = &[$((libc::$n, stringify!($n))),*];
    };
}

names! {
    EPERM, ENOENT, ESRCH, EINTR, EIO, ENXIO, E2BIG, ENOEXEC, EBADF, ECHILD, EAGAIN, ENOMEM, EACCES,
    EFAULT, ENOTBLK, EBUSY, EEXIST, EXDEV, ENODEV, ENOTDIR, EISDIR, EINVAL, ENFILE, EMFILE, ENOTTY,
    ETXTBSY, EFBIG, ENOSPC, ESPIPE, EROFS, EMLINK, EPIPE, EDOM, ERANGE, EDEADLK, ENAMETOOLONG,
    ENOLCK, ENOSYS, ENOTEMPTY, ELOOP, ENODATA, EOVERFLOW, EOPNOTSUPP, EUCLEAN, ESTALE, ENOTCONN,
    ETIMEDOUT, ECONNREFUSED, ECONNABORTED, ECANCELED, EDQUOT, EREMOTEIO, ENOTSOCK,
}

impl std::fmt::Debug for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match NAMES.iter().find(|n| n.0 == self.0) {
            Some(n) => f.write_str(n.1),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl From<rustix::io::Errno> for Errno {
    fn from(e: rustix::io::Errno) -> Errno {
        Errno(e.raw_os_error())
    }
}

impl From<std::io::Error> for Errno {
    fn from(e: std::io::Error) -> Errno {
        Errno(e.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// The error of the last libc call of this thread.
pub fn last() -> Errno {
    std::io::Error::last_os_error().into()
}

/// Turns what libc gives, negative for an error, into a result.
pub fn check<T: Into<i64> + Copy>(r: T) -> Res<i64> {
    let n: i64 = r.into();
    if n < 0 {
        Err(last())
    } else {
        Ok(n)
    }
}
