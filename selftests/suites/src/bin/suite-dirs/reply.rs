// SPDX-License-Identifier: GPL-2.0

//! Answers to READDIRPLUS that are not as they should be, at their edges and in their middle.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::reply::{direntplus, message};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Entry};

use crate::kit::*;

pub fn cases() -> Vec<Case> {
    cases![
        empty_is_the_end,
        cut_off_tail,
        shorter_than_a_record,
        ends_with_the_page,
        name_of_no_length,
        name_too_long,
        name_with_slash,
        name_longer_than_the_rest,
        long_names,
        name_with_nul,
        positions_backwards,
        position_zero,
        numbers_and_types,
        longer_than_asked_for,
        bad_record_after_good_ones,
        bad_record_where_nothing_fits,
        garbage_beyond_the_name,
    ]
}

/// A record, with a name length of its own.
fn lying(node: u64, namelen: u32, name: &[u8]) -> Vec<u8> {
    let mut b = direntplus(&Entry::new(Attr::file(node, 1)), node, 9, 8, name);
    b[144..148].copy_from_slice(&namelen.to_ne_bytes());
    b
}

fn empty_is_the_end() {
    let (m, listed, ()) = once(&plus(), &[], 4096, |_| ());
    assert_eq!(listed, Ok(vec![]));
    m.finish();
}

/// Neither listed nor counted.
fn cut_off_tail() {
    let whole = file(5, 1, "whole");
    let cut = file(6, 2, "cut-off-name");
    for len in [1, 100, 128, 129, 151, 152, 153, 160, cut.len() - 1] {
        let reply = [&whole[..], &cut[..len]].concat();
        let (mut m, listed, found) = once(&plus(), &reply, 4096, |mnt| {
            sizes(mnt, &["whole", "cut-off-name"])
        });
        assert_eq!(names(&listed), ["whole"], "{len}");
        assert_eq!(found, [Ok(1), Err(ENOENT)], "{len}");
        assert_eq!(forgotten(&mut m, 1), [(5, 1)], "{len}");
        m.finish();
    }
}

fn shorter_than_a_record() {
    for len in [1, 24, 128, 151] {
        let (m, listed, ()) = once(&plus(), &file(5, 1, "a")[..len], 4096, |_| ());
        assert_eq!(listed, Ok(vec![]), "{len}");
        assert_eq!(m.rec.forgets().len(), 0);
        m.finish();
    }
}

/// 4096 bytes to the last one: 25 records of 160, and one of 96 is none.
fn ends_with_the_page() {
    let mut reply: Vec<u8> = (0..24)
        .flat_map(|i| file(5 + i, i + 1, &format!("f{i:02}")))
        .collect();
    reply.extend(file(100, 25, &"n".repeat(256 - 152)));
    assert_eq!(reply.len(), 4096);
    let (mut m, listed, ()) = once(&plus(), &reply, 4096, |_| ());
    assert_eq!(names(&listed).len(), 25);
    assert_eq!(forgotten(&mut m, 25).len(), 25);
    m.finish();
}

/// What comes before is linked and listed; the error comes with the next call, if it comes again.
fn bad(record: Vec<u8>) {
    let reply = [file(5, 1, "good"), record, file(7, 3, "late")].concat();
    let (mut m, listed, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["good", "late"]));
    assert_eq!(names(&listed), ["good"]);
    assert_eq!(found, [Ok(1), Err(ENOENT)]);
    // The daemon has counted the others as well; nobody tells it.
    assert_eq!(forgotten(&mut m, 1), [(5, 1)]);
    m.finish();
}

fn name_of_no_length() {
    bad(lying(6, 0, b"bad"));
}

fn name_too_long() {
    bad(lying(6, 4096, b"bad"));
    bad(lying(6, u32::MAX, b"bad"));
}

fn name_with_slash() {
    bad(lying(6, 3, b"a/b"));
    bad(lying(6, 1, b"/"));
}

/// It ends the answer, as one that was cut off.
fn name_longer_than_the_rest() {
    let reply = [file(5, 1, "good"), lying(6, 4000, b"bad")].concat();
    let (mut m, listed, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["good", "bad"]));
    assert_eq!(names(&listed), ["good"]);
    assert_eq!(found, [Ok(1), Err(ENOENT)]);
    assert_eq!(forgotten(&mut m, 1), [(5, 1)]);
    m.finish();
}

/// Names may be longer than those of other filesystems.
fn long_names() {
    let long = [
        "a".repeat(255),
        "b".repeat(256),
        "c".repeat(1025),
        "d".repeat(1500),
    ];
    let reply: Vec<u8> = (long.iter().zip(5..))
        .flat_map(|(name, node)| file(node, node, name))
        .collect();
    let (mut m, listed, found) = once(&plus(), &reply, 8192, |mnt| {
        let names: Vec<&str> = long.iter().map(String::as_str).collect();
        sizes(mnt, &names)
    });
    assert_eq!(names(&listed), long);
    assert_eq!(found, vec![Ok(1); 4]);
    assert_eq!(m.rec.count(Op::LOOKUP), 0);
    assert_eq!(forgotten(&mut m, 4).len(), 4);
    m.finish();
}

/// Nobody can ask for it.
fn name_with_nul() {
    let reply = [lying(5, 3, b"a\0b"), file(6, 2, "c")].concat();
    let (mut m, listed, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["a", "c"]));
    println!("{listed:?}");
    assert_eq!(found, [Err(ENOENT), Ok(1)]);
    assert_eq!(forgotten(&mut m, 2), [(5, 1), (6, 1)]);
    m.rec.note(format!("{listed:?}"));
    m.finish();
}

