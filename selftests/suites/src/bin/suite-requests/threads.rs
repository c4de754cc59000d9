// SPDX-License-Identifier: GPL-2.0

//! Many callers and many daemon threads at the same time.

use std::sync::{Arc, Mutex};

use ktap::{cases, debug_kernel, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Caller, Mock, Request};

pub fn cases() -> Vec<Case> {
    cases![
        eight_callers_one_thread,
        eight_callers_four_threads,
        one_caller_eight_threads,
        same_file_by_all,
        same_directory_by_all,
        signals_all_the_time,
        abort_under_load,
        death_under_load,
        thread_exits_others_serve,
        threads_die_with_the_process,
        umount_races_with_lookups,
    ]
}

fn rounds() -> usize {
    if debug_kernel() {
        15
    } else {
        60
    }
}

type Handler = Arc<dyn Fn(&Request) -> mockd::mock::Answer + Send + Sync>;

fn handler(fs: &Arc<Mutex<Memfs>>) -> Handler {
    let fs = fs.clone();
    Arc::new(move |r| fs.lock().expect("fs").handle(r))
}

/// One caller's work in a directory of its own.
fn work(dir: &std::path::Path, n: usize) -> Res<()> {
    user::mkdir(dir, 0o755)?;
    for i in 0..n {
        let f = dir.join(format!("f{i}"));
        let fd = user::open(&f, libc::O_CREAT | libc::O_RDWR, 0o644)?;
        let data = vec![i as u8; 3000 + i * 10];
        user::pwrite(&fd, &data, 0)?;
        if user::pread(&fd, 10_000, 0)? != data {
            return Err(EUCLEAN);
        }
        user::close(fd)?;
        if user::lstat(&f)?.size != data.len() as u64 {
            return Err(ERANGE);
        }
        user::rename(&f, &dir.join("g"))?;
        user::unlink(&dir.join("g"))?;
    }
    if !user::list(dir)?.is_empty() {
        return Err(ENOTEMPTY);
    }
    user::rmdir(dir)
}

fn many(callers: usize, threads: usize) {
    let fs = Arc::new(Mutex::new(Memfs::new()));
    let mut m = Mock::new();
    m.without_record();
    let cs: Vec<Caller> = (0..callers)
        .map(|i| m.caller(move |mnt, _| work(&mnt.join(format!("d{i}")), rounds())))
        .collect();
    let ts = m.threads(threads, handler(&fs));
    for c in cs {
        assert_eq!(joined(c), Ok(()));
    }
    // A FORGET still queued at the unmount is dropped.
    suites::daemon::until("all is removed and forgotten", || {
        (fs.lock().expect("fs").nodes.keys().collect::<Vec<_>>() == [&ROOT]).then_some(())
    });
    m.umount();
    let served: Vec<usize> = ts.into_iter().map(|t| t.join().expect("thread")).collect();
    println!("served {served:?}");
}

/// Waits longer than for one request.
fn joined(mut c: Caller) -> Res<()> {
    let start = std::time::Instant::now();
    while !c.ended() && start.elapsed() < ktap::patience() * 2 {
        mockd::caller::readable(c.fd(), std::time::Duration::from_millis(100));
    }
    c.join()
}

fn eight_callers_one_thread() {
    many(8, 1);
}

fn eight_callers_four_threads() {
    many(8, 4);
}

fn one_caller_eight_threads() {
    many(1, 8);
}

fn same_file_by_all() {
    let fs = Arc::new(Mutex::new(Memfs::new()));
    fs.lock().expect("fs").file("f", &[0; 80_000]);
    let mut m = Mock::new();
    m.without_record();
    let cs: Vec<Caller> = (0..8u64)
        .map(|i| {
            m.caller(move |mnt, _| {
                let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
                for k in 0..rounds() as u64 {
                    let off = i * 10_000 + k * 17;
                    user::pwrite(&fd, &[i as u8 + 1; 500], off)?;
                    if user::pread(&fd, 500, off)? != [i as u8 + 1; 500] {
                        return Err(EUCLEAN);
                    }
                    user::fstat(&fd)?;
                }
                user::close(fd)
            })
        })
        .collect();
    let ts = m.threads(4, handler(&fs));
    for c in cs {
        assert_eq!(joined(c), Ok(()));
    }
    m.umount();
    ended(ts);
}

