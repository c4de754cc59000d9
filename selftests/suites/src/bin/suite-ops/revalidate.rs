// SPDX-License-Identifier: GPL-2.0

//! LOOKUP of a name that the kernel knows already, whose time is over: the same node, another one,
//! none.

use std::time::Duration;

use ktap::{cases, Case};
use mockd::caller::readable;
use mockd::errno::*;
use mockd::mock::Answer;
use mockd::reply::{LONG, ZERO};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Entry, Mock};

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
