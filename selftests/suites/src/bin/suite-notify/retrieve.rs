// SPDX-License-Identifier: GPL-2.0

//! RETRIEVE: what of the page cache comes, and how much at most. What becomes of the NOTIFY_REPLY
//! is in `reply`.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::reply::{message, raw};
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::Init;
use suites::fusectl;

use crate::pages::{pattern, retrieve, Scene, MAX, RETRIEVE};

pub fn cases() -> Vec<Case> {
    cases![
        retrieve_all,
        retrieve_nothing_cached,
        retrieve_up_to_a_hole,
        retrieve_behind_a_hole,
        retrieve_half_stored,
        retrieve_while_read,
        retrieve_unaligned,
        retrieve_size_0,
        retrieve_at_the_end,
        retrieve_over_the_end,
        retrieve_no_more_than_max_write,
        retrieve_no_more_than_max_pages,
        retrieve_wraps,
        retrieve_beyond_all,
        retrieve_from_no_file,
        retrieve_from_nobody,
        retrieve_malformed,
        retrieve_any_number,
        retrieve_in_turn,
        retrieve_counts_as_waiting,
        retrieve_many,
        retrieve_twice_the_same,
        retrieve_what_was_there,
        retrieve_what_is_there,
        retrieve_of_truncated,
        retrieve_of_unlinked,
    ]
}

fn retrieve_all() {
    let mut s = Scene::new(5000);
    let all = s.read(0, 5000);
    assert_eq!(s.retrieve(0, 5000), all);
    // There is no more.
    assert_eq!(s.retrieve(0, 1 << 16), all);
    assert_eq!(s.retrieve(0, PAGE as u32), all[..PAGE]);
    s.finish();
}

/// It comes all the same, without data, and nothing is read for it.
fn retrieve_nothing_cached() {
    let mut s = Scene::new(2 * PAGE);
    assert_eq!(s.retrieve(0, 2 * PAGE as u32), []);
    assert_eq!(s.m.rec.count(Op::READ), 0);
    s.finish();
}

fn retrieve_up_to_a_hole() {
    let mut s = Scene::new(5 * PAGE);
    s.read(0, 2 * PAGE);
    s.read(3 * PAGE, PAGE);
    let all = pattern(5 * PAGE, 0);
    assert_eq!(s.retrieve(0, 5 * PAGE as u32), all[..2 * PAGE]);
    assert_eq!(s.retrieve(100, 5 * PAGE as u32), all[100..2 * PAGE]);
    s.finish();
}

fn retrieve_behind_a_hole() {
    let mut s = Scene::new(5 * PAGE);
    s.read(0, 2 * PAGE);
    s.read(3 * PAGE, PAGE);
    let all = pattern(5 * PAGE, 0);
    assert_eq!(s.retrieve(2 * PAGE as u64, PAGE as u32), []);
    let got = s.retrieve(3 * PAGE as u64 + 1, 2 * PAGE as u32);
    assert_eq!(got, all[3 * PAGE + 1..4 * PAGE]);
    s.finish();
}

/// A page that is not valid as a whole is none.
fn retrieve_half_stored() {
    let mut s = Scene::new(2 * PAGE);
    assert_eq!(s.store(0, &pattern(100, 1)), Ok(()));
    assert_eq!(s.retrieve(0, 100), []);
    assert_eq!(s.store(0, &pattern(PAGE + 100, 1)), Ok(()));
    assert_eq!(s.retrieve(0, 2 * PAGE as u32), pattern(PAGE, 1));
    s.finish();
}

/// A page that is on its way is not waited for.
fn retrieve_while_read() {
    let mut s = Scene::new(2 * PAGE);
    let c =
        s.m.caller(|mnt, _| user::pread(&crate::pages::open_plainly(mnt)?, PAGE, 0));
    let r = s.m.serve_until(Op::READ, &mut s.fs);
    assert_eq!(s.retrieve(0, PAGE as u32), []);
    let fs = &mut s.fs;
    let a = fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    let got: Res<Vec<u8>> = s.m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(got, Ok(pattern(PAGE, 0)));
    assert_eq!(s.retrieve(0, PAGE as u32), pattern(PAGE, 0));
    s.finish();
}

