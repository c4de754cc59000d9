// SPDX-License-Identifier: GPL-2.0

//! Memory for the daemon's buffers that ends, faults or waits where the test wants it to.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::errno::{check, last, Res};

/// Bytes in a page.
pub const PAGE: usize = 4096;

/// Zeroes that this process shares with those that it forks. Never unmapped.
///
/// # Safety
///
/// A `T` may be all zeroes.
pub unsafe fn shared<T: Sync>() -> &'static T {
    assert!(size_of::<T>() <= PAGE);
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping, large enough for a `T`, as which the caller lets its zeroes pass.
    unsafe {
        let p = libc::mmap(std::ptr::null_mut(), PAGE, prot, flags, -1, 0);
        assert_ne!(p, libc::MAP_FAILED, "{}", last());
        &*p.cast()
    }
}

/// Anonymous pages, unmapped when dropped.
pub struct Pages {
    addr: *mut u8,
    len: usize,
}

// SAFETY: the address is no more than that.
unsafe impl Send for Pages {}
// SAFETY: through a shared reference the bytes are only read.
unsafe impl Sync for Pages {}

impl Pages {
    /// `n` pages, readable and writable.
    pub fn new(n: usize) -> Pages {
        Pages::with(n, libc::PROT_READ | libc::PROT_WRITE)
    }

    /// `n` pages with this protection.
    pub fn with(n: usize, prot: i32) -> Pages {
        Pages::map(std::ptr::null_mut(), n, prot, 0)
    }

    /// `n` pages alone in place `place` of those far from where mmap(2) puts anything by itself, so
    /// that what is around them stays unmapped.
    pub fn alone(place: usize, n: usize) -> Pages {
        let addr = (1 << 44) + (place << 30);
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        Pages::map(addr as *mut _, n, prot, libc::MAP_FIXED_NOREPLACE)
    }

    /// A page that 32 bits can name.
    pub fn low() -> Pages {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        Pages::map(std::ptr::null_mut(), 1, prot, libc::MAP_32BIT)
    }

    fn map(addr: *mut libc::c_void, n: usize, prot: i32, flags: i32) -> Pages {
        let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping.
        let p = unsafe { libc::mmap(addr, n * PAGE, prot, flags, -1, 0) };
        assert_ne!(p, libc::MAP_FAILED, "{}", last());
        Pages {
            addr: p.cast(),
            len: n * PAGE,
        }
    }

    /// `n` pages that are there already, so that nothing needs memory when they are first used.
    pub fn touched(n: usize) -> Pages {
        let mut pages = Pages::new(n);
        let len = pages.len;
        pages.bytes(0, len).fill(0);
        pages
    }

