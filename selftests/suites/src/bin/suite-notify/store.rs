// SPDX-License-Identifier: GPL-2.0

//! STORE: which pages it fills, and which of them are valid afterwards, what becomes of the size,
//! and where it is refused.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::mount::umount;
use mockd::reply::raw;
use mockd::user;
use mockd::wire::{Op, FOPEN_DIRECT_IO, FOPEN_KEEP_CACHE, ROOT};
use mockd::{Init, Setup};

use crate::pages::{pattern, store, store_of, Scene, MAX, STORE};

pub fn cases() -> Vec<Case> {
    cases![
        store_page,
        store_page_over_cached,
        store_within_page,
        store_within_cached_page,
        store_across_pages,
        store_across_cached_pages,
        store_many_pages,
        store_many_pages_unaligned,
        store_a_mebibyte,
        store_up_to_the_end,
        store_nearly_up_to_the_end,
        store_up_to_the_end_of_a_page,
        store_beyond_the_end,
        store_far_beyond_the_end,
        store_over_the_end,
        store_into_empty,
        store_nothing,
        store_nothing_beyond_the_end,
        store_at_the_end_of_all,
        store_beyond_all,
        store_into_no_file,
        store_into_nobody,
        store_before_lookup,
        store_into_forgotten,
        store_into_unlinked,
        store_malformed,
        store_header_lies,
        store_before_open,
        store_with_direct_io,
        store_makes_attributes_stale,
        store_and_truncate,
        store_again_and_again,
        store_after_the_end,
    ]
}

/// A page as a whole is valid, and not read.
fn store_page() {
    let mut s = Scene::new(2 * PAGE);
    let new = pattern(PAGE, 1);
    assert_eq!(s.store(0, &new), Ok(()));
    assert_eq!(s.valid(2), [true, false]);
    assert_eq!(s.reads(0, PAGE), (0, new));
    assert_eq!(s.reads(PAGE, PAGE).0, 1);
    s.finish();
}

fn store_page_over_cached() {
    let mut s = Scene::new(2 * PAGE);
    assert_eq!(s.reads(0, 2 * PAGE).1, pattern(2 * PAGE, 0));
    let new = pattern(PAGE, 1);
    assert_eq!(s.store(PAGE as u64, &new), Ok(()));
    assert_eq!(s.reads(PAGE, PAGE), (0, new));
    s.finish();
}

/// A part of a page is there, but not valid: READ brings all of it, and what was stored is lost.
fn store_within_page() {
    let mut s = Scene::new(2 * PAGE);
    assert_eq!(s.store(100, &pattern(200, 1)), Ok(()));
    assert_eq!(s.valid(2), [false, false]);
    assert_eq!(s.reads(0, PAGE), (1, pattern(PAGE, 0)));
    // At its beginning alone, or up to its end.
    for (offset, len) in [(PAGE, 10), (2 * PAGE - 10, 10 - 1)] {
        assert_eq!(s.store(offset as u64, &pattern(len, 1)), Ok(()));
    }
    assert_eq!(s.valid(2), [true, false]);
    s.finish();
}

fn store_within_cached_page() {
    let mut s = Scene::new(2 * PAGE);
    s.read(0, 2 * PAGE);
    let mut want = pattern(2 * PAGE, 0);
    for (offset, len) in [
        (0, 10),
        (100, 200),
        (PAGE - 1, 1),
        (PAGE, 1),
        (PAGE + 7, 4000),
    ] {
        let new = pattern(len, offset as u8 + 1);
        assert_eq!(s.store(offset as u64, &new), Ok(()));
        want[offset..offset + len].copy_from_slice(&new);
        assert_eq!(s.reads(0, 2 * PAGE), (0, want.clone()));
    }
    s.finish();
}

fn store_across_pages() {
    let mut s = Scene::new(3 * PAGE);
    assert_eq!(s.store(4000, &pattern(200, 1)), Ok(()));
    assert_eq!(s.valid(3), [false; 3]);
    assert_eq!(s.read(0, 3 * PAGE), pattern(3 * PAGE, 0));
    s.finish();
}

fn store_across_cached_pages() {
    let mut s = Scene::new(3 * PAGE);
    s.read(0, 3 * PAGE);
    let mut want = pattern(3 * PAGE, 0);
    let new = pattern(PAGE + 200, 1);
    assert_eq!(s.store(4000, &new), Ok(()));
    want[4000..4000 + new.len()].copy_from_slice(&new);
    assert_eq!(s.reads(0, 3 * PAGE), (0, want));
    s.finish();
}

/// All but the last, of which the rest is not known.
fn store_many_pages() {
    let mut s = Scene::new(6 * PAGE);
    let new = pattern(4 * PAGE + 100, 1);
    assert_eq!(s.store(0, &new), Ok(()));
    assert_eq!(s.valid(6), [true, true, true, true, false, false]);
    assert_eq!(s.reads(0, 4 * PAGE), (0, new[..4 * PAGE].to_vec()));
    s.finish();
}