/// All make, see and remove names in one directory.
fn same_directory_by_all() {
    let fs = Arc::new(Mutex::new(Memfs::new()));
    let mut m = Mock::new();
    m.without_record();
    let cs: Vec<Caller> = (0..8usize)
        .map(|i| {
            m.caller(move |mnt, _| {
                for k in 0..rounds() {
                    let own = mnt.join(format!("own{i}"));
                    user::mkdir(&own, 0o755)?;
                    // One of all makes it.
                    let shared = mnt.join(format!("shared{}", k % 3));
                    match user::open(&shared, libc::O_CREAT | libc::O_EXCL | libc::O_RDWR, 0o644) {
                        Ok(_) | Err(EEXIST) => {}
                        Err(e) => return Err(e),
                    }
                    match user::unlink(&shared) {
                        Ok(()) | Err(ENOENT) => {}
                        Err(e) => return Err(e),
                    }
                    user::list(mnt)?;
                    user::rmdir(&own)?;
                }
                Ok(())
            })
        })
        .collect();
    let ts = m.threads(4, handler(&fs));
    for c in cs {
        assert_eq!(joined(c), Ok(()));
    }
    m.umount();
    ended(ts);
}

/// Callers that get signals at any moment lose nothing but time.
fn signals_all_the_time() {
    let fs = Arc::new(Mutex::new(Memfs::new()));
    let mut m = Mock::new();
    m.without_record();
    let mut cs: Vec<Caller> = (0..4)
        .map(|i| {
            m.caller(move |mnt, io| {
                user::catch_signal(libc::SIGUSR1, true);
                io.put(());
                for k in 0..rounds() {
                    work(&mnt.join(format!("d{i}.{k}")), 1)?;
                }
                Ok::<(), Errno>(())
            })
        })
        .collect();
    // Before it handles the signal, a caller would die of it.
    cs.iter_mut().for_each(|c| c.get::<()>());
    let ts = m.threads(3, handler(&fs));
    let start = std::time::Instant::now();
    let mut sent = 0u64;
    while !cs.iter_mut().all(|c| c.ended()) {
        assert!(start.elapsed() < ktap::patience() * 2, "callers do not end");
        for c in &cs {
            c.kill(libc::SIGUSR1);
            sent += 1;
        }
        std::thread::sleep(std::time::Duration::from_micros(700));
    }
    println!("{sent} signals, {} INTERRUPTs", m.rec.count(Op::INTERRUPT));
    for c in cs {
        assert_eq!(c.join::<Res<()>>(), Ok(()));
    }
    m.umount();
    ended(ts);
}

/// A caller that works until the connection ends, and says with which error.
fn until_end(m: &mut Mock, i: usize) -> Caller {
    m.caller(move |mnt, _| {
        for k in 0.. {
            let r = work(&mnt.join(format!("d{i}.{k}")), 2);
            if let Err(e) = r {
                return e;
            }
        }
        EIO
    })
}

fn at_the_end(cs: Vec<Caller>) {
    for c in cs {
        let e: Errno = c.join();
        assert!(matches!(e, ECONNABORTED | ENOTCONN | EIO | ENOENT), "{e}");
    }
}

fn abort_under_load() {
    for _ in 0..3 {
        let fs = Arc::new(Mutex::new(Memfs::new()));
        let mut m = Mock::new();
        m.without_record();
        let cs: Vec<Caller> = (0..8).map(|i| until_end(&mut m, i)).collect();
        let ts = m.threads(4, handler(&fs));
        suites::daemon::until("some work", || (m.rec.all().len() > 200).then_some(()));
        let _ = umount(&m.mnt, libc::MNT_FORCE);
        at_the_end(cs);
        ended(ts);
        if mockd::mount::is_mounted(&m.mnt) {
            m.umount();
        }
    }
}