fn retrieve_unaligned() {
    let mut s = Scene::new(4 * PAGE);
    let all = s.read(0, 4 * PAGE);
    for (offset, len) in [
        (1, 1),
        (1, PAGE),
        (PAGE - 1, 2),
        (100, 3 * PAGE),
        (4 * PAGE - 1, 1),
    ] {
        let got = s.retrieve(offset as u64, len as u32);
        assert_eq!(got, all[offset..offset + len]);
    }
    s.finish();
}

fn retrieve_size_0() {
    let mut s = Scene::new(PAGE);
    s.read(0, PAGE);
    for offset in [0, 1, PAGE as u64 - 1, PAGE as u64, 1 << 40] {
        assert_eq!(s.retrieve(offset, 0), []);
    }
    s.finish();
}

/// From there on is nothing.
fn retrieve_at_the_end() {
    let mut s = Scene::new(5000);
    s.read(0, 5000);
    for offset in [5000, 5001, 2 * PAGE as u64, 1 << 40, MAX - 1] {
        assert_eq!(s.retrieve(offset, PAGE as u32), []);
    }
    s.finish();
}

fn retrieve_over_the_end() {
    let mut s = Scene::new(5000);
    let all = s.read(0, 5000);
    assert_eq!(s.retrieve(4999, 100), all[4999..]);
    assert_eq!(s.retrieve(PAGE as u64, u32::MAX), all[PAGE..]);
    s.finish();
}

fn retrieve_no_more_than_max_write() {
    let init = Init {
        max_write: 3 * PAGE as u32,
        ..Init::plain()
    };
    let mut s = Scene::with(&init, 8 * PAGE);
    let all = s.read(0, 8 * PAGE);
    for size in [
        3 * PAGE - 1,
        3 * PAGE,
        3 * PAGE + 1,
        8 * PAGE,
        u32::MAX as usize,
    ] {
        assert_eq!(s.retrieve(0, size as u32), all[..size.min(3 * PAGE)]);
        let got = s.retrieve(77, size as u32);
        assert_eq!(got, all[77..77 + size.min(3 * PAGE)]);
    }
    s.finish();
}

/// In pages, of which an unaligned range has one more.
fn retrieve_no_more_than_max_pages() {
    let init = Init {
        max_pages: 4,
        ..Init::plain()
    };
    let mut s = Scene::with(&init, 8 * PAGE);
    let all = s.read(0, 8 * PAGE);
    for offset in [0, 1, 77, PAGE - 1, PAGE, PAGE + 1] {
        let got = s.retrieve(offset as u64, 8 * PAGE as u32);
        s.m.rec.note(format!("{offset} {}", got.len()));
        assert_eq!(got, all[offset..offset + got.len()]);
        assert_eq!(got.len(), 4 * PAGE - offset % PAGE);
    }
    s.finish();
}

fn retrieve_wraps() {
    let mut s = Scene::new(PAGE);
    s.read(0, PAGE);
    for offset in [MAX - 1, MAX - PAGE as u64, MAX - u64::from(u32::MAX)] {
        assert_eq!(s.retrieve(offset, u32::MAX), []);
    }
    s.finish();
}

fn retrieve_beyond_all() {
    let mut s = Scene::new(PAGE);
    for offset in [MAX, MAX + 1, u64::MAX - 4095, u64::MAX] {
        for size in [0, 1, u32::MAX] {
            assert_eq!(s.tell(&retrieve(5, s.f, offset, size)), Err(EINVAL));
            // Before the node is looked at.
            assert_eq!(s.tell(&retrieve(5, 77, offset, size)), Err(EINVAL));
        }
    }
    s.m.expect_none();
    s.finish();
}

