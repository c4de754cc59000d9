// SPDX-License-Identifier: GPL-2.0
//! Starting and stopping daemons as a user would: they mount and go into the background by
//! themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

pub struct Kind {
    pub name: &'static str,
    /// What the user sees of it.
    pub about: &'static str,
    /// The command that mounts `behind` on `mount`.
    pub command: fn(behind: &str, mount: &str) -> Vec<String>,
}

pub const KINDS: &[Kind] = &[
    Kind {
        name: "passthrough_ll",
        about: "libfuse's example, low-level interface",
        command: |behind, mount| {
            words(&["passthrough_ll", "-o", &format!("source={behind}"), mount])
        },
    },
    Kind {
        name: "sshfs",
        about: "Debian's, to an sftp server in this machine",
        command: |behind, mount| {
            words(&[
                "sshfs",
                "-o",
                &format!("ssh_command={}", sftp_command()),
                &format!("here:{behind}"),
                mount,
            ])
        },
    },
    Kind {
        name: "bindfs",
        about: "Debian's, libfuse 2",
        command: |behind, mount| words(&["bindfs", behind, mount]),
    },
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

/// sshfs runs `ssh ... host -s sftp` and talks to its standard input and output. Within one machine
/// the server can be started right there.
fn sftp_command() -> String {
    "/tmp/demo/sftp".into()
}

pub fn install_sftp_command() -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let path = sftp_command();
    let text = "#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n";
    fs::write(&path, text)
        .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
        .map_err(|error| format!("{path}: {error}"))
}

/// A mounted daemon; `stop` must be called.
pub struct Daemon {
    pub name: &'static str,
    pub behind: PathBuf,
    pub mount: PathBuf,
}

impl Daemon {
    pub fn start(kind: &Kind) -> Result<Daemon, String> {
        // Behind is the disk; the mounts are beside it.
        let base = Path::new("/var/tmp/demo").join(kind.name);
        let behind = base.join("behind");
        let mount = base.join("mount");
        for dir in [&behind, &mount] {
            fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        }
        let command = (kind.command)(&behind.to_string_lossy(), &mount.to_string_lossy());
        run(&command)?;
        let daemon = Daemon {
            name: kind.name,
            behind,
            mount,
        };
        wait_until(&format!("{} to mount", kind.name), || daemon.is_mounted())?;
        Ok(daemon)
    }

    fn is_mounted(&self) -> bool {
        let mount = format!(" {} fuse", self.mount.display());
        fs::read_to_string("/proc/self/mounts").is_ok_and(|table| table.contains(&mount))
    }

    /// Unmounts, and waits for the daemon to notice and end.
    pub fn stop(self) -> Result<(), String> {
        run(&words(&["umount", &self.mount.to_string_lossy()]))?;
        if self.is_mounted() {
            return Err(format!("{} is still mounted", self.mount.display()));
        }
        wait_until(&format!("{} to end", self.name), || {
            processes(self.name).is_empty()
        })
    }
}

/// Processes with this name, which the kernel cuts at 15 bytes.
fn processes(name: &str) -> Vec<u32> {
    let name = &name[..name.len().min(15)];
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .filter(|pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name)
        })
        .collect()
}

fn wait_until(what: &str, truth: impl Fn() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !truth() {
        if start.elapsed() > PATIENCE {
            return Err(format!("waited in vain for {what}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Runs a command to its end; what it said is part of the error. Of a script only the first line is
/// shown.
pub fn run(command: &[String]) -> Result<String, String> {
    let output: Output = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", command[0]))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said
        .lines()
        .rev()
        .take(10)
        .collect::<Vec<_>>()
        .into_iter()
        .rev();
    Err(format!(
        "{}: {}\n    {}",
        command
            .iter()
            .map(|word| word.split('\n').next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join(" "),
        output.status,
        said.collect::<Vec<_>>().join("\n    ")
    ))
}