/// Neither the first nor the last.
fn store_many_pages_unaligned() {
    let mut s = Scene::new(6 * PAGE);
    let new = pattern(4 * PAGE, 1);
    assert_eq!(s.store(1000, &new), Ok(()));
    assert_eq!(s.valid(6), [false, true, true, true, false, false]);
    let want = new[PAGE - 1000..4 * PAGE - 1000].to_vec();
    assert_eq!(s.reads(PAGE, 3 * PAGE), (0, want));
    s.finish();
}

fn store_a_mebibyte() {
    const LEN: usize = 1 << 20;
    let mut s = Scene::new(LEN);
    let new = pattern(LEN, 1);
    assert_eq!(s.store(0, &new), Ok(()));
    assert_eq!(s.reads(0, LEN), (0, new));
    s.finish();
}

/// A page of which all is there that the file has is valid, and ends in zeroes.
fn store_up_to_the_end() {
    let mut s = Scene::new(5000);
    let new = pattern(5000 - PAGE, 1);
    assert_eq!(s.store(PAGE as u64, &new), Ok(()));
    assert_eq!(s.valid(2), [false, true]);
    assert_eq!(s.reads(PAGE, PAGE), (0, new.clone()));
    // What lies behind would come to light.
    let r = s.run(|mnt| -> Res<Vec<u8>> {
        let map = crate::pages::Map::new(&crate::pages::open_plainly(mnt)?, 2 * PAGE, true)?;
        Ok(map.get(PAGE, PAGE))
    });
    let mut want = new;
    want.resize(PAGE, 0);
    assert_eq!(r, Ok(want));
    s.finish();
}

fn store_nearly_up_to_the_end() {
    let mut s = Scene::new(5000);
    assert_eq!(s.store(PAGE as u64, &pattern(5000 - PAGE - 1, 1)), Ok(()));
    assert_eq!(s.valid(2), [false, false]);
    // From the middle of a page it is not all, either.
    assert_eq!(
        s.store(PAGE as u64 + 1, &pattern(5000 - PAGE - 1, 1)),
        Ok(())
    );
    assert_eq!(s.valid(2), [false, false]);
    s.finish();
}

fn store_up_to_the_end_of_a_page() {
    let mut s = Scene::new(3 * PAGE);
    assert_eq!(s.store(10, &pattern(3 * PAGE - 10, 1)), Ok(()));
    assert_eq!(s.valid(3), [false, true, true]);
    s.finish();
}

/// The file is longer then, as soon as it is asked for.
fn store_beyond_the_end() {
    let mut s = Scene::new(PAGE);
    s.read(0, PAGE);
    let new = pattern(100, 1);
    s.store_own(PAGE, &new);
    assert_eq!(s.valid(2), [true, true]);
    let before = s.m.rec.count(Op::GETATTR);
    assert_eq!(s.size(), PAGE as i64 + 100);
    assert!(s.m.rec.count(Op::GETATTR) > before);
    assert_eq!(s.reads(0, 2 * PAGE).1.len(), PAGE + 100);
    s.finish();
}

/// What lies between is not there.
fn store_far_beyond_the_end() {
    let mut s = Scene::new(100);
    s.read(0, 100);
    let new = pattern(PAGE + 7, 1);
    s.store_own(4 * PAGE, &new);
    // The page that the file ended in stays as it is.
    assert_eq!(s.valid(6), [true, false, false, false, true, true]);
    let got = s.read(0, 6 * PAGE);
    assert_eq!(got.len(), 5 * PAGE + 7);
    assert!(got[100..4 * PAGE].iter().all(|b| *b == 0));
    assert_eq!(got[4 * PAGE..], new);
    s.finish();
}

fn store_over_the_end() {
    let mut s = Scene::new(5000);
    s.read(0, 5000);
    let new = pattern(2 * PAGE, 1);
    s.store_own(4900, &new);
    assert_eq!(s.valid(4), [true, true, true, true]);
    let mut want = pattern(4900, 0);
    want.extend(&new);
    assert_eq!(s.read(0, 4 * PAGE), want);
    s.finish();
}

fn store_into_empty() {
    let mut s = Scene::new(0);
    let new = pattern(300, 1);
    s.store_own(0, &new);
    assert_eq!(s.valid(1), [true]);
    assert_eq!(s.size(), 300);
    assert_eq!(s.reads(0, PAGE), (0, new));
    s.finish();
}

