// SPDX-License-Identifier: GPL-2.0

//! Each operation left, against each other one: whether that waits, what it and who comes after it
//! get, what the daemon is asked. The same script on both modules; in C the killed caller is still
//! there, and has its locks.

use ktap::Case;
use mockd::record::Recorder;
use mockd::wire::{self, Op};
use mockd::{Init, Request};

use crate::rows::{self, Lock, Row};
use crate::scene::{self, ours, Scene};

/// A case for each call that is left.
pub fn cases() -> Vec<Case> {
    let lefts = rows::left().into_iter();
    let names = lefts.map(|r| format!("matrix::{}", r.call.name));
    suites::cases_of(names, against_all)
}

/// True if this row is the first of those that hold the same.
fn first_to_hold(all: &[Row], i: usize) -> bool {
    all[..i].iter().all(|r| r.holds() != all[i].holds())
}

/// True if this row is the first of its class.
fn first_of_class(all: &[Row], i: usize) -> bool {
    all[..i].iter().all(|r| r.class != all[i].class)
}

/// Those whose callers stay with ours, too, for it could not be otherwise: none.
const STAYS: &[&str] = &[];

/// Pairs that run always beside those: of names and files that both are about.
const ALWAYS: &[(&str, &str)] = &[
    ("lookup_missing", "lookup_missing"),
    ("mkdir", "mkdir_same"),
    ("create", "create_exclusive_same"),
    ("unlink", "unlink_same"),
    ("unlink", "open_victim"),
    ("rmdir", "rmdir_same"),
    ("rmdir", "mkdir_below"),
    ("rmdir", "create_below"),
    ("rename", "rename_same"),
    ("rename_over", "write_victim"),
    ("rename_dir_cross", "rename_dir_cross_back"),
    ("rename_dir_cross", "mkdir_below"),
    ("write", "append"),
    ("write_beyond", "append"),
    ("truncate", "append"),
    ("write_direct", "append_direct"),
    ("open", "flush"),
];

/// Of the pairs beside those of the classes, one in so many.
const ONE_IN: u64 = 12;

