// SPDX-License-Identifier: GPL-2.0

//! Mappings, which READ as memory is touched, and programs, which are mapped.

use std::os::fd::{AsRawFd, OwnedFd};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::*;
use mockd::Mock;

use crate::through::{each, pattern, read, write};

pub fn cases() -> Vec<Case> {
    cases![
        mmap_private,
        mmap_shared_read,
        mmap_shared_write,
        mmap_beyond_eof,
        mapping_reads,
        mapping_of_direct_file,
        exec_from_mount,
        text_busy,
    ]
}

/// A mapping that is unmapped when dropped.
struct Map(*mut u8, usize);

impl Map {
    fn new(fd: &OwnedFd, len: usize, prot: i32, flags: i32) -> Res<Map> {
        // SAFETY: a new mapping.
        let p = unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, fd.as_raw_fd(), 0) };
        if p == libc::MAP_FAILED {
            return Err(last());
        }
        Ok(Map(p.cast(), len))
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is there until drop.
        unsafe { std::slice::from_raw_parts_mut(self.0, self.1) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: our mapping.
        unsafe { libc::munmap(self.0.cast(), self.1) };
    }
}

/// What is written to a private mapping is for its owner alone, and the mapping outlives the
/// descriptor.
fn mmap_private() {
    each(|d| {
        let data = pattern(20_000, 4);
        write(&d.behind("f"), &data);
        let fd = user::open(&d.at("f"), libc::O_RDONLY, 0).expect("open");
        let mut m = Map::new(
            &fd,
            20_000,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE,
        )
        .expect("mmap");
        assert!(m.bytes() == data);
        m.bytes()[5_000] ^= 0xff;
        assert_ne!(m.bytes()[5_000], data[5_000]);
        drop(fd);
        assert_eq!(m.bytes()[19_999], data[19_999]);
        drop(m);
        assert!(
            read(&d.at("f")) == data,
            "a private mapping changes nothing"
        );
        assert!(read(&d.behind("f")) == data);
    });
}

/// cache=never opens files with FOPEN_DIRECT_IO, whose pages cannot be shared.
fn is_direct(d: &suites::daemon::Daemon) -> bool {
    let cmd = std::fs::read_to_string(format!("/proc/{}/cmdline", d.pid())).expect("cmdline");
    cmd.contains("cache=never")
}

fn mmap_shared_read() {
    each(|d| {
        let data = pattern(9_000, 6);
        write(&d.behind("f"), &data);
        let fd = user::open(&d.at("f"), libc::O_WRONLY, 0).expect("open");
        // By a descriptor that could not write either.
        let ro = user::open(&d.at("f"), libc::O_RDONLY, 0).expect("open");
        let m = Map::new(&ro, 9_000, libc::PROT_READ, libc::MAP_SHARED);
        if is_direct(d) {
            assert_eq!(m.err(), Some(ENODEV));
            return;
        }
        let mut m = m.expect("mmap");
        assert!(m.bytes() == data);
        // A write through the descriptor shows in the mapping.
        assert_eq!(user::pwrite(&fd, b"HERE", 4_094), Ok(4));
        assert_eq!(&m.bytes()[4_094..4_098], b"HERE");
    });
}

/// What is stored is read by others at once, and reaches the daemon by msync, and by unmapping and
/// closing.
fn mmap_shared_write() {
    each(|d| {
        write(&d.at("f"), &[0; 10_000]);
        let fd = user::open(&d.at("f"), libc::O_RDWR, 0).expect("open");
        let m = Map::new(
            &fd,
            10_000,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
        );
        if is_direct(d) {
            assert_eq!(m.err(), Some(ENODEV));
            return;
        }
        let mut m = m.expect("mmap");
        m.bytes()[5_000..5_005].copy_from_slice(b"store");
        assert_eq!(user::pread(&fd, 5, 5_000), Ok(b"store".to_vec()));
        // SAFETY: our mapping.
        assert_eq!(
            check(unsafe { libc::msync(m.0.cast(), m.1, libc::MS_SYNC) }),
            Ok(0)
        );
        assert_eq!(&read(&d.behind("f"))[5_000..5_005], b"store");
        m.bytes()[1] = 7;
        drop((m, fd));
        // Dropping the mapping and closing write back too.
        assert_eq!(read(&d.behind("f"))[1], 7);
    });
}

