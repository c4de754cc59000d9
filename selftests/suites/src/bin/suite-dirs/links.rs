// SPDX-License-Identifier: GPL-2.0

//! The text of symbolic links in the page cache, FUSE_CACHE_SYMLINKS.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{message, LONG, ZERO};
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Entry, Init, Mock};

use crate::kit::*;

pub fn cases() -> Vec<Case> {
    cases![
        asked_once,
        without_the_flag_each_time,
        followed_from_the_cache,
        followed_in_the_middle,
        several_links,
        expired_attributes_do_not_matter,
        expired_name_does_not_matter,
        longest_text,
        text_longer_than_its_size,
        size_changes_meanwhile,
        text_too_long,
        empty_text,
        text_with_nul,
        error_is_not_kept,
        readers_wait_for_one,
        dropped_with_the_pages,
        dropped_with_the_inode,
        replaced_link_is_read,
        reused_node_is_read,
        bad_inode,
        made_here,
        loops_and_dangling,
        read_only_mount,
    ]
}

fn init() -> Init {
    Init::plain().with("CACHE_SYMLINKS")
}

/// A link "l" to "f", which is there.
fn tree() -> Memfs {
    let mut fs = Memfs::new();
    fs.file("f", b"data");
    link(&mut fs, "l", "f");
    fs
}

fn link(fs: &mut Memfs, name: &str, text: &str) -> u64 {
    fs.add(
        mockd::wire::ROOT,
        name,
        libc::S_IFLNK | 0o777,
        text.as_bytes(),
    )
}

fn asked_once() {
    let (mut m, mut fs) = (mock(&init()), tree());
    let texts: Vec<Res<String>> = m.run(&mut fs, |mnt| {
        (0..5).map(|_| user::readlink(&mnt.join("l"))).collect()
    });
    assert_eq!(texts, vec![Ok("f".to_string()); 5]);
    assert_eq!(m.rec.count(Op::READLINK), 1);
    m.finish();
}

fn without_the_flag_each_time() {
    let (mut m, mut fs) = (mock(&Init::plain()), tree());
    let texts: Vec<Res<String>> = m.run(&mut fs, |mnt| {
        (0..5).map(|_| user::readlink(&mnt.join("l"))).collect()
    });
    assert_eq!(texts, vec![Ok("f".to_string()); 5]);
    assert_eq!(m.rec.count(Op::READLINK), 5);
    m.finish();
}

/// Path walk finds it without leaving RCU mode.
fn followed_from_the_cache() {
    let (mut m, mut fs) = (mock(&init()), tree());
    let sizes: Vec<Res<u64>> = m.run(&mut fs, |mnt| {
        (0..5)
            .map(|_| user::stat(&mnt.join("l")).map(|s| s.size))
            .collect()
    });
    assert_eq!(sizes, vec![Ok(4); 5]);
    assert_eq!((m.rec.count(Op::READLINK), m.rec.count(Op::LOOKUP)), (1, 2));
    m.finish();
}

fn followed_in_the_middle() {
    let mut m = mock(&init());
    let mut fs = Memfs::new();
    let d = fs.dir("d");
    fs.add(d, "f", libc::S_IFREG | 0o644, b"123");
    fs.add(d, "up", libc::S_IFLNK | 0o777, b"../l2");
    link(&mut fs, "l1", "d");
    link(&mut fs, "l2", "l1/f");
    let sizes: Vec<Res<u64>> = m.run(&mut fs, |mnt| {
        (0..4)
            .flat_map(|_| ["l1/f", "l2", "d/up", "l1/up"])
            .map(|p| user::stat(&mnt.join(p)).map(|s| s.size))
            .collect()
    });
    assert_eq!(sizes, vec![Ok(3); 16]);
    assert_eq!(m.rec.count(Op::READLINK), 3);
    m.finish();
}

fn several_links() {
    let mut m = mock(&init());
    let mut fs = Memfs::new();
    for i in 0..20 {
        link(&mut fs, &format!("l{i}"), &format!("text-{i}"));
    }
    let right: bool = m.run(&mut fs, |mnt| {
        (0..3)
            .flat_map(|_| 0..20)
            .all(|i| user::readlink(&mnt.join(format!("l{i}"))) == Ok(format!("text-{i}")))
    });
    assert!(right);
    assert_eq!(m.rec.count(Op::READLINK), 20);
    m.finish();
}