fn store_nothing() {
    let mut s = Scene::new(PAGE);
    for offset in [0, 1, 100, PAGE as u64 - 1, PAGE as u64] {
        assert_eq!(s.store(offset, &[]), Ok(()));
    }
    assert_eq!(s.valid(1), [false]);
    let before = s.m.rec.count(Op::GETATTR);
    assert_eq!(s.size(), PAGE as i64);
    assert_eq!(s.m.rec.count(Op::GETATTR), before);
    s.finish();
}

/// The file is as long as it was, but that is asked for.
fn store_nothing_beyond_the_end() {
    let mut s = Scene::new(PAGE);
    for offset in [PAGE as u64 + 1, 1 << 40, MAX - 1] {
        assert_eq!(s.store(offset, &[]), Ok(()));
        let before = s.m.rec.count(Op::GETATTR);
        assert_eq!(s.size(), PAGE as i64);
        assert_eq!(s.m.rec.count(Op::GETATTR), before + 1);
    }
    assert_eq!(s.valid(2), [false, false]);
    s.finish();
}

/// As much as there is room for.
fn store_at_the_end_of_all() {
    let mut s = Scene::new(PAGE);
    assert_eq!(s.store(MAX - 1, &[7; 100]), Ok(()));
    // What is before it in the page is not known.
    assert_eq!(s.retrieve(MAX - 1, 100), []);
    let page = MAX - (PAGE as u64 - 1);
    assert_eq!(s.store(page, &[8; 2 * PAGE]), Ok(()));
    assert_eq!(s.retrieve(page, 2 * PAGE as u32), [8; PAGE - 1]);
    assert_eq!(s.size(), PAGE as i64);
    s.finish();
}

fn store_beyond_all() {
    let s = Scene::new(PAGE);
    for offset in [MAX, MAX + 1, u64::MAX - 4096, u64::MAX] {
        for len in [0, 1, PAGE] {
            assert_eq!(s.store(offset, &vec![7; len]), Err(EINVAL));
        }
    }
    s.finish();
}

fn store_into_no_file() {
    let mut s = Scene::new(PAGE);
    let mut nodes = vec![ROOT];
    for (name, kind) in [
        ("d", libc::S_IFDIR),
        ("l", libc::S_IFLNK),
        ("p", libc::S_IFIFO),
        ("s", libc::S_IFSOCK),
        ("c", libc::S_IFCHR),
    ] {
        nodes.push(s.fs.add(ROOT, name, kind | 0o755, b"text"));
        s.know(name);
    }
    for node in nodes {
        for len in [0, 1, PAGE] {
            let r = s.tell(&store(node, 0, &vec![7; len]));
            assert_eq!(r, Err(EINVAL), "node {node}");
        }
        // What is wrong with the message comes first.
        assert_eq!(s.tell(&store(node, MAX, b"x")), Err(EINVAL));
    }
    s.finish();
}

fn store_into_nobody() {
    let s = Scene::new(PAGE);
    for node in [0, 77, 1 << 63, u64::MAX] {
        for len in [0, 1, PAGE] {
            assert_eq!(s.tell(&store(node, 0, &vec![7; len])), Err(ENOENT));
        }
    }
    s.finish();
}

fn store_before_lookup() {
    let mut s = Scene::unknown(&Setup::default(), &Init::plain(), PAGE);
    assert_eq!(s.store(0, b"x"), Err(ENOENT));
    s.know("f");
    assert_eq!(s.store(0, b"x"), Ok(()));
    s.finish();
}

fn store_into_forgotten() {
    let mut s = Scene::new(PAGE);
    let f = s.f;
    assert_eq!(s.run(|mnt| user::unlink(&mnt.join("f"))), Ok(()));
    s.m.await_forgotten(&mut s.fs, f);
    assert_eq!(s.store(0, b"x"), Err(ENOENT));
    s.finish();
}

/// As long as it is open it is there.
fn store_into_unlinked() {
    let mut s = Scene::new(PAGE);
    let new = pattern(PAGE, 1);
    let (f, stored) = (s.f, new.clone());
    let dev = s.m.dev().try_clone_to_owned().expect("dup");
    let r = s.run(move |mnt| -> Res<Vec<u8>> {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        user::unlink(&mnt.join("f"))?;
        user::write(&dev, &store(f, 0, &stored))?;
        user::pread(&fd, PAGE, 0)
    });
    assert_eq!(r, Ok(new));
    assert_eq!(s.m.rec.count(Op::READ), 0);
    s.m.await_forgotten(&mut s.fs, f);
    s.finish();
}

