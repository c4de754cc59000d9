// SPDX-License-Identifier: GPL-2.0

//! Directories in the page cache, FOPEN_CACHE_DIR: how they get there, and who reads them from
//! there.

use std::os::fd::OwnedFd;
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::msg::Msg;
use mockd::reply::{dirent, open_out};
use mockd::user;
use mockd::wire::Op;
use mockd::{Init, Mock};

use crate::kit::*;

pub fn cases() -> Vec<Case> {
    cases![
        read_once,
        without_keep_cache,
        rewind_in_one_file,
        first_part_by_another,
        began_in_the_middle,
        continued_by_others,
        seek_where_it_is_cached,
        seek_to_unknown_position,
        small_buffers,
        several_pages,
        record_as_long_as_a_page,
        record_longer_than_a_page,
        two_readers_fill,
        opened_without_cache_between,
        closed_before_the_end,
        empty_directory,
        empty_answer_in_the_middle,
        positions_of_daemon,
        error_while_filling,
        bad_record_while_filling,
        no_opendir_caches,
        plus_fills,
        plus_is_asked_once,
        auto_after_cache,
        types_and_numbers,
        several_directories,
        pages_reclaimed,
        readers_at_once,
    ]
}

/// A daemon whose directories are cached, and stay so.
fn caching(n: usize) -> Memfs {
    let mut fs = files(n);
    fs.opendir_flags = KEEP_CACHE | CACHE_DIR;
    fs
}

fn open(p: &Path) -> OwnedFd {
    user::open(p, FLAGS, 0).expect("open")
}

fn seek(fd: &OwnedFd, to: u64) {
    rustix::fs::seek(fd, rustix::fs::SeekFrom::Start(to)).expect("seek");
}

/// Runs a caller, and gives what it says and how many READDIRs there were.
fn run<T: Msg>(init: &Init, fs: &mut Memfs, f: impl FnOnce(&Path) -> T) -> (T, Vec<(Op, u64)>) {
    let mut m = mock(init);
    let value = m.run(fs, f);
    let asked = asked(&m);
    m.finish();
    (value, asked)
}

/// What one reader reads, all others have.
fn read_once() {
    let (lists, asked) = run(&Init::plain(), &mut caching(10), |mnt| {
        (0..4).map(|_| user::list(mnt)).collect::<Vec<_>>()
    });
    assert!(lists.iter().all(|list| *list == lists[0]));
    assert_eq!(lists[0].clone().map(|list| list.len()), Ok(10));
    assert_eq!(asked, [(Op::READDIR, 0), (Op::READDIR, 12)]);
}

/// An open without FOPEN_KEEP_CACHE drops what is cached.
fn without_keep_cache() {
    let mut fs = caching(10);
    fs.opendir_flags = CACHE_DIR;
    let (lists, asked) = run(&Init::plain(), &mut fs, |mnt| {
        let keep = open(mnt);
        let a = list(&keep, 4096);
        let b = user::list(mnt).map(|list| list.len());
        seek(&keep, 0);
        (
            a.map(|list| list.len()),
            b,
            list(&keep, 4096).map(|list| list.len()),
        )
    });
    assert_eq!(lists, (Ok(12), Ok(10), Ok(12)));
    assert_eq!(asked.len(), 4);
}

fn rewind_in_one_file() {
    let (same, asked) = run(&Init::plain(), &mut caching(10), |mnt| {
        let fd = open(mnt);
        let first = list(&fd, 4096);
        (0..3).all(|_| {
            seek(&fd, 0);
            list(&fd, 4096) == first
        })
    });
    assert!(same);
    assert_eq!(asked.len(), 2);
}

/// One reader stops in the middle, another one goes on from the beginning to the end.
fn first_part_by_another() {
    let (all, _) = run(&Init::plain(), &mut caching(30), |mnt| {
        let a = open(mnt);
        user::getdents(&a, 200).expect("getdents");
        drop(a);
        let b = user::list(mnt);
        (b.clone().map(|b| b.len()), user::list(mnt) == b)
    });
    assert_eq!(all, (Ok(30), true));
}

