// SPDX-License-Identifier: GPL-2.0

//! FIBMAP: there is no block device behind, so the daemon is not asked and no block is on one.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;

pub fn cases() -> Vec<Case> {
    cases![fibmap, fibmap_needs_root]
}

const FIBMAP: libc::Ioctl = 1;

/// The block of the device that block `block` of the file is in.
fn block(f: &impl AsRawFd, block: i32) -> Res<i32> {
    let mut block = block;
    // SAFETY: FIBMAP takes a number and gives one.
    check(unsafe { libc::ioctl(f.as_raw_fd(), FIBMAP, &mut block) })?;
    Ok(block)
}

fn fibmap() {
    ktap::needs("CONFIG_BLOCK");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[1; 10_000]);
    let r: Vec<Res<i32>> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0).expect("open");
        [0, 1, 2, 3, i32::MAX, -1].map(|b| block(&f, b)).into()
    });
    assert_eq!(r, [Ok(0), Ok(0), Ok(0), Ok(0), Ok(0), Err(EINVAL)]);
    assert_eq!(m.rec.count(Op::BMAP), 0);
    m.finish();
}

fn fibmap_needs_root() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let r: Res<i32> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        user::become_user(1000, 1000);
        block(&f, 0)
    });
    assert_eq!(r, Err(EPERM));
    m.finish();
}
