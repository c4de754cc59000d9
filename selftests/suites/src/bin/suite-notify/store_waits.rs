// SPDX-License-Identifier: GPL-2.0

//! STORE while somebody has the lock of the page: a READ or a WRITE, whose answer is the daemon's.

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init};
use suites::{fusectl, killable};

use crate::pages::{open_plainly, pattern, store, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        store_waits_for_read,
        store_waits_for_read_that_fails,
        store_waits_for_readahead,
        store_beside_read,
        store_part_waits_for_read,
        store_two_wait_for_read,
        store_waits_for_write,
        store_beside_write,
        store_waits_and_abort,
        store_waits_and_umount,
        store_waits_and_is_killed,
        store_waits_and_daemon_dies,
        store_waits_and_file_is_gone,
    ]
}

/// A process of the daemon's that writes a message to the device.
#[track_caller]
fn writer(s: &Scene, message: Vec<u8>) -> Caller {
    let dev = s.m.dev().try_clone_to_owned().expect("dup");
    Caller::spawn(None, move |_| -> Res<()> {
        let n = user::write(&dev, &message)?;
        assert_eq!(n, message.len());
        Ok(())
    })
}

/// A caller that reads, and its READ.
#[track_caller]
fn reading(s: &mut Scene, offset: usize, len: usize) -> (Caller, mockd::Request) {
    let c = (s.m).caller(move |mnt, _| user::pread(&open_plainly(mnt)?, len, offset as u64));
    let r = s.m.serve_until(Op::READ, &mut s.fs);
    (c, r)
}

/// Answers as the daemon's files are, and serves a caller to its end.
#[track_caller]
fn answer(s: &mut Scene, r: &mockd::Request, c: Caller) -> Res<Vec<u8>> {
    let fs = &mut s.fs;
    let a = fs.handle(r);
    assert_eq!(s.m.answer(r, &a), Ok(()));
    s.m.serve(c, &mut |r| fs.handle(r))
}

/// What C cannot: nothing but an answer or an abort ends its wait.
fn only_killable() {
    if ktap::implementation() == Impl::C {
        ktap::skip("C waits uninterruptibly for the folio's lock, under killsb");
    }
    assert!(killable::get());
}

/// What was stored comes after what was read.
fn store_waits_for_read() {
    let mut s = Scene::new(2 * PAGE);
    let (c, r) = reading(&mut s, 0, PAGE);
    let new = pattern(PAGE, 1);
    let w = writer(&s, store(s.f, 0, &new));
    w.wait_asleep();
    let got = answer(&mut s, &r, c).expect("read");
    // Who is quicker to look is not said.
    assert!(got == new || got == pattern(PAGE, 0));
    assert_eq!(w.join::<Res<()>>(), Ok(()));
    assert_eq!(s.reads(0, PAGE), (0, new));
    s.finish();
}

/// The page is not there, then, and may be read once more before.
fn store_waits_for_read_that_fails() {
    let mut s = Scene::new(2 * PAGE);
    // Who is quicker to have the page decides how many there are.
    s.m.rec.leave_out(Op::READ);
    let (c, r) = reading(&mut s, 0, PAGE);
    let new = pattern(PAGE, 1);
    let w = writer(&s, store(s.f, 0, &new));
    w.wait_asleep();
    s.m.fail(&r, EIO);
    let fs = &mut s.fs;
    let got: Res<Vec<u8>> = s.m.serve(c, &mut |r| fs.handle(r));
    let any = [Ok(new.clone()), Ok(pattern(PAGE, 0)), Err(EIO)];
    assert!(any.contains(&got), "{got:?}");
    assert_eq!(w.join::<Res<()>>(), Ok(()));
    assert_eq!(s.reads(0, PAGE), (0, new));
    s.finish();
}

