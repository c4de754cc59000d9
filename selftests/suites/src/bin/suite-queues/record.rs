// SPDX-License-Identifier: GPL-2.0

//! Records all steps of a connection under load, for the replay through the engine on the host
//! (`selftests/host/replay`): from the mount to its end, with signals, kills, RESEND, a descriptor
//! that is closed, and an abort.

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ktap::{cases, Case, Impl};
use mockd::errno::*;
use mockd::mem::{read_at, vector, Pages};
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::{is_mounted, umount};
use mockd::reply::message;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Request, Setup};

use suites::daemon::umount_soon;
use suites::tracing::Tracing;

use super::device::Clone;
use super::notify::{send, RESEND};

pub fn cases() -> Vec<Case> {
    match ktap::implementation() {
        // C has no such events.
        Impl::C => Vec::new(),
        Impl::Rust => cases![record_until_unmounted, record_until_aborted],
    }
}

const MAX_BACKGROUND: u16 = 2;
const ROUNDS: usize = 25;

/// Errors are part of it: it is killed, aborted, and its requests are carried out twice.
fn work(mnt: &Path, i: usize) {
    user::catch_signal(libc::SIGUSR1, true);
    for k in 0..ROUNDS {
        let dir = mnt.join(format!("d{i}.{k}"));
        let _ = user::mkdir(&dir, 0o755);
        let file = dir.join("f");
        if let Ok(fd) = user::open(&file, libc::O_CREAT | libc::O_RDWR, 0o644) {
            let _ = user::pwrite(&fd, &[i as u8; 9000], 0);
            let _ = user::fstat(&fd);
            let _ = user::pread(&fd, 9000, 0);
            // RELEASE is sent in the background.
            let _ = user::close(fd);
        }
        let _ = user::list(mnt);
        let _ = user::unlink(&file);
        let _ = user::rmdir(&dir);
    }
}

/// What chance need not bring under load: a request whose caller is interrupted, and that is sent
/// again.
fn interrupt_and_resend(m: &mut Mock) {
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, true);
        user::lstat(&mnt.join("first")).map(drop)
    });
    m.expect_name(Op::LOOKUP, "first");
    c.wait_asleep();
    c.kill(libc::SIGUSR1);
    m.expect(Op::INTERRUPT);
    assert_eq!(send(m, RESEND, &[]), Ok(16));
    let again = m.expect_name(Op::LOOKUP, "first");
    // INTERRUPT is sent again too, before or after.
    m.fail(&again, ENOENT);
    m.drain(&mut |r| {
        assert_eq!(r.op, Op::INTERRUPT);
        Answer::None
    });
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));
}

/// Nor these: a reply whose page must be faulted in, and a read into memory that cannot be written.
fn park_and_remove(m: &mut Mock) {
    let c = m.caller(|mnt, _| user::lstat(&mnt.join("second")).map(drop));
    let r = m.expect_name(Op::LOOKUP, "second");
    let nothing = [0; size_of::<[u64; 16]>()];
    let reply = message(r.unique, 0, &nothing);
    let header = reply.len() - nothing.len();
    // Never touched, so not there yet.
    let body = Pages::new(1);
    let pieces = [
        (reply.as_ptr() as usize, header),
        (body.addr(), nothing.len()),
    ];
    let fd = m.dev().as_raw_fd();
    assert_eq!(vector(fd, true, &pieces), Ok(reply.len()));
    assert_eq!(c.join::<Res<()>>(), Err(ENOENT));

    let c = m.caller(|mnt, _| user::lstat(&mnt.join("third")).map(drop));
    suites::daemon::until("LOOKUP", || m.pending().then_some(()));
    let none = Pages::with(64, libc::PROT_NONE);
    assert_eq!(read_at(fd, none.addr(), none.len()), Err(EFAULT));
    assert_eq!(c.join::<Res<()>>(), Err(EIO));
}

struct Load {
    tracing: Tracing,
    m: Mock,
    callers: Vec<Caller>,
    threads: Vec<JoinHandle<usize>>,
}

impl Load {
    fn start() -> Load {
        let tracing = Tracing::all();
        fs::write("/sys/kernel/tracing/buffer_size_kb", "8192").expect("buffer");
        let init = Init {
            max_background: MAX_BACKGROUND,
            ..Init::plain()
        };
        let mut m = Mock::with(&Setup::default(), &init);
        m.without_record();
        interrupt_and_resend(&mut m);
        park_and_remove(&mut m);
        let callers = (0..6)
            .map(|i| m.caller(move |mnt, _| work(mnt, i)))
            .collect();
        let fs = Mutex::new(Memfs::new());
        let threads = m.threads(
            3,
            Arc::new(move |r: &Request| fs.lock().expect("fs").handle(r)),
        );
        Load {
            tracing,
            m,
            callers,
            threads,
        }
    }

    /// Signals, kills and resends until all callers but `left` have ended. A second descriptor
    /// takes a request now and then, which ends with it. After an abort there is nothing to resend,
    /// nor a second descriptor.
    fn disturb(&mut self, left: usize, aborted: bool) {
        let start = Instant::now();
        for n in 0.. {
            assert!(start.elapsed() < ktap::patience() * 2, "callers do not end");
            let mut running: Vec<&mut Caller> =
                self.callers.iter_mut().filter_map(still_there).collect();
            if running.len() <= left {
                return;
            }
            let index = n % running.len();
            let caller = &mut running[index];
            match n % 200 {
                50 | 150 if !aborted => assert_eq!(send(&self.m, RESEND, &[]), Ok(16)),
                20 | 70 | 120 | 170 if !aborted => {
                    let clone = Clone::nonblocking(&self.m);
                    // Whatever it is; usually nothing.
                    let _ = clone.try_read(&self.m);
                }
                199 => caller.kill(libc::SIGKILL),
                _ => caller.kill(libc::SIGUSR1),
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// All have left; writes the trace.
    fn save(self, name: &str) {
        let Load {
            tracing,
            m,
            callers,
            threads,
        } = self;
        for mut caller in callers {
            caller.reap();
        }
        for thread in threads {
            thread.join().expect("daemon thread");
        }
        // The descriptor is closed: the last step.
        drop(m);
        let text = tracing.text();
        drop(tracing);
        for step in [
            "interrupt_queued",
            "request_recalled",
            "request_held",
            "reply_parked",
            "request_removed",
        ] {
            assert!(text.contains(step), "{step} is in the trace");
        }
        let dir = PathBuf::from(std::env::var("RF_OUT").expect("RF_OUT")).join("trace");
        fs::create_dir_all(&dir).expect("directory");
        let text = format!("# max_background {MAX_BACKGROUND}\n{text}");
        fs::write(dir.join(name), text).expect("trace");
    }
}

fn still_there(caller: &mut Caller) -> Option<&mut Caller> {
    if caller.ended() {
        None
    } else {
        Some(caller)
    }
}

fn record_until_unmounted() {
    let mut load = Load::start();
    load.disturb(0, false);
    umount_soon(&load.m.mnt);
    load.save("unmounted");
}

/// With three callers in the middle of their work.
fn record_until_aborted() {
    let mut load = Load::start();
    load.disturb(3, false);
    let _ = umount(&load.m.mnt, libc::MNT_FORCE);
    load.disturb(0, true);
    if is_mounted(&load.m.mnt) {
        umount_soon(&load.m.mnt);
    }
    load.save("aborted");
}
