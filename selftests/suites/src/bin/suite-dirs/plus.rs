// SPDX-License-Identifier: GPL-2.0

//! What a READDIRPLUS brings is as good as a LOOKUP: for as long, with the same attributes, and to
//! be forgotten as often.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::{attr_out, open_out, LONG, ZERO};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Entry, Mock, Setup};

use crate::kit::*;

pub fn cases() -> Vec<Case> {
    cases![
        names_need_no_lookup,
        attributes_are_taken,
        name_expires_at_once,
        attributes_expire_at_once,
        unsaid_is_looked_up,
        dots_are_nobodys,
        dots_with_nodes_are_not_counted,
        all_are_linked_though_few_fit,
        no_room_for_any,
        positions_and_sizes,
        forgets_balance,
        counted_each_time,
        several_names_of_one_node,
        one_name_twice,
        negative_name_turns_up,
        name_becomes_another_node,
        known_name_is_refreshed,
        newer_attributes_win,
        size_of_written_file_wins,
        evicted_meanwhile,
        epoch_meanwhile,
        lookup_of_name_meanwhile,
        unlink_waits,
        turn_among_lookups,
        error_is_the_callers,
        unknown_to_the_daemon,
        reads_go_through,
        over_idle_mount_options,
    ]
}

/// After `ls`, `stat` asks nobody.
fn names_need_no_lookup() {
    let mut m = mock(&plus());
    let mut fs = files(20);
    let sizes: Res<Vec<u64>> = m.run(&mut fs, |mnt| {
        let names = user::list(mnt)?;
        let size = |name: &String| user::lstat(&mnt.join(name)).map(|s| s.size);
        names.iter().map(size).collect()
    });
    assert_eq!(sizes, Ok(vec![4; 20]));
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (0, 0));
    m.finish();
}

fn attributes_are_taken() {
    let attr = Attr::file(5, 12345)
        .mode(libc::S_IFREG | 0o4751)
        .owner(12, 34);
    let reply = record(&Entry::new(attr), 1, "a");
    let (m, listed, stat) = once(&plus(), &reply, 4096, |mnt| {
        user::lstat(&mnt.join("a")).map(|s| (s.ino, s.size, s.mode))
    });
    assert_eq!(listed, Ok(vec![(5, 1, 8, "a".to_string())]));
    assert_eq!(stat, Ok((5, 12345, libc::S_IFREG | 0o4751)));
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (0, 0));
    m.finish();
}

fn name_expires_at_once() {
    let reply = record(&entry(5, ZERO, LONG), 1, "a");
    let (m, _, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["a"]));
    assert_eq!(found, [Err(ENOENT)]);
    // Whether it still is that node, and then what it is.
    assert_eq!(m.rec.count(Op::LOOKUP), 2);
    m.finish();
}

fn attributes_expire_at_once() {
    let reply = record(&entry(5, LONG, ZERO), 1, "a");
    let (m, _, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["a"]));
    assert_eq!(found, [Ok(77)]);
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (0, 1));
    m.finish();
}

/// Without a node an entry is no more than a name.
fn unsaid_is_looked_up() {
    let reply = [record(&unsaid(), 1, "a"), file(5, 2, "b")].concat();
    let (mut m, listed, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["a", "b"]));
    assert_eq!(names(&listed), ["a", "b"]);
    assert_eq!(found, [Err(ENOENT), Ok(1)]);
    assert_eq!(m.rec.count(Op::LOOKUP), 1);
    assert_eq!(forgotten(&mut m, 1), [(5, 1)]);
    m.finish();
}

fn dots_are_nobodys() {
    let reply = [
        record(&unsaid(), 1, "."),
        record(&unsaid(), 2, ".."),
        file(5, 3, "a"),
    ]
    .concat();
    let (mut m, listed, ()) = once(&plus(), &reply, 4096, |_| ());
    assert_eq!(names(&listed), [".", "..", "a"]);
    assert_eq!(forgotten(&mut m, 1), [(5, 1)]);
    m.finish();
}