fn death_under_load() {
    for _ in 0..3 {
        let mut m = Mock::new();
        m.without_record();
        let cs: Vec<Caller> = (0..8).map(|i| until_end(&mut m, i)).collect();
        use std::os::fd::AsRawFd;
        let dev = m.dev().as_raw_fd();
        let mut d = Caller::spawn(None, |io| {
            let fs = Mutex::new(Memfs::new());
            let n = std::sync::atomic::AtomicUsize::new(0);
            std::thread::scope(|s| {
                for _ in 0..4 {
                    s.spawn(|| loop {
                        // SAFETY: the inherited descriptor, which stays open in this process.
                        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(dev) };
                        let rec = mockd::record::Recorder::default();
                        let Ok(r) = mockd::mock::read_request(fd, 1 << 20, &rec) else {
                            return;
                        };
                        let a = fs.lock().expect("fs").handle(&r);
                        let _ = mockd::mock::answer(fd, &r, &a);
                        if n.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 300 {
                            io.put(());
                        }
                    });
                }
            });
        });
        let mnt = m.die();
        d.get::<()>();
        d.kill(libc::SIGKILL);
        d.reap();
        at_the_end(cs);
        umount(&mnt, 0).expect("umount");
    }
}

/// A thread that took a request and exits: another thread answers it.
fn thread_exits_others_serve() {
    let mut m = Mock::new();
    let c = m.call("x", |p| user::lstat(p).map(drop));
    let r = std::thread::scope(|s| s.spawn(|| m.read()).join().expect("thread")).expect("read");
    m.fail(&r, ENOENT);
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
    m.finish();
}

/// A daemon of several threads, all in read, killed: nobody is left behind.
fn threads_die_with_the_process() {
    use std::os::fd::AsRawFd;
    let mut m = Mock::new();
    m.without_record();
    let dev = m.dev().as_raw_fd();
    let mut d = Caller::spawn(None, |io| {
        std::thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    let mut b = vec![0u8; 1 << 18];
                    // SAFETY: the inherited descriptor and a buffer of ours.
                    unsafe { libc::read(dev, b.as_mut_ptr().cast(), b.len()) };
                    std::thread::park();
                });
            }
            io.put(());
        });
    });
    d.get::<()>();
    let cs: Vec<Caller> = (0..6)
        .map(|i| m.call(&format!("n{i}"), |p| user::lstat(p).map(drop)))
        .collect();
    cs.iter().for_each(Caller::wait_asleep);
    let mnt = m.die();
    d.kill(libc::SIGKILL);
    d.reap();
    for c in cs {
        assert_eq!(c.join::<Res<()>>(), Err(ECONNABORTED));
    }
    umount(&mnt, 0).expect("umount");
}

fn umount_races_with_lookups() {
    for _ in 0..4 {
        let fs = Arc::new(Mutex::new(Memfs::new()));
        let mut m = Mock::new();
        m.without_record();
        let cs: Vec<Caller> = (0..4)
            .map(|i| {
                m.caller(move |mnt, _| {
                    for k in 0..20 {
                        let _ = user::lstat(&mnt.join(format!("n{i}.{k}")));
                        let _ = user::list(mnt);
                    }
                })
            })
            .collect();
        let ts = m.threads(2, handler(&fs));
        suites::daemon::until("umount", || umount(&m.mnt, 0).is_ok().then_some(()));
        for c in cs {
            c.join::<()>();
        }
        ended(ts);
    }
}

/// All daemon threads end by themselves.
fn ended(threads: Vec<std::thread::JoinHandle<usize>>) {
    for t in threads {
        t.join().expect("daemon thread");
    }
}
