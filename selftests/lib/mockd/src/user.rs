// SPDX-License-Identifier: GPL-2.0

//! What callers do: system calls whose errors can be sent to the test.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::errno::{check, Errno, Res, EIO};
use crate::mem::{Pages, PAGE};
use crate::mount::path;

/// What stat(2) gives, without what no daemon decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    pub ino: u64,
    pub mode: u32,
    pub nlink: u64,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u64,
    pub size: u64,
    pub blksize: u64,
    pub blocks: u64,
    pub atime: (i64, i64),
    pub mtime: (i64, i64),
    pub ctime: (i64, i64),
}

impl crate::msg::Msg for Stat {
    fn put(&self, o: &mut Vec<u8>) {
        (self.ino, self.mode, self.nlink, self.uid, self.gid).put(o);
        (self.rdev, self.size, self.blksize, self.blocks).put(o);
        (self.atime, self.mtime, self.ctime).put(o);
    }
    fn take(b: &mut &[u8]) -> Option<Stat> {
        let (ino, mode, nlink, uid, gid) = crate::msg::Msg::take(b)?;
        let (rdev, size, blksize, blocks) = crate::msg::Msg::take(b)?;
        let (atime, mtime, ctime) = crate::msg::Msg::take(b)?;
        Some(Stat {
            ino,
            mode,
            nlink,
            uid,
            gid,
            rdev,
            size,
            blksize,
            blocks,
            atime,
            mtime,
            ctime,
        })
    }
}

/// newfstatat(2), which asks for what every file system has, and so for no STATX.
fn stat_at(dir: i32, p: &std::ffi::CStr, flags: i32) -> Res<Stat> {
    // SAFETY: a C string, and a place for the result.
    let m = unsafe {
        let mut m: libc::stat = std::mem::zeroed();
        check(libc::fstatat(dir, p.as_ptr(), &mut m, flags))?;
        m
    };
    Ok(Stat {
        ino: m.st_ino,
        mode: m.st_mode,
        nlink: m.st_nlink,
        uid: m.st_uid,
        gid: m.st_gid,
        rdev: m.st_rdev,
        size: m.st_size as u64,
        blksize: m.st_blksize as u64,
        blocks: m.st_blocks as u64,
        atime: (m.st_atime, m.st_atime_nsec),
        mtime: (m.st_mtime, m.st_mtime_nsec),
        ctime: (m.st_ctime, m.st_ctime_nsec),
    })
}

/// lstat(2).
pub fn lstat(p: &Path) -> Res<Stat> {
    stat_at(libc::AT_FDCWD, &path(p), libc::AT_SYMLINK_NOFOLLOW)
}

/// stat(2).
pub fn stat(p: &Path) -> Res<Stat> {
    stat_at(libc::AT_FDCWD, &path(p), 0)
}