fn retrieve_from_no_file() {
    let mut s = Scene::new(PAGE);
    let mut nodes = vec![ROOT];
    for (name, kind) in [
        ("d", libc::S_IFDIR),
        ("l", libc::S_IFLNK),
        ("p", libc::S_IFIFO),
    ] {
        nodes.push(s.fs.add(ROOT, name, kind | 0o755, b"text"));
        s.know(name);
    }
    for node in nodes {
        assert_eq!(s.tell(&retrieve(5, node, 0, 100)), Err(EINVAL));
    }
    s.m.expect_none();
    s.finish();
}

fn retrieve_from_nobody() {
    let mut s = Scene::new(PAGE);
    for node in [0, 77, 1 << 63, u64::MAX] {
        assert_eq!(s.tell(&retrieve(5, node, 0, 100)), Err(ENOENT));
    }
    s.m.expect_none();
    s.finish();
}

fn retrieve_malformed() {
    let mut s = Scene::new(PAGE);
    let whole = retrieve(5, s.f, 0, 100);
    for len in (0..64).filter(|len| *len != 32) {
        let mut body = whole[16..].to_vec();
        body.resize(len, 0);
        assert_eq!(s.tell(&message(0, RETRIEVE, &body)), Err(EINVAL), "{len}");
    }
    for len in [0, 15, 16, 47, 49, u32::MAX] {
        let lies = raw(len, 0, RETRIEVE, &whole[16..]);
        assert_eq!(s.tell(&lies), Err(EINVAL));
    }
    s.m.expect_none();
    s.finish();
}