    pub fn addr(&self) -> usize {
        self.addr as usize
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes from `from` on. All of them must be mapped.
    pub fn bytes(&mut self, from: usize, len: usize) -> &mut [u8] {
        assert!(from + len <= self.len);
        // SAFETY: within the mapping, which the test left in place there.
        unsafe { std::slice::from_raw_parts_mut(self.addr.add(from), len) }
    }

    /// The first bytes, which no system call is writing to at present. All of them must be mapped.
    pub fn read(&self, len: usize) -> &[u8] {
        assert!(len <= self.len);
        // SAFETY: within the mapping, which the test left in place there.
        unsafe { std::slice::from_raw_parts(self.addr, len) }
    }

    /// Takes page `n` away.
    pub fn unmap(&self, n: usize) {
        // SAFETY: a page of ours.
        unsafe { libc::munmap(self.addr.add(n * PAGE).cast(), PAGE) };
    }

    /// Changes the protection of page `n`.
    pub fn protect(&self, n: usize, prot: i32) {
        // SAFETY: a page of ours.
        assert_eq!(
            unsafe { libc::mprotect(self.addr.add(n * PAGE).cast(), PAGE, prot) },
            0
        );
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: our mapping; holes in it do not matter.
        unsafe { libc::munmap(self.addr.cast(), self.len) };
    }
}

/// read(2) to an address, whatever is there.
pub fn read_at(fd: i32, addr: usize, len: usize) -> Res<usize> {
    // SAFETY: the kernel checks the address; the test gives addresses of its own memory only.
    check(unsafe { libc::read(fd, addr as *mut _, len) as i64 }).map(|n| n as usize)
}

/// write(2) from an address, whatever is there.
pub fn write_at(fd: i32, addr: usize, len: usize) -> Res<usize> {
    // SAFETY: as for read_at.
    check(unsafe { libc::write(fd, addr as *const _, len) as i64 }).map(|n| n as usize)
}

/// pread(2) to an address, whatever is there.
pub fn pread_at(fd: i32, addr: usize, len: usize, off: u64) -> Res<usize> {
    // SAFETY: as for read_at.
    check(unsafe { libc::pread(fd, addr as *mut _, len, off as i64) as i64 }).map(|n| n as usize)
}

/// pwrite(2) from an address, whatever is there.
pub fn pwrite_at(fd: i32, addr: usize, len: usize, off: u64) -> Res<usize> {
    // SAFETY: as for read_at.
    check(unsafe { libc::pwrite(fd, addr as *const _, len, off as i64) as i64 }).map(|n| n as usize)
}

/// readv(2) or writev(2) with pieces of memory.
pub fn vector(fd: i32, write: bool, pieces: &[(usize, usize)]) -> Res<usize> {
    let v: Vec<libc::iovec> = pieces
        .iter()
        .map(|p| libc::iovec {
            iov_base: p.0 as *mut _,
            iov_len: p.1,
        })
        .collect();
    // SAFETY: as for read_at.
    let r = unsafe {
        if write {
            libc::writev(fd, v.as_ptr(), v.len() as i32)
        } else {
            libc::readv(fd, v.as_ptr(), v.len() as i32)
        }
    };
    check(r as i64).map(|n| n as usize)
}

/// Pages whose first use waits until the test fills them: userfaultfd.
pub struct Held {
    pub pages: Pages,
    uffd: OwnedFd,
}

const UFFDIO_API: u64 = 0xc018_aa3f;
const UFFDIO_REGISTER: u64 = 0xc020_aa00;
const UFFDIO_COPY: u64 = 0xc028_aa03;

impl Held {
    /// `n` pages of which none is there yet.
    pub fn new(n: usize) -> Held {
        ktap::needs("CONFIG_USERFAULTFD");
        let pages = Pages::new(n);
        // SAFETY: flags only; the descriptor is new.
        let uffd = unsafe {
            let fd = check(libc::syscall(
                libc::SYS_userfaultfd,
                libc::O_CLOEXEC | libc::O_NONBLOCK,
            ))
            .expect("userfaultfd");
            OwnedFd::from_raw_fd(fd as i32)
        };
        let mut api = [0xaau64, 0, 0];
        let mut reg = [pages.addr() as u64, pages.len() as u64, 1, 0];
        // SAFETY: both structures have the size that the number of the ioctl says.
        unsafe {
            check(libc::ioctl(
                uffd.as_raw_fd(),
                UFFDIO_API as _,
                api.as_mut_ptr(),
            ))
            .expect("UFFDIO_API");
            check(libc::ioctl(
                uffd.as_raw_fd(),
                UFFDIO_REGISTER as _,
                reg.as_mut_ptr(),
            ))
            .expect("UFFDIO_REGISTER");
        }
        Held { pages, uffd }
    }

    /// Waits until somebody needs a page, and gives its number.
    pub fn wait(&self) -> usize {
        self.wait_for(ktap::patience()).expect("nobody faults")
    }

    /// The same, for a time.
    pub fn wait_for(&self, bound: std::time::Duration) -> Option<usize> {
        use std::os::fd::AsFd;
        if !crate::caller::readable(self.uffd.as_fd(), bound) {
            return None;
        }
        let mut msg = [0u8; 32];
        match rustix::io::read(&self.uffd, &mut msg) {
            Ok(n) => assert_eq!((n, msg[0]), (32, 0x12), "a page fault"),
            // Whoever needed it has gone.
            Err(rustix::io::Errno::AGAIN) => return None,
            Err(e) => panic!("userfaultfd message: {e}"),
        }
        Some((crate::request::num(&msg, 16, 8) as usize - self.pages.addr()) / PAGE)
    }

    /// Takes page `n` away again.
    pub fn empty(&self, n: usize) {
        let page = (self.pages.addr() + n * PAGE) as *mut _;
        // SAFETY: a page of ours, which nobody has a reference to.
        check(unsafe { libc::madvise(page, PAGE, libc::MADV_DONTNEED) }).expect("MADV_DONTNEED");
    }

    /// Puts page `n` there, with this content at its start.
    pub fn fill(&self, n: usize, content: &[u8]) {
        let mut page = Pages::new(1);
        page.bytes(0, content.len()).copy_from_slice(content);
        let mut copy = [
            (self.pages.addr() + n * PAGE) as u64,
            page.addr() as u64,
            PAGE as u64,
            0,
            0,
        ];
        // SAFETY: the structure has the size that the number says; source and target are ours.
        unsafe {
            check(libc::ioctl(
                self.uffd.as_raw_fd(),
                UFFDIO_COPY as _,
                copy.as_mut_ptr(),
            ))
            .expect("UFFDIO_COPY")
        };
    }
}
