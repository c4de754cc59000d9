// SPDX-License-Identifier: GPL-2.0

//! LOOKUP of a name that the kernel knows already, whose time is over: the same node, another one,
//! none.

use std::time::Duration;

use ktap::{cases, Case, Impl};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::{is_mounted, mount, umount};
use mockd::reply::{LONG, ZERO};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Entry, Mock};
use suites::setting::Setting;

pub fn cases() -> Vec<Case> {
    cases![
        revalidated_same,
        revalidated_other_node,
        revalidated_other_type,
        revalidated_other_generation,
        revalidated_gone,
        revalidated_error_kept,
        revalidated_bad_attributes,
        revalidate_updates_attributes,
        error_detaches_mounts,
        error_keeps_mounts,
        overlay_of_changing_nodes,
    ]
}

/// Two stats of "f" with entries valid for no time: the second lookup gets `second`.
fn revalidate(second: Result<Entry, Errno>) -> (Mock, Res<user::Stat>) {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        user::lstat(&mnt.join("f"))?;
        user::lstat(&mnt.join("f"))
    });
    let first = Entry::new(Attr::file(2, 5)).entry_valid(ZERO);
    let r = m.expect_name(Op::LOOKUP, "f");
    m.reply(&r, &first.bytes());
    let r = m.expect_name(Op::LOOKUP, "f");
    match second {
        Ok(e) => m.reply(&r, &e.bytes()),
        Err(e) => m.fail(&r, e),
    }
    let mut c = [c];
    // When the entry turned out stale, the VFS asks once more.
    m.serve_all(&mut c, &mut |r| match (r.op, second) {
        (Op::LOOKUP, Ok(e)) => Answer::Ok(e.bytes()),
        (Op::LOOKUP, Err(e)) => Answer::Err(e),
        _ => Answer::None,
    });
    let [c] = c;
    let st = c.join();
    (m, st)
}

fn revalidated_same() {
    let (m, st) = revalidate(Ok(Entry::new(Attr::file(2, 5))));
    assert_eq!(st.map(|s| (s.ino, s.size)), Ok((2, 5)));
    assert_eq!(m.rec.count(Op::LOOKUP), 2);
    m.finish();
}

/// The old dentry is dropped, and the name looked up anew.
fn revalidated_other_node() {
    let (m, st) = revalidate(Ok(Entry::new(Attr::file(3, 7))));
    assert_eq!(st.map(|s| (s.ino, s.size)), Ok((3, 7)));
    assert_eq!(m.rec.count(Op::LOOKUP), 3);
    println!("{:?}", m.rec.forgets());
    m.finish();
}

/// A node cannot change its type, so the old inode is bad, and a new one takes its number.
fn revalidated_other_type() {
    let (m, st) = revalidate(Ok(Entry::new(Attr::dir(2))));
    assert_eq!(
        st.map(|s| (s.ino, s.mode & libc::S_IFMT)),
        Ok((2, libc::S_IFDIR))
    );
    m.finish();
}

/// The same number with another generation is another file.
fn revalidated_other_generation() {
    let (m, st) = revalidate(Ok(Entry {
        generation: 8,
        ..Entry::new(Attr::file(2, 9))
    }));
    assert_eq!(st.map(|s| (s.ino, s.size)), Ok((2, 9)));
    m.finish();
}

/// By an error, and by an entry with node 0.
fn revalidated_gone() {
    let (m, st) = revalidate(Err(ENOENT));
    assert_eq!(st, Err(ENOENT));
    m.finish();
    let (m, st) = revalidate(Ok(Entry::negative(LONG)));
    assert_eq!(st, Err(ENOENT));
    m.finish();
}

/// An error that says nothing of the name is the caller's error.
fn revalidated_error_kept() {
    let (m, st) = revalidate(Err(EIO));
    assert_eq!(st, Err(EIO));
    m.finish();
}

/// The reference counts even if the attributes are of no use, unless a filesystem is to be mounted
/// there, and was not before: then the FORGET comes at once, while the file is in use.
fn revalidated_bad_attributes() {
    const SUBMOUNT: u32 = 1 << 0;
    let mut nodes = Vec::new();
    for flags in [0, SUBMOUNT] {
        let mut m = Mock::new();
        let mut c = m.caller(|mnt, io| {
            let p = &mnt.join("f");
            let fd = user::open(p, libc::O_PATH, 0)?;
            io.put(());
            io.wait();
            io.put(user::lstat(p).map(|s| s.size));
            io.wait();
            drop(fd);
            Res::Ok(())
        });
        let good = Entry::new(Attr::file(2, 5)).entry_valid(ZERO);
        let r = m.expect_name(Op::LOOKUP, "f");
        m.reply(&r, &good.bytes());
        c.get::<()>();
        c.go();
        let r = m.expect_name(Op::LOOKUP, "f");
        let bad = Entry::new(Attr {
            mode: 0,
            flags,
            ..Attr::file(2, 5)
        });
        m.reply(&r, &bad.bytes());
        let mut handler = |r: &mockd::Request| match r.op {
            Op::LOOKUP => Answer::Ok(good.bytes()),
            _ => Answer::None,
        };
        suites::daemon::until("the second stat", || {
            m.drain(&mut handler);
            readable(c.fd(), Duration::from_millis(1)).then_some(())
        });
        assert_eq!(c.get::<Res<u64>>(), Ok(5));
        m.drain(&mut handler);
        nodes.push(m.rec.forgets());
        c.go();
        assert_eq!(m.serve::<Res<()>>(c, &mut handler), Ok(()));
        m.finish();
    }
    assert_eq!(nodes, [[].into(), [(2, 1)].into()]);
}