/// Who does not begin at the beginning fills nothing.
fn began_in_the_middle() {
    let (all, asked) = run(&Init::plain(), &mut caching(10), |mnt| {
        let fd = open(mnt);
        seek(&fd, 5);
        let rest = list(&fd, 4096).map(|list| list.len());
        (rest, user::list(mnt).map(|list| list.len()))
    });
    assert_eq!(all, (Ok(7), Ok(10)));
    assert_eq!(asked.iter().filter(|a| a.1 == 0).count(), 1);
}

/// Each of several readers reads a part further than the one before.
fn continued_by_others() {
    let (all, _) = run(&Init::plain(), &mut caching(20), |mnt| {
        let mut last = 0;
        for calls in 1..6 {
            let fd = open(mnt);
            last = 0;
            for _ in 0..calls {
                last += user::getdents(&fd, 150).expect("getdents").len();
            }
        }
        (last, user::list(mnt).map(|list| list.len()))
    });
    assert_eq!(all, (22, Ok(20)));
}

fn seek_where_it_is_cached() {
    let (same, asked) = run(&Init::plain(), &mut caching(10), |mnt| {
        let fd = open(mnt);
        let all = list(&fd, 4096).expect("list");
        [3, 11, 0, 7, 7, 1].iter().all(|at| {
            seek(&fd, *at);
            list(&fd, 100).expect("list") == all[*at as usize..]
        })
    });
    assert!(same);
    assert_eq!(asked.len(), 2);
}

/// A position that no record leads to is the daemon's to know.
fn seek_to_unknown_position() {
    let (got, asked) = run(&Init::plain(), &mut caching(10), |mnt| {
        let fd = open(mnt);
        list(&fd, 4096).expect("list");
        seek(&fd, 1000);
        let none = user::getdents(&fd, 4096).map(|v| v.len());
        seek(&fd, 0);
        (none, list(&fd, 4096).map(|list| list.len()))
    });
    assert_eq!(got, (Ok(0), Ok(12)));
    assert_eq!(
        asked,
        [(Op::READDIR, 0), (Op::READDIR, 12), (Op::READDIR, 1000)]
    );
}

/// Each name once, wherever a buffer ends.
fn small_buffers() {
    let (lists, asked) = run(&Init::plain(), &mut caching(30), |mnt| {
        let fd = open(mnt);
        [4096, 24, 50, 72, 100, 333, 1000]
            .iter()
            .map(|size| {
                seek(&fd, 0);
                list(&fd, *size)
            })
            .collect::<Vec<_>>()
    });
    assert!(lists.iter().all(|list| *list == lists[0]));
    assert_eq!(lists[0].clone().map(|list| list.len()), Ok(32));
    assert_eq!(asked.len(), 2);
}

/// Records do not lie across the end of a page.
fn several_pages() {
    let mut fs = caching(0);
    for i in 0..300 {
        fs.file(&format!("{i:03}-{}", "x".repeat(i % 50)), b"");
    }
    let (got, asked) = run(&Init::plain(), &mut fs, |mnt| {
        let fd = open(mnt);
        let first = list(&fd, 4096).expect("list");
        seek(&fd, 0);
        let second = list(&fd, 4096).expect("list");
        seek(&fd, 0);
        let third = list(&fd, 200).expect("list");
        seek(&fd, 250);
        let rest = list(&fd, 500).expect("list");
        (
            first.len(),
            first == second,
            second == third,
            rest == third[250..],
        )
    });
    assert_eq!(got, (302, true, true, true));
    assert!(asked.len() > 3);
}

/// A directory of these records; with the end, that many READDIRs.
fn by_hand<T: Msg>(replies: &[Vec<u8>], f: impl FnOnce(&Path) -> T) -> (Mock, T) {
    let mut m = mock(&Init::plain());
    let c = m.caller(|mnt, _| f(mnt));
    let mut next = replies.iter();
    let value = m.serve(c, &mut |r| match r.op {
        Op::OPENDIR => Answer::Ok(open_out(1, KEEP_CACHE | CACHE_DIR)),
        Op::READDIR => Answer::Ok(next.next().cloned().unwrap_or_default()),
        _ => serve(r, &mut None),
    });
    (m, value)
}