/// A daemon may say what it likes of them.
fn dots_with_nodes_are_not_counted() {
    let reply = [
        record(&Entry::new(Attr::dir(1)), 1, "."),
        record(&Entry::new(Attr::dir(9)), 2, ".."),
        file(5, 3, "..."),
    ]
    .concat();
    let (mut m, listed, found) = once(&plus(), &reply, 4096, |mnt| sizes(mnt, &["..."]));
    assert_eq!(names(&listed), [".", "..", "..."]);
    assert_eq!(found, [Ok(1)]);
    assert_eq!(forgotten(&mut m, 1), [(5, 1)]);
    m.finish();
}

/// The daemon counts all that it sends.
fn all_are_linked_though_few_fit() {
    let reply: Vec<u8> = (0..10)
        .flat_map(|i| file(5 + i, 1 + i, &format!("f{i}")))
        .collect();
    let (mut m, listed, found) = once(&plus(), &reply, 60, |mnt| sizes(mnt, &["f0", "f9"]));
    assert_eq!(names(&listed), ["f0", "f1"]);
    assert_eq!(found, [Ok(1), Ok(1)]);
    assert_eq!(m.rec.count(Op::LOOKUP), 0);
    let all: Vec<(u64, u64)> = (0..10).map(|i| (5 + i, 1)).collect();
    assert_eq!(forgotten(&mut m, 10), all);
    m.finish();
}

/// The caller's buffer is too small for the first name, which is linked all the same.
fn no_room_for_any() {
    let reply = file(5, 1, "a-long-name-that-does-not-fit");
    let name = "a-long-name-that-does-not-fit";
    let (mut m, listed, found) = once(&plus(), &reply, 24, |mnt| sizes(mnt, &[name]));
    assert_eq!(listed, Err(EINVAL));
    assert_eq!(found, [Ok(1)]);
    assert_eq!(forgotten(&mut m, 1), [(5, 1)]);
    m.finish();
}

/// The wire of a whole reading.
fn positions_and_sizes() {
    let mut m = mock(&plus());
    let mut fs = files(15);
    let all: Res<Vec<String>> = m.run(&mut fs, |mnt| {
        let fd = user::open(mnt, FLAGS, 0)?;
        let first = list(&fd, 100)?;
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(7))?;
        let rest = list(&fd, 300)?;
        assert_eq!(rest, first[7..]);
        Ok(first)
    });
    assert_eq!(all.map(|all| all.len()), Ok(17));
    m.finish();
}

fn forgets_balance() {
    let mut m = mock(&plus());
    let mut fs = files(10);
    let d = fs.dir("d");
    for i in 0..10 {
        fs.add(d, &format!("g{i}"), libc::S_IFREG | 0o644, b"");
    }
    let all: Res<(usize, usize)> = m.run(&mut fs, |mnt| {
        user::list(mnt)?;
        let a = user::list(mnt)?.len();
        let b = list(&user::open(&mnt.join("d"), FLAGS, 0)?, 100)?.len();
        user::unlink(&mnt.join("f03"))?;
        user::rename(&mnt.join("d/g1"), &mnt.join("f04"))?;
        Ok((a, b))
    });
    assert_eq!(all, Ok((11, 12)));
    m.forget_all(&mut fs);
    assert_eq!(fs.held(), vec![]);
    m.finish();
}

/// What is known already is counted once more.
fn counted_each_time() {
    let mut m = mock(&plus());
    for _ in 0..3 {
        let (listed, found) = again(&mut m, &file(5, 1, "a"), 4096, |mnt| sizes(mnt, &["a"]));
        assert_eq!(
            (names(&listed), found),
            (vec!["a".to_string()], vec![Ok(1)])
        );
    }
    assert_eq!(forgotten(&mut m, 1), [(5, 3)]);
    assert_eq!(m.rec.count(Op::LOOKUP), 0);
    m.finish();
}

fn several_names_of_one_node() {
    let reply = [file(5, 1, "a"), file(5, 2, "b"), file(5, 3, "c")].concat();
    let (mut m, _, found) = once(&plus(), &reply, 4096, |mnt| {
        (sizes(mnt, &["a", "b", "c"]), {
            let ino = |name| user::lstat(&mnt.join(name)).map(|s| s.ino);
            ino("a") == ino("c")
        })
    });
    assert_eq!(found, (vec![Ok(1); 3], true));
    assert_eq!(forgotten(&mut m, 1), [(5, 3)]);
    m.finish();
}

