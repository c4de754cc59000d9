// SPDX-License-Identifier: GPL-2.0

//! Notifications: when they are taken, and which.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{write_at, Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::mount::umount;
use mockd::reply::{message, raw};
use mockd::user;
use mockd::wire::Op;
use mockd::{Mock, Setup};
use std::os::fd::AsRawFd;

pub const RESEND: i32 = 7;
const INC_EPOCH: i32 = 8;

pub fn cases() -> Vec<Case> {
    cases![
        before_init,
        after_the_end,
        unknown,
        wrong_length,
        what_follows_is_ignored,
        new_epoch,
    ]
}

/// Writes a notification.
pub fn send(m: &Mock, code: i32, body: &[u8]) -> Res<usize> {
    m.write(&message(0, code, body))
}

/// Before INIT was answered.
fn before_init() {
    let mut m = Mock::uninit(&Setup::default());
    for _ in 0..2 {
        for code in [RESEND, INC_EPOCH] {
            assert_eq!(send(&m, code, &[]), Err(EINVAL));
        }
        // And when it was read.
        if m.pending() {
            m.expect(Op::INIT);
        }
    }
    m.without_record();
    umount(&m.mnt, libc::MNT_FORCE).expect("umount");
}

fn after_the_end() {
    let m = Mock::new();
    let busy = user::open(&m.mnt, libc::O_PATH, 0).expect("open");
    assert_eq!(umount(&m.mnt, libc::MNT_FORCE), Err(EBUSY));
    drop(busy);
    for code in [RESEND, INC_EPOCH] {
        assert_eq!(send(&m, code, &[]), Err(EINVAL));
    }
    m.umount();
    for code in [RESEND, INC_EPOCH] {
        assert_eq!(send(&m, code, &[]), Err(EINVAL));
    }
}

fn unknown() {
    let m = Mock::new();
    for code in [i32::MIN, -512, -1, 0, 10, 11, 512, i32::MAX] {
        for len in [0, 8, 40, 100_000] {
            assert_eq!(send(&m, code, &vec![0; len]), Err(EINVAL), "{code} {len}");
        }
    }
    m.finish();
}

/// The header's length is not what is written.
fn wrong_length() {
    let m = Mock::new();
    for code in [RESEND, INC_EPOCH] {
        for len in [0, 15, 17, u32::MAX] {
            assert_eq!(m.write(&raw(len, 0, code, &[])), Err(EINVAL));
        }
        assert_eq!(m.write(&raw(16, 0, code, &[0; 8])), Err(EINVAL));
        assert_eq!(m.write(&raw(16, 0, code, &[])[..15]), Err(EINVAL));
    }
    m.finish();
}

/// These two have no body, and what follows is not even read.
fn what_follows_is_ignored() {
    let m = Mock::new();
    let mut pages = Pages::new(2);
    pages.unmap(1);
    for code in [RESEND, INC_EPOCH] {
        for len in [1, 8, 4096, 100_000] {
            assert_eq!(send(&m, code, &vec![0xff; len]), Ok(16 + len));
        }
        let header = raw(16 + 64, 0, code, &[]);
        pages.bytes(PAGE - 16, 16).copy_from_slice(&header);
        let addr = pages.addr() + PAGE - 16;
        assert_eq!(write_at(m.dev().as_raw_fd(), addr, 16 + 64), Ok(16 + 64));
    }
    m.finish();
}

/// Names from before are looked up again, once.
fn new_epoch() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let lookups = |m: &mut Mock, fs: &mut Memfs| {
        let before = m.rec.count(Op::LOOKUP);
        let r = m.run(fs, |mnt| user::lstat(&mnt.join("f")).map(drop));
        assert_eq!(r, Ok(()));
        m.rec.count(Op::LOOKUP) - before
    };
    assert_eq!(lookups(&mut m, &mut fs), 1);
    assert_eq!(lookups(&mut m, &mut fs), 0);
    assert_eq!(send(&m, INC_EPOCH, &[]), Ok(16));
    assert_eq!(lookups(&mut m, &mut fs), 1);
    assert_eq!(lookups(&mut m, &mut fs), 0);
    m.finish();
}
