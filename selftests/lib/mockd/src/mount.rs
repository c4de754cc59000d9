// SPDX-License-Identifier: GPL-2.0

//! Mounting by either interface.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use rustix::mount::{FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, MoveMountFlags};

use crate::errno::{check, Errno, Res};

/// Which system calls mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Api {
    /// mount(2).
    Mount,
    /// fsopen(2), fsconfig(2), fsmount(2), move_mount(2).
    Fsopen,
}

/// How to mount.
#[derive(Clone, Debug)]
pub struct Setup {
    pub api: Api,
    pub fstype: &'static str,
    pub source: &'static str,
    /// Options besides fd; an empty value means a flag.
    pub options: Vec<(String, String)>,
    /// Flags for mount(2), or those of them that fsmount knows.
    pub flags: u64,
    /// Open the device with O_NONBLOCK.
    pub nonblock: bool,
}

impl Default for Setup {
    fn default() -> Setup {
        let o = |k: &str, v: &str| (k.to_string(), v.to_string());
        Setup {
            api: Api::Mount,
            fstype: "fuse",
            source: "mockd",
            options: vec![
                o("rootmode", "40000"),
                o("user_id", "0"),
                o("group_id", "0"),
            ],
            flags: libc::MS_NOSUID | libc::MS_NODEV,
            nonblock: false,
        }
    }
}

impl Setup {
    /// Sets an option, in place of an earlier value.
    pub fn opt(mut self, key: &str, value: &str) -> Setup {
        self.options.retain(|o| o.0 != key);
        self.options.push((key.to_string(), value.to_string()));
        self
    }

    /// Takes an option away.
    pub fn without(mut self, key: &str) -> Setup {
        self.options.retain(|o| o.0 != key);
        self
    }

    pub fn api(mut self, api: Api) -> Setup {
        self.api = api;
        self
    }

    /// Mounts with `dev` on `target`.
    pub fn mount(&self, dev: BorrowedFd<'_>, target: &Path) -> Res<()> {
        self.mount_fd(Some(&dev.as_raw_fd().to_string()), target)
    }

    /// The same with the text of the fd option as given, or without it.
    pub fn mount_fd(&self, fd: Option<&str>, target: &Path) -> Res<()> {
        let mut options = self.options.clone();
        if let Some(fd) = fd {
            options.insert(0, ("fd".into(), fd.into()));
        }
        match self.api {
            Api::Mount => {
                let data: Vec<String> = options
                    .iter()
                    .map(|(k, v)| {
                        if v.is_empty() {
                            k.clone()
                        } else {
                            format!("{k}={v}")
                        }
                    })
                    .collect();
                mount(
                    self.source,
                    target,
                    self.fstype,
                    self.flags,
                    &data.join(","),
                )
            }
            Api::Fsopen => {
                let ctx = Context::open(self.fstype)?;
                ctx.set("source", self.source)?;
                for (k, v) in &options {
                    if v.is_empty() {
                        ctx.flag(k)?;
                    } else {
                        ctx.set(k, v)?;
                    }
                }
                ctx.create()?;
                ctx.attach(target)
            }
        }
    }
}

/// mount(2).
pub fn mount(source: &str, target: &Path, fstype: &str, flags: u64, data: &str) -> Res<()> {
    let c = |s: &str| CString::new(s).expect("no NUL");
    let (source, fstype, data) = (c(source), c(fstype), c(data));
    let target = path(target);
    // SAFETY: all are C strings.
    check(unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            fstype.as_ptr(),
            flags,
            data.as_ptr().cast(),
        )
    })?;
    Ok(())
}

/// umount2(2).
pub fn umount(target: &Path, flags: i32) -> Res<()> {
    let target = path(target);
    // SAFETY: a C string.
    check(unsafe { libc::umount2(target.as_ptr(), flags) })?;
    Ok(())
}

/// A path as a C string.
pub fn path(p: &Path) -> CString {
    use std::os::unix::ffi::OsStrExt;
    CString::new(p.as_os_str().as_bytes()).expect("no NUL")
}

/// A file system context, from fsopen.
pub struct Context(OwnedFd);

impl Context {
    pub fn open(fstype: &str) -> Res<Context> {
        Ok(Context(rustix::mount::fsopen(
            fstype,
            FsOpenFlags::FSOPEN_CLOEXEC,
        )?))
    }

    pub fn set(&self, key: &str, value: &str) -> Res<()> {
        Ok(rustix::mount::fsconfig_set_string(
            self.0.as_fd(),
            key,
            value,
        )?)
    }