/// The last record counts.
fn one_name_twice() {
    for second in [5, 6] {
        let reply = [file(5, 1, "a"), file(second, 2, "a")].concat();
        let (mut m, listed, ino) = once(&plus(), &reply, 4096, |mnt| {
            user::lstat(&mnt.join("a")).map(|s| s.ino)
        });
        assert_eq!(names(&listed), ["a", "a"]);
        assert_eq!(ino, Ok(second));
        assert_eq!(m.rec.count(Op::LOOKUP), 0);
        let want = if second == 5 {
            vec![(5, 2)]
        } else {
            vec![(5, 1), (6, 1)]
        };
        assert_eq!(forgotten(&mut m, want.len()), want);
        m.finish();
    }
}

/// A name that was remembered as missing.
fn negative_name_turns_up() {
    let mut m = mock(&plus());
    let mut fs = Memfs::new();
    let c = m.call("a", |p| user::lstat(p).map(drop));
    let r = m.expect_name(Op::LOOKUP, "a");
    m.reply(&r, &Entry::negative(LONG).bytes());
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    fs.file("a", b"x");
    let (_, found) = again(&mut m, &file(5, 1, "a"), 4096, |mnt| sizes(mnt, &["a"]));
    assert_eq!(found, [Ok(1)]);
    assert_eq!(m.rec.count(Op::LOOKUP), 1);
    m.finish();
}

/// The name of a known file is another one's now; who has the old one open keeps it.
fn name_becomes_another_node() {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &file(5, 1, "a"), 4096, |_| ());
    let reply = file(6, 1, "a");
    let c = m.caller(|mnt, _| {
        let old = user::open(&mnt.join("a"), libc::O_RDONLY, 0)?;
        let fd = user::open(mnt, FLAGS, 0)?;
        user::getdents(&fd, 4096)?;
        let new = user::lstat(&mnt.join("a"))?.ino;
        Ok::<_, Errno>((user::fstat(&old)?.ino, new))
    });
    let mut reply = Some(reply);
    let inos: Res<(u64, u64)> = m.serve(c, &mut |r| serve(r, &mut reply));
    assert_eq!(inos, Ok((5, 6)));
    assert_eq!(forgotten(&mut m, 2), [(5, 1), (6, 1)]);
    m.finish();
}

/// Times and attributes of a name that has expired are good again.
fn known_name_is_refreshed() {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &record(&entry(5, ZERO, ZERO), 1, "a"), 4096, |_| ());
    let reply = record(&Entry::new(Attr::file(5, 99)), 1, "a");
    let (_, found) = again(&mut m, &reply, 4096, |mnt| sizes(mnt, &["a"]));
    assert_eq!(found, [Ok(99)]);
    assert_eq!((m.rec.count(Op::LOOKUP), m.rec.count(Op::GETATTR)), (0, 0));
    m.finish();
}

/// A caller that reads the root once; OPENDIR is answered.
fn reader(m: &mut Mock) -> mockd::Caller {
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, FLAGS, 0)?;
        user::getdents(&fd, 4096)
    });
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &open_out(1, 0));
    c
}

/// Its READDIRPLUS is answered with `a`, of one byte, and the directory is closed.
fn answer(m: &mut Mock, ls: mockd::Caller, out: &mockd::Request) {
    m.reply(out, &file(5, 1, "a"));
    let r = m.expect(Op::RELEASEDIR);
    m.reply(&r, &[]);
    assert_eq!(ls.join::<Listed>().map(|l| l.len()), Ok(1));
}

/// `a` is known, and a READDIRPLUS is out when something is changed: it tells how things were
/// before.
fn answered_after(change: impl FnOnce(&mut Mock)) -> Mock {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &file(5, 1, "a"), 4096, |_| ());
    let ls = reader(&mut m);
    let out = m.expect(Op::READDIRPLUS);
    change(&mut m);
    answer(&mut m, ls, &out);
    m
}

/// The attributes of `a` are asked for: it has `size` bytes.
fn asked_for(m: &mut Mock, size: u64) {
    let stat = m.call("a", |p| user::lstat(p).map(|s| s.size));
    let r = m.expect(Op::GETATTR);
    m.reply(&r, &attr_out(LONG, &Attr::file(5, size)));
    assert_eq!(stat.join::<Res<u64>>(), Ok(size));
}

