// SPDX-License-Identifier: GPL-2.0

//! Real daemons: starting them, waiting for their mount, ending them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ktap::{implementation, patience, Impl};
use mockd::errno::EBUSY;
use mockd::mount::{is_mounted, umount};
use rustix::process::{kill_process, waitid, Pid, Signal, WaitId, WaitIdOptions};

use crate::fusectl;

/// A program that is a daemon, by name: in `$RF_BIN`, then where programs are.
pub fn find(name: &str) -> Option<PathBuf> {
    let mut dirs: Vec<PathBuf> = std::env::var("RF_BIN")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    dirs.extend(["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    dirs.into_iter().map(|d| d.join(name)).find(|p| p.is_file())
}

/// The same; without the program the suite has no meaning, which is a failure and no skip.
pub fn need(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| panic!("{name} is not in the guest"))
}

/// A running daemon and its mount.
pub struct Daemon {
    child: Child,
    pub mnt: PathBuf,
    /// The directory behind, if there is one.
    pub src: PathBuf,
}

/// Repeats `f` until it gives a value, or fails after a generous time.
#[track_caller]
pub fn until<T>(what: &str, mut f: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience();
    loop {
        if let Some(v) = f() {
            return v;
        }
        assert!(
            Instant::now() < end,
            "waited too long for: {what}; {}",
            ktap::describe_descendants()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Unmounts as soon as nobody is inside. A killed caller may still be on its way out, and what it
/// has left holds its file until a work item has seen the answer.
#[track_caller]
pub fn umount_soon(mnt: &Path) {
    until("unmounting", || match umount(mnt, 0) {
        Ok(()) => Some(()),
        Err(EBUSY) => None,
        Err(e) => panic!("umount: {e}"),
    });
}

impl Daemon {
    /// Starts a command that stays in the foreground and waits for it to mount `mnt`.
    #[track_caller]
    pub fn start(mut cmd: Command, mnt: &Path, src: &Path) -> Daemon {
        cmd.stdin(Stdio::null());
        let mut child = cmd.spawn().unwrap_or_else(|e| panic!("{cmd:?}: {e}"));
        until(&format!("mount by {cmd:?}"), || {
            if let Some(st) = child.try_wait().expect("wait") {
                panic!("{cmd:?} ended with {st}");
            }
            is_mounted(mnt).then_some(())
        });
        // From here on INIT is settled.
        let _ = mockd::user::statfs(mnt);
        Daemon {
            child,
            mnt: mnt.into(),
            src: src.into(),
        }
    }

    /// passthrough_ll on fresh directories `src` and `mnt`, with these options besides source.
    #[track_caller]
    pub fn passthrough_ll(options: &str) -> Daemon {
        let (src, mnt) = dirs();
        let mut cmd = Command::new(need("passthrough_ll"));
        let sep = if options.is_empty() { "" } else { "," };
        cmd.arg("-f")
            .arg("-o")
            .arg(format!("source={}{sep}{options}", src.display()))
            .arg(&mnt);
        Daemon::start(cmd, &mnt, &src)
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// A path on the mount.
    pub fn at(&self, rel: &str) -> PathBuf {
        self.mnt.join(rel)
    }

    /// The same file behind the mount.
    pub fn behind(&self, rel: &str) -> PathBuf {
        self.src.join(rel)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).expect("kill");
    }

    /// Stops it as SIGSTOP does, and returns when all of its threads have stopped: until then they
    /// serve.
    pub fn sigstop(&self) {
        self.signal(Signal::STOP);
        waitid(WaitId::Pid(self.process()), WaitIdOptions::STOPPED).expect("waitid");
    }

    fn process(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends SIGKILL and waits for the end. With C's module a thread that has a name invalidated
    /// may wait for the lock of a caller who waits for this daemon, where no signal reaches it
    /// (rclone's do): like its user, the test aborts the connection then.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill");
        let stuck = Instant::now() + patience() / 2;
        while implementation() == Impl::C && self.child.try_wait().expect("wait").is_none() {
            if Instant::now() > stuck {
                fusectl::abort(&self.mnt).expect("abort");
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.child.wait().expect("wait");
    }

    /// Waits for the daemon to end by itself.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        until("end of the daemon", || self.child.try_wait().expect("wait"))
    }

    /// Waits until no request is with the daemon. A RELEASE that it is reading when the unmount
    /// aborts the connection fails that read with ECONNABORTED, and libfuse ends well on ENODEV
    /// only.
    #[track_caller]
    pub fn settle(&self) {
        fusectl::await_waiting(&self.mnt, 0);
    }

    /// Unmounts, and expects the daemon to notice and to end well.
    #[track_caller]
    pub fn stop(mut self) {
        self.settle();
        umount(&self.mnt, 0).expect("umount");
        let st = self.wait();
        assert!(st.success(), "daemon ended with {st}");
        assert!(!is_mounted(&self.mnt), "still mounted");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = umount(&self.mnt, libc::MNT_FORCE | libc::MNT_DETACH);
        let _ = self.child.wait();
    }
}

/// Fresh directories `src` and `mnt` in the case's directory.
pub fn dirs() -> (PathBuf, PathBuf) {
    let d = ktap::dir();
    let (src, mnt) = (d.join("src"), d.join("mnt"));
    std::fs::create_dir_all(&src).expect("src");
    std::fs::create_dir_all(&mnt).expect("mnt");
    (src, mnt)
}