fn store_malformed() {
    let s = Scene::new(2 * PAGE);
    let whole = store(s.f, 0, &[]);
    for len in 0..whole.len() - 16 {
        let short = raw((16 + len) as u32, 0, STORE, &whole[16..16 + len]);
        assert_eq!(s.tell(&short), Err(EINVAL), "{len}");
    }
    for (size, there) in [
        (0, 1),
        (1, 0),
        (1, 2),
        (4096, 4095),
        (4096, 4097),
        (u32::MAX, 4096),
    ] {
        let r = s.tell(&store_of(s.f, 0, size, &vec![7; there]));
        assert_eq!(r, Err(EINVAL), "{size} {there}");
        // The length is looked at before the node.
        assert_eq!(s.tell(&store_of(77, 0, size, &vec![7; there])), Err(EINVAL));
    }
    s.finish();
}

fn store_header_lies() {
    let s = Scene::new(PAGE);
    let whole = store(s.f, 0, &[7; 100]);
    for len in [0, 15, 16, 39, 40, 139, 141, u32::MAX] {
        let lies = raw(len, 0, STORE, &whole[16..]);
        assert_eq!(s.tell(&lies), Err(EINVAL), "{len}");
    }
    s.finish();
}

/// An open that does not keep the cache drops it.
fn store_before_open() {
    let mut s = Scene::new(PAGE);
    s.fs.open_flags = 0;
    assert_eq!(s.store(0, &pattern(PAGE, 1)), Ok(()));
    assert_eq!(s.valid(1), [true]);
    assert_eq!(s.reads(0, PAGE), (1, pattern(PAGE, 0)));
    s.fs.open_flags = FOPEN_KEEP_CACHE;
    assert_eq!(s.store(0, &pattern(PAGE, 2)), Ok(()));
    assert_eq!(s.reads(0, PAGE), (0, pattern(PAGE, 2)));
    s.finish();
}

/// Whoever does without the cache does not see it.
fn store_with_direct_io() {
    let mut s = Scene::new(PAGE);
    s.fs.open_flags = FOPEN_DIRECT_IO | FOPEN_KEEP_CACHE;
    assert_eq!(s.store(0, &pattern(PAGE, 1)), Ok(()));
    assert_eq!(s.reads(0, PAGE), (1, pattern(PAGE, 0)));
    s.fs.open_flags = FOPEN_KEEP_CACHE;
    assert_eq!(s.reads(0, PAGE), (0, pattern(PAGE, 1)));
    s.finish();
}

/// Attributes that were asked for before the file grew do not make it shorter again.
fn store_makes_attributes_stale() {
    let mut s = Scene::unknown(&Setup::default(), &Init::plain(), PAGE);
    s.fs.attr_valid = (0, 0);
    s.know("f");
    let c =
        s.m.call("f", |f| -> Res<i64> { Ok(user::lstat(f)?.size as i64) });
    let r = s.m.serve_until(Op::GETATTR, &mut s.fs);
    let old = s.fs.handle(&r);
    s.store_own(PAGE, &pattern(PAGE, 1));
    assert_eq!(s.m.answer(&r, &old), Ok(()));
    let fs = &mut s.fs;
    let got: Res<i64> = s.m.serve(c, &mut |r| fs.handle(r));
    println!("{got:?}");
    s.m.rec.note(format!("{got:?}"));
    assert_eq!(s.valid(2), [false, true]);
    assert_eq!(s.reads(PAGE, PAGE), (0, pattern(PAGE, 1)));
    s.finish();
}

/// What is beyond the new end is gone.
fn store_and_truncate() {
    let mut s = Scene::new(3 * PAGE);
    assert_eq!(s.store(0, &pattern(3 * PAGE, 1)), Ok(()));
    assert_eq!(s.valid(3), [true; 3]);
    assert_eq!(s.run(|mnt| user::truncate(&mnt.join("f"), 5000)), Ok(()));
    let valid = s.valid(3);
    s.m.rec.note(format!("{valid:?}"));
    let before = s.m.rec.count(Op::READ);
    s.read(0, 3 * PAGE);
    s.m.rec
        .note(format!("{}", s.m.rec.count(Op::READ) - before));
    s.finish();
}

fn store_again_and_again() {
    let mut s = Scene::new(4 * PAGE);
    let mut want = pattern(4 * PAGE, 0);
    s.read(0, 4 * PAGE);
    for i in 0..200 {
        let (offset, len) = (i * 67 % (3 * PAGE), 1 + i * 41 % PAGE);
        let new = pattern(len, i as u8);
        assert_eq!(s.store(offset as u64, &new), Ok(()));
        want[offset..offset + len].copy_from_slice(&new);
    }
    assert_eq!(s.reads(0, 4 * PAGE), (0, want));
    s.finish();
}

fn store_after_the_end() {
    let mut s = Scene::new(PAGE);
    s.m.without_record();
    let message = store(s.f, 0, &[7; 100]);
    umount(&s.m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    suites::daemon::until("the end", || match s.m.write(&message) {
        Err(EINVAL) => Some(()),
        other => {
            assert_eq!(other, Ok(message.len()));
            None
        }
    });
}