fn store_waits_for_readahead() {
    let mut s = Scene::with(&Init::plain(), 8 * PAGE);
    let c = s.m.call("f", |f| {
        user::pread(&user::open(f, libc::O_RDONLY, 0)?, PAGE, 0)
    });
    let r = s.m.serve_until(Op::READ, &mut s.fs);
    assert!(r.get("size") > PAGE as u64, "{r:?}");
    let new = pattern(3 * PAGE, 1);
    let w = writer(&s, store(s.f, 0, &new));
    w.wait_asleep();
    assert!(answer(&mut s, &r, c).is_ok());
    assert_eq!(w.join::<Res<()>>(), Ok(()));
    assert_eq!(s.read(0, 3 * PAGE), new);
    s.finish();
}

/// Other pages are others'.
fn store_beside_read() {
    let mut s = Scene::new(3 * PAGE);
    let (c, r) = reading(&mut s, PAGE, PAGE);
    let new = pattern(PAGE, 1);
    for page in [0, 2] {
        assert_eq!(s.store((page * PAGE) as u64, &new), Ok(()));
    }
    assert_eq!(
        answer(&mut s, &r, c),
        Ok(pattern(3 * PAGE, 0)[PAGE..2 * PAGE].to_vec())
    );
    assert_eq!(s.valid(3), [true; 3]);
    assert_eq!(s.reads(2 * PAGE, PAGE), (0, new));
    s.finish();
}

/// The first page is stored before the second is waited for; of that, a part.
fn store_part_waits_for_read() {
    let mut s = Scene::new(3 * PAGE);
    let (c, r) = reading(&mut s, PAGE, PAGE);
    let new = pattern(PAGE + 100, 1);
    let w = writer(&s, store(s.f, 0, &new));
    w.wait_asleep();
    assert_eq!(s.retrieve(0, 3 * PAGE as u32), new[..PAGE]);
    assert!(answer(&mut s, &r, c).is_ok());
    assert_eq!(w.join::<Res<()>>(), Ok(()));
    let mut want = pattern(3 * PAGE, 0);
    want[..PAGE + 100].copy_from_slice(&new);
    assert_eq!(s.reads(0, 2 * PAGE), (0, want[..2 * PAGE].to_vec()));
    s.finish();
}

fn store_two_wait_for_read() {
    let mut s = Scene::new(2 * PAGE);
    let (c, r) = reading(&mut s, 0, 2 * PAGE);
    let all = [
        store(s.f, 0, &pattern(PAGE, 1)),
        store(s.f, 0, &pattern(2 * PAGE, 2)),
    ];
    let writers = all.map(|message| writer(&s, message));
    writers.iter().for_each(Caller::wait_asleep);
    assert!(answer(&mut s, &r, c).is_ok());
    for w in writers {
        assert_eq!(w.join::<Res<()>>(), Ok(()));
    }
    let (reads, got) = s.reads(0, 2 * PAGE);
    assert_eq!(reads, 0);
    assert!(
        [pattern(PAGE, 1), pattern(2 * PAGE, 2)[..PAGE].to_vec()].contains(&got[..PAGE].to_vec())
    );
    assert_eq!(got[PAGE..], pattern(2 * PAGE, 2)[PAGE..]);
    s.finish();
}

/// A page of which a part was written has the rest of it to be read yet, so nobody may see it.
fn store_waits_for_write() {
    let mut s = Scene::new(2 * PAGE);
    let c = s.m.call("f", |f| {
        user::pwrite(&user::open(f, libc::O_WRONLY, 0)?, &[9; 100], 10)
    });
    let r = s.m.serve_until(Op::WRITE, &mut s.fs);
    let new = pattern(PAGE, 1);
    let w = writer(&s, store(s.f, 0, &new));
    w.wait_asleep();
    let fs = &mut s.fs;
    let a = fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    assert_eq!(s.m.serve::<Res<usize>>(c, &mut |r| fs.handle(r)), Ok(100));
    assert_eq!(w.join::<Res<()>>(), Ok(()));
    assert_eq!(s.reads(0, PAGE), (0, new));
    s.finish();
}