    pub fn flag(&self, key: &str) -> Res<()> {
        Ok(rustix::mount::fsconfig_set_flag(self.0.as_fd(), key)?)
    }

    /// FSCONFIG_SET_FD.
    pub fn fd(&self, key: &str, fd: BorrowedFd<'_>) -> Res<()> {
        Ok(rustix::mount::fsconfig_set_fd(self.0.as_fd(), key, fd)?)
    }

    pub fn create(&self) -> Res<()> {
        Ok(rustix::mount::fsconfig_create(self.0.as_fd())?)
    }

    /// FSCONFIG_CMD_CREATE_EXCL: no superblock that is there already.
    pub fn create_exclusive(&self) -> Res<()> {
        const CREATE_EXCL: i32 = 8;
        let (none, fd) = (std::ptr::null::<u8>(), self.0.as_raw_fd());
        // SAFETY: integers and two null pointers.
        check(unsafe { libc::syscall(libc::SYS_fsconfig, fd, CREATE_EXCL, none, none, 0) })
            .map(drop)
    }

    pub fn reconfigure(&self) -> Res<()> {
        Ok(rustix::mount::fsconfig_reconfigure(self.0.as_fd())?)
    }

    /// fsmount and move_mount.
    pub fn attach(&self, target: &Path) -> Res<()> {
        let mnt = rustix::mount::fsmount(
            self.0.as_fd(),
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
        )?;
        Ok(rustix::mount::move_mount(
            mnt.as_fd(),
            "",
            rustix::fs::CWD,
            target,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )?)
    }

    /// The messages that the context has collected.
    pub fn log(&self) -> Vec<String> {
        let mut v = Vec::new();
        let mut buf = [0u8; 1024];
        while let Ok(n) = rustix::io::read(&self.0, &mut buf) {
            v.push(String::from_utf8_lossy(&buf[..n]).trim_end().to_string());
        }
        v
    }
}

/// The context of a mount that exists, for reconfiguring.
pub fn fspick(target: &Path) -> Res<Context> {
    let fd = rustix::mount::fspick(
        rustix::fs::CWD,
        target,
        rustix::mount::FsPickFlags::FSPICK_CLOEXEC,
    )?;
    Ok(Context(fd))
}

/// Opens /dev/fuse.
pub fn open_dev(nonblock: bool) -> Res<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_CLOEXEC | if nonblock { libc::O_NONBLOCK } else { 0 };
    // SAFETY: a C string, and the descriptor is new.
    unsafe {
        Ok(OwnedFd::from_raw_fd(
            check(libc::open(c"/dev/fuse".as_ptr(), flags))? as i32,
        ))
    }
}

/// `FUSE_DEV_IOC_CLONE`
pub const DEV_IOC_CLONE: u32 = 0x8004_e500;

/// Makes a device that nobody uses serve the connection of `other`, too.
pub fn clone_dev(dev: &impl AsRawFd, other: &impl AsRawFd) -> Res<()> {
    let other = other.as_raw_fd();
    // SAFETY: the argument is a number, read by the kernel.
    check(unsafe { libc::ioctl(dev.as_raw_fd(), DEV_IOC_CLONE as _, &other) }).map(drop)
}

/// The lines of /proc/self/mounts whose mount point is `target`, the last one first.
pub fn mounts_of(target: &Path) -> Vec<String> {
    let t = target.to_str().expect("utf-8");
    let text = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    let mut v: Vec<String> = text
        .lines()
        .filter(|l| l.split(' ').nth(1) == Some(t))
        .map(String::from)
        .collect();
    v.reverse();
    v
}

/// True if something is mounted at `target`.
pub fn is_mounted(target: &Path) -> bool {
    !mounts_of(target).is_empty()
}

/// Drops the dentries and inodes that nobody uses of all FUSE mounts below a directory: what a
/// reconfiguration of nothing does.
pub(crate) fn shrink_below(dir: &Path) {
    let table = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    for line in table.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(at), Some(kind)) = (words.next(), words.next()) else {
            continue;
        };
        let at = Path::new(at);
        if at.starts_with(dir) && (kind == "fuse" || kind.starts_with("fuse.")) {
            let flags = FsPickFlags::FSPICK_CLOEXEC;
            let context = rustix::mount::fspick(rustix::fs::CWD, at, flags);
            let context = context.unwrap_or_else(|e| panic!("{line}: {e}"));
            rustix::mount::fsconfig_reconfigure(context.as_fd())
                .unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }
}

/// ENOTCONN and the like, to read well in tests.
pub fn err<T>(e: Errno) -> Res<T> {
    Err(e)
}
