// SPDX-License-Identifier: GPL-2.0

//! READDIR: buffers, positions, what of an answer counts.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{dirent, open_out};
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;

use crate::through::{each, write};

pub fn cases() -> Vec<Case> {
    cases![
        readdir_small_buffer,
        readdir_big,
        readdir_seek_and_rewind,
        readdir_while_changing,
        readdir_types,
        read_sizes,
        positions_of_daemon,
        seek_to_position,
        empty_reply_is_end,
        truncated_tail_is_left,
        long_names_listed,
        inode_zero_and_types,
        error_in_the_middle,
        signals_lose_nothing,
        two_readers,
        parallel_lookup_and_readdir,
    ]
}

/// No name is lost or seen twice where one buffer ends, and no entry that does not fit is half
/// given.
fn readdir_small_buffer() {
    each(|d| {
        for i in 0..30 {
            write(&d.behind(&format!("file-with-a-name-{i:02}")), b"");
        }
        for size in [64, 100, 200, 1000] {
            let fd = user::open(&d.mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
            let mut names = Vec::new();
            loop {
                let some = user::getdents(&fd, size).expect("getdents");
                if some.is_empty() {
                    break;
                }
                names.extend(some.into_iter().map(|e| e.3));
            }
            names.sort();
            assert_eq!(names.len(), 32, "buffer of {size}");
            names.dedup();
            assert_eq!(names.len(), 32, "buffer of {size}");
            // Too small for any record.
            user::close(fd).expect("close");
            let fd = user::open(&d.mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
            assert_eq!(user::getdents(&fd, 16).err(), Some(EINVAL));
        }
    });
}

/// A directory of many READDIRs.
fn readdir_big() {
    each(|d| {
        user::mkdir(&d.behind("big"), 0o755).expect("mkdir");
        for i in 0..400 {
            std::fs::File::create(d.behind(&format!("big/{i:05}"))).expect("create");
        }
        assert_eq!(user::list(&d.at("big")), user::list(&d.behind("big")));
        std::fs::remove_dir_all(d.at("big")).expect("rm -r");
        assert_eq!(user::list(&d.behind("")), Ok(vec![]));
    });
}

/// The position of an entry leads to what follows it, and zero to the start.
fn readdir_seek_and_rewind() {
    each(|d| {
        for i in 0..20 {
            write(&d.behind(&format!("f{i:02}")), b"");
        }
        let fd = user::open(&d.mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
        let all = |fd| {
            let mut v = Vec::new();
            loop {
                let some = user::getdents(fd, 4096).expect("getdents");
                if some.is_empty() {
                    return v;
                }
                v.extend(some);
            }
        };
        let first = all(&fd);
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(0)).expect("rewind");
        assert_eq!(all(&fd), first);
        // A position seen earlier leads to what followed it.
        let at = first[7].1;
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(at as u64)).expect("seek");
        assert_eq!(all(&fd), first[8..].to_vec());
        // New names show after a rewind.
        write(&d.at("new"), b"");
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(0)).expect("rewind");
        assert!(all(&fd).iter().any(|e| e.3 == "new"));
    });
}

/// What rm -r does: it removes what it has just been told of.
fn readdir_while_changing() {
    each(|d| {
        for i in 0..50 {
            write(&d.at(&format!("f{i:02}")), b"");
        }
        let fd = user::open(&d.mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
        let mut removed = 0;
        loop {
            let some = user::getdents(&fd, 300).expect("getdents");
            if some.is_empty() {
                break;
            }
            for e in some.iter().filter(|e| e.3.starts_with('f')) {
                user::unlink(&d.at(&e.3)).expect("unlink");
                removed += 1;
            }
        }
        assert_eq!(removed, 50);
        assert_eq!(user::list(&d.mnt), Ok(vec![]));
    });
}

/// Numbers and types are the daemon's.
fn readdir_types() {
    each(|d| {
        write(&d.behind("f"), b"");
        user::mkdir(&d.behind("d"), 0o755).expect("mkdir");
        user::symlink("x", &d.behind("l")).expect("symlink");
        user::mknod(&d.behind("p"), libc::S_IFIFO | 0o644, 0).expect("mknod");
        let of = |p: &std::path::Path| {
            let fd = user::open(p, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
            let mut v: Vec<_> = user::getdents(&fd, 4096)
                .expect("getdents")
                .into_iter()
                .map(|e| (e.3, e.2, e.0))
                .collect();
            v.sort();
            v.retain(|e| e.0 != "..");
            v
        };
        assert_eq!(of(&d.mnt), of(&d.src));
    });
}

/// The daemon is asked for as much as the caller's buffer holds, at least a page.
fn read_sizes() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let mut sizes = Vec::new();
    for n in [100, 4096, 5000, 32_768, 200_000] {
        let r: Res<usize> = m.run(&mut fs, |mnt| {
            let fd = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
            user::getdents(&fd, n).map(|v| v.len())
        });
        assert_eq!(r, Ok(2));
        let all = m.rec.all();
        sizes.push(
            all.iter()
                .rev()
                .find(|r| r.op == Op::READDIR)
                .expect("READDIR")
                .get("size"),
        );
    }
    println!("{sizes:?}");
    m.finish_compared();
}

/// A root directory with one open handle, read by hand.
fn by_hand(m: &mut Mock, size: usize, calls: usize) -> mockd::Caller {
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        let mut all = Vec::new();
        for _ in 0..calls {
            all.push(user::getdents(&fd, size));
        }
        Ok::<_, Errno>(all)
    });
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &open_out(0x1122_3344_5566_7788, 0));
    c
}