/// A valid page is not kept for a WRITE.
fn store_beside_write() {
    let mut s = Scene::new(2 * PAGE);
    s.read(0, PAGE);
    let c = s.m.call("f", |f| {
        user::pwrite(&user::open(f, libc::O_WRONLY, 0)?, &[9; 100], 10)
    });
    let r = s.m.serve_until(Op::WRITE, &mut s.fs);
    assert_eq!(s.store(20, &[8; 10]), Ok(()));
    let fs = &mut s.fs;
    let a = fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    assert_eq!(s.m.serve::<Res<usize>>(c, &mut |r| fs.handle(r)), Ok(100));
    let mut want = pattern(PAGE, 0);
    want[10..110].fill(9);
    want[20..30].fill(8);
    assert_eq!(s.reads(0, PAGE), (0, want));
    s.finish();
}

/// The READ ends, and so does the wait.
fn store_waits_and_abort() {
    let mut s = Scene::new(PAGE);
    let (c, _) = reading(&mut s, 0, PAGE);
    let w = writer(&s, store(s.f, 0, &pattern(PAGE, 1)));
    w.wait_asleep();
    fusectl::abort(&s.m.mnt).expect("abort");
    assert_eq!(w.join::<Res<()>>(), Ok(()));
    let got: Res<Vec<u8>> = c.join();
    assert!(
        got == Ok(pattern(PAGE, 1)) || matches!(got, Err(ECONNABORTED | EIO)),
        "{got:?}"
    );
    s.m.umount();
}

/// Neither waits for the other.
fn store_waits_and_umount() {
    let mut s = Scene::new(PAGE);
    s.m.without_record();
    let (c, _) = reading(&mut s, 0, PAGE);
    let w = writer(&s, store(s.f, 0, &pattern(PAGE, 1)));
    w.wait_asleep();
    umount(&s.m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    let stored: Res<()> = w.join();
    assert!(matches!(stored, Ok(()) | Err(ENOENT)), "{stored:?}");
    let _: Res<Vec<u8>> = c.join();
}

/// It does not write any more; the READ is as if nothing had been.
fn store_waits_and_is_killed() {
    only_killable();
    let mut s = Scene::new(2 * PAGE);
    s.m.without_record();
    let (c, r) = reading(&mut s, PAGE, PAGE);
    let mut w = writer(&s, store(s.f, 0, &pattern(2 * PAGE, 1)));
    w.wait_asleep();
    w.kill(libc::SIGKILL);
    w.reap();
    assert_eq!(
        answer(&mut s, &r, c),
        Ok(pattern(2 * PAGE, 0)[PAGE..].to_vec())
    );
    // What came first stays.
    assert_eq!(s.reads(0, PAGE), (0, pattern(2 * PAGE, 1)[..PAGE].to_vec()));
    s.finish();
}

/// The only one that has the device waits for itself: it can be killed, and the mount goes.
fn store_waits_and_daemon_dies() {
    only_killable();
    let mut s = Scene::new(PAGE);
    s.m.without_record();
    let (c, _) = reading(&mut s, 0, PAGE);
    let mut w = writer(&s, store(s.f, 0, &pattern(PAGE, 1)));
    w.wait_asleep();
    let mnt = s.m.die();
    w.kill(libc::SIGKILL);
    w.reap();
    let got: Res<Vec<u8>> = c.join();
    assert!(matches!(got, Err(ECONNABORTED | ENOTCONN | EIO)), "{got:?}");
    suites::daemon::umount_soon(&mnt);
}

/// It finds the file again, or not, when the page is free.
fn store_waits_and_file_is_gone() {
    let mut s = Scene::new(PAGE);
    let (c, r) = reading(&mut s, 0, PAGE);
    let w = writer(&s, store(s.f, 0, &pattern(PAGE, 1)));
    w.wait_asleep();
    let fs = &mut s.fs;
    let gone = s.m.call("f", user::unlink);
    assert_eq!(s.m.serve::<Res<()>>(gone, &mut |r| fs.handle(r)), Ok(()));
    assert!(answer(&mut s, &r, c).is_ok());
    let stored: Res<()> = w.join();
    assert!(matches!(stored, Ok(()) | Err(ENOENT)), "{stored:?}");
    s.m.rec.leave_out(Op::FORGET);
    s.m.rec.leave_out(Op::BATCH_FORGET);
    s.finish();
}