fn against_all() {
    let name = suites::case();
    let (lefts, others) = (rows::left(), rows::other());
    let i = lefts.iter().position(|r| r.name == name).expect("row");
    let left = &lefts[i];
    for (_, other) in ALWAYS.iter().filter(|pair| pair.0 == name) {
        assert!(others.iter().any(|o| o.name == *other), "no row {other}");
    }
    let all = std::env::var("RF_LEFT").as_deref() == Ok("all");
    let only = std::env::var("RF_OTHER").ok();
    let mut rng = fastrand::Rng::with_seed(seed() + i as u64);
    let (rec, mut wrong) = (Recorder::default(), vec![]);
    for (n, other) in others.iter().enumerate() {
        let class = first_to_hold(&lefts, i) && first_of_class(&others, n);
        let drawn = rng.u64(0..ONE_IN) == 0;
        let always = ALWAYS.contains(&(&name, &other.name));
        let wanted = only
            .as_deref()
            .map_or(all || class || drawn || always, |o| o == other.name);
        if wanted {
            // Shown if the pair fails.
            println!("{name}, then {}", other.name);
            rec.note(pair(left, other, &mut wrong));
        }
    }
    rec.save();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The same on both modules.
fn seed() -> u64 {
    suites::number("SEED").unwrap_or(0)
}

/// What becomes of `other` while `left` is out, as text.
fn pair(left: &Row, other: &Row, wrong: &mut Vec<String>) -> String {
    let init = left.call.init(Init::plain());
    let mut s = Scene::with(rows::tree(), &init);
    let mut c = rows::third(&mut s);
    let mut a = s.actor("first", left.prepare());
    let mut b = s.actor("second", other.prepare());

    let r = s.hold("first", &a, left.call.op, left.what());
    s.forget();
    a.kill(libc::SIGKILL);
    let stays = !ours() || STAYS.contains(&left.name.as_str());
    if !stays {
        s.gone(&mut a);
    }
    let early = s.acts(&mut b);
    let does = if early.is_some() { "served" } else { "waits" };
    let name = format!("{}, then {}: {does}", left.name, other.name);
    // A heading, which wirediff shows.
    let mut t = format!("[{name}]\n");
    if !left.is_killable_in_c() {
        assert!(!stays || !a.exited(), "it has left");
        if !s.closes("first").is_empty() {
            wrong.push(format!("{name}, and the killed caller's files are closed"));
        }
    }
    let expected = rows::waits(left, other);
    if early.is_none() != expected {
        wrong.push(format!("{name}, and not as the rows say"));
    }
    let seen = s.asked("second");
    let again = |r: &Request| expected && looked_up_again(&s, [left, other], r);
    let kept: Vec<_> = seen.iter().filter(|r| !again(r)).map(scene::text).collect();
    t += &lines("before", &kept);

    s.answer("first", &r);
    let result = match early {
        Some(text) => text,
        None => s.said(&mut b),
    };
    if stays {
        s.gone(&mut a);
    }
    let seen = s.asked("second");
    let again = |r: &Request| expected && looked_up_again(&s, [left, other], r);
    let kept: Vec<_> = seen.iter().filter(|r| !again(r)).map(scene::text).collect();
    t += &lines("after", &kept);
    t += &format!(" result {result}\n");

    let looked = s.act(&mut c);
    let seen = texts(&s.asked("third"));
    t += &lines("third", &seen);
    t += &looked;
    t += " closed\n";
    // RELEASE of what the second has closed by itself comes before or after the last look at its
    // requests.
    for line in s.end(vec![b, c]).lines() {
        if !line.starts_with("  second ") {
            t += &format!("{line}\n");
        }
    }
    t
}

/// Requests as text; READs that follow each other as one range, as readahead cuts them as it likes.
fn texts(v: &[Request]) -> Vec<String> {
    let mut texts: Vec<String> = vec![];
    let mut last: Option<(u64, u64, u64)> = None;
    for r in v {
        let read = (r.op == Op::READ).then(|| (r.get("fh"), r.get("offset"), r.get("size")));
        let text = |(fh, from, size): (u64, u64, u64)| {
            format!(
                "READ node={} fh={fh} from={from} to={}",
                r.node,
                from + size
            )
        };
        match (last, read) {
            (Some((fh, from, size)), Some((fh2, from2, size2)))
                if fh == fh2 && from + size == from2 =>
            {
                let joined = (fh, from, size + size2);
                texts.pop();
                texts.push(text(joined));
                last = Some(joined);
            }
            (_, Some(read)) => {
                texts.push(text(read));
                last = Some(read);
            }
            (_, None) => {
                texts.push(scene::text(r));
                last = None;
            }
        }
    }
    texts
}

fn lines(head: &str, v: &[String]) -> String {
    let mut t = format!(" {head}\n");
    for line in v {
        t += &format!("  {line}\n");
    }
    t
}

/// A LOOKUP of a name that is known, in a directory that either locks: the VFS sends it under the
/// directory's lock, which is free once a caller has left, or in a rename with one lock, before the
/// other is looked at; in C it comes after the answer. What it brings is looked at again.
fn looked_up_again(s: &Scene, pair: [&Row; 2], r: &Request) -> bool {
    let dir = |path: &str| s.fs.nodes[&wire::ROOT].children[path];
    let locked = |l: &Lock| matches!(l, Lock::X(p) if !p.contains('/') && dir(p) == r.node);
    let known = |n: &&str| n.rsplit('/').next() == Some(r.name().as_str());
    r.op == Op::LOOKUP
        && pair.iter().any(|row| row.locks.iter().any(locked))
        && rows::KNOWN.iter().any(known)
}
