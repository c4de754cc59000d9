// SPDX-License-Identifier: GPL-2.0

//! Where STORE takes its data from: pieces, memory that is not there yet or never, pipes, and
//! mappings of the daemon's own files.

use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mem::{vector, write_at, Held, Pages, PAGE};
use mockd::pipe::{Pipe, GIFT, MOVE};
use mockd::user;
use mockd::wire::Op;
use suites::fusectl;

use crate::pages::{elsewhere, open_plainly, pattern, store, store_head, store_of, Map, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        memory_in_pieces,
        memory_cold,
        memory_ends,
        memory_ends_over_cached,
        memory_held,
        memory_held_holds_nothing,
        memory_held_and_umount,
        splice_copied,
        splice_moved,
        splice_moved_over_cached,
        splice_moved_over_mapped,
        splice_from_file,
        splice_too_short,
        mapping_sees_it,
        mapping_private,
        own_mapping_of_another_file,
        own_mapping_of_another_page,
        own_mapping_of_the_page,
        own_mapping_not_present,
        own_mapping_not_cached,
    ]
}

/// Bytes of a STORE before its data.
const HEAD: usize = 16 + 24;

/// What C cannot without an abort.
fn only_ours(why: &str) {
    if ktap::implementation() == Impl::C {
        ktap::skip(why);
    }
}

/// Wherever one ends and the next begins.
fn memory_in_pieces() {
    let mut s = Scene::new(4 * PAGE);
    s.read(0, 4 * PAGE);
    let mut want = pattern(4 * PAGE, 0);
    let cuts: [&[usize]; 5] = [
        &[1, 15, 16, 17],
        &[HEAD],
        &[HEAD - 1, HEAD + 1, HEAD + PAGE - 1],
        &[3, 100, 101, 102, 103, 2 * PAGE],
        &[HEAD + 7, PAGE, 2 * PAGE, 3 * PAGE],
    ];
    for (seed, cuts) in cuts.iter().enumerate() {
        let new = pattern(3 * PAGE + 5, seed as u8 + 1);
        let offset = seed * 777;
        let message = store(s.f, offset as u64, &new);
        let mut pieces: Vec<(usize, usize)> = vec![];
        let mut from = 0;
        for to in cuts.iter().copied().chain([message.len()]) {
            pieces.push((message.as_ptr() as usize + from, to - from));
            from = to;
        }
        let n = vector(s.m.dev().as_raw_fd(), true, &pieces);
        assert_eq!(n, Ok(message.len()));
        want[offset..offset + new.len()].copy_from_slice(&new);
        assert_eq!(s.reads(0, 4 * PAGE), (0, want.clone()));
    }
    s.finish();
}

/// A mapping of a file of another file system, of which nothing is present: each page of the
/// target needs two of these.
fn memory_cold() {
    let mut s = Scene::new(70 * PAGE);
    let new = pattern(70 * PAGE, 1);
    let message = store(s.f, 0, &new);
    let file = elsewhere(&message);
    for _ in 0..2 {
        let map = Map::new(&file, message.len(), true).expect("mmap");
        map.zap();
        let n = write_at(s.m.dev().as_raw_fd(), map.addr(), message.len());
        assert_eq!(n, Ok(message.len()));
        assert_eq!(s.reads(0, 70 * PAGE), (0, new.clone()));
    }
    s.finish();
}

/// What came before the end stays, and the file is as long as it was to be.
fn memory_ends() {
    let mut s = Scene::new(PAGE);
    let mut pages = Pages::new(4);
    let message = store_of(s.f, PAGE as u64, 4 * PAGE as u32, &pattern(4 * PAGE, 1));
    pages
        .bytes(0, 3 * PAGE)
        .copy_from_slice(&message[..3 * PAGE]);
    pages.unmap(3);
    // Also so that the end of the memory is the end of a piece.
    let fd = s.m.dev().as_raw_fd();
    let r = write_at(fd, pages.addr(), message.len());
    assert_eq!(r, Err(EFAULT));
    s.put(PAGE, &[0; 4 * PAGE]);
    assert_eq!(s.valid(5), [false, true, true, false, false]);
    assert_eq!(
        s.reads(PAGE, 2 * PAGE),
        (0, pattern(4 * PAGE, 1)[..2 * PAGE].to_vec())
    );
    assert_eq!(s.size(), 5 * PAGE as i64);
    s.finish();
}