/// fstat(2).
pub fn fstat(f: &impl AsRawFd) -> Res<Stat> {
    stat_at(f.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

/// What statx(2) gives of it that stat(2) does not: which fields are true, of those that the file
/// system tells, and the time of birth; and the size.
pub type Statx = (u32, (i64, u32), u64);

fn statx_at(dir: i32, p: &std::ffi::CStr, flags: i32, mask: u32) -> Res<Statx> {
    // SAFETY: a C string, and a place for the result.
    let s = unsafe {
        let mut s: libc::statx = std::mem::zeroed();
        check(libc::statx(dir, p.as_ptr(), flags, mask, &mut s))?;
        s
    };
    let btime = (s.stx_btime.tv_sec, s.stx_btime.tv_nsec);
    let told = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
    Ok((s.stx_mask & told, btime, s.stx_size))
}

/// statx(2), without following links.
pub fn statx(p: &Path, flags: i32, mask: u32) -> Res<Statx> {
    let flags = flags | libc::AT_SYMLINK_NOFOLLOW;
    statx_at(libc::AT_FDCWD, &path(p), flags, mask)
}

/// The same of what is open.
pub fn fstatx(f: &impl AsRawFd, flags: i32, mask: u32) -> Res<Statx> {
    statx_at(f.as_raw_fd(), c"", flags | libc::AT_EMPTY_PATH, mask)
}

/// open(2).
pub fn open(p: &Path, flags: i32, mode: u32) -> Res<OwnedFd> {
    let c = path(p);
    // SAFETY: a C string; the descriptor is new.
    unsafe {
        Ok(OwnedFd::from_raw_fd(
            check(libc::open(c.as_ptr(), flags | libc::O_CLOEXEC, mode))? as i32,
        ))
    }
}

/// close(2), with its error.
pub fn close(fd: OwnedFd) -> Res<()> {
    use std::os::fd::IntoRawFd;
    // SAFETY: the descriptor is ours and not used again.
    check(unsafe { libc::close(fd.into_raw_fd()) })?;
    Ok(())
}

/// Pages that hold `b` at their start: where it begins in a page decides how direct I/O is cut, and
/// a constant's page might still have to be read while the kernel copies.
fn pages_with(b: &[u8]) -> Pages {
    let mut p = Pages::new(b.len().div_ceil(PAGE).max(1));
    p.bytes(0, b.len()).copy_from_slice(b);
    p
}

/// pread(2) of up to `n` bytes.
pub fn pread(f: &impl AsRawFd, n: usize, off: u64) -> Res<Vec<u8>> {
    let mut p = Pages::new(n.div_ceil(PAGE).max(1));
    // SAFETY: p has n bytes.
    let r = check(unsafe { libc::pread(f.as_raw_fd(), p.addr() as *mut _, n, off as i64) as i64 })?;
    Ok(p.bytes(0, r as usize).to_vec())
}

/// pwrite(2).
pub fn pwrite(f: &impl AsRawFd, b: &[u8], off: u64) -> Res<usize> {
    let p = pages_with(b);
    // SAFETY: p has as many bytes as b.
    let r =
        unsafe { libc::pwrite(f.as_raw_fd(), p.addr() as *const _, b.len(), off as i64) as i64 };
    Ok(check(r)? as usize)
}

/// read(2) of up to `n` bytes.
pub fn read(f: &impl AsRawFd, n: usize) -> Res<Vec<u8>> {
    let mut p = Pages::new(n.div_ceil(PAGE).max(1));
    // SAFETY: p has n bytes.
    let r = check(unsafe { libc::read(f.as_raw_fd(), p.addr() as *mut _, n) as i64 })?;
    Ok(p.bytes(0, r as usize).to_vec())
}

/// write(2).
pub fn write(f: &impl AsRawFd, b: &[u8]) -> Res<usize> {
    let p = pages_with(b);
    // SAFETY: p has as many bytes as b.
    Ok(
        check(unsafe { libc::write(f.as_raw_fd(), p.addr() as *const _, b.len()) as i64 })?
            as usize,
    )
}

macro_rules! on_path {
    ($($(#[$m:meta])* $name:ident($($a:ident: $t:ty),*) = $call:expr;)*) => { $(
        $(#[$m])*
        pub fn $name(p: &Path $(, $a: $t)*) -> Res<()> {
            let c = path(p);
            // SAFETY: a C string and integers.
            check(unsafe { $call(c.as_ptr() $(, $a)*) })?;
            Ok(())
        }
    )* };
}

on_path! {
    mkdir(mode: u32) = libc::mkdir;
    rmdir() = libc::rmdir;
    unlink() = libc::unlink;
    mknod(mode: u32, dev: u64) = libc::mknod;
    chmod(mode: u32) = libc::chmod;
    lchown(uid: u32, gid: u32) = libc::lchown;
    truncate(len: i64) = libc::truncate;
    access(mode: i32) = libc::access;
    chdir() = libc::chdir;
}

macro_rules! on_two {
    ($($name:ident = $call:expr;)*) => { $(
        pub fn $name(a: &Path, b: &Path) -> Res<()> {
            let (a, b) = (path(a), path(b));
            // SAFETY: C strings.
            check(unsafe { $call(a.as_ptr(), b.as_ptr()) })?;
            Ok(())
        }
    )* };
}

on_two! {
    rename = libc::rename;
    link = libc::link;
}

/// linkat(2) of what is open, whatever its name.
pub fn link_fd(f: &impl AsRawFd, to: &Path) -> Res<()> {
    let (fd, to, flags) = (f.as_raw_fd(), path(to), libc::AT_EMPTY_PATH);
    // SAFETY: C strings.
    check(unsafe { libc::linkat(fd, c"".as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) }).map(drop)
}

/// symlink(2).
pub fn symlink(text: &str, p: &Path) -> Res<()> {
    let (t, p) = (CString::new(text).expect("no NUL"), path(p));
    // SAFETY: C strings.
    check(unsafe { libc::symlink(t.as_ptr(), p.as_ptr()) })?;
    Ok(())
}

/// readlink(2).
pub fn readlink(p: &Path) -> Res<String> {
    Ok(std::fs::read_link(p)?.to_string_lossy().into_owned())
}

/// renameat2(2).
pub fn rename2(a: &Path, b: &Path, flags: u32) -> Res<()> {
    let (a, b) = (path(a), path(b));
    // SAFETY: C strings.
    check(unsafe {
        libc::renameat2(
            libc::AT_FDCWD,
            a.as_ptr(),
            libc::AT_FDCWD,
            b.as_ptr(),
            flags,
        )
    })?;
    Ok(())
}

/// utimensat(2); None leaves a time alone.
pub fn utimes(p: &Path, atime: Option<(i64, i64)>, mtime: Option<(i64, i64)>) -> Res<()> {
    let ts = |t: Option<(i64, i64)>| match t {
        Some((s, n)) => libc::timespec {
            tv_sec: s,
            tv_nsec: n,
        },
        None => libc::timespec {
            tv_sec: 0,
            tv_nsec: libc::UTIME_OMIT,
        },
    };
    let (c, t) = (path(p), [ts(atime), ts(mtime)]);
    // SAFETY: a C string and two times.
    check(unsafe {
        libc::utimensat(
            libc::AT_FDCWD,
            c.as_ptr(),
            t.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
        )
    })?;
    Ok(())
}

macro_rules! on_fd {
    ($($name:ident($($a:ident: $t:ty),*) = $call:expr;)*) => { $(
        pub fn $name(f: &impl AsRawFd $(, $a: $t)*) -> Res<()> {
            // SAFETY: integers only.
            check(unsafe { $call(f.as_raw_fd() $(, $a)*) })?;
            Ok(())
        }
    )* };
}

on_fd! {
    ftruncate(len: i64) = libc::ftruncate;
    fsync() = libc::fsync;
    fdatasync() = libc::fdatasync;
    fchmod(mode: u32) = libc::fchmod;
    fchown(uid: u32, gid: u32) = libc::fchown;
}

/// fchmodat2(2), which takes a descriptor that is open with O_PATH.
pub fn chmod_at(f: &impl AsRawFd, mode: u32) -> Res<()> {
    const SYS_FCHMODAT2: i64 = 452;
    let (fd, flags) = (f.as_raw_fd(), libc::AT_EMPTY_PATH);
    // SAFETY: a C string and integers.
    check(unsafe { libc::syscall(SYS_FCHMODAT2, fd, c"".as_ptr(), mode, flags) }).map(drop)
}

/// fgetxattr(2) with a buffer of `size`; none asks for the value's length.
pub fn fgetxattr(f: &impl AsRawFd, name: &str, size: usize) -> Res<Vec<u8>> {
    let (name, mut b) = (CString::new(name).expect("no NUL"), vec![0u8; size]);
    // SAFETY: a C string, and b has size bytes.
    let n = check(unsafe {
        libc::fgetxattr(f.as_raw_fd(), name.as_ptr(), b.as_mut_ptr().cast(), size) as i64
    })?;
    b.truncate(n as usize);
    Ok(b)
}

/// lgetxattr(2) with a buffer of `size`; none asks for the value's length, which is what comes
/// then.
pub fn getxattr(p: &Path, name: &str, size: usize) -> Res<(usize, Vec<u8>)> {
    let (p, name) = (path(p), CString::new(name).expect("no NUL"));
    // SAFETY: C strings, and the place has as many bytes as is said.
    sized(size, |at, size| unsafe {
        libc::lgetxattr(p.as_ptr(), name.as_ptr(), at, size)
    })
}

/// llistxattr(2), likewise: names, each with a NUL.
pub fn listxattr(p: &Path, size: usize) -> Res<(usize, Vec<u8>)> {
    let p = path(p);
    // SAFETY: a C string, and the place has as many bytes as is said.
    sized(size, |at, size| unsafe {
        libc::llistxattr(p.as_ptr(), at.cast(), size)
    })
}

/// flistxattr(2), likewise.
pub fn flistxattr(f: &impl AsRawFd, size: usize) -> Res<(usize, Vec<u8>)> {
    // SAFETY: the place has as many bytes as is said.
    sized(size, |at, size| unsafe {
        libc::flistxattr(f.as_raw_fd(), at.cast(), size)
    })
}

/// What a call puts into a buffer of `size`, and what it returns.
fn sized(size: usize, call: impl Fn(*mut libc::c_void, usize) -> isize) -> Res<(usize, Vec<u8>)> {
    let mut b = vec![0u8; size];
    let n = check(call(b.as_mut_ptr().cast(), size) as i64)? as usize;
    b.truncate(n);
    Ok((n, b))
}

/// lsetxattr(2).
pub fn setxattr(p: &Path, name: &str, value: &[u8], flags: i32) -> Res<()> {
    let (p, name) = (path(p), CString::new(name).expect("no NUL"));
    // SAFETY: C strings, and a value of as many bytes.
    check(unsafe {
        libc::lsetxattr(
            p.as_ptr(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            flags,
        )
    })
    .map(drop)
}

/// lremovexattr(2).
pub fn removexattr(p: &Path, name: &str) -> Res<()> {
    let (p, name) = (path(p), CString::new(name).expect("no NUL"));
    // SAFETY: C strings.
    check(unsafe { libc::lremovexattr(p.as_ptr(), name.as_ptr()) }).map(drop)
}

/// A command of ioctl(2) that is read by the daemon, written by it, or both, with memory of `size`.
pub const fn command(reads: bool, writes: bool, size: usize) -> u32 {
    let direction = ((writes as u32) << 31) | ((reads as u32) << 30);
    direction | ((size as u32) << 16) | ((b'F' as u32) << 8) | 1
}

/// ioctl(2) with any argument.
pub fn ioctl_arg(f: &impl AsRawFd, cmd: u32, arg: usize) -> Res<i64> {
    // SAFETY: the kernel checks the argument; the test gives addresses of its own memory only.
    check(unsafe { libc::syscall(libc::SYS_ioctl, f.as_raw_fd(), cmd, arg) })
}

/// ioctl(2) as a 32-bit process calls it.
pub fn ioctl32(f: &impl AsRawFd, cmd: u32, arg: u32) -> Res<i64> {
    let r: i32;
    // SAFETY: system call 54 of the 32-bit table, whose arguments the kernel checks; rbx is put
    // back.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {fd}",
            "int 0x80",
            "xchg rbx, {fd}",
            fd = inout(reg) i64::from(f.as_raw_fd()) => _,
            inlateout("eax") 54i32 => r,
            in("ecx") cmd,
            in("edx") arg,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
        )
    };
    if r < 0 {
        Err(Errno(-r))
    } else {
        Ok(r.into())
    }
}

/// ioctl(2) on memory.
pub fn ioctl(f: &impl AsRawFd, cmd: u32, data: &mut [u8]) -> Res<i64> {
    ioctl_arg(f, cmd, data.as_mut_ptr() as usize)
}

/// `struct file_attr`: flags, size of extents, their number, project, size for copy on write.
pub type FileAttr = (u64, u32, u32, u32, u32);

/// file_getattr(2), without following links.
pub fn file_getattr(p: &Path) -> Res<FileAttr> {
    const SYS_FILE_GETATTR: i64 = 468;
    let mut a = [0u32; 6];
    file_attr(SYS_FILE_GETATTR, p, &mut a)?;
    Ok((
        u64::from(a[0]) | (u64::from(a[1]) << 32),
        a[2],
        a[3],
        a[4],
        a[5],
    ))
}

/// file_setattr(2), without following links.
pub fn file_setattr(p: &Path, attr: FileAttr) -> Res<()> {
    const SYS_FILE_SETATTR: i64 = 469;
    let (x, a) = (attr.0, attr);
    let mut a = [x as u32, (x >> 32) as u32, a.1, a.2, a.3, a.4];
    file_attr(SYS_FILE_SETATTR, p, &mut a)
}

fn file_attr(call: i64, p: &Path, a: &mut [u32; 6]) -> Res<()> {
    let (c, flags) = (path(p), libc::AT_SYMLINK_NOFOLLOW);
    // SAFETY: a C string, and a structure of so many bytes.
    let r = unsafe {
        let (at, size) = (a.as_mut_ptr(), size_of_val(a));
        libc::syscall(call, libc::AT_FDCWD, c.as_ptr(), at, size, flags)
    };
    match r {
        // C passes on what a daemon says, though it is no error; libc takes it for one.
        ..-1 => Err(EIO),
        r => check(r).map(drop),
    }
}

/// Names in a directory, sorted, without the dots.
pub fn list(p: &Path) -> Res<Vec<String>> {
    let fd = open(p, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let mut v = Vec::new();
    loop {
        let some = getdents(&fd, 32768)?;
        if some.is_empty() {
            break;
        }
        v.extend(
            some.into_iter()
                .map(|d| d.3)
                .filter(|n| n != "." && n != ".."),
        );
    }
    v.sort();
    Ok(v)
}

/// One record of getdents64.
pub type Dirent = (u64, i64, u8, String);

/// One getdents64 call with a buffer of `size`: inode, offset, type, name.
pub fn getdents(f: &impl AsRawFd, size: usize) -> Res<Vec<Dirent>> {
    let mut b = vec![0u8; size];
    let n = getdents_at(f.as_raw_fd(), b.as_mut_ptr() as usize, size)?;
    Ok(dirents(&b[..n]))
}

/// getdents64(2) to an address, whatever is there.
pub fn getdents_at(fd: i32, addr: usize, size: usize) -> Res<usize> {
    // SAFETY: the kernel checks the address; the test gives addresses of its own memory only.
    check(unsafe { libc::syscall(libc::SYS_getdents64, fd, addr, size) }).map(|n| n as usize)
}

/// The records that getdents64 has given.
pub fn dirents(b: &[u8]) -> Vec<Dirent> {
    let (mut at, mut v) = (0, Vec::new());
    while at < b.len() {
        let g = |o: usize, s: usize| crate::request::num(b, at + o, s);
        let len = g(16, 2) as usize;
        let name = &b[at + 19..at + len];
        let name = &name[..name.iter().position(|c| *c == 0).unwrap_or(name.len())];
        v.push((
            g(0, 8),
            g(8, 8) as i64,
            g(18, 1) as u8,
            String::from_utf8_lossy(name).into_owned(),
        ));
        at += len;
    }
    v
}

/// statfs(2): type, bsize, blocks, bfree, bavail, files, ffree, namelen, frsize.
pub fn statfs(p: &Path) -> Res<Vec<u64>> {
    let s = rustix::fs::statfs(p)?;
    Ok(vec![
        s.f_type as u64,
        s.f_bsize as u64,
        s.f_blocks,
        s.f_bfree,
        s.f_bavail,
        s.f_files,
        s.f_ffree,
        s.f_namelen as u64,
        s.f_frsize as u64,
    ])
}

/// Becomes another user for good, without supplementary groups.
pub fn become_user(uid: u32, gid: u32) {
    // SAFETY: integers; an empty list of groups.
    unsafe {
        assert_eq!(libc::setgroups(0, std::ptr::null()), 0);
        assert_eq!(libc::setresgid(gid, gid, gid), 0);
        assert_eq!(libc::setresuid(uid, uid, uid), 0);
    }
}

/// Gives a capability (`CAP_*`) up for good, whoever the caller is.
pub fn drop_capability(cap: u32) -> Res<()> {
    // The header of version 3, and of two words each what is effective, permitted, inheritable.
    let header = [0x2008_0522u32, 0];
    let mut sets = [0u32; 6];
    let at = |word: &[u32]| word.as_ptr();
    // SAFETY: a header and room for what this version has.
    check(unsafe { libc::syscall(libc::SYS_capget, at(&header), sets.as_mut_ptr()) })?;
    let word = cap as usize / 32 * 3;
    sets[word..word + 3]
        .iter_mut()
        .for_each(|set| *set &= !(1 << (cap % 32)));
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_capset, at(&header), at(&sets)) })?;
    Ok(())
}

/// Makes `sig` interrupt system calls without restarting them, and do nothing else.
pub fn catch_signal(sig: i32, restart: bool) {
    extern "C" fn nothing(_: i32) {}
    // SAFETY: the handler does nothing.
    unsafe {
        let mut a: libc::sigaction = std::mem::zeroed();
        a.sa_sigaction = nothing as extern "C" fn(i32) as usize;
        a.sa_flags = if restart { libc::SA_RESTART } else { 0 };
        libc::sigaction(sig, &a, std::ptr::null_mut());
    }
}

/// Writes back nothing and drops clean caches, dentries and inodes of the whole machine; without
/// sysctls, dentries and inodes of the case's mounts, with all that was cached of them.
pub fn drop_caches() {
    drop_or_shrink("3");
}

/// Drops dentries and inodes that nobody uses; without sysctls, those of the case's mounts.
pub fn drop_dentries() {
    drop_or_shrink("2");
}

fn drop_or_shrink(what: &str) {
    if ktap::has("CONFIG_SYSCTL") {
        std::fs::write("/proc/sys/vm/drop_caches", what).expect("drop_caches");
    } else {
        crate::mount::shrink_below(&ktap::dir());
    }
}

/// Drops clean pages of all page caches, and no inodes. Ends the case where that cannot be had.
pub fn drop_pages() {
    ktap::needs("CONFIG_SYSCTL");
    // Pages on their way to the LRU lists have a reference for it.
    let _ = std::fs::write("/proc/sys/vm/compact_memory", "1");
    std::fs::write("/proc/sys/vm/drop_caches", "1").expect("drop_caches");
}
