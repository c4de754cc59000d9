// SPDX-License-Identifier: GPL-2.0

//! STORE and RETRIEVE: their messages, and a mount with a file whose pages are cached or not.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::memfs::Memfs;
use mockd::msg::Msg;
use mockd::reply::{message, raw, Bytes};
use mockd::wire::{Op, FOPEN_KEEP_CACHE};
use mockd::{user, Init, Mock, Request, Setup};

pub const STORE: i32 = 4;
pub const RETRIEVE: i32 = 5;

/// The end of the largest file.
pub const MAX: u64 = i64::MAX as u64;

/// The message of a STORE.
pub fn store(node: u64, offset: u64, data: &[u8]) -> Vec<u8> {
    store_of(node, offset, data.len() as u32, data)
}

/// The same, with any number for the length of the data.
pub fn store_of(node: u64, offset: u64, size: u32, data: &[u8]) -> Vec<u8> {
    let body = Bytes::default().u64(node).u64(offset).u32(size).u32(0);
    message(0, STORE, &body.bytes(data).0)
}

/// What comes before the data of a STORE of `size` bytes.
pub fn store_head(node: u64, offset: u64, size: usize) -> Vec<u8> {
    let body = Bytes::default().u64(node).u64(offset);
    let body = body.u32(size as u32).u32(0);
    raw((16 + 24 + size) as u32, 0, STORE, &body.0)
}

/// The message of a RETRIEVE.
pub fn retrieve(unique: u64, node: u64, offset: u64, size: u32) -> Vec<u8> {
    let body = Bytes::default().u64(unique).u64(node).u64(offset);
    message(0, RETRIEVE, &body.u32(size).u32(0).0)
}

/// Bytes that tell where they belong.
pub fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len)
        .map(|i| (i as u8).wrapping_mul(31) ^ ((i >> 8) as u8) ^ seed)
        .collect()
}