/// The rest of the last page is zero, what is beyond it is SIGBUS.
fn mmap_beyond_eof() {
    each(|d| {
        write(&d.behind("f"), &[0xee; 5_000]);
        let fd = user::open(&d.at("f"), libc::O_RDONLY, 0).expect("open");
        let mut m = Map::new(&fd, 12_288, libc::PROT_READ, libc::MAP_PRIVATE).expect("mmap");
        assert_eq!(m.bytes()[4_999], 0xee);
        assert!(m.bytes()[5_000..8_192].iter().all(|b| *b == 0));
        let p = m.0 as usize;
        let mut c = mockd::Caller::spawn(None, |_| {
            // SAFETY: a read of our mapping, which is to fault.
            unsafe { std::ptr::read_volatile((p + 8_192) as *const u8) }
        });
        let st = c.reap();
        assert!(
            libc::WIFSIGNALED(st) && libc::WTERMSIG(st) == libc::SIGBUS,
            "status {st:#x}"
        );
    });
}

/// Maps `len` bytes privately and gives a copy of them.
fn map_private(p: &std::path::Path, len: usize) -> Res<Vec<u8>> {
    let fd = user::open(p, libc::O_RDONLY, 0)?;
    // SAFETY: a new mapping, read within its length, which the file has.
    unsafe {
        let m = libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ,
            libc::MAP_PRIVATE,
            fd.as_raw_fd(),
            0,
        );
        if m == libc::MAP_FAILED {
            return Err(last());
        }
        let v = std::slice::from_raw_parts(m.cast::<u8>(), len).to_vec();
        libc::munmap(m, len);
        Ok(v)
    }
}

/// Memory that is touched is read as READs, in whole pages.
fn mapping_reads() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &pattern(50_000, 6));
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        Ok(map_private(&mnt.join("f"), 50_000)? == pattern(50_000, 6))
    });
    assert_eq!(r, Ok(true));
    m.finish_compared();
}

/// A direct file may be mapped privately; each new mapping reads afresh.
fn mapping_of_direct_file() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", &pattern(8_192, 6));
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        Ok(map_private(&f, 8_192)? == pattern(8_192, 6)
            && map_private(&f, 8_192)? == pattern(8_192, 6))
    });
    assert_eq!(r, Ok(true));
    m.finish_compared();
}

/// A program and a script, from files that the daemon serves; and not without the mode's bit.
fn exec_from_mount() {
    each(|d| {
        std::fs::copy("/bin/true", d.at("true")).expect("copy");
        std::fs::copy("/bin/echo", d.at("echo")).expect("copy");
        user::chmod(&d.at("true"), 0o755).expect("chmod");
        user::chmod(&d.at("echo"), 0o755).expect("chmod");
        assert!(std::process::Command::new(d.at("true"))
            .status()
            .expect("exec")
            .success());
        let out = std::process::Command::new(d.at("echo"))
            .arg("from the mount")
            .output()
            .expect("exec");
        assert_eq!(out.stdout, b"from the mount\n");
        write(&d.at("script"), b"#!/bin/sh\necho script $1\n");
        user::chmod(&d.at("script"), 0o755).expect("chmod");
        let out = std::process::Command::new(d.at("script"))
            .arg("runs")
            .output()
            .expect("exec");
        assert_eq!(out.stdout, b"script runs\n");
        user::chmod(&d.at("true"), 0o644).expect("chmod");
        let e = std::process::Command::new(d.at("true"))
            .status()
            .expect_err("exec of what is no program");
        assert_eq!(Errno::from(e), EACCES);
    });
}

/// A running program cannot be opened for writing, until it is gone.
fn text_busy() {
    each(|d| {
        std::fs::copy("/bin/sleep", d.at("sleep")).expect("copy");
        user::chmod(&d.at("sleep"), 0o755).expect("chmod");
        let mut c = std::process::Command::new(d.at("sleep"))
            .arg("1000")
            .spawn()
            .expect("spawn");
        // The parent goes on when the old memory is let go, a little before the new program is in.
        suites::daemon::until("the program to run", || {
            let exe = std::fs::read_link(format!("/proc/{}/exe", c.id())).expect("exe");
            (exe == d.at("sleep")).then_some(())
        });
        assert_eq!(
            user::open(&d.at("sleep"), libc::O_WRONLY, 0).err(),
            Some(ETXTBSY)
        );
        c.kill().expect("kill");
        c.wait().expect("wait");
        // Where SIGKILL frees callers, a READ that it was killed in is still there: until the
        // answer, so is its hold.
        suites::daemon::until("the program to be let go", || {
            match user::open(&d.at("sleep"), libc::O_WRONLY, 0) {
                Err(ETXTBSY) => None,
                opened => Some(opened.expect("open")),
            }
        });
    });
}