fn newer_attributes_win() {
    let mut m = answered_after(|m| {
        let chmod = m.call("a", |p| user::chmod(p, 0o600));
        let r = m.expect(Op::SETATTR);
        m.reply(
            &r,
            &attr_out(LONG, &Attr::file(5, 1).mode(libc::S_IFREG | 0o600)),
        );
        assert_eq!(chmod.join::<Res<()>>(), Ok(()));
    });
    let stat = m.call("a", |p| user::lstat(p).map(|s| s.mode & 0o777));
    assert_eq!(stat.join::<Res<u32>>(), Ok(0o600));
    m.finish();
}

/// The same with data that was written here.
fn size_of_written_file_wins() {
    let mut m = answered_after(|m| {
        let write = m.call("a", |p| {
            let fd = user::open(p, libc::O_WRONLY, 0)?;
            user::pwrite(&fd, &[1; 100], 0)
        });
        let r = m.expect(Op::OPEN);
        m.reply(&r, &open_out(2, 0));
        let r = m.expect(Op::WRITE);
        m.reply(&r, &mockd::reply::write_out(100));
        let r = m.expect(Op::FLUSH);
        m.reply(&r, &[]);
        assert_eq!(write.join::<Res<usize>>(), Ok(100));
        let r = m.expect(Op::RELEASE);
        m.reply(&r, &[]);
    });
    asked_for(&mut m, 100);
    m.finish();
}

/// An inode goes while a READDIRPLUS is out, and with it what would tell whether the answer is
/// stale: attributes are asked for.
fn evicted_meanwhile() {
    let mut m = answered_after(|m| assert_eq!(forgotten(m, 1), [(5, 1)]));
    asked_for(&mut m, 2);
    m.finish();
}

/// The connection's epoch passes while a READDIRPLUS is out: its names are of the one before. C
/// takes the epoch as it is when the answer comes, so that they outlive the notification.
fn epoch_meanwhile() {
    let mut m = mock(&plus());
    m.without_record();
    let ls = reader(&mut m);
    let out = m.expect(Op::READDIRPLUS);
    // FUSE_NOTIFY_INC_EPOCH.
    let notify = mockd::reply::message(0, 8, &[]);
    assert_eq!(m.write(&notify), Ok(notify.len()));
    answer(&mut m, ls, &out);
    let stat = m.call("a", |p| user::lstat(p).map(drop));
    let found: Res<()> = m.serve(stat, &mut |r| serve(r, &mut None));
    let (asked, want) = match ktap::implementation() {
        ktap::Impl::C => (0, Ok(())),
        ktap::Impl::Rust => (1, Err(ENOENT)),
    };
    assert_eq!((m.rec.count(Op::LOOKUP), found), (asked, want));
    m.finish();
}

/// Two ask for one name: the second one waits for what the first one is told.
fn lookup_of_name_meanwhile() {
    let mut m = mock(&plus());
    let look = m.call("a", |p| user::lstat(p).map(|s| s.size));
    let lookup = m.expect_name(Op::LOOKUP, "a");
    let ls = reader(&mut m);
    let out = m.expect(Op::READDIRPLUS);
    m.reply(&out, &[file(5, 1, "a"), file(6, 2, "b")].concat());
    ls.wait_asleep();
    m.reply(&lookup, &Entry::new(Attr::file(5, 8)).bytes());
    assert_eq!(look.join::<Res<u64>>(), Ok(8));
    let r = m.expect(Op::RELEASEDIR);
    m.reply(&r, &[]);
    assert_eq!(ls.join::<Listed>().map(|l| l.len()), Ok(2));
    assert_eq!(forgotten(&mut m, 2), [(5, 2), (6, 1)]);
    m.finish();
}

/// The directory is locked while it is read, and while names are linked.
fn unlink_waits() {
    let mut m = mock(&plus());
    let (_, ()) = again(&mut m, &file(5, 1, "a"), 4096, |_| ());
    let ls = reader(&mut m);
    let out = m.expect(Op::READDIRPLUS);
    let unlink = m.call("a", user::unlink);
    unlink.wait_asleep();
    m.expect_none();
    m.reply(&out, &file(5, 1, "a"));
    let r = m.find("UNLINK", |r| r.op == Op::UNLINK);
    m.reply(&r, &[]);
    let r = m.find("RELEASEDIR", |r| r.op == Op::RELEASEDIR);
    m.reply(&r, &[]);
    assert_eq!(unlink.join::<Res<()>>(), Ok(()));
    assert_eq!(ls.join::<Listed>().map(|l| l.len()), Ok(1));
    m.finish();
}

