// SPDX-License-Identifier: GPL-2.0

//! In which order requests come, and what numbers they have.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::reply::Entry;
use mockd::user;
use mockd::wire::Op;
use mockd::{Attr, Caller, Mock};

pub fn cases() -> Vec<Case> {
    cases![
        first_come_first_served,
        answered_in_any_order,
        unique_numbers,
        interrupts_come_first,
        forgets_are_not_starved,
        forgets_share_with_requests,
        forget_batch_fits_the_buffer,
        one_caller_is_in_order,
        reader_waits_and_wakes,
        exclusive_wake,
    ]
}

/// A caller that looks for `name` and is asleep in it.
pub fn looking(m: &mut Mock, name: &str) -> Caller {
    let c = m.call(name, |p| user::lstat(p).map(|s| s.ino));
    c.wait_asleep();
    c
}

fn first_come_first_served() {
    let mut m = Mock::new();
    let cs: Vec<Caller> = (0..8).map(|i| looking(&mut m, &format!("n{i}"))).collect();
    for i in 0..8 {
        let r = m.expect_name(Op::LOOKUP, &format!("n{i}"));
        m.fail(&r, ENOENT);
    }
    for c in cs {
        assert_eq!(c.join::<Res<u64>>(), Err(ENOENT));
    }
    m.finish();
}

fn answered_in_any_order() {
    let mut m = Mock::new();
    let cs: Vec<Caller> = (0..8).map(|i| looking(&mut m, &format!("n{i}"))).collect();
    let rs: Vec<_> = (0..8).map(|_| m.expect(Op::LOOKUP)).collect();
    for i in [3, 7, 0, 5, 1, 6, 2, 4] {
        m.reply(&rs[i], &Entry::new(Attr::file(100 + i as u64, 1)).bytes());
    }
    for (i, c) in cs.into_iter().enumerate() {
        assert_eq!(c.join::<Res<u64>>(), Ok(100 + i as u64));
    }
    m.finish();
}

/// Even, never zero, each larger than the last.
fn unique_numbers() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        for i in 0..50 {
            user::mkdir(&mnt.join(format!("d{i}")), 0o755)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    let u: Vec<u64> = m.rec.all().iter().map(|r| r.unique).collect();
    assert!(u.iter().all(|n| n % 2 == 0 && *n > 0));
    assert!(u.windows(2).all(|w| w[0] < w[1]), "{u:?}");
    m.finish();
}

fn interrupts_come_first() {
    let mut m = Mock::new();
    let a = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        user::lstat(&mnt.join("a")).map(drop)
    });
    let ra = m.expect_name(Op::LOOKUP, "a");
    let b = looking(&mut m, "b");
    a.kill(libc::SIGUSR1);
    // It has queued its INTERRUPT before it sleeps again, where that signal no longer wakes it.
    a.wait_signalled();
    let i = m.request();
    assert_eq!(i.op, Op::INTERRUPT, "{i:?}");
    assert_eq!(i.get("unique"), ra.unique);
    let rb = m.expect_name(Op::LOOKUP, "b");
    m.fail(&ra, EINTR);
    m.fail(&rb, ENOENT);
    assert_eq!(a.join::<Res<()>>(), Err(EINTR));
    assert_eq!(b.join::<Res<u64>>(), Err(ENOENT));
    m.finish();
}

/// `n` files known to the kernel, then dropped from its caches, so that FORGETs wait.
fn forgets_wait(m: &mut Mock, n: usize) {
    let mut fs = Memfs::new();
    for i in 0..n {
        fs.file(&format!("f{i}"), b"");
    }
    let r: Res<()> = m.run(&mut fs, |mnt| {
        (0..n).try_for_each(|i| user::lstat(&mnt.join(format!("f{i}"))).map(drop))
    });
    assert_eq!(r, Ok(()));
    let start = std::time::Instant::now();
    while !m.pending() && start.elapsed() < ktap::patience() {
        user::drop_caches();
    }
    user::drop_caches();
}

/// However many requests wait, FORGETs get their turn.
fn forgets_are_not_starved() {
    let mut m = Mock::new();
    forgets_wait(&mut m, 3);
    let cs: Vec<Caller> = (0..20).map(|i| looking(&mut m, &format!("n{i}"))).collect();
    let mut kinds = String::new();
    while kinds.matches('r').count() < 20 {
        let r = m.request();
        if r.op == Op::LOOKUP {
            kinds.push('r');
            m.fail(&r, ENOENT);
        } else {
            assert!(matches!(r.op, Op::FORGET | Op::BATCH_FORGET), "{r:?}");
            kinds.push('f');
        }
    }
    println!("{kinds}");
    assert!(kinds.find('f').is_some_and(|n| n <= 8), "{kinds}");
    for c in cs {
        assert_eq!(c.join::<Res<u64>>(), Err(ENOENT));
    }
    m.without_record();
    m.finish();
}

