// SPDX-License-Identifier: GPL-2.0

//! FIFREEZE and FITHAW: a daemon cannot be told, and so no mount is frozen, of either type.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::{user, Mock};
use suites::blockdev::{finish, LoopDevice};

pub fn cases() -> Vec<Case> {
    cases![freeze_refused, freeze_of_fuseblk_refused, freeze_by_users]
}

const FIFREEZE: u32 = 0xc004_5877;
const FITHAW: u32 = 0xc004_5878;

/// What both say of a mount's root, and a change that would wait for ever if it were frozen.
fn tried(at: &Path) -> Vec<Res<()>> {
    let d = user::open(at, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
    let ioctl = |cmd| user::ioctl_arg(&d, cmd, 0).map(drop);
    vec![
        ioctl(FIFREEZE),
        user::mkdir(&at.join("a"), 0o755),
        ioctl(FITHAW),
        ioctl(FIFREEZE),
        ioctl(FITHAW),
        user::mkdir(&at.join("b"), 0o755),
    ]
}

fn refused() -> Vec<Res<()>> {
    let (freeze, thaw) = (Err(EOPNOTSUPP), Err(EINVAL));
    vec![freeze, Ok(()), thaw, freeze, thaw, Ok(())]
}

fn freeze_refused() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let got: Vec<Res<()>> = m.run(&mut fs, tried);
    assert_eq!(got, refused());
    m.finish();
}

fn freeze_of_fuseblk_refused() {
    let d = LoopDevice::new(1 << 20);
    let mut m = d.mount();
    let mut fs = Memfs::new();
    let got: Vec<Res<()>> = m.run(&mut fs, tried);
    assert_eq!(got, refused());
    finish(m);
}

/// It takes a capability to be told so.
fn freeze_by_users() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let d = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
        user::become_user(1000, 1000);
        let ioctl = |cmd| user::ioctl_arg(&d, cmd, 0).map(drop);
        vec![ioctl(FIFREEZE), ioctl(FITHAW)]
    });
    assert_eq!(got, [Err(EPERM), Err(EPERM)]);
    m.finish();
}
