// SPDX-License-Identifier: GPL-2.0
//! Instructions per operation. Under QEMU's `-icount shift=0` the time stamp counter counts
//! executed instructions of the whole machine: caller, kernel and daemon together, exactly. `bench
//! time MILLISECONDS`, for User Mode Linux, measures each row for about so long by the clock
//! instead.
//!
//! Prints lines per row, see [`measure`]; the symbols of the kernel and where its modules are go to
//! the results folder, for the report.

mod dir_server;
mod dirs;
mod measure;
mod rows;
mod server;

use measure::Meter;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, ExitCode};
use std::time::Duration;

/// Both sides at one real-time priority: who runs when is then up to who waits for whom alone.
fn become_real_time() {
    let param = libc::sched_param { sched_priority: 1 };
    // SAFETY: Passes a valid structure.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &param) };
    assert_eq!(
        result,
        0,
        "sched_setscheduler: {}",
        std::io::Error::last_os_error()
    );
}

/// With these the guest's kernel copies with `rep movsb`, which counts as one instruction per byte.
fn refuse_string_copies() -> Result<(), String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").map_err(|error| error.to_string())?;
    let flags = info
        .lines()
        .find(|line| line.starts_with("flags"))
        .unwrap_or_default();
    match flags
        .split_whitespace()
        .find(|flag| ["erms", "fsrm"].contains(flag))
    {
        Some(flag) => Err(format!(
            "the guest's processor has {flag}: its copies cannot be counted"
        )),
        None => Ok(()),
    }
}

/// Which function is at which address, for the report.
fn save_symbols() -> Result<(), String> {
    let Ok(folder) = std::env::var("RF_OUT") else {
        return Ok(());
    };
    for file in ["kallsyms", "modules"] {
        std::fs::copy(format!("/proc/{file}"), format!("{folder}/{file}"))
            .map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

/// Starts this program in another role, with these descriptors.
fn spawn(role: &str, descriptors: &[&OwnedFd]) -> Result<Child, String> {
    let numbers: Vec<String> = descriptors
        .iter()
        .map(|fd| fd.as_raw_fd().to_string())
        .collect();
    Command::new("/proc/self/exe")
        .arg(role)
        .args(numbers)
        .spawn()
        .map_err(|error| format!("{role}: {error}"))
}

/// Descriptor number `index` of those that the parent handed on.
fn inherited(index: usize) -> OwnedFd {
    let number = std::env::args()
        .nth(2 + index)
        .and_then(|word| word.parse().ok());
    // SAFETY: The parent opened it for this process and nothing here closed it.
    unsafe { OwnedFd::from_raw_fd(number.expect("descriptor")) }
}

fn bench(meter: &Meter) -> Result<(), String> {
    if let Meter::Instructions = meter {
        refuse_string_copies()?;
    }
    save_symbols()?;
    become_real_time();
    rows::floors(meter)?;
    rows::fuse(meter)?;
    dirs::rows(meter)
}

/// What to measure in, by the arguments.
fn meter() -> Result<Meter, String> {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        None => Ok(Meter::Instructions),
        Some("time") => words
            .next()
            .and_then(|word| word.parse().ok())
            .map(|milliseconds| Meter::Time(Duration::from_millis(milliseconds)))
            .ok_or_else(|| "time: how many milliseconds?".into()),
        Some(word) => Err(format!("{word}: see the head of its source")),
    }
}

fn main() -> ExitCode {
    let role = std::env::args().nth(1).unwrap_or_default();
    if role == "pong" {
        let (ask, tell) = (inherited(0), inherited(1));
        become_real_time();
        rows::pong(&ask, &tell);
    } else if let Some(can) = server::Can::of_role(&role) {
        let device = inherited(0);
        become_real_time();
        server::serve(&device, can);
    } else if let Some(lists) = dir_server::Lists::of_role(&role) {
        let device = inherited(0);
        become_real_time();
        dir_server::serve(&device, lists);
    } else if let Err(reason) = meter().and_then(|meter| bench(&meter)) {
        println!("FAILED: {reason}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