fn end(m: &mut Mock) {
    let r = m.expect(Op::RELEASEDIR);
    m.reply(&r, &[]);
}

/// Positions are the daemon's, and what it is asked to go on from.
fn positions_of_daemon() {
    let mut m = Mock::new();
    let c = by_hand(&mut m, 4096, 2);
    let r = m.expect(Op::READDIR);
    assert_eq!((r.get("offset"), r.get("fh")), (0, 0x1122_3344_5566_7788));
    let mut b = dirent(5, 1 << 40, 8, b"one");
    b.extend(dirent(6, 12, 4, b"two"));
    m.reply(&r, &b);
    let r = m.expect(Op::READDIR);
    assert_eq!(r.get("offset"), 12);
    m.reply(&r, &[]);
    end(&mut m);
    let got: Res<Vec<Res<Vec<user::Dirent>>>> = c.join();
    let want = vec![
        (5, 1 << 40, 8, "one".to_string()),
        (6, 12, 4, "two".to_string()),
    ];
    assert_eq!(got, Ok(vec![Ok(want), Ok(vec![])]));
    m.finish();
}

/// A position is the daemon's to interpret: any number is sent as it is.
fn seek_to_position() {
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        let fd = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(777))?;
        let a = user::getdents(&fd, 4096)?;
        rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(0))?;
        let b = user::getdents(&fd, 4096)?;
        Ok::<_, Errno>((a.len(), b.len()))
    });
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &open_out(1, 0));
    for off in [777, 0] {
        let r = m.expect(Op::READDIR);
        assert_eq!(r.get("offset"), off);
        m.reply(&r, &dirent(5, off + 1, 8, b"x"));
    }
    end(&mut m);
    assert_eq!(c.join::<Res<(usize, usize)>>(), Ok((1, 1)));
    m.finish();
}

fn empty_reply_is_end() {
    let mut m = Mock::new();
    let c = by_hand(&mut m, 4096, 1);
    let r = m.expect(Op::READDIR);
    m.reply(&r, &[]);
    end(&mut m);
    assert_eq!(
        c.join::<Res<Vec<Res<Vec<user::Dirent>>>>>(),
        Ok(vec![Ok(vec![])])
    );
    m.finish();
}

/// A record that is cut off at the end of the reply does not count.
fn truncated_tail_is_left() {
    for cut in [1, 7, 8, 20, 31] {
        let mut m = Mock::new();
        let c = by_hand(&mut m, 4096, 2);
        let r = m.expect(Op::READDIR);
        let mut b = dirent(5, 1, 8, b"whole");
        let whole = b.len();
        b.extend(dirent(6, 2, 8, b"cut-off"));
        b.truncate(whole + cut);
        m.reply(&r, &b);
        let r = m.expect(Op::READDIR);
        assert_eq!(r.get("offset"), 1);
        m.reply(&r, &[]);
        end(&mut m);
        let got: Res<Vec<Res<Vec<user::Dirent>>>> = c.join();
        assert_eq!(
            got,
            Ok(vec![Ok(vec![(5, 1, 8, "whole".to_string())]), Ok(vec![])]),
            "cut {cut}"
        );
        m.finish();
    }
}

/// Names in a READDIR may be longer than any LOOKUP could be, up to 1024 bytes.
fn long_names_listed() {
    let mut m = Mock::new();
    let c = by_hand(&mut m, 32_768, 1);
    let r = m.expect(Op::READDIR);
    let mut b = Vec::new();
    for (i, n) in [1usize, 255, 256, 1024].iter().enumerate() {
        b.extend(dirent(
            5 + i as u64,
            i as u64 + 1,
            8,
            "n".repeat(*n).as_bytes(),
        ));
    }
    m.reply(&r, &b);
    end(&mut m);
    let got: Res<Vec<Res<Vec<user::Dirent>>>> = c.join();
    let lens: Vec<usize> = got.expect("list")[0]
        .clone()
        .expect("getdents")
        .iter()
        .map(|e| e.3.len())
        .collect();
    assert_eq!(lens, [1, 255, 256, 1024]);
    m.finish();
}

