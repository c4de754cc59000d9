// SPDX-License-Identifier: GPL-2.0

//! `inval_wq`: names that have expired are dropped, whether anybody asks for them or not.

use std::time::{Duration, Instant};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::message;
use mockd::user;
use mockd::Mock;
use suites::setting::Setting;

use crate::tree::holder;

pub fn cases() -> Vec<Case> {
    cases![
        period_is_checked,
        expired_names_go,
        names_in_use_go_last,
        renewed_names_stay,
        switched_off_again,
        many_names_go,
        unmounted_in_between,
        epoch_drops_names,
        epoch_leaves_names_in_use,
        epoch_and_unmount,
    ]
}

fn period() -> Setting {
    Setting::parameter("inval_wq")
}

/// The shortest one.
const SHORTEST: &str = "5";

fn period_is_checked() {
    let p = period();
    assert_eq!(p.get(), "0\n");
    let s = user::stat(p.path()).expect("stat");
    assert_eq!((s.mode, s.uid, s.gid), (0o100_644, 0, 0));
    for (text, becomes) in [("5", "5\n"), ("65535\n", "65535\n"), ("0x10", "16\n")] {
        assert_eq!(p.set(text), Ok(()), "{text:?}");
        assert_eq!(p.get(), becomes);
    }
    for (text, e) in [
        ("1", EINVAL),
        ("4", EINVAL),
        ("65536", EINVAL),
        ("-1", EINVAL),
        ("x", EINVAL),
        ("4294967296", ERANGE),
    ] {
        assert_eq!(p.set(text), Err(e), "{text:?}");
        assert_eq!(p.get(), "16\n");
    }
    assert_eq!(p.set("0"), Ok(()));
    assert_eq!(p.get(), "0\n");
}

/// Looks names up, so that the kernel knows them.
#[track_caller]
fn look_up(m: &mut Mock, fs: &mut Memfs, names: &[&str]) {
    let r: Res<()> = m.run(fs, |mnt| {
        names
            .iter()
            .try_for_each(|n| user::lstat(&mnt.join(n)).map(drop))
    });
    assert_eq!(r, Ok(()));
}

/// Waits until these nodes have been forgotten, and lets nothing but FORGETs pass. (A round may
/// have come before.)
#[track_caller]
fn await_forgets(m: &mut Mock, fs: &mut Memfs, nodes: &[u64]) {
    let end = Instant::now() + ktap::patience();
    while fs.held().iter().any(|(held, _)| nodes.contains(held)) {
        assert!(Instant::now() < end, "{:?} are held", fs.held());
        if mockd::caller::readable(m.dev(), Duration::from_millis(100)) {
            let r = m.request();
            assert_eq!(fs.handle(&r), Answer::None, "{r:?}");
        }
    }
}

fn expired_names_go() {
    let p = period();
    p.set(SHORTEST).expect("set");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    let long = fs.file("long", b"");
    look_up(&mut m, &mut fs, &["long"]);
    fs.entry_valid = (1, 0);
    let short = [fs.file("a", b""), fs.file("b", b""), fs.dir("c")];
    look_up(&mut m, &mut fs, &["a", "b", "c"]);
    await_forgets(&mut m, &mut fs, &short);
    // What is good still is known.
    assert_eq!(fs.held(), [(long, 1)]);
    m.finish();
}

/// One that is in use is dropped by its last user, and not looked for any longer.
fn names_in_use_go_last() {
    let p = period();
    p.set(SHORTEST).expect("set");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    fs.entry_valid = (1, 0);
    let used = fs.file("used", b"");
    let free = fs.file("free", b"");
    let c = holder(&mut m, &mut fs, "used");
    look_up(&mut m, &mut fs, &["free"]);
    await_forgets(&mut m, &mut fs, &[free]);
    assert_eq!(fs.held(), [(used, 1)]);
    // No round is needed for it any more.
    p.set("0").expect("set");
    c.go();
    m.serve::<()>(c, &mut |r| fs.handle(r));
    let end = Instant::now() + ktap::patience();
    while !fs.held().is_empty() {
        assert!(Instant::now() < end, "{:?}", fs.held());
        m.drain(&mut |r| fs.handle(r));
        std::thread::yield_now();
    }
    m.finish();
}