fn record_as_long_as_a_page() {
    let long = "n".repeat(4096 - 24);
    let replies = [
        dirent(5, 1, 8, b"short"),
        dirent(6, 2, 8, long.as_bytes()),
        dirent(7, 3, 8, b"after"),
        vec![],
    ];
    let (m, lists) = by_hand(&replies, |mnt| {
        let fd = open(mnt);
        let first = list(&fd, 8192);
        seek(&fd, 0);
        (
            first.clone().map(|list| list.len()),
            list(&fd, 8192) == first,
        )
    });
    assert_eq!(lists, (Ok(3), true));
    assert_eq!(asked(&m).len(), 4);
    m.finish();
}

/// It is listed, and neither it nor what comes after it is kept.
fn record_longer_than_a_page() {
    for n in [4096 - 23, 4095] {
        let long = "n".repeat(n);
        let mut replies = vec![
            dirent(5, 1, 8, b"short"),
            dirent(6, 2, 8, long.as_bytes()),
            dirent(7, 3, 8, b"after"),
            vec![],
        ];
        replies.extend(replies.clone());
        let (m, lists) = by_hand(&replies, |mnt| {
            let fd = open(mnt);
            let first = list(&fd, 16384);
            seek(&fd, 0);
            (first, list(&fd, 16384))
        });
        let want = ["short", &long, "after"].map(String::from).to_vec();
        assert_eq!(lists, (Ok(want.clone()), Ok(want)));
        assert_eq!(asked(&m).len(), 8);
        m.finish();
    }
}

fn two_readers_fill() {
    let (lists, _) = run(&Init::plain(), &mut caching(40), |mnt| {
        let (a, b) = (open(mnt), open(mnt));
        let (mut x, mut y) = (Vec::new(), Vec::new());
        loop {
            let p = user::getdents(&a, 200).expect("getdents");
            let q = user::getdents(&b, 300).expect("getdents");
            if p.is_empty() && q.is_empty() {
                break;
            }
            x.extend(p);
            y.extend(q);
        }
        (x == y, x.len(), user::list(mnt).map(|list| list.len()))
    });
    assert_eq!(lists, (true, 42, Ok(40)));
}

/// That one asks the daemon, and neither fills nor drops anything.
fn opened_without_cache_between() {
    let mut m = mock(&Init::plain());
    let mut fs = caching(10);
    let mut list = |m: &mut Mock, flags| {
        fs.opendir_flags = flags;
        let names: Res<Vec<String>> = m.run(&mut fs, user::list);
        assert_eq!(names.map(|names| names.len()), Ok(10));
        asked(m).len()
    };
    assert_eq!(list(&mut m, KEEP_CACHE | CACHE_DIR), 2);
    assert_eq!(list(&mut m, KEEP_CACHE), 4);
    assert_eq!(list(&mut m, KEEP_CACHE | CACHE_DIR), 4);
    // Now it drops.
    assert_eq!(list(&mut m, 0), 6);
    assert_eq!(list(&mut m, KEEP_CACHE | CACHE_DIR), 8);
    m.finish();
}

fn closed_before_the_end() {
    let (got, asked) = run(&Init::plain(), &mut caching(10), |mnt| {
        let fd = open(mnt);
        user::getdents(&fd, 4096).expect("getdents");
        // The end has not been read.
        drop(fd);
        let lists = [user::list(mnt), user::list(mnt)];
        lists.map(|list| list.map(|list| list.len())).to_vec()
    });
    assert_eq!(got, [Ok(10), Ok(10)]);
    println!("{asked:?}");
}

fn empty_directory() {
    let (m, lists) = by_hand(&[vec![]], |mnt| {
        (0..3).map(|_| user::list(mnt)).collect::<Vec<_>>()
    });
    assert_eq!(lists, vec![Ok(vec![]); 3]);
    assert_eq!(asked(&m).len(), 1);
    m.finish();
}

/// What the daemon says is the end is the end.
fn empty_answer_in_the_middle() {
    let replies = [dirent(5, 1, 8, b"a"), vec![], dirent(6, 2, 8, b"b")];
    let (m, lists) = by_hand(&replies, |mnt| {
        (0..2).map(|_| user::list(mnt)).collect::<Vec<_>>()
    });
    assert_eq!(lists, vec![Ok(vec!["a".to_string()]); 2]);
    assert_eq!(asked(&m).len(), 2);
    m.finish();
}

