// SPDX-License-Identifier: GPL-2.0

//! The callers of the race: anything, over and over, and nothing wrong in what they get.

use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;

use fastrand::Rng;
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::{user, Io};

use crate::race::Shared;

/// Files with content; the odd ones are read around the page cache.
pub const FILES: u64 = 4;
pub const PAGES: usize = 3;

/// What is in file `n` at `at`.
pub fn byte(n: u64, at: usize) -> u8 {
    (at as u64 * 31 / 8 + n * 17) as u8
}

/// What the caller writes to a buffer that it has back.
const OWN: u8 = 0xa5;

/// Works until told to stop.
pub fn run(mnt: &Path, seed: u64, shared: &Shared, io: &Io) {
    user::catch_signal(libc::SIGUSR1, false);
    io.put(());
    let mut rng = Rng::with_seed(seed);
    let mut buf = vec![OWN; PAGES * PAGE];
    while !shared.stop.load(SeqCst) {
        let r = one(mnt, &mut rng, &mut buf);
        shared.calls.fetch_add(1, SeqCst);
        if let Err(e) = r {
            let may_be = [
                ECONNABORTED,
                ENOTCONN,
                EINTR,
                EIO,
                ENOENT,
                EEXIST,
                ENOTEMPTY,
                EISDIR,
                ENOTDIR,
                ESTALE,
                EBUSY,
            ];
            assert!(may_be.contains(&e), "{e}");
            // Not a run for the processor once the connection is gone.
            if e == ENOTCONN {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        // An earlier call has ended, and all that it was to write was written then.
        assert!(buf.iter().all(|b| *b == OWN), "written to after the end");
    }
}

fn one(mnt: &Path, rng: &mut Rng, buf: &mut [u8]) -> Res<()> {
    let n = rng.u64(..FILES);
    let file = mnt.join(format!("file{n}"));
    let name = mnt.join(format!("name{}", rng.u8(..6)));
    match rng.u8(..9) {
        0 => user::lstat(&file).map(drop),
        1 => user::lstat(&name).map(drop),
        2 => user::mkdir(&name, 0o755),
        3 => user::rmdir(&name),
        4 => user::unlink(&name),
        5 => {
            let fd = user::open(&name, libc::O_CREAT | libc::O_RDWR, 0o644)?;
            user::pwrite(&fd, &vec![n as u8; rng.usize(1..6000)], 0).map(drop)
        }
        6 => user::list(mnt).map(drop),
        _ => read(&file, n, rng, buf),
    }
}

/// Reads a part of a file; then the buffer is the caller's again.
fn read(path: &Path, n: u64, rng: &mut Rng, buf: &mut [u8]) -> Res<()> {
    let file = user::open(path, libc::O_RDONLY, 0)?;
    let at = rng.usize(..buf.len());
    let len = rng.usize(1..=buf.len() - at);
    let part = &mut buf[at..at + len];
    // SAFETY: the part has this length.
    let r = unsafe {
        libc::pread(
            file.as_raw_fd(),
            part.as_mut_ptr().cast(),
            len,
            at as libc::off_t,
        )
    };
    let r = check(r as i64);
    if let Ok(got) = r {
        let wrong = (0..got as usize).find(|i| part[*i] != byte(n, at + i));
        assert_eq!(
            wrong,
            None,
            "{got} bytes of file {n} at {at}: {:x?}, and {:x?} after that",
            &part[..part.len().min(8)],
            &part[wrong.unwrap_or(0)..][..8]
        );
    }
    part.fill(OWN);
    r.map(drop)
}