/// A daemon too old for batches gets requests in between, as C gives them.
fn forgets_share_with_requests() {
    let mut m = Mock::with(
        &mockd::Setup::default(),
        &mockd::Init {
            minor: 15,
            ..mockd::Init::plain()
        },
    );
    forgets_wait(&mut m, 100);
    let cs: Vec<Caller> = (0..20).map(|i| looking(&mut m, &format!("n{i}"))).collect();
    let mut kinds = String::new();
    let mut left = 20;
    while left > 0 {
        let r = m.request();
        if r.op == Op::LOOKUP {
            kinds.push('r');
            m.fail(&r, ENOENT);
            left -= 1;
        } else {
            assert_eq!(r.op, Op::FORGET);
            kinds.push('f');
        }
    }
    println!("{kinds}");
    let first = kinds.find('r').expect("a request");
    assert!(first < 40, "requests wait behind {first} FORGETs");
    assert!(kinds.contains("rf"), "requests do not shut out FORGETs");
    for c in cs {
        assert_eq!(c.join::<Res<u64>>(), Err(ENOENT));
    }
    m.rec.note(kinds);
    m.finish();
}

fn forget_batch_fits_the_buffer() {
    let mut m = Mock::with(
        &mockd::Setup::default(),
        &mockd::Init {
            max_write: 4096,
            ..mockd::Init::plain()
        },
    );
    forgets_wait(&mut m, 700);
    m.buf = 8192;
    let mut total = 0;
    while m.pending() {
        let r = m.request();
        assert!(r.len() <= 8192);
        total += r.forgets().len();
    }
    println!(
        "{total} FORGETs in {} messages",
        m.rec.count(Op::BATCH_FORGET)
    );
    assert!(total > 600, "{total}");
    m.without_record();
    m.finish();
}

fn one_caller_is_in_order() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        for i in 0..10 {
            let d = mnt.join(format!("d{i}"));
            user::mkdir(&d, 0o755)?;
            drop(user::open(
                &d.join("f"),
                libc::O_CREAT | libc::O_RDWR,
                0o644,
            )?);
            user::unlink(&d.join("f"))?;
            user::rmdir(&d)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    m.finish();
}

/// A reader that sleeps is woken by a request, by a signal and by the end.
fn reader_waits_and_wakes() {
    let mut m = Mock::new();
    let dev = std::os::fd::AsRawFd::as_raw_fd(&m.dev());
    let mut reader = Caller::spawn(None, |io| {
        user::catch_signal(libc::SIGUSR1, false);
        let mut seen = Vec::new();
        loop {
            let mut b = vec![0u8; 1 << 18];
            // SAFETY: the descriptor is inherited and stays open; b is large enough.
            let r = check(unsafe { libc::read(dev, b.as_mut_ptr().cast(), b.len()) as i64 });
            let r = r.map(|n| n as u64);
            io.put(r);
            seen.push(r);
            if r == Err(ENODEV) {
                return seen.len() as u64;
            }
        }
    });
    reader.wait_asleep();
    reader.kill(libc::SIGUSR1);
    assert_eq!(reader.get::<Res<u64>>(), Err(EINTR));
    reader.wait_asleep();
    let c = m.call("x", |p| user::lstat(p).map(drop));
    let n = reader.get::<Res<u64>>();
    assert_eq!(n, Ok(42));
    reader.wait_asleep();
    mockd::mount::umount(&m.mnt, libc::MNT_FORCE | libc::MNT_DETACH).expect("umount");
    assert_eq!(reader.get::<Res<u64>>(), Err(ENODEV));
    assert_eq!(reader.join::<u64>(), 3);
    assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
}

/// One request wakes readers so that it is taken once, and the others sleep on.
fn exclusive_wake() {
    let mut m = Mock::new();
    let dev = std::os::fd::AsRawFd::as_raw_fd(&m.dev());
    let readers: Vec<Caller> = (0..4)
        .map(|_| {
            Caller::spawn(None, |_| {
                let mut n = 0u64;
                loop {
                    let mut b = vec![0u8; 1 << 18];
                    // SAFETY: as above.
                    let r =
                        check(unsafe { libc::read(dev, b.as_mut_ptr().cast(), b.len()) as i64 });
                    match r {
                        Ok(len) => {
                            let q = mockd::Request::parse(&b[..len as usize]).expect("request");
                            let m = mockd::reply::message(q.unique, -libc::ENOENT, &[]);
                            // SAFETY: m is valid for reading.
                            unsafe { libc::write(dev, m.as_ptr().cast(), m.len()) };
                            n += 1;
                        }
                        Err(_) => return n,
                    }
                }
            })
        })
        .collect();
    readers.iter().for_each(Caller::wait_asleep);
    for i in 0..40 {
        let c = m.call(&format!("n{i}"), |p| user::lstat(p).map(drop));
        assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    }
    m.umount();
    let total: u64 = readers.into_iter().map(Caller::join::<u64>).sum();
    assert_eq!(total, 40);
}