/// What the caller is given for the number zero and for types that no file has.
fn inode_zero_and_types() {
    let mut m = Mock::new();
    let c = by_hand(&mut m, 4096, 1);
    let r = m.expect(Op::READDIR);
    let mut b = Vec::new();
    for (i, t) in [0u32, 1, 2, 4, 6, 8, 10, 12, 14, 15].iter().enumerate() {
        b.extend(dirent(
            if i == 0 { 0 } else { u64::MAX },
            i as u64 + 1,
            *t,
            format!("t{t}").as_bytes(),
        ));
    }
    m.reply(&r, &b);
    end(&mut m);
    let got: Res<Vec<Res<Vec<user::Dirent>>>> = c.join();
    let got = got.expect("list")[0].clone().expect("getdents");
    println!("{got:?}");
    m.rec.note(format!("{got:?}"));
    assert_eq!(got.len(), 10);
    m.finish();
}

/// After an error the caller may go on from where it was.
fn error_in_the_middle() {
    let mut m = Mock::new();
    let c = by_hand(&mut m, 4096, 3);
    let r = m.expect(Op::READDIR);
    m.reply(&r, &dirent(5, 1, 8, b"one"));
    let r = m.expect(Op::READDIR);
    m.fail(&r, EREMOTEIO);
    let r = m.expect(Op::READDIR);
    assert_eq!(r.get("offset"), 1);
    m.reply(&r, &[]);
    end(&mut m);
    let got: Res<Vec<Res<Vec<user::Dirent>>>> = c.join();
    let got: Vec<Res<usize>> = got
        .expect("list")
        .into_iter()
        .map(|x| x.map(|v| v.len()))
        .collect();
    assert_eq!(got, [Ok(1), Err(EREMOTEIO), Ok(0)]);
    m.finish();
}

/// Two open directories have two handles and two positions.
fn two_readers() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    for i in 0..20 {
        fs.file(&format!("file{i:02}"), b"");
    }
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        let open = || user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0);
        let (a, b) = (open()?, open()?);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        loop {
            let (p, q) = (user::getdents(&a, 200)?, user::getdents(&b, 300)?);
            if p.is_empty() && q.is_empty() {
                break;
            }
            x.extend(p);
            y.extend(q);
        }
        Ok(x == y && x.len() == 22)
    });
    assert_eq!(r, Ok(true));
    m.finish_compared();
}

/// With PARALLEL_DIROPS a lookup does not wait for a READDIR; without, it does.
fn parallel_lookup_and_readdir() {
    for parallel in [true, false] {
        let init = if parallel {
            mockd::Init::plain()
        } else {
            mockd::Init::plain().without("PARALLEL_DIROPS")
        };
        let mut m = Mock::with(&mockd::Setup::default(), &init);
        let list = by_hand(&mut m, 4096, 1);
        let rd = m.expect(Op::READDIR);
        let look = m.call("x", |p| user::lstat(p).map(drop));
        if parallel {
            let l = m.expect_name(Op::LOOKUP, "x");
            m.fail(&l, ENOENT);
            m.reply(&rd, &[]);
            end(&mut m);
        } else {
            look.wait_asleep();
            m.expect_none();
            m.reply(&rd, &[]);
            let l = m.find("LOOKUP", |r| r.op == Op::LOOKUP);
            m.fail(&l, ENOENT);
            let r = m.find("RELEASEDIR", |r| r.op == Op::RELEASEDIR);
            m.reply(&r, &[]);
        }
        assert_eq!(look.join::<Res<()>>(), Err(ENOENT));
        assert_eq!(
            list.join::<Res<Vec<Res<Vec<user::Dirent>>>>>(),
            Ok(vec![Ok(vec![])])
        );
        m.finish();
    }
}

/// A signal comes while each READDIR is with the daemon.
fn signals_lose_nothing() {
    for restart in [true, false] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        // Whether INTERRUPT is read before the answer is written is chance.
        m.without_record();
        let mut names: Vec<String> = (0..200).map(|i| format!("file-{i:03}")).collect();
        for name in &names {
            fs.file(name, b"");
        }
        let c = m.caller(|mnt, _| {
            user::catch_signal(libc::SIGUSR1, restart);
            user::list(mnt)
        });
        let got: Res<Vec<String>> = m.serve(c, &mut |r| {
            if r.op == Op::READDIR {
                // SAFETY: integers; the caller has a handler.
                unsafe { libc::kill(r.pid as i32, libc::SIGUSR1) };
            }
            match r.op {
                Op::INTERRUPT => Answer::None,
                _ => fs.handle(r),
            }
        });
        names.sort();
        assert_eq!(got, Ok(names));
        assert!(m.rec.count(Op::READDIR) > 1);
        m.finish();
    }
}
