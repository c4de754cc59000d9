// SPDX-License-Identifier: GPL-2.0

//! Every operation once, as an ordinary program sends them one after another.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::Mock;

use crate::through::pattern;

pub fn cases() -> Vec<Case> {
    cases![tour_of_names, tour_of_a_file, tour_of_a_directory]
}

/// Every operation on names once, with all arguments as recorded.
fn tour_of_names() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let p = |n: &str| mnt.join(n);
        user::mkdir(&p("d"), 0o751)?;
        user::mknod(&p("d/fifo"), libc::S_IFIFO | 0o640, 0)?;
        drop(user::open(
            &p("d/file"),
            libc::O_CREAT | libc::O_RDWR | libc::O_EXCL,
            0o600,
        )?);
        user::symlink("file", &p("d/sym"))?;
        user::readlink(&p("d/sym"))?;
        user::link(&p("d/file"), &p("hard"))?;
        user::rename(&p("hard"), &p("d/hard2"))?;
        user::rename2(&p("d/hard2"), &p("d/hard3"), libc::RENAME_NOREPLACE)?;
        user::list(&p("d"))?;
        user::chmod(&p("d/file"), 0o644)?;
        user::lchown(&p("d/file"), 1, 2)?;
        user::utimes(&p("d/file"), Some((1, 2)), Some((3, 4)))?;
        user::truncate(&p("d/file"), 100)?;
        user::statfs(mnt)?;
        for n in ["fifo", "file", "sym", "hard3"] {
            user::unlink(&p("d").join(n))?;
        }
        user::rmdir(&p("d"))
    });
    assert_eq!(r, Ok(()));
    m.finish_compared();
}

/// A file from its making to its second opening, with writes, syncs and a new size between.
fn tour_of_a_file() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        let fd = user::open(&f, libc::O_CREAT | libc::O_RDWR, 0o644)?;
        user::pwrite(&fd, &pattern(10_000, 1), 0)?;
        user::fsync(&fd)?;
        user::pwrite(&fd, b"again", 4_000)?;
        let got = user::pread(&fd, 20, 3_990)?;
        user::ftruncate(&fd, 4_500)?;
        user::fdatasync(&fd)?;
        user::close(fd)?;
        let fd = user::open(&f, libc::O_WRONLY | libc::O_TRUNC, 0)?;
        user::close(fd)?;
        Ok(got)
    });
    let mut want = pattern(10_000, 1)[3_990..4_010].to_vec();
    want[10..15].copy_from_slice(b"again");
    assert_eq!(r, Ok(want));
    m.finish_compared();
}

/// A directory opened, listed, synced and closed.
fn tour_of_a_directory() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    for i in 0..10 {
        fs.add(d, &format!("f{i}"), libc::S_IFREG | 0o644, b"");
    }
    let r: Res<Vec<String>> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("d"), libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        let names = user::getdents(&fd, 4096)?
            .into_iter()
            .map(|e| e.3)
            .collect();
        user::fsync(&fd)?;
        user::close(fd)?;
        Ok(names)
    });
    assert_eq!(r.expect("names").len(), 12);
    m.finish_compared();
}