fn expired_attributes_do_not_matter() {
    let (mut m, mut fs) = (mock(&init()), tree());
    fs.attr_valid = ZERO;
    let texts: Vec<Res<String>> = m.run(&mut fs, |mnt| {
        (0..3)
            .map(|_| {
                user::lstat(&mnt.join("l"))?;
                user::readlink(&mnt.join("l"))
            })
            .collect()
    });
    assert_eq!(texts, vec![Ok("f".to_string()); 3]);
    assert_eq!(m.rec.count(Op::READLINK), 1);
    m.finish();
}

fn expired_name_does_not_matter() {
    let (mut m, mut fs) = (mock(&init()), tree());
    fs.entry_valid = ZERO;
    let texts: Vec<Res<String>> = m.run(&mut fs, |mnt| {
        (0..3).map(|_| user::readlink(&mnt.join("l"))).collect()
    });
    assert_eq!(texts, vec![Ok("f".to_string()); 3]);
    assert_eq!((m.rec.count(Op::READLINK), m.rec.count(Op::LOOKUP)), (1, 3));
    m.finish();
}

/// A page less one byte.
fn longest_text() {
    for n in [1, 7, 8, 9, 255, 4000, 4094, 4095] {
        let mut m = mock(&init());
        let mut fs = Memfs::new();
        let text = "x".repeat(n);
        link(&mut fs, "l", &text);
        let texts: Vec<Res<String>> = m.run(&mut fs, |mnt| {
            (0..2).map(|_| user::readlink(&mnt.join("l"))).collect()
        });
        assert_eq!(texts, vec![Ok(text); 2]);
        assert_eq!(m.rec.count(Op::READLINK), 1);
        m.finish();
    }
}

/// One link, by hand: the daemon's answers to READLINK, one after the other.
fn by_hand(init: &Init, answers: &[&[u8]]) -> (Mock, Vec<Res<String>>) {
    let mut m = mock(init);
    let n = answers.len();
    let c = m.caller(move |mnt, _| {
        (0..n)
            .map(|_| user::readlink(&mnt.join("l")))
            .collect::<Vec<_>>()
    });
    let mut next = answers.iter();
    let texts = m.serve(c, &mut |r| match r.op {
        Op::LOOKUP => Answer::Ok(Entry::new(Attr::symlink(5, 3)).bytes()),
        Op::READLINK => Answer::Ok(next.next().expect("asked too often").to_vec()),
        _ => serve(r, &mut None),
    });
    (m, texts)
}

/// The text is what READLINK gave, whatever size the link is said to have.
fn text_longer_than_its_size() {
    for (flags, asked) in [(init(), 1), (Init::plain(), 2)] {
        let (m, texts) = by_hand(&flags, &[&b"longer"[..]; 2]);
        assert_eq!(texts, vec![Ok("longer".to_string()); 2]);
        assert_eq!(m.rec.count(Op::READLINK), asked);
        m.finish();
    }
}

/// The same where the size has changed since: what is cached is not cut off.
fn size_changes_meanwhile() {
    let mut m = mock(&init());
    let c = m.caller(|mnt, _| {
        let l = mnt.join("l");
        let texts = [(); 3].map(|()| user::readlink(&l));
        (texts.to_vec(), user::lstat(&l).map(|s| s.size))
    });
    let mut sizes = [6, 2, 0, 3].into_iter();
    let got: (Vec<Res<String>>, Res<u64>) = m.serve(c, &mut |r| match r.op {
        Op::LOOKUP => {
            let attr = Attr::symlink(5, sizes.next().expect("asked too often"));
            Answer::Ok(Entry::new(attr).entry_valid(ZERO).bytes())
        }
        Op::READLINK => Answer::Ok(b"longer".to_vec()),
        _ => serve(r, &mut None),
    });
    assert_eq!(got, (vec![Ok("longer".to_string()); 3], Ok(3)));
    assert_eq!(m.rec.count(Op::READLINK), 1);
    m.finish();
}

