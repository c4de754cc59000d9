// SPDX-License-Identifier: GPL-2.0

//! Suite `unmodified`: tests that others have written for file systems, and daemons that others
//! have written, as they come. What they say is compared: it must be what they say on C's module.

mod archives;
mod branches;
mod gocryptfs;
mod image;
mod libfuse;
mod lxcfs;
mod ntfs;
mod overlay;
mod pjdfstest;
mod tour;

use std::process::{Command, Output};

use ktap::Case;

fn main() {
    let mut all = pjdfstest::cases();
    all.extend(libfuse::cases());
    all.extend(gocryptfs::cases());
    all.extend(image::cases());
    all.extend(overlay::cases());
    all.extend(lxcfs::cases());
    all.extend(branches::cases());
    all.extend(archives::cases());
    all.extend(ntfs::cases());
    draw(&mut all);
    ktap::run("unmodified", all);
}

/// On a debug kernel, where all of it takes long, a third of the cases runs: which one, `RF_SEED`
/// says, or else chance. With `RF_UNMODIFIED=all` they all do.
fn draw(all: &mut [Case]) {
    if !ktap::debug_kernel() || std::env::var("RF_UNMODIFIED").is_ok_and(|v| v == "all") {
        return;
    }
    let seed = suites::number("RF_SEED").unwrap_or_else(|| fastrand::u64(0..3));
    if !ktap::listing() {
        println!("# RF_SEED={seed}");
    }
    for (i, case) in all.iter_mut().enumerate() {
        if (i as u64 + seed) % 3 != 0 {
            case.run = || ktap::skip("not drawn");
        }
    }
}

/// Runs a program to its end, and gives what it printed.
fn output(command: &mut Command) -> (Output, String) {
    let out = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let mut text = String::from_utf8_lossy(&out.stdout).into_owned();
    text += &String::from_utf8_lossy(&out.stderr);
    (out, text)
}
