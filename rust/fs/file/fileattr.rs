// SPDX-License-Identifier: GPL-2.0

//! A file's flags and the like: FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR, and their setters. The daemon
//! is asked by IOCTL, of a file that is opened and released for it.
//!
//! C counterpart: `fuse_fileattr_get()`, `fuse_fileattr_set()` (ioctl.c). Takes no locks; sleeps
//! for the daemon's answers. The VFS holds the inode's `i_rwsem` exclusively where something is
//! set, and while it asks for what was there before.

use super::{
    fuse_file::{
        FuseFile,
        Kind, //
    },
    ioctl, //
};
use crate::{
    abi::{
        op::{
            Fsgetxattr,
            Fssetxattr,
            Fsxattr,
            Getflags,
            PrivCommand,
            PrivIoctl,
            Setflags, //
        },
        IoctlFlags, //
    },
    fs::{
        Dentry,
        Inode, //
    },
    kapi::vfs::{
        fcntl::O_RDONLY,
        fileattr::{
            FileKattr,
            Fsx, //
        }, //
    },
    transport::Outcome,
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// `fileattr_get`.
///
/// # Errors
///
/// EACCES if the current task may not use the mount; EIO if the inode is bad, or an answer; ENOTTY
/// for what is neither a regular file nor a directory, and if the daemon lacks IOCTL or the
/// command; those of the daemon; EINTR, ENOMEM.
pub(in crate::fs) fn get(entry: &Dentry, attr: &mut FileKattr) -> Result {
    let file = Opened::new(entry)?;
    if attr.flags_valid() {
        attr.fill_flags(file.ask::<Getflags>(())?);
    } else {
        let fsx = file.ask::<Fsgetxattr>(())?;
        attr.fill_fsx(&Fsx {
            xflags: fsx.fsx_xflags,
            extsize: fsx.fsx_extsize,
            nextents: fsx.fsx_nextents,
            projid: fsx.fsx_projid,
            cowextsize: fsx.fsx_cowextsize,
        });
    }
    Ok(())
}

/// `fileattr_set`.
///
/// # Errors
///
/// As [`get`].
pub(in crate::fs) fn set(entry: &Dentry, attr: &FileKattr) -> Result {
    let file = Opened::new(entry)?;
    if attr.flags_valid() {
        file.ask::<Setflags>(attr.flags())
    } else {
        let fsx = attr.fsx();
        file.ask::<Fssetxattr>(Fsxattr {
            fsx_xflags: fsx.xflags,
            fsx_extsize: fsx.extsize,
            fsx_nextents: fsx.nextents,
            fsx_projid: fsx.projid,
            fsx_cowextsize: fsx.cowextsize,
            fsx_pad: [0; 8],
        })
    }
}

/// A file that is open to be asked about. RELEASE goes when this is dropped, or, where a killed
/// caller has left, when the daemon has answered what it left.
struct Opened<'a> {
    inode: &'a Inode,
    file: Arc<FuseFile>,
}

impl<'a> Opened<'a> {
    /// Opens it (`fuse_priv_ioctl_prepare()`).
    fn new(entry: &'a Dentry) -> Result<Self> {
        let inode = entry.inode().ok_or(ENOENT)?;
        // With the lock held this is the first that is sent of a change.
        inode.await_if_locked()?;
        if !inode.conn().allow_current_process() {
            return Err(EACCES);
        }
        inode.check_bad()?;
        let kind = match () {
            () if inode.is_reg() => Kind::File,
            () if inode.is_dir() => Kind::Dir,
            () => return Err(ENOTTY),
        };
        let file = FuseFile::open_privately(inode, O_RDONLY, kind)?;
        file.attach(inode);
        Ok(Self { inode, file })
    }

    /// Sends a command, and gives what the daemon writes (`fuse_priv_ioctl()`).
    fn ask<C: PrivCommand>(&self, arg: C::In) -> Result<C::Out> {
        let conn = &self.file.conn;
        let op = PrivIoctl::<C> {
            fh: self.file.fh,
            flags: ioctl::width(false).with_if(self.inode.is_dir(), IoctlFlags::DIR),
            arg,
        };
        let then = || {
            let file = self.file.clone();
            file.set_left_by(conn.caller_nocreds().pid);
            |_: &mut Outcome<'_>| drop(file)
        };
        let answer = conn.call_then(self.inode, &op, then);
        answer
            .and_then(|out| out.map_err(errno))
            .map_err(ioctl::not_lacking)
    }
}

/// What the daemon says in an answer that is none of the protocol's errors. What is no error at
/// all would be taken for a pointer by some that are above.
fn errno(result: i32) -> Error {
    match result {
        -4095..=-1 => Error::from_errno(result),
        _ => EIO,
    }
}
