// SPDX-License-Identifier: GPL-2.0

//! ioctl(2) of files: IOCTL, for what the VFS does not know.
//!
//! C counterpart: ioctl.c. Takes no locks; sleeps for the daemon's answer.
//!
//! A command's number says how much of the caller's memory is read and written, at the argument;
//! only of fs-verity's commands is it known that there is more. The daemon has no say in it: that
//! is for those of character devices (`FUSE_IOCTL_UNRESTRICTED`), of which there are none. Whatever
//! the caller says, a request has no more pages than was agreed on at mount.

use crate::{
    abi::{
        op::Ioctl,
        IoctlFlags, //
    },
    fs::File,
    kapi::{
        task::compat::in_x32_syscall,
        vfs::fsverity::{
            self,
            FsverityEnableArg,
            FS_IOC_ENABLE_VERITY,
            FS_IOC_MEASURE_VERITY, //
        },
    },
    transport::{
        Outcome,
        Payload, //
    },
};
use kernel::{
    ioctl::{
        _IOC_DIR,
        _IOC_SIZE, //
    },
    page::PAGE_SIZE,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
    uapi::{
        _IOC_READ,
        _IOC_WRITE, //
    },
};

/// The longest salt, and signature, with which fs-verity is switched on
/// (`FUSE_VERITY_ENABLE_ARG_MAX_PAGES`).
const VERITY_ARG_MAX: usize = 256 * PAGE_SIZE;

/// What the daemon is told of a task that calls in the kernel's own width, or, with `compat`, in
/// 32 bits.
pub(in crate::fs) fn width(compat: bool) -> IoctlFlags {
    IoctlFlags::EMPTY
        .with_if(compat, IoctlFlags::COMPAT)
        .with_if(compat || usize::BITS == 32, IoctlFlags::_32BIT)
        .with_if(compat && in_x32_syscall(), IoctlFlags::COMPAT_X32)
}

/// ioctl(2) with a command that the VFS does not know (`fuse_ioctl_common()`). Gives what the
/// daemon says that it returns, an error or not.
///
/// # Errors
///
/// EACCES if the current task may not use the mount; EIO if the inode is bad, or the answer;
/// ENOTTY if the daemon lacks IOCTL or says that it lacks the command; ENOMEM, also for more than a
/// request may have; EFAULT; those of the daemon; EINTR.
pub(in crate::fs) fn ioctl(file: &File, cmd: u32, arg: usize, flags: IoctlFlags) -> Result<i32> {
    let (inode, data) = (file.inode(), file.data());
    let conn = &data.conn;
    if !conn.allow_current_process() {
        return Err(EACCES);
    }
    inode.check_bad()?;

    let memory = Memory::of(cmd, arg)?;
    let (in_size, out_size) = (memory.in_size()?, memory.writes.len);
    // So much the daemon may always send.
    let room = out_size.max(PAGE_SIZE);
    let len = in_size.max(room);
    if len.div_ceil(PAGE_SIZE) > conn.max_pages() as usize {
        return Err(ENOMEM);
    }
    let op = Ioctl {
        fh: data.fh,
        flags,
        cmd,
        arg: arg as u64,
        in_size: u32::try_from(in_size)?,
        out_size: u32::try_from(out_size)?,
        room: u32::try_from(room)?,
    };
    // What is read and written, one after the other.
    let mut bytes = KVVec::with_capacity(len, GFP_KERNEL_ACCOUNT)?;
    memory.read(&mut bytes)?;
    let payload = if in_size == 0 {
        Payload::Out(bytes, room)
    } else {
        Payload::InOut(bytes, room)
    };

    let (result, payload) = conn.call_with(file, &op, payload, || |_: &mut Outcome<'_>| {});
    let (out, _) = result.map_err(not_lacking)?;
    if let Payload::Out(bytes, _) | Payload::InOut(bytes, _) = payload {
        memory.writes.slice().writer().write_slice(&bytes)?;
    }
    Ok(match out.result {
        result if result == ENOSYS.to_errno() => ENOTTY.to_errno(),
        result => result,
    })
}

/// The same of a directory.
///
/// # Errors
///
/// Also ENOTTY of daemons older than 7.18, which do not know of directories.
pub(in crate::fs) fn dir_ioctl(
    file: &File,
    cmd: u32,
    arg: usize,
    flags: IoctlFlags,
) -> Result<i32> {
    if file.data().conn.minor().before(18) {
        return Err(ENOTTY);
    }
    ioctl(file, cmd, arg, flags | IoctlFlags::DIR)
}

/// No ioctl(2) fails with ENOSYS.
pub(super) fn not_lacking(error: Error) -> Error {
    if error == ENOSYS {
        ENOTTY
    } else {
        error
    }
}

/// A stretch of the caller's memory.
#[derive(Clone, Copy, Default)]
struct Stretch {
    addr: usize,
    len: usize,
}

impl Stretch {
    fn slice(&self) -> UserSlice {
        UserSlice::new(UserPtr::from_addr(self.addr), self.len)
    }
}

/// The caller's memory that a command is about.
struct Memory {
    /// What goes to the daemon, one after the other.
    reads: [Stretch; 3],
    /// Where comes what the daemon sends.
    writes: Stretch,
}

impl Memory {
    /// That of a command, as its number says.
    ///
    /// # Errors
    ///
    /// EFAULT, ENOMEM, of commands of fs-verity, which are looked into.
    fn of(cmd: u32, arg: usize) -> Result<Self> {
        let mut main = Stretch {
            addr: arg,
            len: _IOC_SIZE(cmd),
        };
        let mut more = [Stretch::default(); 2];
        match cmd {
            FS_IOC_MEASURE_VERITY => main.len = fsverity::digest_size(UserPtr::from_addr(arg))?,
            FS_IOC_ENABLE_VERITY => more = salt_and_signature(arg)?,
            _ => {}
        }
        let if_set = |bit| match _IOC_DIR(cmd) & bit {
            0 => Stretch::default(),
            _ => main,
        };
        let [salt, signature] = more;
        Ok(Self {
            reads: [if_set(_IOC_WRITE), salt, signature],
            writes: if_set(_IOC_READ),
        })
    }

    /// Bytes that go to the daemon.
    fn in_size(&self) -> Result<usize> {
        let add = |sum: usize, part: &Stretch| sum.checked_add(part.len);
        self.reads.iter().try_fold(0, add).ok_or(ENOMEM)
    }

    /// Copies them.
    fn read(&self, to: &mut KVVec<u8>) -> Result {
        for part in &self.reads {
            part.slice().read_all(to, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(())
    }
}

/// What FS_IOC_ENABLE_VERITY reads besides.
fn salt_and_signature(arg: usize) -> Result<[Stretch; 2]> {
    let enable = FsverityEnableArg::read(UserPtr::from_addr(arg))?;
    let stretch = |addr: u64, len: u32| match len as usize {
        len if len > VERITY_ARG_MAX => Err(ENOMEM),
        len => Ok(Stretch {
            // As C makes a pointer of it.
            addr: addr as usize,
            len,
        }),
    };
    Ok([
        stretch(enable.salt_ptr, enable.salt_size)?,
        stretch(enable.sig_ptr, enable.sig_size)?,
    ])
}