/// Opens `f`, of which just those pages are then read that are asked for.
pub fn open_plainly(mnt: &Path) -> Res<OwnedFd> {
    let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
    // SAFETY: integers only.
    unsafe { libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
    Ok(f)
}

/// A mount with the file `f`, whose pages outlast an open.
pub struct Scene {
    pub m: Mock,
    pub fs: Memfs,
    pub f: u64,
    next: u64,
}

impl Scene {
    /// A file of so many bytes, of which the kernel knows.
    #[track_caller]
    pub fn new(size: usize) -> Scene {
        Scene::with(&Init::plain(), size)
    }

    #[track_caller]
    pub fn with(init: &Init, size: usize) -> Scene {
        let mut s = Scene::unknown(&Setup::default(), init, size);
        s.know("f");
        s
    }

    /// The same, but the kernel has not looked yet.
    pub fn unknown(setup: &Setup, init: &Init, size: usize) -> Scene {
        let mut fs = Memfs::new();
        fs.open_flags = FOPEN_KEEP_CACHE;
        let f = fs.file("f", &pattern(size, 0));
        let m = Mock::with(setup, init);
        m.rec.exact_reads();
        Scene { m, fs, f, next: 2 }
    }

    /// Lets the kernel look for a name.
    #[track_caller]
    pub fn know(&mut self, name: &str) {
        let r = self.run(|mnt| user::lstat(&mnt.join(name)).map(drop));
        assert_eq!(r, Ok(()));
    }

    /// Runs a caller.
    #[track_caller]
    pub fn run<T: Msg>(&mut self, f: impl FnOnce(&Path) -> T) -> T {
        self.m.run(&mut self.fs, f)
    }

    /// What a caller reads, and so has the pages cached.
    #[track_caller]
    pub fn read(&mut self, offset: usize, len: usize) -> Vec<u8> {
        let r = self.run(|mnt| user::pread(&open_plainly(mnt)?, len, offset as u64));
        r.expect("read")
    }

    /// How many READs it takes, and what comes.
    #[track_caller]
    pub fn reads(&mut self, offset: usize, len: usize) -> (usize, Vec<u8>) {
        let before = self.m.rec.count(Op::READ);
        let got = self.read(offset, len);
        (self.m.rec.count(Op::READ) - before, got)
    }

    /// The daemon's file changes: it gets these bytes.
    pub fn put(&mut self, offset: usize, bytes: &[u8]) {
        let node = self.fs.nodes.get_mut(&self.f).expect("f");
        let end = offset + bytes.len();
        if node.data.len() < end {
            node.data.resize(end, 0);
        }
        node.data[offset..end].copy_from_slice(bytes);
        node.attr.size = node.data.len() as u64;
    }

    /// STOREs into `f`.
    pub fn store(&self, offset: u64, bytes: &[u8]) -> Res<()> {
        self.tell(&store(self.f, offset, bytes))
    }

    /// STOREs what the daemon then has itself.
    #[track_caller]
    pub fn store_own(&mut self, offset: usize, bytes: &[u8]) {
        self.put(offset, bytes);
        assert_eq!(self.store(offset as u64, bytes), Ok(()));
    }

    /// Writes a notification.
    pub fn tell(&self, notification: &[u8]) -> Res<()> {
        let n = self.m.write(notification)?;
        assert_eq!(n, notification.len());
        Ok(())
    }

    /// Asks for data of `f`, under a number of its own, and reads the answer.
    #[track_caller]
    pub fn retrieve(&mut self, offset: u64, size: u32) -> Vec<u8> {
        let unique = self.ask(offset, size);
        let r = self.m.expect(Op::NOTIFY_REPLY);
        self.check(&r, unique, offset)
    }

    /// Asks for data of `f`. The number is returned.
    #[track_caller]
    pub fn ask(&mut self, offset: u64, size: u32) -> u64 {
        self.next += 1;
        let unique = 1000 + self.next;
        let r = self.tell(&retrieve(unique, self.f, offset, size));
        assert_eq!(r, Ok(()));
        unique
    }

    /// What an answer has in it, which must be one to that question.
    #[track_caller]
    pub fn check(&self, r: &Request, unique: u64, offset: u64) -> Vec<u8> {
        assert_eq!(r.op, Op::NOTIFY_REPLY);
        assert_eq!((r.unique, r.node), (unique, self.f), "{r:?}");
        assert_eq!(r.get("offset"), offset);
        let data = r.tail().to_vec();
        assert_eq!(r.get("size") as usize, data.len());
        data
    }

    /// Which of the first pages are cached and valid.
    #[track_caller]
    pub fn valid(&mut self, pages: usize) -> Vec<bool> {
        (0..pages)
            .map(|page| !self.retrieve((page * PAGE) as u64, 1).is_empty())
            .collect()
    }

    /// The size that a caller sees.
    #[track_caller]
    pub fn size(&mut self) -> i64 {
        let r: Res<i64> = self.run(|mnt| Ok(user::lstat(&mnt.join("f"))?.size as i64));
        r.expect("stat")
    }

    pub fn finish(self) {
        self.m.finish();
    }
}

/// A mapping, unmapped when dropped.
pub struct Map(*mut u8, usize);

// SAFETY: an address; what is there is anybody's.
unsafe impl Send for Map {}

impl Map {
    /// Of a file, for reading.
    pub fn new(f: &impl AsRawFd, len: usize, shared: bool) -> Res<Map> {
        let (prot, flags) = match shared {
            true => (libc::PROT_READ, libc::MAP_SHARED),
            false => (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE),
        };
        // SAFETY: a new mapping.
        let p = unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, f.as_raw_fd(), 0) };
        if p == libc::MAP_FAILED {
            return Err(last());
        }
        Ok(Map(p.cast(), len))
    }

    pub fn addr(&self) -> usize {
        self.0 as usize
    }

    /// A copy of what is there, from `from` on.
    pub fn get(&self, from: usize, len: usize) -> Vec<u8> {
        assert!(from + len <= self.1);
        // The kernel may change it at any time.
        (from..from + len)
            // SAFETY: within the mapping.
            .map(|i| unsafe { self.0.add(i).read_volatile() })
            .collect()
    }

    /// Changes a byte of a private mapping.
    pub fn set(&self, at: usize, byte: u8) {
        assert!(at < self.1);
        // SAFETY: within the mapping, which is private and writable.
        unsafe { self.0.add(at).write_volatile(byte) };
    }

    /// Forgets where the pages are: the next use faults.
    pub fn zap(&self) {
        // SAFETY: our mapping, of a file.
        let r = unsafe { libc::madvise(self.0.cast(), self.1, libc::MADV_DONTNEED) };
        assert_eq!(r, 0, "madvise: {}", last());
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: our mapping.
        unsafe { libc::munmap(self.0.cast(), self.1) };
    }
}

/// A file in the directory of the case, not on the mount, with this content.
pub fn elsewhere(content: &[u8]) -> File {
    let path = ktap::dir().join("elsewhere");
    std::fs::write(&path, content).expect("write");
    File::open(path).expect("open")
}
