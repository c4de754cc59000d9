// SPDX-License-Identifier: GPL-2.0

//! MKNOD: every kind of file, and devices by number.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::Mock;

use crate::through::{each, same};

pub fn cases() -> Vec<Case> {
    cases![mknod_kinds, mknod_arguments]
}

fn mknod_kinds() {
    each(|d| {
        for (n, mode, dev) in [
            ("reg", libc::S_IFREG, 0),
            ("fifo", libc::S_IFIFO, 0),
            ("sock", libc::S_IFSOCK, 0),
            ("chr", libc::S_IFCHR, libc::makedev(1, 3)),
            ("blk", libc::S_IFBLK, libc::makedev(7, 300)),
        ] {
            user::mknod(&d.at(n), mode | 0o640, dev).unwrap_or_else(|e| panic!("mknod {n}: {e}"));
            same(d, n);
            assert_eq!(user::mknod(&d.at(n), mode | 0o640, dev), Err(EEXIST), "{n}");
        }
        // A fifo works as one, without the daemon. The mount is nodev.
        let (p, q) = (d.at("fifo"), d.at("fifo"));
        let reader = mockd::Caller::spawn(None, |_| std::fs::read(p).map_err(Errno::from));
        std::fs::write(q, b"through").expect("fifo");
        assert_eq!(reader.join::<Res<Vec<u8>>>(), Ok(b"through".to_vec()));
        assert_eq!(
            user::open(&d.at("sock"), libc::O_RDONLY, 0).err(),
            Some(ENXIO)
        );
    });
}

/// Device numbers in the protocol's 32 bits, and which kinds the VFS refuses before the daemon.
fn mknod_arguments() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        vec![
            user::mknod(
                &mnt.join("chr"),
                libc::S_IFCHR | 0o600,
                libc::makedev(10, 229),
            ),
            user::mknod(
                &mnt.join("blk"),
                libc::S_IFBLK | 0o660,
                libc::makedev(259, 70_000),
            ),
            user::mknod(&mnt.join("fifo"), libc::S_IFIFO | 0o777, 0),
            user::mknod(&mnt.join("sock"), libc::S_IFSOCK | 0o4755, 0),
            user::mknod(&mnt.join("reg"), 0o644, 0),
            user::mknod(&mnt.join("dir"), libc::S_IFDIR | 0o644, 0),
        ]
    });
    assert_eq!(r, [Ok(()), Ok(()), Ok(()), Ok(()), Ok(()), Err(EPERM)]);
    m.finish_compared();
}