fn memory_ends_over_cached() {
    let mut s = Scene::new(5 * PAGE);
    let mut want = s.read(0, 5 * PAGE);
    let new = pattern(4 * PAGE, 1);
    let message = store(s.f, 0, &new);
    let mut pages = Pages::new(4);
    pages
        .bytes(0, 3 * PAGE)
        .copy_from_slice(&message[..3 * PAGE]);
    pages.unmap(3);
    let fd = s.m.dev().as_raw_fd();
    assert_eq!(write_at(fd, pages.addr(), message.len()), Err(EFAULT));
    let there = 3 * PAGE - HEAD;
    want[..there].copy_from_slice(&new[..there]);
    assert_eq!(s.reads(0, 5 * PAGE), (0, want));
    s.finish();
}

/// A thread that writes a STORE of two pages from memory whose second page comes when it is
/// filled.
fn held(s: &Scene, new: &[u8]) -> (Arc<Held>, std::thread::JoinHandle<Res<usize>>) {
    let message = store(s.f, 0, new);
    let held = Arc::new(Held::new(message.len().div_ceil(PAGE)));
    held.fill(0, &message[..PAGE]);
    let dev = s.m.dev().try_clone_to_owned().expect("dup");
    let (memory, len) = (held.clone(), message.len());
    let writer = std::thread::spawn(move || {
        let r = write_at(dev.as_raw_fd(), memory.pages.addr(), len);
        drop(dev);
        r
    });
    assert_eq!(held.wait(), 1);
    (held, writer)
}

fn fill_rest(held: &Held, s: &Scene, new: &[u8]) {
    let message = store(s.f, 0, new);
    for page in 1..message.len().div_ceil(PAGE) {
        let end = ((page + 1) * PAGE).min(message.len());
        held.fill(page, &message[page * PAGE..end]);
    }
}

fn memory_held() {
    let mut s = Scene::new(2 * PAGE);
    let new = pattern(2 * PAGE, 1);
    let (held, writer) = held(&s, &new);
    fill_rest(&held, &s, &new);
    assert_eq!(writer.join().expect("writer"), Ok(HEAD + 2 * PAGE));
    assert_eq!(s.reads(0, 2 * PAGE), (0, new));
    s.finish();
}

/// Others read the page meanwhile, and STORE fills it as a whole all the same.
fn memory_held_holds_nothing() {
    only_ours("C has the folio locked while it waits for the daemon's memory");
    let mut s = Scene::new(2 * PAGE);
    s.m.without_record();
    let new = pattern(2 * PAGE, 1);
    let (held, writer) = held(&s, &new);
    assert_eq!(s.reads(0, 2 * PAGE), (2, pattern(2 * PAGE, 0)));
    assert_eq!(s.store(0, &[9; 100]), Ok(()));
    fill_rest(&held, &s, &new);
    assert_eq!(writer.join().expect("writer"), Ok(HEAD + 2 * PAGE));
    assert_eq!(s.reads(0, 2 * PAGE), (0, new));
    s.finish();
}

/// The unmount does not wait for it, and it finds nothing then.
fn memory_held_and_umount() {
    only_ours("C holds killsb while it waits for the daemon's memory");
    let mut s = Scene::new(2 * PAGE);
    s.m.without_record();
    let new = pattern(2 * PAGE, 1);
    let (held, writer) = held(&s, &new);
    s.m.umount();
    fill_rest(&held, &s, &new);
    assert_eq!(writer.join().expect("writer"), Err(ENOENT));
}

fn splice_copied() {
    let mut s = Scene::new(8 * PAGE);
    let pipe = Pipe::new(32);
    let new = pattern(8 * PAGE, 1);
    let message = store(s.f, 0, &new);
    assert_eq!(s.m.splice_message(&pipe, &message, 0), Ok(message.len()));
    assert!(pipe.is_empty());
    assert_eq!(s.valid(8), [true; 8]);
    assert_eq!(s.reads(0, 8 * PAGE), (0, new));
    // A part of a page, of one that is cached.
    let message = store(s.f, 100, &[7; 50]);
    assert_eq!(s.m.splice_message(&pipe, &message, 0), Ok(message.len()));
    assert_eq!(s.read(100, 50), [7; 50]);
    s.finish();
}