fn text_too_long() {
    let mut m = mock(&init());
    let c = m.call("l", user::readlink);
    let r = m.expect_name(Op::LOOKUP, "l");
    m.reply(&r, &Entry::new(Attr::symlink(5, 3)).bytes());
    let r = m.expect(Op::READLINK);
    assert_eq!(m.write(&message(r.unique, 0, &[b'x'; 4096])), Err(EINVAL));
    assert_eq!(c.join::<Res<String>>(), Err(EIO));
    let c = m.call("l", user::readlink);
    let r = m.expect(Op::READLINK);
    m.reply(&r, b"ok");
    assert_eq!(c.join::<Res<String>>(), Ok("ok".into()));
    m.finish();
}

fn empty_text() {
    for (flags, cached) in [(init(), true), (Init::plain(), false)] {
        let (m, texts) = by_hand(&flags, &[b"", b""]);
        m.rec.note(format!("{texts:?}"));
        assert_eq!(m.rec.count(Op::READLINK), if cached { 1 } else { 2 });
        m.finish();
    }
}

/// The text ends there.
fn text_with_nul() {
    for flags in [init(), Init::plain()] {
        let (m, texts) = by_hand(&flags, &[b"ab\0cd", b"ab\0cd"]);
        assert_eq!(texts, vec![Ok("ab".to_string()); 2]);
        m.finish();
    }
}

fn error_is_not_kept() {
    let (mut m, mut fs) = (mock(&init()), tree());
    fs.on(Op::READLINK, Answer::Err(EREMOTEIO));
    let bad: Vec<Res<String>> = m.run(&mut fs, |mnt| {
        (0..2).map(|_| user::readlink(&mnt.join("l"))).collect()
    });
    assert_eq!(bad, vec![Err(EREMOTEIO); 2]);
    fs.fixed.clear();
    let good: Res<String> = m.run(&mut fs, |mnt| user::readlink(&mnt.join("l")));
    assert_eq!(good, Ok("f".into()));
    assert_eq!(m.rec.count(Op::READLINK), 3);
    m.finish();
}

/// Of several who want it one asks.
fn readers_wait_for_one() {
    let mut m = mock(&init());
    let first = m.call("l", user::readlink);
    let r = m.expect_name(Op::LOOKUP, "l");
    m.reply(&r, &Entry::new(Attr::symlink(5, 3)).bytes());
    let r = m.expect(Op::READLINK);
    let others: Vec<_> = (0..3).map(|_| m.call("l", user::readlink)).collect();
    others.iter().for_each(|c| c.wait_asleep());
    m.expect_none();
    m.reply(&r, b"text");
    for c in [first].into_iter().chain(others) {
        assert_eq!(c.join::<Res<String>>(), Ok("text".into()));
    }
    assert_eq!(m.rec.count(Op::READLINK), 1);
    m.finish();
}

fn dropped_with_the_pages() {
    let (mut m, mut fs) = (mock(&init()), tree());
    for round in 1..3 {
        let text: Res<String> = m.run(&mut fs, |mnt| {
            user::readlink(&mnt.join("l"))?;
            user::readlink(&mnt.join("l"))
        });
        assert_eq!(text, Ok("f".into()));
        assert_eq!(m.rec.count(Op::READLINK), round);
        user::drop_pages();
    }
    m.finish();
}

fn dropped_with_the_inode() {
    let (mut m, mut fs) = (mock(&init()), tree());
    for round in 1..3 {
        let text: Res<String> = m.run(&mut fs, |mnt| user::readlink(&mnt.join("l")));
        assert_eq!(text, Ok("f".into()));
        assert_eq!(m.rec.count(Op::READLINK), round);
        let start = std::time::Instant::now();
        while !fs.held().is_empty() && start.elapsed() < ktap::patience() {
            user::drop_caches();
            m.drain(&mut |r| fs.handle(r));
        }
    }
    m.finish();
}

/// Another link under the same name is another node.
fn replaced_link_is_read() {
    let (mut m, mut fs) = (mock(&init()), tree());
    let texts: Res<(String, String)> = m.run(&mut fs, |mnt| {
        let l = mnt.join("l");
        let old = user::readlink(&l)?;
        user::unlink(&l)?;
        user::symlink("other", &l)?;
        user::readlink(&l)?;
        Ok((old, user::readlink(&l)?))
    });
    assert_eq!(texts, Ok(("f".into(), "other".into())));
    assert_eq!(m.rec.count(Op::READLINK), 2);
    m.finish();
}