/// Whatever the daemon says is where the next one begins.
fn positions_backwards() {
    let mut m = mock(&plus());
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, FLAGS, 0).expect("open");
        (0..3)
            .map(|_| names(&user::getdents(&fd, 4096)))
            .collect::<Vec<_>>()
    });
    let mut replies = vec![
        vec![],
        [file(5, 9, "a"), file(6, 1, "b")].concat(),
        file(7, 1 << 62, "c"),
    ];
    let listed: Vec<Vec<String>> = m.serve(c, &mut |r| {
        let mut reply = None;
        if r.op == Op::READDIRPLUS {
            reply = replies.pop();
        }
        serve(r, &mut reply)
    });
    assert_eq!(listed, [vec!["c"], vec!["a", "b"], vec![]]);
    let positions: Vec<u64> = asked(&m).into_iter().map(|a| a.1).collect();
    assert_eq!(positions, [0, 1 << 62, 1]);
    m.finish();
}

/// A reader that is sent back to the beginning goes on for ever; each time it is a beginning.
fn position_zero() {
    let mut m = mock(&auto());
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, FLAGS, 0).expect("open");
        (0..4)
            .map(|_| user::getdents(&fd, 4096).map(|v| v.len()))
            .collect::<Vec<Res<usize>>>()
    });
    let listed: Vec<Res<usize>> = m.serve(c, &mut |r| serve(r, &mut Some(file(5, 0, "a"))));
    assert_eq!(listed, vec![Ok(1); 4]);
    assert_eq!(asked(&m), vec![(Op::READDIRPLUS, 0); 4]);
    assert_eq!(forgotten(&mut m, 1), [(5, 4)]);
    m.finish();
}

/// The number and type that are listed need not be those of the node.
fn numbers_and_types() {
    let entry = Entry::new(Attr::file(5, 1));
    let reply: Vec<u8> = [(0u64, 0u32), (u64::MAX, 4), (1, 12), (77, 8)]
        .iter()
        .zip(1..)
        .flat_map(|((ino, typ), off)| {
            direntplus(&entry, *ino, off, *typ, format!("n{off}").as_bytes())
        })
        .collect();
    let (m, listed, inos) = once(&plus(), &reply, 4096, |mnt| {
        let ino = |name: &str| user::lstat(&mnt.join(name)).map(|s| s.ino);
        [ino("n1"), ino("n4")].to_vec()
    });
    let listed = listed.expect("getdents");
    m.rec.note(format!("{listed:?}"));
    assert_eq!(listed.len(), 4);
    assert_eq!(inos, [Ok(5), Ok(5)]);
    m.finish();
}

/// The daemon is told, and the caller gets an error.
fn longer_than_asked_for() {
    let mut m = mock(&plus());
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, FLAGS, 0)?;
        user::getdents(&fd, 4096)
    });
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &mockd::reply::open_out(1, 0));
    let r = m.expect(Op::READDIRPLUS);
    let reply: Vec<u8> = (0..30).flat_map(|i| file(5 + i, i + 1, "x")).collect();
    assert!(reply.len() > 4096);
    assert_eq!(m.write(&message(r.unique, 0, &reply)), Err(EINVAL));
    let r = m.expect(Op::RELEASEDIR);
    m.reply(&r, &[]);
    assert_eq!(c.join::<Listed>(), Err(EIO));
    assert_eq!(m.rec.forgets().len(), 0);
    m.finish();
}

/// Only where there is nothing else to give, the caller gets the error.
fn bad_record_after_good_ones() {
    let mut m = mock(&plus());
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, FLAGS, 0).expect("open");
        (0..2)
            .map(|_| user::getdents(&fd, 4096))
            .collect::<Vec<Listed>>()
    });
    let mut replies = vec![
        [lying(6, 0, b"b"), file(8, 30, "c")].concat(),
        [file(5, 10, "a"), lying(6, 0, b"b")].concat(),
    ];
    let listed: Vec<Listed> = m.serve(c, &mut |r| {
        let mut reply = None;
        if r.op == Op::READDIRPLUS {
            reply = replies.pop();
        }
        serve(r, &mut reply)
    });
    m.rec.note(format!("{listed:?}"));
    assert_eq!(
        (names(&listed[0]), &listed[1]),
        (vec!["a".into()], &Err(EIO))
    );
    assert_eq!(asked(&m)[1].1, 10);
    m.finish();
}

/// What the caller has no room for is looked at, too.
fn bad_record_where_nothing_fits() {
    let reply = [file(5, 1, "a"), file(6, 2, "b"), lying(7, 0, b"c")].concat();
    let (mut m, listed, ()) = once(&plus(), &reply, 30, |_| ());
    assert_eq!(names(&listed), ["a"]);
    assert_eq!(forgotten(&mut m, 2), [(5, 1), (6, 1)]);
    m.finish();
}

/// What fills a record up to the next one is nothing.
fn garbage_beyond_the_name() {
    let mut reply = file(5, 1, "a");
    let len = reply.len();
    reply[len - 7..].fill(b'/');
    reply.extend(file(6, 2, "b"));
    let (m, listed, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["a", "b"]));
    assert_eq!(names(&listed), ["a", "b"]);
    assert_eq!(found, [Ok(1), Ok(1)]);
    m.finish();
}