/// A STORE whose data are pages of their own in the pipe, which are given away.
#[track_caller]
fn give(s: &Scene, offset: usize, new: &[u8]) {
    let pipe = Pipe::new(32);
    let message = store(s.f, offset as u64, new);
    pipe.put(&message[..HEAD]);
    let mut pages = Pages::new(new.len().div_ceil(PAGE));
    pages.bytes(0, new.len()).copy_from_slice(new);
    assert_eq!(pipe.vmsplice(pages.addr(), new.len(), GIFT), Ok(new.len()));
    drop(pages);
    let n = pipe.splice_to(&s.m.dev(), message.len(), MOVE);
    assert_eq!(n, Ok(message.len()));
    assert!(pipe.is_empty());
}

fn splice_moved() {
    let mut s = Scene::new(8 * PAGE);
    let new = pattern(4 * PAGE + 100, 1);
    give(&s, PAGE, &new);
    assert_eq!(
        s.valid(8),
        [false, true, true, true, true, false, false, false]
    );
    assert_eq!(s.reads(PAGE, 4 * PAGE), (0, new[..4 * PAGE].to_vec()));
    // Where pages of the pipe do not lie on pages of the file.
    let new = pattern(2 * PAGE, 2);
    give(&s, 2 * PAGE + 50, &new);
    assert_eq!(s.reads(2 * PAGE + 50, 2 * PAGE), (0, new));
    s.finish();
}

fn splice_moved_over_cached() {
    let mut s = Scene::new(3 * PAGE);
    s.read(0, 3 * PAGE);
    let new = pattern(2 * PAGE, 1);
    give(&s, 0, &new);
    assert_eq!(s.reads(0, 2 * PAGE), (0, new));
    s.finish();
}

/// A page that somebody has mapped stays where it is.
fn splice_moved_over_mapped() {
    only_ours("C warns of a folio that is mapped in fuse_try_move_folio()");
    let mut s = Scene::new(2 * PAGE);
    s.m.without_record();
    let mut c = s.m.caller(|mnt, io| -> Res<Vec<u8>> {
        let map = Map::new(&open_plainly(mnt)?, 2 * PAGE, true)?;
        io.put(map.get(0, 2 * PAGE));
        io.wait();
        Ok(map.get(0, 2 * PAGE))
    });
    let (m, fs) = (&mut s.m, &mut s.fs);
    suites::daemon::until("the mapping", || {
        m.drain(&mut |r| fs.handle(r));
        let bound = std::time::Duration::ZERO;
        mockd::caller::readable(c.fd(), bound).then_some(())
    });
    assert_eq!(c.get::<Vec<u8>>(), pattern(2 * PAGE, 0));
    let new = pattern(2 * PAGE, 1);
    give(&s, 0, &new);
    c.go();
    let fs = &mut s.fs;
    let seen: Res<Vec<u8>> = s.m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(seen, Ok(new));
    s.finish();
}

/// Its pages stay the file's.
fn splice_from_file() {
    let mut s = Scene::new(4 * PAGE);
    let new = pattern(4 * PAGE, 1);
    let file = elsewhere(&new);
    let pipe = Pipe::new(32);
    for flags in [0, MOVE] {
        let message = store(s.f, 0, &new);
        pipe.put(&message[..HEAD]);
        let mut there = 0;
        while there < new.len() {
            let n = pipe.splice_from(&file, Some(there as i64), new.len() - there, 0);
            there += n.expect("splice");
        }
        let n = pipe.splice_to(&s.m.dev(), message.len(), flags);
        assert_eq!(n, Ok(message.len()));
        assert_eq!(s.reads(0, 4 * PAGE), (0, new.clone()));
    }
    assert_eq!(
        std::fs::read(ktap::dir().join("elsewhere")).expect("read"),
        new
    );
    s.finish();
}

fn splice_too_short() {
    let s = Scene::new(4 * PAGE);
    let pipe = Pipe::new(32);
    let message = store(s.f, 0, &pattern(PAGE, 1));
    for n in [16, HEAD, HEAD + 100] {
        let r = s.m.splice_message(&pipe, &message[..n], 0);
        assert_eq!(r, Err(EINVAL));
        if !pipe.is_empty() {
            pipe.get(n).expect("read");
        }
    }
    s.finish();
}

