// SPDX-License-Identifier: GPL-2.0
//! What `make run` shows, inside the guest: unmodified daemons serve mounts, ordinary tools work on
//! them, and what is behind is compared; and the journey of one `rm`.
//!
//! `demo journey COMMAND [ARGUMENT...]` shows the journey of any command's requests, on any mount.

mod daemon;
mod journey;
mod syscall;
mod trace;
mod work;

use daemon::{Daemon, Kind, KINDS};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let result = match words.split_first() {
        None => demo().map(|()| 0),
        Some((what, command)) if what == "journey" => journey::of_command(command),
        Some((what, _)) => Err(format!("{what}: journey COMMAND [ARGUMENT...], or nothing")),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(reason) => {
            println!("FAILED: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<(), String> {
    let ours = std::env::var("RF_IMPL").as_deref() == Ok("rust");
    std::fs::create_dir_all("/tmp/demo").map_err(|error| error.to_string())?;
    daemon::install_sftp_command()?;
    let files = work::make_sample()?;
    let plain = Path::new("/var/tmp/demo/plain");
    std::fs::create_dir_all(plain).map_err(|error| error.to_string())?;
    work::work(plain)?;

    println!(
        "Work on mounts of the {} module, from {files} files and folders:",
        if ours { "Rust" } else { "C" }
    );
    println!("tar, cp, mv, ln, chmod, dd, cmp, rm, find, diff, a program run from the mount");
    for kind in KINDS {
        let start = Instant::now();
        let checked = exercise(kind, plain).map_err(|reason| format!("{}: {reason}", kind.name))?;
        println!(
            "  {:<15} {:<45} {checked} as they should be in the end, {:.1} s",
            kind.name,
            kind.about,
            start.elapsed().as_secs_f64()
        );
    }

    println!("\nThe journey of one rm, from the kernel's trace events:\n");
    let daemon = Daemon::start(&KINDS[0])?;
    let shown = journey::of_rm(&daemon, ours);
    let stopped = daemon.stop();
    println!();
    shown.and(stopped)
}

/// Works on a mount; then the mount, the folder behind it, and a plain folder with the same history
/// must be equal.
fn exercise(kind: &Kind, plain: &Path) -> Result<usize, String> {
    let daemon = Daemon::start(kind)?;
    let result = (|| {
        work::work(&daemon.mount)?;
        work::compare(&daemon.mount, &daemon.behind)?;
        let count = work::compare(plain, &daemon.behind)?;
        work::empty(&daemon.mount)?;
        match std::fs::read_dir(&daemon.behind).map(|entries| entries.count()) {
            Ok(0) => Ok(count),
            other => Err(format!("not emptied behind: {other:?}")),
        }
    })();
    let stopped = daemon.stop();
    let count = result?;
    stopped.map(|()| count)
}
