// SPDX-License-Identifier: GPL-2.0
//! What connects the guest with its host: a disk, two streams of lines, a folder for files, and the
//! switch.
//!
//! QEMU's guest has them by virtio. User Mode Linux, which is a process of the host, has the folder
//! of the run itself; `rf.host=` on the kernel's command line names it.

use crate::mounts::{attach, make_dir, OUT};
use rustix::system::{reboot, RebootCommand};
use std::fs::{self, File};
use std::time::{Duration, Instant};

/// Where User Mode Linux has the folder of the run.
const FOLDER: &str = "/run/rust_fuse/host";

/// A stream of lines to the host.
pub enum Port {
    /// What the command prints.
    Output,
    /// What init finds.
    Verdict,
}

impl Port {
    /// The file in the folder of the run.
    fn file(&self) -> &'static str {
        match self {
            Port::Output => "output",
            Port::Verdict => "verdict",
        }
    }

    /// The virtio port that QEMU writes to that file.
    fn virtio(&self) -> &'static str {
        match self {
            Port::Output => "rf.out",
            Port::Verdict => "rf.verdict",
        }
    }
}

pub enum Host {
    Qemu,
    /// The folder of the run.
    Uml(String),
}

impl Host {
    /// Needs /proc.
    pub fn find() -> Result<Host, String> {
        let line = fs::read_to_string("/proc/cmdline")
            .map_err(|error| format!("/proc/cmdline: {error}"))?;
        let folder = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("rf.host="));
        Ok(folder.map_or(Host::Qemu, |folder| Host::Uml(folder.into())))
    }

    /// The device of the guest's disk, once it is there: it is found by a work of its own, which
    /// may take longer than we do.
    pub fn disk(&self) -> Result<&'static str, String> {
        let device = match self {
            Host::Qemu => "/dev/vda",
            Host::Uml(_) => "/dev/ubda",
        };
        let start = Instant::now();
        while fs::metadata(device).is_err() {
            if start.elapsed() > Duration::from_secs(30) {
                return Err(format!("there is no disk {device}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(device)
    }

    /// Mounts the folder for files that are to come out on [`OUT`].
    pub fn mount_out(&self) -> Result<(), String> {
        make_dir(OUT)?;
        match self {
            Host::Qemu => attach(
                "out",
                OUT,
                "9p",
                "trans=virtio,version=9p2000.L,msize=262144",
            ),
            Host::Uml(folder) => {
                make_dir(FOLDER)?;
                attach("host", FOLDER, "hostfs", folder)?;
                attach("out", OUT, "hostfs", &format!("{folder}/files"))
            }
        }
    }

    /// Opens a stream; needs [`Host::mount_out`].
    pub fn open(&self, port: Port) -> Result<File, String> {
        let path = match self {
            Host::Qemu => virtio_device(port.virtio())?,
            Host::Uml(_) => format!("{FOLDER}/{}", port.file()),
        };
        File::options()
            .write(true)
            .append(matches!(self, Host::Uml(_)))
            .create(matches!(self, Host::Uml(_)))
            .open(&path)
            .map_err(|error| format!("{path}: {error}"))
    }

    /// Switches the machine off.
    pub fn power_off(&self) -> ! {
        match self {
            // reboot() would stop devices first, which on a debug kernel takes seconds.
            Host::Qemu => drop(fs::write("/proc/sysrq-trigger", "o")),
            Host::Uml(_) => drop(reboot(RebootCommand::PowerOff)),
        }
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

/// The device of the virtio port with this name.
fn virtio_device(name: &str) -> Result<String, String> {
    let ports = fs::read_dir("/sys/class/virtio-ports")
        .map_err(|error| format!("virtio ports: {error}"))?;
    for port in ports.flatten() {
        let found = fs::read_to_string(port.path().join("name")).unwrap_or_default();
        if found.trim() == name {
            return Ok(format!("/dev/{}", port.file_name().to_string_lossy()));
        }
    }
    Err(format!("there is no virtio port {name}"))
}
