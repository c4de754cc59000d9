// SPDX-License-Identifier: GPL-2.0

//! The scenarios: how a daemon and a caller come to wait for each other.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::mount::umount;
use mockd::{user, Caller, Io};
use suites::daemon::until;

use crate::daemon::{self, Shared};
use suites::settle::settle;

/// What the daemon does that it should not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// Serving UNLINK, it unlinks the same file through its own mount.
    Unlink,
    /// It answers READ of a page from a mapping of this very page.
    Answer,
    /// It reads that READ from the device into a mapping of this very page.
    Request,
    /// Its only thread answers from a mapping of some file of its own mount.
    OwnAnswer,
    /// Its only thread reads from the device into such a mapping.
    OwnRequest,
}

impl Trap {
    /// The trap is in read(2) on the device.
    pub fn reads(self) -> bool {
        matches!(self, Trap::Request | Trap::OwnRequest)
    }
}

/// A scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    pub trap: Trap,
    /// Threads that serve.
    pub threads: usize,
    /// Unlink: also when the UNLINK is the daemon's own.
    pub again: bool,
    /// The daemon keeps a descriptor of the file that it has mapped.
    pub keep: bool,
    /// The caller uses read(2), so that the page is read ahead, and not a mapping.
    pub read: bool,
    /// Readahead does not wait for its answer: the caller waits for the page.
    pub async_read: bool,
}

/// A deadlock that has come about.
pub struct Stuck {
    pub mnt: PathBuf,
    pub caller: Caller,
    pub daemon: Caller,
    pub shared: &'static Shared,
}

impl Scene {
    pub const fn new(trap: Trap, threads: usize) -> Scene {
        Scene {
            trap,
            threads,
            again: true,
            keep: false,
            read: false,
            async_read: false,
        }
    }

    pub const fn once(mut self) -> Scene {
        self.again = false;
        self
    }

    pub const fn keep(mut self) -> Scene {
        self.keep = true;
        self
    }

    pub const fn read(mut self) -> Scene {
        self.read = true;
        self
    }

    pub const fn async_read(mut self) -> Scene {
        self.async_read = true;
        self.read()
    }

    /// The file that the daemon has mapped.
    pub fn mapped(&self) -> Option<&'static str> {
        match self.trap {
            Trap::Unlink => None,
            Trap::Answer | Trap::Request => Some("f"),
            Trap::OwnAnswer | Trap::OwnRequest => Some("entry"),
        }
    }

    /// Starts daemon and caller, and returns when both wait for each other while the daemon's other
    /// threads serve. The caller handles SIGINT if `catch`.
    pub fn start(&self, catch: bool) -> Stuck {
        let s = self.start_one(catch);
        if self.trap != Trap::Unlink {
            s.daemon.go();
            s.settle();
        }
        assert!(!s.caller.exited(), "the caller went through");
        assert!(s.shared.inside() > 0, "the daemon went through");
        s
    }

    /// The same, before any other thread serves.
    pub fn start_one(&self, catch: bool) -> Stuck {
        let mnt = std::env::current_dir().expect("directory").join("mnt");
        std::fs::create_dir_all(&mnt).expect("mnt");
        let shared = Shared::new();
        let mut daemon = Caller::spawn(None, |io| daemon::run(self, &mnt, shared, io));
        daemon.get::<()>();
        let mut caller = Caller::spawn(None, |io| {
            if catch {
                user::catch_signal(libc::SIGINT, false);
            }
            self.call(&mnt, io)
        });
        caller.get::<()>();
        if self.trap != Trap::Unlink {
            daemon.go();
            daemon.get::<()>();
        }
        caller.go();
        until("the daemon in its trap", || shared.entered().then_some(()));
        let s = Stuck {
            mnt,
            caller,
            daemon,
            shared,
        };
        s.settle();
        s
    }

    /// What the caller does.
    fn call(&self, mnt: &Path, io: &Io) -> Res<()> {
        let ready = || {
            io.put(());
            io.wait();
        };
        match self.trap {
            Trap::Unlink => {
                let path = mnt.join("d/f");
                user::lstat(&path)?;
                ready();
                user::unlink(&path)
            }
            Trap::Answer | Trap::Request => {
                let file = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
                let got = if self.read {
                    ready();
                    user::pread(&file, PAGE, 0)?
                } else {
                    let page = map(&file);
                    user::close(file)?;
                    ready();
                    page.to_vec()
                };
                assert!(got == daemon::content(), "what was read");
                Ok(())
            }
            Trap::OwnAnswer | Trap::OwnRequest => {
                ready();
                user::lstat(&mnt.join("name")).map(drop)
            }
        }
    }
}

/// Maps a file's first page, so that it is not read ahead.
fn map(file: &OwnedFd) -> &'static [u8] {
    // SAFETY: a new mapping that is never unmapped; if its page cannot be read, the process ends.
    unsafe {
        let p = libc::mmap(
            std::ptr::null_mut(),
            PAGE,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        );
        assert_ne!(p, libc::MAP_FAILED, "{}", last());
        check(libc::madvise(p, PAGE, libc::MADV_RANDOM)).expect("MADV_RANDOM");
        std::slice::from_raw_parts(p.cast(), PAGE)
    }
}

impl Stuck {
    /// Waits until neither moves any more.
    pub fn settle(&self) {
        settle(&[self.caller.pid, self.daemon.pid]);
    }

    /// umount -f: aborts, and unmounts if nobody is left.
    pub fn umount_force(&self) {
        let _ = umount(&self.mnt, libc::MNT_FORCE);
    }
}