/// A name that is looked up again before a round has its new time.
fn renewed_names_stay() {
    let p = period();
    p.set(SHORTEST).expect("set");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    let names = ["a", "b"];
    fs.entry_valid = (0, 1_000_000);
    let nodes = names.map(|n| fs.file(n, b""));
    look_up(&mut m, &mut fs, &names);
    std::thread::sleep(Duration::from_millis(50));
    fs.entry_valid = mockd::reply::LONG;
    look_up(&mut m, &mut fs, &["a"]);
    assert_eq!(fs.held(), [(nodes[0], 2), (nodes[1], 1)]);
    await_forgets(&mut m, &mut fs, &nodes[1..]);
    assert_eq!(fs.held(), [(nodes[0], 2)]);
    m.finish();
}

fn switched_off_again() {
    let p = period();
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    fs.entry_valid = (1, 0);
    // Nobody has put this one into the queue.
    let before = fs.file("before", b"");
    look_up(&mut m, &mut fs, &["before"]);
    for _ in 0..3 {
        p.set(SHORTEST).expect("set");
        p.set("0").expect("set");
    }
    p.set(SHORTEST).expect("set");
    let after = fs.file("after", b"");
    look_up(&mut m, &mut fs, &["after"]);
    await_forgets(&mut m, &mut fs, &[after]);
    assert_eq!(fs.held(), [(before, 1)]);
    m.finish();
}

fn many_names_go() {
    let p = period();
    p.set(SHORTEST).expect("set");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    fs.entry_valid = (1, 0);
    let nodes: Vec<u64> = (0..300).map(|i| fs.file(&format!("f{i}"), b"")).collect();
    let r: Res<()> = m.run(&mut fs, |mnt| {
        (0..300).try_for_each(|i| user::lstat(&mnt.join(format!("f{i}"))).map(drop))
    });
    assert_eq!(r, Ok(()));
    // A round may come in the middle.
    let held = fs.held().len();
    assert!(held <= nodes.len());
    let end = Instant::now() + ktap::patience();
    while !fs.held().is_empty() {
        assert!(Instant::now() < end, "{} are left", fs.held().len());
        m.drain(&mut |r| fs.handle(r));
        std::thread::yield_now();
    }
    m.finish();
}

/// Mounts go while they have names in the queue, and rounds are run on others.
fn unmounted_in_between() {
    let p = period();
    p.set(SHORTEST).expect("set");
    let start = Instant::now();
    // Some rounds long.
    while start.elapsed() < Duration::from_secs(11) {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        m.without_record();
        fs.entry_valid = (0, 1000);
        for n in ["a", "b", "c"] {
            fs.file(n, b"");
        }
        look_up(&mut m, &mut fs, &["a", "b", "c"]);
        m.drain(&mut |r| fs.handle(r));
        m.umount();
    }
}

/// The daemon says that all names are to be looked up anew.
fn inc_epoch(m: &Mock) {
    const INC_EPOCH: i32 = 8;
    let n = message(0, INC_EPOCH, &[]);
    assert_eq!(m.write(&n), Ok(n.len()));
}

/// Names of an epoch that is over are dropped at once, however long they are good.
fn epoch_drops_names() {
    let p = period();
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    let nodes = [fs.file("a", b""), fs.file("b", b""), fs.dir("c")];
    look_up(&mut m, &mut fs, &["a", "b", "c"]);
    // Without the parameter they stay until they are asked for.
    inc_epoch(&m);
    look_up(&mut m, &mut fs, &["a"]);
    assert_eq!(fs.held(), nodes.map(|n| (n, 1)));
    // The longest period: no round comes.
    p.set("65535").expect("set");
    inc_epoch(&m);
    await_forgets(&mut m, &mut fs, &nodes);
    assert_eq!(fs.held(), []);
    look_up(&mut m, &mut fs, &["b"]);
    inc_epoch(&m);
    await_forgets(&mut m, &mut fs, &nodes[1..2]);
    assert_eq!(fs.held(), []);
    m.finish();
}

/// One that is in use goes with its last user, as it is not good any more.
fn epoch_leaves_names_in_use() {
    let p = period();
    p.set("65535").expect("set");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    let used = fs.file("used", b"");
    let free = fs.file("free", b"");
    let c = holder(&mut m, &mut fs, "used");
    look_up(&mut m, &mut fs, &["free"]);
    inc_epoch(&m);
    await_forgets(&mut m, &mut fs, &[free]);
    assert_eq!(fs.held(), [(used, 1)]);
    c.go();
    m.serve::<()>(c, &mut |r| fs.handle(r));
    m.finish();
}

/// The mount goes at once after the notification.
fn epoch_and_unmount() {
    let p = period();
    p.set("65535").expect("set");
    for _ in 0..50 {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        m.without_record();
        fs.file("a", b"");
        look_up(&mut m, &mut fs, &["a"]);
        inc_epoch(&m);
        m.umount();
    }
}
