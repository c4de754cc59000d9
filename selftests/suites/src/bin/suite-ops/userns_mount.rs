// SPDX-License-Identifier: GPL-2.0

//! A mount in a user namespace that has a thousand ids, with a daemon there, and callers on both
//! sides of its border.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use mockd::memfs::Memfs;
use mockd::msg::Msg;
use mockd::record::Recorder;
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};

/// Who is root in the namespace. Its ids from 0 are those from here outside.
pub const OWNER: u32 = 1000;
const IDS: u32 = 1000;

/// Runs `f` as an ordinary user, in a process of its own.
pub fn as_user<T: Msg>(id: u32, f: impl FnOnce() -> T) -> T {
    Caller::spawn(None, |_| {
        user::become_user(id, id);
        f()
    })
    .join()
}

/// The same as a user who has all capabilities.
pub fn as_administrator<T: Msg>(id: u32, f: impl FnOnce() -> T) -> T {
    Caller::spawn(None, |_| {
        become_administrator(id);
        f()
    })
    .join()
}

/// Becomes a user who keeps all capabilities.
pub fn become_administrator(id: u32) {
    const SECBIT_NO_SETUID_FIXUP: libc::c_ulong = 1 << 2;
    // SAFETY: integers.
    let r = unsafe { libc::prctl(libc::PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) };
    assert_eq!(r, 0, "{}", mockd::errno::last());
    user::become_user(id, id);
}

/// The mount, seen from outside of the namespace.
pub struct Users {
    daemon: Caller,
    /// The root of the mount, through which those outside come to it.
    root: OwnedFd,
    mnt: PathBuf,
}

impl Users {
    /// Mounts, with a daemon that answers as `fs` does. `inside` is for [`Users::inside`].
    #[track_caller]
    pub fn new<T: Msg>(
        setup: &Setup,
        init: &Init,
        fs: Memfs,
        inside: impl FnOnce(&Path) -> T,
    ) -> Users {
        ktap::needs("CONFIG_USER_NS");
        suites::userns::allow(OWNER);
        let mut daemon = Caller::spawn(None, |io| {
            user::become_user(OWNER, OWNER);
            // SAFETY: integers. Who has changed its user does not own its files in /proc otherwise.
            unsafe {
                libc::prctl(libc::PR_SET_DUMPABLE, 1);
                let r = libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
                assert_eq!(r, 0, "{}", mockd::errno::last());
            }
            io.put(());
            io.wait();
            let mut m = Mock::with(setup, init);
            m.without_record();
            // Nobody waits for these, and what is not read when the mount goes is lost.
            for op in [Op::RELEASE, Op::FORGET, Op::BATCH_FORGET] {
                m.rec.leave_out(op);
            }
            let caller = m.caller(|mnt, io| {
                io.wait();
                inside(mnt)
            });
            let fs = Mutex::new(fs);
            let handler = Arc::new(move |r: &_| fs.lock().expect("fs").handle(r));
            let threads = m.threads(1, handler);
            io.put(m.mnt.to_string_lossy().into_owned());
            io.wait();
            caller.go();
            io.put(caller.join::<T>());
            io.wait();
            suites::daemon::umount_soon(&m.mnt);
            for t in threads {
                t.join().expect("daemon");
            }
            m.rec.text()
        });
        daemon.get::<()>();
        for map in ["uid_map", "gid_map"] {
            let text = format!("0 {OWNER} {IDS}");
            std::fs::write(format!("/proc/{}/{map}", daemon.pid), text).expect(map);
        }
        daemon.go();
        let mnt = daemon.get::<String>();
        // Nobody is asked about a root that is only named.
        let path = format!("/proc/{}/root{mnt}", daemon.pid);
        let root = user::open(Path::new(&path), libc::O_PATH, 0).expect("root");
        Users {
            mnt: format!("/proc/self/fd/{}", root.as_raw_fd()).into(),
            root,
            daemon,
        }
    }

    /// Where those outside find the mount; processes started from here on, too.
    pub fn mnt(&self) -> &Path {
        &self.mnt
    }

    /// Lets the caller inside go on, and gives its value.
    #[track_caller]
    pub fn inside<T: Msg>(&mut self) -> T {
        self.daemon.go();
        self.daemon.get()
    }

    /// Unmounts, and keeps for the comparison what the daemon has received, and these lines.
    #[track_caller]
    pub fn finish(self, results: &[String]) {
        drop(self.root);
        self.daemon.go();
        let text: String = self.daemon.join();
        let rec = Recorder::default();
        text.lines().for_each(|l| rec.note(l.into()));
        results.iter().for_each(|l| rec.note(l.clone()));
        rec.save();
    }
}
