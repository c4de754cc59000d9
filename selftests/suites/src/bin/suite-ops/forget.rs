// SPDX-License-Identifier: GPL-2.0

//! FORGET and BATCH_FORGET: as many as lookups, no more and no fewer.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::Mock;

use crate::wire::stat_times;

pub fn cases() -> Vec<Case> {
    cases![
        forget_on_unlink,
        forget_balance,
        forget_batch,
        root_is_never_forgotten,
    ]
}

/// A node with no name and no user left is forgotten at once, with all its lookups.
fn forget_on_unlink() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let f = fs.file("f", b"");
    fs.entry_valid = ZERO;
    let r: Res<()> = m.run(&mut fs, |mnt| {
        for _ in 0..4 {
            user::lstat(&mnt.join("f"))?;
        }
        user::unlink(&mnt.join("f"))
    });
    assert_eq!(r, Ok(()));
    // As often as it was looked up, by LOOKUPs before and for the UNLINK itself.
    let looked = m.rec.count(Op::LOOKUP) as u64;
    assert_eq!(m.rec.forgets().get(&f), Some(&looked));
    assert!(fs.held().is_empty(), "{:?}", fs.held());
    m.finish();
}

/// After everything is dropped from the caches, the daemon owes nothing.
fn forget_balance() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let mut dirs = vec![ROOT];
    for i in 0..5 {
        let d = fs.add(dirs[i], &format!("d{i}"), libc::S_IFDIR | 0o755, &[]);
        for k in 0..10 {
            fs.add(d, &format!("f{k}"), libc::S_IFREG | 0o644, b"data");
        }
        dirs.push(d);
    }
    fn walk(p: &std::path::Path) -> Res<usize> {
        let mut n = 0;
        for e in user::list(p)? {
            let e = p.join(e);
            if user::lstat(&e)?.mode & libc::S_IFMT == libc::S_IFDIR {
                n += walk(&e)?;
            } else {
                let fd = user::open(&e, libc::O_RDONLY, 0)?;
                user::pread(&fd, 10, 0)?;
                n += 1;
            }
        }
        Ok(n)
    }
    let r: Res<usize> = m.run(&mut fs, |mnt| {
        let n = walk(mnt)?;
        walk(mnt)?;
        user::rename(&mnt.join("d0/f1"), &mnt.join("d0/d1/moved"))?;
        user::unlink(&mnt.join("d0/f2"))?;
        Ok(n)
    });
    assert_eq!(r, Ok(50));
    m.forget_all(&mut fs);
    assert_eq!(fs.held(), vec![]);
    m.finish();
}

/// Several FORGETs at once come as one message, when the daemon knows how.
fn forget_batch() {
    for minor in [46, 15] {
        let mut m = Mock::with(
            &mockd::Setup::default(),
            &mockd::Init {
                minor,
                ..mockd::Init::plain()
            },
        );
        let mut fs = Memfs::new();
        for i in 0..40 {
            fs.file(&format!("f{i}"), b"");
        }
        let r: Res<()> = m.run(&mut fs, |mnt| {
            (0..40).try_for_each(|i| user::lstat(&mnt.join(format!("f{i}"))).map(drop))
        });
        assert_eq!(r, Ok(()));
        m.forget_all(&mut fs);
        assert_eq!(fs.held(), vec![]);
        let (single, batch) = (m.rec.count(Op::FORGET), m.rec.count(Op::BATCH_FORGET));
        println!("minor {minor}: {single} FORGET, {batch} BATCH_FORGET");
        if minor < 16 {
            assert_eq!((single, batch), (40, 0));
        } else {
            assert!(batch > 0 && single < 40);
        }
        assert_eq!(m.rec.forgets().values().sum::<u64>(), 40);
        m.finish();
    }
}

/// Nobody looked the root up, so no FORGET may name it.
fn root_is_never_forgotten() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    stat_times(&mut m, &mut fs, "", 2);
    user::drop_caches();
    m.drain(&mut |r| fs.handle(r));
    assert!(!m.rec.forgets().contains_key(&ROOT));
    m.finish();
}