/// The daemon gives its number to another link, which the generation says.
fn reused_node_is_read() {
    let mut m = mock(&init());
    let read = |m: &mut Mock, generation: u64, text: &'static [u8]| {
        let c = m.call("l", user::readlink);
        let mut entry = Entry::new(Attr::symlink(5, 3)).entry_valid(ZERO);
        entry.generation = generation;
        let text: Res<String> = m.serve(c, &mut |r| match r.op {
            Op::LOOKUP => Answer::Ok(entry.bytes()),
            Op::READLINK => Answer::Ok(text.to_vec()),
            _ => serve(r, &mut None),
        });
        text.expect("readlink")
    };
    assert_eq!(read(&mut m, 0, b"old"), "old");
    assert_eq!(read(&mut m, 0, b"unasked"), "old");
    assert_eq!(read(&mut m, 1, b"new"), "new");
    assert_eq!(m.rec.count(Op::READLINK), 2);
    m.finish();
}

/// Nothing of an inode that fails is read, cached or not.
fn bad_inode() {
    let mut m = mock(&init());
    let c = m.call("l", user::readlink);
    let r = m.expect_name(Op::LOOKUP, "l");
    m.reply(
        &r,
        &Entry::new(Attr::symlink(5, 3)).attr_valid(ZERO).bytes(),
    );
    let r = m.expect(Op::READLINK);
    m.reply(&r, b"text");
    assert_eq!(c.join::<Res<String>>(), Ok("text".into()));
    let c = m.caller(|mnt, _| {
        // By a descriptor, which stays when the name does not.
        let fd = user::open(&mnt.join("l"), libc::O_PATH | libc::O_NOFOLLOW, 0)?;
        let bad = user::fstat(&fd).map(drop);
        let link = rustix::fs::readlinkat(&fd, "", vec![]).map(drop);
        Ok::<_, Errno>((bad, link.map_err(Errno::from)))
    });
    let r = m.expect(Op::GETATTR);
    m.reply(&r, &mockd::reply::attr_out(LONG, &Attr::file(5, 1)));
    let got: Res<(Res<()>, Res<()>)> = c.join();
    assert_eq!(got, Ok((Err(EIO), Err(EIO))));
    m.finish();
}

/// What was made here is asked for, too.
fn made_here() {
    let (mut m, mut fs) = (mock(&init()), Memfs::new());
    let texts: Vec<Res<String>> = m.run(&mut fs, |mnt| {
        user::symlink("made", &mnt.join("l")).expect("symlink");
        (0..3).map(|_| user::readlink(&mnt.join("l"))).collect()
    });
    assert_eq!(texts, vec![Ok("made".to_string()); 3]);
    assert_eq!(m.rec.count(Op::READLINK), 1);
    m.finish();
}

fn loops_and_dangling() {
    let (mut m, mut fs) = (mock(&init()), Memfs::new());
    link(&mut fs, "a", "b");
    link(&mut fs, "b", "a");
    link(&mut fs, "c", "none");
    let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        ["a", "b", "c", "a", "c"]
            .map(|p| user::stat(&mnt.join(p)).map(drop))
            .to_vec()
    });
    let (l, n) = (Err(ELOOP), Err(ENOENT));
    assert_eq!(got, [l, l, n, l, n]);
    assert_eq!(m.rec.count(Op::READLINK), 3);
    m.finish();
}

/// Reading changes no time there.
fn read_only_mount() {
    for flags in [0, libc::MS_RDONLY] {
        let mut setup = mockd::Setup::default();
        setup.flags |= flags;
        let mut m = Mock::with(&setup, &init());
        let mut fs = tree();
        let got: Res<u64> = m.run(&mut fs, |mnt| {
            user::readlink(&mnt.join("l"))?;
            user::readlink(&mnt.join("l"))?;
            user::lstat(&mnt.join("l")).map(|s| s.size)
        });
        assert_eq!(got, Ok(1));
        m.finish();
    }
}
