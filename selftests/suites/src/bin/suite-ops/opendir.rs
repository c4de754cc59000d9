// SPDX-License-Identifier: GPL-2.0

//! OPENDIR and RELEASEDIR.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::open_out;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::Mock;

use crate::through::each;

pub fn cases() -> Vec<Case> {
    cases![
        open_directory_errors,
        open_errors,
        directory_handle_given_everywhere,
    ]
}

fn open_directory_errors() {
    each(|d| {
        user::mkdir(&d.at("a"), 0o755).expect("mkdir");
        assert_eq!(
            user::open(&d.at("a"), libc::O_WRONLY, 0).err(),
            Some(EISDIR)
        );
        assert_eq!(user::open(&d.at("a"), libc::O_RDWR, 0).err(), Some(EISDIR));
        assert_eq!(
            user::open(&d.at("a"), libc::O_CREAT | libc::O_RDONLY, 0).err(),
            Some(EISDIR)
        );
        assert_eq!(
            user::open(&d.at("a"), libc::O_TRUNC | libc::O_RDONLY, 0).err(),
            Some(EISDIR)
        );
        let fd = user::open(&d.at("a"), libc::O_RDONLY, 0).expect("open");
        assert_eq!(user::pread(&fd, 10, 0).err(), Some(EISDIR));
        user::fsync(&fd).expect("fsync");
        let fd = user::open(&d.at("a"), libc::O_PATH, 0).expect("open path");
        assert!(user::fstat(&fd).is_ok());
    });
}

/// The daemon's error is the caller's, and what was not opened is not released.
fn open_errors() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    for e in [EACCES, ENOENT, EIO, EMFILE] {
        fs.on(Op::OPENDIR, mockd::mock::Answer::Err(e));
        let r: Res<Vec<String>> = m.run(&mut fs, user::list);
        assert_eq!(r, Err(e));
    }
    assert_eq!(m.rec.count(Op::RELEASEDIR), 0);
    m.finish();
}

/// As for files, but that GETATTR has no handle.
fn directory_handle_given_everywhere() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        user::fstat(&fd)?;
        user::getdents(&fd, 4096)?;
        user::fsync(&fd)
    });
    let fh = 0xdead_beef_0000_0001;
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &open_out(fh, 0));
    let r = m.expect(Op::GETATTR);
    m.reply(
        &r,
        &mockd::reply::attr_out((100, 0), &mockd::Attr::dir(ROOT)),
    );
    for op in [Op::READDIR, Op::FSYNCDIR, Op::RELEASEDIR] {
        let r = m.expect(op);
        assert_eq!(r.get("fh"), fh, "{op:?}");
        m.reply(&r, &[]);
    }
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    m.finish();
}