/// The LOOKUP of a name that is known brings new attributes, all of them.
fn revalidate_updates_attributes() {
    let attr = Attr {
        mtime: 77,
        nlink: 3,
        ..Attr::file(2, 1234).perm(0o600).owner(1, 2)
    };
    let (m, st) = revalidate(Ok(Entry::new(attr)));
    let s = st.expect("stat");
    assert_eq!(
        (s.size, s.mode & 0o777, s.uid, s.gid, s.nlink, s.mtime.0),
        (1234, 0o600, 1, 2, 3, 77)
    );
    m.finish();
}

/// What becomes of a directory, on which something is mounted, when one LOOKUP of it is answered
/// so, and the next ones right: what he gets who asks, whether it stays mounted, and whether a
/// process in there knows where it is.
fn answered_once(answer: Answer, recorded: bool) -> (Res<()>, bool, bool) {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    if !recorded {
        m.without_record();
    }
    fs.entry_valid = ZERO;
    // Node 99 is the test's own.
    fs.check_forgets = false;
    fs.dir("d");
    let mut c = m.caller(|mnt, io| {
        let d = mnt.join("d");
        mount("x", &d, "tmpfs", 0, "").expect("tmpfs");
        std::env::set_current_dir(&d).expect("chdir");
        io.put(());
        io.wait();
        let asked = user::lstat(&d).map(drop);
        let (mounted, here) = (is_mounted(&d), std::env::current_dir().is_ok());
        std::env::set_current_dir("/").expect("chdir");
        if mounted {
            umount(&d, 0).expect("umount");
        }
        (asked, mounted, here)
    });
    suites::daemon::until("the caller to be there", || {
        m.drain(&mut |r| fs.handle(r));
        readable(c.fd(), Duration::from_millis(1)).then_some(())
    });
    c.get::<()>();
    c.go();
    let mut once = Some(answer);
    let got = m.serve(c, &mut |r| match r.op {
        Op::LOOKUP => once.take().unwrap_or_else(|| fs.handle(r)),
        _ => fs.handle(r),
    });
    m.finish();
    got
}

/// What says nothing of the name.
const OTHER_ERRORS: [Errno; 3] = [EIO, EACCES, ENOTCONN];

/// Any error but two drops the name, and detaches what is mounted there; as does an answer that
/// says that it is another one's.
fn error_detaches_mounts() {
    for e in [EINTR, ENOMEM] {
        let got = answered_once(Answer::Err(e), true);
        assert_eq!(got, (Err(e), true, true));
    }
    let gone = [
        Answer::Err(ENOENT),
        Answer::Err(ESTALE),
        Answer::Ok(Entry::negative(LONG).bytes()),
        Answer::Ok(Entry::new(Attr::dir(99)).bytes()),
    ];
    for answer in gone.into_iter().chain(OTHER_ERRORS.map(Answer::Err)) {
        let got = answered_once(answer, true);
        assert_eq!(got, (Ok(()), false, false));
    }
}

/// With our parameter `keep_on_error`, which C has not, only an answer about the name drops it.
fn error_keeps_mounts() {
    let ours = ktap::implementation() == Impl::Rust;
    let s = ours.then(|| Setting::parameter("keep_on_error"));
    if let Some(s) = &s {
        assert_eq!(s.get(), "N\n");
        s.set("Y").expect("set");
    }
    for e in [EINTR, ENOMEM].into_iter().chain(OTHER_ERRORS) {
        let got = answered_once(Answer::Err(e), false);
        if ours || e == EINTR || e == ENOMEM {
            assert_eq!(got, (Err(e), true, true));
        } else {
            assert_eq!(got, (Ok(()), false, false));
        }
    }
    for answer in [
        Answer::Err(ENOENT),
        Answer::Err(ESTALE),
        Answer::Ok(Entry::negative(LONG).bytes()),
        Answer::Ok(Entry::new(Attr::dir(99)).bytes()),
    ] {
        let got = answered_once(answer, false);
        assert_eq!(got, (Ok(()), false, false));
    }
}

/// overlayfs over a daemon that gives a name another node each time: once the name has timed out it
/// is stale for good.
fn overlay_of_changing_nodes() {
    ktap::needs("CONFIG_OVERLAY_FS");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.check_forgets = false;
    let base = ktap::dir();
    let (rw, over) = (base.join("rw"), base.join("over"));
    for p in [&rw, &over] {
        user::mkdir(p, 0o755).expect("mkdir");
    }
    mount("x", &rw, "tmpfs", 0, "").expect("tmpfs");
    for name in ["up", "work"] {
        user::mkdir(&rw.join(name), 0o755).expect("mkdir");
    }
    let (at, from) = (over.clone(), rw.clone());
    let c = m.caller(move |mnt, _| {
        let (up, work) = (from.join("up"), from.join("work"));
        let (low, up, work) = (mnt.display(), up.display(), work.display());
        let data = format!("lowerdir={low},upperdir={up},workdir={work}");
        mount("x", &at, "overlay", 0, &data).expect("overlay");
        let p = at.join("f");
        let all: Vec<Res<u64>> = (0..3).map(|_| user::lstat(&p).map(|s| s.size)).collect();
        umount(&at, 0).expect("umount");
        all
    });
    let mut node = 10;
    let all: Vec<Res<u64>> = m.serve(c, &mut |r| match r.op {
        Op::LOOKUP if r.name() == "f" => {
            node += 1;
            Answer::Ok(Entry::new(Attr::file(node, 5)).entry_valid(ZERO).bytes())
        }
        _ => fs.handle(r),
    });
    assert_eq!(all, [Ok(5), Err(ESTALE), Err(ESTALE)]);
    umount(&rw, 0).expect("tmpfs");
    m.finish();
}