/// The number is the daemon's: also one that no request can have, or that one has.
fn retrieve_any_number() {
    let mut s = Scene::new(PAGE);
    let all = s.read(0, PAGE);
    let c = s.m.call("f", |f| user::statfs(f).map(drop));
    let other = s.m.expect(Op::STATFS);
    for unique in [
        0,
        1,
        2,
        3,
        other.unique,
        other.unique | 1,
        1 << 63,
        u64::MAX,
    ] {
        let r = s.tell(&retrieve(unique, s.f, 0, 100));
        assert_eq!(r, Ok(()));
        let r = s.m.expect(Op::NOTIFY_REPLY);
        assert_eq!(s.check(&r, unique, 0), all[..100]);
    }
    let fs = &mut s.fs;
    let a = fs.handle(&other);
    assert_eq!(s.m.answer(&other, &a), Ok(()));
    assert_eq!(s.m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    s.finish();
}

/// It comes behind what was there before, and in front of what comes after.
fn retrieve_in_turn() {
    let mut s = Scene::new(PAGE);
    s.read(0, PAGE);
    let first = s.m.call("f", |f| user::statfs(f).map(drop));
    first.wait_asleep();
    let unique = s.ask(0, 10);
    let second = s.m.call("f", |f| user::statfs(f).map(drop));
    second.wait_asleep();
    let before = s.m.expect(Op::STATFS);
    let r = s.m.expect(Op::NOTIFY_REPLY);
    s.check(&r, unique, 0);
    let after = s.m.expect(Op::STATFS);
    assert!(before.unique < after.unique);
    for r in [before, after] {
        let a = s.fs.handle(&r);
        assert_eq!(s.m.answer(&r, &a), Ok(()));
    }
    for c in [first, second] {
        let fs = &mut s.fs;
        assert_eq!(s.m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    }
    s.finish();
}

/// Until it has been read.
fn retrieve_counts_as_waiting() {
    let mut s = Scene::new(PAGE);
    for n in 1..=3 {
        s.ask(0, 10);
        assert_eq!(fusectl::waiting(&s.m.mnt), n);
    }
    for n in (0..3).rev() {
        s.m.expect(Op::NOTIFY_REPLY);
        fusectl::await_waiting(&s.m.mnt, n);
    }
    s.finish();
}

fn retrieve_many() {
    let mut s = Scene::new(8 * PAGE);
    let all = s.read(0, 8 * PAGE);
    let asked: Vec<_> = (0..500u64)
        .map(|i| {
            let (offset, size) = (i * 61 % (7 * PAGE as u64), i * 17 % 5000);
            (s.ask(offset, size as u32), offset as usize, size as usize)
        })
        .collect();
    for (unique, offset, size) in asked {
        let r = s.m.expect(Op::NOTIFY_REPLY);
        let got = s.check(&r, unique, offset as u64);
        assert_eq!(got, all[offset..(offset + size).min(8 * PAGE)]);
    }
    s.m.expect_none();
    s.finish();
}

fn retrieve_twice_the_same() {
    let mut s = Scene::new(PAGE);
    let all = s.read(0, PAGE);
    for _ in 0..2 {
        assert_eq!(s.tell(&retrieve(5, s.f, 0, 100)), Ok(()));
    }
    for _ in 0..2 {
        let r = s.m.expect(Op::NOTIFY_REPLY);
        assert_eq!(s.check(&r, 5, 0), all[..100]);
    }
    s.finish();
}

/// Pages that were dropped meanwhile still come.
fn retrieve_what_was_there() {
    let mut s = Scene::new(2 * PAGE);
    let all = s.read(0, 2 * PAGE);
    s.fs.open_flags = 0;
    let mut c = s.m.caller(|mnt, io| -> Res<()> {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        io.put(());
        io.wait();
        drop(f);
        Ok(())
    });
    let r = s.m.expect(Op::OPEN);
    let unique = s.ask(0, 2 * PAGE as u32);
    let fs = &mut s.fs;
    let a = fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    // The open has dropped them.
    c.get::<()>();
    let r = s.m.expect(Op::NOTIFY_REPLY);
    assert_eq!(s.check(&r, unique, 0), all);
    c.go();
    let fs = &mut s.fs;
    assert_eq!(s.m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    assert_eq!(s.retrieve(0, 2 * PAGE as u32), []);
    s.finish();
}

/// What is stored into a page before the answer is read is in it.
fn retrieve_what_is_there() {
    let mut s = Scene::new(2 * PAGE);
    let mut want = s.read(0, 2 * PAGE);
    let unique = s.ask(0, 2 * PAGE as u32);
    let new = pattern(200, 1);
    assert_eq!(s.store(4000, &new), Ok(()));
    want[4000..4200].copy_from_slice(&new);
    let r = s.m.expect(Op::NOTIFY_REPLY);
    assert_eq!(s.check(&r, unique, 0), want);
    s.finish();
}

/// The message stays as long as it was.
fn retrieve_of_truncated() {
    let mut s = Scene::new(3 * PAGE);
    let all = s.read(0, 3 * PAGE);
    let c = s.m.call("f", |f| user::truncate(f, 100));
    let r = s.m.expect(Op::SETATTR);
    let again = s.ask(0, 3 * PAGE as u32);
    let fs = &mut s.fs;
    let a = fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    let r = s.m.expect(Op::NOTIFY_REPLY);
    let got = s.check(&r, again, 0);
    assert_eq!(got.len(), 3 * PAGE);
    assert_eq!(got[..100], all[..100]);
    assert!(got[100..PAGE].iter().all(|b| *b == 0));
    // A change of the size drops what is cached.
    assert!(s.retrieve(0, 3 * PAGE as u32).is_empty());
    s.finish();
}

/// The pages outlast the inode.
fn retrieve_of_unlinked() {
    let mut s = Scene::new(PAGE);
    let (f, all) = (s.f, s.read(0, PAGE));
    let c = s.m.call("f", user::unlink);
    let r = s.m.expect(Op::UNLINK);
    let unique = s.ask(0, PAGE as u32);
    let a = s.fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    assert_eq!(c.join::<Res<()>>(), Ok(()));
    let r = s.m.expect(Op::NOTIFY_REPLY);
    assert_eq!((r.unique, r.node, r.tail()), (unique, f, &all[..]));
    s.m.rec.leave_out(Op::FORGET);
    s.m.rec.leave_out(Op::BATCH_FORGET);
    s.finish();
}
