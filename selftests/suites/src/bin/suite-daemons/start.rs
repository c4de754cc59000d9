// SPDX-License-Identifier: GPL-2.0

//! The daemons: how each is started on a directory.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use suites::daemon::{dirs, find, need, Daemon};

/// A daemon that shows a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// libfuse's low-level example.
    PassthroughLl,
    /// libfuse 2.
    Bindfs,
    /// libfuse 2's example, which splices both ways and moves pages.
    FusexmpSplice,
    /// sshfs to an sftp server through a pipe, without a network.
    Sshfs,
}

pub const ALL: [Kind; 3] = [Kind::PassthroughLl, Kind::Bindfs, Kind::Sshfs];

/// Where the sftp server is.
pub fn sftp_server() -> PathBuf {
    let known = [
        "/usr/lib/openssh/sftp-server",
        "/usr/lib/sftp-server",
        "/usr/libexec/openssh/sftp-server",
    ];
    known
        .iter()
        .map(PathBuf::from)
        .find(|p| p.is_file())
        .unwrap_or_else(|| need("sftp-server"))
}

/// Starts it on fresh directories; `mnt` shows `src`.
pub fn start(kind: Kind) -> Daemon {
    let (src, mnt) = dirs();
    match kind {
        Kind::PassthroughLl => Daemon::passthrough_ll(""),
        Kind::Bindfs => {
            let mut cmd = Command::new(need("bindfs"));
            cmd.arg("-f").arg(&src).arg(&mnt);
            Daemon::start(cmd, &mnt, &src)
        }
        Kind::FusexmpSplice => {
            let mut cmd = Command::new(need("fusexmp_fh"));
            cmd.arg("-f").arg("-o").arg(format!(
                "modules=subdir,subdir={},splice_read,splice_write,splice_move",
                src.display()
            ));
            cmd.arg(&mnt);
            Daemon::start(cmd, &mnt, &src)
        }
        Kind::Sshfs => {
            // In place of ssh, a program that runs the server whatever its arguments are.
            let fake = ktap::dir().join("ssh");
            std::fs::write(
                &fake,
                format!("#!/bin/sh\nexec {} -e\n", sftp_server().display()),
            )
            .expect("ssh");
            mockd::user::chmod(&fake, 0o755).expect("chmod");
            let mut cmd = Command::new(need("sshfs"));
            cmd.arg(format!("nowhere:{}", src.display()))
                .arg(&mnt)
                .arg("-f");
            cmd.arg("-o").arg(format!("ssh_command={}", fake.display()));
            cmd.stderr(Stdio::inherit());
            Daemon::start(cmd, &mnt, &src)
        }
    }
}

/// hello and hello_ll, which have one file.
pub fn hello(name: &str) -> Daemon {
    let (src, mnt) = dirs();
    let mut cmd = Command::new(need(name));
    cmd.arg("-f").arg(&mnt);
    Daemon::start(cmd, &mnt, &src)
}

/// All programs that the suite wants are there.
pub fn missing() -> Vec<&'static str> {
    let want = [
        "passthrough_ll",
        "hello",
        "hello_ll",
        "bindfs",
        "sshfs",
        "fusexmp_fh",
    ];
    want.into_iter().filter(|n| find(n).is_none()).collect()
}