/// Without PARALLEL_DIROPS one request of a directory is out at a time.
fn turn_among_lookups() {
    let mut m = mock(&plus().without("PARALLEL_DIROPS"));
    let ls = reader(&mut m);
    let out = m.expect(Op::READDIRPLUS);
    let look = m.call("x", |p| user::lstat(p).map(drop));
    look.wait_asleep();
    m.expect_none();
    m.reply(&out, &file(5, 1, "a"));
    let r = m.find("LOOKUP", |r| r.op == Op::LOOKUP);
    m.fail(&r, ENOENT);
    let r = m.find("RELEASEDIR", |r| r.op == Op::RELEASEDIR);
    m.reply(&r, &[]);
    assert_eq!(look.join::<Res<()>>(), Err(ENOENT));
    assert_eq!(ls.join::<Listed>().map(|l| l.len()), Ok(1));
    m.finish();
}

/// And it may go on from where it was.
fn error_is_the_callers() {
    let mut m = mock(&plus());
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, FLAGS, 0).expect("open");
        (0..3)
            .map(|_| user::getdents(&fd, 4096))
            .collect::<Vec<Listed>>()
    });
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &open_out(1, 0));
    let r = m.expect(Op::READDIRPLUS);
    m.reply(&r, &file(5, 3, "a"));
    let r = m.expect(Op::READDIRPLUS);
    m.fail(&r, EREMOTEIO);
    let r = m.expect(Op::READDIRPLUS);
    assert_eq!(r.get("offset"), 3);
    m.reply(&r, &[]);
    let r = m.expect(Op::RELEASEDIR);
    m.reply(&r, &[]);
    let got = c.join::<Vec<Listed>>();
    assert_eq!(got[1..], [Err(EREMOTEIO), Ok(vec![])]);
    m.finish();
}

/// ENOSYS is an error like others: it is not READDIR that is asked then.
fn unknown_to_the_daemon() {
    let mut m = mock(&plus());
    let mut fs = files(3);
    fs.on(Op::READDIRPLUS, mockd::mock::Answer::Err(ENOSYS));
    let got: (Res<usize>, Res<usize>) = m.run(&mut fs, |mnt| {
        let fd = user::open(mnt, FLAGS, 0).expect("open");
        let once = || user::getdents(&fd, 4096).map(|v| v.len());
        (once(), once())
    });
    assert_eq!(got, (Err(ENOSYS), Err(ENOSYS)));
    assert_eq!(
        (m.rec.count(Op::READDIR), m.rec.count(Op::READDIRPLUS)),
        (0, 2)
    );
    m.finish();
}

/// Files that nobody has looked up can be opened, read, and removed.
fn reads_go_through() {
    let mut m = mock(&plus());
    let mut fs = Memfs::new();
    let [_, removed, _] = ["f00", "f01", "f02"].map(|name| fs.file(name, b"data"));
    let got: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        user::list(mnt)?;
        let fd = user::open(&mnt.join("f01"), libc::O_RDONLY, 0)?;
        let data = user::pread(&fd, 10, 0)?;
        user::unlink(&mnt.join("f01"))?;
        user::rename(&mnt.join("f00"), &mnt.join("f02"))?;
        assert_eq!(user::list(mnt)?, ["f02"]);
        Ok(data)
    });
    assert_eq!(got, Ok(b"data".to_vec()));
    m.await_forgotten(&mut fs, removed);
    assert_eq!(fs.held().len(), 1);
    m.finish();
}

/// Whose files they are decides with `default_permissions`, from what READDIRPLUS has told.
fn over_idle_mount_options() {
    let setup = Setup::default().opt("default_permissions", "");
    let mut m = Mock::with(&setup, &plus());
    let secret = Attr::file(5, 1).mode(libc::S_IFREG);
    let reply = record(&Entry::new(secret), 1, "a");
    let (_, opened) = again(&mut m, &reply, 4096, |mnt| {
        user::access(&mnt.join("a"), libc::X_OK)
    });
    assert_eq!(opened, Err(EACCES));
    m.finish();
}
