// SPDX-License-Identifier: GPL-2.0

//! What is no deadlock: a reply that is still being copied when its request ends (the caller has
//! its memory back, and nothing is written there any more), and memory in the daemon's own mount
//! that another thread can provide.

use std::os::fd::AsRawFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{write_at, Held, PAGE};
use mockd::memfs::Memfs;
use mockd::mount::umount;
use mockd::reply::message;
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::Mock;
use suites::daemon::until;

use crate::cell;
use crate::scene::{Scene, Trap};

pub fn cases() -> Vec<Case> {
    cases![
        direct_read_after_umount_force,
        direct_read_after_abort,
        own_mount_with_two_threads,
    ]
}

/// What the caller writes to its buffer once it has it back.
const OWN: u8 = 0xa5;
const LEN: usize = 4 * PAGE;

/// The reply's first page is there, the second comes when the request has ended by `abort`.
fn direct_read(abort: impl FnOnce(&Mock)) {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", &[6; LEN]);
    let mut c = m.caller(|mnt, io| {
        let file = user::open(&mnt.join("f"), libc::O_RDONLY, 0).expect("open");
        let mut buf = vec![0u8; LEN];
        // SAFETY: the buffer has this length.
        let r = unsafe { libc::pread(file.as_raw_fd(), buf.as_mut_ptr().cast(), LEN, 0) };
        let r = check(r as i64).map(drop);
        let before = buf[..PAGE - 100].iter().all(|b| *b == 6);
        buf.fill(OWN);
        io.put((r, before));
        io.wait();
        buf.iter().all(|b| *b == OWN)
    });
    for op in [Op::LOOKUP, Op::OPEN] {
        let r = m.expect(op);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    let r = m.expect(Op::READ);
    let reply = message(r.unique, 0, &[6; LEN]);
    let held = Held::new(LEN / PAGE + 1);
    held.fill(0, &reply[..PAGE]);
    let (dev, addr, len) = (m.dev().as_raw_fd(), held.pages.addr(), reply.len());
    let t = std::thread::spawn(move || write_at(dev, addr, len));
    assert_eq!(held.wait(), 1);

    m.without_record();
    abort(&m);
    assert_eq!(c.get::<(Res<()>, bool)>(), (Err(ECONNABORTED), true));
    assert!(!t.is_finished());
    (1..=LEN / PAGE).for_each(|n| held.fill(n, &reply[..PAGE]));
    assert_eq!(t.join().expect("writer"), Err(ENOENT));
    c.go();
    assert!(c.join::<bool>(), "written to after the end");
}

fn direct_read_after_umount_force() {
    direct_read(|m| assert_eq!(umount(&m.mnt, libc::MNT_FORCE), Err(EBUSY)));
}

fn direct_read_after_abort() {
    direct_read(|m| cell::abort(cell::connection(&m.mnt)));
}

/// A message in a mapping of the daemon's own mount: one thread waits for the page, another one
/// answers that READ.
fn own_mount_with_two_threads() {
    let cases = [(Trap::OwnAnswer, Ok(())), (Trap::OwnRequest, Err(ENOENT))];
    for (trap, want) in cases {
        for scene in [Scene::new(trap, 2), Scene::new(trap, 2).keep()] {
            let references = cell::references();
            let s = scene.start_one(false);
            assert!(!s.caller.exited() && s.shared.inside() == 1);
            s.daemon.go();
            assert_eq!(s.caller.join::<Res<()>>(), want);
            // The daemon's call ends after it has woken the caller.
            let first = until("the daemon's call", || s.shared.first());
            assert_eq!((first, s.shared.inside()), (Ok(()), 0));
            s.daemon.kill(libc::SIGKILL);
            let _ = umount(&s.mnt, libc::MNT_FORCE);
            cell::wait_exit(&[&s.daemon]);
            drop(s.daemon);
            cell::end(&s.mnt, references);
        }
    }
}