/// Positions may go in any order, and be any number.
fn positions_of_daemon() {
    let replies = [
        [dirent(5, 1 << 40, 8, b"a"), dirent(6, 7, 8, b"b")].concat(),
        dirent(7, i64::MAX as u64, 8, b"c"),
        vec![],
    ];
    let (m, got) = by_hand(&replies, |mnt| {
        let fd = open(mnt);
        let all = list(&fd, 4096).expect("list");
        let after = |at| {
            seek(&fd, at);
            list(&fd, 4096).expect("list")
        };
        (all, after(7), after(1 << 40), after(0).len())
    });
    let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    assert_eq!(
        got,
        (
            names(&["a", "b", "c"]),
            names(&["c"]),
            names(&["b", "c"]),
            3
        )
    );
    assert_eq!(asked(&m).len(), 3);
    m.finish();
}

/// Who goes on after an error goes on filling.
fn error_while_filling() {
    let mut m = mock(&Init::plain());
    let c = m.caller(|mnt, _| {
        let fd = open(mnt);
        let a = user::getdents(&fd, 4096).map(|v| v.len());
        let b = user::getdents(&fd, 4096).map(|v| v.len());
        let c = list(&fd, 4096).map(|v| v.len());
        (a, b, c, user::list(mnt).map(|v| v.len()))
    });
    let mut n = 0;
    let got: (Res<usize>, Res<usize>, Res<usize>, Res<usize>) = m.serve(c, &mut |r| {
        n += usize::from(r.op == Op::READDIR);
        match (r.op, n) {
            (Op::OPENDIR, _) => Answer::Ok(open_out(1, KEEP_CACHE | CACHE_DIR)),
            (Op::READDIR, 1) => Answer::Ok(dirent(5, 1, 8, b"a")),
            (Op::READDIR, 2) => Answer::Err(EREMOTEIO),
            (Op::READDIR, 3) => Answer::Ok(dirent(6, 2, 8, b"b")),
            _ => serve(r, &mut None),
        }
    });
    assert_eq!(got, (Ok(1), Err(EREMOTEIO), Ok(1), Ok(2)));
    assert_eq!(asked(&m).len(), 4);
    m.finish();
}

/// What was good before a bad record is cached; the bad one is asked for each time.
fn bad_record_while_filling() {
    let mut bad = dirent(6, 2, 8, b"b");
    bad[16..20].fill(0);
    let replies = [
        [dirent(5, 1, 8, b"a"), bad].concat(),
        dirent(6, 2, 8, b"b"),
        vec![],
    ];
    let (m, got) = by_hand(&replies, |mnt| {
        let fd = open(mnt);
        let first = user::getdents(&fd, 4096).map(|v| v.len());
        let rest = list(&fd, 4096).map(|v| v.len());
        (first, rest, user::list(mnt).map(|v| v.len()))
    });
    m.rec.note(format!("{got:?}"));
    assert_eq!(got.0, Ok(1));
    m.finish();
}

/// A daemon without OPENDIR has nothing to say about it: directories are cached.
fn no_opendir_caches() {
    let mut fs = files(10);
    fs.on(Op::OPENDIR, Answer::Err(ENOSYS));
    let init = Init::plain().with("NO_OPENDIR_SUPPORT");
    let (lists, asked) = run(&init, &mut fs, |mnt| {
        (0..3)
            .map(|_| user::list(mnt).map(|list| list.len()))
            .collect::<Vec<_>>()
    });
    assert_eq!(lists, vec![Ok(10); 3]);
    assert_eq!(asked.len(), 2);
}

/// READDIRPLUS fills as READDIR does.
fn plus_fills() {
    let (lists, asked) = run(&plus(), &mut caching(10), |mnt| {
        let lists: Vec<_> = (0..3).map(|_| user::list(mnt)).collect();
        let size = user::lstat(&mnt.join("f03")).map(|s| s.size);
        (lists.iter().all(|list| *list == lists[0]), size)
    });
    assert_eq!(lists, (true, Ok(4)));
    assert_eq!(asked, [(Op::READDIRPLUS, 0), (Op::READDIRPLUS, 12)]);
}