/// Whoever has mapped the page sees what is stored.
fn mapping_sees_it() {
    let mut s = Scene::new(3 * PAGE);
    let f = s.f;
    let dev = s.m.dev().try_clone_to_owned().expect("dup");
    let new = pattern(PAGE + 100, 1);
    let stored = new.clone();
    let r = s.run(move |mnt| -> Res<(Vec<u8>, Vec<u8>)> {
        let map = Map::new(&open_plainly(mnt)?, 3 * PAGE, true)?;
        let before = map.get(0, 2 * PAGE);
        user::write(&dev, &store(f, 50, &stored))?;
        Ok((before, map.get(0, 2 * PAGE)))
    });
    let mut want = pattern(2 * PAGE, 0);
    let (before, after) = r.expect("mapping");
    assert_eq!(before, want);
    want[50..50 + new.len()].copy_from_slice(&new);
    assert_eq!(after, want);
    s.finish();
}

/// But not in pages that are its own by now.
fn mapping_private() {
    let mut s = Scene::new(2 * PAGE);
    let f = s.f;
    let dev = s.m.dev().try_clone_to_owned().expect("dup");
    let r = s.run(move |mnt| -> Res<(u8, u8, u8)> {
        let map = Map::new(&open_plainly(mnt)?, 2 * PAGE, false)?;
        map.set(10, 77);
        map.get(PAGE, 1);
        user::write(&dev, &store(f, 0, &[9; 2 * PAGE]))?;
        Ok((map.get(10, 1)[0], map.get(11, 1)[0], map.get(PAGE, 1)[0]))
    });
    assert_eq!(r, Ok((77, pattern(12, 0)[11], 9)));
    s.finish();
}

/// Which page of which file the data of a STORE to page 0 of `f` lies in, and whether it is
/// present and cached.
struct Own {
    file: &'static str,
    page: usize,
    cached: bool,
    present: bool,
}

/// The daemon, whose other threads serve, writes a STORE from a mapping of a file of its own mount.
fn own_mapping(own: Own) {
    let mut s = Scene::new(3 * PAGE);
    let other = pattern(3 * PAGE, 5);
    s.fs.file("g", &other);
    s.know("g");
    let Scene { mut m, fs, f, .. } = s;
    if !own.present {
        m.without_record();
    }
    let fs = Arc::new(Mutex::new(fs));
    let served = fs.clone();
    let threads = m.threads(2, Arc::new(move |r| served.lock().expect("fs").handle(r)));

    let open = |name: &str| user::open(&m.mnt.join(name), libc::O_RDONLY, 0).expect("open");
    let (target, source) = (open("f"), open(own.file));
    let map = Map::new(&source, 3 * PAGE, true).expect("mmap");
    // SAFETY: integers only.
    unsafe { libc::posix_fadvise(source.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM) };
    // SAFETY: our mapping; so that nothing around a fault is read.
    unsafe { libc::madvise(map.addr() as *mut _, 3 * PAGE, libc::MADV_RANDOM) };
    let from = own.page * PAGE;
    if own.cached {
        map.get(from, 1);
        if !own.present {
            map.zap();
        }
    }
    let head = store_head(f, 0, PAGE);
    let pieces = [
        (head.as_ptr() as usize, head.len()),
        (map.addr() + from, PAGE),
    ];
    let n = vector(m.dev().as_raw_fd(), true, &pieces);
    assert_eq!(n, Ok(HEAD + PAGE));

    let all = if own.file == "f" {
        pattern(3 * PAGE, 0)
    } else {
        other
    };
    let before = m.rec.count(Op::READ);
    let got = user::pread(&target, PAGE, 0).expect("read");
    assert_eq!(got, all[from..from + PAGE]);
    assert_eq!(m.rec.count(Op::READ), before);
    drop((map, source, target));
    fusectl::await_waiting(&m.mnt, 0);
    m.umount();
    for t in threads {
        t.join().expect("thread");
    }
}

fn own_mapping_of_another_file() {
    own_mapping(Own {
        file: "g",
        page: 1,
        cached: true,
        present: true,
    });
}

fn own_mapping_of_another_page() {
    own_mapping(Own {
        file: "f",
        page: 2,
        cached: true,
        present: true,
    });
}

/// To where it comes from.
fn own_mapping_of_the_page() {
    own_mapping(Own {
        file: "f",
        page: 0,
        cached: true,
        present: true,
    });
}

/// The fault takes the lock of the very page.
fn own_mapping_not_present() {
    only_ours("C faults the page in with its lock held");
    own_mapping(Own {
        file: "f",
        page: 0,
        cached: true,
        present: false,
    });
}

/// The fault sends READ.
fn own_mapping_not_cached() {
    only_ours("C faults the page in with its lock held");
    own_mapping(Own {
        file: "f",
        page: 0,
        cached: false,
        present: false,
    });
}