/// So nodes are counted once, and names expire while the list is cached.
fn plus_is_asked_once() {
    let mut fs = caching(5);
    fs.entry_valid = mockd::reply::ZERO;
    let mut m = mock(&plus());
    let looked: Res<u64> = m.run(&mut fs, |mnt| {
        user::list(mnt)?;
        user::list(mnt)?;
        user::lstat(&mnt.join("f01")).map(|s| s.size)
    });
    assert_eq!(looked, Ok(4));
    assert_eq!(
        (m.rec.count(Op::READDIRPLUS), m.rec.count(Op::LOOKUP)),
        (2, 1)
    );
    assert_eq!(fs.held().iter().map(|h| h.1).sum::<u64>(), 6);
    m.finish();
}

/// Whether names are looked at matters to a reader that has to ask.
fn auto_after_cache() {
    let (got, asked) = run(&auto(), &mut caching(10), |mnt| {
        let fd = open(mnt);
        list(&fd, 4096).expect("list");
        seek(&fd, 0);
        user::getdents(&fd, 100).expect("getdents");
        user::lstat(&mnt.join("f00")).expect("lstat");
        seek(&fd, 500);
        user::getdents(&fd, 100).map(|v| v.len())
    });
    assert_eq!(got, Ok(0));
    assert_eq!(asked.last(), Some(&(Op::READDIRPLUS, 500)));
}

/// All that a record says is kept.
fn types_and_numbers() {
    let reply: Vec<u8> = [
        (0u64, 0u32),
        (1, 4),
        (u64::MAX, 8),
        (7, 12),
        (8, 15),
        (9, 0x1008),
    ]
    .iter()
    .zip(1..)
    .flat_map(|((ino, typ), off)| dirent(*ino, off, *typ, format!("n{off}").as_bytes()))
    .collect();
    let (m, got) = by_hand(&[reply, vec![]], |mnt| {
        let fd = open(mnt);
        let first = user::getdents(&fd, 4096).expect("getdents");
        user::getdents(&fd, 4096).expect("getdents");
        seek(&fd, 0);
        let second = user::getdents(&fd, 4096).expect("getdents");
        (first == second, format!("{first:?}"))
    });
    assert!(got.0);
    m.rec.note(got.1);
    assert_eq!(asked(&m).len(), 2);
    m.finish();
}

fn several_directories() {
    let mut fs = caching(3);
    for name in ["a", "b"] {
        let d = fs.dir(name);
        for i in 0..5 {
            fs.add(d, &format!("{name}{i}"), libc::S_IFREG | 0o644, b"");
        }
    }
    let (got, asked) = run(&Init::plain(), &mut fs, |mnt| {
        let list = |rel: &str| user::list(&mnt.join(rel)).map(|list| list.len());
        (0..2)
            .flat_map(|_| ["", "a", "b"].map(list))
            .collect::<Vec<_>>()
    });
    assert_eq!(got, [5, 5, 5, 5, 5, 5].map(Ok));
    assert_eq!(asked.len(), 6);
}

/// Memory is short: the list is read again.
fn pages_reclaimed() {
    let mut m = mock(&Init::plain());
    let mut fs = caching(10);
    for round in 1..3 {
        for _ in 0..2 {
            let names: Res<Vec<String>> = m.run(&mut fs, user::list);
            assert_eq!(names.map(|names| names.len()), Ok(10));
            assert_eq!(asked(&m).len(), 2 * round);
        }
        user::drop_pages();
    }
    m.finish();
}

/// Two processes fill and read while a third one rewinds.
fn readers_at_once() {
    let mut m = mock(&Init::plain());
    m.without_record();
    let mut fs = caching(25);
    let reader = |m: &mut Mock, size: usize| {
        m.caller(move |mnt, _| {
            let fd = open(mnt);
            (0..50).all(|_| {
                seek(&fd, 0);
                list(&fd, size).is_ok_and(|list| list.len() == 27)
            })
        })
    };
    let mut callers = [
        reader(&mut m, 100),
        reader(&mut m, 333),
        reader(&mut m, 4096),
    ];
    m.serve_all(&mut callers, &mut |r| fs.handle(r));
    for c in callers {
        assert!(c.join::<bool>());
    }
    m.drain(&mut |r| fs.handle(r));
    m.finish();
}
